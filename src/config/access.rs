//! Who may reach the HTTP interface without a token, and by which names.

use std::net::SocketAddr;

use super::check::Checker;
use super::raw;
use crate::http::hosts::Hosts;

impl Checker<'_> {
    /// Checks that a listener beyond loopback is not open to everybody by mistake: either tokens are required, or the operator
    /// says that none are.
    pub(super) fn anonymous_readers(&mut self, raw: &raw::Http, addresses: [Option<SocketAddr>; 2]) {
        if raw.allow_anonymous {
            if !raw.tokens.is_empty() {
                self.refuse_with_hint(
                    "http.allow_anonymous",
                    Some(&true),
                    "contradicts http.tokens: if there are tokens, all requests need one",
                    "remove one of the two",
                );
            }
            return;
        }
        if !raw.tokens.is_empty() {
            return;
        }
        let keys = [("http.listen", &raw.listen), ("http.metrics_listen", &raw.metrics_listen)];
        for ((key, text), address) in keys.into_iter().zip(addresses) {
            if address.is_some_and(|address| !address.ip().is_loopback()) {
                self.refuse_with_hint(
                    key,
                    Some(&format!("{text:?}")),
                    "is reachable from other machines, but no token is configured",
                    "http.tokens = [{ name = \"reader\", secret = { file = \"reader.token\" } }], or http.allow_anonymous = true if everybody there may read",
                );
            }
        }
    }

    /// Checks the names by which clients reach the interface.
    pub(super) fn own_names(&mut self, names: &[String]) -> Hosts {
        Hosts::read(names).unwrap_or_else(|error| {
            self.refuse("http.hosts", Some(&format!("{names:?}")), error.to_string());
            Hosts::default()
        })
    }
}
