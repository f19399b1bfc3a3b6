//! How the daemon stops.
//!
//! Two tokens, in this order: the *soft* one means "take nothing new, finish the work in progress"; the *hard* one aborts every
//! task, which loses nothing, since leases expire and every step may be repeated. All tasks are spawned here, so that a stop knows
//! which tasks to wait for and a panic is noticed: a panic stops the daemon, since a daemon with only some of its tasks must not
//! keep running silently.

/// This process: its name, and which processes of the machine are running.
pub mod process;
mod progress;
/// Notifications to the service manager.
pub mod service;

use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tracing::{Instrument, error, info, warn};

pub use self::progress::Progress;

/// How long CPU work and answers may continue after a soft stop. Work that ends later, or has not begun by then, is released or
/// aborted.
pub const STOP_GRACE: Duration = Duration::from_secs(1);

/// How long a task may take after the hard stop to release its claims.
const GIVE_BACK_GRACE: Duration = Duration::from_secs(1);

/// How long to wait for dropped tasks to end: a running task is dropped only at its next await.
const DROP_GRACE: Duration = Duration::from_secs(2);

/// The stop tokens and all tasks. Cheap to clone; all clones share them.
#[derive(Clone, Debug)]
pub struct Lifecycle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    soft: CancellationToken,
    hard: CancellationToken,
    tracker: TaskTracker,
    /// In milliseconds.
    stop_timeout: AtomicU64,
    next_task: AtomicU64,
    tasks: Mutex<Tasks>,
    progress: Progress,
}

#[derive(Debug, Default)]
struct Tasks {
    running: BTreeMap<u64, &'static str>,
    panicked: Vec<&'static str>,
    dropped: Vec<&'static str>,
}

/// The outcome of a stop. Task names are in spawn order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StopReport {
    /// Tasks that were dropped unfinished.
    pub dropped: Vec<&'static str>,
    /// Tasks that panicked.
    pub panicked: Vec<&'static str>,
}

impl StopReport {
    /// Returns whether every task ran to completion.
    pub fn is_clean(&self) -> bool {
        self.dropped.is_empty() && self.panicked.is_empty()
    }
}

impl fmt::Display for StopReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.dropped.as_slice(), self.panicked.as_slice()) {
            ([], []) => f.write_str("stopped, all work finished"),
            (dropped, []) => write!(f, "stopped, dropped unfinished: {}", dropped.join(", ")),
            ([], panicked) => write!(f, "stopped after a panic in: {}", panicked.join(", ")),
            (dropped, panicked) => write!(
                f,
                "stopped after a panic in: {}; dropped unfinished: {}",
                panicked.join(", "),
                dropped.join(", ")
            ),
        }
    }
}

impl Lifecycle {
    /// A running lifecycle whose soft stop turns hard after `stop_timeout`.
    pub fn new(stop_timeout: Duration) -> Self {
        Self(Arc::new(Inner {
            soft: CancellationToken::new(),
            hard: CancellationToken::new(),
            tracker: TaskTracker::new(),
            stop_timeout: AtomicU64::new(millis(stop_timeout)),
            next_task: AtomicU64::new(0),
            tasks: Mutex::default(),
            progress: Progress::default(),
        }))
    }

    /// Changes the time after which a soft stop turns hard, for a stop that begins later.
    pub fn set_stop_timeout(&self, stop_timeout: Duration) {
        self.0.stop_timeout.store(millis(stop_timeout), Ordering::Relaxed);
    }

    fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.0.stop_timeout.load(Ordering::Relaxed))
    }

    /// Runs `work` as a task of this lifecycle, within the current span. `name` is used in the stop report.
    ///
    /// The task is dropped a short time after the hard stop, so that it can release its claims. If it panics, a soft stop begins.
    pub fn spawn(&self, name: &'static str, work: impl Future<Output = ()> + Send + 'static) {
        let task = Task::begin(self, name);
        let hard = self.hard();
        let work = async move {
            tokio::select! {
                biased;
                () = work => task.finish(),
                () = given_up(hard) => drop(task),
            }
        };
        self.0.tracker.spawn(work.in_current_span());
    }

    /// Returns the progress that the service manager's watchdog depends on.
    pub fn progress(&self) -> Progress {
        self.0.progress.clone()
    }

    /// Cancelled when no new work may be started.
    pub fn soft(&self) -> CancellationToken {
        self.0.soft.clone()
    }

    /// Cancelled when all tasks are to be dropped.
    pub fn hard(&self) -> CancellationToken {
        self.0.hard.clone()
    }

    /// Begins a stop: work in progress may finish within the stop timeout.
    pub fn stop_soft(&self) {
        self.0.soft.cancel();
    }

    /// Stops at once.
    pub fn stop_hard(&self) {
        self.0.soft.cancel();
        self.0.hard.cancel();
    }

    /// Waits until a stop has begun and ended.
    pub async fn wait(&self) -> StopReport {
        self.0.soft.cancelled().await;
        service::stopping();
        self.0.tracker.close();
        tokio::select! {
            () = self.0.tracker.wait() => {}
            () = self.0.hard.cancelled() => {}
            () = tokio::time::sleep(self.stop_timeout()) => {
                let names = self.tasks().running.values().copied().collect::<Vec<_>>().join(", ");
                warn!(tasks = names, "the stop timeout is over: unfinished work is dropped");
                self.stop_hard();
            }
        }
        // A task that never awaits cannot be dropped: its name is still in `running`.
        let gone = tokio::time::timeout(GIVE_BACK_GRACE + DROP_GRACE, self.0.tracker.wait()).await.is_ok();
        let tasks = self.tasks();
        let mut dropped = tasks.dropped.clone();
        if !gone {
            dropped.extend(tasks.running.values());
        }
        StopReport { dropped, panicked: tasks.panicked.clone() }
    }

    fn tasks(&self) -> MutexGuard<'_, Tasks> {
        self.0.tasks.lock().expect("no holder of this lock can panic")
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

async fn given_up(hard: CancellationToken) {
    hard.cancelled().await;
    tokio::time::sleep(GIVE_BACK_GRACE).await;
}

/// A task's entry in `running`, removed however the task ends.
struct Task {
    lifecycle: Lifecycle,
    id: u64,
    finished: bool,
}

impl Task {
    fn begin(lifecycle: &Lifecycle, name: &'static str) -> Self {
        let id = lifecycle.0.next_task.fetch_add(1, Ordering::Relaxed);
        lifecycle.tasks().running.insert(id, name);
        Self { lifecycle: lifecycle.clone(), id, finished: false }
    }

    fn finish(mut self) {
        self.finished = true;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        let mut tasks = self.lifecycle.tasks();
        let Some(name) = tasks.running.remove(&self.id) else { return };
        if std::thread::panicking() {
            tasks.panicked.push(name);
            drop(tasks);
            error!(task = name, "a task panicked: stopping");
            self.lifecycle.stop_soft();
        } else if !self.finished {
            tasks.dropped.push(name);
        }
    }
}

/// Signal handling, and the answers to the service manager's watchdog. Both run until this is dropped, so throughout a stop.
#[derive(Debug)]
pub struct Signals {
    reload: Arc<Notify>,
    _listener: AbortOnDropHandle<()>,
}

impl Signals {
    /// Waits for the next SIGHUP. Several that arrive before the call count as one.
    pub async fn reload(&self) {
        self.reload.notified().await;
    }
}

/// Starts to handle signals: the first SIGTERM or SIGINT stops softly, the second at once, SIGHUP requests a reload of the
/// configuration. Also answers the service manager's watchdog. Must be called within a runtime.
pub fn signals(lifecycle: &Lifecycle) -> io::Result<Signals> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    let reload = Arc::new(Notify::new());
    let progress = lifecycle.progress();
    let (lifecycle, notify) = (lifecycle.clone(), Arc::clone(&reload));
    let listen = async move {
        loop {
            let stop = tokio::select! {
                true = received(&mut terminate) => "SIGTERM",
                true = received(&mut interrupt) => "SIGINT",
                true = received(&mut hangup) => {
                    info!("SIGHUP: reloading the configuration");
                    notify.notify_one();
                    continue;
                }
                else => return,
            };
            if lifecycle.0.soft.is_cancelled() {
                warn!(signal = stop, "stopping at once");
                lifecycle.stop_hard();
            } else {
                let within_secs = lifecycle.stop_timeout().as_secs();
                info!(signal = stop, within_secs, "stopping; a second signal stops at once");
                lifecycle.stop_soft();
            }
        }
    };
    #[expect(
        clippy::disallowed_methods,
        reason = "outlives the soft stop, which it must: the second signal counts"
    )]
    let listener = AbortOnDropHandle::new(tokio::spawn(async move {
        tokio::join!(listen, service::answer_watchdog(&progress));
    }));
    Ok(Signals { reload, _listener: listener })
}

/// Waits for a signal; returns `false` if no more can arrive.
async fn received(signal: &mut Signal) -> bool {
    signal.recv().await.is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(10);

    #[tokio::test]
    async fn a_soft_stop_finishes_what_is_in_hand() {
        let lifecycle = Lifecycle::new(LONG);
        let done = CancellationToken::new();
        let (soft, finished) = (lifecycle.soft(), done.clone());
        lifecycle.spawn("worker", async move {
            soft.cancelled().await;
            finished.cancel();
        });
        lifecycle.stop_soft();
        assert!(lifecycle.wait().await.is_clean());
        assert!(done.is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_hard_stop_drops_and_names_what_is_unfinished() {
        let lifecycle = Lifecycle::new(LONG);
        lifecycle.spawn("stuck", std::future::pending());
        lifecycle.spawn("also stuck", std::future::pending());
        lifecycle.spawn("quick", std::future::ready(()));
        lifecycle.stop_hard();
        let report = lifecycle.wait().await;
        let mut dropped = report.dropped.clone();
        dropped.sort_unstable();
        assert_eq!(dropped, ["also stuck", "stuck"]);
        assert_eq!(report.panicked, [""; 0]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_soft_stop_turns_hard_when_its_time_is_over() {
        let lifecycle = Lifecycle::new(LONG);
        lifecycle.spawn("stuck", std::future::pending());
        lifecycle.stop_soft();
        let report = lifecycle.wait().await;
        assert_eq!(report.to_string(), "stopped, dropped unfinished: stuck");
        assert!(lifecycle.hard().is_cancelled());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_has_the_time_that_was_set_last() {
        let lifecycle = Lifecycle::new(LONG);
        lifecycle.set_stop_timeout(Duration::from_secs(5));
        lifecycle.spawn("stuck", std::future::pending());
        let began = tokio::time::Instant::now();
        lifecycle.stop_soft();
        lifecycle.wait().await;
        assert!(began.elapsed() < LONG, "{:?}", began.elapsed());
    }

    #[tokio::test]
    async fn a_panic_stops_everything() {
        let lifecycle = Lifecycle::new(LONG);
        let soft = lifecycle.soft();
        lifecycle.spawn("worker", async move { soft.cancelled().await });
        lifecycle.spawn("broken", async { panic!("on purpose") });
        let report = lifecycle.wait().await;
        assert_eq!(report.to_string(), "stopped after a panic in: broken");
    }
}
