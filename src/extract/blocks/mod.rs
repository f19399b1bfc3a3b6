//! A page, or plain text, as a sequence of text blocks.
//!
//! A block is what a reader sees as one piece: a paragraph, a heading, a list item, a table row, a line of verse. It is attached
//! to the innermost block-level element around it; those elements form a tree of their own, the containers.

pub(crate) mod describe;
pub(crate) mod hash;
pub(crate) mod links;
pub(crate) mod measure;
mod media;
pub(crate) mod plain;
pub(crate) mod segment;
mod whitespace;

use html5ever::LocalName;

use crate::extract::html::tree::NodeId;
use crate::extract::words::classes::{NameToken, Traits};
use crate::work;
use describe::Tokens;
use links::Targets;
use measure::Measure;

/// The kind of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Paragraph,
    /// With its level, 1 to 6.
    Heading(u8),
    ListItem,
    Quote,
    /// Cells are separated by tabs.
    TableRow,
    /// White space is significant.
    Preformatted,
}

/// A piece of text.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Index of the container it is attached to.
    pub(crate) container: usize,
    pub(crate) kind: Kind,
    /// The byte range of its text in [`Document::text`].
    pub(crate) start: usize,
    pub(crate) end: usize,
    /// Whether a single line break, not a block boundary, separates it from the previous block.
    pub(crate) continues: bool,
    /// Traits of the inline elements that span nearly all of it.
    pub(crate) inline: Traits,
    /// Where its links lead.
    pub(crate) targets: Targets,
    /// What is between the previous block and this one.
    pub(crate) gap: Gap,
    /// Whether an attribute or an inline style hides it.
    pub(crate) is_hidden: bool,
    pub(crate) measure: Measure,
    /// Hash of its letters, ignoring case and the values of numbers.
    pub(crate) text_hash: u64,
}

/// Counts of elements without text between two blocks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gap {
    pub(crate) images: u16,
    /// The images among these that are large and do not link to a page.
    pub(crate) pictures: u16,
    /// Players, frames and other embedded documents.
    pub(crate) players: u16,
    /// The players among these that surely play something.
    pub(crate) videos: u16,
    /// Fields and buttons of a form.
    pub(crate) fields: u16,
}

/// A block-level element.
#[derive(Clone, Debug)]
pub(crate) struct Container {
    pub(crate) node: NodeId,
    /// Index of the parent container; the root is its own parent.
    pub(crate) parent: usize,
    pub(crate) depth: u16,
    pub(crate) tag: LocalName,
    /// The element's own traits.
    pub(crate) traits: Traits,
    /// Hash of the tags, classes and ids on the path from the root, without digits.
    pub(crate) path_hash: u64,
    /// Number of that path among the page's paths, from 0.
    pub(crate) path: usize,
    /// Ranges of the tokens of its class and of its id in [`Document::tokens`].
    pub(crate) tokens: [Tokens; 2],
    /// Whether reference marks in the text link to notes in it.
    pub(crate) is_notes: bool,
    /// The blocks inside it are `first..end`.
    pub(crate) first: usize,
    pub(crate) end: usize,
}

/// A page as blocks and containers, both in document order.
#[derive(Debug, Default)]
pub(crate) struct Document {
    pub(crate) text: String,
    pub(crate) blocks: Vec<Block>,
    pub(crate) containers: Vec<Container>,
    /// The tokens of the page's class names and ids; those of a repeated name are stored once.
    pub(crate) tokens: Vec<NameToken>,
}

impl Document {
    /// Appends the blocks of another document. Its containers remain a separate tree.
    pub(crate) fn append(&mut self, next: Self) {
        let (bytes, blocks, containers) = (self.text.len(), self.blocks.len(), self.containers.len());
        let tokens = u32::try_from(self.tokens.len()).unwrap_or(u32::MAX);
        let behind = |name: Tokens| Tokens {
            start: name.start.saturating_add(tokens),
            end: name.end.saturating_add(tokens),
        };
        self.tokens.extend(next.tokens);
        self.text.push_str(&next.text);
        self.blocks.extend(next.blocks.into_iter().map(|block| Block {
            container: block.container + containers,
            start: block.start + bytes,
            end: block.end + bytes,
            ..block
        }));
        self.containers.extend(next.containers.into_iter().map(|container| Container {
            parent: container.parent + containers,
            tokens: container.tokens.map(behind),
            first: container.first + blocks,
            end: container.end + blocks,
            ..container
        }));
    }

    /// Returns how many different paths the containers have.
    pub(crate) fn path_count(&self) -> usize {
        self.containers.iter().map(|container| container.path + 1).max().unwrap_or(1)
    }

    /// Returns the number of a block's path.
    pub(crate) fn path_of(&self, block: &Block) -> usize {
        work::count(1);
        self.containers[block.container].path
    }

    pub(crate) fn text_of(&self, block: &Block) -> &str {
        work::count(1);
        &self.text[block.start..block.end]
    }
}
