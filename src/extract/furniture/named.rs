//! Lines that name themselves in the words of `config/words/`: "Subscribe to our newsletter", "Photo by …".

use super::Facts;
use super::prose::Prose;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::phrases::{Coverage, Furniture};

/// The kinds whose heading takes along what stands under it, where the body is as good as over.
const BOXES: &[Furniture] = &[Furniture::Newsletter, Furniture::Paywall, Furniture::Consent];
/// The kinds that are a line and no more.
const LINES: &[Furniture] = &[Furniture::Share, Furniture::Credit, Furniture::Copyright, Furniture::Dateline];
/// The kinds that speak in whole sentences: their first or last words are enough. A paragraph that begins with the words of
/// another kind is one of the article.
const SPEAK_IN_SENTENCES: &[Furniture] = &[
    Furniture::Credit,
    Furniture::Copyright,
    Furniture::Newsletter,
    Furniture::Related,
    Furniture::Paywall,
    Furniture::Consent,
];

pub(crate) fn claim_boxes(lines: &[Line<'_>], _facts: &Facts<'_>, account: &mut Account) {
    let prose = Prose::new(lines, account);
    for &furniture in BOXES {
        for (at, coverage) in of_kind(lines, furniture) {
            let is_box = coverage == Coverage::Whole && prose.is_over(at);
            let end = if is_box { end_of_box(lines, &prose, at) } else { at + 1 };
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

/// The lines that call themselves so, and how much of each does.
pub(crate) fn of_kind<'l>(
    lines: &'l [Line<'_>],
    furniture: Furniture,
) -> impl Iterator<Item = (usize, Coverage)> + 'l {
    let speaks_in_sentences = SPEAK_IN_SENTENCES.contains(&furniture);
    lines.iter().enumerate().filter_map(move |(at, line)| {
        let found = line.found.filter(|found| found.furniture == furniture)?;
        let is_meant = found.coverage == Coverage::Whole || speaks_in_sentences || !line.is_prose();
        is_meant.then_some((at, found.coverage))
    })
}

/// Where the box ends whose heading is at `at`: at the next heading or running text.
pub(crate) fn end_of_box(lines: &[Line<'_>], prose: &Prose, at: usize) -> usize {
    let ends = |at: &usize| lines[*at].is_heading() || prose.is_prose(*at);
    (at + 1..lines.len()).find(ends).unwrap_or(lines.len())
}
