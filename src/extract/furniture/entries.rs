//! The entries of a running account, each in a box of its own: boxes of one make, side by side, that hold what the page states as
//! its body. What else they say in sentences and headings belongs to them.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::Kind;

/// Words of a paragraph that may be one link.
const LEAST_WORDS: f32 = 6.0;

pub(crate) fn keep(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let (context, document) = (facts.context, facts.context.document);
    // How many lines before each are stated.
    let mut before = vec![0_u32];
    for (at, line) in lines.iter().enumerate() {
        let is_stated = line.words() >= LEAST_WORDS && context.is_stated(at);
        before.push(before[at] + u32::from(is_stated));
    }
    let mut makes: HashMap<(usize, usize), Vec<usize>, RandomState> = HashMap::default();
    for (at, container) in document.containers.iter().enumerate() {
        if before[container.end] > before[container.first] {
            makes.entry((container.parent, container.path)).or_default().push(at);
        }
    }
    for entries in makes.into_values().filter(|entries| entries.len() > 1) {
        for at in entries {
            let container = &document.containers[at];
            let blocks = container.first..container.end;
            for (block, line) in blocks.clone().zip(&lines[blocks]) {
                if account.is_outside(block) && is_text(line) {
                    account.keep(block, Rule::Entry);
                }
            }
        }
    }
}

/// Headings, sentences and paragraphs; no labels of tools, times and names.
fn is_text(line: &Line<'_>) -> bool {
    let is_paragraph = || {
        line.block.kind == Kind::Paragraph && line.words() >= LEAST_WORDS && line.block.measure.ends_sentence
    };
    line.found.is_none() && (line.is_heading() || line.is_sentence() || is_paragraph())
}
