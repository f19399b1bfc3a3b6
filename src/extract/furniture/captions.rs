//! Drops captions of pictures, which the model sometimes takes for sentences of the body, unless it is surer than usual.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::classes::Traits;

/// Captions of a lower probability are dropped.
const LEAST_PROBABILITY: f32 = 0.75;

pub(crate) fn drop(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let containers = &facts.context.document.containers;
    for (at, line) in lines.iter().enumerate() {
        let is_caption = containers[line.block.container].traits.intersects(Traits::CAPTION);
        if is_caption && account.is_kept(at) && account.fate(at).probability < LEAST_PROBABILITY {
            account.drop(at..at + 1, Rule::Caption);
        }
    }
}
