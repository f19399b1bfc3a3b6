//! The blocks of an article's page in order, kept and dropped, for the page and for the API.

use schemars::JsonSchema;
use serde::Serialize;

use super::Surface;
use crate::model::{BlockAccount, Record};
use crate::pipeline::reextract::blocks_now;
use crate::report::rules::SEEN_ELSEWHERE;
use crate::store::{ArticleAccount, StoreError};

/// The blocks of the page of an article's current revision, in order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct PageBlocks {
    /// Where the blocks come from.
    pub(super) source: PageBlocksSource,
    /// Whether these are all blocks of the page.
    pub(super) complete: bool,
    /// Number of blocks in the text.
    pub(super) blocks_kept: u32,
    /// Number of blocks left out of it.
    pub(super) blocks_dropped: u32,
    /// The blocks.
    pub(super) blocks: Vec<PageBlock>,
}

/// Where blocks come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PageBlocksSource {
    /// The kept page (`raw = "keep"`), extracted by the current rules.
    KeptPage,
    /// The account written when the page was extracted: the text, and the first 50 dropped blocks.
    Account,
}

/// A block of a page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
pub(super) struct PageBlock {
    /// Whether it is part of the article's text.
    pub(super) kept: bool,
    /// The rule that kept or dropped it; `null` for kept blocks that come from the account.
    pub(super) rule: Option<String>,
    /// Number of articles of the site on which the text has been seen until now; `null` unless the rule is
    /// `site.seen_elsewhere` and the text is among the site's 1,000 most frequent ones.
    pub(super) seen_on: Option<u64>,
    /// Its text, or the beginning of a long one.
    pub(super) text: String,
}

/// Returns the blocks of the page of a current record; `None` if nothing is known about them.
pub(super) async fn of_page(surface: &Surface, record: &Record) -> Result<Option<PageBlocks>, StoreError> {
    let Some(mut blocks) = uncounted(surface, record).await? else { return Ok(None) };
    let is_counted = |block: &&mut PageBlock| block.rule.as_deref() == Some(SEEN_ELSEWHERE);
    let seen: Vec<&mut PageBlock> = blocks.blocks.iter_mut().filter(is_counted).collect();
    if !seen.is_empty() {
        let texts: Vec<&str> = seen.iter().map(|block| block.text.as_str()).collect();
        let counts = surface.store.site_counts(&record.hostname, &texts).await?;
        for (block, count) in seen.into_iter().zip(counts) {
            block.seen_on = count;
        }
    }
    Ok(Some(blocks))
}

/// Returns the blocks without the counts of the site.
async fn uncounted(surface: &Surface, record: &Record) -> Result<Option<PageBlocks>, StoreError> {
    let plan = surface.plan.borrow().clone();
    match blocks_now(&surface.store, &surface.workers, &plan, record.id).await {
        Ok(Some(blocks)) => return Ok(Some(PageBlocks::of_kept_page(blocks))),
        Ok(None) => {}
        Err(error) => {
            tracing::warn!(article.id = %record.id, error = %error, "cannot extract a kept page again");
        }
    }
    let account = surface.store.article_account(record.id).await?;
    Ok(account.map(|account| PageBlocks::as_recorded(&record.text, &account)))
}

impl PageBlocks {
    fn of_kept_page(blocks: Vec<BlockAccount>) -> Self {
        let kept = blocks.iter().filter(|block| block.kept).count();
        Self {
            source: PageBlocksSource::KeptPage,
            complete: true,
            blocks_kept: number(kept),
            blocks_dropped: number(blocks.len() - kept),
            blocks: blocks
                .into_iter()
                .map(|BlockAccount { kept, rule, text }| PageBlock {
                    kept,
                    rule: Some(rule),
                    seen_on: None,
                    text,
                })
                .collect(),
        }
    }

    fn as_recorded(text: &str, account: &ArticleAccount) -> Self {
        let kept = pieces(text, account.blocks_kept);
        let is_complete = number(kept.len()) == account.blocks_kept
            && number(account.dropped.len()) == account.blocks_dropped;
        let mut dropped = account
            .dropped
            .iter()
            .map(|block| {
                let rule = Some(block.rule.clone());
                let text = block.excerpt.clone();
                (block.kept_before, PageBlock { kept: false, rule, seen_on: None, text })
            })
            .peekable();
        let mut blocks = Vec::new();
        for (before, text) in (0_u32..).zip(&kept) {
            let stands_before = |place: Option<u32>| place.is_some_and(|place| place <= before);
            while let Some((_, block)) = dropped.next_if(|(place, _)| stands_before(*place)) {
                blocks.push(block);
            }
            blocks.push(PageBlock { kept: true, rule: None, seen_on: None, text: (*text).to_owned() });
        }
        blocks.extend(dropped.map(|(_, block)| block));
        Self {
            source: PageBlocksSource::Account,
            complete: is_complete,
            blocks_kept: account.blocks_kept,
            blocks_dropped: account.blocks_dropped,
            blocks,
        }
    }
}

/// Returns the text split into the kept blocks that it was made of, if their number matches the lines; otherwise into
/// paragraphs.
fn pieces(text: &str, kept: u32) -> Vec<&str> {
    let parted = |by| text.split(by).filter(|piece: &&str| !piece.is_empty()).collect::<Vec<_>>();
    let lines = parted("\n");
    if lines.len() == kept as usize { lines } else { parted("\n\n") }
}

fn number(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::DroppedBlock;

    #[test]
    fn kept_blocks_are_told_by_lines_where_these_are_as_many() {
        assert_eq!(pieces("a\n\nb\nc", 3), ["a", "b", "c"]);
        assert_eq!(pieces("a\n\nb\nc", 2), ["a", "b\nc"]);
        assert!(pieces("", 0).is_empty());
    }

    #[test]
    fn what_an_account_lacks_is_said() {
        let dropped = |excerpt: &str, kept_before| DroppedBlock {
            rule: "outside".to_owned(),
            excerpt: excerpt.to_owned(),
            kept_before,
        };
        let account = |blocks_kept, blocks_dropped| ArticleAccount {
            blocks_kept,
            blocks_dropped,
            dropped: vec![dropped("menu", Some(0)), dropped("advert", Some(1)), dropped("foot", Some(2))],
        };
        let blocks = PageBlocks::as_recorded("one\n\ntwo", &account(2, 3));
        let texts: Vec<&str> = blocks.blocks.iter().map(|block| block.text.as_str()).collect();
        assert_eq!(texts, ["menu", "one", "advert", "two", "foot"]);
        assert!(blocks.complete);
        assert!(blocks.blocks.iter().all(|block| block.kept != block.rule.is_some()));
        assert!(!PageBlocks::as_recorded("one\n\ntwo", &account(2, 51)).complete, "more were dropped");
        assert!(
            !PageBlocks::as_recorded("one\n\ntwo", &account(3, 3)).complete,
            "the kept blocks cannot be told apart"
        );
    }
}
