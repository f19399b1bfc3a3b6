//! The facts about a block that the model weighs.

use super::context::Context;
use super::groups::{Active, G, TITLE_RULE, steps};
use super::scores::Scores;
use crate::extract::account::Rule;
use crate::extract::blocks::{Block, Document, Kind};
use crate::extract::words::classes::Traits;
use crate::extract::words::phrases::Coverage;

// Steps of numbers that a fact combines with something else.
const WORDS_OF_LINK: &[f32] = &[2.0, 4.0, 7.0, 11.0, 16.0, 24.0, 36.0, 60.0, 110.0];
const LINK_OF_WORDS: &[f32] = &[0.001, 0.3, 0.8];
const WORDS_OF_KIND: &[f32] = &[5.0, 12.0, 30.0];
const WORDS_OF_SIGNS: &[f32] = &[6.0, 20.0];
const WORDS_OF_TAG: &[f32] = &[8.0, 25.0];
const WORDS_OF_RELATION: &[f32] = &[7.0, 20.0];
const ARTICLES: &[f32] = &[1.0, 2.0, 5.0];
const BEHIND_TITLE: &[f32] = &[2.0, 4.0, 10.0, 40.0];
const SINCE_OPENED: &[f32] = &[3.0, 10.0];
const FAR_BEHIND_TITLE: &[f32] = &[1.0, 2.0, 3.0, 4.0, 5.0, 7.0, 10.0, 15.0, 25.0, 50.0, 100.0];
const COMMENTS: &[f32] = &[0.001, 0.1, 0.3, 0.6, 0.85];
const LIKELY_OF_RULE: &[f32] = &[0.5, 0.85];
/// A first-stage score at which a block is likely kept, whatever its box is called.
const LIKELY_OF_BOX: f32 = 0.7;
/// A block of at least this many words is more than a label.
const LEAST_PROSE: f32 = 20.0;
/// A block with a higher share of linked words counts as a link.
const MOSTLY_LINKED: f32 = 0.6;
/// Blocks on either side over which the surroundings of a block are measured: before the first stage (`WINDOW`) and
/// after it (`NEAR`, `WIDE`).
const WINDOW: usize = 4;
const NEAR: usize = 3;
const WIDE: usize = 8;
/// Blocks on either side that are searched for blocks that surely belong to the article.
const SURE_REACH: usize = 5;
/// A heading of a higher score is assumed to belong to the article.
const LIKELY: f32 = 0.5;
/// Number of equal parts of a page by which a block's position is given.
const PARTS: usize = 20;
/// The largest number of levels between two boxes that is told apart.
const MOST_LEVELS: usize = 7;

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

/// Returns 0 for the same box, 1 for neighbouring boxes, 2 if further apart.
fn relation(document: &Document, one: &Block, other: &Block) -> usize {
    if one.container == other.container {
        0
    } else if document.containers[one.container].parent == document.containers[other.container].parent {
        1
    } else {
        2
    }
}

/// Adds the facts of the first stage, which need no scores of other blocks.
pub(crate) fn first(context: &Context<'_>, at: usize, active: &mut Active) {
    let document = context.document;
    let block = &document.blocks[at];
    let measure = &block.measure;
    active.step(G::words, measure.words);
    active.step(G::link, measure.link_share);
    let word_step = steps(measure.words, WORDS_OF_LINK);
    active.set(G::words_link, word_step * 4 + steps(measure.link_share, LINK_OF_WORDS));
    active.set(G::kind, kind_index(block.kind));
    active.set(G::words_kind, coarse_kind(block.kind) * 4 + steps(measure.words, WORDS_OF_KIND));
    active.step(G::sentences, measure.sentences as f32);
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
    active.step(G::commas, measure.commas as f32 / measure.words.max(1.0));
    active.step(G::digits, measure.digit_share);
    active.step(G::capitals, measure.capital_share);
    active.step(G::separators, measure.separators as f32);
    active.step(G::strong, measure.strong_share);
    active.set(G::continues, usize::from(block.continues));
    active.step(G::links, measure.links as f32);
    let size = steps(measure.words, WORDS_OF_SIGNS);
    active.set(G::opening, usize::from(measure.opening));
    active.set(G::closing, usize::from(measure.closing));
    active.set(G::opening_words, usize::from(measure.opening) * 3 + size);
    active.set(G::closing_words, usize::from(measure.closing) * 3 + size);
    active.flags(G::signs, u64::from(measure.signs.bits()));
    if size < WORDS_OF_SIGNS.len() {
        active.flags(G::signs_short, u64::from(measure.signs.bits()));
    }
    active.set(G::shouted, usize::from(measure.is_shouted));
    active.flags(G::targets, u64::from(block.targets.bits()));
    if measure.link_share > MOSTLY_LINKED {
        active.flags(G::targets_linked, u64::from(block.targets.bits()));
    }
    gaps(document, at, size, active);
    let tag_index = context.tag(block.container);
    active.set(G::tag, tag_index);
    active.set(G::tag_words, tag_index * 3 + steps(measure.words, WORDS_OF_TAG));
    if let Some(found) = context.matches[at] {
        active.furniture(G::phrase, found.furniture, found.coverage as usize);
    }
    active.flags(G::inline_traits, block.inline.bits());
    around(context, block, active);
    beside(context, at, active);
    place(context, at, active);
    kind_of_page(context, at, active);
}

/// Adds facts about the non-text elements above and below: a picture above a short line makes it a caption, a form field
/// below makes it a label.
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
    active.flags(G::own_traits, own.traits.bits());
    active.flags(G::near_traits, (parent.traits | grandparent.traits).bits());
    active.flags(G::small_box_traits, context.small_box_traits[block.container].bits());
    active.flags(G::all_traits, context.all_traits[block.container].bits());
    active.step(G::depth, f32::from(own.depth));
    // A paragraph's own box says nothing that the paragraph itself does not, so shares are taken from the boxes around it.
    active.step(G::parent_share, context.share(own.parent));
    active.step(G::parent_link, context.link_share(own.parent));
    active.step(G::parent_blocks, (parent.end - parent.first) as f32);
    active.step(G::parent_prose, context.prose(own.parent));
    active.step(G::grandparent_share, context.share(parent.parent));
    active.step(G::grandparent_link, context.link_share(parent.parent));
    active.step(G::grandparent_prose, context.prose(parent.parent));
    active.step(G::path_run, context.path_run(block.container) as f32);
    active.step(G::parent_boxes_on_path, context.boxes_on_path(own.parent) as f32);
    active.step(G::grandparent_boxes_on_path, context.boxes_on_path(parent.parent) as f32);
    let relation = context.main_relation(block.container);
    active.set(G::main_relation, relation);
    active.set(G::main_relation_words, relation * 3 + steps(block.measure.words, WORDS_OF_RELATION));
    active.set(
        G::main_path,
        usize::from(own.path == context.main_path) * 2 + usize::from(parent.path == context.main_parent_path),
    );
    let (media, fields) = context.gap_density(own.parent);
    active.step(G::parent_gaps, media);
    active.step(G::parent_fields, fields);
    active.step(G::siblings_same_tag, context.same_path_blocks(block.container) as f32);
}

fn beside(context: &Context<'_>, at: usize, active: &mut Active) {
    let document = context.document;
    let block = &document.blocks[at];
    if let Some(before) = at.checked_sub(1).map(|before| &document.blocks[before]) {
        active.step(G::previous_words, before.measure.words);
        active.step(G::previous_link, before.measure.link_share);
        active.set(G::previous_kind, kind_index(before.kind));
        active.set(G::previous_relation, relation(document, before, block));
        if let Some(found) = context.matches[at - 1] {
            active.furniture(G::previous_phrase, found.furniture, 0);
        }
    }
    if let Some(after) = document.blocks.get(at + 1) {
        active.step(G::next_words, after.measure.words);
        active.step(G::next_link, after.measure.link_share);
        active.set(G::next_kind, kind_index(after.kind));
        active.set(G::next_relation, relation(document, block, after));
        if let Some(found) = context.matches[at + 1] {
            active.furniture(G::next_phrase, found.furniture, 0);
        }
    }
    if let Some(before) = at.checked_sub(2).map(|before| &document.blocks[before]) {
        active.step(G::previous2_words, before.measure.words);
    }
    if let Some(after) = document.blocks.get(at + 2) {
        active.step(G::next2_words, after.measure.words);
    }
    let (prose_around, link_around) = context.window(at, WINDOW);
    active.step(G::window_prose, prose_around);
    active.step(G::window_link, link_around);
}

fn place(context: &Context<'_>, at: usize, active: &mut Active) {
    let all = context.document.blocks.len();
    active.step(G::position, at as f32 / all.max(1) as f32);
    let total = context.prose(0).max(1.0);
    let before = context.prose_before(at);
    active.step(G::prose_before, before / total);
    active.step(G::prose_after, (total - before - context.prose_at(at)) / total);
    active.set(
        G::after_title,
        match context.title_at {
            None => 0,
            Some(title) if at < title => 1,
            Some(title) if at == title => 2,
            Some(title) => 3 + steps((at - title) as f32, BEHIND_TITLE),
        },
    );
    active.set(G::is_title, context.headline.likeness(at) as usize);
    active.step(G::page_prose, context.prose(0));
    active.set(G::repeats, context.repeats(at));
    active.set(G::lead, context.lead(at));
    active.set(G::stated_body, context.stated_body(at));
    let in_article = context.all_traits[context.document.blocks[at].container].intersects(Traits::ARTICLE);
    active.set(G::article_tags, steps(context.article_tags as f32, ARTICLES) * 2 + usize::from(in_article));
}

/// Adds facts about the kind of page, also combined with the kind of block.
fn kind_of_page(context: &Context<'_>, at: usize, active: &mut Active) {
    let measure = &context.document.blocks[at].measure;
    let said = context.said.0;
    let in_comments = context.is_in_comments(at);
    active.flags(G::said, said);
    if in_comments {
        active.flags(G::said_in_comments, said);
    }
    if measure.link_share > MOSTLY_LINKED {
        active.flags(G::said_linked, said);
    }
    if measure.words >= LEAST_PROSE {
        active.flags(G::said_prose, said);
    }
    let share = steps(context.comment_share, COMMENTS);
    active.set(G::comment_share, share * 2 + usize::from(in_comments));
    active.step(G::main_share, context.main_share);
    active.step(G::page_link, context.link_share(0));
    active.step(G::page_blocks, context.document.blocks.len() as f32);
}

/// Adds the rules' advice; obeyed on its own it would be wrong too often.
fn advice(scores: &Scores, at: usize, active: &mut Active) {
    let advice = &scores.advice[at];
    let rule = match advice.line {
        Some(Rule::Title) => Some(TITLE_RULE),
        Some(Rule::Words(furniture)) => Some(furniture as usize),
        _ => None,
    };
    if let Some(rule) = rule {
        active.set(G::line_rule, rule);
        active.set(G::line_rule_score, rule * 3 + steps(scores.first[at], LIKELY_OF_RULE));
    }
    active.flags(G::boxes, advice.boxes.bits());
    if scores.first[at] > LIKELY_OF_BOX {
        active.flags(G::boxes_score, advice.boxes.bits());
    }
}

/// Adds the facts of the second stage, which follow from the first stage's scores.
pub(crate) fn second(context: &Context<'_>, scores: &Scores, at: usize, active: &mut Active) {
    let document = context.document;
    let block = &document.blocks[at];
    let own = &document.containers[block.container];
    let parent = &document.containers[own.parent];
    let score = |at: Option<usize>| at.and_then(|at| scores.first.get(at)).copied();
    active.step(G::own_score, scores.first[at]);
    active.step_or_none(G::previous_score, score(at.checked_sub(1)));
    active.step_or_none(G::next_score, score(Some(at + 1)));
    active.step_or_none(G::previous2_score, score(at.checked_sub(2)));
    active.step_or_none(G::next2_score, score(Some(at + 2)));
    active.step(G::best_near, scores.best_around(at, NEAR));
    active.step(G::window_score, scores.mean_around(at, NEAR));
    active.step(G::wide_score, scores.mean_around(at, WIDE));
    active.step(G::parent_score, scores.mean_without(document, own.parent, at));
    active.step(G::grandparent_score, scores.mean_without(document, parent.parent, at));
    let great_grandparent = document.containers[parent.parent].parent;
    active.step(G::great_grandparent_score, scores.mean_without(document, great_grandparent, at));
    active.step(G::path_score, scores.path_mean_without(own.path, at));
    active.step_or_none(G::section_score, scores.section_mean(at));
    if let Some((furniture, distance)) = scores.opened[at] {
        active.furniture(G::opened, furniture, steps(distance as f32, SINCE_OPENED));
    }
    if let Kind::Heading(_) = block.kind {
        active.step_or_none(G::heading_next, scores.next_not_heading(document, at));
    } else if let Some(heading) = scores.heading_above(at) {
        let found = context.matches[heading].is_some_and(|found| found.coverage == Coverage::Whole);
        active.set(G::heading_opens, usize::from(found) * 2 + usize::from(scores.first[heading] > LIKELY));
    }
    advice(scores, at, active);
    in_root(document, scores, at, active);
    towards_sure(context, scores, at, active);
    active.step(G::fine_words, block.measure.words);
    active.step(G::fine_link, block.measure.link_share);
    active.set(G::fine_position, (at * PARTS / document.blocks.len()).min(PARTS - 1));
    if let Some(title) = context.title_at {
        let distance = if at < title { 0 } else { 1 + steps((at - title) as f32, FAR_BEHIND_TITLE) };
        active.set(G::title_distance, distance);
    }
}

/// Adds the block's position relative to the box that holds the body and to the ends of the body.
fn in_root(document: &Document, scores: &Scores, at: usize, active: &mut Active) {
    let container = document.blocks[at].container;
    let root = &document.containers[scores.root];
    active.set(G::in_root, usize::from(at >= root.first) + usize::from(at >= root.end));
    if at >= root.first && at < root.end {
        active.flags(G::root_traits, scores.traits_below_root(document, container).bits());
        let below = document.containers[container].depth - root.depth;
        active.step(G::root_depth, f32::from(below));
        active.step(G::root_child_score, scores.root_child_mean(document, container, at));
    }
    if at < scores.body_first {
        active.step(G::before_body, (scores.body_first - at) as f32);
    }
    if at > scores.body_last {
        active.step(G::after_body, (at - scores.body_last) as f32);
    }
    let (before, after) = scores.body_around(at);
    active.step(G::body_before, before);
    active.step(G::body_after, after);
}

/// Adds how near the blocks are that surely belong to the article, and how similar they are to this one.
fn towards_sure(context: &Context<'_>, scores: &Scores, at: usize, active: &mut Active) {
    let document = context.document;
    let block = &document.blocks[at];
    let blocks = scores.sure_blocks() as f32;
    let words = scores.sure_words(0, document.blocks.len());
    active.step(G::sure_blocks, blocks);
    active.step(G::sure_words, words);
    let share = words / context.words().max(1.0);
    active.step(G::sure_share, share);
    active.step(G::sure_ahead, scores.sure_words(at + 1, at + 1 + SURE_REACH));
    active.step(G::sure_behind, scores.sure_words(at.saturating_sub(SURE_REACH), at));
    let on_path = scores.sure_on_path(document.path_of(block), at);
    active.step(G::sure_on_path, on_path as f32);
    if blocks > 0.0 {
        let size = block.measure.words * blocks / words.max(1.0);
        active.step(G::size_to_sure, size);
    }
    let (before, after) = scores.sure_beside(at);
    let towards = |active: &mut Active, other: usize, [distance, likeness, up, down]: [G; 4]| {
        active.step(distance, at.abs_diff(other) as f32);
        let (levels_up, levels_down) = ways(document, block, &document.blocks[other]);
        active.set(likeness, likeness_to(document, block, &document.blocks[other]));
        active.set(up, levels_up.min(MOST_LEVELS));
        active.set(down, levels_down.min(MOST_LEVELS));
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

/// Returns 0 for the same box, 1 for the same path, 2 for neighbouring boxes of the same tag, 3 for neighbouring boxes,
/// 4 for none of these.
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

/// Returns the levels from one block's box up to the box that holds both blocks, and from there down to the other's box.
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
