//! Whether records can be stored and written: the state behind `/readyz`, the metrics and the service manager's status line.
//!
//! The store and the output folders are checked in the background, so that reading the state is cheap and immediate even if one
//! of them hangs.

use std::collections::BTreeMap;
use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::lifecycle::{Progress, service};
use crate::publish::outputs::Output;
use crate::store::Store;
use crate::telemetry::metrics;

/// Time between two checks.
const INTERVAL: Duration = Duration::from_secs(4);
/// A check that takes longer counts as a problem.
const PATIENCE: Duration = Duration::from_secs(4);
// The store or a folder may fail just after a check, and the next check may hang.
const _: () = assert!(
    INTERVAL.as_secs() + PATIENCE.as_secs() <= 10,
    "docs/reliability.md promises that a store or folder that fails is reported within 10 s"
);
/// An integrity check reads the whole database file. It is followed by a pause of 20 times its duration, so it takes 1/21 of the
/// time.
const INTEGRITY_REST_SHARE: u32 = 20;

/// The result of the last checks. Cheap to clone; all clones share the state.
#[derive(Clone, Debug, Default)]
pub struct Health(Arc<Mutex<BTreeMap<Subject, String>>>);

/// What is checked.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Subject {
    /// Whether the store can be written.
    Store,
    /// Whether the store is intact.
    Integrity,
    /// Whether a folder can be written.
    Output(Output),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store | Self::Integrity => f.write_str("the store"),
            Self::Output(output) => write!(f, "the folder of {}, {},", output.of, output.folder.display()),
        }
    }
}

impl Health {
    /// Returns the problems that keep articles from being stored or written, as sentences; empty if there are none.
    pub fn problems(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Checks the store and the folders periodically until the soft stop. `progress` observes the checks of the store: the
    /// service manager should restart a daemon whose store does not answer at all. A check that fails is an answer, and a
    /// restart would not make room on the disk: it would only drop the finished work that waits to be recorded. Nor does a
    /// restart help against a folder that hangs.
    pub async fn watch(
        &self,
        store: &Store,
        outputs: watch::Receiver<Arc<[Output]>>,
        progress: &Progress,
        soft: &CancellationToken,
    ) {
        let watching = async {
            tokio::join!(
                self.watch_store(store, progress),
                self.watch_integrity(store),
                self.watch_outputs(outputs),
            );
        };
        soft.run_until_cancelled(Box::pin(watching)).await;
    }

    /// Checks once that the store can be written.
    pub async fn check_store(&self, store: &Store) {
        self.observe(Subject::Store, store.check_health()).await;
    }

    /// Checks the integrity of the store once.
    pub async fn check_integrity(&self, store: &Store) {
        let problem = store.check_integrity().await.err().map(|problem| problem.to_string());
        self.note(Subject::Integrity, problem);
    }

    /// Checks once that a folder can be written.
    pub async fn check_output(&self, output: &Output) {
        self.observe(Subject::Output(output.clone()), output.check()).await;
    }

    async fn watch_store(&self, store: &Store, progress: &Progress) {
        loop {
            progress.watch(self.check_store(store)).await;
            tokio::time::sleep(INTERVAL).await;
        }
    }

    async fn watch_integrity(&self, store: &Store) {
        loop {
            let began = Instant::now();
            self.check_integrity(store).await;
            tokio::time::sleep(began.elapsed().saturating_mul(INTEGRITY_REST_SHARE).max(INTERVAL)).await;
        }
    }

    /// Checks the folders that are configured now.
    async fn watch_outputs(&self, mut outputs: watch::Receiver<Arc<[Output]>>) {
        loop {
            let current = Arc::clone(&outputs.borrow_and_update());
            self.forget_all_outputs_but(&current);
            let changed = tokio::select! {
                changed = outputs.changed() => changed,
                // It never ends: if there are no folders, it must not be waited for.
                _ = join_all(current.iter().map(|output| self.watch_output(output))), if !current.is_empty() => return,
            };
            if changed.is_err() {
                return;
            }
        }
    }

    async fn watch_output(&self, output: &Output) {
        loop {
            self.check_output(output).await;
            tokio::time::sleep(INTERVAL).await;
        }
    }

    /// Stores the result of a check. One that takes longer than [`PATIENCE`] is a problem meanwhile. It is waited for all the
    /// same: another one would hang as well, and occupy one more connection or thread.
    async fn observe<P: fmt::Display>(&self, subject: Subject, check: impl Future<Output = Result<(), P>>) {
        let mut check = pin!(check);
        let result = if let Ok(result) = tokio::time::timeout(PATIENCE, &mut check).await {
            result
        } else {
            if !self.is_problem(&subject) {
                let silence = format!("{subject} has not answered for {} s", PATIENCE.as_secs());
                self.note(subject.clone(), Some(silence));
            }
            check.await
        };
        self.note(subject, result.err().map(|problem| problem.to_string()));
    }

    fn is_problem(&self, subject: &Subject) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(subject)
    }

    /// Drops the problems of folders that are no longer written to.
    fn forget_all_outputs_but(&self, outputs: &[Output]) {
        let mut problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        problems
            .retain(|subject, _| !matches!(subject, Subject::Output(output) if !outputs.contains(output)));
        show(&problems);
    }

    /// Stores the result, and logs it if it changed. Numbers do not count: how much space is left changes with each check.
    fn note(&self, subject: Subject, problem: Option<String>) {
        let mut problems = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let without_numbers = |problem: &String| problem.replace(|c: char| c.is_ascii_digit(), "");
        if problems.get(&subject).map(without_numbers) != problem.as_ref().map(without_numbers) {
            match (&subject, &problem) {
                (Subject::Output(_), Some(problem)) => {
                    tracing::error!(problem, "an output folder is not writable");
                }
                (Subject::Output(_), None) => tracing::info!("{subject} is writable again"),
                (Subject::Store, Some(problem)) => tracing::error!(problem, "the store is not writable"),
                (Subject::Store, None) => tracing::info!("the store is writable again"),
                (Subject::Integrity, Some(problem)) => tracing::error!(problem, "the store is damaged"),
                (Subject::Integrity, None) => tracing::info!("the store is intact again"),
            }
        }
        match problem {
            Some(problem) => problems.insert(subject, problem),
            None => problems.remove(&subject),
        };
        show(&problems);
    }
}

/// Shows the state in the gauges and to the service manager.
fn show(problems: &BTreeMap<Subject, String>) {
    service::status(problems.values().next().map_or("storing", String::as_str));
    let (outputs, stores): (Vec<_>, Vec<_>) =
        problems.keys().partition(|subject| matches!(subject, Subject::Output(_)));
    metrics::store_writable(stores.is_empty());
    metrics::outputs_writable(outputs.is_empty());
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// The watchdog's patience (`lifecycle/progress.rs`), and more.
    const VERY_LONG: Duration = Duration::from_mins(10);

    #[tokio::test(start_paused = true)]
    async fn a_store_that_never_answers_is_a_problem_and_no_progress() {
        let (health, progress) = (Health::default(), Progress::default());
        let check = std::future::pending::<Result<(), String>>();
        let mut checking = pin!(progress.watch(health.observe(Subject::Store, check)));
        for (longer, is_stuck) in [(PATIENCE + Duration::from_secs(1), false), (VERY_LONG, true)] {
            assert!(tokio::time::timeout(longer, &mut checking).await.is_err());
            assert_eq!(health.problems(), ["the store has not answered for 4 s"]);
            assert_eq!(progress.is_stuck(), is_stuck);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn the_folders_that_are_configured_now_are_checked() {
        let folder = tempfile::tempdir().unwrap();
        let output = |name: &str| {
            let folder = folder.path().join(name);
            fs::write(&folder, "").unwrap();
            Output { of: format!("sink {name}"), folder }
        };
        let (one, other) = (output("one"), output("other"));
        let (configured, outputs) = watch::channel(Arc::from([]));
        let health = Health::default();
        let mut watching = pin!(health.watch_outputs(outputs));
        for current in [vec![], vec![one.clone()], vec![one, other.clone()], vec![], vec![other]] {
            let names: Vec<String> = current.iter().map(|output: &Output| output.of.clone()).collect();
            configured.send_replace(current.into());
            assert!(tokio::time::timeout(INTERVAL, &mut watching).await.is_err(), "it goes on");
            let problems = health.problems();
            assert_eq!(problems.len(), names.len(), "{problems:?}");
            assert!(
                problems.iter().zip(&names).all(|(problem, name)| problem.contains(name)),
                "{problems:?}"
            );
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_store_that_refuses_is_a_problem_and_answers() {
        let (health, progress) = (Health::default(), Progress::default());
        let began = Instant::now();
        while began.elapsed() < VERY_LONG {
            progress.watch(health.observe(Subject::Store, async { Err("disk full") })).await;
            tokio::time::sleep(INTERVAL).await;
            assert_eq!(health.problems(), ["disk full"]);
            assert!(!progress.is_stuck());
        }
        // A slow answer does not hide the reason that is known.
        let slow = async {
            tokio::time::sleep(PATIENCE * 2).await;
            Ok::<(), String>(())
        };
        let mut checking = pin!(health.observe(Subject::Store, slow));
        assert!(tokio::time::timeout(PATIENCE + INTERVAL / 2, &mut checking).await.is_err());
        assert_eq!(health.problems(), ["disk full"]);
        checking.await;
        assert!(health.problems().is_empty());
    }
}
