//! Copies all rows of one database to another with the same schema, whatever their dialects.
//!
//! Tables and columns are read from the databases themselves, so that later migrations need no change here. The index of words
//! is built differently by each back end: it is not copied, but rebuilt from the texts.

use futures_util::TryStreamExt as _;
use futures_util::stream::BoxStream;
use sha2::{Digest as _, Sha256};
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::StoreError;
use super::connection::{Dialect, DialectSql};
use super::search::BACKLOG_OF_ALL;
use super::sql::push_rows;
use crate::model::Sha256Hash;

/// Rows per statement, and the number of bytes from which it is sent with fewer rows.
const BATCH_ROWS: usize = 64;
const BATCH_BYTES: usize = 4 << 20;

/// A column of a table.
#[derive(Clone, Debug)]
struct Column {
    table: String,
    name: String,
    /// The type's name in its database.
    type_name: String,
    /// Position in the primary key, from 1; 0 if not part of it.
    key: i64,
}

/// A table in both databases, with the columns that both have.
#[derive(Clone, Debug)]
pub(super) struct Table {
    pub(super) name: String,
    columns: Vec<String>,
    kinds: Vec<Kind>,
    /// Indexes of the primary key's columns, in the order of the key.
    key: Vec<usize>,
}

/// The number of rows of a table and a hash over all of them, independent of the back end.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct TableDigest {
    /// Name of the table.
    pub table: String,
    /// Number of rows.
    pub rows: u64,
    /// Hash over every value of every row, in the order of the primary key.
    pub sha256: Sha256Hash,
}

impl Column {
    fn is_called_as(&self, other: &Self) -> bool {
        self.table == other.table && self.name == other.name
    }

    /// Whether the column belongs to the index of words or to a table that FTS5 keeps for it.
    fn is_of_index(&self) -> bool {
        self.table.starts_with("article_words")
    }

    /// Returns the column's kind. Fails for types that no migration uses so far, so that no values are silently left out.
    fn kind(&self) -> Result<Kind, StoreError> {
        Kind::of(&self.type_name).ok_or_else(|| StoreError::InvalidRow {
            table: "the schema",
            row: format!("{}.{}", self.table, self.name),
            column: "type",
            message: format!("{} is not supported", self.type_name),
        })
    }
}

/// The type of a column's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Real,
    Text,
    Bytes,
}

impl Kind {
    /// Returns the kind of a type by its name in either dialect.
    fn of(name: &str) -> Option<Self> {
        match name {
            "INTEGER" | "BIGINT" | "bigint" => Some(Self::Integer),
            "REAL" | "double precision" => Some(Self::Real),
            "TEXT" | "text" => Some(Self::Text),
            "BLOB" | "bytea" => Some(Self::Bytes),
            _ => None,
        }
    }
}

/// A value or NULL; PostgreSQL needs the type of a NULL, too.
#[derive(Debug)]
enum Value {
    Integer(Option<i64>),
    Real(Option<f64>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    fn read(row: &AnyRow, at: usize, kind: Kind) -> Result<Self, sqlx::Error> {
        Ok(match kind {
            Kind::Integer => Self::Integer(row.try_get(at)?),
            Kind::Real => Self::Real(row.try_get(at)?),
            Kind::Text => Self::Text(row.try_get(at)?),
            Kind::Bytes => Self::Bytes(row.try_get(at)?),
        })
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Integer(_) | Self::Real(_) => size_of::<i64>(),
            Self::Text(text) => text.as_ref().map_or(0, String::len),
            Self::Bytes(bytes) => bytes.as_ref().map_or(0, Vec::len),
        }
    }

    /// Hashes the value, independent of the back end. Tags and lengths keep adjacent values apart.
    fn hash(&self, hasher: &mut Sha256) {
        let mut add = |tag: u8, bytes: &[u8]| {
            hasher.update([tag]);
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        };
        match self {
            Self::Integer(Some(value)) => add(b'i', &value.to_le_bytes()),
            Self::Real(Some(value)) => add(b'r', &value.to_le_bytes()),
            Self::Text(Some(value)) => add(b't', value.as_bytes()),
            Self::Bytes(Some(value)) => add(b'b', value),
            Self::Integer(None) | Self::Real(None) | Self::Text(None) | Self::Bytes(None) => add(b'n', &[]),
        }
    }

    fn bind(
        self,
        query: sqlx::query::Query<'_, Any, AnyArguments>,
    ) -> sqlx::query::Query<'_, Any, AnyArguments> {
        match self {
            Self::Integer(value) => query.bind(value),
            Self::Real(value) => query.bind(value),
            Self::Text(value) => query.bind(value),
            Self::Bytes(value) => query.bind(value),
        }
    }
}

/// Replaces the rows of all tables in `to` by those in `from`.
pub(super) async fn copy(
    from: (&mut AnyConnection, Dialect),
    to: (&mut AnyConnection, Dialect),
) -> Result<(), StoreError> {
    let ((from, from_dialect), (to, to_dialect)) = (from, to);
    for table in tables((&mut *from, from_dialect), (&mut *to, to_dialect)).await? {
        clear(to, &table).await?;
        let all = format!("SELECT {} FROM {}", table.columns.join(", "), table.name);
        let rows = sqlx::query(AssertSqlSafe(all));
        insert_all(&table, rows.fetch(&mut *from), to, to_dialect, async |_, _| Ok(())).await?;
    }
    index_anew(to).await
}

/// Returns the tables and columns that both databases have, without the index of words.
pub(super) async fn tables(
    from: (&mut AnyConnection, Dialect),
    to: (&mut AnyConnection, Dialect),
) -> Result<Vec<Table>, StoreError> {
    let theirs = columns(to.0, to.1).await?;
    let mut shared = columns(from.0, from.1).await?;
    shared.retain(|column| theirs.iter().any(|their| their.is_called_as(column)));
    of_columns(&shared)
}

/// Returns all tables of a database, without the index of words.
pub(super) async fn all_tables(
    connection: &mut AnyConnection,
    dialect: Dialect,
) -> Result<Vec<Table>, StoreError> {
    of_columns(&columns(connection, dialect).await?)
}

fn of_columns(columns: &[Column]) -> Result<Vec<Table>, StoreError> {
    let tables = columns.chunk_by(|one, next| one.table == next.table);
    tables.filter(|columns| !columns.iter().any(Column::is_of_index)).map(Table::of).collect()
}

/// Deletes all rows of a table: a new schema has some of its own.
pub(super) async fn clear(connection: &mut AnyConnection, table: &Table) -> Result<(), StoreError> {
    // Names of tables and columns come from our own migrations.
    sqlx::query(AssertSqlSafe(format!("DELETE FROM {}", table.name))).execute(connection).await?;
    Ok(())
}

/// Schedules the index of words to be rebuilt. Has no effect on a schema that has no index yet.
pub(super) async fn index_anew(connection: &mut AnyConnection) -> Result<(), StoreError> {
    sqlx::query(BACKLOG_OF_ALL).execute(connection).await?;
    Ok(())
}

impl Table {
    fn of(columns: &[Column]) -> Result<Self, StoreError> {
        let mut key: Vec<usize> = (0..columns.len()).filter(|at| columns[*at].key > 0).collect();
        key.sort_by_key(|at| columns[*at].key);
        Ok(Self {
            name: columns.first().map(|column| column.table.clone()).unwrap_or_default(),
            columns: columns.iter().map(|column| column.name.clone()).collect(),
            kinds: columns.iter().map(Column::kind).collect::<Result<_, _>>()?,
            key,
        })
    }

    /// Returns the key's columns for ORDER BY, so that both dialects order text by its bytes.
    fn ordered_key(&self, dialect: Dialect) -> Vec<String> {
        let ordered = self.key.iter().map(|at| match (self.kinds[*at], dialect) {
            (Kind::Text, Dialect::Postgres) => format!("{} COLLATE \"C\"", self.columns[*at]),
            _ => self.columns[*at].clone(),
        });
        ordered.collect()
    }

    fn read(&self, row: &AnyRow) -> Result<Vec<Value>, sqlx::Error> {
        self.kinds.iter().enumerate().map(|(at, kind)| Value::read(row, at, *kind)).collect()
    }
}

/// Copies the rows of one table that are missing in the target. Rows are copied in the order of the key, so these are the rows
/// after the target's highest key. `step` is called after each statement with the rows and bytes it copied, and may commit.
pub(super) async fn copy_on(
    table: &Table,
    from: (&mut AnyConnection, Dialect),
    to: (&mut AnyConnection, Dialect),
    step: impl AsyncFnMut(&mut AnyConnection, Step) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let ((from, from_dialect), (to, to_dialect)) = (from, to);
    let (columns, name) = (table.columns.join(", "), &table.name);
    let last: Vec<String> =
        table.ordered_key(to_dialect).iter().map(|column| format!("{column} DESC")).collect();
    let last = format!("SELECT {columns} FROM {name} ORDER BY {} LIMIT 1", last.join(", "));
    let last = sqlx::query(AssertSqlSafe(last)).fetch_optional(&mut *to).await?;
    let key = table.ordered_key(from_dialect).join(", ");
    let Some(last) = last else {
        let all = format!("SELECT {columns} FROM {name} ORDER BY {key}");
        return insert_all(table, sqlx::query(AssertSqlSafe(all)).fetch(from), to, to_dialect, step).await;
    };
    let places: Vec<String> = (1..=table.key.len()).map(|n| format!("${n}")).collect();
    let rest = format!("SELECT {columns} FROM {name} WHERE ({key}) > ({}) ORDER BY {key}", places.join(", "));
    let mut rest = sqlx::query(AssertSqlSafe(rest));
    for at in &table.key {
        rest = Value::read(&last, *at, table.kinds[*at])?.bind(rest);
    }
    insert_all(table, rest.fetch(from), to, to_dialect, step).await
}

/// Size of one insert statement.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    pub(super) rows: usize,
    pub(super) bytes: usize,
}

async fn insert_all(
    table: &Table,
    mut rows: BoxStream<'_, Result<AnyRow, sqlx::Error>>,
    to: &mut AnyConnection,
    dialect: Dialect,
    mut step: impl AsyncFnMut(&mut AnyConnection, Step) -> Result<(), StoreError>,
) -> Result<(), StoreError> {
    let (mut batch, mut bytes) = (Vec::new(), 0);
    loop {
        let row = rows.try_next().await?;
        let is_last = row.is_none();
        if let Some(row) = row {
            let values = table.read(&row)?;
            bytes += values.iter().map(Value::bytes).sum::<usize>();
            batch.extend(values);
        }
        let rows = batch.len() / table.columns.len();
        if rows >= BATCH_ROWS || bytes >= BATCH_BYTES || is_last {
            insert(to, dialect, table, std::mem::take(&mut batch)).await?;
            step(to, Step { rows, bytes: std::mem::take(&mut bytes) }).await?;
        }
        if is_last {
            return Ok(());
        }
    }
}

/// Counts and hashes the rows of a table.
pub(super) async fn digest(
    table: &Table,
    connection: &mut AnyConnection,
    dialect: Dialect,
) -> Result<TableDigest, StoreError> {
    let key = table.ordered_key(dialect).join(", ");
    let all = format!("SELECT {} FROM {} ORDER BY {key}", table.columns.join(", "), table.name);
    let mut rows = sqlx::query(AssertSqlSafe(all)).fetch(connection);
    let (mut hasher, mut count) = (Sha256::new(), 0);
    while let Some(row) = rows.try_next().await? {
        for value in table.read(&row)? {
            value.hash(&mut hasher);
        }
        count += 1;
    }
    Ok(TableDigest { table: table.name.clone(), rows: count, sha256: Sha256Hash(hasher.finalize().into()) })
}

async fn insert(
    to: &mut AnyConnection,
    dialect: Dialect,
    table: &Table,
    values: Vec<Value>,
) -> Result<(), StoreError> {
    let columns = table.columns.len();
    let rows = values.len() / columns;
    if rows == 0 {
        return Ok(());
    }
    let mut sql = format!("INSERT INTO {} ({}) VALUES ", table.name, table.columns.join(", "));
    push_rows(&mut sql, rows, columns, matches!(dialect, Dialect::Postgres));
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(rows == BATCH_ROWS);
    values.into_iter().fold(query, |query, value| value.bind(query)).execute(to).await?;
    Ok(())
}

/// Returns every column of every table, except generated ones.
async fn columns(connection: &mut AnyConnection, dialect: Dialect) -> Result<Vec<Column>, StoreError> {
    let rows = sqlx::query(dialect.choose(COLUMNS)).fetch_all(connection).await?;
    let column = |row: &AnyRow| {
        let (table, name) = (row.try_get("table_name")?, row.try_get("name")?);
        Ok(Column { table, name, type_name: row.try_get("type")?, key: row.try_get("key")? })
    };
    rows.iter().map(column).collect()
}

const COLUMNS: DialectSql = DialectSql {
    sqlite: "SELECT s.name AS table_name, c.name AS name, c.type AS type, c.pk AS key \
        FROM sqlite_schema s JOIN pragma_table_info(s.name) c \
        WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite_%' ORDER BY s.name, c.cid",
    postgres: "SELECT c.table_name::text AS table_name, c.column_name::text AS name, c.data_type::text AS type, \
        coalesce((SELECT k.ordinal_position::bigint FROM information_schema.table_constraints t \
            JOIN information_schema.key_column_usage k USING (constraint_schema, constraint_name) \
            WHERE t.constraint_type = 'PRIMARY KEY' AND t.table_schema = c.table_schema AND t.table_name = c.table_name \
            AND k.column_name = c.column_name), 0) AS key \
        FROM information_schema.columns c WHERE c.table_schema = current_schema() AND c.is_generated = 'NEVER' \
        AND NOT EXISTS (SELECT 1 FROM pg_class p WHERE p.relispartition AND p.relname = c.table_name \
            AND p.relnamespace = current_schema()::text::regnamespace) \
        ORDER BY c.table_name COLLATE \"C\", c.ordinal_position",
};

/// Drops every foreign key of a server's database. Returns the statements that add them again, each of which checks every row.
pub(super) async fn drop_foreign_keys(connection: &mut AnyConnection) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(FOREIGN_KEYS).fetch_all(&mut *connection).await?;
    let mut keys = Vec::new();
    for row in rows {
        let (table, name): (String, String) = (row.try_get("table_name")?, row.try_get("name")?);
        let definition: String = row.try_get("definition")?;
        let drop = format!("ALTER TABLE {table} DROP CONSTRAINT {name}");
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *connection).await?;
        keys.push(format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}"));
    }
    Ok(keys)
}

/// Adds dropped foreign keys again.
pub(super) async fn add_foreign_keys(
    connection: &mut AnyConnection,
    keys: Vec<String>,
) -> Result<(), StoreError> {
    for add in keys {
        sqlx::raw_sql(AssertSqlSafe(add)).execute(&mut *connection).await?;
    }
    Ok(())
}

const FOREIGN_KEYS: &str = "SELECT conrelid::regclass::text AS table_name, quote_ident(conname) AS name, \
        pg_get_constraintdef(oid) AS definition \
    FROM pg_constraint WHERE contype = 'f' AND conparentid = 0 AND connamespace = current_schema()::text::regnamespace";

/// Makes a server number new rows after the existing ones.
pub(super) async fn continue_numbers(connection: &mut AnyConnection) -> Result<(), StoreError> {
    let rows = sqlx::query(NUMBERED).fetch_all(&mut *connection).await?;
    for row in rows {
        let (table, column): (String, String) = (row.try_get("table_name")?, row.try_get("name")?);
        let set = format!(
            "SELECT setval(pg_get_serial_sequence('{table}', '{column}'), coalesce(max({column}), 0) + 1, false) FROM {table}"
        );
        sqlx::raw_sql(AssertSqlSafe(set)).execute(&mut *connection).await?;
    }
    Ok(())
}

const NUMBERED: &str = "SELECT table_name::text AS table_name, column_name::text AS name \
    FROM information_schema.columns WHERE table_schema = current_schema() AND is_identity = 'YES'";
