//! Turns plain text into a document: one block per line.

use html5ever::local_name;

use super::describe::Tokens;
use super::links::Targets;
use super::measure::measure;
use super::whitespace::is_invisible;
use super::{Block, Container, Document, Gap, Kind};
use crate::extract::html::MAX_NODES;
use crate::extract::html::tree::ROOT;
use crate::extract::words::classes::Traits;

/// Cuts plain text into blocks, at most as many as a tree has nodes. Also returns whether that covers all of the text.
pub(crate) fn segment(plain: &str) -> (Document, bool) {
    let mut document = Document::default();
    let mut after_blank = true;
    let mut is_whole = true;
    for line in plain.lines() {
        if document.blocks.len() == MAX_NODES {
            is_whole = false;
            break;
        }
        let start = document.text.len();
        for word in line.split_whitespace() {
            if document.text.len() > start {
                document.text.push(' ');
            }
            document.text.extend(word.chars().filter(|&c| !is_invisible(c)));
        }
        let end = document.text.len();
        if end == start {
            after_blank = true;
            continue;
        }
        let (measure, text_hash) = measure(&document.text[start..end], 0, 0, 0);
        document.blocks.push(Block {
            container: 0,
            kind: Kind::Paragraph,
            start,
            end,
            continues: !after_blank,
            inline: Traits::empty(),
            targets: Targets::default(),
            gap: Gap::default(),
            is_hidden: false,
            measure,
            text_hash,
        });
        after_blank = false;
    }
    document.containers.push(Container {
        node: ROOT,
        parent: 0,
        depth: 0,
        tag: local_name!("body"),
        traits: Traits::empty(),
        path_hash: 0,
        path: 0,
        tokens: [Tokens::default(); 2],
        is_notes: false,
        first: 0,
        end: document.blocks.len(),
    });
    (document, is_whole)
}

/// Returns the headline of plain text: a first line that is not a sentence, is followed by another, and does not go on there.
pub(crate) fn headline(document: &Document) -> Option<String> {
    /// A longer line is a paragraph that lacks its full stop.
    const MOST_WORDS: f32 = 30.0;
    /// A line of fewer words is a headline whatever follows: often a byline or a date. From here on it may as well be the first
    /// of several short paragraphs, and must be shorter than the next one.
    const LONG_FROM_WORDS: f32 = 20.0;
    let [first, second, ..] = &document.blocks[..] else { return None };
    // In text that is broken at a fixed width, the first line is a part of the first paragraph.
    let goes_on = second.continues && document.text_of(second).starts_with(char::is_lowercase);
    let words = first.measure.words;
    let is_headline = words <= MOST_WORDS
        && !first.measure.ends_sentence
        && words < second.measure.words.max(LONG_FROM_WORDS)
        && !goes_on;
    is_headline.then(|| document.text_of(first).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_are_read_and_no_more() {
        let lines = |count: usize| segment(&"a\n".repeat(count));
        let (document, is_whole) = lines(MAX_NODES);
        assert!(is_whole && document.blocks.len() == MAX_NODES);
        let (document, is_whole) = lines(MAX_NODES + 1);
        assert!(!is_whole && document.blocks.len() == MAX_NODES);
    }

    #[test]
    fn a_first_line_is_a_headline_unless_it_is_a_paragraph_or_a_part_of_one() {
        let found = |text: &str| headline(&segment(text).0);
        for (text, is_headline) in [
            ("Ferry sails again\n\nThe ferry will sail again from Monday.", true),
            ("Ferry sails again\nBy Ada Quay\nThe ferry will sail again from Monday.", true),
            ("The ferry sails again.\n\nIt had been laid up.", false),
            (
                "The harbour master said on Monday that the ferry would\nsail again, and that the timetable holds.",
                false,
            ),
            ("Ferry sails again", false),
        ] {
            let first = text.lines().next().filter(|_| is_headline);
            assert_eq!(found(text).as_deref(), first, "{text}");
        }
        let words = |count: usize| vec!["quay"; count].join(" ");
        for (first, second, is_headline) in [(19, 1, true), (20, 20, false), (25, 40, true), (31, 40, false)]
        {
            let text = format!("{}\n\n{}.", words(first), words(second));
            assert_eq!(found(&text).is_some(), is_headline, "{first} words above {second}");
        }
    }
}
