//! `[[sink]]` tables: where records are delivered.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::ServerAddr;

use super::check::{Checker, DAY_SECS, TIMEOUT_SECS, time};
use super::feeds::{credentials, feed_url, headers};
use super::raw::{Chosen, Files, Nats, Sink, Text, Webhook};
use crate::fetch::{self, RequestOptions};
use crate::publish::files::Form;
use crate::publish::filter::{Criterion, Filter};
use crate::publish::folder::Place;
use crate::publish::nats::{self, Authorities, Login, Subject};
use crate::publish::{Batching, Configured, Receiver, relay, text, webhook};

impl Chosen {
    fn of(&self, criterion: Criterion) -> (&'static str, &[String]) {
        match criterion {
            Criterion::Feed => ("feed", &self.feed),
            Criterion::Tag => ("tag", &self.tag),
            Criterion::Host => ("host", &self.host),
            Criterion::Language => ("language", &self.language),
            Criterion::Event => ("event", &self.event),
            Criterion::Flags => ("flags", &self.flags),
        }
    }
}

/// Bounds on the uncompressed size of one file, which is held in memory while the file is written.
const FILE_BYTES: RangeInclusive<u64> = 65_536..=268_435_456;

/// Returns a place in the same spelling however it is written: `texts`, `texts/` and `./texts` are one folder.
fn one_spelling(place: &Place) -> String {
    match place {
        Place::Local(folder) => folder.components().collect::<PathBuf>().display().to_string(),
        Place::Objects(_) => place.to_string(),
    }
}

/// Maximum number of positions in one file, which bounds a file of short texts as `max_bytes` does one of long texts.
const FILE_RECORDS: u32 = 50_000;

impl Checker<'_> {
    /// Checks all sinks. Names must be unique: two sinks with the same name would share a cursor.
    pub(super) fn sinks(&mut self, sinks: &[Sink], state_dir: &Path) -> Vec<Configured> {
        let (mut names, mut places) = (HashSet::new(), HashSet::new());
        let mut checked = Vec::new();
        for (i, sink) in sinks.iter().enumerate() {
            let path = format!("sink[{i}]");
            if !is_name(&sink.name) {
                let message = "must be a name of letters, digits, - and _, at most 64 of them";
                self.refuse(&format!("{path}.name"), Some(&format!("{:?}", sink.name)), message);
            } else if !names.insert(&sink.name) {
                let message = "is already the name of another sink";
                self.refuse(&format!("{path}.name"), Some(&format!("{:?}", sink.name)), message);
            }
            let filter = self.filter(&path, &sink.filter);
            let receiver = self.receiver(&path, sink, state_dir);
            // File names are derived from positions: two sinks in one place would overwrite each other's files.
            if let Some(place) = receiver.as_ref().and_then(Receiver::place)
                && !places.insert(one_spelling(place))
            {
                let message = "another sink writes there too; hint: give each sink its own folder or prefix";
                self.refuse(&path, Some(place), message);
            }
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
        let Sink { text, jsonl, parquet, webhook, nats, stdout, .. } = sink;
        let named = [
            text.is_some(),
            jsonl.is_some(),
            parquet.is_some(),
            webhook.is_some(),
            nats.is_some(),
            stdout.is_some(),
        ];
        if named.into_iter().filter(|named| *named).count() != 1 {
            let message =
                "must have exactly one of text, jsonl, parquet, webhook, nats and stdout: where records go";
            self.refuse(path, None, message);
            return None;
        }
        if let Some(Text { to, copies, trace, bucket }) = text {
            let selection =
                if *copies { text::Selection::WithDuplicates } else { text::Selection::Originals };
            let to = self.place(&format!("{path}.text"), to, bucket.as_ref(), state_dir)?;
            return Some(Receiver::Text { to, selection, trace: *trace });
        }
        for (files, form) in [(jsonl, Form::JsonLines), (parquet, Form::Parquet)] {
            let Some(files) = files else { continue };
            let path = format!("{path}.{}", form.kind());
            let batching = self.file_batching(&path, files);
            let to = self.place(&path, &files.to, files.bucket.as_ref(), state_dir)?;
            return Some(Receiver::Files { to, form, batching });
        }
        if let Some(webhook) = webhook {
            return self
                .webhook(&format!("{path}.webhook"), webhook)
                .map(|settings| Receiver::Webhook(Box::new(settings)));
        }
        if let Some(nats) = nats {
            return self.nats(&format!("{path}.nats"), nats).map(Receiver::Nats);
        }
        Some(Receiver::Stdout)
    }

    fn webhook(&mut self, path: &str, raw: &Webhook) -> Option<webhook::Settings> {
        let key = |name: &str| format!("{path}.{name}");
        let url = match feed_url(&raw.url) {
            Ok(url) => Some(url),
            // A URL with a user name may contain a password as well.
            Err(_) if raw.url.contains('@') => {
                self.refuse(
                    &key("url"),
                    None,
                    "must be a URL without user name and password: set auth instead",
                );
                None
            }
            Err(message) => {
                self.refuse(&key("url"), Some(&format!("{:?}", raw.url)), message);
                None
            }
        };
        let secret = raw.secret.as_ref().and_then(|secret| self.secret(&key("secret"), secret));
        let request = RequestOptions {
            headers: headers(&raw.headers, path, self),
            auth: raw.auth.as_ref().and_then(|auth| credentials(auth, &key("auth"), self)),
            timeout: Some(self.secs(&key("timeout_secs"), raw.timeout_secs, TIMEOUT_SECS)),
            ..RequestOptions::default()
        };
        let max_records = self.number(&key("max_records"), raw.max_records, 1..=1_000);
        Some(webhook::Settings { url: url?, secret, request, max_records })
    }

    fn nats(&mut self, path: &str, raw: &Nats) -> Option<nats::Settings> {
        let key = |name: &str| format!("{path}.{name}");
        let mut servers = Vec::new();
        for (i, server) in raw.servers.iter().enumerate() {
            match server.parse::<ServerAddr>() {
                Ok(address) if !server.contains('@') => servers.push(address),
                _ => {
                    let message =
                        "must be nats://HOST:PORT or tls://HOST:PORT; set auth or credentials for the login";
                    self.refuse(&format!("{path}.servers[{i}]"), None, message);
                }
            }
        }
        if raw.servers.is_empty() {
            self.refuse(&key("servers"), None, "must name at least one server");
        }
        let subject = Subject::parse(&raw.subject)
            .map_err(|message| self.refuse(&key("subject"), Some(&format!("{:?}", raw.subject)), message))
            .ok();
        if !is_name(&raw.stream) {
            let message = "must be a name of letters, digits, - and _, at most 64 of them";
            self.refuse(&key("stream"), Some(&format!("{:?}", raw.stream)), message);
        }
        let login = match (&raw.credentials, &raw.auth) {
            (None, None) => Login::None,
            (Some(credentials), None) => Login::Credentials(self.secret(&key("credentials"), credentials)?),
            (None, Some(auth)) => match credentials(auth, &key("auth"), self)? {
                fetch::Auth::Basic { username, password } => Login::Password(username, password),
                fetch::Auth::Bearer(token) => Login::Token(token),
            },
            (Some(_), Some(_)) => {
                self.refuse(
                    &key("auth"),
                    None,
                    "cannot be combined with credentials; hint: remove one of them",
                );
                return None;
            }
        };
        let authorities = match &raw.ca {
            None => None,
            Some(ca) => {
                let parsed = Authorities::parse(self.public_text(&key("ca"), ca)?.expose_secret());
                Some(parsed.map_err(|message| self.refuse(&key("ca"), None, message)).ok()?)
            }
        };
        let duplicate_window =
            self.secs(&key("duplicate_window_secs"), raw.duplicate_window_secs, 1..=DAY_SECS);
        let stream = raw.stream.clone();
        Some(nats::Settings { servers, login, authorities, subject: subject?, stream, duplicate_window })
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
