//! Candidate readings of a whole page, among which a judge picks.
//!
//! A model that scores single blocks errs for a whole page at a time: it takes nothing of a page of lists, half of a thread,
//! or the next story as well. Each candidate is another way to read the page, built from the same blocks and their
//! probabilities. Facts about the whole reading, which no single block has, tell the judge (`judge`) which one to use.

mod facts;
pub(crate) mod judge;

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::extract::account::{Account, Fate};
use crate::extract::blocks::{Block, Container, Document};
use crate::extract::choose::context::Context;
use crate::extract::words::classes::Traits;
use crate::model::CandidateAccount;
pub(crate) use facts::{FACTS, groups};
use judge::Judge;

/// The ways to read a page. Trees in `config/judge.toml` refer to them by number. The first is the model's own choice.
pub(crate) const NAMES: [&str; 7] = ["model", "expected", "strict", "box", "runs", "first", "stated"];
/// Their names in accounts.
pub(crate) const ACCOUNT_NAMES: [&str; NAMES.len()] = [
    "reading.model",
    "reading.expected",
    "reading.strict",
    "reading.box",
    "reading.runs",
    "reading.first",
    "reading.stated",
];

/// Lets the judge pick among the readings of a page; `account` holds the model's own reading.
pub(crate) fn pick(context: &Context<'_>, judge: &Judge, account: &mut Account) {
    let candidates = all(context, account.fates());
    let scores = judge.scores(&candidates);
    let Some(best) = judge::best(&candidates, &scores) else { return };
    account.believe(&best.kept, ACCOUNT_NAMES[best.name]);
    let noted = |(candidate, score): (&Candidate, f32)| CandidateAccount {
        name: ACCOUNT_NAMES[candidate.name],
        score,
        words: candidate.words,
        is_chosen: candidate.name == best.name,
    };
    account.note(candidates.iter().zip(scores).map(noted).collect());
}

/// One reading of a page.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Index into [`NAMES`].
    pub(crate) name: usize,
    /// Whether the reading keeps each block.
    pub(crate) kept: Vec<bool>,
    facts: [f32; FACTS],
    /// What the judge sees: indices into the concatenated [`groups`].
    pub(crate) features: Vec<u16>,
    /// Number of words that the reading keeps.
    pub(crate) words: u32,
}

impl Candidate {
    /// Returns the F1 expected from the blocks' probabilities.
    fn expected_f1(&self) -> f32 {
        self.facts[facts::EXPECTED_F1]
    }
}

/// Returns all candidates, without duplicates and, except for the model's own, without empty ones.
pub(crate) fn all(context: &Context<'_>, fates: &[Fate]) -> Vec<Candidate> {
    let words = context.document.blocks.iter().map(|block| block.measure.words.max(1.0)).collect();
    let page = Page { context, fates, words, root: root(context.document, fates) };
    let ways: [Vec<bool>; NAMES.len()] = [
        fates.iter().map(|fate| fate.kept).collect(),
        page.expected(),
        page.at_least(STRICT),
        page.whole_box(),
        page.runs(),
        page.first_article(),
        page.stated(),
    ];
    let mut different: Vec<(usize, Vec<bool>)> = Vec::new();
    for (name, mut kept) in ways.into_iter().enumerate() {
        // No reading overrides the evidence of the host's other pages.
        if name > 0 {
            kept.iter_mut().zip(fates).for_each(|(kept, fate)| *kept &= !fate.rule.is_the_hosts());
        }
        let is_empty = !kept.contains(&true) && name > 0;
        if !is_empty && !different.iter().any(|(_, other)| *other == kept) {
            different.push((name, kept));
        }
    }
    let facts = facts::of_all(&page, &different);
    let models = facts[0];
    let candidate = |((name, kept), facts): ((usize, Vec<bool>), [f32; FACTS])| {
        let blocks = context.document.blocks.iter().zip(&kept).filter(|(_, kept)| **kept);
        let words = blocks.map(|(block, _)| block.measure.count).sum();
        Candidate { name, kept, features: facts::features(name, &facts, &models), facts, words }
    };
    different.into_iter().zip(facts).map(candidate).collect()
}

/// Blocks of at least this probability are hardly ever furniture.
const STRICT: f32 = 0.75;
/// A run is kept if the mean probability of its words is at least this.
const LIKELY_RUN: f32 = 0.5;
/// Blocks of a lower probability are dropped even from a box that is kept whole.
const OUTSIDE: f32 = 0.04;

/// The input from which the candidates are made.
struct Page<'a> {
    context: &'a Context<'a>,
    fates: &'a [Fate],
    /// Words of each block, at least one.
    words: Vec<f32>,
    /// The box that most likely holds the article.
    root: usize,
}

impl Page<'_> {
    fn block(&self, at: usize) -> &Block {
        &self.context.document.blocks[at]
    }

    fn blocks(&self) -> std::ops::Range<usize> {
        0..self.fates.len()
    }

    fn at_least(&self, least: f32) -> Vec<bool> {
        self.fates.iter().map(|fate| fate.probability >= least).collect()
    }

    /// Keeps the most likely blocks, as many as give the best expected F1: where hardly any block is certain, a probability of
    /// 0.5 is too much to ask.
    fn expected(&self) -> Vec<bool> {
        let mut order: Vec<usize> = self.blocks().collect();
        let probability = |at: usize| self.fates[at].probability;
        order.sort_by(|&one, &other| probability(other).total_cmp(&probability(one)));
        let all: f32 = self.blocks().map(|at| probability(at) * self.words[at]).sum();
        let (mut hit, mut kept, mut best) = (0.0, 0.0, (0.0, 1.0));
        for at in order {
            hit += probability(at) * self.words[at];
            kept += self.words[at];
            let f1 = 2.0 * hit / (kept + all);
            if f1 > best.0 {
                best = (f1, probability(at));
            }
        }
        self.at_least(best.1)
    }

    /// Keeps the whole box of the article, except for blocks that surely do not belong to it.
    fn whole_box(&self) -> Vec<bool> {
        let root = &self.context.document.containers[self.root];
        let inside = |at: usize| at >= root.first && at < root.end && !self.block(at).is_hidden;
        self.blocks().map(|at| inside(at) && self.fates[at].probability >= OUTSIDE).collect()
    }

    /// Keeps or drops items of one list, rows of one table, lines of one paragraph and boxes on one path together.
    fn runs(&self) -> Vec<bool> {
        let document = self.context.document;
        let key = |at: usize| {
            let container = &document.containers[self.block(at).container];
            (document.containers[container.parent].parent, container.path)
        };
        let mut runs: HashMap<(usize, usize), (f32, f32), RandomState> = HashMap::default();
        for at in self.blocks() {
            let run = runs.entry(key(at)).or_default();
            run.0 += self.words[at] * self.fates[at].probability;
            run.1 += self.words[at];
        }
        self.blocks().map(|at| runs[&key(at)]).map(|(sum, words)| sum >= LIKELY_RUN * words).collect()
    }

    /// Keeps what the model keeps in the first of several articles on the page.
    fn first_article(&self) -> Vec<bool> {
        let document = self.context.document;
        let is_article = |container: &&Container| {
            container.traits.intersects(Traits::ARTICLE)
                && (container.first..container.end).any(|at| self.fates[at].kept)
        };
        let first = document.containers.iter().find(is_article);
        let inside = |at: usize| first.is_none_or(|first| at >= first.first && at < first.end);
        self.blocks().map(|at| self.fates[at].kept && inside(at)).collect()
    }

    /// Keeps the blocks that the stated body contains.
    fn stated(&self) -> Vec<bool> {
        self.blocks().map(|at| self.context.is_stated(at)).collect()
    }
}

/// Returns the box that holds the most likely blocks and the fewest unlikely ones.
fn root(document: &Document, fates: &[Fate]) -> usize {
    /// Words of a block of a lower probability count against the box that holds it.
    const LIKELY: f32 = 0.35;
    /// Added to the words of every block, so that many short blocks count.
    const WORDS_OF_BLOCK: f32 = 3.0;
    /// The rounding difference between sums of the same words in another order.
    const ROUNDING: f32 = 0.001;
    let mut gains = vec![0.0_f32];
    for (block, fate) in document.blocks.iter().zip(fates) {
        let gain = (block.measure.words + WORDS_OF_BLOCK) * (fate.probability - LIKELY);
        gains.push(gains.last().copied().unwrap_or_default() + gain);
    }
    let mut best = (0, f32::MIN);
    for (at, container) in document.containers.iter().enumerate() {
        let gain = gains[container.end] - gains[container.first];
        // Of several boxes around the same text, take the innermost.
        if gain >= best.1 - ROUNDING {
            best = (at, gain);
        }
    }
    best.0
}
