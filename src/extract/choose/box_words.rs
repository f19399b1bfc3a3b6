//! Words that stand in the names of boxes on many sites and were picked by no hand. Each weighs by where it stands: on the block's own
//! box, on the two around that, further out.
//!
//! Traits (`words::classes`) say what people know of such names, and the steps of the second stage ask for them one by one. Of these
//! words there are a thousand, each of little weight: no block lists those around it, what they weigh is added up box by
//! box, and goes into the first stage's sum. Every token of a name is looked at once, however many boxes stand around or inside.

use std::collections::{BTreeMap, HashMap};

use foldhash::fast::RandomState;

use crate::extract::blocks::Document;
use crate::extract::words::classes::NameToken;
use crate::work;

/// Where a word stands, seen from a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Own,
    Near,
    Far,
}

/// How many places there are.
pub const BOX_PLACES: usize = 3;

/// What a word weighs in each of its places.
pub(crate) type Weights = [f32; BOX_PLACES];

/// The words and what they weigh.
#[derive(Clone, Debug, Default)]
pub(crate) struct BoxWords {
    numbers: HashMap<NameToken, u16, RandomState>,
    weights: Vec<Weights>,
}

/// No box.
const NOWHERE: usize = usize::MAX;

impl BoxWords {
    /// Takes the weights by word.
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

    /// What the words around a block weigh together, for each box that it may hang on. A word counts once in each place.
    pub(crate) fn sums(&self, document: &Document) -> Vec<f32> {
        let count = document.containers.len();
        if self.numbers.is_empty() || document.tokens.is_empty() {
            return vec![0.0; count];
        }
        // Names are looked up once, however many boxes have them.
        let known: Vec<Option<u16>> =
            document.tokens.iter().map(|token| self.numbers.get(token).copied()).collect();
        // The words of the boxes that are open, each with the box that had it before, and for each word the innermost box that has it.
        let mut words = Vec::new();
        let mut holders = vec![NOWHERE; self.weights.len()];
        let mut open: Vec<(usize, usize)> = Vec::new();
        // For each box what its own words weigh as near ones, these and those of the box around it, and those of it and all
        // around it as far ones.
        let (mut own_near, mut near, mut far) =
            (Vec::with_capacity(count), Vec::with_capacity(count), Vec::with_capacity(count));
        let mut sums = Vec::with_capacity(count);
        for (at, container) in document.containers.iter().enumerate() {
            let parent = container.parent;
            // A root has no words.
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

/// The words around a block and the places in which they stand, whatever they weigh.
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
