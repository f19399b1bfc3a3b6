//! Tables over the first stage's scores, read by the second stage.

use super::context::Context;
use crate::extract::account::Advice;
use crate::extract::blocks::{Document, Kind};
use crate::extract::words::classes::Traits;
use crate::extract::words::furniture::Furniture;
use crate::extract::words::phrases::Coverage;

/// Returns the rules' advice on every block, given the blocks' probabilities.
pub(crate) type Advise<'a> = dyn Fn(&[f32]) -> Vec<Advice> + 'a;

/// The first stage's scores and what follows from them for the page.
pub(crate) struct Scores {
    pub(crate) first: Vec<f32>,
    /// The container that holds the body.
    pub(crate) root: usize,
    /// The first and the last block in that container that surely belong to the article.
    pub(crate) body_first: usize,
    pub(crate) body_last: usize,
    /// The furniture section last opened above each block, and how many blocks ago.
    pub(crate) opened: Vec<Option<(Furniture, usize)>>,
    /// Running sums of score times weight, and of weight; a block weighs its words plus [`LEAST_WEIGHT`].
    weighted: Vec<f32>,
    weights: Vec<f32>,
    /// Running sum of the words of sure blocks.
    sure: Vec<f32>,
    paths: Vec<(f32, f32)>,
    headings: Vec<Option<usize>>,
    /// The range of blocks from the heading above each block (or the block itself, if a heading) to the next heading.
    sections: Vec<Option<(usize, usize)>>,
    root_depth: u16,
    /// The sure blocks, in page order.
    sure_at: Vec<usize>,
    /// The number of sure blocks on each path.
    sure_paths: Vec<usize>,
    /// The rules' advice on each block.
    pub(crate) advice: Vec<Advice>,
}

/// Returns the section that each block belongs to; for a heading, the section that it opens.
fn sections(document: &Document, headings: &[Option<usize>]) -> Vec<Option<(usize, usize)>> {
    let mut sections = vec![None; headings.len()];
    let mut end = headings.len();
    for at in (0..headings.len()).rev() {
        if matches!(document.blocks[at].kind, Kind::Heading(_)) {
            sections[at] = (at + 1 < end).then_some((at + 1, end));
            end = at;
        } else {
            sections[at] = headings[at].map(|heading| (heading + 1, end));
        }
    }
    sections
}

/// Added to the words of every block, so that blocks of few words count too.
const LEAST_WEIGHT: f32 = 3.0;
/// Blocks of a higher score raise the gain of a box, others lower it. Less than half, because a gap in the body costs more
/// than a margin around it.
const GAINING: f32 = 0.4;
/// The rounding difference allowed between the gains of two boxes around the same text.
const ROUNDING: f32 = 0.001;
/// A block of a higher score with at least [`LEAST_SURE_WORDS`] words surely belongs to the article.
const SURE: f32 = 0.6;
const LEAST_SURE_WORDS: f32 = 10.0;
/// A mean over other blocks of less total weight is not used.
const LEAST_OTHERS: f32 = 0.5;
/// Number of headings in a row that are skipped, at most.
const MOST_HEADINGS: usize = 6;

impl Scores {
    /// Builds the tables. `advise` returns the rules' advice, given the first stage's scores.
    pub(crate) fn new(context: &Context<'_>, first: Vec<f32>, advise: &Advise<'_>) -> Self {
        let document = context.document;
        let count = first.len();
        let mut weighted = vec![0.0; count + 1];
        let mut weights = vec![0.0; count + 1];
        let mut sure = vec![0.0; count + 1];
        let mut gains = vec![0.0_f32; count + 1];
        let mut paths = vec![(0.0, 0.0); document.path_count()];
        let mut opened = vec![None; count];
        let mut headings = vec![None; count];
        let (mut open, mut heading) = (None, None);
        for (at, block) in document.blocks.iter().enumerate() {
            let weight = block.measure.words + LEAST_WEIGHT;
            weighted[at + 1] = weighted[at] + weight * first[at];
            weights[at + 1] = weights[at] + weight;
            gains[at + 1] = gains[at] + weight * (first[at] - GAINING);
            let is_sure = first[at] > SURE && block.measure.words >= LEAST_SURE_WORDS;
            sure[at + 1] = sure[at] + if is_sure { block.measure.words } else { 0.0 };
            let path = &mut paths[document.path_of(block)];
            path.0 += weight * first[at];
            path.1 += weight;
            opened[at] = open.map(|(furniture, from)| (furniture, at - from));
            if let Some(found) = context.matches[at]
                && found.coverage == Coverage::Whole
                && found.furniture.heads_section()
            {
                open = Some((found.furniture, at));
            }
            headings[at] = heading;
            if matches!(block.kind, Kind::Heading(_)) {
                heading = Some(at);
            }
        }
        let mut best = (0, f32::MIN);
        for (at, container) in document.containers.iter().enumerate() {
            let gain = gains[container.end] - gains[container.first];
            // Of several boxes around the same text, take the innermost.
            if gain >= best.1 - ROUNDING {
                best = (at, gain);
            }
        }
        let is_sure = |at: &usize| sure[*at + 1] > sure[*at];
        let sure_at: Vec<usize> = (0..count).filter(is_sure).collect();
        let mut sure_paths = vec![0; document.path_count()];
        for &at in &sure_at {
            sure_paths[document.path_of(&document.blocks[at])] += 1;
        }
        let advised = advise(&first);
        let root = &document.containers[best.0];
        let body_first = (root.first..root.end).find(is_sure).unwrap_or(root.first);
        let body_last = (root.first..root.end).rev().find(is_sure).unwrap_or(root.end);
        Self {
            first,
            root: best.0,
            body_first,
            body_last,
            opened,
            weighted,
            weights,
            sure,
            paths,
            sections: sections(document, &headings),
            headings,
            root_depth: root.depth,
            sure_at,
            sure_paths,
            advice: advised,
        }
    }

    fn mean(&self, from: usize, to: usize, without: usize) -> f32 {
        let weight_of = self.weights[without + 1] - self.weights[without];
        let inside = (from..to).contains(&without);
        let (mut weighted, mut weight) =
            (self.weighted[to] - self.weighted[from], self.weights[to] - self.weights[from]);
        if inside {
            weighted -= self.first[without] * weight_of;
            weight -= weight_of;
        }
        if weight < LEAST_OTHERS { self.first[without] } else { (weighted / weight).clamp(0.0, 1.0) }
    }

    /// Returns the mean score of the other blocks up to `reach` away.
    pub(crate) fn mean_around(&self, at: usize, reach: usize) -> f32 {
        self.mean(at.saturating_sub(reach), (at + reach + 1).min(self.first.len()), at)
    }

    /// Returns the mean score of the other blocks in `container`.
    pub(crate) fn mean_without(&self, document: &Document, container: usize, at: usize) -> f32 {
        let container = &document.containers[container];
        self.mean(container.first, container.end, at)
    }

    /// Returns the mean score of the other blocks on the same path.
    pub(crate) fn path_mean_without(&self, path: usize, at: usize) -> f32 {
        let own = self.weights[at + 1] - self.weights[at];
        let (weighted, weight) = self.paths[path];
        if weight - own < LEAST_OTHERS {
            self.first[at]
        } else {
            ((weighted - own * self.first[at]) / (weight - own)).clamp(0.0, 1.0)
        }
    }

    /// Returns the traits of the boxes between the body's container and the block.
    pub(crate) fn traits_below_root(&self, document: &Document, container: usize) -> Traits {
        let mut traits = Traits::empty();
        let mut at = container;
        while document.containers[at].depth > self.root_depth {
            traits.insert(document.containers[at].traits);
            at = document.containers[at].parent;
        }
        traits
    }

    /// Returns the mean score of the other blocks in the child of the body's container that holds the block.
    pub(crate) fn root_child_mean(&self, document: &Document, container: usize, at: usize) -> f32 {
        let mut child = container;
        while document.containers[child].depth > self.root_depth + 1 {
            child = document.containers[child].parent;
        }
        self.mean_without(document, child, at)
    }

    /// Returns the shares of the sure text before and after a block.
    pub(crate) fn body_around(&self, at: usize) -> (f32, f32) {
        let all = self.sure[self.first.len()].max(1.0);
        (self.sure[at] / all, (self.sure[self.first.len()] - self.sure[at + 1]) / all)
    }

    /// Returns the score of the first block after a heading that is not itself a heading.
    pub(crate) fn next_not_heading(&self, document: &Document, at: usize) -> Option<f32> {
        let next = (at + 1..self.first.len())
            .take(MOST_HEADINGS)
            .find(|&next| !matches!(document.blocks[next].kind, Kind::Heading(_)))?;
        Some(self.first[next])
    }

    /// Returns the best score among the other blocks up to `reach` away.
    pub(crate) fn best_around(&self, at: usize, reach: usize) -> f32 {
        let (from, to) = (at.saturating_sub(reach), (at + reach + 1).min(self.first.len()));
        let others = self.first[from..at].iter().chain(&self.first[at + 1..to]);
        others.copied().fold(0.0, f32::max)
    }

    /// Returns the mean score of the other blocks under the same heading; for a heading, of the blocks under it.
    pub(crate) fn section_mean(&self, at: usize) -> Option<f32> {
        let (from, to) = self.sections[at]?;
        Some(self.mean(from, to, at))
    }

    /// Returns how many blocks surely belong to the article.
    pub(crate) fn sure_blocks(&self) -> usize {
        self.sure_at.len()
    }

    /// Returns the words of sure blocks in a range of blocks.
    pub(crate) fn sure_words(&self, from: usize, to: usize) -> f32 {
        let last = self.first.len();
        self.sure[to.min(last)] - self.sure[from.min(last)]
    }

    /// Returns how many other blocks on a path surely belong to the article.
    pub(crate) fn sure_on_path(&self, path: usize, at: usize) -> usize {
        self.sure_paths[path] - usize::from(self.sure[at + 1] > self.sure[at])
    }

    /// Returns the nearest sure blocks before and after a block.
    pub(crate) fn sure_beside(&self, at: usize) -> (Option<usize>, Option<usize>) {
        let before = self.sure_at.partition_point(|&sure| sure < at);
        let after = self.sure_at.partition_point(|&sure| sure <= at);
        (before.checked_sub(1).map(|before| self.sure_at[before]), self.sure_at.get(after).copied())
    }

    /// Returns the nearest heading above a block.
    pub(crate) fn heading_above(&self, at: usize) -> Option<usize> {
        self.headings[at]
    }
}
