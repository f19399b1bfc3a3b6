//! Who may read. A token is compared by its hash and in constant time, so that neither its length nor how much of it was
//! right can be told from how long the answer takes.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use subtle::ConstantTimeEq as _;

use super::problem::Problem;
use crate::model::{SecretText, Sha256Hash};

/// What the bearer of a token may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Read records, and what is known of articles and feeds.
    #[default]
    Read,
    /// All of that, see the state of the service, its metrics, and change something on its page.
    Operator,
}

/// A token of the configuration.
#[derive(Clone, Debug)]
pub struct Token {
    /// Whose it is, for the log.
    pub name: String,
    /// What it permits.
    pub role: Role,
    /// The token itself.
    pub secret: SecretText,
}

/// Every token. Where there is none, everybody who reaches the listener may do everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tokens(pub(super) Arc<[Known]>);

/// What is remembered of a token.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Known {
    /// Whose it is.
    pub(super) name: String,
    /// What it permits.
    pub(super) role: Role,
    /// Its hash.
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
    /// Whether the bearer of what `headers` hold may do what takes `role`.
    fn admit(&self, headers: &HeaderMap, role: Role) -> Result<(), Problem> {
        if self.0.is_empty() {
            return Ok(());
        }
        let unknown = |detail| Problem::new(StatusCode::UNAUTHORIZED, detail);
        let Some(given) = bearer(headers) else {
            return Err(unknown("no token; hint: send \"Authorization: Bearer TOKEN\""));
        };
        match self.known(given) {
            None => Err(unknown("unknown token")),
            Some(known) if role == Role::Operator && known.role == Role::Read => {
                tracing::warn!(token = known.name, "a token that only reads was used for more");
                Err(Problem::new(StatusCode::FORBIDDEN, "this token only reads records"))
            }
            Some(_) => Ok(()),
        }
    }

    /// Whose token it is.
    pub(super) fn known(&self, given: &str) -> Option<&Known> {
        let hash = Sha256Hash::of(given);
        // Each is looked at, whichever fits.
        self.0.iter().fold(
            None,
            |found, known| {
                if bool::from(known.hash.0.ct_eq(&hash.0)) { Some(known) } else { found }
            },
        )
    }
}

/// The token that was sent along.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Lets through who may read.
pub(super) async fn readers(State(tokens): State<Tokens>, request: Request, next: Next) -> Response {
    through(&tokens, Role::Read, request, next).await
}

/// Lets through who may see the state of the service.
pub(super) async fn operators(State(tokens): State<Tokens>, request: Request, next: Next) -> Response {
    through(&tokens, Role::Operator, request, next).await
}

async fn through(tokens: &Tokens, role: Role, request: Request, next: Next) -> Response {
    match tokens.admit(request.headers(), role) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
