//! Facts about a whole reading of a page, each between 0 and 1 or not far from it, and what the judge sees of them.

use std::collections::HashMap;

use super::{NAMES, Page};
use crate::extract::choose::groups::{Facts, Group, steps};

/// Steps of a share, of a logarithm of words, of the difference of either from the model's own reading.
const SHARE: &[f32] =
    &[0.005, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.95, 0.98, 0.995];
const LOG: &[f32] = &[0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 1.0, 1.1, 1.2];
const GAIN: &[f32] = &[-0.5, -0.3, -0.2, -0.1, -0.05, -0.02, -0.005, 0.005, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5];

macro_rules! facts {
    ($($name:ident: $steps:expr),* $(,)?) => {
        /// What is known of a reading: the fact's name, the name of the same fact about the model's own reading and of the
        /// difference between the two, and its steps.
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

/// Place of a fact that others ask for.
pub(super) const EXPECTED_F1: usize = 0;
pub(crate) const FACTS: usize = KNOWN.len();

/// What the judge sees, in groups by their names in `config/judge.toml`: which reading it is, and of every fact its own, the model's
/// own reading's, and the difference.
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

/// The steps of a reading's facts that hold: indices into all groups, one behind the other.
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

/// The facts of every candidate.
pub(super) fn of_all(page: &Page<'_>, candidates: &[(usize, Vec<bool>)]) -> Vec<[f32; FACTS]> {
    candidates.iter().map(|(_, kept)| of(page, kept, candidates)).collect()
}

fn kept_words(page: &Page<'_>, kept: &[bool]) -> f32 {
    page.blocks().filter(|&at| kept[at]).map(|at| page.words(at)).sum()
}

fn of(page: &Page<'_>, kept: &[bool], candidates: &[(usize, Vec<bool>)]) -> [f32; FACTS] {
    /// Some eleven hundred words: longer texts are all long.
    const LOG_OF_LONG: f32 = 7.0;
    let context = page.context;
    let share = |part: f32, all: f32| if all > 0.0 { part / all } else { 0.0 };
    let sum = |value: &dyn Fn(usize) -> f32| page.blocks().filter(|&at| kept[at]).map(value).sum::<f32>();
    let if_holds = |holds: bool, words: f32| if holds { words } else { 0.0 };
    let words = kept_words(page, kept);
    let hit = sum(&|at| page.fates[at].probability * page.words(at));
    let all: f32 = page.blocks().map(|at| page.fates[at].probability * page.words(at)).sum();
    let stated: f32 = page.blocks().map(|at| if_holds(context.is_stated(at), page.words(at))).sum();
    let stated_kept = sum(&|at| if_holds(context.is_stated(at), page.words(at)));
    let prose = sum(&|at| context.prose_at(at));
    let root = &context.document.containers[page.root];
    let in_box = sum(&|at| if_holds(at >= root.first && at < root.end, page.words(at)));
    let mut paths: HashMap<usize, f32> = HashMap::new();
    for at in page.blocks().filter(|&at| kept[at]) {
        *paths.entry(context.document.path_of(page.block(at))).or_default() += page.words(at);
    }
    let agreement: f32 = candidates
        .iter()
        .map(|(_, other)| {
            let both = sum(&|at| if_holds(other[at], page.words(at)));
            share(both, words + kept_words(page, other) - both)
        })
        .sum();
    [
        share(2.0 * hit, words + all),
        share(hit, words),
        share(hit, all),
        (1.0 + words).ln() / LOG_OF_LONG,
        share(sum(&|at| page.words(at) * page.block(at).measure.link_share), words),
        share(prose, words),
        share(prose, context.prose(0)),
        share(stated_kept, words),
        share(stated_kept, stated),
        f32::from(u8::from(page.blocks().any(|at| kept[at] && context.lead(at) == 2))),
        share(in_box, words),
        share(paths.into_values().fold(0.0, f32::max), words),
        share(sum(&|at| if_holds(page.block(at).is_hidden, page.words(at))), words),
        share(sum(&|at| if_holds(context.repeats(at) > 0, page.words(at))), words),
        agreement / candidates.len() as f32,
    ]
}
