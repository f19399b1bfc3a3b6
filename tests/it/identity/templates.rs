//! Template text that a publisher's pages share does not make them copies.

use super::*;

fn sentences(topic: &str, count: usize) -> String {
    paragraphs(topic)[..count].iter().map(|text| format!("<p>{text}</p>")).collect()
}

fn advertisement(job: &str) -> String {
    format!(
        "<html><head><title>{job}</title></head><body><article><h1>{job} wanted</h1>{}{}</article></body></html>",
        sentences(job, 1),
        sentences("our company, which you will like,", 4)
    )
}

#[tokio::test]
async fn advertisements_of_one_employer_are_no_copies() {
    let server = Server::start().await;
    let jobs = ["cook", "pilot", "engineer", "purser"];
    let items: Vec<String> = jobs
        .iter()
        .map(|job| item(&format!("{job} wanted"), server.url(&format!("/{job}")).as_str(), job, ""))
        .collect();
    for count in 1..=jobs.len() {
        server.respond("/feed", rss(&items[..count]));
    }
    for job in jobs {
        server.respond(&format!("/{job}"), html(advertisement(job)));
    }
    let mill = mill(&server, "").await;
    for _ in jobs {
        mill.once().await;
        mill.advance(SignedDuration::from_hours(25));
    }
    let records = mill.records().await;
    assert_eq!(records.len(), jobs.len());
    for record in &records {
        assert_eq!(
            (record.duplicate_of, record.cluster_id),
            (None, record.id),
            "{:?}",
            record.metadata.title
        );
    }
}

#[tokio::test]
async fn a_story_told_again_at_another_address_is_a_copy() {
    let server = Server::start().await;
    let paths = ["/first", "/again"];
    let items = paths.map(|path| item(&format!("At {path}"), server.url(path).as_str(), path, ""));
    server.respond("/feed", rss(&items));
    server.respond("/first", html(page("mooring")));
    let told_again =
        page("mooring").replace("</article>", &format!("<p>{}</p></article>", paragraphs("rigging")[0]));
    server.respond("/again", html(told_again));
    let mill = mill(&server, "").await;
    mill.once().await;
    let records = mill.records().await;
    assert_eq!(records.iter().filter(|record| record.duplicate_of.is_some()).count(), 1, "{records:?}");
}
