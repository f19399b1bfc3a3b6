//! Finding articles by their words, the newest first, at a cost that is bounded whatever the words are.
//!
//! One word stands in every article and another in one, and neither back end does well with both when it is left to itself.
//!
//! - A GIN index names all rows before it gives the first, and PostgreSQL's planner takes a word that its statistics do not list
//!   for one of every two hundred articles: it would rather read all texts backwards, and did so in vain for a second on half a million. So a
//!   search goes back in time by windows of numbers, each four times as wide as the last: common words fill the page
//!   in the first, and rare ones cost nothing to look up in the widest. In the index the articles stand on shelves of 4,096
//!   numbers, and a window asks for its shelves beside the words, so that what lies elsewhere in the lists of the words is skipped.
//! - FTS5 gives rows one by one, the newest first. But it reads from the newest on until the words meet, wherever a search is to
//!   go on; where they never do, that is all of their lists: a tenth of a second for a million articles. So its index has the shelves, too,
//!   as words of a column of their own. For a beginning it merges the lists of all words that begin so before it gives the first row: seconds
//!   for a letter, on two hundred thousand articles; so where there is one that is not common, all is one window.
//!
//! So the index is not asked for everything. A beginning is counted first, up to a bound; one that is common, and also whether words
//! stand in a row, is left out and looked at in each article that the rest names. What is common is met soon.
//!
//! A search that has found too little when its time is over gives what it has, and where it is to be taken up.

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

/// An article that was looked for.
#[derive(Clone, Debug, PartialEq)]
pub struct FoundArticle {
    /// The order in which articles came.
    pub number: i64,
    /// The article.
    pub status: ArticleStatus,
    /// Its current text.
    pub text: String,
    /// The language of that.
    pub language: Option<String>,
}

/// A part of what there is to be found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FoundArticles {
    /// Newest first.
    pub articles: Vec<FoundArticle>,
    /// What lies before this number was not looked at; nothing where all was.
    pub next: Option<i64>,
    /// Articles were looked at back to this moment, where the search stopped before it had found as many as were wanted.
    pub stopped_at: Option<Timestamp>,
}

/// After this long a search stops, with what it has found by then: half of what a page may take, since the last window may take
/// as long.
const PATIENCE: Duration = Duration::from_millis(100);

/// Numbers on a shelf and in a case, as `0085_pages_at_size` has it. Of many shelves each article of a window is looked for on every one.
const SHELF_BITS: u32 = 12;
const SHELF: i64 = 1 << SHELF_BITS;
const CASE_BITS: u32 = 17;

/// Before the number of a shelf and of a case among the words of SQLite's index: signs for private use, which no word has.
const SHELF_SIGN: char = '\u{e000}';
const CASE_SIGN: char = '\u{e001}';

/// Numbers of the widest window. A word that only old articles have, and each of them, makes PostgreSQL visit so many rows at once.
const WIDEST: i64 = 1 << CASE_BITS;
const WIDENING: i64 = 4;

/// Numbers that the index names at once where each article must be looked at, and articles that are looked at or read at once.
const NAMED: usize = 1_000;
const AT_ONCE: usize = 100;
/// Texts that are cut into words at once.
const TEXTS_AT_ONCE: usize = 20;

/// A beginning is common that so many of the newest articles hold, of so many.
const SAMPLE: i64 = 300;
const SAMPLE_COMMON: i64 = 15;
/// FTS5 merges so many places in the time that it takes to count them, some ten milliseconds.
const COMMON_PLACES: i64 = 100_000;

/// Sorts behind every letter.
const BEHIND_ALL: char = '\u{10ffff}';

/// PostgreSQL's SQLSTATE for a table that is not there.
const UNDEFINED_TABLE: &str = "42P01";

impl Store {
    /// Up to `limit` articles that answer `question`, newest first; only those that came before number `before`.
    pub async fn articles_search(
        &self,
        question: &Question,
        before: Option<i64>,
        limit: u32,
    ) -> Result<FoundArticles, StoreError> {
        self.articles_search_within(question, before, limit, PATIENCE).await
    }

    /// The same, which stops after `patience`: where that is zero, after one step.
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
                // One more tells whether there are others.
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
            // Those behind the last that was named may answer, too, where no more could be named.
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

    /// What of a question the index is asked.
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

    /// Whether so many words begin like the last one of a phrase, or in so many articles, that the index had better not be asked.
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

    /// The numbers of articles in a window that answer what the index is asked, the highest first.
    async fn named(&self, plan: &Plan, window: &Window) -> Result<Vec<i64>, StoreError> {
        // Put together from constants and numbers.
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

    /// Up to `wanted` of the articles that the index named, those that answer the whole question.
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
                // Put together from constants and numbers.
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

    /// Up to `limit` of these articles, the newest first.
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

/// What a statement that names articles gave; nothing where the partition was dropped meanwhile, and all of its articles with it.
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

/// Numbers as one parameter.
fn listed(dialect: Dialect, numbers: &[i64]) -> String {
    let listed = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(",");
    match dialect {
        Dialect::Sqlite => format!("[{listed}]"),
        Dialect::Postgres => format!("{{{listed}}}"),
    }
}

/// How a question is answered.
struct Plan {
    /// What the index is asked for; nothing where it had to name nearly all articles.
    wanted: Vec<Phrase>,
    unwanted: Vec<Phrase>,
    /// What each article that the index names must answer besides, as PostgreSQL asks it; nothing where the index answers all.
    rest: Option<String>,
    /// Articles that the index names at once.
    most: usize,
    /// Articles that are read at once.
    at_once: usize,
}

/// Numbers of articles that are looked at together.
struct Window {
    numbers: Range<i64>,
    within: Within,
    /// The table of their words.
    table: String,
}

/// How the index is told where the articles of a window stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Within {
    Shelves,
    /// They lie in one, so that they need not be asked for by shelves.
    Case,
    /// Wherever there are any.
    All,
}

/// The way back in time.
struct Windows {
    /// All from here on was looked at.
    past: i64,
    width: i64,
    narrowest: i64,
    widest: i64,
    /// The tables with the numbers of each, the newest first.
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

    /// All of the last window was looked at.
    fn widen(&mut self, past: i64) {
        self.past = past;
        self.width = self.width.saturating_mul(WIDENING).min(self.widest);
    }

    /// Only what stands behind `past` was looked at, there is so much of it.
    fn narrow(&mut self, past: i64) {
        self.past = past;
        self.width = self.narrowest;
    }
}

/// The statement that names articles: from and up to which number, how many, and the words.
fn naming(dialect: Dialect, asks_index: bool, Window { table, within, .. }: &Window) -> String {
    let by_number = "rowid >= $1 AND rowid < $2 ORDER BY rowid DESC LIMIT $3";
    match (dialect, asks_index) {
        (_, false) => format!("SELECT rowid FROM {table} WHERE {by_number}"),
        (Dialect::Sqlite, true) => {
            format!("SELECT rowid FROM {table} WHERE {table} MATCH $4 AND {by_number}")
        }
        // As subqueries the words tell the planner nothing, and a sum has no index: so it takes the index of words, whatever it
        // thinks of them. Along the index of numbers it would read every text, for which it counts nothing.
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

/// The statement that looks at the words of articles: which ones, and what they must answer. The truth of a truth has no index, which
/// would be asked for all that answers.
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

/// What was removed may have its words until its partition is dropped.
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

/// Where an article stands, as SQLite's index has it.
pub(super) fn places_of(number: i64) -> String {
    format!("{SHELF_SIGN}{} {CASE_SIGN}{}", number >> SHELF_BITS, number >> CASE_BITS)
}

/// Words hold letters and digits only, so that quotation marks are all it takes. What is unwanted comes last: FTS5 would look for the
/// first article without it before it looks at the shelves.
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

/// `between` joins the words of a phrase: whether they stand in a row, or anywhere.
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
