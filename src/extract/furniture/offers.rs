//! What goes along with a line that names itself, in a box of their own: the headline, list and buttons of an offer for
//! subscribers between paragraphs, the caption above a credit.

use super::Facts;
use super::body::Body;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::furniture::Furniture;

/// A prompt of fewer words is a label, which stands on every page.
const LEAST_WORDS: f32 = 5.0;
/// A box of more is neither an offer nor a picture with its caption.
const MOST_WORDS: f32 = 160.0;
const MOST_BLOCKS: usize = 40;

/// Of each the largest box goes that holds nothing of the body; of a credit the next.
pub(crate) fn drop(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let document = facts.context.document;
    let body = Body::new(lines, facts, account);
    if !body.is_known() {
        return;
    }
    let is_offer = |container: usize| {
        let inside = document.containers[container].first..document.containers[container].end;
        container > 0
            && inside.len() <= MOST_BLOCKS
            && lines[inside.clone()].iter().map(Line::words).sum::<f32>() <= MOST_WORDS
            && !inside.into_iter().any(|at| lines[at].is_title || body.has(at))
    };
    let mut done = 0;
    for (at, line) in lines.iter().enumerate() {
        let Some(rule @ Rule::Words(furniture)) = account.verdict(at) else { continue };
        let is_credit = furniture == Furniture::Credit;
        let is_prompt =
            matches!(furniture, Furniture::Paywall | Furniture::Newsletter) && line.words() >= LEAST_WORDS;
        if at < done || !(is_credit || is_prompt) {
            continue;
        }
        let mut outer = line.block.container;
        while is_offer(document.containers[outer].parent) {
            outer = document.containers[outer].parent;
            if is_credit {
                break;
            }
        }
        if is_offer(outer) {
            let container = &document.containers[outer];
            account.drop(container.first..container.end, rule);
            done = container.end;
        }
    }
}
