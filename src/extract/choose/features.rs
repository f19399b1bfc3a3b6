//! The facts about a block that the model weighs.

use super::context::Context;
use super::logistic::Group;
use super::scores::Scores;
use crate::extract::account::{BOX_KINDS, Rule};
use crate::extract::blocks::measure::EDGES;
use crate::extract::blocks::{Block, Document, Kind};
use crate::extract::evidence::kinds::SAID;
use crate::extract::words::classes::Traits;
use crate::extract::words::phrases::{Coverage, Furniture};

const TRAITS: usize = crate::extract::words::classes::TRAIT_NAMES.len();
const FURNITURES: usize = 11;
/// The rules by which a line can be furniture: one of each list, and that of the title.
const RULES: usize = FURNITURES + 1;
/// Steps of a score.
const FINE: usize = FINE_SCORE_STEPS.len() + 1;
/// Steps of the score of a block that may be missing.
const BESIDE: usize = FINE + 1;

macro_rules! groups {
    ($($name:ident: $size:expr),* $(,)?) => {
        #[derive(Clone, Copy)]
        #[expect(non_camel_case_types, reason = "the variants are the names in the model file")]
        enum G { $($name),* }
        const SIZES: &[(&str, usize)] = &[$((stringify!($name), $size)),*];
    };
}

groups! {
    // The block itself.
    words: 10, link: 6, words_link: 40, kind: 11, words_kind: 20, sentences: 5, end: 5, commas: 4, digits: 4, capitals: 5,
    separators: 3, strong: 3, opening: EDGES, closing: EDGES, opening_words: EDGES * 3, closing_words: EDGES * 3, signs: 6, signs_short: 6, shouted: 2,
    targets: 8, targets_linked: 8, gap_before: 9, gap_after: 9, gap_words: 6, gap_fields: 6, continues: 2, links: 4, tag: 16, tag_words: 48, phrase: FURNITURES * 3, inline_traits: TRAITS,
    // The boxes around it.
    own_traits: TRAITS, near_traits: TRAITS, small_box_traits: TRAITS, all_traits: TRAITS, depth: 4,
    parent_share: 6, parent_link: 6, parent_blocks: 5, parent_prose: 6, grandparent_share: 6, grandparent_link: 6, grandparent_prose: 6,
    siblings_same_tag: 5, path_run: 5, parent_boxes_on_path: 5, grandparent_boxes_on_path: 5, main_relation: 16, main_relation_words: 48, main_path: 4, parent_gaps: 6, parent_fields: 4,
    // The blocks beside it.
    previous_words: 10, previous_link: 6, previous_kind: 11, previous_phrase: FURNITURES, previous_relation: 3,
    next_words: 10, next_link: 6, next_kind: 11, next_phrase: FURNITURES, next_relation: 3,
    previous2_words: 10, next2_words: 10, window_prose: 8, window_link: 6,
    // Its place on the page.
    position: 8, prose_before: 6, prose_after: 6, after_title: 8, is_title: 3, page_prose: 6, repeats: 3, lead: 3, stated_body: 3, article_tags: 8,
    // What kind of page it is.
    said: SAID, said_in_comments: SAID, said_linked: SAID, said_prose: SAID, comment_share: 12, main_share: 6, page_link: 6, page_blocks: 7,
    // What the first stage thinks of it and of what surrounds it.
    own_score: FINE, previous_score: BESIDE, next_score: BESIDE, previous2_score: BESIDE, next2_score: BESIDE,
    best_near: FINE, window_score: FINE, wide_score: FINE, parent_score: FINE, grandparent_score: FINE, great_grandparent_score: FINE,
    path_score: FINE, root_child_score: FINE, section_score: BESIDE, heading_next: BESIDE, heading_opens: 4, opened: FURNITURES * 3,
    in_root: 3, root_traits: TRAITS, root_depth: 6, before_body: 9, after_body: 9, body_before: 11, body_after: 11,
    // Where it stands towards the blocks that are surely the article's.
    sure_blocks: 9, sure_words: 8, sure_share: 10, sure_ahead: 6, sure_behind: 6, sure_on_path: 7, size_to_sure: 9,
    sure_before_distance: 10, sure_before_likeness: 5, sure_before_up: 8, sure_before_down: 8,
    sure_after_distance: 10, sure_after_likeness: 5, sure_after_up: 8, sure_after_down: 8,
    // What the rules advise.
    line_rule: RULES, line_rule_score: RULES * 3, boxes: BOX_KINDS, boxes_score: BOX_KINDS,
    fine_words: 20, fine_link: 13, fine_position: 20, title_distance: 13,
}

/// The groups of which several facts can hold at once: sets, not steps.
const SETS: &[G] = &[
    G::signs,
    G::signs_short,
    G::targets,
    G::targets_linked,
    G::gap_before,
    G::gap_after,
    G::inline_traits,
    G::own_traits,
    G::near_traits,
    G::small_box_traits,
    G::all_traits,
    G::root_traits,
    G::said,
    G::said_in_comments,
    G::said_linked,
    G::said_prose,
    G::boxes,
    G::boxes_score,
];

/// All groups, in the order of their features.
pub(crate) fn groups() -> Vec<Group> {
    let mut offset = 0;
    let group = |(at, &(name, size)): (usize, &(&'static str, usize))| {
        offset += size;
        let is_set = SETS.iter().any(|group| *group as usize == at);
        Group { name, size, offset: offset - size, is_set }
    };
    SIZES.iter().enumerate().map(group).collect()
}

const OFFSETS: [usize; SIZES.len()] = {
    let mut offsets = [0; SIZES.len()];
    let mut at = 1;
    while at < SIZES.len() {
        offsets[at] = offsets[at - 1] + SIZES[at - 1].1;
        at += 1;
    }
    offsets
};

/// The features of one block that hold.
#[derive(Default)]
pub(crate) struct Active(pub(crate) Vec<u16>);

impl Active {
    fn set(&mut self, group: G, value: usize) {
        debug_assert!(value < SIZES[group as usize].1, "{} has no step {value}", SIZES[group as usize].0);
        let feature = OFFSETS[group as usize] + value;
        self.0.push(u16::try_from(feature).expect("there are a few thousand features"));
    }

    fn step(&mut self, group: G, value: f32, steps: &[f32]) {
        self.set(group, steps.iter().take_while(|&&step| value >= step).count());
    }

    fn flags(&mut self, group: G, mut bits: u64) {
        while bits != 0 {
            self.set(group, bits.trailing_zeros() as usize);
            bits &= bits - 1;
        }
    }
}

const WORD_STEPS: &[f32] = &[2.0, 4.0, 7.0, 11.0, 16.0, 24.0, 36.0, 60.0, 110.0];
const LINK_STEPS: &[f32] = &[0.001, 0.1, 0.3, 0.6, 0.9];
const SHARE_STEPS: &[f32] = &[0.02, 0.08, 0.2, 0.45, 0.8];
const PROSE_STEPS: &[f32] = &[1.0, 30.0, 80.0, 200.0, 600.0];
const FINE_SCORE_STEPS: &[f32] = &[
    0.01, 0.02, 0.04, 0.07, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8,
    0.85, 0.9, 0.93, 0.96, 0.98,
];

fn steps(value: f32, steps: &[f32]) -> usize {
    steps.iter().take_while(|&&step| value >= step).count()
}

fn kind_index(kind: Kind) -> usize {
    match kind {
        Kind::Paragraph => 0,
        Kind::Heading(level) => usize::from(level.min(6)),
        Kind::ListItem => 7,
        Kind::Quote => 8,
        Kind::TableRow => 9,
        Kind::Preformatted => 10,
    }
}

fn coarse_kind(kind: Kind) -> usize {
    match kind {
        Kind::Paragraph | Kind::Preformatted => 0,
        Kind::Heading(_) => 1,
        Kind::ListItem => 2,
        Kind::Quote => 3,
        Kind::TableRow => 4,
    }
}

/// 0: the same box; 1: neighbouring boxes; 2: further apart.
fn relation(document: &Document, one: &Block, other: &Block) -> usize {
    if one.container == other.container {
        0
    } else if document.containers[one.container].parent == document.containers[other.container].parent {
        1
    } else {
        2
    }
}

/// What can be said before anything is known of the other blocks' worth.
pub(crate) fn first(context: &Context<'_>, at: usize, active: &mut Active) {
    let document = context.document;
    let block = &document.blocks[at];
    let measure = &block.measure;
    let word_step = steps(measure.words, WORD_STEPS);
    active.set(G::words, word_step);
    active.step(G::link, measure.link_share, LINK_STEPS);
    active.set(G::words_link, word_step * 4 + steps(measure.link_share, &[0.001, 0.3, 0.8]));
    active.set(G::kind, kind_index(block.kind));
    active.set(G::words_kind, coarse_kind(block.kind) * 4 + steps(measure.words, &[5.0, 12.0, 30.0]));
    active.step(G::sentences, measure.sentences as f32, &[1.0, 2.0, 3.0, 5.0]);
    active.set(
        G::end,
        if measure.has_ellipsis_end {
            4
        } else if measure.ends_question {
            3
        } else if measure.ends_colon {
            2
        } else {
            usize::from(measure.ends_sentence)
        },
    );
    active.step(G::commas, measure.commas as f32 / measure.words.max(1.0), &[0.001, 0.04, 0.1]);
    active.step(G::digits, measure.digit_share, &[0.001, 0.1, 0.3]);
    active.step(G::capitals, measure.capital_share, &[0.001, 0.2, 0.5, 0.8]);
    active.step(G::separators, measure.separators as f32, &[1.0, 3.0]);
    active.step(G::strong, measure.strong_share, &[0.01, 0.9]);
    active.set(G::continues, usize::from(block.continues));
    active.step(G::links, measure.links as f32, &[1.0, 2.0, 4.0]);
    let size = steps(measure.words, &[6.0, 20.0]);
    active.set(G::opening, usize::from(measure.opening));
    active.set(G::closing, usize::from(measure.closing));
    active.set(G::opening_words, usize::from(measure.opening) * 3 + size);
    active.set(G::closing_words, usize::from(measure.closing) * 3 + size);
    active.flags(G::signs, u64::from(measure.signs));
    if size < 2 {
        active.flags(G::signs_short, u64::from(measure.signs));
    }
    active.set(G::shouted, usize::from(measure.is_shouted));
    active.flags(G::targets, u64::from(block.targets.0));
    if measure.link_share > 0.6 {
        active.flags(G::targets_linked, u64::from(block.targets.0));
    }
    gaps(document, at, size, active);
    let tag_index = context.tag(block.container);
    active.set(G::tag, tag_index);
    active.set(G::tag_words, tag_index * 3 + steps(measure.words, &[8.0, 25.0]));
    if let Some(found) = context.matches[at] {
        active.set(G::phrase, found.furniture as usize * 3 + found.coverage as usize);
    }
    active.flags(G::inline_traits, block.inline.0);
    around(context, block, active);
    beside(context, at, active);
    place(context, at, active);
    kind_of_page(context, at, active);
}

/// What stands above and below without being text: a picture above a short line makes it a caption, a field below
/// makes it a label.
fn gaps(document: &Document, at: usize, size: usize, active: &mut Active) {
    let before = document.blocks[at].gap;
    let after = document.blocks.get(at + 1).map(|next| next.gap).unwrap_or_default();
    for (group, gap) in [(G::gap_before, before), (G::gap_after, after)] {
        let amount = |count: u16| usize::from(count.min(2));
        active.set(group, amount(gap.images));
        active.set(group, 3 + amount(gap.players));
        active.set(group, 6 + amount(gap.fields));
    }
    active.set(G::gap_words, size * 2 + usize::from(before.images > 0));
    active.set(G::gap_fields, size * 2 + usize::from(before.fields + after.fields > 0));
}

fn around(context: &Context<'_>, block: &Block, active: &mut Active) {
    let containers = &context.document.containers;
    let own = &containers[block.container];
    let parent = &containers[own.parent];
    let grandparent = &containers[parent.parent];
    active.flags(G::own_traits, own.traits.0);
    active.flags(G::near_traits, parent.traits.0 | grandparent.traits.0);
    active.flags(G::small_box_traits, context.small_box_traits[block.container].0);
    active.flags(G::all_traits, context.all_traits[block.container].0);
    active.step(G::depth, f32::from(own.depth), &[6.0, 12.0, 20.0]);
    // A paragraph's own box tells nothing that the paragraph does not: the boxes are those around it.
    active.step(G::parent_share, context.share(own.parent), SHARE_STEPS);
    active.step(G::parent_link, context.link_share(own.parent), LINK_STEPS);
    active.step(G::parent_blocks, (parent.end - parent.first) as f32, &[2.0, 4.0, 8.0, 20.0]);
    active.step(G::parent_prose, context.prose(own.parent), PROSE_STEPS);
    active.step(G::grandparent_share, context.share(parent.parent), SHARE_STEPS);
    active.step(G::grandparent_link, context.link_share(parent.parent), LINK_STEPS);
    active.step(G::grandparent_prose, context.prose(parent.parent), PROSE_STEPS);
    active.step(G::path_run, context.path_run(block.container) as f32, &[2.0, 3.0, 6.0, 15.0]);
    active.step(G::parent_boxes_on_path, context.boxes_on_path(own.parent) as f32, &[2.0, 3.0, 6.0, 15.0]);
    active.step(
        G::grandparent_boxes_on_path,
        context.boxes_on_path(parent.parent) as f32,
        &[2.0, 3.0, 6.0, 15.0],
    );
    let relation = context.main_relation(block.container);
    active.set(G::main_relation, relation);
    active.set(G::main_relation_words, relation * 3 + steps(block.measure.words, &[7.0, 20.0]));
    active.set(
        G::main_path,
        usize::from(own.path == context.main_path) * 2 + usize::from(parent.path == context.main_parent_path),
    );
    let (media, fields) = context.gap_density(own.parent);
    active.step(G::parent_gaps, media, &[0.01, 0.1, 0.25, 0.5, 0.9]);
    active.step(G::parent_fields, fields, &[0.01, 0.1, 0.4]);
    active.step(
        G::siblings_same_tag,
        context.same_path_blocks(block.container) as f32,
        &[2.0, 4.0, 8.0, 20.0],
    );
}

fn beside(context: &Context<'_>, at: usize, active: &mut Active) {
    let document = context.document;
    let block = &document.blocks[at];
    if let Some(before) = at.checked_sub(1).map(|before| &document.blocks[before]) {
        active.step(G::previous_words, before.measure.words, WORD_STEPS);
        active.step(G::previous_link, before.measure.link_share, LINK_STEPS);
        active.set(G::previous_kind, kind_index(before.kind));
        active.set(G::previous_relation, relation(document, before, block));
        if let Some(found) = context.matches[at - 1] {
            active.set(G::previous_phrase, found.furniture as usize);
        }
    }
    if let Some(after) = document.blocks.get(at + 1) {
        active.step(G::next_words, after.measure.words, WORD_STEPS);
        active.step(G::next_link, after.measure.link_share, LINK_STEPS);
        active.set(G::next_kind, kind_index(after.kind));
        active.set(G::next_relation, relation(document, block, after));
        if let Some(found) = context.matches[at + 1] {
            active.set(G::next_phrase, found.furniture as usize);
        }
    }
    if let Some(before) = at.checked_sub(2).map(|before| &document.blocks[before]) {
        active.step(G::previous2_words, before.measure.words, WORD_STEPS);
    }
    if let Some(after) = document.blocks.get(at + 2) {
        active.step(G::next2_words, after.measure.words, WORD_STEPS);
    }
    let (prose_around, link_around) = context.window(at, 4);
    active.step(G::window_prose, prose_around, &[1.0, 20.0, 50.0, 100.0, 200.0, 350.0, 600.0]);
    active.step(G::window_link, link_around, LINK_STEPS);
}

fn place(context: &Context<'_>, at: usize, active: &mut Active) {
    let all = context.document.blocks.len();
    active.step(G::position, at as f32 / all.max(1) as f32, &[0.05, 0.15, 0.3, 0.45, 0.6, 0.75, 0.9]);
    let total = context.prose(0).max(1.0);
    let before = context.prose_before(at);
    active.step(G::prose_before, before / total, &[0.001, 0.1, 0.4, 0.7, 0.95]);
    active.step(
        G::prose_after,
        (total - before - context.prose_at(at)) / total,
        &[0.001, 0.1, 0.4, 0.7, 0.95],
    );
    active.set(
        G::after_title,
        match context.title_at {
            None => 0,
            Some(title) if at < title => 1,
            Some(title) if at == title => 2,
            Some(title) => 3 + steps((at - title) as f32, &[2.0, 4.0, 10.0, 40.0]),
        },
    );
    active.set(G::is_title, context.headline.likeness(at) as usize);
    active.step(G::page_prose, context.prose(0), &[40.0, 120.0, 300.0, 700.0, 1500.0]);
    active.set(G::repeats, context.repeats(at));
    active.set(G::lead, context.lead(at));
    active.set(G::stated_body, context.stated_body(at));
    let in_article = context.all_traits[context.document.blocks[at].container].intersects(Traits::ARTICLE);
    active.set(
        G::article_tags,
        steps(context.article_tags as f32, &[1.0, 2.0, 5.0]) * 2 + usize::from(in_article),
    );
}

/// What kind of page it is, and what that says of such a block.
fn kind_of_page(context: &Context<'_>, at: usize, active: &mut Active) {
    let measure = &context.document.blocks[at].measure;
    let said = context.said.0;
    let in_comments = context.is_in_comments(at);
    active.flags(G::said, said);
    if in_comments {
        active.flags(G::said_in_comments, said);
    }
    if measure.link_share > 0.6 {
        active.flags(G::said_linked, said);
    }
    if measure.words >= 20.0 {
        active.flags(G::said_prose, said);
    }
    let share = steps(context.comment_share, &[0.001, 0.1, 0.3, 0.6, 0.85]);
    active.set(G::comment_share, share * 2 + usize::from(in_comments));
    active.step(G::main_share, context.main_share, &[0.1, 0.3, 0.5, 0.7, 0.9]);
    active.step(G::page_link, context.link_share(0), &[0.1, 0.2, 0.35, 0.5, 0.7]);
    let blocks = context.document.blocks.len() as f32;
    active.step(G::page_blocks, blocks, &[12.0, 30.0, 80.0, 200.0, 500.0, 1200.0]);
}

/// What the rules say: they alone would be wrong too often.
fn advice(scores: &Scores, at: usize, active: &mut Active) {
    let advice = &scores.advice[at];
    let rule = match advice.line {
        Some(Rule::Words(furniture)) => Some(furniture as usize),
        Some(Rule::Title) => Some(FURNITURES),
        _ => None,
    };
    if let Some(rule) = rule {
        active.set(G::line_rule, rule);
        active.set(G::line_rule_score, rule * 3 + steps(scores.first[at], &[0.5, 0.85]));
    }
    active.flags(G::boxes, advice.boxes);
    if scores.first[at] > 0.7 {
        active.flags(G::boxes_score, advice.boxes);
    }
}

/// What follows from the first stage's scores.
pub(crate) fn second(context: &Context<'_>, scores: &Scores, at: usize, active: &mut Active) {
    let document = context.document;
    let block = &document.blocks[at];
    let own = &document.containers[block.container];
    let parent = &document.containers[own.parent];
    let fine = |active: &mut Active, group: G, score: f32| active.step(group, score, FINE_SCORE_STEPS);
    let beside = |active: &mut Active, group: G, score: Option<f32>| match score {
        Some(score) => active.step(group, score, FINE_SCORE_STEPS),
        None => active.set(group, BESIDE - 1),
    };
    let score = |at: Option<usize>| at.and_then(|at| scores.first.get(at)).copied();
    fine(active, G::own_score, scores.first[at]);
    beside(active, G::previous_score, score(at.checked_sub(1)));
    beside(active, G::next_score, score(Some(at + 1)));
    beside(active, G::previous2_score, score(at.checked_sub(2)));
    beside(active, G::next2_score, score(Some(at + 2)));
    fine(active, G::best_near, scores.best_around(at, 3));
    fine(active, G::window_score, scores.mean_around(at, 3));
    fine(active, G::wide_score, scores.mean_around(at, 8));
    fine(active, G::parent_score, scores.mean_without(document, own.parent, at));
    fine(active, G::grandparent_score, scores.mean_without(document, parent.parent, at));
    let great_grandparent = document.containers[parent.parent].parent;
    fine(active, G::great_grandparent_score, scores.mean_without(document, great_grandparent, at));
    fine(active, G::path_score, scores.path_mean_without(own.path, at));
    beside(active, G::section_score, scores.section_mean(at));
    if let Some((furniture, distance)) = scores.opened[at] {
        active.set(G::opened, furniture as usize * 3 + steps(distance as f32, &[3.0, 10.0]));
    }
    if let Kind::Heading(_) = block.kind {
        beside(active, G::heading_next, scores.next_not_heading(document, at));
    } else if let Some(heading) = scores.heading_above(at) {
        let found = context.matches[heading].is_some_and(|found| found.coverage == Coverage::Whole);
        active.set(G::heading_opens, usize::from(found) * 2 + usize::from(scores.first[heading] > 0.5));
    }
    advice(scores, at, active);
    in_root(document, scores, at, active);
    towards_sure(context, scores, at, active);
    active.step(G::fine_words, block.measure.words, FINE_WORD_STEPS);
    active.step(
        G::fine_link,
        block.measure.link_share,
        &[0.001, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97],
    );
    active.set(G::fine_position, (at * 20 / document.blocks.len()).min(19));
    if let Some(title) = context.title_at {
        const FAR: &[f32] = &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0, 100.0];
        let distance = if at < title { 0 } else { 1 + steps((at - title) as f32, FAR) };
        active.set(G::title_distance, distance);
    }
}

const FINE_WORD_STEPS: &[f32] = &[
    2.0, 3.0, 4.0, 5.0, 6.0, 8.0, 10.0, 12.0, 15.0, 18.0, 22.0, 27.0, 33.0, 40.0, 50.0, 65.0, 85.0, 120.0,
    180.0,
];

/// Where the block stands towards the box that holds the body, and towards the body's ends.
fn in_root(document: &Document, scores: &Scores, at: usize, active: &mut Active) {
    let container = document.blocks[at].container;
    let root = &document.containers[scores.root];
    active.set(G::in_root, usize::from(at >= root.first) + usize::from(at >= root.end));
    if at >= root.first && at < root.end {
        active.flags(G::root_traits, scores.traits_below_root(document, container).0);
        let below = document.containers[container].depth - root.depth;
        active.step(G::root_depth, f32::from(below), &[1.0, 2.0, 3.0, 5.0, 8.0]);
        active.step(G::root_child_score, scores.root_child_mean(document, container, at), FINE_SCORE_STEPS);
    }
    let distances = &[2.0, 3.0, 4.0, 6.0, 9.0, 15.0, 30.0, 60.0];
    if at < scores.body_first {
        active.step(G::before_body, (scores.body_first - at) as f32, distances);
    }
    if at > scores.body_last {
        active.step(G::after_body, (at - scores.body_last) as f32, distances);
    }
    let (before, after) = scores.body_around(at);
    let shares = &[0.001, 0.02, 0.05, 0.1, 0.3, 0.6, 0.8, 0.9, 0.95, 0.99];
    active.step(G::body_before, before, shares);
    active.step(G::body_after, after, shares);
}

/// How near the blocks are that are surely the article's, and how much like this one.
fn towards_sure(context: &Context<'_>, scores: &Scores, at: usize, active: &mut Active) {
    let document = context.document;
    let block = &document.blocks[at];
    let blocks = scores.sure_blocks() as f32;
    let words = scores.sure_words(0, document.blocks.len());
    active.step(G::sure_blocks, blocks, &[1.0, 2.0, 3.0, 5.0, 8.0, 12.0, 20.0, 40.0]);
    active.step(G::sure_words, words, &[1.0, 50.0, 100.0, 200.0, 400.0, 800.0, 1500.0]);
    let share = words / context.words().max(1.0);
    active.step(G::sure_share, share, &[0.01, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.85]);
    let near = &[1.0, 20.0, 50.0, 100.0, 200.0];
    active.step(G::sure_ahead, scores.sure_words(at + 1, at + 6), near);
    active.step(G::sure_behind, scores.sure_words(at.saturating_sub(5), at), near);
    let on_path = scores.sure_on_path(document.path_of(block), at);
    active.step(G::sure_on_path, on_path as f32, &[1.0, 2.0, 3.0, 5.0, 10.0, 20.0]);
    if blocks > 0.0 {
        let size = block.measure.words * blocks / words.max(1.0);
        active.step(G::size_to_sure, size, &[0.08, 0.15, 0.25, 0.4, 0.6, 0.9, 1.3, 2.0]);
    }
    let (before, after) = scores.sure_beside(at);
    let towards = |active: &mut Active, other: usize, [distance, likeness, up, down]: [G; 4]| {
        let steps = &[2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0];
        active.step(distance, at.abs_diff(other) as f32, steps);
        let (levels_up, levels_down) = ways(document, block, &document.blocks[other]);
        active.set(likeness, likeness_to(document, block, &document.blocks[other]));
        active.set(up, levels_up.min(7));
        active.set(down, levels_down.min(7));
    };
    if let Some(before) = before {
        let groups =
            [G::sure_before_distance, G::sure_before_likeness, G::sure_before_up, G::sure_before_down];
        towards(active, before, groups);
    }
    if let Some(after) = after {
        let groups = [G::sure_after_distance, G::sure_after_likeness, G::sure_after_up, G::sure_after_down];
        towards(active, after, groups);
    }
}

/// 0: the same box; 1: the same path; 2: neighbouring boxes of one kind; 3: neighbouring boxes; 4: neither.
fn likeness_to(document: &Document, one: &Block, other: &Block) -> usize {
    let (first, second) = (&document.containers[one.container], &document.containers[other.container]);
    if one.container == other.container {
        0
    } else if first.path == second.path {
        1
    } else if first.parent == second.parent {
        3 - usize::from(first.tag == second.tag)
    } else {
        4
    }
}

/// Levels from one block's box up to the box that holds both blocks, and from there down to the other's.
fn ways(document: &Document, one: &Block, other: &Block) -> (usize, usize) {
    let containers = &document.containers;
    let (mut first, mut second) = (one.container, other.container);
    let (mut up, mut down) = (0, 0);
    while first != second {
        if containers[first].depth >= containers[second].depth {
            first = containers[first].parent;
            up += 1;
        } else {
            second = containers[second].parent;
            down += 1;
        }
    }
    (up, down)
}

/// The bits that words can set, for those who look at traits and phrases together.
pub(crate) const fn is_section(furniture: Furniture) -> bool {
    matches!(
        furniture,
        Furniture::Comments
            | Furniture::Related
            | Furniture::Newsletter
            | Furniture::AuthorBox
            | Furniture::Paywall
            | Furniture::Consent
    )
}
