//! Which parties a feed is trusted for, and which texts of a host are walls shown instead of articles.

use jiff::Timestamp;
use url::Url;

use super::entries::EntryState;
use super::sql::{Row, RowsSql, id_bytes, word};
use super::{Store, StoreError, rechecks};
use crate::model::{ArticleId, FeedId, Sha256Hash};

impl Store {
    /// Returns whether a feed is trusted for a party's pages, and when that was found out; `None` if it is not known.
    pub async fn voice(&self, feed_id: FeedId, party: &str) -> Result<Option<(bool, Timestamp)>, StoreError> {
        let row = sqlx::query(VOICE)
            .bind(feed_id.0)
            .bind(party.to_owned())
            .fetch_optional(&self.database.readers)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let row = Row { table: "voices", row: &row };
        Ok(Some((row.flag("speaks")?, row.time("asked_at")?)))
    }

    /// Records whether a feed is trusted for a party's pages.
    pub async fn voice_note(&self, feed_id: FeedId, party: &str, speaks: bool) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        sqlx::query(NOTE_VOICE)
            .bind(feed_id.0)
            .bind(party.to_owned())
            .bind(i64::from(speaks))
            .bind(self.clock.now().as_millisecond())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// Returns the site that a feed says it belongs to.
    pub async fn feed_site(&self, feed_id: FeedId) -> Result<Option<Url>, StoreError> {
        #[derive(serde::Deserialize)]
        struct Info {
            link: Option<String>,
        }
        let row = sqlx::query(INFO).bind(feed_id.0).fetch_optional(&self.database.readers).await?;
        let Some(row) = row else { return Ok(None) };
        let info: Info = Row { table: "feed_infos", row: &row }.json("info")?;
        Ok(info.link.and_then(|link| Url::parse(&link).ok()).filter(Url::has_host))
    }

    /// Returns whether a text is one of a host's walls: at least `least` articles of the host have or had it. The first time
    /// that this is found out, the entries of these articles are requeued.
    pub async fn text_is_repeated(
        &self,
        content_sha256: Sha256Hash,
        host: &str,
        least: u32,
    ) -> Result<bool, StoreError> {
        let noted = sqlx::query(NOTED)
            .bind(host.to_owned())
            .bind(content_sha256.0.to_vec())
            .fetch_optional(&self.database.readers)
            .await?;
        if noted.is_some() {
            return Ok(true);
        }
        let rows = sqlx::query(OF_TEXT)
            .bind(content_sha256.0.to_vec())
            .bind(host.to_owned())
            .fetch_all(&self.database.readers)
            .await?;
        if rows.len() < least as usize {
            return Ok(false);
        }
        let articles: Vec<ArticleId> = rows
            .iter()
            .map(|row| Row { table: "articles", row }.hash("id").map(ArticleId))
            .collect::<Result<_, _>>()?;
        let now = self.clock.now();
        let mut tx = self.database.write().await?;
        sqlx::query(NOTE_TEXT)
            .bind(host.to_owned())
            .bind(content_sha256.0.to_vec())
            .bind(now.as_millisecond())
            .execute(&mut *tx)
            .await?;
        rechecks::forget(&mut tx, &articles).await?;
        let (pending, done) = (word(EntryState::Pending), word(EntryState::Done));
        LOOK_AGAIN
            .execute(&mut tx, &articles, |query, id| {
                query.bind(id_bytes(id)).bind(pending.clone()).bind(now.as_millisecond()).bind(done.clone())
            })
            .await?;
        tx.commit().await?;
        tracing::warn!(
            host,
            articles = articles.len(),
            "many entries have the same text: their pages are fetched again"
        );
        Ok(true)
    }
}

const VOICE: &str = "SELECT feed_id, speaks, asked_at FROM voices WHERE feed_id = $1 AND party = $2";

const NOTE_VOICE: &str = "INSERT INTO voices (feed_id, party, speaks, asked_at) VALUES ($1, $2, $3, $4) \
    ON CONFLICT (feed_id, party) DO UPDATE SET speaks = excluded.speaks, asked_at = excluded.asked_at";

const INFO: &str = "SELECT feed_id, info FROM feed_infos WHERE feed_id = $1";

const NOTED: &str = "SELECT noted_at FROM repeated_texts WHERE host = $1 AND content_sha256 = $2";

const NOTE_TEXT: &str = "INSERT INTO repeated_texts (host, content_sha256, noted_at) VALUES ($1, $2, $3) \
    ON CONFLICT (host, content_sha256) DO NOTHING";

/// Limited to 200, as many articles as may have got a wall's text before it is recognised.
const OF_TEXT: &str = "SELECT a.id FROM revisions r JOIN articles a ON a.number = r.number AND a.revision = r.revision \
    WHERE r.content_sha256 = $1 AND a.hostname = $2 AND a.removed_at IS NULL LIMIT 200";

const LOOK_AGAIN: RowsSql = RowsSql {
    before: "WITH again (id, next_state, due, old_state) AS (VALUES ",
    columns: 4,
    after: ") UPDATE entries SET state = again.next_state, next_attempt_at = again.due, failures = 0 FROM again \
        WHERE entries.article_id = again.id AND entries.state = again.old_state",
};
