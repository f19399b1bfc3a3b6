//! What a page teaches its host, and how what is known of a host grows and shrinks by it.
//!
//! A page teaches once, and a copy of another article teaches nothing: a story that a host publishes twice is not its
//! furniture. What is a copy is for those who compare texts to say.

use std::collections::{HashMap, HashSet};

use crate::model::BlockHash;

/// On how many distinct articles of one host each block was seen.
#[derive(Clone, Debug, Default)]
pub struct SiteEvidence {
    /// Articles by block.
    pub articles_by_block: HashMap<BlockHash, u32>,
    /// Articles seen in all.
    pub articles: u32,
}

impl SiteEvidence {
    /// Adds an article with these blocks. One that stands there several times counts once.
    pub fn learn(&mut self, blocks: &[BlockHash]) {
        self.articles += 1;
        for block in blocks.iter().collect::<HashSet<_>>() {
            *self.articles_by_block.entry(*block).or_default() += 1;
        }
    }

    /// What the other articles say to one that has taught these blocks: what it showed before is no evidence against it.
    pub fn unlearn(&mut self, blocks: &[BlockHash]) {
        self.articles = self.articles.saturating_sub(1);
        for block in blocks.iter().collect::<HashSet<_>>() {
            if let Some(articles) = self.articles_by_block.get_mut(block) {
                *articles = articles.saturating_sub(1);
            }
        }
    }

    /// The same for an article of which it is not known what it has taught: each of the counts gives up one.
    pub fn unlearn_unknown(&mut self) {
        self.articles = self.articles.saturating_sub(1);
        self.articles_by_block.retain(|_, articles| {
            *articles = articles.saturating_sub(1);
            *articles > 0
        });
    }

    /// Forgets what was seen only once: most blocks are, and they say nothing of their site.
    pub fn forget_single_blocks(&mut self) {
        self.articles_by_block.retain(|_, articles| *articles > 1);
    }

    pub(super) fn count(&self, block: BlockHash) -> u32 {
        self.articles_by_block.get(&block).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: BlockHash = BlockHash(1);
    const TWO: BlockHash = BlockHash(2);

    #[test]
    fn what_is_learned_is_unlearned() {
        let mut site = SiteEvidence::default();
        site.learn(&[ONE, TWO]);
        site.learn(&[ONE]);
        assert_eq!((site.articles, site.count(ONE), site.count(TWO)), (2, 2, 1));
        let mut others = site.clone();
        others.unlearn(&[ONE, TWO]);
        assert_eq!((others.articles, others.count(ONE), others.count(TWO)), (1, 1, 0));
        let mut others = site.clone();
        others.unlearn_unknown();
        assert_eq!((others.articles, others.count(ONE), others.count(TWO)), (1, 1, 0));
        site.forget_single_blocks();
        assert_eq!((site.articles, site.count(ONE), site.count(TWO)), (2, 2, 0));
        site.unlearn(&[TWO]);
        assert_eq!(site.count(TWO), 0);
    }
}
