//! Entries as rows: claims, leases, quarantine and errors.

use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::Row as _;
use url::Url;

use super::claim::{CRASHED_REASON, MAX_UNFINISHED_ATTEMPTS, is_ours, lend, take_rows};
use super::connection::DialectSql;
use super::sql::{Row, RowsSql, clean, id_bytes, models, word};
use super::turns::Room;
use super::{Signal, Store, StoreError, rechecks};
use crate::model::{
    ArticleId, Entry, EntryId, FailureKind, FeedId, Known, LastRead, Lease, PartyId, QualityFlag, Recheck,
    Validators, after,
};

/// State of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EntryState {
    /// Waits to be fetched.
    Pending,
    /// Finished: its article is stored or was removed by retention, or the operator's rules leave the entry out.
    Done,
    /// Given up, with a reason.
    Failed,
    /// Its page crashed or stalled the extractor: not tried again until released.
    Quarantined,
}

/// An entry as the operator sees it.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct EntryStatus {
    /// Id of the entry.
    pub id: EntryId,
    /// Its state.
    pub state: EntryState,
    /// The feed that announced it.
    pub feed_url: Url,
    /// The page that it links to, if any.
    pub url: Option<Url>,
    /// Whether a worker has it.
    pub in_work: bool,
    /// When its next attempt is due, while it is pending.
    pub next_attempt_at: Timestamp,
    /// Failures in a row.
    pub failures: u32,
    /// The kind of the last failure.
    pub error_label: Option<String>,
    /// The reason of the last failure, for people.
    pub error: Option<String>,
}

impl Store {
    /// Returns up to `limit` entries in a state, those that are due first at the front.
    pub async fn entries_list(&self, state: EntryState, limit: u32) -> Result<Vec<EntryStatus>, StoreError> {
        let rows = sqlx::query(LIST_ENTRIES)
            .bind(word(state))
            .bind(i64::from(limit))
            .fetch_all(&self.database.readers)
            .await?;
        models("entries", &rows)
    }

    /// Returns up to `limit` entries that the operator's rules left out, the earliest first.
    pub async fn entries_left_out(&self, limit: u32) -> Result<Vec<EntryStatus>, StoreError> {
        let rows = sqlx::query(LIST_LEFT_OUT)
            .bind(FailureKind::LeftOut.as_str())
            .bind(i64::from(limit))
            .fetch_all(&self.database.readers)
            .await?;
        models("entries", &rows)
    }

    /// Leases up to `limit` pending entries: see [`Store::entries_claim_within`].
    pub async fn entries_claim(&self, lease: Duration, limit: u32) -> Result<Vec<Entry>, StoreError> {
        self.entries_claim_within(lease, Room::of(limit)).await
    }

    /// Leases pending entries, as many as there is room for: from each party in turn, the oldest of each first (see
    /// `store/turns.rs`). Never leases two entries of one article at once: the earliest pending one goes first, and the others
    /// wait for its outcome. An entry with an unfinished attempt goes last and alone; after repeated unfinished attempts it is
    /// quarantined instead. Entries of articles that are due for a recheck join the queue here, up to as many as there is room
    /// for.
    pub async fn entries_claim_within(&self, lease: Duration, room: Room) -> Result<Vec<Entry>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write_lightly().await?;
        let quarantined = sqlx::query(QUARANTINE_ENTRIES)
            .bind(now.as_millisecond())
            .bind(MAX_UNFINISHED_ATTEMPTS)
            .fetch_all(&mut *tx)
            .await?;
        for row in &quarantined {
            let entry_id = EntryId(row.try_get(0)?);
            tracing::error!(entry.id = entry_id.0, reason = CRASHED_REASON, "entry quarantined");
            let error =
                EntryError { entry_id, kind: FailureKind::Crashed, reason: CRASHED_REASON, failed_at: now };
            upsert_errors(&mut tx, &[error]).await?;
        }
        rechecks::promote(&mut tx, self.database.dialect, now, room.left).await?;
        let until = after(now, lease);
        let claimant = self.claimant();
        let mut ids = self.entries_in_turn(&mut tx, now, until, (&claimant, room)).await?;
        if ids.is_empty() {
            let marked = self.database.dialect.choose(MARKED_ENTRY);
            let row = sqlx::query(marked)
                .bind(now.as_millisecond())
                .bind(claimant.shards.clone())
                .fetch_optional(&mut *tx)
                .await?;
            ids = row.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
            lend(&mut tx, &TAKE_ENTRIES, &ids, until, claimant.process).await?;
        }
        let mut entries = load(&mut tx, &ids).await?;
        tx.commit().await?;
        entries.sort_by_key(|entry| (entry.first_seen_at, entry.id));
        Ok(entries)
    }

    /// Marks an entry as being extracted: if the process dies now, the mark stays.
    pub async fn entry_attempt_begin(&self, id: EntryId, lease: Lease) -> Result<(), StoreError> {
        self.attempt(BEGIN_ENTRY_ATTEMPT, id.0, lease).await
    }

    /// Clears an entry's mark: the extraction ended, whatever the result.
    pub async fn entry_attempt_end(&self, id: EntryId, lease: Lease) -> Result<(), StoreError> {
        self.attempt(END_ENTRY_ATTEMPT, id.0, lease).await
    }

    /// Releases entries untried, each to be due at the time given with it. A later time holds only as long as this process
    /// runs: see [`Store::lock_for_running`].
    pub async fn entries_release(&self, entries: &[(EntryId, Lease, Timestamp)]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write_lightly().await?;
        RELEASE_ENTRIES
            .execute(&mut tx, entries, |query, (id, lease, due)| {
                query.bind(id.0).bind(lease.epoch).bind(due.as_millisecond()).bind(i64::from(*due > now))
            })
            .await?;
        tx.commit().await
    }

    /// Returns the quarantined entries, oldest first.
    pub async fn entries_quarantined(&self) -> Result<Vec<EntryId>, StoreError> {
        let rows = sqlx::query(QUARANTINED_ENTRIES).fetch_all(&self.database.readers).await?;
        rows.iter().map(|row| Ok(EntryId(Row { table: "entries", row }.get("id")?))).collect()
    }

    /// Puts quarantined entries back into the queue. Returns how many of `entries` were quarantined.
    pub async fn entries_release_quarantined(&self, entries: &[EntryId]) -> Result<u64, StoreError> {
        let now = self.clock.now().as_millisecond();
        let mut tx = self.database.write().await?;
        let released =
            UNQUARANTINE_ENTRIES.execute(&mut tx, entries, |query, id| query.bind(id.0).bind(now)).await?;
        self.signal(&mut tx, Signal::Entries).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Returns when the next pending entry may be claimed.
    pub async fn entries_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let next = sqlx::query(self.database.dialect.choose(NEXT_DUE_ENTRY)).bind(self.shards.claimed());
        let row = next.fetch_one(&self.database.readers).await?;
        Row { table: "entries", row: &row }.optional_time("due")
    }
}

macro_rules! entries {
    ($which:literal) => {
        concat!(
            "SELECT e.id, e.state, e.next_attempt_at, e.lease_until, e.failures, f.configured_url, d.url, x.label, x.reason \
             FROM entries e JOIN feed_details f ON f.feed_id = e.feed_id \
             LEFT JOIN entry_details d ON d.entry_id = e.id LEFT JOIN entry_errors x ON x.entry_id = e.id WHERE ",
            $which
        )
    };
}

const LIST_ENTRIES: &str = entries!("e.state = $1 ORDER BY e.next_attempt_at, e.id LIMIT $2");

/// The entries of a feed whose last attempt failed. Looks only at those that are not done, along an index of these.
pub(super) const TROUBLE_OF_FEED: &str = entries!(
    "e.feed_id = $1 AND e.state <> 'done' AND x.reason IS NOT NULL ORDER BY x.failed_at DESC, e.id LIMIT $2"
);

/// An entry that was taken after all is among the mentions of its article, and excluded here.
const LIST_LEFT_OUT: &str = entries!(
    "e.state = 'done' AND x.label = $1 \
    AND NOT EXISTS (SELECT 1 FROM mentions m WHERE m.article_id = e.article_id AND m.entry_id = e.id) \
    ORDER BY e.next_attempt_at, e.id LIMIT $2"
);

impl TryFrom<Row<'_>> for EntryStatus {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        let url: Option<String> = row.get("url")?;
        Ok(Self {
            id: EntryId(row.get("id")?),
            state: row.word("state")?,
            feed_url: row.url("configured_url")?,
            url: url.and_then(|url| Url::parse(&url).ok()),
            in_work: row.get::<i64>("lease_until")? > 0,
            next_attempt_at: row.time("next_attempt_at")?,
            failures: row.number("failures")?,
            error_label: row.get("label")?,
            error: row.get("reason")?,
        })
    }
}

const QUARANTINED_ENTRIES: &str = "SELECT id FROM entries WHERE state = 'quarantined' ORDER BY id";

const QUARANTINE_ENTRIES: &str = "UPDATE entries SET state = 'quarantined', lease_until = 0 \
    WHERE unfinished_attempts > 0 AND unfinished_attempts >= $2 AND state = 'pending' AND lease_until <= $1 \
    RETURNING id";

/// An entry waits for earlier pending entries of the same article, leased or postponed, and for any that is leased.
macro_rules! of_an_article_nobody_works_on {
    () => {
        "NOT EXISTS (SELECT 1 FROM entries o WHERE o.article_id = e.article_id AND o.state = 'pending' \
            AND (o.id < e.id OR (o.id > e.id AND o.lease_until > $1)))"
    };
}

pub(super) use of_an_article_nobody_works_on;

macro_rules! marked_entry {
    ($dialect:ident, $lock:literal) => {
        concat!(
            "SELECT e.id FROM entries e WHERE e.state = 'pending' AND e.next_attempt_at <= $1 \
             AND e.lease_until <= $1 AND e.unfinished_attempts > 0 AND ",
            is_ours!($dialect, "$2", "e.shard"),
            " AND ",
            of_an_article_nobody_works_on!(),
            " ORDER BY e.next_attempt_at, e.id LIMIT 1",
            $lock,
        )
    };
}

/// SQLite has one writer at a time, so there are no locked rows to skip.
const MARKED_ENTRY: DialectSql = DialectSql {
    sqlite: marked_entry!(sqlite, ""),
    postgres: marked_entry!(postgres, " FOR UPDATE OF e SKIP LOCKED"),
};

pub(super) const TAKE_ENTRIES: RowsSql = take_rows!("entries");

/// Loads entries with everything that a worker needs, in no particular order.
pub(super) async fn load(connection: &mut AnyConnection, ids: &[i64]) -> Result<Vec<Entry>, StoreError> {
    models("entry_details", &ENTRIES.fetch(connection, ids, |query, id| query.bind(*id)).await?)
}

const ENTRIES: RowsSql = RowsSql {
    before: "SELECT e.id, e.feed_id, e.party, e.article_id, e.lease_until, e.lease_epoch, e.failures, e.suspect, e.key_sha256, \
        f.configured_url, f.url AS polled_url, d.url, d.shares_link, d.guid, d.evidence, d.first_seen_at, \
        CASE WHEN d.first_seen_at = f.first_read_at THEN 1 ELSE 0 END AS is_backlog, \
        CASE WHEN a.id IS NULL THEN 0 ELSE 1 END AS is_stored, \
        CASE WHEN a.removed_at IS NULL THEN 0 ELSE 1 END AS is_removed, \
        CASE WHEN m.entry_id IS NULL THEN 0 ELSE 1 END AS is_mentioned, \
        CASE WHEN c.article_id IS NULL THEN 0 ELSE 1 END AS is_read, coalesce(c.changed, 0) AS changed, \
        c.etag, c.last_modified, \
        v.raw_sha256, v.quality_flags, v.content_sha256 \
        FROM entries e JOIN entry_details d ON d.entry_id = e.id JOIN feed_details f ON f.feed_id = e.feed_id \
        LEFT JOIN articles a ON a.id = e.article_id \
        LEFT JOIN mentions m ON m.article_id = e.article_id AND m.entry_id = e.id \
        LEFT JOIN rechecks c ON c.entry_id = e.id AND c.article_id = e.article_id AND c.due_at IS NULL \
        LEFT JOIN revisions v ON v.number = a.number AND v.revision = a.revision \
        WHERE e.id IN (VALUES ",
    columns: 1,
    after: ")",
};

/// Quality flags of a text that comes from the feed instead of the page.
const STAND_IN: [QualityFlag; 2] = [QualityFlag::FeedContentUsed, QualityFlag::TeaserOnly];

impl TryFrom<Row<'_>> for Entry {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        let quality_flags: Vec<QualityFlag> = row.optional_json("quality_flags")?.unwrap_or_default();
        let is_stand_in = quality_flags.iter().any(|flag| STAND_IN.contains(flag));
        let (is_read, changed) = (row.flag("is_read")?, row.flag("changed")?);
        // A 304 for the page says nothing about the feed's changed text that stands in for it.
        let asks_conditionally = is_read && !(changed && is_stand_in);
        Ok(Self {
            id: EntryId(row.get("id")?),
            feed_id: FeedId(row.get("feed_id")?),
            party: PartyId(row.get("party")?),
            feed_url: row.url("configured_url")?,
            polled_url: row.url("polled_url")?,
            lease: Lease { epoch: row.get("lease_epoch")?, until: row.time("lease_until")? },
            failures: row.number("failures")?,
            suspect: row.flag("suspect")?,
            known: match (row.flag("is_stored")?, row.flag("is_removed")?, row.flag("is_mentioned")?) {
                (false, ..) => Known::No,
                (true, true, _) => Known::Removed,
                (true, false, false) => Known::ThroughAnother,
                (true, false, true) => Known::ThroughThis,
            },
            is_stand_in,
            content_sha256: row.optional_hash("content_sha256")?,
            last_read: if asks_conditionally { Some(LastRead::try_from(&row)?) } else { None },
            recheck: (is_read && !changed).then_some(Recheck { quality_flags }),
            article_id: ArticleId(row.hash("article_id")?),
            url: row.optional_url("url")?,
            shares_link: row.flag("shares_link")?,
            key: row.hash("key_sha256")?,
            guid: row.get("guid")?,
            evidence: row.json("evidence")?,
            first_seen_at: row.time("first_seen_at")?,
            is_backlog: row.flag("is_backlog")?,
        })
    }
}

impl TryFrom<&Row<'_>> for LastRead {
    type Error = StoreError;

    fn try_from(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            validators: Validators { etag: row.get("etag")?, last_modified: row.get("last_modified")? },
            raw_sha256: row.hash("raw_sha256")?,
        })
    }
}

const BEGIN_ENTRY_ATTEMPT: &str =
    "UPDATE entries SET unfinished_attempts = unfinished_attempts + 1 WHERE id = $1 AND lease_epoch = $2";

const END_ENTRY_ATTEMPT: &str =
    "UPDATE entries SET unfinished_attempts = 0 WHERE id = $1 AND lease_epoch = $2";

const RELEASE_ENTRIES: RowsSql = RowsSql {
    before: "WITH released (entry_id, epoch, due, is_later) AS (VALUES ",
    columns: 4,
    after: ") UPDATE entries SET lease_until = 0, unfinished_attempts = 0, next_attempt_at = released.due, \
        put_off = CASE WHEN released.due > next_attempt_at THEN released.is_later ELSE put_off END FROM released \
        WHERE id = released.entry_id AND lease_epoch = released.epoch",
};

const UNQUARANTINE_ENTRIES: RowsSql = RowsSql {
    before: "WITH released (entry_id, due) AS (VALUES ",
    columns: 2,
    after: ") UPDATE entries SET state = 'pending', suspect = 0, unfinished_attempts = 0, failures = 0, \
        next_attempt_at = released.due FROM released WHERE id = released.entry_id AND state = 'quarantined'",
};

/// A leased entry is due when its lease ends; one that waits for another entry of its article is covered by that entry.
macro_rules! next_due_entry {
    ($dialect:ident) => {
        concat!(
            "SELECT min(due) AS due FROM (\
    SELECT * FROM (SELECT e.next_attempt_at AS due FROM entries e WHERE e.state = 'pending' AND e.lease_until = 0 AND ",
            is_ours!($dialect, "$1", "e.shard"),
            " AND NOT EXISTS (SELECT 1 FROM entries o WHERE o.article_id = e.article_id AND o.state = 'pending' \
            AND (o.id < e.id OR o.lease_until > 0) AND o.id <> e.id) \
        ORDER BY e.next_attempt_at LIMIT 1) AS free \
    UNION ALL SELECT * FROM (SELECT lease_until AS due FROM entries WHERE state = 'pending' AND lease_until > 0 AND ",
            is_ours!($dialect, "$1", "shard"),
            " ORDER BY lease_until LIMIT 1) AS lent \
    UNION ALL SELECT * FROM (SELECT due_at AS due FROM rechecks WHERE due_at IS NOT NULL \
        ORDER BY due_at LIMIT 1) AS old) AS any_of_them"
        )
    };
}

const NEXT_DUE_ENTRY: DialectSql =
    DialectSql { sqlite: next_due_entry!(sqlite), postgres: next_due_entry!(postgres) };

/// Why an entry's last attempt failed.
pub(super) struct EntryError<'e> {
    pub(super) entry_id: EntryId,
    pub(super) kind: FailureKind,
    pub(super) reason: &'e str,
    pub(super) failed_at: Timestamp,
}

pub(super) async fn upsert_errors(
    tx: &mut AnyConnection,
    errors: &[EntryError<'_>],
) -> Result<(), StoreError> {
    UPSERT_ERRORS
        .execute(tx, errors, |query, error| {
            query
                .bind(error.entry_id.0)
                .bind(error.kind.as_str())
                .bind(clean(error.reason).into_owned())
                .bind(error.failed_at.as_millisecond())
        })
        .await?;
    Ok(())
}

const UPSERT_ERRORS: RowsSql = RowsSql {
    before: "INSERT INTO entry_errors (entry_id, label, reason, failed_at) VALUES ",
    columns: 4,
    after: " ON CONFLICT (entry_id) DO UPDATE SET label = excluded.label, reason = excluded.reason, \
        failed_at = excluded.failed_at",
};

/// The new state of an entry's row when its worker returns it.
pub(super) struct Settlement {
    pub(super) entry_id: EntryId,
    pub(super) epoch: i64,
    /// Its article, which may differ from the announced one: an AMP page's article is that of the page it is a copy of.
    pub(super) article_id: ArticleId,
    pub(super) state: EntryState,
    pub(super) next_attempt_at: Timestamp,
    pub(super) failures: u32,
}

/// Takes entries back from their workers. Returns those that the workers still held, by entry and epoch.
pub(super) async fn settle(
    tx: &mut AnyConnection,
    settlements: &[Settlement],
) -> Result<HashSet<(EntryId, i64)>, StoreError> {
    let rows = SETTLE_ENTRIES
        .fetch(tx, settlements, |query, settlement| {
            query
                .bind(settlement.entry_id.0)
                .bind(settlement.epoch)
                .bind(id_bytes(&settlement.article_id))
                .bind(word(settlement.state))
                .bind(settlement.next_attempt_at.as_millisecond())
                .bind(i64::from(settlement.failures))
        })
        .await?;
    rows.iter()
        .map(|row| {
            let row = Row { table: "entries", row };
            Ok((EntryId(row.get("id")?), row.get("lease_epoch")?))
        })
        .collect()
}

const SETTLE_ENTRIES: RowsSql = RowsSql {
    before: "WITH settled (entry_id, epoch, next_article, next_state, next_at, next_failures) AS (VALUES ",
    columns: 6,
    after: ") UPDATE entries SET article_id = settled.next_article, state = settled.next_state, next_attempt_at = settled.next_at, \
        failures = settled.next_failures, suspect = 0, lease_until = 0, unfinished_attempts = 0 FROM settled \
        WHERE id = settled.entry_id AND lease_epoch = settled.epoch AND lease_until > 0 AND state = 'pending' \
        RETURNING id, lease_epoch",
};

/// Puts an entry that was settled as done back into the queue.
pub(super) async fn requeue(tx: &mut AnyConnection, entries: &[EntryId]) -> Result<(), StoreError> {
    REQUEUE_SETTLED.execute(tx, entries, |query, id| query.bind(id.0)).await?;
    Ok(())
}

const REQUEUE_SETTLED: RowsSql =
    RowsSql { before: "UPDATE entries SET state = 'pending' WHERE id IN (VALUES ", columns: 1, after: ")" };

/// Deletes the errors of entries that are done.
pub(super) async fn forget_errors(tx: &mut AnyConnection, entries: &[EntryId]) -> Result<(), StoreError> {
    FORGET_ERRORS.execute(tx, entries, |query, id| query.bind(id.0)).await?;
    Ok(())
}

const FORGET_ERRORS: RowsSql =
    RowsSql { before: "DELETE FROM entry_errors WHERE entry_id IN (VALUES ", columns: 1, after: ")" };
