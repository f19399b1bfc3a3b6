//! The feed parser: folders of cases under `tests/feeds`, bombs, and properties for any input.

use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use feedmill::parse::{ParsedFeed, parse};
use proptest::prelude::*;
use serde_json::{Value, json};
use url::Url;

/// Every key given in a case must be equal, and the number of entries must match.
#[test]
fn cases() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/feeds");
    let mut faults = String::new();
    let mut count = 0;
    for case in std::fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let expected = std::fs::read_to_string(case.join("expected.json")).unwrap();
        let expected: Value = serde_json::from_str(&expected).unwrap();
        let body = ["feed.xml", "feed.json"].map(|name| std::fs::read(case.join(name)));
        let body = body.into_iter().find_map(Result::ok).expect("a feed in every case");
        let base = expected["base_url"].as_str().map(|url| Url::parse(url).unwrap());
        let found = match parse(&body, expected["content_type"].as_str(), base.as_ref()) {
            Ok(feed) => flat(&feed),
            Err(error) => json!({ "error": error.to_string() }),
        };
        count += 1;
        for key in ["error", "feed", "entries", "warnings"] {
            compare(&expected[key], &found[key], key, &mut |path, expected, found| {
                writeln!(faults, "{}: {path}: expected {expected}, found {found}", case.display()).unwrap();
            });
        }
    }
    assert!(count > 40, "only {count} cases were found");
    assert!(faults.is_empty(), "\n{faults}");
}

/// Returns a feed as JSON, with the evidence of an entry merged into its other fields.
fn flat(feed: &ParsedFeed) -> Value {
    let mut value = serde_json::to_value(feed).expect("plain data");
    for entry in value["entries"].as_array_mut().expect("a list") {
        let mut evidence = entry["evidence"].take();
        entry.as_object_mut().expect("an object").append(evidence.as_object_mut().expect("an object"));
    }
    value
}

fn compare(expected: &Value, found: &Value, path: &str, report: &mut dyn FnMut(&str, &Value, &Value)) {
    match (expected, found) {
        (Value::Object(keys), Value::Object(_)) => {
            for (key, value) in keys {
                compare(value, &found[key], &format!("{path}.{key}"), report);
            }
        }
        (Value::Array(list), Value::Array(others)) if list.len() == others.len() => {
            for (index, (value, other)) in list.iter().zip(others).enumerate() {
                compare(value, other, &format!("{path}[{index}]"), report);
            }
        }
        _ if expected == found => {}
        _ => report(path, expected, found),
    }
}

const HEAD: &str = r#"<rss version="2.0" xmlns:media="http://search.yahoo.com/mrss/" xmlns:itunes="http://www.itunes.com/dtds/podcast-1.0.dtd"><channel><title>t</title>"#;
const ITEM: &str = "<item><title>kept</title><link>http://example.org/1</link></item>";

/// Parses a bomb: it need not be a feed, but parsing must neither panic nor take long. The bound is loose because tests run
/// unoptimised and in parallel; quadratic behaviour exceeds it by far.
fn defuse(name: &str, body: &[u8]) -> Option<ParsedFeed> {
    let start = Instant::now();
    let parsed = parse(body, None, None);
    let elapsed = start.elapsed();
    assert!(elapsed < Duration::from_secs(5), "{name} took {elapsed:?}");
    parsed.ok()
}

#[test]
fn nesting_neither_overflows_nor_loses_what_came_before() {
    let atom = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title>"#;
    let bombs = [
        ("media:group", format!("{HEAD}{ITEM}<item>{}", "<media:group>".repeat(30_000))),
        ("itunes:category", format!("{HEAD}{ITEM}{}", r#"<itunes:category text="a">"#.repeat(30_000))),
        (
            "xml:base",
            format!("{atom}<entry><title>kept</title></entry>{}", r#"<x xml:base="a/">"#.repeat(100_000)),
        ),
        ("div", format!("{HEAD}{ITEM}<item><description>{}", "<div>".repeat(200_000))),
        ("item", format!("{HEAD}{ITEM}{}", "<item>".repeat(200_000))),
    ];
    for (name, bomb) in bombs {
        let feed = defuse(name, bomb.as_bytes()).expect(name);
        assert_eq!(feed.entries[0].evidence.title.as_deref(), Some("kept"), "{name}");
        assert!(!feed.warnings.is_empty(), "{name}");
    }
    assert!(defuse("json", r#"{"items":["#.repeat(100_000).as_bytes()).is_none());
}

#[test]
fn faults_cost_no_more_than_their_length() {
    let megabyte = |pattern: &str| pattern.repeat(1_000_000 / pattern.len());
    let patterns = [
        "<",
        "< ",
        "<a ",
        "<a <",
        "<a \"",
        "<![CDATA[",
        "<!--",
        "<!-- >",
        "<? >",
        "&",
        "&amp",
        "</a>",
        "<a/>",
        "]]>",
        "<\u{feff}",
        "<\u{feff}<?é ",
    ];
    for pattern in patterns {
        for place in ["", "<item><title>", "<item><description>"] {
            let bomb = format!("{HEAD}{ITEM}{place}{}", megabyte(pattern));
            let feed = defuse(pattern, bomb.as_bytes()).expect(pattern);
            assert_eq!(feed.entries[0].evidence.title.as_deref(), Some("kept"), "{pattern} in {place}");
        }
    }
    let ends = format!("{HEAD}{}{}", "<b>".repeat(126), megabyte("</a>"));
    assert!(defuse("unmatched ends in the depth", ends.as_bytes()).is_some());
}

#[test]
fn of_a_long_feed_the_newest_are_read_wherever_they_stand() {
    const COUNT: u32 = 2_500;
    let date = |n: u32| format!("2020-{:02}-{:02}T{:02}:00:00Z", 1 + n / 672, 1 + n / 24 % 28, n % 24);
    let xml = |dated: bool| {
        let mut feed = HEAD.to_owned();
        for n in 0..COUNT {
            let date = if dated { format!("<pubDate>{}</pubDate>", date(n)) } else { String::new() };
            let text = "<![CDATA[the <item> element]]>";
            write!(
                feed,
                "<item><title>n{n}</title><guid>g{n}</guid>{date}<description>{text}</description></item>"
            )
            .unwrap();
        }
        feed + "</channel></rss>"
    };
    let json = |dated: bool| {
        let item = |n| {
            if dated {
                json!({ "id": format!("g{n}"), "title": format!("n{n}"), "date_published": date(n) })
            } else {
                json!({ "id": format!("g{n}"), "title": format!("n{n}") })
            }
        };
        json!({ "title": "t", "items": (0..COUNT).map(item).collect::<Vec<_>>() }).to_string()
    };
    for (name, feed, dated) in [
        ("xml", xml(true), true),
        ("json", json(true), true),
        ("xml", xml(false), false),
        ("json", json(false), false),
    ] {
        let parsed = parse(feed.as_bytes(), None, None).unwrap();
        let titles: Vec<&str> =
            parsed.entries.iter().filter_map(|entry| entry.evidence.title.as_deref()).collect();
        let kept: Vec<String> = if dated {
            (500..COUNT).map(|n| format!("n{n}")).collect()
        } else {
            (0..1_000).chain(1_500..COUNT).map(|n| format!("n{n}")).collect()
        };
        assert!(titles == kept, "{name}, dated: {dated}: {:?} to {:?}", titles.first(), titles.last());
        assert!(
            parsed.warnings[0].starts_with("2500 entries, of which 2000 are read"),
            "{:?}",
            parsed.warnings
        );
    }
}

#[test]
fn sizes_are_capped() {
    let many = defuse("items", format!("{HEAD}{}", ITEM.repeat(5_000)).as_bytes()).unwrap();
    assert_eq!(many.entries.len(), 2_000);
    let tag =
        format!(r#"{HEAD}<item a="{}"><title>x</title></item>{ITEM}</channel></rss>"#, "y".repeat(100_000));
    let tag = defuse("start tag", tag.as_bytes()).unwrap();
    assert_eq!(tag.entries.len(), 1);
    assert!(tag.warnings[0].contains("64 KiB"), "{:?}", tag.warnings);
    let text = format!(
        "{HEAD}<item><title>{0}</title><description>{0}</description></item>",
        "word ".repeat(1_000_000)
    );
    let text = defuse("text", text.as_bytes()).unwrap();
    assert!(text.entries[0].evidence.title.as_ref().unwrap().len() <= 4 * 1024);
    assert!(text.entries[0].evidence.summary.as_ref().unwrap().len() <= 1024 * 1024);
    let json = format!(r#"{{"items":[{}{{}}]}}"#, "{},".repeat(5_000));
    assert_eq!(defuse("json items", json.as_bytes()).unwrap().entries.len(), 2_000);
}

#[test]
fn lists_of_an_entry_are_capped_by_every_reader() {
    const MOST: usize = 100;
    let all = |item: fn(usize) -> String| (0..4 * MOST).map(|n| item(n / 2)).collect::<String>();
    let atom = |more: &str| {
        format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Harbour</title><entry><id>1</id><title>One</title>\
             <link href=\"https://harbour.example/1\"/>{}{}{more}</entry></feed>",
            all(|n| format!("<author><name>Ada Lind{n}</name></author>")),
            all(|n| format!("<category term=\"boat{n}\"/>")),
        )
    };
    let json = format!(
        "{{\"version\":\"https://jsonfeed.org/version/1.1\",\"items\":[{{\"id\":\"1\",\"content_text\":\"a\",\
         \"authors\":[{}],\"tags\":[{}]}}]}}",
        all(|n| format!("{{\"name\":\"Ada Lind{n}\"}},")).trim_end_matches(','),
        all(|n| format!("\"boat{n}\",")).trim_end_matches(','),
    );
    // feed-rs does not read unclosed elements.
    for feed in [atom(""), atom("<summary>a"), json] {
        let evidence = parse(feed.as_bytes(), None, None).unwrap().entries.remove(0).evidence;
        let lists = [evidence.authors, evidence.tags];
        for mut list in lists {
            let kept = list.len();
            list.sort_unstable();
            list.dedup();
            assert!(kept == list.len() && (MOST / 2..=MOST).contains(&kept), "{kept}: {feed}");
        }
    }
}

#[test]
fn entities_are_not_expanded_beyond_measure() {
    let mut nested = String::new();
    for name in 'b'..='j' {
        let inner = char::from_u32(u32::from(name) - 1).unwrap();
        write!(nested, "<!ENTITY {name} '{}'>", format!("&{inner};").repeat(10)).unwrap();
    }
    let laughs = format!(
        "<!DOCTYPE x [<!ENTITY a 'lol'>{nested}]>{HEAD}<item><title>&j;</title></item></channel></rss>"
    );
    let feed = defuse("laughs", laughs.as_bytes()).unwrap();
    assert_eq!(feed.entries[0].evidence.title.as_deref(), Some("&i;".repeat(10).as_str()));
    let long = "A".repeat(900);
    let quadratic = format!(
        "<!DOCTYPE x [<!ENTITY a '{long}'>]>{HEAD}<item><description>{}</description></item>",
        "&a;".repeat(100_000)
    );
    let feed = defuse("quadratic", quadratic.as_bytes()).unwrap();
    assert!(feed.entries[0].evidence.summary.as_ref().unwrap().len() <= 1024 * 1024);
}

#[test]
fn what_made_feed_rs_panic_is_read() {
    let declaration = format!(
        r#"<?xml version="1.0"?>{HEAD}<item><title>a<?xml version="1.0" encoding="utf-16"?>b</title></item></channel></rss>"#
    );
    assert_eq!(defuse("declaration", declaration.as_bytes()).unwrap().entries.len(), 1);
    let duration = format!(
        "{HEAD}<item><title>x</title><itunes:duration>99999999999999999999:00:00</itunes:duration></item></channel></rss>"
    );
    assert_eq!(defuse("duration", duration.as_bytes()).unwrap().entries.len(), 1);
    let utf16: Vec<u8> =
        format!("{HEAD}{ITEM}</channel></rss>").encode_utf16().flat_map(u16::to_be_bytes).collect();
    assert_eq!(defuse("utf-16be", &utf16).unwrap().entries.len(), 1);
}

#[test]
fn a_lone_surrogate_costs_no_entry() {
    let items: Vec<String> = (0..20)
        .map(|n| {
            format!("{{\"id\":\"{n}\",\"url\":\"https://a.example/{n}\",\"title\":\"Gull {n} \\ud83d\"}}")
        })
        .collect();
    let body = format!(
        "{{\"version\":\"https://jsonfeed.org/version/1.1\",\"title\":\"Gulls \\ud83d\",\"items\":[{}]}}",
        items.join(",")
    );
    let feed = parse(body.as_bytes(), Some("application/feed+json"), None).unwrap();
    assert!(
        feed.feed.title.as_deref().is_some_and(|title| title.starts_with("Gulls")),
        "{:?}",
        feed.feed.title
    );
    assert_eq!(feed.entries.len(), 20);
    for (n, entry) in feed.entries.iter().enumerate() {
        let title = entry.evidence.title.as_deref().unwrap_or_default();
        assert!(title.starts_with(&format!("Gull {n}")) && !title.contains("ud83d"), "{title}");
    }
}

#[test]
fn identity_survives_edits_and_moves() {
    let feed = |items: &str| {
        parse(format!("<rss version='2.0'><channel>{items}</channel></rss>").as_bytes(), None, None).unwrap()
    };
    let key = |items: &str| feed(items).entries[0].key;
    let guid = key("<item><guid>g</guid><title>Old headline</title><link>http://a.example/1</link></item>");
    assert_eq!(
        guid,
        key("<item><guid>g</guid><title>New headline</title><link>https://b.example/2</link></item>")
    );
    let link = key("<item><title>Old</title><link>http://a.example/1?utm_source=rss</link></item>");
    assert_eq!(link, key("<item><title>New</title><link>https://a.example/1#top</link></item>"));
    let text = key("<item><title>Said</title><description>so</description></item>");
    assert_eq!(text, key("<item><title>Said</title><description>so</description></item>"));
    assert_ne!(text, key("<item><title>Said</title><description>otherwise</description></item>"));
    // Guids that repeat do not distinguish entries.
    let repeated = feed(concat!(
        "<item><guid isPermaLink='false'>x</guid><link>http://a.example/1</link></item>",
        "<item><guid isPermaLink='false'>x</guid><link>http://a.example/2</link></item>"
    ));
    assert_ne!(repeated.entries[0].key, repeated.entries[1].key);
}

fn seeds() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/feeds");
    let cases = std::fs::read_dir(folder)
        .expect("the folder of cases")
        .map(|case| case.expect("an entry of it").path());
    let mut seeds: Vec<_> = cases
        .filter_map(|case| {
            std::fs::read(case.join("feed.xml")).or_else(|_| std::fs::read(case.join("feed.json"))).ok()
        })
        .collect();
    seeds.sort();
    seeds
}

/// Applies one edit to a feed: a truncation, a changed byte, a copied range.
fn mutate(body: &mut Vec<u8>, kind: u8, at: usize, length: usize, byte: u8) {
    if body.is_empty() {
        return;
    }
    let at = at % body.len();
    let end = (at + length).min(body.len());
    match kind % 4 {
        0 => body.truncate(at),
        1 => body[at] = byte,
        2 => drop(body.drain(at..end)),
        _ => {
            let copy = body[at..end].to_vec();
            body.splice(at..at, copy);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn mutated_feeds_never_panic_and_read_the_same_twice(
        seed in any::<prop::sample::Index>(),
        edits in prop::collection::vec((any::<u8>(), any::<usize>(), 1_usize..200, any::<u8>()), 1..6),
    ) {
        let seeds = seeds();
        let mut body = seed.get(&seeds).clone();
        for (kind, at, length, byte) in edits {
            mutate(&mut body, kind, at, length, byte);
        }
        let read = || parse(&body, None, None).map_err(|error| error.to_string());
        let first = read();
        if let Ok(feed) = &first {
            for entry in &feed.entries {
                prop_assert!(entry.link.as_ref().is_none_or(|url| matches!(url.scheme(), "http" | "https")));
            }
        }
        prop_assert_eq!(first, read());
    }

    #[test]
    fn any_bytes_are_survived(body in prop::collection::vec(any::<u8>(), 0..2_000)) {
        let feed = parse(&body, None, None);
        prop_assert!(feed.is_err() || feed.is_ok_and(|feed| feed.entries.len() <= 2_000));
    }
}
