//! Logistic regression on yes-or-no facts, by AdaGrad.

use crate::random::Random;

/// A block: which facts hold, whether it is the article's, and how much it weighs.
pub(super) struct Example<'a> {
    pub(super) features: &'a [u16],
    pub(super) is_article: bool,
    pub(super) weight: f32,
}

/// What is fitted: a weight a fact, and what is added to every sum.
#[derive(Clone)]
pub(super) struct Coefficients {
    pub(super) bias: f32,
    pub(super) weights: Vec<f32>,
}

const RATE: f32 = 0.06;
const L2: f32 = 0.01;
const EPOCHS: usize = 12;

impl Coefficients {
    /// Fits `size` coefficients. The examples are visited in an order of no meaning, the same in every run.
    pub(super) fn fit(examples: &[Example<'_>], size: usize) -> Self {
        let mut fitted = Self { bias: 0.0, weights: vec![0.0; size] };
        let mut squares = vec![1e-6_f32; size + 1];
        let mean = examples.iter().map(|example| example.weight).sum::<f32>() / examples.len().max(1) as f32;
        let mut order: Vec<usize> = (0..examples.len()).collect();
        let mut random = Random::default();
        for _ in 0..EPOCHS {
            shuffle(&mut order, &mut random);
            for &at in &order {
                let example = &examples[at];
                let target = f32::from(u8::from(example.is_article));
                let slope = (fitted.probability(example.features) - target) * example.weight / mean;
                let step = |value: &mut f32, square: &mut f32, decay: f32| {
                    let gradient = slope + decay * *value;
                    *square += gradient * gradient;
                    *value -= RATE * gradient / square.sqrt();
                };
                for &feature in example.features {
                    let feature = usize::from(feature);
                    step(&mut fitted.weights[feature], &mut squares[feature], L2);
                }
                step(&mut fitted.bias, &mut squares[size], 0.0);
            }
        }
        fitted
    }

    pub(super) fn probability(&self, features: &[u16]) -> f32 {
        let sum: f32 = features.iter().map(|&feature| self.weights[usize::from(feature)]).sum();
        1.0 / (1.0 + (-(sum + self.bias)).exp())
    }
}

/// Fisher and Yates.
fn shuffle(order: &mut [usize], random: &mut Random) {
    for at in (1..order.len()).rev() {
        order.swap(at, (random.next() % (at as u64 + 1)) as usize);
    }
}
