//! Scores of feedmill's extraction against gold.

use std::collections::BTreeMap;
use std::fmt;

use feedmill::extract::{Evidence, Rules, extract};

use crate::gold::{fine_words, fold, runs, words};
use crate::pages::LabelledPage;
use crate::parallel;

/// Sums over pages.
#[derive(Default)]
pub(super) struct Score {
    pages: u32,
    precision: f64,
    recall: f64,
    with: Share,
    without: Share,
    kept: BTreeMap<String, Share>,
}

#[derive(Default)]
struct Share {
    part: u32,
    of: u32,
}

impl Score {
    /// Scores each page, extracted by the rules of its fold.
    pub(super) fn of_each(pages: &[&LabelledPage], by_fold: &[Rules]) -> Vec<Self> {
        parallel::map(pages, |page| {
            let mut score = Self::default();
            score.add(page, &by_fold[page.fold]);
            score
        })
    }

    /// Sums the scores of pages.
    pub(super) fn sum(scores: Vec<Self>) -> Self {
        let mut all = Self::default();
        scores.into_iter().for_each(|score| all.merge(score));
        all
    }

    fn add(&mut self, page: &LabelledPage, rules: &Rules) {
        let text = extract(&page.page, &Evidence::default(), rules).text;
        let gold = &page.gold;
        if let Some(gold) = gold.text.as_deref().filter(|text| !text.is_empty()) {
            let (want, have) = (runs(&words(gold)), runs(&words(&text)));
            let hit: u32 = want.iter().map(|(run, count)| *count.min(have.get(run).unwrap_or(&0))).sum();
            let share = |of: u32, other: u32| match of {
                0 => f64::from(u8::from(other == 0)),
                of => f64::from(hit) / f64::from(of),
            };
            let (want, have) = (want.values().sum(), have.values().sum());
            self.pages += 1;
            self.precision += share(have, want);
            self.recall += share(want, have);
        }
        let folded = fold(&text);
        for (share, snippets) in [(&mut self.with, &gold.with), (&mut self.without, &gold.without)] {
            for snippet in snippets {
                share.part += u32::from(folded.contains(&fold(snippet)));
                share.of += 1;
            }
        }
        if !gold.segments.is_empty() {
            let text = text.to_lowercase();
            let have = runs(&fine_words(&text));
            for (kind, segment) in &gold.segments {
                let share = self.kept.entry(kind.clone()).or_default();
                for (run, count) in runs(&fine_words(&segment.to_lowercase())) {
                    share.part += count.min(have.get(&run).copied().unwrap_or(0));
                    share.of += count;
                }
            }
        }
    }

    fn merge(&mut self, other: Self) {
        self.pages += other.pages;
        self.precision += other.precision;
        self.recall += other.recall;
        self.with.merge(&other.with);
        self.without.merge(&other.without);
        for (kind, share) in other.kept {
            self.kept.entry(kind).or_default().merge(&share);
        }
    }
}

impl Share {
    fn merge(&mut self, other: &Self) {
        self.part += other.part;
        self.of += other.of;
    }

    fn value(&self) -> f64 {
        f64::from(self.part) / f64::from(self.of.max(1))
    }
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pages > 0 {
            let pages = f64::from(self.pages);
            let (precision, recall) = (self.precision / pages, self.recall / pages);
            let f1 = 2.0 * precision * recall / (precision + recall).max(f64::MIN_POSITIVE);
            write!(f, "F1 {f1:.4} (precision {precision:.4}, recall {recall:.4}) ")?;
        }
        if self.with.of + self.without.of > 0 {
            let dropped = 1.0 - self.without.value();
            write!(f, "snippets kept {:.4}, dropped {dropped:.4} ", self.with.value())?;
        }
        for (kind, share) in &self.kept {
            write!(f, "{kind} {:.3} ", share.value())?;
        }
        Ok(())
    }
}
