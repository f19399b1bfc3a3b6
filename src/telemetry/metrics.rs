//! What is counted, and how it is called: `feedmill_<noun>_<unit>_total` for what only rises. Labels are closed sets,
//! never an address: a thousand feeds must not make a thousand series. A sink's name is one: the operator has a few.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::fetch::Purpose;
use crate::model::{DuplicateKind, FailureKind};
use crate::pipeline::websub::Received;
use crate::store::Totals;

/// How often recorded durations are folded into their buckets when nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Upper bounds of the buckets for durations, in seconds.
const DURATION_BUCKETS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// One metric: its name, what it is and its HELP text.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    kind: Kind,
    help: &'static str,
}

macro_rules! metrics_table {
    ($($constant:ident: $kind:ident $name:literal, $help:literal;)*) => {
        $(const $constant: &str = $name;)*
        /// Every metric.
        const METRICS: &[Metric] = &[$(Metric { name: $name, kind: Kind::$kind, help: $help },)*];
    };
}

metrics_table! {
    FEED_POLLS: Counter "feedmill_feed_polls_total", "Polls of feeds, by outcome";
    FEED_ENTRIES: Counter "feedmill_feed_entries_total", "Entries that polls brought, by whether they are new or changed";
    FETCH_REQUESTS: Counter "feedmill_fetch_requests_total", "Requests that were answered, by purpose and answer";
    FETCH_BYTES: Counter "feedmill_fetch_bytes_total", "Bytes of bodies after inflating, by purpose";
    FETCH_FAILURES: Counter "feedmill_fetch_failures_total", "Requests that failed, by purpose and reason";
    FETCH_DURATION: Histogram "feedmill_fetch_duration_seconds", "Time from a request's turn to the end of its body, by purpose";
    ENTRIES_FINISHED: Counter "feedmill_entries_finished_total", "Entries worked on, by what became of them";
    ENTRIES_DROPPED: Counter "feedmill_entries_dropped_total", "Entries given up, by reason";
    OWN_TEXTS: Counter "feedmill_own_texts_total", "Articles made of the feed's own text, by what kept the page away";
    EXTRACT_DURATION: Histogram "feedmill_extract_duration_seconds", "Time that a worker took to extract one article";
    DUPLICATES: Counter "feedmill_articles_duplicates_total", "Articles linked to an original, by kind";
    REMOVED: Counter "feedmill_removed_total", "What was removed because it was old, by kind";
    NETWORK_PAUSES: Counter "feedmill_network_pauses_total", "Times that polling paused because most hosts could not be reached";
    DELIVERIES: Counter "feedmill_websub_deliveries_total", "What hubs delivered, by what became of it";
    SINK_RECORDS: Counter "feedmill_sink_records_total", "Records delivered, by sink; one that is delivered again counts again";
    SINK_FAILURES: Counter "feedmill_sink_failures_total", "Deliveries that failed, by sink";
    SINK_SET_ASIDE: Counter "feedmill_sink_set_aside_total", "Records that a receiver refuses and that are passed over, by sink";
    SINK_LAG: Gauge "feedmill_sink_lag_records", "Positions between a sink's cursor and the end of the outbox";
    SINK_LAG_AGE: Gauge "feedmill_sink_lag_seconds", "Age of the oldest record that a sink has not delivered";
    CONFIG_RELOADS: Counter "feedmill_config_reloads_total", "Times the configuration was read anew, by outcome";
    STORE_WRITABLE: Gauge "feedmill_store_writable", "Whether articles can be stored: 1, or 0 while the store, its disk or its file prevents it";
    FEEDS: Gauge "feedmill_feeds", "Feeds that are polled, by whether the last poll succeeded";
    ENTRIES: Gauge "feedmill_entries", "Entries in the store, by state";
    ARTICLES: Gauge "feedmill_articles", "Articles in the store";
    OUTBOX_SEQ: Gauge "feedmill_outbox_seq", "Highest position in the outbox";
    BUILD_INFO: Gauge "feedmill_build_info", "1, with the version as label";
}

/// The recorder's reading side.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// The recorder of this process, installed by the first call.
    pub fn install() -> Self {
        static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
        let handle = INSTALLED.get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), DURATION_BUCKETS)
                .expect("there are buckets")
                .build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).expect("this is the only place that sets it, and once");
            describe();
            handle
        });
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Self(handle.clone())
    }

    /// Everything in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Keeps the recorder small while nobody scrapes; runs until dropped.
    pub async fn keep_small(&self) {
        let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            ticks.tick().await;
            self.0.run_upkeep();
        }
    }
}

fn describe() {
    for metric in METRICS {
        match metric.kind {
            Kind::Counter => describe_counter!(metric.name, metric.help),
            Kind::Gauge => describe_gauge!(metric.name, metric.help),
            Kind::Histogram => describe_histogram!(metric.name, metric.help),
        }
    }
}

/// Whether articles can be stored now.
pub fn store_writable(is_writable: bool) {
    gauge!(STORE_WRITABLE).set(if is_writable { 1.0 } else { 0.0 });
}

/// How a poll ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// 304, or the same bytes again.
    Unchanged,
    /// A feed was parsed.
    Parsed,
    /// No feed came.
    Failed,
    /// It was no poll: a hub brought it.
    Delivered,
}

/// A feed was polled and brought so many entries.
pub fn feed_polled(poll: Poll, new_entries: u32, updated_entries: u32) {
    let outcome = match poll {
        Poll::Unchanged => "unchanged",
        Poll::Parsed => "parsed",
        Poll::Failed => "failed",
        Poll::Delivered => "delivered",
    };
    counter!(FEED_POLLS, "outcome" => outcome).increment(1);
    counter!(FEED_ENTRIES, "kind" => "new").increment(new_entries.into());
    counter!(FEED_ENTRIES, "kind" => "updated").increment(updated_entries.into());
}

/// A request was answered: with a body of so many bytes, or with "not modified" where `None`.
pub fn fetch_answered(purpose: Purpose, body_bytes: Option<u64>, took: Duration) {
    let purpose = purpose_label(purpose);
    let answer = if body_bytes.is_some() { "body" } else { "not_modified" };
    counter!(FETCH_REQUESTS, "purpose" => purpose, "answer" => answer).increment(1);
    counter!(FETCH_BYTES, "purpose" => purpose).increment(body_bytes.unwrap_or_default());
    histogram!(FETCH_DURATION, "purpose" => purpose).record(took);
}

/// A request failed.
pub fn fetch_failed(purpose: Purpose, kind: FailureKind) {
    counter!(FETCH_FAILURES, "purpose" => purpose_label(purpose), "reason" => kind.as_str()).increment(1);
}

fn purpose_label(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Feed => "feed",
        Purpose::Page => "page",
        Purpose::Hub => "hub",
        Purpose::Webhook => "webhook",
    }
}

/// What became of an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// A new article.
    Created,
    /// Another text of a known article.
    Revised,
    /// A known article was announced once more.
    Linked,
    /// The publisher took the page back.
    Withdrawn,
    /// Nothing new.
    Unchanged,
    /// To be tried again later.
    Postponed,
}

/// An entry's work is stored.
pub fn entry_finished(finished: Finished, duplicate: Option<DuplicateKind>) {
    let outcome = match finished {
        Finished::Created => "created",
        Finished::Revised => "revised",
        Finished::Linked => "linked",
        Finished::Withdrawn => "withdrawn",
        Finished::Unchanged => "unchanged",
        Finished::Postponed => "postponed",
    };
    counter!(ENTRIES_FINISHED, "outcome" => outcome).increment(1);
    if let Some(kind) = duplicate {
        let kind = match kind {
            DuplicateKind::Exact => "exact",
            DuplicateKind::Near => "near",
        };
        counter!(DUPLICATES, "kind" => kind).increment(1);
    }
}

/// An entry was given up.
pub fn entry_dropped(kind: FailureKind) {
    counter!(ENTRIES_DROPPED, "reason" => kind.as_str()).increment(1);
}

/// The feed's own text stands in for a page.
pub fn own_text_used(kind: FailureKind) {
    counter!(OWN_TEXTS, "reason" => kind.as_str()).increment(1);
}

/// An article was extracted.
pub fn extracted(took: Duration) {
    histogram!(EXTRACT_DURATION).record(took);
}

/// So many articles, and pages kept of others, were old enough to go.
pub fn removed(articles: u64, raw_pages: u64) {
    counter!(REMOVED, "kind" => "article").increment(articles);
    counter!(REMOVED, "kind" => "raw_page").increment(raw_pages);
}

/// A hub has delivered something.
pub fn delivered(received: Received) {
    let outcome = match received {
        Received::Taken => "taken",
        Received::NotGenuine => "not_genuine",
        Received::Unknown => "unknown",
        Received::Busy => "busy",
    };
    counter!(DELIVERIES, "outcome" => outcome).increment(1);
}

/// A sink took so many records.
pub fn sink_delivered(sink: &str, records: usize) {
    counter!(SINK_RECORDS, "sink" => sink.to_owned()).increment(records as u64);
}

/// A delivery failed.
pub fn sink_failed(sink: &str) {
    counter!(SINK_FAILURES, "sink" => sink.to_owned()).increment(1);
}

/// A receiver refuses a record.
pub fn sink_set_aside(sink: &str) {
    counter!(SINK_SET_ASIDE, "sink" => sink.to_owned()).increment(1);
}

/// How far a sink is behind.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn sink_lag(sink: &str, records: i64, age: Duration) {
    gauge!(SINK_LAG, "sink" => sink.to_owned()).set(records as f64);
    gauge!(SINK_LAG_AGE, "sink" => sink.to_owned()).set(age.as_secs_f64());
}

/// The configuration was read anew, and taken where it was good.
pub fn config_reloaded(good: bool) {
    counter!(CONFIG_RELOADS, "outcome" => if good { "taken" } else { "refused" }).increment(1);
}

/// Our own network is down: polling pauses.
pub fn network_paused() {
    counter!(NETWORK_PAUSES).increment(1);
}

/// What the store holds now.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn store_totals(totals: &Totals) {
    let succeeding = totals.feeds_active.saturating_sub(totals.feeds_failing);
    gauge!(FEEDS, "state" => "succeeding").set(succeeding as f64);
    gauge!(FEEDS, "state" => "failing").set(totals.feeds_failing as f64);
    gauge!(ENTRIES, "state" => "pending").set(totals.entries_pending as f64);
    gauge!(ENTRIES, "state" => "done").set(totals.entries_done as f64);
    gauge!(ENTRIES, "state" => "failed").set(totals.entries_failed as f64);
    gauge!(ENTRIES, "state" => "quarantined").set(totals.entries_quarantined as f64);
    gauge!(ARTICLES).set(totals.articles as f64);
    gauge!(OUTBOX_SEQ).set(totals.last_seq as f64);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_pattern() {
        for metric in METRICS {
            assert!(metric.name.starts_with("feedmill_"), "{}", metric.name);
            assert_eq!(metric.name.ends_with("_total"), metric.kind == Kind::Counter, "{}", metric.name);
            let has_unit = metric.kind != Kind::Histogram || metric.name.ends_with("_seconds");
            assert!(has_unit, "{}", metric.name);
        }
    }

    #[test]
    fn what_is_counted_is_rendered_with_its_help() {
        let metrics = Metrics::install();
        feed_polled(Poll::Parsed, 3, 1);
        fetch_answered(Purpose::Page, Some(1_000), Duration::from_millis(20));
        fetch_failed(Purpose::Feed, FailureKind::Timeout);
        entry_finished(Finished::Created, Some(DuplicateKind::Near));
        entry_dropped(FailureKind::Http404);
        own_text_used(FailureKind::Challenge);
        extracted(Duration::from_millis(4));
        config_reloaded(false);
        delivered(Received::NotGenuine);
        network_paused();
        store_writable(true);
        sink_delivered("texts", 2);
        sink_failed("texts");
        sink_set_aside("texts");
        sink_lag("texts", 3, Duration::from_millis(1_500));
        removed(2, 0);
        store_totals(&Totals { articles: 7, ..Totals::default() });
        let text = metrics.render();
        for metric in METRICS {
            assert!(
                text.contains(&format!("# HELP {} {}\n", metric.name, metric.help)),
                "{}: {text}",
                metric.name
            );
            assert!(text.contains(&format!("# TYPE {} ", metric.name)), "{}", metric.name);
        }
        assert!(text.contains("feedmill_feed_entries_total{kind=\"new\"} 3\n"), "{text}");
        assert!(
            text.contains("feedmill_fetch_duration_seconds_bucket{purpose=\"page\",le=\"0.025\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("feedmill_articles 7\n"), "{text}");
        assert!(text.contains("feedmill_sink_lag_seconds{sink=\"texts\"} 1.5\n"), "{text}");
    }
}
