//! Secrets: where they are stored and how they are displayed.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::value::MapAccessDeserializer;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::config::environment::Environment;
use crate::model::SecretText;

/// A secret: the value itself or a reference to it.
#[derive(Clone, Debug)]
pub(in crate::config) enum Secret {
    /// `"…"`.
    Literal(SecretText),
    /// `{ env = "NAME" }` or `{ file = "PATH" }`.
    Found(FoundIn),
}

/// The location of a secret.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::config) enum FoundIn {
    /// An environment variable.
    Env(String),
    /// A file; trailing line breaks are removed.
    File(PathBuf),
}

impl Secret {
    pub(super) fn literal(text: &str) -> Self {
        Self::Literal(SecretText::from(text))
    }

    /// Returns the file that holds the secret: `document` for a literal, or the referenced file. The path of an SQLite store is
    /// no secret.
    pub(in crate::config) fn held_by(&self, document: &Path, base: &Path) -> Option<PathBuf> {
        match self {
            Self::Literal(text) if text.expose_secret().starts_with("sqlite:") => None,
            Self::Literal(_) => Some(document.to_owned()),
            Self::Found(FoundIn::Env(_)) => None,
            Self::Found(FoundIn::File(path)) => Some(base.join(path)),
        }
    }

    /// Returns the value of the secret. Relative paths are resolved against `base`. The error says what is missing.
    pub(in crate::config) fn resolve(
        &self,
        environment: &Environment,
        base: &Path,
    ) -> Result<SecretText, String> {
        let found = match self {
            Self::Literal(secret) => return Ok(secret.clone()),
            Self::Found(FoundIn::Env(name)) => environment
                .get(name)
                .ok_or_else(|| format!("the environment variable {name} is not set"))?
                .to_owned(),
            Self::Found(FoundIn::File(path)) => {
                let path = base.join(path);
                std::fs::read_to_string(&path)
                    .map_err(|error| format!("cannot read {}: {error}", path.display()))?
            }
        };
        let found = found.trim_end_matches(['\r', '\n']);
        if found.is_empty() {
            return Err("is empty".to_owned());
        }
        Ok(SecretText::from(found))
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;

        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Secret;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string, { env = \"NAME\" } or { file = \"PATH\" }")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Secret, E> {
                Ok(Secret::literal(text))
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Secret, A::Error> {
                FoundIn::deserialize(MapAccessDeserializer::new(map)).map(Secret::Found)
            }
        }

        deserializer.deserialize_any(Visitor)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Literal(_) => serializer.serialize_str("(hidden)"),
            Self::Found(place) => place.serialize(serializer),
        }
    }
}

/// Serializes a database URL without its password.
pub(super) fn without_password<S: Serializer>(url: &Secret, serializer: S) -> Result<S::Ok, S::Error> {
    let Secret::Literal(literal) = url else { return url.serialize(serializer) };
    if literal.expose_secret().starts_with("sqlite:") {
        return serializer.serialize_str(literal.expose_secret());
    }
    let Ok(mut shown) = url::Url::parse(literal.expose_secret()) else { return url.serialize(serializer) };
    // Query parameters may contain a password too.
    shown.set_query(None);
    if shown.password().is_some() && shown.set_password(Some("hidden")).is_err() {
        return url.serialize(serializer);
    }
    serializer.serialize_str(shown.as_str())
}
