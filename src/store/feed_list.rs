//! Lists feeds a page at a time, searched and ordered, however many there are.
//!
//! The ids of one page are found first, then their rows are read. To find them, an index is walked in order, and each feed is
//! looked up among the ids that a health state admits, which indexes answer too. Joining the tables took a second for a
//! hundred thousand feeds; this takes a tenth of one. The unary plus signs keep SQLite from walking those ids instead.
//!
//! Feeds that match a search text are counted first: if they are few, all of them are sorted; if they are many, the first ones
//! are soon met while walking the index. Neither way alone would do, since a text may occur in one address or in all.
//!
//! A page starts after a feed or ends before one, instead of at an offset: the last page costs as much as the first, and feeds
//! that are added or removed meanwhile move nothing from one page to the next.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::connection::{Dialect, DialectSql};
use super::sql::{Row, containing, models};
use super::{ArticleStatus, EntryStatus, FeedHealth, FeedStatus, Store, StoreError};
use crate::model::FeedId;

/// The order in which feeds are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FeedOrder {
    /// By configured address.
    #[default]
    Address,
    /// By time of the next poll, soonest first; feeds that are not polled are left out.
    NextPoll,
    /// By when they were added, newest first.
    Newest,
}

/// Selects and orders the feeds to list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeedQuery {
    /// Text that the address or title must contain; empty matches all feeds.
    pub part: String,
    /// The state that feeds must have; `None` matches all configured feeds.
    pub health: Option<FeedHealth>,
    /// The order.
    pub order: FeedOrder,
    /// The part of the list.
    pub window: FeedWindow,
}

/// A part of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeedWindow {
    /// The first page.
    #[default]
    First,
    /// The page after a feed.
    After(FeedEdge),
    /// The page that ends just before a feed.
    Before(FeedEdge),
    /// The last page.
    Last,
}

/// A feed at the edge of a page: its position in every order. Its address is looked up, since it may contain a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct FeedEdge {
    id: i64,
    next_poll_at: i64,
}

impl FeedEdge {
    /// The edge at a listed feed.
    pub fn of(feed: &FeedStatus) -> Self {
        Self { id: feed.id.0, next_poll_at: feed.next_poll_at.as_millisecond() }
    }
}

impl fmt::Display for FeedEdge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.id, self.next_poll_at)
    }
}

impl FromStr for FeedEdge {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let numbers = text.split_once('-').and_then(|(id, at)| Some((id.parse().ok()?, at.parse().ok()?)));
        let known = numbers.filter(|(_, at)| Timestamp::from_millisecond(*at).is_ok());
        let (id, next_poll_at) = known.ok_or_else(|| format!("{text:?} is not a position in the list"))?;
        Ok(Self { id, next_poll_at })
    }
}

impl TryFrom<String> for FeedEdge {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct FeedsPage {
    /// The feeds, in order.
    pub feeds: Vec<FeedStatus>,
    /// Whether there are feeds before this page.
    pub has_before: bool,
    /// Whether there are feeds after this page.
    pub has_behind: bool,
}

impl Store {
    /// Returns a page of up to `limit` feeds.
    pub async fn feeds_page(&self, query: &FeedQuery, limit: u32) -> Result<FeedsPage, StoreError> {
        let found = self.feeds_holding(&query.part).await?;
        let sql = ids_sql(self.database.dialect, query, &found);
        // Built from the constants below and numbers. One id more than wanted shows whether there are others.
        let mut ids = sqlx::query(AssertSqlSafe(sql)).bind(i64::from(limit) + 1);
        if let Found::Many = found {
            ids = ids.bind(containing(&query.part));
        }
        if let FeedWindow::After(edge) | FeedWindow::Before(edge) = query.window {
            ids = ids.bind(edge.id);
            if query.order == FeedOrder::NextPoll {
                ids = ids.bind(edge.next_poll_at);
            }
        }
        let rows = ids.fetch_all(&self.database.readers).await?;
        let mut ids: Vec<i64> =
            rows.iter().map(|row| Row { table: "feeds", row }.get("id")).collect::<Result<_, _>>()?;
        let has_more = ids.len() > limit as usize;
        ids.truncate(limit as usize);
        let (has_before, has_behind) = match query.window {
            FeedWindow::First => (false, has_more),
            FeedWindow::After(_) => (true, has_more),
            FeedWindow::Before(_) => (has_more, true),
            FeedWindow::Last => (has_more, false),
        };
        if query.window.is_backward() {
            ids.reverse();
        }
        let feeds = self.feeds_by_ids(&ids).await?;
        let mut feeds: HashMap<i64, FeedStatus> = feeds.into_iter().map(|feed| (feed.id.0, feed)).collect();
        let feeds = ids.iter().filter_map(|id| feeds.remove(id)).collect();
        Ok(FeedsPage { feeds, has_before, has_behind })
    }

    /// Finds the feeds whose addresses or titles contain `part`.
    async fn feeds_holding(&self, part: &str) -> Result<Found, StoreError> {
        if part.is_empty() {
            return Ok(Found::All);
        }
        let sql = self.database.dialect.choose(HOLDING);
        let rows = sqlx::query(sql)
            .bind(containing(part))
            .bind(i64::from(FEW) + 1)
            .fetch_all(&self.database.readers)
            .await?;
        if rows.len() > FEW as usize {
            return Ok(Found::Many);
        }
        let ids = rows.iter().map(|row| Row { table: "feeds", row }.get("feed_id"));
        Ok(Found::Few(ids.collect::<Result<_, _>>()?))
    }

    /// Returns up to `limit` articles that a feed was the first to announce, newest first.
    pub async fn feed_articles(&self, id: FeedId, limit: u32) -> Result<Vec<ArticleStatus>, StoreError> {
        let rows = sqlx::query(super::history::OF_FEED)
            .bind(id.0)
            .bind(i64::from(limit))
            .fetch_all(&self.database.readers)
            .await?;
        models("articles", &rows)
    }

    /// Returns up to `limit` entries of a feed whose last attempt failed.
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

impl FeedWindow {
    /// Whether the list is walked from its end.
    const fn is_backward(self) -> bool {
        matches!(self, Self::Before(_) | Self::Last)
    }
}

/// The result of a text search among feeds.
enum Found {
    /// There is no search text: all feeds match.
    All,
    /// The matching ids, in no order; an id may occur twice.
    Few(Vec<i64>),
    /// Too many matches to list.
    Many,
}

/// At most this many matching feeds are sorted; more are met by walking an index.
const FEW: u32 = 5_000;

/// On PostgreSQL, addresses and titles are compared as SQLite does it: by bytes, ignoring case for ASCII letters only. With the
/// rules of a language it takes three times as long.
const HOLDING: DialectSql = DialectSql {
    sqlite: "SELECT feed_id FROM feed_details WHERE configured_url LIKE $1 ESCAPE '\\' \
        UNION ALL SELECT feed_id FROM feed_infos WHERE title LIKE $1 ESCAPE '\\' LIMIT $2",
    postgres: "SELECT feed_id FROM feed_details WHERE configured_url COLLATE \"C\" ILIKE $1 ESCAPE '\\' \
        UNION ALL SELECT feed_id FROM feed_infos WHERE title COLLATE \"C\" ILIKE $1 ESCAPE '\\' LIMIT $2",
};

/// The SQL fragments in which the dialects differ.
struct Words {
    /// A unary plus on SQLite (see above); none on PostgreSQL, which would compare row by row because of it.
    plus: &'static str,
    /// The address as it is sorted: PostgreSQL's indexes refuse long values.
    address: &'static str,
    /// The ids of feeds that were never polled; on PostgreSQL by a generated column that polls leave unchanged.
    never_polled: &'static str,
    /// The condition that a feed contains the search text, given its id expression and the parameter's number.
    holds: fn(&str, usize) -> String,
}

const fn words(dialect: Dialect) -> Words {
    match dialect {
        Dialect::Sqlite => Words {
            plus: "+",
            address: "d.configured_url",
            never_polled: "SELECT feed_id FROM feed_details WHERE last_polled_at IS NULL",
            holds: |id, part| {
                format!(
                    "EXISTS (SELECT 1 FROM feed_details p LEFT JOIN feed_infos i ON i.feed_id = p.feed_id WHERE p.feed_id = {id} \
                     AND (p.configured_url LIKE ${part} ESCAPE '\\' OR i.title LIKE ${part} ESCAPE '\\'))"
                )
            },
        },
        Dialect::Postgres => Words {
            plus: "",
            address: "left(d.configured_url, 500) COLLATE \"C\"",
            never_polled: "SELECT feed_id FROM feed_details WHERE never_polled",
            // PostgreSQL would turn an EXISTS into a join and evaluate it for all feeds at once.
            holds: |id, part| {
                format!(
                    "(SELECT 1 FROM feed_details p LEFT JOIN feed_infos i ON i.feed_id = p.feed_id WHERE p.feed_id = {id} \
                     AND (p.configured_url COLLATE \"C\" ILIKE ${part} ESCAPE '\\' \
                        OR i.title COLLATE \"C\" ILIKE ${part} ESCAPE '\\')) IS NOT NULL"
                )
            },
        },
    }
}

/// The SQL for the ids of one page. Parameters: the limit, the search text if it matches many, and the edge.
fn ids_sql(dialect: Dialect, query: &FeedQuery, found: &Found) -> String {
    let (from, id) = match query.order {
        FeedOrder::Address => ("feed_details d", "d.feed_id"),
        FeedOrder::NextPoll | FeedOrder::Newest => ("feeds f", "f.id"),
    };
    let Words { plus, address, never_polled, holds } = words(dialect);
    let mut conditions: Vec<String> = of_health(query.health, never_polled)
        .iter()
        .map(|(membership, set)| format!("{plus}{id} {membership} ({set})"))
        .collect();
    let mut edge = 2;
    match found {
        Found::All => {}
        Found::Few(ids) => {
            let ids: Vec<String> = ids.iter().map(i64::to_string).collect();
            conditions.push(if ids.is_empty() {
                "1 = 0".to_owned()
            } else {
                format!("{id} IN ({})", ids.join(", "))
            });
        }
        Found::Many => {
            conditions.push(holds(id, edge));
            edge += 1;
        }
    }
    let rises = (query.order == FeedOrder::Newest) == query.window.is_backward();
    let (behind, direction) = if rises { (">", "") } else { ("<", " DESC") };
    let order = match query.order {
        FeedOrder::Address => format!("{address}{direction}, d.feed_id{direction}"),
        FeedOrder::NextPoll => {
            conditions.push("f.state = 'active'".to_owned());
            format!("f.next_poll_at{direction}, f.id{direction}")
        }
        FeedOrder::Newest => format!("f.id{direction}"),
    };
    if let FeedWindow::After(_) | FeedWindow::Before(_) = query.window {
        let moment = edge + 1;
        conditions.push(match query.order {
            FeedOrder::Address => format!(
                "({address}, d.feed_id) {behind} (SELECT {address}, d.feed_id FROM feed_details d WHERE d.feed_id = ${edge})"
            ),
            FeedOrder::NextPoll => format!("(f.next_poll_at, f.id) {behind} (${moment}, ${edge})"),
            FeedOrder::Newest => format!("f.id {behind} ${edge}"),
        });
    }
    format!("SELECT {id} AS id FROM {from} WHERE {} ORDER BY {order} LIMIT $1", conditions.join(" AND "))
}

/// The sets of ids that feeds of a health must be in, or must not be in.
fn of_health(health: Option<FeedHealth>, never_polled: &'static str) -> Vec<(&'static str, &'static str)> {
    const AT_REST: &str = "SELECT id FROM feeds WHERE state <> 'active'";
    const REMOVED: &str = "SELECT id FROM feeds WHERE state <> 'active' AND state = 'removed'";
    const GONE: &str = "SELECT id FROM feeds WHERE state <> 'active' AND state = 'gone'";
    const QUARANTINED: &str = "SELECT id FROM feeds WHERE state <> 'active' AND state = 'quarantined'";
    const FAILING: &str = "SELECT feed_id FROM feed_details WHERE error_label IS NOT NULL";
    match health {
        None => vec![("NOT IN", REMOVED)],
        Some(FeedHealth::New) => vec![("IN", never_polled), ("NOT IN", AT_REST)],
        Some(FeedHealth::Succeeding) => {
            vec![("NOT IN", AT_REST), ("NOT IN", FAILING), ("NOT IN", never_polled)]
        }
        Some(FeedHealth::Failing) => vec![("IN", FAILING), ("NOT IN", AT_REST)],
        Some(FeedHealth::Gone) => vec![("IN", GONE)],
        Some(FeedHealth::Quarantined) => vec![("IN", QUARANTINED)],
        Some(FeedHealth::Removed) => vec![("IN", REMOVED)],
    }
}
