//! The groups of facts about a block: their names, sizes and steps.
//!
//! A fact is a yes or a no. A number is cut into steps, exactly one of which holds; of a set several facts may hold; facts
//! about furniture and traits are identified by name. The model file names groups and facts in the same way. Facts that it
//! does not know have weight 0, so a new kind of furniture needs no new fitting.

use serde::Deserialize;

use crate::extract::account::Boxes;
use crate::extract::blocks::links::Targets;
use crate::extract::blocks::measure::{EDGES, Signs};
use crate::extract::evidence::kinds::SAID;
use crate::extract::words::classes::Traits as BoxTraits;
use crate::extract::words::furniture::Furniture;

/// The kind and number of facts in a group.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Facts {
    /// The steps of a number, with the values at which all but the first begin.
    Steps(&'static [f32]),
    /// The steps of a number, and one fact for a missing number.
    StepsOrNone(&'static [f32]),
    /// The values of an enumeration, by number.
    Values(usize),
    /// A set of facts of which several may hold, by number.
    Set(usize),
    /// Kinds of furniture, with this many facts for each.
    Furniture(usize),
    /// Traits of boxes, of which several may hold.
    Traits,
}

impl Facts {
    pub(crate) const fn len(self) -> usize {
        match self {
            Self::Steps(steps) => steps.len() + 1,
            Self::StepsOrNone(steps) => steps.len() + 2,
            Self::Values(count) | Self::Set(count) => count,
            Self::Furniture(each) => Furniture::ALL.len() * each,
            Self::Traits => BoxTraits::COUNT,
        }
    }

    /// Returns whether several facts may hold at once.
    pub(crate) const fn is_set(self) -> bool {
        matches!(self, Self::Set(_) | Self::Traits)
    }
}

macro_rules! groups {
    ($($name:ident: $facts:expr),* $(,)?) => {
        #[derive(Clone, Copy)]
        #[expect(non_camel_case_types, reason = "the variants are the names in the model file")]
        pub(crate) enum G { $($name),* }
        /// All groups, in the order of their features.
        pub(crate) const GROUPS: &[(&str, Facts)] = &[$((stringify!($name), $facts)),*];
    };
}

use Facts::{Set, Steps, StepsOrNone, Traits, Values};

const WORDS: &[f32] = &[2.0, 4.0, 7.0, 11.0, 16.0, 24.0, 36.0, 60.0, 110.0];
const FINE_WORDS: &[f32] = &[
    2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 18.0, 22.0, 27.0, 33.0, 40.0, 50.0, 65.0, 85.0, 120.0,
    180.0,
];
const LINK: &[f32] = &[0.001, 0.1, 0.3, 0.6, 0.9];
const FINE_LINK: &[f32] = &[0.001, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97];
const SHARE: &[f32] = &[0.02, 0.08, 0.2, 0.45, 0.8];
const PROSE: &[f32] = &[1.0, 30.0, 80.0, 200.0, 600.0];
const PART_OF_PROSE: &[f32] = &[0.001, 0.1, 0.4, 0.7, 0.95];
const ROW: &[f32] = &[2.0, 3.0, 6.0, 15.0];
const SCORE: &[f32] = &[
    0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8,
    0.85, 0.9, 0.93, 0.96, 0.98,
];
const FROM_BODY: &[f32] = &[2.0, 3.0, 4.0, 6.0, 9.0, 15.0, 30.0, 60.0];
const PART_OF_BODY: &[f32] = &[0.001, 0.02, 0.05, 0.1, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99];
const SURE_NEAR: &[f32] = &[1.0, 20.0, 50.0, 100.0, 200.0];
const FROM_SURE: &[f32] = &[2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0];
const WINDOW: &[f32] = &[1.0, 20.0, 50.0, 100.0, 200.0, 350.0, 600.0];

/// Numbers of values: kind of a block, tag of its box, position of its box relative to the main one.
const KINDS: usize = 11;
const TAGS: usize = 16;
const RELATIONS: usize = 16;
/// Three kinds of things in the gap between blocks (images, players, fields), three amounts of each.
const GAPS: usize = 9;
/// The rules by which a line can be furniture: one for each word list, and the title rule.
const RULES: usize = TITLE_RULE + 1;
pub(crate) const TITLE_RULE: usize = Furniture::ALL.len();
/// Same box, neighbouring boxes, neither.
const NEIGHBOURS: usize = 3;
/// Same box, same path, neighbouring boxes of the same tag, neighbouring boxes, none of these.
const LIKENESSES: usize = 5;
/// Numbers of levels between two boxes that are told apart.
const LEVELS: usize = 8;

groups! {
    // The block itself.
    words: Steps(WORDS), link: Steps(LINK), words_link: Values(40), kind: Values(KINDS), words_kind: Values(20),
    sentences: Steps(&[1.0, 2.0, 3.0, 5.0]), end: Values(5), commas: Steps(&[0.001, 0.04, 0.1]), digits: Steps(&[0.001, 0.1, 0.3]),
    capitals: Steps(&[0.001, 0.2, 0.5, 0.8]), separators: Steps(&[1.0, 3.0]), strong: Steps(&[0.01, 0.9]),
    opening: Values(EDGES), closing: Values(EDGES), opening_words: Values(EDGES * 3), closing_words: Values(EDGES * 3),
    signs: Set(Signs::COUNT), signs_short: Set(Signs::COUNT), shouted: Values(2), targets: Set(Targets::COUNT), targets_linked: Set(Targets::COUNT),
    gap_before: Set(GAPS), gap_after: Set(GAPS), gap_words: Values(6), gap_fields: Values(6), continues: Values(2),
    links: Steps(&[1.0, 2.0, 4.0]), tag: Values(TAGS), tag_words: Values(TAGS * 3), phrase: Facts::Furniture(3), inline_traits: Traits,
    // The boxes around it.
    own_traits: Traits, near_traits: Traits, small_box_traits: Traits, all_traits: Traits, depth: Steps(&[6.0, 12.0, 20.0]),
    parent_share: Steps(SHARE), parent_link: Steps(LINK), parent_blocks: Steps(&[2.0, 4.0, 8.0, 20.0]), parent_prose: Steps(PROSE),
    grandparent_share: Steps(SHARE), grandparent_link: Steps(LINK), grandparent_prose: Steps(PROSE),
    siblings_same_tag: Steps(&[2.0, 4.0, 8.0, 20.0]), path_run: Steps(ROW), parent_boxes_on_path: Steps(ROW),
    grandparent_boxes_on_path: Steps(ROW), main_relation: Values(RELATIONS), main_relation_words: Values(RELATIONS * 3), main_path: Values(4),
    parent_gaps: Steps(&[0.01, 0.1, 0.25, 0.5, 0.9]), parent_fields: Steps(&[0.01, 0.1, 0.4]),
    // The blocks beside it.
    previous_words: Steps(WORDS), previous_link: Steps(LINK), previous_kind: Values(KINDS), previous_phrase: Facts::Furniture(1),
    previous_relation: Values(NEIGHBOURS),
    next_words: Steps(WORDS), next_link: Steps(LINK), next_kind: Values(KINDS), next_phrase: Facts::Furniture(1),
    next_relation: Values(NEIGHBOURS),
    previous2_words: Steps(WORDS), next2_words: Steps(WORDS), window_prose: Steps(WINDOW), window_link: Steps(LINK),
    // Its position on the page.
    position: Steps(&[0.05, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9]), prose_before: Steps(PART_OF_PROSE), prose_after: Steps(PART_OF_PROSE),
    after_title: Values(8), is_title: Values(3), page_prose: Steps(&[40.0, 120.0, 300.0, 700.0, 1500.0]), repeats: Values(3),
    lead: Values(3), stated_body: Values(3), article_tags: Values(8),
    // What kind of page it is.
    said: Set(SAID), said_in_comments: Set(SAID), said_linked: Set(SAID), said_prose: Set(SAID), comment_share: Values(12),
    main_share: Steps(&[0.1, 0.3, 0.5, 0.7, 0.9]), page_link: Steps(&[0.1, 0.2, 0.35, 0.5, 0.7]),
    page_blocks: Steps(&[12.0, 30.0, 80.0, 200.0, 500.0, 1200.0]),
    // The first stage's scores of the block and of its surroundings.
    own_score: Steps(SCORE), previous_score: StepsOrNone(SCORE), next_score: StepsOrNone(SCORE), previous2_score: StepsOrNone(SCORE),
    next2_score: StepsOrNone(SCORE), best_near: Steps(SCORE), window_score: Steps(SCORE), wide_score: Steps(SCORE),
    parent_score: Steps(SCORE), grandparent_score: Steps(SCORE), great_grandparent_score: Steps(SCORE), path_score: Steps(SCORE),
    root_child_score: Steps(SCORE), section_score: StepsOrNone(SCORE), heading_next: StepsOrNone(SCORE), heading_opens: Values(4),
    opened: Facts::Furniture(3), in_root: Values(3), root_traits: Traits, root_depth: Steps(&[1.0, 2.0, 3.0, 5.0, 8.0]),
    before_body: Steps(FROM_BODY), after_body: Steps(FROM_BODY), body_before: Steps(PART_OF_BODY), body_after: Steps(PART_OF_BODY),
    // Its position relative to the blocks that surely belong to the article.
    sure_blocks: Steps(&[1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0]), sure_words: Steps(&[1.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1500.0]),
    sure_share: Steps(&[0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85]), sure_ahead: Steps(SURE_NEAR), sure_behind: Steps(SURE_NEAR),
    sure_on_path: Steps(&[1.0, 2.0, 3.0, 5.0, 10.0, 20.0]), size_to_sure: Steps(&[0.08, 0.15, 0.25, 0.4, 0.6, 0.9, 1.3, 2.0]),
    sure_before_distance: Steps(FROM_SURE), sure_before_likeness: Values(LIKENESSES), sure_before_up: Values(LEVELS), sure_before_down: Values(LEVELS),
    sure_after_distance: Steps(FROM_SURE), sure_after_likeness: Values(LIKENESSES), sure_after_up: Values(LEVELS), sure_after_down: Values(LEVELS),
    // What the rules advise.
    line_rule: Values(RULES), line_rule_score: Values(RULES * 3), boxes: Set(Boxes::COUNT), boxes_score: Set(Boxes::COUNT),
    fine_words: Steps(FINE_WORDS), fine_link: Steps(FINE_LINK), fine_position: Values(20),
    title_distance: Values(13),
}

const OFFSETS: [usize; GROUPS.len()] = {
    let mut offsets = [0; GROUPS.len()];
    let mut at = 1;
    while at < GROUPS.len() {
        offsets[at] = offsets[at - 1] + GROUPS[at - 1].1.len();
        at += 1;
    }
    offsets
};

/// The total number of facts.
pub(crate) const FACTS: usize = OFFSETS[GROUPS.len() - 1] + GROUPS[GROUPS.len() - 1].1.len();

/// The facts that hold for one block, as indices into all facts.
#[derive(Default)]
pub(crate) struct Active(pub(crate) Vec<u16>);

impl Active {
    /// Adds a value of an enumeration.
    pub(crate) fn set(&mut self, group: G, value: usize) {
        let (name, facts) = GROUPS[group as usize];
        debug_assert!(value < facts.len(), "{name} has no step {value}");
        let feature = OFFSETS[group as usize] + value;
        self.0.push(u16::try_from(feature).expect("there are a few thousand features"));
    }

    /// Adds the step that a number falls into.
    pub(crate) fn step(&mut self, group: G, value: f32) {
        if let Facts::Steps(at) | Facts::StepsOrNone(at) = GROUPS[group as usize].1 {
            self.set(group, steps(value, at));
        }
    }

    /// Adds the step of an optional number, or the fact that it is missing.
    pub(crate) fn step_or_none(&mut self, group: G, value: Option<f32>) {
        match value {
            Some(value) => self.step(group, value),
            None => self.set(group, GROUPS[group as usize].1.len() - 1),
        }
    }

    /// Adds the facts of a set that hold, given as bits.
    pub(crate) fn flags(&mut self, group: G, mut bits: u64) {
        while bits != 0 {
            self.set(group, bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }

    /// Adds a fact about a kind of furniture.
    pub(crate) fn furniture(&mut self, group: G, furniture: Furniture, fact: usize) {
        if let Facts::Furniture(each) = GROUPS[group as usize].1 {
            self.set(group, furniture as usize * each + fact);
        }
    }
}

/// Returns the number of the step that a value falls into.
pub(crate) fn steps(value: f32, steps: &[f32]) -> usize {
    steps.iter().take_while(|&&step| value >= step).count()
}

/// A group of facts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Group {
    pub(crate) name: &'static str,
    pub(crate) facts: Facts,
    /// Index of its first fact among all facts.
    pub(crate) offset: usize,
}

/// Returns all groups, in the order of their facts.
pub(crate) fn groups() -> Vec<Group> {
    let group = |(&(name, facts), &offset)| Group { name, facts, offset };
    GROUPS.iter().zip(&OFFSETS).map(group).collect()
}

/// The names of the furniture kinds and traits that a model was fitted with, in the model's order.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Names {
    pub(crate) furniture: Vec<String>,
    pub(crate) traits: Vec<String>,
}

impl Names {
    /// Returns the names that this version knows.
    pub(crate) fn current() -> Self {
        let furniture = Furniture::ALL.iter().map(|furniture| furniture.name().to_owned()).collect();
        Self {
            furniture,
            traits: (0..BoxTraits::COUNT).map(|bit| BoxTraits::name(bit).to_ascii_lowercase()).collect(),
        }
    }

    /// Returns how many facts of this kind the model knows.
    pub(crate) fn count(&self, facts: Facts) -> usize {
        match facts {
            Facts::Furniture(each) => self.furniture.len() * each,
            Facts::Traits => self.traits.len(),
            _ => facts.len(),
        }
    }

    /// Returns the model's number for a fact, or `None` if the model does not know it.
    pub(crate) fn number(&self, facts: Facts, fact: usize) -> Option<usize> {
        match facts {
            Facts::Furniture(each) => {
                let name = Furniture::ALL[fact / each].name();
                let position = self.furniture.iter().position(|known| known == name)?;
                Some(position * each + fact % each)
            }
            Facts::Traits => {
                self.traits.iter().position(|known| known.eq_ignore_ascii_case(BoxTraits::name(fact)))
            }
            _ => Some(fact),
        }
    }

    /// Returns the model's name for the fact with this number.
    pub(crate) fn name(&self, facts: Facts, number: usize) -> String {
        match facts {
            Facts::Traits => self.traits[number].clone(),
            _ => number.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_model_does_not_know_has_no_number() {
        let names = Names {
            furniture: vec!["byline".to_owned(), "comments".to_owned()],
            traits: vec!["comment".to_owned()],
        };
        let phrase = Facts::Furniture(3);
        assert_eq!(names.count(phrase), 6);
        assert_eq!(names.number(phrase, Furniture::Comments as usize * 3 + 2), Some(5));
        assert_eq!(names.number(phrase, Furniture::Byline as usize * 3), Some(0));
        assert_eq!(names.number(phrase, Furniture::Related as usize * 3), None);
        assert_eq!(names.number(Traits, 0), Some(0));
        assert_eq!(names.number(Traits, 1), None);
    }
}
