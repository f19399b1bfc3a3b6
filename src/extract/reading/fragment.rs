//! The HTML inside a feed entry: what the publisher gave for the article, and hardly anything else. No model of pages
//! chooses among its blocks, for a post of three words, a list of links or a table is all that there is; nor does what
//! stands on other pages of the host count against it, for feeds have no furniture of pages. Lines that name themselves
//! as furniture go, as long as they are the smaller part.

use super::Reading;
use crate::extract::Evidence;
use crate::extract::blocks::Document;
use crate::extract::choose::{Choice, Fate};
use crate::extract::rules::Rules;
use crate::model::{EntryEvidence, Page};

/// The share of a fragment's words below which its furniture is its text.
const LEAST_SHARE: f32 = 0.5;
/// How likely a feed's own words are the article's.
const OWN: f32 = 0.9;
/// Blocks at the end among which a feed's credit is looked for.
const CREDIT_BLOCKS: usize = 3;
/// Words of a credit beside the title: "The post … first appeared on …".
const CREDIT_WORDS: f32 = 12.0;

impl Reading {
    /// Reads the HTML inside a feed entry.
    pub(crate) fn of_fragment(html: &str, page: &Page, entry: Option<&EntryEvidence>, rules: &Rules) -> Self {
        let evidence = Evidence { entry, site: None };
        let mut reading = Self::read(html, page, &evidence, rules, |context| Choice {
            fates: own(context.document),
            is_anothers: false,
        });
        reading.keep_own_text();
        reading.drop_credit(entry.and_then(|entry| entry.title.as_deref()));
        reading
    }

    /// Takes the line rules back where they leave little: a post may be what elsewhere is furniture. The operator's word
    /// stands.
    fn keep_own_text(&mut self) {
        let is_operators = |fate: &Fate| fate.rule.starts_with("operator.");
        let blocks = self.document.blocks.iter().filter(|block| !block.is_hidden);
        let all: f32 = blocks.map(|block| block.measure.words).sum();
        if self.fates.iter().any(is_operators) || self.words() >= all * LEAST_SHARE {
            return;
        }
        self.fates = own(&self.document);
        self.has_wall = false;
    }

    /// Drops the line that generators put below each entry: it names the title and links to it and to the site.
    fn drop_credit(&mut self, title: Option<&str>) {
        let Some(title) = title.or(self.metadata.title.as_deref()).map(folded) else { return };
        let title_words = title.split(' ').count() as f32;
        let kept: Vec<usize> = (0..self.fates.len()).filter(|at| self.fates[*at].kept).collect();
        let Some((_, after_first)) = kept.split_first() else { return };
        let is_credit = |at: &&usize| {
            let block = &self.document.blocks[**at];
            block.measure.links > 0
                && block.measure.words <= title_words + CREDIT_WORDS
                && folded(self.document.text_of(block)).contains(&title)
        };
        if let Some(at) = after_first.iter().rev().take(CREDIT_BLOCKS).find(is_credit) {
            self.fates[*at] = Fate { kept: false, rule: "feed.credit", probability: 0.0 };
        }
    }
}

/// The fates of blocks that are all the publisher's own.
fn own(document: &Document) -> Vec<Fate> {
    let fate = |is_hidden: bool| Fate { kept: !is_hidden, rule: "feed.own", probability: OWN };
    document.blocks.iter().map(|block| fate(block.is_hidden)).collect()
}

fn folded(text: &str) -> String {
    text.split_whitespace().map(str::to_lowercase).collect::<Vec<_>>().join(" ")
}
