//! Identifiers of feeds, entries, texts and articles.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use url::Url;

/// Row number of a feed in the store.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(transparent)]
pub struct FeedId(pub i64);

/// Row number of an entry in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EntryId(pub i64);

/// The party that answers for a feed and everything it announces, as a number: one per registrable domain (see
/// [`crate::trust`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PartyId(pub i64);

impl PartyId {
    /// Returns the id of a registrable domain.
    pub fn of(party: &str) -> Self {
        let Sha256Hash([first, second, third, fourth, fifth, sixth, seventh, eighth, ..]) =
            Sha256Hash::of(party);
        let number = i64::from_be_bytes([first, second, third, fourth, fifth, sixth, seventh, eighth]);
        // Feed ids, which are used while the domain is unknown, are small: the set bit keeps the two apart.
        Self(number >> 1 | 1 << 61)
    }
}

/// The shard that a host belongs to: one process at a time sends requests to its hosts (see [`crate::shards`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ShardId(pub u16);

/// A SHA-256 hash, written as 64 lower-case hex digits wherever it leaves memory.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256Hash(pub [u8; 32]);

impl Sha256Hash {
    /// Returns the hash of `bytes`.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Returns the first 16 hex digits, which are enough for a file name.
    pub fn hash16(&self) -> String {
        self.to_string()[..16].to_owned()
    }
}

impl fmt::Display for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl fmt::Debug for Sha256Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 64 hex digits.
#[derive(Debug, thiserror::Error)]
#[error("not a SHA-256 in 64 hex digits: {0:?}")]
pub struct InvalidHash(String);

impl FromStr for Sha256Hash {
    type Err = InvalidHash;

    fn from_str(text: &str) -> Result<Self, InvalidHash> {
        let invalid = || InvalidHash(text.chars().take(80).collect());
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes()).map_err(|_| invalid())?;
        Ok(Self(bytes.try_into().map_err(|_| invalid())?))
    }
}

impl JsonSchema for Sha256Hash {
    fn schema_name() -> Cow<'static, str> {
        "Sha256".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "pattern": "^[0-9a-f]{64}$" })
    }
}

impl Serialize for Sha256Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Identifies an article across announcements: SHA-256 of the normalised URL (see [`normalise_url`]) of the page if the article
/// is a page, otherwise of the URL that identifies the entry (see [`entry_url`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ArticleId(pub Sha256Hash);

impl ArticleId {
    /// Returns the id of the article at `url`, as announced; tracking parameters and the like are ignored.
    pub fn of_url(url: &Url) -> Self {
        Self(Sha256Hash::of(normalise_url(url)))
    }

    /// Returns the id of the article at `url`, where parameters that look like tracking distinguish pages.
    pub fn of_exact_url(url: &Url) -> Self {
        Self(Sha256Hash::of(as_https(&without_fragment(url))))
    }
}

impl fmt::Display for ArticleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Query parameters that tell where a click came from and nothing about the page.
const TRACKING_PARAMETERS: &[&str] = &[
    "fbclid",
    "gclid",
    "dclid",
    "gbraid",
    "wbraid",
    "msclkid",
    "yclid",
    "twclid",
    "ttclid",
    "igshid",
    "igsh",
    "mc_cid",
    "mc_eid",
    "mkt_tok",
    "oly_anon_id",
    "oly_enc_id",
    "vero_id",
    "wickedid",
    "rb_clickid",
    "s_cid",
    "ref_src",
    "ref_url",
    "_hsenc",
    "_hsmi",
    "__hstc",
    "__hssc",
    "hsctatracking",
    "_openstat",
    "spm",
    "at_medium",
    "at_campaign",
    "cmpid",
    "ns_campaign",
    "ns_mchannel",
    "ns_source",
    "ns_linkname",
    "ncid",
    "smid",
    "xtor",
];

/// Returns the URL without tracking parameters and without its fragment.
pub fn strip_tracking(url: &Url) -> Url {
    let mut url = without_fragment(url);
    let kept: Vec<&str> = url
        .query()
        .unwrap_or_default()
        .split('&')
        .filter(|pair| {
            let name = pair.split('=').next().unwrap_or_default().to_ascii_lowercase();
            !(name.is_empty() || name.starts_with("utm_") || TRACKING_PARAMETERS.contains(&name.as_str()))
        })
        .collect();
    let query = (!kept.is_empty()).then(|| kept.join("&"));
    url.set_query(query.as_deref());
    url
}

/// Returns the normalised form of a URL: no tracking parameters, no fragment, `http` as `https`, no default port, no trailing
/// slash. Used for identity only: the URL as given is kept.
pub fn normalise_url(url: &Url) -> String {
    let text = as_https(&strip_tracking(url));
    text.strip_suffix('/').unwrap_or(&text).to_owned()
}

/// Returns the URL without its fragment.
pub fn without_fragment(url: &Url) -> Url {
    let mut url = url.clone();
    url.set_fragment(None);
    url
}

/// Returns the URL with `https` for `http`: sites move to https and feeds mix both, but the page is the same.
fn as_https(url: &Url) -> String {
    match url.as_str().strip_prefix("http://") {
        Some(rest) => format!("https://{rest}"),
        None => url.to_string(),
    }
}

/// Returns the URL that identifies an entry whose article is not a page: its feed's, with the entry's key as a parameter.
pub fn entry_url(feed_url: &Url, key: Sha256Hash) -> Url {
    let mut url = super::masked(feed_url);
    url.query_pairs_mut().append_pair("feedmill-entry", &key.to_string());
    url
}
