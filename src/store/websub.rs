//! Subscriptions at hubs as rows: they outlive the process, since a hub's lease does.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::AnyConnection;

use super::connection::DialectSql;
use super::sql::{Row, RowsSql, models, word};
use super::{Store, StoreError};
use crate::model::FeedId;
use crate::subscription::Subscription;

/// What a poll found out about who delivers a feed.
#[derive(Clone, Debug)]
pub struct HubOffer {
    /// The feed.
    pub feed_id: FeedId,
    /// The subscription that is wanted from now on; `None` where the feed names no hub.
    pub wanted: Option<Subscription>,
    /// The unguessable part of the address that a new subscription is delivered to.
    pub token: String,
    /// What a new subscription's deliveries are signed with.
    pub secret: String,
}

/// A subscription with what its hub must know.
#[derive(Clone, Debug)]
pub struct HubSubscription {
    /// The feed.
    pub feed_id: FeedId,
    /// The last part of the address that the hub calls.
    pub token: String,
    /// What deliveries are signed with.
    pub secret: String,
    /// How far it has come.
    pub subscription: Subscription,
}

impl Store {
    /// Makes the feeds' subscriptions those that they offer now. One that is offered as it was is left alone; another hub or
    /// topic begins anew, under another address.
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
        DELETE.execute(&mut tx, &news, |query, offer| query.bind(offer.feed_id.0)).await?;
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

    /// The subscriptions whose hubs are to be asked, at most `limit`, each already noted as asked: a hub may confirm before it
    /// answers, and no other process asks as well.
    pub async fn subscriptions_claim_due(&self, limit: u32) -> Result<Vec<HubSubscription>, StoreError> {
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        let rows = sqlx::query(self.database.dialect.choose(DUE))
            .bind(now.as_millisecond())
            .bind(i64::from(limit))
            .fetch_all(&mut *tx)
            .await?;
        let mut due: Vec<HubSubscription> = models("subscriptions", &rows)?;
        for known in &mut due {
            known.subscription.asking(now);
            update(&mut tx, known).await?;
        }
        tx.commit().await?;
        Ok(due)
    }

    /// When the next hub is to be asked.
    pub async fn subscriptions_next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        let row = sqlx::query(NEXT_DUE).fetch_one(&self.database.readers).await?;
        Row { table: "subscriptions", row: &row }.optional_time("due")
    }

    /// The subscription that is delivered to `token`, of a feed that is still polled.
    pub async fn subscription_of(&self, token: &str) -> Result<Option<HubSubscription>, StoreError> {
        let rows = sqlx::query(BY_TOKEN).bind(token.to_owned()).fetch_all(&self.database.readers).await?;
        Ok(models("subscriptions", &rows)?.pop())
    }

    /// Keeps what has become of a subscription. Without effect where another has taken its place.
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

async fn update(tx: &mut AnyConnection, known: &HubSubscription) -> Result<(), StoreError> {
    let Subscription { state, attempts, act_at, expires_at, .. } = &known.subscription;
    sqlx::query(UPDATE)
        .bind(known.feed_id.0)
        .bind(known.token.clone())
        .bind(word(*state))
        .bind(i64::from(*attempts))
        .bind(act_at.as_millisecond())
        .bind(expires_at.map(Timestamp::as_millisecond))
        .execute(tx)
        .await?;
    Ok(())
}

impl TryFrom<Row<'_>> for HubSubscription {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            feed_id: FeedId(row.get("feed_id")?),
            token: row.get("token")?,
            secret: row.get("secret")?,
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

macro_rules! subscriptions {
    ($rest:literal) => {
        concat!(
            "SELECT s.feed_id, s.topic, s.hub, s.token, s.secret, s.state, s.attempts, s.act_at, s.expires_at \
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

/// SQLite has one writer at a time, so nothing needs to be skipped.
const DUE: DialectSql = DialectSql {
    sqlite: due_subscriptions!(),
    postgres: concat!(due_subscriptions!(), " FOR UPDATE OF s SKIP LOCKED"),
};

const NEXT_DUE: &str = "SELECT min(s.act_at) AS due FROM subscriptions s JOIN feeds f ON f.id = s.feed_id \
    WHERE f.state = 'active'";

const DELETE: RowsSql =
    RowsSql { before: "DELETE FROM subscriptions WHERE feed_id IN (VALUES ", columns: 1, after: ")" };

/// Two workers never have one feed; where they did, the first to offer stays.
const INSERT: RowsSql = RowsSql {
    before: "INSERT INTO subscriptions (feed_id, topic, hub, token, secret, state, attempts, act_at) VALUES ",
    columns: 8,
    after: " ON CONFLICT (feed_id) DO NOTHING",
};

const UPDATE: &str = "UPDATE subscriptions SET state = $3, attempts = $4, act_at = $5, expires_at = $6 \
    WHERE feed_id = $1 AND token = $2";
