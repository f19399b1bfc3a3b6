//! Drops the author's biography: a box below the article, or its last paragraph.

use super::Facts;
use super::body::Body;
use super::names::of_kind;
use super::prose::Prose;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::furniture::Furniture;
use crate::extract::words::phrases::fold;

const RULE: Rule = Rule::Words(Furniture::AuthorBox);

/// Claims the box and all that follows it below the body; elsewhere the line that matches, and a repeated name after it.
pub(crate) fn claim(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let prose = Prose::new(lines, account);
    let body = Body::new(lines, facts, account);
    for (at, _) in of_kind(lines, Furniture::AuthorBox).filter(|(at, _)| !body.goes_on_under(*at)) {
        let repeats_name = lines.get(at + 1).is_some_and(|next| repeats_name(&lines[at], next));
        let end = if prose.is_over(at) { lines.len() } else { at + 1 + usize::from(repeats_name) };
        account.claim(at..end, RULE);
    }
}

/// Returns whether `next` repeats the name in `marker`, as after the picture in an author box ("Picture of Jane Doe").
fn repeats_name(marker: &Line<'_>, next: &Line<'_>) -> bool {
    const MOST_NAME_WORDS: f32 = 6.0;
    let name = fold(next.text);
    next.is_label()
        && next.words() <= MOST_NAME_WORDS
        && !name.starts_with("by ")
        && fold(marker.text).contains(&name)
}

/// Drops a last paragraph that begins with the author's name: it is about the author.
pub(crate) fn drop_last(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    const MOST_WORDS: f32 = 80.0;
    /// An article with fewer blocks before that one may be about its author.
    const LEAST_BEFORE: usize = 3;
    let Some(last) = account.kept().next_back() else { return };
    let line = &lines[last];
    let names_author =
        facts.authors.iter().any(|author| author.contains(' ') && line.text.starts_with(&**author));
    let is_all = account.kept().take_while(|at| *at < last).count() < LEAST_BEFORE;
    if names_author && !is_all && line.words() <= MOST_WORDS {
        account.drop(last..last + 1, RULE);
    }
}
