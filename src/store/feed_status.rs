//! Feeds as shown to the operator.

use std::collections::HashMap;

use jiff::Timestamp;
use url::Url;

use super::claim::CRASHED_REASON;
use super::sql::{Row, RowsSql, bytes, models};
use super::{Store, StoreError};
use crate::model::{FeedId, HostPause, Sha256Hash, host_with_port};
use crate::parse::FeedInfo;
use crate::schedule::{Decision, History};

/// State of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedState {
    /// Polled when due.
    Active,
    /// Answered 410: not polled until released, or removed from the configuration and added again.
    Gone,
    /// Its body crashed the parser repeatedly: not polled until released.
    Quarantined,
    /// No longer configured.
    Removed,
}

/// State of a feed, with the outcome of its last poll.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum FeedHealth {
    /// Never polled.
    New,
    /// The last poll brought a feed or found nothing changed.
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
    /// All values, those that need attention first.
    pub const ALL: [Self; 6] =
        [Self::Failing, Self::Gone, Self::Quarantined, Self::New, Self::Succeeding, Self::Removed];

    /// The name used in the API and on pages.
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

/// A feed as shown to the operator.
#[derive(Clone, Debug, serde::Serialize, schemars::JsonSchema)]
pub struct FeedStatus {
    /// Id of the feed.
    pub id: FeedId,
    /// The configured URL.
    #[serde(serialize_with = "crate::model::serialize_masked")]
    #[schemars(with = "Url")]
    pub configured_url: Url,
    /// The URL that is polled.
    #[serde(serialize_with = "crate::model::serialize_masked")]
    #[schemars(with = "Url")]
    pub url: Url,
    /// Its state.
    #[serde(skip)]
    pub state: FeedState,
    /// Its state, with the outcome of the last poll.
    #[serde(rename = "state")]
    pub health: FeedHealth,
    /// The pause that its host asked for (Retry-After); no poll is sent before it ends.
    pub host_pause: Option<HostPause>,
    /// The operator's tags.
    pub tags: Vec<String>,
    /// Its title.
    pub title: Option<String>,
    /// What the feed last said about itself; absent before it was first read.
    pub info: Option<FeedInfo>,
    /// What was repaired or lost when it was last read.
    pub warnings: Vec<String>,
    /// When it was last polled.
    pub last_polled_at: Option<Timestamp>,
    /// When a poll last brought a feed or a 304.
    pub last_success_at: Option<Timestamp>,
    /// When it is polled next.
    pub next_poll_at: Timestamp,
    /// What decided the time of the next poll.
    pub next_poll_decided_by: Option<Decision>,
    /// Median age of its latest entries when they were first seen, in seconds since their publication.
    pub median_age_secs: Option<u64>,
    /// Failures in a row.
    pub consecutive_failures: u32,
    /// Why the last poll failed; absent after a success.
    pub last_error: Option<String>,
    /// Until when a hub has promised to deliver the feed.
    pub delivered_until: Option<Timestamp>,
    /// Number of entries seen.
    pub entries: u64,
}

impl Store {
    /// Returns all feeds, ordered by configured URL.
    pub async fn feeds_list(&self) -> Result<Vec<FeedStatus>, StoreError> {
        let rows = sqlx::query(LIST_FEEDS).fetch_all(&self.database.readers).await?;
        self.with_pauses(models("feed_details", &rows)?).await
    }

    /// Returns one feed; `None` if there is none with this id.
    pub async fn feed_status(&self, id: FeedId) -> Result<Option<FeedStatus>, StoreError> {
        Ok(self.feeds_by_ids(&[id.0]).await?.pop())
    }

    /// Returns the feed that has this configured URL.
    pub async fn feed_at(&self, configured_url: &Url) -> Result<Option<FeedId>, StoreError> {
        let hash = Sha256Hash::of(configured_url.as_str());
        let row = sqlx::query(FEED_AT).bind(bytes(&hash)).fetch_optional(&self.database.readers).await?;
        row.map(|row| Row { table: "feeds", row: &row }.get("id").map(FeedId)).transpose()
    }

    /// Returns the feeds with these ids, in any order.
    pub(super) async fn feeds_by_ids(&self, ids: &[i64]) -> Result<Vec<FeedStatus>, StoreError> {
        let mut connection = self.database.readers.acquire().await?;
        let rows = FEEDS_BY_IDS.fetch(&mut connection, ids, |query, id| query.bind(*id)).await?;
        drop(connection);
        self.with_pauses(models("feed_details", &rows)?).await
    }

    /// Adds to active feeds the pauses that their hosts asked for.
    async fn with_pauses(&self, mut feeds: Vec<FeedStatus>) -> Result<Vec<FeedStatus>, StoreError> {
        let pauses: HashMap<String, HostPause> =
            self.host_pauses().await?.into_iter().map(|pause| (pause.host.clone(), pause)).collect();
        for feed in feeds.iter_mut().filter(|feed| feed.state == FeedState::Active) {
            feed.host_pause = pauses.get(&host_with_port(&feed.url)).cloned();
        }
        Ok(feeds)
    }
}

macro_rules! feeds {
    ($entries:literal, $rest:literal) => {
        concat!(
            "SELECT f.id, f.state, f.next_poll_at, d.configured_url, d.url, i.title, i.info, i.warnings, d.tags, \
             d.last_polled_at, d.last_success_at, d.decided_by, d.history, d.error_reason, ",
            $entries,
            " AS entries, s.expires_at AS delivered_until \
             FROM feeds f JOIN feed_details d ON d.feed_id = f.id LEFT JOIN feed_infos i ON i.feed_id = f.id \
             LEFT JOIN subscriptions s ON s.feed_id = f.id AND s.state = 'active' ",
            $rest
        )
    };
}

const FEED_AT: &str = "SELECT id FROM feeds WHERE configured_url_sha256 = $1";

const LIST_FEEDS: &str = feeds!(
    "coalesce(e.entries, 0)",
    "LEFT JOIN (SELECT feed_id, count(*) AS entries FROM entries GROUP BY feed_id) e ON e.feed_id = f.id \
     ORDER BY d.configured_url"
);

const FEEDS_BY_IDS: RowsSql = RowsSql {
    before: feeds!("(SELECT count(*) FROM entries e WHERE e.feed_id = f.id)", "WHERE f.id IN (VALUES "),
    columns: 1,
    after: ")",
};

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
            median_age_secs: history.median_age().map(|age| age.as_secs()),
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
