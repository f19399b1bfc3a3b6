//! Helpers for all modules of the store: statements with many rows, conversion of columns, cleaning of text.

use std::borrow::Cow;
use std::fmt::Display;

use jiff::Timestamp;
use serde::Serialize;
use serde::de::{DeserializeOwned, IntoDeserializer, value};
use sqlx::AnyConnection;
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::{AssertSqlSafe, Decode, Row as _, Type};
use url::Url;

use super::StoreError;
use crate::model::{ArticleId, Sha256Hash};

pub(super) type Query = sqlx::query::Query<'static, Any, AnyArguments>;

/// Maximum number of values in one statement: SQLite allows 32,766, PostgreSQL 65,535.
const MAX_VALUES: usize = 30_000;
const MAX_ROWS: usize = 1_000;

/// Row counts of the statements that SQLite keeps prepared, largest first: compiling one costs as much as running it. The
/// remaining rows go into one more statement, compiled for this use only. Not used for PostgreSQL, where every further
/// statement is another round trip.
const PREPARED_ROWS: [usize; 2] = [256, 64];

/// A statement with a list of value rows in its middle, `($1, $2), ($3, $4)…`, and no other placeholders. One text serves
/// both dialects; rows are sent in as few statements as the limits allow.
pub(super) struct RowsSql {
    pub(super) before: &'static str,
    /// Number of values per row.
    pub(super) columns: usize,
    pub(super) after: &'static str,
}

impl RowsSql {
    /// Runs the statement over all `rows` and returns how many rows of the table changed.
    pub(super) async fn execute<R>(
        &self,
        connection: &mut AnyConnection,
        rows: &[R],
        bind: impl Fn(Query, &R) -> Query,
    ) -> Result<u64, StoreError> {
        let mut changed = 0;
        for chunk in self.chunks(rows, connection) {
            let query = chunk.iter().fold(self.query(chunk.len(), connection), &bind);
            changed += query.execute(&mut *connection).await?.rows_affected();
        }
        Ok(changed)
    }

    /// Runs the statement over all `rows` and collects the rows that it returns.
    pub(super) async fn fetch<R>(
        &self,
        connection: &mut AnyConnection,
        rows: &[R],
        bind: impl Fn(Query, &R) -> Query,
    ) -> Result<Vec<AnyRow>, StoreError> {
        let mut found = Vec::new();
        for chunk in self.chunks(rows, connection) {
            let query = chunk.iter().fold(self.query(chunk.len(), connection), &bind);
            found.extend(query.fetch_all(&mut *connection).await?);
        }
        Ok(found)
    }

    fn chunks<'r, R>(&self, mut rows: &'r [R], connection: &AnyConnection) -> Vec<&'r [R]> {
        let most = (MAX_VALUES / self.columns).min(MAX_ROWS);
        let prepared: &[usize] = if is_sqlite(connection) { &PREPARED_ROWS } else { &[] };
        let mut chunks = Vec::new();
        while !rows.is_empty() {
            let size = prepared.iter().copied().find(|size| *size <= rows.len()).unwrap_or(rows.len());
            let (chunk, rest) = rows.split_at(size.min(most));
            chunks.push(chunk);
            rows = rest;
        }
        chunks
    }

    fn query(&self, rows: usize, connection: &AnyConnection) -> Query {
        let is_numbered = !is_sqlite(connection);
        let mut sql = String::with_capacity(self.before.len() + self.after.len() + rows * self.columns * 7);
        sql.push_str(self.before);
        push_rows(&mut sql, rows, self.columns, is_numbered);
        sql.push_str(self.after);
        // Few calls have the same number of rows: keeping all statements prepared would only fill the cache. The text consists of
        // placeholders and constants, never values.
        let is_kept = rows == 1 || (!is_numbered && PREPARED_ROWS.contains(&rows));
        sqlx::query(AssertSqlSafe(sql)).persistent(is_kept)
    }
}

/// Appends a placeholder for each value of `rows` rows. Placeholders are not numbered for SQLite, which searches all of a
/// statement's numbers for each one, at a cost that grows with the square of the rows; they are in order anyway.
pub(super) fn push_rows(sql: &mut String, rows: usize, columns: usize, is_numbered: bool) {
    for row in 0..rows {
        sql.push_str(if row == 0 { "(" } else { ", (" });
        for column in 1..=columns {
            if column > 1 {
                sql.push_str(", ");
            }
            if is_numbered {
                sql.push('$');
                sql.push_str(&(row * columns + column).to_string());
            } else {
                sql.push('?');
            }
        }
        sql.push(')');
    }
}

pub(super) fn is_sqlite(connection: &AnyConnection) -> bool {
    connection.backend_name() == "SQLite"
}

/// A row with the name of its table, so that errors can name a bad value. The first column is the row's key.
pub(super) struct Row<'r> {
    pub(super) table: &'static str,
    pub(super) row: &'r AnyRow,
}

impl<'r> Row<'r> {
    pub(super) fn get<T: Decode<'r, Any> + Type<Any>>(&self, column: &'static str) -> Result<T, StoreError> {
        self.row.try_get(column).map_err(|error| self.invalid(column, error))
    }

    pub(super) fn number<T: TryFrom<i64, Error: Display>>(
        &self,
        column: &'static str,
    ) -> Result<T, StoreError> {
        T::try_from(self.get::<i64>(column)?).map_err(|error| self.invalid(column, error))
    }

    /// Reads a boolean stored as 0 or 1: SQLite has no other.
    pub(super) fn flag(&self, column: &'static str) -> Result<bool, StoreError> {
        match self.number(column)? {
            0 => Ok(false),
            1 => Ok(true),
            other => Err(self.invalid(column, format!("a flag is 0 or 1, not {other}"))),
        }
    }

    pub(super) fn time(&self, column: &'static str) -> Result<Timestamp, StoreError> {
        Timestamp::from_millisecond(self.get(column)?).map_err(|error| self.invalid(column, error))
    }

    pub(super) fn optional_time(&self, column: &'static str) -> Result<Option<Timestamp>, StoreError> {
        self.optional(column, |milliseconds: i64| Timestamp::from_millisecond(milliseconds))
    }

    pub(super) fn url(&self, column: &'static str) -> Result<Url, StoreError> {
        Url::parse(self.get(column)?).map_err(|error| self.invalid(column, error))
    }

    pub(super) fn optional_url(&self, column: &'static str) -> Result<Option<Url>, StoreError> {
        self.optional(column, |text: &str| Url::parse(text))
    }

    pub(super) fn hash(&self, column: &'static str) -> Result<Sha256Hash, StoreError> {
        hash_from(self.get(column)?).map_err(|message| self.invalid(column, message))
    }

    pub(super) fn optional_hash(&self, column: &'static str) -> Result<Option<Sha256Hash>, StoreError> {
        self.optional(column, hash_from)
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        serde_json::from_str(self.get(column)?).map_err(|error| self.invalid(column, error))
    }

    pub(super) fn optional_json<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.optional(column, |text: &str| serde_json::from_str(text))
    }

    /// Reads a unit variant of an enum, as serde spells it.
    pub(super) fn word<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, StoreError> {
        word_from(self.get(column)?).map_err(|error| self.invalid(column, error))
    }

    pub(super) fn optional_word<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, StoreError> {
        self.optional(column, |text: &str| word_from(text))
    }

    fn optional<V, T, E: Display>(
        &self,
        column: &'static str,
        read: impl FnOnce(V) -> Result<T, E>,
    ) -> Result<Option<T>, StoreError>
    where
        V: Decode<'r, Any> + Type<Any>,
    {
        let value: Option<V> = self.get(column)?;
        value.map(read).transpose().map_err(|error| self.invalid(column, error))
    }

    pub(super) fn invalid(&self, column: &'static str, message: impl Display) -> StoreError {
        StoreError::InvalidRow { table: self.table, row: self.key(), column, message: message.to_string() }
    }

    fn key(&self) -> String {
        if let Ok(number) = self.row.try_get::<i64, _>(0) {
            return number.to_string();
        }
        match self.row.try_get::<&[u8], _>(0).ok().and_then(|bytes| hash_from(bytes).ok()) {
            Some(hash) => hash.to_string(),
            None => "unknown".to_owned(),
        }
    }
}

/// Converts rows of `table` into models.
pub(super) fn models<'r, T>(table: &'static str, rows: &'r [AnyRow]) -> Result<Vec<T>, StoreError>
where
    T: TryFrom<Row<'r>, Error = StoreError>,
{
    rows.iter().map(|row| T::try_from(Row { table, row })).collect()
}

fn hash_from(bytes: &[u8]) -> Result<Sha256Hash, String> {
    match bytes.try_into() {
        Ok(bytes) => Ok(Sha256Hash(bytes)),
        Err(_) => Err(format!("a SHA-256 has 32 bytes, not {}", bytes.len())),
    }
}

fn word_from<T: DeserializeOwned>(text: &str) -> Result<T, value::Error> {
    T::deserialize(text.into_deserializer())
}

/// Returns the word by which serde spells a unit variant.
pub(super) fn word<T: Serialize>(variant: T) -> String {
    match serde_json::to_value(variant) {
        Ok(serde_json::Value::String(word)) => word,
        other => unreachable!("words are unit variants, which serialise as strings: {other:?}"),
    }
}

pub(super) fn json<T: Serialize + ?Sized>(what: &'static str, value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Json { what, source })
}

pub(super) fn bytes(hash: &Sha256Hash) -> &[u8] {
    &hash.0
}

pub(super) fn id_bytes(id: &ArticleId) -> &[u8] {
    &id.0.0
}

/// Stores a 64-bit hash in a signed column, keeping all its bits.
pub(super) const fn signed(bits: u64) -> i64 {
    bits.cast_signed()
}

/// Removes characters that are not stored: NUL, which PostgreSQL refuses, and other control characters except newline and tab.
pub(super) fn clean(text: &str) -> Cow<'_, str> {
    let unfit = |character: char| character.is_control() && character != '\n' && character != '\t';
    if text.contains(unfit) { Cow::Owned(text.replace(unfit, "")) } else { Cow::Borrowed(text) }
}

pub(super) fn clean_option(text: Option<&str>) -> Option<String> {
    text.map(|text| clean(text).into_owned())
}

/// Returns a LIKE pattern for texts that contain `part`, with a backslash as its ESCAPE. ASCII letters match in either case,
/// as they do in both databases' comparisons; other letters match as they are written.
pub(super) fn containing(part: &str) -> String {
    let mut pattern = String::with_capacity(part.len() + 2);
    pattern.push('%');
    for c in part.to_ascii_lowercase().chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

/// Fails unless as many rows changed as expected.
pub(super) fn expect_changed(table: &'static str, expected: u64, changed: u64) -> Result<(), StoreError> {
    if expected == changed { Ok(()) } else { Err(StoreError::RowsChanged { table, expected, changed }) }
}
