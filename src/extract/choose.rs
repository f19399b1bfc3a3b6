//! Which blocks are the article: the model in two stages, and what the host's other pages say.
//!
//! The first stage looks at a block, its boxes and its neighbours; the second sees the first one's scores all around
//! as well, and so knows where the body is.

use std::collections::BTreeMap;

use super::SiteEvidence;
use super::blocks::Kind;
use super::boxes;
use super::context::Context;
use super::features::{self, Active};
use super::model::Model;
use super::scores::Scores;
use super::site::{self, Standing};

/// Blocks of at least this probability are kept.
const KEEP: f32 = 0.45;
/// A short line between two kept blocks of its kind stays from this probability on: a heading without its markup.
const KEEP_BETWEEN: f32 = 0.12;

/// Both stages.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    first: Model,
    second: Model,
}

impl Models {
    /// Reads the coefficients: a table a stage, a list a group.
    pub(crate) fn parse(file: &str) -> Result<Self, String> {
        let stages: BTreeMap<String, BTreeMap<String, Vec<f32>>> =
            toml::from_str(file).map_err(|error| error.to_string())?;
        let groups = features::groups();
        let stage = |name: &str| {
            Model::new(&groups, stages.get(name).ok_or_else(|| format!("{name}: no such stage"))?)
        };
        Ok(Self { first: stage("first")?, second: stage("second")? })
    }
}

/// What became of a block and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fate {
    pub(crate) kept: bool,
    pub(crate) rule: &'static str,
    /// The probability that the block is the article's.
    pub(crate) probability: f32,
}

/// The fate of every block, by all that is known of the page and its site.
pub(crate) fn fates(context: &Context<'_>, models: &Models, evidence: Option<&SiteEvidence>) -> Vec<Fate> {
    let scored = score(context, models);
    let document = context.document;
    let mut fates: Vec<Fate> = scored
        .into_iter()
        .zip(&document.blocks)
        .map(|(probability, block)| {
            let standing =
                evidence.map_or(Standing::UNKNOWN, |evidence| site::standing(document, block, evidence));
            let shifted = shift(probability, standing.shift);
            let kept = shifted >= KEEP;
            let rule = match (kept, probability >= KEEP) {
                (true, true) => "body",
                (true, false) => "site.body_elsewhere",
                (false, true) if standing.is_repeated => "site.seen_elsewhere",
                (false, true) => "site.furniture_elsewhere",
                (false, false) => "outside",
            };
            Fate { kept, rule, probability: shifted }
        })
        .collect();
    keep_between(context, &mut fates);
    boxes::drop_boxes(context, &mut fates);
    fates
}

/// Moves a probability by so much on the scale of log-odds.
fn shift(probability: f32, by: f32) -> f32 {
    if by == 0.0 {
        return probability;
    }
    let odds = (probability / (1.0 - probability).max(1e-6)).max(1e-6).ln() + by;
    1.0 / (1.0 + (-odds).exp())
}

/// Headings without markup are short lines in boxes like their neighbours': what is around them speaks for them.
fn keep_between(context: &Context<'_>, fates: &mut [Fate]) {
    let document = context.document;
    for at in 1..fates.len().saturating_sub(1) {
        let fate = fates[at];
        let is_kept_row = |other: usize| fates[other].kept && document.blocks[other].kind == Kind::TableRow;
        if !fate.kept
            && fate.rule == "outside"
            && document.blocks[at].kind == Kind::TableRow
            && is_kept_row(at - 1)
            && is_kept_row(at + 1)
        {
            fates[at] = Fate { kept: true, rule: "body.between", ..fate };
            continue;
        }
        if fate.kept
            || fate.rule != "outside"
            || fate.probability < KEEP_BETWEEN
            || context.matches[at].is_some()
        {
            continue;
        }
        let block = &document.blocks[at];
        let path = |at: usize| document.kin_of(&document.blocks[at]);
        let is_label = block.measure.words <= 12.0 && block.measure.link_share == 0.0;
        let among_equals = |other: usize| {
            path(other) == path(at) && fates[other].kept && document.blocks[other].measure.words >= 12.0
        };
        if is_label && context.title_likeness(at) == 0 && among_equals(at - 1) && among_equals(at + 1) {
            fates[at] = Fate { kept: true, rule: "body.between", ..fate };
        }
    }
}

fn score(context: &Context<'_>, models: &Models) -> Vec<f32> {
    let blocks = 0..context.document.blocks.len();
    // The second stage sees what the first saw: it is kept, block after block, in one list.
    let mut active = Active::default();
    let mut ends = Vec::with_capacity(blocks.len());
    let mut first = Vec::with_capacity(blocks.len());
    for at in blocks.clone() {
        let start = active.0.len();
        features::first(context, at, &mut active);
        first.push(models.first.probability(&active.0[start..]));
        ends.push(active.0.len());
    }
    let scores = Scores::new(context, first);
    let mut block = Active::default();
    blocks
        .map(|at| {
            block.0.clear();
            let start = at.checked_sub(1).map_or(0, |before| ends[before]);
            block.0.extend_from_slice(&active.0[start..ends[at]]);
            features::second(context, &scores, at, &mut block);
            models.second.probability(&block.0)
        })
        .collect()
}
