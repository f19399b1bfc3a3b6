//! Articles as shown to the operator: one by one, with every revision.

use jiff::Timestamp;
use serde::Serialize;
use url::Url;

use super::sql::{Row, id_bytes, models};
use super::{Store, StoreError};
use crate::model::{ArticleId, DuplicateKind, QualityFlag, Sha256Hash};

/// An article with its current state.
#[derive(Clone, Debug, PartialEq, Serialize, schemars::JsonSchema)]
pub struct ArticleStatus {
    /// Id of the article.
    pub id: ArticleId,
    /// The URL announced, without tracking parameters.
    pub url: Url,
    /// The current revision.
    pub revision: u32,
    /// The current headline.
    pub title: Option<String>,
    /// When it was first stored.
    pub stored_at: Timestamp,
    /// When the publisher withdrew it; absent if it did not.
    pub withdrawn_at: Option<Timestamp>,
    /// The earlier article that it is a copy of.
    pub duplicate_of: Option<ArticleId>,
    /// How the copy was recognised.
    pub duplicate_kind: Option<DuplicateKind>,
    /// The cluster of copies that it belongs to.
    pub cluster_id: ArticleId,
}

/// A revision of an article.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Revision {
    /// Number of the revision, from 1.
    pub revision: u32,
    /// Hash that identifies the text.
    pub content_sha256: Sha256Hash,
    /// When its page was fetched.
    pub fetched_at: Timestamp,
    /// Headline.
    pub title: Option<String>,
    /// Clean text.
    pub text: String,
    /// Words in it.
    pub word_count: u32,
    /// Why the text may be worse than expected.
    pub quality_flags: Vec<QualityFlag>,
    /// Version of the extractor that made it.
    pub extractor_version: String,
}

/// Which articles are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    /// All of them.
    All,
    /// Those with more than one revision.
    Revised,
}

impl Store {
    /// Returns the latest `limit` articles, newest first.
    pub async fn articles_list(
        &self,
        listing: Listing,
        limit: u32,
    ) -> Result<Vec<ArticleStatus>, StoreError> {
        let least_revision: i64 = match listing {
            Listing::All => 1,
            Listing::Revised => 2,
        };
        let rows = sqlx::query(LIST)
            .bind(least_revision)
            .bind(i64::from(limit))
            .fetch_all(&self.database.readers)
            .await?;
        models("articles", &rows)
    }

    /// Returns the articles whose ids are between `first` and `last`, at most two: enough to tell whether a shortened id is unique.
    pub async fn articles_between(
        &self,
        first: ArticleId,
        last: ArticleId,
    ) -> Result<Vec<ArticleStatus>, StoreError> {
        let rows = sqlx::query(BETWEEN)
            .bind(id_bytes(&first).to_vec())
            .bind(id_bytes(&last).to_vec())
            .fetch_all(&self.database.readers)
            .await?;
        models("articles", &rows)
    }

    /// Returns the articles of a cluster, oldest first, at most a thousand.
    pub async fn articles_of_cluster(&self, cluster_id: ArticleId) -> Result<Vec<ArticleStatus>, StoreError> {
        let rows = sqlx::query(OF_CLUSTER)
            .bind(id_bytes(&cluster_id).to_vec())
            .fetch_all(&self.database.readers)
            .await?;
        models("articles", &rows)
    }

    /// Returns every revision of an article, the first one first.
    pub async fn article_revisions(&self, id: ArticleId) -> Result<Vec<Revision>, StoreError> {
        let rows =
            sqlx::query(REVISIONS).bind(id_bytes(&id).to_vec()).fetch_all(&self.database.readers).await?;
        models("revisions", &rows)
    }
}

macro_rules! articles {
    ($condition:literal) => {
        concat!(
            "SELECT a.id, a.url, a.revision, r.title, a.stored_at, a.withdrawn_at, a.duplicate_of, a.duplicate_kind, \
             a.cluster_id FROM articles a JOIN revisions r ON r.number = a.number AND r.revision = a.revision WHERE ",
            $condition
        )
    };
}

const LIST: &str = articles!("a.removed_at IS NULL AND a.revision >= $1 ORDER BY a.number DESC LIMIT $2");

const BETWEEN: &str = articles!("a.removed_at IS NULL AND a.id >= $1 AND a.id <= $2 ORDER BY a.id LIMIT 2");

const OF_CLUSTER: &str = articles!("a.removed_at IS NULL AND a.cluster_id = $1 ORDER BY a.number LIMIT 1000");

/// Articles that a feed was the first to announce. No index leads from a feed to all articles that it announced in their order:
/// the newest would have to be sought among all entries that the feed ever had, and such an index would cost every new entry.
pub(super) const OF_FEED: &str =
    articles!("a.removed_at IS NULL AND a.feed_id = $1 ORDER BY a.stored_at DESC, a.number DESC LIMIT $2");

const REVISIONS: &str = "SELECT r.article_id, r.revision, r.content_sha256, r.fetched_at, r.title, r.text, r.word_count, \
    r.quality_flags, r.extractor_version FROM articles a JOIN revisions r ON r.number = a.number \
    WHERE a.id = $1 AND a.removed_at IS NULL ORDER BY r.revision";

impl TryFrom<Row<'_>> for ArticleStatus {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: ArticleId(row.hash("id")?),
            url: row.url("url")?,
            revision: row.number("revision")?,
            title: row.get("title")?,
            stored_at: row.time("stored_at")?,
            withdrawn_at: row.optional_time("withdrawn_at")?,
            duplicate_of: row.optional_hash("duplicate_of")?.map(ArticleId),
            duplicate_kind: row.optional_word("duplicate_kind")?,
            cluster_id: ArticleId(row.hash("cluster_id")?),
        })
    }
}

impl TryFrom<Row<'_>> for Revision {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            revision: row.number("revision")?,
            content_sha256: row.hash("content_sha256")?,
            fetched_at: row.time("fetched_at")?,
            title: row.get("title")?,
            text: row.get("text")?,
            word_count: row.number("word_count")?,
            quality_flags: row.json("quality_flags")?,
            extractor_version: row.get("extractor_version")?,
        })
    }
}
