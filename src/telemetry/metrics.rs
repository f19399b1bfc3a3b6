//! Metrics and their names: `feedmill_<noun>_<unit>_total` for counters. Label values are closed sets,
//! never URLs: a thousand feeds must not create a thousand series. A sink's name is a label value: there are only a few sinks.
//!
//! Every series of a closed set starts at 0: if a series appeared with its first increment, Prometheus would see no
//! increase at all, and no alert on it could fire.

use std::sync::OnceLock;
use std::time::Duration;

use metrics::{counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::fetch::Purpose;
use crate::model::{DuplicateKind, FailureKind};
use crate::pipeline::websub::Received;
use crate::store::Totals;

/// Interval at which recorded durations are moved into their buckets when nobody scrapes.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(30);

/// Upper bounds of the buckets for durations, in seconds.
const DURATION_BUCKETS: &[f64] =
    &[0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];

/// Upper bounds of the buckets for the ages of articles, in seconds: one minute to one month.
const AGE_BUCKETS: &[f64] = &[
    60.0,
    120.0,
    300.0,
    600.0,
    900.0,
    1_800.0,
    3_600.0,
    7_200.0,
    14_400.0,
    28_800.0,
    86_400.0,
    172_800.0,
    604_800.0,
    2_592_000.0,
];

/// Type of a metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// A metric: its name, type and HELP text.
#[derive(Debug)]
struct Metric {
    name: &'static str,
    kind: Kind,
    help: &'static str,
}

macro_rules! metrics_table {
    ($($constant:ident: $kind:ident $name:literal, $help:literal;)*) => {
        $(const $constant: &str = $name;)*
        /// All metrics.
        const METRICS: &[Metric] = &[$(Metric { name: $name, kind: Kind::$kind, help: $help },)*];
    };
}

metrics_table! {
    FEED_POLLS: Counter "feedmill_feed_polls_total", "Polls of feeds, by outcome";
    POLL_DURATION: Histogram "feedmill_feed_poll_duration_seconds", "Time from the start of a poll, or the arrival of a delivery, until it is recorded, by outcome";
    FEED_ENTRIES: Counter "feedmill_feed_entries_total", "New and changed entries found by polls, by kind";
    FETCH_REQUESTS: Counter "feedmill_fetch_requests_total", "Requests that were answered, by purpose and answer";
    FETCH_BYTES: Counter "feedmill_fetch_bytes_total", "Bytes of response bodies after decompression, by purpose";
    FETCH_FAILURES: Counter "feedmill_fetch_failures_total", "Requests that failed, by purpose and reason";
    FETCH_DURATION: Histogram "feedmill_fetch_duration_seconds", "Time from a request's turn to the end of its body, by purpose";
    ENTRIES_FINISHED: Counter "feedmill_entries_finished_total", "Entries processed, by outcome";
    ENTRIES_DROPPED: Counter "feedmill_entries_dropped_total", "Entries given up, by reason";
    OWN_TEXTS: Counter "feedmill_own_texts_total", "Articles made from the feed's own text, by the reason why the page was not used";
    EXTRACT_DURATION: Histogram "feedmill_extract_duration_seconds", "Time that a worker took to extract one article";
    ARTICLE_AGE: Histogram "feedmill_article_age_seconds", "Age of a new article when it is stored, by the date in its feed, or else on its page; without those that a feed had when it was first read";
    DUPLICATES: Counter "feedmill_articles_duplicates_total", "Articles linked to an original, by kind";
    REMOVED: Counter "feedmill_removed_total", "Articles and kept pages removed by retention, by kind";
    NETWORK_PAUSES: Counter "feedmill_network_pauses_total", "Times that polling paused because no host could be reached";
    FEED_RESTS: Counter "feedmill_feed_rests_total", "Times that the pages of a feed were paused because they repeatedly exceeded the extraction limit";
    DELIVERIES: Counter "feedmill_websub_deliveries_total", "Deliveries of WebSub hubs, by outcome";
    SINK_RECORDS: Counter "feedmill_sink_records_total", "Records delivered, by sink; repeated deliveries count again";
    SINK_FAILURES: Counter "feedmill_sink_failures_total", "Deliveries that failed, by sink";
    SINK_SET_ASIDE: Counter "feedmill_sink_set_aside_total", "Records skipped because the receiver refused them, by sink";
    SINK_LAG: Gauge "feedmill_sink_lag_records", "Positions between a sink's cursor and the end of the outbox; 0 in a process that does not run the sink";
    SINK_LAG_AGE: Gauge "feedmill_sink_lag_seconds", "Age of the oldest record that a sink has not delivered; 0 in a process that does not run the sink";
    SHARDS_OWNED: Gauge "feedmill_shards_owned", "Shards of hosts, of 1024, that this process owns if several processes share a store";
    TAKEN_OVER: Counter "feedmill_taken_over_total", "Feeds and entries claimed by dead processes that this process released, by kind";
    CONFIG_RELOADS: Counter "feedmill_config_reloads_total", "Configuration reloads, by outcome";
    STORE_WRITABLE: Gauge "feedmill_store_writable", "Whether articles can be stored: 1, or 0 while the store, its disk or its file prevents it";
    OUTPUTS_WRITABLE: Gauge "feedmill_outputs_writable", "Whether the local folders of sinks and archive can be written to: 1, or 0 while one of them is full, missing or refuses files";
    FEEDS: Gauge "feedmill_feeds", "Polled feeds, by the result of the last poll; new: not polled yet";
    ENTRIES: Gauge "feedmill_entries", "Entries in the store, by state";
    ARTICLES: Gauge "feedmill_articles", "Articles in the store";
    OUTBOX_SEQ: Gauge "feedmill_outbox_seq", "Highest position in the outbox";
    BUILD_INFO: Gauge "feedmill_build_info", "1, with the version as label";
}

/// Defines the label values of a closed set, one for each enum variant; a missing variant is a compile error.
macro_rules! label {
    ($word:ident, $all:ident: $type:ty { $($value:ident => $label:literal,)* }) => {
        const $all: &[$type] = &[$(<$type>::$value),*];

        const fn $word(value: $type) -> &'static str {
            match value {
                $(<$type>::$value => $label,)*
            }
        }
    };
}

label! {
    poll_word, POLLS: Poll {
        Unchanged => "unchanged",
        Parsed => "parsed",
        Failed => "failed",
        Delivered => "delivered",
    }
}

label! {
    purpose_word, PURPOSES: Purpose {
        Feed => "feed",
        Page => "page",
        Hub => "hub",
        Webhook => "webhook",
    }
}

label! {
    finished_word, FINISHED: Finished {
        Created => "created",
        Revised => "revised",
        Linked => "linked",
        Withdrawn => "withdrawn",
        Unchanged => "unchanged",
        Postponed => "postponed",
    }
}

label! {
    received_word, RECEIVED: Received {
        Taken => "taken",
        NotGenuine => "not_genuine",
        Unknown => "unknown",
        Busy => "busy",
    }
}

/// Handle for rendering the recorded metrics.
#[derive(Clone, Debug)]
pub struct Metrics(PrometheusHandle);

impl Metrics {
    /// Returns the handle of this process's recorder, which the first call installs.
    pub fn install() -> Self {
        static INSTALLED: OnceLock<PrometheusHandle> = OnceLock::new();
        let handle = INSTALLED.get_or_init(|| {
            let recorder = PrometheusBuilder::new()
                .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), DURATION_BUCKETS)
                .and_then(|builder| {
                    builder.set_buckets_for_metric(Matcher::Full(ARTICLE_AGE.to_owned()), AGE_BUCKETS)
                })
                .expect("there are buckets")
                .build_recorder();
            let handle = recorder.handle();
            metrics::set_global_recorder(recorder).expect("this is the only place that sets it, and once");
            describe();
            begin();
            handle
        });
        gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
        Self(handle.clone())
    }

    /// Renders all metrics in Prometheus's text format.
    pub fn render(&self) -> String {
        self.0.render()
    }

    /// Bounds the recorder's memory while nobody scrapes; runs until dropped.
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

/// Initializes every series of a closed set to 0.
fn begin() {
    for poll in POLLS {
        counter!(FEED_POLLS, "outcome" => poll_word(*poll)).absolute(0);
        // Creating the handle registers the series.
        let _begun = histogram!(POLL_DURATION, "outcome" => poll_word(*poll));
    }
    count_entries(0, 0);
    for purpose in PURPOSES.iter().map(|purpose| purpose_word(*purpose)) {
        for answer in [ANSWERED, NOT_MODIFIED] {
            counter!(FETCH_REQUESTS, "purpose" => purpose, "answer" => answer).absolute(0);
        }
        counter!(FETCH_BYTES, "purpose" => purpose).absolute(0);
        for kind in FailureKind::ALL {
            counter!(FETCH_FAILURES, "purpose" => purpose, "reason" => kind.as_str()).absolute(0);
        }
        let _begun = histogram!(FETCH_DURATION, "purpose" => purpose);
    }
    for finished in FINISHED {
        counter!(ENTRIES_FINISHED, "outcome" => finished_word(*finished)).absolute(0);
    }
    for kind in FailureKind::ALL {
        counter!(ENTRIES_DROPPED, "reason" => kind.as_str()).absolute(0);
        counter!(OWN_TEXTS, "reason" => kind.as_str()).absolute(0);
    }
    let _begun = (histogram!(EXTRACT_DURATION), histogram!(ARTICLE_AGE));
    for kind in DuplicateKind::ALL {
        counter!(DUPLICATES, "kind" => kind.as_str()).absolute(0);
    }
    removed(0, 0);
    taken_over(0, 0);
    counter!(NETWORK_PAUSES).absolute(0);
    counter!(FEED_RESTS).absolute(0);
    for received in RECEIVED {
        counter!(DELIVERIES, "outcome" => received_word(*received)).absolute(0);
    }
    for outcome in [TAKEN, REFUSED] {
        counter!(CONFIG_RELOADS, "outcome" => outcome).absolute(0);
    }
}

/// Initializes the series of a configured sink to 0.
pub fn sink_opened(sink: &str) {
    for name in [SINK_RECORDS, SINK_FAILURES, SINK_SET_ASIDE] {
        counter!(name, "sink" => sink.to_owned()).absolute(0);
    }
}

/// Records whether articles can be stored now.
pub fn store_writable(is_writable: bool) {
    gauge!(STORE_WRITABLE).set(if is_writable { 1.0 } else { 0.0 });
}

/// Records whether all output folders can be written to now.
pub fn outputs_writable(are_writable: bool) {
    gauge!(OUTPUTS_WRITABLE).set(if are_writable { 1.0 } else { 0.0 });
}

/// Outcome of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Poll {
    /// The server answered 304 or sent the same bytes again.
    Unchanged,
    /// A feed was parsed.
    Parsed,
    /// No feed could be fetched and parsed.
    Failed,
    /// Not a poll: a hub delivered the feed.
    Delivered,
}

/// Counts a poll that took `took` until it was recorded, and its new and updated entries.
pub fn feed_polled(poll: Poll, new_entries: u32, updated_entries: u32, took: Duration) {
    counter!(FEED_POLLS, "outcome" => poll_word(poll)).increment(1);
    histogram!(POLL_DURATION, "outcome" => poll_word(poll)).record(took);
    count_entries(new_entries, updated_entries);
}

fn count_entries(new: u32, updated: u32) {
    counter!(FEED_ENTRIES, "kind" => "new").increment(new.into());
    counter!(FEED_ENTRIES, "kind" => "updated").increment(updated.into());
}

/// Values of the label `answer`.
const ANSWERED: &str = "body";
const NOT_MODIFIED: &str = "not_modified";

/// Counts an answered request; `body_bytes` is `None` for "not modified".
pub fn fetch_answered(purpose: Purpose, body_bytes: Option<u64>, took: Duration) {
    let purpose = purpose_word(purpose);
    let answer = if body_bytes.is_some() { ANSWERED } else { NOT_MODIFIED };
    counter!(FETCH_REQUESTS, "purpose" => purpose, "answer" => answer).increment(1);
    counter!(FETCH_BYTES, "purpose" => purpose).increment(body_bytes.unwrap_or_default());
    histogram!(FETCH_DURATION, "purpose" => purpose).record(took);
}

/// Counts a failed request.
pub fn fetch_failed(purpose: Purpose, kind: FailureKind) {
    counter!(FETCH_FAILURES, "purpose" => purpose_word(purpose), "reason" => kind.as_str()).increment(1);
}

/// Outcome of processing an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Finished {
    /// A new article.
    Created,
    /// A new revision of a known article.
    Revised,
    /// Another mention of a known article.
    Linked,
    /// The publisher withdrew the page.
    Withdrawn,
    /// Nothing new.
    Unchanged,
    /// To be retried later.
    Postponed,
}

/// Counts an entry whose result was stored.
pub fn entry_finished(finished: Finished, duplicate: Option<DuplicateKind>) {
    counter!(ENTRIES_FINISHED, "outcome" => finished_word(finished)).increment(1);
    if let Some(kind) = duplicate {
        counter!(DUPLICATES, "kind" => kind.as_str()).increment(1);
    }
}

/// Counts an entry that was given up.
pub fn entry_dropped(kind: FailureKind) {
    counter!(ENTRIES_DROPPED, "reason" => kind.as_str()).increment(1);
}

/// Counts an article made from the feed's own text instead of its page.
pub fn own_text_used(kind: FailureKind) {
    counter!(OWN_TEXTS, "reason" => kind.as_str()).increment(1);
}

/// Records how long the extraction of an article took.
pub fn extracted(took: Duration) {
    histogram!(EXTRACT_DURATION).record(took);
}

/// Records the age of a new article.
pub fn article_stored(age: Duration) {
    histogram!(ARTICLE_AGE).record(age);
}

/// Counts articles, and raw pages of other articles, removed for their age.
pub fn removed(articles: u64, raw_pages: u64) {
    counter!(REMOVED, "kind" => "article").increment(articles);
    counter!(REMOVED, "kind" => "raw_page").increment(raw_pages);
}

/// Counts feeds and entries taken over from dead processes.
pub fn taken_over(feeds: u64, entries: u64) {
    counter!(TAKEN_OVER, "kind" => "feed").increment(feeds);
    counter!(TAKEN_OVER, "kind" => "entry").increment(entries);
}

/// Records how many shards this process owns.
pub fn shards_owned(shards: u16) {
    gauge!(SHARDS_OWNED).set(shards);
}

/// Counts a delivery from a hub.
pub fn delivered(received: Received) {
    counter!(DELIVERIES, "outcome" => received_word(received)).increment(1);
}

/// Counts records delivered to a sink.
pub fn sink_delivered(sink: &str, records: usize) {
    counter!(SINK_RECORDS, "sink" => sink.to_owned()).increment(records as u64);
}

/// Counts a failed delivery.
pub fn sink_failed(sink: &str) {
    counter!(SINK_FAILURES, "sink" => sink.to_owned()).increment(1);
}

/// Counts a record that the receiver refuses.
pub fn sink_set_aside(sink: &str) {
    counter!(SINK_SET_ASIDE, "sink" => sink.to_owned()).increment(1);
}

/// Records how far a sink lags behind the outbox.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn sink_lag(sink: &str, records: i64, age: Duration) {
    gauge!(SINK_LAG, "sink" => sink.to_owned()).set(records as f64);
    gauge!(SINK_LAG_AGE, "sink" => sink.to_owned()).set(age.as_secs_f64());
}

/// Sets the lag of a sink to 0: a series cannot be removed, and a sink that was removed, or that another process runs, does not
/// lag in this process.
pub fn sink_retired(sink: &str) {
    sink_lag(sink, 0, Duration::ZERO);
}

/// Values of the label `outcome` for reloads.
const TAKEN: &str = "taken";
const REFUSED: &str = "refused";

/// Counts a reload of the configuration, which is applied if it is `good`.
pub fn config_reloaded(good: bool) {
    counter!(CONFIG_RELOADS, "outcome" => if good { TAKEN } else { REFUSED }).increment(1);
}

/// Counts a pause of polling because our own network is down.
pub fn network_paused() {
    counter!(NETWORK_PAUSES).increment(1);
}

/// Counts a feed whose pages repeatedly exceed the work limit: its next pages are postponed.
pub fn feed_rests() {
    counter!(FEED_RESTS).increment(1);
}

/// Records the current totals of the store.
#[expect(clippy::cast_precision_loss, reason = "counts stay far below 2^52")]
pub fn store_totals(totals: &Totals) {
    gauge!(FEEDS, "state" => "new").set(totals.feeds_new as f64);
    gauge!(FEEDS, "state" => "succeeding").set(totals.feeds_succeeding() as f64);
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

    /// Returns the names of the series used in a Prometheus expression.
    fn names_in(rules: &str) -> impl Iterator<Item = &str> {
        rules
            .split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
            .filter(|word| word.starts_with("feedmill_"))
    }

    #[test]
    fn alerts_ask_for_metrics_that_exist() {
        let rules = include_str!("../../deploy/alerts.yaml");
        for name in names_in(rules) {
            assert!(METRICS.iter().any(|metric| metric.name == name), "{name}");
        }
        assert!(names_in(rules).count() > 5);
    }

    #[test]
    fn the_dashboard_asks_for_metrics_that_exist() {
        let board: serde_json::Value =
            serde_json::from_str(include_str!("../../deploy/dashboard.json")).unwrap();
        let targets =
            board["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
        let exprs: Vec<&str> = targets.flatten().map(|target| target["expr"].as_str().unwrap()).collect();
        assert!(exprs.len() > 20, "{exprs:?}");
        for name in exprs.iter().flat_map(|expr| names_in(expr)) {
            let is_of = |metric: &Metric| {
                let series = name.strip_prefix(metric.name);
                series == Some("") || (metric.kind == Kind::Histogram && series == Some("_bucket"))
            };
            assert!(METRICS.iter().any(is_of), "{name}");
        }
    }

    #[test]
    fn every_series_of_a_closed_set_is_there_from_the_start() {
        let text = Metrics::install().render();
        for metric in METRICS {
            let begins_later = metric.kind == Kind::Gauge && metric.name != BUILD_INFO
                || metric.name.starts_with("feedmill_sink_");
            let series = |line: &str| line.starts_with(metric.name);
            assert!(begins_later || text.lines().any(series), "{}: {text}", metric.name);
        }
        let reasons = text.lines().filter(|line| line.starts_with(FETCH_FAILURES)).count();
        assert_eq!(reasons, PURPOSES.len() * FailureKind::ALL.len());
        assert!(text.contains("feedmill_config_reloads_total{outcome=\"refused\"} "), "{text}");
    }

    #[test]
    fn what_is_counted_is_rendered_with_its_help() {
        let metrics = Metrics::install();
        sink_opened("texts");
        feed_polled(Poll::Parsed, 3, 1, Duration::from_millis(40));
        article_stored(Duration::from_hours(3));
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
        outputs_writable(true);
        sink_delivered("texts", 2);
        sink_failed("texts");
        sink_set_aside("texts");
        sink_lag("texts", 3, Duration::from_millis(1_500));
        removed(2, 0);
        shards_owned(512);
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
        assert!(
            text.contains("feedmill_feed_poll_duration_seconds_bucket{outcome=\"parsed\",le=\"0.05\"} 1\n"),
            "{text}"
        );
        assert!(text.contains("feedmill_article_age_seconds_bucket{le=\"7200\"} 0\n"), "{text}");
        assert!(text.contains("feedmill_article_age_seconds_bucket{le=\"14400\"} 1\n"), "{text}");
        assert!(text.contains("feedmill_articles 7\n"), "{text}");
        assert!(text.contains("feedmill_sink_lag_seconds{sink=\"texts\"} 1.5\n"), "{text}");
    }
}
