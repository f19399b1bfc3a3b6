//! Recognises how bylines start and where they go on to other contributors than the author.

use std::collections::HashMap;
use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};
use foldhash::fast::RandomState;

use super::letters::{first_lower, is_hangul, is_ideograph, may_hold_date, strip_prefix_ignoring_case};
use crate::languages::LANGUAGES;

/// Byline openings by first letter, since every short text of a page is checked for them.
static OPENINGS_BY_INITIAL: LazyLock<ByInitial> = LazyLock::new(|| by_initial(&LANGUAGES.byline.openings));
static OTHERS_BY_INITIAL: LazyLock<ByInitial> = LazyLock::new(|| by_initial(&LANGUAGES.byline.others));

type ByInitial = HashMap<char, Vec<&'static str>, RandomState>;

fn by_initial(words: impl IntoIterator<Item = &'static String>) -> ByInitial {
    let mut by_initial = ByInitial::default();
    for word in words {
        by_initial.entry(word.chars().next().expect("no word is empty")).or_default().push(word);
    }
    by_initial
}

/// What joins a byline to preceding text on its line, as one automaton, since every label of a page is checked for them.
static JOINTS: LazyLock<AhoCorasick> = LazyLock::new(|| {
    const JOINTS: &[&str] = &[
        " by ", " By ", " BY ", " von ", " Von ", " par ", " Par ", " por ", " Por ", "\nby\n", "\nBy\n",
        "\nvon\n", "| by\n", "| By\n", "| BY\n",
    ];
    let first = AhoCorasick::builder().match_kind(MatchKind::LeftmostFirst).build(JOINTS);
    first.expect("a few short words make a small automaton")
});

/// Returns what follows a "by" inside a line that begins with something else, such as a date.
pub(crate) fn inner_byline(text: &str) -> Option<&str> {
    let joint = JOINTS.find(text)?;
    let (before, after) = (&text[..joint.start()], &text[joint.end()..]);
    // "Walther von Lind" is one name.
    if text.split_whitespace().count() == 3 && text.contains(" von ") && before.len() > 4 {
        return None;
    }
    // "by" may also occur in a sentence: before a byline the text is short or a date.
    (before.chars().count() < 40 || may_hold_date(before)).then_some(after)
}

/// Returns whether a short text begins like a byline, or is a Korean name followed by a reporter's role.
pub(crate) fn opens_byline(text: &str) -> bool {
    byline_opening(text).is_some() || names_reporter(text)
}

/// Returns whether a text is a Korean name of 2 to 5 characters followed by a reporter's role.
fn names_reporter(text: &str) -> bool {
    const ROLES: &[&str] = &["기자", "특파원", "논설위원"];
    text.ends_with(is_hangul)
        && text.rsplit_once(' ').is_some_and(|(name, role)| {
            ROLES.contains(&role) && (2..=5).contains(&name.chars().count()) && name.chars().all(is_hangul)
        })
}

/// Returns `text` up to the first mention of other contributors: editors, fact checkers, photographers.
pub(crate) fn without_other_contributors(text: &str) -> &str {
    let begins = |(at, c): &(usize, char)| {
        let others = first_lower(*c).and_then(|initial| OTHERS_BY_INITIAL.get(&initial));
        others.is_some_and(|others| {
            others.iter().any(|other| strip_prefix_ignoring_case(&text[*at..], other).is_some())
        })
    };
    text.char_indices().find(begins).map_or(text, |(at, _)| &text[..at])
}

/// Returns whether a short text begins with words that only open bylines: "written by" or "by:", not "by".
pub(crate) fn opens_byline_in_full(text: &str) -> bool {
    byline_opening(text).is_some_and(|rest| {
        let opening = &text[..text.len() - rest.len()];
        opening.len() > 6 || opening.contains(':')
    })
}

/// Returns the text after the longest byline opening at the start of `text`; `None` if there is none.
pub(crate) fn byline_opening(text: &str) -> Option<&str> {
    let mut longest = None;
    let text = text.trim_start_matches(['-', '–', '—', '·', '•', '|', '/', '(', '（', ' ', '\u{a0}']);
    for opening in OPENINGS_BY_INITIAL.get(&text.chars().next().and_then(first_lower)?)? {
        let Some(rest) = strip_prefix_ignoring_case(text, opening) else { continue };
        let ends_here = match rest.chars().next() {
            None => true,
            Some(next) => !next.is_alphanumeric() || !opening.is_ascii() && opening.starts_with(is_ideograph),
        };
        if ends_here && longest.is_none_or(|before: &str| rest.len() < before.len()) {
            longest = Some(rest);
        }
    }
    longest.map(|rest| rest.trim_start_matches([':', '：', '/', '／', '|', '-', '–', '\u{a0}', ' ', '\n']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_opens_a_byline() {
        for text in [
            "By Ada Lind",
            "Oleh: Ada Lind",
            "Szerző: Ada Lind",
            "(记者 王小明",
            "（记者 王小明）",
            "하람 기자",
        ] {
            assert!(opens_byline(text), "{text}");
        }
        for text in
            ["Avenue of limes", "Doors open at nine", "โดยรัฐบาลจ่ายครึ่งหนึ่ง", "글로벌 시장", "시민 기자 모집"]
        {
            assert!(!opens_byline(text), "{text}");
        }
    }
}
