//! The index of words, which `found.rs` searches.
//!
//! It covers the current text of every article that is neither withdrawn nor removed, and is written in the transaction
//! that changes the article. Articles older than the index are added bit by bit. If the operator wants no index
//! (`database.search_index`), that is recorded in the store, so that every process that writes to it skips the index.

use std::collections::BTreeMap;

use sqlx::AnyConnection;
use sqlx::Row as _;

use super::articles::NewRevision;
use super::connection::{Database, DialectSql};
use super::outbox::Outbox;
use super::sql::{Row, RowsSql, is_sqlite};
use super::{Store, StoreError, found};
use crate::search::index_form;

/// Limits on articles, and bytes of their texts, that are added to the index in one transaction: transactions that store
/// articles wait for it, and its memory is small enough not to be counted.
const BACKLOG_BATCH: i64 = 100;
const BACKLOG_BYTES: i64 = 1 << 20;

/// Value of the backlog counter if there is no index.
const OFF: i64 = -1;

impl Store {
    /// Adds some of the articles that are older than the index. Returns whether there may be more.
    pub async fn search_catch_up(&self) -> Result<bool, StoreError> {
        if self.search_backlog().await?.is_none_or(|backlog| backlog == 0) {
            return Ok(false);
        }
        let mut tx = self.database.write().await?;
        // No article may be revised until this is done.
        let _outbox = Outbox::lock(&mut tx).await?;
        if !is_on(&mut tx).await? {
            return Ok(false);
        }
        let rows = sqlx::query(BACKLOG).bind(BACKLOG_BATCH).bind(BACKLOG_BYTES).fetch_all(&mut *tx).await?;
        let mut left = 0;
        for row in rows {
            let row = Row { table: "articles", row: &row };
            let number: i64 = row.get("number")?;
            let (title, text): (Option<&str>, &str) = (row.get("title")?, row.get("text")?);
            left = number - 1;
            // One at a time: each text is in memory as it is, as words, and as a parameter.
            write(&mut tx, BTreeMap::from([(number, index_form(title, text))])).await?;
        }
        sqlx::query(SET_BACKLOG).bind(left).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(left > 0)
    }

    /// Returns the number up to which articles are not indexed yet; 0 if all are indexed, `None` if there is no index.
    pub async fn search_backlog(&self) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query(GET_BACKLOG).fetch_one(&self.database.readers).await?;
        Ok(Some(row.try_get(0)?).filter(|backlog| *backlog != OFF))
    }
}

const GET_BACKLOG: &str = "SELECT value FROM counters WHERE name = 'search_backlog'";
const SET_BACKLOG: &str = "UPDATE counters SET value = $1 WHERE name = 'search_backlog'";

/// Makes all articles count as older than the index.
pub(super) const BACKLOG_OF_ALL: &str = "UPDATE counters \
    SET value = (SELECT value FROM counters WHERE name = 'outbox') WHERE name = 'search_backlog'";

/// Empties the index. Row by row it would take hours.
const EMPTY: DialectSql = DialectSql {
    sqlite: "INSERT INTO article_words (article_words) VALUES ('delete-all')",
    postgres: "TRUNCATE article_words",
};

/// Starts an index if one is wanted and there is none, and empties one that is not wanted. Processes that share a store should
/// have the same setting: the last one that starts decides.
pub(super) async fn switch(database: &Database, wanted: bool) -> Result<(), StoreError> {
    let mut tx = database.write().await?;
    // Transactions that store articles read the switch under the same lock.
    let _outbox = Outbox::lock(&mut tx).await?;
    if is_on(&mut tx).await? == wanted {
        return Ok(());
    }
    if wanted {
        sqlx::query(BACKLOG_OF_ALL).execute(&mut *tx).await?;
    } else {
        sqlx::query(database.dialect.choose(EMPTY)).execute(&mut *tx).await?;
        sqlx::query(SET_BACKLOG).bind(OFF).execute(&mut *tx).await?;
    }
    tx.commit().await
}

async fn is_on(tx: &mut AnyConnection) -> Result<bool, StoreError> {
    let row = sqlx::query(GET_BACKLOG).fetch_one(tx).await?;
    Ok(row.try_get::<i64, _>(0)? != OFF)
}

/// The newest articles missing from the index, limited by number and by bytes of text. Texts are not read to be measured.
const BACKLOG: &str = "SELECT w.number, r.title, r.text FROM (\
        SELECT a.number, a.id, a.revision, \
            sum(octet_length(r.text)) OVER (ORDER BY a.number DESC) - octet_length(r.text) AS bytes_before \
        FROM (SELECT number, id, revision FROM articles \
            WHERE number <= (SELECT value FROM counters WHERE name = 'search_backlog') \
            AND removed_at IS NULL AND withdrawn_at IS NULL ORDER BY number DESC LIMIT $1) a \
        JOIN revisions r ON r.number = a.number AND r.revision = a.revision) w \
    JOIN revisions r ON r.number = w.number AND r.revision = w.revision \
    WHERE w.bytes_before < $2 ORDER BY w.number DESC";

/// Replaces the indexed text of articles by that of their new revisions.
pub(super) async fn index<'r>(
    tx: &mut AnyConnection,
    revisions: impl Iterator<Item = &'r NewRevision<'r>>,
) -> Result<(), StoreError> {
    if !is_on(tx).await? {
        return Ok(());
    }
    // If an article was revised twice in one batch, the last revision counts.
    let words: BTreeMap<i64, String> = revisions
        .map(|revision| {
            let article = &revision.extracted.article;
            (revision.number, index_form(article.metadata.title.as_deref(), &article.text))
        })
        .collect();
    write(tx, words).await
}

async fn write(tx: &mut AnyConnection, words: BTreeMap<i64, String>) -> Result<(), StoreError> {
    let rows: Vec<(i64, String)> = words.into_iter().collect();
    if is_sqlite(tx) {
        WRITE_SQLITE
            .execute(tx, &rows, |query, (number, words)| {
                query.bind(*number).bind(words.clone()).bind(found::places_of(*number))
            })
            .await?;
    } else {
        WRITE_POSTGRES
            .execute(tx, &rows, |query, (number, words)| query.bind(*number).bind(words.clone()))
            .await?;
    }
    Ok(())
}

const WRITE_SQLITE: RowsSql = RowsSql {
    before: "INSERT OR REPLACE INTO article_words (rowid, words, places) VALUES ",
    columns: 3,
    after: "",
};

const WRITE_POSTGRES: RowsSql = RowsSql {
    before: "WITH given (number, words) AS (VALUES ",
    columns: 2,
    after: ") INSERT INTO article_words (rowid, words) SELECT number, to_tsvector('simple', words) FROM given \
        ON CONFLICT (rowid) DO UPDATE SET words = excluded.words",
};

/// Removes articles from the index, by their numbers.
pub(super) async fn remove(tx: &mut AnyConnection, numbers: &[i64]) -> Result<(), StoreError> {
    REMOVE.execute(tx, numbers, |query, number| query.bind(*number)).await?;
    Ok(())
}

const REMOVE: RowsSql =
    RowsSql { before: "DELETE FROM article_words WHERE rowid IN (VALUES ", columns: 1, after: ")" };
