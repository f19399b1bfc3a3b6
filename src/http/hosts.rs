//! The names by which clients may address the interface.
//!
//! A page on the web can make its own name resolve to our address (DNS rebinding). To the browser, our responses then belong to
//! that page, and its scripts can read them. But the request names the page's host as its own, so requests for names that are
//! not ours are refused. An IP address needs no check: a page can only be of that host if it came from that address.
//!
//! With tokens, nothing is checked: the page has neither a token nor the cookie of a session, which a browser sends only to the
//! name that set it. Reverse proxies and services may then use any name. Health is not checked either: `/readyz` names sinks and
//! folders, but no feed or article, and probes use all kinds of names.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use url::Host;

use super::Serving;
use super::problem::Problem;

/// The names by which clients reach the interface, in addition to `localhost` and IP addresses.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hosts(Arc<[String]>);

/// The error for a text that is not a host name.
#[derive(Debug, thiserror::Error)]
#[error(
    "must be a host name such as mill.example.org, without scheme, port and wildcard; addresses need not be listed"
)]
pub struct NotAName;

impl Hosts {
    /// Parses the operator's list.
    pub fn read(names: &[String]) -> Result<Self, NotAName> {
        names.iter().map(|name| own_name(name).ok_or(NotAName)).collect::<Result<_, _>>().map(Self)
    }

    fn admits(&self, host: &Host) -> bool {
        match host {
            Host::Ipv4(_) | Host::Ipv6(_) => true,
            Host::Domain(name) => {
                let name = name.trim_end_matches('.');
                name == "localhost" || self.0.iter().any(|own| own == name)
            }
        }
    }

    fn check(&self, request: &Request) -> Result<(), Problem> {
        let Some(authority) = authority(request) else {
            return Err(Problem::bad_request("the request must have one Host header"));
        };
        if Host::parse(authority.host()).is_ok_and(|host| self.admits(&host)) {
            return Ok(());
        }
        let name = authority.host();
        tracing::warn!(host = name, "request refused: it is for another host");
        Err(Problem::new(
            StatusCode::MISDIRECTED_REQUEST,
            format!(
                "this server is not {name:?}; hint: if it is known by this name, add it to http.hosts and restart"
            ),
        ))
    }
}

/// Returns the name in the form in which names are compared.
fn own_name(text: &str) -> Option<String> {
    match Host::parse(text) {
        Ok(Host::Domain(name)) if !name.contains('*') => Some(name.trim_end_matches('.').to_owned()),
        _ => None,
    }
}

/// Returns the host that a request is for; its URL overrides the header (RFC 9112, section 3.2.2).
fn authority(request: &Request) -> Option<Authority> {
    if let Some(authority) = request.uri().authority() {
        return Some(authority.clone());
    }
    let mut values = request.headers().get_all(header::HOST).into_iter();
    let (value, None) = (values.next()?, values.next()) else { return None };
    Authority::try_from(value.as_bytes()).ok()
}

/// Middleware that refuses requests for other hosts, unless tokens are required.
pub(super) async fn only_ours(State(serving): State<Arc<Serving>>, request: Request, next: Next) -> Response {
    let surface = &serving.surface;
    if surface.tokens.borrow().is_empty()
        && let Err(problem) = surface.hosts.check(&request)
    {
        return problem.into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use axum::body::Body;

    use super::*;

    #[test]
    fn names_are_ours_if_the_operator_says_so_and_addresses_always() {
        let hosts = Hosts::read(&["Mill.example.".to_owned(), "mühle.example".to_owned()]).unwrap();
        for (host, status) in [
            ("localhost", None),
            ("LOCALHOST:8080", None),
            ("127.0.0.1:8080", None),
            ("10.2.3.4", None),
            ("[::1]:8080", None),
            ("mill.example", None),
            ("MILL.example.:443", None),
            ("xn--mhle-0ra.example", None),
            ("evil.example:8080", Some(421)),
            ("mill.example.evil.example", Some(421)),
            ("x.mill.example", Some(421)),
            ("127.0.0.1.evil.example", Some(421)),
            ("localhost.evil.example", Some(421)),
            ("", Some(400)),
            ("a b", Some(400)),
        ] {
            let request = Request::get("/").header("host", host).body(Body::empty()).unwrap();
            let refused = hosts.check(&request).err().map(|problem| problem.into_parts().0.as_u16());
            assert_eq!(refused, status, "{host:?}");
        }
    }

    #[test]
    fn a_request_is_for_one_host() {
        let hosts = Hosts::default();
        let refused = |request: axum::http::request::Builder| {
            let request = request.body(Body::empty()).unwrap();
            hosts.check(&request).err().map(|problem| problem.into_parts().0.as_u16())
        };
        assert_eq!(refused(Request::get("/")), Some(400));
        assert_eq!(
            refused(Request::get("/").header("host", "localhost").header("host", "localhost")),
            Some(400)
        );
        let evil = Request::get("http://evil.example/").header("host", "localhost");
        assert_eq!(refused(evil), Some(421), "the URL counts");
    }

    #[test]
    fn only_names_can_be_listed() {
        for wrong in
            ["http://mill.example", "mill.example:8080", "*", "*.mill.example", "127.0.0.1", "[::1]", ""]
        {
            assert!(Hosts::read(&[wrong.to_owned()]).is_err(), "{wrong:?}");
        }
    }
}
