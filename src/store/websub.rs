//! Subscriptions at WebSub hubs. They are stored because a hub's lease outlives the process.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sqlx::AnyConnection;
use url::Url;

use super::connection::DialectSql;
use super::sql::{Row, RowsSql, models, word};
use super::{Store, StoreError};
use crate::model::FeedId;
use crate::subscription::{Ending, Subscription};

/// The hub and topic that a poll found in a feed.
#[derive(Clone, Debug)]
pub struct HubOffer {
    /// The feed.
    pub feed_id: FeedId,
    /// The subscription that the feed should have from now on; `None` if the feed names no hub.
    pub wanted: Option<Subscription>,
    /// The unguessable last part of a new subscription's callback URL.
    pub token: String,
    /// The secret that signs a new subscription's deliveries.
    pub secret: String,
}

/// A subscription with what its hub is told.
#[derive(Clone, Debug)]
pub struct HubSubscription {
    /// The feed.
    pub feed_id: FeedId,
    /// The last part of the callback URL.
    pub token: String,
    /// The secret that signs deliveries.
    pub secret: String,
    /// The callback URL that the hub was last told.
    pub callback: Option<Url>,
    /// Topic, hub and state.
    pub subscription: Subscription,
}

/// A subscription that its hub is asked to end.
#[derive(Clone, Debug)]
pub struct HubEnding {
    /// The last part of the callback URL.
    pub token: String,
    /// State of the ending.
    pub ending: Ending,
}

impl Store {
    /// Updates feeds' subscriptions to what the feeds offer now. An unchanged offer leaves the subscription alone; another hub or
    /// topic starts a new one with another callback URL, and the previous one is to be ended.
    pub async fn subscriptions_offer(&self, offers: &[HubOffer]) -> Result<(), StoreError> {
        let ids: Vec<FeedId> = offers.iter().map(|offer| offer.feed_id).collect();
        let known = {
            let mut connection = self.database.readers.acquire().await?;
            load(&mut connection, &ids).await?
        };
        let is_news = |offer: &&HubOffer| match (&offer.wanted, known.get(&offer.feed_id)) {
            (None, None) => false,
            (Some(wanted), Some(known)) => {
                (&wanted.hub, &wanted.topic) != (&known.subscription.hub, &known.subscription.topic)
            }
            (Some(_), None) | (None, Some(_)) => true,
        };
        let news: Vec<&HubOffer> = offers.iter().filter(is_news).collect();
        if news.is_empty() {
            return Ok(());
        }
        let mut tx = self.database.write().await?;
        let replaced: Vec<&HubSubscription> =
            news.iter().filter_map(|offer| known.get(&offer.feed_id)).collect();
        end(&mut tx, &replaced, self.clock.now()).await?;
        let wanted: Vec<_> = news.iter().filter_map(|offer| Some((*offer, offer.wanted.as_ref()?))).collect();
        INSERT
            .execute(&mut tx, &wanted, |query, (offer, wanted)| {
                query
                    .bind(offer.feed_id.0)
                    .bind(wanted.topic.as_str())
                    .bind(wanted.hub.as_str())
                    .bind(offer.token.as_str())
                    .bind(offer.secret.as_str())
                    .bind(word(wanted.state))
                    .bind(i64::from(wanted.attempts))
                    .bind(wanted.act_at.as_millisecond())
            })
            .await?;
        tx.commit().await
    }

    /// Returns at most `limit` subscriptions that their hubs are to be asked for, with callbacks below `callback_url`. Each is
    /// already recorded as requested, since a hub may confirm before it answers, and so that no other process asks as well. For a
    /// hub, another callback is another subscription: where the hub was told a different one, a confirmed subscription is to be
    /// ended, and a new one starts with a token and a secret from `unguessable`.
    pub async fn subscriptions_claim_due(
        &self,
        callback_url: &Url,
        unguessable: fn() -> String,
        limit: u32,
    ) -> Result<Vec<HubSubscription>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        let rows = sqlx::query(self.database.dialect.choose(DUE))
            .bind(now.as_millisecond())
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
        let mut due: Vec<HubSubscription> = models("subscriptions", &rows)?;
        let mut moved = Vec::new();
        for known in &mut due {
            if known
                .callback
                .as_ref()
                .is_some_and(|told| callback_url.join(&known.token).as_ref() != Ok(told))
            {
                moved.extend(known.ending(now));
                let before = std::mem::replace(&mut known.token, unguessable());
                known.secret = unguessable();
                let Subscription { hub, topic, .. } = known.subscription.clone();
                known.subscription = Subscription::wanted(hub, topic, now);
                let moved = sqlx::query(MOVE).bind(known.feed_id.0).bind(before);
                moved.bind(known.token.clone()).bind(known.secret.clone()).execute(&mut *tx).await?;
            }
            known.callback = callback_url.join(&known.token).ok();
            known.subscription.asking(now);
            update(&mut tx, known).await?;
        }
        insert_endings(&mut tx, &moved).await?;
        tx.commit().await?;
        Ok(due)
    }

    /// Returns when a hub is to be asked for a subscription next.
    pub async fn subscriptions_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(NEXT_DUE).fetch_one(&self.database.readers).await?;
        Row { table: "subscriptions", row: &row }.optional_time("due")
    }

    /// Ends the subscriptions of feeds that are no longer polled: removed, gone or quarantined. If such a feed is polled again, it
    /// is checked for hubs again.
    pub async fn subscriptions_end_orphaned(&self) -> Result<(), StoreError> {
        self.subscriptions_end(ORPHANED).await
    }

    /// Ends all subscriptions, and forgets which feeds were checked for hubs: none are checked from now on.
    pub async fn subscriptions_end_all(&self) -> Result<(), StoreError> {
        self.subscriptions_end(ALL).await?;
        let looks = sqlx::query(ANY_LOOK).fetch_optional(&self.database.readers).await?;
        if looks.is_none() {
            return Ok(());
        }
        let mut tx = self.database.write().await?;
        sqlx::query("DELETE FROM hub_looks").execute(&mut *tx).await?;
        tx.commit().await
    }

    async fn subscriptions_end(&self, which: &'static str) -> Result<(), StoreError> {
        // There is hardly ever one, so no transaction is begun for the check.
        if sqlx::query(which).fetch_all(&self.database.readers).await?.is_empty() {
            return Ok(());
        }
        let mut tx = self.database.write().await?;
        let rows = sqlx::query(which).fetch_all(&mut *tx).await?;
        let known = models::<HubSubscription>("subscriptions", &rows)?;
        end(&mut tx, &known.iter().collect::<Vec<_>>(), self.clock.now()).await?;
        FORGET_LOOKS.execute(&mut tx, &known, |query, known| query.bind(known.feed_id.0)).await?;
        tx.commit().await
    }

    /// Returns at most `limit` endings that hubs are to be asked for, each already recorded as requested. Deletes endings whose
    /// lease is over.
    pub async fn subscription_endings_claim_due(&self, limit: u32) -> Result<Vec<HubEnding>, StoreError> {
        let now = self.clock.now();
        if self.subscription_endings_next_due().await?.is_none_or(|due| now < due) {
            return Ok(Vec::new());
        }
        let mut tx = self.database.write().await?;
        sqlx::query(FORGET_ENDINGS).bind(now.as_millisecond()).execute(&mut *tx).await?;
        let rows = sqlx::query(self.database.dialect.choose(DUE_ENDINGS))
            .bind(now.as_millisecond())
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
        let mut due: Vec<HubEnding> = models("subscription_endings", &rows)?;
        for known in &mut due {
            known.ending.asking(now);
            update_ending(&mut tx, known).await?;
        }
        tx.commit().await?;
        Ok(due)
    }

    /// Returns when a hub is to be asked for an ending next, or an ending expires; `None` if no endings are left.
    pub async fn subscription_endings_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(NEXT_DUE_ENDING).fetch_one(&self.database.readers).await?;
        Row { table: "subscription_endings", row: &row }.optional_time("due")
    }

    /// Returns the ending of the subscription whose callback has this token.
    pub async fn subscription_ending_of(&self, token: &str) -> Result<Option<HubEnding>, StoreError> {
        let rows =
            sqlx::query(ENDING_BY_TOKEN).bind(token.to_owned()).fetch_all(&self.database.readers).await?;
        Ok(models("subscription_endings", &rows)?.pop())
    }

    /// Stores the state of an ending.
    pub async fn subscription_ending_update(&self, known: &HubEnding) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        update_ending(&mut tx, known).await?;
        tx.commit().await
    }

    /// Returns which of these feeds were checked for hubs.
    pub async fn hub_looks(&self, feeds: &[FeedId]) -> Result<HashSet<FeedId>, StoreError> {
        let mut connection = self.database.readers.acquire().await?;
        let rows = LOOKS.fetch(&mut connection, feeds, |query, id| query.bind(id.0)).await?;
        rows.iter().map(|row| Ok(FeedId(Row { table: "hub_looks", row }.get("feed_id")?))).collect()
    }

    /// Records that these feeds were checked for hubs.
    pub async fn hub_looks_note(&self, feeds: &[FeedId]) -> Result<(), StoreError> {
        let known = self.hub_looks(feeds).await?;
        let new: Vec<&FeedId> = feeds.iter().filter(|id| !known.contains(id)).collect();
        if new.is_empty() {
            return Ok(());
        }
        let mut tx = self.database.write().await?;
        NOTE_LOOKS.execute(&mut tx, &new, |query, id| query.bind(id.0)).await?;
        tx.commit().await
    }

    /// Returns the subscription whose callback has this token, if its feed is still polled.
    pub async fn subscription_of(&self, token: &str) -> Result<Option<HubSubscription>, StoreError> {
        let rows = sqlx::query(BY_TOKEN).bind(token.to_owned()).fetch_all(&self.database.readers).await?;
        Ok(models("subscriptions", &rows)?.pop())
    }

    /// Stores the state of a subscription. Has no effect if another has replaced it.
    pub async fn subscription_update(&self, known: &HubSubscription) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        update(&mut tx, known).await?;
        tx.commit().await
    }
}

async fn load(
    connection: &mut AnyConnection,
    ids: &[FeedId],
) -> Result<HashMap<FeedId, HubSubscription>, StoreError> {
    let rows = BY_FEED.fetch(connection, ids, |query, id| query.bind(id.0)).await?;
    let known = models::<HubSubscription>("subscriptions", &rows)?;
    Ok(known.into_iter().map(|known| (known.feed_id, known)).collect())
}

/// Deletes subscriptions, and records the endings that their hubs are to be asked for.
async fn end(
    tx: &mut AnyConnection,
    unwanted: &[&HubSubscription],
    now: Timestamp,
) -> Result<(), StoreError> {
    DELETE.execute(tx, unwanted, |query, known| query.bind(known.feed_id.0)).await?;
    let endings: Vec<HubEnding> = unwanted.iter().filter_map(|known| known.ending(now)).collect();
    insert_endings(tx, &endings).await
}

async fn insert_endings(tx: &mut AnyConnection, endings: &[HubEnding]) -> Result<(), StoreError> {
    INSERT_ENDINGS
        .execute(tx, endings, |query, HubEnding { token, ending }| {
            query
                .bind(token.clone())
                .bind(ending.topic.as_str())
                .bind(ending.hub.as_str())
                .bind(ending.callback.as_str())
                .bind(i64::from(ending.attempts))
                .bind(ending.act_at.as_millisecond())
                .bind(ending.expires_at.as_millisecond())
        })
        .await?;
    Ok(())
}

async fn update_ending(tx: &mut AnyConnection, known: &HubEnding) -> Result<(), StoreError> {
    sqlx::query(UPDATE_ENDING)
        .bind(known.token.clone())
        .bind(i64::from(known.ending.attempts))
        .bind(known.ending.act_at.as_millisecond())
        .execute(tx)
        .await?;
    Ok(())
}

async fn update(tx: &mut AnyConnection, known: &HubSubscription) -> Result<(), StoreError> {
    let Subscription { state, attempts, act_at, expires_at, .. } = &known.subscription;
    sqlx::query(UPDATE)
        .bind(known.feed_id.0)
        .bind(known.token.clone())
        .bind(word(*state))
        .bind(i64::from(*attempts))
        .bind(act_at.as_millisecond())
        .bind(expires_at.map(Timestamp::as_millisecond))
        .bind(known.callback.as_ref().map(Url::as_str))
        .execute(tx)
        .await?;
    Ok(())
}

impl HubSubscription {
    /// Returns the ending to ask the hub for, if there is one.
    fn ending(&self, now: Timestamp) -> Option<HubEnding> {
        let ending = Ending::of(&self.subscription, self.callback.clone()?, now)?;
        Some(HubEnding { token: self.token.clone(), ending })
    }
}

impl TryFrom<Row<'_>> for HubSubscription {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            feed_id: FeedId(row.get("feed_id")?),
            token: row.get("token")?,
            secret: row.get("secret")?,
            callback: row.optional_url("callback")?,
            subscription: Subscription {
                topic: row.url("topic")?,
                hub: row.url("hub")?,
                state: row.word("state")?,
                attempts: row.number("attempts")?,
                act_at: row.time("act_at")?,
                expires_at: row.optional_time("expires_at")?,
            },
        })
    }
}

impl TryFrom<Row<'_>> for HubEnding {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            token: row.get("token")?,
            ending: Ending {
                topic: row.url("topic")?,
                hub: row.url("hub")?,
                callback: row.url("callback")?,
                attempts: row.number("attempts")?,
                act_at: row.time("act_at")?,
                expires_at: row.time("expires_at")?,
            },
        })
    }
}

macro_rules! subscriptions {
    ($rest:literal) => {
        concat!(
            "SELECT s.feed_id, s.topic, s.hub, s.token, s.secret, s.state, s.attempts, s.act_at, s.expires_at, s.callback \
             FROM subscriptions s ",
            $rest
        )
    };
}

const BY_FEED: RowsSql =
    RowsSql { before: subscriptions!("WHERE s.feed_id IN (VALUES "), columns: 1, after: ")" };

const BY_TOKEN: &str =
    subscriptions!("JOIN feeds f ON f.id = s.feed_id WHERE s.token = $1 AND f.state = 'active'");

macro_rules! due_subscriptions {
    () => {
        subscriptions!(
            "JOIN feeds f ON f.id = s.feed_id WHERE s.act_at <= $1 AND f.state = 'active' ORDER BY s.act_at LIMIT $2"
        )
    };
}

/// SQLite has one writer at a time, so there are no locked rows to skip.
const DUE: DialectSql = DialectSql {
    sqlite: due_subscriptions!(),
    postgres: concat!(due_subscriptions!(), " FOR UPDATE OF s SKIP LOCKED"),
};

const NEXT_DUE: &str = "SELECT min(s.act_at) AS due FROM subscriptions s JOIN feeds f ON f.id = s.feed_id \
    WHERE f.state = 'active'";

const DELETE: RowsSql =
    RowsSql { before: "DELETE FROM subscriptions WHERE feed_id IN (VALUES ", columns: 1, after: ")" };

/// Two workers never have the same feed; if they did, the first offer would stay.
const INSERT: RowsSql = RowsSql {
    before: "INSERT INTO subscriptions (feed_id, topic, hub, token, secret, state, attempts, act_at) VALUES ",
    columns: 8,
    after: " ON CONFLICT (feed_id) DO NOTHING",
};

const UPDATE: &str = "UPDATE subscriptions SET state = $3, attempts = $4, act_at = $5, expires_at = $6, callback = $7 \
    WHERE feed_id = $1 AND token = $2";

const MOVE: &str = "UPDATE subscriptions SET token = $3, secret = $4 WHERE feed_id = $1 AND token = $2";

const ORPHANED: &str = subscriptions!("JOIN feeds f ON f.id = s.feed_id WHERE f.state <> 'active'");

const ALL: &str = subscriptions!("");

macro_rules! endings {
    ($rest:literal) => {
        concat!(
            "SELECT token, topic, hub, callback, attempts, act_at, expires_at FROM subscription_endings ",
            $rest
        )
    };
}

const ENDING_BY_TOKEN: &str = endings!("WHERE token = $1");

const DUE_ENDINGS: DialectSql = DialectSql {
    sqlite: endings!("WHERE act_at <= $1 ORDER BY act_at LIMIT $2"),
    postgres: endings!("WHERE act_at <= $1 ORDER BY act_at LIMIT $2 FOR UPDATE SKIP LOCKED"),
};

const NEXT_DUE_ENDING: &str = "SELECT min(act_at) AS due FROM subscription_endings";

const FORGET_ENDINGS: &str = "DELETE FROM subscription_endings WHERE expires_at <= $1";

const INSERT_ENDINGS: RowsSql = RowsSql {
    before: "INSERT INTO subscription_endings (token, topic, hub, callback, attempts, act_at, expires_at) VALUES ",
    columns: 7,
    after: " ON CONFLICT (token) DO NOTHING",
};

const UPDATE_ENDING: &str = "UPDATE subscription_endings SET attempts = $2, act_at = $3 WHERE token = $1";

const LOOKS: RowsSql =
    RowsSql { before: "SELECT feed_id FROM hub_looks WHERE feed_id IN (VALUES ", columns: 1, after: ")" };

const ANY_LOOK: &str = "SELECT feed_id FROM hub_looks LIMIT 1";

const NOTE_LOOKS: RowsSql = RowsSql {
    before: "INSERT INTO hub_looks (feed_id) VALUES ",
    columns: 1,
    after: " ON CONFLICT (feed_id) DO NOTHING",
};

const FORGET_LOOKS: RowsSql =
    RowsSql { before: "DELETE FROM hub_looks WHERE feed_id IN (VALUES ", columns: 1, after: ")" };
