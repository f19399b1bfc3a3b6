//! Forms that ask for an address or a comment.

use super::Facts;
use super::boxes::drop_boxes;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::classes::Traits;

/// Names of boxes that a form makes furniture.
const FORMS: Traits = Traits(Traits::NEWSLETTER.0 | Traits::COMMENT.0);
/// A box with more of the page's words than this is the page.
const LARGEST_SHARE: f32 = 0.3;

pub(crate) fn drop(_lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let context = facts.context;
    drop_boxes(facts, account, Rule::Form, |at, container| {
        container.traits.intersects(FORMS) && context.share(at) < LARGEST_SHARE && context.has_fields(at)
    });
}
