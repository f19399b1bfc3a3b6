//! The settings of the webhook and NATS sinks.

use std::path::Path;
use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::stream::Stream;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tokio_util::sync::CancellationToken;

use super::{feed, html};
use crate::support::daemon::{OpenedDaemon, TestDaemon, feedmill};
use crate::support::nats::{self, Guarded, SIGNED};
use crate::support::server::{Gate, Reply, Request, Server};
use crate::support::site::{Item, page};

const ARTICLES: usize = 3;
/// Time after which a test fails, and between two looks at what it waits for.
const PATIENCE: Duration = Duration::from_mins(2);
const LOOK_INTERVAL: Duration = Duration::from_millis(50);

/// A server with a feed of three articles.
async fn site() -> Server {
    let server = Server::start().await;
    let paths: Vec<String> = (0..ARTICLES).map(|number| format!("/{number}")).collect();
    let items: Vec<Item> = paths.iter().map(|path| Item::new(path, &server.url(path))).collect();
    server.respond("/feed", feed(&items));
    for path in paths {
        server.respond(&path, html(page(&format!("mooring {path}"))));
    }
    server
}

/// A webhook sink that posts to `/hook` of a server.
fn hook(name: &str, server: &Server, keys: &str) -> String {
    format!("[[sink]]\nname = \"{name}\"\n[sink.webhook]\nurl = \"{}\"\n{keys}\n", server.url("/hook"))
}

/// Returns the requests that a webhook with these keys receives.
async fn posted(keys: &str) -> Vec<Request> {
    let server = site().await;
    server.respond("/hook", Reply::status(204));
    let mill = TestDaemon::new().tables(&hook("hook", &server, keys)).feed(&server.url("/feed")).open().await;
    mill.once().await;
    server.requests("/hook")
}

/// Returns the number of records in a request.
fn records(request: &Request) -> usize {
    let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
    body["records"].as_array().unwrap().len()
}

#[tokio::test]
async fn records_are_posted_to_the_url() {
    let server = site().await;
    server.respond("/one", Reply::status(204));
    server.respond("/other", Reply::status(204));
    let sink = |path: &str| hook(path, &server, "").replace("/hook", &format!("/{path}?from=mill"));
    let test = TestDaemon::new().tables(&sink("one")).tables(&sink("other")).feed(&server.url("/feed"));
    test.open().await.once().await;
    for path in ["/one", "/other"] {
        let requests = server.requests(path);
        assert_eq!(requests.iter().map(records).sum::<usize>(), ARTICLES, "{path}");
        assert!(requests.iter().all(|request| request.method == "POST"), "{requests:?}");
        assert!(requests.iter().all(|request| request.target == format!("{path}?from=mill")), "{requests:?}");
    }
}

#[tokio::test]
async fn posts_are_signed_if_there_is_a_secret() {
    for (keys, is_signed) in [("", false), ("secret = \"swordfish\"", true)] {
        let requests = posted(keys).await;
        assert!(!requests.is_empty());
        for request in requests {
            assert_eq!(request.header("webhook-signature").is_some(), is_signed, "{request:?}");
        }
    }
}

#[tokio::test]
async fn posts_say_who_we_are() {
    let basic = format!("Basic {}", BASE64_STANDARD.encode("mill:swordfish"));
    for (keys, expected) in [
        ("", None),
        ("auth = { bearer = \"swordfish\" }", Some("Bearer swordfish")),
        ("auth = { username = \"mill\", password = \"swordfish\" }", Some(basic.as_str())),
    ] {
        let requests = posted(keys).await;
        assert!(!requests.is_empty());
        assert!(requests.iter().all(|request| request.header("authorization") == expected), "{requests:?}");
    }
}

#[tokio::test]
async fn posts_carry_the_operators_headers() {
    for (keys, expected) in [("", None), ("headers = { X-Source = \"the quay\" }", Some("the quay"))] {
        let requests = posted(keys).await;
        assert!(!requests.is_empty());
        assert!(requests.iter().all(|request| request.header("x-source") == expected), "{requests:?}");
    }
}

#[tokio::test]
async fn a_post_holds_as_many_records_as_the_operator_allows() {
    for (keys, expected) in [("", vec![3]), ("max_records = 2", vec![2, 1]), ("max_records = 1", vec![1; 3])]
    {
        let sizes: Vec<usize> = posted(keys).await.iter().map(records).collect();
        assert_eq!(sizes, expected, "{keys}");
    }
}

/// Of two sinks at a receiver that does not answer, only the one with the short time gives up.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_stalls_is_waited_for_as_long_as_the_operator_says() {
    let server = site().await;
    let gate = Gate::new();
    server.respond("/hook", Reply::status(204).gated(&gate));
    let sinks = hook("hasty", &server, "timeout_secs = 1") + &hook("patient", &server, "timeout_secs = 600");
    let test = TestDaemon::new().fetch("read_timeout_secs = 300").tables(&sinks);
    let mill = test.feed(&server.url("/feed")).open().await;
    let stop = CancellationToken::new();
    let watching = async {
        let failed = async {
            let mut looks = tokio::time::interval(LOOK_INTERVAL);
            while error(&mill, "hasty").await.is_none() {
                looks.tick().await;
            }
        };
        tokio::time::timeout(PATIENCE, failed).await.expect("its time limit is a second");
        assert_eq!(error(&mill, "patient").await, None);
        gate.open();
    };
    let (turned, ()) = futures_util::future::join(mill.daemon.once(&stop), watching).await;
    let undelivered = turned.unwrap_err().to_string();
    assert!(undelivered.contains("hasty") && !undelivered.contains("patient"), "{undelivered}");
    let error = error(&mill, "hasty").await.unwrap();
    assert!(error.contains("no complete answer in time"), "{error}");
}

async fn error(mill: &OpenedDaemon, sink: &str) -> Option<String> {
    let sinks = mill.store().sinks_list().await.unwrap();
    sinks.into_iter().find(|status| status.name == sink).unwrap().error
}

/// Delivers three articles to a NATS sink with these servers and keys; returns its stream.
async fn published(server: &str, servers: &str, name: &str, keys: &str) -> Stream {
    let site = site().await;
    let sink = format!(
        "[[sink]]\nname = \"bus\"\n[sink.nats]\nservers = [{servers}]\nstream = \"{name}\"\nsubject = \"{name}.{{event}}\"\n{keys}\n"
    );
    let mill = TestDaemon::new().tables(&sink).feed(&site.url("/feed")).open().await;
    mill.once().await;
    nats::stream(server, name).await
}

#[tokio::test]
async fn any_of_the_servers_will_do() {
    let Some(server) = nats::server() else { return };
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let name = nats::name();
    let stream = published(&server, &format!("\"nats://{nobody}\", {server:?}"), &name, "").await;
    assert_eq!(nats::messages(&stream).await.len(), ARTICLES);
}

#[tokio::test]
async fn subjects_are_made_of_the_template() {
    let Some(server) = nats::server() else { return };
    let site = site().await;
    let name = nats::name();
    let sink = format!(
        "[[sink]]\nname = \"bus\"\n[sink.nats]\nservers = [{server:?}]\nstream = \"{name}\"\n\
         subject = \"{name}.{{event}}.{{tag}}.{{host}}.{{language}}.{{feed}}\"\n"
    );
    let tags = "tags = [\"sea & air\", \"coast\"]";
    let mill = TestDaemon::new().tables(&sink).feed_with(&site.url("/feed"), tags).open().await;
    mill.once().await;
    let language = mill.records().await[0].metadata.language.clone().unwrap_or_else(|| "_".to_owned());
    let feed = format!("127_0_0_1_{}_feed", site.address().port());
    let expected = format!("{name}.created.sea___air.127_0_0_1.{language}.{feed}");
    let messages = nats::messages(&nats::stream(&server, &name).await).await;
    assert_eq!(messages.len(), ARTICLES);
    assert!(messages.iter().all(|(subject, _)| *subject == expected), "{expected}: {messages:?}");
}

#[tokio::test]
async fn a_missing_stream_is_created_as_the_operator_says() {
    let Some(server) = nats::server() else { return };
    for (keys, seconds) in [("", 600), ("duplicate_window_secs = 90", 90)] {
        let name = nats::name();
        let stream = published(&server, &format!("{server:?}"), &name, keys).await;
        let config = &stream.cached_info().config;
        assert_eq!((&config.name, &config.subjects), (&name, &vec![format!("{name}.*")]));
        assert_eq!(config.duplicate_window, Duration::from_secs(seconds), "{keys}");
    }
}

/// A daemon that delivers the articles of `site` to the stream called `name` of a guarded server, with these keys.
fn guarded(server: &Guarded, site: &Server, name: &str, keys: &str) -> TestDaemon {
    TestDaemon::new().feed(&site.url("/feed")).tables(&format!(
        "[[sink]]\nname = \"bus\"\n[sink.nats]\nservers = [\"{}\"]\nstream = \"{name}\"\nsubject = \"{name}.{{event}}\"\n{keys}\n",
        server.url(),
    ))
}

fn trusting(authority: &Path) -> String {
    format!("ca = {{ file = \"{}\" }}", authority.display())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_admits_the_operators_password_and_token() {
    if nats::server().is_none() {
        return;
    }
    let site = site().await;
    let password = ("user: mill, password: swordfish", "username = \"mill\", password");
    let token = ("token: swordfish", "bearer");
    for (login, key) in [password, token] {
        let server = Guarded::start(&format!("authorization {{ {login} }}"));
        let name = nats::name();
        let test = |secret: &str| {
            let keys = format!("auth = {{ {key} = \"{secret}\" }}\n{}", trusting(&server.authority()));
            guarded(&server, &site, &name, &keys)
        };
        let mill = test("salmon").open().await;
        mill.daemon.once(&CancellationToken::new()).await.unwrap_err();
        let error = error(&mill, "bus").await.unwrap();
        assert!(error.contains("cannot connect to NATS: authorization violation"), "{login}: {error}");

        let mill = test("swordfish").open().await;
        mill.once().await;
        let options = ConnectOptions::new();
        let known = match key {
            "bearer" => options.token("swordfish".to_owned()),
            _ => options.user_and_password("mill".to_owned(), "swordfish".to_owned()),
        };
        let stream = server.stream(known, &name).await;
        assert_eq!(nats::messages(&stream).await.len(), ARTICLES, "{login}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_trusted_by_the_authority_that_the_operator_names() {
    if nats::server().is_none() {
        return;
    }
    let (server, site) = (Guarded::start(SIGNED), site().await);
    let name = nats::name();
    let login = format!("credentials = {{ file = {:?} }}", server.credentials());
    let test = |ca: &str| guarded(&server, &site, &name, &format!("{login}\n{ca}"));
    for refused in [String::new(), trusting(&server.other_authority())] {
        let mill = test(&refused).open().await;
        mill.daemon.once(&CancellationToken::new()).await.unwrap_err();
        let error = error(&mill, "bus").await.unwrap();
        assert!(error.contains("cannot connect to NATS") && error.contains("certificate"), "{error}");
        assert!(error.contains("hint: `ca` names the authority"), "{error}");
    }
    let mill = test(&trusting(&server.authority())).open().await;
    mill.once().await;
    let signed = ConnectOptions::new().credentials_file(server.credentials()).await.unwrap();
    assert_eq!(nats::messages(&server.stream(signed, &name).await).await.len(), ARTICLES);

    let wrong = test("ca = \"nats-ca.pem\"");
    let checked = tokio::task::block_in_place(|| {
        feedmill(&wrong.write_config(), &["config", "check"]).output().unwrap()
    });
    let said = String::from_utf8(checked.stderr).unwrap() + &String::from_utf8(checked.stdout).unwrap();
    assert_eq!(checked.status.code(), Some(2), "{said}");
    assert!(said.contains("nats.ca: must be certificates in PEM"), "{said}");
}
