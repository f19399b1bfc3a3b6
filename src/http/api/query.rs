//! What a reader of records asks for.

use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::SignedDuration;
use serde_json::json;
use url::form_urlencoded;

use super::route::Parameter;
use crate::model::schema;
use crate::publish::filter::{Criterion, Filter};

/// Most records in one answer.
pub(super) const MAX_LIMIT: u32 = 1000;
const DEFAULT_LIMIT: u32 = 100;

/// The longest that an answer may wait for a record.
const MAX_WAIT: Duration = Duration::from_mins(1);

/// What a cursor holds before its position: another word would tell another meaning.
const CURSOR_MARK: &str = "seq:";

const HINT: &str = "hint: /v1/articles?after=CURSOR&limit=N&wait=30s&removed=skip&fields=id,text, and feed, tag, host, language, event, flag";

/// What may be asked for.
pub(super) fn parameters() -> Vec<Parameter> {
    let text = || json!({ "type": "string" });
    let mut parameters = vec![
        Parameter::query(
            "after",
            "The cursor to go on from; the `seq` of a record is one too.",
            text(),
            "41",
        ),
        Parameter::query(
            "limit",
            "Most records in the answer, which may end earlier: after 16 MiB of text, or 20,000 records looked at.",
            json!({ "type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT }),
            "20",
        ),
        Parameter::query(
            "wait",
            "Up to `60s`: how long to wait for the first record where there is none.",
            text(),
            "0s",
        ),
        Parameter::query(
            "removed",
            "What is answered where records after the cursor were removed: 410, or what is left.",
            json!({ "type": "string", "enum": ["refuse", "skip"], "default": "refuse" }),
            "skip",
        ),
        Parameter::query(
            "fields",
            "Names of fields with commas in between: only these of each record.",
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
            Criterion::Flag => ("flag", "!too_short"),
        };
        let meaning = "Only records that fit one of the values, and none of those that begin with `!`.";
        Parameter::query(name, meaning, text(), example).repeated()
    }));
    parameters
}

/// A position in the outbox. What it means follows from nothing else: whatever a reader filters by, it goes on from there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Cursor(pub(super) i64);

impl Cursor {
    /// As a reader hands it back. The `seq` of a record is a cursor too.
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

/// What is answered where records after the cursor were removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Removed {
    /// 410, so that no reader loses them unawares.
    #[default]
    Refuse,
    /// What is left.
    Skip,
}

/// A query for records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Asked {
    /// Records after this.
    pub(super) after: Cursor,
    /// At most so many.
    pub(super) limit: u32,
    /// How long to wait for the first.
    pub(super) wait: Duration,
    /// What happens to a reader that comes too late.
    pub(super) removed: Removed,
    /// Which records.
    pub(super) filter: Filter,
    /// Which of their fields; all where it is empty.
    pub(super) fields: Vec<String>,
}

impl Asked {
    /// Reads a query string; the error says what is wrong with it.
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

/// `id,revision,text`.
fn fields(text: &str) -> Result<Vec<String>, String> {
    let known = schema::fields();
    let named: Vec<String> = text.split(',').map(|name| name.trim().to_owned()).collect();
    match named.iter().find(|name| !known.contains(name)) {
        Some(name) => Err(format!("{name:?} is no field of the record, which has {}", known.join(", "))),
        None => Ok(named),
    }
}

/// `30s`, or a number of seconds.
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
            ("fields=id,body", "\"body\" is no field of the record"),
        ] {
            let error = Asked::parse(query).unwrap_err();
            assert!(error.contains(expected), "{query}: {error}");
        }
    }
}
