//! Lines that match the words of `config/words/`: "Subscribe to our newsletter", "Photo by …".

use super::Facts;
use super::body::Body;
use super::names::of_kind;
use super::prose::Prose;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::furniture::Furniture;
use crate::extract::words::phrases::Coverage;

/// The kinds whose heading also claims the lines below it, if the body is almost over.
const BOXES: &[Furniture] = &[Furniture::Newsletter, Furniture::Paywall, Furniture::Consent];
/// The kinds that consist of a single line.
const LINES: &[Furniture] = &[Furniture::Share, Furniture::Credit, Furniture::Copyright, Furniture::Dateline];

pub(crate) fn claim_boxes(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let prose = Prose::new(lines, account);
    let body = Body::new(lines, facts, account);
    let ends = ends_of_boxes(lines, &prose, &body);
    for &furniture in BOXES {
        for (at, coverage) in of_kind(lines, furniture).filter(|(at, _)| !body.goes_on_under(*at)) {
            let is_box = coverage == Coverage::Whole && prose.is_over(at);
            let end = if is_box { ends[at] } else { at + 1 };
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

/// Returns, for each line, where the box ends that it would head: at the next heading, running text or sentence of the body.
pub(crate) fn ends_of_boxes(lines: &[Line<'_>], prose: &Prose, body: &Body<'_>) -> Vec<usize> {
    let mut ends = vec![lines.len(); lines.len()];
    let mut end = lines.len();
    for at in (0..lines.len()).rev() {
        ends[at] = end;
        if lines[at].is_heading() || prose.is_prose(at) || body.has(at) {
            end = at;
        }
    }
    ends
}
