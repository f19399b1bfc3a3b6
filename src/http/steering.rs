//! How a page changes the configuration: through the file that commands write, and by the very reload that a signal brings.
//!
//! Whoever reads the configuration holds the other end. The page waits until the new one is in force, or for the reason why
//! not, so that what it shows next is true. The file is written here and not by whoever reloads, since many may want to write
//! and a wrong wish must not wait for a reload.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use url::Url;

use crate::blocking::{self, Queue};
use crate::config::{self, ChangeError, FeedChange, Load, Origins};

/// The page's end.
#[derive(Clone)]
pub struct Steering {
    load: Arc<Load>,
    reload: mpsc::Sender<Asker>,
    origins: watch::Receiver<Arc<Origins>>,
}

/// The end of whoever reads the configuration.
#[derive(Debug)]
pub struct Reloads {
    asked: mpsc::Receiver<Asker>,
    origins: watch::Sender<Arc<Origins>>,
}

/// Who waits for a reload: it is told whether the new configuration is in force, or why the old one stays.
pub type Asker = oneshot::Sender<Result<(), String>>;

/// Reloads that may be asked for before whoever asks waits.
const WAITING: usize = 16;

/// Why a change is not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum SteeringError {
    /// Nothing was written.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// It is written, and not taken over.
    #[error("it is written, and the old configuration stays in force: {0}")]
    Reload(String),
}

impl fmt::Debug for Steering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steering").finish_non_exhaustive()
    }
}

impl Steering {
    /// Both ends. `load` reads the configuration anew; `origins`: where the feeds in force are configured.
    pub fn new(load: Arc<Load>, origins: Origins) -> (Self, Reloads) {
        let (reload, asked) = mpsc::channel(WAITING);
        let (in_force, origins) = watch::channel(Arc::new(origins));
        (Self { load, reload, origins }, Reloads { asked, origins: in_force })
    }

    /// Where the feeds are configured, as it is in force.
    pub(super) fn origins(&self) -> Arc<Origins> {
        Arc::clone(&self.origins.borrow())
    }

    /// Adds a feed. Says whether it was new.
    pub(super) async fn add(&self, url: Url, tags: Vec<String>) -> Result<bool, SteeringError> {
        let load = Arc::clone(&self.load);
        // A configuration of tens of thousands of feeds takes a moment to read.
        let new =
            blocking::run(Queue::Answers, usize::MAX, move || config::add(&[url], &tags, &*load)).await?;
        if new.is_empty() {
            return Ok(false);
        }
        self.reload().await?;
        Ok(true)
    }

    /// Changes a feed.
    pub(super) async fn change(&self, change: FeedChange, url: Url) -> Result<(), SteeringError> {
        let load = Arc::clone(&self.load);
        blocking::run(Queue::Answers, usize::MAX, move || config::change(change, &url, &*load)).await?;
        self.reload().await
    }

    async fn reload(&self) -> Result<(), SteeringError> {
        let (asker, done) = oneshot::channel();
        let stopping = || SteeringError::Reload("it is stopping; the next start takes it over".to_owned());
        self.reload.send(asker).await.map_err(|_| stopping())?;
        done.await.map_err(|_| stopping())?.map_err(SteeringError::Reload)
    }
}

impl Reloads {
    /// Waits until a page asks for a reload; for ever where none can.
    pub async fn asked(&mut self) -> Asker {
        match self.asked.recv().await {
            Some(asker) => asker,
            None => std::future::pending().await,
        }
    }

    /// Notes where the feeds in force are configured.
    pub fn note(&self, origins: Origins) {
        self.origins.send_replace(Arc::new(origins));
    }
}
