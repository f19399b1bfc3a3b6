//! Drops the next article: sites load it onto the same page, below the first. The first is in an `article` element with the
//! headline, and each further one opens with a headline that links to it.

use html5ever::local_name;

use super::Facts;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::blocks::Kind;
use crate::extract::blocks::links::Targets;

/// A box of fewer words is a card, and the text is elsewhere.
const LEAST_WORDS: f32 = 80.0;
/// Lines of a box that are searched for its headline: a kicker or a date may precede it.
const OPENING: usize = 3;

pub(crate) fn drop(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let mut boxes = facts.context.document.containers.iter().filter(|it| it.tag == local_name!("article"));
    let Some(headline) = lines.iter().position(|line| line.is_title) else { return };
    let Some(own) = boxes.find(|it| (it.first..it.end).contains(&headline)) else { return };
    let words: f32 = (own.first..own.end).filter(|at| account.is_kept(*at)).map(|at| lines[at].words()).sum();
    if words < LEAST_WORDS {
        return;
    }
    let opens_another = |line: &Line<'_>| {
        let leads_there = line.block.measure.is_linked() && line.block.targets.intersects(Targets::INTERNAL);
        line.block.kind == Kind::Heading(1) || line.is_heading() && leads_there
    };
    let mut done = own.end;
    for next in boxes {
        let opening = next.first..next.end.min(next.first + OPENING);
        if next.first >= done && lines[opening].iter().any(|line| !line.is_title && opens_another(line)) {
            account.drop(next.first..next.end, Rule::NextArticle);
            done = next.end;
        }
    }
}
