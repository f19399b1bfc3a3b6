//! Browser sessions: a browser sends a token once, and gets a cookie to use in its place.
//!
//! The cookie holds the token's name and its expiry time, and is signed with the token's hash. So the server keeps no state, a
//! restart does not end a session, and a session ends when its token is changed or removed. In-memory sessions were the
//! alternative: bounded, but lost with each restart and known to one process only.

use axum::http::{HeaderMap, HeaderValue, header};
use data_encoding::BASE64URL_NOPAD;
use hmac::digest::KeyInit as _;
use hmac::{Hmac, Mac as _};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use super::auth::{Known, Role, Tokens, bearer};

const COOKIE: &str = "feedmill_session";

/// A prefix of the signed text, so that no other text that is ever signed with a token can be taken for a session.
const PURPOSE: &str = "feedmill session";

/// The lifetime of a session; after that, the browser is asked for the token again.
const LIFE: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The user of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Visitor {
    /// The name of the token that was sent; `None` if no tokens are configured.
    pub(super) name: Option<String>,
    /// Whether the token is an operator's; if no tokens are configured, nobody may make changes.
    pub(super) may_change: bool,
}

impl Visitor {
    fn of(known: &Known) -> Self {
        Self { name: Some(known.name.clone()), may_change: known.role == Role::Operator }
    }
}

impl Tokens {
    /// Returns the user who sent a request; `None` if a token is required and the request has no valid one.
    pub(super) fn visitor(&self, headers: &HeaderMap, now: Timestamp) -> Option<Visitor> {
        if self.is_empty() {
            return Some(Visitor { name: None, may_change: false });
        }
        let by_token = bearer(headers).and_then(|token| self.known(token));
        by_token.or_else(|| self.by_session(headers, now)).map(Visitor::of)
    }

    /// Returns a session cookie, if `token` is valid.
    pub(super) fn begin_session(
        &self,
        token: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<HeaderValue> {
        let known = self.known(token)?;
        let until = now.checked_add(LIFE).ok()?.as_second();
        let name = BASE64URL_NOPAD.encode(known.name.as_bytes());
        let mark = BASE64URL_NOPAD.encode(&signature(known, until).finalize().into_bytes());
        Some(cookie(&format!("{until}.{name}.{mark}"), LIFE, headers))
    }

    fn by_session(&self, headers: &HeaderMap, now: Timestamp) -> Option<&Known> {
        let value = cookies(headers).find_map(|(name, value)| (name == COOKIE).then_some(value))?;
        let mut parts = value.splitn(3, '.');
        let (until, name, mark) = (parts.next()?, parts.next()?, parts.next()?);
        let until: i64 = until.parse().ok()?;
        let name = BASE64URL_NOPAD.decode(name.as_bytes()).ok()?;
        let mark = BASE64URL_NOPAD.decode(mark.as_bytes()).ok()?;
        let mut of_that_name = self.0.iter().filter(|known| known.name.as_bytes() == name);
        // Compares in constant time.
        let is_genuine = |known: &&Known| signature(known, until).verify_slice(&mark).is_ok();
        of_that_name.find(is_genuine).filter(|_| now.as_second() < until)
    }
}

/// Returns a cookie that ends the session.
pub(super) fn end_session(headers: &HeaderMap) -> HeaderValue {
    cookie("", SignedDuration::ZERO, headers)
}

fn signature(known: &Known, until: i64) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&known.hash.0).expect("HMAC takes keys of every length");
    mac.update(format!("{PURPOSE}\0{until}\0{}", known.name).as_bytes());
    mac
}

/// Formats a cookie that scripts cannot read and other sites cannot have sent; if a proxy reports https, it is sent over https
/// only.
fn cookie(value: &str, life: SignedDuration, headers: &HeaderMap) -> HeaderValue {
    let is_https = headers.get("x-forwarded-proto").is_some_and(|scheme| scheme == "https");
    let secure = if is_https { "; Secure" } else { "" };
    let text =
        format!("{COOKIE}={value}; Path=/; Max-Age={}; HttpOnly; SameSite=Strict{secure}", life.as_secs());
    HeaderValue::try_from(text).expect("digits, letters and signs of base64 are fit for a header")
}

fn cookies(headers: &HeaderMap) -> impl Iterator<Item = (&str, &str)> {
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='))
}

/// Returns whether a request comes from one of our own pages. Browsers report this for every submitted form; `SameSite` alone
/// would also admit pages served from another port of the same host.
pub(super) fn is_from_own_page(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin";
    }
    // Over plain http, browsers omit that header; then no proxy is in between that could change the `Host` header.
    let host = text("origin").and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    host.is_some() && host == text("host")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::auth::Token;

    fn tokens(secret: &str) -> Tokens {
        let token = |name: &str, role, secret: &str| Token {
            name: name.to_owned(),
            role,
            secret: secret.to_owned().into(),
        };
        Tokens::from_iter([
            token("ada", Role::Operator, secret),
            token("bo", Role::Read, "another long secret"),
        ])
    }

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| ((*name).parse().unwrap(), value.parse().unwrap())).collect()
    }

    const SECRET: &str = "a long secret of hers";

    #[test]
    fn a_session_lasts_until_its_time_is_over_or_its_token_is_another() {
        let (tokens, start) = (tokens(SECRET), Timestamp::UNIX_EPOCH);
        assert_eq!(tokens.begin_session("a guess at the secret", &HeaderMap::new(), start), None);
        let set = tokens.begin_session(SECRET, &HeaderMap::new(), start).unwrap();
        let set = set.to_str().unwrap();
        assert!(set.contains("HttpOnly; SameSite=Strict") && !set.contains("Secure"), "{set}");
        let session = set.split(';').next().unwrap();
        let visitor = |tokens: &Tokens, cookie: &str, at| {
            tokens.visitor(&headers(&[("cookie", &format!("theme=x; {cookie}"))]), at)
        };
        let ada = Some(Visitor { name: Some("ada".to_owned()), may_change: true });
        assert_eq!(visitor(&tokens, session, start), ada);
        assert_eq!(visitor(&tokens, session, start + LIFE), None, "its time is over");
        assert_eq!(visitor(&super::tests::tokens("another secret now"), session, start), None);
        let longer = session.replacen("604800", "704800", 1);
        assert_ne!(longer, session);
        assert_eq!(visitor(&tokens, &longer, start), None, "not what was signed");
        let as_bo = session.replacen(&BASE64URL_NOPAD.encode(b"ada"), &BASE64URL_NOPAD.encode(b"bo"), 1);
        assert_eq!(visitor(&tokens, &as_bo, start), None, "signed with another's token");
    }

    #[test]
    fn where_there_are_no_tokens_everybody_looks_and_nobody_changes() {
        let visitor = Tokens::default().visitor(&HeaderMap::new(), Timestamp::UNIX_EPOCH);
        assert_eq!(visitor, Some(Visitor { name: None, may_change: false }));
    }

    #[test]
    fn behind_https_the_cookie_goes_over_nothing_else() {
        let ended = end_session(&headers(&[("x-forwarded-proto", "https")]));
        assert!(ended.to_str().unwrap().ends_with("SameSite=Strict; Secure"), "{ended:?}");
    }

    #[test]
    fn only_pages_of_our_own_may_send_forms() {
        for (given, is_own) in [
            (&[("sec-fetch-site", "same-origin")][..], true),
            (
                &[("sec-fetch-site", "same-site"), ("origin", "http://mill:8080"), ("host", "mill:8080")],
                false,
            ),
            (&[("sec-fetch-site", "none")], false),
            (&[("origin", "http://mill:8080"), ("host", "mill:8080")], true),
            (&[("origin", "http://mill:9090"), ("host", "mill:8080")], false),
            (&[("origin", "null"), ("host", "mill:8080")], false),
            (&[("host", "mill:8080")], false),
        ] {
            assert_eq!(is_from_own_page(&headers(given)), is_own, "{given:?}");
        }
    }
}
