//! Migrations of the schema. They are only ever added, and both dialects have the same ones by name.

use jiff::Timestamp;
use sqlx::AnyConnection;
use sqlx::Row as _;

use super::connection::{Access, Database, Dialect, DialectSql};
use super::{Settings, StoreError, copy, processes};

struct Migration {
    version: i64,
    name: &'static str,
    /// Whether a program that does not know the migration must not run on the migrated schema (see `docs/scale.md`).
    is_breaking: bool,
    sql: DialectSql,
}

macro_rules! migration {
    ($version:literal, $name:literal) => {
        migration!($version, $name, is_breaking: false)
    };
    ($version:literal, $name:literal, is_breaking: $is_breaking:literal) => {
        Migration {
            version: $version,
            name: $name,
            is_breaking: $is_breaking,
            sql: DialectSql {
                sqlite: include_str!(concat!("../../migrations/sqlite/", $name, ".sql")),
                postgres: include_str!(concat!("../../migrations/postgres/", $name, ".sql")),
            },
        }
    };
}

const MIGRATIONS: &[Migration] = &[
    migration!(1, "0001_initial"),
    migration!(2, "0002_put_off"),
    migration!(3, "0003_recheck"),
    migration!(4, "0004_raw_pages"),
    migration!(5, "0005_retention"),
    migration!(6, "0006_websub"),
    migration!(7, "0007_first_by_content"),
    migration!(8, "0008_host_pauses"),
    migration!(9, "0009_websub_ends"),
    migration!(10, "0010_feed_infos"),
    migration!(11, "0011_identity"),
    migration!(20, "0020_sinks"),
    migration!(30, "0030_requeues"),
    migration!(31, "0031_last_reads"),
    migration!(40, "0040_feed_tags"),
    migration!(50, "0050_turns"),
    migration!(60, "0060_search"),
    migration!(61, "0061_page"),
    migration!(65, "0065_feed_turns"),
    migration!(70, "0070_processes"),
    migration!(71, "0071_shards", is_breaking: true),
    migration!(72, "0072_feeds_by_address"),
    migration!(75, "0075_process_machines"),
    migration!(80, "0080_text_partitions", is_breaking: true),
    // On PostgreSQL it drops the index by which earlier programs search, and locks the details of all feeds while it rewrites them.
    migration!(85, "0085_pages_at_size", is_breaking: true),
    migration!(86, "0086_shelves_of_words"),
    migration!(87, "0087_entries_not_done"),
    migration!(88, "0088_first_reads"),
];

/// Which migrations a database has and which it lacks, by name, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct SchemaStatus {
    /// Applied.
    pub applied: Vec<String>,
    /// Known to this feedmill but not applied: `Store::open` applies them.
    pub pending: Vec<String>,
}

/// Returns the status of the database at `settings`, without changing it or creating a missing file.
pub(super) async fn status(settings: &Settings) -> Result<SchemaStatus, StoreError> {
    let database = match Database::connect(settings, Access::Visit).await {
        Ok(database) => database,
        Err(StoreError::Missing { .. }) => {
            return Ok(SchemaStatus { applied: Vec::new(), pending: names(MIGRATIONS.iter()) });
        }
        Err(error) => return Err(error),
    };
    let mut connection = database.readers.acquire().await?;
    let version = applied_version(&mut connection, database.dialect).await?;
    refuse_newer(&database, version)?;
    drop(connection);
    database.close().await;
    Ok(SchemaStatus {
        applied: names(MIGRATIONS.iter().filter(|migration| migration.version <= version)),
        pending: names(MIGRATIONS.iter().filter(|migration| migration.version > version)),
    })
}

/// Returns the version of the schema. Fails if it is newer than this binary or if there is no schema.
pub(super) async fn version(database: &Database) -> Result<i64, StoreError> {
    let mut connection = database.readers.acquire().await?;
    let found = applied_version(&mut connection, database.dialect).await?;
    refuse_newer(database, found)?;
    if found == 0 {
        return Err(StoreError::Empty { database: database.location.display() });
    }
    Ok(found)
}

/// Fails unless the schema is at exactly this binary's version.
pub(super) async fn check(database: &Database) -> Result<(), StoreError> {
    let (found, known) = (version(database).await?, latest());
    if found < known {
        return Err(StoreError::SchemaOlder { database: database.location.display(), found, known });
    }
    Ok(())
}

/// Applies pending migrations in one transaction that excludes other processes.
pub(super) async fn run(database: &Database, now: Timestamp) -> Result<(), StoreError> {
    let mut tx = database.write().await?;
    database.exclude_others(&mut tx, MIGRATIONS_LOCK).await?;
    let found = applied_version(&mut tx, database.dialect).await?;
    refuse_newer(database, found)?;
    refuse_beside_older(&mut tx, database, found).await?;
    apply_between(&mut tx, database, found, latest(), now).await?;
    tx.commit().await
}

/// Refuses a breaking migration while processes that do not know it are alive.
async fn refuse_beside_older(
    tx: &mut AnyConnection,
    database: &Database,
    found: i64,
) -> Result<(), StoreError> {
    let mut pending = MIGRATIONS.iter().filter(|migration| migration.version > found);
    let Some(breaking) = pending.rfind(|migration| migration.is_breaking) else { return Ok(()) };
    if found < PROCESSES || database.dialect == Dialect::Sqlite {
        return Ok(());
    }
    let processes = processes::older_than(tx, breaking.version).await?;
    if processes.is_empty() {
        return Ok(());
    }
    Err(StoreError::MigrationRefused { name: breaking.name, processes: processes.join(", ") })
}

/// The migration that added the table of processes.
const PROCESSES: i64 = 70;

/// Locks out migrations until the transaction ends, and refuses a schema that this program must not run on.
pub(super) async fn keep_as_it_is(tx: &mut AnyConnection, database: &Database) -> Result<(), StoreError> {
    database.exclude_others(tx, MIGRATIONS_LOCK).await?;
    let needed: i64 = sqlx::query(NEEDED).fetch_one(tx).await?.try_get(0)?;
    refuse_newer(database, needed)
}

const NEEDED: &str = "SELECT coalesce(max(version), 0) FROM schema_migrations WHERE breaking = 1";

/// Gives an empty database the schema of `version`, in the caller's transaction, and excludes other processes until it ends.
pub(super) async fn begin_at(
    tx: &mut AnyConnection,
    database: &Database,
    version: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    database.exclude_others(tx, MIGRATIONS_LOCK).await?;
    if applied_version(tx, database.dialect).await? > 0 {
        return Err(StoreError::Occupied { place: database.location.display() });
    }
    apply_between(tx, database, 0, version, now).await
}

async fn apply_between(
    tx: &mut AnyConnection,
    database: &Database,
    found: i64,
    wanted: i64,
    now: Timestamp,
) -> Result<(), StoreError> {
    if found == 0 {
        sqlx::query(CREATE_TABLE).execute(&mut *tx).await?;
    }
    for migration in MIGRATIONS.iter().filter(|migration| (found + 1..=wanted).contains(&migration.version)) {
        apply(tx, database.dialect, migration, now)
            .await
            .map_err(|source| StoreError::Migration { name: migration.name, source })?;
    }
    Ok(())
}

/// Number of the advisory lock for migrations; feedmill's own, chosen at random.
const MIGRATIONS_LOCK: i64 = 7_203_648_211_596_342_018;

const CREATE_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_migrations \
    (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)";

async fn apply(
    tx: &mut AnyConnection,
    dialect: Dialect,
    migration: &Migration,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(dialect.choose(migration.sql)).execute(&mut *tx).await?;
    sqlx::query("INSERT INTO schema_migrations (version, name, applied_at) VALUES ($1, $2, $3)")
        .bind(migration.version)
        .bind(migration.name)
        .bind(now.as_millisecond())
        .execute(&mut *tx)
        .await?;
    if migration.is_breaking {
        sqlx::query("UPDATE schema_migrations SET breaking = 1 WHERE version = $1")
            .bind(migration.version)
            .execute(&mut *tx)
            .await?;
    }
    Ok(())
}

/// Returns the highest version applied; 0 if there is no schema.
async fn applied_version(connection: &mut AnyConnection, dialect: Dialect) -> Result<i64, StoreError> {
    if copy::is_unfinished(connection, dialect).await? {
        return Err(StoreError::UnfinishedCopy);
    }
    if !has_table(connection, dialect, "schema_migrations").await? {
        return Ok(0);
    }
    let version = sqlx::query("SELECT coalesce(max(version), 0) FROM schema_migrations")
        .fetch_one(connection)
        .await?
        .try_get(0)?;
    Ok(version)
}

/// Returns whether a table exists.
pub(super) async fn has_table(
    connection: &mut AnyConnection,
    dialect: Dialect,
    name: &str,
) -> Result<bool, StoreError> {
    let tables: i64 =
        sqlx::query(dialect.choose(TABLES_NAMED)).bind(name).fetch_one(connection).await?.try_get(0)?;
    Ok(tables > 0)
}

const TABLES_NAMED: DialectSql = DialectSql {
    sqlite: "SELECT count(*) FROM sqlite_schema WHERE name = $1",
    postgres: "SELECT count(*) FROM pg_tables WHERE tablename = $1 AND schemaname = current_schema()",
};

/// Fails if this program does not know the version.
pub(super) fn refuse_newer(database: &Database, found: i64) -> Result<(), StoreError> {
    let known = latest();
    if found > known {
        return Err(StoreError::SchemaNewer { database: database.location.display(), found, known });
    }
    Ok(())
}

/// Returns the highest version that this program knows.
pub(super) fn latest() -> i64 {
    MIGRATIONS.last().map_or(0, |migration| migration.version)
}

fn names<'m>(migrations: impl Iterator<Item = &'m Migration>) -> Vec<String> {
    migrations.map(|migration| migration.name.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_folders_hold_exactly_the_table() {
        for dialect in ["sqlite", "postgres"] {
            let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
            let mut files: Vec<String> = std::fs::read_dir(folder)
                .unwrap()
                .map(|file| file.unwrap().file_name().into_string().unwrap())
                .collect();
            files.sort();
            let table: Vec<String> =
                MIGRATIONS.iter().map(|migration| format!("{}.sql", migration.name)).collect();
            assert_eq!(files, table, "{dialect}");
        }
    }

    #[test]
    fn versions_rise_and_lead_the_names() {
        assert!(MIGRATIONS.is_sorted_by(|one, next| one.version < next.version));
        for Migration { version, name, .. } in MIGRATIONS {
            assert!(name.starts_with(&format!("{version:04}_")), "{name}");
        }
    }
}
