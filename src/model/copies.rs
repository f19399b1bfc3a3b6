//! Duplicates: what two texts share, and the verdict on them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ids::{ArticleId, Sha256Hash};

/// What is compared to find copies of a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Fingerprint {
    /// SHA-256 of the canonical text: the content's identity.
    pub content_sha256: Sha256Hash,
    /// Locality-sensitive bands of the signature: two texts that share a band are compared. Empty for a text too short to
    /// compare.
    pub bands: Vec<u64>,
    /// Whether the text is long enough, and enough of an article, to be compared with others.
    pub comparable: bool,
}

/// How the copy was recognised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum DuplicateKind {
    /// The same canonical text.
    Exact,
    /// A shortened, edited or embedded copy.
    Near,
}

impl DuplicateKind {
    /// Every kind, in the order of the enum.
    pub const ALL: [Self; 2] = [Self::Exact, Self::Near];

    /// Returns the name of the kind in records and tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Near => "near",
        }
    }
}

/// The verdict of dedup on an article.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// The first article with this text: it starts its own cluster.
    Original,
    /// A copy of an article stored earlier. Both are kept.
    Duplicate(DuplicateLink),
}

/// The link from a copy to its original.
#[derive(Clone, Debug, PartialEq)]
pub struct DuplicateLink {
    /// The earlier article.
    pub of: ArticleId,
    /// How the copy was recognised.
    pub kind: DuplicateKind,
    /// 1.0 for an exact copy; otherwise the share of the shorter text that is found in the longer one.
    pub score: f64,
    /// The cluster of both: the id of its first article.
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
