//! The extractor on hostile pages, and properties of its output for any page.

use std::collections::HashMap;

use feedmill::extract::{Evidence, Rules, SiteEvidence, SiteRules, extract};
use feedmill::model::{Article, EntryEvidence, Page, PageBody, QualityFlag};
use proptest::prelude::*;
use url::Url;

fn page_at(url: &str, body: PageBody) -> Page {
    let url = Url::parse(url).unwrap();
    Page { url: url.clone(), final_url: url, body, fetched_at: "2026-03-05T12:00:00Z".parse().unwrap() }
}

fn page(html: impl Into<String>) -> Page {
    page_at("https://courier.example/news/1", PageBody::Html(html.into()))
}

fn plain(html: impl Into<String>) -> Article {
    extract(&page(html), &Evidence::default(), &Rules::new(&[]).unwrap())
}

#[test]
fn bombs_are_cut_short() {
    let attributes: String = (0..50_000).map(|n| format!(" a{n}=\"\"")).collect();
    let fonts: String = (0..20_000).map(|n| format!("<p><font id=f{n}>x")).collect();
    let stated = |middle: &str| {
        format!(
            "<meta property=og:title content=\"Harbour {middle} Ferries return\">\
             <h1><div>Harbour Fer</div><div>ries return</div></h1><p>The ferries are back.</p>"
        )
    };
    // Each with whether a limit cuts it off; large but harmless pages are read to the end.
    let bombs = [
        ("nested boxes", "<div>".repeat(100_000), true),
        ("formatting that is never closed", fonts, true),
        ("nested lists", "<ul><li>".repeat(10_000), true),
        ("misnested spans", "<span>".repeat(20_000) + &"</i>".repeat(20_000), true),
        ("end tags at depth", "<span>".repeat(500) + &"</i>".repeat(200_000), true),
        ("end tags of nothing", "<div>".repeat(500) + &"</i>".repeat(200_000), false),
        ("one tag of many attributes", format!("<div{attributes}>text</div>"), false),
        ("one attribute many times", format!("<div{}>text</div>", " a=\"\"".repeat(50_000)), false),
        ("many bodies", (0..50_000).map(|n| format!("<body a{n}=1>")).collect(), true),
        ("many paragraphs", "<p>A sentence of the page.</p>".repeat(200_000), true),
        ("nested tables", "<table><tr><td>".repeat(5_000), true),
        ("nested links", "<a href=x>y".repeat(30_000), false),
        ("many references", format!("<p>{}</p>", "&amp;".repeat(300_000)), false),
        ("line breaks", "x<br>".repeat(40_000), false),
        ("one long word", "x".repeat(5_000_000), false),
        ("a title of separators", stated(&"_".repeat(1_000_000)), false),
        ("a title of dashes", stated(&"-".repeat(1_000_000)), false),
    ];
    for (name, bomb, is_cut) in bombs {
        let article = plain(bomb);
        assert_eq!(article.quality_flags.contains(&QualityFlag::Partial), is_cut, "{name}");
    }
}

#[test]
fn what_came_before_a_limit_is_kept() {
    let sentence = "<p>The ferry left the harbour on Tuesday morning for the first time in four days.</p>";
    let article = plain(format!("<article>{}{}", sentence, "<div>".repeat(5_000)) + &"x".repeat(10_000));
    assert!(article.quality_flags.contains(&QualityFlag::Partial), "{:?}", article.quality_flags);
}

/// A page of a site: a unique story, and a promise that every page repeats.
fn story(number: usize) -> String {
    let topics = ["harbour", "library", "orchard", "railway", "observatory", "brewery"];
    let topic = topics[number % topics.len()];
    let paragraphs: String = (0..5)
        .map(|n| format!("<p>In part {n} the {topic} of town {number} was rebuilt by its owners, who spent {n} years on it and told nobody.</p>"))
        .collect();
    format!(
        "<html><body><article><h1>The {topic} of town {number}</h1>{paragraphs}\
         <p>Readers of this paper have trusted our reporters since the year it was founded by two teachers.</p>\
         </article></body></html>"
    )
}

const PROMISE: &str = "Readers of this paper have trusted";

/// Learns from a page, as the store does from every article that is not a copy.
fn learn(evidence: &mut SiteEvidence, page: &Page, rules: &Rules) {
    evidence.learn(&extract(page, &Evidence::default(), rules).block_hashes);
}

#[test]
fn what_other_pages_of_the_site_say_too_is_furniture() {
    let rules = Rules::new(&[]).unwrap();
    let mut site = SiteEvidence::default();
    for number in 1..5 {
        learn(&mut site, &page(story(number)), &rules);
    }
    let unknown = extract(&page(story(0)), &Evidence::default(), &rules);
    let known = extract(&page(story(0)), &Evidence { entry: None, site: Some(&site) }, &rules);
    assert!(unknown.text.contains(PROMISE));
    assert!(!known.text.contains(PROMISE), "{}", known.text);
    let fate = known.account.iter().find(|block| block.text.starts_with(PROMISE)).unwrap();
    assert_eq!((fate.kept, &*fate.rule), (false, "site.seen_elsewhere"));
    assert!(known.text.contains("In part 4 the harbour of town 0"));
}

#[test]
fn an_address_that_many_pages_give_for_themselves_is_nobodys() {
    let rules = Rules::new(&[]).unwrap();
    let told = |number: usize, canonical: &str| {
        let head = format!("<html><head><link rel=canonical href=\"{canonical}\"></head>");
        page(story(number).replace("<html>", &head))
    };
    let of_all = "https://news.example/stories/all";
    let mut site = SiteEvidence::default();
    let canonical = |page: &Page, site: &SiteEvidence| {
        let article = extract(page, &Evidence { entry: None, site: Some(site) }, &rules);
        article.metadata.canonical_url.map(|url| url.to_string())
    };
    for number in 1..3 {
        assert_eq!(canonical(&told(number, of_all), &site).as_deref(), Some(of_all), "page {number}");
        learn(&mut site, &told(number, of_all), &rules);
    }
    assert_eq!(canonical(&told(0, of_all), &site), None);
    let own = "https://news.example/stories/harbour";
    assert_eq!(canonical(&told(0, own), &site).as_deref(), Some(own));
}

/// A notice of which only the numbers change from day to day.
fn notice(day: usize) -> String {
    format!(
        "<html><body><article><h1>Fish prices of day {day}</h1>\
         <p>Cod closed at {} crowns on the quay, {day} crowns more than on the day before, and herring at {}.</p>\
         <p>The auction sold {} boxes in {} minutes, said the auctioneer.</p></article>\
         <footer><p>{PROMISE} our reporters since the year it was founded by two teachers.</p></footer></body></html>",
        310 + 7 * day,
        95 + day,
        40 + 3 * day,
        12 + day
    )
}

#[test]
fn numbers_are_the_news_of_a_notice() {
    let rules = Rules::new(&[]).unwrap();
    let mut site = SiteEvidence::default();
    for day in 1..9 {
        learn(&mut site, &page(notice(day)), &rules);
    }
    let article = extract(&page(notice(9)), &Evidence { entry: None, site: Some(&site) }, &rules);
    assert!(article.text.contains("Cod closed at 373 crowns"), "{:?}", article.account);
    assert!(article.text.contains("sold 67 boxes"), "{:?}", article.account);
    assert!(!article.quality_flags.contains(&QualityFlag::RepeatedText), "{:?}", article.quality_flags);
}

#[test]
fn what_two_other_pages_say_too_is_not_yet_furniture() {
    let rules = Rules::new(&[]).unwrap();
    let mut site = SiteEvidence::default();
    for number in 1..3 {
        learn(&mut site, &page(story(number)), &rules);
    }
    let article = extract(&page(story(0)), &Evidence { entry: None, site: Some(&site) }, &rules);
    assert!(article.text.contains(PROMISE));
}

/// A report with the same opening as every report of its series, and little more.
fn report(number: usize) -> String {
    let ships = ["tug", "barge", "punt", "cutter", "dredger", "lighter"];
    format!(
        "<html><body><article><h1>The {ship} in the harbour</h1>\
         <p>The harbour office reports what was seen from its tower, and asks all who sail to read it before they cast off, \
         for the channel moves with every storm and the charts are older than the quay.</p>\
         <p>The {ship} lies across the channel.</p></article></body></html>",
        ship = ships[number]
    )
}

#[test]
fn what_a_series_repeats_does_not_go_where_it_is_most_of_the_text() {
    let rules = Rules::new(&[]).unwrap();
    let mut site = SiteEvidence::default();
    for number in 1..5 {
        learn(&mut site, &page(report(number)), &rules);
    }
    // The other pages of the site do not contain the opening.
    site.articles = 40;
    let article = extract(&page(report(0)), &Evidence { entry: None, site: Some(&site) }, &rules);
    assert!(article.text.contains("reports what was seen from its tower"), "{:?}", article.account);
    assert!(article.text.contains("The tug lies across the channel."), "{:?}", article.account);
}

/// A page whose "about the paper" section looks more like an article than the news does.
fn flash(topic: &str, news: &str) -> String {
    let about: String = (0..9)
        .map(|n| {
            format!(
                "<p>In year {n} the paper moved to another house by the river, where its founders printed on two old \
                 machines, and the readers of the valley came to help them carry the type.</p>"
            )
        })
        .collect();
    format!(
        "<title>The {topic} opens again</title><div class=x1><h1>The {topic} opens again</h1></div>\
         <div class=sidebar>{news}</div><article class=article-body>{about}</article>"
    )
}

fn news_of(topic: &str) -> String {
    format!("After nine months of work the {topic} lets visitors in from Monday on.")
}

#[test]
fn the_text_of_another_headline_is_not_chosen_twice() {
    let rules = Rules::new(&[]).unwrap();
    let mut site = SiteEvidence::default();
    learn(&mut site, &page(flash("lighthouse", &news_of("lighthouse"))), &rules);
    let evidence = Evidence { entry: None, site: Some(&site) };
    let unknown = extract(&page(flash("courtyard", &news_of("courtyard"))), &Evidence::default(), &rules);
    assert!(unknown.text.starts_with("In year 0 the paper moved"), "{}", unknown.text);
    let known = extract(&page(flash("courtyard", &news_of("courtyard"))), &evidence, &rules);
    assert!(known.text.starts_with("After nine months of work the courtyard"), "{}", known.text);
    assert!(!known.text.contains("the paper moved"), "{}", known.text);
    let rules_of = |kept: bool| known.account.iter().filter(move |block| block.kept == kept);
    assert!(rules_of(true).all(|block| block.rule == "site.chosen_again"));
    assert_eq!(rules_of(false).filter(|block| block.rule == "site.chosen_wrongly").count(), 9);
    assert!(!known.quality_flags.contains(&QualityFlag::RepeatedText));

    let nothing_else = extract(&page(flash("courtyard", "")), &evidence, &rules);
    assert!(nothing_else.text.starts_with("In year 0 the paper moved"));
    assert!(nothing_else.quality_flags.contains(&QualityFlag::RepeatedText));
    let the_same_page = extract(&page(flash("lighthouse", &news_of("lighthouse"))), &evidence, &rules);
    assert!(!the_same_page.quality_flags.contains(&QualityFlag::RepeatedText), "one headline is no alarm");
}

/// A page of a site that puts bodies in one box and other content in another.
fn in_boxes(title: &str, body: &str, beside: &str) -> Page {
    page(format!(
        "<div class=qtop><h1>{title}</h1></div><div class=qmid>{body}</div><div class=qlow>{beside}</div>"
    ))
}

/// Paragraphs about the means of travel with this number, 0 to 9, which no other number shares.
fn travels(number: usize) -> String {
    let names =
        ["boats", "trains", "trams", "buses", "carts", "coaches", "sledges", "lifts", "barges", "cars"];
    let name = |n: usize| names[n % names.len()];
    (0..5)
        .map(|n| {
            let (first, second, third) = (name(number), name(number + n), name(number + 2 * n));
            format!(
                "<p>On day {n} the {first} of the {second} valley carried more people than ever, and the crews said \
                 that they had never seen so many on one {third}.</p>"
            )
        })
        .collect()
}

#[test]
fn the_box_that_holds_the_hosts_bodies_is_learned() {
    let rules = Rules::new(&[]).unwrap();
    let mut site = SiteEvidence::default();
    for number in 1..8 {
        learn(
            &mut site,
            &in_boxes("News", &travels(number), "<p><a href=/n>Other news of the day</a></p>"),
            &rules,
        );
    }
    let both = |page: &Page| {
        let known = extract(page, &Evidence { entry: None, site: Some(&site) }, &rules);
        (extract(page, &Evidence::default(), &rules).text, known)
    };

    let (mut unknown_kept, mut known_kept) = (0, 0);
    let places = "at the town hall|at the town hall until Friday|at the town hall to be read by all";
    for where_it_is in places.split('|') {
        for class in ["note", "hint", "x3"] {
            let line = format!("<div class={class}><p>A report is {where_it_is}</p></div>");
            let (unknown, known) = both(&in_boxes("The cars of the valley", &(travels(9) + &line), ""));
            let is_kept = known.text.contains("A report");
            assert!(is_kept || !unknown.contains("A report"), "{line}");
            unknown_kept += usize::from(unknown.contains("A report"));
            known_kept += usize::from(is_kept);
        }
    }
    assert!(known_kept > unknown_kept, "{known_kept} lines beside {unknown_kept}");

    let line = "<p>On day 9 the cars of the valley carried more people to the pier at Arden than ever, and the crews said that \
                they had never seen so many.</p>\
                <p>The pier at Arden is closed until the spring, and nobody knows when it will open again.</p>\
                <p>The harbour office had promised it for May, but the boats still lie on the beach in the snow.</p>";
    let (unknown, known) = both(&in_boxes("The cars of the valley", &travels(9), line));
    assert!(unknown.contains("The pier at Arden"), "{unknown}");
    assert!(!known.text.contains("The pier at Arden"), "{}", known.text);

    let notices: String = (0..9)
        .map(|n| format!("<div class=note><a href=/pier/{n}>Pier {n} closed from Monday until the ice has gone</a></div>"))
        .collect();
    let letters: String = (0..5)
        .map(|n| {
            format!(
                "<p>Readers write in letter {n} that the old trains were better than any boat, and that nobody who \
                 had been on one would ever forget the number {n} on its door.</p>"
            )
        })
        .collect();
    let (unknown, known) = both(&in_boxes("The piers of the valley", &notices, &letters));
    assert!(!unknown.contains("Pier 8 closed"), "{unknown}");
    assert!(known.text.contains("Pier 8 closed") && !known.text.contains("Readers"), "{}", known.text);
    assert!(known.account.iter().any(|block| block.rule == "site.chosen_again"));
}

#[test]
fn a_second_site_changes_no_byte_of_the_first() {
    let rules = Rules::new(&[]).unwrap();
    let first = page_at("https://one.example/1", PageBody::Html(story(0)));
    let mut sites: HashMap<&str, SiteEvidence> = HashMap::new();
    learn(sites.entry("one.example").or_default(), &page(story(1)), &rules);
    let before = extract(&first, &Evidence { entry: None, site: sites.get("one.example") }, &rules);
    for number in 1..6 {
        learn(sites.entry("two.example").or_default(), &page(story(number)), &rules);
    }
    let after = extract(&first, &Evidence { entry: None, site: sites.get("one.example") }, &rules);
    assert_eq!(before, after);
    assert!(after.text.contains(PROMISE));
}

#[test]
fn the_operators_selectors_win() {
    let site = SiteRules {
        host: "courier.example".to_owned(),
        body: vec!["#notes".to_owned()],
        drop: vec![".aside".to_owned()],
        title: vec!["#name".to_owned()],
        author: vec![".who".to_owned()],
        keep_text: Vec::new(),
        drop_text: Vec::new(),
        date: vec!["time".to_owned()],
    };
    let html = "<h1>Something else</h1><p id=name>The real headline</p><p class=who>By Rana Koval</p>\
                <time datetime='2026-02-01T08:00:00Z'>1 February</time>\
                <article><p>A long paragraph of prose, which any model would take for the story of this page.</p></article>\
                <ul id=notes><li><a href=/1>First note</a></li><li class=aside>Second note</li><li>Leave a comment</li></ul>";
    let article = extract(&page(html), &Evidence::default(), &Rules::new(&[site]).unwrap());
    assert_eq!(article.text, "First note\nLeave a comment");
    assert_eq!(article.metadata.title.as_deref(), Some("The real headline"));
    assert_eq!(article.metadata.authors, ["Rana Koval"]);
    assert_eq!(article.metadata.published_at, Some("2026-02-01T08:00:00Z".parse().unwrap()));
    assert!(article.account.iter().any(|block| block.rule == "operator.drop" && block.text == "Second note"));
}

#[test]
fn a_broken_selector_names_its_place() {
    let site =
        SiteRules { host: "x.example".to_owned(), drop: vec!["p >".to_owned()], ..SiteRules::default() };
    let error = Rules::new(&[site]).unwrap_err();
    assert!(error.to_string().starts_with("site x.example: drop = \"p >\": not a CSS selector:"), "{error}");
}

#[test]
fn the_entrys_content_stands_in_for_a_stub() {
    let content: String = (0..6)
        .map(|n| format!("<p>Paragraph {n} tells how the old mill was taken apart, stone by stone, and put up again.</p>"))
        .collect();
    let entry = EntryEvidence { content: Some(content), ..EntryEvidence::default() };
    let stub = page("<article><h1>The mill</h1><p>Subscribe to continue reading.</p></article>");
    let article = extract(&stub, &Evidence { entry: Some(&entry), site: None }, &Rules::new(&[]).unwrap());
    assert!(article.quality_flags.contains(&QualityFlag::FeedContentUsed));
    assert!(article.text.contains("Paragraph 5 tells"));
}

/// The page's title or the entry's is the headline, so that no line is missing from the text.
#[test]
fn the_first_line_of_a_stand_in_is_text() {
    let lines = "Fish prices on the quay\nCod 12 crowns, herring 5\n".to_owned()
        + &"The auction sold all of its boxes before the bells rang, said the auctioneer to our reporter.\n"
            .repeat(6);
    let entry = |title: &str| EntryEvidence {
        title: Some(title.to_owned()),
        content: Some(lines.clone()),
        ..EntryEvidence::default()
    };
    let stub = page("<title>News</title><article><p>Subscribe to continue reading.</p></article>");
    for (title, is_text) in [("What the fish costs today", true), ("Fish prices on the quay", false)] {
        let evidence = Evidence { entry: Some(&entry(title)), site: None };
        let article = extract(&stub, &evidence, &Rules::new(&[]).unwrap());
        assert!(article.quality_flags.contains(&QualityFlag::FeedContentUsed), "{article:?}");
        assert_eq!(article.metadata.title.as_deref(), Some(title));
        assert_eq!(article.text.starts_with("Fish prices on the quay"), is_text, "{}", article.text);
        assert!(article.text.contains("Cod 12 crowns"), "{}", article.text);
    }
}

#[test]
fn what_a_feed_calls_an_article_is_one_line() {
    let entry = EntryEvidence {
        title: Some("The mill\n and\u{10} \u{200b} the owl ".to_owned()),
        authors: vec!["Ada\nLind".to_owned(), " ".to_owned()],
        ..EntryEvidence::default()
    };
    let lines = page_at("https://a.example/", PageBody::Text("A line of text.".to_owned()));
    let article = extract(&lines, &Evidence { entry: Some(&entry), site: None }, &Rules::new(&[]).unwrap());
    assert_eq!(article.metadata.title.as_deref(), Some("The mill and the owl"));
    assert_eq!(article.metadata.authors, ["Ada Lind"]);
}

/// Returns the letters and digits of a text: those of the output must occur on the page.
fn letters(text: &str) -> String {
    text.chars().filter(|c| c.is_alphanumeric()).collect()
}

fn markup() -> impl Strategy<Value = String> {
    let word = "[a-zäß中я]{1,9}";
    let sentence = prop::collection::vec(word, 1..25).prop_map(|words| words.join(" ") + ".");
    let tag = prop::sample::select(vec![
        "p",
        "div",
        "h1",
        "h2",
        "li",
        "ul",
        "td",
        "table",
        "tr",
        "blockquote",
        "a",
        "b",
        "span",
        "br",
        "pre",
        "article",
        "section",
        "figure",
        "form",
        "nav",
        "i",
    ]);
    let class =
        prop::sample::select(vec!["", " class=comments", " class='entry-content'", " hidden", " id=share"]);
    let piece = prop_oneof![
        4 => sentence,
        3 => (tag.clone(), class).prop_map(|(tag, class)| format!("<{tag}{class}>")),
        2 => tag.prop_map(|tag| format!("</{tag}>")),
        1 => "[<>&\"'/!-]{1,4}",
    ];
    prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

/// Paragraphs long enough to be recognized as such.
const PROSE: &str = "([A-Z][a-z]{2,9}( [a-z]{2,9}){15,30}\\.\n\n){1,8}";
/// Dates as publishers write them, and similar strings.
const DATE: &str = "([0-9]{1,2}[-/. ]|[0-9]{4}[-/. ])([0-9]{1,2}|May|Dezember|juin)[-/. ]([0-9]{4}|[0-9]{2})\
                    ([T ,]{1,2}[0-9]{1,2}:[0-9]{2}(:[0-9]{2})?(Z| ?[+-][0-9]{2}:?[0-9]{2}| pm| EST)?)?";

fn of_lines(text: &str) -> String {
    let page = page_at("https://a.example/", PageBody::Text(text.to_owned()));
    extract(&page, &Evidence::default(), &Rules::new(&[]).unwrap()).text
}

fn paragraphs_of(text: &str) -> String {
    text.split_terminator("\n\n").map(|paragraph| format!("<p>{paragraph}</p>")).collect()
}

fn of_paragraphs(text: &str) -> String {
    plain(format!("<html><body>{}</body></html>", paragraphs_of(text))).text
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn the_text_says_nothing_that_the_page_does_not(html in markup()) {
        let shown: String = letters(&scraper::Html::parse_document(&html).root_element().text().collect::<String>());
        for line in plain(html).text.lines() {
            // Hidden text within a line may be missing from it.
            let mut rest = shown.chars();
            prop_assert!(letters(line).chars().all(|letter| rest.any(|c| c == letter)), "{line:?}");
        }
    }

    #[test]
    fn every_word_of_the_text_is_a_word_of_the_page(html in markup()) {
        let shown: String = scraper::Html::parse_document(&html).root_element().text().collect();
        for word in plain(html).text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
            prop_assert!(shown.contains(word), "{word:?}");
        }
    }

    #[test]
    fn plain_text_comes_out_of_itself_unchanged(text in PROSE) {
        let once = of_lines(&text);
        prop_assert_eq!(&of_lines(&once), &once);
        prop_assert_eq!(&of_paragraphs(&once), &once);
    }

    #[test]
    fn what_a_page_gave_comes_out_of_itself_unchanged(
        text in PROSE,
        menu in prop::collection::vec("[A-Z][a-z]{2,9}", 0..12),
    ) {
        let (paragraphs, menu) = (paragraphs_of(&text), menu.join("</a></li><li><a href=/x>"));
        let nav = format!("<nav><ul><li><a href=/x>{menu}</a></li></ul></nav>");
        let page = format!("{nav}<article><h1>Headline</h1>{paragraphs}</article><footer>{nav}</footer>");
        let once = plain(page).text;
        prop_assert_eq!(&of_lines(&once), &once);
        prop_assert_eq!(&of_paragraphs(&once), &once);
    }

    #[test]
    fn no_date_lies_ahead(date in DATE) {
        let head = format!("<meta property=article:published_time content='{date}'><time datetime='{date}'>{date}</time>");
        let page = page(format!("<h1>Headline</h1>{head}<p class=updated>Updated: {date}</p><p class=date>{date}</p>"));
        let article = extract(&page, &Evidence::default(), &Rules::new(&[]).unwrap());
        let dates = [article.metadata.published_at, article.metadata.modified_at].into_iter().flatten();
        prop_assert!(dates.into_iter().all(|moment| moment <= page.fetched_at), "{article:?}");
    }

    #[test]
    fn nothing_makes_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000)) {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        plain(text.clone());
        extract(&page_at("https://a.example/", PageBody::Text(text)), &Evidence::default(), &Rules::new(&[]).unwrap());
    }
}
