//! Authorization by token. Tokens are compared by their hashes and in constant time, so that response times reveal neither a
//! token's length nor how much of a guess was right.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq as _;
use tokio::sync::watch;

use super::problem::Problem;
use crate::model::{SecretText, Sha256Hash};

/// What a token permits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read records, and information about articles and feeds.
    #[default]
    Read,
    /// Additionally see the state of the service and its metrics, and make changes on the pages.
    Operator,
}

/// A configured token.
#[derive(Clone, Debug)]
pub struct Token {
    /// The name of its holder, for the log.
    pub name: String,
    /// What the token permits.
    pub role: Role,
    /// The token itself.
    pub secret: SecretText,
}

/// All tokens. If there are none, everyone who reaches the listener may read everything, and nobody may make changes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens(pub(super) Arc<[Known]>);

/// The tokens in force: a reload replaces them.
pub type InForce = watch::Receiver<Tokens>;

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// The name of its holder.
    pub(super) name: String,
    /// What the token permits.
    pub(super) role: Role,
    /// The hash of the token.
    pub(super) hash: Sha256Hash,
}

impl FromIterator<Token> for Tokens {
    fn from_iter<I: IntoIterator<Item = Token>>(tokens: I) -> Self {
        let known = tokens.into_iter().map(|token| Known {
            name: token.name,
            role: token.role,
            hash: Sha256Hash::of(token.secret.expose_secret()),
        });
        Self(known.collect())
    }
}

impl Tokens {
    /// Returns whether there are none, so that requests need none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Checks that the token in `headers` grants `role`.
    pub(super) fn admit(&self, headers: &HeaderMap, role: Role) -> Result<(), Problem> {
        if self.is_empty() {
            return Ok(());
        }
        let unknown = |detail| Problem::new(StatusCode::UNAUTHORIZED, detail);
        let Some(given) = bearer(headers) else {
            return Err(unknown("no token; hint: send \"Authorization: Bearer TOKEN\""));
        };
        match self.known(given) {
            None => Err(unknown("unknown token")),
            Some(known) if role == Role::Operator && known.role == Role::Read => {
                tracing::warn!(token = known.name, "request refused: it requires an operator's token");
                Err(Problem::new(
                    StatusCode::FORBIDDEN,
                    "this token is read-only; hint: use one with role = \"operator\"",
                ))
            }
            Some(_) => Ok(()),
        }
    }

    /// Returns the configured token that equals `given`.
    pub(super) fn known(&self, given: &str) -> Option<&Known> {
        let hash = Sha256Hash::of(given);
        // Compares all of them, even after a match, so that the time taken does not depend on which one matches.
        self.0.iter().fold(
            None,
            |found, known| {
                if bool::from(known.hash.0.ct_eq(&hash.0)) { Some(known) } else { found }
            },
        )
    }
}

/// Returns the bearer token of a request.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Middleware that requires [`Role::Read`].
pub(super) async fn readers(State(tokens): State<InForce>, request: Request, next: Next) -> Response {
    through(&tokens, Role::Read, request, next).await
}

/// Middleware that requires [`Role::Operator`].
pub(super) async fn operators(State(tokens): State<InForce>, request: Request, next: Next) -> Response {
    through(&tokens, Role::Operator, request, next).await
}

async fn through(tokens: &InForce, role: Role, request: Request, next: Next) -> Response {
    let admitted = tokens.borrow().admit(request.headers(), role);
    match admitted {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
