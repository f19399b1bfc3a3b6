use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use crate::model::after;

/// The source of wall time. All code that depends on the time of day receives one, so that a test can set any moment and advance it
/// without sleeping.
#[derive(Clone, Debug, Default)]
pub struct Clock(Source);

#[derive(Clone, Debug, Default)]
enum Source {
    #[default]
    System,
    Manual(Arc<Mutex<Timestamp>>),
    Ticking {
        start: Timestamp,
        began: Instant,
    },
}

impl Clock {
    /// The system clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// A clock that stands still at `start` until [`Clock::advance`] moves it.
    pub fn manual(start: Timestamp) -> Self {
        Self(Source::Manual(Arc::new(Mutex::new(start))))
    }

    /// A clock that reads `start` now and advances with the runtime's time, which a test may pause.
    pub fn ticking(start: Timestamp) -> Self {
        Self(Source::Ticking { start, began: Instant::now() })
    }

    /// Returns the current time, in UTC.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Timestamp::now(),
            Source::Manual(now) => *now.lock().expect("no holder of this lock can panic"),
            Source::Ticking { start, began } => after(*start, began.elapsed()),
        }
    }

    /// Moves a manual clock forward by `duration`.
    ///
    /// # Panics
    /// If the clock advances by itself: only tests and benchmarks hold a manual one.
    pub fn advance(&self, duration: SignedDuration) {
        match &self.0 {
            Source::System | Source::Ticking { .. } => panic!("a clock that goes cannot be moved"),
            Source::Manual(now) => *now.lock().expect("no holder of this lock can panic") += duration,
        }
    }
}
