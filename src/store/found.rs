//! Searches articles by their words, newest first, at a bounded cost whatever the words are.
//!
//! One word occurs in every article and another in one only, and neither back end handles both well by itself.
//!
//! - A GIN index collects all rows before it returns the first, and PostgreSQL's planner assumes that a word missing from its
//!   statistics is in one of every two hundred articles: it would rather read all texts backwards, and did so in vain for a
//!   second on half a million. So a search goes back in time by windows of article numbers, each four times as wide as the
//!   last: common words fill the page within the first window, and rare words are cheap to look up in the widest. In the
//!   index, articles are grouped into shelves of 4,096 numbers, and a query names the shelves of its window beside the words,
//!   so that the rest of each word's list is skipped.
//! - FTS5 returns rows one by one, newest first. But it reads the words' lists from the newest article on until they meet,
//!   wherever a search is to continue; if they never meet, it reads all of them: a tenth of a second for a million articles. So
//!   its index has shelves too, as words of a separate column. For a prefix it merges the lists of all words with that prefix
//!   before it returns the first row: seconds for a single letter, on two hundred thousand articles. So a search that asks
//!   the index for a prefix (one that is not common) uses a single window for everything.
//!
//! Hence the index does not answer everything. The matches of a prefix are counted first, up to a bound; prefixes that are
//! common are left out of the index query, and so is the order of words in a phrase. These are checked in each article that
//! the other words find. What is common is found soon this way.
//!
//! A search that has found too little when its time is over returns what it has, and where to continue.

use std::fmt::Write as _;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::any::AnyRow;
use sqlx::{AssertSqlSafe, Row as _};
use tokio::time::Instant;

use super::connection::{Dialect, DialectSql};
use super::history::ArticleStatus;
use super::partitions;
use super::sql::{Row, models};
use super::{Store, StoreError};
use crate::blocking::{self, Queue};
use crate::search::{Phrase, Question};

/// An article that a search found.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundArticle {
    /// The article's number: the order in which articles were stored.
    pub number: i64,
    /// The article.
    pub status: ArticleStatus,
    /// Its current text.
    pub text: String,
    /// The language of the text.
    pub language: Option<String>,
}

/// A page of search results.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundArticles {
    /// Newest first.
    pub articles: Vec<FoundArticle>,
    /// Articles with lower numbers remain to be searched, by passing this as `before`. `None` if all were searched.
    pub next: Option<i64>,
    /// How far back articles were searched, if the search stopped before it had found as many as were wanted.
    pub stopped_at: Option<Timestamp>,
}

/// A search stops after this time with what it has found. It is half of what a page may take, since the last window may take
/// as long again.
const PATIENCE: Duration = Duration::from_millis(100);

/// Bits of article numbers within a shelf and a case, as in migration `0085_pages_at_size`. A query over many shelves looks
/// up each article of its window on every one of them, hence the larger cases.
const SHELF_BITS: u32 = 12;
const SHELF: i64 = 1 << SHELF_BITS;
const CASE_BITS: u32 = 17;

/// Private-use prefixes of shelf and case numbers in the `places` column of SQLite's index; no word starts with them.
const SHELF_SIGN: char = '\u{e000}';
const CASE_SIGN: char = '\u{e001}';

/// Article numbers in the widest window, and the factor between windows. If all old articles and no others contain a word,
/// PostgreSQL visits this many rows at once.
const WIDEST: i64 = 1 << CASE_BITS;
const WIDENING: i64 = 4;

/// Numbers taken from the index at once if each article must be checked, and articles that are checked or read at once.
const NAMED: usize = 1_000;
const AT_ONCE: usize = 100;
/// Texts that are split into words at once.
const TEXTS_AT_ONCE: usize = 20;

/// On PostgreSQL, a prefix is common if at least `SAMPLE_COMMON` of the newest `SAMPLE` articles contain it.
const SAMPLE: i64 = 300;
const SAMPLE_COMMON: i64 = 15;
/// On SQLite, a prefix is common from this many occurrences on: FTS5 merges them in the
/// time of counting them, some ten milliseconds.
const COMMON_PLACES: i64 = 100_000;

/// Sorts after every letter.
const BEHIND_ALL: char = '\u{10ffff}';

/// PostgreSQL's SQLSTATE for a table that does not exist.
const UNDEFINED_TABLE: &str = "42P01";

impl Store {
    /// Returns up to `limit` articles that match `question`, newest first, of those stored before number `before`.
    pub async fn articles_search(
        &self,
        question: &Question,
        before: Option<i64>,
        limit: u32,
    ) -> Result<FoundArticles, StoreError> {
        self.articles_search_within(question, before, limit, PATIENCE).await
    }

    /// Like [`Store::articles_search`], but stops after `patience`; if that is zero, after one step.
    pub async fn articles_search_within(
        &self,
        question: &Question,
        before: Option<i64>,
        limit: u32,
        patience: Duration,
    ) -> Result<FoundArticles, StoreError> {
        let end = Instant::now() + patience;
        let limit = limit as usize;
        let before = before.unwrap_or(i64::MAX);
        let plan = self.plan(question, before).await?;
        let mut windows = self.windows(&plan, before).await?;
        let mut found = FoundArticles::default();
        while let Some(window) = windows.next() {
            let named = self.named(&plan, &window).await?;
            let mut steps = named.chunks(plan.at_once).peekable();
            while let Some(numbers) = steps.next() {
                // One more than wanted shows whether there are others.
                let wanted = limit + 1 - found.articles.len();
                found.articles.extend(self.answering(&plan, question, &window, numbers, wanted).await?);
                if found.articles.len() > limit {
                    found.articles.truncate(limit);
                    found.next = found.articles.last().map(|last| last.number);
                    return Ok(found);
                }
                let looked_at = numbers.last().copied().unwrap_or(window.numbers.start);
                if steps.peek().is_some() && Instant::now() >= end {
                    return self.stopped(found, looked_at).await;
                }
            }
            // A full batch was cut off by the limit: articles older than its last one may match, too.
            match named.last() {
                Some(last) if named.len() >= plan.most => windows.narrow(*last),
                _ => windows.widen(window.numbers.start),
            }
            if windows.has_more() && Instant::now() >= end {
                return self.stopped(found, windows.past).await;
            }
        }
        Ok(found)
    }

    async fn stopped(&self, found: FoundArticles, at: i64) -> Result<FoundArticles, StoreError> {
        let row = sqlx::query(STORED_SINCE).bind(at).fetch_optional(&self.database.readers).await?;
        let stopped_at = row.map(|row| Row { table: "articles", row: &row }.time("stored_at")).transpose()?;
        Ok(FoundArticles { next: Some(at), stopped_at, ..found })
    }

    /// Divides a question into what the index is asked and what is checked in each article.
    async fn plan(&self, question: &Question, before: i64) -> Result<Plan, StoreError> {
        let dialect = self.database.dialect;
        let (mut wanted, mut unwanted, mut rest) = (Vec::new(), Vec::new(), false);
        for phrase in question.wanted() {
            let mut phrase = phrase.clone();
            rest |= phrase.words.len() > 1;
            if phrase.is_open && self.is_common(&phrase, before).await? {
                phrase.words.pop();
                phrase.is_open = false;
                rest = true;
            }
            if !phrase.words.is_empty() {
                wanted.push(phrase);
            }
        }
        for phrase in question.unwanted() {
            if phrase.is_open || phrase.words.len() > 1 {
                rest = true;
            } else {
                unwanted.push(phrase.clone());
            }
        }
        rest |= wanted.is_empty();
        let (most, at_once) = match (rest, dialect) {
            (false, _) => (AT_ONCE, AT_ONCE),
            (true, Dialect::Sqlite) => (NAMED, TEXTS_AT_ONCE),
            (true, Dialect::Postgres) => (NAMED, AT_ONCE),
        };
        let rest = rest.then(|| tsquery(question.wanted(), question.unwanted(), " <-> "));
        Ok(Plan { wanted, unwanted, rest, most, at_once })
    }

    /// Returns whether the last word of a phrase is a prefix of so many words or in so many articles that the index should not
    /// be asked for it.
    async fn is_common(&self, phrase: &Phrase, before: i64) -> Result<bool, StoreError> {
        let Some(beginning) = phrase.words.last() else { return Ok(false) };
        let query = match self.database.dialect {
            Dialect::Sqlite => sqlx::query(COUNT_PLACES)
                .bind(beginning.clone())
                .bind(format!("{beginning}{BEHIND_ALL}"))
                .bind(COMMON_PLACES),
            Dialect::Postgres => {
                sqlx::query(COUNT_IN_SAMPLE).bind(format!("'{beginning}':*")).bind(before).bind(SAMPLE)
            }
        };
        let count: i64 = query.fetch_one(&self.database.readers).await?.try_get(0)?;
        Ok(match self.database.dialect {
            Dialect::Sqlite => count >= COMMON_PLACES,
            Dialect::Postgres => count >= SAMPLE_COMMON,
        })
    }

    async fn windows(&self, plan: &Plan, before: i64) -> Result<Windows, StoreError> {
        let last = partitions::last_number(&self.database).await?;
        let merges = self.database.dialect == Dialect::Sqlite && plan.wanted.iter().any(|word| word.is_open);
        let (narrowest, widest) = if merges { (i64::MAX, i64::MAX) } else { (SHELF, WIDEST) };
        let parts = partitions::of_words(&self.database).await?;
        Ok(Windows { past: before.min(last + 1), width: narrowest, narrowest, widest, parts })
    }

    /// Returns the numbers of articles in a window that match the index query, highest first.
    async fn named(&self, plan: &Plan, window: &Window) -> Result<Vec<i64>, StoreError> {
        // Built from constants and numbers.
        let asks_index = !plan.wanted.is_empty();
        let sql = AssertSqlSafe(naming(self.database.dialect, asks_index, window));
        let mut query = sqlx::query(sql).bind(window.numbers.start).bind(window.numbers.end);
        query = query.bind(i64::try_from(plan.most).unwrap_or(i64::MAX));
        if asks_index {
            query = query.bind(match self.database.dialect {
                Dialect::Sqlite => fts5(&plan.wanted, &plan.unwanted, window),
                Dialect::Postgres => tsquery(&plan.wanted, &plan.unwanted, " & "),
            });
        }
        numbers_of(query.fetch_all(&self.database.readers).await)
    }

    /// Returns up to `wanted` of the articles that the index found, those that match the whole question.
    async fn answering(
        &self,
        plan: &Plan,
        question: &Question,
        window: &Window,
        numbers: &[i64],
        wanted: usize,
    ) -> Result<Vec<FoundArticle>, StoreError> {
        match (&plan.rest, self.database.dialect) {
            (None, _) => self.read(numbers, wanted).await,
            (Some(rest), Dialect::Postgres) => {
                // Built from constants and numbers.
                let sql = AssertSqlSafe(looking(&window.table));
                let query = sqlx::query(sql).bind(listed(Dialect::Postgres, numbers)).bind(rest.clone());
                let numbers = numbers_of(query.fetch_all(&self.database.readers).await)?;
                self.read(&numbers, wanted).await
            }
            (Some(_), Dialect::Sqlite) => {
                let mut found = self.read(numbers, numbers.len()).await?;
                let bytes = found.iter().map(|found| found.text.len()).sum();
                let question = question.clone();
                let answers = move |found: &FoundArticle| {
                    question.is_answered_by(found.status.title.as_deref(), &found.text)
                };
                found = blocking::run(Queue::Answers, bytes, move || {
                    found.retain(answers);
                    found
                })
                .await;
                found.truncate(wanted);
                Ok(found)
            }
        }
    }

    /// Reads up to `limit` of these articles, newest first.
    async fn read(&self, numbers: &[i64], limit: usize) -> Result<Vec<FoundArticle>, StoreError> {
        if numbers.is_empty() {
            return Ok(Vec::new());
        }
        let dialect = self.database.dialect;
        let rows = sqlx::query(dialect.choose(READ))
            .bind(listed(dialect, numbers))
            .bind(i64::try_from(limit).unwrap_or(i64::MAX))
            .fetch_all(&self.database.readers)
            .await?;
        models("articles", &rows)
    }
}

/// Returns the article numbers in query results; none if the partition, with all its articles, was dropped meanwhile.
fn numbers_of(rows: Result<Vec<AnyRow>, sqlx::Error>) -> Result<Vec<i64>, StoreError> {
    match rows {
        Ok(rows) => rows.iter().map(|row| Ok(row.try_get(0)?)).collect(),
        Err(error)
            if error
                .as_database_error()
                .is_some_and(|error| error.code().as_deref() == Some(UNDEFINED_TABLE)) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(error.into()),
    }
}

/// Formats numbers as a single parameter.
fn listed(dialect: Dialect, numbers: &[i64]) -> String {
    let listed = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    match dialect {
        Dialect::Sqlite => format!("[{listed}]"),
        Dialect::Postgres => format!("{{{listed}}}"),
    }
}

/// How a question is answered.
struct Plan {
    /// Phrases for the index query; no wanted ones if the index would have to return nearly all articles.
    wanted: Vec<Phrase>,
    unwanted: Vec<Phrase>,
    /// What each article that the index finds must also match, as a PostgreSQL query;
    /// `None` if the index answers the whole question.
    rest: Option<String>,
    /// Number of articles that the index returns at once.
    most: usize,
    /// Number of articles that are read at once.
    at_once: usize,
}

/// A range of article numbers that is searched at once.
struct Window {
    numbers: Range<i64>,
    within: Within,
    /// The table of the articles' words.
    table: String,
}

/// How the index query names the place of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Shelves,
    /// The window lies in one case, so its shelves need not be listed.
    Case,
    /// Not at all: the window may be anywhere.
    All,
}

/// The sequence of windows, going back in time.
struct Windows {
    /// All articles from this number on were searched.
    past: i64,
    width: i64,
    narrowest: i64,
    widest: i64,
    /// The tables of words with the number range of each, newest first.
    parts: Vec<(Range<i64>, String)>,
}

impl Windows {
    fn part(&self) -> Option<&(Range<i64>, String)> {
        self.parts.iter().find(|(numbers, _)| numbers.start < self.past)
    }

    fn has_more(&self) -> bool {
        self.part().is_some()
    }

    fn next(&self) -> Option<Window> {
        let (part, table) = self.part()?;
        let end = self.past.min(part.end);
        let (start, within) = match self.width {
            i64::MAX => (part.start, Within::All),
            WIDEST => ((end - 1) >> CASE_BITS << CASE_BITS, Within::Case),
            width => ((end - width) >> SHELF_BITS << SHELF_BITS, Within::Shelves),
        };
        Some(Window { numbers: start.max(part.start)..end, within, table: table.clone() })
    }

    /// Continues with a wider window; all of the last one, down to `past`, was searched.
    fn widen(&mut self, past: i64) {
        self.past = past;
        self.width = self.width.saturating_mul(WIDENING).min(self.widest);
    }

    /// Continues with the narrowest window; matches were so many that the last window was searched only down to `past`.
    fn narrow(&mut self, past: i64) {
        self.past = past;
        self.width = self.narrowest;
    }
}

/// The SQL that finds articles by the index. Parameters: the first number, the end of the range, the limit, and the words.
fn naming(dialect: Dialect, asks_index: bool, Window { table, within, .. }: &Window) -> String {
    let by_number = "rowid >= $1 AND rowid < $2 ORDER BY rowid DESC LIMIT $3";
    match (dialect, asks_index) {
        (_, false) => format!("SELECT rowid FROM {table} WHERE {by_number}"),
        (Dialect::Sqlite, true) => {
            format!("SELECT rowid FROM {table} WHERE {table} MATCH $4 AND {by_number}")
        }
        // The planner knows nothing of words in a subquery, and there is no index on a sum: so it uses the index of words, whatever
        // its statistics say. Along the index of numbers it would read every text, a cost that it does not count.
        (Dialect::Postgres, true) => {
            let (place, bits) = match within {
                Within::Case => ("-1 - place", CASE_BITS),
                Within::Shelves | Within::All => ("place", SHELF_BITS),
            };
            format!(
                "SELECT rowid FROM {table} WHERE ARRAY[rowid >> {SHELF_BITS}, -1 - (rowid >> {CASE_BITS})] && \
                    (SELECT array_agg({place}) FROM generate_series($1 >> {bits}, ($2 - 1) >> {bits}) AS place) \
                 AND words @@ (SELECT to_tsquery('simple', $4)) \
                 AND rowid + 0 >= $1 AND rowid + 0 < $2 ORDER BY rowid + 0 DESC LIMIT $3"
            )
        }
    }
}

/// The SQL that checks the words of given articles. Parameters: the numbers and the query. No index matches `IS TRUE`, so the
/// index of words is not asked for all matching articles.
fn looking(table: &str) -> String {
    format!(
        "SELECT rowid FROM {table} WHERE rowid = ANY (CAST($1 AS BIGINT[])) \
         AND (words @@ to_tsquery('simple', $2)) IS TRUE ORDER BY rowid DESC"
    )
}

macro_rules! read {
    ($listed:literal) => {
        concat!(
            "SELECT a.id, a.url, a.revision, r.title, a.stored_at, a.withdrawn_at, a.duplicate_of, a.duplicate_kind, \
             a.cluster_id, a.number, r.text, r.language \
             FROM articles a JOIN revisions r ON r.number = a.number AND r.revision = a.revision WHERE a.number ",
            $listed,
            " AND a.removed_at IS NULL ORDER BY a.number DESC LIMIT $2"
        )
    };
}

/// `removed_at` is checked because removed articles may stay in the index until their partition is dropped.
const READ: DialectSql = DialectSql {
    sqlite: read!("IN (SELECT value FROM json_each($1))"),
    postgres: read!("= ANY (CAST($1 AS BIGINT[]))"),
};

const STORED_SINCE: &str = "SELECT stored_at FROM articles WHERE number >= $1 ORDER BY number LIMIT 1";

const COUNT_PLACES: &str = "SELECT count(*) FROM (\
    SELECT 1 FROM article_words_vocabulary WHERE term >= $1 AND term <= $2 LIMIT $3) places";

const COUNT_IN_SAMPLE: &str = "SELECT count(*) FROM (\
        SELECT words FROM article_words WHERE rowid < $2 ORDER BY rowid DESC LIMIT $3) newest \
    WHERE words @@ to_tsquery('simple', $1)";

/// Returns the shelf and the case of an article as they are written to SQLite's index.
pub(super) fn places_of(number: i64) -> String {
    format!("{SHELF_SIGN}{} {CASE_SIGN}{}", number >> SHELF_BITS, number >> CASE_BITS)
}

/// Builds an FTS5 query. Words consist of letters and digits only, so quotation marks suffice as escaping. Unwanted phrases come
/// last: otherwise FTS5 would search for the first article without them before it checks the shelves.
fn fts5(wanted: &[Phrase], unwanted: &[Phrase], Window { numbers, within, .. }: &Window) -> String {
    let phrase = |phrase: &Phrase| {
        format!("\"{}\"{}", phrase.words.join("\" AND \""), if phrase.is_open { " *" } else { "" })
    };
    let all =
        |phrases: &[Phrase], between: &str| phrases.iter().map(phrase).collect::<Vec<_>>().join(between);
    let places = |sign: char, bits: u32| {
        let places = numbers.start >> bits..=(numbers.end - 1) >> bits;
        let places: Vec<String> = places.map(|place| format!("\"{sign}{place}\"")).collect();
        format!(" AND places : ({})", places.join(" OR "))
    };
    let places = match within {
        Within::Shelves => places(SHELF_SIGN, SHELF_BITS),
        Within::Case => places(CASE_SIGN, CASE_BITS),
        Within::All => String::new(),
    };
    let mut asked = format!("(words : ({}){places})", all(wanted, " AND "));
    if !unwanted.is_empty() {
        write!(asked, " NOT words : ({})", all(unwanted, " OR ")).expect("a string takes what it is given");
    }
    asked
}

/// Builds a PostgreSQL query. `between` joins the words of a phrase: ` <-> ` if they must be consecutive, ` & ` if not.
fn tsquery(wanted: &[Phrase], unwanted: &[Phrase], between: &str) -> String {
    let phrase = |phrase: &Phrase| {
        let words = phrase.words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>();
        format!("({}{})", words.join(between), if phrase.is_open { ":*" } else { "" })
    };
    let wanted = wanted.iter().map(phrase);
    let unwanted = unwanted.iter().map(|unwanted| format!("!{}", phrase(unwanted)));
    wanted.chain(unwanted).collect::<Vec<_>>().join(" & ")
}

impl TryFrom<Row<'_>> for FoundArticle {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self {
            number: row.get("number")?,
            text: row.get("text")?,
            language: row.get("language")?,
            status: ArticleStatus::try_from(row)?,
        })
    }
}
