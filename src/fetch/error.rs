//! Why there is no response, and what follows from it.

use std::error::Error;
use std::time::Duration;

use super::{Refused, Retry, robots};
use crate::impostor::Impostor;
use crate::model::FailureKind;
use crate::schedule::Freshness;

/// Why there is no response. No message repeats the URL, which may hold a secret.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Nothing that a request can be sent to.
    #[error("not a URL to fetch: {0}")]
    BadUrl(&'static str),
    /// The operator's options for the feed make no request.
    #[error("invalid request option: {0}")]
    BadOption(String),
    /// The client cannot be built.
    #[error("cannot set up the HTTP client: {0}")]
    Client(String),
    /// The guard stands before the address.
    #[error("{0}; hint: an operator can allow it by network and port")]
    Refused(#[from] Refused),
    /// robots.txt asks not to.
    #[error("robots.txt disallows the page")]
    RobotsDisallowed,
    /// robots.txt cannot be had, which counts as a refusal until it can.
    #[error("robots.txt is out of reach: {reason}")]
    RobotsUnreachable {
        /// Why.
        reason: String,
        /// Whether our own network may be to blame.
        network: bool,
    },
    /// The host has asked for a pause, which goes on.
    #[error("the host asked not to be asked for another {} s", wait.as_secs())]
    HostPaused {
        /// How much of it is left.
        wait: Duration,
    },
    /// The host is another process's to ask, which has not lent it.
    #[error("another process asks the host")]
    HostElsewhere {
        /// When to come back.
        wait: Duration,
    },
    /// The name does not resolve.
    #[error("cannot resolve the host: {0}")]
    Dns(String),
    /// No connection.
    #[error("cannot connect: {0}")]
    Connect(String),
    /// The server's certificate is not to be trusted.
    #[error("certificate refused: {0}")]
    Certificate(String),
    /// Neither side's TLS would do for the other.
    #[error("TLS failed: {0}")]
    Tls(String),
    /// Connected, but nothing came, or not all of it.
    #[error("no complete answer in time: {0}")]
    Timeout(String),
    /// Something other than HTTP, or its end too early.
    #[error("broken answer: {0}")]
    BrokenAnswer(String),
    /// The body cannot be inflated, or ends too early.
    #[error("broken body: {0}")]
    BrokenBody(String),
    /// The body is in a `Content-Encoding` that was not asked for.
    #[error("unknown content encoding {0:?}")]
    UnknownEncoding(String),
    /// A page that is no text: a film, an archive…
    #[error("not a text document: {}", media_type.as_deref().unwrap_or("of no type"))]
    NotText {
        /// What the server calls it.
        media_type: Option<String>,
        /// Its length in bytes, as far as the server says it.
        length: Option<u64>,
    },
    /// Something else in the page's stead.
    #[error("{0}")]
    Impostor(Impostor),
    /// More bytes than allowed, after inflating.
    #[error("body exceeds {limit_bytes} bytes")]
    BodyTooLarge {
        /// The cap.
        limit_bytes: u64,
    },
    /// More headers than any honest answer has.
    #[error("headers exceed the limit")]
    HeadersTooLarge,
    /// A redirect without a place to go.
    #[error("redirect to nowhere: {0}")]
    BadRedirect(String),
    /// More hops than allowed.
    #[error("more than {limit} redirects")]
    TooManyRedirects {
        /// The most that are followed.
        limit: u8,
    },
    /// Any status but 200, 203, an expected 304 and the redirects.
    #[error("the server answered {status}")]
    Status {
        /// The status code.
        status: u16,
        /// What the answer says about when to come back.
        freshness: Freshness,
        /// A temporary redirect led to the answer: it does not speak of the URL that was asked for.
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

/// What follows from a failure.
struct Consequence {
    kind: FailureKind,
    retry: Retry,
    network: bool,
}

impl FetchError {
    /// Whether and when to try again. A feed is polled again in any case but `Gone`, less and less often; an entry's
    /// page is not.
    pub fn retry(&self) -> Retry {
        self.consequence().retry
    }

    /// The kind of failure, for metrics and the store.
    pub fn kind(&self) -> FailureKind {
        self.consequence().kind
    }

    /// Whether the failure speaks of our own network (DNS or connect) rather than of the server.
    pub fn is_network(&self) -> bool {
        self.consequence().network
    }

    /// What the answer, if there was one, says about when to come back: the schedule's input for a failed poll.
    pub fn freshness(&self) -> Freshness {
        match self {
            Self::Status { freshness, .. } => freshness.clone(),
            _ => Freshness::default(),
        }
    }

    /// The one table of what each failure is called, whether it may pass, and whether the network is to blame.
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
            // Whoever made it may think better of it.
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

    /// What a failure of the HTTP library means.
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

/// The errors beneath `error`, outermost first. An `io::Error` hides the error that it wraps from `source()`.
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
