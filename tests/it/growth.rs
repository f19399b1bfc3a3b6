//! The work of each stage grows linearly with its input, whatever is repeated in it: four times the input takes about four times
//! the steps, and the steps per byte are bounded. Steps are counted (`work`), so the result is independent of the machine.

use feedmill::dedup::{self, Neighbour, Publisher, fingerprint, judge};
use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{Article, ArticleId, Page, PageBody, Sha256Hash};
use feedmill::parse::parse;
use feedmill::work::steps_of;
use url::Url;

use crate::support::repeats::{FEEDS, PAGES, Repeats, TEXTS};

/// Large enough that lists with a maximum length are full, and that a page is read the same way at both sizes.
const PAGE_BYTES: usize = 32_768;
const FEED_BYTES: usize = 65_536;
const FACTOR: usize = 4;
/// Growth with tolerance for the page's own head and rounded sizes.
const MOST_GROWTH: f64 = 4.4;
/// Steps per byte of a single pass, such as over input that is rejected at its end: linear, even if smaller input was rejected at
/// once.
const ONE_LOOK: f64 = 1.1;
/// Maximum steps per byte.
const MOST_STEPS: f64 = 400.0;

/// Checks each kind at `once` bytes and at four times as many; `work` runs the stage.
fn hold(stage: &str, kinds: &[Repeats], once: usize, work: impl Fn(&str)) {
    let mut too_many = Vec::new();
    for kind in kinds {
        let steps = |bytes: usize| {
            let document = kind.document(bytes);
            let ((), steps) = steps_of(|| work(&document));
            (f64::from(u32::try_from(steps).unwrap()), document.len())
        };
        let ((once, _), (more, bytes)) = (steps(once), steps(once * FACTOR));
        let each = more / f64::from(u32::try_from(bytes).unwrap());
        if more > once * MOST_GROWTH && each > ONE_LOOK || each > MOST_STEPS {
            let growth = more / once;
            too_many.push(format!(
                "{stage} of {}: {once} steps, {growth:.1} times as many, {each:.0} a byte",
                kind.name
            ));
        }
    }
    assert!(too_many.is_empty(), "{}", too_many.join("\n"));
}

fn page(body: PageBody) -> Page {
    let url = Url::parse("https://courier.example/news/1").unwrap();
    Page { url: url.clone(), final_url: url, body, fetched_at: "2026-03-05T12:00:00Z".parse().unwrap() }
}

#[test]
fn pages_take_steps_in_their_proportion() {
    let rules = Rules::new(&[]).unwrap();
    hold("extraction", PAGES, PAGE_BYTES, |html| {
        extract(&page(PageBody::Html(html.to_owned())), &Evidence::default(), &rules);
    });
}

#[test]
fn markup_of_entries_takes_steps_in_its_proportion() {
    let rules = Rules::new(&[]).unwrap();
    hold("extraction from an entry", PAGES, PAGE_BYTES, |html| {
        extract(&page(PageBody::Fragment(html.to_owned())), &Evidence::default(), &rules);
    });
}

#[test]
fn texts_take_steps_in_their_proportion() {
    let rules = Rules::new(&[]).unwrap();
    hold("reading and comparing", TEXTS, PAGE_BYTES, |text| {
        let article = extract(&page(PageBody::Text(text.to_owned())), &Evidence::default(), &rules);
        fingerprint(&article, &dedup::Settings::default());
    });
}

#[test]
fn copies_take_steps_in_their_proportion() {
    let settings = dedup::Settings::default();
    let fingerprinted =
        |text: &str| fingerprint(&Article { text: text.to_owned(), ..Article::default() }, &settings);
    let publisher = Publisher { host: "courier.example".to_owned(), feed: None };
    let id = ArticleId(Sha256Hash::of("other"));
    hold("judging", TEXTS, PAGE_BYTES, |text| {
        // Another text, or the hash alone would tell, of the same publisher, so that a common template is searched for.
        let other = format!("{text}. The rest of it is told elsewhere.");
        let content_sha256 = fingerprinted(&other).content_sha256;
        let neighbour =
            Neighbour { id, cluster_id: id, content_sha256, text: other, publisher: publisher.clone() };
        judge(text, &fingerprinted(text), &publisher, &[neighbour], &settings);
    });
}

#[test]
fn feeds_take_steps_in_their_proportion() {
    let base = Url::parse("https://harbour.example/feed").unwrap();
    hold("parsing", FEEDS, FEED_BYTES, |feed| {
        // Some are not feeds: only the work counts.
        drop(parse(feed.as_bytes(), None, Some(&base)));
    });
}
