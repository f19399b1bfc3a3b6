//! Pages that are fetched again: at certain ages of their articles, and when their entries change.
//!
//! There is one row per article, beside the queue and not in it: the validators for the next request, and `due_at`, when the
//! article is old enough for a recheck. A claim moves what is due into the queue of entries (`due_at` becomes NULL, the entry
//! pending), where hosts, leases and suspects are handled as for any other entry. The outcome of the entry replaces the row
//! or deletes it. A kill in between leaves either a due row or a pending entry. A row without `due_at` whose entry is done
//! waits for the entry to change.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::AnyConnection;

use super::StoreError;
use super::connection::{Dialect, DialectSql};
use super::sql::{Row, RowsSql, clean_option, id_bytes};
use crate::model::{ArticleId, EntryId, Validators};

/// Moves at most `limit` entries whose rechecks are due into the queue.
pub(super) async fn promote(
    tx: &mut AnyConnection,
    dialect: Dialect,
    now: Timestamp,
    limit: u32,
) -> Result<(), StoreError> {
    let rows = sqlx::query(dialect.choose(TAKE_DUE))
        .bind(now.as_millisecond())
        .bind(i64::from(limit))
        .fetch_all(&mut *tx)
        .await?;
    let entries: Vec<i64> =
        rows.iter().map(|row| Row { table: "rechecks", row }.get("entry_id")).collect::<Result<_, _>>()?;
    QUEUE.execute(tx, &entries, |query, id| query.bind(*id).bind(now.as_millisecond())).await?;
    Ok(())
}

macro_rules! take_due {
    ($lock:literal) => {
        concat!(
            "UPDATE rechecks SET due_at = NULL WHERE article_id IN (\
                SELECT article_id FROM rechecks WHERE due_at IS NOT NULL AND due_at <= $1 ORDER BY due_at LIMIT $2",
            $lock,
            ") RETURNING entry_id"
        )
    };
}

const TAKE_DUE: DialectSql =
    DialectSql { sqlite: take_due!(""), postgres: take_due!(" FOR UPDATE SKIP LOCKED") };

const QUEUE: RowsSql = RowsSql {
    before: "WITH old (entry_id, due) AS (VALUES ",
    columns: 2,
    after: ") UPDATE entries SET state = 'pending', next_attempt_at = old.due, failures = 0, \
        party = CASE WHEN party = 0 THEN feed_id ELSE party END FROM old \
        WHERE id = old.entry_id AND state = 'done'",
};

/// Marks entries as changed in their feed, so that they are more than rechecks. Storing their result sets the next recheck.
pub(super) async fn supersede(tx: &mut AnyConnection, entries: &[i64]) -> Result<(), StoreError> {
    CHANGE_ENTRIES.execute(tx, entries, |query, id| query.bind(*id)).await?;
    Ok(())
}

const CHANGE_ENTRIES: RowsSql = RowsSql {
    before: "UPDATE rechecks SET due_at = NULL, changed = 1 WHERE entry_id IN (VALUES ",
    columns: 1,
    after: ")",
};

/// Deletes the rows of articles, whose pages are then requested unconditionally and not rechecked.
pub(super) async fn forget(tx: &mut AnyConnection, articles: &[ArticleId]) -> Result<(), StoreError> {
    FORGET_ARTICLES.execute(tx, articles, |query, id| query.bind(id_bytes(id))).await?;
    Ok(())
}

const FORGET_ENTRIES: RowsSql =
    RowsSql { before: "DELETE FROM rechecks WHERE entry_id IN (VALUES ", columns: 1, after: ")" };

/// Rechecks to be set or ended for the articles of a batch.
#[derive(Default)]
pub(super) struct Rechecks {
    next: Vec<NextRecheck>,
    ended: Vec<ArticleId>,
    given_up: Vec<i64>,
}

struct NextRecheck {
    article_id: ArticleId,
    entry_id: EntryId,
    due_at: Option<Timestamp>,
    validators: Validators,
}

impl Rechecks {
    /// Schedules the next recheck after the page was seen: at the first of `ages` that the article has not reached, or earlier if
    /// its entry changes.
    pub(super) fn seen(
        &mut self,
        article_id: ArticleId,
        entry_id: EntryId,
        stored_at: Timestamp,
        now: Timestamp,
        (validators, ages): (&Validators, &[Duration]),
    ) {
        let moments = ages.iter().filter_map(|age| {
            let age = SignedDuration::try_from(*age).ok()?;
            stored_at.checked_add(age).ok().filter(|moment| *moment > now)
        });
        // A batch may contain an article twice: the last one counts.
        self.next.retain(|next| next.article_id != article_id);
        match moments.min() {
            None if *validators == Validators::default() => self.ended.push(article_id),
            due_at => {
                self.next.push(NextRecheck { article_id, entry_id, due_at, validators: validators.clone() });
            }
        }
    }

    /// Ends the rechecks of an article.
    pub(super) fn end(&mut self, article_id: ArticleId) {
        self.next.retain(|next| next.article_id != article_id);
        self.ended.push(article_id);
    }

    /// Ends the rechecks of an entry that is given up.
    pub(super) fn give_up(&mut self, entry_id: EntryId) {
        self.given_up.push(entry_id.0);
    }

    pub(super) async fn write(self, tx: &mut AnyConnection) -> Result<(), StoreError> {
        forget(&mut *tx, &self.ended).await?;
        FORGET_ENTRIES.execute(&mut *tx, &self.given_up, |query, id| query.bind(*id)).await?;
        UPSERT
            .execute(tx, &self.next, |query, next| {
                query
                    .bind(id_bytes(&next.article_id))
                    .bind(next.entry_id.0)
                    .bind(next.due_at.map(Timestamp::as_millisecond))
                    .bind(clean_option(next.validators.etag.as_deref()))
                    .bind(clean_option(next.validators.last_modified.as_deref()))
            })
            .await?;
        Ok(())
    }
}

const FORGET_ARTICLES: RowsSql =
    RowsSql { before: "DELETE FROM rechecks WHERE article_id IN (VALUES ", columns: 1, after: ")" };

const UPSERT: RowsSql = RowsSql {
    before: "INSERT INTO rechecks (article_id, entry_id, due_at, etag, last_modified) VALUES ",
    columns: 5,
    after: " ON CONFLICT (article_id) DO UPDATE SET entry_id = excluded.entry_id, due_at = excluded.due_at, \
        changed = 0, etag = excluded.etag, last_modified = excluded.last_modified",
};
