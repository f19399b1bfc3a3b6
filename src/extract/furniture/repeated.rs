//! Drops second copies of texts.
//!
//! A copy is on another path than the original, and one of the two is in a box that holds nothing but copies. Text that
//! recurs within the article is intended: a refrain, an answer that two witnesses give, a paragraph that is quoted and then
//! discussed.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::Kind;

/// A repeated text of fewer words may be a label.
const LEAST_WORDS: f32 = 10.0;

pub(crate) fn drop(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let document = facts.context.document;
    let box_of = |at: usize| document.containers[lines[at].block.container].parent;
    let path_of = |at: usize| document.path_of(lines[at].block);
    let is_quotation = |at: usize| lines[at].block.kind == Kind::Quote;
    let mut first: HashMap<&str, usize, RandomState> = HashMap::default();
    // The number of texts in each box, and how many of them occur in another box as well.
    let mut boxes: HashMap<usize, (usize, usize), RandomState> = HashMap::default();
    let mut copies = Vec::new();
    for at in account.kept().filter(|at| lines[*at].words() >= LEAST_WORDS) {
        boxes.entry(box_of(at)).or_default().0 += 1;
        let original = *first.entry(lines[at].text).or_insert(at);
        let is_elsewhere = path_of(at) != path_of(original) && box_of(at) != box_of(original);
        if is_elsewhere && !is_quotation(at) && !is_quotation(original) {
            copies.push((at, original));
            boxes.entry(box_of(at)).or_default().1 += 1;
            boxes.entry(box_of(original)).or_default().1 += 1;
        }
    }
    let is_copies_only = |at: usize| boxes.get(&box_of(at)).is_some_and(|(all, copied)| copied >= all);
    for (copy, original) in copies {
        if is_copies_only(copy) || is_copies_only(original) {
            account.drop(copy..copy + 1, Rule::Repeated);
        }
    }
}
