//! Quality flags: reasons why the text may be less than a reader expects.

use super::Reading;
use crate::extract::blocks::links::Targets;
use crate::extract::blocks::{Block, Kind};
use crate::extract::words::classes::Traits;
use crate::extract::words::phrases::fold;
use crate::languages::LANGUAGES;
use crate::model::QualityFlag;

/// A text of fewer words cannot be judged or compared.
const TOO_SHORT_WORDS: f32 = 30.0;
/// A paywall leaves fewer words: a standfirst and a paragraph or two.
const STUB_WORDS: f32 = 250.0;
/// A text that is declared not free and has fewer words was cut, even without a prompt.
const TEASER_WORDS: f32 = 120.0;
/// A gallery has at least this many pictures; fewer accompany a text.
const LEAST_PICTURES: u32 = 8;
/// Words per picture in a gallery, at most; longer texts are more than captions.
const WORDS_OF_CAPTION: f32 = 15.0;
/// A text of fewer words only says what the video shows.
const WORDS_BESIDE_VIDEO: f32 = 60.0;
/// A text of at least this many words is an article even without its pictures or the headlines around it.
const WORDS_OF_TEXT: f32 = 120.0;

/// Returns the flags that follow from a reading alone.
pub(crate) fn judge(reading: &Reading) -> Vec<QualityFlag> {
    let words = reading.words();
    let mut flags = Vec::new();
    if is_cut(reading, words) {
        flags.push(QualityFlag::Paywalled);
    }
    if reading.is_liveblog || has_running_entries(reading) {
        flags.push(QualityFlag::Liveblog);
    }
    let (pictures, videos) = media(reading);
    let is_gallery =
        pictures >= LEAST_PICTURES && words < (WORDS_OF_CAPTION * pictures as f32).min(WORDS_OF_TEXT);
    if is_gallery {
        flags.push(QualityFlag::Gallery);
    }
    if videos > 0 && words < WORDS_BESIDE_VIDEO && !is_gallery {
        flags.push(QualityFlag::VideoOnly);
    }
    if reading.may_be_listing && is_listing(reading) {
        flags.push(QualityFlag::Listing);
    }
    if words < TOO_SHORT_WORDS {
        flags.push(QualityFlag::TooShort);
    }
    if reading.partial || reading.next_page.is_some() {
        flags.push(QualityFlag::Partial);
    }
    if reading.repeats_another_page {
        flags.push(QualityFlag::RepeatedText);
    }
    flags
}

/// Returns whether a paywall cuts the text. A page that is declared not free may still hold everything: it does if the text
/// is longer than a teaser, unless a prompt follows it or the page states a body that is longer by half.
fn is_cut(reading: &Reading, words: f32) -> bool {
    let text_bytes: usize = reading.kept().map(|block| block.end - block.start).sum();
    let stated_bytes = reading.stated_body.as_ref().map_or(0, String::len);
    reading.has_wall && words < STUB_WORDS
        || reading.is_not_free && (words < TEASER_WORDS || stated_bytes * 2 > text_bytes * 3)
}

/// Counts pictures and players directly before and after kept blocks and captions: those among furniture do not belong to
/// the text. If nothing is kept, counts all on the page.
fn media(reading: &Reading) -> (u32, u32) {
    let document = &reading.document;
    let is_caption = |block: &Block| document.containers[block.container].traits.intersects(Traits::CAPTION);
    let last = reading.account.kept().next_back();
    let first = reading.account.kept().next().unwrap_or(0);
    let (mut pictures, mut videos) = (0, 0);
    let (mut is_near, mut is_over) = (false, false);
    for (at, block) in document.blocks.iter().enumerate().skip(first) {
        let was_near = is_near;
        is_near = last.is_none() || reading.account.is_kept(at) || is_caption(block);
        if !is_over && (is_near || was_near) {
            pictures += u32::from(block.gap.pictures);
            videos += u32::from(block.gap.videos);
        }
        // Captions may follow the text.
        is_over |= last.is_some_and(|last| at > last) && !is_caption(block);
    }
    (pictures, videos)
}

/// Returns whether the text is a live blog: a column of entries, each under a time of day ("14:05", "9.30 Uhr"), in ascending
/// or descending order. Prices, marks and the times of comments are in no order, and a ticker beside the text does not count.
fn has_running_entries(reading: &Reading) -> bool {
    const LEAST_ENTRIES: usize = 4;
    const LONGEST_LABEL: f32 = 6.0;
    const MOST_LINKED: f32 = 0.5;
    const LEAST_WORDS: f32 = 8.0;
    let document = &reading.document;
    let mut kept = reading.account.kept();
    let (Some(first), Some(last)) = (kept.next(), kept.next_back()) else { return false };
    // The time of the first entry may have been dropped as a date.
    let start = first.saturating_sub(1);
    let (mut times, mut time): (Vec<u32>, Option<u32>) = (Vec::new(), None);
    let mut words = 0.0;
    for at in start..=last {
        let block = &document.blocks[at];
        let is_label = block.measure.words <= LONGEST_LABEL && block.measure.link_share < MOST_LINKED;
        if let Some(found) = time_of_day(document.text_of(block)).filter(|_| is_label) {
            (time, words) = (Some(found), 0.0);
        } else if reading.account.is_kept(at) {
            words += block.measure.words * (1.0 - block.measure.link_share);
            if words >= LEAST_WORDS {
                times.extend(time.take());
            }
        }
    }
    let steps = || times.windows(2).map(|pair| (pair[0], pair[1]));
    let (up, down) =
        (steps().filter(|(one, next)| one < next).count(), steps().filter(|(one, next)| one > next).count());
    // Midnight may lie between two entries. Schedules of many days have the same few hours, in no order.
    let in_order = up.max(down) * 3 >= times.len().saturating_sub(1) * 2;
    times.len() >= LEAST_ENTRIES && up.min(down) <= 1 && in_order
}

/// Returns the time of day that a line begins with, in minutes. A decimal number has a point too: after a time with a point
/// no other word follows than one of the clock ("9.30 Uhr", "9.30am").
fn time_of_day(text: &str) -> Option<u32> {
    let (hours, rest) = text.split_at(text.bytes().take_while(u8::is_ascii_digit).count());
    let sign = rest.chars().next().filter(|sign| matches!(sign, ':' | '.' | 'h'))?;
    let (minutes, rest) = rest[1..].split_at_checked(2)?;
    let word = rest.trim_start().split(|next: char| !next.is_alphabetic()).next().unwrap_or_default();
    let is_of_clock = |word: String| matches!(&*word, "am" | "pm") || LANGUAGES.date.clock.contains(&word);
    let is_measure = sign == '.' && !word.is_empty() && !is_of_clock(word.to_lowercase());
    // A date, as in schedules of many days, is not a time alone.
    let is_over = !is_measure && !rest.starts_with('.') && !rest.contains(|next: char| next.is_ascii_digit());
    let (hours, minutes) = (hours.parse::<u32>().ok()?, minutes.parse::<u32>().ok()?);
    (hours < 24 && minutes < 60 && is_over).then_some(hours * 60 + minutes)
}

/// Returns whether the page lists other articles: linked headlines, perhaps with teasers, and hardly any other text.
fn is_listing(reading: &Reading) -> bool {
    const LEAST_TEASERS: u16 = 4;
    /// A longer text under a headline is a story, not a teaser.
    const LONGEST_TEASER: f32 = 80.0;
    const LEAST_SHARE: f32 = 0.5;
    /// Mean words of a headline, at least; shorter ones name a part of the page, a product, or a word that is explained.
    const WORDS_OF_HEADLINE: f32 = 2.0;
    let document = &reading.document;
    let is_heading = |at: usize| matches!(document.blocks[at].kind, Kind::Heading(2..=6));
    let title = reading.metadata.title.as_deref().map(fold).unwrap_or_default();
    // Posts of a thread repeat the title that they answer to.
    let is_own =
        |at: usize| !title.is_empty() && fold(document.text_of(&document.blocks[at])).contains(&title);
    let is_linked_headline = |at: &usize| {
        let block = &document.blocks[*at];
        let container = &document.containers[block.container];
        is_heading(*at)
            && block.measure.is_linked()
            && !block.targets.intersects(Targets::ANCHOR | Targets::SCRIPT)
            && !container.traits.intersects(Traits::NAV)
            && !is_own(*at)
    };
    let kept_words =
        |at: usize| if reading.account.is_kept(at) { document.blocks[at].measure.words } else { 0.0 };
    let (mut teasers, mut inside, mut words_of_headlines) = (0_u16, 0.0, 0.0);
    for headline in reading.account.kept().filter(is_linked_headline) {
        let container = &document.containers[document.blocks[headline].container];
        let end = document.containers[container.parent].end;
        let teaser: f32 = (headline + 1..end).take_while(|&at| !is_heading(at)).map(kept_words).sum();
        teasers += 1;
        words_of_headlines += document.blocks[headline].measure.words;
        inside += kept_words(headline) + if teaser <= LONGEST_TEASER { teaser } else { 0.0 };
    }
    let words = reading.words();
    teasers >= LEAST_TEASERS
        && words_of_headlines >= f32::from(teasers) * WORDS_OF_HEADLINE
        && inside >= words * LEAST_SHARE
        && words - inside < WORDS_OF_TEXT
}
