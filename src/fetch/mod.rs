//! The only HTTP client.
//!
//! One request goes through `Fetcher::fetch`: for each hop the address is checked (`guard`, `names`), robots.txt is asked where
//! it is obeyed (`robots`), the host's turn is awaited (`host`), and the answer is read within its caps (`body`), whatever
//! its coding (`encoding`) and type (`media`). Redirects, those that pages carry themselves included (`refresh`), are
//! followed with the cookies of their chain (`chain`, `cookies`). Object stores are asked by a crate that is lent a client (`objects`). What the answer says about time is arithmetic on its headers (`freshness`); what a failure means is one table (`error`).

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

/// What a request is for: it decides the `Accept` header, the body cap and whether robots.txt is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Polling a feed.
    Feed,
    /// Fetching an article's page.
    Page,
    /// Asking a WebSub hub for a subscription.
    Hub,
    /// Handing records to a receiver of the operator's.
    Webhook,
}

/// How the operator wants one feed's requests (and those for its pages) made.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RequestOptions {
    /// Extra headers; sent to the feed's own origin only.
    pub headers: Vec<(String, SecretText)>,
    /// Parameters added to the feed's own address, which is kept and shown without them.
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
    /// The options for a request to `target` on behalf of the feed configured as `feed`: headers and credentials stay
    /// behind where the target is of another origin.
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

/// One GET.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// What it is for.
    pub purpose: Purpose,
    /// Where to.
    pub url: &'a Url,
    /// Makes the request conditional where not empty.
    pub validators: &'a Validators,
    /// The operator's options.
    pub options: &'a RequestOptions,
}

/// What was wrong with an answer, and did not keep it from being read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The document is whole, but more was announced.
    EndsEarly,
    /// Its content encoding is another than the headers say.
    Mislabelled,
}

impl fmt::Display for Oddity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::EndsEarly => "the answer ends before its announced end",
            Self::Mislabelled => "the content encoding is not what the headers say",
        })
    }
}

/// One redirect that was followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// 301, 302, 303, 307 or 308; 200 or 203 where the page itself moves on.
    pub status: u16,
    /// Where it led.
    pub to: Url,
}

impl Hop {
    /// 301 or 308.
    pub fn is_permanent(&self) -> bool {
        matches!(self.status, 301 | 308)
    }
}

/// A successful answer.
#[derive(Clone, Debug)]
pub struct Response {
    /// Where the answer came from.
    pub final_url: Url,
    /// How it was reached.
    pub hops: Vec<Hop>,
    /// The validators in the answer, byte for byte.
    pub validators: Validators,
    /// How long it stays fresh.
    pub freshness: Freshness,
    /// When it was made, by the server's clock.
    pub date: Option<Timestamp>,
    /// The `Content-Type` header.
    pub content_type: Option<String>,
    /// All headers, where a page was asked for.
    pub headers: HeaderMap,
    /// What its `Link` headers say of a hub.
    pub links: Links,
    /// What was wrong with the way in which it came.
    pub oddities: Vec<Oddity>,
    /// What came.
    pub content: Content,
    /// The memory that it takes, for whoever keeps it.
    pub held: Arc<Share>,
}

impl Response {
    /// Where the resource has moved to by the word of every server on the way; `None` without a redirect and with a
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
    /// 200, inflated and within the cap.
    Body(Vec<u8>),
}

/// And now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same request may succeed later, not before the given time has passed where the server named one.
    Later(Option<Duration>),
    /// It never will by itself: give up until something changes.
    Never,
    /// The resource is gone for good (410).
    Gone,
}

/// Settings of the client.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Where an annoyed publisher can read who we are; goes into the `User-Agent`.
    pub contact_url: Option<Url>,
    /// Special-purpose addresses that the operator allows nevertheless.
    pub allow: Vec<AllowedNet>,
    /// Who is asked for names; where it is empty those that the system names.
    pub name_servers: Vec<SocketAddr>,
    /// Total time for one request, redirects and body included.
    pub timeout: Duration,
    /// Time to connect.
    pub connect_timeout: Duration,
    /// Longest silence while reading.
    pub read_timeout: Duration,
    /// Redirects followed.
    pub max_redirects: u8,
    /// Cap on a feed's body after inflating.
    pub feed_max_body_bytes: u64,
    /// Cap on a page's body after inflating.
    pub page_max_body_bytes: u64,
    /// Requests in flight to one host.
    pub host_concurrency: u8,
    /// Least time between two requests to one host: from when the first is answered, or from its start as long as it is not.
    pub host_min_gap: Duration,
    /// The longest that a `Retry-After` on a 429 or 503 stops all requests to its host; `None`: it stops those for the one
    /// URL only, which is the schedule's business.
    pub max_host_pause: Option<Duration>,
    /// Proxy for everything.
    pub proxy: Option<Url>,
    /// Whether proxies themselves refuse addresses that nobody should be led to: names are not looked up here then.
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
