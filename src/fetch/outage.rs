//! Tells an outage of our own network from failing servers: if many unrelated domains fail and none responds, it is ours.
//!
//! Requests are counted by the party whose feed caused them: the registrable domain of a feed's URL, for its polls and for
//! everything that it links to. Counting by host would not work: one feed with a thousand dead links names a thousand hosts.
//!
//! A failure is evidence only if no server responded while its request was in flight, and if its party is not known to fail by
//! itself: requests that hang for half a minute time out together, while all others work.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::after;

/// Failures older than this are no evidence of a current outage.
const WINDOW_AGE: Duration = Duration::from_mins(2);
/// Fewer failing parties than this prove nothing.
const MIN_FAILING_PARTIES: usize = 5;
/// Most failing parties remembered; beyond that, the one with the oldest last failure is dropped.
const MOST_PARTIES: usize = 4096;
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_mins(5);

/// Detects outages of our own network from the outcomes of requests.
///
/// During an outage nothing is polled and no feed is blamed; after each pause the first outcome decides whether the outage is
/// over.
#[derive(Clone, Debug, Default)]
pub struct Outage {
    /// Parties whose last request failed.
    failing: HashMap<String, Failure>,
    /// When a server last responded.
    answered_at: Option<Timestamp>,
    /// During an outage, the pause in force or the last one.
    pause: Option<Pause>,
}

#[derive(Clone, Copy, Debug)]
struct Failure {
    at: Timestamp,
    /// Whether the failure may be due to our network; otherwise the party is known to fail by itself.
    is_evidence: bool,
}

#[derive(Clone, Copy, Debug)]
struct Pause {
    until: Timestamp,
    length: Duration,
}

impl Outage {
    /// Records that a request for `party`, sent at `began`, ended at `now`; `network_failure` is
    /// [`super::FetchError::is_network`], false for any response at all. Returns whether our own network is to blame for the
    /// failure.
    pub fn record(&mut self, party: &str, began: Timestamp, network_failure: bool, now: Timestamp) -> bool {
        // A response recorded by a clock that was ahead would otherwise count as recent for too long.
        self.answered_at.take_if(|answered| *answered > now);
        if !network_failure {
            self.pause = None;
            self.answered_at = Some(now);
            self.failing.remove(party);
            return false;
        }
        match self.pause {
            // Requests that were in flight when the pause began.
            Some(pause) if now < pause.until => return true,
            Some(pause) => {
                self.begin((pause.length * 2).min(LONGEST_PAUSE), now);
                return true;
            }
            None => self.note_failure(party, began, now),
        }
        let answered_at = self.answered_at;
        let is_evidence = |failure: &Failure| failure.is_evidence_at(now, answered_at);
        let is_ours =
            self.failing.values().filter(|failure| is_evidence(failure)).count() >= MIN_FAILING_PARTIES;
        if is_ours {
            self.begin(FIRST_PAUSE, now);
            // None of these parties failed by itself.
            self.failing.retain(|_, failure| !is_evidence(failure));
        }
        is_ours
    }

    /// Returns the end of the pause in force at `now`, if any. A pause that ends further ahead than its length was begun by a clock
    /// that was ahead, and is ignored.
    pub fn paused_until(&self, now: Timestamp) -> Option<Timestamp> {
        let is_in_force = |pause: &Pause| now < pause.until && pause.until <= after(now, pause.length);
        self.pause.filter(is_in_force).map(|pause| pause.until)
    }

    fn begin(&mut self, length: Duration, now: Timestamp) {
        self.pause = Some(Pause { until: after(now, length), length });
    }

    fn note_failure(&mut self, party: &str, began: Timestamp, now: Timestamp) {
        let somebody_answered = self.answered_at.is_some_and(|answered| answered >= began);
        let failed_by_itself =
            self.failing.get(party).is_some_and(|earlier| !earlier.is_evidence_at(now, self.answered_at));
        let failure = Failure { at: now, is_evidence: !somebody_answered && !failed_by_itself };
        self.failing.insert(party.to_owned(), failure);
        if self.failing.len() > MOST_PARTIES {
            let oldest = self.failing.iter().min_by_key(|(_, failure)| failure.at);
            if let Some(oldest) = oldest.map(|(party, _)| party.clone()) {
                self.failing.remove(&oldest);
            }
        }
    }
}

impl Failure {
    fn is_evidence_at(&self, now: Timestamp, answered_at: Option<Timestamp>) -> bool {
        let is_recent = now.duration_since(self.at).unsigned_abs() <= WINDOW_AGE;
        self.is_evidence && is_recent && answered_at.is_none_or(|answered| answered < self.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    /// Records a request that ends at once.
    fn record(outage: &mut Outage, party: &impl ToString, failed: bool, seconds: i64) -> bool {
        outage.record(&party.to_string(), at(seconds), failed, at(seconds))
    }

    #[test]
    fn many_parties_failing_at_once_are_an_outage() {
        let mut outage = Outage::default();
        for party in 0..4 {
            assert!(!record(&mut outage, &party, true, party), "four prove nothing");
        }
        assert!(!record(&mut outage, &0, true, 4), "the same again proves nothing");
        assert!(record(&mut outage, &5, true, 5));
        assert_eq!(outage.paused_until(at(5)), Some(at(35)));
        assert!(record(&mut outage, &6, true, 6), "requests under way are not to blame either");
        assert_eq!(outage.paused_until(at(35)), None, "a probe may go out");
        assert!(record(&mut outage, &7, true, 36));
        assert_eq!(outage.paused_until(at(36)), Some(at(96)), "the next pause is longer");
        assert!(!record(&mut outage, &8, false, 97));
        assert_eq!(outage.paused_until(at(97)), None);
        assert!(!record(&mut outage, &9, true, 500), "the past is forgotten");
    }

    #[test]
    fn whatever_one_party_links_to_is_its_affair() {
        let mut outage = Outage::default();
        for link in 0..1500 {
            assert!(!record(&mut outage, &"evil.example", true, link / 50));
        }
        assert_eq!(outage.paused_until(at(30)), None);
    }

    #[test]
    fn some_parties_failing_is_their_affair() {
        let mut outage = Outage::default();
        for round in 0..20 {
            record(&mut outage, &format!("good{round}"), false, round);
            assert!(!record(&mut outage, &format!("bad{round}"), true, round));
        }
        assert_eq!(outage.paused_until(at(20)), None);
    }

    #[test]
    fn one_answer_tells_dead_hosts_from_a_dead_network() {
        let mut outage = Outage::default();
        for round in 0..10 {
            for party in 0..8 {
                let failed = party != 2 && party != 6;
                assert!(!record(&mut outage, &party, failed, round * 8 + party), "{round} {party}");
            }
        }
    }

    #[test]
    fn who_answers_while_a_crowd_hangs_speaks_against_an_outage() {
        let mut outage = Outage::default();
        record(&mut outage, &"good", false, 5);
        for party in 0..100 {
            assert!(!outage.record(&format!("hangs{party}"), at(0), true, at(30)));
        }
        // By now these parties are known to fail, so they prove nothing even if no server responded meanwhile.
        for party in 0..100 {
            assert!(!outage.record(&format!("hangs{party}"), at(60), true, at(90)));
        }
        assert_eq!(outage.paused_until(at(90)), None);
        for party in 0..4 {
            assert!(!record(&mut outage, &format!("good{party}"), true, 91));
        }
        assert!(record(&mut outage, &"good", true, 92), "those that worked still tell an outage");
    }

    #[test]
    fn parties_that_failed_in_an_outage_tell_the_next_one_too() {
        let mut outage = Outage::default();
        for start in [0, 10_000] {
            let failures: Vec<bool> =
                (0..12).map(|party| record(&mut outage, &(start + party), true, start)).collect();
            assert_eq!(failures.iter().filter(|ours| **ours).count(), 8);
            for party in 4..12 {
                assert!(record(&mut outage, &(start + party), true, start + 100 + party));
            }
            record(&mut outage, &"good", false, start + 5000);
            let again: Vec<bool> =
                (4..12).map(|party| record(&mut outage, &(start + party), true, start + 6000)).collect();
            assert_eq!(again.iter().filter(|ours| **ours).count(), 4);
            record(&mut outage, &"good", false, start + 7000);
        }
    }

    #[test]
    fn failures_far_apart_are_no_outage() {
        let mut outage = Outage::default();
        for hour in 0..20 {
            assert!(!record(&mut outage, &hour, true, hour * 3600));
        }
    }

    #[test]
    fn no_more_parties_are_remembered_than_are_worth_it() {
        let mut outage = Outage::default();
        record(&mut outage, &"good", false, 0);
        for party in 0..2 * MOST_PARTIES {
            outage.record(&party.to_string(), at(0), true, at(1));
        }
        assert_eq!(outage.failing.len(), MOST_PARTIES);
    }
}
