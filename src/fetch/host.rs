//! Limits per host: how many requests run at once, and the gap between two. A request holds a `Turn`.
//!
//! Each host has its own queue, in order of arrival, so that a slow host delays only the requests to it.
//!
//! The gap is the time between two requests as the *host* sees them. When a request reaches it is not known here: the name is
//! resolved and a connection is opened first, and on a busy machine the task may run late. It has arrived by the time that the
//! response begins. So the gap counts from there, and from the start of the request only until then. When it counted from the
//! start alone, two requests with a gap of 0.3 s arrived 0.09 s apart.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::Instant;
use url::Url;

use crate::model::{HostPause, host_with_port};
use crate::shards::Pass;

/// Hosts remembered before idle ones are dropped.
const SWEEP_ABOVE: usize = 4096;
/// Assumed duration of a request to a host not requested before. Optimistic, since a slow host shows soon enough (see
/// [`Pace::expected`]) and requests to a fast one should not be delayed.
const FIRST_GUESS: Duration = Duration::from_millis(50);

const HELD: &str = "no holder of this lock can panic";

/// The server behind a URL. `http` and `https` on their default ports are one; any other port is another server.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct HostKey(String);

impl HostKey {
    pub(super) fn of(url: &Url) -> Self {
        Self(host_with_port(url))
    }
}

/// The queues of all hosts.
#[derive(Debug)]
pub(super) struct Hosts {
    concurrency: u8,
    queues: Arc<Mutex<HashMap<HostKey, Arc<Host>>>>,
    /// Pauses that hosts asked for. Shared by the clients before and after a reload.
    pauses: Arc<Mutex<HashMap<HostKey, Pause>>>,
}

/// A pause that a host asked for.
#[derive(Clone, Copy, Debug)]
struct Pause {
    /// The end, in wall time, since pauses may last days.
    until: Timestamp,
    /// Whether the pause is in the store, so that it survives a restart.
    kept: bool,
}

#[derive(Debug)]
struct Host {
    permits: Arc<Semaphore>,
    pace: Mutex<Pace>,
}

#[derive(Debug)]
struct Pace {
    /// The next request may not start before this.
    next_start: Instant,
    /// Requests that wait for a permit.
    waiting: u32,
    /// Smoothed duration of a request to this host.
    lasts: Duration,
    /// Start times of the requests in flight.
    in_flight: Vec<Instant>,
    /// The earliest time at which the next deferred request may come back: after those deferred before.
    next_return: Instant,
}

/// A permit for one request to a host; dropping it frees the slot.
#[derive(Debug)]
pub(super) struct Turn {
    key: HostKey,
    host: Arc<Host>,
    gap: Duration,
    began: Instant,
    _permit: OwnedSemaphorePermit,
    _pass: Option<Pass>,
}

impl Turn {
    /// Returns whether the turn covers `url` too: a redirect within the host belongs to the same request.
    pub(super) fn is_at(&self, url: &Url) -> bool {
        self.key == HostKey::of(url)
    }

    /// Returns a guard to hold from the start of the request until the response begins.
    pub(super) const fn ask(&self) -> Asking<'_> {
        Asking(self)
    }
}

/// A request whose response has not begun. Dropping it, at the response or when the request is cancelled, starts the gap.
pub(super) struct Asking<'t>(&'t Turn);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        let mut pace = self.0.host.pace();
        pace.next_start = pace.next_start.max(Instant::now() + self.0.gap);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut pace = self.host.pace();
        pace.lasts = (pace.lasts * 3 + self.began.elapsed()) / 4;
        if let Some(at) = pace.in_flight.iter().position(|began| *began == self.began) {
            pace.in_flight.swap_remove(at);
        }
    }
}

impl Hosts {
    pub(super) fn new(concurrency: u8) -> Self {
        Self { concurrency: concurrency.max(1), queues: Arc::default(), pauses: Arc::default() }
    }

    /// Returns the hosts for a client that replaces this one after a reload: with the same pauses and, if `concurrency` is
    /// unchanged, the same queues, so that earlier requests still count. Otherwise the queues are new and know of no requests in
    /// flight.
    pub(super) fn succeeded(&self, concurrency: u8) -> Self {
        let new = Self::new(concurrency);
        let queues = if new.concurrency == self.concurrency { Arc::clone(&self.queues) } else { new.queues };
        Self { queues, pauses: Arc::clone(&self.pauses), ..new }
    }

    /// Pauses requests to the host until `until`, unless it has asked for a longer pause before.
    pub(super) fn pause(&self, url: &Url, until: Timestamp, now: Timestamp) {
        let mut pauses = self.pauses.lock().expect(HELD);
        pauses.retain(|_, pause| now < pause.until);
        let asked = Pause { until, kept: false };
        let pause = pauses.entry(HostKey::of(url)).or_insert(asked);
        if pause.until < until {
            *pause = asked;
        }
    }

    /// Adds pauses that a process stored. A longer pause that is not stored yet stays.
    pub(super) fn recall(&self, stored: Vec<HostPause>) {
        let mut pauses = self.pauses.lock().expect(HELD);
        for HostPause { host, until } in stored {
            let stored = Pause { until, kept: true };
            let pause = pauses.entry(HostKey(host)).or_insert(stored);
            if pause.until < until {
                *pause = stored;
            }
        }
    }

    /// Returns the pauses that are not stored yet.
    pub(super) fn unkept(&self) -> Vec<HostPause> {
        let pauses = self.pauses.lock().expect(HELD);
        let unkept = pauses.iter().filter(|(_, pause)| !pause.kept);
        unkept.map(|(key, pause)| HostPause { host: key.0.clone(), until: pause.until }).collect()
    }

    /// Marks these pauses as stored.
    pub(super) fn note_kept(&self, kept: &[HostPause]) {
        let mut pauses = self.pauses.lock().expect(HELD);
        for written in kept {
            if let Some(pause) = pauses.get_mut(&HostKey(written.host.clone())) {
                pause.kept |= pause.until == written.until;
            }
        }
    }

    /// Returns the time left of the host's pause.
    pub(super) fn paused_for(&self, url: &Url, now: Timestamp) -> Option<Duration> {
        let pauses = self.pauses.lock().expect(HELD);
        let pause = pauses.get(&HostKey::of(url)).filter(|pause| now < pause.until)?;
        Duration::try_from(pause.until.duration_since(now)).ok()
    }

    /// Waits for a free permit of the host, then until `gap` has passed since the last request to it, by any process. The turn
    /// holds the pass.
    pub(super) async fn turn(&self, url: &Url, gap: Duration, pass: Option<Pass>) -> Turn {
        let key = HostKey::of(url);
        let host = self.host(&key);
        let permit = {
            let _waiting = Waiting::new(&host);
            Arc::clone(&host.permits).acquire_owned().await.expect("the semaphore is never closed")
        };
        let asked_by_others = pass.as_ref().and_then(Pass::last_asked);
        let began = host.pace().begin(gap, asked_by_others);
        let turn = Turn { key, host, gap, began, _permit: permit, _pass: pass };
        // A timer takes a millisecond even if there is nothing to wait for.
        if began > Instant::now() {
            tokio::time::sleep_until(began).await;
        }
        turn
    }

    /// Returns when to come back if a request to the host would wait longer than `patience`. Each caller gets a different time.
    pub(super) fn defer(&self, url: &Url, gap: Duration, patience: Duration) -> Option<Duration> {
        let host = self.lock().get(&HostKey::of(url)).cloned()?;
        let busy = u32::from(host.permits.available_permits() == 0);
        let mut pace = host.pace();
        let now = Instant::now();
        let each = gap + pace.expected(now) / u32::from(self.concurrency);
        let wait = pace.next_start.saturating_duration_since(now) + each * (pace.waiting + busy);
        if wait <= patience {
            return None;
        }
        let back = pace.next_return.max(now + wait);
        pace.next_return = back + each;
        Some(back - now)
    }

    fn host(&self, key: &HostKey) -> Arc<Host> {
        let mut hosts = self.lock();
        if let Some(host) = hosts.get(key) {
            return Arc::clone(host);
        }
        let now = Instant::now();
        if hosts.len() >= SWEEP_ABOVE {
            hosts.retain(|_, host| Arc::strong_count(host) > 1 || host.pace().is_ahead_of(now));
        }
        let host = Arc::new(Host {
            permits: Arc::new(Semaphore::new(usize::from(self.concurrency))),
            pace: Mutex::new(Pace {
                next_start: now,
                waiting: 0,
                lasts: FIRST_GUESS,
                in_flight: Vec::new(),
                next_return: now,
            }),
        });
        hosts.insert(key.clone(), Arc::clone(&host));
        host
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<HostKey, Arc<Host>>> {
        self.queues.lock().expect(HELD)
    }
}

impl Host {
    fn pace(&self) -> MutexGuard<'_, Pace> {
        self.pace.lock().expect(HELD)
    }
}

impl Pace {
    /// Reserves the next start time and returns it.
    fn begin(&mut self, gap: Duration, asked_by_others: Option<Instant>) -> Instant {
        let free = asked_by_others.map_or(self.next_start, |asked| self.next_start.max(asked + gap));
        let start = free.max(Instant::now());
        self.next_start = start + gap;
        self.in_flight.push(start);
        start
    }

    /// Returns the expected duration of a request, by earlier requests and by those in flight.
    fn expected(&self, now: Instant) -> Duration {
        let ages = self.in_flight.iter().map(|began| now.saturating_duration_since(*began));
        ages.max().unwrap_or_default().max(self.lasts)
    }

    fn is_ahead_of(&self, now: Instant) -> bool {
        self.next_start.max(self.next_return) > now
    }
}

/// A position in a host's queue, released also if the wait is cancelled.
struct Waiting<'a>(&'a Host);

impl<'a> Waiting<'a> {
    fn new(host: &'a Host) -> Self {
        host.pace().waiting += 1;
        Self(host)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.pace().waiting -= 1;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn url(text: &str) -> Url {
        text.parse().unwrap()
    }

    #[tokio::test]
    async fn so_many_at_once_and_no_more() {
        let hosts = Hosts::new(2);
        let (a, b) = (url("https://a.example/1"), url("https://b.example/1"));
        let first = hosts.turn(&a, Duration::ZERO, None).await;
        let _second = hosts.turn(&url("http://a.example/2"), Duration::ZERO, None).await;
        let mut third = Box::pin(hosts.turn(&a, Duration::ZERO, None));
        assert!((&mut third).now_or_never().is_none(), "http and https are one host");
        let _elsewhere = hosts.turn(&b, Duration::ZERO, None).now_or_never().expect("another host is free");
        let _port = hosts.turn(&url("https://a.example:8443/"), Duration::ZERO, None).await;
        assert!(first.is_at(&a) && !first.is_at(&b));
        drop(first);
        third.await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_reload_forgets_no_gap() {
        let (hosts, host, gap) = (Hosts::new(1), url("https://a.example/"), Duration::from_secs(10));
        let began = Instant::now();
        let held = hosts.turn(&host, gap, None).await;
        let successor = hosts.succeeded(1);
        assert!(Box::pin(successor.turn(&host, gap, None)).now_or_never().is_none(), "it is being asked");
        drop(held);
        let _turn = successor.turn(&host, gap, None).await;
        assert_eq!(began.elapsed().as_secs(), 10);
    }

    #[tokio::test]
    async fn so_long_between_two_starts() {
        let hosts = Hosts::new(2);
        let gap = Duration::from_millis(20);
        let began = Instant::now();
        for _ in 0..3 {
            hosts.turn(&url("https://a.example/"), gap, None).await;
        }
        assert!(began.elapsed() >= gap * 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_gap_counts_from_when_an_answer_begins_or_is_given_up() {
        let (hosts, host, gap) = (Hosts::new(2), url("https://a.example/"), Duration::from_secs(10));
        let began = Instant::now();
        let seconds = || began.elapsed().as_secs();
        let first = hosts.turn(&host, gap, None).await;
        let asking = first.ask();
        let second = hosts.turn(&host, gap, None).await;
        assert_eq!(seconds(), 10, "who has a place waits for no answer but its own");
        tokio::time::advance(Duration::from_secs(4)).await;
        drop(asking);
        drop(first);
        let third = hosts.turn(&host, gap, None).await;
        assert_eq!(seconds(), 24);
        drop(second.ask());
        drop((second, third));
        let _fourth = hosts.turn(&host, gap, None).await;
        assert_eq!(seconds(), 34);
    }

    #[tokio::test(start_paused = true)]
    async fn who_would_wait_too_long_is_sent_away_and_told_when_to_return() {
        let hosts = Hosts::new(1);
        let host = url("https://a.example/");
        let (gap, patience) = (Duration::from_secs(10), Duration::from_secs(15));
        assert_eq!(hosts.defer(&host, gap, patience), None, "a host not seen before");
        let _held = hosts.turn(&host, gap, None).await;
        let each = gap + FIRST_GUESS;
        assert_eq!(
            hosts.defer(&host, gap, patience),
            Some(gap + each),
            "the next start, and one that has the place"
        );
        assert_eq!(hosts.defer(&host, gap, patience), Some(gap + each * 2));
        assert_eq!(hosts.defer(&url("https://b.example/"), gap, patience), None);
    }

    #[test]
    fn a_pause_lasts_as_long_as_the_longest_that_was_asked_for() {
        let hosts = Hosts::new(1);
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let host = url("https://a.example/feed");
        hosts.pause(&host, at(60), at(0));
        hosts.pause(&url("http://a.example/other"), at(30), at(1));
        assert_eq!(hosts.paused_for(&host, at(10)), Some(Duration::from_secs(50)));
        assert_eq!(hosts.paused_for(&url("https://a.example:8443/"), at(10)), None);
        assert_eq!(hosts.paused_for(&host, at(60)), None);
        hosts.pause(&url("https://b.example/"), at(100), at(61));
        assert_eq!(hosts.pauses.lock().unwrap().len(), 1, "what is over is forgotten");
    }

    #[test]
    fn a_stored_pause_shortens_none_that_is_not_stored_yet() {
        let hosts = Hosts::new(1);
        let at = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
        let stored = |until| vec![HostPause { host: "a.example".to_owned(), until }];
        let host = url("https://a.example/feed");
        hosts.pause(&host, at(60), at(0));
        hosts.recall(stored(at(30)));
        assert_eq!(hosts.paused_for(&host, at(10)), Some(Duration::from_secs(50)));
        assert_eq!(hosts.unkept(), stored(at(60)));
        hosts.recall(stored(at(90)));
        assert_eq!(hosts.paused_for(&host, at(10)), Some(Duration::from_secs(80)));
        assert!(hosts.unkept().is_empty());
    }

    #[tokio::test]
    async fn idle_hosts_are_forgotten() {
        let hosts = Hosts::new(1);
        let held = hosts.turn(&url("https://held.example/"), Duration::ZERO, None).await;
        for number in 0..2 * SWEEP_ABOVE {
            hosts.turn(&url(&format!("https://h{number}.example/")), Duration::ZERO, None).await;
        }
        assert!(hosts.lock().len() <= SWEEP_ABOVE + 1);
        assert!(hosts.lock().contains_key(&held.key));
    }
}
