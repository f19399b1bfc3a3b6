//! Logistic regression on boolean features, fitted by AdaGrad.

use crate::random::Random;

/// A block: its true facts, whether it belongs to the article, and its weight.
pub(super) struct Example<'a> {
    pub(super) features: &'a [u16],
    /// Columns beside the facts.
    pub(super) extra: Vec<u16>,
    pub(super) is_article: bool,
    pub(super) weight: f32,
}

/// The fitted coefficients: a weight per fact, and a bias.
pub(super) struct Coefficients {
    pub(super) bias: f32,
    pub(super) weights: Vec<f32>,
}

const RATE: f32 = 0.06;
const L2: f32 = 0.01;
const EPOCHS: usize = 12;

impl Coefficients {
    /// Fits `size` coefficients, and a weight for each extra column, which has its own `decay`. The examples are visited in a
    /// pseudo-random order, the same in every run.
    pub(super) fn fit(examples: &[Example<'_>], size: usize, decay: &[f32]) -> (Self, Vec<f32>) {
        let mut fitted = Self { bias: 0.0, weights: vec![0.0; size] };
        let mut squares = vec![LEAST_SQUARE; size + 1];
        let mut besides = vec![0.0_f32; decay.len()];
        let mut squares_besides = vec![LEAST_SQUARE; decay.len()];
        let mean = examples.iter().map(|example| example.weight).sum::<f32>() / examples.len().max(1) as f32;
        let mut order: Vec<usize> = (0..examples.len()).collect();
        let mut random = Random::default();
        for _ in 0..EPOCHS {
            shuffle(&mut order, &mut random);
            for &at in &order {
                let example = &examples[at];
                let target = f32::from(u8::from(example.is_article));
                let sum_besides: f32 = example.extra.iter().map(|&column| besides[usize::from(column)]).sum();
                let probability = sigmoid(fitted.sum(example.features) + sum_besides);
                let slope = (probability - target) * example.weight / mean;
                let step = |value: &mut f32, square: &mut f32, decay: f32| {
                    let gradient = slope + decay * *value;
                    *square += gradient * gradient;
                    *value -= RATE * gradient / square.sqrt();
                };
                for &column in &example.extra {
                    let column = usize::from(column);
                    step(&mut besides[column], &mut squares_besides[column], decay[column]);
                }
                for &feature in example.features {
                    let feature = usize::from(feature);
                    step(&mut fitted.weights[feature], &mut squares[feature], L2);
                }
                step(&mut fitted.bias, &mut squares[size], 0.0);
            }
        }
        (fitted, besides)
    }

    /// Returns the log-odds for these facts.
    pub(super) fn sum(&self, features: &[u16]) -> f32 {
        features.iter().map(|&feature| self.weights[usize::from(feature)]).sum::<f32>() + self.bias
    }
}

/// Initial value of the sums of squares.
const LEAST_SQUARE: f32 = 1e-6;

/// Returns the probability for these log-odds.
pub(super) fn sigmoid(sum: f32) -> f32 {
    1.0 / (1.0 + (-sum).exp())
}

/// Fisher-Yates shuffle.
fn shuffle(order: &mut [usize], random: &mut Random) {
    for at in (1..order.len()).rev() {
        order.swap(at, (random.next() % (at as u64 + 1)) as usize);
    }
}
