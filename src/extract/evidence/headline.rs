//! The page's title, and which of its blocks say it.

use crate::extract::blocks::{Block, Document, Kind};
use crate::extract::words::phrases::fold;

/// How alike a block and the title are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Likeness {
    None,
    /// One holds the other.
    Part,
    Same,
}

/// The title, compared with every block.
pub(crate) struct Headline {
    /// Folded; `None` where the page has none.
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

    /// Whether a block says the title and nothing else: the same words, or a first heading that holds them.
    pub(crate) fn is_said_by(&self, document: &Document, at: usize) -> bool {
        match self.likeness[at] {
            Likeness::Same => true,
            Likeness::Part => document.blocks[at].kind == Kind::Heading(1),
            Likeness::None => false,
        }
    }
}

fn likeness(block: &str, title: &str) -> Likeness {
    /// A block of more than twice the title's length and so many bytes is text that speaks of it.
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
