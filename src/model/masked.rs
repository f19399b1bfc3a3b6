//! URLs in a form that may be shown: secrets in the query are masked. Used for logs, records, `config show` and whatever else
//! leaves the process; requests and identities use the URL itself.

use serde::{Serialize as _, Serializer};
use url::Url;

/// Parts of names of query parameters whose values grant access.
const SECRET_NAMES: &[&str] = &[
    "token",
    "secret",
    "password",
    "passwd",
    "pwd",
    "apikey",
    "accesskey",
    "authkey",
    "privatekey",
    "userkey",
    "auth",
    "credential",
    "signature",
    "session",
];

/// Whole words of parameter names that are too short to be matched as substrings.
const SECRET_WORDS: &[&str] = &["key", "pass", "sig", "sid", "jwt", "hmac"];

/// The replacement for a masked value.
const MASK: &str = "***";

/// Returns the URL without credentials and with the values of secret parameters masked.
pub fn masked(url: &Url) -> Url {
    let mut shown = url.clone();
    if !url.username().is_empty() || url.password().is_some() {
        let hidden = shown.set_username("").and_then(|()| shown.set_password(None));
        debug_assert!(hidden.is_ok(), "a URL with credentials has a host");
    }
    let Some(query) = url.query() else { return shown };
    if query.split('&').any(is_secret) {
        let hide = |pair: &str| match pair.split_once('=') {
            Some((name, _)) if is_secret(pair) => format!("{name}={MASK}"),
            _ => pair.to_owned(),
        };
        shown.set_query(Some(&query.split('&').map(hide).collect::<Vec<_>>().join("&")));
    }
    shown
}

/// Serialises a URL masked.
pub fn serialize_masked<S: Serializer>(url: &Url, serializer: S) -> Result<S::Ok, S::Error> {
    masked(url).serialize(serializer)
}

/// Returns a URL given as text with the values of secret parameters masked; other text is returned unchanged.
pub fn masked_text(text: &str) -> String {
    match Url::parse(text) {
        Ok(url) if url.query().is_some_and(|query| query.split('&').any(is_secret)) => masked(&url).into(),
        _ => text.to_owned(),
    }
}

fn is_secret(pair: &str) -> bool {
    let Some((name, value)) = pair.split_once('=') else { return false };
    let letters: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let is_word = |word: &&str| {
        name.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part.eq_ignore_ascii_case(word))
    };
    !value.is_empty()
        && (SECRET_NAMES.iter().any(|secret| letters.contains(secret)) || SECRET_WORDS.iter().any(is_word))
        && !letters.contains("author")
}

#[cfg(test)]
mod tests {
    use super::{masked, masked_text};

    #[test]
    fn values_that_let_somebody_in_are_hidden() {
        for (url, shown) in [
            ("https://a.example/feed?token=x1&page=2", "https://a.example/feed?token=***&page=2"),
            ("https://a.example/feed?API_KEY=x1", "https://a.example/feed?API_KEY=***"),
            (
                "https://a.example/feed?user=ada&auth-token=x1",
                "https://a.example/feed?user=ada&auth-token=***",
            ),
            (
                "https://a.example/feed?X-Amz-Signature=x1&v=1",
                "https://a.example/feed?X-Amz-Signature=***&v=1",
            ),
            ("https://a.example/feed?key=x1", "https://a.example/feed?key=***"),
            ("https://u:p@a.example/feed", "https://a.example/feed"),
            (
                "https://a.example/feed?author=ada&keyword=rope&token=",
                "https://a.example/feed?author=ada&keyword=rope&token=",
            ),
            ("https://a.example/token/x1?page=2", "https://a.example/token/x1?page=2"),
        ] {
            assert_eq!(masked(&url.parse().unwrap()).as_str(), shown);
        }
        assert_eq!(masked_text("feeds.example/?token=x"), "feeds.example/?token=x", "no URL");
    }
}
