//! Builds the article from the choice: its text, with that of further pages appended, its flags, the feed entry's text as a
//! substitute, and the operator's selectors, which override everything.
//!
//! The input is the reading of a page, the output is its article with an account of every block. This module does not choose
//! blocks.

pub(crate) mod flags;
pub(crate) mod operator;
pub(crate) mod selectors;
mod sequel;
pub(crate) mod stand_in;
pub(crate) mod text;

use url::Url;

use super::account::{Account, Fate, Rule};
use super::blocks::{Block, Document};
use super::metadata;
use crate::model::{Article, BlockAccount, BlockHash, EntryEvidence, Metadata, QualityFlag, SelectorUse};

/// Maximum bytes of a block's text kept in its account.
const ACCOUNT_BYTES: usize = 200;

/// Everything that was read from a page.
#[expect(clippy::struct_excessive_bools, reason = "observations, not states: every combination occurs")]
pub(crate) struct Reading {
    pub(crate) document: Document,
    pub(crate) account: Account,
    pub(crate) metadata: Metadata,
    /// Whether a parser limit cut the page short.
    pub(crate) partial: bool,
    /// The next page of the article.
    pub(crate) next_page: Option<Url>,
    /// Whether a list of other articles' headlines would be flagged, since an article is expected here.
    pub(crate) may_be_listing: bool,
    /// Whether the page declares itself a live blog.
    pub(crate) is_liveblog: bool,
    /// Whether the page declares that it is not free.
    pub(crate) is_not_free: bool,
    /// The whole body, if the page states it in its metadata.
    pub(crate) stated_body: Option<String>,
    /// Whether a paywall prompt follows the end of the text.
    pub(crate) has_wall: bool,
    /// Whether another page of the host has the same text under another headline.
    pub(crate) repeats_another_page: bool,
    /// Texts that the operator's selectors removed.
    pub(crate) removed: Vec<String>,
    /// The operator's selectors for pages, and whether they match.
    pub(crate) selectors: Vec<SelectorUse>,
    pub(crate) block_hashes: Vec<BlockHash>,
    pub(crate) block_excerpts: Vec<(BlockHash, String)>,
}

impl Reading {
    /// Returns the number of words in kept blocks.
    pub(crate) fn words(&self) -> f32 {
        self.account.words(&self.document)
    }

    /// Returns the kept blocks.
    pub(crate) fn kept(&self) -> impl Iterator<Item = &Block> {
        self.account.kept().map(|at| &self.document.blocks[at])
    }

    /// Replaces the text by another, for example one from the page's scripts when the markup holds none.
    pub(crate) fn take_text(&mut self, document: Document, account: Account) {
        self.document = document;
        self.account = account;
        self.has_wall = false;
    }

    /// Replaces the text by another document's. The metadata of the page stay.
    pub(crate) fn replace_body(&mut self, other: Self, entry: &EntryEvidence) {
        self.repeats_another_page = false;
        self.partial = other.partial;
        self.next_page = other.next_page;
        self.may_be_listing = other.may_be_listing;
        self.is_liveblog = other.is_liveblog;
        self.is_not_free = other.is_not_free;
        self.stated_body = other.stated_body;
        self.take_text(other.document, other.account);
        let of_entry = entry.title.as_deref().and_then(metadata::on_one_line);
        let metadata = &mut self.metadata;
        // The title of a paywall or an error page is not the article's.
        metadata.title = of_entry.or(metadata.title.take()).or(other.metadata.title);
        if metadata.authors.is_empty() {
            metadata.authors = other.metadata.authors;
        }
        metadata.published_at = metadata.published_at.or(other.metadata.published_at);
        metadata.language = metadata.language.take().or(other.metadata.language);
    }

    /// Returns the expected F1 of the choice: how likely the kept blocks are the article, and all of it.
    fn score(&self) -> f32 {
        let (mut hit, mut kept, mut all) = (0.0, 0.0, 0.0);
        for (block, fate) in self.document.blocks.iter().zip(self.account.fates()) {
            let expected = fate.probability * block.measure.words;
            all += expected;
            if fate.kept {
                hit += expected;
                kept += block.measure.words;
            }
        }
        if kept + all > 0.0 { (2.0 * hit / (kept + all)).clamp(0.0, 1.0) } else { 0.0 }
    }

    /// Builds the article with its account.
    pub(crate) fn into_article(self, quality_flags: Vec<QualityFlag>) -> Article {
        let fates = self.account.fates();
        let account =
            |(block, fate): (&Block, &Fate)| account_of(fate.kept, fate.rule, self.document.text_of(block));
        let mut account: Vec<BlockAccount> = self.document.blocks.iter().zip(fates).map(account).collect();
        account.extend(self.removed.iter().map(|text| account_of(false, Rule::OperatorDrop, text)));
        let kept: Vec<bool> = fates.iter().map(|fate| fate.kept).collect();
        Article {
            text: text::render(&self.document, &kept),
            word_count: self.kept().map(|block| block.measure.count).sum(),
            score: self.score(),
            quality_flags,
            account,
            selectors: self.selectors,
            candidates: self.account.candidates().to_vec(),
            next_page: self.next_page,
            metadata: self.metadata,
            block_hashes: self.block_hashes,
            block_excerpts: self.block_excerpts,
        }
    }
}

fn account_of(kept: bool, rule: Rule, text: &str) -> BlockAccount {
    BlockAccount {
        kept,
        rule: rule.as_str().to_owned(),
        text: text[..text.floor_char_boundary(ACCOUNT_BYTES)].to_owned(),
    }
}
