//! The feed's own text as the article: complete, whatever it looks like, and without what generators add around it.

use std::fmt::Write as _;

use feedmill::model::QualityFlag;

use crate::support::daemon::TestDaemon;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, rss};

/// Returns title, text and flags of each article of a feed whose entries have these contents, sorted by title.
async fn texts(contents: &[(&str, &str)]) -> Vec<(String, String, Vec<QualityFlag>)> {
    let server = Server::start().await;
    let items: Vec<Item> = contents
        .iter()
        .map(|(title, html)| {
            Item::new(title, &server.url(&format!("/{}", title.replace(' ', "-")))).with_content(html)
        })
        .collect();
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    let mill = TestDaemon::new().feed_with(&server.url("/feed"), "content = \"feed\"").open().await;
    mill.once().await;
    let mut texts: Vec<_> = mill
        .records()
        .await
        .into_iter()
        .map(|record| (record.metadata.title.unwrap_or_default(), record.text, record.quality_flags))
        .collect();
    texts.sort();
    texts
}

#[tokio::test]
async fn a_short_post_is_kept_whole() {
    let posts = [
        ("A", "<p>Fog.</p>"),
        ("B", "<p>B</p>"),
        ("C", "<p><a href='https://other.example/'>Comments</a></p>"),
        ("D", "<p><img src='https://gazette.example/ramp.png' alt='The ramp'></p><p>The ramp is up.</p>"),
        ("E", "Sign up now"),
        ("F", "<p>Photo: the quay at noon.</p>"),
        ("G", "<ul><li>09:00 Holm</li><li>10:00 Sund</li></ul>"),
    ];
    let expected =
        ["Fog.", "B", "Comments", "The ramp is up.", "Sign up now", "Photo: the quay at noon.", "09:00 Holm"];
    let texts = texts(&posts).await;
    assert_eq!(texts.len(), posts.len());
    for ((title, text, _), expected) in texts.iter().zip(expected) {
        assert!(text.contains(expected), "{title}: {text:?}");
    }
}

#[tokio::test]
async fn a_text_full_of_links_is_kept_whole() {
    let mut release = "<h2>What's changed</h2><ul>".to_owned();
    let changes = [
        "Fix the winch on cold mornings",
        "The ramp no longer jams",
        "Add a log of crossings",
        "Faster start",
    ];
    for (number, change) in changes.iter().enumerate() {
        write!(release, "<li>{change} by <a href='https://g.example/u{number}'>@u{number}</a> in <a href='https://g.example/p{number}'>#{number}</a></li>").unwrap();
    }
    release.push_str("</ul><p>Full changelog: <a href='https://g.example/c'>v1...v2</a></p>");
    let link_post = "<p><a href='https://other.example/'>Ada Quay on the price of rope</a>:</p>\
        <blockquote><p>Rope is what the sea makes of grass.</p></blockquote><p>Worth your time.</p>";
    let texts = texts(&[("Release", &release), ("Rope", link_post)]).await;
    for change in changes {
        assert!(texts[0].1.contains(change), "{change}: {:?}", texts[0].1);
    }
    assert!(!texts[0].2.contains(&QualityFlag::Listing), "{:?}", texts[0].2);
    for sentence in ["Ada Quay on the price of rope", "the sea makes of grass", "Worth your time."] {
        assert!(texts[1].1.contains(sentence), "{sentence}: {:?}", texts[1].1);
    }
}

#[tokio::test]
async fn what_generators_put_around_a_text_goes() {
    let story = [
        "The ferry came back to the quay this morning after three weeks in the yard.",
        "Its new ramp is two metres longer, so that lorries can board at low tide.",
        "The first crossing was full, and the harbour master rang the bell himself.",
    ];
    let paragraphs: String = story.iter().map(|sentence| format!("<p>{sentence}</p>")).collect();
    for (name, furniture) in [
        (
            "a credit",
            "<p>The post <a href='https://gazette.example/f'>Ferry sails</a> first appeared on \
             <a href='https://gazette.example/'>Harbour Gazette</a>.</p>",
        ),
        (
            "a credit in another language",
            "<p>Der Beitrag <a href='https://gazette.example/f'>Ferry sails</a> erschien zuerst auf \
             <a href='https://gazette.example/'>Harbour Gazette</a>.</p>",
        ),
        (
            "a box to subscribe",
            "<div><p>Quay Letters is a reader-supported publication. To receive new posts and support my work, consider \
             becoming a free or paid subscriber.</p></div>",
        ),
        ("an advertisement's notice", "<p>Learn more about your ad choices. Visit ads.example/adchoices</p>"),
        (
            "a row of pictures",
            "<div><a href='http://f.example'><img src='x'></a> <img src='https://f.example/p.gif' width='1' height='1'></div>",
        ),
    ] {
        let texts = texts(&[("Ferry sails", &format!("{paragraphs}{furniture}"))]).await;
        assert_eq!(texts[0].1, story.join("\n\n"), "{name}");
    }
}

#[tokio::test]
async fn plain_text_is_no_markup() {
    let text = "A vector is written std::vector<int> in that language, and a map is std::map<std::string, int>.\n\n\
        Second paragraph: if a < b and c > d then the ramp stays up.\n\n- one\n- two";
    let json = serde_json::json!({
        "version": "https://jsonfeed.org/version/1.1", "title": "Harbour Notes",
        "items": [{ "id": "1", "url": "http://127.0.0.1:1/p", "title": "Types", "content_text": text }],
    });
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;");
    let atom = format!(
        "<feed xmlns='http://www.w3.org/2005/Atom'><title>Harbour Notes</title><id>urn:f</id><updated>2026-03-01T00:00:00Z</updated>\
         <entry><id>urn:1</id><title>Types</title><updated>2026-03-01T00:00:00Z</updated><link href='http://127.0.0.1:1/p'/>\
         <content type='text'>{escaped}</content></entry></feed>"
    );
    for (content_type, body) in [("application/feed+json", json.to_string()), ("application/atom+xml", atom)]
    {
        let server = Server::start().await;
        server.respond("/feed", Reply::ok(content_type, body));
        let mill = TestDaemon::new().feed_with(&server.url("/feed"), "content = \"feed\"").open().await;
        mill.once().await;
        let records = mill.records().await;
        let stored = &records[0].text;
        assert!(
            stored.contains("std::vector<int>") && stored.contains("std::map<std::string, int>"),
            "{stored}"
        );
        assert!(stored.contains("\n\nSecond paragraph: if a < b and c > d"), "{stored}");
        assert!(stored.contains("- one\n- two"), "{stored}");
    }
}

#[tokio::test]
async fn a_page_is_read_whatever_the_server_calls_it() {
    let sentence = "The ferry came back to the quay this morning after three weeks in the yard, with a ramp that is longer.";
    let page = format!(
        "<!DOCTYPE html><html><head><title>Ferry</title></head><body><h1>Ferry</h1>{}</body></html>",
        format!("<p>{sentence}</p>").repeat(6)
    );
    let types =
        ["text/plain", "application/octet-stream", "application/xhtml+xml", "", "html", "application/json"];
    let server = Server::start().await;
    let items: Vec<Item> =
        (0..types.len()).map(|n| Item::new(&format!("Ferry {n}"), &server.url(&format!("/{n}")))).collect();
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    for (number, content_type) in types.iter().enumerate() {
        let marked = page.replace("yard", &format!("yard {number}"));
        server.respond(&format!("/{number}"), Reply::ok(content_type, marked));
    }
    server.respond("/robots.txt", Reply::status(404));
    let mill = TestDaemon::new().feed(&server.url("/feed")).open().await;
    mill.once().await;
    let records = mill.records().await;
    assert_eq!(records.len(), types.len());
    for record in records {
        assert!(
            record.text.contains("The ferry came back") && !record.text.contains("<p>"),
            "{}: {}",
            record.url,
            record.text
        );
    }
}
