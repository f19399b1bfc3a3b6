//! The kept blocks as the article's text.

use html5ever::local_name;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::extract::blocks::{Block, Document, Kind};
use crate::work;

/// Joins the kept blocks: a blank line between, but single lines inside a table, a list, verse.
pub(crate) fn render(document: &Document, kept: &[bool]) -> String {
    let mut text = String::new();
    let mut before: Option<&Block> = None;
    for (block, _) in document.blocks.iter().zip(kept).filter(|(_, kept)| **kept) {
        if let Some(before) = before {
            text.push_str(if belong_together(document, before, block) { "\n" } else { "\n\n" });
        }
        text.push_str(document.text_of(block).trim_matches('\n'));
        before = Some(block);
    }
    normalise(text)
}

/// NFC, and nothing else: what the page does not say is not said. Of a letter with more than thirty marks the others stand behind a
/// joiner (the stream-safe format of Unicode): all marks of a letter are put in order at once, and a page could be one letter.
pub(crate) fn normalise(text: String) -> String {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text
    } else {
        text.chars().stream_safe().nfc().inspect(|_| work::count(1)).collect()
    }
}

/// The table that a row stands in: head and body of one table are containers of their own.
fn table_of(document: &Document, mut container: usize) -> usize {
    while document.containers[container].tag != local_name!("table")
        && document.containers[container].depth > 0
    {
        container = document.containers[container].parent;
    }
    container
}

fn belong_together(document: &Document, before: &Block, block: &Block) -> bool {
    let list_of = |block: &Block| document.containers[block.container].parent;
    match (before.kind, block.kind) {
        (Kind::TableRow, Kind::TableRow) => {
            table_of(document, before.container) == table_of(document, block.container)
        }
        (Kind::ListItem, Kind::ListItem) => {
            before.container != block.container && list_of(before) == list_of(block)
        }
        // Lines parted by single breaks are verse or an address where they are short, paragraphs where not.
        _ => {
            const LONGEST_LINE_OF_VERSE: f32 = 14.0;
            block.continues
                && before.container == block.container
                && before.measure.words <= LONGEST_LINE_OF_VERSE
                && block.measure.words <= LONGEST_LINE_OF_VERSE
        }
    }
}
