//! Pages that cannot be fetched, and the feed's own text in their place.

use super::*;

const TEASER: &str = "The ferry company has a new boat, and it is blue.";

/// A text of forty words or more, used in various elements of a feed.
fn full() -> String {
    paragraphs("ballast")[..3].join(" ")
}

fn one(server: &Server, texts: &str) -> Reply {
    rss(&[item("Ferry sails", server.url("/a").as_str(), "a", "") + texts])
}

fn description(text: &str) -> String {
    format!("<description><![CDATA[{text}]]></description>")
}

/// Returns the server and the records of one entry whose page is answered by `reply`.
async fn recorded(reply: Reply, texts: &str) -> (Server, Vec<Record>) {
    let server = Server::start().await;
    server.respond("/feed", one(&server, texts));
    server.respond("/a", reply);
    let mill = mill(&server, "").await;
    to_the_end(&mill).await;
    let records = mill.records().await;
    (server, records)
}

fn refusals() -> Vec<(&'static str, Reply)> {
    vec![
        ("401", Reply::status(401)),
        ("403", Reply::status(403)),
        ("404", Reply::status(404)),
        ("410", Reply::status(410)),
        ("451", Reply::status(451)),
        ("500", Reply::status(500)),
        ("503", Reply::status(503)),
        ("pdf", Reply::ok("application/pdf", "%PDF-1.7")),
        ("audio", Reply::ok("audio/mpeg", "ID3")),
        ("video", Reply::ok("video/mp4", "ftyp")),
    ]
}

#[tokio::test]
async fn the_description_stands_in_for_a_page_that_cannot_be_had() {
    for (what, reply) in refusals() {
        let (_server, records) = recorded(reply, &description(&format!("<p>{}</p>", full()))).await;
        assert_eq!(events(&records), [Event::Created], "{what}");
        assert_eq!(records[0].text, full(), "{what}");
        assert_eq!(records[0].quality_flags, [QualityFlag::FeedContentUsed], "{what}");
    }
}

#[tokio::test]
async fn a_teaser_is_recorded_at_the_end_of_all_tries() {
    for (what, reply) in refusals() {
        let (_server, records) = recorded(reply, &description(TEASER)).await;
        assert_eq!(records.len(), 1, "{what}");
        assert_eq!((records[0].event, records[0].text.as_str()), (Event::Created, TEASER), "{what}");
        assert!(has(&records[0], QualityFlag::TeaserOnly), "{what}");
        assert_eq!(records[0].metadata.title.as_deref(), Some("Ferry sails"), "{what}");
    }
}

#[tokio::test]
async fn a_bare_title_is_recorded_too() {
    let (server, records) = recorded(Reply::status(403), "").await;
    assert_eq!(titles(&records), ["Ferry sails"]);
    assert_eq!((records[0].text.as_str(), &records[0].url), ("", &server.url("/a")));
    assert!(has(&records[0], QualityFlag::TeaserOnly));
}

#[tokio::test]
async fn robots_keep_the_page_and_leave_the_feeds_text() {
    let server = Server::start().await;
    server.respond("/robots.txt", Reply::ok("text/plain", "User-agent: *\nDisallow: /"));
    server.respond("/feed", one(&server, &description(&full())));
    server.respond("/a", html(page("mooring")));
    let mill = mill(&server, "").await;
    to_the_end(&mill).await;
    let records = mill.records().await;
    assert_eq!((records.len(), records[0].text.as_str()), (1, full().as_str()));
    assert!(server.requests("/a").is_empty());
}

#[tokio::test]
async fn the_longest_of_the_feeds_texts_stands_in() {
    let (short, full) = ("Read on.", full());
    let places = [
        format!("{}<content:encoded>{short}</content:encoded>", description(&full)),
        format!("{}<content:encoded><![CDATA[{full}]]></content:encoded>", description(short)),
        format!("<media:group><media:description>{full}</media:description></media:group>"),
        format!(
            "{}<media:group><media:description>{full}</media:description></media:group>",
            description(short)
        ),
        format!("{}<itunes:summary>{full}</itunes:summary>", description(short)),
        format!("<itunes:summary>{full}</itunes:summary><content:encoded>{short}</content:encoded>"),
    ];
    for texts in places {
        let pages = [
            Reply::status(403),
            html(
                "<html><body><div id=player></div><p>About Press Terms</p><script>x()</script></body></html>",
            ),
            html("<html><body><h1>Ferry sails</h1><p>Subscribe to continue reading.</p></body></html>"),
        ];
        for reply in pages {
            let (_server, records) = recorded(reply, &texts).await;
            assert_eq!(records[0].text, full, "{texts}");
            assert!(has(&records[0], QualityFlag::FeedContentUsed), "{texts}");
        }
    }
}

/// A shell into which a script draws the page names the site only, and may hold a notice and links.
#[tokio::test]
async fn the_title_and_the_summary_stand_in_for_a_page_that_a_script_draws() {
    const NAME: &str = "<title>Gazette</title>";
    const DECLARED: &str = "<title>Gazette</title><meta property=og:title content=Gazette>\
        <meta name=description content='News from the harbour, every day.'>";
    const SCRIPT: &str = "<script src=/app.js></script>";
    for (head, body) in [
        (NAME, "<div id=app></div>"),
        (DECLARED, "<noscript>You need to enable JavaScript to run this app.</noscript><div id=app></div>"),
        (NAME, "<h1>Gazette</h1><div id=app></div>"),
        (
            NAME,
            "<header><a href=/>Gazette</a></header><nav><a href=/news>News</a><a href=/sport>Sport</a></nav>\
             <div id=app>Loading...</div><footer><p>About Press Terms</p></footer>",
        ),
    ] {
        let shell = format!("<html><head>{head}</head><body>{body}{SCRIPT}</body></html>");
        for summary in [TEASER.to_owned(), format!("<p>{TEASER}</p>")] {
            let (_server, records) = recorded(html(shell.as_str()), &description(&summary)).await;
            assert_eq!(events(&records), [Event::Created], "{shell}");
            assert_eq!(records[0].metadata.title.as_deref(), Some("Ferry sails"), "{shell}");
            assert_eq!(records[0].text, TEASER, "{shell}");
            assert!(has(&records[0], QualityFlag::FeedContentUsed), "{shell}");
        }
    }
}

#[tokio::test]
async fn a_page_that_comes_back_replaces_what_stood_in() {
    for texts in [description(TEASER), description(&full()), String::new()] {
        let server = Server::start().await;
        server.respond("/feed", one(&server, &texts));
        server.respond("/a", Reply::status(404));
        server.respond("/a", html(page("mooring")));
        let mill = mill(&server, "").await;
        mill.once().await;
        mill.advance(SignedDuration::from_hours(25));
        mill.once().await;
        let records = mill.records().await;
        assert_eq!(events(&records), [Event::Created, Event::Revised]);
        assert_eq!(records[1].text, paragraphs("mooring").join("\n\n"));
        assert_eq!(records[1].quality_flags, []);
        mill.advance(SignedDuration::from_hours(24 * 30));
        mill.once().await;
        assert_eq!(server.requests("/a").len(), 2, "the page is there");
    }
}

#[tokio::test]
async fn a_page_that_stays_away_is_asked_for_twice_more() {
    let server = Server::start().await;
    server.respond("/feed", one(&server, &description(TEASER)));
    server.respond("/a", Reply::status(404));
    let mill = mill(&server, "").await;
    for _ in 0..6 {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(24 * 8));
    }
    assert_eq!(mill.records().await.len(), 1);
    assert!(server.requests("/a").len() <= 3, "{}", server.requests("/a").len());
}

#[tokio::test]
async fn a_page_that_was_read_gives_way_to_no_teaser() {
    let server = Server::start().await;
    server.respond("/feed", one(&server, &description(TEASER)));
    server.respond(
        "/feed",
        one(&server, &description("The boat is late.").replace("</desc", " <b>Update</b></desc")),
    );
    server.respond("/a", html(page("mooring")));
    server.respond("/a", Reply::status(404));
    let mill = mill(&server, "recheck = [\"1h\", \"24h\"]").await;
    to_the_end(&mill).await;
    let records = mill.records().await;
    assert_eq!(events(&records), [Event::Created]);
    assert_eq!(records[0].text, paragraphs("mooring").join("\n\n"));
}

#[tokio::test]
async fn files_come_with_the_record() {
    let server = Server::start().await;
    let sound = server.url("/a.mp3");
    let enclosure = format!("<enclosure url=\"{sound}\" type=\"audio/mpeg\" length=\"4711\"/>");
    server.respond("/feed", one(&server, &(description(&full()) + &enclosure)));
    server.respond("/a", Reply::ok("application/pdf", "%PDF-1.7"));
    let mill = mill(&server, "").await;
    mill.once().await;
    let record = serde_json::to_value(&mill.records().await[0]).unwrap();
    assert_eq!(
        record["enclosures"],
        serde_json::json!([
            { "url": sound, "type": "audio/mpeg", "length": 4711 },
            { "url": server.url("/a"), "type": "application/pdf", "length": 8 },
        ])
    );
}

#[tokio::test]
async fn an_edit_of_the_text_that_is_the_article_is_a_revision() {
    for options in ["content = \"feed\"", ""] {
        let server = Server::start().await;
        let (before, after) = (story("ballast"), story("rigging"));
        for text in [&before, &after] {
            server.respond("/feed", one(&server, &description(text)));
        }
        server.respond("/a", Reply::status(403));
        let mill = mill(&server, options).await;
        for _ in 0..3 {
            mill.once().await;
            mill.advance(SignedDuration::from_hours(25));
        }
        let records = mill.records().await;
        assert_eq!(events(&records), [Event::Created, Event::Revised], "{options}");
        assert_eq!(records[1].text, paragraphs("rigging").join("\n\n"), "{options}");
    }
}
