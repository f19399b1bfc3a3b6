//! Feeds a page at a time: looked for, in order, however many there are.
//!
//! First the ids of one page are found, then their rows are read. To find them, an index is walked in order, and each feed is
//! looked up among the ids that a search or a state admits, which indexes answer too: joining the tables took a second for
//! a hundred thousand feeds where this takes a tenth of one. The plus signs keep SQLite from walking those ids instead.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;

use super::connection::Dialect;
use super::sql::{Row, containing, models};
use super::{ArticleStatus, EntryStatus, FeedHealth, FeedStatus, Store, StoreError};
use crate::model::FeedId;

/// In which order feeds are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedOrder {
    /// By configured address.
    #[default]
    Address,
    /// By when they are polled next, the first at the front; those that are not polled are left out.
    NextPoll,
    /// By when they were added, the last at the front.
    Newest,
}

/// Which feeds are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedQuery {
    /// Their addresses or titles hold this; all do where it is empty.
    pub part: String,
    /// How they do; all that are configured where `None`.
    pub health: Option<FeedHealth>,
    /// In which order.
    pub order: FeedOrder,
}

impl Store {
    /// Up to `limit` feeds behind the first `offset`.
    pub async fn feeds_page(
        &self,
        query: &FeedQuery,
        offset: u32,
        limit: u32,
    ) -> Result<Vec<FeedStatus>, StoreError> {
        let sql = ids_sql(self.database.dialect, query);
        // Put together from the constants below.
        let mut ids = sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit)).bind(i64::from(offset));
        if !query.part.is_empty() {
            ids = ids.bind(containing(&query.part));
        }
        let rows = ids.fetch_all(&self.database.readers).await?;
        let ids: Vec<i64> =
            rows.iter().map(|row| Row { table: "feeds", row }.get("id")).collect::<Result<_, _>>()?;
        let feeds = self.feeds_by_ids(&ids).await?;
        let mut feeds: HashMap<i64, FeedStatus> = feeds.into_iter().map(|feed| (feed.id.0, feed)).collect();
        Ok(ids.iter().filter_map(|id| feeds.remove(id)).collect())
    }

    /// Up to `limit` articles that a feed announced first, the latest at the front.
    pub async fn feed_articles(&self, id: FeedId, limit: u32) -> Result<Vec<ArticleStatus>, StoreError> {
        let rows = sqlx::query(super::history::OF_FEED)
            .bind(id.0)
            .bind(i64::from(limit))
            .fetch_all(&self.database.readers)
            .await?;
        models("articles", &rows)
    }

    /// Up to `limit` entries of a feed whose last attempt failed.
    pub async fn feed_entries_in_trouble(
        &self,
        id: FeedId,
        limit: u32,
    ) -> Result<Vec<EntryStatus>, StoreError> {
        let rows = sqlx::query(super::entries::TROUBLE_OF_FEED)
            .bind(id.0)
            .bind(i64::from(limit))
            .fetch_all(&self.database.readers)
            .await?;
        models("entries", &rows)
    }
}

/// The ids of one page, as a statement: limit, offset, and what the addresses or titles hold.
fn ids_sql(dialect: Dialect, query: &FeedQuery) -> String {
    let (from, id) = match query.order {
        FeedOrder::Address => (" FROM feed_details d WHERE ", "d.feed_id"),
        FeedOrder::NextPoll => (" FROM feeds f WHERE f.state = 'active' AND ", "f.id"),
        FeedOrder::Newest => (" FROM feeds f WHERE ", "f.id"),
    };
    let order = match query.order {
        FeedOrder::Address => "d.configured_url",
        FeedOrder::NextPoll => "f.next_poll_at, f.id",
        FeedOrder::Newest => "f.id DESC",
    };
    // PostgreSQL would compare row by row for the plus.
    let (plus, like) = match dialect {
        Dialect::Sqlite => ("+", "LIKE"),
        Dialect::Postgres => ("", "ILIKE"),
    };
    let mut conditions: Vec<String> = of_health(query.health)
        .iter()
        .map(|(membership, set)| format!("{plus}{id} {membership} ({set})"))
        .collect();
    if !query.part.is_empty() {
        conditions.push(format!(
            "{plus}{id} IN (SELECT feed_id FROM feed_details WHERE configured_url {like} $3 ESCAPE '\\' \
             UNION ALL SELECT feed_id FROM feed_infos WHERE title {like} $3 ESCAPE '\\')"
        ));
    }
    format!("SELECT {id} AS id{from}{} ORDER BY {order} LIMIT $1 OFFSET $2", conditions.join(" AND "))
}

/// Among which ids a feed of that health is, and among which it is not.
const fn of_health(health: Option<FeedHealth>) -> &'static [(&'static str, &'static str)] {
    const AT_REST: &str = "SELECT id FROM feeds WHERE state <> 'active'";
    const REMOVED: &str = "SELECT id FROM feeds WHERE state <> 'active' AND state = 'removed'";
    const GONE: &str = "SELECT id FROM feeds WHERE state <> 'active' AND state = 'gone'";
    const QUARANTINED: &str = "SELECT id FROM feeds WHERE state <> 'active' AND state = 'quarantined'";
    const FAILING: &str = "SELECT feed_id FROM feed_details WHERE error_label IS NOT NULL";
    const NEW: &str = "SELECT feed_id FROM feed_details WHERE last_polled_at IS NULL";
    match health {
        None => &[("NOT IN", REMOVED)],
        Some(FeedHealth::New) => &[("IN", NEW), ("NOT IN", AT_REST)],
        Some(FeedHealth::Succeeding) => &[("NOT IN", AT_REST), ("NOT IN", FAILING), ("NOT IN", NEW)],
        Some(FeedHealth::Failing) => &[("IN", FAILING), ("NOT IN", AT_REST)],
        Some(FeedHealth::Gone) => &[("IN", GONE)],
        Some(FeedHealth::Quarantined) => &[("IN", QUARANTINED)],
        Some(FeedHealth::Removed) => &[("IN", REMOVED)],
    }
}
