//! Word diff of two texts, by paragraph.

use std::time::{Duration, Instant};

use serde::Serialize;
use similar::ChangeTag;
use similar::algorithms::{Capture, Compact, Replace, myers};

/// How a piece of text changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Present in both texts.
    Same,
    /// Present in the earlier text only.
    Gone,
    /// Present in the later text only.
    Come,
}

/// A piece of a paragraph.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Part {
    /// How it changed.
    pub change: Change,
    /// Its words.
    pub text: String,
}

/// A paragraph of either text or of both.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, schemars::JsonSchema)]
pub struct Paragraph {
    /// Whether anything in it changed.
    pub changed: bool,
    /// Its pieces, in order.
    pub parts: Vec<Part>,
}

/// Returns all paragraphs of both texts with their deletions and insertions. Searches for the shortest edit script for at most
/// `patience`; after that the result is correct but may be longer than necessary.
pub fn by_words(from: &str, to: &str, patience: Duration) -> Vec<Paragraph> {
    let (from, to) = (words_and_spaces(from), words_and_spaces(to));
    // `TextDiff` would pull in all of its algorithms, a twentieth of this crate's code.
    let mut found = Compact::new(Replace::new(Capture::new()), &from, &to);
    let end = Instant::now() + patience;
    let Ok(()) = myers::diff_deadline(&mut found, &from, 0..from.len(), &to, 0..to.len(), Some(end));
    let mut paragraphs = Paragraphs::default();
    let mut swap = Swap::default();
    let steps = found.into_inner().into_inner().into_ops();
    for word in steps.iter().flat_map(|step| step.iter_changes(&from, &to)) {
        match word.tag() {
            ChangeTag::Delete => swap.add_gone(word.value()),
            ChangeTag::Insert => swap.add_come(word.value()),
            // Changed words separated only by spaces form one change.
            ChangeTag::Equal if swap.may_go_on_after(word.value()) => swap.space.push_str(word.value()),
            ChangeTag::Equal => {
                paragraphs.add_swap(&std::mem::take(&mut swap));
                paragraphs.add(Change::Same, word.value());
            }
        }
    }
    paragraphs.add_swap(&swap);
    paragraphs.ended()
}

/// Splits a text into alternating words and spaces.
fn words_and_spaces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_space = first.is_whitespace();
        let end = rest.find(|next: char| next.is_whitespace() != is_space).unwrap_or(rest.len());
        let (piece, behind) = rest.split_at(end);
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

/// Adjacent deleted and inserted words.
#[derive(Default)]
struct Swap {
    gone: String,
    come: String,
    /// Space that follows in both texts after what has been added so far.
    space: String,
}

impl Swap {
    fn add_gone(&mut self, word: &str) {
        self.take_space();
        self.gone.push_str(word);
    }

    fn add_come(&mut self, word: &str) {
        self.take_space();
        self.come.push_str(word);
    }

    fn take_space(&mut self) {
        let space = std::mem::take(&mut self.space);
        self.gone.push_str(&space);
        self.come.push_str(&space);
    }

    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.come.is_empty()
    }

    fn may_go_on_after(&self, word: &str) -> bool {
        !self.is_empty() && !word.contains('\n') && word.trim().is_empty()
    }
}

#[derive(Default)]
struct Paragraphs {
    done: Vec<Paragraph>,
    open: Paragraph,
}

impl Paragraphs {
    fn add_swap(&mut self, swap: &Swap) {
        self.add(Change::Gone, &swap.gone);
        self.add(Change::Come, &swap.come);
        self.add(Change::Same, &swap.space);
    }

    fn add(&mut self, change: Change, text: &str) {
        for (i, piece) in text.split('\n').enumerate() {
            if i > 0 {
                self.end_paragraph();
            }
            if piece.is_empty() {
                continue;
            }
            self.open.changed |= change != Change::Same;
            match self.open.parts.last_mut().filter(|last| last.change == change) {
                Some(last) => last.text.push_str(piece),
                None => self.open.parts.push(Part { change, text: piece.to_owned() }),
            }
        }
    }

    fn end_paragraph(&mut self) {
        let ended = std::mem::take(&mut self.open);
        if !ended.parts.is_empty() {
            self.done.push(ended);
        }
    }

    fn ended(mut self) -> Vec<Paragraph> {
        self.end_paragraph();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Formats the changed paragraphs with `[-deleted-]` and `{+inserted+}` words.
    fn changes(from: &str, to: &str) -> Vec<String> {
        let written = |part: &Part| match part.change {
            Change::Same => part.text.clone(),
            Change::Gone => format!("[-{}-]", part.text),
            Change::Come => format!("{{+{}+}}", part.text),
        };
        let paragraphs = by_words(from, to, Duration::from_secs(5));
        let changed = paragraphs.iter().filter(|paragraph| paragraph.changed);
        changed.map(|paragraph| paragraph.parts.iter().map(written).collect()).collect()
    }

    #[test]
    fn changed_paragraphs_have_what_went_and_what_came() {
        let before = "The harbour is closed.\n\nNobody was hurt.\n\nThe ferry sails at nine.";
        let after =
            "The harbour is open again.\n\nNobody was hurt.\n\nThe ferry sails at nine.\n\nMore follows.";
        assert_eq!(
            changes(before, after),
            ["The harbour is [-closed.-]{+open again.+}", "{+More follows.+}"]
        );
        assert_eq!(changes(after, after), Vec::<String>::new());
        assert_eq!(
            changes("The mooring affair\n\nends.", "The harbour row\n\nends."),
            ["The [-mooring affair-]{+harbour row+}"]
        );
        assert_eq!(changes("", "Words."), ["{+Words.+}"]);
        assert_eq!(changes("One.\n\nTwo.", "One."), ["[-Two.-]"]);
    }

    #[test]
    fn paragraphs_without_a_change_are_there_too() {
        let paragraphs = by_words("One.\n\nTwo.", "One.\n\nThree.", Duration::from_secs(5));
        let one =
            Paragraph { changed: false, parts: vec![Part { change: Change::Same, text: "One.".to_owned() }] };
        assert_eq!((paragraphs.len(), &paragraphs[0]), (2, &one));
    }
}
