//! Processes that share a server's database: which of them are alive, and which shards of hosts each one owns.
//!
//! A process has a row and renews `beat_at` in it, by the clock of the database. If a process was not heard of for
//! [`DEAD_AFTER`], the first process that notices removes its row, and frees everything that refers to it: shards, leases on
//! feeds, entries and sinks, and lent hosts. A process that merely hung finds its row gone and registers again; what it writes
//! to rows that others have claimed meanwhile is refused by their epochs.
//!
//! Advisory locks held by a connection were the alternative. They are free at once when a process dies, but a broken
//! connection would take a living process's hosts away before it learns of it.
//!
//! A process that starts need not wait for those that died on its own machine, because the system knows which processes run.
//! So a row holds the machine and the process id, and a restarted process's leases and shards are taken over at once.

use std::time::Duration;

use sqlx::AnyConnection;
use sqlx::Row as _;

use super::connection::{Dialect, Location};
use super::sql::{Row, RowsSql, models};
use super::{Settings, Signal, Store, StoreError, migrations};
use crate::model::ShardId;
use crate::shards::{SHARDS, Shards};

/// A process that was not heard of for this long is considered dead.
pub const DEAD_AFTER: Duration = Duration::from_secs(10);

/// What a process learns from its heartbeat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pulse {
    /// Living processes, including this one.
    pub alive: u16,
    /// Whether this is the process that has lived longest.
    pub is_first: bool,
    /// Whether there are dead processes to clean up after.
    pub any_dead: bool,
    /// Shards without an owner.
    pub free: u16,
    /// The highest migration applied.
    pub schema: i64,
    /// The highest migration that a program must know to run on the schema.
    pub needed: i64,
}

/// Where a process runs: its machine and its process id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The scope within which process ids are unique: one boot of a system, and one pid namespace of it.
    pub machine: String,
    /// The process id.
    pub pid: i32,
}

/// What dead processes left behind for others to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Legacy {
    /// Names of the dead processes.
    pub names: Vec<String>,
    /// Feeds that they were polling.
    pub feeds: u64,
    /// Entries that they were working on.
    pub entries: u64,
    /// Sinks that they were driving.
    pub sinks: u64,
}

/// Shards that a process acquired.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acquired {
    /// The shards, each with the time since its last owner had it.
    pub shards: Vec<(ShardId, Duration)>,
    /// Registrable domains in these shards that other processes have borrowed.
    pub lent: Vec<String>,
}

/// A registrable domain that one process asked another for, or has borrowed from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLoan {
    /// The domain.
    pub party: String,
    /// The process that asked for it or has it.
    pub borrower: i64,
    /// Whether it was lent to that process.
    pub granted: bool,
}

/// A process, as shown to the operator.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct ProcessStatus {
    /// Its number in the store.
    pub id: i64,
    /// Machine and process id.
    pub name: String,
    /// Version of the program.
    pub version: String,
    /// How long it has run, in seconds.
    pub age_secs: u64,
    /// Seconds since its last heartbeat.
    pub heard_secs_ago: u64,
    /// Shards of hosts that it owns, of 1,024.
    pub shards: u16,
    /// Feeds that it has leased.
    pub feeds: u64,
    /// Entries that it has leased.
    pub entries: u64,
    /// Sinks that it drives: names separated by commas.
    pub sinks: String,
    /// Whether it is the process that runs retention.
    pub is_first: bool,
}

/// The clock of the database, in milliseconds since 1970.
macro_rules! now {
    () => {
        "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"
    };
}

impl Store {
    /// Returns the shards of a process that will run on the store at `settings`: on SQLite, where it is alone, all of them.
    pub fn shards_at(settings: &Settings) -> Result<Shards, StoreError> {
        match Location::parse(settings.url.expose_secret())? {
            Location::File(_) => Ok(Shards::all()),
            Location::Server(_) => Ok(Shards::shared()),
        }
    }

    /// Registers this process under a name, with its place if that is known, and returns its number.
    pub async fn process_register(&self, name: &str, place: Option<&Place>) -> Result<i64, StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        // Locks migrations out, so that no breaking one comes between the check and the insert.
        migrations::keep_as_it_is(&mut tx, &self.database).await?;
        let row = sqlx::query(REGISTER)
            .bind(name)
            .bind(env!("CARGO_PKG_VERSION"))
            .bind(migrations::latest())
            .bind(place.map_or("", |place| place.machine.as_str()))
            .bind(place.map_or(0, |place| i64::from(place.pid)))
            .fetch_one(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(row.try_get(0)?)
    }

    /// Marks processes of a machine as dead that do not run there any more. They are removed by [`Store::processes_bury`].
    pub async fn processes_lost(&self, machine: &str, runs: impl Fn(i32) -> bool) -> Result<(), StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        let rows = sqlx::query("SELECT id, pid FROM processes WHERE machine = $1")
            .bind(machine)
            .fetch_all(&mut *tx)
            .await?;
        for row in &rows {
            let row = Row { table: "processes", row };
            if !runs(row.number("pid")?) {
                sqlx::query("UPDATE processes SET beat_at = 0 WHERE id = $1")
                    .bind(row.get::<i64>("id")?)
                    .execute(&mut *tx)
                    .await?;
            }
        }
        tx.commit().await
    }

    /// Refuses a schema that this program must not run on, after another process has migrated it.
    pub fn schema_check(&self, needed: i64) -> Result<(), StoreError> {
        migrations::refuse_newer(&self.database, needed)
    }

    /// Sends this process's heartbeat. `None` if it was declared dead and its row removed.
    pub async fn process_beat(&self, id: i64) -> Result<Option<Pulse>, StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        let beaten = sqlx::query(BEAT).bind(id).execute(&mut *tx).await?.rows_affected();
        let row = sqlx::query(PULSE).bind(dead_after_ms()).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        let row = Row { table: "processes", row: &row };
        let pulse = Pulse {
            alive: row.number("alive")?,
            is_first: row.get::<i64>("first")? == id,
            any_dead: row.get::<i64>("dead")? > 0,
            free: row.number("free")?,
            schema: row.get("schema")?,
            needed: row.get("needed")?,
        };
        Ok((beaten > 0).then_some(pulse))
    }

    /// Removes dead processes and frees what they had. Returns what they left behind.
    pub async fn processes_bury(&self) -> Result<Legacy, StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        self.database.exclude_others(&mut tx, SHARDS_LOCK).await?;
        let dead = sqlx::query(BURY).bind(dead_after_ms()).fetch_all(&mut *tx).await?;
        let names = dead.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        let mut legacy = Legacy::default();
        if !dead.is_empty() {
            legacy = free(&mut tx).await?;
            for signal in [Signal::Shards, Signal::Feeds, Signal::Entries, Signal::Outbox] {
                self.signal(&mut tx, signal).await?;
            }
        }
        tx.commit().await?;
        Ok(Legacy { names, ..legacy })
    }

    /// Removes this process, which has nothing in progress any more.
    pub async fn process_leave(&self, id: i64) -> Result<(), StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        self.database.exclude_others(&mut tx, SHARDS_LOCK).await?;
        sqlx::query("DELETE FROM processes WHERE id = $1").bind(id).execute(&mut *tx).await?;
        free(&mut tx).await?;
        self.signal(&mut tx, Signal::Shards).await?;
        tx.commit().await
    }

    /// Assigns up to `limit` shards without an owner to a process.
    pub async fn shards_acquire(&self, id: i64, limit: u16) -> Result<Acquired, StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        self.database.exclude_others(&mut tx, SHARDS_LOCK).await?;
        let rows = sqlx::query(ACQUIRE).bind(id).bind(i64::from(limit)).fetch_all(&mut *tx).await?;
        let mut acquired = Acquired::default();
        for row in &rows {
            let row = Row { table: "shards", row };
            let free_ms = row.get::<i64>("free_ms")?.max(0);
            let shard = ShardId(row.number("id")?);
            acquired.shards.push((shard, Duration::from_millis(free_ms.unsigned_abs())));
        }
        let lent = sqlx::query(LENT_BY).bind(id).fetch_all(&mut *tx).await?;
        acquired.lent = lent.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?;
        tx.commit().await?;
        Ok(acquired)
    }

    /// Releases shards, so that other processes may acquire them.
    pub async fn shards_release(&self, id: i64, shards: &[ShardId]) -> Result<(), StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        self.database.exclude_others(&mut tx, SHARDS_LOCK).await?;
        RELEASE.execute(&mut tx, shards, |query, shard| query.bind(i64::from(shard.0)).bind(id)).await?;
        self.signal(&mut tx, Signal::Shards).await?;
        tx.commit().await
    }

    /// Returns all hosts that are lent or asked for.
    pub async fn host_loans(&self) -> Result<Vec<HostLoan>, StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        let rows = sqlx::query("SELECT party, borrower, granted FROM host_loans").fetch_all(&mut *tx).await?;
        tx.commit().await?;
        models("host_loans", &rows)
    }

    /// Asks the owners of hosts to lend them. Has no effect on a host that was asked for or lent already.
    pub async fn host_loans_ask(&self, id: i64, wanted: &[(String, ShardId)]) -> Result<(), StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        ASK.execute(&mut tx, wanted, |query, (party, shard)| {
            query.bind(party.clone()).bind(i64::from(shard.0)).bind(id)
        })
        .await?;
        self.signal(&mut tx, Signal::Shards).await?;
        tx.commit().await
    }

    /// Lends hosts that were asked for. Has no effect on a host that the process does not own any more: it was considered dead,
    /// and the new owner may be requesting the host.
    pub async fn host_loans_grant(&self, id: i64, parties: &[String]) -> Result<(), StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        // A shard must not pass to another process meanwhile: the new owner reads only once which of its hosts are lent.
        self.database.exclude_others(&mut tx, SHARDS_LOCK).await?;
        GRANT.execute(&mut tx, parties, |query, party| query.bind(party.clone()).bind(id)).await?;
        self.signal(&mut tx, Signal::Shards).await?;
        tx.commit().await
    }

    /// Gives lent hosts back, and withdraws requests for hosts.
    pub async fn host_loans_return(&self, id: i64, parties: &[String]) -> Result<(), StoreError> {
        let mut tx = self.database.write_heartbeat().await?;
        RETURN.execute(&mut tx, parties, |query, party| query.bind(party.clone()).bind(id)).await?;
        self.signal(&mut tx, Signal::Shards).await?;
        tx.commit().await
    }

    /// Returns the registered processes, the longest-lived first; none on SQLite, where one process has the store to itself.
    pub async fn processes(&self) -> Result<Vec<ProcessStatus>, StoreError> {
        if self.database.dialect == Dialect::Sqlite {
            return Ok(Vec::new());
        }
        let rows = sqlx::query(LIST).bind(dead_after_ms()).fetch_all(&self.database.readers).await?;
        models("processes", &rows)
    }
}

/// Returns the names of living processes that do not know the migration `version`.
pub(super) async fn older_than(tx: &mut AnyConnection, version: i64) -> Result<Vec<String>, StoreError> {
    let rows = sqlx::query(OLDER).bind(version).bind(dead_after_ms()).fetch_all(tx).await?;
    Ok(rows.iter().map(|row| row.try_get(0)).collect::<Result<_, _>>()?)
}

fn dead_after_ms() -> i64 {
    i64::try_from(DEAD_AFTER.as_millis()).unwrap_or(i64::MAX)
}

/// Frees what refers to processes that no longer exist. Leases on feeds and entries are set to an expired time instead of 0, so
/// that whoever claims the row next learns that it was in progress.
async fn free(tx: &mut AnyConnection) -> Result<Legacy, StoreError> {
    let mut counts = [0; 5];
    for (count, sql) in counts.iter_mut().zip(FREE) {
        *count = sqlx::query(sql).execute(&mut *tx).await?.rows_affected();
    }
    let [feeds, entries, sinks, ..] = counts;
    Ok(Legacy { names: Vec::new(), feeds, entries, sinks })
}

impl TryFrom<Row<'_>> for HostLoan {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        Ok(Self { party: row.get("party")?, borrower: row.get("borrower")?, granted: row.flag("granted")? })
    }
}

impl TryFrom<Row<'_>> for ProcessStatus {
    type Error = StoreError;

    fn try_from(row: Row<'_>) -> Result<Self, StoreError> {
        let seconds = |column| Ok::<_, StoreError>(row.get::<i64>(column)?.max(0).unsigned_abs() / 1000);
        Ok(Self {
            id: row.get("id")?,
            name: row.get("name")?,
            version: row.get("version")?,
            age_secs: seconds("age_ms")?,
            heard_secs_ago: seconds("heard_ms")?,
            shards: row.number("shards")?,
            feeds: row.number("feeds")?,
            entries: row.number("entries")?,
            sinks: row.get("sinks")?,
            is_first: row.flag("is_first")?,
        })
    }
}

/// Number of the advisory lock for shards; feedmill's own, chosen at random.
const SHARDS_LOCK: i64 = 5_870_113_946_251_834_411;

const REGISTER: &str = concat!(
    "INSERT INTO processes (name, version, schema, machine, pid, started_at, beat_at) VALUES ($1, $2, $3, $4, $5, ",
    now!(),
    ", ",
    now!(),
    ") RETURNING id"
);

const BEAT: &str = concat!("UPDATE processes SET beat_at = ", now!(), " WHERE id = $1");

const PULSE: &str = concat!(
    "SELECT count(*) FILTER (WHERE beat_at >= ",
    now!(),
    " - $1) AS alive, count(*) FILTER (WHERE beat_at < ",
    now!(),
    " - $1) AS dead, coalesce(min(id) FILTER (WHERE beat_at >= ",
    now!(),
    " - $1), 0) AS first, (SELECT count(*) FROM shards WHERE owner = 0) AS free, \
     (SELECT max(version) FROM schema_migrations) AS schema, \
     (SELECT coalesce(max(version), 0) FROM schema_migrations WHERE breaking = 1) AS needed FROM processes"
);

const OLDER: &str =
    concat!("SELECT name FROM processes WHERE schema < $1 AND beat_at >= ", now!(), " - $2 ORDER BY id");

const BURY: &str = concat!("DELETE FROM processes WHERE beat_at < ", now!(), " - $1 RETURNING name");

const FREE: [&str; 5] = [
    "UPDATE feeds SET lease_until = 1 WHERE lease_until > 1 AND holder <> 0 \
        AND holder NOT IN (SELECT id FROM processes)",
    "UPDATE entries SET lease_until = 1 WHERE lease_until > 1 AND holder <> 0 \
        AND holder NOT IN (SELECT id FROM processes)",
    "UPDATE sinks SET lease_until = 0 WHERE lease_until > 0 AND holder <> 0 \
        AND holder NOT IN (SELECT id FROM processes)",
    concat!(
        "UPDATE shards SET owner = 0, free_since = ",
        now!(),
        " WHERE owner <> 0 AND owner NOT IN (SELECT id FROM processes)"
    ),
    "DELETE FROM host_loans WHERE borrower NOT IN (SELECT id FROM processes)",
];

/// Shards go to registered processes only.
const ACQUIRE: &str = concat!(
    "UPDATE shards SET owner = $1 WHERE id IN (SELECT id FROM shards WHERE owner = 0 ORDER BY id LIMIT $2) \
        AND EXISTS (SELECT 1 FROM processes WHERE id = $1) RETURNING id, ",
    now!(),
    " - free_since AS free_ms"
);

const LENT_BY: &str = "SELECT l.party FROM host_loans l JOIN shards s ON s.id = l.shard WHERE s.owner = $1 AND l.borrower <> $1 \
    AND l.granted = 1";

const RELEASE: RowsSql = RowsSql {
    before: "WITH released (shard, process) AS (VALUES ",
    columns: 2,
    after: concat!(
        ") UPDATE shards SET owner = 0, free_since = ",
        now!(),
        " FROM released WHERE id = released.shard AND owner = released.process"
    ),
};

const ASK: RowsSql = RowsSql {
    before: "INSERT INTO host_loans (party, shard, borrower) VALUES ",
    columns: 3,
    after: " ON CONFLICT (party) DO NOTHING",
};

const GRANT: RowsSql = RowsSql {
    before: "WITH granting (party, process) AS (VALUES ",
    columns: 2,
    after: ") UPDATE host_loans SET granted = 1 FROM granting, shards WHERE host_loans.party = granting.party \
        AND shards.id = host_loans.shard AND shards.owner = granting.process",
};

const RETURN: RowsSql = RowsSql {
    before: "WITH returned (party, process) AS (VALUES ",
    columns: 2,
    after: ") DELETE FROM host_loans USING returned WHERE host_loans.party = returned.party AND borrower = returned.process",
};

const LIST: &str = concat!(
    "SELECT p.id, p.name, p.version, ",
    now!(),
    " - p.started_at AS age_ms, ",
    now!(),
    " - p.beat_at AS heard_ms, (SELECT count(*) FROM shards s WHERE s.owner = p.id) AS shards, \
     (SELECT count(*) FROM feeds f WHERE f.lease_until > 1 AND f.holder = p.id) AS feeds, \
     (SELECT count(*) FROM entries e WHERE e.lease_until > 1 AND e.holder = p.id) AS entries, \
     (SELECT coalesce(string_agg(k.name, ', ' ORDER BY k.name), '') FROM sinks k \
        WHERE k.lease_until > 0 AND k.holder = p.id) AS sinks, \
     CASE WHEN p.id = (SELECT min(o.id) FROM processes o WHERE o.beat_at >= ",
    now!(),
    " - $1) THEN 1 ELSE 0 END AS is_first FROM processes p ORDER BY p.id"
);

// The migration creates this many rows.
const _: () = assert!(SHARDS == 1024);
