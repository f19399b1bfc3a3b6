//! Records that are removed while they are being sent.

use feedmill::store::Cutoff;
use futures_util::StreamExt as _;
use jiff::SignedDuration;

use super::{answer, get, surface};
use crate::support::daemon::OpenedDaemon;

const ARTICLES: usize = 6;

/// Gives each article a text of a million bytes: the texts after the first are read when they are sent.
async fn lengthen(daemon: &OpenedDaemon) {
    daemon.execute("UPDATE revisions SET text = replace(hex(zeroblob(100000)), '0', 'tide ')").await;
}

async fn remove_all(daemon: &OpenedDaemon) {
    let feeds = daemon.store().feeds_known().await.unwrap();
    let before = daemon.now() + SignedDuration::from_secs(1);
    let cutoffs = [Cutoff { feed_id: feeds[0].0, before }];
    while daemon.store().articles_remove(&cutoffs, &[]).await.unwrap() > 0 {}
}

#[tokio::test]
async fn an_answer_breaks_off_at_a_record_that_is_gone() {
    for (query, accept) in [
        ("after=0", "application/x-ndjson"),
        ("after=1", "application/x-ndjson"),
        ("after=1", "application/json"),
    ] {
        let (daemon, _server, router, _soft) = surface(ARTICLES).await;
        lengthen(&daemon).await;
        let answer = answer(&router, &format!("/v1/articles?{query}"), &[("accept", accept)]).await;
        assert_eq!(answer.status(), 200);
        remove_all(&daemon).await;
        let mut body = answer.into_body().into_data_stream();
        let mut received = Vec::new();
        let error = loop {
            match body.next().await {
                Some(Ok(slice)) => received.extend(slice),
                Some(Err(error)) => break error,
                None => panic!("{query} as {accept}: it ended as if it were complete"),
            }
        };
        assert!(error.to_string().contains("was removed before it was sent"), "{error}");
        let received = String::from_utf8(received).unwrap();
        assert!(received.contains("\"seq\":") && !received.contains("\"more\":"), "what was read came");
        let (status, _) = get(&router, "/v1/articles?after=2").await;
        assert_eq!(status, 410, "who resumes is told");
    }
}

#[tokio::test]
async fn who_skips_what_is_removed_gets_the_rest() {
    let (daemon, _server, router, _soft) = surface(ARTICLES).await;
    lengthen(&daemon).await;
    let answer = answer(&router, "/v1/articles?after=1&removed=skip", &[]).await;
    remove_all(&daemon).await;
    let body = axum::body::to_bytes(answer.into_body(), 1 << 24).await.unwrap();
    let lines = String::from_utf8(body.to_vec()).unwrap();
    assert!((1..ARTICLES - 1).contains(&lines.lines().count()), "only what had been read");
    assert!(lines.ends_with("}\n"), "the answer is complete");
}

#[tokio::test]
async fn an_event_stream_ends_at_a_record_that_is_gone() {
    let (daemon, _server, router, _soft) = surface(ARTICLES).await;
    lengthen(&daemon).await;
    let stream = [("accept", "text/event-stream")];
    let mut events = answer(&router, "/v1/articles", &stream).await.into_body().into_data_stream();
    let first = String::from_utf8(events.next().await.unwrap().unwrap().to_vec()).unwrap();
    let id = first.lines().find_map(|line| line.strip_prefix("id: ")).unwrap();
    remove_all(&daemon).await;
    let mut received = 1;
    while events.next().await.is_some() {
        received += 1;
    }
    assert!(received < ARTICLES, "{received}");
    let again = answer(&router, "/v1/articles", &[stream[0], ("last-event-id", id)]).await;
    assert_eq!(again.status(), 410);
}
