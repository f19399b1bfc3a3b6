//! Publishes records as messages of a NATS JetStream stream.
//!
//! A message's id is `<id>:<revision>`, so the stream keeps only one copy of a message sent twice within its duplicate window.
//! Events that bring no new text (`linked`, `withdrawn`) have their position appended. All messages of a batch are sent before
//! the acknowledgements are awaited: one by one, each record would cost a round trip.

use std::error::Error as _;
use std::io;
use std::time::Duration;

use async_nats::jetstream::{self, context::PublishErrorKind, message::PublishMessage, stream};
use async_nats::{ConnectError, ConnectOptions, ServerAddr};
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{ClientConfig, RootCertStore};

use super::{Batch, Batching, Delivery, Failure, Sink};
use crate::model::{Event, Record, SecretText};

/// Timeouts for connecting to a server, and for its acknowledgement of a message.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const ACK_TIMEOUT: Duration = Duration::from_secs(10);

/// The maximum length of one token of a subject; longer ones are cut.
const MAX_TOKEN_BYTES: usize = 120;

/// Where messages go, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Servers of one cluster.
    pub servers: Vec<ServerAddr>,
    /// How to authenticate.
    pub login: Login,
    /// Who must have signed the certificates of the servers, if not an authority that the machine trusts.
    pub authorities: Option<Authorities>,
    /// The template for the subject of each message.
    pub subject: Subject,
    /// The stream that captures the subjects; created if it does not exist.
    pub stream: String,
    /// The duplicate window of a stream that feedmill creates.
    pub duplicate_window: Duration,
}

/// How to authenticate to a NATS server.
#[derive(Clone, Debug, PartialEq)]
pub enum Login {
    /// No authentication.
    None,
    /// The content of a `.creds` file.
    Credentials(SecretText),
    /// A token.
    Token(SecretText),
    /// User name and password.
    Password(String, SecretText),
}

/// Certificates of certificate authorities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Authorities(Vec<CertificateDer<'static>>);

/// A subject template with placeholders: `news.{language}.{host}`.
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

/// A sink that publishes to a JetStream stream.
#[derive(Debug)]
pub struct Nats {
    settings: Settings,
    /// Created with the first batch, and again after a failure.
    context: Option<jetstream::Context>,
}

impl Nats {
    /// Creates the sink without connecting.
    pub const fn new(settings: Settings) -> Self {
        Self { settings, context: None }
    }

    async fn connected(&mut self) -> Result<jetstream::Context, Failure> {
        if let Some(context) = &self.context {
            return Ok(context.clone());
        }
        let Settings { servers, login, authorities, subject, stream, duplicate_window } = &self.settings;
        let options = ConnectOptions::new().name("feedmill").connection_timeout(CONNECT_TIMEOUT);
        let options = match login {
            Login::None => options,
            // Secrets are read without their last line break, and without it the second section of the file is not recognised.
            Login::Credentials(file) => options
                .credentials(&format!("{}\n", file.expose_secret()))
                .map_err(|error| Failure::later(format!("cannot use the credentials: {error}")))?,
            Login::Token(token) => options.token(token.expose_secret().to_owned()),
            Login::Password(user, password) => {
                options.user_and_password(user.clone(), password.expose_secret().to_owned())
            }
        };
        let options = match authorities {
            None => options,
            Some(authorities) => {
                let roots = authorities
                    .roots()
                    .map_err(|error| Failure::later(format!("cannot use the authorities: {error}")))?;
                // Otherwise the server, or whoever is in between, decides whether there is any TLS.
                options.require_tls(true).tls_client_config(
                    ClientConfig::builder().with_root_certificates(roots).with_no_client_auth(),
                )
            }
        };
        let client = options.connect(servers.as_slice()).await.map_err(|error| unconnected(&error))?;
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
            .map_err(|error| Failure::later(format!("cannot find or create the stream {stream}: {error}")))?;
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
                // Whatever is wrong with the connection or the stream, the next attempt connects again.
                self.context = None;
            }
            published
        })
    }
}

impl Authorities {
    /// Parses certificates in PEM; the error says what is wrong with them.
    pub fn parse(pem: &str) -> Result<Self, String> {
        const EXPECTED: &str = "must be certificates in PEM";
        let certificates = CertificateDer::pem_slice_iter(pem.as_bytes()).collect::<Result<Vec<_>, _>>();
        let authorities = Self(certificates.map_err(|error| format!("{EXPECTED}: {error}"))?);
        let roots = authorities.roots().map_err(|error| format!("{EXPECTED}: {error}"))?;
        if roots.is_empty() { Err(EXPECTED.to_owned()) } else { Ok(authorities) }
    }

    fn roots(&self) -> Result<RootCertStore, rustls::Error> {
        let mut roots = RootCertStore::empty();
        for certificate in &self.0 {
            roots.add(certificate.clone())?;
        }
        Ok(roots)
    }
}

fn unconnected(error: &ConnectError) -> Failure {
    let cause = error.source().and_then(|source| source.downcast_ref::<io::Error>()?.get_ref());
    let hint = match cause.and_then(|cause| cause.downcast_ref::<rustls::Error>()) {
        Some(rustls::Error::InvalidCertificate(_)) => {
            "; hint: `ca` names the authority that signed the server's certificate"
        }
        _ => "",
    };
    Failure::later(format!("cannot connect to NATS: {error}{hint}"))
}

fn failure(seq: i64, error: &jetstream::context::PublishError) -> Failure {
    match error.kind() {
        PublishErrorKind::MaxPayloadExceeded => Failure::Record { seq, reason: error.to_string() },
        _ => Failure::later(format!("record {seq} was not acknowledged: {error}")),
    }
}

/// Returns the deduplication id: the same when a record is delivered again, different for every other message.
fn message_id(record: &Record) -> String {
    let text = format!("{}:{}", record.id, record.revision);
    match record.event {
        Event::Created | Event::Revised => text,
        Event::Linked | Event::Withdrawn => format!("{text}:{}", record.seq),
    }
}

impl Subject {
    /// Parses a template; the error says what is wrong with it.
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
                        "unknown placeholder {{{other}}}: must be one of {{feed}}, {{tag}}, {{host}}, \
                         {{language}}, {{event}}"
                    ));
                }
                None if is_token(token) => Part::Literal(token.to_owned()),
                None => {
                    return Err("must be words separated by dots, such as news.{language}.{host}".to_owned());
                }
            };
            parts.push(part);
        }
        Ok(Self(parts))
    }

    /// Returns the wildcard that matches every subject of this template, for the stream's configuration.
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

/// Makes a token of a subject: characters that a token must not contain become `_`, and so does a missing value.
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
    fn what_is_no_certificate_is_no_authority() {
        let no_certificate = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
        for bad in ["", "ca.pem", no_certificate] {
            let refused = Authorities::parse(bad).unwrap_err();
            assert!(refused.starts_with("must be certificates in PEM"), "{refused}");
        }
    }

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
