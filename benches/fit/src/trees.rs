//! Boosted trees on stepped and boolean features; each tree is grown leaf-wise, best leaf first.

use std::fmt::Write as _;

use feedmill::extract::FeatureGroup;

use crate::pages::without_each;
use crate::random::Random;

/// The parameters of fitting.
pub(super) struct Growth {
    pub(super) loss: Loss,
    pub(super) trees: usize,
    pub(super) rate: f64,
    /// Shares of the columns and of the rows used by each tree.
    pub(super) column_share: f64,
    pub(super) row_share: f64,
    /// Minimum sum of second derivatives (curvature) in a leaf.
    pub(super) least_curvature: f64,
}

/// The loss function.
#[derive(Clone, Copy)]
pub(super) enum Loss {
    /// The trees sum to the log-odds that the target is 1.
    Logistic,
    /// The trees sum to the target.
    Squares,
}

impl Growth {
    /// Decimals with which leaf values are written.
    fn decimals(&self) -> usize {
        match self.loss {
            Loss::Logistic => 3,
            Loss::Squares => 4,
        }
    }
}

/// Leaves per tree, the number that feedmill reads.
const LEAVES: usize = 15;
/// Added to the curvature of a leaf (L2 regularization).
const L2: f64 = 1.0;

/// Samples as rows; one column for each stepped group, and one for each fact of a set.
pub(super) struct Table {
    names: Vec<String>,
    /// For each feature its column and its step, counted from 1.
    meanings: Vec<(usize, u8)>,
    columns: Vec<Vec<u8>>,
    targets: Vec<f64>,
    weights: Vec<f64>,
}

/// Trees in the format of `config/model.toml` and `config/judge.toml`, one per line.
pub(super) type Lines = Vec<String>;

/// Formats trees as in those files.
pub(super) fn to_toml(trees: &Lines) -> String {
    let mut toml = "trees = [\n".to_owned();
    for tree in trees {
        writeln!(toml, "    \"{tree}\",").expect("a string takes everything");
    }
    toml.push_str("]\n");
    toml
}

impl Table {
    pub(super) fn new(groups: &[FeatureGroup]) -> Self {
        let (mut names, mut meanings) = (Vec::new(), Vec::new());
        for group in groups {
            for (fact, step) in group.facts.iter().zip(1_u8..) {
                if group.is_set {
                    names.push(format!("{}/{fact}", group.name));
                } else if step == 1 {
                    names.push(group.name.to_owned());
                }
                meanings.push((names.len() - 1, if group.is_set { 1 } else { step }));
            }
        }
        let columns = vec![Vec::new(); names.len()];
        Self { names, meanings, columns, targets: Vec::new(), weights: Vec::new() }
    }

    /// Adds a sample.
    pub(super) fn push(&mut self, features: &[u16], target: f64, weight: f32) {
        let row = self.rows();
        self.targets.push(target);
        self.weights.push(f64::from(weight));
        for column in &mut self.columns {
            column.push(0);
        }
        for &feature in features {
            let (column, step) = self.meanings[usize::from(feature)];
            self.columns[column][row] = step;
        }
    }

    /// Fits trees on the rows outside each fold, and on request on all rows; `folds` is the fold of each row.
    pub(super) fn fit_without_each(
        &self,
        folds: &[usize],
        growth: &Growth,
        and_of_all: bool,
    ) -> (Vec<Lines>, Option<Lines>) {
        without_each(and_of_all, |without| {
            let rows: Vec<usize> = (0..self.rows()).filter(|&row| Some(folds[row]) != without).collect();
            self.fit(&rows, growth)
        })
    }

    fn rows(&self) -> usize {
        self.targets.len()
    }

    /// Fits trees on these rows.
    fn fit(&self, rows: &[usize], growth: &Growth) -> Lines {
        let mean = rows.iter().map(|&row| self.weights[row]).sum::<f64>() / rows.len().max(1) as f64;
        let bins: Vec<usize> = self
            .columns
            .iter()
            .map(|column| usize::from(column.iter().copied().max().unwrap_or(0)) + 1)
            .collect();
        let mut random = Random::default();
        let mut sums = vec![0.0; self.rows()];
        let (mut slopes, mut curvatures) = (vec![0.0; self.rows()], vec![0.0; self.rows()]);
        let mut lines = Lines::new();
        for _ in 0..growth.trees {
            for &row in rows {
                let (value, curvature) = match growth.loss {
                    Loss::Logistic => {
                        let probability = 1.0 / (1.0 + f64::exp(-sums[row]));
                        (probability, probability * (1.0 - probability))
                    }
                    Loss::Squares => (sums[row], 1.0),
                };
                let weight = self.weights[row] / mean;
                slopes[row] = (value - self.targets[row]) * weight;
                curvatures[row] = (curvature * weight).max(1e-6);
            }
            let seen: Vec<usize> =
                rows.iter().copied().filter(|_| random.next_share() < growth.row_share).collect();
            let columns: Vec<usize> = (0..self.columns.len())
                .filter(|&column| bins[column] > 1 && random.next_share() < growth.column_share)
                .collect();
            let mut tree = Tree {
                table: self,
                growth,
                bins: &bins,
                columns,
                slopes: &slopes,
                curvatures: &curvatures,
                nodes: Vec::new(),
            };
            tree.grow(seen);
            lines.push(tree.line());
            for &row in rows {
                sums[row] += tree.sum(row);
            }
        }
        lines
    }
}

/// The sums of first derivatives (slopes) and second derivatives (curvatures) in a bin or leaf.
#[derive(Clone, Copy, Default)]
struct Sums {
    slope: f64,
    curvature: f64,
}

impl Sums {
    fn plus(self, other: Self) -> Self {
        Self { slope: self.slope + other.slope, curvature: self.curvature + other.curvature }
    }

    fn minus(self, other: Self) -> Self {
        Self { slope: self.slope - other.slope, curvature: self.curvature - other.curvature }
    }

    fn gain(self) -> f64 {
        self.slope * self.slope / (self.curvature + L2)
    }
}

#[derive(Clone, Copy)]
struct Split {
    gain: f64,
    column: usize,
    step: u8,
}

/// A node: a leaf until it is split.
struct Node {
    value: f64,
    split: Option<(usize, u8, usize, usize)>,
}

/// A leaf that may be split.
struct Leaf {
    node: usize,
    rows: Vec<usize>,
    histogram: Vec<Sums>,
    best: Option<Split>,
}

struct Tree<'a> {
    table: &'a Table,
    growth: &'a Growth,
    bins: &'a [usize],
    columns: Vec<usize>,
    slopes: &'a [f64],
    curvatures: &'a [f64],
    nodes: Vec<Node>,
}

impl Tree<'_> {
    fn grow(&mut self, rows: Vec<usize>) {
        let histogram = self.histogram(&rows);
        let root = self.leaf(rows, histogram);
        let mut leaves = vec![root];
        while leaves.len() < LEAVES {
            let gain = |leaf: &Leaf| leaf.best.map_or(0.0, |split| split.gain);
            let best =
                (0..leaves.len()).max_by(|&one, &other| gain(&leaves[one]).total_cmp(&gain(&leaves[other])));
            let Some((at, split)) = best.and_then(|at| Some((at, leaves[at].best?))) else { break };
            let leaf = leaves.swap_remove(at);
            let column = &self.table.columns[split.column];
            let (below, others): (Vec<usize>, Vec<usize>) =
                leaf.rows.iter().partition(|&&row| column[row] < split.step);
            // The larger half's histogram is the difference of the whole and the smaller half's.
            let is_below_smaller = below.len() < others.len();
            let smaller = self.histogram(if is_below_smaller { &below } else { &others });
            let larger = leaf.histogram.iter().zip(&smaller).map(|(all, part)| all.minus(*part)).collect();
            let (first, second) = if is_below_smaller { (smaller, larger) } else { (larger, smaller) };
            let (first, second) = (self.leaf(below, first), self.leaf(others, second));
            self.nodes[leaf.node].split = Some((split.column, split.step, first.node, second.node));
            leaves.extend([first, second]);
        }
    }

    fn histogram(&self, rows: &[usize]) -> Vec<Sums> {
        let sums: Vec<Sums> = rows
            .iter()
            .map(|&row| Sums { slope: self.slopes[row], curvature: self.curvatures[row] })
            .collect();
        let mut histogram = Vec::new();
        for &column in &self.columns {
            let start = histogram.len();
            histogram.resize(start + self.bins[column], Sums::default());
            let bins = &mut histogram[start..];
            let steps = &self.table.columns[column];
            for (&row, sums) in rows.iter().zip(&sums) {
                let bin = &mut bins[usize::from(steps[row])];
                *bin = bin.plus(*sums);
            }
        }
        histogram
    }

    fn leaf(&mut self, rows: Vec<usize>, histogram: Vec<Sums>) -> Leaf {
        let all = rows.iter().fold(Sums::default(), |sums, &row| {
            sums.plus(Sums { slope: self.slopes[row], curvature: self.curvatures[row] })
        });
        let mut best: Option<Split> = None;
        let mut start = 0;
        for &column in &self.columns {
            let bins = &histogram[start..start + self.bins[column]];
            start += bins.len();
            let mut below = Sums::default();
            for (bin, step) in bins[..bins.len() - 1].iter().zip(1_u8..) {
                below = below.plus(*bin);
                let others = all.minus(below);
                if below.curvature < self.growth.least_curvature
                    || others.curvature < self.growth.least_curvature
                {
                    continue;
                }
                let gain = below.gain() + others.gain() - all.gain();
                if gain > best.map_or(1e-9, |best| best.gain) {
                    best = Some(Split { gain, column, step });
                }
            }
        }
        self.nodes.push(Node { value: -self.growth.rate * all.slope / (all.curvature + L2), split: None });
        Leaf { node: self.nodes.len() - 1, rows, histogram, best }
    }

    fn sum(&self, row: usize) -> f64 {
        let mut at = 0;
        while let Some((column, step, below, others)) = self.nodes[at].split {
            at = if self.table.columns[column][row] < step { below } else { others };
        }
        self.nodes[at].value
    }

    /// Formats the tree in prefix order: a question, the branch for yes, the branch for no.
    fn line(&self) -> String {
        let mut line = String::new();
        let mut open = vec![0];
        while let Some(at) = open.pop() {
            if !line.is_empty() {
                line.push(' ');
            }
            match self.nodes[at].split {
                Some((column, step, below, others)) => {
                    write!(line, "{}<{step}", self.table.names[column]).expect("a string takes everything");
                    open.extend([others, below]);
                }
                None => write!(line, "{:.*}", self.growth.decimals(), self.nodes[at].value)
                    .expect("a string takes everything"),
            }
        }
        line
    }
}
