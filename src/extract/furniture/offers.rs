//! Drops what shares a box with a line that matched furniture: the headline, list and buttons of a subscription offer between
//! paragraphs, the caption above a credit.

use super::Facts;
use super::body::Body;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::words::furniture::Furniture;

/// A prompt of fewer words is a label, which is on every page.
const LEAST_WORDS: f32 = 5.0;
/// A box of more words or blocks is neither an offer nor a picture with its caption.
const MOST_WORDS: f32 = 160.0;
const MOST_BLOCKS: usize = 40;

/// Drops, for each prompt, the largest box around it that holds nothing of the body; for a credit, the next box around it.
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
