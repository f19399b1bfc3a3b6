//! Boxes that no article needs, whatever the model thinks of their text: what is not shown, dialogs about cookies,
//! forms that ask for an address or a comment, and the second copy of the same text.

use std::collections::HashSet;

use foldhash::fast::RandomState;

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

fn drop_repeated(context: &Context<'_>, fates: &mut [Fate]) {
    let mut seen: HashSet<_, RandomState> = HashSet::default();
    for (block, fate) in context.document.blocks.iter().zip(fates) {
        if fate.kept
            && block.measure.words >= LEAST_REPEATED_WORDS
            && !seen.insert(context.document.text_of(block))
        {
            drop_all(std::slice::from_mut(fate), "box.repeated");
        }
    }
}
