//! The furniture learned of a host, the button to forget it, and the operator's rules for a host.

use feedmill::model::BlockHash;
use serde_json::Value;

use super::{Bench, Mill, on_both, send, words};
use crate::support::running::Running;
use crate::support::server::{Gate, Reply};
use crate::support::site::{Item, page, rss};

on_both!(
    a_text_of_a_host_can_be_forgotten_and_learned_again,
    a_selector_that_matches_on_no_page_is_said_in_the_log_and_on_the_overview,
);

const TOKENS: &str =
    r#"tokens = [{ name = "ada", role = "operator", secret = "the secret of the operator" }]"#;

async fn a_text_of_a_host_can_be_forgotten_and_learned_again(bench: &Bench) {
    let server = &bench.server;
    let topics = ["mooring", "dredging", "salvage", "towing"];
    let items: Vec<Item> =
        topics.iter().map(|topic| Item::new(topic, &server.url(&format!("/{topic}")))).collect();
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    server.handle(|request| Reply::ok("text/html", page(&request.path()[1..])));
    let mill = Mill::start(bench.daemon().feed(&server.url("/feed")).http(TOKENS)).await;
    let ada = [("Authorization", "Bearer the secret of the operator")];
    let show = async || mill.get("/sites/127.0.0.1", &ada).await.body;
    let html = show().await;
    let said = words(&html);
    assert!(said.contains("more than one of 4 articles of this host"), "{said}");
    assert!(said.contains("Copyright Harbour Gazette 4 of 4"), "{said}");
    assert!(!said.contains("Paragraph 3 of the account of mooring"), "seen once: {said}");
    assert!(words(&mill.get("/sites?q=127.0", &ada).await.body).contains("127.0.0.1 4"));

    let row = html.split("<tr>").find(|row| row.contains("Copyright Harbour Gazette")).unwrap();
    let block = row.split("name=\"block\" value=\"").nth(1).unwrap().split('"').next().unwrap();
    let hash = BlockHash(block.parse().unwrap());
    let seen = async || {
        let evidence = mill.store().site_evidence("127.0.0.1").await.unwrap();
        evidence.articles_by_block.get(&hash).copied()
    };
    assert_eq!(seen().await, Some(4));
    for (forgotten, expected, state) in [("true", None, "Learn"), ("false", Some(4), "Forget")] {
        let form = format!("block={block}&forgotten={forgotten}");
        let answer = mill.post("/sites/127.0.0.1/forget", &ada, &form).await;
        assert_eq!(
            (answer.status, answer.header("location")),
            (303, "/sites/127%2E0%2E0%2E1"),
            "{}",
            answer.body
        );
        assert_eq!(seen().await, expected);
        assert!(show().await.contains(&format!("aria-label=\"{state}: Copyright Harbour Gazette\"")));
    }
    assert_eq!(mill.post("/sites/127.0.0.1/forget", &ada, "block=1&forgotten=true").await.status, 404);
    assert_eq!(mill.post("/sites/127.0.0.1/forget", &ada, "block=x").await.status, 400);
    mill.stop().await;
}

async fn a_selector_that_matches_on_no_page_is_said_in_the_log_and_on_the_overview(bench: &Bench) {
    /// The number of pages after which it is said.
    const PAGES: usize = 20;
    let server = &bench.server;
    let last = Gate::new();
    let paths: Vec<String> = (1..=PAGES).map(|n| format!("/topic{n}")).collect();
    let items: Vec<Item> = paths.iter().map(|path| Item::new(path, &server.url(path))).collect();
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    let html = |topic: &str| Reply::ok("text/html", page(topic));
    server.respond(&paths[0], html("topic1").gated(&last));
    server.handle(move |request| html(&request.path()[1..]));
    let rules = "[[site]]\nhost = \"127.0.0.1\"\ndrop = [\".nothing\", \"footer\"]";
    let daemon = bench.daemon().tables(rules).feed(&server.url("/feed"));
    let config = daemon.write_config();
    let running = tokio::task::block_in_place(|| Running::start(&config));
    let overview = async || words(&send(running.address, "GET", "/", &[], "").await.body);
    let articles = async || {
        let records = send(running.address, "GET", "/v1/articles?limit=1000", &[], "").await.body;
        records.lines().filter(|line| line.starts_with('{')).count()
    };
    while articles().await < PAGES - 1 {
        tokio::task::yield_now().await;
    }
    let said = overview().await;
    assert!(!said.contains("matched nothing"), "{said}");
    last.open();
    while articles().await < PAGES {
        tokio::task::yield_now().await;
    }
    let said = overview().await;
    let rule = "site 127.0.0.1: drop: \".nothing\" has matched nothing so far";
    assert!(said.contains(&format!("{rule}: feedmill extract --explain URL shows the blocks")), "{said}");
    assert!(!said.contains("\"footer\""), "{said}");

    let log = tokio::task::block_in_place(|| running.stop());
    let warnings: Vec<Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let warnings: Vec<&Value> = warnings.iter().filter(|line| line["level"] == "WARN").collect();
    let said = |line: &&&Value| line["message"].as_str().unwrap().contains("matched nothing");
    let [warning] = warnings.iter().filter(said).collect::<Vec<_>>()[..] else { panic!("{warnings:?}") };
    assert_eq!(warning["message"], format!("{rule}; hint: `feedmill extract --explain URL`"));
    assert_eq!(warning["pages"], PAGES);
}
