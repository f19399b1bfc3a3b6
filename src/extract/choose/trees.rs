//! Boosted trees over combinations of facts.
//!
//! A tree asks a sequence of questions and ends in a value that is added to the log-odds. A question about a group of steps
//! asks whether the number is below a step; a question about a set asks whether it lacks one of its facts. The trees are
//! stored in `config/model.toml`, one per line, in prefix order: a question, the subtree for yes, the subtree for no. A `<`
//! distinguishes questions from leaf values.

use std::collections::HashMap;

use super::groups::{Group, Names};

/// The column and step that a feature index stands for.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    column: u16,
    /// Counted from 1: 0 means that no step of the group holds.
    step: u8,
}

/// A set of leaves of one tree, one bit each.
type Ends = u16;

/// An ensemble of trees, evaluated without walking them: a walk is a series of jumps that no processor predicts. Most
/// questions are answered with yes, which needs no work; each no removes the leaves of its yes branch, and the first
/// remaining leaf is the one that a walk would reach (`QuickScorer`, Lucchese et al. 2015).
#[derive(Clone, Debug)]
pub(crate) struct Trees {
    /// Feature after feature: the trees that ask about it, and which of their leaves remain if it holds.
    left: Vec<(u16, Ends)>,
    /// By feature: where its entries in `left` start.
    starts: Vec<usize>,
    sums: Vec<f32>,
    /// Where each tree's leaf values begin in `sums`.
    first: Vec<usize>,
}

/// Returns the meaning of each fact, and the columns by name. A group of steps is one column; of a set, every fact that the
/// model knows is a column, named `group/fact`.
fn columns(groups: &[Group], names: &Names) -> (Vec<Option<Meaning>>, HashMap<String, u16>) {
    let (mut meanings, mut columns) = (Vec::new(), HashMap::new());
    for &Group { name, facts, .. } in groups {
        let first = columns.len();
        let column = |number: usize| u16::try_from(first + number).expect("there are a few hundred columns");
        if facts.is_set() {
            let of_set = |number| (format!("{name}/{}", names.name(facts, number)), column(number));
            columns.extend((0..names.count(facts)).map(of_set));
        } else {
            columns.insert(name.to_owned(), column(0));
        }
        let meaning = |number: usize| {
            let step = if facts.is_set() { 1 } else { number + 1 };
            Meaning {
                column: column(if facts.is_set() { number } else { 0 }),
                step: u8::try_from(step).expect("no group has so many steps"),
            }
        };
        meanings.extend((0..facts.len()).map(|fact| names.number(facts, fact).map(meaning)));
    }
    (meanings, columns)
}

impl Trees {
    /// Parses the trees. A fact that they do not know has no effect.
    pub(crate) fn parse(groups: &[Group], names: &Names, lines: &[String]) -> Result<Self, String> {
        let (meanings, columns) = columns(groups, names);
        // The features of each column, with their steps: a question concerns the features of one column.
        let mut steps = vec![Vec::new(); columns.len()];
        for (feature, meaning) in meanings.iter().enumerate() {
            if let Some(Meaning { column, step }) = meaning {
                steps[usize::from(*column)].push((feature, *step));
            }
        }
        let mut by_feature: Vec<Vec<(u16, Ends)>> = vec![Vec::new(); meanings.len()];
        let (mut sums, mut first) = (Vec::new(), Vec::new());
        for (number, line) in (0..).zip(lines) {
            let ends = tree(line, &columns, |column, least, behind_yes| {
                for (feature, _) in steps[usize::from(column)].iter().filter(|(_, step)| *step >= least) {
                    let of_feature = &mut by_feature[*feature];
                    match of_feature.last_mut().filter(|(tree, _)| *tree == number) {
                        Some((_, left)) => *left &= !behind_yes,
                        None => of_feature.push((number, !behind_yes)),
                    }
                }
            })?;
            first.push(sums.len());
            sums.extend(ends);
        }
        let mut starts = vec![0];
        starts.extend(by_feature.iter().scan(0, |end, left| {
            *end += left.len();
            Some(*end)
        }));
        Ok(Self { left: by_feature.concat(), starts, sums, first })
    }

    /// Returns the probability that a block with these features belongs to the article. `scratch` is a buffer that is reused
    /// between blocks.
    pub(crate) fn probability(&self, features: &[u16], scratch: &mut Vec<Ends>) -> f32 {
        1.0 / (1.0 + (-self.sum(features, scratch)).exp())
    }

    /// Returns the sum of the leaf values that these features lead to.
    pub(crate) fn sum(&self, features: &[u16], scratch: &mut Vec<Ends>) -> f32 {
        scratch.clear();
        scratch.resize(self.first.len(), Ends::MAX);
        for &feature in features {
            let feature = usize::from(feature);
            for &(tree, left) in &self.left[self.starts[feature]..self.starts[feature + 1]] {
                scratch[usize::from(tree)] &= left;
            }
        }
        let ends = self.first.iter().zip(scratch.iter());
        ends.map(|(first, left)| self.sums[first + left.trailing_zeros() as usize]).sum()
    }
}

/// Parses a tree and returns its leaf values. Calls `no` for every question with its column, its step and the leaves that
/// a no removes.
fn tree(
    line: &str,
    columns: &HashMap<String, u16>,
    mut no: impl FnMut(u16, u8, Ends),
) -> Result<Vec<f32>, String> {
    let mut sums = Vec::new();
    // Questions whose yes branch is still open: column, step and the first leaf of the branch.
    let mut open: Vec<(u16, u8, u32)> = Vec::new();
    let mut ends = 0;
    let mut is_complete = false;
    for word in line.split_ascii_whitespace() {
        if is_complete {
            return Err(format!("{word}: behind the end of its tree"));
        }
        if let Some((name, step)) = word.split_once('<') {
            let column = *columns.get(name).ok_or_else(|| format!("{name}: no such fact"))?;
            let step = step.parse().map_err(|error| format!("{word}: {error}"))?;
            open.push((column, step, ends));
            continue;
        }
        if ends == Ends::BITS {
            return Err(format!("{word}: a tree of more than {} ends", Ends::BITS));
        }
        sums.push(word.parse().map_err(|error| format!("{word}: {error}"))?);
        ends += 1;
        match open.pop() {
            None => is_complete = true,
            Some((column, step, first)) => no(column, step, (first..ends).fold(0, |set, end| set | 1 << end)),
        }
    }
    if is_complete { Ok(sums) } else { Err("a tree without its end".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::choose::groups::Facts;

    const GROUPS: &[Group] = &[
        Group { name: "length", facts: Facts::Steps(&[1.0, 2.0, 3.0]), offset: 0 },
        Group { name: "box", facts: Facts::Set(2), offset: 4 },
    ];

    fn log_odds(line: &str, features: &[u16]) -> f32 {
        let trees = Trees::parse(GROUPS, &Names::default(), &[line.to_owned()]).unwrap();
        let probability = trees.probability(features, &mut Vec::new());
        (probability / (1.0 - probability)).ln().round()
    }

    #[test]
    fn every_end_is_come_to_by_its_answers() {
        let tree = "length<2 box/1<1 1 2 length<4 3 box/0<1 4 5";
        for (features, end) in [
            (&[][..], 1.0),
            (&[0], 1.0),
            (&[5], 2.0),
            (&[1], 3.0),
            (&[2, 5], 3.0),
            (&[3], 4.0),
            (&[3, 4], 5.0),
            (&[3, 4, 5], 5.0),
        ] {
            assert!((log_odds(tree, features) - end).abs() < 0.1, "{features:?}");
        }
    }

    #[test]
    fn what_is_no_tree_is_named() {
        let error = |line: &str| Trees::parse(GROUPS, &Names::default(), &[line.to_owned()]).unwrap_err();
        assert_eq!(error("length<2 1"), "a tree without its end");
        assert_eq!(error("1 2"), "2: behind the end of its tree");
        assert_eq!(error("width<2 1 2"), "width: no such fact");
        assert_eq!(error("length<x 1 2"), "length<x: invalid digit found in string");
        let long = format!("{}0", "length<1 0 ".repeat(16));
        assert_eq!(error(&long), "0: a tree of more than 16 ends");
    }
}
