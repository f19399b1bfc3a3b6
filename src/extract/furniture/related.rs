//! Drops references to other articles: a heading with its list, and lines in the body that announce one.

use super::Facts;
use super::body::Body;
use super::named::ends_of_boxes;
use super::names::of_kind;
use super::prose::Prose;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::furniture::Furniture;
use crate::extract::words::phrases::Coverage;

/// A longer text is not a teaser.
const MOST_TEASER_WORDS: f32 = 60.0;

pub(crate) fn claim(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let prose = Prose::new(lines, account);
    let body = Body::new(lines, facts, account);
    let ends = ends_of_boxes(lines, &prose, &body);
    for (at, coverage) in of_kind(lines, Furniture::Related).filter(|(at, _)| !body.goes_on_under(*at)) {
        let end = if coverage == Coverage::Whole && prose.is_over(at) {
            ends[at]
        } else if lines[at].block.measure.ends_colon {
            end_of_card(lines, &body, coverage, at + 1)
        } else {
            at + 1
        };
        account.claim(at..end, Rule::Words(Furniture::Related));
    }
}

/// Returns the end of the card that "Read also about …:" announces: a title and perhaps a teaser. A bare label ("Related:")
/// announces only the title if the body continues below it.
fn end_of_card(lines: &[Line<'_>], body: &Body<'_>, announced: Coverage, title: usize) -> usize {
    let is_title = |line: &Line<'_>| line.is_label() && !line.is_heading() && line.found.is_none();
    let is_teaser = |line: &Line<'_>| !line.is_heading() && line.words() <= MOST_TEASER_WORDS;
    if !lines.get(title).is_some_and(is_title) {
        return title;
    }
    let teaser = title + 1;
    let is_of_card = |teaser: usize| announced != Coverage::Whole || !body.has(teaser);
    teaser + usize::from(lines.get(teaser).is_some_and(is_teaser) && is_of_card(teaser))
}
