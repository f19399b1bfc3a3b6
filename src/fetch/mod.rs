//! The only HTTP client.
//!
//! A request goes through `Fetcher::fetch`. For each hop it checks the address (`guard`, `names`), consults robots.txt where
//! that is obeyed (`robots`), waits for the host's turn (`host`), and reads the response within its caps (`body`), whatever
//! its coding (`encoding`) and type (`media`). It follows redirects, including those inside pages (`refresh`), with the cookies
//! of their chain (`chain`, `cookies`). Requests to object stores are made by the `object_store` crate with a client from here
//! (`objects`). `freshness` computes from the headers when to poll again; one table maps each failure to its consequence
//! (`error`).

mod body;
mod budget;
mod chain;
mod charset;
mod client;
mod cookies;
mod encoding;
mod error;
mod fetcher;
mod freshness;
mod guard;
mod headers;
mod host;
mod links;
mod media;
mod names;
mod objects;
mod outage;
mod pauses;
mod post;
mod refresh;
mod report;
mod robots;

use std::borrow::Cow;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;
use jiff::Timestamp;
use url::Url;

use crate::memory::Share;
use crate::model::{SecretText, Validators};
use crate::schedule::Freshness;

pub use charset::{decode_page, page_body};
pub use error::FetchError;
pub use fetcher::Fetcher;
pub use guard::Refused;
pub use links::Links;
pub use names::look_up;
pub use objects::ObjectClient;
pub use outage::Outage;
pub use post::Posted;
pub use report::Reporter;

/// What a request is for: decides the `Accept` header, the body cap and whether robots.txt is consulted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Polling a feed.
    Feed,
    /// Fetching an article's page.
    Page,
    /// Subscribing at a WebSub hub.
    Hub,
    /// Delivering records to the operator's webhook.
    Webhook,
}

/// The operator's options for requests to one feed and its pages.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestOptions {
    /// Extra headers; sent to the feed's own origin only.
    pub headers: Vec<(String, SecretText)>,
    /// Query parameters added to the feed's own URL when it is requested; stored and shown URLs do not contain them.
    pub query: Vec<(String, SecretText)>,
    /// Credentials; sent to the feed's own origin only.
    pub auth: Option<Auth>,
    /// Proxy for this feed.
    pub proxy: Option<Url>,
    /// Total timeout.
    pub timeout: Option<Duration>,
    /// Replaces the whole `User-Agent`.
    pub user_agent: Option<String>,
    /// Whether robots.txt is obeyed; the default differs by purpose.
    pub obey_robots: Option<bool>,
}

impl RequestOptions {
    /// Returns the options for a request to `target` on behalf of the feed configured as `feed`: without headers, query
    /// parameters and credentials if the target is of another origin.
    pub fn for_target(&self, feed: &Url, target: &Url) -> Cow<'_, Self> {
        let is_open = self.headers.is_empty() && self.query.is_empty() && self.auth.is_none();
        if feed.origin() == target.origin() || is_open {
            Cow::Borrowed(self)
        } else {
            Cow::Owned(Self { headers: Vec::new(), query: Vec::new(), auth: None, ..self.clone() })
        }
    }
}

/// Credentials.
#[derive(Clone, Debug, PartialEq)]
pub enum Auth {
    /// HTTP basic.
    Basic {
        /// User name.
        username: String,
        /// Password.
        password: SecretText,
    },
    /// Bearer token.
    Bearer(SecretText),
}

/// One GET request.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// The URL to fetch.
    pub url: &'a Url,
    /// Makes the request conditional if not empty.
    pub validators: &'a Validators,
    /// The operator's options.
    pub options: &'a RequestOptions,
}

/// A defect of a response that did not keep it from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The document is complete, but the response ended before its announced end.
    EndsEarly,
    /// The content encoding differs from what the headers say.
    Mislabelled,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndsEarly => "the response ended before its announced end",
            Self::Mislabelled => "the content encoding differs from what the headers say",
        })
    }
}

/// One redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// 301, 302, 303, 307 or 308; 200, 202 or 203 if the page itself redirects.
    pub status: u16,
    /// The redirect target.
    pub to: Url,
}

impl Hop {
    /// Returns whether the status is 301 or 308.
    pub fn is_permanent(&self) -> bool {
        matches!(self.status, 301 | 308)
    }
}

/// A successful response.
#[derive(Clone, Debug)]
pub struct Response {
    /// The URL that sent the response, after all redirects.
    pub final_url: Url,
    /// The redirects that led there.
    pub hops: Vec<Hop>,
    /// The validators in the response, byte for byte.
    pub validators: Validators,
    /// How long the response stays fresh, and when the server asks to be polled again.
    pub freshness: Freshness,
    /// The `Date` header: when the response was made, by the server's clock.
    pub date: Option<Timestamp>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// All headers if a page was requested, else empty.
    pub headers: HeaderMap,
    /// The WebSub links in its `Link` headers.
    pub links: Links,
    /// Defects in how the body was sent.
    pub oddities: Vec<Oddity>,
    /// The content.
    pub content: Content,
    /// The share of the memory budget that covers the body; keep it as long as the body.
    pub held: Arc<Share>,
}

impl Response {
    /// Returns where the resource has moved to if all redirects were permanent; `None` without a redirect or with any
    /// temporary one.
    pub fn moved_to(&self) -> Option<&Url> {
        let permanent = !self.hops.is_empty() && self.hops.iter().all(Hop::is_permanent);
        permanent.then_some(&self.final_url)
    }
}

/// A response's content.
#[derive(Clone, Debug)]
pub enum Content {
    /// 304.
    NotModified,
    /// A successful response's body, inflated and within the cap.
    Body(Vec<u8>),
}

/// Whether and when to try a failed request again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request may succeed later; if a delay is given, not before it has passed.
    Later(Option<Duration>),
    /// The request cannot succeed by itself: give up until something changes.
    Never,
    /// The resource is gone for good (410).
    Gone,
}

/// Settings of the client.
#[derive(Clone, Debug)]
pub struct Settings {
    /// A page that tells publishers who operates this crawler; goes into the `User-Agent`.
    pub contact_url: Option<Url>,
    /// Special-purpose addresses that the operator allows.
    pub allow: Vec<AllowedNet>,
    /// DNS servers; if empty, those that the system is configured with.
    pub name_servers: Vec<SocketAddr>,
    /// Total time for one request, redirects and body included.
    pub timeout: Duration,
    /// Timeout for connecting.
    pub connect_timeout: Duration,
    /// Longest time without data while reading.
    pub read_timeout: Duration,
    /// Most redirects followed per request.
    pub max_redirects: u8,
    /// Cap on a feed's body after inflating.
    pub feed_max_body_bytes: u64,
    /// Cap on a page's body after inflating.
    pub page_max_body_bytes: u64,
    /// Most requests in flight to one host.
    pub host_concurrency: u8,
    /// Minimum time between two requests to one host: counted from when the first response begins, until then from the first
    /// request's start.
    pub host_min_gap: Duration,
    /// The longest that a `Retry-After` on a 429 or 503 pauses all requests to its host; `None`: it delays only the one URL,
    /// through the schedule.
    pub max_host_pause: Option<Duration>,
    /// Proxy for all requests.
    pub proxy: Option<Url>,
    /// Whether proxies themselves refuse special-purpose addresses; if so, names are not resolved here before a proxied request.
    pub proxy_guards_addresses: bool,
    /// Whether pages obey robots.txt by default.
    pub pages_obey_robots: bool,
    /// Whether feeds obey robots.txt by default.
    pub feeds_obey_robots: bool,
}

/// A network that the guard lets through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AllowedNet {
    /// The addresses.
    pub net: ipnet::IpNet,
    /// The port; every port where `None`.
    pub port: Option<u16>,
}
