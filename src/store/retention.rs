//! Removes what is old enough: texts, pages, events. A narrow record of it stays, so that an old entry or address that
//! turns up again does not count as new.
//!
//! - Of an article, the row stays, without its address: other rows link to it as their original or their cluster, and
//!   these links stay valid. Of its entries, the keys and hashes stay.
//! - Age is counted from the article's last event, not from its first: a consumer that is never further behind than
//!   the time that articles are kept misses nothing.
//! - An article with an entry in the queue stays until that entry is done.

use std::ops::Range;

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::Row as _;
use url::Url;

use super::connection::Dialect;
use super::outbox::Outbox;
use super::sql::{Row, RowsSql, bytes, id_bytes};
use super::{Store, StoreError, search};
use crate::model::{ArticleId, EntryId, FeedId};

/// Pages returned to the disk at a time: 16 MiB at SQLite's usual page size. A transaction that stores articles waits for
/// at most this many.
const PAGES_AT_ONCE: i64 = 4_096;
const GIVE_BACK: &str = "PRAGMA incremental_vacuum(4096)";

/// The time before which a feed's articles or pages are removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cutoff {
    /// The feed.
    pub feed_id: FeedId,
    /// Articles or pages older than this are removed.
    pub before: Timestamp,
}

impl Store {
    /// Returns every feed that was ever configured, with its configured URL.
    pub async fn feeds_known(&self) -> Result<Vec<(FeedId, Url)>, StoreError> {
        let rows = sqlx::query("SELECT feed_id, configured_url FROM feed_details")
            .fetch_all(&self.database.readers)
            .await?;
        rows.iter()
            .map(|row| {
                let row = Row { table: "feed_details", row };
                Ok((FeedId(row.get("feed_id")?), row.url("configured_url")?))
            })
            .collect()
    }

    /// Removes a small batch of articles that the feeds of `cutoffs` were the first to announce. Returns how many; 0 if none is
    /// old enough any more. Texts in `partitions` stay, but are no longer found, until their partition is dropped.
    pub async fn articles_remove(
        &self,
        cutoffs: &[Cutoff],
        partitions: &[Range<i64>],
    ) -> Result<usize, StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        // Until this is done, no article may be judged a copy of a removed one, and none may be revised.
        let _outbox = Outbox::lock(&mut tx).await?;
        let rows = OLD_ARTICLES
            .fetch(&mut tx, cutoffs, |query, cutoff| {
                query.bind(cutoff.feed_id.0).bind(cutoff.before.as_millisecond())
            })
            .await?;
        let mut articles = Vec::with_capacity(rows.len());
        for row in &rows {
            let row = Row { table: "articles", row };
            articles.push((ArticleId(row.hash("id")?), row.get::<i64>("number")?));
        }
        if articles.is_empty() {
            return Ok(0);
        }
        let ids: Vec<ArticleId> = articles.iter().map(|(id, _)| *id).collect();
        let numbers: Vec<i64> = articles.iter().map(|(_, number)| *number).collect();
        let is_dropped = |number: &i64| partitions.iter().any(|partition| partition.contains(number));
        let one_by_one: Vec<i64> = numbers.iter().copied().filter(|number| !is_dropped(number)).collect();
        remove_entries(&mut tx, &ids).await?;
        remove_events(&mut tx, &ids).await?;
        for part in PARTS {
            part.execute(&mut tx, &ids, |query, id| query.bind(id_bytes(id))).await?;
        }
        REMOVE_BANDS.execute(&mut tx, &numbers, |query, number| query.bind(*number)).await?;
        REMOVE_TEXTS.execute(&mut tx, &one_by_one, |query, number| query.bind(*number)).await?;
        search::remove(&mut tx, &one_by_one).await?;
        MARK_ARTICLES
            .execute(&mut tx, &ids, |query, id| query.bind(id_bytes(id)).bind(now.as_millisecond()))
            .await?;
        tx.commit().await?;
        Ok(articles.len())
    }

    /// Removes a small batch of kept pages of articles that the feeds of `cutoffs` were the first to announce. Returns how many;
    /// 0 if none is old enough any more.
    pub async fn raw_pages_remove(&self, cutoffs: &[Cutoff]) -> Result<usize, StoreError> {
        let mut tx = self.database.write().await?;
        let rows = OLD_PAGES
            .fetch(&mut tx, cutoffs, |query, cutoff| {
                query.bind(cutoff.feed_id.0).bind(cutoff.before.as_millisecond())
            })
            .await?;
        let mut pages = Vec::with_capacity(rows.len());
        for row in &rows {
            let row = Row { table: "raw_pages", row };
            pages.push((ArticleId(row.hash("article_id")?), row.hash("raw_sha256")?));
        }
        REMOVE_PAGES
            .execute(&mut tx, &pages, |query, (id, hash)| query.bind(id_bytes(id)).bind(bytes(hash)))
            .await?;
        tx.commit().await?;
        Ok(pages.len())
    }

    /// Returns some of the file's free pages to the disk. Returns whether there may be more; always `false` on PostgreSQL, where
    /// the server does this. A file made by an early feedmill lacks incremental vacuum: its free pages are reused instead.
    pub async fn give_back_pages(&self) -> Result<bool, StoreError> {
        if self.database.dialect == Dialect::Postgres {
            return Ok(false);
        }
        let mut writer = self.database.write_alone().await?;
        let is_laid_out =
            sqlx::query("PRAGMA auto_vacuum").fetch_one(&mut *writer).await?.try_get::<i64, _>(0)? == 2;
        let free =
            sqlx::query("PRAGMA freelist_count").fetch_one(&mut *writer).await?.try_get::<i64, _>(0)?;
        if !is_laid_out || free == 0 {
            return Ok(false);
        }
        sqlx::raw_sql(GIVE_BACK).execute(&mut *writer).await?;
        if free > PAGES_AT_ONCE {
            return Ok(true);
        }
        sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut *writer).await?;
        Ok(false)
    }

    /// Returns the highest position of a removed event; 0 if none was removed. A consumer whose cursor is before it has missed that
    /// event.
    pub async fn removed_through(&self) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT name, value FROM counters WHERE name = 'outbox_removed'")
            .fetch_one(&self.database.readers)
            .await?;
        Row { table: "counters", row: &row }.get("value")
    }
}

const OLD_ARTICLES: RowsSql = RowsSql {
    before: "WITH kept (feed_id, cutoff) AS (VALUES ",
    columns: 2,
    after: ") SELECT a.id, a.number FROM kept k \
        JOIN articles a ON a.feed_id = k.feed_id AND a.removed_at IS NULL AND a.stored_at < k.cutoff \
        WHERE NOT EXISTS (SELECT 1 FROM outbox o WHERE o.article_id = a.id AND o.created_at >= k.cutoff) \
        AND NOT EXISTS (SELECT 1 FROM entries e WHERE e.article_id = a.id AND e.state = 'pending') LIMIT 100",
};

const OLD_PAGES: RowsSql = RowsSql {
    before: "WITH kept (feed_id, cutoff) AS (VALUES ",
    columns: 2,
    after: ") SELECT p.article_id, p.raw_sha256 FROM kept k \
        JOIN raw_pages p ON p.feed_id = k.feed_id AND p.fetched_at < k.cutoff LIMIT 100",
};

const REMOVE_PAGES: RowsSql = RowsSql {
    before: "WITH old (article_id, raw_sha256) AS (VALUES ",
    columns: 2,
    after: ") DELETE FROM raw_pages WHERE (article_id, raw_sha256) IN (SELECT article_id, raw_sha256 FROM old)",
};

/// Rows that are removed with an article. Its mentions come last, since its entries are found by them.
const PARTS: &[RowsSql] = &[
    RowsSql { before: "DELETE FROM rechecks WHERE article_id IN (VALUES ", columns: 1, after: ")" },
    RowsSql { before: "DELETE FROM raw_pages WHERE article_id IN (VALUES ", columns: 1, after: ")" },
    RowsSql { before: "DELETE FROM article_accounts WHERE article_id IN (VALUES ", columns: 1, after: ")" },
    RowsSql { before: "DELETE FROM mentions WHERE article_id IN (VALUES ", columns: 1, after: ")" },
];

const REMOVE_TEXTS: RowsSql =
    RowsSql { before: "DELETE FROM revisions WHERE number IN (VALUES ", columns: 1, after: ")" };

const REMOVE_BANDS: RowsSql =
    RowsSql { before: "DELETE FROM article_bands WHERE number IN (VALUES ", columns: 1, after: ")" };

const MARK_ARTICLES: RowsSql = RowsSql {
    before: "WITH old (id, moment) AS (VALUES ",
    columns: 2,
    after: ") UPDATE articles SET removed_at = old.moment, url = '', original_url = '', hostname = '' FROM old \
        WHERE articles.id = old.id",
};

async fn remove_entries(tx: &mut AnyConnection, articles: &[ArticleId]) -> Result<(), StoreError> {
    let rows = MENTIONING.fetch(&mut *tx, articles, |query, id| query.bind(id_bytes(id))).await?;
    let entries: Vec<EntryId> = rows
        .iter()
        .map(|row| Ok(EntryId(Row { table: "mentions", row }.get("entry_id")?)))
        .collect::<Result<_, StoreError>>()?;
    mark_removed(tx, &entries).await
}

const MENTIONING: RowsSql =
    RowsSql { before: "SELECT entry_id FROM mentions WHERE article_id IN (VALUES ", columns: 1, after: ")" };

/// Empties entries, leaving only what shows that they are not new.
pub(super) async fn mark_removed(tx: &mut AnyConnection, entries: &[EntryId]) -> Result<(), StoreError> {
    MARK_ENTRIES.execute(&mut *tx, entries, |query, id| query.bind(id.0)).await?;
    EMPTY_DETAILS.execute(tx, entries, |query, id| query.bind(id.0)).await?;
    Ok(())
}

const MARK_ENTRIES: RowsSql =
    RowsSql { before: "UPDATE entries SET removed = 1 WHERE id IN (VALUES ", columns: 1, after: ")" };

const EMPTY_DETAILS: RowsSql = RowsSql {
    before: "UPDATE entry_details SET url = NULL, guid = NULL, evidence = '{}' WHERE entry_id IN (VALUES ",
    columns: 1,
    after: ")",
};

async fn remove_events(tx: &mut AnyConnection, articles: &[ArticleId]) -> Result<(), StoreError> {
    let rows = REMOVE_EVENTS.fetch(&mut *tx, articles, |query, id| query.bind(id_bytes(id))).await?;
    let mut last = 0;
    for row in &rows {
        last = last.max(Row { table: "outbox", row }.get("seq")?);
    }
    sqlx::query("UPDATE counters SET value = $1 WHERE name = 'outbox_removed' AND value < $1")
        .bind(last)
        .execute(tx)
        .await?;
    Ok(())
}

const REMOVE_EVENTS: RowsSql = RowsSql {
    before: "DELETE FROM outbox WHERE article_id IN (VALUES ",
    columns: 1,
    after: ") RETURNING seq",
};
