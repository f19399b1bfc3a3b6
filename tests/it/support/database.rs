//! A fresh database for each test, on either back end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use feedmill::clock::Clock;
use feedmill::store::{Settings, Store};
use jiff::Timestamp;
use sqlx::{Connection, Executor};
use tempfile::TempDir;
use url::Url;

/// URL of the PostgreSQL server on which tests may create and drop databases.
const POSTGRES_VARIABLE: &str = "FEEDMILL_TEST_POSTGRES_URL";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Backend {
    Sqlite,
    Postgres,
}

/// A database used by one test only; removed by [`FreshDatabase::drop`].
pub(crate) struct FreshDatabase {
    pub(crate) settings: Settings,
    place: Place,
}

enum Place {
    Folder(TempDir),
    Server { admin: Url, name: String },
}

impl FreshDatabase {
    /// Creates a database. If the back end is not available, prints a note and returns `None`; panics if `CI` is set.
    pub(crate) async fn create(backend: Backend) -> Option<Self> {
        match backend {
            Backend::Sqlite => {
                let folder = tempfile::tempdir().unwrap();
                let url = format!("sqlite:{}", folder.path().join("feedmill.db").display());
                Some(Self { settings: settings(url), place: Place::Folder(folder) })
            }
            Backend::Postgres => {
                let Ok(admin) = std::env::var(POSTGRES_VARIABLE) else {
                    assert!(std::env::var("CI").is_err(), "{POSTGRES_VARIABLE} is not set, and this is CI");
                    eprintln!("SKIPPED on PostgreSQL: {POSTGRES_VARIABLE} is not set");
                    return None;
                };
                let admin: Url = admin.parse().unwrap();
                let name = format!("feedmill_test_{:016x}", rand::random::<u64>());
                execute(&admin, format!("CREATE DATABASE {name}")).await;
                let mut url = admin.clone();
                url.set_path(&name);
                Some(Self { settings: settings(url.to_string()), place: Place::Server { admin, name } })
            }
        }
    }

    /// The path of the SQLite file.
    pub(crate) fn file(&self) -> PathBuf {
        match &self.place {
            Place::Folder(folder) => folder.path().join("feedmill.db"),
            Place::Server { .. } => panic!("a database on a server has no file here"),
        }
    }

    /// Opens the store with this clock.
    pub(crate) async fn open(&self, clock: &Clock) -> Store {
        Store::open(&self.settings, clock.clone()).await.unwrap()
    }

    /// Runs one statement directly on the database.
    pub(crate) async fn execute(&self, sql: &str) {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(self.settings.url.expose_secret()).await.unwrap();
        connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))).await.unwrap();
        connection.close().await.unwrap();
    }

    /// Queries one number directly from the database.
    pub(crate) async fn number(&self, sql: &str) -> i64 {
        sqlx::any::install_default_drivers();
        let mut connection = sqlx::AnyConnection::connect(self.settings.url.expose_secret()).await.unwrap();
        let number =
            sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        number
    }

    /// Removes the database. A failed test leaves its PostgreSQL database behind for inspection.
    pub(crate) async fn drop(self) {
        match self.place {
            Place::Folder(folder) => folder.close().unwrap(),
            Place::Server { admin, name } => {
                execute(&admin, format!("DROP DATABASE {name} WITH (FORCE)")).await;
            }
        }
    }
}

/// Runs one statement on the database at `url`.
pub(crate) async fn execute(url: &Url, sql: String) {
    sqlx::any::install_default_drivers();
    let mut connection = sqlx::AnyConnection::connect(url.as_str()).await.unwrap();
    connection.execute(sqlx::raw_sql(sqlx::AssertSqlSafe(sql))).await.unwrap();
    connection.close().await.unwrap();
}

fn settings(url: String) -> Settings {
    Settings {
        url: url.into(),
        max_connections: 12,
        busy_timeout: Duration::from_mins(5),
        search_index: true,
    }
}

/// Returns the statements that create a store as left by a version with only the migrations before this one.
pub(crate) fn schema_before(backend: Backend, migration: &str) -> Vec<String> {
    let dialect = match backend {
        Backend::Sqlite => "sqlite",
        Backend::Postgres => "postgres",
    };
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations").join(dialect);
    let mut files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    files.sort();
    let mut statements = vec![
        "CREATE TABLE schema_migrations (version BIGINT PRIMARY KEY, name TEXT NOT NULL, applied_at BIGINT NOT NULL)"
            .to_owned(),
    ];
    for file in files {
        let name = file.file_stem().unwrap().to_str().unwrap().to_owned();
        if name.as_str() < migration {
            let version: i64 = name[..4].parse().unwrap();
            statements.push(std::fs::read_to_string(file).unwrap());
            statements.push(format!("INSERT INTO schema_migrations VALUES ({version}, '{name}', 1)"));
        }
    }
    statements
}

/// The start time of tests' clocks.
pub(crate) fn start() -> Timestamp {
    "2026-03-01T12:00:00Z".parse().unwrap()
}
