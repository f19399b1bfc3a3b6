//! Drops tables of contents: consecutive links to places on the same page that repeat its headings. A list of notes, or of
//! names with anchors, repeats no headings and stays.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::links::Targets;
use crate::extract::words::phrases::fold;

/// Fewer consecutive links are a reference.
const LEAST_ENTRIES: usize = 2;
/// Maximum words of the heading above the links.
const LONGEST_HEADING: f32 = 4.0;

pub(crate) fn drop(lines: &[Line<'_>], _: &Facts<'_>, account: &mut Account) {
    let is_entry = |at: usize| {
        let block = lines[at].block;
        block.targets == Targets::ANCHOR && block.measure.is_linked() && !lines[at].is_heading()
    };
    if !account.kept().any(is_entry) {
        return;
    }
    let headings = lines.iter().filter(|line| line.is_heading()).map(|line| unnumbered(line.text));
    let headings: HashSet<String, RandomState> = headings.collect();
    let mut at = 0;
    while at < lines.len() {
        let run = (at..lines.len()).take_while(|line| is_entry(*line)).count();
        let repeats = lines[at..at + run].iter().filter(|line| headings.contains(&unnumbered(line.text)));
        if run >= LEAST_ENTRIES && repeats.count() * 4 >= run * 3 {
            let has_heading = at.checked_sub(1).is_some_and(|above| {
                let line = &lines[above];
                line.words() <= LONGEST_HEADING && (line.is_heading() || line.found.is_some())
            });
            account.drop(at - usize::from(has_heading)..at + run, Rule::Contents);
        }
        at += run.max(1);
    }
}

/// Removes the number in front of a heading: "2.1 Keepers".
fn unnumbered(text: &str) -> String {
    fold(fold(text).trim_start_matches(|c: char| c == '#' || c == '.' || c.is_whitespace()))
}
