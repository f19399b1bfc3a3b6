//! The words that dates are written with, in the languages that the shipped rules know, and the months of many more. All
//! in lower case; inflected words by their stem.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::RandomState;

/// Which calendar a month's name belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Month {
    /// 1 = January.
    Gregorian(i8),
    /// 1 = Farvardin, of the Solar Hijri calendar of Iran and Afghanistan.
    Jalali(i8),
}

/// Month names and abbreviations, by month.
const MONTHS: [&[&str]; 12] = [
    &[
        "january",
        "jan",
        "januar",
        "jänner",
        "janvier",
        "janv",
        "enero",
        "ene",
        "janeiro",
        "gennaio",
        "gen",
        "января",
        "январь",
        "янв",
        "stycznia",
        "styczeń",
        "sty",
        "ιανουαρίου",
        "ιανουάριος",
        "ιαν",
        "ocak",
        "oca",
        "يناير",
        "جانفي",
        "ژانویه",
    ],
    &[
        "february",
        "feb",
        "februar",
        "feber",
        "février",
        "févr",
        "fév",
        "febrero",
        "fevereiro",
        "fev",
        "febbraio",
        "февраля",
        "февраль",
        "фев",
        "lutego",
        "luty",
        "lut",
        "φεβρουαρίου",
        "φεβρουάριος",
        "φεβ",
        "şubat",
        "şub",
        "فبراير",
        "شباط",
        "فيفري",
        "فوریه",
    ],
    &[
        "march",
        "mar",
        "märz",
        "mär",
        "mrz",
        "mars",
        "marzo",
        "março",
        "марта",
        "март",
        "мар",
        "marca",
        "marzec",
        "μαρτίου",
        "μάρτιος",
        "μαρ",
        "mart",
        "مارس",
        "آذار",
    ],
    &[
        "april",
        "apr",
        "avril",
        "avr",
        "abril",
        "abr",
        "aprile",
        "апреля",
        "апрель",
        "апр",
        "kwietnia",
        "kwiecień",
        "kwi",
        "απριλίου",
        "απρίλιος",
        "απρ",
        "nisan",
        "nis",
        "أبريل",
        "ابريل",
        "إبريل",
        "نيسان",
        "أفريل",
        "آوریل",
    ],
    &[
        "may",
        "mai",
        "mayo",
        "maio",
        "maggio",
        "mag",
        "мая",
        "май",
        "maja",
        "maj",
        "μαΐου",
        "μαίου",
        "μάιος",
        "μαϊ",
        "mayıs",
        "مايو",
        "أيار",
        "ماي",
        "مه",
        "می",
    ],
    &[
        "june",
        "jun",
        "juni",
        "juin",
        "junio",
        "junho",
        "giugno",
        "giu",
        "июня",
        "июнь",
        "июн",
        "czerwca",
        "czerwiec",
        "cze",
        "ιουνίου",
        "ιούνιος",
        "ιουν",
        "haziran",
        "haz",
        "يونيو",
        "حزيران",
        "جوان",
        "ژوئن",
    ],
    &[
        "july",
        "jul",
        "juli",
        "juillet",
        "juil",
        "julio",
        "julho",
        "luglio",
        "lug",
        "июля",
        "июль",
        "июл",
        "lipca",
        "lipiec",
        "lip",
        "ιουλίου",
        "ιούλιος",
        "ιουλ",
        "temmuz",
        "tem",
        "يوليو",
        "تموز",
        "جويلية",
        "ژوئیه",
        "جولای",
    ],
    &[
        "august",
        "aug",
        "août",
        "aout",
        "agosto",
        "ago",
        "августа",
        "август",
        "авг",
        "sierpnia",
        "sierpień",
        "sie",
        "αυγούστου",
        "αύγουστος",
        "αυγ",
        "ağustos",
        "ağu",
        "أغسطس",
        "آب",
        "أوت",
        "اوت",
        "آگوست",
    ],
    &[
        "september",
        "sep",
        "sept",
        "septembre",
        "septiembre",
        "setiembre",
        "setembro",
        "set",
        "settembre",
        "сентября",
        "сентябрь",
        "сен",
        "сент",
        "września",
        "wrzesień",
        "wrz",
        "σεπτεμβρίου",
        "σεπτέμβριος",
        "σεπ",
        "eylül",
        "eyl",
        "سبتمبر",
        "أيلول",
        "سپتامبر",
    ],
    &[
        "october",
        "oct",
        "oktober",
        "okt",
        "octobre",
        "octubre",
        "outubro",
        "out",
        "ottobre",
        "ott",
        "октября",
        "октябрь",
        "окт",
        "października",
        "październik",
        "paź",
        "οκτωβρίου",
        "οκτώβριος",
        "οκτ",
        "ekim",
        "eki",
        "أكتوبر",
        "اكتوبر",
        "اکتبر",
    ],
    &[
        "november",
        "nov",
        "novembre",
        "noviembre",
        "novembro",
        "ноября",
        "ноябрь",
        "ноя",
        "нояб",
        "listopada",
        "listopad",
        "lis",
        "νοεμβρίου",
        "νοέμβριος",
        "νοε",
        "kasım",
        "kas",
        "نوفمبر",
        "نوامبر",
    ],
    &[
        "december",
        "dec",
        "dezember",
        "dez",
        "décembre",
        "déc",
        "diciembre",
        "dic",
        "dezembro",
        "dicembre",
        "декабря",
        "декабрь",
        "дек",
        "grudnia",
        "grudzień",
        "gru",
        "δεκεμβρίου",
        "δεκέμβριος",
        "δεκ",
        "aralık",
        "ara",
        "ديسمبر",
        "دسامبر",
    ],
];

/// Month names of further languages, a year to a line, January first. A hyphen stands for a word that is the same as in a
/// line above, or that means something else in another language: the Malay March and the Norwegian "des", for example.
const YEARS: &[&str] = &[
    // Czech
    "ledna února března dubna května června července srpna září října listopadu prosince",
    "leden únor březen duben květen červen červenec srpen - říjen - prosinec",
    // Slovak
    "januára februára - apríla mája júna júla augusta septembra októbra novembra decembra",
    "január február marec apríl máj jún júl - - október - -",
    // Hungarian
    "- - március április május június július augusztus szeptember - - -",
    "- febr márc ápr - - - - szept - - -",
    // Romanian
    "ianuarie februarie martie aprilie - iunie iulie - septembrie octombrie noiembrie decembrie",
    "ian - - - - iun iul - - - - -",
    // Croatian; its October is the Polish November
    "siječnja veljače ožujka travnja svibnja lipnja srpnja kolovoza rujna - studenoga prosinca",
    "siječanj veljača ožujak travanj svibanj lipanj srpanj kolovoz rujan - studenog prosinac",
    // Bosnian and Serbian
    "januara februara marta aprila - juna jula avgusta - oktobra - -",
    "- - - - - - - avgust septembar oktobar novembar decembar",
    "јануара фебруара - априла маја јуна јула - септембра октобра новембра децембра",
    "јануар фебруар - април мај јун јул - септембар октобар новембар децембар",
    // Slovene
    "januarja februarja - - - junija julija - - - - -",
    "- - - - - junij julij - - - - -",
    // Bulgarian and Macedonian
    "януари февруари - - - юни юли - септември октомври ноември декември",
    "јануари - - - - јуни јули - - - - -",
    // Ukrainian
    "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "січень лютий березень квітень травень червень липень серпень вересень жовтень листопад грудень",
    // Belarusian
    "студзеня лютага сакавіка красавіка траўня чэрвеня ліпеня жніўня верасня кастрычніка лістапада снежня",
    // Dutch
    "januari februari maart - mei - - augustus - - - -",
    "- - mrt - - - - - - - - -",
    // Swedish, Danish, Norwegian, Icelandic
    "- - marts - - - - augusti - - - desember",
    "janúar febrúar - - maí júní júlí ágúst - - nóvember -",
    // Finnish
    "tammikuuta helmikuuta maaliskuuta huhtikuuta toukokuuta kesäkuuta heinäkuuta elokuuta syyskuuta lokakuuta marraskuuta joulukuuta",
    "tammikuu helmikuu maaliskuu huhtikuu toukokuu kesäkuu heinäkuu elokuu syyskuu lokakuu marraskuu joulukuu",
    // Estonian
    "jaanuar veebruar märts aprill - juuni juuli - - oktoober - detsember",
    // Latvian
    "janvāris februāris marts aprīlis maijs jūnijs jūlijs augusts septembris oktobris novembris decembris",
    "janvārī februārī martā aprīlī maijā jūnijā jūlijā augustā septembrī oktobrī novembrī decembrī",
    // Lithuanian
    "sausio vasario kovo balandžio gegužės birželio liepos rugpjūčio rugsėjo spalio lapkričio gruodžio",
    // Catalan and Galician
    "gener febrer març - maig juny juliol agost setembre - - desembre",
    "xaneiro febreiro - - - xuño xullo - - - - decembro",
    // Indonesian and Malay
    "- - maret - - - - agustus - - - -",
    "- - - - - - julai ogos - - - disember",
    // Hindi and Marathi
    "जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
    "- - - - - - - - सितम्बर अक्तूबर नवम्बर दिसम्बर",
    "जानेवारी फेब्रुवारी - एप्रिल मे - जुलै ऑगस्ट सप्टेंबर ऑक्टोबर नोव्हेंबर डिसेंबर",
    // Bengali
    "জানুযারি ফেব্রুযারি মার্চ এপ্রিল মে জুন জুলাই আগস্ট সেপ্টেম্বর অক্টোবর নভেম্বর ডিসেম্বর",
    // Urdu
    "جنوری فروری مارچ اپریل مئی جون جولائی اگست ستمبر اکتوبر نومبر دسمبر",
    // Thai
    "มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม",
    "ม.ค ก.พ มี.ค เม.ย พ.ค มิ.ย ก.ค ส.ค ก.ย ต.ค พ.ย ธ.ค",
    // Hebrew
    "ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר",
    "- - מרס - - - - - - - - -",
    "בינואר בפברואר במרץ באפריל במאי ביוני ביולי באוגוסט בספטמבר באוקטובר בנובמבר בדצמבר",
    // Georgian
    "იანვარი თებერვალი მარტი აპრილი მაისი ივნისი ივლისი აგვისტო სექტემბერი ოქტომბერი ნოემბერი დეკემბერი",
];

/// The numbers that Vietnamese names its months by, behind "tháng".
const VIETNAMESE: [&str; 12] =
    ["một", "hai", "ba", "tư", "năm", "sáu", "bảy", "tám", "chín", "mười", "mười một", "mười hai"];

/// The Gregorian month of every name.
static MONTHS_BY_NAME: LazyLock<HashMap<&str, i8, RandomState>> = LazyLock::new(|| {
    let years = YEARS.iter().flat_map(|year| year.split(' ').enumerate());
    let months = MONTHS.iter().enumerate().flat_map(|(at, names)| names.iter().map(move |name| (at, *name)));
    let named = months.chain(years).filter(|(_, name)| *name != "-");
    named.map(|(at, name)| (name, number(at))).collect()
});

const JALALI_MONTHS: [&str; 12] =
    ["فروردین", "اردیبهشت", "خرداد", "تیر", "مرداد", "شهریور", "مهر", "آبان", "آذر", "دی", "بهمن", "اسفند"];

/// The month that `word` names; `next` is the word after it, for the names of two words in the Levant.
pub(crate) fn month(word: &str, next: Option<&str>) -> Option<Month> {
    let second = |next: Option<&str>| next.is_some_and(|next| next.starts_with("الثان"));
    match word {
        "كانون" => return Some(Month::Gregorian(if second(next) { 1 } else { 12 })),
        "تشرين" => return Some(Month::Gregorian(if second(next) { 11 } else { 10 })),
        _ => {}
    }
    // Persian pages mix the Arabic and the Persian form of two letters.
    let persian = word.replace('ي', "ی").replace('ك', "ک");
    let gregorian = MONTHS_BY_NAME
        .get(word)
        .or_else(|| MONTHS_BY_NAME.get(persian.as_str()))
        .map(|month| Month::Gregorian(*month));
    gregorian
        .or_else(|| JALALI_MONTHS.iter().position(|name| *name == persian).map(number).map(Month::Jalali))
}

/// The month that one or two words behind the Vietnamese "tháng" number, and how many of them do.
pub(crate) fn vietnamese_month(words: [Option<&str>; 2]) -> Option<(i8, usize)> {
    let [first, second] = words;
    let first = first?;
    let both = second.map(|second| format!("{first} {second}"));
    let position = |name: &str| VIETNAMESE.iter().position(|number| *number == name).map(number);
    let of_two = both.as_deref().and_then(position).map(|month| (month, 2));
    of_two.or_else(|| position(first).map(|month| (month, 1)))
}

fn number(position: usize) -> i8 {
    i8::try_from(position + 1).expect("a year has twelve months")
}

/// A unit of "three weeks ago".
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unit {
    Minute,
    Hour,
    Day,
    Week,
    Month,
    Year,
}

/// Stems of the units' names. The first that a word begins with wins: longer ones stand before their own beginnings.
const UNITS: &[(&str, Unit)] = &[
    ("minut", Unit::Minute),
    ("mins", Unit::Minute),
    ("min", Unit::Minute),
    ("минут", Unit::Minute),
    ("мин", Unit::Minute),
    ("λεπτ", Unit::Minute),
    ("dakika", Unit::Minute),
    ("دقيقة", Unit::Minute),
    ("دقائق", Unit::Minute),
    ("دقیقه", Unit::Minute),
    ("分", Unit::Minute),
    ("hour", Unit::Hour),
    ("hrs", Unit::Hour),
    ("hr", Unit::Hour),
    ("stunde", Unit::Hour),
    ("heure", Unit::Hour),
    ("hora", Unit::Hour),
    ("ora", Unit::Hour),
    ("ore", Unit::Hour),
    ("час", Unit::Hour),
    ("godzin", Unit::Hour),
    ("ώρ", Unit::Hour),
    ("saat", Unit::Hour),
    ("ساع", Unit::Hour),
    ("小时", Unit::Hour),
    ("小時", Unit::Hour),
    ("時間", Unit::Hour),
    ("week", Unit::Week),
    ("woche", Unit::Week),
    ("semaine", Unit::Week),
    ("seman", Unit::Week),
    ("settiman", Unit::Week),
    ("недел", Unit::Week),
    ("tydzień", Unit::Week),
    ("tygod", Unit::Week),
    ("εβδομάδ", Unit::Week),
    ("hafta", Unit::Week),
    ("أسبوع", Unit::Week),
    ("أسابيع", Unit::Week),
    ("هفته", Unit::Week),
    ("周", Unit::Week),
    ("週", Unit::Week),
    ("星期", Unit::Week),
    ("month", Unit::Month),
    ("monat", Unit::Month),
    ("mois", Unit::Month),
    ("mes", Unit::Month),
    ("mês", Unit::Month),
    ("месяц", Unit::Month),
    ("miesi", Unit::Month),
    ("μήν", Unit::Month),
    ("شهر", Unit::Month),
    ("أشهر", Unit::Month),
    ("ماه", Unit::Month),
    ("个月", Unit::Month),
    ("個月", Unit::Month),
    ("か月", Unit::Month),
    ("ヶ月", Unit::Month),
    ("カ月", Unit::Month),
    ("year", Unit::Year),
    ("jahr", Unit::Year),
    ("année", Unit::Year),
    ("an", Unit::Year),
    ("año", Unit::Year),
    ("год", Unit::Year),
    ("лет", Unit::Year),
    ("rok", Unit::Year),
    ("lat", Unit::Year),
    ("χρόν", Unit::Year),
    ("έτ", Unit::Year),
    ("yıl", Unit::Year),
    ("سنة", Unit::Year),
    ("سنوات", Unit::Year),
    ("سال", Unit::Year),
    ("年", Unit::Year),
    ("day", Unit::Day),
    ("tag", Unit::Day),
    ("jour", Unit::Day),
    ("día", Unit::Day),
    ("dia", Unit::Day),
    ("giorn", Unit::Day),
    ("дн", Unit::Day),
    ("день", Unit::Day),
    ("dzień", Unit::Day),
    ("dni", Unit::Day),
    ("ημέρ", Unit::Day),
    ("μέρ", Unit::Day),
    ("gün", Unit::Day),
    ("يوم", Unit::Day),
    ("أيام", Unit::Day),
    ("روز", Unit::Day),
    ("天", Unit::Day),
    ("日", Unit::Day),
];

/// The unit that `word` names.
pub(crate) fn unit(word: &str) -> Option<Unit> {
    // "ay" (Turkish month) begins too many words to be a stem.
    if word == "ay" {
        return Some(Unit::Month);
    }
    // One-letter and short stems stand for the whole word.
    let fits = |stem: &str| word.starts_with(stem) && (stem.len() > 3 || word.len() <= stem.len() + 3);
    UNITS.iter().find(|(stem, _)| fits(stem)).map(|(_, unit)| *unit)
}

/// Words before the amount: "vor 3 Wochen".
pub(crate) const AGO_BEFORE: &[&str] = &["vor", "hace", "há", "ha", "πριν", "منذ", "قبل", "il y a"];

/// Words after the unit: "3 weeks ago".
pub(crate) const AGO_AFTER: &[&str] = &["ago", "fa", "назад", "temu", "atrás", "πριν", "önce", "پیش", "قبل"];

/// Days before today by name.
pub(crate) const NAMED_DAYS: &[(&str, i32)] = &[
    ("today", 0),
    ("heute", 0),
    ("aujourd", 0),
    ("hoy", 0),
    ("hoje", 0),
    ("oggi", 0),
    ("сегодня", 0),
    ("dzisiaj", 0),
    ("dziś", 0),
    ("σήμερα", 0),
    ("bugün", 0),
    ("اليوم", 0),
    ("امروز", 0),
    ("今天", 0),
    ("今日", 0),
    ("yesterday", 1),
    ("gestern", 1),
    ("vorgestern", 2),
    ("hier", 1),
    ("ayer", 1),
    ("anteayer", 2),
    ("ontem", 1),
    ("anteontem", 2),
    ("ieri", 1),
    ("вчера", 1),
    ("позавчера", 2),
    ("wczoraj", 1),
    ("przedwczoraj", 2),
    ("χθες", 1),
    ("χτες", 1),
    ("dün", 1),
    ("أمس", 1),
    ("دیروز", 1),
    ("vandaag", 0),
    ("gisteren", 1),
    ("idag", 0),
    ("igår", 1),
    ("tänään", 0),
    ("eilen", 1),
    ("dnes", 0),
    ("včera", 1),
    ("danas", 0),
    ("tegnap", 1),
    ("astăzi", 0),
    ("сьогодні", 0),
    ("вчора", 1),
    ("днес", 0),
    ("오늘", 0),
    ("어제", 1),
    ("วันนี้", 0),
    ("เมื่อวาน", 1),
    ("היום", 0),
    ("אתמול", 1),
    ("昨天", 1),
    ("昨日", 1),
    ("前天", 2),
    ("一昨日", 2),
];
