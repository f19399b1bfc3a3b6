//! Feeds as rows: which are configured, which are due, and their leases.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::AnyConnection;
use sqlx::Row as _;
use url::Url;

use super::claim::{CRASHED_REASON, MAX_UNFINISHED_ATTEMPTS, is_ours, lend, take_rows};
use super::connection::DialectSql;
use super::feed_status::FeedState;
use super::feed_turns::next_feeds;
use super::sql::{Row, RowsSql, bytes, json, models, word};
use super::{Signal, Store, StoreError};
use crate::model::{DueFeed, FeedId, Lease, PartyId, Sha256Hash, Validators, after};
use crate::schedule::History;
use crate::shards::shard_of;
use crate::trust::party;

/// What a change of the configured feeds did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedsSync {
    /// Feeds not known before.
    pub added: u64,
    /// Known feeds that are configured again or enabled again.
    pub restored: u64,
    /// Feeds no longer configured: kept but not polled.
    pub removed: u64,
}

impl Store {
    /// Makes the store's feeds match the configuration. New feeds are due soon, spread over at most `spread`.
    pub async fn feeds_sync(&self, configured: &[Url], spread: Duration) -> Result<FeedsSync, StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        // Processes that start or reload together see the same new feeds: the lock lets only one of them add each.
        self.database.exclude_others(&mut tx, FEEDS_LOCK).await?;
        let mut new: HashMap<Sha256Hash, &Url> =
            configured.iter().map(|url| (Sha256Hash::of(url.as_str()), url)).collect();
        let (mut restored, mut removed, mut unnamed) = (Vec::new(), Vec::new(), Vec::new());
        let rows = sqlx::query(KNOWN_FEEDS).fetch_all(&mut *tx).await?;
        for feed in models::<KnownFeed>("feeds", &rows)? {
            let url = new.remove(&feed.configured_url_sha256);
            unnamed.extend(url.filter(|_| feed.party.is_none()).map(|url| (feed.id, party_of(url))));
            match (url, feed.state) {
                (Some(_), FeedState::Removed) => restored.push(feed.id),
                (None, FeedState::Active | FeedState::Gone | FeedState::Quarantined) => removed.push(feed.id),
                (Some(_), _) | (None, FeedState::Removed) => {}
            }
        }
        let spread =
            spread.min(LONGEST_WAIT_EACH.saturating_mul(u32::try_from(new.len()).unwrap_or(u32::MAX)));
        let new: Vec<NewFeed<'_>> = new
            .into_iter()
            .map(|(hash, url)| NewFeed {
                configured_url_sha256: hash,
                url,
                next_poll_at: first_poll(&hash, now, spread),
            })
            .collect();
        insert_feeds(&mut tx, &new).await?;
        SET_PARTIES.execute(&mut tx, &unnamed, |query, (id, party)| query.bind(id.0).bind(party.0)).await?;
        let sync = FeedsSync {
            added: new.len() as u64,
            restored: RESTORE_FEEDS.execute(&mut tx, &restored, |query, id| query.bind(id.0)).await?,
            removed: REMOVE_FEEDS.execute(&mut tx, &removed, |query, id| query.bind(id.0)).await?,
        };
        FORGET_FIRST_READS.execute(&mut tx, &restored, |query, id| query.bind(id.0)).await?;
        work_out_shards(&mut tx).await?;
        if sync.added + sync.restored > 0 {
            self.signal(&mut tx, Signal::Feeds).await?;
        }
        tx.commit().await?;
        Ok(sync)
    }

    /// Stores the operator's tags on the configured feeds.
    pub async fn feeds_tag(&self, tags: &[(&Url, &[String])]) -> Result<(), StoreError> {
        let wanted: HashMap<Sha256Hash, &[String]> =
            tags.iter().map(|(url, tags)| (Sha256Hash::of(url.as_str()), *tags)).collect();
        let mut tx = self.database.write().await?;
        self.database.exclude_others(&mut tx, FEEDS_LOCK).await?;
        let mut changed = Vec::new();
        for row in &sqlx::query(FEED_TAGS).fetch_all(&mut *tx).await? {
            let row = Row { table: "feed_details", row };
            let known: Option<String> = row.get("tags")?;
            let Some(wanted) = wanted.get(&row.hash("configured_url_sha256")?) else { continue };
            let wanted = if wanted.is_empty() { None } else { Some(json("a feed's tags", wanted)?) };
            if wanted != known {
                changed.push((row.get::<i64>("feed_id")?, wanted.unwrap_or_default()));
            }
        }
        SET_TAGS.execute(&mut tx, &changed, |query, (id, tags)| query.bind(*id).bind(tags.clone())).await?;
        tx.commit().await
    }

    /// Leases up to `limit` feeds that are due: from each party in turn, the longest overdue of each first. A feed with an
    /// unfinished attempt goes last and alone; after repeated unfinished attempts it is quarantined instead.
    pub async fn feeds_claim_due(&self, lease: Duration, limit: u32) -> Result<Vec<DueFeed>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write_lightly().await?;
        let quarantined = sqlx::query(QUARANTINE_FEEDS)
            .bind(now.as_millisecond())
            .bind(MAX_UNFINISHED_ATTEMPTS)
            .fetch_all(&mut *tx)
            .await?;
        for row in &quarantined {
            let id: i64 = row.try_get(0)?;
            tracing::error!(feed.id = id, reason = CRASHED_REASON, "feed quarantined");
        }
        let until = after(now, lease);
        let claimant = self.claimant();
        let ids = next_feeds(&mut tx, self.database.dialect, now, (&claimant, limit)).await?;
        let rows = DUE_FEEDS.fetch(&mut tx, &ids, |query, id| query.bind(*id)).await?;
        lend(&mut tx, &TAKE_FEEDS, &ids, until, claimant.process).await?;
        tx.commit().await?;
        let due = rows.iter().map(|row| Ok(due_feed(&Row { table: "feed_details", row }, until)?.0));
        let mut due = due.collect::<Result<Vec<_>, StoreError>>()?;
        let turns: HashMap<i64, usize> = ids.into_iter().zip(0..).collect();
        due.sort_by_key(|feed| turns.get(&feed.id.0).copied());
        Ok(due)
    }

    /// Leases one feed, due or not, and returns it with the time when it is due; `None` if it is leased already or not polled.
    pub async fn feed_claim(
        &self,
        id: FeedId,
        lease: Duration,
    ) -> Result<Option<(DueFeed, Timestamp)>, StoreError> {
        let until = after(self.clock.now(), lease);
        let mut tx = self.database.write().await?;
        let row =
            sqlx::query(self.database.dialect.choose(FREE_FEED)).bind(id.0).fetch_optional(&mut *tx).await?;
        if row.is_some() {
            sqlx::query(LEND_FEED)
                .bind(id.0)
                .bind(until.as_millisecond())
                .bind(self.shards.process())
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        row.map(|row| due_feed(&Row { table: "feed_details", row: &row }, until)).transpose()
    }

    /// Marks a feed as being parsed: if the process dies now, the mark stays.
    pub async fn feed_attempt_begin(&self, id: FeedId, lease: Lease) -> Result<(), StoreError> {
        self.attempt(BEGIN_FEED_ATTEMPT, id.0, lease).await
    }

    /// Clears a feed's mark: the parse ended, whatever the result.
    pub async fn feed_attempt_end(&self, id: FeedId, lease: Lease) -> Result<(), StoreError> {
        self.attempt(END_FEED_ATTEMPT, id.0, lease).await
    }

    /// Releases feeds unpolled, each to be due at the time given with it. A later time holds only as long as this process
    /// runs: see [`Store::lock_for_running`].
    pub async fn feeds_release(&self, feeds: &[(FeedId, Lease, Timestamp)]) -> Result<(), StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        RELEASE_FEEDS
            .execute(&mut tx, feeds, |query, (id, lease, due)| {
                query.bind(id.0).bind(lease.epoch).bind(due.as_millisecond()).bind(i64::from(*due > now))
            })
            .await?;
        tx.commit().await
    }

    /// Makes quarantined and gone feeds active again, due at once. Returns how many of `feeds` were in these states.
    pub async fn feeds_release_quarantined(&self, feeds: &[FeedId]) -> Result<u64, StoreError> {
        let now = self.clock.now().as_millisecond();
        let mut tx = self.database.write().await?;
        let released =
            UNQUARANTINE_FEEDS.execute(&mut tx, feeds, |query, id| query.bind(id.0).bind(now)).await?;
        self.signal(&mut tx, Signal::Feeds).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Makes feeds due at once, whatever their schedule says. A leased feed is polled again after its current poll. Returns how
    /// many of `feeds` are active.
    pub async fn feeds_make_due(&self, feeds: &[FeedId]) -> Result<u64, StoreError> {
        let now = self.clock.now().as_millisecond();
        let mut tx = self.database.write().await?;
        let due = MAKE_DUE.execute(&mut tx, feeds, |query, id| query.bind(id.0).bind(now)).await?;
        self.signal(&mut tx, Signal::Feeds).await?;
        tx.commit().await?;
        Ok(due)
    }

    /// Returns when the next feed is due.
    pub async fn feeds_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let next = sqlx::query(self.database.dialect.choose(NEXT_DUE_FEED)).bind(self.shards.claimed());
        let row = next.fetch_one(&self.database.readers).await?;
        Row { table: "feeds", row: &row }.optional_time("due")
    }
}

struct KnownFeed {
    id: FeedId,
    configured_url_sha256: Sha256Hash,
    state: FeedState,
    /// `None` if the feed was stored before parties were.
    party: Option<PartyId>,
}

impl TryFrom<Row<'_>> for KnownFeed {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: FeedId(row.get("id")?),
            configured_url_sha256: row.hash("configured_url_sha256")?,
            state: row.word("state")?,
            party: Some(PartyId(row.get("party")?)).filter(|party| *party != UNNAMED),
        })
    }
}

/// The value in the database for an unknown party.
const UNNAMED: PartyId = PartyId(0);

/// Returns the party of a feed.
fn party_of(configured_url: &Url) -> PartyId {
    PartyId::of(&party(configured_url).unwrap_or_default())
}

/// Sets the shard of feeds that an earlier feedmill stored without one.
async fn work_out_shards(tx: &mut AnyConnection) -> Result<(), StoreError> {
    let rows = sqlx::query(WITHOUT_SHARD).fetch_all(&mut *tx).await?;
    let mut shards = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Row { table: "feed_details", row };
        shards.push((row.get::<i64>("feed_id")?, shard_of(&row.url("url")?)));
    }
    SET_SHARDS.execute(tx, &shards, |query, (id, shard)| query.bind(*id).bind(i64::from(shard.0))).await?;
    Ok(())
}

const WITHOUT_SHARD: &str =
    "SELECT d.feed_id, d.url FROM feeds f JOIN feed_details d ON d.feed_id = f.id WHERE f.shard = -1";

const SET_SHARDS: RowsSql = RowsSql {
    before: "WITH known (feed_id, shard) AS (VALUES ",
    columns: 2,
    after: ") UPDATE feeds SET shard = known.shard FROM known WHERE id = known.feed_id",
};

/// Number of the advisory lock for changes of feeds; feedmill's own, chosen at random.
pub(super) const FEEDS_LOCK: i64 = 3_318_905_774_120_660_247;

const KNOWN_FEEDS: &str = "SELECT id, configured_url_sha256, state, party FROM feeds";

const RESTORE_FEEDS: RowsSql = RowsSql {
    before: "UPDATE feeds SET state = 'active', suspect = 0, unfinished_attempts = 0 WHERE id IN (VALUES ",
    columns: 1,
    after: ")",
};

/// What was published while a feed was not watched is a backlog, like that of a new feed: the next read counts as its first.
const FORGET_FIRST_READS: RowsSql = RowsSql {
    before: "UPDATE feed_details SET first_read_at = NULL WHERE feed_id IN (VALUES ",
    columns: 1,
    after: ")",
};

const REMOVE_FEEDS: RowsSql =
    RowsSql { before: "UPDATE feeds SET state = 'removed' WHERE id IN (VALUES ", columns: 1, after: ")" };

const SET_PARTIES: RowsSql = RowsSql {
    before: "WITH named (feed_id, party) AS (VALUES ",
    columns: 2,
    after: ") UPDATE feeds SET party = named.party FROM named WHERE id = named.feed_id",
};

const FEED_TAGS: &str = "SELECT d.feed_id, d.tags, f.configured_url_sha256 \
    FROM feed_details d JOIN feeds f ON f.id = d.feed_id";

const SET_TAGS: RowsSql = RowsSql {
    before: "WITH tagged (feed_id, tags) AS (VALUES ",
    columns: 2,
    after: ") UPDATE feed_details SET tags = nullif(tagged.tags, '') FROM tagged WHERE feed_details.feed_id = tagged.feed_id",
};

struct NewFeed<'u> {
    configured_url_sha256: Sha256Hash,
    url: &'u Url,
    next_poll_at: Timestamp,
}

/// Limits the spread per new feed: a few new feeds need hardly any, and whoever adds one wants to see it polled.
const LONGEST_WAIT_EACH: Duration = Duration::from_secs(1);

/// Returns a time within `spread` that depends on the URL alone, so that a fresh start spreads the same feeds the same way.
fn first_poll(configured_url: &Sha256Hash, now: Timestamp, spread: Duration) -> Timestamp {
    let [first, second, ..] = configured_url.0;
    let share = f64::from(u16::from_be_bytes([first, second])) / 65_536.0;
    SignedDuration::try_from(spread.mul_f64(share))
        .ok()
        .and_then(|wait| now.checked_add(wait).ok())
        .unwrap_or(now)
}

async fn insert_feeds(tx: &mut AnyConnection, feeds: &[NewFeed<'_>]) -> Result<(), StoreError> {
    let rows = INSERT_FEEDS
        .fetch(tx, feeds, |query, feed| {
            query
                .bind(bytes(&feed.configured_url_sha256))
                .bind(word(FeedState::Active))
                .bind(feed.next_poll_at.as_millisecond())
                .bind(party_of(feed.url).0)
                .bind(i64::from(shard_of(feed.url).0))
        })
        .await?;
    let urls: HashMap<Sha256Hash, &Url> =
        feeds.iter().map(|feed| (feed.configured_url_sha256, feed.url)).collect();
    let mut details = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Row { table: "feeds", row };
        let hash = row.hash("configured_url_sha256")?;
        details.push((row.get::<i64>("id")?, urls.get(&hash).copied()));
    }
    let history = json("a feed's history", &History::default())?;
    INSERT_FEED_DETAILS
        .execute(tx, &details, |query, (id, url)| {
            let url = url.map(Url::as_str);
            query.bind(*id).bind(url).bind(url).bind(history.as_str())
        })
        .await?;
    Ok(())
}

const INSERT_FEEDS: RowsSql = RowsSql {
    before: "INSERT INTO feeds (configured_url_sha256, state, next_poll_at, party, shard) VALUES ",
    columns: 5,
    after: " RETURNING id, configured_url_sha256",
};

const INSERT_FEED_DETAILS: RowsSql = RowsSql {
    before: "INSERT INTO feed_details (feed_id, configured_url, url, history) VALUES ",
    columns: 4,
    after: "",
};

const QUARANTINE_FEEDS: &str = "UPDATE feeds SET state = 'quarantined' \
    WHERE unfinished_attempts > 0 AND unfinished_attempts >= $2 AND state = 'active' AND lease_until <= $1 \
    RETURNING id";

macro_rules! due_feeds {
    ($which:expr, $lock:literal) => {
        concat!(
            "SELECT f.id, f.next_poll_at, f.lease_until, f.lease_epoch, f.suspect, d.configured_url, d.url, d.etag, \
             d.last_modified, d.body_sha256, d.history, s.expires_at AS delivered_until \
             FROM feeds f JOIN feed_details d ON d.feed_id = f.id \
             LEFT JOIN subscriptions s ON s.feed_id = f.id AND s.state = 'active' \
             WHERE f.state = 'active' AND ",
            $which,
            $lock,
        )
    };
}

/// The feeds with the given ids, which an earlier query found due.
const DUE_FEEDS: RowsSql = RowsSql { before: due_feeds!("f.id IN (VALUES ", ""), columns: 1, after: ")" };

const TAKE_FEEDS: RowsSql = take_rows!("feeds");

const FREE_FEED: DialectSql = DialectSql {
    sqlite: due_feeds!("f.lease_until = 0 AND f.id = $1", ""),
    postgres: due_feeds!("f.lease_until = 0 AND f.id = $1", " FOR UPDATE OF f"),
};

/// Leaves `put_off` as it is.
const LEND_FEED: &str =
    "UPDATE feeds SET lease_until = $2, lease_epoch = lease_epoch + 1, holder = $3 WHERE id = $1";

/// Returns the feed in a row as it is once leased, and when it was due.
fn due_feed(row: &Row<'_>, lease_until: Timestamp) -> Result<(DueFeed, Timestamp), StoreError> {
    let epoch: i64 = row.get("lease_epoch")?;
    let was_lent = row.get::<i64>("lease_until")? > 0;
    let feed = DueFeed {
        id: FeedId(row.get("id")?),
        lease: Lease { epoch: epoch + 1, until: lease_until },
        configured_url: row.url("configured_url")?,
        url: row.url("url")?,
        validators: Validators { etag: row.get("etag")?, last_modified: row.get("last_modified")? },
        suspect: was_lent || row.flag("suspect")?,
        body_sha256: row.optional_hash("body_sha256")?,
        delivered_until: row.optional_time("delivered_until")?,
        history: row.json("history")?,
    };
    Ok((feed, row.time("next_poll_at")?))
}

const BEGIN_FEED_ATTEMPT: &str =
    "UPDATE feeds SET unfinished_attempts = unfinished_attempts + 1 WHERE id = $1 AND lease_epoch = $2";

const END_FEED_ATTEMPT: &str = "UPDATE feeds SET unfinished_attempts = 0 WHERE id = $1 AND lease_epoch = $2";

const RELEASE_FEEDS: RowsSql = RowsSql {
    before: "WITH released (feed_id, epoch, due, is_later) AS (VALUES ",
    columns: 4,
    after: ") UPDATE feeds SET lease_until = 0, unfinished_attempts = 0, next_poll_at = released.due, \
        put_off = CASE WHEN released.due > next_poll_at THEN released.is_later ELSE put_off END FROM released \
        WHERE id = released.feed_id AND lease_epoch = released.epoch",
};

const UNQUARANTINE_FEEDS: RowsSql = RowsSql {
    before: "WITH released (feed_id, due) AS (VALUES ",
    columns: 2,
    after: ") UPDATE feeds SET state = 'active', suspect = 0, unfinished_attempts = 0, next_poll_at = released.due FROM released \
        WHERE id = released.feed_id AND state IN ('quarantined', 'gone')",
};

const MAKE_DUE: RowsSql = RowsSql {
    before: "WITH wanted (feed_id, due) AS (VALUES ",
    columns: 2,
    after: ") UPDATE feeds SET next_poll_at = wanted.due, put_off = 0 FROM wanted WHERE id = wanted.feed_id AND state = 'active'",
};

/// A leased feed is due when its lease ends, but not before its scheduled time: a delivery leases feeds that are not due.
macro_rules! next_due_feed {
    ($dialect:ident) => {
        concat!(
            "SELECT min(due) AS due FROM (\
                SELECT * FROM (SELECT next_poll_at AS due FROM feeds WHERE state = 'active' AND lease_until = 0 AND ",
            is_ours!($dialect, "$1", "shard"),
            " ORDER BY next_poll_at LIMIT 1) AS free \
                UNION ALL SELECT min(CASE WHEN lease_until > next_poll_at THEN lease_until ELSE next_poll_at END) AS due \
                FROM feeds WHERE state = 'active' AND lease_until > 0 AND ",
            is_ours!($dialect, "$1", "shard"),
            ") AS either"
        )
    };
}

const NEXT_DUE_FEED: DialectSql =
    DialectSql { sqlite: next_due_feed!(sqlite), postgres: next_due_feed!(postgres) };
