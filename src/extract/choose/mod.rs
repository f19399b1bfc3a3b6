//! Chooses the blocks of the article, from the model's probabilities and the evidence of the host's other pages.
//!
//! The input is a page's blocks and what is known about them (`context`); the output is an account with a fate for every
//! block. The model knows neither words nor rules: `features` turns the input into facts, `model` weighs them. Further
//! corrections to a choice, made before it is assessed, are passed in as functions.

pub(crate) mod box_words;
pub(crate) mod context;
mod features;
pub(crate) mod fitting;
pub(crate) mod groups;
mod logistic;
mod model;
mod scores;
pub(crate) mod trees;

pub(crate) use self::model::Models;
pub use self::model::SECOND_LOOK;

use self::context::Context;
pub(crate) use self::scores::Advise;
use super::account::{Account, Fate, Rule};
use super::evidence::SiteEvidence;
use super::evidence::host::{Site, Standing, headline_words};

/// Blocks of at least this probability are kept.
const KEEP: f32 = 0.5;
/// The threshold of a second choice, after the first was ruled out: an article exists, and the headline's words tell
/// whether it was found.
const KEEP_AGAIN: f32 = 0.3;
/// Lower bound for odds and their denominator, for blocks of which the model is certain.
const LEAST: f32 = 1e-6;

/// The choice among the blocks of a page.
pub(crate) struct Choice {
    pub(crate) account: Account,
    /// Whether another page of the host has the same text under another headline, and nothing better was found.
    pub(crate) repeats_another_page: bool,
}

/// Decides the fate of every block from all that is known about the page and its site. `advise` returns the advice of the
/// rules, `mend` corrects every choice before it is assessed.
pub(crate) fn choose(
    context: &Context<'_>,
    models: &Models,
    evidence: Option<&SiteEvidence>,
    advise: &Advise<'_>,
    mend: impl Fn(&mut Account),
) -> Choice {
    let site = evidence.map(|evidence| Site::new(context.document, evidence));
    let choice = |site: Option<&Site<'_>>, taken: &[bool]| {
        let mut account = Account::new(fates(context, models, site, taken, advise));
        mend(&mut account);
        account
    };
    let Some(site) = site else {
        return Choice { account: choice(None, &[]), repeats_another_page: false };
    };
    let (site, account) = first_choice(context, site, |site| choice(Some(site), &[]));
    if site.repeats_another_page(context.headline, &account) {
        // The wrong block was chosen on one of the two pages: an article contains the words of its headline.
        let taken: Vec<bool> = account.fates().iter().map(|fate| fate.kept).collect();
        let again = choice(Some(&site), &taken);
        let said = |account: &Account| headline_words(context.document, context.headline, account);
        let (first, second) = (said(&account), said(&again));
        if second > first {
            return Choice { account: again.instead_of(&account), repeats_another_page: false };
        }
        return Choice { repeats_another_page: first == 0, account };
    }
    if let Some(outside) = site.outside_body_box(&account) {
        let again = choice(Some(&site.again()), &outside);
        if again.kept().next().is_some() {
            return Choice { account: again.instead_of(&account), repeats_another_page: false };
        }
    }
    Choice { account, repeats_another_page: false }
}

/// Makes the choice with the host's evidence. If texts seen on other pages remove more than half of the choice, or all of
/// it, the choice is repeated with less trust in them: a series opens every part with the same paragraph, and a page does
/// not consist of site furniture alone.
fn first_choice<'a>(
    context: &Context<'_>,
    site: Site<'a>,
    choice: impl Fn(&Site<'a>) -> Account,
) -> (Site<'a>, Account) {
    let taken = |account: &Account| -> f32 {
        let blocks = context.document.blocks.iter().zip(account.fates());
        let taken = blocks.filter(|(_, fate)| fate.rule == Rule::SeenElsewhere);
        taken.map(|(block, _)| block.measure.words).sum()
    };
    let kept = |account: &Account| account.words(context.document);
    let account = choice(&site);
    if taken(&account) <= kept(&account) {
        return (site, account);
    }
    let (cautious, trusting) = (site.more_cautious(), site.without_texts());
    let again = choice(&cautious);
    if taken(&again) == 0.0 || kept(&again) > 0.0 {
        return (cautious, again);
    }
    (trusting, choice(&trusting))
}

/// Returns the fate of every block; blocks in `taken` are known not to belong to the article.
pub(crate) fn fates(
    context: &Context<'_>,
    models: &Models,
    site: Option<&Site<'_>>,
    taken: &[bool],
    advise: &Advise<'_>,
) -> Vec<Fate> {
    let least = if taken.is_empty() { KEEP } else { KEEP_AGAIN };
    let fate = |(at, probability): (usize, f32)| {
        if taken.get(at).is_some_and(|taken| *taken) {
            return Fate { kept: false, rule: Rule::ChosenWrongly, probability };
        }
        let standing = site.map_or(Standing::UNKNOWN, |site| site.standing(at));
        let shifted = shift(probability, standing.shift);
        let kept = shifted >= least;
        let rule = match (kept, probability >= least) {
            (true, true) => Rule::Body,
            (true, false) => Rule::BodyElsewhere,
            (false, true) if standing.is_repeated => Rule::SeenElsewhere,
            (false, true) => Rule::FurnitureElsewhere,
            (false, false) => Rule::Outside,
        };
        Fate { kept, rule, probability: shifted }
    };
    model::probabilities(context, models, taken, advise).into_iter().enumerate().map(fate).collect()
}

/// Shifts a probability by `by` in log-odds.
fn shift(probability: f32, by: f32) -> f32 {
    if by == 0.0 {
        return probability;
    }
    let odds = (probability / (1.0 - probability).max(LEAST)).max(LEAST).ln() + by;
    1.0 / (1.0 + (-odds).exp())
}
