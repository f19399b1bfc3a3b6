//! What a poll brought, recorded in one transaction.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sqlx::AnyConnection;
use url::Url;

use super::sql::{
    Query, Row, RowsSql, bytes, clean, clean_option, expect_changed, id_bytes, json, models, word,
};
use super::{Store, StoreError, rechecks};
use crate::model::{ArticleId, FeedId, Lease, Sha256Hash, Validators};
use crate::parse::{FeedInfo, ParsedEntry};
use crate::schedule::NextPoll;

/// What one poll came to, to be recorded in one transaction.
#[derive(Clone, Debug)]
pub struct PollRecord {
    /// The feed.
    pub feed_id: FeedId,
    /// The claim; a stale one is refused and nothing is written.
    pub lease: Lease,
    /// When the poll ended.
    pub polled_at: Timestamp,
    /// When the next is due, why, and the history to keep.
    pub next: NextPoll,
    /// Set where a permanent redirect is confirmed: the URL to poll from now on. The validators go with the old one.
    pub moved_to: Option<Url>,
    /// What came.
    pub result: PollResult,
}

/// What one poll brought.
#[derive(Clone, Debug)]
pub enum PollResult {
    /// 304 or the same body: validators that came with it replace the kept ones.
    Unchanged {
        /// `None` keeps the old ones (304 without validators).
        validators: Option<Validators>,
    },
    /// A feed.
    Parsed {
        /// The answer's validators; none where it had none.
        validators: Validators,
        /// The body's hash.
        body_sha256: Sha256Hash,
        /// What the feed says of itself.
        info: Box<FeedInfo>,
        /// Its entries.
        entries: Vec<NewEntry>,
        /// What the parser repaired.
        warnings: Vec<String>,
    },
    /// No feed came: validators stay as they are.
    Failed {
        /// For metrics and filters: `timeout`, `http_404`, `not_a_feed`…
        label: &'static str,
        /// For the operator.
        reason: String,
        /// Whether the feed is gone for good (410).
        gone: bool,
    },
    /// A hub brought a feed or a part of it: what the next poll asks with stays.
    Delivered {
        /// Its entries.
        entries: Vec<NewEntry>,
        /// What the parser repaired.
        warnings: Vec<String>,
    },
    /// Its host has asked to be left alone: nothing was sent, and nothing changes but when it is due and why.
    HostPaused,
}

/// A parsed entry with the article it announces.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// As parsed.
    pub parsed: ParsedEntry,
    /// Of its link, or of its key and feed where it has no link.
    pub article_id: ArticleId,
}

/// What recording a poll did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollReport {
    /// Entries not seen before.
    pub new_entries: u32,
    /// Entries whose content or updated date changed.
    pub updated_entries: u32,
}

impl Store {
    /// How many of these entries the feed has not shown before.
    pub async fn entries_count_new(&self, feed_id: FeedId, keys: &[Sha256Hash]) -> Result<u32, StoreError> {
        let mut connection = self.database.readers.acquire().await?;
        let known = KNOWN_KEYS
            .fetch(&mut connection, keys, |query, key| query.bind(feed_id.0).bind(bytes(key)))
            .await?;
        Ok(u32::try_from(keys.len().saturating_sub(known.len())).unwrap_or(u32::MAX))
    }

    /// Records polls, each whole or not at all, in one transaction. The answers stand in the order of `polls`;
    /// `None` for a stale lease.
    pub async fn feed_polls_record(
        &self,
        polls: &[PollRecord],
    ) -> Result<Vec<Option<PollReport>>, StoreError> {
        let mut tx = self.database.write().await?;
        let held = settle_feeds(&mut tx, polls).await?;
        let is_held = |poll: &PollRecord| held.contains(&(poll.feed_id, poll.lease.epoch));
        let current: Vec<&PollRecord> = polls.iter().filter(|poll| is_held(poll)).collect();
        update_details(&mut tx, &current).await?;
        let mut reports = record_entries(&mut tx, &current, self.clock.now()).await?;
        tx.commit().await?;
        Ok(polls
            .iter()
            .map(|poll| is_held(poll).then(|| reports.remove(&poll.feed_id).unwrap_or_default()))
            .collect())
    }
}

/// Takes the feeds back from their workers and says which were still theirs, by feed and epoch.
async fn settle_feeds(
    tx: &mut AnyConnection,
    polls: &[PollRecord],
) -> Result<HashSet<(FeedId, i64)>, StoreError> {
    let rows = SETTLE_FEEDS
        .fetch(tx, polls, |query, poll| {
            let state = match poll.result {
                PollResult::Failed { gone: true, .. } => "gone",
                PollResult::Failed { gone: false, .. }
                | PollResult::Unchanged { .. }
                | PollResult::Parsed { .. }
                | PollResult::Delivered { .. }
                | PollResult::HostPaused => "active",
            };
            query.bind(poll.feed_id.0).bind(poll.lease.epoch).bind(state).bind(poll.next.at.as_millisecond())
        })
        .await?;
    rows.iter()
        .map(|row| {
            let row = Row { table: "feeds", row };
            Ok((FeedId(row.get("id")?), row.get("lease_epoch")?))
        })
        .collect()
}

/// A feed that was taken out of the config meanwhile stays out.
const SETTLE_FEEDS: RowsSql = RowsSql {
    before: "WITH polled (feed_id, epoch, next_state, next_at) AS (VALUES ",
    columns: 4,
    after: ") UPDATE feeds SET suspect = 0, lease_until = 0, unfinished_attempts = 0, next_poll_at = polled.next_at, \
        state = CASE WHEN state = 'active' THEN polled.next_state ELSE state END \
        FROM polled WHERE id = polled.feed_id AND lease_epoch = polled.epoch AND lease_until > 0 RETURNING id, lease_epoch",
};

async fn update_details(tx: &mut AnyConnection, polls: &[&PollRecord]) -> Result<(), StoreError> {
    let mut unchanged = Vec::with_capacity(polls.len());
    for poll in polls {
        match &poll.result {
            PollResult::Unchanged { validators } => unchanged.push(Unchanged {
                poll,
                validators: validators.as_ref(),
                history: json("a feed's history", &poll.next.history)?,
            }),
            PollResult::Parsed { validators, body_sha256, info, warnings, .. } => {
                let query = sqlx::query(DETAILS_PARSED)
                    .bind(clean_option(validators.etag.as_deref()))
                    .bind(clean_option(validators.last_modified.as_deref()))
                    .bind(bytes(body_sha256))
                    .bind(clean_option(info.title.as_deref()))
                    .bind(json("a feed's description of itself", info)?)
                    .bind(json("a parser's warnings", warnings)?);
                update_one(tx, poll, query).await?;
            }
            PollResult::Failed { label, reason, .. } => {
                let query = sqlx::query(DETAILS_FAILED).bind(*label).bind(clean(reason).into_owned());
                update_one(tx, poll, query).await?;
            }
            PollResult::Delivered { .. } | PollResult::HostPaused => note_no_poll(tx, poll).await?,
        }
    }
    // Most polls end so: one statement for all of them.
    let changed = DETAILS_UNCHANGED
        .execute(tx, &unchanged, |query, unchanged| {
            let Unchanged { poll, validators, history } = unchanged;
            let kept = |pick: fn(&Validators) -> Option<&str>| clean_option(validators.and_then(pick));
            query
                .bind(poll.feed_id.0)
                .bind(i64::from(validators.is_some()))
                .bind(kept(|validators| validators.etag.as_deref()))
                .bind(kept(|validators| validators.last_modified.as_deref()))
                .bind(history.clone())
                .bind(word(poll.next.decided_by))
                .bind(poll.polled_at.as_millisecond())
        })
        .await?;
    expect_changed("feed_details", unchanged.len() as u64, changed)?;
    for poll in polls {
        if let Some(url) = &poll.moved_to {
            sqlx::query(DETAILS_MOVED).bind(url.as_str()).bind(poll.feed_id.0).execute(&mut *tx).await?;
        }
    }
    Ok(())
}

/// A poll that brought nothing new.
struct Unchanged<'p> {
    poll: &'p PollRecord,
    validators: Option<&'p Validators>,
    history: String,
}

/// Ends a statement with what every poll leaves behind.
async fn update_one(tx: &mut AnyConnection, poll: &PollRecord, query: Query) -> Result<(), StoreError> {
    let changed = query
        .bind(poll.feed_id.0)
        .bind(json("a feed's history", &poll.next.history)?)
        .bind(word(poll.next.decided_by))
        .bind(poll.polled_at.as_millisecond())
        .execute(tx)
        .await?
        .rows_affected();
    expect_changed("feed_details", 1, changed)
}

const DETAILS_UNCHANGED: RowsSql = RowsSql {
    before: "WITH polled (feed_id, has_validators, etag, last_modified, history, decided_by, polled_at) AS (VALUES ",
    columns: 7,
    after: ") UPDATE feed_details SET \
        etag = CASE WHEN polled.has_validators = 1 THEN polled.etag ELSE feed_details.etag END, \
        last_modified = CASE WHEN polled.has_validators = 1 THEN polled.last_modified ELSE feed_details.last_modified END, \
        history = polled.history, decided_by = polled.decided_by, last_polled_at = polled.polled_at, \
        last_success_at = polled.polled_at, error_label = NULL, error_reason = NULL \
        FROM polled WHERE feed_details.feed_id = polled.feed_id",
};

const DETAILS_PARSED: &str = "UPDATE feed_details SET \
    etag = $1, last_modified = $2, body_sha256 = $3, title = $4, info = $5, warnings = $6, \
    history = $8, decided_by = $9, last_polled_at = $10, last_success_at = $10, error_label = NULL, error_reason = NULL \
    WHERE feed_id = $7";

const DETAILS_MOVED: &str = "UPDATE feed_details SET url = $1, etag = NULL, last_modified = NULL, body_sha256 = NULL WHERE feed_id = $2";

/// The feed itself was not asked.
async fn note_no_poll(tx: &mut AnyConnection, poll: &PollRecord) -> Result<(), StoreError> {
    let history = json("a feed's history", &poll.next.history)?;
    let query =
        sqlx::query(DETAILS_NOT_POLLED).bind(word(poll.next.decided_by)).bind(history).bind(poll.feed_id.0);
    expect_changed("feed_details", 1, query.execute(tx).await?.rows_affected())
}

const DETAILS_NOT_POLLED: &str = "UPDATE feed_details SET decided_by = $1, history = $2 WHERE feed_id = $3";

const DETAILS_FAILED: &str = "UPDATE feed_details SET error_label = $1, error_reason = $2, \
    history = $4, decided_by = $5, last_polled_at = $6 WHERE feed_id = $3";

/// An announced entry with the hashes that tell whether it changed.
struct Announced<'p> {
    feed_id: FeedId,
    entry: &'p NewEntry,
    /// Of what makes a new revision: content and updated date.
    content_sha256: Sha256Hash,
    /// Of all that the feed said.
    evidence_sha256: Sha256Hash,
    evidence: String,
}

fn announced<'p>(polls: &[&'p PollRecord]) -> Result<Vec<Announced<'p>>, StoreError> {
    let mut seen = HashSet::new();
    let mut announced = Vec::new();
    for poll in polls {
        let (PollResult::Parsed { entries, .. } | PollResult::Delivered { entries, .. }) = &poll.result
        else {
            continue;
        };
        for entry in entries {
            // A feed that repeats a key means one entry: the first.
            if !seen.insert((poll.feed_id, entry.parsed.key)) {
                continue;
            }
            let said = &entry.parsed.evidence;
            let evidence = json("an entry's evidence", said)?;
            announced.push(Announced {
                feed_id: poll.feed_id,
                entry,
                content_sha256: Sha256Hash::of(json(
                    "an entry's content",
                    &(&said.content, said.updated_at),
                )?),
                evidence_sha256: Sha256Hash::of(&evidence),
                evidence,
            });
        }
    }
    Ok(announced)
}

async fn record_entries(
    tx: &mut AnyConnection,
    polls: &[&PollRecord],
    now: Timestamp,
) -> Result<HashMap<FeedId, PollReport>, StoreError> {
    let announced = announced(polls)?;
    let rows = KNOWN_ENTRIES
        .fetch(tx, &announced, |query, entry| {
            query.bind(entry.feed_id.0).bind(bytes(&entry.entry.parsed.key))
        })
        .await?;
    let known: HashMap<(FeedId, Sha256Hash), KnownEntry> = models::<KnownEntry>("entry_details", &rows)?
        .into_iter()
        .map(|entry| ((entry.feed_id, entry.key), entry))
        .collect();
    let mut reports: HashMap<FeedId, PollReport> = HashMap::new();
    let (mut new, mut changed, mut requeued) = (Vec::new(), Vec::new(), Vec::new());
    for entry in &announced {
        let report = reports.entry(entry.feed_id).or_default();
        match known.get(&(entry.feed_id, entry.entry.parsed.key)) {
            None => {
                report.new_entries += 1;
                new.push(entry);
            }
            // Of an entry whose article was too old only its key counts.
            Some(known) if known.removed || known.evidence_sha256 == entry.evidence_sha256 => {}
            Some(known) => {
                changed.push((known.id, entry));
                if known.content_sha256 != entry.content_sha256 {
                    report.updated_entries += 1;
                    requeued.push(known.id);
                }
            }
        }
    }
    insert_entries(tx, &new, now).await?;
    CHANGE_DETAILS
        .execute(tx, &changed, |query, (id, entry)| {
            query
                .bind(*id)
                .bind(entry.evidence.as_str())
                .bind(bytes(&entry.content_sha256))
                .bind(bytes(&entry.evidence_sha256))
        })
        .await?;
    rechecks::supersede(tx, &requeued).await?;
    REQUEUE_ENTRIES.execute(tx, &requeued, |query, id| query.bind(*id).bind(now.as_millisecond())).await?;
    Ok(reports)
}

struct KnownEntry {
    id: i64,
    feed_id: FeedId,
    key: Sha256Hash,
    removed: bool,
    content_sha256: Sha256Hash,
    evidence_sha256: Sha256Hash,
}

impl TryFrom<Row<'_>> for KnownEntry {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            feed_id: FeedId(row.get("feed_id")?),
            key: row.hash("key_sha256")?,
            removed: row.flag("removed")?,
            content_sha256: row.hash("content_sha256")?,
            evidence_sha256: row.hash("evidence_sha256")?,
        })
    }
}

const KNOWN_ENTRIES: RowsSql = RowsSql {
    before: "WITH announced (feed_id, key_sha256) AS (VALUES ",
    columns: 2,
    after: ") SELECT e.id, e.feed_id, e.key_sha256, e.removed, d.content_sha256, d.evidence_sha256 FROM announced a \
        JOIN entries e ON e.feed_id = a.feed_id AND e.key_sha256 = a.key_sha256 \
        JOIN entry_details d ON d.entry_id = e.id",
};

const KNOWN_KEYS: RowsSql = RowsSql {
    before: "WITH announced (feed_id, key_sha256) AS (VALUES ",
    columns: 2,
    after: ") SELECT e.id FROM announced a \
        JOIN entries e ON e.feed_id = a.feed_id AND e.key_sha256 = a.key_sha256",
};

async fn insert_entries(
    tx: &mut AnyConnection,
    new: &[&Announced<'_>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = INSERT_ENTRIES
        .fetch(tx, new, |query, entry| {
            query
                .bind(entry.feed_id.0)
                .bind(bytes(&entry.entry.parsed.key))
                .bind(id_bytes(&entry.entry.article_id))
                .bind("pending")
                .bind(now.as_millisecond())
        })
        .await?;
    let by_key: HashMap<(FeedId, Sha256Hash), &Announced<'_>> =
        new.iter().map(|entry| ((entry.feed_id, entry.entry.parsed.key), *entry)).collect();
    let mut details = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Row { table: "entries", row };
        if let Some(entry) = by_key.get(&(FeedId(row.get("feed_id")?), row.hash("key_sha256")?)) {
            details.push((row.get::<i64>("id")?, *entry));
        }
    }
    expect_changed("entries", new.len() as u64, details.len() as u64)?;
    INSERT_DETAILS
        .execute(tx, &details, |query, (id, entry)| {
            query
                .bind(*id)
                .bind(entry.entry.parsed.link.as_ref().map(Url::as_str))
                .bind(clean_option(entry.entry.parsed.guid.as_deref()))
                .bind(entry.evidence.as_str())
                .bind(bytes(&entry.content_sha256))
                .bind(bytes(&entry.evidence_sha256))
                .bind(now.as_millisecond())
        })
        .await?;
    Ok(())
}

const INSERT_ENTRIES: RowsSql = RowsSql {
    before: "INSERT INTO entries (feed_id, key_sha256, article_id, state, next_attempt_at) VALUES ",
    columns: 5,
    after: " RETURNING id, feed_id, key_sha256",
};

const INSERT_DETAILS: RowsSql = RowsSql {
    before: "INSERT INTO entry_details \
        (entry_id, url, guid, evidence, content_sha256, evidence_sha256, first_seen_at) VALUES ",
    columns: 7,
    after: "",
};

const CHANGE_DETAILS: RowsSql = RowsSql {
    before: "WITH changed (id, evidence, content_sha256, evidence_sha256) AS (VALUES ",
    columns: 4,
    after: ") UPDATE entry_details SET evidence = changed.evidence, content_sha256 = changed.content_sha256, \
        evidence_sha256 = changed.evidence_sha256 FROM changed WHERE entry_id = changed.id",
};

/// The raised epoch refuses what a worker makes of the entry as it was. Quarantined entries wait for the operator.
const REQUEUE_ENTRIES: RowsSql = RowsSql {
    before: "WITH requeued (entry_id, due) AS (VALUES ",
    columns: 2,
    after: ") UPDATE entries SET state = 'pending', next_attempt_at = requeued.due, lease_until = 0, \
        lease_epoch = lease_epoch + 1, failures = 0 FROM requeued \
        WHERE id = requeued.entry_id AND state <> 'quarantined'",
};
