//! The index of words, by which `found.rs` finds articles.
//!
//! It holds the current text of every article that is neither withdrawn nor removed, and is written in the transaction
//! that changes the article. What was stored before there was an index is added bit by bit. Where the operator wants none
//! (`database.search_index`), the store says so itself: every process that writes to it leaves the index alone.

use std::collections::BTreeMap;

use sqlx::AnyConnection;
use sqlx::Row as _;

use super::articles::NewRevision;
use super::connection::{Database, DialectSql};
use super::outbox::Outbox;
use super::sql::{Row, RowsSql, is_sqlite};
use super::{Store, StoreError, found};
use crate::search::index_form;

/// Articles added to the index in one transaction, and bytes of their texts: whoever stores an article waits for so many at
/// most, and so little memory is not counted.
const BACKLOG_BATCH: i64 = 100;
const BACKLOG_BYTES: i64 = 1 << 20;

/// What stands for the backlog where there is no index.
const OFF: i64 = -1;

impl Store {
    /// Adds some of the articles that are older than the index, and says whether there may be more.
    pub async fn search_catch_up(&self) -> Result<bool, StoreError> {
        if self.search_backlog().await?.is_none_or(|backlog| backlog == 0) {
            return Ok(false);
        }
        let mut tx = self.database.write().await?;
        // No article may get another text until this is done.
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
            // One after another: a text is there as it is, as words, and as it is written.
            write(&mut tx, BTreeMap::from([(number, index_form(title, text))])).await?;
        }
        sqlx::query(SET_BACKLOG).bind(left).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(left > 0)
    }

    /// Articles up to this number are not in the index yet; 0 where all are. Nothing where there is no index.
    pub async fn search_backlog(&self) -> Result<Option<i64>, StoreError> {
        let row = sqlx::query(GET_BACKLOG).fetch_one(&self.database.readers).await?;
        Ok(Some(row.try_get(0)?).filter(|backlog| *backlog != OFF))
    }
}

const GET_BACKLOG: &str = "SELECT value FROM counters WHERE name = 'search_backlog'";
const SET_BACKLOG: &str = "UPDATE counters SET value = $1 WHERE name = 'search_backlog'";

/// All articles are older than an index that begins now.
pub(super) const BACKLOG_OF_ALL: &str = "UPDATE counters \
    SET value = (SELECT value FROM counters WHERE name = 'outbox') WHERE name = 'search_backlog'";

/// Row by row it would take hours.
const EMPTY: DialectSql = DialectSql {
    sqlite: "INSERT INTO article_words (article_words) VALUES ('delete-all')",
    postgres: "TRUNCATE article_words",
};

/// Begins an index where there is none and one is wanted, and empties the one that is not wanted. Processes that share a store
/// should agree: the last that starts decides.
pub(super) async fn switch(database: &Database, wanted: bool) -> Result<(), StoreError> {
    let mut tx = database.write().await?;
    // Whoever stores an article looks at the switch under the same lock.
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

/// The newest that are missing: so many, and no further one once they are so many bytes. Texts are not read to be weighed.
const BACKLOG: &str = "SELECT w.number, r.title, r.text FROM (\
        SELECT a.number, a.id, a.revision, \
            sum(octet_length(r.text)) OVER (ORDER BY a.number DESC) - octet_length(r.text) AS bytes_before \
        FROM (SELECT number, id, revision FROM articles \
            WHERE number <= (SELECT value FROM counters WHERE name = 'search_backlog') \
            AND removed_at IS NULL AND withdrawn_at IS NULL ORDER BY number DESC LIMIT $1) a \
        JOIN revisions r ON r.number = a.number AND r.revision = a.revision) w \
    JOIN revisions r ON r.number = w.number AND r.revision = w.revision \
    WHERE w.bytes_before < $2 ORDER BY w.number DESC";

/// Puts the texts of new revisions in the place of what was indexed of their articles.
pub(super) async fn index<'r>(
    tx: &mut AnyConnection,
    revisions: impl Iterator<Item = &'r NewRevision<'r>>,
) -> Result<(), StoreError> {
    if !is_on(tx).await? {
        return Ok(());
    }
    // Of an article that was revised twice in one batch the last counts.
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

/// Takes articles out of the index, by their numbers.
pub(super) async fn remove(tx: &mut AnyConnection, numbers: &[i64]) -> Result<(), StoreError> {
    REMOVE.execute(tx, numbers, |query, number| query.bind(*number)).await?;
    Ok(())
}

const REMOVE: RowsSql =
    RowsSql { before: "DELETE FROM article_words WHERE rowid IN (VALUES ", columns: 1, after: ")" };
