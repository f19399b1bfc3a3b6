//! The kinds of failure, as used in metrics, filters and the store.

use std::fmt;

macro_rules! failure_kinds {
    ($($kind:ident $label:literal $meaning:literal;)*) => {
        /// Why a poll yielded no feed, or an entry no article.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureKind {
            $(#[doc = $meaning] $kind,)*
        }

        impl FailureKind {
            /// Every kind, in the order of the enum.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// Returns the kind's stable name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $label,)*
                }
            }
        }
    };
}

failure_kinds! {
    BadUrl "bad_url" "The URL cannot be requested.";
    BadOption "bad_option" "The operator's request options are invalid.";
    Client "client" "The HTTP client cannot be set up.";
    RefusedAddress "refused_address" "The address guard refused the address.";
    RobotsDisallowed "robots_disallowed" "robots.txt disallows the URL.";
    RobotsUnreachable "robots_unreachable" "robots.txt cannot be fetched.";
    HostPaused "host_paused" "The host has requested a pause that is not over.";
    HostElsewhere "host_elsewhere" "The host belongs to another process.";
    Dns "dns" "The host's name does not resolve.";
    Connect "connect" "The connection failed.";
    Certificate "certificate" "The server's certificate is not trusted.";
    Tls "tls" "The TLS handshake or connection failed.";
    Timeout "timeout" "The response did not arrive completely in time.";
    BrokenAnswer "broken_answer" "The response is not valid HTTP, or ends too early.";
    BrokenBody "broken_body" "The body cannot be inflated, or ends too early.";
    UnknownEncoding "unknown_encoding" "The body is in an unsupported `Content-Encoding`.";
    NotText "not_text" "The page is not text.";
    BodyTooLarge "body_too_large" "The body exceeds the size limit.";
    HeadersTooLarge "headers_too_large" "The headers exceed the size limit.";
    BadRedirect "bad_redirect" "A redirect without a valid target, or in a loop.";
    TooManyRedirects "too_many_redirects" "More redirects than allowed.";
    Http401 "http_401" "Unauthorized.";
    Http402 "http_402" "Payment required.";
    Http403 "http_403" "Forbidden.";
    Http404 "http_404" "Not found.";
    Http410 "http_410" "Gone.";
    Http429 "http_429" "Too many requests.";
    Http451 "http_451" "Unavailable for legal reasons.";
    Http4xx "http_4xx" "Another status from 400 to 499.";
    Http503 "http_503" "Service unavailable.";
    Http5xx "http_5xx" "Another status from 500 to 599.";
    HttpUnexpected "http_unexpected" "An unexpected status outside 400 to 599.";
    Challenge "challenge" "A bot check instead of the page.";
    ConsentWall "consent_wall" "A consent form instead of the page.";
    LoginWall "login_wall" "A login form instead of the page.";
    SoftNotFound "soft_not_found" "A \"not found\" page with status 200.";
    SoftError "soft_error" "An error page with status 200.";
    RepeatedPage "repeated_page" "The same text as many other entries of the host.";
    NotAFeed "not_a_feed" "The document is not a feed.";
    NotModified "not_modified" "A 304 to a request that was not conditional.";
    NoContent "no_content" "The feed has no text for the entry, and no page is fetched.";
    Archive "archive" "The page could not be archived.";
    Panicked "panicked" "A worker panicked while processing it.";
    OutOfTime "out_of_time" "Processing exceeded the time limit.";
    LeftOut "left_out" "The operator's rules for the feed exclude it.";
    Crashed "crashed" "The process died repeatedly while parsing it.";
    StoreFailed "store_failed" "The store could not return data that processing needs.";
    StoreRefused "store_refused" "The store refused the result.";
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn no_two_kinds_have_one_name() {
        let names: HashSet<&str> = FailureKind::ALL.iter().map(|kind| kind.as_str()).collect();
        assert_eq!(names.len(), FailureKind::ALL.len());
    }
}
