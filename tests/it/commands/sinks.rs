//! `feedmill sinks`.

use std::fs;
use std::path::Path;

use serde_json::Value;

use super::{on_both, output, poll, site, text};
use crate::support::server::Reply;

/// Returns the state of a sink, as listed.
fn listed(config: &Path, name: &str) -> Value {
    let listed = said(config, &["sinks", "list", "--json"]);
    let mut sinks = listed.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    sinks.find(|sink| sink["name"] == name).unwrap_or_else(|| panic!("{name} is not in: {listed}"))
}

/// Runs a command that succeeds, and returns what it prints.
fn said(config: &Path, arguments: &[&str]) -> String {
    let ended = output(config, arguments);
    assert_eq!(ended.status.code(), Some(0), "{arguments:?}: {}", text(&ended.stderr));
    text(&ended.stdout)
}

/// Runs a command that fails, and returns its complaint.
fn refused(config: &Path, arguments: &[&str]) -> String {
    let ended = output(config, arguments);
    assert_eq!(ended.status.code(), Some(1), "{arguments:?}: {}", text(&ended.stdout));
    text(&ended.stderr)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sink_is_replayed_from_a_position_or_a_day() {
    on_both(async |test| {
        let (server, lines) = (site(4).await, tempfile::tempdir().unwrap());
        let sink = format!("[[sink]]\nname = \"lines\"\njsonl = {{ to = {:?} }}\n", lines.path());
        let test = test.feed(&server.url("/feed")).tables(&sink);
        let config = test.write_config();
        said(&config, &["migrate"]);
        assert_eq!(listed(&config, "texts")["state"], "not started yet");
        let early = refused(&config, &["sinks", "replay", "texts", "--from", "1"]);
        assert!(early.contains("sink texts has not started yet") && early.contains("hint"), "{early}");

        poll(&config);
        let status = listed(&config, "texts");
        assert_eq!((&status["state"], &status["kind"]), (&"active".into(), &"text".into()));
        assert_eq!((&status["seq"], &status["behind"]), (&4.into(), &0.into()));
        let table = said(&config, &["sinks", "list"]);
        let row = table.lines().find(|line| line.contains("texts")).unwrap_or_else(|| panic!("{table}"));
        assert!(row.contains("active") && row.contains('4'), "{row}");

        let written = test.files();
        assert_eq!(written.len(), 4);
        let folder = config.with_file_name("texts");
        for (from, after) in [("3", 2), ("2000-01-01", 0), ("2100-01-01", 4)] {
            for (name, _) in test.files() {
                fs::remove_file(folder.join(name)).unwrap();
            }
            let promised = said(&config, &["sinks", "replay", "texts", "--from", from]);
            assert_eq!(promised, format!("texts will deliver the records after {after} again\n"));
            assert_eq!(listed(&config, "texts")["seq"], after);
            said(&config, &["once"]);
            assert_eq!(test.files(), written[after..], "from {from}");
        }
        let whole = said(&config, &["sinks", "replay", "lines", "--from", "3"]);
        assert_eq!(whole, "lines will deliver the records after 0 again\n", "the start of its file");
        for from in ["0", "yesterday"] {
            let wrong = output(&config, &["sinks", "replay", "texts", "--from", from]);
            assert_eq!(wrong.status.code(), Some(2), "{}", text(&wrong.stderr));
        }
        let unknown = refused(&config, &["sinks", "replay", "nobody", "--from", "1"]);
        assert!(unknown.contains("\"nobody\"") && unknown.contains("configured sinks: texts"), "{unknown}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_disabled_sink_is_resumed() {
    on_both(async |test| {
        let server = site(2).await;
        server.respond("/hook", Reply::status(410));
        let hook = format!("[[sink]]\nname = \"hook\"\n[sink.webhook]\nurl = \"{}\"\n", server.url("/hook"));
        let test = test.feed(&server.url("/feed")).tables(&hook);
        let config = test.write_config();
        let disabled = output(&config, &["once"]);
        assert!(text(&disabled.stderr).contains("feedmill sinks resume"), "{}", text(&disabled.stderr));
        let status = listed(&config, "hook");
        assert_eq!((&status["state"], &status["behind"]), (&"disabled".into(), &2.into()));
        assert!(status["error"].as_str().unwrap().contains("410"), "{status}");
        let table = said(&config, &["sinks", "list"]);
        for name in ["texts", "hook"] {
            let status = listed(&config, name);
            let row = table.lines().find(|row| row.contains(name)).unwrap_or_else(|| panic!("{table}"));
            for key in ["kind", "state", "error"] {
                let word = status[key].as_str().unwrap_or_default();
                assert!(row.contains(word), "{key}: {status}: {row}");
            }
            assert!(row.contains(&format!(" {} ", status["behind"])), "{status}: {row}");
        }
        server.replace("/hook", Reply::status(204));
        output(&config, &["once"]);
        assert_eq!(server.requests("/hook").len(), 1, "it stays off until the operator resumes it");

        assert_eq!(said(&config, &["sinks", "resume", "hook"]), "hook resumes after 0\n");
        said(&config, &["once"]);
        let status = listed(&config, "hook");
        assert_eq!((&status["state"], &status["seq"]), (&"active".into(), &2.into()));
        let body: Value = serde_json::from_slice(&server.requests("/hook")[1].body).unwrap();
        let seqs: Vec<&Value> =
            body["records"].as_array().unwrap().iter().map(|record| &record["seq"]).collect();
        assert_eq!(seqs, [1, 2]);
        let unknown = refused(&config, &["sinks", "resume", "nobody"]);
        assert!(unknown.contains("configured sinks: texts, hook"), "{unknown}");
    })
    .await;
}
