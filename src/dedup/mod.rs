//! Canonical text, content hash, signature and the verdict on copies.

use crate::model::{Article, ArticleId, Fingerprint, Sha256Hash, Verdict};

/// When two texts are copies.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Least share of the shorter text's shingles found in the longer.
    pub min_containment: f64,
    /// A text with fewer shingles is compared by its hash only.
    pub min_shingles: u32,
    /// How far back copies are looked for.
    pub window: std::time::Duration,
}

/// An article stored earlier that may be the original.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbour {
    /// Its id.
    pub id: ArticleId,
    /// Its cluster.
    pub cluster_id: ArticleId,
    /// Its text's identity.
    pub content_sha256: Sha256Hash,
    /// Its text.
    pub text: String,
}

/// What two copies of `article`'s text share.
pub fn fingerprint(article: &Article, settings: &Settings) -> Fingerprint {
    let _ = (article, settings);
    unimplemented!()
}

/// The verdict on the article `id` with `text`, given the earlier articles (oldest first) that share its hash or a band with it.
pub fn judge(
    text: &str,
    fingerprint: &Fingerprint,
    neighbours: &[Neighbour],
    settings: &Settings,
) -> Verdict {
    let _ = (text, fingerprint, neighbours, settings);
    unimplemented!()
}
