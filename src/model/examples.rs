//! Example records for the documentation: what happens to one report, event by event, and pages that raise the other flags.

use jiff::Timestamp;
use url::Url;

use super::record::{Event, FeedMention, Record, SCHEMA_VERSION};
use super::{ArticleId, DuplicateKind, Enclosure, Metadata, QualityFlag, Sha256Hash};
use crate::extract::EXTRACTOR_VERSION;

/// Returns the examples in the order of their positions, each with its heading.
pub(super) fn all() -> Vec<(&'static str, Record)> {
    vec![
        ("`created`: an original", original()),
        ("`created`: an exact copy on another site, whose text is the feed's", copy()),
        ("`linked`: another feed announces the copy", announced_again()),
        ("`created`: a near copy, embedded in a live report", live_report()),
        ("`revised`: the live report has grown", live_report_later()),
        ("`withdrawn`: the page of the copy is gone", withdrawn()),
        ("`created`: a video for subscribers", video()),
        ("`created`: the first of two pages of pictures", gallery()),
        ("`created`: a list of articles, the same as under another headline", listing()),
        ("`created`: a page that is unavailable, of which the feed has a teaser", teaser()),
    ]
}

const NEWS: &str = "The ferry will sail again from Monday, the harbour master said.";
/// What the live report quotes word for word: 33 of the 44 shingles of the original.
const DETAILS: &str = "It had been laid up for two weeks, while the yard at Arden replaced the rudder and both shafts.\n\n\
    The first crossing leaves at six in the morning, and the winter timetable holds until the Easter holidays.";
const SHARE_OF_DETAILS: f64 = 0.75;
const LIVE: &str = "17:40 Our reporter on the quay hears that the repairs are over.\n\n16:10 The wind has dropped to force four.";
const LATER: &str = "18:05 Tickets are on sale at the kiosk until eight.";
const VIDEO: &str = "The ferry sails again: see the first crossing from the bridge.";
const CAPTIONS: &str = "The ferry on the slip at Arden.\n\nThe old rudder, and the new one beside it.\n\n\
    Both shafts on their way into the hull.";
const HEADLINES: &str =
    "Ferry sails again\n\nThe first crossing\n\nTwo weeks in the yard\n\nWinter timetable";
const TEASER: &str = "The winter timetable of the ferry will be published on Friday.";

/// An article that was stored for the first time.
pub(super) fn original() -> Record {
    let url = address("https://gazette.example/2026/ferry");
    let id = ArticleId::of_url(&url);
    let record = Record {
        seq: 41,
        event: Event::Created,
        recorded_at: time("2026-03-02T08:00:07Z"),
        id,
        revision: 1,
        original_url: address("https://gazette.example/2026/ferry?utm_source=rss"),
        metadata: Metadata {
            title: Some("Ferry sails again".to_owned()),
            description: Some("Two weeks of repairs are over.".to_owned()),
            authors: vec!["Ada Quay".to_owned()],
            published_at: Some(time("2026-03-02T07:30:00Z")),
            modified_at: None,
            utc_offset: None,
            language: Some("en".to_owned()),
            canonical_url: Some(url.clone()),
            site_name: Some("Harbour Gazette".to_owned()),
            section: Some("Local".to_owned()),
            tags: vec!["ferries".to_owned()],
            image: None,
            license: None,
        },
        text: String::new(),
        fetched_at: time("2026-03-02T08:00:06Z"),
        hostname: "gazette.example".to_owned(),
        word_count: 0,
        content_sha256: Sha256Hash::of(""),
        raw_sha256: Sha256Hash::of("the page of the Gazette"),
        duplicate_of: None,
        duplicate_kind: None,
        duplicate_score: None,
        cluster_id: id,
        withdrawn_at: None,
        feeds: vec![FeedMention {
            feed_url: address("https://gazette.example/feed"),
            tags: vec!["coast".to_owned()],
            guid: Some("ferry-2026".to_owned()),
            entry_title: Some("Ferry sails again".to_owned()),
            entry_published_at: Some(time("2026-03-02T07:30:00Z")),
            first_seen_at: time("2026-03-02T08:00:04Z"),
        }],
        extractor_version: EXTRACTOR_VERSION.to_owned(),
        quality_flags: Vec::new(),
        enclosures: vec![Enclosure {
            url: address("https://gazette.example/ferry.mp3"),
            media_type: Some("audio/mpeg".to_owned()),
            length: Some(1_048_576),
        }],
        schema_version: SCHEMA_VERSION,
        replaces: None,
        url,
    };
    with_text(record, format!("{NEWS}\n\n{DETAILS}"))
}

/// The same text at another URL; its page holds no text, so that it comes from the entry.
fn copy() -> Record {
    let original = original();
    let url = address("https://wire.example/ferry");
    Record {
        seq: 42,
        recorded_at: time("2026-03-02T08:15:03Z"),
        id: ArticleId::of_url(&url),
        original_url: url.clone(),
        metadata: Metadata {
            description: None,
            authors: Vec::new(),
            published_at: Some(time("2026-03-02T08:10:00Z")),
            canonical_url: None,
            site_name: Some("The Wire".to_owned()),
            section: None,
            tags: Vec::new(),
            ..original.metadata.clone()
        },
        fetched_at: time("2026-03-02T08:15:02Z"),
        hostname: "wire.example".to_owned(),
        raw_sha256: Sha256Hash::of("the page of the Wire"),
        duplicate_of: Some(original.id),
        duplicate_kind: Some(DuplicateKind::Exact),
        duplicate_score: Some(1.0),
        feeds: vec![mention("https://wire.example/feed", &url, "2026-03-02T08:15:01Z")],
        quality_flags: vec![QualityFlag::FeedContentUsed],
        enclosures: Vec::new(),
        url,
        ..original
    }
}

/// The copy, after a second feed has announced it.
fn announced_again() -> Record {
    let copy = copy();
    let mut feeds = copy.feeds.clone();
    feeds.push(mention("https://wire.example/coast/feed", &copy.url, "2026-03-02T08:30:01Z"));
    Record { seq: 43, event: Event::Linked, recorded_at: time("2026-03-02T08:30:02Z"), feeds, ..copy }
}

/// A live report that quotes most of the original.
fn live_report() -> Record {
    let original = original();
    let url = address("https://island.example/live");
    let record = Record {
        seq: 44,
        recorded_at: time("2026-03-02T17:45:03Z"),
        id: ArticleId::of_url(&url),
        original_url: url.clone(),
        metadata: Metadata {
            title: Some("The ferry is back: live".to_owned()),
            description: None,
            authors: Vec::new(),
            published_at: Some(time("2026-03-02T16:10:00Z")),
            modified_at: Some(time("2026-03-02T17:41:00Z")),
            canonical_url: Some(url.clone()),
            site_name: Some("Island News".to_owned()),
            section: None,
            tags: Vec::new(),
            ..original.metadata.clone()
        },
        fetched_at: time("2026-03-02T17:45:02Z"),
        hostname: "island.example".to_owned(),
        raw_sha256: Sha256Hash::of("the page of Island News"),
        duplicate_of: Some(original.id),
        duplicate_kind: Some(DuplicateKind::Near),
        duplicate_score: Some(SHARE_OF_DETAILS),
        feeds: vec![mention("https://island.example/feed", &url, "2026-03-02T17:45:01Z")],
        quality_flags: vec![QualityFlag::Liveblog],
        enclosures: Vec::new(),
        url,
        ..original
    };
    with_text(record, format!("{LIVE}\n\n{DETAILS}"))
}

/// The live report at its next recheck: a copy stays linked however its text changes.
fn live_report_later() -> Record {
    let before = live_report();
    let text = format!("{LATER}\n\n{}", before.text);
    let record = Record {
        seq: 45,
        event: Event::Revised,
        recorded_at: time("2026-03-02T18:45:03Z"),
        revision: 2,
        metadata: Metadata { modified_at: Some(time("2026-03-02T18:06:00Z")), ..before.metadata.clone() },
        fetched_at: time("2026-03-02T18:45:02Z"),
        raw_sha256: Sha256Hash::of("the later page of Island News"),
        ..before
    };
    with_text(record, text)
}

/// The copy, after its page answered 410: the text stays.
fn withdrawn() -> Record {
    let before = announced_again();
    let at = time("2026-03-03T08:15:02Z");
    Record { seq: 46, event: Event::Withdrawn, recorded_at: at, withdrawn_at: Some(at), ..before }
}

/// A video behind a paywall, with a sentence that says what it shows.
fn video() -> Record {
    let flags = [QualityFlag::Paywalled, QualityFlag::VideoOnly, QualityFlag::TooShort];
    page(47, "video", ("The first crossing", VIDEO), &flags)
}

/// The captions of pictures that continue on another page, which was not read.
fn gallery() -> Record {
    page(48, "pictures", ("Two weeks in the yard", CAPTIONS), &[QualityFlag::Gallery, QualityFlag::Partial])
}

/// A list of articles, which the host has under another headline as well.
fn listing() -> Record {
    page(49, "all", ("All about the ferry", HEADLINES), &[QualityFlag::Listing, QualityFlag::RepeatedText])
}

/// An entry whose page is unavailable, so that text and metadata are the feed's.
fn teaser() -> Record {
    let flags = [QualityFlag::FeedContentUsed, QualityFlag::TeaserOnly];
    let record = page(50, "timetable", ("Winter timetable", TEASER), &flags);
    let metadata =
        Metadata { canonical_url: None, site_name: None, section: None, ..record.metadata.clone() };
    Record { metadata, raw_sha256: Sha256Hash::of(TEASER), ..record }
}

/// Another page of the Gazette, with its title and text.
fn page(seq: i64, name: &str, (title, text): (&str, &str), flags: &[QualityFlag]) -> Record {
    let original = original();
    let url = address(&format!("https://gazette.example/2026/{name}"));
    let id = ArticleId::of_url(&url);
    let record = Record {
        seq,
        recorded_at: time("2026-03-04T08:00:07Z"),
        id,
        original_url: url.clone(),
        metadata: Metadata {
            title: Some(title.to_owned()),
            description: None,
            authors: Vec::new(),
            published_at: Some(time("2026-03-04T07:45:00Z")),
            canonical_url: Some(url.clone()),
            tags: Vec::new(),
            ..original.metadata.clone()
        },
        fetched_at: time("2026-03-04T08:00:06Z"),
        raw_sha256: Sha256Hash::of(format!("the page {name} of the Gazette")),
        cluster_id: id,
        feeds: vec![mention("https://gazette.example/feed", &url, "2026-03-04T08:00:04Z")],
        quality_flags: flags.to_vec(),
        enclosures: Vec::new(),
        url,
        ..original
    };
    with_text(record, text.to_owned())
}

/// Sets the text and what follows from it.
fn with_text(record: Record, text: String) -> Record {
    let words: Vec<&str> = text.split_whitespace().collect();
    Record {
        word_count: u32::try_from(words.len()).expect("a short text"),
        content_sha256: Sha256Hash::of(words.join(" ")),
        text,
        ..record
    }
}

fn mention(feed_url: &str, guid: &Url, first_seen_at: &str) -> FeedMention {
    FeedMention {
        feed_url: address(feed_url),
        tags: Vec::new(),
        guid: Some(guid.to_string()),
        entry_title: None,
        entry_published_at: None,
        first_seen_at: time(first_seen_at),
    }
}

fn address(url: &str) -> Url {
    url.parse().expect("a constant")
}

fn time(text: &str) -> Timestamp {
    text.parse().expect("a constant")
}
