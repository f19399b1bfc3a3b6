//! Which blocks are the article: the model in two stages, and what the host's other pages say.
//!
//! The first stage looks at a block, its boxes and its neighbours; the second sees the first one's scores all around
//! as well, and so knows where the body is.

pub(crate) mod context;
mod features;
pub(crate) mod fitting;
mod logistic;
mod scores;
mod tail;
mod trees;

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::extract::SiteEvidence;
use crate::extract::blocks::{Block, Kind};
use crate::extract::evidence::host::{Site, Standing, headline_words};
use crate::extract::furniture::boxes;
use crate::extract::words::classes::Traits;
use context::Context;
use features::Active;
use logistic::Model;
use scores::Scores;
use trees::Trees;

/// Blocks of at least this probability are kept.
const KEEP: f32 = 0.5;
/// A short line between two kept blocks of its kind stays from this probability on: a heading without its markup.
const KEEP_BETWEEN: f32 = 0.12;

/// A block of less than this in the first stage is not looked at by the second: half of all blocks are not.
const SECOND_LOOK: f32 = 0.02;

/// Both stages.
#[derive(Clone, Debug)]
pub(crate) struct Models {
    first: Model,
    second: Trees,
}

/// The file as it is written.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    first: BTreeMap<String, Vec<f32>>,
    second: SecondStage,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct SecondStage {
    trees: Vec<String>,
}

impl Models {
    /// Reads the coefficients: a list for each group of the first stage, and the trees of the second.
    pub(crate) fn parse(file: &str) -> Result<Self, String> {
        let file: File = toml::from_str(file).map_err(|error| error.to_string())?;
        let groups = features::groups();
        Ok(Self {
            first: Model::new(&groups, &file.first)?,
            second: Trees::parse(&groups, &file.second.trees)?,
        })
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

/// What was chosen of a page.
pub(crate) struct Choice {
    pub(crate) fates: Vec<Fate>,
    /// Whether another page of the host has the same text under another headline, and nothing better was found.
    pub(crate) is_anothers: bool,
}

/// The fate of every block, by all that is known of the page and its site.
pub(crate) fn choose(context: &Context<'_>, models: &Models, evidence: Option<&SiteEvidence>) -> Choice {
    let site = evidence.map(|evidence| Site::new(context.document, evidence));
    let Some(site) = site else {
        return Choice { fates: fates(context, models, None, &[]), is_anothers: false };
    };
    let (site, fates) = first_choice(context, models, site);
    if site.is_anothers(context, &fates) {
        // The wrong block was chosen there or here: an article speaks of what its headline says.
        let taken: Vec<bool> = fates.iter().map(|fate| fate.kept).collect();
        let again = self::fates(context, models, Some(&site), &taken);
        let (said, said_again) = (headline_words(context, &fates), headline_words(context, &again));
        if said_again > said {
            return Choice { fates: renamed(again, &fates), is_anothers: false };
        }
        return Choice { is_anothers: said == 0, fates };
    }
    if let Some(outside) = site.outside_body_box(&fates) {
        let again = self::fates(context, models, Some(&site.again()), &outside);
        if again.iter().any(|fate| fate.kept) {
            return Choice { fates: renamed(again, &fates), is_anothers: false };
        }
    }
    Choice { fates, is_anothers: false }
}

/// The choice by what the host's pages say. Where their texts take more than half of this one, or all of it, they are asked
/// again: a series opens every part with one paragraph, and no site's furniture is all that a page says.
fn first_choice<'a>(context: &Context<'_>, models: &Models, site: Site<'a>) -> (Site<'a>, Vec<Fate>) {
    let words = |fates: &[Fate], is_meant: fn(&Fate) -> bool| -> f32 {
        let blocks = context.document.blocks.iter().zip(fates);
        blocks.filter(|(_, fate)| is_meant(fate)).map(|(block, _)| block.measure.words).sum()
    };
    let kept = |fates: &[Fate]| words(fates, |fate| fate.kept);
    let taken = |fates: &[Fate]| words(fates, |fate| fate.rule == "site.seen_elsewhere");
    let choose = |site: Site<'a>| (site, fates(context, models, Some(&site), &[]));
    let mut choice = choose(site);
    if taken(&choice.1) > kept(&choice.1) {
        choice = choose(site.more_cautious());
    }
    if taken(&choice.1) > 0.0 && kept(&choice.1) == 0.0 {
        choice = choose(site.without_texts());
    }
    choice
}

/// A second choice, with the account of what the first was.
fn renamed(again: Vec<Fate>, before: &[Fate]) -> Vec<Fate> {
    let renamed = |(fate, before): (Fate, &Fate)| match (fate.kept, before.kept) {
        (true, false) => Fate { rule: "site.chosen_again", ..fate },
        (false, true) => Fate { rule: "site.chosen_wrongly", ..fate },
        _ => fate,
    };
    again.into_iter().zip(before).map(renamed).collect()
}

/// The fates where some blocks are known to be none of the article.
fn fates(context: &Context<'_>, models: &Models, site: Option<&Site<'_>>, taken: &[bool]) -> Vec<Fate> {
    let fate = |(at, probability): (usize, f32)| {
        let standing = site.map_or(Standing::UNKNOWN, |site| site.standing(at));
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
    };
    let mut fates: Vec<Fate> = score(context, models, taken).into_iter().enumerate().map(fate).collect();
    keep_standfirst(context, &mut fates);
    keep_between(context, &mut fates);
    tail::keep_tail(context, &mut fates);
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

/// The standfirst stands right under the headline, in its box or the one beside, and the body follows. What else stands there
/// has digits or signs: dates, bylines, tools.
fn keep_standfirst(context: &Context<'_>, fates: &mut [Fate]) {
    const WORDS: RangeInclusive<f32> = 5.0..=60.0;
    /// A standfirst of less is none.
    const LEAST_PROBABILITY: f32 = 0.12;
    /// Blocks of bylines and tools between it and the body.
    const REACH: usize = 12;
    let document = context.document;
    let Some(title) = context.title_at else { return };
    let at = title + 1;
    let Some(block) = document.blocks.get(at) else { return };
    let parent = |block: &Block| document.containers[block.container].parent;
    let is_sentence = WORDS.contains(&block.measure.words)
        && block.measure.link_share == 0.0
        && block.measure.digit_share < 0.04
        && block.measure.capital_share < 0.6
        && !document.text_of(block).contains(['|', '·', '@', '/']);
    // Under a picture stands its caption.
    let is_caption = block.gap.images > 0
        || block.gap.players > 0
        || document.containers[block.container].traits.intersects(Traits::CAPTION);
    let is_named = context.matches[at].is_some() || block.inline.intersects(Traits::CREDITS);
    let opens_body =
        !fates[..title].iter().any(|fate| fate.kept) && fates[at..].iter().take(REACH).any(|fate| fate.kept);
    let fate = &mut fates[at];
    if !fate.kept
        && fate.rule == "outside"
        && fate.probability >= LEAST_PROBABILITY
        && parent(block) == parent(&document.blocks[title])
        && is_sentence
        && !is_caption
        && !is_named
        && opens_body
    {
        *fate = Fate { kept: true, rule: "body.standfirst", ..*fate };
    }
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

/// The probability of every block. Those that are taken have none.
fn score(context: &Context<'_>, models: &Models, taken: &[bool]) -> Vec<f32> {
    let is_taken = |at: usize| taken.get(at).copied().unwrap_or(false);
    let blocks = 0..context.document.blocks.len();
    // The second stage sees what the first saw: it is kept, block after block, in one list.
    let mut active = Active::default();
    let mut ends = Vec::with_capacity(blocks.len());
    let mut first = Vec::with_capacity(blocks.len());
    for at in blocks.clone() {
        let start = active.0.len();
        features::first(context, at, &mut active);
        let probability = models.first.probability(&active.0[start..]);
        first.push(if is_taken(at) { 0.0 } else { probability });
        ends.push(active.0.len());
    }
    let scores = Scores::new(context, first);
    let (mut block, mut scratch) = (Active::default(), Vec::new());
    blocks
        .map(|at| {
            if scores.first[at] < SECOND_LOOK {
                return scores.first[at];
            }
            block.0.clear();
            let start = at.checked_sub(1).map_or(0, |before| ends[before]);
            block.0.extend_from_slice(&active.0[start..ends[at]]);
            features::second(context, &scores, at, &mut block);
            models.second.probability(&block.0, &mut scratch)
        })
        .collect()
}
