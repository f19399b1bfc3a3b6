//! Lines that name themselves in the words of `config/words/`: "Subscribe to our newsletter", "Photo by …".

use super::Facts;
use super::body::Body;
use super::names::of_kind;
use super::prose::Prose;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::phrases::{Coverage, Furniture};

/// The kinds whose heading takes along what stands under it, where the body is as good as over.
const BOXES: &[Furniture] = &[Furniture::Newsletter, Furniture::Paywall, Furniture::Consent];
/// The kinds that are a line and no more.
const LINES: &[Furniture] = &[Furniture::Share, Furniture::Credit, Furniture::Copyright, Furniture::Dateline];

pub(crate) fn claim_boxes(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let prose = Prose::new(lines, account);
    let body = Body::new(lines, facts, account);
    for &furniture in BOXES {
        for (at, coverage) in of_kind(lines, furniture).filter(|(at, _)| !body.goes_on_under(*at)) {
            let is_box = coverage == Coverage::Whole && prose.is_over(at);
            let end = if is_box { end_of_box(lines, &prose, &body, at) } else { at + 1 };
            account.claim(at..end, Rule::Words(furniture));
        }
    }
}

pub(crate) fn claim_lines(lines: &[Line<'_>], _facts: &Facts<'_>, account: &mut Account) {
    for &furniture in LINES {
        for (at, _) in of_kind(lines, furniture) {
            account.claim(at..at + 1, Rule::Words(furniture));
        }
    }
}

/// Where the box ends whose heading is at `at`: at the next heading, running text or sentence of the body.
pub(crate) fn end_of_box(lines: &[Line<'_>], prose: &Prose, body: &Body<'_>, at: usize) -> usize {
    let ends = |at: &usize| lines[*at].is_heading() || prose.is_prose(*at) || body.has(*at);
    (at + 1..lines.len()).find(ends).unwrap_or(lines.len())
}
