//! Furniture per host: on how many of its articles each block of text was seen.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::Row as _;

use super::sql::{Row, RowsSql, clean, containing, models, signed};
use super::{Store, StoreError};
use crate::extract::{SiteEvidence, hash_text};
use crate::model::{Article, BlockHash};

/// Limits on blocks kept per host and blocks learned per page, which bound what a hostile host can cost.
const MAX_BLOCKS_PER_HOST: i64 = 4_096;
const MAX_BLOCKS_PER_PAGE: usize = 512;
/// Texts of a host with which the blocks of one page are compared.
const MAX_TEXTS_COMPARED: u32 = 1_000;
/// Texts are compared by this many bytes: excerpts and the accounts of pages keep more of a long text.
const COMPARED_BYTES: usize = 120;
/// A host's surplus blocks are evicted once per this many articles.
const ARTICLES_BETWEEN_EVICTIONS: i64 = 16;

impl Store {
    /// Returns what is known of a host's furniture.
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
            .ok_or_else(|| row.invalid("counts", "not a list of blocks and numbers"))?;
        Ok(SiteEvidence { articles_by_block, articles: row.number("articles")? })
    }

    /// Returns up to `limit` hosts whose names contain `part`, those with the most articles first.
    pub async fn sites_list(&self, part: &str, limit: u32) -> Result<Vec<SiteStatus>, StoreError> {
        let rows = sqlx::query(LIST_SITES)
            .bind(containing(part))
            .bind(i64::from(limit))
            .fetch_all(&self.database.readers)
            .await?;
        models("hosts", &rows)
    }

    /// Returns a host; `None` if nothing was learned from any of its articles.
    pub async fn site_status(&self, host: &str) -> Result<Option<SiteStatus>, StoreError> {
        let row = sqlx::query("SELECT host, articles FROM hosts WHERE host = $1")
            .bind(host)
            .fetch_optional(&self.database.readers)
            .await?;
        row.map(|row| SiteStatus::try_from(Row { table: "hosts", row: &row })).transpose()
    }

    /// Returns up to `limit` texts that were seen on more than one article of a host: forgotten ones first, then by descending
    /// number of articles.
    pub async fn site_blocks(&self, host: &str, limit: u32) -> Result<Vec<LearnedBlock>, StoreError> {
        let rows = sqlx::query(SITE_BLOCKS)
            .bind(host)
            .bind(i64::from(limit))
            .fetch_all(&self.database.readers)
            .await?;
        models("host_blocks", &rows)
    }

    /// Returns on how many articles of a host each of `texts` was seen, compared by their beginnings. `None` for a text that is
    /// not among the host's most frequent ones. The whole comparison is one query with a limit.
    pub async fn site_counts(&self, host: &str, texts: &[&str]) -> Result<Vec<Option<u64>>, StoreError> {
        let mut articles: HashMap<u64, u64> = HashMap::new();
        for block in self.site_blocks(host, MAX_TEXTS_COMPARED).await? {
            let most = articles.entry(beginning(&block.excerpt)).or_default();
            *most = block.articles.max(*most);
        }
        Ok(texts.iter().map(|text| articles.get(&beginning(text)).copied()).collect())
    }

    /// Marks a block as forgotten, so that it no longer counts as furniture, or takes that back. Returns whether the block exists.
    pub async fn site_block_forget(
        &self,
        host: &str,
        block: BlockHash,
        forgotten: bool,
    ) -> Result<bool, StoreError> {
        let mut tx = self.database.write().await?;
        let changed = sqlx::query("UPDATE host_blocks SET forgotten = $3 WHERE host = $1 AND block = $2")
            .bind(host)
            .bind(signed(block.0))
            .bind(i64::from(forgotten))
            .execute(&mut *tx)
            .await?
            .rows_affected();
        tx.commit().await?;
        Ok(changed > 0)
    }
}

/// Returns the hash of a text's beginning. It ignores spaces and the values of numbers, as the hashes of labels do, so "3 comments"
/// and "5 comments" are the same text; in a longer text, numbers of different lengths move the end of the beginning.
fn beginning(text: &str) -> u64 {
    hash_text(&text[..text.floor_char_boundary(COMPARED_BYTES)])
}

/// A host with learned furniture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SiteStatus {
    /// The host's name.
    pub host: String,
    /// Number of articles from which furniture was learned.
    pub articles: u64,
}

impl TryFrom<Row<'_>> for SiteStatus {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { host: row.get("host")?, articles: row.number("articles")? })
    }
}

/// A text that was seen on several articles of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LearnedBlock {
    /// Hash of the block.
    pub hash: BlockHash,
    /// The beginning of its text.
    pub excerpt: String,
    /// On how many articles it was seen.
    pub articles: u64,
    /// When it was last seen.
    pub last_seen: Timestamp,
    /// Whether the operator decided that it is not furniture.
    pub forgotten: bool,
}

impl TryFrom<Row<'_>> for LearnedBlock {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            hash: BlockHash(row.get::<i64>("block")?.cast_unsigned()),
            excerpt: row.get("excerpt")?,
            articles: row.number("articles")?,
            last_seen: row.time("last_seen")?,
            forgotten: row.flag("forgotten")?,
        })
    }
}

const LIST_SITES: &str = "SELECT host, articles FROM hosts WHERE host LIKE $1 ESCAPE '\\' \
    ORDER BY articles DESC, host LIMIT $2";

const SITE_BLOCKS: &str = "SELECT block, excerpt, articles, last_seen, forgotten FROM host_blocks \
    WHERE host = $1 AND excerpt IS NOT NULL ORDER BY forgotten DESC, articles DESC, block LIMIT $2";

/// The counts come as one text: fetching thousands of rows per page would cost more than the page itself.
const SITE_EVIDENCE: &str = "SELECT host, articles, (\
        SELECT string_agg(CAST(block AS TEXT) || ' ' || CAST(articles AS TEXT), ',') FROM host_blocks WHERE host = $1 AND forgotten = 0\
    ) AS counts FROM hosts WHERE host = $1";

/// What a batch of new articles, none of them a copy of another, teaches about their hosts. Sorted by host, and blocks by hash,
/// so that all writers take their locks in the same order.
#[derive(Default)]
pub(super) struct Lessons(BTreeMap<String, Lesson>);

#[derive(Default)]
struct Lesson {
    seen: SiteEvidence,
    /// The beginnings of those blocks that have text.
    excerpts: BTreeMap<BlockHash, String>,
}

impl Lessons {
    pub(super) fn add(&mut self, host: &str, article: &Article) {
        let blocks = &article.block_hashes[..article.block_hashes.len().min(MAX_BLOCKS_PER_PAGE)];
        let lesson = self.0.entry(host.to_owned()).or_default();
        lesson.seen.learn(blocks);
        let learned: BTreeSet<&BlockHash> = blocks.iter().collect();
        for (block, excerpt) in article.block_excerpts.iter().filter(|(block, _)| learned.contains(block)) {
            lesson.excerpts.entry(*block).or_insert_with(|| clean(excerpt).into_owned());
        }
    }

    pub(super) async fn write(self, tx: &mut AnyConnection, now: Timestamp) -> Result<(), StoreError> {
        let hosts: Vec<(&str, i64)> =
            self.0.iter().map(|(host, lesson)| (host.as_str(), i64::from(lesson.seen.articles))).collect();
        let rows = UPSERT_HOSTS
            .fetch(tx, &hosts, |query, (host, articles)| query.bind(*host).bind(*articles))
            .await?;
        let mut blocks: Vec<(&str, BlockHash, u32, &str)> = Vec::new();
        for (host, Lesson { seen, excerpts }) in &self.0 {
            let excerpt = |block| excerpts.get(block).map_or("", String::as_str);
            let rows = seen.articles_by_block.iter();
            blocks.extend(rows.map(|(block, articles)| (host.as_str(), *block, *articles, excerpt(block))));
        }
        blocks.sort_unstable();
        UPSERT_BLOCKS
            .execute(tx, &blocks, |query, (host, block, articles, excerpt)| {
                let query = query.bind(*host).bind(signed(block.0)).bind(i64::from(*articles));
                query.bind(now.as_millisecond()).bind(*excerpt)
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

/// Excerpts are written at the second sighting only: most blocks are never seen again, and
/// their excerpts would fill most of the table.
const UPSERT_BLOCKS: RowsSql = RowsSql {
    before: "WITH seen (host, block, articles, last_seen, excerpt) AS (VALUES ",
    columns: 5,
    after: ") INSERT INTO host_blocks (host, block, articles, last_seen, excerpt) \
        SELECT s.host, s.block, s.articles, s.last_seen, CASE WHEN s.articles > 1 OR EXISTS \
            (SELECT 1 FROM host_blocks b WHERE b.host = s.host AND b.block = s.block) THEN nullif(s.excerpt, '') END \
        FROM seen s WHERE true \
        ON CONFLICT (host, block) DO UPDATE SET articles = host_blocks.articles + excluded.articles, \
        last_seen = excluded.last_seen, excerpt = coalesce(host_blocks.excerpt, excluded.excerpt)",
};

/// Evicts blocks seen once first, then those not seen for the longest time. Forgotten blocks are kept before all others.
const EVICT_BLOCKS: &str = "DELETE FROM host_blocks WHERE host = $1 AND block IN (\
    SELECT block FROM host_blocks WHERE host = $1 \
    ORDER BY forgotten DESC, CASE WHEN articles > 1 THEN 0 ELSE 1 END, last_seen DESC, block LIMIT 1000000 OFFSET $2)";

#[cfg(test)]
mod tests {
    use super::beginning;

    #[test]
    fn texts_are_known_by_what_is_kept_of_them() {
        let promise =
            "Readers of this paper have trusted our reporters since the year it was founded. ".repeat(4);
        let greek = promise.replace('e', "ε");
        for long in [&promise, &greek] {
            let excerpt: String = long.chars().take(120).collect();
            let account = &long[..long.floor_char_boundary(200)];
            assert_eq!(beginning(&excerpt), beginning(account));
        }
        assert_eq!(beginning("Share  12\tcomments"), beginning("Share 3 comments"));
        assert_ne!(beginning("Home"), beginning("Home Tides"));
    }
}
