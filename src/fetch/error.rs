//! Fetch failures and their consequences.

use std::error::Error;
use std::time::Duration;

use super::{Refused, Retry, robots};
use crate::impostor::Impostor;
use crate::model::FailureKind;
use crate::schedule::Freshness;

/// The reason why there is no response. No message repeats the URL, which may contain a secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The URL cannot be requested.
    #[error("cannot request the URL: {0}")]
    BadUrl(&'static str),
    /// The operator's options for the feed are invalid.
    #[error("invalid request option: {0}")]
    BadOption(String),
    /// The client cannot be built.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
    /// The guard refuses the address.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// robots.txt disallows the URL.
    #[error("robots.txt disallows the page")]
    RobotsDisallowed,
    /// robots.txt cannot be fetched, which counts as a refusal until it can.
    #[error("cannot fetch robots.txt: {reason}")]
    RobotsUnreachable {
        /// The failure.
        reason: String,
        /// Whether our own network may be to blame.
        network: bool,
    },
    /// The host has asked for a pause that is not over.
    #[error("the host requested a pause: {} s left", wait.as_secs())]
    HostPaused {
        /// The time left.
        wait: Duration,
    },
    /// The host belongs to another process, which has not lent it.
    #[error("the host belongs to another process")]
    HostElsewhere {
        /// When to try again.
        wait: Duration,
    },
    /// The name does not resolve.
    #[error("cannot resolve the host: {0}")]
    Dns(String),
    /// The connection failed.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The server's certificate is not trusted.
    #[error("certificate refused: {0}")]
    Certificate(String),
    /// The TLS handshake or connection failed.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// Connected, but the response did not arrive completely in time.
    #[error("no complete answer in time: {0}")]
    Timeout(String),
    /// The response is not valid HTTP, or ends too early.
    #[error("broken answer: {0}")]
    BrokenAnswer(String),
    /// The body cannot be inflated, or ends too early.
    #[error("broken body: {0}")]
    BrokenBody(String),
    /// The body is in an unsupported `Content-Encoding`.
    #[error("unknown content encoding {0:?}")]
    UnknownEncoding(String),
    /// The page is not text, but a video, an archive…
    #[error("not a text document: {}", media_type.as_deref().unwrap_or("no media type"))]
    NotText {
        /// The media type by the server.
        media_type: Option<String>,
        /// The length in bytes, if the server announces it.
        length: Option<u64>,
    },
    /// The server sent something else instead of the page, such as a bot check or a wall.
    #[error("{0}")]
    Impostor(Impostor),
    /// The body exceeds the cap, after inflating.
    #[error("body exceeds {limit_bytes} bytes")]
    BodyTooLarge {
        /// The cap.
        limit_bytes: u64,
    },
    /// The headers exceed the limit.
    #[error("headers exceed the limit")]
    HeadersTooLarge,
    /// A redirect without a valid target, or in a loop.
    #[error("invalid redirect: {0}")]
    BadRedirect(String),
    /// More redirects than allowed.
    #[error("more than {limit} redirects")]
    TooManyRedirects {
        /// The most that are followed.
        limit: u8,
    },
    /// Any status but 200, 203, an expected 304 and the redirects; 202 is accepted for a page, every 2xx for a POST.
    #[error("the server answered {status}")]
    Status {
        /// The status code.
        status: u16,
        /// What the response says about when to poll again.
        freshness: Freshness,
        /// A temporary redirect led to the response, so the status says nothing about the requested URL.
        astray: bool,
    },
}

fn of_impostor(impostor: Impostor) -> FailureKind {
    match impostor {
        Impostor::Challenge => FailureKind::Challenge,
        Impostor::ConsentWall => FailureKind::ConsentWall,
        Impostor::LoginWall => FailureKind::LoginWall,
        Impostor::SoftNotFound => FailureKind::SoftNotFound,
        Impostor::SoftError => FailureKind::SoftError,
        Impostor::RepeatedPage => FailureKind::RepeatedPage,
    }
}

/// The consequences of a failure.
struct Consequence {
    kind: FailureKind,
    retry: Retry,
    network: bool,
}

impl FetchError {
    /// Returns whether and when to try again. A feed is polled again in any case but `Gone`, less and less often; an entry's
    /// page is not.
    pub fn retry(&self) -> Retry {
        self.consequence().retry
    }

    /// Returns the kind of failure, for metrics and the store.
    pub fn kind(&self) -> FailureKind {
        self.consequence().kind
    }

    /// Returns whether the failure may be due to our own network (DNS or connect) rather than to the server.
    pub fn is_network(&self) -> bool {
        self.consequence().network
    }

    /// Returns what the response, if there was one, says about when to poll again: the schedule's input for a failed poll.
    pub fn freshness(&self) -> Freshness {
        match self {
            Self::Status { freshness, .. } => freshness.clone(),
            _ => Freshness::default(),
        }
    }

    /// The one table that maps each failure to its kind, its retry rule, and whether the network is to blame.
    fn consequence(&self) -> Consequence {
        let later = Retry::Later(None);
        let (kind, retry, network) = match self {
            Self::BadUrl(_) => (FailureKind::BadUrl, Retry::Never, false),
            Self::BadOption(_) => (FailureKind::BadOption, Retry::Never, false),
            Self::Client(_) => (FailureKind::Client, Retry::Never, false),
            Self::Refused(_) => (FailureKind::RefusedAddress, Retry::Never, false),
            Self::RobotsDisallowed => (FailureKind::RobotsDisallowed, Retry::Never, false),
            Self::RobotsUnreachable { network, .. } => {
                (FailureKind::RobotsUnreachable, Retry::Later(Some(robots::RETRY)), *network)
            }
            Self::HostPaused { wait } => (FailureKind::HostPaused, Retry::Later(Some(*wait)), false),
            Self::HostElsewhere { wait } => (FailureKind::HostElsewhere, Retry::Later(Some(*wait)), false),
            Self::Dns(_) => (FailureKind::Dns, later, true),
            Self::Connect(_) => (FailureKind::Connect, later, true),
            Self::Certificate(_) => (FailureKind::Certificate, Retry::Never, false),
            Self::Tls(_) => (FailureKind::Tls, later, false),
            Self::Timeout(_) => (FailureKind::Timeout, later, false),
            Self::BrokenAnswer(_) => (FailureKind::BrokenAnswer, later, false),
            Self::BrokenBody(_) => (FailureKind::BrokenBody, later, false),
            Self::UnknownEncoding(_) => (FailureKind::UnknownEncoding, Retry::Never, false),
            Self::NotText { .. } => (FailureKind::NotText, Retry::Never, false),
            // The server may send the page itself later.
            Self::Impostor(kind) => (of_impostor(*kind), later, false),
            Self::BodyTooLarge { .. } => (FailureKind::BodyTooLarge, Retry::Never, false),
            Self::HeadersTooLarge => (FailureKind::HeadersTooLarge, Retry::Never, false),
            Self::BadRedirect(_) => (FailureKind::BadRedirect, Retry::Never, false),
            Self::TooManyRedirects { .. } => (FailureKind::TooManyRedirects, Retry::Never, false),
            Self::Status { status, freshness, astray } => {
                let again = Retry::Later(freshness.retry_after);
                let (kind, retry) = match status {
                    401 => (FailureKind::Http401, Retry::Never),
                    402 => (FailureKind::Http402, Retry::Never),
                    403 => (FailureKind::Http403, Retry::Never),
                    404 => (FailureKind::Http404, Retry::Never),
                    410 if *astray => (FailureKind::Http410, Retry::Never),
                    410 => (FailureKind::Http410, Retry::Gone),
                    429 => (FailureKind::Http429, again),
                    451 => (FailureKind::Http451, Retry::Never),
                    408 | 421 | 425 => (FailureKind::Http4xx, again),
                    400..=499 => (FailureKind::Http4xx, Retry::Never),
                    501 | 505 => (FailureKind::Http5xx, Retry::Never),
                    503 => (FailureKind::Http503, again),
                    500..=599 => (FailureKind::Http5xx, again),
                    _ => (FailureKind::HttpUnexpected, Retry::Never),
                };
                (kind, retry, false)
            }
        };
        Consequence { kind, retry, network }
    }

    /// Converts an error of the HTTP library.
    pub(super) fn from_reqwest(error: reqwest::Error) -> Self {
        let error = error.without_url();
        for cause in causes(&error) {
            if let Some(refused) = cause.downcast_ref::<Refused>() {
                return Self::Refused(refused.clone());
            }
            if let Some(tls) = cause.downcast_ref::<rustls::Error>() {
                return match tls {
                    rustls::Error::InvalidCertificate(_) => Self::Certificate(tls.to_string()),
                    _ => Self::Tls(tls.to_string()),
                };
            }
            if cause.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_parse_too_large) {
                return Self::HeadersTooLarge;
            }
        }
        let detail = causes(&error).last().map_or_else(|| error.to_string(), ToString::to_string);
        if error.is_dns() {
            Self::Dns(detail)
        } else if error.is_connect() {
            Self::Connect(detail)
        } else if error.is_timeout() {
            Self::Timeout(detail)
        } else if error.is_builder() {
            Self::BadOption(detail)
        } else if error.is_body() || error.is_decode() {
            Self::BrokenBody(detail)
        } else {
            Self::BrokenAnswer(detail)
        }
    }
}

/// Returns the causes of `error`, outermost first. An `io::Error` hides the error that it wraps from `source()`.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(error.source(), |&cause| {
        let wrapped = cause.downcast_ref::<std::io::Error>().and_then(|io| io.get_ref());
        wrapped.map(|wrapped| wrapped as &(dyn Error + 'static)).or_else(|| cause.source())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn status(status: u16) -> FetchError {
        let freshness = Freshness { retry_after: Some(Duration::from_secs(7)), ..Freshness::default() };
        FetchError::Status { status, freshness, astray: false }
    }

    #[test]
    fn every_failure_has_its_consequence() {
        let text = String::new;
        let later = Retry::Later(None);
        let named = Retry::Later(Some(Duration::from_secs(7)));
        let refused = Refused { host: text(), address: [127, 0, 0, 1].into(), kind: "loopback" };
        let astray = FetchError::Status { status: 410, freshness: Freshness::default(), astray: true };
        let robots_retry = Retry::Later(Some(robots::RETRY));
        let unreachable = |network| FetchError::RobotsUnreachable { reason: text(), network };
        let table = [
            (FetchError::BadUrl(""), FailureKind::BadUrl, Retry::Never, false),
            (FetchError::BadOption(text()), FailureKind::BadOption, Retry::Never, false),
            (FetchError::Client(text()), FailureKind::Client, Retry::Never, false),
            (FetchError::Refused(refused), FailureKind::RefusedAddress, Retry::Never, false),
            (FetchError::RobotsDisallowed, FailureKind::RobotsDisallowed, Retry::Never, false),
            (unreachable(false), FailureKind::RobotsUnreachable, robots_retry, false),
            (unreachable(true), FailureKind::RobotsUnreachable, robots_retry, true),
            (FetchError::HostPaused { wait: Duration::from_secs(7) }, FailureKind::HostPaused, named, false),
            (
                FetchError::HostElsewhere { wait: Duration::from_secs(7) },
                FailureKind::HostElsewhere,
                named,
                false,
            ),
            (FetchError::Dns(text()), FailureKind::Dns, later, true),
            (FetchError::Connect(text()), FailureKind::Connect, later, true),
            (FetchError::Certificate(text()), FailureKind::Certificate, Retry::Never, false),
            (FetchError::Tls(text()), FailureKind::Tls, later, false),
            (FetchError::Timeout(text()), FailureKind::Timeout, later, false),
            (FetchError::BrokenAnswer(text()), FailureKind::BrokenAnswer, later, false),
            (FetchError::BrokenBody(text()), FailureKind::BrokenBody, later, false),
            (FetchError::UnknownEncoding(text()), FailureKind::UnknownEncoding, Retry::Never, false),
            (
                FetchError::NotText { media_type: None, length: None },
                FailureKind::NotText,
                Retry::Never,
                false,
            ),
            (FetchError::Impostor(Impostor::Challenge), FailureKind::Challenge, later, false),
            (FetchError::Impostor(Impostor::ConsentWall), FailureKind::ConsentWall, later, false),
            (FetchError::Impostor(Impostor::LoginWall), FailureKind::LoginWall, later, false),
            (FetchError::Impostor(Impostor::SoftNotFound), FailureKind::SoftNotFound, later, false),
            (FetchError::Impostor(Impostor::SoftError), FailureKind::SoftError, later, false),
            (FetchError::Impostor(Impostor::RepeatedPage), FailureKind::RepeatedPage, later, false),
            (FetchError::BodyTooLarge { limit_bytes: 1 }, FailureKind::BodyTooLarge, Retry::Never, false),
            (FetchError::HeadersTooLarge, FailureKind::HeadersTooLarge, Retry::Never, false),
            (FetchError::BadRedirect(text()), FailureKind::BadRedirect, Retry::Never, false),
            (FetchError::TooManyRedirects { limit: 5 }, FailureKind::TooManyRedirects, Retry::Never, false),
            (status(204), FailureKind::HttpUnexpected, Retry::Never, false),
            (status(304), FailureKind::HttpUnexpected, Retry::Never, false),
            (status(400), FailureKind::Http4xx, Retry::Never, false),
            (status(401), FailureKind::Http401, Retry::Never, false),
            (status(402), FailureKind::Http402, Retry::Never, false),
            (status(403), FailureKind::Http403, Retry::Never, false),
            (status(404), FailureKind::Http404, Retry::Never, false),
            (status(408), FailureKind::Http4xx, named, false),
            (status(410), FailureKind::Http410, Retry::Gone, false),
            (astray, FailureKind::Http410, Retry::Never, false),
            (status(421), FailureKind::Http4xx, named, false),
            (status(425), FailureKind::Http4xx, named, false),
            (status(429), FailureKind::Http429, named, false),
            (status(451), FailureKind::Http451, Retry::Never, false),
            (status(500), FailureKind::Http5xx, named, false),
            (status(501), FailureKind::Http5xx, Retry::Never, false),
            (status(502), FailureKind::Http5xx, named, false),
            (status(503), FailureKind::Http503, named, false),
            (status(505), FailureKind::Http5xx, Retry::Never, false),
            (status(522), FailureKind::Http5xx, named, false),
        ];
        for (error, kind, retry, network) in table {
            assert_eq!(
                (error.kind(), error.retry(), error.is_network()),
                (kind, retry, network),
                "{error:?}"
            );
        }
    }
}
