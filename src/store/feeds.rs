//! Feeds as rows: which there are, which are due, who has them.

use std::collections::HashMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::AnyConnection;
use sqlx::Row as _;
use url::Url;

use super::claim::{CRASHED_REASON, ClaimSql, MAX_UNFINISHED_ATTEMPTS, take_rows};
use super::connection::DialectSql;
use super::sql::{Row, RowsSql, bytes, json, models, word};
use super::{Store, StoreError};
use crate::model::{DueFeed, FeedId, HostPause, Lease, Sha256Hash, Validators, after, host_with_port};
use crate::parse::FeedInfo;
use crate::schedule::{Decision, History};

/// What a change of the configured feeds did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FeedsSync {
    /// Feeds not known before.
    pub added: u64,
    /// Known feeds that are configured again or enabled again.
    pub restored: u64,
    /// Feeds no longer configured: kept, not polled.
    pub removed: u64,
}

/// State of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// Polled when due.
    Active,
    /// Answered 410: polled no more until released or configured anew.
    Gone,
    /// Its body crashed the parser again and again: polled no more until released.
    Quarantined,
    /// No longer configured.
    Removed,
}

/// How a feed does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedHealth {
    /// It was never polled.
    New,
    /// The last poll brought a feed, or that nothing has changed.
    Succeeding,
    /// The last poll failed.
    Failing,
    /// See [`FeedState::Gone`].
    Gone,
    /// See [`FeedState::Quarantined`].
    Quarantined,
    /// See [`FeedState::Removed`].
    Removed,
}

impl FeedHealth {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Succeeding => "succeeding",
            Self::Failing => "failing",
            Self::Gone => "gone",
            Self::Quarantined => "quarantined",
            Self::Removed => "removed",
        }
    }

    fn of(state: FeedState, was_polled: bool, has_failed: bool) -> Self {
        match state {
            FeedState::Active if !was_polled => Self::New,
            FeedState::Active if has_failed => Self::Failing,
            FeedState::Active => Self::Succeeding,
            FeedState::Gone => Self::Gone,
            FeedState::Quarantined => Self::Quarantined,
            FeedState::Removed => Self::Removed,
        }
    }
}

/// A feed as the operator sees it.
#[derive(Clone, Debug, serde::Serialize)]
pub struct FeedStatus {
    /// Its row.
    pub id: FeedId,
    /// As configured.
    #[serde(serialize_with = "crate::model::serialize_masked")]
    pub configured_url: Url,
    /// Where it is polled.
    #[serde(serialize_with = "crate::model::serialize_masked")]
    pub url: Url,
    /// Its state.
    #[serde(skip)]
    pub state: FeedState,
    /// How it does.
    #[serde(rename = "state")]
    pub health: FeedHealth,
    /// The pause that its host has asked for (Retry-After), which no poll breaks.
    pub host_pause: Option<HostPause>,
    /// The operator's tags.
    pub tags: Vec<String>,
    /// Its title.
    pub title: Option<String>,
    /// What it last said of itself; nothing before it was read.
    pub info: Option<FeedInfo>,
    /// What was repaired or lost when it was last read.
    pub warnings: Vec<String>,
    /// Last poll.
    pub last_polled_at: Option<Timestamp>,
    /// Last poll that brought a feed or a 304.
    pub last_success_at: Option<Timestamp>,
    /// Next poll.
    pub next_poll_at: Timestamp,
    /// Why then.
    pub next_poll_decided_by: Option<Decision>,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// Why the last poll failed; `None` after a success.
    pub last_error: Option<String>,
    /// Until when a hub has promised to deliver it.
    pub delivered_until: Option<Timestamp>,
    /// Entries seen.
    pub entries: u64,
}

impl Store {
    /// Makes the store's feeds those of the config. A new feed is due at once, spread by at most `spread`.
    pub async fn feeds_sync(&self, configured: &[Url], spread: Duration) -> Result<FeedsSync, StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        // Processes that start or reload together know the same new feeds: one of them adds each.
        self.database.exclude_others(&mut tx, FEEDS_LOCK).await?;
        let mut new: HashMap<Sha256Hash, &Url> =
            configured.iter().map(|url| (Sha256Hash::of(url.as_str()), url)).collect();
        let (mut restored, mut removed) = (Vec::new(), Vec::new());
        let rows = sqlx::query(KNOWN_FEEDS).fetch_all(&mut *tx).await?;
        for feed in models::<KnownFeed>("feeds", &rows)? {
            match (new.remove(&feed.configured_url_sha256), feed.state) {
                (Some(_), FeedState::Removed) => restored.push(feed.id),
                (None, FeedState::Active | FeedState::Gone | FeedState::Quarantined) => removed.push(feed.id),
                (Some(_), _) | (None, FeedState::Removed) => {}
            }
        }
        let new: Vec<NewFeed<'_>> = new
            .into_iter()
            .map(|(hash, url)| NewFeed {
                configured_url_sha256: hash,
                url,
                next_poll_at: first_poll(&hash, now, spread),
            })
            .collect();
        insert_feeds(&mut tx, &new).await?;
        let sync = FeedsSync {
            added: new.len() as u64,
            restored: RESTORE_FEEDS.execute(&mut tx, &restored, |query, id| query.bind(id.0)).await?,
            removed: REMOVE_FEEDS.execute(&mut tx, &removed, |query, id| query.bind(id.0)).await?,
        };
        tx.commit().await?;
        Ok(sync)
    }

    /// Writes down the operator's tags on the configured feeds.
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

    /// Lends out up to `limit` feeds that are due, longest overdue first. A feed that was begun and never finished goes
    /// last, by itself; again and again, and it is quarantined instead.
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
        let rows = CLAIM_FEEDS.run(&mut tx, self.database.dialect, now, until, limit).await?;
        tx.commit().await?;
        rows.iter().map(|row| Ok(due_feed(&Row { table: "feed_details", row }, until)?.0)).collect()
    }

    /// Lends out one feed, due or not, with the time at which it is due; `None` where it is lent out already or not polled.
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
            sqlx::query(LEND_FEED).bind(id.0).bind(until.as_millisecond()).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        row.map(|row| due_feed(&Row { table: "feed_details", row: &row }, until)).transpose()
    }

    /// Marks a feed as being parsed: if the process dies now, the mark stays.
    pub async fn feed_attempt_begin(&self, id: FeedId, lease: Lease) -> Result<(), StoreError> {
        self.attempt(BEGIN_FEED_ATTEMPT, id.0, lease).await
    }

    /// Takes the marks back: the parse came to an end, whatever it brought.
    pub async fn feed_attempt_end(&self, id: FeedId, lease: Lease) -> Result<(), StoreError> {
        self.attempt(END_FEED_ATTEMPT, id.0, lease).await
    }

    /// Gives feeds back unpolled, each to be due again at the time that stands with it. A later time holds as long as
    /// this process runs: see [`Store::lock_for_running`].
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

    /// Lets feeds be polled again, at once, that are quarantined or gone. Says how many were.
    pub async fn feeds_release_quarantined(&self, feeds: &[FeedId]) -> Result<u64, StoreError> {
        let now = self.clock.now().as_millisecond();
        let mut tx = self.database.write().await?;
        let released =
            UNQUARANTINE_FEEDS.execute(&mut tx, feeds, |query, id| query.bind(id.0).bind(now)).await?;
        tx.commit().await?;
        Ok(released)
    }

    /// Makes feeds due at once, whatever their schedule says. One that is lent out is polled again after that. Says how many
    /// are polled at all.
    pub async fn feeds_make_due(&self, feeds: &[FeedId]) -> Result<u64, StoreError> {
        let now = self.clock.now().as_millisecond();
        let mut tx = self.database.write().await?;
        let due = MAKE_DUE.execute(&mut tx, feeds, |query, id| query.bind(id.0).bind(now)).await?;
        tx.commit().await?;
        Ok(due)
    }

    /// When the next feed is due.
    pub async fn feeds_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(NEXT_DUE_FEED).fetch_one(&self.database.readers).await?;
        Row { table: "feeds", row: &row }.optional_time("due")
    }

    /// Every feed, by configured URL.
    pub async fn feeds_list(&self) -> Result<Vec<FeedStatus>, StoreError> {
        let rows = sqlx::query(LIST_FEEDS).fetch_all(&self.database.readers).await?;
        let mut feeds: Vec<FeedStatus> = models("feed_details", &rows)?;
        let pauses: HashMap<String, HostPause> =
            self.host_pauses().await?.into_iter().map(|pause| (pause.host.clone(), pause)).collect();
        for feed in feeds.iter_mut().filter(|feed| feed.state == FeedState::Active) {
            feed.host_pause = pauses.get(&host_with_port(&feed.url)).cloned();
        }
        Ok(feeds)
    }
}

struct KnownFeed {
    id: FeedId,
    configured_url_sha256: Sha256Hash,
    state: FeedState,
}

impl TryFrom<Row<'_>> for KnownFeed {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: FeedId(row.get("id")?),
            configured_url_sha256: row.hash("configured_url_sha256")?,
            state: row.word("state")?,
        })
    }
}

/// feedmill's own number for it, chosen at random.
const FEEDS_LOCK: i64 = 3_318_905_774_120_660_247;

const KNOWN_FEEDS: &str = "SELECT id, configured_url_sha256, state FROM feeds";

const RESTORE_FEEDS: RowsSql = RowsSql {
    before: "UPDATE feeds SET state = 'active', suspect = 0, unfinished_attempts = 0 WHERE id IN (VALUES ",
    columns: 1,
    after: ")",
};

const REMOVE_FEEDS: RowsSql =
    RowsSql { before: "UPDATE feeds SET state = 'removed' WHERE id IN (VALUES ", columns: 1, after: ")" };

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

/// A moment within `spread` that depends on the URL alone: starting over spreads the same feeds the same way.
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
    before: "INSERT INTO feeds (configured_url_sha256, state, next_poll_at) VALUES ",
    columns: 3,
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

macro_rules! claim_feeds {
    ($which:literal, $lock:literal) => {
        due_feeds!(
            concat!(
                "f.next_poll_at <= $1 AND f.lease_until <= $1 AND ",
                $which,
                " ORDER BY f.next_poll_at, f.id LIMIT $2"
            ),
            $lock
        )
    };
}

/// SQLite has one writer at a time, so nothing needs to be skipped.
const CLAIM_FEEDS: ClaimSql = ClaimSql {
    unmarked: DialectSql {
        sqlite: claim_feeds!("f.unfinished_attempts = 0", ""),
        postgres: claim_feeds!("f.unfinished_attempts = 0", " FOR UPDATE OF f SKIP LOCKED"),
    },
    marked: DialectSql {
        sqlite: claim_feeds!("f.unfinished_attempts > 0", ""),
        postgres: claim_feeds!("f.unfinished_attempts > 0", " FOR UPDATE OF f SKIP LOCKED"),
    },
    take: take_rows!("feeds"),
};

const FREE_FEED: DialectSql = DialectSql {
    sqlite: due_feeds!("f.lease_until = 0 AND f.id = $1", ""),
    postgres: due_feeds!("f.lease_until = 0 AND f.id = $1", " FOR UPDATE OF f"),
};

/// Where it was put off, it still is.
const LEND_FEED: &str = "UPDATE feeds SET lease_until = $2, lease_epoch = lease_epoch + 1 WHERE id = $1";

/// A found feed as it is once it is lent out, and when it was due.
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

/// A lent feed is due when its lease ends, and no sooner than it would be otherwise: a delivery takes one that is not due.
const NEXT_DUE_FEED: &str = "SELECT min(due) AS due FROM (\
    SELECT * FROM (SELECT next_poll_at AS due FROM feeds WHERE state = 'active' AND lease_until = 0 \
        ORDER BY next_poll_at LIMIT 1) AS free \
    UNION ALL SELECT min(CASE WHEN lease_until > next_poll_at THEN lease_until ELSE next_poll_at END) AS due FROM feeds \
        WHERE state = 'active' AND lease_until > 0) AS either";

const LIST_FEEDS: &str = "SELECT f.id, f.state, f.next_poll_at, d.configured_url, d.url, i.title, i.info, i.warnings, d.tags, d.last_polled_at, \
        d.last_success_at, d.decided_by, d.history, d.error_reason, coalesce(e.entries, 0) AS entries, \
        s.expires_at AS delivered_until \
    FROM feeds f JOIN feed_details d ON d.feed_id = f.id LEFT JOIN feed_infos i ON i.feed_id = f.id \
    LEFT JOIN subscriptions s ON s.feed_id = f.id AND s.state = 'active' \
    LEFT JOIN (SELECT feed_id, count(*) AS entries FROM entries GROUP BY feed_id) e ON e.feed_id = f.id \
    ORDER BY d.configured_url";

impl TryFrom<Row<'_>> for FeedStatus {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        let history: History = row.json("history")?;
        let state = row.word("state")?;
        let last_error: Option<String> = row.get("error_reason")?;
        let last_polled_at = row.optional_time("last_polled_at")?;
        Ok(Self {
            id: FeedId(row.get("id")?),
            configured_url: row.url("configured_url")?,
            url: row.url("url")?,
            state,
            health: FeedHealth::of(state, last_polled_at.is_some(), last_error.is_some()),
            host_pause: None,
            tags: row.optional_json("tags")?.unwrap_or_default(),
            title: row.get("title")?,
            info: row.optional_json("info")?,
            warnings: row.optional_json("warnings")?.unwrap_or_default(),
            last_polled_at,
            last_success_at: row.optional_time("last_success_at")?,
            next_poll_at: row.time("next_poll_at")?,
            next_poll_decided_by: row.optional_word("decided_by")?,
            consecutive_failures: history.consecutive_failures,
            last_error: match state {
                FeedState::Quarantined => Some(CRASHED_REASON.to_owned()),
                FeedState::Active | FeedState::Gone | FeedState::Removed => last_error,
            },
            delivered_until: row.optional_time("delivered_until")?,
            entries: row.number("entries")?,
        })
    }
}
