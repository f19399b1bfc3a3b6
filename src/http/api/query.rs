//! Parses the query for records.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde_json::json;
use url::form_urlencoded;

use super::route::Parameter;
use crate::model::schema;
use crate::publish::filter::{Criterion, Filter};

/// The maximum number of records in one response.
pub(super) const MAX_LIMIT: u32 = 1000;
const DEFAULT_LIMIT: u32 = 100;

/// The maximum time that a request may wait for a record.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// The prefix of a decoded cursor; a cursor with another meaning would have another prefix.
const CURSOR_MARK: &str = "seq:";

const HINT: &str = "hint: /v1/articles?after=CURSOR&limit=N&wait=30s&removed=skip&fields=id,text, and feed, tag, host, language, event, flags";

/// Returns all query parameters.
pub(super) fn parameters() -> Vec<Parameter> {
    let text = || json!({ "type": "string" });
    let mut parameters = vec![
        Parameter::query(
            "after",
            "The cursor to continue from; the `seq` of a record is accepted too.",
            text(),
            "41",
        ),
        Parameter::query(
            "limit",
            "Maximum number of records. A response may end earlier: after 16 MiB of text, or 20,000 records examined.",
            json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT }),
            "20",
        ),
        Parameter::query(
            "wait",
            "How long to wait for the first record if there is none yet; up to `60s`.",
            text(),
            "0s",
        ),
        Parameter::query(
            "removed",
            "The response if records after the cursor were removed: 410, or the remaining records. A reader at 0 gets the remaining ones.",
            json!({ "type": "string", "enum": ["refuse", "skip"], "default": "refuse" }),
            "skip",
        ),
        Parameter::query(
            "fields",
            "Comma-separated names of the fields to return; default: all.",
            text(),
            "id,text",
        ),
    ];
    parameters.extend(Criterion::ALL.map(|criterion| {
        let (name, example) = match criterion {
            Criterion::Feed => ("feed", "https://news.example/feed"),
            Criterion::Tag => ("tag", "coast"),
            Criterion::Host => ("host", "news.example"),
            Criterion::Language => ("language", "en"),
            Criterion::Event => ("event", "!linked"),
            Criterion::Flags => ("flags", "!too_short"),
        };
        let meaning = "Only records that match one of the values; a value that begins with `!` excludes the records that match it.";
        Parameter::query(name, meaning, text(), example).repeated()
    }));
    parameters
}

/// A position in the outbox, independent of the filter: a reader may change its filter and go on from the same cursor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor(pub(super) i64);

impl Cursor {
    /// Parses a cursor as sent by a client; the `seq` of a record is also accepted.
    pub(super) fn parse(text: &str) -> Option<Self> {
        if let Ok(seq) = text.parse::<i64>() {
            return (seq >= 0).then_some(Self(seq));
        }
        let decoded = String::from_utf8(BASE64_URL_SAFE_NO_PAD.decode(text).ok()?).ok()?;
        let seq: i64 = decoded.strip_prefix(CURSOR_MARK)?.parse().ok()?;
        (seq >= 0).then_some(Self(seq))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64_URL_SAFE_NO_PAD.encode(format!("{CURSOR_MARK}{}", self.0)))
    }
}

/// How to respond if records after the cursor were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Removed {
    /// With status 410, so that no reader misses them unnoticed.
    #[default]
    Refuse,
    /// With the records that are left.
    Skip,
}

/// A query for records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Only records after this cursor.
    pub(super) after: Cursor,
    /// The maximum number of records.
    pub(super) limit: u32,
    /// How long to wait for the first record.
    pub(super) wait: Duration,
    /// What to do if records after the cursor were removed.
    pub(super) removed: Removed,
    /// Which records to return.
    pub(super) filter: Filter,
    /// Which fields of the records to return; all if empty.
    pub(super) fields: Vec<String>,
}

impl Asked {
    /// Parses a query string; the error says what is wrong with it.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut asked = Self {
            after: Cursor::default(),
            limit: DEFAULT_LIMIT,
            wait: Duration::ZERO,
            removed: Removed::default(),
            filter: Filter::default(),
            fields: Vec::new(),
        };
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let wrong = |what: &str| format!("{name} = {value:?}: {what}; {HINT}");
            match &*name {
                "after" => {
                    asked.after = Cursor::parse(&value)
                        .ok_or_else(|| wrong("must be a cursor, or a seq of 0 or more"))?;
                }
                "limit" => {
                    let limit = value.parse().ok().filter(|limit| (1..=MAX_LIMIT).contains(limit));
                    asked.limit = limit.ok_or_else(|| wrong("must be 1 to 1000"))?;
                }
                "wait" => asked.wait = wait(&value).ok_or_else(|| wrong("must be a time of up to 60s"))?,
                "removed" => match &*value {
                    "skip" => asked.removed = Removed::Skip,
                    "refuse" => asked.removed = Removed::Refuse,
                    _ => return Err(wrong("must be refuse or skip")),
                },
                "fields" => asked.fields = fields(&value).map_err(|message| wrong(&message))?,
                name => match Criterion::named(name) {
                    Some(criterion) => {
                        asked.filter.add(criterion, &value).map_err(|message| wrong(&message))?;
                    }
                    None => return Err(wrong("unknown parameter")),
                },
            }
        }
        Ok(asked)
    }
}

/// Parses a list of fields such as `id,revision,text`.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let known = schema::fields();
    let named: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match named.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(format!("{name:?} is not a field of a record; hint: it has {}", known.join(", "))),
        None => Ok(named),
    }
}

/// Parses a duration such as `30s`, or a number of seconds.
fn wait(text: &str) -> Option<Duration> {
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => Duration::try_from(text.parse::<SignedDuration>().ok()?).ok()?,
    };
    (wait <= MAX_WAIT).then_some(wait)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_comes_back_as_it_went() {
        for seq in [0, 1, 42, i64::MAX] {
            assert_eq!(Cursor::parse(&Cursor(seq).to_string()), Some(Cursor(seq)));
            assert_eq!(Cursor::parse(&seq.to_string()), Some(Cursor(seq)));
        }
        for bad in ["-1", "x", "", "c2VxOi0x", "9223372036854775808"] {
            assert_eq!(Cursor::parse(bad), None, "{bad:?}");
        }
    }

    #[test]
    fn what_is_asked_is_read_or_refused_with_its_bounds() {
        let asked = Asked::parse("after=7&limit=20&wait=30s&language=en&language=de&event=!linked").unwrap();
        assert_eq!((asked.after, asked.limit, asked.wait), (Cursor(7), 20, Duration::from_secs(30)));
        assert_ne!(asked.filter, Filter::default());
        assert_eq!(Asked::parse("wait=5").unwrap().wait, Duration::from_secs(5));
        for (query, expected) in [
            ("wait=2m", "up to 60s"),
            ("limit=0", "1 to 1000"),
            ("removed=x", "refuse or skip"),
            ("event=deleted", "created"),
            ("afterr=1", "unknown parameter"),
            ("fields=id,body", "\"body\" is not a field of a record"),
        ] {
            let error = Asked::parse(query).unwrap_err();
            assert!(error.contains(expected), "{query}: {error}");
        }
    }
}
