//! Keeps parts of an article that look unlike text: tables and lists between and after its paragraphs, embedded posts and
//! other quotations, and its notes.

use std::collections::HashSet;

use html5ever::local_name;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::{Document, Kind};
use crate::extract::choose::context::Context;
use crate::extract::words::classes::Traits;
use crate::work;

/// Keeps tables, quotations, lists and notes that are next to the body.
pub(crate) fn keep(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let (context, document) = (facts.context, facts.context.document);
    let bodies = boxes_of_body(lines, document, account);
    if bodies.is_empty() {
        return;
    }
    let around_bodies = bodies.iter().map(|&body| document.containers[body].parent).collect();
    // Nested insets are visited once.
    let mut done = 0;
    for (at, container) in document.containers.iter().enumerate() {
        let is_inset = match container.tag {
            local_name!("table") => is_data_table(context, at) && stands_in(document, at, &bodies),
            local_name!("blockquote") => is_quotation(context, at) && stands_in(document, at, &bodies),
            local_name!("p") => is_list(context, at) && bodies.contains(&container.parent),
            _ => container.is_notes && is_beside_body(document, at, &bodies, &around_bodies),
        };
        if !is_inset {
            continue;
        }
        let is_label = |&label: &usize| {
            let own = &document.containers[lines[label].block.container];
            own.parent == container.parent && lines[label].is_label() && lines[label].found.is_none()
        };
        if container.tag == local_name!("p")
            && let Some(label) = container.first.checked_sub(1).filter(is_label)
            && account.is_outside(label)
        {
            account.keep(label, Rule::Inset);
        }
        for block in container.first.max(done)..container.end {
            if account.is_outside(block) {
                account.keep(block, Rule::Inset);
            }
        }
        done = done.max(container.end);
    }
}

/// Keeps social media posts embedded in the body, whichever reading is used. One rule covers all networks, since the embed code
/// of each is a quotation with a class name for embedding. Such a post may be a single link.
pub(crate) fn keep_posts(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let document = facts.context.document;
    let is_post = |at: usize| {
        let container = &document.containers[at];
        container.tag == local_name!("blockquote") && container.traits.intersects(Traits::EMBED)
    };
    let posts: Vec<usize> = (0..document.containers.len()).filter(|at| is_post(*at)).collect();
    if posts.is_empty() {
        return;
    }
    let bodies = boxes_of_body(lines, document, account);
    // Nested posts are visited once.
    let mut done = 0;
    for post in posts.into_iter().filter(|post| stands_in(document, *post, &bodies)) {
        let blocks = &document.containers[post];
        for at in (blocks.first.max(done)..blocks.end).filter(|at| !lines[*at].block.is_hidden) {
            if !account.is_kept(at) {
                account.keep(at, Rule::Inset);
            }
        }
        done = done.max(blocks.end);
    }
}

/// Returns the boxes that directly hold two or more kept paragraphs.
fn boxes_of_body(lines: &[Line<'_>], document: &Document, account: &Account) -> HashSet<usize> {
    const LEAST_WORDS: f32 = 12.0;
    let (mut once, mut twice) = (HashSet::new(), HashSet::new());
    for line in account.kept().map(|at| &lines[at]) {
        let around = document.containers[line.block.container].parent;
        if line.block.kind == Kind::Paragraph && line.words() >= LEAST_WORDS && !once.insert(around) {
            twice.insert(around);
        }
    }
    twice
}

/// Maximum number of boxes around a table or a list of notes that are looked through.
const MOST_WRAPPERS: usize = 4;

/// Returns whether a box is a child of one of the body's boxes, ignoring wrappers that hold nothing else.
fn stands_in(document: &Document, container: usize, bodies: &HashSet<usize>) -> bool {
    let inside = &document.containers[container];
    let mut around = inside.parent;
    for _ in 0..MOST_WRAPPERS {
        if bodies.contains(&around) {
            return true;
        }
        let holder = &document.containers[around];
        // One more block is allowed: the table's caption.
        if holder.end - holder.first > inside.end - inside.first + 1 {
            return false;
        }
        around = holder.parent;
    }
    false
}

/// Returns whether a box is inside one of the body's boxes, or beside it.
fn is_beside_body(
    document: &Document,
    container: usize,
    bodies: &HashSet<usize>,
    around_bodies: &HashSet<usize>,
) -> bool {
    let mut around = container;
    (0..MOST_WRAPPERS).any(|_| {
        around = document.containers[around].parent;
        bodies.contains(&around) || around_bodies.contains(&around)
    })
}

/// Traits of boxes that do not belong to the article.
const FURNITURE: Traits = Traits::NAV
    .union(Traits::RELATED)
    .union(Traits::AD)
    .union(Traits::SHARE)
    .union(Traits::COMMENT)
    .union(Traits::NEWSLETTER)
    .union(Traits::HIDDEN);

/// Returns whether a quotation is more than a link, and no box around it has a name of furniture.
fn is_quotation(context: &Context<'_>, at: usize) -> bool {
    const MOST_LINKED: f32 = 0.8;
    context.link_share(at) < MOST_LINKED && !context.all_traits[at].intersects(FURNITURE)
}

/// Returns whether a paragraph is a list with line breaks: dates, results, verses. An address has fewer lines.
fn is_list(context: &Context<'_>, at: usize) -> bool {
    const LEAST_LINES: usize = 6;
    const MOST_LINKED: f32 = 0.2;
    let container = &context.document.containers[at];
    container.end - container.first >= LEAST_LINES
        && context.link_share(at) < MOST_LINKED
        && !context.all_traits[at].intersects(FURNITURE)
}

/// Returns whether a table has at least two rows of cells, few links, and no box around it with a name of furniture.
fn is_data_table(context: &Context<'_>, at: usize) -> bool {
    const MOST_LINKED: f32 = 0.4;
    let container = &context.document.containers[at];
    let blocks = &context.document.blocks[container.first..container.end];
    work::count(blocks.len());
    let rows = blocks.iter().filter(|block| block.kind == Kind::TableRow).count();
    rows >= 2
        // One block is allowed for a caption.
        && (rows + 1) * 10 >= blocks.len() * 8
        && context.link_share(at) < MOST_LINKED
        && !context.all_traits[at].intersects(FURNITURE)
}
