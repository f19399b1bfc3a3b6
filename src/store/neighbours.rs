//! Loads earlier articles that a new text may be a copy of.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use sqlx::AnyConnection;

use super::StoreError;
use super::sql::{Row, RowsSql, bytes, signed};
use crate::dedup::{self, Index, Neighbour, Publisher};
use crate::model::{ArticleId, FeedId, Fingerprint, Sha256Hash};

/// Bands of articles that left the window are deleted in ranges of this many article numbers.
const PRUNED_AT_ONCE: i64 = 500;

/// Loads all articles that texts with `fingerprints` may be copies of. Exact copies are found whatever their age, near copies
/// within the window only.
pub(super) async fn load(
    tx: &mut AnyConnection,
    fingerprints: &[&Fingerprint],
    settings: &dedup::Settings,
    now: Timestamp,
) -> Result<Index, StoreError> {
    let mut index = Index::default();
    let contents: BTreeSet<Sha256Hash> = comparable(fingerprints).map(|it| it.content_sha256).collect();
    let contents: Vec<Sha256Hash> = contents.into_iter().collect();
    for row in &FIRST_BY_CONTENT.fetch(tx, &contents, |query, hash| query.bind(bytes(hash))).await? {
        let (number, neighbour) = numbered_neighbour(&Row { table: "articles", row })?;
        index.add_first(number, neighbour);
    }
    let bands: BTreeSet<u64> = comparable(fingerprints).flat_map(|it| it.bands.iter().copied()).collect();
    let bands: Vec<u64> = bands.into_iter().collect();
    if bands.is_empty() {
        return Ok(index);
    }
    let oldest = first_in_window(tx, settings, now).await?;
    for row in
        &NUMBERS_BY_BAND.fetch(tx, &bands, |query, band| query.bind(signed(*band)).bind(oldest)).await?
    {
        let row = Row { table: "article_bands", row };
        index.add_band(row.get::<i64>("band")?.cast_unsigned(), row.get("number")?);
    }
    let numbers: BTreeSet<i64> =
        comparable(fingerprints).flat_map(|fingerprint| index.candidates(i64::MAX, fingerprint)).collect();
    let numbers: Vec<i64> = numbers.into_iter().collect();
    for row in &BY_NUMBER.fetch(tx, &numbers, |query, number| query.bind(*number)).await? {
        let (number, neighbour) = numbered_neighbour(&Row { table: "articles", row })?;
        index.add_text(number, neighbour);
    }
    Ok(index)
}

fn comparable<'f>(fingerprints: &'f [&'f Fingerprint]) -> impl Iterator<Item = &'f Fingerprint> {
    fingerprints.iter().copied().filter(|fingerprint| fingerprint.comparable)
}

fn numbered_neighbour(row: &Row<'_>) -> Result<(i64, Neighbour), StoreError> {
    let neighbour = Neighbour {
        id: ArticleId(row.hash("id")?),
        cluster_id: ArticleId(row.hash("cluster_id")?),
        content_sha256: row.hash("content_sha256")?,
        text: dedup::compared(&row.get::<String>("text")?).to_owned(),
        publisher: Publisher {
            host: row.get("hostname")?,
            feed: row.get::<Option<i64>>("feed_id")?.map(FeedId),
        },
    };
    Ok((row.get("number")?, neighbour))
}

/// Characters of a text that the queries below return: whole books would not fit in memory by the dozen.
const _: () = assert!(dedup::MAX_COMPARED_BYTES <= 262_144, "what is compared must be returned");

/// Looks texts up by article number, so that the planner reads one partition; joined with the texts by hash it would read all.
const FIRST_BY_CONTENT: RowsSql = RowsSql {
    before: "WITH wanted (content_sha256) AS (VALUES ",
    columns: 1,
    after: "), first (content_sha256, number) AS (\
            SELECT w.content_sha256, (SELECT s.number FROM revisions s JOIN articles l ON l.number = s.number \
                WHERE s.content_sha256 = w.content_sha256 AND l.removed_at IS NULL ORDER BY s.number LIMIT 1) FROM wanted w) \
        SELECT a.id, a.number, a.cluster_id, a.hostname, a.feed_id, r.content_sha256, substr(r.text, 1, 262144) AS text \
        FROM first f JOIN articles a ON a.number = f.number \
        JOIN revisions r ON r.number = a.number AND r.content_sha256 = f.content_sha256",
};

const NUMBERS_BY_BAND: RowsSql = RowsSql {
    before: "WITH wanted (band, oldest) AS (VALUES ",
    columns: 2,
    after: ") SELECT b.band, b.number FROM wanted w JOIN article_bands b ON b.band = w.band AND b.number >= w.oldest \
        ORDER BY b.number LIMIT 20000",
};

const BY_NUMBER: RowsSql = RowsSql {
    before: "SELECT a.id, a.number, a.cluster_id, a.hostname, a.feed_id, r.content_sha256, substr(r.text, 1, 262144) AS text \
        FROM articles a \
        JOIN revisions r ON r.number = a.number AND r.revision = a.revision WHERE a.number IN (VALUES ",
    columns: 1,
    after: ")",
};

/// Returns the number of the first article within the window. Numbers rise with the time of storing, so the first row of the
/// index is the answer, however many articles the window holds.
async fn first_in_window(
    tx: &mut AnyConnection,
    settings: &dedup::Settings,
    now: Timestamp,
) -> Result<i64, StoreError> {
    let start =
        SignedDuration::try_from(settings.window).ok().and_then(|window| now.checked_sub(window).ok());
    let row = sqlx::query(FIRST_STORED_SINCE)
        .bind(start.map_or(i64::MIN, Timestamp::as_millisecond))
        .fetch_optional(tx)
        .await?;
    row.map_or(Ok(i64::MAX), |row| Row { table: "articles", row: &row }.get("number"))
}

const FIRST_STORED_SINCE: &str =
    "SELECT number FROM articles WHERE stored_at >= $1 ORDER BY stored_at, number LIMIT 1";

/// Bands of a batch's texts, by article number.
#[derive(Default)]
pub(super) struct NewBands {
    replaced: Vec<i64>,
    rows: Vec<(i64, i64)>,
}

impl NewBands {
    pub(super) fn add(&mut self, number: i64, bands: &[u64]) {
        self.rows.extend(bands.iter().map(|band| (signed(*band), number)));
    }

    /// Replaces the bands of an article that had another text before.
    pub(super) fn replace(&mut self, number: i64, bands: &[u64]) {
        self.replaced.push(number);
        self.rows.retain(|(_, earlier)| *earlier != number);
        self.add(number, bands);
    }

    pub(super) async fn write(
        self,
        tx: &mut AnyConnection,
        settings: &dedup::Settings,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        DELETE_BANDS.execute(tx, &self.replaced, |query, number| query.bind(*number)).await?;
        INSERT_BANDS.execute(tx, &self.rows, |query, (band, number)| query.bind(*band).bind(*number)).await?;
        if !self.rows.is_empty() {
            let oldest = first_in_window(tx, settings, now).await?;
            sqlx::query(PRUNE_BANDS).bind(oldest).bind(PRUNED_AT_ONCE).execute(tx).await?;
        }
        Ok(())
    }
}

const DELETE_BANDS: RowsSql =
    RowsSql { before: "DELETE FROM article_bands WHERE number IN (VALUES ", columns: 1, after: ")" };

const INSERT_BANDS: RowsSql = RowsSql {
    before: "INSERT INTO article_bands (band, number) VALUES ",
    columns: 2,
    after: " ON CONFLICT (band, number) DO NOTHING",
};

const PRUNE_BANDS: &str = "DELETE FROM article_bands WHERE number < $1 \
    AND number < (SELECT min(number) FROM article_bands) + $2";
