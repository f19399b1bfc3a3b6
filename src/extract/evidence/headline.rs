//! The page's title, and which of its blocks repeat it.

use crate::extract::blocks::{Block, Document, Kind};
use crate::extract::words::phrases::fold;

/// How similar a block and the title are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    None,
    /// One contains the other.
    Part,
    Same,
}

/// The title, compared with every block.
pub(crate) struct Headline {
    /// The folded title; `None` if the page has none.
    pub(crate) text: Option<String>,
    likeness: Vec<Likeness>,
}

impl Headline {
    pub(crate) fn new(document: &Document, title: Option<&str>) -> Self {
        let text = title.map(fold).filter(|title| !title.is_empty());
        let likeness = |block: &Block| {
            text.as_deref().map_or(Likeness::None, |title| likeness(document.text_of(block), title))
        };
        Self { likeness: document.blocks.iter().map(likeness).collect(), text }
    }

    pub(crate) fn likeness(&self, at: usize) -> Likeness {
        self.likeness[at]
    }

    /// Returns whether a block is the headline: the same words as the title, or an `h1` that contains the title or is a part of it.
    pub(crate) fn is_said_by(&self, document: &Document, at: usize) -> bool {
        match self.likeness[at] {
            Likeness::Same => true,
            Likeness::Part => document.blocks[at].kind == Kind::Heading(1),
            Likeness::None => false,
        }
    }
}

fn likeness(block: &str, title: &str) -> Likeness {
    /// A block longer than twice the title plus this many bytes is text about it.
    const SLACK_BYTES: usize = 40;
    if block.len() > title.len() * 2 + SLACK_BYTES || block.len() * 3 < title.len() {
        return Likeness::None;
    }
    let block = fold(block);
    if block == title {
        Likeness::Same
    } else if block.contains(title) || title.contains(&block) {
        Likeness::Part
    } else {
        Likeness::None
    }
}
