//! Answers that are not the page: bot checks, walls, errors, and replacements of removed pages.

use super::*;

const TEASER: &str = "The sloop came in last after a long night at sea.";

fn wall(title: &str, body: &str) -> String {
    format!("<!doctype html><html><head><title>{title}</title></head><body>{body}</body></html>")
}

fn walls() -> Vec<(&'static str, Reply)> {
    let challenge =
        "<script src=\"/cdn-cgi/challenge-platform/h/g/orchestrate/chl_page/v1\"></script><p>Verify.</p>";
    let anubis = "<script id=\"anubis_challenge\" type=\"application/json\">{}</script><h1>Making sure you're not a bot!</h1>";
    let login = "<h1>Welcome back</h1><form action=\"/session\"><input name=\"user\"><input type=\"password\" name=\"secret\">\
        <button>Log in</button></form><p><a href=\"/lost\">Forgot your password?</a></p>";
    let consent = "<h1>Before you continue</h1><p>We use cookies and data to deliver and maintain our services.</p>\
        <form action=\"/save\"><button>Reject all</button><button>Accept all</button></form>";
    let gone = "<h1>Page not found</h1><p>Sorry, the page that you are looking for does not exist or has been moved.</p>";
    vec![
        ("challenge", html(wall("Just a moment...", challenge))),
        ("challenge", html(wall("Gazette", anubis))),
        ("challenge", Reply::status(202).header("x-amzn-waf-action", "challenge")),
        ("challenge", Reply::status(403).header("cf-mitigated", "challenge")),
        ("challenge", Reply::status(403).header("Content-Type", "text/html").body(wall("Gazette", anubis))),
        (
            "challenge",
            Reply::status(429)
                .header("Content-Type", "text/html")
                .body(wall("Security check", "<p>Verify that you are human.</p>")),
        ),
        ("challenge", html(wall("Loading…", "<p>Please wait while we check your browser.</p>"))),
        ("consent_wall", html(wall("Gazette", consent))),
        ("login_wall", html(wall("Log in - Gazette", login))),
        ("soft_not_found", html(wall("Not found", gone))),
        ("soft_not_found", Reply::redirect(301, "/")),
        ("soft_error", html(wall("503 Service Unavailable", "<p>Come back later.</p>"))),
    ]
}

fn feed(server: &Server) -> Reply {
    rss(&[item("The mooring affair", server.url("/a").as_str(), "a", TEASER)])
}

#[tokio::test]
async fn a_wall_is_a_failed_fetch_and_the_page_comes_later() {
    for (what, reply) in walls() {
        let server = Server::start().await;
        server.respond("/feed", feed(&server));
        server.respond("/", html(wall("Gazette", "<h1>Gazette</h1><p>The mooring affair</p>")));
        server.respond("/a", reply);
        server.respond("/a", html(page("mooring")));
        let mill = mill(&server, "").await;
        mill.once().await;
        assert!(mill.records().await.is_empty(), "{what}");
        assert_eq!(mill.store().totals().await.unwrap().entries_pending, 1, "{what}");
        mill.advance(SignedDuration::from_hours(1));
        mill.once().await;
        let records = mill.records().await;
        assert_eq!(events(&records), [Event::Created], "{what}");
        assert_eq!(records[0].text, paragraphs("mooring").join("\n\n"), "{what}");
    }
}

#[tokio::test]
async fn where_the_wall_stands_the_entrys_own_text_is_recorded() {
    for (what, reply) in walls() {
        let server = Server::start().await;
        server.respond("/feed", feed(&server));
        server.respond("/", html(wall("Gazette", "<h1>Gazette</h1><p>All the news.</p>")));
        server.respond("/a", reply);
        let mill = mill(&server, "").await;
        to_the_end(&mill).await;
        let records = mill.records().await;
        assert_eq!(events(&records), [Event::Created], "{what}");
        assert_eq!(
            (records[0].text.as_str(), titles(&records)),
            (TEASER, vec!["The mooring affair"]),
            "{what}"
        );
        assert!(has(&records[0], QualityFlag::TeaserOnly), "{what}");
    }
}

#[tokio::test]
async fn a_wall_that_comes_later_harms_no_article() {
    for (what, reply) in walls() {
        let server = Server::start().await;
        server.respond("/feed", feed(&server));
        server.respond("/", html(wall("Gazette", "<h1>Gazette</h1>")));
        server.respond("/a", html(page("mooring")));
        server.respond("/a", reply);
        let mill = mill(&server, "recheck = [\"1h\", \"24h\"]").await;
        to_the_end(&mill).await;
        let records = mill.records().await;
        assert_eq!(events(&records), [Event::Created], "{what}");
        assert_eq!(records[0].text, paragraphs("mooring").join("\n\n"), "{what}");
    }
}

/// This wall has no sign except that every page shows it. Articles stored from it earlier are rechecked.
#[tokio::test]
async fn one_text_for_many_pages_is_no_article() {
    const SILENT: &str = "Our gatekeeper greets you and wonders about the weather on your side of the fence. Pick three lamps \
        and a bridge, then knock twice, and the door to everything that we have written opens for a while, or so they say.";
    let server = Server::start().await;
    let story = |n: usize| {
        item(
            &format!("The voyage {n} affair"),
            server.url(&format!("/{n}")).as_str(),
            &format!("g{n}"),
            &format!("Teaser {n}."),
        )
    };
    for count in 1..=7 {
        server.respond("/feed", rss(&(0..count).map(story).collect::<Vec<_>>()));
    }
    for n in 0..7 {
        server.respond(&format!("/{n}"), html(wall("Hello", &format!("<h1>Hello</h1><p>{SILENT}</p>"))));
        if n < 3 {
            server.respond(&format!("/{n}"), html(page(&format!("voyage {n}"))));
        }
    }
    let mill = mill(&server, "").await;
    for _ in 0..7 {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(25));
    }
    for _ in 0..6 {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(25));
    }
    let records = mill.records().await;
    let now = latest(&records);
    assert_eq!(now.len(), 7, "{:?}", titles(&records));
    for record in now {
        let n: usize = record.url.path()[1..].parse().unwrap();
        let expected =
            if n < 3 { paragraphs(&format!("voyage {n}")).join("\n\n") } else { format!("Teaser {n}.") };
        assert_eq!(record.text, expected, "{n}");
        assert_eq!(has(record, QualityFlag::TeaserOnly), n >= 3, "{n}");
    }
}

#[tokio::test]
async fn an_amp_page_whose_canonical_is_no_article_is_read_itself() {
    for canonical in ["/", "/news/"] {
        let server = Server::start().await;
        let topics = ["mooring", "dredging", "rigging"];
        let items = topics.map(|topic| {
            item(
                &format!("The {topic} affair"),
                server.url(&format!("/news/{topic}/amp")).as_str(),
                topic,
                "",
            )
        });
        server.respond("/feed", rss(&items));
        let section = wall("Gazette", &format!("<h1>Harbour news</h1>{}", story_of_nothing()));
        server.respond(canonical, html(section));
        for topic in topics {
            let head = format!("<head><link rel=\"canonical\" href=\"{canonical}\">");
            let amp = page(topic).replace("<html ", "<html amp ").replace("<head>", &head);
            server.respond(&format!("/news/{topic}/amp"), html(amp));
        }
        let mill = mill(&server, "").await;
        mill.once().await;
        let records = mill.records().await;
        assert_eq!(records.len(), 3, "{canonical}: {:?}", titles(&records));
        for topic in topics {
            let text = text_of(&records, &server.url(&format!("/news/{topic}/amp")));
            assert_eq!(text, paragraphs(topic).join("\n\n"), "{canonical}");
        }
    }
}

fn story_of_nothing() -> String {
    super::story("everything that happened by the water")
}
