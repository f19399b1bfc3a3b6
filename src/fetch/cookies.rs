//! Cookies within one chain of redirects. Some sites answer a request with a cookie and a redirect to the same URL until the
//! cookie is sent back. Cookies are not needed after the chain, so they are dropped with it: no host can track visits.

use http::header::{HeaderMap, HeaderValue, SET_COOKIE};
use url::Url;

/// Most cookies kept per chain, and most bytes per cookie: a genuine cookie check needs no more.
const MAX_COOKIES: usize = 20;
const MAX_COOKIE_BYTES: usize = 4096;

/// The cookies of one chain of redirects.
#[derive(Debug, Default)]
pub(super) struct Cookies {
    kept: Vec<Cookie>,
    /// How often the cookies have changed: a redirect back to an earlier URL is not a loop if they changed since.
    pub(super) changes: usize,
}

#[derive(Debug, PartialEq)]
struct Cookie {
    /// The host that set the cookie, and the only one it is sent to.
    host: String,
    name: String,
    value: String,
    only_tls: bool,
}

impl Cookies {
    /// Applies the `Set-Cookie` headers of a response from `url`.
    pub(super) fn note(&mut self, headers: &HeaderMap, url: &Url) {
        let Some(host) = url.host_str() else { return };
        for line in headers.get_all(SET_COOKIE).iter().filter_map(|line| line.to_str().ok()) {
            let mut parts = line.split(';').map(str::trim);
            let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { continue };
            if name.is_empty() || name.len() + value.len() > MAX_COOKIE_BYTES {
                continue;
            }
            let (mut ends, mut only_tls) = (false, false);
            for attribute in parts {
                let (attribute, value) = attribute.split_once('=').unwrap_or((attribute, ""));
                ends |= attribute.eq_ignore_ascii_case("max-age") && (value.starts_with('-') || value == "0");
                only_tls |= attribute.eq_ignore_ascii_case("secure");
            }
            let cookie =
                Cookie { host: host.to_owned(), name: name.to_owned(), value: value.to_owned(), only_tls };
            self.set(cookie, ends);
        }
    }

    fn set(&mut self, cookie: Cookie, ends: bool) {
        let known = self.kept.iter().position(|kept| kept.host == cookie.host && kept.name == cookie.name);
        match known {
            Some(at) if ends => drop(self.kept.remove(at)),
            Some(at) if self.kept[at] != cookie => self.kept[at] = cookie,
            None if !ends && self.kept.len() < MAX_COOKIES => self.kept.push(cookie),
            Some(_) | None => return,
        }
        self.changes += 1;
    }

    /// Returns the `Cookie` header for a request to `url`; `None` without cookies.
    pub(super) fn header(&self, url: &Url) -> Option<HeaderValue> {
        let is_meant = |cookie: &&Cookie| {
            Some(cookie.host.as_str()) == url.host_str() && (!cookie.only_tls || url.scheme() == "https")
        };
        let pairs: Vec<String> = self
            .kept
            .iter()
            .filter(is_meant)
            .map(|cookie| format!("{}={}", cookie.name, cookie.value))
            .collect();
        let mut value = HeaderValue::from_str(&pairs.join("; ")).ok().filter(|_| !pairs.is_empty())?;
        value.set_sensitive(true);
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(cookies: &mut Cookies, url: &str, lines: &[&str]) {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(SET_COOKIE, line.parse().unwrap());
        }
        cookies.note(&headers, &url.parse().unwrap());
    }

    fn header(cookies: &Cookies, url: &str) -> Option<String> {
        Some(cookies.header(&url.parse().unwrap())?.to_str().unwrap().to_owned())
    }

    #[test]
    fn a_cookie_goes_back_to_the_host_that_set_it() {
        let mut cookies = Cookies::default();
        note(&mut cookies, "https://a.example/feed", &["ok=1; Path=/; HttpOnly", "only=tls; Secure", "junk"]);
        assert_eq!(header(&cookies, "https://a.example/other").as_deref(), Some("ok=1; only=tls"));
        assert_eq!(header(&cookies, "http://a.example/").as_deref(), Some("ok=1"));
        assert_eq!(header(&cookies, "https://b.example/"), None);
        assert_eq!(cookies.changes, 2);
        note(&mut cookies, "https://a.example/feed", &["ok=1; Path=/; HttpOnly"]);
        assert_eq!(cookies.changes, 2, "the same again is no change");
        note(&mut cookies, "https://a.example/feed", &["ok=2", "only=; Max-Age=0"]);
        assert_eq!(header(&cookies, "https://a.example/").as_deref(), Some("ok=2"));
        assert_eq!(cookies.changes, 4);
    }

    #[test]
    fn no_server_fills_the_head_of_a_request() {
        let mut cookies = Cookies::default();
        let many: Vec<String> = (0..100).map(|n| format!("c{n}={}", "x".repeat(50 * n))).collect();
        note(&mut cookies, "https://a.example/", &many.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(cookies.kept.len(), MAX_COOKIES);
    }
}
