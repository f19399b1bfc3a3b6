//! Records the results of polls in one transaction.

use std::borrow::Borrow;
use std::collections::HashSet;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::AnyConnection;
use url::Url;

use super::announced::{NewEntry, record_entries};
use super::sql::{Row, RowsSql, bytes, clean_option, expect_changed, json, word};
use super::{FeedState, Signal, Store, StoreError, poll_log};
use crate::model::{DueFeed, FailureKind, FeedId, Lease, Sha256Hash, Validators};
use crate::parse::FeedInfo;
use crate::schedule::NextPoll;
use crate::shards::shard_of;

/// The result of one poll, to be recorded in one transaction.
#[derive(Clone, Debug)]
pub struct PollRecord {
    /// The feed.
    pub feed_id: FeedId,
    /// Its configured URL, from which the URLs of entries without a page of their own are made.
    pub feed_url: Url,
    /// The lease; with a stale one nothing is written.
    pub lease: Lease,
    /// When the poll ended.
    pub polled_at: Timestamp,
    /// When the next poll is due, why, and the history to store.
    pub next: NextPoll,
    /// The URL to poll from now on, after a confirmed permanent redirect. Validators of the old URL are dropped.
    pub moved_to: Option<Url>,
    /// The result.
    pub result: PollResult,
    /// Size and duration of the transfer.
    pub transfer: Transfer,
}

impl PollRecord {
    /// Returns the record of a poll without a redirect or a transfer.
    pub fn of(feed: &DueFeed, polled_at: Timestamp, next: NextPoll, result: PollResult) -> Self {
        Self {
            feed_id: feed.id,
            feed_url: feed.configured_url.clone(),
            lease: feed.lease,
            polled_at,
            next,
            moved_to: None,
            result,
            transfer: Transfer::default(),
        }
    }

    /// Returns when the poll ended and when the next is due, in Unix milliseconds. If the clock was set back since the poll, both are as
    /// if it had ended `now`.
    fn times(&self, now: Timestamp) -> (i64, i64) {
        let ahead = self.polled_at.as_millisecond().saturating_sub(now.as_millisecond()).max(0);
        (self.polled_at.as_millisecond() - ahead, self.next.at.as_millisecond() - ahead)
    }
}

/// Size and duration of a transfer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Transfer {
    /// Bytes of the decompressed body; `None` if there was no body.
    pub body_bytes: Option<u64>,
    /// How long it took.
    pub took: Duration,
}

/// The result of one poll.
#[derive(Clone, Debug)]
pub enum PollResult {
    /// A 304 or the same body: validators that came with it replace the stored ones.
    Unchanged {
        /// `None` keeps the stored ones (a 304 without validators).
        validators: Option<Validators>,
    },
    /// A feed was parsed.
    Parsed {
        /// The response's validators; empty if it had none.
        validators: Validators,
        /// Hash of the body.
        body_sha256: Sha256Hash,
        /// What the feed says about itself.
        info: Box<FeedInfo>,
        /// Its entries.
        entries: Vec<NewEntry>,
        /// What the parser repaired.
        warnings: Vec<String>,
    },
    /// The poll failed: validators stay as they are.
    Failed {
        /// For metrics and filters.
        kind: FailureKind,
        /// For the operator.
        reason: String,
        /// Whether the feed is gone for good (410).
        gone: bool,
    },
    /// A hub delivered a feed or a part of it: validators stay as they are.
    Delivered {
        /// Its entries.
        entries: Vec<NewEntry>,
        /// What the parser repaired.
        warnings: Vec<String>,
    },
    /// The host asked for a pause: nothing was sent, and only the next due time, its reason and the history change.
    HostPaused,
}

/// What recording a poll did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PollReport {
    /// Entries not seen before.
    pub new_entries: u32,
    /// Entries whose content changed, or whose own text or title changed where it stands in for an article.
    pub updated_entries: u32,
}

impl Store {
    /// Records polls in one transaction, each completely or not at all. Results are in the order of `polls`; `None` for a stale
    /// lease.
    pub async fn feed_polls_record<P: Borrow<PollRecord> + Sync>(
        &self,
        polls: &[P],
    ) -> Result<Vec<Option<PollReport>>, StoreError> {
        let polls: Vec<&PollRecord> = polls.iter().map(Borrow::borrow).collect();
        let mut tx = self.database.write().await?;
        let stale = stale(&mut tx, &polls).await?;
        let is_held = |poll: &PollRecord| !stale.contains(&(poll.feed_id, poll.lease.epoch));
        let now = self.clock.now();
        let current: Vec<&PollRecord> = polls.iter().copied().filter(|poll| is_held(poll)).collect();
        settle_feeds(&mut tx, &current, now).await?;
        update_details(&mut tx, &current, now).await?;
        let mut reports = record_entries(&mut tx, &current, now).await?;
        poll_log::note(&mut tx, &current, &reports).await?;
        if reports.values().any(|report| report.new_entries + report.updated_entries > 0) {
            self.signal(&mut tx, Signal::Entries).await?;
        }
        tx.commit().await?;
        Ok(polls
            .iter()
            .map(|poll| is_held(poll).then(|| reports.remove(&poll.feed_id).unwrap_or_default()))
            .collect())
    }
}

/// Returns the polls whose feeds other workers have claimed since, by feed and epoch. A query of its own, because there are
/// hardly ever any, and each returned row costs as much as a written one.
async fn stale(tx: &mut AnyConnection, polls: &[&PollRecord]) -> Result<HashSet<(FeedId, i64)>, StoreError> {
    let rows =
        STALE.fetch(tx, polls, |query, poll| query.bind(poll.feed_id.0).bind(poll.lease.epoch)).await?;
    rows.iter()
        .map(|row| {
            let row = Row { table: "feeds", row };
            Ok((FeedId(row.get("feed_id")?), row.get("epoch")?))
        })
        .collect()
}

const STALE: RowsSql = RowsSql {
    before: "WITH polled (feed_id, epoch) AS (VALUES ",
    columns: 2,
    after: ") SELECT feed_id, epoch FROM polled WHERE NOT EXISTS (SELECT 1 FROM feeds \
        WHERE id = polled.feed_id AND lease_epoch = polled.epoch AND lease_until > 0)",
};

/// Takes the feeds back from their workers.
async fn settle_feeds(
    tx: &mut AnyConnection,
    polls: &[&PollRecord],
    now: Timestamp,
) -> Result<(), StoreError> {
    let settled = SETTLE_FEEDS
        .execute(tx, polls, |query, poll| {
            let state = match poll.result {
                PollResult::Failed { gone: true, .. } => FeedState::Gone,
                PollResult::Failed { gone: false, .. }
                | PollResult::Unchanged { .. }
                | PollResult::Parsed { .. }
                | PollResult::Delivered { .. }
                | PollResult::HostPaused => FeedState::Active,
            };
            query
                .bind(poll.feed_id.0)
                .bind(poll.lease.epoch)
                .bind(word(state))
                .bind(poll.times(now).1)
                .bind(poll.moved_to.as_ref().map_or(-1, |url| i64::from(shard_of(url).0)))
        })
        .await?;
    // Where other processes write too, a lease may have passed on between the two statements.
    expect_changed("feeds", polls.len() as u64, settled)
}

/// A feed that was removed from the configuration meanwhile stays removed.
const SETTLE_FEEDS: RowsSql = RowsSql {
    before: "WITH polled (feed_id, epoch, next_state, next_at, next_shard) AS (VALUES ",
    columns: 5,
    after: ") UPDATE feeds SET suspect = 0, lease_until = 0, unfinished_attempts = 0, next_poll_at = polled.next_at, \
        shard = CASE WHEN polled.next_shard >= 0 THEN polled.next_shard ELSE shard END, \
        state = CASE WHEN state = 'active' THEN polled.next_state ELSE state END \
        FROM polled WHERE id = polled.feed_id AND lease_epoch = polled.epoch AND lease_until > 0",
};

/// Updates everything about the polled feeds but their entries: one statement for the details, one for what they say of themselves.
async fn update_details(
    tx: &mut AnyConnection,
    polls: &[&PollRecord],
    now: Timestamp,
) -> Result<(), StoreError> {
    let changes: Vec<DetailsChange<'_>> =
        polls.iter().map(|poll| DetailsChange::of(poll, now)).collect::<Result<_, _>>()?;
    let updated = UPDATE_DETAILS
        .execute(tx, &changes, |query, change| {
            let kept = |pick: fn(&Validators) -> Option<&str>| clean_option(change.validators.and_then(pick));
            query
                .bind(change.poll.feed_id.0)
                .bind(change.history.clone())
                .bind(word(change.poll.next.decided_by))
                .bind(change.asked_at)
                .bind(change.succeeded_at)
                .bind(change.is_read.then(|| now.as_millisecond()))
                .bind(i64::from(change.validators.is_some()))
                .bind(kept(|validators| validators.etag.as_deref()))
                .bind(kept(|validators| validators.last_modified.as_deref()))
                .bind(change.body_sha256.map(bytes))
                .bind(change.error.map(|(kind, _)| kind.as_str()))
                .bind(clean_option(change.error.map(|(_, reason)| reason)))
                .bind(change.poll.moved_to.as_ref().map(Url::as_str))
        })
        .await?;
    expect_changed("feed_details", changes.len() as u64, updated)?;
    UPSERT_INFOS
        .execute(tx, &InfoRow::of_all(polls)?, |query, row| {
            query
                .bind(row.feed_id.0)
                .bind(row.title.clone())
                .bind(row.info.as_str())
                .bind(row.warnings.as_str())
        })
        .await?;
    Ok(())
}

/// What a poll changes in a feed's details: `None` leaves a column unchanged, except that validators are replaced together.
struct DetailsChange<'p> {
    poll: &'p PollRecord,
    history: String,
    asked_at: Option<i64>,
    succeeded_at: Option<i64>,
    /// Whether entries were read.
    is_read: bool,
    validators: Option<&'p Validators>,
    body_sha256: Option<&'p Sha256Hash>,
    /// Kind and reason of a failure; `None` clears the stored error if the feed was polled.
    error: Option<(FailureKind, &'p str)>,
}

impl<'p> DetailsChange<'p> {
    fn of(poll: &'p PollRecord, now: Timestamp) -> Result<Self, StoreError> {
        let polled_at = Some(poll.times(now).0);
        let unasked = Self {
            poll,
            history: json("a feed's history", &poll.next.history)?,
            asked_at: None,
            succeeded_at: None,
            is_read: false,
            validators: None,
            body_sha256: None,
            error: None,
        };
        Ok(match &poll.result {
            PollResult::Unchanged { validators } => Self {
                asked_at: polled_at,
                succeeded_at: polled_at,
                validators: validators.as_ref(),
                ..unasked
            },
            PollResult::Parsed { validators, body_sha256, .. } => Self {
                asked_at: polled_at,
                succeeded_at: polled_at,
                is_read: true,
                validators: Some(validators),
                body_sha256: Some(body_sha256),
                ..unasked
            },
            PollResult::Failed { kind, reason, .. } => {
                Self { asked_at: polled_at, error: Some((*kind, reason)), ..unasked }
            }
            // No request was sent to the feed.
            PollResult::Delivered { .. } | PollResult::HostPaused => unasked,
        })
    }
}

/// A feed that moved loses its validators and the hash of its body, which belong to the old URL.
const UPDATE_DETAILS: RowsSql = RowsSql {
    before: "WITH polled (feed_id, history, decided_by, asked_at, succeeded_at, read_at, has_validators, etag, last_modified, \
        body_sha256, error_label, error_reason, moved_to) AS (VALUES ",
    columns: 13,
    after: ") UPDATE feed_details SET history = polled.history, decided_by = polled.decided_by, \
        last_polled_at = coalesce(polled.asked_at, last_polled_at), \
        last_success_at = coalesce(polled.succeeded_at, last_success_at), \
        first_read_at = coalesce(first_read_at, polled.read_at), \
        etag = CASE WHEN moved_to IS NOT NULL THEN NULL \
            WHEN has_validators = 1 THEN polled.etag ELSE feed_details.etag END, \
        last_modified = CASE WHEN moved_to IS NOT NULL THEN NULL \
            WHEN has_validators = 1 THEN polled.last_modified ELSE feed_details.last_modified END, \
        body_sha256 = CASE WHEN moved_to IS NOT NULL THEN NULL \
            ELSE coalesce(polled.body_sha256, feed_details.body_sha256) END, \
        error_label = CASE WHEN asked_at IS NULL THEN feed_details.error_label ELSE polled.error_label END, \
        error_reason = CASE WHEN asked_at IS NULL THEN feed_details.error_reason ELSE polled.error_reason END, \
        url = coalesce(polled.moved_to, url) \
        FROM polled WHERE feed_details.feed_id = polled.feed_id",
};

/// What a feed says about itself, and the parser's warnings.
struct InfoRow {
    feed_id: FeedId,
    title: Option<String>,
    info: String,
    warnings: String,
}

impl InfoRow {
    fn of_all(polls: &[&PollRecord]) -> Result<Vec<Self>, StoreError> {
        let mut rows = Vec::new();
        for poll in polls {
            if let PollResult::Parsed { info, warnings, .. } = &poll.result {
                rows.push(Self {
                    feed_id: poll.feed_id,
                    title: clean_option(info.title.as_deref()),
                    info: json("a feed's description of itself", info)?,
                    warnings: json("a parser's warnings", warnings)?,
                });
            }
        }
        Ok(rows)
    }
}

/// Rows are updated only if they differ: most feeds say the same each time.
const UPSERT_INFOS: RowsSql = RowsSql {
    before: "INSERT INTO feed_infos (feed_id, title, info, warnings) VALUES ",
    columns: 4,
    after: " ON CONFLICT (feed_id) DO UPDATE SET title = excluded.title, info = excluded.info, warnings = excluded.warnings \
        WHERE feed_infos.info <> excluded.info OR feed_infos.warnings <> excluded.warnings",
};
