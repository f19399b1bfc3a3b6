//! The account of a page: what becomes of each of its blocks, and by which rule.
//!
//! What every rule stands on is a row of [`Line`]s, what it writes to is the [`Account`]. A rule that looks at blocks one by
//! one keeps or drops them at once. A rule that reads lines in their order claims them: a line that names itself and what
//! goes along with it. Claims are settled together, the first on the page before those that begin inside it, so that it
//! makes no difference in which order the rules have read.

use std::ops::Range;

use bitflags::{Flags, bitflags};

use super::blocks::{Block, Document, Kind};
use super::words::furniture::Furniture;
use super::words::phrases::Match;
use crate::model::CandidateAccount;
use crate::work;

/// Why a block is kept or dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The model takes it for the article's, or for none of it.
    Body,
    Outside,
    /// The model wavers, and its place speaks for it.
    Standfirst,
    Between,
    Inset,
    Entry,
    /// The host's other pages decide against the model.
    BodyElsewhere,
    SeenElsewhere,
    FurnitureElsewhere,
    /// The first choice was another page's text, or stood outside the host's box.
    ChosenAgain,
    ChosenWrongly,
    /// It is the second copy of a text.
    Repeated,
    /// It is not shown.
    Hidden,
    /// It is the caption of a picture.
    Caption,
    /// It stands in a consent dialog.
    Consent,
    /// It is the label of a tab.
    Tabs,
    /// It is the value behind a label that is no part of the text.
    Value,
    /// It stands in a table of the page's contents.
    Contents,
    /// It is the article that follows below.
    NextArticle,
    /// Another reading of the whole page is believed than the model's own: its name.
    Reading(&'static str),
    /// It says the headline, which is a field of its own.
    Title,
    /// It names itself.
    Words(Furniture),
    /// It stands in a feed, for the article.
    FeedOwn,
    /// Generators put it below the entries of a feed.
    FeedCredit,
    /// The operator's selectors.
    OperatorBody,
    OperatorDrop,
    /// The operator's patterns.
    OperatorKeepText,
    OperatorDropText,
}

impl Rule {
    /// Whether the host's other pages show that a block is none of this article's.
    pub(crate) fn is_the_hosts(self) -> bool {
        matches!(self, Self::SeenElsewhere | Self::ChosenWrongly)
    }

    /// Its name in accounts.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Body => "body",
            Self::Outside => "outside",
            Self::Standfirst => "body.standfirst",
            Self::Between => "body.between",
            Self::Inset => "body.inset",
            Self::Entry => "body.entry",
            Self::BodyElsewhere => "site.body_elsewhere",
            Self::SeenElsewhere => "site.seen_elsewhere",
            Self::FurnitureElsewhere => "site.furniture_elsewhere",
            Self::ChosenAgain => "site.chosen_again",
            Self::ChosenWrongly => "site.chosen_wrongly",
            Self::Repeated => "box.repeated",
            Self::Hidden => "box.hidden",
            Self::Caption => "box.caption",
            Self::Consent => "box.consent",
            Self::Tabs => "box.tabs",
            Self::Value => "box.value",
            Self::Contents => "box.contents",
            Self::NextArticle => "box.next_article",
            Self::Reading(name) => name,
            Self::Title => "rule.title",
            Self::Words(furniture) => furniture.rule(),
            Self::FeedOwn => "feed.own",
            Self::FeedCredit => "feed.credit",
            Self::OperatorBody => "operator.body",
            Self::OperatorDrop => "operator.drop",
            Self::OperatorKeepText => "operator.keep_text",
            Self::OperatorDropText => "operator.drop_text",
        }
    }
}

/// What becomes of a block, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fate {
    pub(crate) kept: bool,
    pub(crate) rule: Rule,
    /// The probability that the block is the article's.
    pub(crate) probability: f32,
}

/// Lines that go together, the first of which names the reason.
#[derive(Clone, Debug)]
struct Claim {
    lines: Range<usize>,
    rule: Rule,
}

/// The fates of a page's blocks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Account {
    fates: Vec<Fate>,
    claims: Vec<Claim>,
    /// What the settled claims say of each line, kept or not.
    verdicts: Vec<Option<Rule>>,
    /// What was kept before they were settled.
    chosen: Vec<bool>,
    /// The whole readings of the page that were weighed, the model's own first.
    candidates: Vec<CandidateAccount>,
}

/// What the rules say of a block to the model, which weighs it: they are not obeyed, for each is wrong at times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Advice {
    /// For what its line would be claimed.
    pub(crate) line: Option<Rule>,
    /// What stands around it.
    pub(crate) boxes: Boxes,
}

bitflags! {
    /// What the boxes around a block make of it.
    #[derive(Clone, Copy, Debug, Default)]
    pub(crate) struct Boxes: u64 {
        const HIDDEN = 1;
        /// A consent dialog.
        const CONSENT = 1 << 1;
        /// A form with fields.
        const FORM = 1 << 2;
        /// A second copy of a text.
        const COPY = 1 << 3;
    }
}

impl Boxes {
    pub(crate) const COUNT: usize = Self::FLAGS.len();
}

/// A block that a rule drops was thought to be the article's: the rule and the model are believed alike.
const DROPPED: f32 = 0.5;

impl Account {
    pub(crate) fn new(fates: Vec<Fate>) -> Self {
        let (verdicts, chosen) = (vec![None; fates.len()], fates.iter().map(|fate| fate.kept).collect());
        Self { fates, claims: Vec::new(), verdicts, chosen, candidates: Vec::new() }
    }

    pub(crate) fn fates(&self) -> &[Fate] {
        &self.fates
    }

    pub(crate) fn fate(&self, at: usize) -> Fate {
        work::count(1);
        self.fates[at]
    }

    pub(crate) fn is_kept(&self, at: usize) -> bool {
        work::count(1);
        self.fates[at].kept
    }

    /// Whether the model alone has put the block outside.
    pub(crate) fn is_outside(&self, at: usize) -> bool {
        !self.fates[at].kept && self.fates[at].rule == Rule::Outside
    }

    pub(crate) fn kept(&self) -> impl DoubleEndedIterator<Item = usize> {
        let is_kept = |fate: &Fate| {
            work::count(1);
            fate.kept
        };
        self.fates.iter().enumerate().filter(move |(_, fate)| is_kept(fate)).map(|(at, _)| at)
    }

    /// Words that are kept.
    pub(crate) fn words(&self, document: &Document) -> f32 {
        self.kept().map(|at| document.blocks[at].measure.words).sum()
    }

    pub(crate) fn keep(&mut self, at: usize, rule: Rule) {
        self.fates[at] = Fate { kept: true, rule, ..self.fates[at] };
    }

    /// Drops what is kept of these blocks.
    pub(crate) fn drop(&mut self, blocks: Range<usize>, rule: Rule) {
        work::count(blocks.len());
        for fate in self.fates[blocks].iter_mut().filter(|fate| fate.kept) {
            *fate = Fate { kept: false, rule, probability: fate.probability * DROPPED };
        }
    }

    /// Believes another reading of the page than the model's own.
    pub(crate) fn believe(&mut self, kept: &[bool], name: &'static str) {
        for (fate, &kept) in self.fates.iter_mut().zip(kept).filter(|(fate, kept)| fate.kept != **kept) {
            *fate = Fate { kept, rule: Rule::Reading(name), ..*fate };
        }
    }

    /// Notes which readings were weighed.
    pub(crate) fn note(&mut self, candidates: Vec<CandidateAccount>) {
        self.candidates = candidates;
    }

    /// The whole readings that were weighed.
    pub(crate) fn candidates(&self) -> &[CandidateAccount] {
        &self.candidates
    }

    /// Keeps these blocks and drops all others, whatever has been said of them.
    pub(crate) fn decide(&mut self, kept: &[bool], rule: Rule) {
        for (fate, &kept) in self.fates.iter_mut().zip(kept) {
            *fate = Fate { kept, rule, ..*fate };
        }
    }

    /// This second choice, which says where it parts from the first.
    pub(crate) fn instead_of(mut self, first: &Self) -> Self {
        for (fate, first) in self.fates.iter_mut().zip(&first.fates) {
            fate.rule = match (fate.kept, first.kept) {
                (true, false) => Rule::ChosenAgain,
                (false, true) => Rule::ChosenWrongly,
                (false, false) => first.rule,
                (true, true) => fate.rule,
            };
        }
        self
    }

    /// Goes on with the account of what stands behind.
    pub(crate) fn append(&mut self, next: Self) {
        self.fates.extend(next.fates);
        self.verdicts.extend(next.verdicts);
        self.chosen.extend(next.chosen);
    }

    /// Claims lines for a rule, kept or not.
    pub(crate) fn claim(&mut self, lines: Range<usize>, rule: Rule) {
        self.claims.push(Claim { lines, rule });
    }

    /// Drops what has been claimed, but for lines of at least the probability `sure`, by rule: the model knew
    /// what the rules say. Of two claims that begin with the same line the earlier made one stands, and one that
    /// begins within another is void.
    pub(crate) fn settle(&mut self, sure: impl Fn(Rule) -> f32) {
        self.chosen = self.fates.iter().map(|fate| fate.kept).collect();
        let mut claims = std::mem::take(&mut self.claims);
        claims.sort_by_key(|claim| claim.lines.start);
        let mut settled = 0;
        for Claim { lines, rule } in claims {
            if lines.start >= settled {
                settled = lines.end;
                self.verdicts[lines.clone()].fill(Some(rule));
                for at in lines {
                    if self.fates[at].probability < sure(rule) {
                        self.drop(at..at + 1, rule);
                    }
                }
            }
        }
    }

    /// What a line was claimed for.
    pub(crate) fn verdict(&self, at: usize) -> Option<Rule> {
        self.verdicts[at]
    }

    /// Whether a line belonged to the body by all evidence but its own words.
    pub(crate) fn was_chosen(&self, at: usize) -> bool {
        work::count(1);
        self.chosen[at]
    }
}

/// A block as the rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) block: &'a Block,
    pub(crate) text: &'a str,
    /// What its words say it is.
    pub(crate) found: Option<Match>,
    /// Whether it says the headline.
    pub(crate) is_title: bool,
}

impl Line<'_> {
    pub(crate) fn words(&self) -> f32 {
        work::count(1);
        self.block.measure.words
    }

    pub(crate) fn is_heading(&self) -> bool {
        work::count(1);
        matches!(self.block.kind, Kind::Heading(_))
    }

    /// A paragraph that can only be running text.
    pub(crate) fn is_prose(&self) -> bool {
        const LEAST_WORDS: f32 = 18.0;
        /// Half of a paragraph may be links, not more.
        const MOST_LINKED: f32 = 0.5;
        work::count(1);
        let measure = &self.block.measure;
        measure.words >= LEAST_WORDS
            && (measure.ends_sentence || measure.sentences > 1)
            && measure.link_share < MOST_LINKED
    }

    /// Words with a stop behind them, that lead nowhere.
    pub(crate) fn is_sentence(&self) -> bool {
        const LEAST_WORDS: f32 = 3.0;
        const MOST_LINKED: f32 = 0.5;
        work::count(1);
        let measure = &self.block.measure;
        measure.words >= LEAST_WORDS && measure.ends_sentence && measure.link_share < MOST_LINKED
    }

    /// Short and without an end: a title, a name, a label.
    pub(crate) fn is_label(&self) -> bool {
        const MOST_WORDS: f32 = 20.0;
        self.words() <= MOST_WORDS && !self.block.measure.ends_sentence
    }

    /// Whether its words say that it is of this kind.
    pub(crate) fn is_named(&self, furniture: Furniture) -> bool {
        work::count(1);
        self.found.is_some_and(|found| found.furniture == furniture)
    }
}

/// Where the body's own byline may stand: shortly before the body, or among its first lines.
pub(crate) struct Opening<'a> {
    lines: &'a [Line<'a>],
    account: &'a Account,
    /// The line of the body before which a byline is still the body's own.
    end: usize,
}

impl<'a> Opening<'a> {
    pub(crate) fn new(lines: &'a [Line<'a>], account: &'a Account) -> Self {
        /// The standfirst, and a first paragraph.
        const MOST_BEFORE: usize = 2;
        let mut body = (0..lines.len()).filter(|at| account.was_chosen(*at) && lines[*at].is_prose());
        let end = body.nth(MOST_BEFORE).unwrap_or(lines.len());
        Self { lines, account, end }
    }

    pub(crate) fn holds(&self, at: usize) -> bool {
        /// Lines of tools, dates and pictures between a byline and the body.
        const REACH: usize = 8;
        let is_body = |at: usize| self.account.was_chosen(at) && self.lines[at].is_prose();
        let follows = || (at..self.lines.len()).take(REACH).any(is_body);
        self.account.was_chosen(at) || at <= self.end && follows()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(blocks: usize) -> Account {
        Account::new(vec![Fate { kept: true, rule: Rule::Body, probability: 0.8 }; blocks])
    }

    #[test]
    fn the_first_claim_on_the_page_stands() {
        let mut account = account(6);
        account.claim(3..4, Rule::Words(Furniture::Share));
        account.claim(1..4, Rule::Words(Furniture::Related));
        account.claim(1..2, Rule::Words(Furniture::Comments));
        account.claim(5..6, Rule::Title);
        account.settle(|_| 1.0);
        let related = Some(Rule::Words(Furniture::Related));
        let verdicts: Vec<_> = (0..6).map(|at| account.verdict(at)).collect();
        assert_eq!(verdicts, [None, related, related, related, None, Some(Rule::Title)]);
        assert_eq!(account.kept().collect::<Vec<_>>(), [0, 4]);
    }

    #[test]
    fn what_is_dropped_is_dropped_once() {
        let mut account = account(1);
        account.drop(0..1, Rule::Repeated);
        account.drop(0..1, Rule::Title);
        assert_eq!(account.fate(0), Fate { kept: false, rule: Rule::Repeated, probability: 0.4 });
    }
}
