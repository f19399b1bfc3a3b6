//! What boxes say about the text in them, regardless of the text: a consent dialog's name, the name of a form with fields in
//! it, being hidden, being a second copy. Each is wrong at times (`cmp` is a consent dialog on some sites and a site builder's
//! prefix on others, a paywall's box may hold the article, a hidden answer is an answer), so the model weighs it.

use std::collections::HashSet;

use foldhash::fast::RandomState;

use crate::extract::account::{Boxes, Line};
use crate::extract::choose::context::Context;
use crate::extract::words::classes::Traits;
use crate::work;

/// Traits of boxes that are furniture if they contain a form.
const FORMS: Traits = Traits::NEWSLETTER.union(Traits::COMMENT);
/// A box with a larger share of the page's words is the page itself.
const LARGEST_FORM: f32 = 0.3;
/// A repeated text of fewer words may be a refrain.
const LEAST_COPIED_WORDS: f32 = 10.0;

/// Returns what the boxes around every block say.
pub(crate) fn kinds(lines: &[Line<'_>], context: &Context<'_>) -> Vec<Boxes> {
    let mut kinds = vec![Boxes::empty(); lines.len()];
    for (at, container) in context.document.containers.iter().enumerate() {
        let blocks = container.first..container.end;
        work::count(1);
        // A box that holds the title is the page's frame: its class names describe what else is on the page.
        let holds_title = context.title_at.is_some_and(|title| blocks.contains(&title));
        if holds_title || blocks.is_empty() {
            continue;
        }
        let is_form = || {
            container.traits.intersects(FORMS) && context.share(at) < LARGEST_FORM && context.has_fields(at)
        };
        if container.traits.intersects(Traits::COOKIE) {
            kinds[blocks].iter_mut().for_each(|kinds| *kinds |= Boxes::CONSENT);
        } else if is_form() {
            kinds[blocks].iter_mut().for_each(|kinds| *kinds |= Boxes::FORM);
        }
    }
    let mut seen: HashSet<_, RandomState> = HashSet::default();
    for (line, kinds) in lines.iter().zip(&mut kinds) {
        if line.block.is_hidden {
            *kinds |= Boxes::HIDDEN;
        }
        if line.words() >= LEAST_COPIED_WORDS && !seen.insert(line.block.text_hash) {
            *kinds |= Boxes::COPY;
        }
    }
    kinds
}
