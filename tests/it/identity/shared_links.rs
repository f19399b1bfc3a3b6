//! Several entries that share a link, and guids that identify little.

use super::*;

fn numbered(count: usize, one: impl Fn(usize) -> String) -> Vec<String> {
    (0..count).map(one).collect()
}

async fn articles(items: &[String], options: &str) -> Vec<Record> {
    let server = Server::start().await;
    let items: Vec<String> = items.iter().map(|item| item.replace('@', server.url("").as_str())).collect();
    server.respond("/feed", rss(&items));
    for path in ["/", "/changes"] {
        server.respond(path, html(page("mooring")));
    }
    let mill = mill(&server, options).await;
    to_the_end(&mill).await;
    mill.records().await
}

#[tokio::test]
async fn entries_with_one_link_are_articles_of_their_own() {
    let text = |n: usize| story(&format!("voyage {n}"));
    let release = |n: usize| format!("Release {n}");
    let kinds = [
        ("changelog", numbered(5, |n| item(&release(n), "@changes", &format!("rel-{n}"), &text(n)))),
        ("podcast", numbered(5, |n| item(&release(n), "@", &format!("ep-{n}"), &text(n)))),
        ("fragments", numbered(5, |n| item(&release(n), &format!("@changes#v{n}"), &release(n), &text(n)))),
        ("no guids", numbered(5, |n| item(&release(n), "@changes", "", &text(n)))),
        ("one guid", numbered(5, |n| item(&release(n), "@changes", "same", &text(n)))),
        ("placeholders", numbered(5, |n| item(&release(n), "@changes", "N/A", &text(n)))),
        ("one headline", numbered(5, |n| item("Comic of the day", "@changes", &format!("c-{n}"), &text(n)))),
    ];
    for (kind, items) in kinds {
        for options in ["", "content = \"feed\""] {
            let records = articles(&items, options).await;
            assert_eq!(latest(&records).len(), 5, "{kind} {options}");
            for n in 0..5 {
                let text = paragraphs(&format!("voyage {n}")).join("\n\n");
                assert!(records.iter().any(|record| record.text == text), "{kind} {options}: {n}");
            }
        }
    }
}

#[tokio::test]
async fn short_entries_with_one_link_are_all_recorded() {
    let items = numbered(4, |n| {
        item(&format!("Incident {n}"), "@changes", &format!("i-{n}"), &format!("Bridge {n} is up."))
    });
    let records = articles(&items, "").await;
    assert_eq!(titles(&records), ["Incident 0", "Incident 1", "Incident 2", "Incident 3"]);
    assert!(latest(&records).iter().all(|record| record.text.contains("is up.")), "{records:?}");
}

#[tokio::test]
async fn an_article_announced_twice_is_one() {
    let server = Server::start().await;
    let link = server.url("/mooring");
    let twice = ["first", "second"].map(|guid| item("The mooring affair", link.as_str(), guid, "Ropes."));
    server.respond("/feed", rss(&twice));
    server.respond("/mooring", html(page("mooring")));
    let mill = mill(&server, "").await;
    mill.once().await;
    let records = mill.records().await;
    assert_eq!(events(&records), [Event::Created, Event::Linked]);
    assert_eq!(records[1].text, paragraphs("mooring").join("\n\n"));
    assert_eq!(server.requests("/mooring").len(), 1);
}

#[tokio::test]
async fn what_comes_later_under_one_link_is_new() {
    let server = Server::start().await;
    let shirt =
        |n: usize| item(&format!("Shirt {n}"), server.url("/").as_str(), "", &story(&format!("shirt {n}")));
    for count in [1, 5, 6] {
        server.respond("/feed", rss(&numbered(count, |n| shirt(count - 1 - n))));
    }
    let mill = mill(&server, "content = \"feed\"").await;
    for expected in [1, 5, 6] {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(25));
        let records = mill.records().await;
        assert_eq!(records.len(), expected, "{:?}", titles(&records));
    }
}

/// One entry at a time in the feed, so that no single document shows that the link is shared.
#[tokio::test]
async fn one_link_for_all_is_noticed_from_poll_to_poll() {
    let server = Server::start().await;
    for n in 0..3 {
        let link = server.url("/show");
        server.respond(
            "/feed",
            rss(&[item(
                &format!("Episode {n}"),
                link.as_str(),
                &format!("e{n}"),
                &story(&format!("episode {n}")),
            )]),
        );
    }
    server.respond("/show", html(page("mooring")));
    let mill = mill(&server, "").await;
    for _ in 0..3 {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(25));
    }
    let records = mill.records().await;
    assert_eq!(latest(&records).len(), 3, "{:?}", titles(&records));
    for n in 1..3 {
        let text = paragraphs(&format!("episode {n}")).join("\n\n");
        assert!(records.iter().any(|record| record.text == text), "{n}");
    }
}

#[tokio::test]
async fn a_guid_used_again_for_another_story_is_another_entry() {
    let server = Server::start().await;
    let topics = ["mooring", "dredging", "rigging"];
    let old = item("Old", server.url("/old").as_str(), "old", "");
    for topic in topics {
        server.respond(&format!("/{topic}"), html(page(topic)));
        let latest =
            item(&format!("The {topic} affair"), server.url(&format!("/{topic}")).as_str(), "latest", "");
        server.respond("/feed", rss(&[latest, old.clone()]));
    }
    server.respond("/old", html(page("ballast")));
    let mill = mill(&server, "").await;
    for _ in 0..5 {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(25));
    }
    let records = mill.records().await;
    assert_eq!(events(&records), [Event::Created; 4], "{:?}", titles(&records));
    for topic in topics {
        assert_eq!(text_of(&records, &server.url(&format!("/{topic}"))), paragraphs(topic).join("\n\n"));
        assert_eq!(server.requests(&format!("/{topic}")).len(), 1, "{topic}");
    }
}

#[tokio::test]
async fn bad_guids_make_nothing_new_of_what_is_known() {
    let server = Server::start().await;
    let one =
        |n: usize, guid: &str| item(&format!("Story {n}"), server.url(&format!("/{n}")).as_str(), guid, "");
    let sound = numbered(10, |n| one(n, &format!("g{n}")));
    let stained = |guid: &str| numbered(10, |n| if n < 2 { one(n, guid) } else { sound[n].clone() });
    server.respond("/feed", rss(&sound));
    for guid in ["", "N/A", "g9"] {
        server.respond("/feed", rss(&stained(guid)));
    }
    server.respond("/feed", rss(&sound));
    for n in 0..10 {
        server.respond(&format!("/{n}"), html(page(&format!("topic {n}"))));
    }
    let mill = mill(&server, "").await;
    for _ in 0..5 {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(25));
    }
    // The entry announced again under another guid is not another article.
    let events = events(&mill.records().await);
    assert_eq!(events.iter().filter(|event| **event == Event::Created).count(), 10, "{events:?}");
    assert!(events.iter().all(|event| matches!(event, Event::Created | Event::Linked)), "{events:?}");
    for n in 0..10 {
        assert_eq!(server.requests(&format!("/{n}")).len(), 1, "{n}");
    }
}
