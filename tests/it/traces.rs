//! Traces as a collector receives them: OTLP over HTTP, decoded with OpenTelemetry's own types.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};
use prost::Message as _;

use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// The name and the attributes of a span.
type Span = (String, BTreeMap<String, String>);

fn attributes(given: &[KeyValue]) -> BTreeMap<String, String> {
    let text = |value: &AnyValue| match &value.value {
        Some(Value::StringValue(text)) => text.clone(),
        Some(Value::IntValue(number)) => number.to_string(),
        other => format!("{other:?}"),
    };
    let value = |pair: &KeyValue| pair.value.as_ref().map(text).unwrap_or_default();
    given.iter().map(|pair| (pair.key.clone(), value(pair))).collect()
}

/// Returns what a collector received: the spans, and the resource attributes of each batch.
fn sent(collector: &Server, path: &str) -> (Vec<Span>, Vec<BTreeMap<String, String>>) {
    let (mut spans, mut senders) = (Vec::new(), Vec::new());
    for request in collector.requests(path) {
        assert_eq!(request.header("content-type"), Some("application/x-protobuf"));
        let batch = ExportTraceServiceRequest::decode(&*request.body).unwrap();
        for of_resource in batch.resource_spans {
            senders.push(attributes(&of_resource.resource.unwrap().attributes));
            for span in of_resource.scope_spans.into_iter().flat_map(|scope| scope.spans) {
                assert!(span.end_time_unix_nano >= span.start_time_unix_nano);
                spans.push((span.name, attributes(&span.attributes)));
            }
        }
    }
    (spans, senders)
}

/// A site with a feed and two pages.
async fn site() -> Server {
    let server = Server::start().await;
    let items = [Item::new("One", &server.url("/one")), Item::new("Two", &server.url("/two"))];
    server.respond("/feed", Reply::ok("text/xml", rss(&items)));
    server.respond("/one", Reply::ok("text/html", page("mooring")));
    server.respond("/two", Reply::ok("text/html", page("dredging")));
    server
}

async fn collector() -> Server {
    let collector = Server::start().await;
    collector.handle(|_| Reply::ok("application/x-protobuf", ""));
    collector
}

/// Polls the site once with the given settings and environment variables.
fn once(site: &Server, settings: &str, variables: &[(&str, &str)]) -> Output {
    let test = TestDaemon::new().feed(&site.url("/feed")).tables(settings);
    let mut program = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    program.arg("--config").arg(test.write_config()).arg("once");
    program.env_clear().envs(variables.iter().copied());
    let output = tokio::task::block_in_place(|| program.output().unwrap());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_gets_spans_of_feeds_articles_and_deliveries() {
    let (site, collector) = (site().await, collector().await);
    let settings =
        format!("[telemetry]\notlp_endpoint = \"{}\"\n[log]\nfilter = \"error\"", collector.url("/"));
    once(&site, &settings, &[("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test")]);

    let (spans, senders) = sent(&collector, "/v1/traces");
    assert!(!senders.is_empty());
    for sender in senders {
        assert_eq!(sender["service.name"], "feedmill");
        assert_eq!(sender["service.version"], env!("CARGO_PKG_VERSION"));
        assert_eq!(sender["deployment.environment.name"], "test");
    }
    let of = |name: &str| spans.iter().filter(|span| span.0 == name).map(|span| &span.1).collect::<Vec<_>>();
    let feed = site.url("/feed").to_string();
    assert_eq!(of("poll").iter().map(|poll| &poll["feed.url"]).collect::<Vec<_>>(), [&feed]);
    let mut pages: Vec<_> = of("article").iter().map(|article| article["page.url"].clone()).collect();
    pages.sort_unstable();
    assert_eq!(pages, [site.url("/one").to_string(), site.url("/two").to_string()]);
    for article in of("article") {
        assert!(article["entry.id"].parse::<i64>().unwrap() > 0);
        assert_eq!(article["feed.url"], feed);
    }
    let delivered: u64 = of("deliver").iter().map(|batch| batch["records"].parse::<u64>().unwrap()).sum();
    assert_eq!(delivered, 2);
    assert!(of("deliver").iter().all(|batch| batch["sink"] == "texts"));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_environment_says_where_traces_go_where_the_file_does_not() {
    let (site, collector) = (site().await, collector().await);
    let (base, whole) = (collector.url("/base/").to_string(), collector.url("/whole").to_string());
    let base = ("OTEL_EXPORTER_OTLP_ENDPOINT", &*base);
    once(
        &site,
        "",
        &[base, ("OTEL_SERVICE_NAME", "mill-7"), ("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme")],
    );
    let (spans, senders) = sent(&collector, "/base/v1/traces");
    assert!(!spans.is_empty());
    assert!(senders.iter().all(|sender| sender["service.name"] == "mill-7"));
    assert_eq!(collector.requests("/base/v1/traces")[0].header("x-tenant"), Some("acme"));

    once(&site, "", &[base, ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", &whole)]);
    assert!(!collector.requests("/whole").is_empty());

    let before = collector.all_requests().len();
    once(&site, "", &[base, ("OTEL_SDK_DISABLED", "true")]);
    once(&site, "[telemetry]\nsample_ratio = 0.0", &[base]);
    once(&site, "", &[base, ("OTEL_TRACES_SAMPLER", "always_off")]);
    assert_eq!(collector.all_requests().len(), before, "nothing is sent");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_collector_that_is_away_or_refuses_harms_nothing_and_is_named_once() {
    let site = site().await;
    let refusing = Server::start().await;
    refusing.handle(|_| Reply::status(503));
    let gone = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let away = format!("http://{}/", gone.local_addr().unwrap());
    drop(gone);
    for endpoint in [away, refusing.url("/").to_string()] {
        let settings = format!("[telemetry]\notlp_endpoint = \"{endpoint}\"");
        // One span per batch, so that more than one export fails.
        let output = once(&site, &settings, &[("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")]);
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(said.matches("cannot deliver traces").count(), 1, "{said}");
        assert!(said.contains(&endpoint) && said.contains("articles=2"), "{said}");
    }
    assert!(refusing.all_requests().len() > 1);
}
