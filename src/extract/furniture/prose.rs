//! Locates the running text of the body, to tell the head of a page from its tail.

use super::names::name_of;
use crate::extract::account::{Account, Line};
use crate::work;

/// The running text, line by line: kept prose whose words do not identify it as furniture.
pub(crate) struct Prose {
    /// Words of each line.
    words: Vec<f32>,
    /// Words before each line, and the total.
    before: Vec<f32>,
}

/// The share of the running text that precedes the tail.
const TAIL_SHARE: f32 = 0.6;

impl Prose {
    pub(crate) fn new(lines: &[Line<'_>], account: &Account) -> Self {
        let is_prose =
            |at: usize, line: &Line<'_>| account.is_kept(at) && name_of(line).is_none() && line.is_prose();
        let words: Vec<f32> = lines
            .iter()
            .enumerate()
            .map(|(at, line)| if is_prose(at, line) { line.words() } else { 0.0 })
            .collect();
        let mut before = vec![0.0];
        before.extend(words.iter().scan(0.0, |sum, words| {
            *sum += words;
            Some(*sum)
        }));
        Self { words, before }
    }

    pub(crate) fn is_prose(&self, at: usize) -> bool {
        work::count(1);
        self.words[at] > 0.0
    }

    /// Returns the words of running text before a line.
    pub(crate) fn before(&self, at: usize) -> f32 {
        self.before[at]
    }

    /// Returns whether the body is almost over at a line.
    pub(crate) fn is_over(&self, at: usize) -> bool {
        let all = self.before[self.words.len()];
        self.before[at] > 0.0 && self.before[at] >= all * TAIL_SHARE
    }
}
