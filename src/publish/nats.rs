//! Records as messages of a NATS JetStream stream.
//!
//! A message's id is `<id>:<revision>`, so that what is sent twice within the stream's window for duplicates stands there
//! once; an event that brings no new text (`linked`, `withdrawn`) has its position behind that. A batch is sent as a whole
//! before its acknowledgements are awaited: one by one, each record would cost a way there and back.

use std::time::Duration;

use async_nats::jetstream::{self, context::PublishErrorKind, message::PublishMessage, stream};
use async_nats::{ConnectOptions, ServerAddr};

use super::{Batch, Batching, Delivery, Failure, Sink};
use crate::model::{Event, Record, SecretText};

/// How long a server may take to let us in, and to acknowledge a message.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// Longer parts of a subject are cut.
const MAX_TOKEN_BYTES: usize = 120;

/// Where messages go, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Servers of one cluster.
    pub servers: Vec<ServerAddr>,
    /// Who we are.
    pub login: Login,
    /// The subject of each message.
    pub subject: Subject,
    /// The stream that takes the subjects; made where it is missing.
    pub stream: String,
    /// How long a stream that we make remembers ids.
    pub duplicate_window: Duration,
}

/// Who we are to a NATS server.
#[derive(Clone, Debug, PartialEq)]
pub enum Login {
    /// Nobody.
    None,
    /// The content of a `.creds` file.
    Credentials(SecretText),
    /// A token.
    Token(SecretText),
    /// User name and password.
    Password(String, SecretText),
}

/// A subject with places to be filled in: `news.{language}.{host}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(String),
    Place(Place),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Feed,
    Tag,
    Host,
    Language,
    Event,
}

/// A JetStream stream.
#[derive(Debug)]
pub struct Nats {
    settings: Settings,
    /// Made with the first batch, and anew after a failure.
    context: Option<jetstream::Context>,
}

impl Nats {
    /// Connects to nobody yet.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, context: None }
    }

    async fn connected(&mut self) -> Result<jetstream::Context, Failure> {
        if let Some(context) = &self.context {
            return Ok(context.clone());
        }
        let Settings { servers, login, subject, stream, duplicate_window } = &self.settings;
        let options = ConnectOptions::new().name("feedmill").connection_timeout(CONNECT_TIMEOUT);
        let options = match login {
            Login::None => options,
            // The end of a secret's last line is cut off, and without it the last of the two parts is not seen.
            Login::Credentials(file) => options
                .credentials(&format!("{}\n", file.expose_secret()))
                .map_err(|error| Failure::later(format!("the credentials cannot be used: {error}")))?,
            Login::Token(token) => options.token(token.expose_secret().to_owned()),
            Login::Password(user, password) => {
                options.user_and_password(user.clone(), password.expose_secret().to_owned())
            }
        };
        let client = options
            .connect(servers.as_slice())
            .await
            .map_err(|error| Failure::later(format!("cannot connect to NATS: {error}")))?;
        let context = jetstream::ContextBuilder::new().ack_timeout(ACK_TIMEOUT).build(client);
        let wanted = stream::Config {
            name: stream.clone(),
            subjects: vec![subject.wildcard()],
            duplicate_window: *duplicate_window,
            ..stream::Config::default()
        };
        context
            .get_or_create_stream(wanted)
            .await
            .map_err(|error| Failure::later(format!("cannot find or make the stream {stream}: {error}")))?;
        self.context = Some(context.clone());
        Ok(context)
    }

    async fn publish(&mut self, batch: &Batch) -> Result<(), Failure> {
        let context = self.connected().await?;
        let mut awaited = Vec::with_capacity(batch.records.len());
        for record in &batch.records {
            let payload = serde_json::to_vec(record).expect("a record has string keys and plain values");
            let message = PublishMessage::build().payload(payload.into()).message_id(message_id(record));
            let subject = self.settings.subject.of(record);
            let sent = context.send_publish(subject, message).await;
            awaited.push((record.seq, sent.map_err(|error| failure(record.seq, &error))?));
        }
        for (seq, acknowledgement) in awaited {
            acknowledgement.await.map_err(|error| failure(seq, &error))?;
        }
        Ok(())
    }
}

impl Sink for Nats {
    fn batching(&self) -> Batching {
        Batching::default()
    }

    fn deliver<'a>(&'a mut self, batch: &'a Batch) -> Delivery<'a> {
        Box::pin(async {
            let published = self.publish(batch).await;
            if published.is_err() {
                // Whatever is wrong with the connection or the stream, it is looked at anew.
                self.context = None;
            }
            published
        })
    }
}

fn failure(seq: i64, error: &jetstream::context::PublishError) -> Failure {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Failure::Record { seq, reason: error.to_string() },
        _ => Failure::later(format!("record {seq} was not acknowledged: {error}")),
    }
}

/// The same for what is delivered again, another for everything else.
fn message_id(record: &Record) -> String {
    let text = format!("{}:{}", record.id, record.revision);
    match record.event {
        Event::Created | Event::Revised => text,
        Event::Linked | Event::Withdrawn => format!("{text}:{}", record.seq),
    }
}

impl Subject {
    /// Reads a template; the error says what is wrong with it.
    pub fn parse(template: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        for token in template.split('.') {
            let part = match token.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                Some("feed") => Part::Place(Place::Feed),
                Some("tag") => Part::Place(Place::Tag),
                Some("host") => Part::Place(Place::Host),
                Some("language") => Part::Place(Place::Language),
                Some("event") => Part::Place(Place::Event),
                Some(other) => {
                    return Err(format!(
                        "{{{other}}} is none of {{feed}}, {{tag}}, {{host}}, {{language}}, {{event}}"
                    ));
                }
                None if is_token(token) => Part::Literal(token.to_owned()),
                None => return Err("must be words between dots, such as news.{language}.{host}".to_owned()),
            };
            parts.push(part);
        }
        Ok(Self(parts))
    }

    /// Every subject that the template makes, for the stream that takes them.
    fn wildcard(&self) -> String {
        self.filled(|_| "*".to_owned())
    }

    fn of(&self, record: &Record) -> String {
        self.filled(|place| {
            let first = record.feeds.first();
            token(match place {
                Place::Feed => {
                    first.map(|feed| feed.feed_url.as_str().split_once("://").map_or("", |(_, rest)| rest))
                }
                Place::Tag => first.and_then(|feed| feed.tags.first()).map(String::as_str),
                Place::Host => Some(record.hostname.as_str()),
                Place::Language => record.metadata.language.as_deref(),
                Place::Event => Some(match record.event {
                    Event::Created => "created",
                    Event::Revised => "revised",
                    Event::Linked => "linked",
                    Event::Withdrawn => "withdrawn",
                }),
            })
        })
    }

    fn filled(&self, fill: impl Fn(Place) -> String) -> String {
        let parts = self.0.iter().map(|part| match part {
            Part::Literal(text) => text.clone(),
            Part::Place(place) => fill(*place),
        });
        parts.collect::<Vec<_>>().join(".")
    }
}

fn is_token(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
}

/// One part of a subject: what may not stand in one becomes `_`, and so does what is not known.
fn token(value: Option<&str>) -> String {
    let value = value.unwrap_or_default();
    let mut token = String::with_capacity(value.len().min(MAX_TOKEN_BYTES));
    for c in value.trim_end_matches('/').chars() {
        let c = if c.is_alphanumeric() || matches!(c, '-' | '_') { c } else { '_' };
        if token.len() + c.len_utf8() > MAX_TOKEN_BYTES {
            break;
        }
        token.push(c);
    }
    if token.is_empty() { "_".to_owned() } else { token }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_makes_subjects_and_what_matches_them_all() {
        let subject = Subject::parse("news.{language}.{host}").unwrap();
        assert_eq!(subject.wildcard(), "news.*.*");
        for (value, expected) in [
            (Some("www.example.org"), "www_example_org"),
            (Some("example.org/feed.xml?a=b"), "example_org_feed_xml_a_b"),
            (Some("world > news*"), "world___news_"),
            (Some("ニュース"), "ニュース"),
            (None, "_"),
        ] {
            assert_eq!(token(value), expected);
        }
    }

    #[test]
    fn a_template_that_makes_no_subject_is_refused() {
        for bad in ["", "news..x", "news.>", "news.{section}", "a b", "news.{host", "x."] {
            assert!(Subject::parse(bad).is_err(), "{bad:?}");
        }
    }
}
