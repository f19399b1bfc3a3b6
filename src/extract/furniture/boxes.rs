//! Boxes that no article needs, whatever the model thinks of their text: what is not shown, dialogs about cookies,
//! forms that ask for an address or a comment, and the second copy of the same text.

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::extract::blocks::Kind;
use crate::extract::choose::Fate;
use crate::extract::choose::context::Context;
use crate::extract::words::classes::Traits;

/// A box with more of the page's words than this is the page.
const LARGEST_FORM: f32 = 0.3;
/// A repeated text of fewer words may be a refrain.
const LEAST_REPEATED_WORDS: f32 = 10.0;

/// A page of which the boxes leave less than this is not made of them: its frame is called what one of them should be.
const LEAST_LEFT: f32 = 0.1;

/// Takes them out of what is kept.
pub(crate) fn drop_boxes(context: &Context<'_>, fates: &mut [Fate]) {
    let words = |fates: &[Fate]| -> f32 {
        let kept = context.document.blocks.iter().zip(fates).filter(|(_, fate)| fate.kept);
        kept.map(|(block, _)| block.measure.words).sum()
    };
    let mut without = fates.to_vec();
    drop_named(context, &mut without);
    if words(&without) >= words(fates) * LEAST_LEFT {
        fates.copy_from_slice(&without);
    }
    drop_hidden(context, fates);
    drop_repeated(context, fates);
}

/// Boxes that their names and their fields give away.
fn drop_named(context: &Context<'_>, fates: &mut [Fate]) {
    let document = context.document;
    for (at, container) in document.containers.iter().enumerate() {
        // The classes of the page's frame speak of what else is on it.
        let holds_title =
            context.title_at.is_some_and(|title| (container.first..container.end).contains(&title));
        if holds_title || container.first == container.end {
            continue;
        }
        let rule = if container.traits.intersects(Traits::COOKIE) {
            "box.cookies"
        } else if container.traits.intersects(FORMS)
            && context.share(at) < LARGEST_FORM
            && context.has_fields(at)
        {
            "box.form"
        } else {
            continue;
        };
        drop_all(&mut fates[container.first..container.end], rule);
    }
}

/// Names of boxes that a form makes furniture.
const FORMS: Traits = Traits(Traits::NEWSLETTER.0 | Traits::COMMENT.0);

fn drop_all(fates: &mut [Fate], rule: &'static str) {
    for fate in fates.iter_mut().filter(|fate| fate.kept) {
        *fate = Fate { kept: false, rule, probability: fate.probability * 0.5 };
    }
}

/// What is not shown goes, unless it is most of the text: some sites show their articles by script.
fn drop_hidden(context: &Context<'_>, fates: &mut [Fate]) {
    let (mut hidden, mut shown) = (0.0, 0.0);
    for (block, _) in context.document.blocks.iter().zip(fates.iter()).filter(|(_, fate)| fate.kept) {
        *(if block.is_hidden { &mut hidden } else { &mut shown }) += block.measure.words;
    }
    if hidden == 0.0 || hidden > shown {
        return;
    }
    for (block, fate) in context.document.blocks.iter().zip(fates) {
        if block.is_hidden {
            drop_all(std::slice::from_mut(fate), "box.hidden");
        }
    }
}

/// Takes out the second copies of texts: those that stand in another box than the first, where one of the two boxes is
/// nothing but copies. What returns within one text is its author's: a refrain, an answer that two witnesses give, a
/// paragraph that is quoted and then discussed.
fn drop_repeated(context: &Context<'_>, fates: &mut [Fate]) {
    let document = context.document;
    let is_text = |at: usize| fates[at].kept && document.blocks[at].measure.words >= LEAST_REPEATED_WORDS;
    let box_of = |at: usize| document.containers[document.blocks[at].container].parent;
    let mut first: HashMap<&str, usize, RandomState> = HashMap::default();
    // Texts of each box, and how many of them stand in another as well.
    let mut boxes: HashMap<usize, (usize, usize), RandomState> = HashMap::default();
    let mut copies = Vec::new();
    for at in (0..fates.len()).filter(|at| is_text(*at)) {
        boxes.entry(box_of(at)).or_default().0 += 1;
        let original = *first.entry(document.text_of(&document.blocks[at])).or_insert(at);
        let (copy, other) = (&document.blocks[at], &document.blocks[original]);
        let is_quoted = copy.kind == Kind::Quote || other.kind == Kind::Quote;
        if document.kin_of(copy) != document.kin_of(other) && box_of(original) != box_of(at) && !is_quoted {
            copies.push((at, original));
            for holder in [at, original] {
                boxes.entry(box_of(holder)).or_default().1 += 1;
            }
        }
    }
    let is_copies_only = |at: usize| boxes.get(&box_of(at)).is_some_and(|(all, copied)| copied >= all);
    let copies: Vec<usize> = copies
        .into_iter()
        .filter(|&(copy, original)| is_copies_only(copy) || is_copies_only(original))
        .map(|(copy, _)| copy)
        .collect();
    for copy in copies {
        drop_all(std::slice::from_mut(&mut fates[copy]), "box.repeated");
    }
}
