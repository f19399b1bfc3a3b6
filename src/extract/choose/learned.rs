//! Words that stand on many sites and were picked by no hand: tokens of the names of boxes, short lines. Each weighs by where it
//! stands: on the block's own box, on the two around that, further out; as the block's line, beside it, as the heading above it.
//!
//! There are thousands of them, so no block lists those that hold: what they weigh is added up box by box.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::hash::BuildHasherDefault;

use foldhash::fast::RandomState;

use crate::extract::blocks::hash::{Hashed, hash_text};
use crate::extract::blocks::{Document, Kind};
use crate::extract::words::classes::NameToken;

/// Where a word stands, seen from a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    OwnBox,
    NearBox,
    FarBox,
    Line,
    Beside,
    Above,
}

/// How many places there are for a word of a box, and for a line.
const PLACES: usize = 3;
/// Lines of more words stand on one site alone.
const MOST_WORDS: u32 = 6;

/// What a word weighs in each of its places.
type Weights = [f32; PLACES];

/// The words and what they weigh.
#[derive(Clone, Debug, Default)]
pub(crate) struct Learned {
    boxes: HashMap<NameToken, u16, RandomState>,
    box_weights: Vec<Weights>,
    lines: HashMap<u64, Weights, BuildHasherDefault<Hashed>>,
}

impl Learned {
    /// Takes the weights by word.
    pub(crate) fn new(boxes: &BTreeMap<String, Weights>, lines: &BTreeMap<String, Weights>) -> Self {
        let numbers = (0..).zip(boxes).map(|(number, (word, _))| (NameToken::new(word.as_bytes()), number));
        Self {
            boxes: numbers.collect(),
            box_weights: boxes.values().copied().collect(),
            lines: lines.iter().map(|(line, weights)| (hash_text(line), *weights)).collect(),
        }
    }

    /// Whether there are any.
    pub(crate) fn is_empty(&self) -> bool {
        self.boxes.is_empty() && self.lines.is_empty()
    }

    /// What the words weigh together for each block; nothing for all blocks where there are no words.
    pub(crate) fn sums(&self, document: &Document) -> Vec<f32> {
        if self.is_empty() {
            return vec![0.0; document.blocks.len()];
        }
        let boxes = self.of_boxes(document);
        let mut sums: Vec<f32> = document.blocks.iter().map(|block| boxes[block.container]).collect();
        if !self.lines.is_empty() {
            for (at, sum) in sums.iter_mut().enumerate() {
                lines(document, at, |place, line| {
                    *sum += self.lines.get(&line).map_or(0.0, |weights| weights[place as usize - PLACES]);
                });
            }
        }
        sums
    }

    /// What the words of the boxes weigh for a block that hangs on each box. A word counts once in each place.
    fn of_boxes(&self, document: &Document) -> Vec<f32> {
        let known: Vec<Option<u16>> =
            document.tokens.iter().map(|token| self.boxes.get(token).copied()).collect();
        let count = document.containers.len();
        // The words of each box, and what those of the box and the one around it weigh as near ones, and those of the box
        // and all around it as far ones.
        let (mut words, mut ends) = (Vec::new(), Vec::with_capacity(count));
        let (mut near, mut far, mut sums) =
            (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
        let mut open = Vec::new();
        let mut standing = vec![0_u16; self.box_weights.len()];
        let range = |ends: &[usize], at: usize| at.checked_sub(1).map_or(0, |before| ends[before])..ends[at];
        for (at, container) in document.containers.iter().enumerate() {
            while open.last().is_some_and(|&top| top != container.parent) {
                let closed = open.pop().expect("checked above");
                words[range(&ends, closed)].iter().for_each(|&word: &u16| standing[usize::from(word)] -= 1);
            }
            let start = words.len();
            for name in &container.tokens {
                for word in known[name.start as usize..name.end as usize].iter().flatten() {
                    if !words[start..].contains(word) {
                        words.push(*word);
                    }
                }
            }
            ends.push(words.len());
            let (own, parent) = (&words[start..], container.parent);
            let weight = |word: u16, place: Place| self.box_weights[usize::from(word)][place as usize];
            let mut near_sum: f32 = own.iter().map(|&word| weight(word, Place::NearBox)).sum();
            let mut far_sum = 0.0;
            if at > 0 {
                let around = words[range(&ends, parent)].iter().filter(|word| !own.contains(word));
                near_sum += around.map(|&word| weight(word, Place::NearBox)).sum::<f32>();
                far_sum = far[parent];
            }
            for &word in own {
                let standing = &mut standing[usize::from(word)];
                if *standing == 0 {
                    far_sum += weight(word, Place::FarBox);
                }
                *standing += 1;
            }
            near.push(near_sum);
            far.push(far_sum);
            open.push(at);
            let grandparent = document.containers[parent].parent;
            let further = document.containers[grandparent].parent;
            let own_sum: f32 = own.iter().map(|&word| weight(word, Place::OwnBox)).sum();
            sums.push(own_sum + near[parent] + far[further]);
        }
        sums
    }
}

/// Calls `seen` with the short lines that stand on a block, beside it and as the heading above it.
fn lines(document: &Document, at: usize, mut seen: impl FnMut(Place, u64)) {
    let short = |at: usize| {
        let block = &document.blocks[at];
        (block.measure.count <= MOST_WORDS).then_some(block.text_hash)
    };
    let before = at.checked_sub(1).and_then(short);
    let after = (at + 1 < document.blocks.len()).then(|| short(at + 1)).flatten();
    if let Some(line) = short(at) {
        seen(Place::Line, line);
    }
    if let Some(line) = before {
        seen(Place::Beside, line);
    }
    if let Some(line) = after.filter(|_| after != before) {
        seen(Place::Beside, line);
    }
    const REACH: usize = 30;
    let mut above = (at.saturating_sub(REACH)..at).rev();
    let heading = above.find(|&above| matches!(document.blocks[above].kind, Kind::Heading(_)));
    if let Some(line) = heading.and_then(short) {
        seen(Place::Above, line);
    }
}

/// The words that stand around a block, whatever they weigh: place and number of each in one.
pub(crate) fn facts(document: &Document, at: usize) -> Vec<u64> {
    let mut facts = Vec::new();
    let mut seen = HashSet::new();
    let mut push = |place: Place, number: u64| {
        let fact = (place as u64) << PLACE_SHIFT | number & NUMBER;
        if seen.insert(fact) {
            facts.push(fact);
        }
    };
    let mut container = document.blocks[at].container;
    for level in 0.. {
        let place = match level {
            0 => Place::OwnBox,
            1 | 2 => Place::NearBox,
            _ => Place::FarBox,
        };
        for name in &document.containers[container].tokens {
            for token in &document.tokens[name.start as usize..name.end as usize] {
                push(place, token.number());
            }
        }
        if container == 0 {
            break;
        }
        container = document.containers[container].parent;
    }
    lines(document, at, push);
    facts
}

/// A fact is the place above and the number of a token, or a part of a line's hash, below.
pub const PLACE_SHIFT: u32 = 60;
pub const NUMBER: u64 = (1 << PLACE_SHIFT) - 1;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::blocks::segment::segment;
    use crate::extract::html;

    fn document(page: &str) -> Document {
        segment(&html::parse(page).tree, "courier.example")
    }

    const PAGE: &str = "<body><div class='page main'><div class='main story' id='story'>
        <section class='story body'><h2>Read more</h2><div><p class='story lead'>Ferries return to the harbour today.</p></div>
        <p>And stay there for the whole of the long summer season.</p></section></div>
        <aside class='side'><div class='box'><div class='main'><p>More on this</p><p>Read more</p></div></div></aside>
        <p>Back to top</p></div></body>";

    #[test]
    fn what_is_added_up_box_by_box_is_what_the_words_around_a_block_weigh() {
        let document = document(PAGE);
        let words = ["page", "main", "story", "body", "lead", "side", "box"];
        // Powers of two: no two sums of different words are equal.
        let mut power = 1.0 / 4096.0;
        let mut weights = || {
            [(); PLACES].map(|()| {
                power *= 2.0;
                power
            })
        };
        let boxes: BTreeMap<String, Weights> =
            words.iter().map(|word| ((*word).to_owned(), weights())).collect();
        let by_token: HashMap<u64, Weights> =
            boxes.iter().map(|(word, of_word)| (NameToken::new(word.as_bytes()).number(), *of_word)).collect();
        let sums = Learned::new(&boxes, &BTreeMap::new()).sums(&document);
        assert_eq!(sums.len(), 6);
        for (at, sum) in sums.iter().enumerate() {
            let of_boxes = facts(&document, at).into_iter().filter(|fact| fact >> PLACE_SHIFT < PLACES as u64);
            let weight = |fact: u64| by_token[&(fact & NUMBER)][(fact >> PLACE_SHIFT) as usize];
            assert_eq!(*sum, of_boxes.map(weight).sum::<f32>(), "{}", document.text_of(&document.blocks[at]));
        }
    }

    #[test]
    fn a_line_weighs_by_where_it_stands() {
        let document = document(PAGE);
        let lines = BTreeMap::from([("READ MORE".to_owned(), [1.0, 2.0, 4.0])]);
        let sums = Learned::new(&BTreeMap::new(), &lines).sums(&document);
        assert_eq!(sums, [1.0, 6.0, 4.0, 6.0, 5.0, 6.0]);
    }

    #[test]
    fn a_word_that_was_not_learned_weighs_nothing() {
        let document = document("<p class='unheard'>A line that no model knows.</p>");
        let boxes = BTreeMap::from([("story".to_owned(), [1.0; PLACES])]);
        assert_eq!(Learned::new(&boxes, &BTreeMap::new()).sums(&document), [0.0]);
    }
}
