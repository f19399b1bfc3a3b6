//! Copies: what two texts share, and what follows from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{ArticleId, Sha256Hash};

/// What two copies of a text share.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint {
    /// SHA-256 of the canonical text: the content's identity.
    pub content_sha256: Sha256Hash,
    /// Locality-sensitive bands of the signature: two texts with a band in common are compared. Empty for a text too
    /// short to compare.
    pub bands: Vec<u64>,
    /// Whether the text is long enough and enough of an article to be compared with others at all.
    pub comparable: bool,
}

/// How a copy was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateKind {
    /// The same canonical text.
    Exact,
    /// A cut, edited or wrapped copy.
    Near,
}

impl DuplicateKind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 2] = [Self::Exact, Self::Near];

    /// The word for it in records and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Near => "near",
        }
    }
}

/// What dedup says about an article.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The first of its kind: it opens its own cluster.
    Original,
    /// A copy of an article stored before it. Both are kept.
    Duplicate(DuplicateLink),
}

/// The link from a copy to its original.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateLink {
    /// The earlier article.
    pub of: ArticleId,
    /// How it was recognised.
    pub kind: DuplicateKind,
    /// 1.0 for an exact copy; else the share of the shorter text found in the longer.
    pub score: f64,
    /// The cluster that both belong to: the id of its first article.
    pub cluster_id: ArticleId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_spelled_alike_wherever_they_are_written() {
        for kind in DuplicateKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.as_str());
        }
    }
}
