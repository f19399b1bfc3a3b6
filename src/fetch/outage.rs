//! Whose fault is it when nothing connects? If most hosts fail at once, ours.

use std::collections::VecDeque;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::after;

/// Hosts whose latest outcome is remembered.
const WINDOW_HOSTS: usize = 20;
/// Outcomes older than this say nothing about now.
const WINDOW_AGE: Duration = Duration::from_mins(2);
/// Fewer failing hosts than this prove nothing.
const MIN_FAILING_HOSTS: usize = 5;
/// The share of hosts that must fail, in percent.
const FAILING_PERCENT: usize = 80;
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Watches the outcomes of requests for an outage of our own network.
///
/// While it lasts nothing is polled and no feed is blamed; after each pause the first outcome decides whether it is
/// over.
#[derive(Clone, Debug, Default)]
pub struct Outage {
    /// The latest outcome of each host, oldest first.
    recent: VecDeque<Outcome>,
    /// The pause in force or the last one, while the outage lasts.
    pause: Option<Pause>,
}

#[derive(Clone, Debug)]
struct Outcome {
    host: String,
    at: Timestamp,
    failed: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Timestamp,
    length: Duration,
}

impl Outage {
    /// Notes that a request to `host` ended at `now`; `network_failure` is [`super::FetchError::is_network`], false for
    /// any answer at all. Returns whether our own network is to blame for the failure.
    pub fn record(&mut self, host: &str, network_failure: bool, now: Timestamp) -> bool {
        if !network_failure {
            self.pause = None;
        }
        self.recent.retain(|outcome| {
            outcome.host != host && now.duration_since(outcome.at).unsigned_abs() <= WINDOW_AGE
        });
        self.recent.push_back(Outcome { host: host.to_owned(), at: now, failed: network_failure });
        if self.recent.len() > WINDOW_HOSTS {
            self.recent.pop_front();
        }
        if !network_failure {
            return false;
        }
        match self.pause {
            // Requests that were under way when the pause began.
            Some(pause) if now < pause.until => {}
            Some(pause) => self.begin((pause.length * 2).min(LONGEST_PAUSE), now),
            None if self.most_hosts_fail() => self.begin(FIRST_PAUSE, now),
            None => return false,
        }
        true
    }

    /// The end of the pause, if one is in force at `now`. One that lies further ahead than it is long was begun by a clock
    /// that was ahead.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        let is_in_force = |pause: &Pause| now < pause.until && pause.until <= after(now, pause.length);
        self.pause.filter(is_in_force).map(|pause| pause.until)
    }

    fn begin(&mut self, length: Duration, now: Timestamp) {
        self.pause = Some(Pause { until: after(now, length), length });
    }

    fn most_hosts_fail(&self) -> bool {
        // One answer among the latest outcomes, and the network works: what fails are hosts that are gone.
        let latest_fail = self.recent.iter().rev().take(MIN_FAILING_HOSTS).all(|outcome| outcome.failed);
        let failing = self.recent.iter().filter(|outcome| outcome.failed).count();
        latest_fail && failing >= MIN_FAILING_HOSTS && failing * 100 >= self.recent.len() * FAILING_PERCENT
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn most_hosts_failing_at_once_is_an_outage() {
        let mut outage = Outage::default();
        for host in 0..4 {
            assert!(!outage.record(&host.to_string(), true, at(host)), "four hosts prove nothing");
        }
        assert!(!outage.record("0", true, at(4)), "the same host again proves nothing");
        assert!(outage.record("5", true, at(5)));
        assert_eq!(outage.paused_until(at(5)), Some(at(35)));
        assert!(outage.record("6", true, at(6)), "requests under way are not to blame either");
        assert_eq!(outage.paused_until(at(35)), None, "a probe may go out");
        assert!(outage.record("7", true, at(36)));
        assert_eq!(outage.paused_until(at(36)), Some(at(96)), "the next pause is longer");
        assert!(!outage.record("8", false, at(97)));
        assert_eq!(outage.paused_until(at(97)), None);
        assert!(!outage.record("9", true, at(500)), "the past is forgotten");
    }

    #[test]
    fn some_hosts_failing_is_their_affair() {
        let mut outage = Outage::default();
        for round in 0..20 {
            outage.record(&format!("good{round}"), false, at(round));
            assert!(!outage.record(&format!("bad{round}"), true, at(round)));
        }
        assert_eq!(outage.paused_until(at(20)), None);
    }

    #[test]
    fn one_answer_tells_dead_hosts_from_a_dead_network() {
        let mut outage = Outage::default();
        for round in 0..10 {
            for host in 0..8 {
                let failed = host != 2 && host != 6;
                assert!(!outage.record(&host.to_string(), failed, at(round * 8 + host)), "{round} {host}");
            }
        }
    }

    #[test]
    fn failures_far_apart_are_no_outage() {
        let mut outage = Outage::default();
        for hour in 0..20 {
            assert!(!outage.record(&hour.to_string(), true, at(hour * 3600)));
        }
    }
}
