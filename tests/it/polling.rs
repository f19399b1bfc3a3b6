//! What publishers ask of feed pollers, one test per point, run as the whole daemon against a scripted server. Where bytes matter,
//! the tests compare the bytes of the request.
//!
//! | behaviour | test |
//! |---|---|
//! | 1 If-None-Match byte for byte | `validators::b01_b02_validators_go_out_as_they_came` |
//! | 2 If-Modified-Since as received | `validators::b01_b02_validators_go_out_as_they_came` |
//! | 3 validators kept across restarts | `validators::b03_validators_outlive_a_restart` |
//! | 4 first unconditional, second conditional | `validators::b04_the_second_poll_is_conditional` |
//! | 5 a new ETag with the old date | `validators::b05_b06_b07_b08_b09_what_is_kept` |
//! | 6 an identical body with new validators | `validators::b05_b06_b07_b08_b09_what_is_kept` |
//! | 7 304 with and without validators | `validators::b05_b06_b07_b08_b09_what_is_kept` |
//! | 8 200 without validators | `validators::b05_b06_b07_b08_b09_what_is_kept` |
//! | 9 failures do not change validators | `validators::b05_b06_b07_b08_b09_what_is_kept` |
//! | 10 a new URL clears validators | `redirects::b10_b23_a_permanent_move_is_confirmed` |
//! | 11 at most hourly unless an entry is expected sooner, and few bytes a day unconditionally | `timing::b11_no_more_than_hourly_without_news_and_few_bytes_a_day` |
//! | 12 no early poll after a restart | `timing::b12_a_restart_polls_nothing_early` |
//! | 13 no burst at subscription | `timing::b13_no_burst_at_subscription` |
//! | 14 max-age on 200, 304 and 429 | `timing::b14_b15_freshness_is_honoured` |
//! | 15 Age, Expires, Date, no-cache | `timing::b14_b15_freshness_is_honoured` |
//! | 16 Retry-After | `timing::b16_retry_after_is_obeyed_and_capped` |
//! | 17 an error never shortens the interval | `timing::b17_b19_failures_slow_down_and_are_forgiven` |
//! | 18 pauses per host or per feed | `timing::b18_a_pause_is_the_hosts_or_the_feeds`, `timing::b18_a_pages_pause_outlasts_the_process` |
//! | 19 no feed is given up permanently | `timing::b17_b19_failures_slow_down_and_are_forgiven` |
//! | 20 jitter across feeds, gaps within a host | `timing::b20_feeds_drift_apart`, `fetch::hosts::feeds_and_pages_share_a_hosts_turns_and_waiting_costs_no_time` |
//! | 21 ttl, sy:update*, skipHours, skipDays | `timing::b21_the_feeds_own_wishes` |
//! | 22 a distant expiry is capped and overridden | `timing::b22_a_far_expiry_is_capped_and_overridden` |
//! | 23 301 and 308 move a feed after N days if all hops are permanent | `redirects::b10_b23_a_permanent_move_is_confirmed` |
//! | 24 302, 303, 307 never move a feed | `redirects::b24_a_temporary_redirect_moves_nothing` |
//! | 25 410 disables, 404 backs off | `redirects::b25_gone_and_missing` |
//! | 26 loop limit | `redirects::b26_loops_end` |
//! | 27 the address guard at every hop | `redirects::b27_no_hop_leads_inside`, `guard::no_spelling_of_a_special_address_is_reached` |
//! | 28 User-Agent identifies the client | `requests::b28_b29_b31_b32_the_request_to_the_byte` |
//! | 29 no Referer, cookies, cache-busting | `requests::b28_b29_b31_b32_the_request_to_the_byte` |
//! | 30 no invented URLs | `requests::b30_nothing_is_asked_for_that_nobody_named` |
//! | 31 Accept lists feed types | `requests::b28_b29_b31_b32_the_request_to_the_byte` |
//! | 32 gzip at least | `requests::b28_b29_b31_b32_the_request_to_the_byte` |
//! | 33 caps on the inflated stream | `requests::b33_an_inflated_body_is_capped`, `hostile::every_trick_ends_soon_and_a_hundred_good_feeds_go_on`, `hostile::memory::tricks_cost_little_memory_while_a_hundred_good_feeds_go_on` |
//! | 34 one request in flight per feed | `requests::b34_one_request_in_flight_a_feed` |
//! | 35 the HTTP charset applies | `requests::b35_the_http_charset_counts` |
//! | 36 discovery; an HTML page is never a topic | `websub::b36_a_hub_is_found_and_the_header_wins`, `websub::b36_a_page_names_no_hub` |
//! | 37 rel=self that differs from the URL | `websub::b37_the_feeds_own_name_is_the_topic` |
//! | 38 redirects of topic and hub | `websub::b38_topics_and_hubs_redirect` |
//! | 39 a wrong topic | `websub::b39_a_wrong_topic_is_refused` |
//! | 40 unguessable callback | `websub::b40_a_callback_cannot_be_guessed` |
//! | 41 bad or missing HMAC | `websub::b41_only_what_is_signed_is_taken` |
//! | 42 renewal | `websub::b42_leases_are_renewed_and_polling_never_stops`, `websub::daemon::a_running_daemon_is_delivered_to_by_a_hub` |

use feedmill::schedule::Decision;
use feedmill::store::FeedStatus;
use jiff::SignedDuration;

use crate::support::daemon::{OpenedDaemon, TestDaemon};
use crate::support::server::{Reply, Request, Server};
use crate::support::site::{Item, rss};

mod amp;
mod redirects;
mod requests;
mod timing;
mod validators;
mod websub;

/// Longer than any default poll interval.
const LONG: SignedDuration = SignedDuration::from_hours(25);

/// A feed with one entry called `title`, which contains its full text, so that no page is fetched.
fn feed(title: &str) -> Reply {
    Reply::ok("application/rss+xml", rss(&[item(title)]))
}

fn item(title: &str) -> Item {
    Item {
        title: title.to_owned(),
        link: None,
        guid: title.to_owned(),
        content: Some(format!("<p>{title}</p>")),
    }
}

/// Opens a daemon with the feed `/feed` of `server`.
async fn mill(server: &Server) -> OpenedDaemon {
    TestDaemon::new().feed(&server.url("/feed")).open().await
}

/// Returns the status of the feed configured at `path`.
async fn status(mill: &OpenedDaemon, path: &str) -> FeedStatus {
    let feeds = mill.store().feeds_list().await.unwrap();
    feeds.into_iter().find(|feed| feed.configured_url.path() == path).unwrap()
}

/// Returns the wait until the next poll of `/feed`, and what decided it.
async fn wait(mill: &OpenedDaemon) -> (SignedDuration, Decision) {
    let feed = status(mill, "/feed").await;
    (feed.next_poll_at.duration_since(mill.now()), feed.next_poll_decided_by.unwrap())
}

/// Polls once per reply, with enough time between, and returns the requests.
async fn polls(replies: Vec<Reply>) -> Vec<Request> {
    let server = Server::start().await;
    let count = replies.len();
    for reply in replies {
        server.respond("/feed", reply);
    }
    let mill = mill(&server).await;
    for _ in 0..count {
        mill.once().await;
        mill.advance(LONG);
    }
    let requests = server.requests("/feed");
    assert_eq!(requests.len(), count);
    requests
}
