//! The outbox: events in commit order, and how far each consumer has read.

use std::collections::HashMap;

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::Row as _;

use super::metadata::metadata_columns;
use super::sql::{Row, RowsSql, expect_changed, id_bytes, word};
use super::{Store, StoreError, partitions};
use crate::model::{ArticleId, EarlierText, Event, FeedMention, Metadata, Record, SCHEMA_VERSION, masked};

impl Store {
    /// Returns up to `limit` records after `seq`, in order. Concurrent writers never cause one to be skipped. Text and metadata
    /// are those of the event's revision; links to an original, mentions and the withdrawal are the current ones.
    ///
    /// A row that cannot be read is set aside with its reason, once and for every reader, so that it blocks none of them.
    pub async fn records_after(&self, seq: i64, limit: u32) -> Result<Vec<Record>, StoreError> {
        let read = self.readable(RECORDS, seq, limit).await?;
        Ok(read.into_iter().map(|(_, record)| record).collect())
    }

    /// Returns the same records without their texts, each with the size of its text in bytes: reading a long text takes longer
    /// than reading the rest of its record.
    pub async fn outlines_after(&self, seq: i64, limit: u32) -> Result<Vec<(usize, Record)>, StoreError> {
        self.readable(OUTLINES, seq, limit).await
    }

    async fn readable(
        &self,
        sql: &'static str,
        seq: i64,
        limit: u32,
    ) -> Result<Vec<(usize, Record)>, StoreError> {
        loop {
            let (records, unreadable) = self.records_read(sql, seq, limit).await?;
            for (seq, reason) in &unreadable {
                tracing::error!(seq, reason, "cannot read a record, it is set aside");
                self.set_aside(EVERY_READER, *seq, reason).await?;
            }
            if unreadable.is_empty() || !records.is_empty() {
                return Ok(records);
            }
        }
    }

    /// Returns how many of the next records, at most `limit`, have texts of up to `most_bytes` in total, and the number of bytes.
    /// Counts at least one record if there is any.
    pub async fn records_weigh(
        &self,
        seq: i64,
        limit: u32,
        most_bytes: usize,
    ) -> Result<(u32, usize), StoreError> {
        let rows =
            sqlx::query(WEIGHTS).bind(seq).bind(i64::from(limit)).fetch_all(&self.database.readers).await?;
        let (mut records, mut bytes) = (0, 0_usize);
        for row in &rows {
            let text: i64 = row.try_get("bytes")?;
            let text = usize::try_from(text).unwrap_or_default();
            if records > 0 && bytes + text > most_bytes {
                break;
            }
            records += 1;
            bytes += text;
        }
        Ok((records, bytes))
    }

    /// Returns the records that can be read, each with its text's size in bytes, and the positions of those that cannot.
    async fn records_read(
        &self,
        sql: &'static str,
        seq: i64,
        limit: u32,
    ) -> Result<(Vec<(usize, Record)>, Unreadable), StoreError> {
        let mut connection = self.database.readers.acquire().await?;
        let rows = sqlx::query(sql).bind(seq).bind(i64::from(limit)).fetch_all(&mut *connection).await?;
        let (mut records, mut unreadable) = (Vec::with_capacity(rows.len()), Vec::new());
        for row in &rows {
            let row = Row { table: "outbox", row };
            let seq = row.get("seq")?;
            match row.number("text_bytes").and_then(|bytes| Ok((bytes, Record::try_from(row)?))) {
                Ok(read) => records.push(read),
                Err(error) => unreadable.push((seq, error.to_string())),
            }
        }
        let ids = records.iter().map(|(_, record)| record.id).collect();
        let mentions = mentions(&mut connection, ids).await?;
        records.retain_mut(|(_, record)| match mentions.get(&record.id) {
            Some(Ok(known)) => {
                record.feeds.clone_from(known);
                true
            }
            Some(Err(error)) => {
                unreadable.push((record.seq, error.to_string()));
                false
            }
            None => true,
        });
        Ok((records, unreadable))
    }

    /// Returns the last event of an article's revision; of the current one if `revision` is `None`.
    pub async fn article_record(
        &self,
        id: ArticleId,
        revision: Option<u32>,
    ) -> Result<Option<Record>, StoreError> {
        let mut connection = self.database.readers.acquire().await?;
        let row = sqlx::query(RECORD_OF_ARTICLE)
            .bind(id_bytes(&id).to_vec())
            .bind(revision.map(i64::from))
            .fetch_optional(&mut *connection)
            .await?;
        let Some(row) = row else { return Ok(None) };
        let mut record = Record::try_from(Row { table: "outbox", row: &row })?;
        let mut mentions = mentions(&mut connection, vec![record.id]).await?;
        record.feeds = mentions.remove(&id).transpose()?.unwrap_or_default();
        Ok(Some(record))
    }

    /// Returns the highest position so far, initially 0.
    pub async fn last_seq(&self) -> Result<i64, StoreError> {
        let row = sqlx::query(LAST_SEQ).fetch_one(&self.database.readers).await?;
        Row { table: "counters", row: &row }.get("value")
    }

    /// Returns how far a consumer has read, initially 0.
    pub async fn cursor_get(&self, consumer: &str) -> Result<i64, StoreError> {
        let row = sqlx::query("SELECT seq FROM cursors WHERE consumer = $1")
            .bind(consumer)
            .fetch_optional(&self.database.readers)
            .await?;
        match row {
            Some(row) => Ok(row.try_get(0)?),
            None => Ok(0),
        }
    }

    /// Sets a consumer's cursor.
    pub async fn cursor_set(&self, consumer: &str, seq: i64) -> Result<(), StoreError> {
        let mut tx = self.database.write().await?;
        sqlx::query(SET_CURSOR)
            .bind(consumer)
            .bind(seq)
            .bind(self.clock.now().as_millisecond())
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }
}

/// The mentions of articles, or why they cannot be read.
type Mentions = HashMap<ArticleId, Result<Vec<FeedMention>, StoreError>>;

async fn mentions(connection: &mut AnyConnection, mut ids: Vec<ArticleId>) -> Result<Mentions, StoreError> {
    ids.sort_unstable();
    ids.dedup();
    let rows = MENTIONS.fetch(connection, &ids, |query, id| query.bind(id_bytes(id))).await?;
    let mut mentions = Mentions::new();
    for row in &rows {
        let row = Row { table: "mentions", row };
        let id = ArticleId(row.hash("article_id")?);
        let mention = FeedMention::try_from(row);
        let known = mentions.entry(id).or_insert_with(|| Ok(Vec::new()));
        match (known, mention) {
            (Ok(known), Ok(mention)) => known.push(mention),
            (known @ Ok(_), Err(error)) => *known = Err(error),
            (Err(_), _) => {}
        }
    }
    Ok(mentions)
}

/// Positions of records that cannot be read, each with the reason.
type Unreadable = Vec<(i64, String)>;

/// Used in place of a sink's name for records that no reader can read.
const EVERY_READER: &str = "";

const LAST_SEQ: &str = "SELECT name, value FROM counters WHERE name = 'outbox'";

/// An aggregate over the events that brought earlier texts of the article; NULL unless this event replaces or withdraws a text.
macro_rules! earlier {
    ($what:literal) => {
        concat!(
            "CASE WHEN o.event IN ('revised', 'withdrawn') THEN (SELECT ", $what, " FROM outbox p \
             WHERE p.article_id = o.article_id AND p.seq < o.seq AND p.event IN ('created', 'revised')) END"
        )
    };
}

/// Events with the article's revision at that time. Of the joined tables, only `revisions` has the metadata columns.
macro_rules! records {
    ($text:literal, $which:expr) => {
        concat!(
            "SELECT o.seq, o.event, o.created_at, o.article_id, o.revision, a.url, a.original_url, a.hostname, a.duplicate_of, \
             a.duplicate_kind, a.duplicate_score, a.cluster_id, a.withdrawn_at, r.content_sha256, r.raw_sha256, ",
            $text,
            " AS text, octet_length(r.text) AS text_bytes, r.fetched_at, r.word_count, \
             r.quality_flags, r.extractor_version, r.enclosures, ",
            earlier!("max(p.seq)"),
            " AS earlier_seq, (SELECT e.content_sha256 FROM revisions e WHERE e.number = a.number AND e.revision = ",
            earlier!("max(p.revision)"),
            ") AS earlier_sha256, ",
            metadata_columns!(),
            " FROM outbox o JOIN articles a ON a.id = o.article_id \
             LEFT JOIN revisions r ON r.number = a.number AND r.revision = o.revision WHERE ",
            $which
        )
    };
}

/// The next events after a position, without those that were set aside for every reader.
macro_rules! next {
    () => {
        "o.seq > $1 AND NOT EXISTS (SELECT 1 FROM set_aside s WHERE s.sink = '' AND s.seq = o.seq) ORDER BY o.seq LIMIT $2"
    };
}

const RECORDS: &str = records!("r.text", next!());

const OUTLINES: &str = records!("''", next!());

const WEIGHTS: &str = concat!(
    "SELECT o.seq, coalesce(octet_length(r.text), 0) AS bytes FROM outbox o JOIN articles a ON a.id = o.article_id \
     LEFT JOIN revisions r ON r.number = a.number AND r.revision = o.revision WHERE ",
    next!()
);

const RECORD_OF_ARTICLE: &str = records!(
    "r.text",
    "o.article_id = $1 AND o.revision = coalesce($2, a.revision) ORDER BY o.seq DESC LIMIT 1"
);

const MENTIONS: RowsSql = RowsSql {
    before: "SELECT m.article_id, m.feed_url, m.guid, m.entry_title, m.entry_published_at, m.first_seen_at, d.tags \
        FROM mentions m LEFT JOIN entries e ON e.id = m.entry_id LEFT JOIN feed_details d ON d.feed_id = e.feed_id \
        WHERE m.article_id IN (VALUES ",
    columns: 1,
    after: ") ORDER BY m.first_seen_at, m.entry_id",
};

const SET_CURSOR: &str = "INSERT INTO cursors (consumer, seq, moved_at) VALUES ($1, $2, $3) \
    ON CONFLICT (consumer) DO UPDATE SET seq = excluded.seq, moved_at = excluded.moved_at";

impl TryFrom<Row<'_>> for Record {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            seq: row.get("seq")?,
            event: row.word("event")?,
            recorded_at: row.time("created_at")?,
            id: ArticleId(row.hash("article_id")?),
            revision: row.number("revision")?,
            url: row.url("url")?,
            original_url: row.url("original_url")?,
            metadata: Metadata::try_from(&row)?,
            text: row.get("text")?,
            fetched_at: row.time("fetched_at")?,
            hostname: row.get("hostname")?,
            word_count: row.number("word_count")?,
            content_sha256: row.hash("content_sha256")?,
            raw_sha256: row.hash("raw_sha256")?,
            duplicate_of: row.optional_hash("duplicate_of")?.map(ArticleId),
            duplicate_kind: row.optional_word("duplicate_kind")?,
            duplicate_score: row.get("duplicate_score")?,
            cluster_id: ArticleId(row.hash("cluster_id")?),
            withdrawn_at: row.optional_time("withdrawn_at")?,
            feeds: Vec::new(),
            extractor_version: row.get("extractor_version")?,
            quality_flags: row.json("quality_flags")?,
            enclosures: row.optional_json("enclosures")?.unwrap_or_default(),
            schema_version: SCHEMA_VERSION,
            replaces: row
                .get::<Option<i64>>("earlier_seq")?
                .zip(row.optional_hash("earlier_sha256")?)
                .map(|(seq, content_sha256)| EarlierText { seq, content_sha256 }),
        })
    }
}

impl TryFrom<Row<'_>> for FeedMention {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            feed_url: masked(&row.url("feed_url")?),
            tags: row.optional_json("tags")?.unwrap_or_default(),
            guid: row.get("guid")?,
            entry_title: row.get("entry_title")?,
            entry_published_at: row.optional_time("entry_published_at")?,
            first_seen_at: row.time("first_seen_at")?,
        })
    }
}

/// The end of the outbox, locked by one transaction at a time.
pub(super) struct Outbox {
    held_from: i64,
    rows: Vec<OutboxRow>,
}

struct OutboxRow {
    seq: i64,
    event: Event,
    article_id: ArticleId,
    revision: u32,
}

impl Outbox {
    /// Locks the counter's row: until the commit no other transaction can store an article.
    pub(super) async fn lock(tx: &mut AnyConnection) -> Result<Self, StoreError> {
        let row = sqlx::query("UPDATE counters SET value = value WHERE name = 'outbox' RETURNING value")
            .fetch_one(&mut *tx)
            .await?;
        let held_from = row.try_get(0)?;
        partitions::make_room(tx, held_from).await?;
        Ok(Self { held_from, rows: Vec::new() })
    }

    /// Returns the position that the next event gets.
    pub(super) fn next_seq(&self) -> i64 {
        self.rows.last().map_or(self.held_from, |row| row.seq) + 1
    }

    pub(super) fn push(&mut self, event: Event, article_id: ArticleId, revision: u32) -> i64 {
        let seq = self.next_seq();
        self.rows.push(OutboxRow { seq, event, article_id, revision });
        seq
    }

    pub(super) async fn write(self, tx: &mut AnyConnection, now: Timestamp) -> Result<(), StoreError> {
        let Some(last) = self.rows.last() else { return Ok(()) };
        let changed = sqlx::query("UPDATE counters SET value = $1 WHERE name = 'outbox'")
            .bind(last.seq)
            .execute(&mut *tx)
            .await?
            .rows_affected();
        expect_changed("counters", 1, changed)?;
        INSERT_EVENTS
            .execute(tx, &self.rows, |query, row| {
                query
                    .bind(row.seq)
                    .bind(word(row.event))
                    .bind(id_bytes(&row.article_id))
                    .bind(i64::from(row.revision))
                    .bind(now.as_millisecond())
            })
            .await?;
        Ok(())
    }
}

const INSERT_EVENTS: RowsSql = RowsSql {
    before: "INSERT INTO outbox (seq, event, article_id, revision, created_at) VALUES ",
    columns: 5,
    after: "",
};
