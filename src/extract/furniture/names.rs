//! Which kind of furniture a line is, by the words of `config/words/`.

use crate::extract::account::Line;
use crate::extract::words::furniture::Furniture;
use crate::extract::words::phrases::{Coverage, Match};
use crate::work;

/// Returns the lines that match this kind of furniture, and how much of each line matches.
pub(crate) fn of_kind<'l>(
    lines: &'l [Line<'_>],
    furniture: Furniture,
) -> impl Iterator<Item = (usize, Coverage)> + 'l {
    lines.iter().enumerate().filter_map(move |(at, line)| {
        let found = name_of(line).filter(|found| found.furniture == furniture)?;
        Some((at, found.coverage))
    })
}

/// Returns the furniture that a line matches, or `None` if it only begins or ends like furniture and makes a statement.
pub(crate) fn name_of(line: &Line<'_>) -> Option<Match> {
    work::count(1);
    line.found.filter(|found| found.coverage == Coverage::Whole || !is_statement(line, *found))
}

fn is_statement(line: &Line<'_>, found: Match) -> bool {
    /// A line with at least this share of capitalised words consists of names.
    const MOST_NAMES: f32 = 0.4;
    let measure = &line.block.measure;
    match found.furniture {
        // A credit consists of names, a date has digits.
        Furniture::Credit => line.is_sentence() && measure.capital_share < MOST_NAMES,
        Furniture::Dateline => line.is_prose() || line.is_sentence() && measure.digit_share == 0.0,
        Furniture::Byline => line.is_prose(),
        Furniture::Comments | Furniture::Share | Furniture::AuthorBox if line.is_prose() => true,
        _ => (line.is_prose() || line.is_sentence()) && !found.is_borne_out,
    }
}
