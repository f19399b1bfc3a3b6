//! Renders the kept blocks as the article's text.

use html5ever::local_name;
use unicode_normalization::{IsNormalized, UnicodeNormalization, is_nfc_quick};

use crate::extract::blocks::{Block, Document, Kind};
use crate::work;

/// Joins the kept blocks with blank lines, or with single line breaks inside a table, a list or verse.
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

/// Normalises to NFC and changes nothing else. After more than thirty marks on a letter a joiner is inserted (Unicode's
/// stream-safe format): all marks of a letter are sorted at once, and a page could be a single letter.
pub(crate) fn normalise(text: String) -> String {
    if is_nfc_quick(text.chars()) == IsNormalized::Yes {
        text
    } else {
        text.chars().stream_safe().nfc().inspect(|_| work::count(1)).collect()
    }
}

/// Returns the table around a row: head and body of one table are containers of their own.
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
        // Lines separated by single breaks are verse or an address if short, else paragraphs.
        _ => {
            const LONGEST_LINE_OF_VERSE: f32 = 14.0;
            block.continues
                && before.container == block.container
                && before.measure.words <= LONGEST_LINE_OF_VERSE
                && block.measure.words <= LONGEST_LINE_OF_VERSE
        }
    }
}
