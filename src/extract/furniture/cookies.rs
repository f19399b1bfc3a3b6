//! Dialogs about cookies and consent.

use super::Facts;
use super::boxes::drop_boxes;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::classes::Traits;

pub(crate) fn drop(_lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    drop_boxes(facts, account, Rule::Cookies, |_, container| container.traits.intersects(Traits::COOKIE));
}
