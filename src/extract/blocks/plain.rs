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

/// Returns the headline of plain text: a first line that is not a sentence and is followed by another.
pub(crate) fn headline(document: &Document) -> Option<String> {
    const MOST_WORDS: f32 = 30.0;
    /// A first line with this many words or more must be shorter than the next line.
    const WORDS_BELOW: f32 = 20.0;
    let [first, second, ..] = &document.blocks[..] else { return None };
    let is_headline = first.measure.words <= MOST_WORDS
        && !first.measure.ends_sentence
        && first.measure.words < second.measure.words.max(WORDS_BELOW);
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
}
