//! The hashes that stand for texts, names and paths. Stored counts of a host's pages depend on them: they never change.

use std::hash::Hasher;

/// Joins two hashes; the order matters.
pub(crate) fn mix(seed: u64, value: u64) -> u64 {
    // The finaliser of SplitMix64: cheap, and every bit of the input moves half of the output.
    let mut mixed = seed.rotate_left(23) ^ value.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

/// FNV-1a over bytes. Stored counts depend on it: it must never change.
pub(crate) fn hash_bytes(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(HASH_SEED, |hash, byte| step(hash, u64::from(byte)))
}

pub(crate) const HASH_SEED: u64 = 0xcbf2_9ce4_8422_2325;

fn step(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x0100_0000_01b3)
}

/// For maps whose keys are hashes already.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hashed(u64);

impl Hasher for Hashed {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        self.0 = mix(self.0, hash_bytes(bytes.iter().copied()));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }
}

/// Spaces and punctuation beyond ASCII, roughly: what editors and templates vary.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{bf}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}')
}

/// Hash of a text's letters: case in ASCII, spaces, punctuation and the value of numbers make no difference.
pub(crate) fn hash_text(text: &str) -> u64 {
    let mut hash = TextHash::default();
    text.chars().for_each(|c| hash.add(c));
    hash.finish()
}

/// [`hash_text`], character by character.
pub(crate) struct TextHash {
    hash: u64,
    in_number: bool,
}

impl Default for TextHash {
    fn default() -> Self {
        Self { hash: HASH_SEED, in_number: false }
    }
}

impl TextHash {
    #[inline]
    pub(crate) fn add(&mut self, c: char) {
        let was_in_number = std::mem::replace(&mut self.in_number, c.is_ascii_digit());
        if c.is_ascii_alphabetic() {
            self.hash = step(self.hash, u64::from(c.to_ascii_lowercase()));
        } else if self.in_number {
            if !was_in_number {
                self.hash = step(self.hash, u64::from(b'#'));
            }
        } else if !c.is_ascii() && !is_mark(c) {
            self.hash = step(self.hash, u64::from(c));
        }
    }

    pub(crate) fn finish(self) -> u64 {
        self.hash
    }
}

/// Hash of a class or id, without the digits that count posts.
pub(crate) fn name_hash(name: &str) -> u64 {
    hash_bytes(name.bytes().filter(|byte| !byte.is_ascii_digit()))
}
