//! Where the database is, how it is opened, and the one way to write to it.

use std::fs::{File, TryLockError};
use std::ops::{Deref, DerefMut};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::ExposeSecret;
use sqlx::any::{Any, AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool};
use sqlx::{AssertSqlSafe, ConnectOptions};
use url::Url;

use super::{Settings, Store, StoreError};

/// Where the two dialects truly part, both texts stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// A statement in both dialects.
#[derive(Clone, Copy, Debug)]
pub(super) struct DialectSql {
    pub(super) sqlite: &'static str,
    pub(super) postgres: &'static str,
}

impl Dialect {
    pub(super) const fn choose(self, sql: DialectSql) -> &'static str {
        match self {
            Self::Sqlite => sql.sqlite,
            Self::Postgres => sql.postgres,
        }
    }
}

/// What `database.url` means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Location {
    File(PathBuf),
    Server(Url),
}

impl Location {
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return match path {
                "" => Err(StoreError::url("sqlite: needs a path")),
                ":memory:" => Err(StoreError::url("a store in memory would not outlive the process")),
                _ => Ok(Self::File(PathBuf::from(path))),
            };
        }
        // The url itself stays out of the messages: it may hold a password.
        let url = Url::parse(text).map_err(StoreError::url)?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(Self::Server(url)),
            other => Err(StoreError::url(format!("unknown scheme {other:?}"))),
        }
    }

    pub(super) const fn dialect(&self) -> Dialect {
        match self {
            Self::File(_) => Dialect::Sqlite,
            Self::Server(_) => Dialect::Postgres,
        }
    }

    /// How messages name the database: never with its password.
    pub(super) fn display(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Server(url) => {
                format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
            }
        }
    }

    fn hint(&self) -> &'static str {
        match self {
            Self::File(path)
                if !path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir()) =>
            {
                "its folder does not exist: create it and make it writable"
            }
            Self::File(_) => "the file and its folder must be writable, and the file an SQLite database",
            Self::Server(_) => "is the server up, and do user, password and database in database.url fit?",
        }
    }

    fn options(&self, create: bool) -> Result<AnyConnectOptions, StoreError> {
        let url = match self {
            Self::File(path) => {
                SqliteConnectOptions::new().filename(path).create_if_missing(create).to_url_lossy()
            }
            Self::Server(url) => url.clone(),
        };
        Ok(AnyConnectOptions::from_url(&url)?)
    }
}

/// A deferred transaction that reads first fails at its first write when another process wrote meanwhile, whatever the busy
/// timeout.
macro_rules! begin {
    () => {
        "BEGIN IMMEDIATE"
    };
}

/// The open database: on SQLite one connection writes and the others read, on PostgreSQL all do both.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) location: Location,
    pub(super) dialect: Dialect,
    pub(super) readers: AnyPool,
    writer: AnyPool,
}

impl Database {
    /// Connects; on SQLite the file is made where `create` says so.
    pub(super) async fn connect(settings: &Settings, create: bool) -> Result<Self, StoreError> {
        install_default_drivers();
        let location = Location::parse(settings.url.expose_secret())?;
        let dialect = location.dialect();
        let open = |source| StoreError::Open { database: location.display(), hint: location.hint(), source };
        let connections = settings.max_connections.max(1);
        match dialect {
            Dialect::Sqlite => {
                let writer = pool(1, settings.busy_timeout, sqlite_setup(settings.busy_timeout, false))
                    .test_before_acquire(false)
                    .connect_with(location.options(create)?)
                    .await
                    .map_err(open)?;
                let readers =
                    pool(connections, settings.busy_timeout, sqlite_setup(settings.busy_timeout, true))
                        .test_before_acquire(false)
                        .connect_with(location.options(false)?)
                        .await
                        .map_err(open)?;
                Ok(Self { location, dialect, readers, writer })
            }
            Dialect::Postgres => {
                let all = pool(connections, settings.busy_timeout, postgres_setup(settings.busy_timeout))
                    .connect_with(location.options(create)?)
                    .await
                    .map_err(open)?;
                Ok(Self { location, dialect, readers: all.clone(), writer: all })
            }
        }
    }

    /// Begins a transaction that may write.
    pub(super) async fn write(&self) -> Result<WriteTransaction, StoreError> {
        self.begin(self.dialect.choose(DialectSql { sqlite: begin!(), postgres: "BEGIN" }), "COMMIT").await
    }

    /// Begins a transaction that may be lost in a power cut, though never by a killed process: for what means nothing when the
    /// machine is down, such as a lease. It spares the disk a flush; the next transaction that is flushed takes it along.
    pub(super) async fn write_lightly(&self) -> Result<WriteTransaction, StoreError> {
        match self.dialect {
            Dialect::Sqlite => {
                let begin = concat!("PRAGMA synchronous = NORMAL; ", begin!());
                self.begin(begin, "COMMIT; PRAGMA synchronous = FULL").await
            }
            // There other machines go on when this one is down, and an epoch must not be given out twice.
            Dialect::Postgres => self.write().await,
        }
    }

    async fn begin(&self, begin: &'static str, commit: &'static str) -> Result<WriteTransaction, StoreError> {
        let mut tx = WriteTransaction { connection: Some(self.writer.acquire().await?), commit };
        sqlx::raw_sql(begin).execute(&mut *tx).await?;
        Ok(tx)
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }
}

/// A transaction in which everything happens or nothing.
///
/// Its connection goes back to the pool after a commit that succeeded, and in no other case: dropped for whatever
/// reason, it is closed. After a full disk or an I/O error SQLite rolls back by itself, sqlx's count of open
/// transactions stays up, and everything that such a connection "commits" later is a released savepoint and lost.
/// For the same reason the transaction is begun and ended by plain statements: sqlx counts nothing here.
#[derive(Debug)]
pub(super) struct WriteTransaction {
    connection: Option<PoolConnection<Any>>,
    commit: &'static str,
}

const HELD: &str = "the connection is taken by commit and drop only";

impl WriteTransaction {
    pub(super) async fn commit(mut self) -> Result<(), StoreError> {
        let commit = self.commit;
        sqlx::raw_sql(commit).execute(&mut *self).await?;
        self.connection = None;
        Ok(())
    }
}

impl Deref for WriteTransaction {
    type Target = AnyConnection;

    fn deref(&self) -> &AnyConnection {
        self.connection.as_ref().expect(HELD)
    }
}

impl DerefMut for WriteTransaction {
    fn deref_mut(&mut self) -> &mut AnyConnection {
        self.connection.as_mut().expect(HELD)
    }
}

impl Drop for WriteTransaction {
    fn drop(&mut self) {
        if let Some(connection) = &mut self.connection {
            connection.close_on_drop();
        }
    }
}

/// Held by the one process that runs the pipeline on an SQLite file; free on PostgreSQL, where leases keep many
/// processes apart.
#[derive(Debug)]
pub struct RunLock {
    _file: Option<File>,
}

impl Store {
    /// Makes this process the one that runs the pipeline, until the lock is dropped. On SQLite it fails where another
    /// process does, and every lease that an earlier process left behind is given back; on PostgreSQL leases expire.
    ///
    /// What an earlier process put off is due at once: that it waited for a busy host or for the network was known to
    /// that process alone, and a run that ends when nothing is due would leave it behind. On PostgreSQL another process
    /// may still run; it puts off anew what it finds due too early.
    pub async fn lock_for_running(&self) -> Result<RunLock, StoreError> {
        let file = match &self.database.location {
            Location::File(path) => Some(lock_file(path)?),
            Location::Server(_) => None,
        };
        let mut tx = self.database.write().await?;
        let now = self.clock.now().as_millisecond();
        for recall in [
            "UPDATE feeds SET next_poll_at = $1 WHERE put_off = 1 AND next_poll_at > $1",
            "UPDATE entries SET next_attempt_at = $1 WHERE put_off = 1 AND next_attempt_at > $1",
        ] {
            sqlx::query(recall).bind(now).execute(&mut *tx).await?;
        }
        if file.is_some() {
            // Ended at the beginning of time rather than given back: whoever claims the row next learns that it was in
            // hand when the process died.
            for end in [
                "UPDATE feeds SET lease_until = 1 WHERE lease_until > 0",
                "UPDATE entries SET lease_until = 1 WHERE lease_until > 0",
                "UPDATE sinks SET lease_until = 0 WHERE lease_until > 0",
            ] {
                sqlx::query(end).execute(&mut *tx).await?;
            }
        }
        tx.commit().await?;
        Ok(RunLock { _file: file })
    }
}

fn lock_file(database: &Path) -> Result<File, StoreError> {
    let mut name = database.as_os_str().to_owned();
    name.push(".lock");
    let path = PathBuf::from(name);
    let file = match File::options().create(true).truncate(false).write(true).open(&path) {
        Ok(file) => file,
        Err(source) => return Err(StoreError::Lock { path, source }),
    };
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Running { path }),
        Err(TryLockError::Error(source)) => Err(StoreError::Lock { path, source }),
    }
}

fn pool(connections: u32, wait: Duration, setup: String) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(connections).acquire_timeout(wait).after_connect(
        move |connection, _| {
            let setup = setup.clone();
            Box::pin(async move {
                // Built from numbers and constants only.
                sqlx::raw_sql(AssertSqlSafe(setup)).execute(connection).await?;
                Ok(())
            })
        },
    )
}

/// Pages kept in memory by the connection that writes: with SQLite's own 2 MiB a round of polls reads each page anew.
const WRITER_CACHE_KIB: u32 = 32 << 10;
const READER_CACHE_KIB: u32 = 2 << 10;

/// Pages that the log of changes holds before they are written to where they belong. Rounds of polls change the same pages
/// again and again: with SQLite's own 1,000 each is written several times over.
const WAL_PAGES: u32 = 4_000;

/// FULL makes a commit outlive a power cut: WAL with NORMAL was seen to lose acknowledged ones.
fn sqlite_setup(wait: Duration, read_only: bool) -> String {
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA query_only = {}; PRAGMA cache_size = -{}; PRAGMA wal_autocheckpoint = {WAL_PAGES};",
        wait.as_millis(),
        if read_only { "ON" } else { "OFF" },
        if read_only { READER_CACHE_KIB } else { WRITER_CACHE_KIB },
    )
}

fn postgres_setup(wait: Duration) -> String {
    format!("SET lock_timeout = {}; SET application_name = 'feedmill'", wait.as_millis())
}
