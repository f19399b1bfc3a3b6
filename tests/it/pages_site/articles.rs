//! An article's page and its comparisons with revisions and copies.

use jiff::SignedDuration;
use serde_json::Value;

use super::{Bench, Mill, on_both, words};
use crate::support::server::Reply;
use crate::support::site::{Item, page, paragraphs, rss};

on_both!(
    what_comes_from_outside_is_escaped,
    an_article_shows_its_blocks_each_with_its_rule,
    a_text_of_other_pages_is_shown_with_their_number,
    revisions_and_copies_are_compared_by_word,
);

fn html(body: impl Into<Vec<u8>>) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
}

async fn what_comes_from_outside_is_escaped(bench: &Bench) {
    let server = &bench.server;
    let shown = "Tide &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;tar&quot;";
    let hostile = page("mooring")
        .replace("The mooring affair", shown)
        .replace("Paragraph 2", "&lt;/p&gt;&lt;img src=x onerror=alert(2)&gt; Paragraph 2");
    let title = "Feed &lt;img src=x onerror=alert(3)&gt;";
    let feed = rss(&[Item::new("One", &server.url("/one?a=%22%3E%3Cscript%3E"))]);
    let feed = feed.replace("<title>Harbour Gazette</title>", &format!("<title>{title}</title>"));
    server.respond("/feed", Reply::ok("application/rss+xml", feed));
    server.handle(move |_| html(hostile.clone()));
    let mill = Mill::start(bench.daemon().feed(&server.url("/feed"))).await;
    let record = mill.daemon.records().await.remove(0);
    assert!(record.metadata.title.as_deref().unwrap().contains("<script>"), "{:?}", record.metadata.title);
    assert!(record.text.contains("<img src=x"), "{}", record.text);
    for path in [
        "/".to_owned(),
        "/feeds".to_owned(),
        "/feeds?q=%22%3E%3Cscript%3Ealert(4)".to_owned(),
        "/feeds/1".to_owned(),
        format!("/articles/{}", record.id),
        "/search?q=tide".to_owned(),
        "/search?q=%22%3E%3Cscript%3Ealert(5)".to_owned(),
        "/sites/127.0.0.1".to_owned(),
        "/sites?q=%22%3E%3Cscript%3E".to_owned(),
    ] {
        let html = mill.page(&path).await;
        assert!(!html.contains("<script") && !html.contains("<img"), "{path}: {html}");
    }
    let html = mill.page(&format!("/articles/{}", record.id)).await;
    assert!(html.contains("Tide &lt;script&gt;alert(1)&lt;/script&gt; &amp; &quot;tar&quot;"), "{html}");
    assert!(html.contains("rel=\"noreferrer noopener\""), "{html}");
    mill.stop().await;
}

async fn an_article_shows_its_blocks_each_with_its_rule(bench: &Bench) {
    let server = &bench.server;
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&[Item::new("One", &server.url("/one"))])));
    server.respond("/one", html(page("mooring")));
    for (raw, said) in [("none", "As recorded at extraction"), ("keep", "The kept page, extracted")] {
        let feed = server.url("/feed");
        let daemon = match raw {
            "none" => bench.daemon().feed(&feed),
            _ => crate::support::daemon::TestDaemon::new().feed_with(&feed, "raw = \"keep\""),
        };
        let daemon = daemon.tables("[[site]]\nhost = \"127.0.0.1\"\nkeep_text = [\"^Copyright Harbour\"]");
        let mill = Mill::start(daemon).await;
        let record = mill.daemon.records().await.remove(0);
        let html = mill.page(&format!("/articles/{}", record.id)).await;
        assert!(html.contains(said), "{html}");
        let blocks = html.split("<ol class=\"blocks\"").nth(1).unwrap().split("</ol>").next().unwrap();
        let lines: Vec<String> =
            blocks.split("<li").skip(1).map(|block| words(&format!("<li{block}"))).collect();
        let at = |start: &str| {
            let found = lines.iter().position(|line| line.starts_with(start));
            found.unwrap_or_else(|| panic!("{start}: {lines:?}"))
        };
        let (first, last) = (&paragraphs("mooring")[0], &paragraphs("mooring")[5]);
        assert!(
            at("Home Tides dropped: ") < at(&first[..60]) && at(&first[..60]) < at(&last[..60]),
            "{lines:?}"
        );
        assert!(
            at(&last[..60]) < at("Sign up for our newsletter and never miss a tide. dropped: "),
            "{lines:?}"
        );
        assert!(words(&html).contains(&record.text.split("\n\n").next().unwrap()[..80]));
        assert!(words(&html).contains("Announced by http://127.0.0.1"), "{html}");
        let account = mill.get(&format!("/v1/articles/{}/account", record.id), &[]).await;
        let account: Value = serde_json::from_str(&account.body).unwrap();
        let blocks = account["blocks"].as_array().unwrap();
        assert_eq!(blocks.len(), lines.len(), "the API has the page's blocks: {account}");
        for (block, line) in blocks.iter().zip(&lines) {
            let text = block["text"].as_str().unwrap().split_whitespace().collect::<Vec<_>>().join(" ");
            assert!(line.starts_with(&text), "{block}: {line}");
            assert_eq!(block["kept"] == false, line.contains(" dropped: "), "{block}: {line}");
            let is_explained = block["kept"] == true && block["rule"].is_string() && block["rule"] != "body";
            assert_eq!(is_explained, line.contains(" kept: "), "{block}: {line}");
            let is_known = block["kept"] == false || raw == "keep";
            assert_eq!(block["rule"].is_string(), is_known, "{block}");
        }
        let kept_by_operator = "Copyright Harbour Gazette kept: matches the operator's keep_text";
        assert_eq!(lines.iter().any(|line| line == kept_by_operator), raw == "keep", "{lines:?}");
        let source = if raw == "keep" { "kept_page" } else { "account" };
        assert_eq!((&account["source"], &account["complete"]), (&source.into(), &true.into()));
        let number = |key: &str| account[key].as_u64().unwrap();
        assert_eq!(number("blocks_kept") + number("blocks_dropped"), blocks.len() as u64);
        mill.stop().await;
    }
}

async fn a_text_of_other_pages_is_shown_with_their_number(bench: &Bench) {
    const PROMISE: &str =
        "Readers of this paper have trusted our reporters since the year it was founded by two teachers.";
    let server = &bench.server;
    let topics = ["mooring", "dredging", "salvage", "towing", "piloting"];
    let items = topics.map(|topic| Item::new(topic, &server.url(&format!("/{topic}"))));
    // The last page is read when the others have been learned.
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items[..4])));
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    server.handle(|request| {
        html(page(&request.path()[1..]).replace("</article>", &format!("<p>{PROMISE}</p></article>")))
    });
    let daemon = bench.daemon().feed_with(&server.url("/feed"), "raw = \"keep\"").open().await;
    daemon.once().await;
    daemon.advance(SignedDuration::from_hours(2));
    daemon.once().await;
    let mill = Mill::open(daemon).await;
    let records = mill.daemon.records().await;
    let record = records.iter().find(|record| record.url.path() == "/piloting").unwrap();
    assert!(!record.text.contains(PROMISE), "{}", record.text);
    for source in ["kept_page", "account"] {
        let shown = mill.page(&format!("/articles/{}", record.id)).await;
        let said = words(&shown);
        assert!(said.contains(&format!("{PROMISE} dropped: seen on 5 pages of this site")), "{said}");
        assert!(shown.contains("<a href=\"/sites/127.0.0.1\">seen on 5 pages of this site</a>"), "{shown}");
        let account = mill.get(&format!("/v1/articles/{}/account", record.id), &[]).await;
        let account: Value = serde_json::from_str(&account.body).unwrap();
        assert_eq!(account["source"], source);
        for block in account["blocks"].as_array().unwrap() {
            let seen_on = (block["text"] == PROMISE).then_some(5);
            assert_eq!(block["seen_on"].as_u64(), seen_on, "{block}");
        }
        bench.database.execute("DELETE FROM raw_pages").await;
    }
    mill.stop().await;
}

async fn revisions_and_copies_are_compared_by_word(bench: &Bench) {
    let server = &bench.server;
    let first = page("mooring");
    let revised = first.replace("before the bells rang", "before the horns blew");
    let items = [Item::new("One", &server.url("/one")), Item::new("Two", &server.url("/two"))];
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    server.respond("/one", html(first.clone()));
    server.respond("/one", html(revised));
    server.respond("/two", html(first.replacen("before the bells rang", "after the bells rang", 1)));
    let daemon = bench.daemon().feed_with(&server.url("/feed"), "recheck = [\"1h\"]").open().await;
    daemon.once().await;
    daemon.advance(SignedDuration::from_hours(1));
    daemon.once().await;
    let mill = Mill::open(daemon).await;
    let records = mill.daemon.records().await;
    let revised = records.iter().find(|record| record.revision == 2).unwrap();
    let copy = records.iter().find(|record| record.duplicate_of.is_some()).unwrap();
    let original = copy.duplicate_of.unwrap();

    let article = mill.page(&format!("/articles/{}", revised.id)).await;
    let diff = format!("/articles/{}/diff?to=2", revised.id);
    assert!(article.contains(&format!("href=\"{diff}\"")), "{article}");
    let html = mill.page(&diff).await;
    assert!(html.contains("the <del>bells rang.</del><ins>horns blew.</ins>"), "{html}");
    assert!(mill.page(&format!("/articles/{}?revision=1", revised.id)).await.contains("bells rang"));

    let article = mill.page(&format!("/articles/{}", copy.id)).await;
    let compare = format!("/articles/{}/diff?with={original}", copy.id);
    assert!(
        article.contains(&format!("href=\"{compare}\"")) && article.contains("original of this"),
        "{article}"
    );
    assert!(mill.page(&compare).await.contains("<ins>"));

    let answer = mill.get(&format!("/v1{diff}&from=1"), &[]).await;
    let difference: Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!((&difference["from"]["revision"], &difference["to"]["revision"]), (&1.into(), &2.into()));
    let changed = difference["paragraphs"].as_array().unwrap().iter().filter(|one| one["changed"] == true);
    let parts: Vec<&str> = changed
        .flat_map(|one| one["parts"].as_array().unwrap())
        .map(|part| part["change"].as_str().unwrap())
        .collect();
    assert!(parts.contains(&"gone") && parts.contains(&"come") && parts.contains(&"same"), "{parts:?}");
    for (query, status) in
        [("to=9", 404), ("to=1", 400), ("with=none", 400), ("from=1&with=none", 400), ("x=1", 400)]
    {
        assert_eq!(
            mill.get(&format!("/v1/articles/{}/diff?{query}", revised.id), &[]).await.status,
            status,
            "{query}"
        );
    }
    mill.stop().await;
}
