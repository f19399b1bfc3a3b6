//! A host's furniture: on how many of its articles each block of text was seen.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::Row as _;

use super::sql::{Row, RowsSql, signed};
use super::{Store, StoreError};
use crate::extract::SiteEvidence;
use crate::model::BlockHash;

/// Blocks kept for one host, and blocks learned from one page: what a page of a hostile host can cost.
const MAX_BLOCKS_PER_HOST: i64 = 4_096;
const MAX_BLOCKS_PER_PAGE: usize = 512;
/// A host's surplus blocks are looked for once in so many articles.
const ARTICLES_BETWEEN_EVICTIONS: i64 = 16;

impl Store {
    /// What is known of a host's furniture.
    pub async fn site_evidence(&self, host: &str) -> Result<SiteEvidence, StoreError> {
        let row = sqlx::query(SITE_EVIDENCE).bind(host).fetch_optional(&self.database.readers).await?;
        let Some(row) = row else { return Ok(SiteEvidence::default()) };
        let row = Row { table: "hosts", row: &row };
        let counts: Option<&str> = row.get("counts")?;
        let counts = counts.into_iter().flat_map(|counts| counts.split(','));
        let articles_by_block = counts
            .map(|count| {
                let (block, articles) = count.split_once(' ')?;
                Some((BlockHash(block.parse::<i64>().ok()?.cast_unsigned()), articles.parse().ok()?))
            })
            .collect::<Option<_>>()
            .ok_or_else(|| row.invalid("counts", "no list of blocks and numbers"))?;
        Ok(SiteEvidence { articles_by_block, articles: row.number("articles")? })
    }
}

/// The counts come as one text: thousands of rows a page would cost more than the page.
const SITE_EVIDENCE: &str = "SELECT host, articles, (\
        SELECT string_agg(CAST(block AS TEXT) || ' ' || CAST(articles AS TEXT), ',') FROM host_blocks WHERE host = $1\
    ) AS counts FROM hosts WHERE host = $1";

/// What a batch of new articles, none of them a copy of another, teaches about their hosts. By host, and its blocks by hash:
/// writers take their locks in one order.
#[derive(Default)]
pub(super) struct Lessons(BTreeMap<String, SiteEvidence>);

impl Lessons {
    pub(super) fn add(&mut self, host: &str, blocks: &[BlockHash]) {
        let blocks = &blocks[..blocks.len().min(MAX_BLOCKS_PER_PAGE)];
        self.0.entry(host.to_owned()).or_default().learn(blocks);
    }

    pub(super) async fn write(self, tx: &mut AnyConnection, now: Timestamp) -> Result<(), StoreError> {
        let hosts: Vec<(&str, i64)> =
            self.0.iter().map(|(host, site)| (host.as_str(), i64::from(site.articles))).collect();
        let rows = UPSERT_HOSTS
            .fetch(tx, &hosts, |query, (host, articles)| query.bind(*host).bind(*articles))
            .await?;
        let mut blocks: Vec<(&str, BlockHash, u32)> = Vec::new();
        for (host, site) in &self.0 {
            blocks.extend(
                site.articles_by_block.iter().map(|(block, articles)| (host.as_str(), *block, *articles)),
            );
        }
        blocks.sort_unstable();
        UPSERT_BLOCKS
            .execute(tx, &blocks, |query, (host, block, articles)| {
                query.bind(*host).bind(signed(block.0)).bind(i64::from(*articles)).bind(now.as_millisecond())
            })
            .await?;
        let learned: BTreeMap<&str, i64> = hosts.iter().copied().collect();
        for row in &rows {
            let (host, articles): (&str, i64) = (row.try_get("host")?, row.try_get("articles")?);
            let before = articles - learned.get(host).copied().unwrap_or_default();
            if articles / ARTICLES_BETWEEN_EVICTIONS > before / ARTICLES_BETWEEN_EVICTIONS {
                sqlx::query(EVICT_BLOCKS).bind(host).bind(MAX_BLOCKS_PER_HOST).execute(&mut *tx).await?;
            }
        }
        Ok(())
    }
}

const UPSERT_HOSTS: RowsSql = RowsSql {
    before: "INSERT INTO hosts (host, articles) VALUES ",
    columns: 2,
    after: " ON CONFLICT (host) DO UPDATE SET articles = hosts.articles + excluded.articles RETURNING host, articles",
};

const UPSERT_BLOCKS: RowsSql = RowsSql {
    before: "INSERT INTO host_blocks (host, block, articles, last_seen) VALUES ",
    columns: 4,
    after: " ON CONFLICT (host, block) DO UPDATE SET articles = host_blocks.articles + excluded.articles, \
        last_seen = excluded.last_seen",
};

/// Blocks seen once go first, then those not seen for the longest time.
const EVICT_BLOCKS: &str = "DELETE FROM host_blocks WHERE host = $1 AND block IN (\
    SELECT block FROM host_blocks WHERE host = $1 \
    ORDER BY CASE WHEN articles > 1 THEN 0 ELSE 1 END, last_seen DESC, block LIMIT 1000000 OFFSET $2)";
