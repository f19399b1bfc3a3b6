//! From the outbox to one sink.
//!
//! The cursor is a row in the store. A round reads what comes after it, has the sink deliver it, and moves the cursor when
//! the sink says that it is safe: a process that dies in between delivers the same again. Where that would double
//! something, names and ids that follow from positions keep it single. For a file that holds many records, which positions
//! those are is written down before its first byte.
//!
//! Each sink has a relay of its own: one that is slow or dead holds up nobody else.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::filter::Filter;
use super::{Batch, Batching, Failure, Outward, PublishError, STEP, Sink};
use crate::clock::Clock;
use crate::memory::{Memory, RECORD_COST, Share};
use crate::model::{self, Record};
use crate::store::{Beginning, SinkFailure, SinkLease, SinkRange, Store, StoreError};
use crate::telemetry::metrics;

/// How long a sink belongs to its process: after a crash, another takes over then.
const LEASE: Duration = Duration::from_secs(15);
/// A lease is prolonged so often while its holder is at work, and the outbox looked at so often while it rests.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Bytes of texts read from the store at a time.
const STEP_BYTES: usize = 1 << 20;

/// How long a sink rests after its first failure; each further one doubles it.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_mins(5);
/// The longest that a receiver may put us off.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// How a sink is driven.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The name under which its cursor is kept.
    pub name: String,
    /// Where it begins when it is new.
    pub from: Beginning,
    /// Whether it stands still.
    pub pause: bool,
    /// Which records it wants.
    pub filter: Filter,
}

/// Drives one sink.
#[derive(Debug)]
pub struct Relay {
    store: Store,
    clock: Clock,
    settings: Settings,
    sink: Box<dyn Sink>,
    memory: Memory,
    /// The epoch of the lease, while we have one.
    epoch: Option<i64>,
    /// Why the last delivery failed, where it did. It is logged once.
    trouble: Option<String>,
}

/// Whether a file that is not yet full waits for the end of its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It does.
    WhenDue,
    /// It does not: there is nobody to come back for it.
    All,
}

/// A batch, and the memory that it takes until it is delivered.
struct Held {
    batch: Batch,
    share: Share,
}

/// What a round came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The cursor moved, or a record was set aside: there may be more to do at once.
    Moved,
    /// There is nothing to deliver before this moment, or before something is stored.
    Idle(Option<Timestamp>),
}

impl Relay {
    /// Makes the sink known to the store. Delivers nothing yet.
    pub async fn open(
        store: Store,
        settings: Settings,
        outward: &Outward,
        sink: Box<dyn Sink>,
    ) -> Result<Self, StoreError> {
        store.sink_register(&settings.name, settings.from).await?;
        metrics::sink_opened(&settings.name);
        let (clock, memory) = (outward.clock.clone(), outward.memory.clone());
        Ok(Self { store, clock, settings, sink, memory, epoch: None, trouble: None })
    }

    /// The sink's name.
    pub fn name(&self) -> &str {
        &self.settings.name
    }

    /// Whether the last delivery failed.
    pub const fn is_in_trouble(&self) -> bool {
        self.trouble.is_some()
    }

    /// Delivers as records are stored, until `all_stored` is cancelled, and what was stored until then.
    pub async fn run(mut self, stored: &Notify, all_stored: &CancellationToken) {
        loop {
            let woken = stored.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let stopping = all_stored.is_cancelled();
            let due = match self.drain(Flush::WhenDue, &CancellationToken::new()).await {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(sink = self.name(), error = %error, "a sink stands still; trying again");
                    None
                }
            };
            if stopping {
                break;
            }
            tokio::select! {
                () = all_stored.cancelled() => {}
                () = woken => {}
                () = tokio::time::sleep(self.rest(due)) => {}
            }
        }
        self.give_back().await;
    }

    /// Works until there is nothing to do now. Returns when there may be again.
    pub async fn drain(
        &mut self,
        flush: Flush,
        soft: &CancellationToken,
    ) -> Result<Option<Timestamp>, PublishError> {
        while !soft.is_cancelled() {
            if let Step::Idle(due) = self.step(flush).await? {
                return Ok(due);
            }
        }
        Ok(None)
    }

    /// One round: at most one batch.
    pub async fn step(&mut self, flush: Flush) -> Result<Step, PublishError> {
        if self.settings.pause {
            return Ok(Step::Idle(None));
        }
        let Some(lease) = self.lease().await? else { return Ok(Step::Idle(None)) };
        let next = self.store.outbox_next(lease.seq).await?;
        self.show_lag(&lease, next).await?;
        if lease.disabled {
            return Ok(Step::Idle(None));
        }
        if lease.retry_at > self.clock.now() {
            return Ok(Step::Idle(Some(lease.retry_at)));
        }
        let Some((first, began_at)) = next else { return Ok(Step::Idle(None)) };
        let range = SinkRange { first, last: i64::MAX, began_at };
        let held = match self.sink.batching() {
            batching @ Batching { period: None, .. } => self.read(lease.seq, &batching, range).await?,
            Batching { period: Some(period), .. } => {
                match self.file(lease.seq, period, range, flush).await? {
                    Ok(held) => held,
                    Err(due) => return Ok(Step::Idle(Some(due))),
                }
            }
        };
        self.hand_over(&lease, &held.batch).await
    }

    /// Gives the lease back, so that another process need not wait for its end.
    pub async fn give_back(&mut self) {
        let Some(epoch) = self.epoch.take() else { return };
        if let Err(error) = self.store.sink_release(self.name(), epoch).await {
            tracing::warn!(sink = self.name(), error = %error, "the lease on a sink will run out by itself");
        }
    }

    async fn lease(&mut self) -> Result<Option<SinkLease>, StoreError> {
        let name = &self.settings.name;
        let renewed = match self.epoch {
            Some(epoch) => self.store.sink_renew(name, epoch, LEASE).await?,
            None => None,
        };
        let lease = match renewed {
            Some(lease) => Some(lease),
            None => self.store.sink_claim(name, LEASE).await?,
        };
        self.epoch = lease.as_ref().map(|lease| lease.epoch);
        Ok(lease)
    }

    /// The file that comes next; or when it is due.
    async fn file(
        &self,
        seq: i64,
        period: Duration,
        next: SinkRange,
        flush: Flush,
    ) -> Result<Result<Held, Timestamp>, StoreError> {
        let batching = self.sink.batching();
        let decided = self.store.sink_range_after(&self.settings.name, seq).await?;
        if let Some(range) = decided.filter(|range| range.first <= next.first) {
            // Decided before: all of it, however large.
            let whole = Batching { max_records: u32::MAX, max_bytes: usize::MAX, period: None };
            let mut held = self.read(range.first - 1, &whole, range).await?;
            held.batch.last = range.last;
            return Ok(Ok(held));
        }
        let due = model::after(period_start(next.began_at, period), period);
        let behind = self.store.last_seq().await? - seq;
        let is_full = behind >= i64::from(batching.max_records);
        if flush == Flush::WhenDue && !is_full && self.clock.now() < due && decided.is_none() {
            return Ok(Err(due));
        }
        let last = decided.map_or(i64::MAX, |range| range.first - 1);
        let held = self.read(seq, &batching, SinkRange { last, ..next }).await?;
        let Batch { records, first, last, began_at } = &held.batch;
        if !records.is_empty() {
            let range = SinkRange { first: *first, last: *last, began_at: *began_at };
            self.store.sink_range_add(&self.settings.name, range).await?;
        }
        Ok(Ok(held))
    }

    /// The records of `range` after `seq`, as far as a batch goes. Each few are read as soon as there is room for them beside
    /// those that are wanted.
    async fn read(&self, seq: i64, batching: &Batching, range: SinkRange) -> Result<Held, StoreError> {
        let aside = self.store.set_aside_after(&self.settings.name, seq).await?;
        let batch = Batch { records: Vec::new(), first: range.first, last: seq, began_at: range.began_at };
        let mut held = Held { batch, share: self.memory.share() };
        let batch = &mut held.batch;
        let (mut records, mut bytes, mut kept_bytes) = (0, 0, 0);
        loop {
            let step = STEP.min(batching.max_records - records);
            let (step, step_bytes) = self.store.records_weigh(batch.last, step, STEP_BYTES).await?;
            if step == 0 {
                return Ok(held);
            }
            held.share.hold((kept_bytes + step_bytes) * RECORD_COST).await;
            let read = self.store.records_after(batch.last, step).await?;
            for record in read {
                let is_of_next_period = batching
                    .period
                    .is_some_and(|period| is_later_period(record.recorded_at, range.began_at, period));
                if record.seq > range.last || is_of_next_period {
                    return Ok(held);
                }
                batch.last = record.seq;
                records += 1;
                bytes += record.text.len();
                if self.wants(&record, &aside) {
                    kept_bytes += record.text.len();
                    batch.records.push(record);
                }
                if records >= batching.max_records || bytes >= batching.max_bytes {
                    return Ok(held);
                }
            }
        }
    }

    fn wants(&self, record: &Record, aside: &BTreeSet<i64>) -> bool {
        !aside.contains(&record.seq) && self.settings.filter.admits(record)
    }

    async fn hand_over(&mut self, lease: &SinkLease, batch: &Batch) -> Result<Step, PublishError> {
        if !batch.records.is_empty() {
            let delivered = {
                let span = tracing::info_span!(
                    "deliver",
                    sink = self.settings.name,
                    records = batch.records.len(),
                    first_seq = batch.first,
                    last_seq = batch.last,
                );
                let delivery = self.sink.deliver(batch).instrument(span);
                tokio::select! {
                    delivered = delivery => delivered,
                    () = lost(&self.store, &self.settings.name, lease.epoch) => {
                        self.epoch = None;
                        return Ok(Step::Moved);
                    }
                }
            };
            if let Err(failure) = delivered {
                return self.fail(lease, failure).await;
            }
        }
        if self.store.sink_advance(self.name(), lease.epoch, batch.last).await? {
            metrics::sink_delivered(self.name(), batch.records.len());
            if self.trouble.take().is_some() {
                tracing::info!(sink = self.name(), "a sink takes records again");
            }
        } else {
            self.epoch = None;
        }
        Ok(Step::Moved)
    }

    async fn fail(&mut self, lease: &SinkLease, failure: Failure) -> Result<Step, PublishError> {
        let failures = lease.failures.saturating_add(1);
        let (reason, rest, disabled) = match failure {
            Failure::Record { seq, reason } => {
                tracing::error!(sink = self.name(), seq, reason, "a record is refused and set aside");
                metrics::sink_set_aside(self.name());
                self.store.set_aside(self.name(), seq, &reason).await?;
                return Ok(Step::Moved);
            }
            Failure::Later { reason, after } => {
                let rest = after.map_or_else(|| rest_after(failures), |after| after.min(LONGEST_RETRY_AFTER));
                (reason, rest, false)
            }
            Failure::Disabled { reason } => (reason, Duration::ZERO, true),
        };
        metrics::sink_failed(self.name());
        if disabled {
            tracing::error!(
                sink = self.name(),
                reason,
                "a receiver wants no more records; hint: `feedmill sinks resume` begins anew"
            );
        } else if self.trouble.as_ref() != Some(&reason) {
            tracing::warn!(sink = self.name(), reason, "a delivery failed; trying again");
        }
        self.trouble = Some(reason.clone());
        let retry_at = model::after(self.clock.now(), rest);
        let failure = SinkFailure { failures, retry_at, disabled, error: reason };
        if !self.store.sink_fail(self.name(), lease.epoch, &failure).await? {
            self.epoch = None;
        }
        Ok(Step::Idle((!disabled).then_some(retry_at)))
    }

    async fn show_lag(&self, lease: &SinkLease, next: Option<(i64, Timestamp)>) -> Result<(), StoreError> {
        let Some((_, stored_at)) = next else {
            metrics::sink_lag(self.name(), 0, Duration::ZERO);
            return Ok(());
        };
        let behind = self.store.last_seq().await? - lease.seq;
        let age = self.clock.now().duration_since(stored_at).max(SignedDuration::ZERO);
        metrics::sink_lag(self.name(), behind, age.unsigned_abs());
        let removed_through = self.store.removed_through().await?;
        if 0 < lease.seq && lease.seq < removed_through {
            tracing::warn!(
                sink = self.name(),
                cursor = lease.seq,
                removed_through,
                "records were removed (keep_days) before they were delivered"
            );
        }
        Ok(())
    }

    fn rest(&self, due: Option<Timestamp>) -> Duration {
        let until_due = due.map(|due| due.duration_since(self.clock.now()).max(SignedDuration::ZERO));
        until_due.map_or(LOOK_INTERVAL, |rest| rest.unsigned_abs().min(LOOK_INTERVAL))
    }
}

/// Keeps a lease while its holder is at work; comes back when it is lost.
async fn lost(store: &Store, name: &str, epoch: i64) {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        match store.sink_renew(name, epoch, LEASE).await {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => tracing::warn!(sink = name, error = %error, "a lease cannot be prolonged"),
        }
    }
}

/// A second, then twice as long with each failure.
fn rest_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_REST.saturating_mul(1 << doublings).min(LONGEST_REST)
}

/// When the period that `moment` falls into began. Periods are counted from midnight, UTC.
fn period_start(moment: Timestamp, period: Duration) -> Timestamp {
    let period = i64::try_from(period.as_secs()).unwrap_or(i64::MAX).max(1);
    let second = moment.as_second();
    Timestamp::from_second(second - second.rem_euclid(period)).unwrap_or(moment)
}

/// Whether `moment` falls into a later period than `began_at`. An event that was stored by a machine whose clock is slow does
/// not: it comes along.
fn is_later_period(moment: Timestamp, began_at: Timestamp, period: Duration) -> bool {
    period_start(moment, period) > period_start(began_at, period)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rests_double_up_to_a_bound() {
        let rests: Vec<u64> = [1, 2, 3, 9, 10, 500].map(|failures| rest_after(failures).as_secs()).to_vec();
        assert_eq!(rests, [1, 2, 4, 256, 300, 300]);
    }

    #[test]
    fn periods_are_counted_from_midnight() {
        let moment = |text: &str| text.parse::<Timestamp>().unwrap();
        let hour = Duration::from_hours(1);
        assert_eq!(period_start(moment("2026-03-02T08:59:59.9Z"), hour), moment("2026-03-02T08:00:00Z"));
        assert!(is_later_period(moment("2026-03-02T09:00:00Z"), moment("2026-03-02T08:59:59Z"), hour));
        assert!(!is_later_period(moment("2026-03-02T07:59:59Z"), moment("2026-03-02T08:00:00Z"), hour));
    }
}
