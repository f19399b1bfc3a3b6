//! `[[sink]]` tables: where records go.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{Checker, DAY_SECS, output_dir, time};
use crate::publish::filter::{Criterion, Filter};
use crate::publish::{Batching, Configured, Receiver, relay, text};
use crate::store::Beginning;

/// A table as the file says it. Of the receivers exactly one is named.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
pub(super) struct Sink {
    name: String,
    from: Beginning,
    pause: bool,
    filter: Chosen,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<Text>,
    #[serde(skip_serializing_if = "Option::is_none")]
    jsonl: Option<Files>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stdout: Option<Stdout>,
}

/// Which records a sink takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
struct Chosen {
    feed: Vec<String>,
    tag: Vec<String>,
    host: Vec<String>,
    language: Vec<String>,
    event: Vec<String>,
    flag: Vec<String>,
}

impl Chosen {
    fn of(&self, criterion: Criterion) -> (&'static str, &[String]) {
        match criterion {
            Criterion::Feed => ("feed", &self.feed),
            Criterion::Tag => ("tag", &self.tag),
            Criterion::Host => ("host", &self.host),
            Criterion::Language => ("language", &self.language),
            Criterion::Event => ("event", &self.event),
            Criterion::Flag => ("flag", &self.flag),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
struct Text {
    to: PathBuf,
    copies: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
struct Files {
    to: PathBuf,
    every: String,
    max_bytes: u64,
}

impl Default for Files {
    fn default() -> Self {
        Self { to: PathBuf::new(), every: "1h".to_owned(), max_bytes: 33_554_432 }
    }
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, expecting = "a table")]
struct Stdout {}

/// Text before compression in one file: it is held in memory while the file is made.
const FILE_BYTES: RangeInclusive<u64> = 65_536..=268_435_456;

/// Positions in one file: beyond that the end of a period is not waited for.
const FILE_RECORDS: u32 = 50_000;

impl Checker<'_> {
    /// Every sink; two of one name would share a cursor.
    pub(super) fn sinks(&mut self, sinks: &[Sink], state_dir: &Path) -> Vec<Configured> {
        let mut names = HashSet::new();
        let mut checked = Vec::new();
        for (i, sink) in sinks.iter().enumerate() {
            let path = format!("sink[{i}]");
            if !is_name(&sink.name) {
                let message = "must be a name of letters, digits, - and _, at most 64 of them";
                self.refuse(&format!("{path}.name"), Some(&format!("{:?}", sink.name)), message);
            } else if !names.insert(&sink.name) {
                let message = "is the name of another sink as well";
                self.refuse(&format!("{path}.name"), Some(&format!("{:?}", sink.name)), message);
            }
            let filter = self.filter(&path, &sink.filter);
            let receiver = self.receiver(&path, sink, state_dir);
            let (name, from, pause) = (sink.name.clone(), sink.from, sink.pause);
            let relay = relay::Settings { name, from, pause, filter };
            checked.extend(receiver.map(|receiver| Configured { relay, receiver }));
        }
        checked
    }

    fn filter(&mut self, path: &str, chosen: &Chosen) -> Filter {
        let mut filter = Filter::default();
        for criterion in Criterion::ALL {
            let (name, values) = chosen.of(criterion);
            for (i, value) in values.iter().enumerate() {
                if let Err(message) = filter.add(criterion, value) {
                    let path = format!("{path}.filter.{name}[{i}]");
                    self.refuse(&path, Some(&format!("{value:?}")), message);
                }
            }
        }
        filter
    }

    fn receiver(&mut self, path: &str, sink: &Sink, state_dir: &Path) -> Option<Receiver> {
        let named = [sink.text.is_some(), sink.jsonl.is_some(), sink.stdout.is_some()];
        if named.into_iter().filter(|named| *named).count() != 1 {
            self.refuse(path, None, "must have exactly one of text, jsonl and stdout: where the records go");
            return None;
        }
        if let Some(Text { to, copies }) = &sink.text {
            let selection =
                if *copies { text::Selection::WithDuplicates } else { text::Selection::Originals };
            let to = self.folder(&format!("{path}.text.to"), to, state_dir)?;
            return Some(Receiver::Text { to, selection });
        }
        if let Some(files) = &sink.jsonl {
            let path = format!("{path}.jsonl");
            let batching = self.file_batching(&path, files);
            let to = self.folder(&format!("{path}.to"), &files.to, state_dir)?;
            return Some(Receiver::JsonLines { to, batching });
        }
        Some(Receiver::Stdout)
    }

    fn folder(&mut self, path: &str, to: &Path, state_dir: &Path) -> Option<PathBuf> {
        let folder = output_dir(to, state_dir);
        if folder.is_none() {
            self.refuse(path, None, "is missing: the folder that the files go to");
        }
        folder
    }

    fn file_batching(&mut self, path: &str, files: &Files) -> Batching {
        let max_bytes = self.number(&format!("{path}.max_bytes"), files.max_bytes, FILE_BYTES);
        let period = time(&files.every).filter(|period| is_part_of_a_day(*period));
        if period.is_none() {
            let message = "must be a time that divides a day, from 1m to 24h: 5m, 1h, 24h";
            self.refuse(&format!("{path}.every"), Some(&format!("{:?}", files.every)), message);
        }
        Batching { max_records: FILE_RECORDS, max_bytes, period }
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

fn is_part_of_a_day(period: Duration) -> bool {
    let seconds = period.as_secs();
    (60..=DAY_SECS).contains(&seconds) && DAY_SECS.is_multiple_of(seconds)
}
