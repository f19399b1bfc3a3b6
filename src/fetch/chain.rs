//! The hops of one request: its current URL, the redirects so far, and the state carried from hop to hop.

use http::header::LOCATION;
use url::Url;

use super::cookies::Cookies;
use super::{Auth, FetchError, Hop};
use crate::model::SecretText;

/// The state of one request across redirects.
#[derive(Debug)]
pub(super) struct Chain<'a> {
    /// The URL to request next.
    pub(super) url: Url,
    /// The redirects followed so far.
    pub(super) hops: Vec<Hop>,
    pub(super) cookies: Cookies,
    /// The operator's secret query parameters: added to the URL when it is requested, and part of no URL of the chain.
    query: &'a [(String, SecretText)],
    sends_query: bool,
    /// The URLs requested, each with the number of cookie changes at that time.
    visited: Vec<(Url, usize)>,
}

impl<'a> Chain<'a> {
    pub(super) fn new(start: Url, query: &'a [(String, SecretText)]) -> Self {
        let cookies = Cookies::default();
        Self { url: start, hops: Vec::new(), cookies, query, sends_query: true, visited: Vec::new() }
    }

    /// Returns the URL to send, with the secret parameters where they belong.
    pub(super) fn request_url(&self) -> Url {
        let mut url = self.url.clone();
        if self.sends_query && !self.query.is_empty() {
            let pairs = self.query.iter().map(|(name, value)| (name, value.expose_secret()));
            url.query_pairs_mut().extend_pairs(pairs);
        }
        url
    }

    /// Removes the secret parameters from a redirect target; returns whether the target repeats all of them.
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

    /// Records that the current URL is being requested.
    pub(super) fn note_visit(&mut self) {
        self.visited.push((self.url.clone(), self.cookies.changes));
    }

    /// Returns whether `url` was already requested with the same cookies.
    pub(super) fn leads_back_to(&self, url: &Url) -> bool {
        self.visited.iter().any(|(visited, changes)| visited == url && *changes == self.cookies.changes)
    }

    /// Follows a redirect of that status to `to`. Fails on more than `limit` redirects and on loops.
    pub(super) fn follow(&mut self, mut to: Url, status: u16, limit: u8) -> Result<(), FetchError> {
        self.sends_query = self.take_query(&mut to);
        if self.hops.len() >= usize::from(limit) {
            return Err(FetchError::TooManyRedirects { limit });
        }
        if self.leads_back_to(&to) {
            return Err(FetchError::BadRedirect("it leads to a URL that was already requested".to_owned()));
        }
        self.hops.push(Hop { status, to: to.clone() });
        self.url = to;
        Ok(())
    }
}

/// Returns the target of a redirect; `None` for any other response.
pub(super) fn location(response: &reqwest::Response, from: &Url) -> Result<Option<Url>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location =
        response.headers().get(LOCATION).map(|location| String::from_utf8_lossy(location.as_bytes()));
    let Some(location) = location else {
        return Err(FetchError::BadRedirect("no Location header".to_owned()));
    };
    let mut target = from
        .join(&location)
        .map_err(|error| FetchError::BadRedirect(format!("invalid location: {error}")))?;
    target.set_fragment(None);
    strip_credentials(&mut target);
    Ok(Some(target))
}

/// Splits the credentials off the URL; the operator's take precedence over those in the URL. They can then be withheld from
/// other origins, and no stored URL contains them.
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

/// Removes the credentials from a URL, so that no stored URL contains them.
pub(super) fn strip_credentials(url: &mut Url) {
    let stripped = url.set_username("").and_then(|()| url.set_password(None));
    debug_assert!(stripped.is_ok() || !url.has_host(), "every URL with a host can lose its credentials");
}
