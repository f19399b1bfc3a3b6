//! Offers for subscribers that stand between paragraphs: headline, list and buttons go with the line that names them.

use super::{Body, Line};
use crate::extract::blocks::Document;
use crate::extract::choose::Fate;
use crate::extract::words::phrases::Furniture;

/// A line of fewer words is a label, which stands on every page.
const LEAST_WORDS: f32 = 5.0;
/// A box of more is neither an offer nor a picture with its caption.
const MOST_WORDS: f32 = 160.0;
const MOST_BLOCKS: usize = 40;

/// Takes the boxes of offers out of what is kept: of each the largest that holds nothing of the body. The caption that
/// stands with a credit in a box of their own goes too.
pub(crate) fn drop_offers(
    document: &Document,
    lines: &[Line<'_>],
    verdicts: &[Option<&'static str>],
    fates: &mut [Fate],
) {
    let body = Body::new(lines);
    if body.path.is_none() {
        return;
    }
    let is_offer = |container: usize| {
        let inside = document.containers[container].first..document.containers[container].end;
        let lines = &lines[inside];
        let words = || lines.iter().map(|line| line.measure.words).sum::<f32>();
        container > 0
            && lines.len() <= MOST_BLOCKS
            && words() <= MOST_WORDS
            && !lines.iter().any(|line| line.is_title || body.has(line))
    };
    let mut done = 0;
    for (at, verdict) in verdicts.iter().enumerate() {
        let Some(rule) = *verdict else { continue };
        let is_credit = rule == Furniture::Credit.rule();
        let is_prompt = [Furniture::Paywall.rule(), Furniture::Newsletter.rule()].contains(&rule)
            && lines[at].measure.words >= LEAST_WORDS;
        if at < done || !(is_credit || is_prompt) {
            continue;
        }
        let mut outer = document.blocks[at].container;
        while is_offer(document.containers[outer].parent) {
            outer = document.containers[outer].parent;
            if is_credit {
                break;
            }
        }
        if !is_offer(outer) {
            continue;
        }
        let container = &document.containers[outer];
        for fate in fates[container.first..container.end].iter_mut().filter(|fate| fate.kept) {
            *fate = Fate { kept: false, rule, probability: fate.probability * 0.5 };
        }
        done = container.end;
    }
}
