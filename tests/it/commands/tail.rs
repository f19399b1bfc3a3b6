//! `feedmill tail`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::{announce, on_both, output, poll, site, text};
use crate::support::daemon::feedmill;

/// Returns the positions of the records that a command prints.
fn printed(config: &Path, arguments: &[&str]) -> Vec<i64> {
    let printed = output(config, arguments);
    assert_eq!(printed.status.code(), Some(0), "{arguments:?}: {}", text(&printed.stderr));
    text(&printed.stdout).lines().map(seq).collect()
}

fn seq(line: &str) -> i64 {
    serde_json::from_str::<Value>(line).unwrap()["seq"].as_i64().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn records_are_printed_after_a_position_and_as_filtered() {
    on_both(async |test| {
        let server = site(12).await;
        let test = test.feed_with(&server.url("/feed"), "tags = [\"coast\"]");
        let config = test.write_config();
        poll(&config);
        let feed = format!("feed={}", server.url("/feed"));
        let from_the_start: Vec<i64> = (1..=12).collect();
        let expected: [(&[&str], &[i64]); 10] = [
            (&["tail"], &from_the_start[2..]),
            (&["tail", "--after", "0"], &from_the_start),
            (&["tail", "--after", "10"], &[11, 12]),
            (&["tail", "--after", "12"], &[]),
            (&["tail", "--after", "10", "--filter", "event=revised"], &[]),
            (&["tail", "--after", "10", "--filter", "tag=coast", "--filter", &feed], &[11, 12]),
            (&["tail", "--after", "10", "--filter", "tag=coast", "--filter", "host=!127.0.0.1"], &[]),
            (&["tail", "--after", "10", "--filter", "language=en", "--filter", "flags=!gallery"], &[11, 12]),
            (&["tail", "--after", "10", "--filter", "flags=gallery"], &[]),
            (&["tail", "--filter", "event=created", "--filter", "host=127.0.0.1"], &from_the_start[2..]),
        ];
        for (arguments, seqs) in expected {
            assert_eq!(printed(&config, arguments), seqs, "{arguments:?}");
        }
        for (filter, said) in [("colour=red", "unknown criterion colour"), ("event=deleted", "withdrawn")] {
            let refused = output(&config, &["tail", "--filter", filter]);
            assert_eq!(refused.status.code(), Some(2), "{filter}");
            assert!(text(&refused.stderr).contains(said), "{filter}: {}", text(&refused.stderr));
        }
    })
    .await;
}

/// The follower prints what another process stores, until it is interrupted.
#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_what_is_stored_meanwhile() {
    on_both(async |test| {
        let server = site(2).await;
        let test = test.feed(&server.url("/feed"));
        let config = test.write_config();
        poll(&config);
        let arguments = ["tail", "--follow", "--after", "1", "--filter", "event=created"];
        let mut follower = feedmill(&config, &arguments).stdout(Stdio::piped()).spawn().unwrap();
        let mut printed = BufReader::new(follower.stdout.take().unwrap());
        let mut next = || {
            let mut line = String::new();
            tokio::task::block_in_place(|| printed.read_line(&mut line).unwrap());
            seq(&line)
        };
        assert_eq!(next(), 2);
        announce(&server, 4);
        poll(&config);
        assert_eq!((next(), next()), (3, 4));
        let pid = follower.id().to_string();
        let (ended, rest) = tokio::task::block_in_place(|| {
            assert!(Command::new("kill").args(["-s", "INT", &pid]).status().unwrap().success());
            let mut rest = String::new();
            printed.read_to_string(&mut rest).unwrap();
            (follower.wait().unwrap(), rest)
        });
        assert_eq!((ended.code(), rest.as_str()), (Some(0), ""), "an interrupt is its normal end");
    })
    .await;
}
