use jiff::Timestamp;
use url::Url;

use super::Region;

fn parse_date(text: &str) -> Option<Timestamp> {
    super::parse_date(text, Region::default())
}

/// One instant in the layouts of many publishers.
const SAME_INSTANT: &[&str] = &[
    "Mon, 02 Jan 2006 22:04:05 GMT",
    "Mon, 2 Jan 2006 15:04:05 -0700",
    "Mon, 02 Jan 2006 15:04:05 MST",
    "Mon, 02 Jan 06 22:04:05 UTC",
    "Monday, 02 January 2006 22:04:05 Z",
    "Monday, 02-Jan-06 22:04:05 GMT",
    "Mon,02 January 2006 22:04:05 GMT",
    "Mon , 02 Jan 2006 22:04:05 GMT",
    "Mon, 02 Jan 2006 22:04:05 +0000 GMT",
    "Mon, 02 Jan 2006 22:04:05 GMT+0000",
    "Mon, 02 Jan 2006 22:04:05 +0000 (Coordinated Universal Time)",
    "Mon, 02 Jan 2006 23:04:05 +01:00",
    "Mon, 02 Jan 2006 23:04:05 +1",
    "Mon, 02 Jan 2006 23:04:05 UTC+1",
    "Mon, 02 Jan 2006 23:04:05 CET",
    "Tue, 03 Jan 2006 00:04:05 EET",
    "Mon, 02 Jan 2006 17:04:05 EST",
    "Mon, 02 Jan 2006 14:04:05 PST",
    "Tue, 03 Jan 2006 07:04:05 JST",
    "Tue, 03 Jan 2006 01:04:05 MSK",
    "Mon, 02 Jan 2006 10:04:05 PM",
    "Mon, Jan 02 2006 10:04:05 PM",
    "Mon, 2006-01-02 22:04:05",
    "Mon Jan  2 22:04:05 2006",
    "Mon Jan  2 22:04:05 UTC 2006",
    "Mon Jan 02 2006 15:04:05 GMT-0700 (Mountain Standard Time)",
    "Mon Jan 2 15:04:05 -0700 2006",
    "January 2, 2006 22:04:05",
    "January 2nd, 2006 10:04:05 pm",
    "Jan. 2, 2006, 10:04:05 p.m.",
    "Monday, January 2, 2006 at 10:04:05 PM",
    "Monday, January 2nd, 2006 - 10:04:05 PM",
    "2 January 2006 22:04:05",
    "2006 January 02 22:04:05",
    "02 Jan 2006 22:04:05",
    "02-Jan-2006 22:04:05",
    "02/Jan/2006 22:04:05",
    "2006-Jan-02 22:04:05",
    "2006-01-02T22:04:05Z",
    "2006-01-02t22:04:05z",
    "2006-01-02T22:04:05",
    "2006-01-02 22:04:05",
    "2006-01-02 22:04:05 UTC",
    "2006-01-02 22:04:05 +0000 UTC",
    "2006-01-02 at 22:04:05",
    "2006-01-02T15:04:05-07:00",
    "2006-01-02T15:04:05-0700",
    "2006-01-02T15:04:05 -07:00",
    "2006-01-02T15:04:05-07",
    "2006-01-02T22:04:05+00:00[UTC]",
    "2006-1-2T22:04:05Z",
    "2006/01/02 22:04:05",
    "2006.01.02 22:04:05",
    "20060102T220405Z",
    "20060102T22:04:05",
    "20060102220405",
    "1136239445",
    "1136239445000",
    "02.01.2006 22:04:05",
    "2.1.2006, 22:04:05",
    "1/2/2006 10:04:05 PM",
    "22:04:05 02.01.2006",
    "Mo, 02 Jan 2006 23:04:05 MEZ",
    "Montag, 2. Januar 2006 22:04:05",
    "lundi 2 janvier 2006 à 22:04:05",
    "lun. 2 janv. 2006 22:04:05",
    "lunes, 2 de enero de 2006 22:04:05",
    "lunedì 2 gennaio 2006 22:04:05",
    "segunda-feira, 2 de janeiro de 2006 22:04:05",
    "maandag 2 januari 2006 22:04:05",
    "понедельник, 2 января 2006 22:04:05",
    "Δευ, 02 Ιαν 2006 22:04:05 GMT",
    "Pon, 02 Sty 2006 23:04:05 +0100",
    "2. tammikuuta 2006 22:04:05",
    "понеділок, 2 січня 2006 22:04:05",
    "2006年1月2日 22:04:05",
    "2006년 1월 2일 22:04:05",
    // Zones by IANA name, by season, and in comments.
    "Mon, 02 Jan 2006 23:04:05 Europe/Berlin",
    "2006-01-02T23:04:05[Europe/Berlin]",
    "2006-01-02T15:04:05 (MST)",
    "Mon, 02 Jan 2006 14:04:05 PST8PDT",
    "Mon, 02 Jan 2006 17:04:05 ET",
    "Mon, 02 Jan 2006 14:04:05 PT",
    "Tue, 03 Jan 2006 03:34:05 IST",
    "Tue, 03 Jan 2006 00:04:05 +200",
    // Unknown zone names.
    "Mon, 02 Jan 2006 22:04:05 XYZ",
    "Mon Jan 2 22:04:05 XYZ 2006",
    // Dots in the time, blanks and marks inside the date.
    "Mon, 02 Jan 2006 22.04.05 GMT",
    "02.01.2006 22.04.05",
    "2006 - 01 - 02 22 : 04 : 05",
    "2. 1. 2006 22:04:05",
    "2006-01-02 T 22:04:05 Z",
    "2006-01-03T00:04:05 + 02:00",
    "\u{200e}2. 1. 2006\u{200e} 22:04:05",
    // Week dates and ordinal dates.
    "2006-W01-1T22:04:05Z",
    "2006W011 22:04:05",
    "2006-002 22:04:05",
];

#[test]
fn every_layout_of_one_instant() {
    let expected = "2006-01-02T22:04:05Z";
    let wrong = |text: &&&str| parse_date(text).is_none_or(|date| date.to_string() != expected);
    let wrong: Vec<_> = SAME_INSTANT.iter().filter(wrong).map(|text| (text, parse_date(text))).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), SAME_INSTANT.len());
}

#[test]
fn other_instants() {
    for (text, expected) in [
        ("2006-01-02", "2006-01-02T00:00:00Z"),
        ("2006-01", "2006-01-01T00:00:00Z"),
        ("2006", "2006-01-01T00:00:00Z"),
        ("20060102", "2006-01-02T00:00:00Z"),
        ("January 2, 2006", "2006-01-02T00:00:00Z"),
        ("January 2006", "2006-01-01T00:00:00Z"),
        ("Jan 2, 2006", "2006-01-02T00:00:00Z"),
        ("02/13/2006", "2006-02-13T00:00:00Z"),
        ("13/02/2006", "2006-02-13T00:00:00Z"),
        ("02/02/2006", "2006-02-02T00:00:00Z"),
        ("2006-01-02T24:00:00Z", "2006-01-03T00:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2006-01-02T22:04Z", "2006-01-02T22:04:00Z"),
        ("2006-01-02T22:04:05.123456789Z", "2006-01-02T22:04:05.123456789Z"),
        ("2006-01-02T22:04:05,5Z", "2006-01-02T22:04:05.5Z"),
        ("Thu, 29 Feb 2024 12:00 AM", "2024-02-29T00:00:00Z"),
        ("Thu, 29 Feb 2024 12:30 PM", "2024-02-29T12:30:00Z"),
        ("mar. 3 juin 2008", "2008-06-03T00:00:00Z"),
        ("mar 3 mars 2009", "2009-03-03T00:00:00Z"),
        ("Sat, 1 Mar 2008 00:00:00 +0530", "2008-02-29T18:30:00Z"),
        ("Fri, 1 Mar 2019 10:00:00 NST", "2019-03-01T13:30:00Z"),
        ("Mi, 15 Mai 2019", "2019-05-15T00:00:00Z"),
        ("Fri, 15 Mar 2019 18:00:00 ET", "2019-03-15T22:00:00Z"),
        ("2019-03-31T02:30:00[Europe/Berlin]", "2019-03-31T01:30:00Z"),
        ("lun. 15 avr. 2019 18h30", "2019-04-15T18:30:00Z"),
        ("2019-W16", "2019-04-15T00:00:00Z"),
        ("2019-105", "2019-04-15T00:00:00Z"),
        ("Mon, 15 Apr 2019 XYZ", "2019-04-15T00:00:00Z"),
    ] {
        assert_eq!(parse_date(text).map(|date| date.to_string()).as_deref(), Some(expected), "{text}");
    }
}

#[test]
fn none_rather_than_wrong() {
    for text in [
        "",
        "yesterday",
        "soon, very soon",
        "03/04/2006",
        "03-04-2006",
        "Mon, 32 Jan 2006 22:04:05 GMT",
        "Mon, 02 Foo 2006 22:04:05 GMT",
        "2006-13-02T22:04:05Z",
        "2006-02-30",
        "2006-01-02T25:04:05Z",
        "2006-01-02T22:61:05Z",
        "-0001-11-30T00:00:00+00:00",
        "0000-00-00 00:00:00",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00",
        "Mon, 01 Jan 0001 00:00:00 GMT",
        "Mon, 21 Apr 0025 18:00:00 GMT",
        "Mon, 21 Apr 125 18:00:00 GMT",
        "Mon, 21 Apr 5 18:00:00 GMT",
        "2006-W54-1",
        "2006-366",
        "1969-12-31T23:59:59Z",
        "99999-01-01T00:00:00Z",
        "3006-01-02T22:04:05Z",
        "0",
        "12345",
        "Mon, 02 Jan",
        "22:04:05",
        "2006-01-02T22:04:05+99:99",
        "1 2 3 4 5 6 7",
        "2006-01-02 2007-01-02",
    ] {
        assert_eq!(parse_date(text), None, "{text}");
    }
}

#[test]
fn an_abbreviation_means_what_it_means_where_the_feed_comes_from() {
    let date = |language, url: &str| {
        let url = Url::parse(url).unwrap();
        let region = Region::of(language, [&url]);
        super::parse_date("Mon, 02 Jan 2006 12:00:00 IST", region).map(|date| date.to_string())
    };
    for (language, url, expected) in [
        (None, "https://harbour.example/", "2006-01-02T06:30:00Z"),
        (Some("hi-IN"), "https://harbour.example/", "2006-01-02T06:30:00Z"),
        (Some("en-IE"), "https://harbour.example/", "2006-01-02T11:00:00Z"),
        (None, "https://harbour.example.ie/", "2006-01-02T11:00:00Z"),
        (Some("he"), "https://harbour.example/", "2006-01-02T10:00:00Z"),
        (Some("en"), "https://harbour.example.il/", "2006-01-02T10:00:00Z"),
    ] {
        assert_eq!(date(language, url).as_deref(), Some(expected), "{language:?} {url}");
    }
}

#[test]
fn no_text_makes_it_panic() {
    use proptest::prelude::*;
    proptest!(|(text in "[-+:/., ()0-9TWZa-zé年月日]{0,60}")| {
        let _: Option<_> = parse_date(&text);
    });
}
