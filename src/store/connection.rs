//! Where the database is, how it is opened, and the only way to write to it.

use std::fs::File;
use std::io;
use std::ops::{Deref, DerefMut};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::any::{Any, AnyConnectOptions, AnyPoolOptions, install_default_drivers};
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, ConnectOptions, Connection as _};
use tokio::time::Instant;
use url::Url;

use super::{Settings, StoreError};

/// The SQL dialect. Where the two differ, both texts stand side by side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

/// What a process may do to a store besides reading and writing rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
    /// Creates the file and migrates the schema.
    Own,
    /// Takes the store as it is; fails if there is none.
    Visit,
    /// Takes a backup as it is, and only reads it; fails if there is none. Its file may have several names, as in folders of backups
    /// that share unchanged files by hard links.
    ReadBackup,
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

/// A parsed `database.url`.
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
        // The URL itself is kept out of messages: it may contain a password.
        let url = Url::parse(text).map_err(StoreError::url)?;
        match url.scheme() {
            "postgres" | "postgresql" => Ok(Self::Server(url)),
            other => Err(StoreError::url(format!("unknown scheme {other:?}"))),
        }
    }

    /// The name of the database for messages, never with its password.
    pub(super) fn display(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Server(url) => {
                format!("{}://{}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path())
            }
        }
    }

    /// Returns a hint on how to fix what kept the database from being opened.
    fn hint(&self, error: &sqlx::Error) -> &'static str {
        let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
        match (self, code.as_deref().unwrap_or_default()) {
            (Self::File(path), _)
                if !path.parent().is_none_or(|folder| folder.as_os_str().is_empty() || folder.is_dir()) =>
            {
                "its folder does not exist: create it and make it writable"
            }
            (Self::File(_), SQLITE_NOT_A_DATABASE) => {
                "the file is not an SQLite database: name another one, or move it away"
            }
            (Self::File(_), SQLITE_CORRUPT) => "the file is damaged: restore an intact backup",
            (Self::File(_), _) => "the file and its folder must be writable, and the file an SQLite database",
            (Self::Server(_), "28P01" | "28000") => "the server refuses this user or password",
            (Self::Server(_), "3D000") => "the server has no database of this name: create it",
            (Self::Server(_), TOO_MANY_CONNECTIONS) => {
                "lower database.max_connections, or raise the server's max_connections"
            }
            (Self::Server(_), _) => "is the server running, and are host and port in database.url correct?",
        }
    }

    fn options(&self) -> Result<AnyConnectOptions, sqlx::Error> {
        let url = match self {
            Self::File(path) => SqliteConnectOptions::new().filename(path).to_url_lossy(),
            Self::Server(url) => url.clone(),
        };
        AnyConnectOptions::from_url(&url)
    }
}

/// Begins a write on SQLite. `IMMEDIATE` since a deferred transaction that reads first fails at its first write if another
/// process wrote meanwhile, whatever the busy timeout.
macro_rules! begin {
    () => {
        "BEGIN IMMEDIATE"
    };
}

/// The open database. On SQLite one connection writes and the others read; on PostgreSQL all do both.
#[derive(Clone, Debug)]
pub(super) struct Database {
    pub(super) location: Location,
    pub(super) dialect: Dialect,
    pub(super) readers: AnyPool,
    writer: AnyPool,
    /// On PostgreSQL, a separate connection for heartbeats, so that they are sent however busy the others are.
    heart: Option<AnyPool>,
    /// The file that was opened, on SQLite.
    file: Option<FileIdentity>,
}

/// Identifies a file independently of its name: SQLite goes on using the file that it opened, even one that was unlinked and
/// vanishes with the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    fn of(path: &Path) -> io::Result<Self> {
        let metadata = path.metadata()?;
        Ok(Self { device: metadata.dev(), inode: metadata.ino() })
    }
}

/// SQLite's result code for a damaged file.
const SQLITE_CORRUPT: &str = "11";
/// SQLite's result code for a file that is not a database.
const SQLITE_NOT_A_DATABASE: &str = "26";
/// PostgreSQL's SQLSTATE for a server that has no free connections.
const TOO_MANY_CONNECTIONS: &str = "53300";
/// PostgreSQL's SQLSTATE for a server that is starting up or shutting down.
const CANNOT_CONNECT_NOW: &str = "57P03";

/// How long a start waits for a server that is reachable but does not accept connections yet, and how often it retries.
const START_PATIENCE: Duration = Duration::from_mins(2);
const START_RETRY: Duration = Duration::from_millis(500);

/// Returns whether the server is reachable and will accept connections once others are closed or its startup is over.
fn is_over_soon(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(code.as_deref(), Some(TOO_MANY_CONNECTIONS | CANNOT_CONNECT_NOW))
}

/// Opens and sets up one connection, to report the cause of a failure at once: a pool retries until its timeout and reports
/// only the timeout.
async fn connect_once(options: &AnyConnectOptions, setup: &str, wait: Duration) -> Result<(), sqlx::Error> {
    let connect = async {
        let mut connection = AnyConnection::connect_with(options).await?;
        // Built from numbers and constants only.
        sqlx::raw_sql(AssertSqlSafe(setup.to_owned())).execute(&mut connection).await?;
        connection.close().await
    };
    tokio::time::timeout(wait, connect).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}

/// Creates the file if it does not exist, readable by its owner only, since it holds what others must not read. SQLite gives
/// the files beside it the same mode.
pub(super) fn create_private(path: &Path) -> io::Result<()> {
    match File::options().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}

/// Returns an error if a store's file has several names: SQLite's log and the lock of the running process are found by name. Not for
/// a backup that is only read ([`Access::ReadBackup`]). An error of the system is left to SQLite to report.
fn check_names(path: &Path) -> Result<(), StoreError> {
    match path.metadata() {
        Ok(metadata) if metadata.is_file() && metadata.nlink() > 1 => {
            Err(StoreError::Linked { path: path.to_owned(), links: metadata.nlink() })
        }
        _ => Ok(()),
    }
}

impl Database {
    /// Connects; on SQLite the owner ([`Access::Own`]) creates a missing file, and a store whose file has several names is refused.
    pub(super) async fn connect(settings: &Settings, access: Access) -> Result<Self, StoreError> {
        install_default_drivers();
        let location = Location::parse(settings.url.expose_secret())?;
        let wait = settings.busy_timeout;
        let opened = match &location {
            Location::File(path) => {
                match access {
                    Access::Own => create_private(path)
                        .map_err(|source| StoreError::Create { path: path.clone(), source })?,
                    Access::Visit | Access::ReadBackup if !path.exists() => {
                        return Err(StoreError::Missing { path: path.clone() });
                    }
                    Access::Visit | Access::ReadBackup => {}
                }
                if access != Access::ReadBackup {
                    check_names(path)?;
                }
                Self::connect_to_file(&location, path, settings, access).await
            }
            Location::Server(_) => Self::connect_to_server(&location, settings.max_connections, wait).await,
        };
        opened.map_err(|source| StoreError::Open {
            database: location.display(),
            hint: location.hint(&source),
            source,
        })
    }

    async fn connect_to_file(
        location: &Location,
        path: &Path,
        settings: &Settings,
        access: Access,
    ) -> Result<Self, sqlx::Error> {
        let wait = settings.busy_timeout;
        let options = location.options()?;
        // Only the store's owner sets how its log is kept; a visitor may have been pointed at somebody else's file.
        let own = if access == Access::Own { SQLITE_OWN } else { "" };
        let setup = sqlite_setup(wait, false);
        connect_once(&options, &format!("{own}{setup}"), wait).await?;
        let writer = pool(1, wait, setup).test_before_acquire(false).connect_with(options.clone()).await?;
        let readers = pool(settings.max_connections.max(1), wait, sqlite_setup(wait, true))
            .test_before_acquire(false)
            .connect_with(options)
            .await?;
        let file = FileIdentity::of(path)?;
        Ok(Self {
            location: location.clone(),
            dialect: Dialect::Sqlite,
            readers,
            writer,
            heart: None,
            file: Some(file),
        })
    }

    async fn connect_to_server(
        location: &Location,
        connections: u32,
        wait: Duration,
    ) -> Result<Self, sqlx::Error> {
        let options = location.options()?;
        let setup = postgres_setup(wait);
        let patience = Instant::now() + START_PATIENCE;
        let mut waits = false;
        while let Err(error) = connect_once(&options, &setup, wait).await {
            if !is_over_soon(&error) || Instant::now() >= patience {
                return Err(error);
            }
            if !waits {
                waits = true;
                tracing::warn!(database = location.display(), %error, "waiting for the database");
            }
            tokio::time::sleep(START_RETRY).await;
        }
        let heart = pool(1, wait, setup.clone()).connect_lazy_with(options.clone());
        let all = pool(connections.max(1), wait, setup).connect_lazy_with(options);
        Ok(Self {
            location: location.clone(),
            dialect: Dialect::Postgres,
            readers: all.clone(),
            writer: all,
            heart: Some(heart),
            file: None,
        })
    }

    /// Begins a transaction that may write.
    pub(super) async fn write(&self) -> Result<WriteTransaction, StoreError> {
        self.begin(self.dialect.choose(DialectSql { sqlite: begin!(), postgres: "BEGIN" }), "COMMIT").await
    }

    /// Begins a transaction that may be lost in a power cut, though never by a killed process: for data that is meaningless once
    /// the machine is down, such as a lease. It saves a flush to disk; the next flushed transaction takes it along.
    pub(super) async fn write_lightly(&self) -> Result<WriteTransaction, StoreError> {
        match self.dialect {
            Dialect::Sqlite => {
                let begin = concat!("PRAGMA synchronous = NORMAL; ", begin!());
                self.begin(begin, "COMMIT; PRAGMA synchronous = FULL").await
            }
            // Other machines go on when this one is down, and an epoch must not be given out twice.
            Dialect::Postgres => self.write().await,
        }
    }

    /// Begins a transaction that sees the database as it is now, whatever others write meanwhile.
    pub(super) async fn snapshot(&self) -> Result<WriteTransaction, StoreError> {
        // Dropping a partition rewrites the rows that stay, and an older snapshot would not see these: the lock delays drops.
        let begin = DialectSql {
            sqlite: "BEGIN",
            postgres: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; LOCK TABLE revisions IN ACCESS SHARE MODE",
        };
        self.begin(self.dialect.choose(begin), "COMMIT").await
    }

    /// Returns the writing connection outside of a transaction, for statements that SQLite runs in one of its own.
    pub(super) async fn write_alone(&self) -> Result<PoolConnection<Any>, StoreError> {
        self.check_file()?;
        Ok(self.writer.acquire().await?)
    }

    /// Returns an error if the file is no longer the one that was opened. Always succeeds on PostgreSQL.
    fn check_file(&self) -> Result<(), StoreError> {
        let (Location::File(path), Some(opened)) = (&self.location, self.file) else { return Ok(()) };
        match FileIdentity::of(path) {
            Ok(found) if found == opened => Ok(()),
            _ => Err(StoreError::FileGone { path: path.clone() }),
        }
    }

    /// Begins a transaction for a process's heartbeat. On PostgreSQL it has a connection to itself.
    pub(super) async fn write_heartbeat(&self) -> Result<WriteTransaction, StoreError> {
        match &self.heart {
            Some(heart) => begin_on(heart, "BEGIN", "COMMIT").await,
            None => self.write().await,
        }
    }

    async fn begin(&self, begin: &'static str, commit: &'static str) -> Result<WriteTransaction, StoreError> {
        // Whatever is committed to an unlinked file is gone with the process.
        self.check_file()?;
        begin_on(&self.writer, begin, commit).await
    }

    /// Waits until no other process holds the advisory lock `lock`, and holds it until the transaction ends. On SQLite the
    /// transaction itself excludes all other writers.
    pub(super) async fn exclude_others(&self, tx: &mut AnyConnection, lock: i64) -> Result<(), StoreError> {
        if self.dialect == Dialect::Postgres {
            sqlx::query("SELECT pg_advisory_xact_lock($1)").bind(lock).execute(tx).await?;
        }
        Ok(())
    }

    pub(super) async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
        if let Some(heart) = &self.heart {
            heart.close().await;
        }
    }
}

async fn begin_on(
    pool: &AnyPool,
    begin: &'static str,
    commit: &'static str,
) -> Result<WriteTransaction, StoreError> {
    let mut tx = WriteTransaction { connection: Some(pool.acquire().await?), commit };
    sqlx::raw_sql(begin).execute(&mut *tx).await?;
    Ok(tx)
}

/// A transaction, applied as a whole or not at all.
///
/// Its connection goes back to the pool after a successful commit only; if the transaction is dropped for any other reason,
/// the connection is closed. After a full disk or an I/O error SQLite rolls back by itself, but sqlx's count of open
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

/// Returns the path of `file` with `suffix` appended to its name.
pub(crate) fn beside(file: &Path, suffix: &str) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
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

/// Page cache of the writing connection: with SQLite's default of 2 MiB, a round of polls reads each page again.
const WRITER_CACHE_KIB: u32 = 32 << 10;
const READER_CACHE_KIB: u32 = 2 << 10;

/// Pages that the write-ahead log holds before they are written back to the database. Rounds of polls change the same pages
/// again and again: with SQLite's default of 1,000 each is written back several times.
const WAL_PAGES: u32 = 4_000;

/// Settings that are stored in the file. With incremental vacuum, a new file can return free pages to the disk. They are made
/// once at the start: they write to the file, so on a disk that fails no later connection could be opened, and every error would
/// be that of a pool without connections.
const SQLITE_OWN: &str = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; ";

/// `synchronous = FULL` makes commits survive a power cut: WAL with NORMAL was seen to lose acknowledged ones.
fn sqlite_setup(wait: Duration, read_only: bool) -> String {
    format!(
        "PRAGMA busy_timeout = {}; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; \
         PRAGMA query_only = {}; PRAGMA cache_size = -{}; PRAGMA wal_autocheckpoint = {WAL_PAGES};",
        wait.as_millis(),
        if read_only { "ON" } else { "OFF" },
        if read_only { READER_CACHE_KIB } else { WRITER_CACHE_KIB },
    )
}

fn postgres_setup(wait: Duration) -> String {
    format!("SET lock_timeout = {}; SET application_name = 'feedmill'", wait.as_millis())
}
