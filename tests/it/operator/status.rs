//! `status --watch`.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;

use super::{said, signal, two_articles};
use crate::support::daemon::{TestDaemon, feedmill};

#[tokio::test(flavor = "multi_thread")]
async fn the_status_is_shown_again_until_it_is_interrupted() {
    let server = two_articles().await;
    let test = TestDaemon::new().feed(&server.url("/feed"));
    let config = test.write_config();
    said(&config, &["once"]);
    let mut watching = feedmill(&config, &["status", "--watch"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(watching.stdout.take().unwrap()).lines().map(Result::unwrap);
    tokio::task::block_in_place(|| {
        for _ in 0..2 {
            let shown: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
            assert!(shown.iter().any(|line| line == "articles  2, 0 of them duplicates"), "{shown:?}");
            // The table of sinks follows.
            let sink = lines.by_ref().find(|line| line.contains("texts")).unwrap();
            assert!(
                !sink.contains('\u{1b}') && shown.iter().all(|line| !line.contains('\u{1b}')),
                "{shown:?}"
            );
        }
        signal(&watching, "INT");
        assert!(watching.wait().unwrap().success());
    });
}
