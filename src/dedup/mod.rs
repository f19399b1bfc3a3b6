//! Canonical text, content hash, signature and the verdict on copies.
//!
//! Copies are found in two steps: a `Fingerprint` selects the earlier articles to compare (same hash, or at least one
//! common band of the signature), and `judge` counts the shingles that the texts share. A hash alone finds a third of the
//! copies that people recognise; both steps together find nine in ten, and one in ten of their findings is wrong. Nothing
//! is deleted: a copy is linked to its original.

use crate::model::{
    Article, ArticleId, DuplicateKind, DuplicateLink, Fingerprint, QualityFlag, Sha256Hash, Verdict,
};

mod canonical;
mod index;
mod seen;
mod shingles;
mod signature;
mod template;

pub use canonical::canonical_text;
pub use index::Index;
pub use seen::Seen;
pub use template::Publisher;

use shingles::Shingles;

/// Thresholds for treating two texts as copies.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Minimum share of the shorter text's shingles that the longer text must contain.
    pub min_containment: f64,
    /// A text with fewer shingles is compared by its hash only.
    pub min_shingles: u32,
    /// How far back to search for copies.
    pub window: std::time::Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self { min_containment: 0.7, min_shingles: 30, window: std::time::Duration::from_hours(30 * 24) }
    }
}

/// An earlier stored article that may be the original.
#[derive(Clone, Debug, PartialEq)]
pub struct Neighbour {
    /// The id of the article.
    pub id: ArticleId,
    /// Its cluster.
    pub cluster_id: ArticleId,
    /// The hash of its canonical text.
    pub content_sha256: Sha256Hash,
    /// Its text, at least the part that is [`compared`].
    pub text: String,
    /// Its publisher.
    pub publisher: Publisher,
}

/// Computes the fingerprint by which copies of `article`'s text are found. A text without words is not comparable, and
/// neither is the notice that a paywall shows instead of an article: the same notice on a thousand pages is not a cluster.
pub fn fingerprint(article: &Article, settings: &Settings) -> Fingerprint {
    let text = canonical_text(&article.text);
    let comparable = text.chars().any(char::is_alphanumeric) && !is_notice(article);
    let shingles =
        comparable.then(|| Shingles::of(&text)).filter(|shingles| shingles.suffice(settings.min_shingles));
    Fingerprint {
        content_sha256: Sha256Hash::of(&text),
        bands: shingles.as_ref().map(signature::bands).unwrap_or_default(),
        comparable,
    }
}

/// Returns whether the text is only a short paywall notice, or the teaser of a page without text where no feed content was
/// used: many pages of a site may carry the same one. Shortness or truncation alone excludes nothing: a brief is the same
/// brief elsewhere, and so is a feed's teaser.
fn is_notice(article: &Article) -> bool {
    const MOST_WORDS: u32 = 60;
    let has = |flag| article.quality_flags.contains(&flag);
    has(QualityFlag::Paywalled) && article.word_count < MOST_WORDS
        || has(QualityFlag::TeaserOnly) && !has(QualityFlag::FeedContentUsed)
}

/// Returns the verdict on an article with `text`, given the earlier articles (oldest first) that share its hash or a band
/// with it. A text identical to an earlier one is an exact copy of the first such article. Otherwise the original is the
/// article with the highest containment between the two texts, in either direction, and the earliest of equals. A template
/// that two texts of one publisher share does not make them copies.
pub fn judge(
    text: &str,
    fingerprint: &Fingerprint,
    publisher: &Publisher,
    neighbours: &[Neighbour],
    settings: &Settings,
) -> Verdict {
    if !fingerprint.comparable {
        return Verdict::Original;
    }
    let exact = neighbours.iter().find(|neighbour| neighbour.content_sha256 == fingerprint.content_sha256);
    let found = exact
        .map(|first| (DuplicateKind::Exact, 1.0, first))
        .or_else(|| nearest(text, fingerprint, publisher, neighbours, settings));
    found.map_or(Verdict::Original, |(kind, score, original)| {
        Verdict::Duplicate(DuplicateLink { of: original.id, kind, score, cluster_id: original.cluster_id })
    })
}

fn nearest<'n>(
    text: &str,
    fingerprint: &Fingerprint,
    publisher: &Publisher,
    neighbours: &'n [Neighbour],
    settings: &Settings,
) -> Option<(DuplicateKind, f64, &'n Neighbour)> {
    // Without bands the text is too short to be compared by anything but its hash.
    if neighbours.is_empty() || fingerprint.bands.is_empty() {
        return None;
    }
    let shingles = compared_shingles(text);
    let mut nearest: Option<(DuplicateKind, f64, &Neighbour)> = None;
    for neighbour in neighbours {
        let theirs = compared_shingles(&neighbour.text);
        if !theirs.suffice(settings.min_shingles) {
            continue;
        }
        let score = shingles.containment(&theirs);
        if score >= settings.min_containment
            && nearest.is_none_or(|(_, best, _)| score > best)
            && !publisher.shares_template(compared(text), &neighbour.publisher, compared(&neighbour.text))
        {
            nearest = Some((DuplicateKind::Near, score, neighbour));
        }
    }
    nearest
}

/// Maximum length of text that is compared, so that a book costs no more than a long article: all other writes wait for the
/// comparison.
pub const MAX_COMPARED_BYTES: usize = 256 << 10;

/// Returns the part of a text that is compared.
pub fn compared(text: &str) -> &str {
    &text[..text.floor_char_boundary(MAX_COMPARED_BYTES)]
}

fn compared_shingles(text: &str) -> Shingles {
    Shingles::of(&canonical_text(compared(text)))
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};

    use proptest::prelude::*;

    use super::*;

    /// Returns a distinct text for each `seed`.
    fn story(seed: u64, words: u64) -> String {
        let words: Vec<String> =
            (0..words).map(|i| format!("w{}", shingles::mix(seed * 1_000_003 + i) % 5_000)).collect();
        words.join(" ")
    }

    fn words(text: &str, range: std::ops::Range<usize>) -> String {
        text.split(' ').collect::<Vec<_>>()[range].join(" ")
    }

    fn article(text: &str) -> Article {
        Article { text: text.to_owned(), ..Article::default() }
    }

    fn id(name: usize) -> ArticleId {
        ArticleId(Sha256Hash::of(name.to_string()))
    }

    /// Returns the verdict on each of `texts`, judged in the given order, and its cluster; keyed by index into `texts`.
    fn judged(texts: &[String], order: &[usize]) -> BTreeMap<usize, (Verdict, ArticleId)> {
        let settings = Settings::default();
        let mut index = Index::default();
        let mut verdicts = BTreeMap::new();
        for (number, &name) in (1..).zip(order) {
            let text = &texts[name];
            let fingerprint = fingerprint(&article(text), &settings);
            let verdict = judge(
                text,
                &fingerprint,
                &Publisher::default(),
                &index.neighbours(number, &fingerprint),
                &settings,
            );
            let cluster_id = match &verdict {
                Verdict::Original => id(name),
                Verdict::Duplicate(link) => link.cluster_id,
            };
            let content_sha256 = fingerprint.content_sha256;
            let publisher = Publisher::default();
            let neighbour =
                Neighbour { id: id(name), cluster_id, content_sha256, text: text.clone(), publisher };
            index.add(number, neighbour, &fingerprint.bands);
            verdicts.insert(name, (verdict, cluster_id));
        }
        verdicts
    }

    fn link(verdict: &Verdict) -> &DuplicateLink {
        match verdict {
            Verdict::Duplicate(link) => link,
            Verdict::Original => panic!("an original"),
        }
    }

    #[test]
    fn copies_are_linked_by_kind_and_score() {
        let whole = story(1, 400);
        let texts = [
            whole.clone(),
            whole.replace(' ', "\n\u{200B}"),
            words(&whole, 0..200),
            format!("{} {}", story(2, 20), words(&whole, 50..400)),
            story(3, 400),
            words(&whole, 0..33),
        ];
        let judged = judged(&texts, &[0, 1, 2, 3, 4, 5]);
        assert_eq!(judged[&0].0, Verdict::Original);
        assert_eq!(link(&judged[&1].0).kind, DuplicateKind::Exact);
        for (near, least) in [(2, 1.0), (3, 0.9)] {
            let link = link(&judged[&near].0);
            assert_eq!((link.of, link.kind, link.cluster_id), (id(0), DuplicateKind::Near, id(0)));
            assert!(link.score >= least, "{near}: {}", link.score);
        }
        assert_eq!(judged[&4].0, Verdict::Original);
        assert_eq!(judged[&5].0, Verdict::Original, "too short for anything but its hash");
    }

    #[test]
    fn notices_and_empty_texts_are_never_copies() {
        let settings = Settings::default();
        let walled = |word_count: u32| {
            let text = story(1, word_count.into());
            Article { quality_flags: vec![QualityFlag::Paywalled], word_count, ..article(&text) }
        };
        for article in [walled(40), article(""), article("\u{200B} \n * * *")] {
            let fingerprint = fingerprint(&article, &settings);
            assert!(!fingerprint.comparable);
            assert!(fingerprint.bands.is_empty());
            let same = Neighbour {
                id: id(0),
                cluster_id: id(0),
                content_sha256: fingerprint.content_sha256,
                text: article.text.clone(),
                publisher: Publisher::default(),
            };
            let verdict = judge(&article.text, &fingerprint, &Publisher::default(), &[same], &settings);
            assert_eq!(verdict, Verdict::Original);
        }
        // Truncated or short texts stay comparable: the same beginning is the same beginning elsewhere.
        let short = Article { quality_flags: vec![QualityFlag::TooShort], ..article("Take a free trial") };
        for article in [walled(100), short] {
            assert!(fingerprint(&article, &settings).comparable);
        }
    }

    #[test]
    fn a_forgotten_article_is_nobodys_original() {
        let text = story(1, 100);
        let fingerprint = fingerprint(&article(&text), &Settings::default());
        let neighbour = Neighbour {
            id: id(0),
            cluster_id: id(0),
            content_sha256: fingerprint.content_sha256,
            text,
            publisher: Publisher::default(),
        };
        let mut index = Index::default();
        index.add(1, neighbour, &fingerprint.bands);
        assert_eq!(index.neighbours(2, &fingerprint).len(), 1);
        assert!(index.neighbours(1, &fingerprint).is_empty(), "only earlier ones");
        index.remove(1, fingerprint.content_sha256, &fingerprint.bands);
        assert!(index.neighbours(2, &fingerprint).is_empty());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]

        /// The links depend on which article comes first; the clusters do not.
        #[test]
        fn clusters_do_not_depend_on_the_order(order in Just((0..12).collect::<Vec<usize>>()).prop_shuffle()) {
            let texts: Vec<String> = (0..4)
                .flat_map(|seed| {
                    let whole = story(seed, 300);
                    [whole.clone(), words(&whole, 20..300), format!("{whole} {}", story(seed + 50, 15))]
                })
                .collect();
            let judged = judged(&texts, &order);
            for story in 0..4 {
                let members: Vec<usize> = (3 * story..3 * story + 3).collect();
                let clusters: BTreeSet<ArticleId> = members.iter().map(|name| judged[name].1).collect();
                let first = order.iter().find(|name| members.contains(name)).expect("the order holds every name");
                prop_assert_eq!(clusters, BTreeSet::from([id(*first)]));
                let originals = members.iter().filter(|name| judged[name].0 == Verdict::Original).count();
                prop_assert_eq!(originals, 1);
            }
        }
    }
}
