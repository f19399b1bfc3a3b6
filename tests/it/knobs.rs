//! Settings whose effect no other module's tests show, and the list of which test covers which setting.

mod effects;
mod limits;
mod sinks;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use feedmill::clock::Clock;
use feedmill::model::DuplicateKind;
use feedmill::store::{Settings, Store};
use jiff::SignedDuration;
use sqlx::{Connection as _, Executor as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::support::daemon::{OpenedDaemon, TestDaemon, feedmill};
use crate::support::database::{Backend, FreshDatabase};
use crate::support::server::{Gate, Reply, Server};
use crate::support::site::{Item, page, rss};

fn feed(items: &[Item]) -> Reply {
    Reply::ok("application/rss+xml", rss(items))
}

fn html(body: impl Into<Vec<u8>>) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
}

/// A feed with one entry.
async fn site(page: Reply) -> Server {
    let server = Server::start().await;
    server.respond("/feed", feed(&[Item::new("One", &server.url("/one"))]));
    server.respond("/one", page);
    server
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_connections_are_opened_than_the_operator_allows() {
    let Some(database) = FreshDatabase::create(Backend::Postgres).await else { return };
    for allowed in [2, 5] {
        let settings = Settings { max_connections: allowed, ..database.settings.clone() };
        let store = Store::open(&settings, Clock::system()).await.unwrap();
        // The lock makes queries wait, so that each holds a connection, and further ones wait for a connection.
        let mut other = sqlx::AnyConnection::connect(settings.url.expose_secret()).await.unwrap();
        other
            .execute(sqlx::raw_sql("BEGIN; LOCK TABLE feeds, feed_details IN ACCESS EXCLUSIVE MODE"))
            .await
            .unwrap();
        let asked = futures_util::future::join_all((0..32).map(|_| store.feeds_known()));
        let counted = async {
            let waiting = "SELECT count(*) FROM pg_stat_activity \
                WHERE datname = current_database() AND wait_event_type = 'Lock'";
            while database.number(waiting).await < i64::from(allowed) {}
            // Further connections would have appeared at once.
            for _ in 0..10 {
                assert_eq!(database.number(waiting).await, i64::from(allowed));
            }
        };
        tokio::select! {
            known = asked => panic!("nothing was locked: {known:?}"),
            () = counted => {}
        }
        other.execute("ROLLBACK").await.unwrap();
        other.close().await.unwrap();
        store.close().await;
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lock_is_waited_for_as_long_as_the_operator_says() {
    let mill = TestDaemon::new().database_lines("busy_timeout_secs = 1").open().await;
    sqlx::any::install_default_drivers();
    let url = format!("sqlite:{}", mill.database_file().display());
    let mut other = sqlx::AnyConnection::connect(&url).await.unwrap();
    other.execute("BEGIN IMMEDIATE").await.unwrap();
    let began = Instant::now();
    let refused = mill.store().feeds_sync(&[], Duration::ZERO).await;
    assert!(refused.is_err(), "another holds the lock");
    assert!(began.elapsed() < Duration::from_secs(9), "{:?}: as if nothing were set", began.elapsed());
    other.execute("ROLLBACK").await.unwrap();
    other.close().await.unwrap();
    mill.store().feeds_sync(&[], Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_host_that_takes_no_connection_is_left_in_time() {
    // A listener with a full queue leaves further connections hanging.
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let _queued = [TcpStream::connect(address).await.unwrap(), TcpStream::connect(address).await.unwrap()];

    let url = format!("http://{address}/feed").parse().unwrap();
    let mill = TestDaemon::new()
        .fetch("connect_timeout_secs = 1\ntimeout_secs = 200")
        .tables("[pipeline]\nlease_secs = 1000");
    let mill = mill.feed(&url).open().await;
    let began = Instant::now();
    mill.once().await;
    assert!(began.elapsed() < Duration::from_secs(100), "neither the whole time nor the system's");
    let feeds = mill.store().feeds_list().await.unwrap();
    assert!(feeds[0].last_error.is_some(), "{feeds:?}");
}

#[tokio::test]
async fn feeds_obey_robots_where_the_operator_wants_it() {
    for (lines, polls) in [("", 1), ("feeds_obey_robots = true", 0)] {
        let server = site(html(page("mooring"))).await;
        server.respond("/robots.txt", Reply::ok("text/plain", "User-agent: *\nDisallow: /feed"));
        let mill = TestDaemon::new().fetch(lines).feed(&server.url("/feed")).open().await;
        mill.once().await;
        assert_eq!(server.requests("/feed").len(), polls, "{lines}");
    }
}

#[tokio::test]
async fn a_move_is_confirmed_after_the_days_that_the_operator_says() {
    for (days, polls_at_home) in [(1, 1), (2, 2)] {
        let server = Server::start().await;
        server.respond("/feed", Reply::redirect(301, "/new"));
        server.respond("/new", feed(&[]));
        let lines = format!("move_confirmation_days = {days}");
        let mill = TestDaemon::new().schedule(&lines).feed(&server.url("/feed")).open().await;
        for _ in 0..5 {
            mill.once().await;
            mill.advance(SignedDuration::from_hours(30));
        }
        assert_eq!(server.requests("/feed").len(), polls_at_home, "{days}");
        assert_eq!(server.requests("/new").len(), 5);
    }
}

#[tokio::test]
async fn no_more_is_in_hand_at_once_than_the_operator_says() {
    for (table, expected) in [
        ("", (4, 4)),
        ("[pipeline]\nfeed_concurrency = 3", (3, 3)),
        ("[pipeline]\npage_concurrency = 2", (4, 2)),
    ] {
        // Each is of another party, since no party may exceed its share.
        let mut servers = Vec::new();
        let mut test = TestDaemon::new().tables(table);
        for host in 1..=4 {
            let server = Server::start_at(&format!("127.0.0.{host}:0")).await;
            server.respond("/feed", feed(&[Item::new("One", &server.url("/one"))]));
            server.respond("/one", html(page(&format!("mooring {host}"))));
            test = test.feed(&server.url("/feed"));
            servers.push(server);
        }
        let mill = test.open().await;
        assert_eq!(mill.daemon.step().await.unwrap(), expected, "{table}");
    }
}

#[tokio::test]
async fn what_a_dead_process_had_in_hand_is_free_after_the_lease() {
    let server = site(html("").gated(&Gate::new())).await;
    server.respond("/one", html(page("mooring")));
    let table = "[pipeline]\nlease_secs = 130";
    let mill = TestDaemon::new().tables(table).feed(&server.url("/feed")).open().await;
    tokio::select! {
        stepped = mill.daemon.step() => panic!("the page has come: {stepped:?}"),
        () = server.arrived("/one", 1) => {}
    }
    mill.advance(SignedDuration::from_secs(125));
    assert_eq!(mill.daemon.step().await.unwrap(), (0, 0), "it is still another's");
    mill.advance(SignedDuration::from_secs(10));
    assert_eq!(mill.daemon.step().await.unwrap(), (0, 1));
    assert_eq!(mill.records().await.len(), 1);
}

#[tokio::test]
async fn a_page_is_given_up_after_the_attempts_that_the_operator_says() {
    async fn turned(table: &str) -> OpenedDaemon {
        let server = site(Reply::status(500)).await;
        let mill = TestDaemon::new().tables(table).feed(&server.url("/feed")).open().await;
        for _ in 0..2 {
            mill.once().await;
            mill.advance(SignedDuration::from_hours(12));
        }
        mill
    }
    assert!(turned("").await.records().await.is_empty(), "it is tried again");
    let given_up = turned("[pipeline]\nmax_entry_attempts = 2").await.records().await;
    assert_eq!(given_up.len(), 1);
    assert_eq!(given_up[0].metadata.title.as_deref(), Some("One"));
}

#[tokio::test]
async fn what_is_a_copy_is_as_the_operator_says() {
    for (table, kind) in [
        ("", Some(DuplicateKind::Near)),
        ("[dedup]\nmin_shingles = 1000", None),
        ("[dedup]\nmin_containment = 1.0", None),
    ] {
        let server = Server::start().await;
        let copy = page("mooring").replacen("before the bells rang", "after the horns blew", 1);
        server.respond("/feed", feed(&[Item::new("One", &server.url("/one"))]));
        server.respond("/copies", feed(&[Item::new("Copy", &server.url("/copy"))]));
        server.respond("/one", html(page("mooring")));
        server.respond("/copy", html(copy));
        let mill = TestDaemon::new()
            .tables(table)
            .feed(&server.url("/feed"))
            .feed(&server.url("/copies"))
            .open()
            .await;
        mill.once().await;
        let records = mill.records().await;
        assert_eq!(records.len(), 2, "{records:?}");
        assert_eq!(records[1].duplicate_kind, kind, "{table}");
    }
}

#[tokio::test]
async fn no_more_redirects_are_followed_than_the_operator_allows() {
    for (lines, entries) in [("", 1), ("max_redirects = 1", 0)] {
        let server = site(html(page("mooring"))).await;
        server.respond("/old", Reply::redirect(302, "/older"));
        server.respond("/older", Reply::redirect(302, "/feed"));
        let mill = TestDaemon::new().fetch(lines).feed(&server.url("/old")).open().await;
        mill.once().await;
        assert_eq!(mill.records().await.len(), entries, "{lines}");
    }
}

#[tokio::test]
async fn no_larger_page_is_read_than_the_operator_allows() {
    for (lines, is_read) in [("", true), ("page_max_body_bytes = 1024", false)] {
        let server = site(html(page("mooring"))).await;
        let mill = TestDaemon::new().fetch(lines).feed(&server.url("/feed")).open().await;
        mill.once().await;
        let records = mill.records().await;
        assert_eq!(records.iter().any(|record| record.text.contains("Paragraph 3")), is_read, "{lines}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn logs_and_sinks_are_as_the_operator_wants_them() {
    let server = Server::start().await;
    let two = [Item::new("One", &server.url("/one")), Item::new("Copy", &server.url("/copy"))];
    server.respond("/feed", feed(&two));
    for path in ["/one", "/copy"] {
        server.respond(path, html(page("mooring")));
    }
    let folder = tempfile::tempdir().unwrap();
    let turned = |lines: &str| {
        let test = TestDaemon::new().tables(lines).feed(&server.url("/feed"));
        let mut program = feedmill(&test.write_config(), &["once"]);
        let output = tokio::task::block_in_place(|| program.output().unwrap());
        (String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    let (out, log) = turned("[log]\nformat = \"json\"\n[[sink]]\nname = \"pipe\"\nstdout = {}");
    assert!(!log.is_empty() && log.lines().all(|line| line.starts_with('{')), "{log}");
    assert_eq!(out.lines().filter(|line| line.contains("\"event\":\"created\"")).count(), 2, "{out}");

    let all = folder.path().join("all");
    let sink = format!("[[sink]]\nname = \"all\"\ntext = {{ to = \"{}\", copies = true }}", all.display());
    let (out, log) = turned(&format!("[log]\nfilter = \"error\"\n{sink}"));
    assert_eq!((out, log), (String::new(), String::new()));
    let files = fs::read_dir(all).unwrap().map(|file| file.unwrap().path());
    let texts = files.filter(|path| path.extension().is_some_and(|extension| extension == "txt"));
    assert_eq!(texts.count(), 2, "the copy too");
}

/// For each setting, the name of the test function that shows its effect. One test may cover all keys of a table that only work
/// together.
const SHOWN_BY: &[(&str, &str)] = &[
    ("include", "feeds_come_from_included_files"),
    ("added_feeds", "feeds_are_added_paused_and_taken_up_in_a_file_of_their_own"),
    ("watch", "changed_files_are_taken_over_where_they_are_watched"),
    ("database.url", "the_lock_holds_whatever_link_leads_to_the_file"),
    ("database.max_connections", "no_more_connections_are_opened_than_the_operator_allows"),
    ("database.busy_timeout_secs", "a_lock_is_waited_for_as_long_as_the_operator_says"),
    ("database.search_index", "without_an_index_there_is_no_search_and_no_index_grows"),
    ("fetch.contact_url", "b28_b29_b31_b32_the_request_to_the_byte"),
    ("fetch.timeout_secs", "an_answer_is_waited_for_as_long_as_the_operator_says"),
    ("fetch.connect_timeout_secs", "a_host_that_takes_no_connection_is_left_in_time"),
    ("fetch.read_timeout_secs", "an_answer_is_waited_for_as_long_as_the_operator_says"),
    ("fetch.max_redirects", "no_more_redirects_are_followed_than_the_operator_allows"),
    ("fetch.feed_max_body_bytes", "b33_an_inflated_body_is_capped"),
    ("fetch.page_max_body_bytes", "no_larger_page_is_read_than_the_operator_allows"),
    ("fetch.host_concurrency", "a_turn_lasts_until_the_body_is_read"),
    ("fetch.host_min_gap_ms", "a_host_is_left_alone_between_requests_for_as_long_as_the_operator_says"),
    ("fetch.retry_after_pauses_host", "b18_a_pause_is_the_hosts_or_the_feeds"),
    ("fetch.pages_obey_robots", "pages_obey_robots_and_feeds_do_not_ask"),
    ("fetch.feeds_obey_robots", "feeds_obey_robots_where_the_operator_wants_it"),
    ("fetch.proxy", "requests_go_through_the_proxy_that_the_operator_names"),
    (
        "fetch.proxy_guards_addresses",
        "a_proxy_of_the_operators_choice_needs_no_permission_but_what_lies_behind_it_does",
    ),
    ("fetch.name_servers", "names_that_hang_hold_up_nobody_else"),
    ("fetch.allow", "a_refused_address_names_the_setting"),
    ("schedule.min_interval_secs", "feeds_are_polled_as_often_as_the_operator_says"),
    ("schedule.max_interval_secs", "feeds_are_polled_as_often_as_the_operator_says"),
    ("schedule.freshness", "feeds_are_polled_as_often_as_the_operator_says"),
    ("schedule.unconditional_bytes_per_day", "what_is_sent_whole_stays_within_the_days_bytes"),
    ("schedule.max_retry_after_secs", "b16_retry_after_is_obeyed_and_capped"),
    ("schedule.initial_spread_secs", "first_polls_are_spread_over_the_time_that_the_operator_says"),
    ("schedule.move_confirmation_days", "a_move_is_confirmed_after_the_days_that_the_operator_says"),
    ("pipeline.feed_concurrency", "no_more_is_in_hand_at_once_than_the_operator_says"),
    ("pipeline.page_concurrency", "no_more_is_in_hand_at_once_than_the_operator_says"),
    ("pipeline.lease_secs", "what_a_dead_process_had_in_hand_is_free_after_the_lease"),
    ("pipeline.max_entry_attempts", "a_page_is_given_up_after_the_attempts_that_the_operator_says"),
    ("pipeline.memory_mb", "no_more_memory_is_in_use_than_the_operator_allows"),
    ("extract.concurrency", "no_more_is_computed_at_once_than_the_operator_says"),
    ("extract.max_pages_per_article", "the_operator_bounds_the_pages"),
    ("extract.timeout_secs", "a_feed_whose_pages_run_out_of_time_rests"),
    ("extract.site_files_dir", "site_files_of_others_are_read_as_far_as_they_are_understood"),
    ("dedup.min_containment", "what_is_a_copy_is_as_the_operator_says"),
    ("dedup.min_shingles", "what_is_a_copy_is_as_the_operator_says"),
    ("dedup.window_days", "copies_are_found_within_the_days_that_the_operator_says"),
    ("articles.recheck", "nothing_is_looked_at_again_unless_the_operator_says_so"),
    ("articles.raw", "pages_are_kept_for_the_days_that_the_operator_says"),
    ("articles.keep_days", "articles_are_kept_for_their_days"),
    ("articles.keep_raw_days", "pages_are_kept_for_the_days_that_the_operator_says"),
    ("http.listen", "the_surface_is_where_the_operator_says_or_nowhere"),
    ("http.metrics_listen", "metrics_are_where_the_operator_says"),
    ("http.hosts", "a_foreign_name_gets_nothing_but_health"),
    ("http.allow_anonymous", "everybody_reads_beyond_loopback_if_the_operator_says_so"),
    ("http.tokens", "where_there_are_tokens_each_permits_what_it_is_for"),
    ("http.tokens.*", "where_there_are_tokens_each_permits_what_it_is_for"),
    ("websub.callback_url", "b36_without_a_callback_no_hub_is_asked"),
    ("websub.listen", "a_running_daemon_is_delivered_to_by_a_hub"),
    ("websub.poll_interval_secs", "b42_leases_are_renewed_and_polling_never_stops"),
    ("websub.lease_secs", "a_hub_is_asked_for_the_lease_that_the_operator_says"),
    ("output.warc_dir", "every_page_is_archived_as_it_came"),
    ("output.warc_max_file_bytes", "archived_files_end_at_the_size_that_the_operator_says"),
    ("lifecycle.stop_timeout_secs", "an_interrupted_round_ends_in_time_and_says_so"),
    ("log.filter", "logs_and_sinks_are_as_the_operator_wants_them"),
    ("log.format", "logs_and_sinks_are_as_the_operator_wants_them"),
    ("telemetry.otlp_endpoint", "a_collector_gets_spans_of_feeds_articles_and_deliveries"),
    ("telemetry.sample_ratio", "the_environment_says_where_traces_go_where_the_file_does_not"),
    ("feed.url", "a_feed_becomes_clean_records_and_files"),
    ("feed.enabled", "feeds_are_added_paused_and_taken_up_in_a_file_of_their_own"),
    ("feed.interval_secs", "feeds_are_polled_as_often_as_their_own_tables_say"),
    ("feed.min_interval_secs", "feeds_are_polled_as_often_as_their_own_tables_say"),
    ("feed.max_interval_secs", "feeds_are_polled_as_often_as_their_own_tables_say"),
    ("feed.freshness", "feeds_are_polled_as_often_as_their_own_tables_say"),
    ("feed.content", "content_feed_fetches_no_page"),
    ("feed.speaks_for", "a_feed_speaks_for_whom_the_operator_says"),
    ("feed.recheck", "nothing_is_looked_at_again_unless_the_operator_says_so"),
    ("feed.raw", "a_rule_is_tried_before_it_is_saved"),
    ("feed.keep_days", "articles_are_kept_for_their_days"),
    ("feed.keep_raw_days", "pages_are_kept_for_the_days_that_the_operator_says"),
    ("feed.keep", "drop_goes_before_keep_and_all_patterns_of_a_rule_must_fit"),
    ("feed.drop", "entries_are_left_out_by_the_feeds_rules_until_those_change"),
    ("feed.tags", "a_feeds_tags_are_in_the_record"),
    ("feed.timeout_secs", "an_answer_is_waited_for_as_long_as_the_operator_says"),
    ("feed.user_agent", "the_operators_options_are_obeyed"),
    ("feed.obey_robots", "pages_obey_robots_and_feeds_do_not_ask"),
    ("feed.proxy", "requests_go_through_the_proxy_that_the_operator_names"),
    ("feed.auth", "secrets_stay_at_the_origin"),
    ("feed.auth.*", "secrets_stay_at_the_origin"),
    ("feed.headers", "secrets_stay_at_the_origin"),
    ("feed.query", "a_secret_in_the_query_is_sent_and_stands_in_no_url"),
    ("sink.name", "a_sink_begins_where_it_is_told_and_takes_what_it_wants"),
    ("sink.from", "a_sink_begins_where_it_is_told_and_takes_what_it_wants"),
    ("sink.pause", "a_sink_begins_where_it_is_told_and_takes_what_it_wants"),
    ("sink.filter", "a_sink_begins_where_it_is_told_and_takes_what_it_wants"),
    ("sink.filter.*", "one_of_the_values_must_fit_and_none_of_the_negated"),
    ("sink.text", "a_feed_becomes_clean_records_and_files"),
    ("sink.text.to", "a_feed_becomes_clean_records_and_files"),
    ("sink.text.copies", "logs_and_sinks_are_as_the_operator_wants_them"),
    ("sink.text.trace", "a_text_file_says_what_it_is_and_what_it_takes_the_place_of"),
    ("sink.text.bucket", "buckets_are_reached_as_the_table_or_else_the_environment_says"),
    ("sink.jsonl", "files_of_records_end_at_the_size_and_the_time_that_the_operator_says"),
    ("sink.jsonl.to", "files_of_records_end_at_the_size_and_the_time_that_the_operator_says"),
    ("sink.jsonl.every", "files_of_records_end_at_the_size_and_the_time_that_the_operator_says"),
    ("sink.jsonl.max_bytes", "files_of_records_end_at_the_size_and_the_time_that_the_operator_says"),
    ("sink.jsonl.bucket", "buckets_are_reached_as_the_table_or_else_the_environment_says"),
    ("sink.parquet", "files_of_records_end_at_the_size_and_the_time_that_the_operator_says"),
    ("sink.parquet.to", "files_of_records_end_at_the_size_and_the_time_that_the_operator_says"),
    ("sink.parquet.every", "files_of_records_end_at_the_size_and_the_time_that_the_operator_says"),
    ("sink.parquet.max_bytes", "files_of_records_end_at_the_size_and_the_time_that_the_operator_says"),
    ("sink.parquet.bucket", "buckets_are_reached_as_the_table_or_else_the_environment_says"),
    ("sink.parquet.bucket.*", "buckets_are_reached_as_the_table_or_else_the_environment_says"),
    ("sink.webhook", "batches_come_in_order_and_signed"),
    ("sink.webhook.url", "records_are_posted_to_the_url"),
    ("sink.webhook.secret", "posts_are_signed_if_there_is_a_secret"),
    ("sink.webhook.auth", "posts_say_who_we_are"),
    ("sink.webhook.headers", "posts_carry_the_operators_headers"),
    ("sink.webhook.max_records", "a_post_holds_as_many_records_as_the_operator_allows"),
    ("sink.webhook.timeout_secs", "a_receiver_that_stalls_is_waited_for_as_long_as_the_operator_says"),
    ("sink.nats", "a_stream_holds_everything_once_however_often_the_relay_dies"),
    ("sink.nats.servers", "any_of_the_servers_will_do"),
    ("sink.nats.subject", "subjects_are_made_of_the_template"),
    ("sink.nats.stream", "a_missing_stream_is_created_as_the_operator_says"),
    ("sink.nats.duplicate_window_secs", "a_missing_stream_is_created_as_the_operator_says"),
    ("sink.nats.credentials", "nats_is_told_who_we_are"),
    ("sink.nats.auth", "a_server_admits_the_operators_password_and_token"),
    ("sink.nats.ca", "a_server_is_trusted_by_the_authority_that_the_operator_names"),
    ("sink.stdout", "logs_and_sinks_are_as_the_operator_wants_them"),
    ("site.host", "a_rule_is_tried_before_it_is_saved"),
    ("site.body", "the_operators_selectors_win"),
    ("site.drop", "a_rule_is_tried_before_it_is_saved"),
    ("site.title", "the_operators_selectors_win"),
    ("site.author", "the_operators_selectors_win"),
    ("site.date", "the_operators_selectors_win"),
    ("site.keep_text", "the_operators_patterns_decide_over_paragraphs"),
    ("site.drop_text", "the_operators_patterns_decide_over_paragraphs"),
];

/// Settings that their test does not name, and why.
const SET_ELSEWHERE: &[(&str, &str)] = &[
    ("added_feeds", "its default is used: added.toml beside the configuration"),
    ("database.url", "each test's store has one, set by the test's database"),
    ("websub.callback_url", "all tests of hubs set it in one function; this one leaves it out"),
    ("websub.listen", "all tests of hubs set it in one function"),
    ("websub.poll_interval_secs", "all tests of hubs set it in one function"),
    ("sink.nats", "the relay's tests build its settings"),
];

/// Returns the settings documented on the configuration page.
fn documented() -> Vec<String> {
    let mut keys = Vec::new();
    let mut section = String::new();
    for line in feedmill::config::reference().lines() {
        let named = |begins: &str| {
            let rest = line.strip_prefix(begins)?;
            rest.split('`').next().map(|name| name.trim_matches(['[', ']']).to_owned())
        };
        if let Some(name) = named("## `").or_else(|| named("Keys of `")) {
            section = name;
        } else if let Some(key) = named("| `") {
            keys.push(if section.is_empty() { key } else { format!("{section}.{key}") });
        }
    }
    keys
}

/// Returns the source texts of all tests, by file.
fn tests() -> Vec<String> {
    fn read(folder: &Path, all: &mut Vec<String>) {
        for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                read(&entry, all);
            } else if entry.extension().is_some_and(|extension| extension == "rs") {
                all.push(fs::read_to_string(entry).unwrap());
            }
        }
    }
    let mut all = Vec::new();
    for folder in ["src", "tests/it"] {
        read(&Path::new(env!("CARGO_MANIFEST_DIR")).join(folder), &mut all);
    }
    all
}

/// Returns the source text of a test function, up to the brace that is indented like it.
fn body<'t>(tests: &'t [String], name: &str) -> Option<&'t str> {
    let head = format!("fn {name}(");
    tests.iter().find_map(|text| {
        let begins = text.find(&head)?;
        let line = text[..begins].rfind('\n').map_or(0, |end| end + 1);
        let indent: String = text[line..].chars().take_while(|next| *next == ' ').collect();
        let length = text[begins..].find(&format!("\n{indent}}}\n"))?;
        Some(&text[begins..begins + length])
    })
}

/// Returns whether a test sets keys of this table of the configuration, in its text or by the method of `TestDaemon` for it.
fn sets_table(body: &str, table: &str) -> bool {
    body.contains(&format!("[{table}]")) || body.contains(&format!(".{table}("))
}

#[test]
fn every_setting_has_a_test_that_shows_what_it_does() {
    let tests = tests();
    let keys = documented();
    assert!(keys.len() > 100, "{keys:?}");
    let covers = |shown: &str, key: &str| match shown.strip_suffix(".*") {
        Some(table) => key.rsplit_once('.').is_some_and(|(of, _)| of == table),
        None => shown == key,
    };
    for key in &keys {
        assert!(
            SHOWN_BY.iter().any(|(shown, _)| covers(shown, key)),
            "no test is named that shows what {key} does"
        );
    }
    for (shown, test) in SHOWN_BY {
        assert!(keys.iter().any(|key| covers(shown, key)), "there is no setting {shown}");
        let body = body(&tests, test).unwrap_or_else(|| panic!("{shown}: there is no test {test}"));
        let name = shown.trim_end_matches(".*").rsplit('.').next().unwrap();
        // A variable of the environment names it in capitals.
        let is_set = body.to_lowercase().contains(name);
        let is_listed = SET_ELSEWHERE.iter().any(|(key, _)| key == shown);
        assert_ne!(is_set, is_listed, "{shown}: either {test} names it, or SET_ELSEWHERE says why not");
        // A key of `[[feed]]` has the same name as the key that it overrides for this feed.
        if let Some((table @ ("articles" | "fetch" | "schedule"), key)) = shown.split_once('.')
            && keys.contains(&format!("feed.{key}"))
        {
            assert!(sets_table(body, table), "{shown}: {test} does not set it in [{table}]");
        }
    }
}
