use std::fmt::Display;
use std::path::PathBuf;

/// Why a store operation failed. No message contains the database's password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `database.url` is neither `sqlite:PATH` nor `postgres://…`.
    #[error(
        "invalid database url: {message}; hint: use sqlite:/var/lib/feedmill/feedmill.db or postgres://user@host/name"
    )]
    Url {
        /// What is wrong with the URL.
        message: String,
    },
    /// The database cannot be opened.
    #[error("cannot open {database}: {source}; hint: {hint}")]
    Open {
        /// The file, or the server without its password.
        database: String,
        /// How to fix it.
        hint: &'static str,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// There is no SQLite file.
    #[error(
        "there is no store at {}; hint: check database.url; `feedmill run`, `feedmill once` and `feedmill migrate` create a store",
        path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The database exists but has no feedmill tables.
    #[error(
        "{database} holds no store; hint: check database.url; `feedmill run`, `feedmill once` and `feedmill migrate` create one"
    )]
    Empty {
        /// The file, or the server without its password.
        database: String,
    },
    /// The schema was written by an earlier feedmill.
    #[error(
        "the schema of {database} is at version {found}, this feedmill needs {known}; hint: `feedmill migrate` updates it, as does \
         starting the daemon"
    )]
    SchemaOlder {
        /// The file, or the server without its password.
        database: String,
        /// The highest version applied.
        found: i64,
        /// The highest version known.
        known: i64,
    },
    /// The SQLite file cannot be created.
    #[error("cannot create {}: {source}; hint: does its folder exist, and is it writable?", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// The SQLite file has several names.
    #[error(
        "the database file {} has {links} names (hard links), and SQLite keeps a separate log for each: used by two of them, the \
         file would be damaged; hint: `find FOLDER -samefile FILE` lists the names, remove all but one",
        path.display()
    )]
    Linked {
        /// The file.
        path: PathBuf,
        /// How many names it has.
        links: u64,
    },
    /// The SQLite file was deleted or replaced while it was open. Nothing is written to it any more.
    #[error(
        "the database file {} was deleted or replaced while it was open; hint: restore it from a backup and restart",
        path.display()
    )]
    FileGone {
        /// The file.
        path: PathBuf,
    },
    /// The schema was written by a later feedmill.
    #[error(
        "the schema of {database} is at version {found}, this feedmill knows versions up to {known}; hint: run the \
         feedmill that migrated it, or a newer one"
    )]
    SchemaNewer {
        /// The file, or the server without its password.
        database: String,
        /// The highest version applied.
        found: i64,
        /// The highest version known.
        known: i64,
    },
    /// A backup or a restored store would overwrite something else.
    #[error("{place} already exists and is not overwritten; hint: move it away, or name another place")]
    Occupied {
        /// The file, or the server without its password.
        place: String,
    },
    /// The store is a copy that `feedmill copy` did not finish.
    #[error(
        "the store is an unfinished copy; hint: `feedmill copy` with the same --from and --to continues it"
    )]
    UnfinishedCopy,
    /// A copy differs from its original.
    #[error(
        "table {table} of the copy differs from the original ({}); hint: was the original written to since the copy began? \
         Stop every feedmill that uses it, and copy into an empty database",
        if rows.0 == rows.1 { format!("{} rows each, with different values", rows.0) } else { format!("{} rows instead of {}", rows.1, rows.0) }
    )]
    CopyDiffers {
        /// The table.
        table: String,
        /// Number of rows of the original and of the copy.
        rows: (u64, u64),
    },
    /// A backup cannot be used.
    #[error("the backup {} is damaged: {finding}; hint: use an earlier one", path.display())]
    DamagedBackup {
        /// The file.
        path: PathBuf,
        /// The first problem found.
        finding: String,
    },
    /// A migration failed and was rolled back.
    #[error("migration {name} failed: {source}")]
    Migration {
        /// The migration's file name.
        name: &'static str,
        /// The driver's error.
        source: sqlx::Error,
    },
    /// A breaking migration must wait until the processes of an earlier feedmill have ended.
    #[error(
        "migration {name} would break these running processes of an earlier version: {processes}; hint: stop them, then \
         start again"
    )]
    MigrationRefused {
        /// The migration's file name.
        name: &'static str,
        /// Names of these processes.
        processes: String,
    },
    /// Another process runs the pipeline on the same SQLite file.
    #[error(
        "another feedmill is running on this store: {} is locked; hint: stop it, give this one another database.url, or \
         use postgres:// for several processes",
        path.display()
    )]
    Running {
        /// The lock file.
        path: PathBuf,
    },
    /// The lock file cannot be created or locked.
    #[error("cannot lock {}: {source}; hint: the folder of the database must be writable", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The system's error.
        source: std::io::Error,
    },
    /// A row holds a value that feedmill never writes.
    #[error("table {table}, row {row}, column {column}: {message}")]
    InvalidRow {
        /// The table.
        table: &'static str,
        /// The row's key.
        row: String,
        /// The column.
        column: &'static str,
        /// What is wrong.
        message: String,
    },
    /// The number of changed rows differs from the expected one.
    #[error("{table}: {changed} rows changed instead of {expected}")]
    RowsChanged {
        /// The table.
        table: &'static str,
        /// How many rows had to change.
        expected: u64,
        /// How many did change.
        changed: u64,
    },
    /// A value cannot be written as JSON.
    #[error("cannot write {what} as JSON: {source}")]
    Json {
        /// What was to be written.
        what: &'static str,
        /// The serialisation error.
        source: serde_json::Error,
    },
    /// The database refused the statement or could not be reached.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl StoreError {
    /// Returns whether the same operation may succeed later: the database is unreachable, busy or overloaded, whatever was to
    /// be written.
    pub fn is_passing(&self) -> bool {
        let error = match self {
            Self::Database(error) => error,
            Self::FileGone { .. } => return true,
            _ => return false,
        };
        match error {
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed => true,
            sqlx::Error::Database(error) => error.code().is_some_and(|code| is_passing_code(&code)),
            _ => false,
        }
    }

    pub(super) fn url(message: impl Display) -> Self {
        Self::Url { message: message.to_string() }
    }
}

/// Returns whether an error code is transient. PostgreSQL's are the SQLSTATE classes (five characters) for lost connections,
/// resources, operator intervention, system errors and transactions that collided, and the one state of a server that has become
/// read-only; SQLite's are the result codes for a busy, locked, read-only, full or failing file (a number whose low byte is the
/// primary code). A file system that fails is often made read-only, and a connection that is opened then only reads.
fn is_passing_code(code: &str) -> bool {
    const POSTGRES: &[&str] = &["08", "25006", "40", "53", "55", "57", "58"];
    const SQLITE: &[u32] = &[5, 6, 8, 10, 13, 14];
    match code.parse::<u32>() {
        Ok(number) if code.len() < 5 => SQLITE.contains(&(number & 0xff)),
        _ => POSTGRES.iter().any(|class| code.starts_with(class)),
    }
}

#[cfg(test)]
mod tests {
    use super::is_passing_code;

    #[test]
    fn what_passes_is_told_from_what_is_refused() {
        for code in ["5", "261", "517", "6", "8", "264", "1032", "10", "778", "13"] {
            assert!(is_passing_code(code), "{code}");
        }
        for code in ["08006", "25006", "40P01", "40001", "53300", "57P01"] {
            assert!(is_passing_code(code), "{code}");
        }
        // A constraint, a corrupt file, a value too long for an index, a bad byte.
        for code in ["19", "1555", "2067", "11", "25001", "54000", "22021", "23505"] {
            assert!(!is_passing_code(code), "{code}");
        }
    }
}
