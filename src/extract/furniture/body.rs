//! The path of the body's paragraphs: sentences on the same path belong to the body, whatever their words match.

use std::collections::HashMap;

use super::Facts;
use crate::extract::account::{Account, Line};
use crate::work;

/// The sentences on the path of the body's paragraphs.
pub(crate) struct Body<'a> {
    lines: &'a [Line<'a>],
    /// Whether each line is such a sentence.
    sentences: Vec<bool>,
}

/// A path with fewer paragraphs may be that of a comment.
const LEAST_PARAGRAPHS: usize = 2;

impl<'a> Body<'a> {
    pub(crate) fn new(lines: &'a [Line<'a>], facts: &Facts<'_>, account: &Account) -> Self {
        let path_of = |line: &Line<'_>| facts.context.document.path_of(line.block);
        let mut paths: HashMap<usize, (f32, usize)> = HashMap::new();
        for line in account.kept().map(|at| &lines[at]).filter(|line| line.is_prose()) {
            let (words, paragraphs) = paths.entry(path_of(line)).or_default();
            *words += line.words();
            *paragraphs += 1;
        }
        let most = paths
            .into_iter()
            .max_by(|(path, (words, _)), (other, (other_words, _))| {
                words.total_cmp(other_words).then(other.cmp(path))
            })
            .filter(|(_, (_, paragraphs))| *paragraphs >= LEAST_PARAGRAPHS)
            .map(|(path, _)| path);
        let is_sentence = |(at, line): (usize, &Line<'_>)| {
            account.is_kept(at) && line.is_sentence() && Some(path_of(line)) == most
        };
        Self { sentences: lines.iter().enumerate().map(is_sentence).collect(), lines }
    }

    /// Returns whether a line is a sentence on the body's path.
    pub(crate) fn has(&self, at: usize) -> bool {
        work::count(1);
        self.sentences[at]
    }

    /// Returns whether there are any such sentences.
    pub(crate) fn is_known(&self) -> bool {
        work::count(self.sentences.len());
        self.sentences.contains(&true)
    }

    /// Returns whether a line is a heading and the first text below it belongs to the body: a section of the article, whatever
    /// its name.
    pub(crate) fn goes_on_under(&self, at: usize) -> bool {
        let mut section = (at + 1..self.lines.len()).take_while(|at| !self.lines[*at].is_heading());
        self.lines[at].is_heading()
            && section.find(|at| self.lines[*at].is_prose() || self.has(*at)).is_some_and(|at| self.has(at))
    }
}
