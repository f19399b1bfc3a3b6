//! Compares any two texts: no panic, bounded work, the same result twice; a text is a copy of itself.
//!
//! A NUL byte separates the two texts.

#![no_main]

use feedmill::dedup::{Neighbour, Publisher, Settings, fingerprint, judge};
use feedmill::model::{Article, ArticleId, DuplicateKind, Fingerprint, Sha256Hash, Verdict};
use feedmill::work::steps_of;
use libfuzzer_sys::fuzz_target;

/// Maximum steps per byte of either text, plus a constant.
const STEPS_A_BYTE: u64 = 40;
const STEPS: u64 = 1_000;

fuzz_target!(|input: &[u8]| {
    let end = input.iter().position(|byte| *byte == 0).unwrap_or(input.len());
    let [one, other] = [&input[..end], &input[end..]].map(|text| String::from_utf8_lossy(text).into_owned());
    let (first, steps) = steps_of(|| compared(&one, &other));
    let bytes = (one.len() + other.len()) as u64;
    assert!(steps <= STEPS + STEPS_A_BYTE * bytes, "{steps} steps for {bytes} bytes");
    assert_eq!(first, compared(&one, &other));
    let of_itself = compared(&one, &one);
    if fingerprinted(&one).comparable {
        assert!(matches!(of_itself, Verdict::Duplicate(link) if link.kind == DuplicateKind::Exact && link.score >= 1.0));
    } else {
        assert_eq!(of_itself, Verdict::Original);
    }
});

/// Judges whether `one` is a copy of `other`, by the same publisher.
fn compared(one: &str, other: &str) -> Verdict {
    let publisher = Publisher { host: "courier.example".to_owned(), feed: None };
    let id = ArticleId(Sha256Hash::of("other"));
    let neighbour = Neighbour {
        id,
        cluster_id: id,
        content_sha256: fingerprinted(other).content_sha256,
        text: other.to_owned(),
        publisher: publisher.clone(),
    };
    judge(one, &fingerprinted(one), &publisher, &[neighbour], &Settings::default())
}

fn fingerprinted(text: &str) -> Fingerprint {
    fingerprint(&Article { text: text.to_owned(), ..Article::default() }, &Settings::default())
}
