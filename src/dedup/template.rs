//! Texts of one publisher that share a template: advertisements of one employer, notices of one office, episodes of one
//! show.
//!
//! The shared part of such texts is identical word for word, sentence by sentence, and each has different text beside it. A
//! copy has no other text, or nearly the same. This is checked only for texts of one publisher: different publishers share
//! no templates, whereas an agency's story under a new lead is a copy.

use std::collections::HashSet;

use super::canonical_text;
use super::shingles::Shingles;
use crate::model::FeedId;

/// Minimum number of shingles, and minimum share of all its shingles, that a text must have outside the template.
const LEAST_OWN_SHINGLES: usize = 20;
const LEAST_OWN_SHARE: f64 = 0.1;
/// The texts differ where less than this share of their own shingles (outside the template) is common.
const MOST_SHARED: f64 = 0.3;

/// The publisher of a text, as far as it is known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Publisher {
    /// The host; empty where it is unknown.
    pub host: String,
    /// The feed that announced the text first.
    pub feed: Option<FeedId>,
}

impl Publisher {
    fn is(&self, other: &Self) -> bool {
        let same_feed = self.feed.is_some() && self.feed == other.feed;
        same_feed || (!self.host.is_empty() && self.host == other.host)
    }

    /// Returns whether all that two texts share is a template of their common publisher.
    pub(super) fn shares_template(&self, text: &str, other: &Self, other_text: &str) -> bool {
        if !self.is(other) {
            return false;
        }
        let (one, other) = (sentences(text), sentences(other_text));
        let (own_of_one, own_of_other) = (own(&one, &other), own(&other, &one));
        let says_enough = |own: &Shingles, all: &[String]| {
            let all = Shingles::of(&all.join(" "));
            let count = own.hashes().len();
            count >= LEAST_OWN_SHINGLES && share(count, all.hashes().len()) >= LEAST_OWN_SHARE
        };
        says_enough(&own_of_one, &one)
            && says_enough(&own_of_other, &other)
            && own_of_one.containment(&own_of_other) < MOST_SHARED
    }
}

/// Splits a text into canonical sentences.
fn sentences(text: &str) -> Vec<String> {
    let ends = |c: char| matches!(c, '.' | '!' | '?' | '…' | '。' | '！' | '？' | '।' | '\n');
    text.split_inclusive(ends).map(canonical_text).filter(|sentence| !sentence.is_empty()).collect()
}

/// Returns the shingles of the sentences that the other text lacks.
fn own(sentences: &[String], others: &[String]) -> Shingles {
    let others: HashSet<&str> = others.iter().map(String::as_str).collect();
    let own: Vec<&str> = sentences.iter().map(String::as_str).filter(|it| !others.contains(it)).collect();
    Shingles::of(&own.join(" "))
}

#[expect(clippy::cast_precision_loss, reason = "a text has at most some ten thousand shingles")]
fn share(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sentence(seed: usize, words: usize) -> String {
        let words: Vec<String> =
            (0..words).map(|i| format!("w{}", (i * i + i * seed * 7_919) % 100_003)).collect();
        format!("{}. ", words.join(" "))
    }

    fn quay(host: &str) -> Publisher {
        Publisher { host: host.to_owned(), feed: None }
    }

    #[test]
    fn a_template_with_something_else_in_it_is_no_copy() {
        let employer: String = (1..9).map(|n| sentence(n, 25)).collect();
        let [cook, pilot] = [sentence(101, 50), sentence(102, 50)].map(|job| format!("{job}\n{employer}"));
        let publisher = quay("jobs.example");
        assert!(publisher.shares_template(&cook, &publisher, &pilot));
        assert!(
            !publisher.shares_template(&cook, &quay("other.example"), &pilot),
            "between publishers it is a copy"
        );
        assert!(
            !Publisher::default().shares_template(&cook, &Publisher::default(), &pilot),
            "nobody knows whose it is"
        );
        let one_feed = |host: &str| Publisher { feed: Some(FeedId(1)), ..quay(host) };
        assert!(one_feed("a.example").shares_template(&cook, &one_feed("b.example"), &pilot));
    }

    #[test]
    fn a_cut_a_continuation_and_an_edit_are_copies() {
        let whole: String = (1..12).map(|n| sentence(n, 25)).collect();
        let cut: String = (1..10).map(|n| sentence(n, 25)).collect();
        let edited = whole.replace("w2 ", "word ");
        let publisher = quay("news.example");
        for copy in [cut, format!("{whole}{}", sentence(77, 60)), edited] {
            assert!(!publisher.shares_template(&copy, &publisher, &whole));
            assert!(!publisher.shares_template(&whole, &publisher, &copy));
        }
    }
}
