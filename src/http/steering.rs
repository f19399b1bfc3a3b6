//! Changes the configuration on behalf of pages: through the file that commands write, and by the same reload that a signal
//! triggers.
//!
//! The task that reads the configuration holds the other end of the channel. The page waits until the new configuration is in
//! force, or for the reason why it is not, so that what it shows next is true. The file is written here and not by the
//! reloading task, since several pages may want to write at once and an invalid change must not wait for a reload.

use std::fmt;
use std::sync::Arc;

use tokio::sync::{mpsc, oneshot, watch};
use url::Url;

use crate::blocking::{self, Queue};
use crate::config::{self, ChangeError, FeedChange, Load, Origins};

/// The end of the channel that pages hold.
#[derive(Clone)]
pub struct Steering {
    load: Arc<Load>,
    reload: mpsc::Sender<Asker>,
    origins: watch::Receiver<Arc<Origins>>,
}

/// The end of the channel held by the task that reads the configuration.
#[derive(Debug)]
pub struct Reloads {
    asked: mpsc::Receiver<Asker>,
    origins: watch::Sender<Arc<Origins>>,
}

/// Receives the result of a requested reload: the new configuration is in force, or why the old one stays.
pub type Asker = oneshot::Sender<Result<(), String>>;

/// Number of reload requests that may be queued before a sender has to wait.
const WAITING: usize = 16;

/// Why a change is not in force.
#[derive(Debug, thiserror::Error)]
pub(super) enum SteeringError {
    /// Nothing was written.
    #[error(transparent)]
    Change(#[from] ChangeError),
    /// The change was written, but the new configuration was not adopted.
    #[error("the change is written, but the old configuration stays in force: {0}")]
    Reload(String),
}

impl fmt::Debug for Steering {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steering").finish_non_exhaustive()
    }
}

impl Steering {
    /// Creates both ends. `load` reads the configuration again; `origins` says where the feeds in force are configured.
    pub fn new(load: Arc<Load>, origins: Origins) -> (Self, Reloads) {
        let (reload, asked) = mpsc::channel(WAITING);
        let (in_force, origins) = watch::channel(Arc::new(origins));
        (Self { load, reload, origins }, Reloads { asked, origins: in_force })
    }

    /// Returns where the feeds in force are configured.
    pub(super) fn origins(&self) -> Arc<Origins> {
        Arc::clone(&self.origins.borrow())
    }

    /// Adds a feed. Returns whether it was new.
    pub(super) async fn add(&self, url: Url, tags: Vec<String>) -> Result<bool, SteeringError> {
        let load = Arc::clone(&self.load);
        // Reading a configuration of tens of thousands of feeds takes a moment.
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
        let stopping =
            || SteeringError::Reload("the daemon is stopping; the next start adopts the change".to_owned());
        self.reload.send(asker).await.map_err(|_| stopping())?;
        done.await.map_err(|_| stopping())?.map_err(SteeringError::Reload)
    }
}

impl Reloads {
    /// Waits until a page requests a reload; never returns if no page can.
    pub async fn asked(&mut self) -> Asker {
        match self.asked.recv().await {
            Some(asker) => asker,
            None => std::future::pending().await,
        }
    }

    /// Records where the feeds in force are configured.
    pub fn note(&self, origins: Origins) {
        self.origins.send_replace(Arc::new(origins));
    }
}
