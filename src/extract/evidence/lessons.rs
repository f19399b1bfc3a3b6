//! Counts of a host's blocks, and how pages are added to and removed from them.
//!
//! A page is counted once, and a copy of another article is not counted: a story that a host publishes twice is not its
//! furniture. The callers, which compare texts, decide what is a copy.

use std::collections::{HashMap, HashSet};

use crate::model::BlockHash;

/// The number of distinct articles of one host on which each block was seen.
#[derive(Clone, Debug, Default)]
pub struct SiteEvidence {
    /// Number of articles by block.
    pub articles_by_block: HashMap<BlockHash, u32>,
    /// Total number of articles seen.
    pub articles: u32,
}

impl SiteEvidence {
    /// Adds an article with these blocks. A block that occurs several times counts once.
    pub fn learn(&mut self, blocks: &[BlockHash]) {
        self.articles += 1;
        for block in blocks.iter().collect::<HashSet<_>>() {
            *self.articles_by_block.entry(*block).or_default() += 1;
        }
    }

    /// Removes an article with these blocks, so that its own earlier version is not evidence against it.
    pub fn unlearn(&mut self, blocks: &[BlockHash]) {
        self.articles = self.articles.saturating_sub(1);
        for block in blocks.iter().collect::<HashSet<_>>() {
            if let Some(articles) = self.articles_by_block.get_mut(block) {
                *articles = articles.saturating_sub(1);
            }
        }
    }

    /// Removes an article whose blocks are not known: decrements every count.
    pub fn unlearn_unknown(&mut self) {
        self.articles = self.articles.saturating_sub(1);
        self.articles_by_block.retain(|_, articles| {
            *articles = articles.saturating_sub(1);
            *articles > 0
        });
    }

    /// Removes blocks that were seen only once: most blocks are, and they say nothing about their site.
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
