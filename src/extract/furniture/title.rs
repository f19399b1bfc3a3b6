//! Drops the headline, which is a separate field.

use super::Facts;
use crate::extract::account::{Account, Line, Rule};

pub(crate) fn claim(lines: &[Line<'_>], _facts: &Facts<'_>, account: &mut Account) {
    for (at, _) in lines.iter().enumerate().filter(|(_, line)| line.is_title) {
        account.claim(at..at + 1, Rule::Title);
    }
}
