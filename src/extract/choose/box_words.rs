//! Weights of words in box names. The words occur on many sites and were not selected by hand. Each word has a weight per
//! place: on the block's own box, on the two boxes around it, further out.
//!
//! Traits (`words::classes`) are the names that people know the meaning of, and the second stage's trees ask about each of
//! them. There are about a thousand of these words, each of little weight, so they are not listed per block: their weights
//! are summed box by box, and the sum goes into the first stage. Every token of a name is looked at once, however many boxes
//! are around or inside.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use crate::extract::blocks::Document;
use crate::extract::words::classes::NameToken;
use crate::work;

/// The position of a word relative to a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Own,
    Near,
    Far,
}

/// The number of places.
pub const BOX_PLACES: usize = 3;

/// A word's weight in each place.
pub(crate) type Weights = [f32; BOX_PLACES];

/// The words and their weights.
#[derive(Clone, Debug, Default)]
pub(crate) struct BoxWords {
    numbers: HashMap<NameToken, u16, RandomState>,
    weights: Vec<Weights>,
}

/// Marks a word that no open box has.
const NOWHERE: usize = usize::MAX;

impl BoxWords {
    /// Builds the table from weights by word.
    pub(crate) fn new(words: &BTreeMap<String, Weights>) -> Result<Self, String> {
        let number = |(number, word): (usize, &String)| {
            let token = NameToken::spelled(word).ok_or_else(|| format!("{word}: no word of a name"))?;
            Ok((token, u16::try_from(number).map_err(|_| format!("{word}: too many words"))?))
        };
        let numbers = words.keys().enumerate().map(number).collect::<Result<_, String>>()?;
        Ok(Self { numbers, weights: words.values().copied().collect() })
    }

    fn weight(&self, word: u16, place: Place) -> f32 {
        self.weights[usize::from(word)][place as usize]
    }

    /// Returns, for each box, the total weight of the words around a block in that box. A word counts once per place.
    pub(crate) fn sums(&self, document: &Document) -> Vec<f32> {
        let count = document.containers.len();
        if self.numbers.is_empty() || document.tokens.is_empty() {
            return vec![0.0; count];
        }
        // Names are looked up once, however many boxes use them.
        let known: Vec<Option<u16>> =
            document.tokens.iter().map(|token| self.numbers.get(token).copied()).collect();
        // A stack of the words of all open boxes, each with the innermost box that had it before; for each word, the innermost
        // open box that has it.
        let mut words = Vec::new();
        let mut holders = vec![NOWHERE; self.weights.len()];
        let mut open: Vec<(usize, usize)> = Vec::new();
        // For each box: the near weight of its own words, the near weight of its own and its parent's words, and the far weight
        // of the words of the box and all boxes around it.
        let (mut own_near, mut near, mut far) =
            (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
        let mut sums = Vec::with_capacity(count);
        for (at, container) in document.containers.iter().enumerate() {
            let parent = container.parent;
            // A root is its own parent.
            let is_root = parent == at;
            while let Some((_, start)) = open.pop_if(|(top, _)| *top != parent) {
                words.drain(start..).rev().for_each(|(word, before)| holders[usize::from(word)] = before);
            }
            open.push((at, words.len()));
            let (mut own_sum, mut own_near_sum, mut shared_near_sum) = (0.0, 0.0, 0.0);
            let mut far_sum = if is_root { 0.0 } else { far[parent] };
            for name in &container.tokens {
                work::count((name.end - name.start) as usize);
                for &word in known[name.start as usize..name.end as usize].iter().flatten() {
                    let before = holders[usize::from(word)];
                    if before == at {
                        continue;
                    }
                    holders[usize::from(word)] = at;
                    words.push((word, before));
                    own_sum += self.weight(word, Place::Own);
                    own_near_sum += self.weight(word, Place::Near);
                    if before == NOWHERE {
                        far_sum += self.weight(word, Place::Far);
                    } else if before == parent {
                        shared_near_sum += self.weight(word, Place::Near);
                    }
                }
            }
            let around = if is_root { 0.0 } else { own_near[parent] - shared_near_sum };
            own_near.push(own_near_sum);
            near.push(own_near_sum + around);
            far.push(far_sum);
            let grandparent = document.containers[parent].parent;
            let further = document.containers[grandparent].parent;
            sums.push(own_sum + near[parent] + far[further]);
        }
        sums
    }
}

/// Returns the words around a block and their places, regardless of weight.
pub(crate) fn around(document: &Document, at: usize) -> Vec<(NameToken, usize)> {
    let mut around = Vec::new();
    let mut container = document.blocks[at].container;
    for level in 0.. {
        let place = match level {
            0 => Place::Own,
            1 | 2 => Place::Near,
            _ => Place::Far,
        };
        for name in &document.containers[container].tokens {
            for token in &document.tokens[name.start as usize..name.end as usize] {
                around.push((*token, place as usize));
            }
        }
        if container == 0 {
            break;
        }
        container = document.containers[container].parent;
    }
    around.sort_unstable();
    around.dedup();
    around
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::blocks::segment::segment;
    use crate::extract::html;

    fn document(page: &str) -> Document {
        segment(&html::parse(page).tree, "courier.example")
    }

    #[test]
    fn what_is_added_up_box_by_box_is_what_the_words_around_a_block_weigh() {
        let document = document(
            "<body><div class='page main'><div class='main story' id='story'><section class='story body'>
            <h2>Ferries</h2><div><p class='story lead'>They return to the harbour today.</p></div>
            <p>And stay there for the whole of the long summer season.</p></section></div>
            <aside class='side'><div class='box'><div class='main'><p>More on this</p></div></div></aside>
            <p>Back to top</p></div></body>",
        );
        let words = ["page", "main", "story", "body", "lead", "side", "box"];
        // Powers of two: no two sums of different words are equal.
        let mut power = 1.0 / 4096.0;
        let mut weights = || {
            [(); BOX_PLACES].map(|()| {
                power *= 2.0;
                power
            })
        };
        let by_word: BTreeMap<String, Weights> =
            words.iter().map(|word| ((*word).to_owned(), weights())).collect();
        let sums = BoxWords::new(&by_word).unwrap().sums(&document);
        assert_eq!(document.blocks.len(), 5);
        for (at, block) in document.blocks.iter().enumerate() {
            let weight = |(token, place): (NameToken, usize)| by_word[&token.to_string()][place];
            let expected: f32 = around(&document, at).into_iter().map(weight).sum();
            let difference = (sums[block.container] - expected).abs();
            assert!(difference < f32::EPSILON / 4096.0, "{difference}: {}", document.text_of(block));
        }
    }

    #[test]
    fn a_word_that_was_not_learned_weighs_nothing() {
        let document = document("<p class='unheard'>A line of a box that no model knows.</p>");
        let words = BTreeMap::from([("story".to_owned(), [1.0; BOX_PLACES])]);
        let sums = BoxWords::new(&words).unwrap().sums(&document);
        assert!(sums[document.blocks[0].container].abs() < f32::EPSILON);
    }

    #[test]
    fn what_no_name_holds_is_no_word() {
        let error = |word: &str| BoxWords::new(&BTreeMap::from([(word.to_owned(), [0.0; 3])])).unwrap_err();
        assert_eq!(error("Story"), "Story: no word of a name");
        assert_eq!(error(""), ": no word of a name");
        assert_eq!(error("recommendations"), "recommendations: no word of a name");
    }
}
