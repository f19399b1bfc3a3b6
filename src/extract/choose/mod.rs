//! Which blocks are the article: what the model thinks, and what the host's other pages say to it.
//!
//! In go a page's blocks and what is known of them (`context`); out comes the account with a fate for every block. The
//! model knows nothing of words or rules: `features` turns what is known into facts, `model` weighs them. What else is done
//! to a choice before it is judged is handed in.

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
/// The same, once what was chosen first is out: an article is there, and its headline's words tell whether it was found.
const KEEP_AGAIN: f32 = 0.3;
/// What divides the odds of a block of which the model is certain.
const LEAST: f32 = 1e-6;

/// What was chosen of a page.
pub(crate) struct Choice {
    pub(crate) account: Account,
    /// Whether another page of the host has the same text under another headline, and nothing better was found.
    pub(crate) repeats_another_page: bool,
}

/// The fate of every block, by all that is known of the page and its site. `advise` hears the rules,
/// `mend` sees every choice before it is judged.
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
        // The wrong block was chosen there or here: an article speaks of what its headline says.
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

/// The choice by what the host's pages say. Where their texts take more than half of this one, or all of it, they are asked
/// again: a series opens every part with one paragraph, and no site's furniture is all that a page says.
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

/// The fates where some blocks are known to be none of the article.
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

/// Moves a probability by so much on the scale of log-odds.
fn shift(probability: f32, by: f32) -> f32 {
    if by == 0.0 {
        return probability;
    }
    let odds = (probability / (1.0 - probability).max(LEAST)).max(LEAST).ln() + by;
    1.0 / (1.0 + (-odds).exp())
}
