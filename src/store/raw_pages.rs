//! Pages as fetched, compressed, for a later extractor to read again.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::any::AnyRow;
use url::Url;

use super::batch::Batch;
use super::entries;
use super::finish::{ExtractedArticle, Stored};
use super::outbox::Outbox;
use super::sql::{Row, RowsSql, bytes, clean_option, id_bytes};
use super::{Store, StoreError};
use crate::dedup;
use crate::model::{ArticleId, Entry, EntryId, Sha256Hash};

/// zstd's default level: compresses to a third to a fifth of a page, at some hundred megabytes per second.
const LEVEL: i32 = 3;

/// A page as fetched, compressed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RawPage {
    /// The page's URL after redirects.
    pub final_url: Url,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// Size of the uncompressed body in bytes.
    pub body_bytes: u64,
    compressed: Vec<u8>,
}

impl RawPage {
    /// Compresses a body. CPU-bound: to be run on a worker.
    pub fn compress(final_url: Url, content_type: Option<String>, body: &[u8]) -> Self {
        let compressed =
            zstd::bulk::compress(body, LEVEL).expect("zstd compresses whatever fits into memory");
        Self { final_url, content_type, body_bytes: body.len() as u64, compressed }
    }

    /// Returns the compressed size in bytes.
    pub const fn kept_bytes(&self) -> usize {
        self.compressed.len()
    }

    /// Decompresses the body. CPU-bound: to be run on a worker. The error says what is wrong with the compressed form.
    pub fn body(&self) -> std::io::Result<Vec<u8>> {
        zstd::bulk::decompress(&self.compressed, usize::try_from(self.body_bytes).unwrap_or(usize::MAX))
    }
}

/// Selects the articles to extract again. Fields that are not set exclude none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RawSelection {
    /// Announced by the feed with this configured URL.
    pub feed: Option<Url>,
    /// On this host or a subdomain of it.
    pub host: Option<String>,
    /// Fetched at this moment or later.
    pub since: Option<Timestamp>,
}

/// An article whose page is kept, in its current state.
#[derive(Clone, Debug)]
pub struct StoredPage {
    /// The article's number, from which to continue: the order in which articles were stored.
    pub number: i64,
    /// The revision that was made from the page.
    pub revision: u32,
    /// Hash of that revision's text.
    pub content_sha256: Sha256Hash,
    /// Hash of the page.
    pub raw_sha256: Sha256Hash,
    /// When the page was fetched.
    pub fetched_at: Timestamp,
    /// The page.
    pub page: RawPage,
    /// The first entry that announced the article. It is not leased.
    pub entry: Entry,
}

/// The result of extracting a kept page again.
#[derive(Clone, Debug)]
pub struct Reextracted {
    /// The entry as given by [`StoredPage`].
    pub entry: Entry,
    /// The revision that was current when the page was read.
    pub revision: u32,
    /// The newly extracted article.
    pub extracted: ExtractedArticle,
}

impl Store {
    /// Returns up to `limit` articles after `number` whose current revision was made from a kept page, in the order of their
    /// numbers.
    pub async fn raw_pages_after(
        &self,
        number: i64,
        selection: &RawSelection,
        limit: u32,
    ) -> Result<Vec<StoredPage>, StoreError> {
        let mut connection = self.database.readers.acquire().await?;
        let host = selection.host.as_deref().unwrap_or_default();
        let rows = sqlx::query(KEPT_PAGES)
            .bind(number)
            .bind(selection.since.map_or(i64::MIN, Timestamp::as_millisecond))
            .bind(host)
            .bind(format!("%.{host}"))
            .bind(selection.feed.as_ref().map_or("", Url::as_str))
            .bind(i64::from(limit))
            .fetch_all(&mut *connection)
            .await?;
        stored_pages(&mut connection, &rows).await
    }

    /// Returns the kept page behind an article's current revision; `None` if there is none.
    pub async fn raw_page(&self, id: ArticleId) -> Result<Option<StoredPage>, StoreError> {
        let mut connection = self.database.readers.acquire().await?;
        let rows = sqlx::query(KEPT_PAGE).bind(id_bytes(&id).to_vec()).fetch_all(&mut *connection).await?;
        Ok(stored_pages(&mut connection, &rows).await?.pop())
    }

    /// Stores newly extracted texts: a revision of each article that has not changed since its page was read. Results are in
    /// the order of `made`.
    pub async fn articles_reextracted(
        &self,
        made: &[Reextracted],
        dedup: &dedup::Settings,
    ) -> Result<Vec<Stored>, StoreError> {
        let mut tx = self.database.write().await?;
        let outbox = Outbox::lock(&mut tx).await?;
        let entries: Vec<&Entry> = made.iter().map(|made| &made.entry).collect();
        let fingerprints: Vec<_> = made.iter().map(|made| &made.extracted.fingerprint).collect();
        let mut batch =
            Batch::load(&mut tx, outbox, &entries, &fingerprints, dedup, self.clock.now()).await?;
        let answers = made.iter().map(|made| batch.store_reextracted(made, dedup)).collect();
        batch.write(&mut tx, dedup).await?;
        tx.commit().await?;
        Ok(answers)
    }
}

macro_rules! kept_pages {
    ($which:literal) => {
        concat!(
            "SELECT a.number, a.revision, r.content_sha256, r.raw_sha256, p.fetched_at, p.final_url, \
             p.content_type, p.body_bytes, p.body, \
             (SELECT m.entry_id FROM mentions m WHERE m.article_id = a.id ORDER BY m.first_seen_at, m.entry_id LIMIT 1) \
             AS entry_id \
             FROM articles a JOIN revisions r ON r.number = a.number AND r.revision = a.revision \
             JOIN raw_pages p ON p.article_id = a.id AND p.raw_sha256 = r.raw_sha256 WHERE ",
            $which
        )
    };
}

const KEPT_PAGES: &str = kept_pages!(
    "a.number > $1 AND p.fetched_at >= $2 AND ($3 = '' OR a.hostname = $3 OR a.hostname LIKE $4) \
     AND ($5 = '' OR EXISTS (SELECT 1 FROM mentions m WHERE m.article_id = a.id AND m.feed_url = $5)) \
     ORDER BY a.number LIMIT $6"
);

const KEPT_PAGE: &str = kept_pages!("a.id = $1");

/// Reads pages from rows and adds the entries that announced them.
async fn stored_pages(
    connection: &mut AnyConnection,
    rows: &[AnyRow],
) -> Result<Vec<StoredPage>, StoreError> {
    let rows: Vec<Row<'_>> = rows.iter().map(|row| Row { table: "raw_pages", row }).collect();
    let ids: Vec<i64> = rows.iter().map(|row| row.get("entry_id")).collect::<Result<_, _>>()?;
    let entries = entries::load(connection, &ids).await?;
    let entries: HashMap<EntryId, Entry> = entries.into_iter().map(|entry| (entry.id, entry)).collect();
    let mut pages = Vec::with_capacity(rows.len());
    for row in &rows {
        if let Some(entry) = entries.get(&EntryId(row.get("entry_id")?)) {
            pages.push(stored_page(row, entry.clone())?);
        }
    }
    Ok(pages)
}

fn stored_page(row: &Row<'_>, entry: Entry) -> Result<StoredPage, StoreError> {
    Ok(StoredPage {
        number: row.get("number")?,
        revision: row.number("revision")?,
        content_sha256: row.hash("content_sha256")?,
        raw_sha256: row.hash("raw_sha256")?,
        fetched_at: row.time("fetched_at")?,
        page: RawPage {
            final_url: row.url("final_url")?,
            content_type: row.get("content_type")?,
            body_bytes: row.number("body_bytes")?,
            compressed: row.get("body")?,
        },
        entry,
    })
}

/// Stores the pages that new revisions were made from, if they are to be kept.
pub(super) async fn insert(
    tx: &mut AnyConnection,
    revisions: impl Iterator<Item = (ArticleId, Option<i64>, &ExtractedArticle)>,
) -> Result<(), StoreError> {
    let mut pages = Vec::new();
    for (id, feed_id, extracted) in revisions {
        pages.extend(extracted.raw.as_ref().map(|raw| (id, feed_id, extracted, raw)));
    }
    // One by one: a statement with hundreds of pages would be held in memory three times.
    for page in pages.chunks(1) {
        INSERT
            .execute(tx, page, |query, (id, feed_id, extracted, raw)| {
                query
                    .bind(id_bytes(id))
                    .bind(bytes(&extracted.raw_sha256))
                    .bind(raw.final_url.as_str())
                    .bind(clean_option(raw.content_type.as_deref()))
                    .bind(extracted.fetched_at.as_millisecond())
                    .bind(i64::try_from(raw.body_bytes).unwrap_or(i64::MAX))
                    .bind(raw.compressed.as_slice())
                    .bind(*feed_id)
            })
            .await?;
    }
    Ok(())
}

const INSERT: RowsSql = RowsSql {
    before: "INSERT INTO raw_pages \
        (article_id, raw_sha256, final_url, content_type, fetched_at, body_bytes, body, feed_id) VALUES ",
    columns: 8,
    after: " ON CONFLICT (article_id, raw_sha256) DO NOTHING",
};
