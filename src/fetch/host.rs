//! Turns at a host: so many requests at once, so long between two starts.
//!
//! Each host has its own queue, in order of arrival, so that a slow one holds up nobody but those who wait for it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;

/// Hosts remembered before the idle ones are forgotten.
const SWEEP_ABOVE: usize = 4096;

/// The server behind a URL. `http` and `https` on their usual ports are one; any other port is another server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct HostKey(String);

impl HostKey {
    pub(super) fn of(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        Self(url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}")))
    }
}

/// The queues of all hosts.
#[derive(Debug)]
pub(super) struct Hosts {
    concurrency: usize,
    hosts: Mutex<HashMap<HostKey, Arc<Host>>>,
}

#[derive(Debug)]
struct Host {
    permits: Arc<Semaphore>,
    /// The next request may not start before this.
    next_start: Mutex<Instant>,
}

/// The right to one request; given back when dropped.
#[derive(Debug)]
pub(super) struct Turn {
    key: HostKey,
    _permit: OwnedSemaphorePermit,
    // Keeps the host in memory while a request is in flight.
    _host: Arc<Host>,
}

impl Turn {
    /// Whether the turn holds for `url` too: a redirect within the host belongs to the same request.
    pub(super) fn is_at(&self, url: &Url) -> bool {
        self.key == HostKey::of(url)
    }
}

impl Hosts {
    pub(super) fn new(concurrency: u8) -> Self {
        Self { concurrency: usize::from(concurrency.max(1)), hosts: Mutex::default() }
    }

    /// Waits for the host's next free place, then until `gap` has passed since its last request started.
    pub(super) async fn turn(&self, url: &Url, gap: Duration) -> Turn {
        let key = HostKey::of(url);
        let host = self.host(&key);
        let permit = Arc::clone(&host.permits).acquire_owned().await.expect("the semaphore is never closed");
        let start = {
            let mut next_start = host.next_start.lock().expect("no holder of this lock can panic");
            let start = (*next_start).max(Instant::now());
            *next_start = start + gap;
            start
        };
        tokio::time::sleep_until(start).await;
        Turn { key, _permit: permit, _host: host }
    }

    fn host(&self, key: &HostKey) -> Arc<Host> {
        let mut hosts = self.hosts.lock().expect("no holder of this lock can panic");
        if let Some(host) = hosts.get(key) {
            return Arc::clone(host);
        }
        let now = Instant::now();
        if hosts.len() >= SWEEP_ABOVE {
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || host.is_pacing(now));
        }
        let host = Arc::new(Host {
            permits: Arc::new(Semaphore::new(self.concurrency)),
            next_start: Mutex::new(now),
        });
        hosts.insert(key.clone(), Arc::clone(&host));
        host
    }
}

impl Host {
    fn is_pacing(&self, now: Instant) -> bool {
        *self.next_start.lock().expect("no holder of this lock can panic") > now
    }
}
