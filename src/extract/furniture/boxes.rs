//! Boxes that their names give away.

use super::Facts;
use crate::extract::account::{Account, Rule};
use crate::extract::blocks::Container;

/// A page of which the boxes leave less than this is not made of them: its frame is called what one of them should be.
const LEAST_LEFT: f32 = 0.1;

/// Drops the boxes that are meant, unless they are the page.
pub(crate) fn drop_boxes(
    facts: &Facts<'_>,
    account: &mut Account,
    rule: Rule,
    is_meant: impl Fn(usize, &Container) -> bool,
) {
    let document = facts.context.document;
    let mut without = account.clone();
    for (at, container) in document.containers.iter().enumerate() {
        let blocks = container.first..container.end;
        // The classes of the page's frame speak of what else is on it.
        let holds_title = facts.context.title_at.is_some_and(|title| blocks.contains(&title));
        if !holds_title && !blocks.is_empty() && is_meant(at, container) {
            without.drop(blocks, rule);
        }
    }
    if without.words(document) >= account.words(document) * LEAST_LEFT {
        *account = without;
    }
}
