//! The kinds of failure, for metrics, filters and the store.

use std::fmt;

macro_rules! failure_kinds {
    ($($kind:ident $label:literal $meaning:literal;)*) => {
        /// Why a poll brought no feed, or an entry no article.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum FailureKind {
            $(#[doc = $meaning] $kind,)*
        }

        impl FailureKind {
            /// Every kind, in the order of the enum.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The kind's stable name.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$kind => $label,)*
                }
            }
        }
    };
}

failure_kinds! {
    BadUrl "bad_url" "Nothing that a request can be sent to.";
    BadOption "bad_option" "The operator's options make no request.";
    Client "client" "The HTTP client cannot be built.";
    RefusedAddress "refused_address" "The guard stands before the address.";
    RobotsDisallowed "robots_disallowed" "robots.txt asks not to.";
    RobotsUnreachable "robots_unreachable" "robots.txt cannot be had.";
    HostPaused "host_paused" "The host has asked for a pause.";
    HostElsewhere "host_elsewhere" "Another process asks the host.";
    Dns "dns" "The host's name does not resolve.";
    Connect "connect" "No connection.";
    Certificate "certificate" "The certificate is not to be trusted.";
    Tls "tls" "TLS failed otherwise.";
    Timeout "timeout" "No complete answer in time.";
    BrokenAnswer "broken_answer" "Something other than HTTP, or its end too early.";
    BrokenBody "broken_body" "The body cannot be inflated, or ends too early.";
    UnknownEncoding "unknown_encoding" "A `Content-Encoding` that was not asked for.";
    NotText "not_text" "A page that is no text.";
    BodyTooLarge "body_too_large" "More bytes than allowed.";
    HeadersTooLarge "headers_too_large" "More headers than allowed.";
    BadRedirect "bad_redirect" "A redirect without a place to go.";
    TooManyRedirects "too_many_redirects" "More redirects than are followed.";
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
    HttpUnexpected "http_unexpected" "A status that answers no such request.";
    Challenge "challenge" "A check for machines in the page's stead.";
    ConsentWall "consent_wall" "A question for consent in the page's stead.";
    LoginWall "login_wall" "A form to log in in the page's stead.";
    SoftNotFound "soft_not_found" "A page that says, with a status of 200, that there is none.";
    SoftError "soft_error" "A page that says, with a status of 200, that something is broken.";
    RepeatedPage "repeated_page" "The same text as under many other entries of the host.";
    NotAFeed "not_a_feed" "What came is no feed.";
    NotModified "not_modified" "A 304 that was not asked for.";
    NoContent "no_content" "The feed holds no text of the entry, and no page is asked for.";
    Archive "archive" "The page could not be archived.";
    Panicked "panicked" "A worker panicked on it.";
    OutOfTime "out_of_time" "A worker took too long over it.";
    LeftOut "left_out" "The operator's rules for the feed leave it out.";
    Crashed "crashed" "The process died on it again and again.";
    StoreFailed "store_failed" "The store did not say what the work needs to know.";
    StoreRefused "store_refused" "The store refuses what was made of it.";
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
