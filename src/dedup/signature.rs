//! MinHash and its locality-sensitive bands.
//!
//! With a Jaccard similarity of s, two texts agree in one minimum with probability s, in a band of three minima with s³,
//! and in at least one of 42 bands with 1 - (1 - s³)⁴²: half of the pairs at s = .25, nearly all from .45. Bands only
//! select candidates; the verdict counts shingles.

use super::shingles::{Shingles, mix};

const BANDS: usize = 42;
const ROWS: usize = 3;

/// Multipliers and addends of the permutations: the odd and even terms of the splitmix64 sequence. They must never change:
/// the stored signatures were made with them.
const PERMUTATIONS: [(u64, u64); BANDS * ROWS] = permutations();

const fn permutations() -> [(u64, u64); BANDS * ROWS] {
    let mut permutations = [(0, 0); BANDS * ROWS];
    let mut state: u64 = 0;
    let mut i = 0;
    while i < permutations.len() {
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let multiplier = mix(state) | 1;
        state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        permutations[i] = (multiplier, mix(state));
        i += 1;
    }
    permutations
}

/// Returns the bands of a text's signature.
pub(super) fn bands(shingles: &Shingles) -> Vec<u64> {
    let mut minima = [u32::MAX; BANDS * ROWS];
    for shingle in shingles.hashes() {
        for (minimum, (multiplier, addend)) in minima.iter_mut().zip(&PERMUTATIONS) {
            let permuted = shingle.wrapping_mul(*multiplier).wrapping_add(*addend);
            *minimum = ((permuted >> 32) as u32).min(*minimum);
        }
    }
    minima
        .chunks_exact(ROWS)
        .zip(0_u64..)
        .map(|(rows, band)| {
            rows.iter().fold(mix(band + 1), |hash, row| mix(hash.rotate_left(11) ^ u64::from(*row)))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bands_of_a_text_never_change() {
        let shingles = Shingles::of("the quick brown fox jumps over the lazy dog and runs away");
        let bands = bands(&shingles);
        assert_eq!(bands.len(), BANDS);
        assert_eq!(
            bands[..3],
            [6_711_305_138_621_108_882, 15_623_448_680_898_645_163, 9_352_628_190_591_882_220]
        );
    }
}
