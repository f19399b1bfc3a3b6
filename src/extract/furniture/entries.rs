//! Keeps the entries of a live blog, each in its own box: sibling boxes on one path that hold the stated body. Other headings
//! and sentences in these boxes belong to the entries too.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::Kind;

/// Minimum words of a stated line, and of a paragraph, which may be one link.
const LEAST_WORDS: f32 = 6.0;

pub(crate) fn keep(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let (context, document) = (facts.context, facts.context.document);
    // The number of stated lines before each line.
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

/// Returns whether a line is a heading, sentence or paragraph, rather than a label for tools, a time or a name.
fn is_text(line: &Line<'_>) -> bool {
    let is_paragraph = || {
        line.block.kind == Kind::Paragraph && line.words() >= LEAST_WORDS && line.block.measure.ends_sentence
    };
    line.found.is_none() && (line.is_heading() || line.is_sentence() || is_paragraph())
}
