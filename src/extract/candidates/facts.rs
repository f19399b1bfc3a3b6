//! Facts about a whole reading of a page, each between 0 and 1 or not far from it.

use std::collections::HashMap;

use super::Page;

/// What is known of a candidate, by the names in `config/judge.toml`.
pub(crate) const FACT_NAMES: [&str; 19] = [
    "any",
    "expected_f1",
    "expected_precision",
    "expected_recall",
    "log_words",
    "words_to_model",
    "link_share",
    "prose_share",
    "of_prose",
    "stated_kept",
    "of_stated",
    "has_lead",
    "in_box",
    "on_path",
    "hidden_share",
    "repeated_share",
    "agreement",
    "own_expected_f1",
    "own_log_words",
];
/// Places of facts that others ask for.
pub(super) const EXPECTED_F1: usize = 1;
const LOG_WORDS: usize = 4;
pub(crate) const FACTS: usize = FACT_NAMES.len();

/// The facts of every candidate.
pub(super) fn of_all(page: &Page<'_>, candidates: &[(usize, Vec<bool>)]) -> Vec<[f32; FACTS]> {
    let models = kept_words(page, &candidates[0].1);
    let mut facts: Vec<_> = candidates.iter().map(|(_, kept)| of(page, kept, models, candidates)).collect();
    let (expected_f1, log_words) = (facts[0][EXPECTED_F1], facts[0][LOG_WORDS]);
    for facts in &mut facts {
        [facts[FACTS - 2], facts[FACTS - 1]] = [expected_f1, log_words];
    }
    facts
}

fn kept_words(page: &Page<'_>, kept: &[bool]) -> f32 {
    page.blocks().filter(|&at| kept[at]).map(|at| page.words(at)).sum()
}

fn of(page: &Page<'_>, kept: &[bool], models: f32, candidates: &[(usize, Vec<bool>)]) -> [f32; FACTS] {
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
        1.0,
        share(2.0 * hit, words + all),
        share(hit, words),
        share(hit, all),
        (1.0 + words).ln() / 7.0,
        (share(words, models.max(1.0)).max(0.05).ln() / 3.0).min(1.0),
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
        // Of the model's own choice: filled in when that is known.
        0.0,
        0.0,
    ]
}
