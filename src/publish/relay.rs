//! Relays records from the outbox to one sink.
//!
//! The cursor is a row in the store. A round reads the records after it, lets the sink deliver them, and moves the cursor when
//! the sink confirms that they are safe. A process that dies in between delivers the same records again. Where that would
//! create duplicates, names and ids derived from positions prevent it. For a file that holds many records, its range of
//! positions is stored before its first byte is written.
//!
//! Each sink has its own relay, and each relay its own part of the memory budget, so a slow or dead sink does not delay the others.
//! The destination is opened under the lease and closed with it: a folder serves the process that runs its sink. One that cannot
//! be opened is a failed delivery, and is retried like one.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::filter::Filter;
use super::{Batch, Batching, Configured, Failure, Opening, Outward, PublishError, STEP, Sink};
use crate::clock::Clock;
use crate::memory::{Part, RECORD_COST};
use crate::model::{self, Record};
use crate::store::{Beginning, SinkFailure, SinkLease, SinkRange, Store, StoreError};
use crate::telemetry::metrics;

/// How long a lease on a sink lasts; after a crash, another process takes over when it has expired.
const LEASE: Duration = Duration::from_secs(15);
/// How often a lease is renewed during a delivery, and how often the outbox is checked while the relay is idle.
const LOOK_INTERVAL: Duration = Duration::from_secs(5);

/// Bytes of text read from the store at a time.
const STEP_BYTES: usize = 1 << 20;

/// The delay after the first failure of a sink; each further failure doubles it.
const FIRST_REST: Duration = Duration::from_secs(1);
const LONGEST_REST: Duration = Duration::from_mins(5);
/// The maximum delay that a receiver may request.
const LONGEST_RETRY_AFTER: Duration = Duration::from_hours(24);

/// How a sink is driven.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The name that identifies the sink's cursor.
    pub name: String,
    /// Where a new sink starts in the outbox.
    pub from: Beginning,
    /// Whether the sink is paused.
    pub pause: bool,
    /// Which records it wants.
    pub filter: Filter,
}

/// Drives one sink.
#[derive(Debug)]
pub struct Relay {
    store: Store,
    clock: Clock,
    configured: Configured,
    outward: Outward,
    /// The destination; it stays open while this relay holds the lease.
    sink: Option<Box<dyn Sink>>,
    /// An attempt to open it that has taken too long so far.
    opening: Option<Opening>,
    /// The memory that a batch may take.
    memory: Part,
    /// The epoch of the lease, while this relay holds one.
    epoch: Option<i64>,
    /// What the next file would hold so far.
    pending: Pending,
    /// Why the last delivery failed, if it did. The same reason is logged only once.
    trouble: Option<String>,
    /// Whether records wait for the end of a pause, or for the operator to resume the sink.
    rests: bool,
}

/// The size of the records that wait for their file, known without reading their texts.
#[derive(Debug, Default)]
struct Pending {
    /// The cursor after which they were counted.
    after: i64,
    /// The last position that was counted.
    through: i64,
    bytes: usize,
}

/// Whether a file that is not yet full waits for the end of its period.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flush {
    /// It waits.
    WhenDue,
    /// It does not wait, because no later round would write it.
    All,
}

/// The outcome of a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The cursor moved, or a record was set aside: there may be more to deliver at once.
    Moved,
    /// There is nothing to deliver before this moment, unless something is stored earlier.
    Idle(Option<Timestamp>),
}

impl Relay {
    /// Registers the sink in the store, without opening its destination.
    pub async fn open(store: Store, configured: Configured, outward: Outward) -> Result<Self, StoreError> {
        let Settings { name, from, .. } = &configured.relay;
        store.sink_register(name, *from).await?;
        Ok(Self::of(store, configured, outward))
    }

    /// A relay of a registered sink.
    pub(super) fn of(store: Store, configured: Configured, outward: Outward) -> Self {
        metrics::sink_opened(configured.name());
        let (clock, memory) = (outward.clock.clone(), outward.memory.part());
        let pending = Pending::default();
        Self {
            store,
            clock,
            configured,
            outward,
            sink: None,
            opening: None,
            memory,
            epoch: None,
            pending,
            trouble: None,
            rests: false,
        }
    }

    /// The sink's name.
    pub fn name(&self) -> &str {
        self.configured.name()
    }

    /// Whether records wait because a delivery failed.
    pub const fn is_in_trouble(&self) -> bool {
        self.trouble.is_some() || self.rests
    }

    /// Delivers records as they are stored, until `all_stored` is cancelled; then delivers what was stored before that and
    /// returns. If `retired` is cancelled, because the settings have changed, it returns after the batch in progress.
    pub async fn run(mut self, stored: &Notify, all_stored: &CancellationToken, retired: &CancellationToken) {
        loop {
            let woken = stored.notified();
            tokio::pin!(woken);
            woken.as_mut().enable();
            let stopping = all_stored.is_cancelled() || retired.is_cancelled();
            let due = match self.drain(Flush::WhenDue, retired).await {
                Ok(due) => due,
                Err(error) => {
                    tracing::error!(sink = self.name(), error = %error, "cannot run the sink; retrying");
                    None
                }
            };
            if stopping {
                break;
            }
            tokio::select! {
                () = all_stored.cancelled() => {}
                () = retired.cancelled() => {}
                () = woken => {}
                () = tokio::time::sleep(self.rest(due)) => {}
            }
        }
        if retired.is_cancelled() {
            self.hurry_successor().await;
        }
        self.give_back().await;
    }

    /// Works until there is nothing to deliver now. Returns when there may be something again.
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

    /// Runs one round: at most one batch.
    pub async fn step(&mut self, flush: Flush) -> Result<Step, PublishError> {
        if self.configured.relay.pause {
            // The lease is not taken: each process shows the lag.
            if let Some(cursor) = self.store.sink_cursor_get(self.name()).await? {
                let next = self.store.outbox_next(cursor).await?;
                self.show_lag(cursor, next).await?;
            }
            return Ok(Step::Idle(None));
        }
        let Some(lease) = self.lease().await? else {
            metrics::sink_retired(self.name());
            return Ok(Step::Idle(None));
        };
        let next = self.store.outbox_next(lease.seq).await?;
        self.show_lag(lease.seq, next).await?;
        if next.is_some() {
            self.warn_of_removed(&lease).await?;
        }
        let now = self.clock.now();
        // A rest that is longer than any was begun while the clock was ahead.
        let is_possible = lease.retry_at <= model::after(now, LONGEST_RETRY_AFTER);
        let until = (!lease.disabled).then_some(if is_possible { lease.retry_at } else { now });
        if until.is_none_or(|until| until > now) {
            self.rests = next.is_some();
            return Ok(Step::Idle(until));
        }
        self.rests = false;
        let mut sink = match self.destination().await {
            Ok(sink) => sink,
            Err(error) => return self.fail(&lease, error.into()).await,
        };
        let (store, name) = (self.store.clone(), self.name().to_owned());
        // The lease is renewed while records are read, too: a filter may admit one record in thousands.
        let step = tokio::select! {
            step = self.deliver_next(&lease, next, sink.as_mut(), flush) => step,
            () = lost(&store, &name, lease.epoch) => {
                self.epoch = None;
                Ok(Step::Moved)
            }
        };
        if self.epoch.is_some() {
            self.sink = Some(sink);
        }
        step
    }

    async fn deliver_next(
        &mut self,
        lease: &SinkLease,
        next: Option<(i64, Timestamp)>,
        sink: &mut dyn Sink,
        flush: Flush,
    ) -> Result<Step, PublishError> {
        let Some((first, began_at)) = next else {
            self.recover(lease).await?;
            return Ok(Step::Idle(None));
        };
        let range = SinkRange { first, last: i64::MAX, began_at };
        let batching = sink.batching();
        let max_bytes = batching.max_bytes.min(self.memory.bytes() / RECORD_COST);
        let batching = Batching { max_bytes, ..batching };
        let batch = match batching.period {
            None => self.read(lease.seq, &batching, range).await?,
            Some(period) => match self.file(lease.seq, period, &batching, range, flush).await? {
                Ok(batch) => batch,
                Err(due) => {
                    self.recover(lease).await?;
                    return Ok(Step::Idle(Some(due)));
                }
            },
        };
        self.hand_over(lease, &batch, sink).await
    }

    /// Returns the destination, opening it if it is not open. An attempt that takes too long is waited for again in a later round:
    /// another one would hang as well, and occupy one more thread.
    async fn destination(&mut self) -> Result<Box<dyn Sink>, PublishError> {
        if let Some(sink) = self.sink.take() {
            return Ok(sink);
        }
        let mut opening = self.opening.take().unwrap_or_else(|| self.configured.begin_opening(&self.outward));
        let opened = self.configured.opened(&mut opening).await;
        self.opening = (!opening.is_finished()).then_some(opening);
        opened
    }

    /// Notes that the destination can be opened again, although there is nothing to deliver now.
    async fn recover(&mut self, lease: &SinkLease) -> Result<(), StoreError> {
        if lease.failures > 0 && self.store.sink_recover(self.name(), lease.epoch).await? {
            self.note_recovery();
        }
        Ok(())
    }

    /// Closes the destination and releases the lease, so that another process need not wait until it expires. Whoever takes it
    /// shows the lag from then on.
    pub async fn give_back(&mut self) {
        metrics::sink_retired(self.name());
        self.sink = None;
        self.opening = None;
        let Some(epoch) = self.epoch.take() else { return };
        if let Err(error) = self.store.sink_release(self.name(), epoch).await {
            tracing::warn!(
                sink = self.name(),
                error = %error,
                "cannot release the lease on the sink; it expires by itself"
            );
        }
    }

    /// Lets the relay with the next settings try at once, in case these are the remedy.
    async fn hurry_successor(&self) {
        let Some(epoch) = self.epoch else { return };
        if let Err(error) = self.store.sink_hurry(self.name(), epoch).await {
            tracing::warn!(sink = self.name(), error = %error, "cannot end the pause of the sink");
        }
    }

    async fn lease(&mut self) -> Result<Option<SinkLease>, StoreError> {
        let name = self.configured.name();
        let renewed = match self.epoch {
            Some(epoch) => self.store.sink_renew(name, epoch, LEASE).await?,
            None => None,
        };
        let lease = match renewed {
            Some(lease) => Some(lease),
            None => self.store.sink_claim(name, LEASE).await?,
        };
        let epoch = lease.as_ref().map(|lease| lease.epoch);
        if epoch.is_none() {
            self.sink = None;
            // One that has ended would keep the folder locked against the process that has the lease.
            drop(self.opening.take_if(|opening| opening.is_finished()));
        }
        self.epoch = epoch;
        Ok(lease)
    }

    /// Returns the next file, or the moment when it is due.
    async fn file(
        &mut self,
        seq: i64,
        period: Duration,
        batching: &Batching,
        next: SinkRange,
        flush: Flush,
    ) -> Result<Result<Batch, Timestamp>, StoreError> {
        let decided = self.store.sink_range_after(self.name(), seq).await?;
        if let Some(range) = decided.filter(|range| range.first <= next.first) {
            // The range was decided before, so all of it is read, however large it is.
            let whole = Batching { max_records: u32::MAX, max_bytes: usize::MAX, period: None };
            let mut batch = self.read(range.first - 1, &whole, range).await?;
            batch.last = range.last;
            return Ok(Ok(batch));
        }
        let (now, due) = (self.clock.now(), model::after(period_start(next.began_at, period), period));
        // A record of a time that is further ahead than a period was stored while the clock was ahead: the period's end may be years away.
        let is_possible = next.began_at <= model::after(now, period);
        let may_wait = flush == Flush::WhenDue && now < due && is_possible && decided.is_none();
        if may_wait && !self.is_full(seq, batching).await? {
            return Ok(Err(due));
        }
        let last = decided.map_or(i64::MAX, |range| range.first - 1);
        let batch = self.read(seq, batching, SinkRange { last, ..next }).await?;
        let Batch { records, first, last, began_at } = &batch;
        if !records.is_empty() {
            let range = SinkRange { first: *first, last: *last, began_at: *began_at };
            self.store.sink_range_add(self.name(), range).await?;
        }
        Ok(Ok(batch))
    }

    /// Returns whether the records after `seq` fill a file. Records that an earlier call counted are not read again.
    async fn is_full(&mut self, seq: i64, batching: &Batching) -> Result<bool, StoreError> {
        if self.store.last_seq().await? - seq >= i64::from(batching.max_records) {
            return Ok(true);
        }
        if self.pending.after != seq {
            self.pending = Pending { after: seq, through: seq, bytes: 0 };
        }
        let aside = self.store.set_aside_after(self.name(), seq).await?;
        while self.pending.bytes < batching.max_bytes {
            let outlines = self.store.outlines_after(self.pending.through, STEP).await?;
            let Some((_, last)) = outlines.last() else { return Ok(false) };
            self.pending.through = last.seq;
            let wanted = outlines.iter().filter(|(_, record)| self.wants(record, &aside));
            self.pending.bytes += wanted.map(|(bytes, _)| bytes).sum::<usize>();
        }
        Ok(true)
    }

    /// Reads the records of `range` after `seq`, up to the limits of a batch. It reads in small steps, none of which exceeds these
    /// limits by more than one record.
    async fn read(&self, seq: i64, batching: &Batching, range: SinkRange) -> Result<Batch, StoreError> {
        let aside = self.store.set_aside_after(self.name(), seq).await?;
        let mut batch =
            Batch { records: Vec::new(), first: range.first, last: seq, began_at: range.began_at };
        let (mut records, mut kept_bytes) = (0, 0);
        loop {
            let step = STEP.min(batching.max_records - records);
            let step_bytes = STEP_BYTES.min(batching.max_bytes.saturating_sub(kept_bytes));
            let (step, _) = self.store.records_weigh(batch.last, step, step_bytes).await?;
            if step == 0 {
                return Ok(batch);
            }
            let read = self.store.records_after(batch.last, step).await?;
            for record in read {
                let is_of_next_period = batching
                    .period
                    .is_some_and(|period| is_later_period(record.recorded_at, range.began_at, period));
                if record.seq > range.last || is_of_next_period {
                    return Ok(batch);
                }
                batch.last = record.seq;
                records += 1;
                if self.wants(&record, &aside) {
                    kept_bytes += record.text.len();
                    batch.records.push(record);
                }
                if records >= batching.max_records || kept_bytes >= batching.max_bytes {
                    return Ok(batch);
                }
            }
        }
    }

    fn wants(&self, record: &Record, aside: &BTreeSet<i64>) -> bool {
        !aside.contains(&record.seq) && self.configured.relay.filter.admits(record)
    }

    async fn hand_over(
        &mut self,
        lease: &SinkLease,
        batch: &Batch,
        sink: &mut dyn Sink,
    ) -> Result<Step, PublishError> {
        if !batch.records.is_empty() {
            let delivered = {
                let span = tracing::info_span!(
                    "deliver",
                    sink = self.name(),
                    records = batch.records.len(),
                    first_seq = batch.first,
                    last_seq = batch.last,
                );
                sink.deliver(batch).instrument(span).await
            };
            if let Err(failure) = delivered {
                return self.fail(lease, failure).await;
            }
        }
        if self.store.sink_advance(self.name(), lease.epoch, batch.last).await? {
            metrics::sink_delivered(self.name(), batch.records.len());
            self.note_recovery();
        } else {
            self.epoch = None;
        }
        Ok(Step::Moved)
    }

    fn note_recovery(&mut self) {
        if self.trouble.take().is_some() {
            tracing::info!(sink = self.name(), "sink accepts records again");
        }
    }

    async fn fail(&mut self, lease: &SinkLease, failure: Failure) -> Result<Step, PublishError> {
        let failures = lease.failures.saturating_add(1);
        let (reason, rest, disabled) = match failure {
            Failure::Record { seq, reason } => {
                tracing::error!(sink = self.name(), seq, reason, "record refused and set aside");
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
                "sink disabled: its receiver refuses further records; hint: `feedmill sinks resume NAME` resumes it"
            );
        } else if self.trouble.as_ref() != Some(&reason) {
            tracing::warn!(sink = self.name(), reason, "delivery failed; retrying");
        }
        self.trouble = Some(reason.clone());
        let retry_at = model::after(self.clock.now(), rest);
        let failure = SinkFailure { failures, retry_at, disabled, error: reason };
        if !self.store.sink_fail(self.name(), lease.epoch, &failure).await? {
            self.epoch = None;
        }
        Ok(Step::Idle((!disabled).then_some(retry_at)))
    }

    async fn show_lag(&self, cursor: i64, next: Option<(i64, Timestamp)>) -> Result<(), StoreError> {
        let Some((_, stored_at)) = next else {
            metrics::sink_lag(self.name(), 0, Duration::ZERO);
            return Ok(());
        };
        let behind = self.store.last_seq().await? - cursor;
        let age = self.clock.now().duration_since(stored_at).max(SignedDuration::ZERO);
        metrics::sink_lag(self.name(), behind, age.unsigned_abs());
        Ok(())
    }

    async fn warn_of_removed(&self, lease: &SinkLease) -> Result<(), StoreError> {
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

/// Renews a lease periodically; returns when the lease is lost.
async fn lost(store: &Store, name: &str, epoch: i64) {
    loop {
        tokio::time::sleep(LOOK_INTERVAL).await;
        match store.sink_renew(name, epoch, LEASE).await {
            Ok(Some(_)) => {}
            Ok(None) => return,
            Err(error) => tracing::warn!(sink = name, error = %error, "cannot renew the lease on the sink"),
        }
    }
}

/// Returns the delay after a number of consecutive failures: one second, doubled with each further failure, up to a maximum.
fn rest_after(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    FIRST_REST.saturating_mul(1 << doublings).min(LONGEST_REST)
}

/// Returns the start of the period that contains `moment`. Periods are counted from midnight, UTC.
fn period_start(moment: Timestamp, period: Duration) -> Timestamp {
    let period = i64::try_from(period.as_secs()).unwrap_or(i64::MAX).max(1);
    let second = moment.as_second();
    Timestamp::from_second(second - second.rem_euclid(period)).unwrap_or(moment)
}

/// Returns whether `moment` is in a later period than `began_at`. An event stored by a machine with a slow clock may be in an
/// earlier one: it still goes into the same file.
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
