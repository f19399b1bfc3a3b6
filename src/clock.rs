use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

/// The source of wall time. Everything that decides by the time of day is handed one of these, so that a test
/// can stand at any moment and move on without sleeping.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<Mutex<Timestamp>>),
}

impl Clock {
    /// The machine's clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `start` until [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new(start))))
    }

    /// The present moment, in UTC.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Manual(now) => *now.lock().expect("no holder of this lock can panic"),
        }
    }

    /// Moves a manual clock forward by `duration`.
    ///
    /// # Panics
    /// On the system clock: only tests and benchmarks hold a manual one.
    pub fn advance(&self, duration: SignedDuration) {
        match &self.0 {
            Source::System => panic!("the system clock cannot be moved"),
            Source::Manual(now) => *now.lock().expect("no holder of this lock can panic") += duration,
        }
    }
}
