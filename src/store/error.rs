use std::fmt::Display;
use std::path::PathBuf;

/// Why the store could not do it. No message holds the database's password.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// `database.url` is neither `sqlite:PATH` nor `postgres://…`.
    #[error(
        "unusable database url: {message}; hint: write sqlite:/var/lib/feedmill/feedmill.db or postgres://user@host/name"
    )]
    Url {
        /// What is wrong with it.
        message: String,
    },
    /// No connection.
    #[error("cannot open {database}: {source}; hint: {hint}")]
    Open {
        /// The file, or the server without its password.
        database: String,
        /// The way out.
        hint: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// There is no SQLite file.
    #[error(
        "there is no store at {}; hint: is database.url right? `feedmill run`, `feedmill once` and `feedmill migrate` make one",
        path.display()
    )]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The database is there and holds no feedmill's tables.
    #[error(
        "{database} holds no store; hint: is database.url right? `feedmill run`, `feedmill once` and `feedmill migrate` make one"
    )]
    Empty {
        /// The file, or the server without its password.
        database: String,
    },
    /// The schema is that of an earlier feedmill.
    #[error(
        "the schema of {database} is at version {found}, this feedmill needs {known}; hint: `feedmill migrate` brings it up to \
         date, as does a start of the daemon"
    )]
    SchemaOlder {
        /// The file, or the server without its password.
        database: String,
        /// The highest version applied.
        found: i64,
        /// The highest version known.
        known: i64,
    },
    /// The SQLite file cannot be made.
    #[error("cannot create {}: {source}; hint: does its folder exist, and is it writable?", path.display())]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The SQLite file was deleted or replaced while it was open. Nothing is written to it any more.
    #[error(
        "the database file {} was deleted or replaced while it was open; hint: put it back from a backup and restart",
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
    /// A backup or a restored store would take the place of something else.
    #[error("{place} is there already and is not written over; hint: move it away, or name another place")]
    Occupied {
        /// The file, or the server without its password.
        place: String,
    },
    /// `feedmill copy` was killed before it was done.
    #[error(
        "the store is an unfinished copy; hint: `feedmill copy` with the same --from and --to goes on with it"
    )]
    UnfinishedCopy,
    /// A copy differs from what it was made from.
    #[error(
        "table {table} of the copy is not that of the original ({}); hint: was the original written to since the copy began? \
         Stop every feedmill on it, and copy into an empty database",
        if rows.0 == rows.1 { format!("{} rows each, with other values", rows.0) } else { format!("{} rows, not {}", rows.1, rows.0) }
    )]
    CopyDiffers {
        /// The table.
        table: String,
        /// Rows of the original, and of the copy.
        rows: (u64, u64),
    },
    /// A backup cannot be used.
    #[error("the backup {} is damaged: {finding}; hint: use an earlier one", path.display())]
    DamagedBackup {
        /// The file.
        path: PathBuf,
        /// What was found first.
        finding: String,
    },
    /// A migration failed; nothing of it remains.
    #[error("migration {name} failed: {source}")]
    Migration {
        /// The migration's file name.
        name: &'static str,
        /// What the driver said.
        source: sqlx::Error,
    },
    /// A migration waits for processes of an earlier feedmill to end.
    #[error(
        "migration {name} changes what these running processes rely on, which do not know it: {processes}; hint: stop them, then \
         start again"
    )]
    MigrationRefused {
        /// The migration's file name.
        name: &'static str,
        /// Their names.
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
    /// The lock file cannot be made.
    #[error("cannot lock {}: {source}; hint: the folder of the database must be writable", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A row holds what no feedmill writes.
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
    /// A row that had to change did not, or more than one did.
    #[error("{table}: {changed} rows changed where {expected} had to")]
    RowsChanged {
        /// The table.
        table: &'static str,
        /// How many had to change.
        expected: u64,
        /// How many did.
        changed: u64,
    },
    /// A value that cannot be written as JSON.
    #[error("cannot write {what} as JSON: {source}")]
    Json {
        /// What was to be written.
        what: &'static str,
        /// Why not.
        source: serde_json::Error,
    },
    /// The database refused or was not reachable.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
}

impl StoreError {
    /// Whether the same work may succeed later: the database is away, busy or overrun, and what was to be written has
    /// nothing to do with it.
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

/// PostgreSQL's classes for lost connections, resources, operator intervention, system errors and for transactions that
/// collided (SQLSTATE, five characters); SQLite's result codes for a busy, locked, full or failing file (a number, whose
/// low byte is the primary code).
fn is_passing_code(code: &str) -> bool {
    const POSTGRES: &[&str] = &["08", "40", "53", "55", "57", "58"];
    const SQLITE: &[u32] = &[5, 6, 10, 13, 14];
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
        for code in ["5", "261", "517", "6", "10", "778", "13", "08006", "40P01", "40001", "53300", "57P01"] {
            assert!(is_passing_code(code), "{code}");
        }
        // A constraint, a corrupt file, a value too long for an index, a bad byte.
        for code in ["19", "1555", "2067", "11", "54000", "22021", "23505"] {
            assert!(!is_passing_code(code), "{code}");
        }
    }
}
