//! Canonical text, content hash, signature and the verdict on copies.

use crate::model::{
    Article, ArticleId, DuplicateKind, DuplicateLink, Fingerprint, QualityFlag, Sha256Hash, Verdict,
};

mod canonical;

pub use canonical::canonical_text;

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

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_containment: 0.7,
            min_shingles: 30,
            window: std::time::Duration::from_secs(7 * 24 * 60 * 60),
        }
    }
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
    let _ = settings;
    let text = canonical_text(&article.text);
    let flagged = [QualityFlag::Paywalled, QualityFlag::TooShort]
        .iter()
        .any(|flag| article.quality_flags.contains(flag));
    Fingerprint {
        content_sha256: Sha256Hash::of(&text),
        bands: Vec::new(),
        comparable: !text.is_empty() && !flagged,
    }
}

/// The verdict on an article with `text`, given the earlier articles (oldest first) that share its hash or a band
/// with it.
pub fn judge(
    text: &str,
    fingerprint: &Fingerprint,
    neighbours: &[Neighbour],
    settings: &Settings,
) -> Verdict {
    let _ = (text, settings);
    if !fingerprint.comparable {
        return Verdict::Original;
    }
    match neighbours.iter().find(|neighbour| neighbour.content_sha256 == fingerprint.content_sha256) {
        Some(first) => Verdict::Duplicate(DuplicateLink {
            of: first.id,
            kind: DuplicateKind::Exact,
            score: 1.0,
            cluster_id: first.cluster_id,
        }),
        None => Verdict::Original,
    }
}
