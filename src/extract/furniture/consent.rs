//! Drops consent dialogs in the markup of a page. Their names alone say little, since site builders use the same ones. So the
//! box must also have switches or buttons, be outside the main box, and ask for consent in a sentence.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::classes::Traits;
use crate::extract::words::furniture::Furniture;

pub(crate) fn drop(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    /// Boxes inside the main box have smaller relations: see [`Context::main_relation`].
    ///
    /// [`Context::main_relation`]: crate::extract::choose::context::Context::main_relation
    const OUTSIDE_MAIN: usize = 5;
    /// A line of fewer words is a label, as in footers.
    const LEAST_WORDS: f32 = 8.0;
    let asks = |line: &Line<'_>| {
        line.words() >= LEAST_WORDS && line.found.is_some_and(|found| found.furniture == Furniture::Consent)
    };
    let context = facts.context;
    for (at, container) in context.document.containers.iter().enumerate() {
        let blocks = container.first..container.end;
        let is_dialog = container.traits.intersects(Traits::COOKIE)
            && context.main_relation(at) >= OUTSIDE_MAIN
            && context.has_fields(at)
            && !lines[blocks.clone()].iter().any(|line| line.is_title)
            && lines[blocks.clone()].iter().any(asks);
        if is_dialog {
            account.drop(blocks, Rule::Consent);
        }
    }
}
