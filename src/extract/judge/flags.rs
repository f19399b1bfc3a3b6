//! Why the text may be less than a reader expects.

use super::Reading;
use crate::extract::blocks::Kind;
use crate::extract::words::classes::Traits;
use crate::model::QualityFlag;

/// Fewer words cannot be judged or compared.
const TOO_SHORT_WORDS: f32 = 30.0;
/// A wall leaves a standfirst and a paragraph or two.
const STUB_WORDS: f32 = 250.0;

/// The flags that a reading earns by itself.
pub(crate) fn judge(reading: &Reading) -> Vec<QualityFlag> {
    let words = reading.words();
    let mut flags = Vec::new();
    if reading.is_not_free || (reading.has_wall && words < STUB_WORDS) {
        flags.push(QualityFlag::Paywalled);
    }
    if reading.is_liveblog || has_running_entries(reading) {
        flags.push(QualityFlag::Liveblog);
    }
    let (images, players) = media(reading);
    if images >= 8 && words < 15.0 * images as f32 {
        flags.push(QualityFlag::Gallery);
    }
    if players > 0 && words < 60.0 {
        flags.push(QualityFlag::VideoOnly);
    }
    if is_listing(reading, words) {
        flags.push(QualityFlag::Listing);
    }
    if words < TOO_SHORT_WORDS {
        flags.push(QualityFlag::TooShort);
    }
    if reading.partial {
        flags.push(QualityFlag::Partial);
    }
    if reading.repeats_another_page {
        flags.push(QualityFlag::RepeatedText);
    }
    flags
}

/// Pictures and players between the first and the last kept block.
fn media(reading: &Reading) -> (u32, u32) {
    let mut kept = reading.account.kept();
    let first = kept.next();
    let (Some(first), Some(last)) = (first, kept.next_back().or(first)) else {
        let gaps = reading.document.blocks.iter().map(|block| block.gap);
        return gaps.fold((0, 0), |sum, gap| (sum.0, sum.1 + u32::from(gap.players)));
    };
    let gaps = reading.document.blocks[first..=last].iter().map(|block| block.gap);
    gaps.fold((0, 0), |sum, gap| (sum.0 + u32::from(gap.images), sum.1 + u32::from(gap.players)))
}

/// A live blog is a column of entries, each under the time of day: "14:05", "9.30 Uhr".
fn has_running_entries(reading: &Reading) -> bool {
    const LEAST_ENTRIES: usize = 4;
    let document = &reading.document;
    let is_time = |text: &str| {
        let hours = text.bytes().take_while(u8::is_ascii_digit).count();
        let rest = &text.as_bytes()[hours..];
        matches!(hours, 1 | 2)
            && matches!(rest.first(), Some(b':' | b'.' | b'h'))
            && rest.len() >= 3
            && rest[1].is_ascii_digit()
            && rest[2].is_ascii_digit()
            && !rest.get(3).is_some_and(|byte| byte.is_ascii_digit() || *byte == b'.')
    };
    let entries = document.blocks.iter().filter(|block| {
        block.measure.words <= 6.0 && block.measure.link_share < 0.5 && is_time(document.text_of(block))
    });
    entries.count() >= LEAST_ENTRIES && reading.kept().count() >= LEAST_ENTRIES
}

/// A page of teasers: boxes of one make, each with a linked headline, and hardly any text that is not in one of them.
fn is_listing(reading: &Reading, words: f32) -> bool {
    const LEAST_TEASERS: usize = 4;
    let document = &reading.document;
    let is_linked_headline = |at: &usize| {
        let block = &document.blocks[*at];
        let traits = document.containers[block.container].traits;
        matches!(block.kind, Kind::Heading(2..=6))
            && block.measure.link_share > 0.8
            && !traits.intersects(Traits::NAV)
    };
    let teasers = (0..document.blocks.len()).filter(is_linked_headline).count();
    let longest = reading.kept().map(|block| block.measure.words).fold(0.0, f32::max);
    teasers >= LEAST_TEASERS && (words < 25.0 * teasers as f32) && longest < 60.0
}
