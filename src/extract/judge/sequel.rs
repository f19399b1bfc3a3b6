//! Joins the pages of an article into one.

use std::collections::HashSet;

use jiff::SignedDuration;
use url::Url;

use super::Reading;
use crate::extract::account::Rule;
use crate::extract::blocks::Block;
use crate::extract::evidence::further_pages::is_called_page;

/// A repeated line of fewer words may be intended by the author.
const LEAST_WORDS: f32 = 4.0;
/// A page with a larger share of repeated words only repeats earlier text.
const MOST_REPEATED: f32 = 0.5;

impl Reading {
    /// Appends the next page, found at `url`. Text that every page repeats, a standfirst for example, is kept only where it
    /// occurs first. A page that only repeats earlier text, or is another article, ends the article.
    pub(crate) fn go_on_with(&mut self, mut next: Self, url: &Url) {
        self.next_page = next.next_page.take();
        let said: HashSet<&str> = self.kept().map(|block| self.document.text_of(block)).collect();
        let is_said =
            |block: &Block| block.measure.words >= LEAST_WORDS && said.contains(next.document.text_of(block));
        let words = next.words();
        let repeated: Vec<usize> =
            next.account.kept().filter(|at| is_said(&next.document.blocks[*at])).collect();
        let repeated_words: f32 = repeated.iter().map(|at| next.document.blocks[*at].measure.words).sum();
        if words > 0.0 && repeated_words > words * MOST_REPEATED || self.is_other_story(&next, url) {
            self.next_page = None;
            return;
        }
        for at in repeated {
            next.account.drop(at..at + 1, Rule::Repeated);
        }
        self.append(next);
    }

    /// Returns whether the page at `url` is another article: the number in its address may be part of a name, and two articles
    /// have different dates.
    fn is_other_story(&self, next: &Self, url: &Url) -> bool {
        const ONE_DAY: SignedDuration = SignedDuration::from_hours(24);
        let dates = self.metadata.published_at.zip(next.metadata.published_at);
        !is_called_page(url) && dates.is_some_and(|(one, other)| one.duration_until(other).abs() > ONE_DAY)
    }

    fn append(&mut self, next: Self) {
        self.document.append(next.document);
        self.account.append(next.account);
        self.partial |= next.partial;
        self.is_liveblog |= next.is_liveblog;
        self.is_not_free |= next.is_not_free;
        self.has_wall = next.has_wall;
        self.removed.extend(next.removed);
        self.block_hashes.extend(next.block_hashes);
        self.block_hashes.sort_unstable();
        self.block_hashes.dedup();
        self.block_excerpts.extend(next.block_excerpts);
    }
}
