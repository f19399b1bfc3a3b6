//! Facts about a reading of a whole page, each roughly between 0 and 1, and their form for the judge.

use super::{NAMES, Page};
use crate::extract::choose::groups::{Facts, Group, steps};

/// Steps of a share, of a logarithm of words, and of the difference of either from the model's own reading.
const SHARE: &[f32] =
    &[0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.995];
const LOG: &[f32] = &[0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1, 1.2];
const GAIN: &[f32] = &[-0.5, -0.3, -0.2, -0.1, -0.05, -0.02, -0.005, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5];

macro_rules! facts {
    ($($name:ident: $steps:expr),* $(,)?) => {
        /// The facts about a reading: the fact's name, the name of the same fact about the model's own reading, the name of the
        /// difference between the two, and the fact's steps.
        const KNOWN: &[(&str, &str, &str, &[f32])] = &[$((
            stringify!($name), concat!("model_", stringify!($name)), concat!("gain_", stringify!($name)), $steps,
        )),*];
    };
}

facts! {
    expected_f1: SHARE, expected_precision: SHARE, expected_recall: SHARE, log_words: LOG, link_share: SHARE,
    prose_share: SHARE, of_prose: SHARE, stated_kept: SHARE, of_stated: SHARE, has_lead: SHARE, in_box: SHARE,
    on_path: SHARE, hidden_share: SHARE, repeated_share: SHARE, agreement: SHARE,
}

/// Index of the expected F1 among the facts.
pub(super) const EXPECTED_F1: usize = 0;
pub(crate) const FACTS: usize = KNOWN.len();

/// Returns what the judge sees, in groups named as in `config/judge.toml`: which reading it is, and for every fact the
/// reading's value, the value of the model's own reading, and the difference.
pub(crate) fn groups() -> Vec<Group> {
    let mut groups = vec![Group { name: "reading", facts: Facts::Values(NAMES.len()), offset: 0 }];
    let mut push = |name, facts: &'static [f32]| {
        let offset = groups.last().map_or(0, |last: &Group| last.offset + last.facts.len());
        groups.push(Group { name, facts: Facts::Steps(facts), offset });
    };
    for (own, models, gain, steps) in KNOWN {
        push(own, steps);
        push(models, steps);
        push(gain, GAIN);
    }
    groups
}

/// Returns the steps that hold for a reading's facts: indices into the concatenated groups.
pub(super) fn features(name: usize, facts: &[f32; FACTS], models: &[f32; FACTS]) -> Vec<u16> {
    let mut features = Vec::with_capacity(1 + 3 * FACTS);
    let mut offset = 0;
    let mut push = |step: usize, count: usize| {
        features.push(u16::try_from(offset + step).expect("there are a few hundred steps"));
        offset += count;
    };
    push(name, NAMES.len());
    for ((fact, of_model), (.., at)) in facts.iter().zip(models).zip(KNOWN) {
        push(steps(*fact, at), at.len() + 1);
        push(steps(*of_model, at), at.len() + 1);
        push(steps(fact - of_model, GAIN), GAIN.len() + 1);
    }
    features
}

/// Returns the facts of every candidate.
pub(super) fn of_all(page: &Page<'_>, candidates: &[(usize, Vec<bool>)]) -> Vec<[f32; FACTS]> {
    let likely = page.blocks().map(|at| page.fates[at].probability * page.words[at]).sum();
    let stated = page.blocks().filter(|&at| page.context.is_stated(at)).map(|at| page.words[at]).sum();
    let sums: Vec<Sums> = candidates.iter().map(|(_, kept)| Sums::of(page, kept)).collect();
    let agreements = agreements(page, candidates, &sums);
    let of = |(sums, agreement): (&Sums, f32)| sums.facts(page, likely, stated, agreement);
    sums.iter().zip(agreements).map(of).collect()
}

/// Words that a reading keeps, in total and of several kinds.
#[derive(Default)]
struct Sums {
    words: f32,
    /// Words expected to belong to the article, from the blocks' probabilities.
    hit: f32,
    linked: f32,
    prose: f32,
    stated: f32,
    in_box: f32,
    /// Words on the path that has the most.
    on_path: f32,
    hidden: f32,
    repeated: f32,
    has_lead: bool,
}

fn share(part: f32, all: f32) -> f32 {
    if all > 0.0 { part / all } else { 0.0 }
}

impl Sums {
    fn of(page: &Page<'_>, kept: &[bool]) -> Self {
        let Page { context, fates, .. } = page;
        let root = &context.document.containers[page.root];
        let mut sums = Self::default();
        let mut paths = vec![0.0_f32; context.document.path_count()];
        for at in page.blocks().filter(|&at| kept[at]) {
            let (block, words) = (page.block(at), page.words[at]);
            let if_holds = |holds: bool| if holds { words } else { 0.0 };
            sums.words += words;
            sums.hit += fates[at].probability * words;
            sums.linked += words * block.measure.link_share;
            sums.prose += context.prose_at(at);
            sums.stated += if_holds(context.is_stated(at));
            sums.in_box += if_holds(at >= root.first && at < root.end);
            paths[context.document.path_of(block)] += words;
            sums.hidden += if_holds(block.is_hidden);
            sums.repeated += if_holds(context.repeats(at) > 0);
            sums.has_lead |= context.lead(at) == 2;
        }
        sums.on_path = paths.into_iter().fold(0.0, f32::max);
        sums
    }

    /// Returns the facts. `likely` and `stated` are the words of the whole page that likely belong to the article and that the
    /// stated body contains.
    fn facts(&self, page: &Page<'_>, likely: f32, stated: f32, agreement: f32) -> [f32; FACTS] {
        /// About 1100 words: longer texts are all long.
        const LOG_OF_LONG: f32 = 7.0;
        [
            share(2.0 * self.hit, self.words + likely),
            share(self.hit, self.words),
            share(self.hit, likely),
            (1.0 + self.words).ln() / LOG_OF_LONG,
            share(self.linked, self.words),
            share(self.prose, self.words),
            share(self.prose, page.context.prose(0)),
            share(self.stated, self.words),
            share(self.stated, stated),
            f32::from(u8::from(self.has_lead)),
            share(self.in_box, self.words),
            share(self.on_path, self.words),
            share(self.hidden, self.words),
            share(self.repeated, self.words),
            agreement,
        ]
    }
}

/// Returns how far each reading agrees with the others: the mean Jaccard similarity in words over all readings, including
/// itself.
fn agreements(page: &Page<'_>, candidates: &[(usize, Vec<bool>)], sums: &[Sums]) -> Vec<f32> {
    let count = candidates.len();
    let mut alike = vec![0.0; count * count];
    for one in 0..count {
        for other in one..count {
            let (kept, others) = (&candidates[one].1, &candidates[other].1);
            let both = page.blocks().filter(|&at| kept[at] && others[at]).map(|at| page.words[at]).sum();
            let of = |from: usize, to: usize| share(both, sums[from].words + sums[to].words - both);
            alike[one * count + other] = of(one, other);
            alike[other * count + one] = of(other, one);
        }
    }
    alike.chunks(count.max(1)).map(|alike| alike.iter().sum::<f32>() / count as f32).collect()
}
