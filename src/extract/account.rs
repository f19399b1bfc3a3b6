//! The account of a page: the fate of each block, and the rule that decided it.
//!
//! Rules read a slice of [`Line`]s and write to the [`Account`]. A rule that looks at single blocks keeps or drops them
//! at once. A rule that reads lines in order claims a range instead: a line whose words name furniture and the lines that
//! belong to it. All claims are settled together, in page order, and a claim that begins inside another is void, so the
//! result does not depend on the order in which the rules ran, except between claims that begin with the same line.

use std::ops::Range;

use bitflags::{Flags, bitflags};

use super::blocks::{Block, Document, Kind};
use super::words::furniture::Furniture;
use super::words::phrases::Match;
use crate::model::CandidateAccount;
use crate::work;

macro_rules! rules {
    ($($(#[$meaning:meta])* $variant:ident = $name:literal,)*) => {
        /// Why a block is kept or dropped.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) enum Rule {
            $($(#[$meaning])* $variant,)*
            /// The judge picked another reading of the whole page than the model's own; holds the reading's name.
            Reading(&'static str),
            /// The block's words identify it as furniture.
            Words(Furniture),
        }

        impl Rule {
            /// The names of the rules that stand for themselves; [`Rule::Reading`] and [`Rule::Words`] have those that they hold.
            #[cfg(test)]
            pub(crate) const NAMES: &[&str] = &[$($name),*];

            /// Returns the rule's name in accounts.
            pub(crate) fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $name,)*
                    Self::Reading(name) => name,
                    Self::Words(furniture) => furniture.rule(),
                }
            }
        }
    };
}

rules! {
    /// The model assigns the block to the article.
    Body = "body",
    /// The model assigns the block to what surrounds the article.
    Outside = "outside",
    /// The model is unsure; the block's position decides for keeping it.
    Standfirst = "body.standfirst",
    Between = "body.between",
    Inset = "body.inset",
    Entry = "body.entry",
    /// The host's other pages overrule the model.
    BodyElsewhere = "site.body_elsewhere",
    SeenElsewhere = "site.seen_elsewhere",
    FurnitureElsewhere = "site.furniture_elsewhere",
    /// The first choice was another page's text, or lay outside the host's usual body box.
    ChosenAgain = "site.chosen_again",
    ChosenWrongly = "site.chosen_wrongly",
    /// The block is the second copy of a text.
    Repeated = "box.repeated",
    /// The block is hidden.
    Hidden = "box.hidden",
    /// The block is the caption of a picture.
    Caption = "box.caption",
    /// The block is in a consent dialog.
    Consent = "box.consent",
    /// The block is the label of a tab.
    Tabs = "box.tabs",
    /// The block is the value after a label that is not part of the text.
    Value = "box.value",
    /// The block is in the page's table of contents.
    Contents = "box.contents",
    /// The block belongs to the next article on the same page.
    NextArticle = "box.next_article",
    /// The block repeats the headline, which is a separate field.
    Title = "rule.title",
    /// The block is part of the entry's own text in the feed.
    FeedOwn = "feed.own",
    /// The block is a credit line that generators put below each feed entry.
    FeedCredit = "feed.credit",
    /// The operator's selectors.
    OperatorBody = "operator.body",
    OperatorDrop = "operator.drop",
    /// The operator's patterns.
    OperatorKeepText = "operator.keep_text",
    OperatorDropText = "operator.drop_text",
}

impl Rule {
    /// Returns whether the host's other pages show that the block does not belong to this article.
    pub(crate) fn is_the_hosts(self) -> bool {
        matches!(self, Self::SeenElsewhere | Self::ChosenWrongly)
    }
}

/// Whether a block is kept, and why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Fate {
    pub(crate) kept: bool,
    pub(crate) rule: Rule,
    /// The probability that the block belongs to the article.
    pub(crate) probability: f32,
}

/// A range of lines to drop together; the first one gave the reason.
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
    /// The rule of the settled claim that covers each line, whether the line is kept or not.
    verdicts: Vec<Option<Rule>>,
    /// Which blocks were kept before the claims were settled.
    chosen: Vec<bool>,
    /// The readings of the whole page that the judge compared, the model's own first.
    candidates: Vec<CandidateAccount>,
}

/// What the rules say about a block. It is only input to the model, since each rule is wrong at times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Advice {
    /// The rule that would claim the block's line.
    pub(crate) line: Option<Rule>,
    /// What the boxes around the block say.
    pub(crate) boxes: Boxes,
}

bitflags! {
    /// What the boxes around a block say about it.
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

/// Factor on the probability of a block that a rule drops: rule and model are given equal weight.
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

    /// Returns whether the model dropped the block and no rule changed that.
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

    /// Returns the number of words in kept blocks.
    pub(crate) fn words(&self, document: &Document) -> f32 {
        self.kept().map(|at| document.blocks[at].measure.words).sum()
    }

    pub(crate) fn keep(&mut self, at: usize, rule: Rule) {
        self.fates[at] = Fate { kept: true, rule, ..self.fates[at] };
    }

    /// Drops those of the blocks that are kept.
    pub(crate) fn drop(&mut self, blocks: Range<usize>, rule: Rule) {
        work::count(blocks.len());
        for fate in self.fates[blocks].iter_mut().filter(|fate| fate.kept) {
            *fate = Fate { kept: false, rule, probability: fate.probability * DROPPED };
        }
    }

    /// Replaces the model's own reading by another reading of the page, named `name`.
    pub(crate) fn believe(&mut self, kept: &[bool], name: &'static str) {
        for (fate, &kept) in self.fates.iter_mut().zip(kept).filter(|(fate, kept)| fate.kept != **kept) {
            *fate = Fate { kept, rule: Rule::Reading(name), ..*fate };
        }
    }

    /// Records the readings that the judge compared.
    pub(crate) fn note(&mut self, candidates: Vec<CandidateAccount>) {
        self.candidates = candidates;
    }

    /// Returns the readings that the judge compared.
    pub(crate) fn candidates(&self) -> &[CandidateAccount] {
        &self.candidates
    }

    /// Keeps exactly these blocks and drops all others, overriding every earlier decision.
    pub(crate) fn decide(&mut self, kept: &[bool], rule: Rule) {
        for (fate, &kept) in self.fates.iter_mut().zip(kept) {
            *fate = Fate { kept, rule, ..*fate };
        }
    }

    /// Returns this second choice, with the blocks marked whose fate differs from the first choice.
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

    /// Appends the account of the following page.
    pub(crate) fn append(&mut self, next: Self) {
        self.fates.extend(next.fates);
        self.verdicts.extend(next.verdicts);
        self.chosen.extend(next.chosen);
    }

    /// Claims lines for a rule, whether they are kept or not.
    pub(crate) fn claim(&mut self, lines: Range<usize>, rule: Rule) {
        self.claims.push(Claim { lines, rule });
    }

    /// Drops all claimed lines except those whose probability is at least `sure(rule)`: the model already took the rules'
    /// advice into account. Of two claims that begin with the same line the one made first wins; a claim that begins inside
    /// another is void.
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

    /// Returns the rule that a line was claimed for.
    pub(crate) fn verdict(&self, at: usize) -> Option<Rule> {
        self.verdicts[at]
    }

    /// Returns whether a line was kept before claims were settled, that is, by all evidence except its own words.
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
    /// The kind of furniture that the line's words match.
    pub(crate) found: Option<Match>,
    /// Whether the line repeats the headline.
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

    /// Returns whether the line is a paragraph that can only be running text.
    pub(crate) fn is_prose(&self) -> bool {
        const LEAST_WORDS: f32 = 18.0;
        /// At most half of a paragraph may be links.
        const MOST_LINKED: f32 = 0.5;
        work::count(1);
        let measure = &self.block.measure;
        measure.words >= LEAST_WORDS
            && (measure.ends_sentence || measure.sentences > 1)
            && measure.link_share < MOST_LINKED
    }

    /// Returns whether the line ends like a sentence and is mostly unlinked.
    pub(crate) fn is_sentence(&self) -> bool {
        const LEAST_WORDS: f32 = 3.0;
        const MOST_LINKED: f32 = 0.5;
        work::count(1);
        let measure = &self.block.measure;
        measure.words >= LEAST_WORDS && measure.ends_sentence && measure.link_share < MOST_LINKED
    }

    /// Returns whether the line is short and does not end a sentence: a title, a name, a label.
    pub(crate) fn is_label(&self) -> bool {
        const MOST_WORDS: f32 = 20.0;
        self.words() <= MOST_WORDS && !self.block.measure.ends_sentence
    }

    /// Returns whether the line's words match this kind of furniture.
    pub(crate) fn is_named(&self, furniture: Furniture) -> bool {
        work::count(1);
        self.found.is_some_and(|found| found.furniture == furniture)
    }
}

/// Where the body's own byline may be: shortly before the body, or among its first lines.
pub(crate) struct Opening<'a> {
    lines: &'a [Line<'a>],
    account: &'a Account,
    /// The body line up to which a byline counts as the article's own.
    end: usize,
}

impl<'a> Opening<'a> {
    pub(crate) fn new(lines: &'a [Line<'a>], account: &'a Account) -> Self {
        /// Body lines that may precede the byline: the standfirst and a first paragraph.
        const MOST_BEFORE: usize = 2;
        let mut body = (0..lines.len()).filter(|at| account.was_chosen(*at) && lines[*at].is_prose());
        let end = body.nth(MOST_BEFORE).unwrap_or(lines.len());
        Self { lines, account, end }
    }

    pub(crate) fn holds(&self, at: usize) -> bool {
        /// Lines of tools, dates and pictures allowed between a byline and the body.
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
