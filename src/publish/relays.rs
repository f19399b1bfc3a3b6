//! The relays of all configured sinks: one task each, which begins and ends as the configuration changes.
//!
//! What is configured is compared with what runs whenever either changes. A relay whose table was removed or changed finishes the
//! batch in progress and returns its lease; only then does the relay with the new settings begin, from the cursor in the store. So
//! no record is delivered by both, and none is left out. Passing new settings to a running relay was the alternative: the lock on a
//! folder, the connection and the limits of a batch would each have needed a way to be exchanged.

use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::try_join_all;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use super::folder::Place;
use super::relay::{Flush, Relay};
use super::{Configured, LONGEST_OPENING, Outward, PublishError};
use crate::store::Store;
use crate::telemetry::metrics;

/// How long the other relays may take to end if one has panicked.
const LONGEST_END: Duration = Duration::from_secs(10);

/// The relays of all configured sinks.
#[derive(Debug)]
pub struct Relays {
    store: Store,
    outward: Outward,
    configured: watch::Sender<Arc<[Configured]>>,
    /// By the name of the sink.
    running: Mutex<BTreeMap<String, Running>>,
}

/// A relay whose task has not ended.
#[derive(Debug)]
struct Running {
    configured: Configured,
    /// Cancelled when the relay is to end.
    retired: CancellationToken,
}

impl Relays {
    /// Registers the sinks in the store. Local folders are created, because every process checks whether it can write to them (see
    /// [`super::outputs`]), and opened by the relay that holds the lease, which keeps trying. Every other destination is opened
    /// without a request, so an error there is one of the configuration.
    pub async fn open(store: Store, outward: Outward, sinks: Vec<Configured>) -> Result<Self, PublishError> {
        for sink in &sinks {
            match sink.receiver.place() {
                Some(Place::Local(_)) if sink.relay.pause => {}
                Some(Place::Local(folder)) => create(folder).await,
                _ => drop(sink.open(&outward).await.map_err(|error| error.of_sink(sink))?),
            }
        }
        let relays = Self {
            store,
            outward,
            configured: watch::Sender::new(Arc::default()),
            running: Mutex::default(),
        };
        relays.register(&sinks).await?;
        relays.replace(sinks);
        Ok(relays)
    }

    /// Returns the sinks that are configured now.
    pub fn configured(&self) -> watch::Receiver<Arc<[Configured]>> {
        self.configured.subscribe()
    }

    /// Checks that the sinks that are new or changed in `sinks` can be opened, and registers them in the store.
    pub async fn admit(&self, sinks: &[Configured]) -> Result<(), PublishError> {
        let unchanged = Arc::clone(&self.configured.borrow());
        // The folder of a paused sink is not opened, so a sink can be paused because its folder is dead.
        let is_left_alone =
            |sink: &Configured| sink.relay.pause && matches!(sink.receiver.place(), Some(Place::Local(_)));
        let opened =
            sinks.iter().filter(|sink| !is_left_alone(sink) && !unchanged.contains(sink)).map(async |sink| {
                match sink.open(&self.outward).await {
                    // A folder in use belongs to the relay that ends now, or to the process that runs the sink.
                    Ok(_) | Err(PublishError::FolderInUse { .. }) => Ok(()),
                    Err(error) => Err(error.of_sink(sink)),
                }
            });
        try_join_all(opened).await?;
        self.register(sinks).await
    }

    /// Makes `sinks` the configured ones: no batch begins under other settings from now on. Sinks that are the same as before are
    /// not disturbed.
    pub fn replace(&self, sinks: Vec<Configured>) {
        // Held until both are done: a relay with the old settings must not begin in between.
        let running = self.running();
        retire(&running, &sinks);
        self.configured.send_replace(sinks.into());
    }

    /// Runs the relays until `all_stored` is cancelled and everything stored before that is delivered.
    pub async fn run(&self, stored: &Arc<Notify>, all_stored: &CancellationToken) {
        let mut configured = self.configured.subscribe();
        let mut tasks = JoinSet::new();
        loop {
            for (sink, retired) in self.compare(&mut configured) {
                let relay = Relay::of(self.store.clone(), sink, self.outward.clone());
                let (stored, all_stored) = (Arc::clone(stored), all_stored.clone());
                tasks.spawn(async move {
                    let name = relay.name().to_owned();
                    relay.run(&stored, &all_stored, &retired).await;
                    name
                });
            }
            let stopping = all_stored.is_cancelled();
            if stopping && tasks.is_empty() {
                return;
            }
            tokio::select! {
                Some(ended) = tasks.join_next() => match ended {
                    Ok(name) => self.end(&name),
                    Err(error) => {
                        // The others finish their batches and return their leases first, unless a destination hangs.
                        for relay in self.running().values() {
                            relay.retired.cancel();
                        }
                        let others = async { while tasks.join_next().await.is_some() {} };
                        drop(tokio::time::timeout(LONGEST_END, others).await);
                        resume_unwind(error.into_panic());
                    }
                },
                Ok(()) = configured.changed() => {}
                () = all_stored.cancelled(), if !stopping => {}
            }
        }
    }

    /// Delivers everything once, to all sinks concurrently, so that a slow or dead one delays no other. If `soft` is cancelled, it
    /// finishes the batches in progress. Returns the names of the sinks that could not deliver.
    pub async fn drain(&self, soft: &CancellationToken) -> Result<Vec<String>, PublishError> {
        let sinks = Arc::clone(&self.configured.borrow());
        let mut at_work = JoinSet::new();
        for sink in sinks.iter() {
            let mut relay = Relay::of(self.store.clone(), sink.clone(), self.outward.clone());
            let soft = soft.clone();
            at_work.spawn(async move {
                let drained = relay.drain(Flush::All, &soft).await;
                relay.give_back().await;
                (relay, drained)
            });
        }
        let (mut in_trouble, mut outcome) = (Vec::new(), Ok(()));
        while let Some(done) = at_work.join_next().await {
            let (relay, drained) = unwound(done);
            in_trouble.extend(relay.is_in_trouble().then(|| relay.name().to_owned()));
            outcome = outcome.and(drained.map(|_| ()));
        }
        outcome?;
        in_trouble.sort();
        Ok(in_trouble)
    }

    async fn register(&self, sinks: &[Configured]) -> Result<(), PublishError> {
        for sink in sinks {
            self.store.sink_register(sink.name(), sink.relay.from).await?;
        }
        Ok(())
    }

    /// Retires the relays whose sinks are no longer configured as they are, and returns the sinks whose relays begin now, each
    /// with the token that retires it. A sink waits for the relay of the same name, and for one that still writes to its folder.
    fn compare(
        &self,
        configured: &mut watch::Receiver<Arc<[Configured]>>,
    ) -> Vec<(Configured, CancellationToken)> {
        let mut running = self.running();
        let sinks = Arc::clone(&configured.borrow_and_update());
        retire(&running, &sinks);
        let mut begin = Vec::new();
        for sink in sinks.iter() {
            let place = sink.receiver.place();
            let is_occupied = place.is_some()
                && running
                    .values()
                    .any(|relay| relay.retired.is_cancelled() && relay.configured.receiver.place() == place);
            if !is_occupied && !running.contains_key(sink.name()) {
                let retired = CancellationToken::new();
                let relay = Running { configured: sink.clone(), retired: retired.clone() };
                running.insert(sink.name().to_owned(), relay);
                begin.push((sink.clone(), retired));
            }
        }
        begin
    }

    /// Makes room for the next relay of the sink, if this one ended because it was retired.
    fn end(&self, name: &str) {
        let mut running = self.running();
        if running.get(name).is_some_and(|relay| relay.retired.is_cancelled()) {
            running.remove(name);
            if !self.configured.borrow().iter().any(|sink| sink.name() == name) {
                metrics::sink_retired(name);
            }
        }
    }

    fn running(&self) -> MutexGuard<'_, BTreeMap<String, Running>> {
        self.running.lock().expect("no holder of this lock can panic")
    }
}

/// Creates a folder if that is possible within the time limit.
async fn create(folder: &Path) {
    let path = folder.to_owned();
    let creating = tokio::task::spawn_blocking(move || std::fs::create_dir_all(path));
    if !matches!(tokio::time::timeout(LONGEST_OPENING, creating).await, Ok(Ok(Ok(())))) {
        tracing::debug!(folder = %folder.display(), "cannot create the folder; its relay keeps trying");
    }
}

/// Retires the relays whose sinks are not among `sinks` as they are.
fn retire(running: &BTreeMap<String, Running>, sinks: &[Configured]) {
    for relay in running.values().filter(|relay| !sinks.contains(&relay.configured)) {
        relay.retired.cancel();
    }
}

impl PublishError {
    fn of_sink(self, sink: &Configured) -> Self {
        Self::Sink { name: sink.name().to_owned(), source: Box::new(self) }
    }
}

/// Returns what a task returned, or continues its panic.
fn unwound<T>(ended: Result<T, JoinError>) -> T {
    ended.unwrap_or_else(|error| resume_unwind(error.into_panic()))
}
