//! The entries of a poll: which are known, which are new, and which have changed.
//!
//! Keys are looked up twice. The first lookup, by each entry's own key, finds the unchanged entries, which are nearly all.
//! The second is for entries that were not found or were found with another link: it looks up every key that an entry may
//! have, together with the evidence recorded under it.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sqlx::AnyConnection;
use url::Url;

use super::polls::{PollRecord, PollReport, PollResult};
use super::requeue::requeue;
use super::sql::{Row, RowsSql, bytes, clean_option, expect_changed, id_bytes, json, word};
use super::{EntryState, Store, StoreError};
use crate::identity::{Saying, is_same_title};
use crate::model::{
    ArticleId, EntryEvidence, EntryKey, FeedId, PartyId, QualityFlag, Sha256Hash, entry_url, normalise_url,
};
use crate::parse::{ParsedEntry, words_sha256};
use crate::shards::shard_of;
use crate::trust::party;

/// A parsed entry with the id of the article it announces.
#[derive(Clone, Debug)]
pub struct NewEntry {
    /// The entry as parsed.
    pub parsed: ParsedEntry,
    /// The id made of the entry's link; without a link of its own, of its feed and key.
    pub article_id: ArticleId,
}

impl Store {
    /// Returns the keys of the entries that this feed has not shown before.
    pub async fn entries_new(
        &self,
        feed_id: FeedId,
        entries: &[ParsedEntry],
    ) -> Result<HashSet<Sha256Hash>, StoreError> {
        let mut connection = self.database.readers.acquire().await?;
        let keys: Vec<(FeedId, Sha256Hash)> = entries.iter().map(|entry| (feed_id, entry.key)).collect();
        let known = known_keys(&mut connection, &keys).await?;
        let unknown: Vec<&ParsedEntry> = entries.iter().filter(|entry| !known.contains(&entry.key)).collect();
        let others = |entry: &&ParsedEntry| entry.other_keys.iter().map(|key| key.sha256).collect::<Vec<_>>();
        let keys: Vec<_> = unknown.iter().flat_map(others).map(|key| (feed_id, key)).collect();
        let known = known_keys(&mut connection, &keys).await?;
        let is_new = |entry: &&&ParsedEntry| !entry.other_keys.iter().any(|key| known.contains(&key.sha256));
        Ok(unknown.iter().filter(is_new).map(|entry| entry.key).collect())
    }
}

async fn known_keys(
    connection: &mut AnyConnection,
    keys: &[(FeedId, Sha256Hash)],
) -> Result<HashSet<Sha256Hash>, StoreError> {
    let rows =
        KNOWN_KEYS.fetch(connection, keys, |query, (feed, key)| query.bind(feed.0).bind(bytes(key))).await?;
    rows.iter().map(|row| Row { table: "entries", row }.hash("key_sha256")).collect()
}

const KNOWN_KEYS: RowsSql = RowsSql {
    before: "WITH announced (feed_id, key_sha256) AS (VALUES ",
    columns: 2,
    after: ") SELECT e.key_sha256 FROM announced a \
        JOIN entries e ON e.feed_id = a.feed_id AND e.key_sha256 = a.key_sha256",
};

/// An announced entry with the hashes that show whether it changed.
struct Announced<'p> {
    feed_id: FeedId,
    feed_url: &'p Url,
    entry: &'p NewEntry,
    /// Hash of what makes a new revision: the words of the content.
    content_sha256: Sha256Hash,
    /// Hash of everything the feed said about the entry.
    evidence_sha256: Sha256Hash,
    evidence: String,
}

impl Announced<'_> {
    fn keys(&self) -> impl Iterator<Item = EntryKey> {
        let parsed = &self.entry.parsed;
        let first = EntryKey { sha256: parsed.key, is_own: true };
        std::iter::once(first).chain(parsed.other_keys.iter().copied())
    }

    fn link(&self) -> Option<String> {
        self.entry.parsed.link.as_ref().map(normalise_url)
    }
}

async fn announced<'p>(polls: &[&'p PollRecord]) -> Result<Vec<Announced<'p>>, StoreError> {
    let mut seen = HashSet::new();
    let mut announced = Vec::new();
    for poll in polls {
        let (PollResult::Parsed { entries, .. } | PollResult::Delivered { entries, .. }) = &poll.result
        else {
            continue;
        };
        for entry in entries {
            // Where a feed repeats a key, the first entry counts.
            if !seen.insert((poll.feed_id, entry.parsed.key)) {
                continue;
            }
            // A feed can bring up to two thousand texts to hash: let other tasks run in between.
            tokio::task::yield_now().await;
            let said = &entry.parsed.evidence;
            let evidence = json("an entry's evidence", said)?;
            announced.push(Announced {
                feed_id: poll.feed_id,
                feed_url: &poll.feed_url,
                entry,
                content_sha256: words_sha256(said.content.as_deref().unwrap_or_default()),
                evidence_sha256: Sha256Hash::of(&evidence),
                evidence,
            });
        }
    }
    Ok(announced)
}

/// Records the entries of polls that still hold their leases.
pub(super) async fn record_entries(
    tx: &mut AnyConnection,
    polls: &[&PollRecord],
    now: Timestamp,
) -> Result<HashMap<FeedId, PollReport>, StoreError> {
    let announced = announced(polls).await?;
    let Matched { known, new } = matched(tx, &announced).await?;
    let mut reports: HashMap<FeedId, PollReport> = HashMap::new();
    let (mut changed, mut requeued, mut edited) = (Vec::new(), Vec::new(), Vec::new());
    for (known, entry) in &known {
        // The article was removed by retention: only the entry's key still counts.
        if known.removed || known.evidence_sha256 == entry.evidence_sha256 {
            continue;
        }
        changed.push((known.id, *entry));
        if known.content_sha256 == entry.content_sha256 {
            edited.push((known.id, *entry));
        } else {
            reports.entry(entry.feed_id).or_default().updated_entries += 1;
            requeued.push(known.id);
        }
    }
    for (id, feed_id) in edited_stand_ins(tx, &edited).await? {
        reports.entry(feed_id).or_default().updated_entries += 1;
        requeued.push(id);
    }
    for new in &new {
        reports.entry(new.entry.feed_id).or_default().new_entries += 1;
    }
    insert_entries(tx, &new, now).await?;
    CHANGE_DETAILS
        .execute(tx, &changed, |query, (id, entry)| {
            query
                .bind(*id)
                .bind(entry.evidence.as_str())
                .bind(bytes(&entry.content_sha256))
                .bind(bytes(&entry.evidence_sha256))
        })
        .await?;
    requeue(tx, &requeued, now).await?;
    Ok(reports)
}

/// Announced entries, divided into known and new ones.
struct Matched<'a, 'p> {
    known: Vec<(KnownEntry, &'a Announced<'p>)>,
    new: Vec<Unknown<'a, 'p>>,
}

/// An announced entry without a recorded one.
struct Unknown<'a, 'p> {
    entry: &'a Announced<'p>,
    key: Sha256Hash,
    article_id: ArticleId,
    shares_link: bool,
}

struct KnownEntry {
    id: i64,
    removed: bool,
    content_sha256: Sha256Hash,
    evidence_sha256: Sha256Hash,
    url: Option<Url>,
}

impl TryFrom<&Row<'_>> for KnownEntry {
    type Error = StoreError;

    fn try_from(row: &Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.get("id")?,
            removed: row.flag("removed")?,
            content_sha256: row.hash("content_sha256")?,
            evidence_sha256: row.hash("evidence_sha256")?,
            url: row.optional_url("url")?,
        })
    }
}

async fn matched<'a, 'p>(
    tx: &mut AnyConnection,
    announced: &'a [Announced<'p>],
) -> Result<Matched<'a, 'p>, StoreError> {
    let rows = KNOWN_ENTRIES
        .fetch(tx, announced, |query, entry| query.bind(entry.feed_id.0).bind(bytes(&entry.entry.parsed.key)))
        .await?;
    let mut by_key = HashMap::new();
    for row in &rows {
        let row = Row { table: "entry_details", row };
        by_key.insert((FeedId(row.get("feed_id")?), row.hash("key_sha256")?), KnownEntry::try_from(&row)?);
    }
    let (mut known, mut in_doubt) = (Vec::new(), Vec::new());
    for entry in announced {
        let is_as_before =
            |known: &KnownEntry| known.removed || known.url.as_ref().map(normalise_url) == entry.link();
        match by_key.remove(&(entry.feed_id, entry.entry.parsed.key)) {
            Some(found) if is_as_before(&found) => known.push((found, entry)),
            _ => in_doubt.push(entry),
        }
    }
    let new = resolve(tx, in_doubt, &mut known).await?;
    Ok(Matched { known, new: with_articles(tx, new).await? })
}

const KNOWN_ENTRIES: RowsSql = RowsSql {
    before: "WITH announced (feed_id, key_sha256) AS (VALUES ",
    columns: 2,
    after: ") SELECT e.id, e.feed_id, e.key_sha256, e.removed, d.content_sha256, d.evidence_sha256, d.url FROM announced a \
        JOIN entries e ON e.feed_id = a.feed_id AND e.key_sha256 = a.key_sha256 \
        JOIN entry_details d ON d.entry_id = e.id",
};

/// Looks entries up by all their keys. Adds those that are recorded to `known` and returns the others, each with a key that
/// is not in use. An entry whose keys are all in use is dropped.
async fn resolve<'a, 'p>(
    tx: &mut AnyConnection,
    in_doubt: Vec<&'a Announced<'p>>,
    known: &mut Vec<(KnownEntry, &'a Announced<'p>)>,
) -> Result<Vec<(&'a Announced<'p>, Sha256Hash)>, StoreError> {
    let keys: Vec<(FeedId, Sha256Hash)> = in_doubt
        .iter()
        .flat_map(|entry| entry.keys().map(|key| (entry.feed_id, key.sha256)))
        .collect::<HashSet<_>>()
        .into_iter()
        .collect();
    let rows =
        RECORDED_ENTRIES.fetch(tx, &keys, |query, (feed, key)| query.bind(feed.0).bind(bytes(key))).await?;
    let mut recorded: HashMap<(FeedId, Sha256Hash), (KnownEntry, EntryEvidence)> = HashMap::new();
    for row in &rows {
        let row = Row { table: "entry_details", row };
        let key = (FeedId(row.get("feed_id")?), row.hash("key_sha256")?);
        recorded.insert(key, (KnownEntry::try_from(&row)?, row.json("evidence")?));
    }
    let mut taken: HashSet<i64> = known.iter().map(|(known, _)| known.id).collect();
    let mut used: HashSet<(FeedId, Sha256Hash)> = recorded.keys().copied().collect();
    let mut new = Vec::new();
    for entry in in_doubt {
        let parsed = &entry.entry.parsed;
        let announced = Saying::of(parsed.link.as_ref(), &parsed.evidence);
        let found = entry.keys().find(|key| {
            recorded.get(&(entry.feed_id, key.sha256)).is_some_and(|(known, evidence)| {
                let is_of = || Saying::of(known.url.as_ref(), evidence).is_of(&announced, key.is_own);
                !taken.contains(&known.id) && if known.removed { key.is_own } else { is_of() }
            })
        });
        if let Some(key) = found
            && let Some((found, _)) = recorded.remove(&(entry.feed_id, key.sha256))
        {
            taken.insert(found.id);
            known.push((found, entry));
        } else if let Some(key) = entry.keys().find(|key| used.insert((entry.feed_id, key.sha256))) {
            new.push((entry, key.sha256));
        }
    }
    Ok(new)
}

const RECORDED_ENTRIES: RowsSql = RowsSql {
    before: "WITH announced (feed_id, key_sha256) AS (VALUES ",
    columns: 2,
    after: ") SELECT e.id, e.feed_id, e.key_sha256, e.removed, d.content_sha256, d.evidence_sha256, d.url, d.evidence \
        FROM announced a JOIN entries e ON e.feed_id = a.feed_id AND e.key_sha256 = a.key_sha256 \
        JOIN entry_details d ON d.entry_id = e.id",
};

/// Sets the article of each new entry: its page, unless the feed has announced another story under that link before.
async fn with_articles<'a, 'p>(
    tx: &mut AnyConnection,
    new: Vec<(&'a Announced<'p>, Sha256Hash)>,
) -> Result<Vec<Unknown<'a, 'p>>, StoreError> {
    let rows = ANNOUNCED_BEFORE
        .fetch(tx, &new, |query, (entry, _)| {
            query.bind(entry.feed_id.0).bind(id_bytes(&entry.entry.article_id))
        })
        .await?;
    let mut titles: HashMap<(FeedId, ArticleId), Vec<Option<String>>> = HashMap::new();
    for row in &rows {
        let row = Row { table: "mentions", row };
        let place = (FeedId(row.get("feed_id")?), ArticleId(row.hash("article_id")?));
        titles.entry(place).or_default().push(row.get("entry_title")?);
    }
    let articles = new.into_iter().map(|(entry, key)| {
        let NewEntry { parsed, article_id } = entry.entry;
        let title = clean_option(parsed.evidence.title.as_deref());
        let is_another = |other: &Option<String>| !is_same_title(other.as_deref(), title.as_deref());
        let before = titles.get(&(entry.feed_id, *article_id));
        let shares_link = parsed.shares_link || before.is_some_and(|titles| titles.iter().any(is_another));
        let has_page = parsed.link.is_some() && !shares_link;
        let own_id = || ArticleId::of_url(&entry_url(entry.feed_url, key));
        Unknown { entry, key, article_id: if has_page { *article_id } else { own_id() }, shares_link }
    });
    Ok(articles.collect())
}

const ANNOUNCED_BEFORE: RowsSql = RowsSql {
    before: "WITH announced (feed_id, article_id) AS (VALUES ",
    columns: 2,
    after: ") SELECT m.article_id, e.feed_id, m.entry_title FROM announced a \
        JOIN mentions m ON m.article_id = a.article_id JOIN entries e ON e.id = m.entry_id AND e.feed_id = a.feed_id",
};

/// Returns the edited entries whose own text or title changed and is all there is of their article: the article was made from the
/// feed's content, or the entry failed without an article.
async fn edited_stand_ins(
    tx: &mut AnyConnection,
    edited: &[(i64, &Announced<'_>)],
) -> Result<Vec<(i64, FeedId)>, StoreError> {
    let flag = format!("%\"{}\"%", word(QualityFlag::FeedContentUsed));
    let rows = STAND_INS.fetch(tx, edited, |query, (id, _)| query.bind(*id).bind(flag.clone())).await?;
    let mut before: HashMap<i64, EntryEvidence> = HashMap::new();
    for row in &rows {
        let row = Row { table: "entry_details", row };
        before.insert(row.get("entry_id")?, row.json("evidence")?);
    }
    let is_edited = |(id, entry): &&(i64, &Announced<'_>)| {
        let now = &entry.entry.parsed.evidence;
        before.get(id).is_some_and(|before| before.own_text() != now.own_text() || before.title != now.title)
    };
    Ok(edited.iter().filter(is_edited).map(|(id, entry)| (*id, entry.feed_id)).collect())
}

const STAND_INS: RowsSql = RowsSql {
    before: "WITH edited (entry_id, flag) AS (VALUES ",
    columns: 2,
    after: ") SELECT d.entry_id, d.evidence FROM edited JOIN entry_details d ON d.entry_id = edited.entry_id \
        JOIN entries e ON e.id = d.entry_id LEFT JOIN articles a ON a.id = e.article_id \
        LEFT JOIN revisions v ON v.number = a.number AND v.revision = a.revision \
        WHERE v.quality_flags LIKE edited.flag OR (a.id IS NULL AND e.state = 'failed')",
};

async fn insert_entries(
    tx: &mut AnyConnection,
    new: &[Unknown<'_, '_>],
    now: Timestamp,
) -> Result<(), StoreError> {
    let rows = INSERT_ENTRIES
        .fetch(tx, new, |query, new| {
            query
                .bind(new.entry.feed_id.0)
                .bind(PartyId::of(&party(new.entry.feed_url).unwrap_or_default()).0)
                .bind(i64::from(
                    shard_of(new.entry.entry.parsed.link.as_ref().unwrap_or(new.entry.feed_url)).0,
                ))
                .bind(bytes(&new.key))
                .bind(id_bytes(&new.article_id))
                .bind(word(EntryState::Pending))
                .bind(now.as_millisecond())
        })
        .await?;
    let by_key: HashMap<(FeedId, Sha256Hash), &Unknown<'_, '_>> =
        new.iter().map(|new| ((new.entry.feed_id, new.key), new)).collect();
    let mut details = Vec::with_capacity(rows.len());
    for row in &rows {
        let row = Row { table: "entries", row };
        if let Some(new) = by_key.get(&(FeedId(row.get("feed_id")?), row.hash("key_sha256")?)) {
            details.push((row.get::<i64>("id")?, *new));
        }
    }
    expect_changed("entries", new.len() as u64, details.len() as u64)?;
    INSERT_DETAILS
        .execute(tx, &details, |query, (id, new)| {
            let entry = new.entry;
            query
                .bind(*id)
                .bind(entry.entry.parsed.link.as_ref().map(Url::as_str))
                .bind(i64::from(new.shares_link))
                .bind(clean_option(entry.entry.parsed.guid.as_deref()))
                .bind(entry.evidence.as_str())
                .bind(bytes(&entry.content_sha256))
                .bind(bytes(&entry.evidence_sha256))
                .bind(now.as_millisecond())
        })
        .await?;
    Ok(())
}

const INSERT_ENTRIES: RowsSql = RowsSql {
    before: "INSERT INTO entries (feed_id, party, shard, key_sha256, article_id, state, next_attempt_at) VALUES ",
    columns: 7,
    after: " RETURNING id, feed_id, key_sha256",
};

const INSERT_DETAILS: RowsSql = RowsSql {
    before: "INSERT INTO entry_details \
        (entry_id, url, shares_link, guid, evidence, content_sha256, evidence_sha256, first_seen_at) VALUES ",
    columns: 8,
    after: "",
};

const CHANGE_DETAILS: RowsSql = RowsSql {
    before: "WITH changed (id, evidence, content_sha256, evidence_sha256) AS (VALUES ",
    columns: 4,
    after: ") UPDATE entry_details SET evidence = changed.evidence, content_sha256 = changed.content_sha256, \
        evidence_sha256 = changed.evidence_sha256 FROM changed WHERE entry_id = changed.id",
};
