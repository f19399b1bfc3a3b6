//! Extracts any page: no panic, bounded work, the same result twice, and no impossible metadata.
//!
//! The bytes before a NUL byte are the feed's description of the page.

#![no_main]

use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{Article, EntryEvidence, Page, PageBody};
use feedmill::work::steps_of;
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// Maximum steps per byte, plus a constant.
const STEPS_A_BYTE: u64 = 400;
const STEPS: u64 = 100_000;

static RULES: LazyLock<Rules> = LazyLock::new(|| Rules::new(&[]).expect("the shipped rules compile"));

fuzz_target!(|input: &[u8]| {
    let (entry, body) = match input.iter().position(|byte| *byte == 0) {
        Some(end) => (Some(evidence(&input[..end])), &input[end + 1..]),
        None => (None, input),
    };
    let text = String::from_utf8_lossy(body).into_owned();
    for body in [PageBody::Html(text.clone()), PageBody::Text(text)] {
        let page = page(body);
        let read = || extract(&page, &Evidence { entry: entry.as_ref(), site: None }, &RULES);
        let (article, steps) = steps_of(read);
        let bytes = input.len() as u64;
        assert!(steps <= STEPS + STEPS_A_BYTE * bytes, "{steps} steps for {bytes} bytes");
        check(&article, &page);
        assert_eq!(article, read());
    }
});

fn page(body: PageBody) -> Page {
    let url: url::Url = "https://courier.example/2024/05/04/story".parse().expect("a URL");
    Page { final_url: url.clone(), url, body, fetched_at: "2026-03-05T12:00:00Z".parse().expect("a moment") }
}

fn evidence(said: &[u8]) -> EntryEvidence {
    let said = String::from_utf8_lossy(said).into_owned();
    EntryEvidence {
        title: Some(said.clone()),
        summary: Some(said.clone()),
        authors: vec![said.clone()],
        content: Some(said),
        ..EntryEvidence::default()
    }
}

fn check(article: &Article, page: &Page) {
    for moment in [article.metadata.published_at, article.metadata.modified_at].into_iter().flatten() {
        assert!(moment <= page.fetched_at, "{moment} lies ahead");
    }
    for url in [&article.metadata.canonical_url, &article.metadata.image].into_iter().flatten() {
        assert!(matches!(url.scheme(), "http" | "https"), "{url}");
    }
    assert!((0.0..=1.0).contains(&article.score), "{}", article.score);
    for label in article.metadata.title.iter().chain(&article.metadata.authors).chain(&article.metadata.site_name) {
        assert!(!label.trim().is_empty() && !label.contains('\n'), "{label:?}");
    }
    assert!(!article.text.starts_with('\n') && !article.text.contains("\n\n\n"), "{:?}", article.text);
}
