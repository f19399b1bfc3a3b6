//! Boosted trees: which facts together speak for the article.
//!
//! A tree asks one question after the other and ends in what it adds to the log-odds. A group of steps is asked whether
//! it stands below a step, a set whether it holds one of its facts. The trees stand in `config/model.toml`, one a line,
//! as they are read: a question, what follows a yes, what follows a no; questions and sums are told apart by their `<`.

use std::collections::HashMap;

use super::model::Group;

/// What an index among all features means to a tree.
#[derive(Clone, Copy, Debug)]
struct Meaning {
    column: u16,
    /// From 1: 0 is a group without a step.
    step: u8,
}

#[derive(Clone, Copy, Debug)]
enum Node {
    /// Goes on with the next node where the column is below the step, with another where it is not.
    Question {
        column: u16,
        step: u8,
        otherwise: u32,
    },
    Sum(f32),
}

/// The second stage.
#[derive(Clone, Debug)]
pub(crate) struct Trees {
    meanings: Vec<Meaning>,
    columns: usize,
    nodes: Vec<Node>,
    /// Where each tree begins.
    roots: Vec<usize>,
}

/// A group of steps is one column, of a set every fact is one: `group/number`.
fn columns(groups: &[Group]) -> (Vec<Meaning>, HashMap<String, u16>) {
    let (mut meanings, mut names) = (Vec::new(), HashMap::new());
    for group in groups {
        let first = u16::try_from(names.len()).expect("there are a few hundred columns");
        for (index, number) in (0..group.size).zip(0_u8..) {
            let (column, step) =
                if group.is_set { (first + u16::from(number), 1) } else { (first, number + 1) };
            let name = if group.is_set { format!("{}/{index}", group.name) } else { group.name.to_owned() };
            names.insert(name, column);
            meanings.push(Meaning { column, step });
        }
    }
    (meanings, names)
}

impl Trees {
    /// Reads the trees.
    pub(crate) fn parse(groups: &[Group], lines: &[String]) -> Result<Self, String> {
        let (meanings, names) = columns(groups);
        let mut trees = Self { meanings, columns: names.len(), nodes: Vec::new(), roots: Vec::new() };
        for line in lines {
            trees.roots.push(trees.nodes.len());
            // Questions whose no is still to come.
            let mut open = Vec::new();
            let mut is_complete = false;
            for word in line.split_ascii_whitespace() {
                if is_complete {
                    return Err(format!("{word}: behind the end of its tree"));
                }
                let at = trees.nodes.len();
                if let Some((name, step)) = word.split_once('<') {
                    let column = *names.get(name).ok_or_else(|| format!("{name}: no such fact"))?;
                    let step = step.parse().map_err(|error| format!("{word}: {error}"))?;
                    trees.nodes.push(Node::Question { column, step, otherwise: 0 });
                    open.push(at);
                    continue;
                }
                trees.nodes.push(Node::Sum(word.parse().map_err(|error| format!("{word}: {error}"))?));
                match open.pop() {
                    None => is_complete = true,
                    Some(question) => {
                        let next = u32::try_from(at + 1).expect("there are a few thousand nodes");
                        if let Node::Question { otherwise, .. } = &mut trees.nodes[question] {
                            *otherwise = next;
                        }
                    }
                }
            }
            if !is_complete {
                return Err("a tree without its end".to_owned());
            }
        }
        Ok(trees)
    }

    /// The probability that a block with these features belongs to the article. `scratch` keeps its place from block to
    /// block.
    pub(crate) fn probability(&self, features: &[u16], scratch: &mut Vec<u8>) -> f32 {
        scratch.clear();
        scratch.resize(self.columns, 0);
        for &feature in features {
            let meaning = self.meanings[usize::from(feature)];
            scratch[usize::from(meaning.column)] = meaning.step;
        }
        let sum: f32 = self.roots.iter().map(|&root| self.sum(root, scratch)).sum();
        1.0 / (1.0 + (-sum).exp())
    }

    fn sum(&self, root: usize, columns: &[u8]) -> f32 {
        let mut at = root;
        loop {
            match self.nodes[at] {
                Node::Sum(sum) => return sum,
                Node::Question { column, step, .. } if columns[usize::from(column)] < step => at += 1,
                Node::Question { otherwise, .. } => at = otherwise as usize,
            }
        }
    }
}
