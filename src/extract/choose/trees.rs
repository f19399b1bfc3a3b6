//! Boosted trees: which facts together speak for the article.
//!
//! A tree asks one question after the other and ends in what it adds to the log-odds. A group of steps is asked whether
//! it stands below a step, a set whether it holds one of its facts. The trees stand in `config/model.toml`, one a line,
//! as they are read: a question, what follows a yes, what follows a no; questions and sums are told apart by their `<`.

use std::collections::HashMap;

use super::groups::{Group, Names};

/// What an index among all features means to a tree.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    column: u16,
    /// From 1: 0 is a group without a step.
    step: u8,
}

/// A set of ends of one tree, a bit each.
type Ends = u16;

/// The second stage. Trees are not walked down: each walk is a row of jumps that no processor foresees. Most questions are
/// answered with yes, which is where nothing is to be done; each no strikes out the ends behind its yes, and the first end
/// that is left is the one that a walk would come to (`QuickScorer`, Lucchese et al. 2015).
#[derive(Clone, Debug)]
pub(crate) struct Trees {
    /// Feature after feature: the trees that ask for it, and which of their ends it leaves.
    left: Vec<(u16, Ends)>,
    /// By feature: where in `left` those of the features before it end.
    starts: Vec<usize>,
    sums: Vec<f32>,
    /// Where each tree's sums begin.
    first: Vec<usize>,
}

/// What each fact means, and the columns by name: a group of steps is one, of a set every fact that the model knows is:
/// `group/fact`.
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
    /// Reads the trees. A fact that they do not know answers none of their questions.
    pub(crate) fn parse(groups: &[Group], names: &Names, lines: &[String]) -> Result<Self, String> {
        let (meanings, columns) = columns(groups, names);
        // Which features each column holds, with their steps: a question concerns those of one.
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

    /// The probability that a block with these features belongs to the article. `scratch` keeps its place from block to
    /// block.
    pub(crate) fn probability(&self, features: &[u16], scratch: &mut Vec<Ends>) -> f32 {
        1.0 / (1.0 + (-self.sum(features, scratch)).exp())
    }

    /// What stands at the ends that these features lead to, added up.
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

/// Reads a tree and returns the sums at its ends. `no` is told of every question which ends a no strikes out: its column, its
/// step and those ends.
fn tree(
    line: &str,
    columns: &HashMap<String, u16>,
    mut no: impl FnMut(u16, u8, Ends),
) -> Result<Vec<f32>, String> {
    let mut sums = Vec::new();
    // Questions whose yes has not come to its end: column, step and the first end behind it.
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
