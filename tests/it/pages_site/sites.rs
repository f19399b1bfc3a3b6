//! The furniture learned of a host, and the button to forget it.

use feedmill::model::BlockHash;

use super::{Bench, Mill, on_both, words};
use crate::support::server::Reply;
use crate::support::site::{Item, page, rss};

on_both!(a_text_of_a_host_can_be_forgotten_and_learned_again);

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
