//! Dates as publishers write them. An instant is given only where the text leaves no doubt: a day that could be a
//! month, or a zone that nobody knows, gives none.

use jiff::Timestamp;
use jiff::civil::{Date, Time};
use jiff::tz::Offset;

/// Years in which a feed entry can have been published. The web has none before, and what lies far ahead is a typo.
const YEARS: std::ops::RangeInclusive<i16> = 1990..=2100;

/// Longer texts are no dates.
const MAX_DATE_BYTES: usize = 120;

/// The instant that `text` names, in whatever layout.
pub(super) fn parse_date(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if text.is_empty() || text.len() > MAX_DATE_BYTES {
        return None;
    }
    let timestamp =
        if text.bytes().all(|byte| byte.is_ascii_digit()) { digits(text) } else { calendar(text) }?;
    YEARS.contains(&timestamp.to_zoned(jiff::tz::TimeZone::UTC).year()).then_some(timestamp)
}

/// A date written as one number: by its length an epoch, a day or a moment.
fn digits(text: &str) -> Option<Timestamp> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<i64>().ok());
    match text.len() {
        4 => Parts { year: number(0..4), month: Some(1), day: Some(1), ..Parts::default() }.timestamp(),
        8 => compact_day(text)?.timestamp(),
        9 | 10 => Timestamp::from_second(number(0..text.len())?).ok(),
        12 | 14 => {
            let mut parts = compact_day(&text[..8])?;
            parts.time = compact_time(&text[8..]);
            parts.time?;
            parts.timestamp()
        }
        13 => Timestamp::from_millisecond(number(0..13)?).ok(),
        _ => None,
    }
}

/// `YYYYMMDD`.
fn compact_day(text: &str) -> Option<Parts> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<i64>().ok());
    (text.len() == 8 && text.is_ascii()).then(|| Parts {
        year: number(0..4),
        month: number(4..6),
        day: number(6..8),
        ..Parts::default()
    })
}

/// `HHMM` or `HHMMSS`.
fn compact_time(text: &str) -> Option<Clock> {
    let number = |range| text.get(range).and_then(|digits: &str| digits.parse::<i8>().ok());
    if !matches!(text.len(), 4 | 6) || !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let second = if text.len() == 6 { number(4..6)? } else { 0 };
    Some(Clock { hour: number(0..2)?, minute: number(2..4)?, second, nanosecond: 0 })
}

#[derive(Clone, Copy)]
struct Clock {
    hour: i8,
    minute: i8,
    second: i8,
    nanosecond: i32,
}

/// What has been understood of a date so far.
#[derive(Default)]
struct Parts {
    year: Option<i64>,
    month: Option<i64>,
    day: Option<i64>,
    time: Option<Clock>,
    /// Half of the day, by `am` or `pm`.
    afternoon: Option<bool>,
    /// Seconds east of Greenwich.
    offset: Option<i32>,
}

impl Parts {
    fn timestamp(self) -> Option<Timestamp> {
        let year = match self.year? {
            short @ 0..=68 => short + 2000,
            short @ 69..=99 => short + 1900,
            year => year,
        };
        let date = Date::new(year.try_into().ok()?, self.month?.try_into().ok()?, self.day?.try_into().ok()?)
            .ok()?;
        let mut clock = self.time.unwrap_or(Clock { hour: 0, minute: 0, second: 0, nanosecond: 0 });
        match self.afternoon {
            Some(true) if clock.hour < 12 => clock.hour += 12,
            Some(false) if clock.hour == 12 => clock.hour = 0,
            _ => {}
        }
        // 24:00 is the next midnight, and a leap second the second before it.
        let next_day = clock.hour == 24 && clock.minute == 0;
        let hour = if next_day { 0 } else { clock.hour };
        let time = Time::new(hour, clock.minute, clock.second.min(59), clock.nanosecond).ok()?;
        let date = if next_day { date.tomorrow().ok()? } else { date };
        Offset::from_seconds(self.offset.unwrap_or(0)).ok()?.to_timestamp(date.to_datetime(time)).ok()
    }
}

fn calendar(text: &str) -> Option<Timestamp> {
    let mut parts = Parts::default();
    let mut months_seen = 0;
    let tokens = tokens(text);
    let mut rest = tokens.as_slice();
    while let [token, after @ ..] = rest {
        rest = after;
        match token {
            Token::Number(number, digits) => take_number(&mut parts, *number, *digits)?,
            Token::Day { first, second, third, separator } => {
                take_day(&mut parts, *first, *second, *third, *separator, text)?;
            }
            Token::Clock(clock) if parts.time.is_none() => parts.time = Some(*clock),
            Token::Offset(seconds) => parts.offset = Some(parts.offset.unwrap_or(0) + seconds),
            Token::Word(word) => {
                if let Some(number) = month(word) {
                    months_seen += 1;
                    // "mar. 3 juin": the first was a weekday.
                    if parts.month.is_none() || (months_seen == 2 && is_weekday_too(word, &tokens)) {
                        parts.month = Some(number);
                        continue;
                    }
                }
                match word.as_str() {
                    "am" | "a.m" => parts.afternoon = Some(false),
                    "pm" | "p.m" => parts.afternoon = Some(true),
                    _ if is_filler(word) => {}
                    _ if parts.day.is_none() && parts.year.is_none() => {}
                    _ => parts.offset = Some(parts.offset.unwrap_or(0) + zone(word)?),
                }
            }
            Token::Clock(_) | Token::Unknown => return None,
        }
    }
    if parts.month.is_some() && parts.day.is_none() && parts.time.is_none() {
        parts.day = Some(1);
    }
    parts.timestamp()
}

fn is_weekday_too(_word: &str, tokens: &[Token]) -> bool {
    matches!(tokens.first(), Some(Token::Word(first)) if month(first).is_some() && first.chars().count() <= 4)
}

/// A bare number: the day or the year, by its size and by what is still missing.
fn take_number(parts: &mut Parts, number: i64, digits: usize) -> Option<()> {
    match digits {
        3.. => {
            if parts.year.is_some() {
                return None;
            }
            parts.year = Some(number);
        }
        _ if parts.day.is_none() => parts.day = Some(number),
        _ if parts.year.is_none() => parts.year = Some(number),
        _ => return None,
    }
    Some(())
}

/// Three numbers, or two, joined by a separator.
fn take_day(
    parts: &mut Parts,
    first: (i64, usize),
    second: Middle,
    third: Option<(i64, usize)>,
    separator: char,
    text: &str,
) -> Option<()> {
    if parts.year.is_some() || parts.day.is_some() {
        return None;
    }
    match (first, second, third) {
        // 2006-09-15, 2006-Sep-15, 2006-09
        ((year, 4), Middle::Number(month) | Middle::Month(month), day) => {
            (parts.year, parts.month) = (Some(year), Some(month));
            parts.day = Some(day.map_or(1, |(day, _)| day));
        }
        // 15-Sep-2006, 15-Sep-06
        ((day, _), Middle::Month(month), Some((year, _))) => {
            (parts.year, parts.month, parts.day) = (Some(year), Some(month), Some(day));
        }
        ((day, _), Middle::Number(month), Some((year, 2 | 4))) => {
            let (day, month) = match (day, month) {
                (day, month) if day > 12 || day == month => (day, month),
                (month, day) if day > 12 => (day, month),
                // Points part day and month everywhere; am and pm are American.
                (day, month) if separator == '.' => (day, month),
                (month, day) if separator == '/' && has_half_of_day(text) => (day, month),
                _ => return None,
            };
            (parts.year, parts.month, parts.day) = (Some(year), Some(month), Some(day));
        }
        _ => return None,
    }
    Some(())
}

fn has_half_of_day(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    text.ends_with("am") || text.ends_with("pm") || text.contains("am ") || text.contains("pm ")
}

#[derive(Debug)]
enum Token {
    /// A number and how many digits it had.
    Number(i64, usize),
    Day {
        first: (i64, usize),
        second: Middle,
        third: Option<(i64, usize)>,
        separator: char,
    },
    Clock(Clock),
    Offset(i32),
    /// Lower case, without the final dot.
    Word(String),
    Unknown,
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }
}

#[derive(Clone, Copy, Debug)]
enum Middle {
    Number(i64),
    Month(i64),
}

/// Cuts a date into tokens. Brackets and what they hold are comments: `(CEST)`, `[Europe/Paris]`.
fn tokens(text: &str) -> Vec<Token> {
    let mut plain = String::with_capacity(text.len());
    let mut depth = 0_usize;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        match c {
            '年' | '月' | '년' | '월' => {
                plain.push('-');
                while characters.next_if(|next| next.is_whitespace()).is_some() {}
            }
            '日' | '일' => plain.push(' '),
            // A decimal comma after the seconds.
            ',' if plain.ends_with(|c: char| c.is_ascii_digit())
                && plain.split_whitespace().next_back().is_some_and(|word| word.contains(':'))
                && characters.peek().is_some_and(char::is_ascii_digit) =>
            {
                plain.push('.');
            }
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            _ if depth > 0 => {}
            ',' | ';' | '|' | '·' => plain.push(' '),
            // The minus sign and dashes of typography.
            '−' | '–' | '‐' => plain.push('-'),
            c => plain.push(c),
        }
    }
    let mut tokens = Vec::new();
    for word in plain.split_whitespace() {
        tokenise(word, &mut tokens);
    }
    tokens
}

fn tokenise(word: &str, tokens: &mut Vec<Token>) {
    let mut rest = word;
    while !rest.is_empty() {
        let previous_is_clock = matches!(tokens.last(), Some(Token::Clock(_)));
        let first = rest.chars().next().unwrap_or_default();
        let used = if first.is_ascii_digit() {
            number_token(rest, tokens)
        } else if matches!(first, '+' | '-') {
            offset_token(rest, previous_is_clock, tokens)
        } else if first.is_alphabetic() {
            let end =
                rest.find(|c: char| !(c.is_alphabetic() || c == '.' || c == '\'')).unwrap_or(rest.len());
            let word = rest[..end].trim_end_matches('.').to_lowercase();
            // The T between day and time.
            let is_joint = word == "t" && rest[end..].starts_with(|c: char| c.is_ascii_digit());
            if !is_joint {
                tokens.push(Token::Word(word));
            }
            end
        } else {
            if !matches!(first, '.' | '/' | '@' | '"' | '\'' | ':') {
                tokens.push(Token::Unknown);
            }
            first.len_utf8()
        };
        rest = &rest[used..];
    }
}

fn leading_number(text: &str) -> (i64, usize) {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    (text[..digits.min(18)].parse().unwrap_or(0), digits)
}

/// A token that begins with a digit; returns its length.
fn number_token(text: &str, tokens: &mut Vec<Token>) -> usize {
    let (number, digits) = leading_number(text);
    let rest = &text[digits..];
    if rest.starts_with(':')
        && digits <= 2
        && let Some((clock, used)) = clock(text)
    {
        tokens.push(Token::Clock(clock));
        return used;
    }
    if digits == 8
        && matches!(rest.chars().next(), None | Some('T' | 't'))
        && let Some(Parts { year: Some(year), month: Some(month), day: Some(day), .. }) =
            compact_day(&text[..8])
    {
        let third = Some((day, 2));
        tokens.push(Token::Day { first: (year, 4), second: Middle::Number(month), third, separator: '-' });
        return digits;
    }
    if (digits == 6 || digits == 4 && !rest.starts_with('-'))
        && matches!(tokens.last(), Some(Token::Day { .. }))
        && let Some(clock) = compact_time(&text[..digits])
    {
        tokens.push(Token::Clock(clock));
        return digits;
    }
    let separator = rest.chars().next().filter(|c| matches!(c, '-' | '/' | '.'));
    if let Some(separator) = separator
        && let Some((day, used)) = day_token(text, separator)
    {
        tokens.push(day);
        return used;
    }
    tokens.push(Token::Number(number, digits));
    // 1st, 2nd, 3rd, 4th
    let suffix =
        rest.get(..2).is_some_and(|s| ["st", "nd", "rd", "th"].iter().any(|o| s.eq_ignore_ascii_case(o)));
    let joint = rest.get(2..).is_none_or(|after| !after.starts_with(char::is_alphabetic));
    digits + if suffix && joint { 2 } else { 0 }
}

fn day_token(text: &str, separator: char) -> Option<(Token, usize)> {
    let (first, digits) = leading_number(text);
    let mut at = digits + 1;
    let rest = text.get(at..)?;
    let word_length = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
    let second = if word_length > 0 {
        at += word_length;
        Middle::Month(month(&rest[..word_length].to_lowercase())?)
    } else {
        let (number, digits) = leading_number(rest);
        at += digits;
        (1..=2).contains(&digits).then_some(Middle::Number(number))?
    };
    let third = text.get(at..).and_then(|rest| rest.strip_prefix(separator)).map(leading_number);
    let third = third.filter(|(_, digits)| matches!(digits, 1 | 2 | 4));
    if let Some((_, digits)) = third {
        at += 1 + digits;
    }
    let first = (first, digits);
    // Without a third number only a year and a month make sense.
    (third.is_some() || first.1 == 4).then_some((Token::Day { first, second, third, separator }, at))
}

/// `h:mm`, `hh:mm:ss`, `hh:mm:ss.fraction`.
fn clock(text: &str) -> Option<(Clock, usize)> {
    let (hour, mut at) = leading_number(text);
    let mut field = |at: &mut usize| {
        let rest = text.get(*at..)?.strip_prefix(':')?;
        let (number, digits) = leading_number(rest);
        (1..=2).contains(&digits).then(|| *at += 1 + digits)?;
        i8::try_from(number).ok()
    };
    let minute = field(&mut at)?;
    let second = field(&mut at).unwrap_or(0);
    let mut nanosecond = 0;
    if let Some(rest) = text.get(at..).and_then(|rest| rest.strip_prefix(['.', ','])) {
        let (_, digits) = leading_number(rest);
        if digits > 0 {
            let kept = &rest[..digits.min(9)];
            nanosecond = kept.parse::<i32>().ok()? * 10_i32.pow(9 - u32::try_from(kept.len()).ok()?);
            at += 1 + digits;
        }
    }
    Some((Clock { hour: i8::try_from(hour).ok()?, minute, second, nanosecond }, at))
}

/// An offset as `+0200`, `+02:00`, `+2`; a lone hyphen between words is nothing.
fn offset_token(text: &str, after_clock: bool, tokens: &mut Vec<Token>) -> usize {
    let sign = if text.starts_with('-') { -1 } else { 1 };
    let (number, digits) = leading_number(&text[1..]);
    let mut used = 1 + digits;
    let number = i32::try_from(number).unwrap_or(i32::MAX);
    let minutes = match digits {
        0 => return 1,
        1 | 2 => {
            let mut minutes = number * 60;
            if let Some(rest) = text[used..].strip_prefix(':') {
                let (number, digits) = leading_number(rest);
                minutes += i32::try_from(number).unwrap_or(i32::MAX).min(60);
                used += 1 + digits;
            }
            minutes
        }
        4 => number / 100 * 60 + number % 100,
        _ => {
            tokens.push(Token::Unknown);
            return used;
        }
    };
    let after_zone = matches!(tokens.last(), Some(Token::Word(_)));
    if !(after_clock || after_zone || tokens.iter().any(|token| matches!(token, Token::Clock(_)))) {
        tokens.push(Token::Unknown);
        return used;
    }
    tokens.push(Token::Offset(sign * minutes * 60));
    used
}

/// Names of the months, January first, in the languages whose feeds spell them out. Abbreviations of three letters
/// or more are found too.
const MONTHS: [&[&str]; 12] = [
    &[
        "january",
        "januar",
        "jänner",
        "janvier",
        "enero",
        "gennaio",
        "janeiro",
        "januari",
        "январь",
        "января",
        "styczeń",
        "stycznia",
        "ιανουαρίου",
        "ιαν",
        "ocak",
        "január",
        "leden",
        "ledna",
    ],
    &[
        "february",
        "februar",
        "feber",
        "février",
        "fevrier",
        "febrero",
        "febbraio",
        "fevereiro",
        "februari",
        "февраль",
        "февраля",
        "luty",
        "lutego",
        "φεβρουαρίου",
        "φεβ",
        "şubat",
        "február",
        "únor",
        "února",
    ],
    &[
        "march",
        "märz",
        "maerz",
        "mrz",
        "mars",
        "marzo",
        "março",
        "maart",
        "mrt",
        "март",
        "марта",
        "marzec",
        "marca",
        "μαρτίου",
        "μάρ",
        "mart",
        "március",
        "březen",
        "března",
    ],
    &[
        "april",
        "avril",
        "abril",
        "aprile",
        "апрель",
        "апреля",
        "kwiecień",
        "kwietnia",
        "απριλίου",
        "απρ",
        "nisan",
        "április",
        "duben",
        "dubna",
    ],
    &[
        "may",
        "mai",
        "mayo",
        "maggio",
        "maio",
        "mei",
        "maj",
        "май",
        "мая",
        "maja",
        "μαΐου",
        "μάι",
        "mayıs",
        "május",
        "květen",
        "května",
    ],
    &[
        "june",
        "juni",
        "juin",
        "junio",
        "giugno",
        "junho",
        "июнь",
        "июня",
        "czerwiec",
        "czerwca",
        "ιουνίου",
        "ιούν",
        "ιον",
        "haziran",
        "június",
        "červen",
        "června",
    ],
    &[
        "july",
        "juli",
        "juillet",
        "julio",
        "luglio",
        "julho",
        "июль",
        "июля",
        "lipiec",
        "lipca",
        "ιουλίου",
        "ιούλ",
        "ιολ",
        "temmuz",
        "július",
        "červenec",
        "července",
    ],
    &[
        "august",
        "août",
        "aout",
        "agosto",
        "augustus",
        "augusti",
        "август",
        "августа",
        "sierpień",
        "sierpnia",
        "αυγούστου",
        "αύγ",
        "ağustos",
        "augusztus",
        "srpen",
        "srpna",
    ],
    &[
        "september",
        "septembre",
        "septiembre",
        "setiembre",
        "settembre",
        "setembro",
        "сентябрь",
        "сентября",
        "wrzesień",
        "września",
        "σεπτεμβρίου",
        "σεπ",
        "eylül",
        "szeptember",
        "září",
    ],
    &[
        "october",
        "oktober",
        "octobre",
        "octubre",
        "ottobre",
        "outubro",
        "октябрь",
        "октября",
        "październik",
        "października",
        "οκτωβρίου",
        "οκτ",
        "ekim",
        "október",
        "říjen",
        "října",
    ],
    &[
        "november",
        "novembre",
        "noviembre",
        "novembro",
        "ноябрь",
        "ноября",
        "listopad",
        "listopada",
        "νοεμβρίου",
        "νοέ",
        "kasım",
    ],
    &[
        "december",
        "dezember",
        "décembre",
        "decembre",
        "diciembre",
        "dicembre",
        "dezembro",
        "декабрь",
        "декабря",
        "grudzień",
        "grudnia",
        "δεκεμβρίου",
        "δεκ",
        "aralık",
        "prosinec",
        "prosince",
    ],
];

/// The month, 1 to 12, of a lower-case name or its abbreviation.
fn month(word: &str) -> Option<i64> {
    const ENGLISH: [&str; 12] =
        ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    if let Some(index) = ENGLISH.iter().position(|name| *name == word) {
        return i64::try_from(index + 1).ok();
    }
    let matches = |name: &&str| *name == word || (word.chars().count() >= 3 && name.starts_with(word));
    let mut found = (1_i64..).zip(MONTHS).filter(|(_, names)| names.iter().any(|name| matches(&name)));
    let (number, _) = found.next()?;
    // "jui" could be either: only the whole name, or one month's abbreviation, will do.
    let unique = found.next().is_none() || MONTHS[usize::try_from(number).ok()? - 1].contains(&word);
    unique.then_some(number)
}

/// Words between the numbers that say nothing.
fn is_filler(word: &str) -> bool {
    const FILLERS: &[&str] =
        &["at", "de", "del", "of", "on", "um", "uhr", "à", "a", "le", "den", "the", "ore", "alle", "г"];
    const WEEKDAYS: &[&str] = &["mon", "tue", "wed", "thu", "fri", "sat", "sun", "thur", "tues"];
    FILLERS.contains(&word)
        || WEEKDAYS.contains(&word)
        || ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"].contains(&word)
}

/// Seconds east of Greenwich for the name of a zone. Names that mean several zones (IST, CST in China) are taken as
/// the mail standards take them, or not at all.
fn zone(name: &str) -> Option<i32> {
    let hours = match name {
        "z" | "ut" | "utc" | "gmt" | "uct" | "wet" | "universal" | "zulu" => 0.0,
        "bst" | "cet" | "met" | "mez" | "west" | "wat" => 1.0,
        "cest" | "mest" | "mesz" | "eet" | "sast" | "cat" => 2.0,
        "eest" | "msk" | "trt" | "eat" => 3.0,
        "msd" | "gst" => 4.0,
        "irst" => 3.5,
        "pkt" | "uzt" => 5.0,
        "npt" => 5.75,
        "wib" | "ict" => 7.0,
        "hkt" | "sgt" | "awst" | "wita" | "pht" | "myt" => 8.0,
        "jst" | "kst" | "wit" => 9.0,
        "acst" => 9.5,
        "aest" => 10.0,
        "acdt" => 10.5,
        "aedt" => 11.0,
        "nzst" => 12.0,
        "nzdt" => 13.0,
        "adt" | "brt" | "art" | "clst" => -3.0,
        "nst" => -3.5,
        "ndt" => -2.5,
        "ast" | "edt" | "clt" | "et.dst" => -4.0,
        "est" | "cdt" | "pet" | "cot" => -5.0,
        "cst" | "mdt" => -6.0,
        "mst" | "pdt" => -7.0,
        "pst" | "akdt" => -8.0,
        "akst" => -9.0,
        "hst" => -10.0,
        _ => return None,
    };
    Some((hours * 3600.0) as i32)
}

#[cfg(test)]
#[path = "dates_tests.rs"]
mod tests;
