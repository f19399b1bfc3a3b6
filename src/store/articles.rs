//! Articles, their revisions and mentions, and the account of what extraction kept and dropped.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::finish::ExtractedArticle;
use super::metadata::{METADATA_COLUMNS, MetadataRow, metadata_columns};
use super::sql::{Query, Row, RowsSql, bytes, clean, clean_option, id_bytes, json, word};
use super::{Store, StoreError};
use crate::extract::EXTRACTOR_VERSION;
use crate::model::{Article, ArticleId, DuplicateLink, Enclosure, Entry, EntryId, Sha256Hash};

/// Dropped blocks stored per article, and characters of each.
const MAX_DROPPED_BLOCKS: usize = 50;
const MAX_EXCERPT_CHARS: usize = 160;

/// What extraction kept and dropped of the page of an article's current revision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ArticleAccount {
    /// Blocks in the text.
    pub blocks_kept: u32,
    /// Blocks left out.
    pub blocks_dropped: u32,
    /// The first of the blocks left out.
    pub dropped: Vec<DroppedBlock>,
}

/// A block that extraction left out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DroppedBlock {
    /// The rule that dropped the block.
    pub rule: String,
    /// The beginning of the block's text.
    pub excerpt: String,
    /// How many kept blocks precede it; absent in accounts that an earlier feedmill wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept_before: Option<u32>,
}

impl Store {
    /// Returns what extraction kept and dropped of an article's page; `None` if the article is not stored.
    pub async fn article_account(&self, id: ArticleId) -> Result<Option<ArticleAccount>, StoreError> {
        let row = sqlx::query(ACCOUNT).bind(id_bytes(&id)).fetch_optional(&self.database.readers).await?;
        let Some(row) = row else { return Ok(None) };
        let row = Row { table: "article_accounts", row: &row };
        Ok(Some(ArticleAccount {
            blocks_kept: row.number("blocks_kept")?,
            blocks_dropped: row.number("blocks_dropped")?,
            dropped: row.json("dropped")?,
        }))
    }
}

const ACCOUNT: &str =
    "SELECT article_id, blocks_kept, blocks_dropped, dropped FROM article_accounts WHERE article_id = $1";

/// A row of `articles`: what is the same for all revisions, and which revision is current.
#[derive(Clone)]
pub(super) struct ArticleRow {
    pub(super) id: ArticleId,
    pub(super) number: i64,
    pub(super) revision: u32,
    pub(super) content_sha256: Sha256Hash,
    pub(super) url: String,
    pub(super) original_url: String,
    pub(super) hostname: String,
    pub(super) link: Option<DuplicateLink>,
    pub(super) cluster_id: ArticleId,
    pub(super) stored_at: Timestamp,
    pub(super) withdrawn_at: Option<Timestamp>,
    /// The feed that announced the article first.
    pub(super) feed_id: Option<i64>,
    /// Whether retention removed the article and left only this row.
    pub(super) removed: bool,
}

impl TryFrom<Row<'_>> for ArticleRow {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        let cluster_id = ArticleId(row.hash("cluster_id")?);
        let link = match (row.optional_hash("duplicate_of")?, row.optional_word("duplicate_kind")?) {
            (Some(of), Some(kind)) => Some(DuplicateLink {
                of: ArticleId(of),
                kind,
                score: row.get("duplicate_score")?,
                cluster_id,
            }),
            _ => None,
        };
        Ok(Self {
            id: ArticleId(row.hash("id")?),
            number: row.get("number")?,
            revision: row.number("revision")?,
            content_sha256: row.hash("content_sha256")?,
            url: row.get("url")?,
            original_url: row.get("original_url")?,
            hostname: row.get("hostname")?,
            link,
            cluster_id,
            stored_at: row.time("stored_at")?,
            withdrawn_at: row.optional_time("withdrawn_at")?,
            feed_id: row.get("feed_id")?,
            removed: row.optional_time("removed_at")?.is_some(),
        })
    }
}

pub(super) async fn load(
    tx: &mut AnyConnection,
    ids: &[ArticleId],
) -> Result<HashMap<ArticleId, ArticleRow>, StoreError> {
    let rows = LOAD.fetch(tx, ids, |query, id| query.bind(id_bytes(id))).await?;
    rows.iter()
        .map(|row| ArticleRow::try_from(Row { table: "articles", row }).map(|article| (article.id, article)))
        .collect()
}

const LOAD: RowsSql = RowsSql {
    before: "SELECT id, number, revision, content_sha256, url, original_url, hostname, duplicate_of, duplicate_kind, \
        duplicate_score, cluster_id, stored_at, withdrawn_at, feed_id, removed_at FROM articles WHERE id IN (VALUES ",
    columns: 1,
    after: ")",
};

/// Inserts new articles and updates stored ones. Originals must come before their copies.
///
/// Uses two statements so that no score is ever bound as NULL: sqlx sends a missing `f64` to PostgreSQL as a `real`, and the
/// prepared statement would then refuse the next score that is present.
pub(super) async fn upsert(tx: &mut AnyConnection, articles: &[&ArticleRow]) -> Result<(), StoreError> {
    let originals: Vec<&ArticleRow> =
        articles.iter().copied().filter(|article| article.link.is_none()).collect();
    UPSERT_ORIGINALS.execute(&mut *tx, &originals, |query, article| article.bind(query)).await?;
    let copies: Vec<(&ArticleRow, &DuplicateLink)> =
        articles.iter().filter_map(|article| Some((*article, article.link.as_ref()?))).collect();
    UPSERT_COPIES
        .execute(tx, &copies, |query, (article, link)| {
            article.bind(query).bind(id_bytes(&link.of)).bind(word(link.kind)).bind(link.score)
        })
        .await?;
    Ok(())
}

impl ArticleRow {
    fn bind(&self, query: Query) -> Query {
        query
            .bind(id_bytes(&self.id))
            .bind(self.number)
            .bind(i64::from(self.revision))
            .bind(bytes(&self.content_sha256))
            .bind(self.url.as_str())
            .bind(self.original_url.as_str())
            .bind(self.hostname.as_str())
            .bind(id_bytes(&self.cluster_id))
            .bind(self.stored_at.as_millisecond())
            .bind(self.withdrawn_at.map(Timestamp::as_millisecond))
            .bind(self.feed_id)
    }
}

const UPSERT_ORIGINALS: RowsSql = RowsSql {
    before: "INSERT INTO articles (id, number, revision, content_sha256, url, original_url, hostname, cluster_id, \
        stored_at, withdrawn_at, feed_id) VALUES ",
    columns: 11,
    after: " ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, content_sha256 = excluded.content_sha256, \
        cluster_id = excluded.cluster_id, withdrawn_at = excluded.withdrawn_at",
};

const UPSERT_COPIES: RowsSql = RowsSql {
    before: "INSERT INTO articles (id, number, revision, content_sha256, url, original_url, hostname, cluster_id, \
        stored_at, withdrawn_at, feed_id, duplicate_of, duplicate_kind, duplicate_score) VALUES ",
    columns: 14,
    after: " ON CONFLICT (id) DO UPDATE SET revision = excluded.revision, content_sha256 = excluded.content_sha256, \
        cluster_id = excluded.cluster_id, withdrawn_at = excluded.withdrawn_at, duplicate_of = excluded.duplicate_of, \
        duplicate_kind = excluded.duplicate_kind, duplicate_score = excluded.duplicate_score",
};

/// Moves all articles of one cluster into another.
pub(super) async fn merge_clusters(
    tx: &mut AnyConnection,
    from: ArticleId,
    into: ArticleId,
) -> Result<(), StoreError> {
    sqlx::query("UPDATE articles SET cluster_id = $1 WHERE cluster_id = $2")
        .bind(id_bytes(&into))
        .bind(id_bytes(&from))
        .execute(tx)
        .await?;
    Ok(())
}

/// A revision to be stored.
pub(super) struct NewRevision<'f> {
    pub(super) id: ArticleId,
    /// The number of the article.
    pub(super) number: i64,
    pub(super) revision: u32,
    pub(super) extracted: &'f ExtractedArticle,
}

pub(super) async fn insert_revisions(
    tx: &mut AnyConnection,
    revisions: &[NewRevision<'_>],
) -> Result<(), StoreError> {
    let mut rows = Vec::with_capacity(revisions.len());
    for revision in revisions {
        let article = &revision.extracted.article;
        let metadata = MetadataRow::of(&article.metadata)?;
        let enclosures = enclosures(&revision.extracted.enclosures)?;
        rows.push((revision, metadata, json("quality flags", &article.quality_flags)?, enclosures));
    }
    INSERT_REVISIONS
        .execute(tx, &rows, |query, (revision, metadata, quality_flags, enclosures)| {
            let extracted = revision.extracted;
            let article = &extracted.article;
            let query = query
                .bind(id_bytes(&revision.id))
                .bind(revision.number)
                .bind(i64::from(revision.revision))
                .bind(bytes(&extracted.fingerprint.content_sha256))
                .bind(bytes(&extracted.raw_sha256))
                .bind(clean(&article.text).into_owned())
                .bind(extracted.fetched_at.as_millisecond())
                .bind(i64::from(article.word_count))
                .bind(quality_flags.as_str())
                .bind(f64::from(article.score))
                .bind(EXTRACTOR_VERSION)
                .bind(enclosures.clone());
            metadata.bind(query)
        })
        .await?;
    upsert_accounts(tx, revisions).await
}

const INSERT_REVISIONS: RowsSql = RowsSql {
    before: concat!(
        "INSERT INTO revisions (article_id, number, revision, content_sha256, raw_sha256, text, fetched_at, word_count, \
         quality_flags, score, extractor_version, enclosures, ",
        metadata_columns!(),
        ") VALUES "
    ),
    columns: 12 + METADATA_COLUMNS,
    after: "",
};

/// Returns enclosures as JSON. `None` for an empty list: most articles have no enclosures, and a NULL takes no space.
fn enclosures(enclosures: &[Enclosure]) -> Result<Option<String>, StoreError> {
    (!enclosures.is_empty()).then(|| json("enclosures", enclosures)).transpose()
}

async fn upsert_accounts(tx: &mut AnyConnection, revisions: &[NewRevision<'_>]) -> Result<(), StoreError> {
    // An article that was revised twice in one batch has one account: that of its last revision.
    let latest: HashMap<ArticleId, &NewRevision<'_>> =
        revisions.iter().map(|revision| (revision.id, revision)).collect();
    let mut rows = Vec::with_capacity(latest.len());
    for (id, revision) in latest {
        let account = account(&revision.extracted.article);
        let dropped = json("dropped blocks", &account.dropped)?;
        rows.push((id, account, dropped));
    }
    UPSERT_ACCOUNTS
        .execute(tx, &rows, |query, (id, account, dropped)| {
            query
                .bind(id_bytes(id))
                .bind(i64::from(account.blocks_kept))
                .bind(i64::from(account.blocks_dropped))
                .bind(dropped.as_str())
        })
        .await?;
    Ok(())
}

const UPSERT_ACCOUNTS: RowsSql = RowsSql {
    before: "INSERT INTO article_accounts (article_id, blocks_kept, blocks_dropped, dropped) VALUES ",
    columns: 4,
    after: " ON CONFLICT (article_id) DO UPDATE SET blocks_kept = excluded.blocks_kept, \
        blocks_dropped = excluded.blocks_dropped, dropped = excluded.dropped",
};

fn account(article: &Article) -> ArticleAccount {
    let mut kept = 0;
    let mut dropped = Vec::new();
    for block in &article.account {
        if block.kept {
            kept += 1;
        } else if dropped.len() < MAX_DROPPED_BLOCKS {
            dropped.push(DroppedBlock {
                rule: clean(&block.rule).into_owned(),
                excerpt: clean(&block.text).chars().take(MAX_EXCERPT_CHARS).collect(),
                kept_before: Some(saturated(kept)),
            });
        }
    }
    ArticleAccount {
        blocks_kept: saturated(kept),
        blocks_dropped: saturated(article.account.len() - kept),
        dropped,
    }
}

fn saturated(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

/// Returns which of the entries are among the mentions of their articles.
pub(super) async fn mentioned(
    tx: &mut AnyConnection,
    entries: &[&Entry],
) -> Result<HashSet<(ArticleId, EntryId)>, StoreError> {
    let rows = MENTIONED
        .fetch(tx, entries, |query, entry| query.bind(id_bytes(&entry.article_id)).bind(entry.id.0))
        .await?;
    rows.iter()
        .map(|row| {
            let row = Row { table: "mentions", row };
            Ok((ArticleId(row.hash("article_id")?), EntryId(row.get("entry_id")?)))
        })
        .collect()
}

const MENTIONED: RowsSql = RowsSql {
    before: "WITH wanted (article_id, entry_id) AS (VALUES ",
    columns: 2,
    after: ") SELECT m.article_id, m.entry_id FROM wanted w \
        JOIN mentions m ON m.article_id = w.article_id AND m.entry_id = w.entry_id",
};

/// Adds entries to the mentions of their articles; the title and date of an entry that is there already are updated.
pub(super) async fn upsert_mentions(tx: &mut AnyConnection, entries: &[&Entry]) -> Result<(), StoreError> {
    UPSERT_MENTIONS
        .execute(tx, entries, |query, entry| {
            query
                .bind(id_bytes(&entry.article_id))
                .bind(entry.id.0)
                .bind(entry.feed_url.as_str())
                .bind(clean_option(entry.guid.as_deref()))
                .bind(clean_option(entry.evidence.title.as_deref()))
                .bind(entry.evidence.published_at.map(Timestamp::as_millisecond))
                .bind(entry.first_seen_at.as_millisecond())
        })
        .await?;
    Ok(())
}

const UPSERT_MENTIONS: RowsSql = RowsSql {
    before: "INSERT INTO mentions \
        (article_id, entry_id, feed_url, guid, entry_title, entry_published_at, first_seen_at) VALUES ",
    columns: 7,
    after: " ON CONFLICT (article_id, entry_id) DO UPDATE SET entry_title = excluded.entry_title, \
        entry_published_at = excluded.entry_published_at",
};
