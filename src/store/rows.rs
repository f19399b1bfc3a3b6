//! All rows of one database into another with the same schema, whichever of the two dialects each speaks.
//!
//! What there is to copy is asked of the databases themselves, so that a later migration needs no line here. The index of words
//! is of another make in each: it is not copied, and made anew from the texts.

use futures_util::TryStreamExt as _;
use sqlx::any::{Any, AnyArguments, AnyRow};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::StoreError;
use super::connection::{Dialect, DialectSql};
use super::search::BACKLOG_OF_ALL;
use super::sql::push_rows;

/// Rows of one statement, and bytes of texts and pages after which it is sent with fewer.
const BATCH_ROWS: usize = 64;
const BATCH_BYTES: usize = 4 << 20;

/// A column of a table.
#[derive(Clone, Debug)]
struct Column {
    table: String,
    name: String,
    /// As its database calls it.
    type_name: String,
}

impl Column {
    fn is_called_as(&self, other: &Self) -> bool {
        self.table == other.table && self.name == other.name
    }

    /// Whether it is of the index of words or of one of the tables that FTS5 keeps for it.
    fn is_of_index(&self) -> bool {
        self.table.starts_with("article_words")
    }

    /// What it holds. A type that no migration uses today is no reason to leave values behind.
    fn kind(&self) -> Result<Kind, StoreError> {
        Kind::of(&self.type_name).ok_or_else(|| StoreError::InvalidRow {
            table: "the schema",
            row: format!("{}.{}", self.table, self.name),
            column: "type",
            message: format!("{} is not known here", self.type_name),
        })
    }
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Integer,
    Real,
    Text,
    Bytes,
}

impl Kind {
    /// As either dialect calls it.
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

/// A value, or its absence: a server wants to know of what type nothing is.
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

/// Replaces what is in the tables of `to` by what is in those of `from`.
pub(super) async fn copy(
    from: (&mut AnyConnection, Dialect),
    to: (&mut AnyConnection, Dialect),
) -> Result<(), StoreError> {
    let ((from, from_dialect), (to, to_dialect)) = (from, to);
    let theirs = columns(to, to_dialect).await?;
    let mut shared = columns(from, from_dialect).await?;
    shared.retain(|column| !column.is_of_index() && theirs.iter().any(|their| their.is_called_as(column)));
    for columns in shared.chunk_by(|one, next| one.table == next.table) {
        copy_table(columns, from, to, to_dialect).await?;
    }
    // A schema without an index has no such row.
    sqlx::query(BACKLOG_OF_ALL).execute(&mut *to).await?;
    Ok(())
}

async fn copy_table(
    columns: &[Column],
    from: &mut AnyConnection,
    to: &mut AnyConnection,
    dialect: Dialect,
) -> Result<(), StoreError> {
    let Some(Column { table, .. }) = columns.first() else { return Ok(()) };
    let kinds: Vec<Kind> = columns.iter().map(Column::kind).collect::<Result<_, _>>()?;
    // Names of tables and columns are those of our own migrations.
    let clear = AssertSqlSafe(format!("DELETE FROM {table}"));
    sqlx::query(clear).execute(&mut *to).await?;
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let names = names.join(", ");
    let mut rows = sqlx::query(AssertSqlSafe(format!("SELECT {names} FROM {table}"))).fetch(from);
    let (mut batch, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.try_next().await? {
        for (at, kind) in kinds.iter().enumerate() {
            let value = Value::read(&row, at, *kind)?;
            bytes += value.bytes();
            batch.push(value);
        }
        if batch.len() >= BATCH_ROWS * columns.len() || bytes >= BATCH_BYTES {
            bytes = 0;
            insert(to, dialect, table, &names, columns.len(), std::mem::take(&mut batch)).await?;
        }
    }
    insert(to, dialect, table, &names, columns.len(), batch).await
}

async fn insert(
    to: &mut AnyConnection,
    dialect: Dialect,
    table: &str,
    names: &str,
    columns: usize,
    values: Vec<Value>,
) -> Result<(), StoreError> {
    let rows = values.len() / columns;
    if rows == 0 {
        return Ok(());
    }
    let mut sql = format!("INSERT INTO {table} ({names}) VALUES ");
    push_rows(&mut sql, rows, columns, matches!(dialect, Dialect::Postgres));
    let query = sqlx::query(AssertSqlSafe(sql)).persistent(rows == BATCH_ROWS);
    values.into_iter().fold(query, |query, value| value.bind(query)).execute(to).await?;
    Ok(())
}

/// Every column of every table, but for those that are computed.
async fn columns(connection: &mut AnyConnection, dialect: Dialect) -> Result<Vec<Column>, StoreError> {
    let rows = sqlx::query(dialect.choose(COLUMNS)).fetch_all(connection).await?;
    let column = |row: &AnyRow| {
        let (table, name) = (row.try_get("table_name")?, row.try_get("name")?);
        Ok(Column { table, name, type_name: row.try_get("type")? })
    };
    rows.iter().map(column).collect()
}

const COLUMNS: DialectSql = DialectSql {
    sqlite: "SELECT s.name AS table_name, c.name AS name, c.type AS type \
        FROM sqlite_schema s JOIN pragma_table_info(s.name) c \
        WHERE s.type = 'table' AND s.name NOT LIKE 'sqlite_%' ORDER BY s.name, c.cid",
    postgres: "SELECT table_name::text AS table_name, column_name::text AS name, data_type::text AS type \
        FROM information_schema.columns WHERE table_schema = current_schema() AND is_generated = 'NEVER' \
        ORDER BY table_name COLLATE \"C\", ordinal_position",
};

/// A foreign key of a server's table.
#[derive(Debug)]
pub(super) struct ForeignKey {
    table: String,
    name: String,
    definition: String,
}

/// Drops every foreign key of a server's database.
pub(super) async fn drop_foreign_keys(connection: &mut AnyConnection) -> Result<Vec<ForeignKey>, StoreError> {
    let rows = sqlx::query(FOREIGN_KEYS).fetch_all(&mut *connection).await?;
    let mut keys = Vec::new();
    for row in rows {
        let key = ForeignKey {
            table: row.try_get("table_name")?,
            name: row.try_get("name")?,
            definition: row.try_get("definition")?,
        };
        let drop = format!("ALTER TABLE {} DROP CONSTRAINT {}", key.table, key.name);
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut *connection).await?;
        keys.push(key);
    }
    Ok(keys)
}

/// Puts them back, which checks every row.
pub(super) async fn add_foreign_keys(
    connection: &mut AnyConnection,
    keys: &[ForeignKey],
) -> Result<(), StoreError> {
    for ForeignKey { table, name, definition } in keys {
        let add = format!("ALTER TABLE {table} ADD CONSTRAINT {name} {definition}");
        sqlx::raw_sql(AssertSqlSafe(add)).execute(&mut *connection).await?;
    }
    Ok(())
}

const FOREIGN_KEYS: &str = "SELECT conrelid::regclass::text AS table_name, quote_ident(conname) AS name, \
        pg_get_constraintdef(oid) AS definition \
    FROM pg_constraint WHERE contype = 'f' AND connamespace = current_schema()::text::regnamespace";

/// Has a server number new rows after those that are there.
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
