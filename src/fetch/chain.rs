//! The hops of one request: where it is, how it came there, and what it carries from hop to hop.

use http::header::LOCATION;
use url::Url;

use super::cookies::Cookies;
use super::{Auth, FetchError, Hop};
use crate::model::SecretText;

/// One request on its way.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// Where it goes next.
    pub(super) url: Url,
    /// How it came there.
    pub(super) hops: Vec<Hop>,
    pub(super) cookies: Cookies,
    /// The operator's secret parameters, which belong to where it goes and stand in no URL of the chain.
    query: &'a [(String, SecretText)],
    sends_query: bool,
    /// Where it was, each with how often the cookies had changed by then.
    visited: Vec<(Url, usize)>,
}

impl<'a> Chain<'a> {
    pub(super) fn new(start: Url, query: &'a [(String, SecretText)]) -> Self {
        let cookies = Cookies::default();
        Self { url: start, hops: Vec::new(), cookies, query, sends_query: true, visited: Vec::new() }
    }

    /// The URL as it is sent.
    pub(super) fn request_url(&self) -> Url {
        let mut url = self.url.clone();
        if self.sends_query && !self.query.is_empty() {
            let pairs = self.query.iter().map(|(name, value)| (name, value.expose_secret()));
            url.query_pairs_mut().extend_pairs(pairs);
        }
        url
    }

    /// Takes the secret parameters off where a redirect leads; whether it repeats them all.
    fn take_query(&self, to: &mut Url) -> bool {
        if self.query.is_empty() {
            return false;
        }
        let is_ours = |name: &str, value: &str| {
            self.query.iter().any(|(ours, secret)| ours == name && secret.expose_secret() == value)
        };
        let (ours, others): (Vec<_>, Vec<_>) =
            to.query_pairs().into_owned().partition(|(name, value)| is_ours(name, value));
        if ours.is_empty() {
            return false;
        }
        if others.is_empty() {
            to.set_query(None);
        } else {
            to.query_pairs_mut().clear().extend_pairs(others);
        }
        ours.len() >= self.query.len()
    }

    /// Notes that a request goes to where the chain is.
    pub(super) fn note_visit(&mut self) {
        self.visited.push((self.url.clone(), self.cookies.changes));
    }

    /// Whether a request to `url` would be one that was made before, cookies included.
    pub(super) fn leads_back_to(&self, url: &Url) -> bool {
        self.visited.iter().any(|(visited, changes)| visited == url && *changes == self.cookies.changes)
    }

    /// Goes on to where an answer of that status leads.
    pub(super) fn follow(&mut self, mut to: Url, status: u16, limit: u8) -> Result<(), FetchError> {
        self.sends_query = self.take_query(&mut to);
        if self.hops.len() >= usize::from(limit) {
            return Err(FetchError::TooManyRedirects { limit });
        }
        if self.leads_back_to(&to) {
            return Err(FetchError::BadRedirect("it leads back to where it came from".to_owned()));
        }
        self.hops.push(Hop { status, to: to.clone() });
        self.url = to;
        Ok(())
    }
}

/// Where a redirect leads; `None` for any other answer.
pub(super) fn location(response: &reqwest::Response, from: &Url) -> Result<Option<Url>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location =
        response.headers().get(LOCATION).map(|location| String::from_utf8_lossy(location.as_bytes()));
    let Some(location) = location else {
        return Err(FetchError::BadRedirect("the answer names no location".to_owned()));
    };
    let mut target = from
        .join(&location)
        .map_err(|error| FetchError::BadRedirect(format!("invalid location: {error}")))?;
    target.set_fragment(None);
    strip_credentials(&mut target);
    Ok(Some(target))
}

/// The URL without credentials, and the credentials: the operator's before those in the URL. So they can be dropped
/// where they must, and no stored URL holds them.
pub(super) fn split_credentials(url: &Url, auth: Option<&Auth>) -> (Url, Option<Auth>) {
    let mut bare = url.clone();
    if url.username().is_empty() && url.password().is_none() {
        return (bare, auth.cloned());
    }
    strip_credentials(&mut bare);
    let decoded = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    let in_url = || Auth::Basic {
        username: decoded(url.username()),
        password: decoded(url.password().unwrap_or_default()).into(),
    };
    (bare, Some(auth.cloned().unwrap_or_else(in_url)))
}

/// Credentials in a URL are taken off it, so that no stored URL holds them.
pub(super) fn strip_credentials(url: &mut Url) {
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    debug_assert!(stripped.is_ok() || !url.has_host(), "every URL with a host can lose its credentials");
}
