//! Drops labels of tabs: they are controls, regardless of their panels.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::classes::Traits;
use crate::work;

/// A longer line is the text of a panel, or the question above an answer.
const MOST_WORDS: f32 = 12.0;

/// Drops lists of tabs that hold nothing else. Accordions are marked as lists of tabs, too: their headings and answers stay.
pub(crate) fn drop(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let is_label = |line: &Line<'_>| line.words() <= MOST_WORDS && !line.is_heading() && line.is_label();
    let mut seen = 0;
    for container in &facts.context.document.containers {
        work::count(1);
        // A list inside another one was checked with it.
        if container.first < seen || !container.traits.intersects(Traits::TABS) {
            continue;
        }
        let labels = container.first..container.end;
        seen = container.end;
        if lines[labels.clone()].iter().all(is_label) {
            account.drop(labels, Rule::Tabs);
        }
    }
}
