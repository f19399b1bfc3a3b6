//! Trust of feeds for pages: the rows of `docs/trust.md`.

use super::*;
use crate::support::database::{Backend, FreshDatabase};

/// The site whose pages are announced, and a stranger's, on different hosts.
async fn two() -> (Server, Server) {
    (Server::start_at("127.0.0.1:0").await, Server::start_at("127.0.0.2:0").await)
}

fn forged() -> String {
    story("everything that never happened")
}

fn forged_text() -> String {
    paragraphs("everything that never happened").join("\n\n")
}

fn bringing(text: &str) -> String {
    format!("<content:encoded><![CDATA[{text}]]></content:encoded>")
}

fn of_host<'r>(records: &'r [Record], server: &Server) -> Vec<&'r Record> {
    records.iter().filter(|record| record.url.origin() == server.url("/").origin()).collect()
}

async fn mill_of(feeds: &[(&Server, &str)]) -> OpenedDaemon {
    with_feeds(TestDaemon::new(), feeds).open().await
}

fn with_feeds(test: TestDaemon, feeds: &[(&Server, &str)]) -> TestDaemon {
    feeds.iter().fold(test, |test, (server, options)| test.feed_with(&server.url("/feed"), options))
}

/// A feed of `items` that names `site` as its own.
fn rss_of(site: &Url, items: &[String]) -> Reply {
    let items: String = items.iter().map(|item| format!("<item>{item}</item>")).collect();
    let body = format!(
        "<rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\"><channel><title>G</title>\
         <link>{site}</link>{items}</channel></rss>"
    );
    Reply::ok("text/xml", body)
}

/// The link in a page's head that names a feed.
fn alternate(feed: &Url) -> String {
    format!("<link rel=\"alternate\" type=\"application/rss+xml\" href=\"{feed}\">")
}

/// A front page with these elements in its head and its body.
fn front(head: &str, body: &str) -> Reply {
    html(format!("<html><head>{head}</head><body>{body}<h1>G</h1></body></html>"))
}

mod sqlite {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_stranger_cannot_squat_an_article() {
        super::a_stranger_cannot_squat_an_article(super::Backend::Sqlite).await;
    }
}

mod postgres {
    #[tokio::test(flavor = "multi_thread")]
    async fn a_stranger_cannot_squat_an_article() {
        super::a_stranger_cannot_squat_an_article(super::Backend::Postgres).await;
    }
}

async fn a_stranger_cannot_squat_an_article(backend: Backend) {
    let Some(database) = FreshDatabase::create(backend).await else { return };
    let (good, evil) = two().await;
    let links: Vec<Url> = (0..3).map(|n| good.url(&format!("/later/{n}"))).collect();
    let squats = (0..3)
        .map(|n| item(&format!("The voyage {n} affair"), links[n].as_str(), "", "") + &bringing(&forged()));
    evil.respond("/feed", rss(&squats.collect::<Vec<_>>()));
    good.respond("/feed", rss(&[]));
    let own =
        (0..3).map(|n| item(&format!("The voyage {n} affair"), links[n].as_str(), &format!("g{n}"), ""));
    good.respond("/feed", rss(&own.collect::<Vec<_>>()));
    for n in 0..3 {
        good.respond(&format!("/later/{n}"), Reply::status(404));
        good.respond(&format!("/later/{n}"), html(page(&format!("voyage {n}"))));
    }
    let test = TestDaemon::new().database(database.settings.url.expose_secret());
    let mill = with_feeds(test, &[(&evil, ""), (&good, "")]).open().await;
    mill.once().await;
    assert!(of_host(&mill.records().await, &good).is_empty(), "nothing is said in the good site's name");
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    let records = mill.records().await;
    for (n, link) in links.iter().enumerate() {
        assert_eq!(text_of(&records, link), paragraphs(&format!("voyage {n}")).join("\n\n"));
    }
    assert!(of_host(&records, &good).iter().all(|record| record.text != forged_text()));
    mill.store().close().await;
    database.drop().await;
}

#[tokio::test]
async fn what_a_stranger_says_is_recorded_in_its_own_name() {
    let (good, evil) = two().await;
    let link = good.url("/gone");
    evil.respond("/feed", rss(&[item("A find", link.as_str(), "f", "") + &bringing(&forged())]));
    let mill = mill_of(&[(&evil, "")]).await;
    mill.once().await;
    let records = mill.records().await;
    assert_eq!((records.len(), records[0].text.as_str()), (1, forged_text().as_str()));
    assert_eq!((records[0].hostname.as_str(), &records[0].original_url), ("127.0.0.2", &link));
    assert!(has(&records[0], QualityFlag::FeedContentUsed));
}

#[tokio::test]
async fn what_a_stranger_says_stays_its_own_when_the_page_appears() {
    let (good, evil) = two().await;
    let link = good.url("/late");
    evil.respond("/feed", rss(&[item("The mooring affair", link.as_str(), "f", "") + &bringing(&forged())]));
    good.respond("/feed", rss(&[]));
    good.respond("/feed", rss(&[]));
    good.respond("/feed", rss(&[item("The mooring affair", link.as_str(), "a", "")]));
    good.respond("/late", Reply::status(404));
    good.respond("/late", html(page("mooring")));
    let mill = mill_of(&[(&evil, ""), (&good, "interval_secs = 3600")]).await;
    mill.once().await;
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    let records = mill.records().await;
    assert_eq!(events(&records), [Event::Created, Event::Revised], "its recheck finds the page");
    assert_eq!((&records[1].id, &records[1].url), (&records[0].id, &records[0].url));
    assert_eq!(
        (records[0].text.as_str(), records[1].hostname.as_str()),
        (forged_text().as_str(), "127.0.0.2")
    );
    mill.advance(SignedDuration::from_hours(2));
    mill.once().await;
    let records = mill.records().await;
    let own = of_host(&records, &good);
    assert_eq!((own.len(), own[0].event, &own[0].url), (1, Event::Created, &link));
    assert_eq!(own[0].text, paragraphs("mooring").join("\n\n"));
    assert_ne!(own[0].id, records[0].id);
}

#[tokio::test]
async fn a_stranger_adds_nothing_to_a_page_that_says_little() {
    let (good, evil) = two().await;
    let link = good.url("/stub");
    good.respond("/stub", html("<html><body><h1>A find</h1><p>Four words of text.</p></body></html>"));
    for (content, may) in [("auto", false), ("feed", false)] {
        evil.respond("/feed", rss(&[item("A find", link.as_str(), "f", "") + &bringing(&forged())]));
        let mill = mill_of(&[(&evil, &format!("content = \"{content}\""))]).await;
        mill.once().await;
        let said = of_host(&mill.records().await, &good).iter().any(|record| record.text == forged_text());
        assert_eq!(said, may, "{content}");
    }
}

#[tokio::test]
async fn a_feed_speaks_for_whom_the_operator_says() {
    let (good, wire) = two().await;
    let link = good.url("/gone");
    wire.respond("/feed", rss(&[item("A find", link.as_str(), "f", "") + &bringing(&story("ballast"))]));
    for hosts in ["[\"127.0.0.1\"]", "[\"*\"]"] {
        let mill = mill_of(&[(&wire, &format!("speaks_for = {hosts}"))]).await;
        mill.once().await;
        assert_eq!(text_of(&mill.records().await, &link), paragraphs("ballast").join("\n\n"), "{hosts}");
    }
}

#[tokio::test]
async fn a_feed_speaks_for_the_site_that_names_it() {
    for names_it in [true, false] {
        let (good, burner) = two().await;
        let link = good.url("/gone");
        let entry = item("A find", link.as_str(), "f", "") + &bringing(&story("ballast"));
        burner.respond("/feed", rss_of(&good.url("/"), &[entry]));
        let named = alternate(&burner.url("/feed"));
        good.respond("/", if names_it { front(&named, "") } else { front("", &named) });
        let mill = mill_of(&[(&burner, "")]).await;
        mill.once().await;
        let records = mill.records().await;
        assert_eq!(records.len(), 1);
        assert_eq!(records[0].text, paragraphs("ballast").join("\n\n"));
        assert_eq!(records[0].url == link, names_it);
        assert_eq!(good.requests("/").len(), 1);
    }
}

#[tokio::test]
async fn a_site_that_does_not_name_the_feed_is_asked_once_a_week() {
    let (good, burner) = two().await;
    let links: Vec<Url> = (0..4).map(|n| good.url(&format!("/gone/{n}"))).collect();
    let entry = |n: usize| {
        item(&format!("The voyage {n} affair"), links[n].as_str(), &format!("g{n}"), "")
            + &bringing(&story(&format!("own {n}")))
    };
    for n in 0..links.len() {
        let entries: Vec<String> = (0..=n).rev().map(entry).collect();
        burner.respond("/feed", rss_of(&good.url("/"), &entries));
    }
    good.respond("/", front("", ""));
    good.respond("/", front(&alternate(&burner.url("/feed")), ""));
    let mill = mill_of(&[(&burner, "interval_secs = 3600")]).await;
    let hours = SignedDuration::from_hours;
    // The site is asked at first, not within the week, again after it, and never once it has named the feed.
    let rounds =
        [(hours(0), 1, false), (hours(7 * 24 - 1), 1, false), (hours(2), 2, true), (hours(8 * 24), 2, true)];
    for (n, (pause, asked, speaks)) in rounds.into_iter().enumerate() {
        mill.advance(pause);
        mill.once().await;
        assert_eq!(good.requests("/").len(), asked, "round {n}");
        let records = mill.records().await;
        let own = paragraphs(&format!("own {n}")).join("\n\n");
        let record = records.iter().find(|record| record.text == own).unwrap();
        assert_eq!(record.url == links[n], speaks, "round {n}");
    }
}

#[tokio::test]
async fn a_site_that_leads_to_another_party_names_no_feed() {
    for is_own in [true, false] {
        let (good, burner) = two().await;
        let link = good.url("/gone");
        let entry = item("A find", link.as_str(), "f", "") + &bringing(&story("ballast"));
        burner.respond("/feed", rss_of(&good.url("/"), &[entry]));
        let target = if is_own { &good } else { &burner };
        good.respond("/", Reply::redirect(302, target.url("/front")));
        target.respond("/front", front(&alternate(&burner.url("/feed")), ""));
        let mill = mill_of(&[(&burner, "")]).await;
        mill.once().await;
        let records = mill.records().await;
        assert_eq!(records.len(), 1);
        assert_eq!(target.requests("/front").len(), 1);
        assert_eq!(records[0].url == link, is_own);
    }
}

#[tokio::test]
async fn a_page_that_names_the_feed_lets_it_speak_for_the_next() {
    let (good, burner) = two().await;
    let links = [good.url("/one"), good.url("/two")];
    let entry = |n: usize| {
        item(&format!("The voyage {n} affair"), links[n].as_str(), &format!("g{n}"), "")
            + &bringing(&story(&format!("own {n}")))
    };
    burner.respond("/feed", rss(&[entry(0)]));
    burner.respond("/feed", rss(&[entry(1), entry(0)]));
    let alternate = format!("<head><link rel=\"alternate\" href=\"{}\">", burner.url("/feed"));
    good.respond("/one", html(page("voyage 0").replace("<head>", &alternate)));
    good.respond("/two", Reply::status(403));
    let mill = mill_of(&[(&burner, "")]).await;
    mill.once().await;
    mill.advance(SignedDuration::from_hours(25));
    mill.once().await;
    assert_eq!(text_of(&mill.records().await, &links[1]), paragraphs("own 1").join("\n\n"));
}

#[tokio::test]
async fn what_stands_in_is_replaced_when_another_feed_announces_the_page() {
    let (good, wire) = two().await;
    let link = good.url("/a");
    good.respond("/feed", rss(&[item("The mooring affair", link.as_str(), "a", "A teaser.")]));
    wire.respond("/feed", rss(&[]));
    wire.respond("/feed", rss(&[item("Seen at the harbour", link.as_str(), "w", "")]));
    good.respond("/a", Reply::status(403));
    good.respond("/a", html(page("mooring")));
    let mill = TestDaemon::new()
        .feed_with(&good.url("/feed"), "")
        .feed_with(&wire.url("/feed"), "interval_secs = 3600")
        .open()
        .await;
    mill.once().await;
    assert_eq!(text_of(&mill.records().await, &link), "A teaser.");
    mill.advance(SignedDuration::from_hours(2));
    mill.once().await;
    let records = mill.records().await;
    assert_eq!(events(&records), [Event::Created, Event::Revised]);
    assert_eq!(records[1].text, paragraphs("mooring").join("\n\n"));
    assert_eq!(records[1].feeds.len(), 2);
}

#[tokio::test]
async fn no_page_calls_itself_by_a_strangers_address() {
    for head in ["<html ", "<html amp "] {
        let (good, evil) = two().await;
        let link = evil.url("/copy");
        evil.respond("/feed", rss(&[item("The mooring affair", link.as_str(), "a", "")]));
        let canonical = format!("<head><link rel=\"canonical\" href=\"{}\">", good.url("/a"));
        evil.respond("/copy", html(page("mooring").replace("<html ", head).replace("<head>", &canonical)));
        let mill = mill_of(&[(&evil, "")]).await;
        mill.once().await;
        let records = mill.records().await;
        assert_eq!((&records[0].url, &records[0].metadata.canonical_url), (&link, &None), "{head}");
        assert!(good.requests("/a").is_empty());
    }
}
