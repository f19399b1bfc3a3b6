//! Feeds a page at a time: looked for, in order, however many there are.
//!
//! First the ids of one page are found, then their rows are read. To find them, an index is walked in order, and each feed is
//! looked up among the ids that a state admits, which indexes answer too: joining the tables took a second for a hundred
//! thousand feeds where this takes a tenth of one. The plus signs keep SQLite from walking those ids instead.
//!
//! What is looked for by words is counted first: of a few all are put in order, of many the first ones are met soon on the way
//! along the index. Neither way alone would do, since a word may stand in one address or in each.
//!
//! A page begins behind a feed, or ends before one, and not behind so many of them: the last page costs what the first does, and
//! what is added or removed meanwhile moves nothing from one page to the next.

use std::collections::HashMap;
use std::fmt;
use std::str::FromStr;

use jiff::Timestamp;
use sqlx::AssertSqlSafe;

use super::connection::{Dialect, DialectSql};
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
    /// From where on.
    pub window: FeedWindow,
}

/// Which part of a list is wanted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FeedWindow {
    /// Its beginning.
    #[default]
    First,
    /// What comes behind a feed.
    After(FeedEdge),
    /// What comes before a feed, up to that.
    Before(FeedEdge),
    /// Its end.
    Last,
}

/// A feed at the edge of a page: its place in every order. The address is looked up, since it may hold a secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct FeedEdge {
    id: i64,
    next_poll_at: i64,
}

impl FeedEdge {
    /// Of a feed on a page.
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
        let (id, next_poll_at) = known.ok_or_else(|| format!("{text:?} is no place in the list"))?;
        Ok(Self { id, next_poll_at })
    }
}

impl TryFrom<String> for FeedEdge {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

/// A part of a list.
#[derive(Clone, Debug)]
pub struct FeedsPage {
    /// The feeds, in order.
    pub feeds: Vec<FeedStatus>,
    /// Whether others come before them.
    pub has_before: bool,
    /// Whether others come behind them.
    pub has_behind: bool,
}

impl Store {
    /// Up to `limit` feeds.
    pub async fn feeds_page(&self, query: &FeedQuery, limit: u32) -> Result<FeedsPage, StoreError> {
        let found = self.feeds_holding(&query.part).await?;
        let sql = ids_sql(self.database.dialect, query, &found);
        // Put together from the constants below, and numbers. One more than is wanted tells whether there are others.
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

    /// The feeds whose addresses or titles hold `part`.
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

impl FeedWindow {
    /// Whether it is walked from its end.
    const fn is_backward(self) -> bool {
        matches!(self, Self::Before(_) | Self::Last)
    }
}

/// What was looked for by words.
enum Found {
    /// Nothing was.
    All,
    /// These ids, in no order; one may be there twice.
    Few(Vec<i64>),
    /// Too many to be named.
    Many,
}

/// Feeds that are put in order rather than met along an index.
const FEW: u32 = 5_000;

/// In PostgreSQL addresses and titles are compared as SQLite does, by bytes and with only ASCII letters in either case: by the
/// rules of a language it takes three times as long.
const HOLDING: DialectSql = DialectSql {
    sqlite: "SELECT feed_id FROM feed_details WHERE configured_url LIKE $1 ESCAPE '\\' \
        UNION ALL SELECT feed_id FROM feed_infos WHERE title LIKE $1 ESCAPE '\\' LIMIT $2",
    postgres: "SELECT feed_id FROM feed_details WHERE configured_url COLLATE \"C\" ILIKE $1 ESCAPE '\\' \
        UNION ALL SELECT feed_id FROM feed_infos WHERE title COLLATE \"C\" ILIKE $1 ESCAPE '\\' LIMIT $2",
};

/// How the two put the list into words.
struct Words {
    /// PostgreSQL would compare row by row for it.
    plus: &'static str,
    /// An address as it is put in order: PostgreSQL's indexes refuse long ones.
    address: &'static str,
    /// The ids of feeds that were never polled: in PostgreSQL by a column that polls leave as it is.
    never_polled: &'static str,
    /// Whether a feed holds what is looked for, for its id and a parameter.
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
            // Whether there is one would be answered for all feeds at once, by a join of them.
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

/// The ids of one page, as a statement: how many, what the addresses or titles hold, and the edge.
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

/// Among which ids a feed of that health is, and among which it is not.
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
