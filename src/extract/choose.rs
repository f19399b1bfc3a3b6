//! Where the body is, and which of its blocks are the article.

use super::blocks::{Document, Kind};
use super::lexicon::Traits;

/// Blocks kept by structure alone.
pub(crate) fn body(document: &Document) -> Vec<bool> {
    let (root, traits) = choose_root(document);
    let container = &document.containers[root];
    let mut kept = vec![false; document.blocks.len()];
    for at in container.first..container.end {
        let block = &document.blocks[at];
        let furniture = (traits[block.container].0 | block.inline.0) & Traits::FURNITURE.0 != 0;
        kept[at] = !furniture && block.measure.link_share < 0.6;
    }
    kept
}

fn choose_root(document: &Document) -> (usize, Vec<Traits>) {
    let mut bytes = vec![0_usize; document.blocks.len() + 1];
    for (at, block) in document.blocks.iter().enumerate() {
        bytes[at + 1] = bytes[at] + (block.end - block.start);
    }
    let all = bytes[document.blocks.len()].max(1);
    // What is said of a box that holds most of the page says nothing about a block in it.
    let mut traits: Vec<Traits> = Vec::with_capacity(document.containers.len());
    for container in &document.containers {
        let share = (bytes[container.end] - bytes[container.first]) as f32 / all as f32;
        let mut own = if share < 0.4 { container.traits } else { Traits::NONE };
        if let Some(around) = traits.get(container.parent) {
            own.insert(*around);
        }
        traits.push(own);
    }
    let mut sums = vec![0.0_f32; document.blocks.len() + 1];
    for (at, block) in document.blocks.iter().enumerate() {
        let measure = &block.measure;
        let value = if (traits[block.container].0 | block.inline.0) & Traits::FURNITURE.0 != 0 {
            -measure.words * 0.3 - 1.0
        } else if measure.link_share > 0.5 {
            -measure.words - 1.0
        } else if measure.words < 8.0 && !measure.ends_sentence {
            if matches!(block.kind, Kind::Heading(_)) { 0.0 } else { -1.5 }
        } else {
            measure.words * (1.0 - 2.0 * measure.link_share)
        };
        sums[at + 1] = sums[at] + value;
    }
    let mut best = (0, f32::MIN);
    for (at, container) in document.containers.iter().enumerate() {
        let sum = sums[container.end] - sums[container.first];
        if sum >= best.1 {
            best = (at, sum);
        }
    }
    (best.0, traits)
}
