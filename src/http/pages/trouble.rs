//! What is currently wrong, in sentences, each saying where to look further.

use jiff::{SignedDuration, Timestamp};
use maud::{Markup, html};

use super::frame::{count, moment_and_distance};
use crate::http::Surface;
use crate::report::rough_time;
use crate::report::sinks::Standing;
use crate::store::{FeedHealth, FeedsByHealth, QueueStatus};

/// An entry that has been due for longer than this indicates a backlog beyond normal queueing.
const LATE: SignedDuration = SignedDuration::from_mins(30);

/// The state of the daemon, as read for the page.
pub(super) struct Seen<'s> {
    pub(super) feeds: &'s FeedsByHealth,
    pub(super) queue: &'s QueueStatus,
    pub(super) sinks: &'s [Standing],
    pub(super) set_aside: u64,
    pub(super) now: Timestamp,
}

/// Returns sentences, the most serious problem first; none if nothing is wrong.
pub(super) fn sentences(surface: &Surface, seen: &Seen<'_>) -> Vec<Markup> {
    let mut sentences: Vec<Markup> =
        surface.health.problems().iter().map(|problem| html! { (problem) "." }).collect();
    if surface.workers.is_overrun() {
        sentences.push(
            html! { "Runaway extractions occupy every core: restart, then look at the quarantined entries." },
        );
    }
    sentences.extend(of_feeds(seen.feeds));
    sentences.extend(of_queue(seen));
    sentences.extend(seen.sinks.iter().filter_map(|sink| of_sink(sink, seen.now)));
    sentences.extend(surface.selectors.without_match().into_iter().map(|name| {
        html! { (name) " has matched nothing so far: " code { "feedmill extract --explain URL" } " shows the blocks of a page." }
    }));
    if seen.set_aside > 0 {
        let records = count(seen.set_aside, "record was", "records were");
        sentences.push(html! { (records) " set aside: " code { "feedmill sinks list" } " says why." });
    }
    sentences
}

fn of_feeds(feeds: &FeedsByHealth) -> Vec<Markup> {
    let polled = feeds.new + feeds.succeeding + feeds.failing;
    if polled == 0 {
        return vec![html! { "No feed is polled: add a [[feed]] to the configuration and reload." }];
    }
    let said = [
        (FeedHealth::Failing, " at its last poll.", " at their last polls.", "failed"),
        (
            FeedHealth::Gone,
            " for good (410) and is no longer polled.",
            " for good (410) and are no longer polled.",
            "gone",
        ),
        (
            FeedHealth::Quarantined,
            ": the process crashed on it repeatedly.",
            ": the process crashed on them repeatedly.",
            "quarantined",
        ),
    ];
    let sentence = |(health, one, many, word): (FeedHealth, &str, &str, &str)| {
        let number = feeds.count(health);
        let verb = match (word, number) {
            ("failed", _) => "",
            (_, 1) => "is ",
            _ => "are ",
        };
        (number > 0).then(|| {
            html! {
                a href={ "/feeds?health=" (health.as_str()) } { (count(number, "feed", "feeds")) }
                " " (verb) (word) (if number == 1 { one } else { many })
            }
        })
    };
    said.into_iter().filter_map(sentence).collect()
}

fn of_queue(seen: &Seen<'_>) -> Vec<Markup> {
    let mut sentences = Vec::new();
    let late = seen.queue.first_due_at.filter(|due| seen.now.duration_since(*due) > LATE);
    if let Some(due) = late {
        sentences.push(html! {
            "The queue is behind: its first entry has been due for " (rough_time(due, seen.now)) ", and "
            (count(seen.queue.due, "entry waits", "entries wait")) "."
        });
    }
    if seen.queue.quarantined > 0 {
        sentences.push(html! {
            (count(seen.queue.quarantined, "entry is", "entries are")) " quarantined, because extraction crashed or timed out: "
            code { "feedmill queue --state quarantined" } " lists them."
        });
    }
    sentences
}

fn of_sink(sink: &Standing, now: Timestamp) -> Option<Markup> {
    if !sink.is_in_trouble() {
        return None;
    }
    let status = sink.status();
    Some(html! {
        "The sink " b { (sink.name()) }
        @match sink.state() {
            "disabled" => {
                " is disabled, because its receiver wants no more records: " code { "feedmill sinks resume " (sink.name()) } " resumes it."
            }
            "failing" => {
                " is failing: " (status.and_then(|status| status.error.as_deref()).unwrap_or("no reason is known")) "."
                @if let Some(at) = status.and_then(|status| status.retry_at) {
                    " Next attempt " (moment_and_distance(at, now)) "."
                }
            }
            state => { " is " (state) "." }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(feeds: &FeedsByHealth) -> Vec<String> {
        of_feeds(feeds).into_iter().map(Markup::into_string).collect()
    }

    #[test]
    fn feeds_in_trouble_are_counted_and_linked_to() {
        let feeds = FeedsByHealth { succeeding: 8, failing: 1, gone: 2, ..FeedsByHealth::default() };
        assert_eq!(
            said(&feeds),
            [
                "<a href=\"/feeds?health=failing\">1 feed</a> failed at its last poll.",
                "<a href=\"/feeds?health=gone\">2 feeds</a> are gone for good (410) and are no longer polled.",
            ]
        );
        assert!(said(&FeedsByHealth { succeeding: 8, ..FeedsByHealth::default() }).is_empty());
        assert!(said(&FeedsByHealth::default())[0].starts_with("No feed is polled"));
    }

    #[test]
    fn an_entry_that_waits_for_too_long_is_said() {
        let now: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
        let queue = |due: &str| QueueStatus {
            pending: 3,
            due: 3,
            first_due_at: Some(due.parse().unwrap()),
            ..QueueStatus::default()
        };
        let said = |queue: &QueueStatus| {
            let seen = Seen { feeds: &FeedsByHealth::default(), queue, sinks: &[], set_aside: 0, now };
            of_queue(&seen).into_iter().map(Markup::into_string).collect::<String>()
        };
        assert_eq!(said(&queue("2026-03-02T07:40:00Z")), "");
        assert_eq!(
            said(&queue("2026-03-02T06:00:00Z")),
            "The queue is behind: its first entry has been due for 2h, and 3 entries wait."
        );
    }
}
