//! Full-text search, on the page and in the API.

use feedmill::store::Cutoff;
use jiff::SignedDuration;
use serde_json::Value;

use super::{Bench, Mill, on_both, words};
use crate::support::server::Reply;
use crate::support::site::{Item, page, rss};

on_both!(
    articles_are_found_by_their_words,
    the_index_follows_revisions_withdrawals_and_removals,
    what_is_older_than_the_index_is_added,
    without_an_index_there_is_no_search_and_no_index_grows,
);

fn html(body: impl Into<Vec<u8>>) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
}

/// Returns the headlines of the matches.
async fn found(mill: &Mill, query: &str) -> Vec<String> {
    let query: String = url::form_urlencoded::byte_serialize(query.as_bytes()).collect();
    let answer = mill.get(&format!("/v1/search?q={query}"), &[]).await;
    assert_eq!(answer.status, 200, "{}", answer.body);
    let answer: Value = serde_json::from_str(&answer.body).unwrap();
    let articles = answer["articles"].as_array().unwrap().iter();
    articles.map(|article| article["title"].as_str().unwrap().to_owned()).collect()
}

async fn mill_of(bench: &Bench, pages: &[(&str, String)], options: &str) -> Mill {
    let server = &bench.server;
    let items: Vec<Item> = pages.iter().map(|(path, _)| Item::new(path, &server.url(path))).collect();
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    for (path, body) in pages {
        server.respond(path, html(body.clone()));
    }
    Mill::start(bench.daemon().feed_with(&server.url("/feed"), options)).await
}

async fn articles_are_found_by_their_words(bench: &Bench) {
    let café = page("dredging").replace("Paragraph 3", "港湾の船は夜に出る。 L’Été at the Café, paragraph 3");
    let mill = mill_of(bench, &[("/one", page("mooring")), ("/two", café)], "").await;
    let both = 2;
    assert_eq!(found(&mill, "paragraph account").await.len(), both);
    for (query, expected) in [
        ("mooring", "The mooring affair"),
        ("MOORING affair", "The mooring affair"),
        ("moor*", "The mooring affair"),
        ("paragraph -mooring", "The dredging affair"),
        ("\"account of dredging\"", "The dredging affair"),
        ("cafe", "The dredging affair"),
        ("ÉTÉ", "The dredging affair"),
        ("船は夜", "The dredging affair"),
    ] {
        assert_eq!(found(&mill, query).await, [expected], "{query}");
    }
    for nothing in
        ["moor", "\"dredging of account\"", "夜船", "mooring dredging", "mooring -affair", "' OR 1=1 --"]
    {
        assert!(found(&mill, nothing).await.is_empty(), "{nothing}");
    }
    let first = mill.get("/v1/search?q=paragraph&limit=1", &[]).await;
    let first: Value = serde_json::from_str(&first.body).unwrap();
    let second = mill.get(&format!("/v1/search?q=paragraph&limit=1&before={}", first["next"]), &[]).await;
    let second: Value = serde_json::from_str(&second.body).unwrap();
    assert_ne!(first["articles"][0]["id"], second["articles"][0]["id"]);
    assert!(first["articles"][0]["excerpt"].as_str().unwrap().to_lowercase().contains("paragraph"));
    assert_eq!(mill.get("/v1/search?q=", &[]).await.status, 400);

    let html = mill.page("/search?q=cafe").await;
    assert!(html.contains("<mark>Café</mark>"), "{html}");
    assert!(words(&mill.page("/search?q=zeppelin").await).contains("Nothing was found."));
    assert!(words(&mill.page("/search?q=-x").await).contains("no word to look for"));
    mill.stop().await;
}

async fn the_index_follows_revisions_withdrawals_and_removals(bench: &Bench) {
    let server = &bench.server;
    server.respond("/one", html(page("mooring")));
    let items = [Item::new("One", &server.url("/one"))];
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    server.respond("/one", html(page("mooring").replace("bells rang", "horns blew")));
    server.respond("/one", Reply::status(410));
    let options = "recheck = [\"1h\", \"2h\"]\ninterval_secs = 2000000";
    let daemon = bench.daemon().feed_with(&server.url("/feed"), options).open().await;
    daemon.once().await;
    let mill = Mill::open(daemon).await;
    let both = async |mill: &Mill| (found(mill, "bells").await.len(), found(mill, "horns").await.len());
    assert_eq!(both(&mill).await, (1, 0));
    mill.daemon.advance(SignedDuration::from_hours(1));
    let mill = mill.restarted_with(|test| test).await;
    assert_eq!(both(&mill).await, (0, 1), "the text of now");
    mill.daemon.advance(SignedDuration::from_hours(1));
    let mill = mill.restarted_with(|test| test).await;
    assert_eq!(both(&mill).await, (0, 0), "withdrawn");

    server.respond("/feed2", Reply::ok("application/rss+xml", rss(&[Item::new("Two", &server.url("/two"))])));
    server.respond("/two", html(page("dredging")));
    let mill = mill.restarted_with(|test| test.feed(&server.url("/feed2"))).await;
    assert_eq!(found(&mill, "bells").await.len(), 1);
    let feeds = mill.store().feeds_known().await.unwrap();
    let before = mill.daemon.now() + SignedDuration::from_secs(1);
    let cutoffs: Vec<Cutoff> =
        feeds.iter().map(|(feed_id, _)| Cutoff { feed_id: *feed_id, before }).collect();
    assert_eq!(mill.store().articles_remove(&cutoffs, &[]).await.unwrap(), 2);
    assert!(found(&mill, "bells").await.is_empty(), "removed");
    mill.stop().await;
}

async fn what_is_older_than_the_index_is_added(bench: &Bench) {
    let mill = mill_of(bench, &[("/one", page("mooring")), ("/two", page("dredging"))], "").await;
    bench.database.execute("DELETE FROM article_words").await;
    bench.database.execute("UPDATE counters SET value = 2 WHERE name = 'search_backlog'").await;
    assert!(found(&mill, "affair").await.is_empty());
    assert!(words(&mill.page("/search").await).contains("Up to 2 older articles are not in the index yet."));
    assert!(!mill.store().search_catch_up().await.unwrap());
    assert_eq!(mill.store().search_backlog().await.unwrap(), Some(0));
    assert_eq!(found(&mill, "affair").await.len(), 2);
    mill.stop().await;
}

async fn without_an_index_there_is_no_search_and_no_index_grows(bench: &Bench) {
    let server = &bench.server;
    let mill = mill_of(bench, &[("/one", page("mooring"))], "").await;
    assert_eq!(found(&mill, "affair").await.len(), 1);

    // Index off: existing words are deleted, none are added, and both page and API report that search is off.
    server.respond("/feed2", Reply::ok("application/rss+xml", rss(&[Item::new("Two", &server.url("/two"))])));
    server.respond("/two", html(page("dredging")));
    let mill = mill
        .restarted_with(|test| test.database_lines("search_index = false").feed(&server.url("/feed2")))
        .await;
    assert_eq!(mill.store().search_backlog().await.unwrap(), None);
    assert!(!mill.store().search_catch_up().await.unwrap());
    assert_eq!(bench.database.number("SELECT count(*) FROM article_words").await, 0);
    let refused = mill.get("/v1/search?q=affair", &[]).await;
    assert_eq!(refused.status, 501);
    assert!(refused.body.contains("database.search_index"), "{}", refused.body);
    let said = words(&mill.page("/search?q=affair").await);
    assert!(said.contains("Search is off"), "{said}");

    // On again: all articles are indexed gradually.
    let mill = mill.restarted_with(|test| test.database_lines("")).await;
    while mill.store().search_catch_up().await.unwrap() {}
    assert_eq!(mill.store().search_backlog().await.unwrap(), Some(0));
    assert_eq!(found(&mill, "affair").await.len(), 2);
    mill.stop().await;
}
