//! Hashes of texts, names and paths. Stored counts of a host's pages depend on them: they must never change.

use std::hash::Hasher;

/// Combines two hashes; the order matters.
pub(crate) fn mix(seed: u64, value: u64) -> u64 {
    // The finaliser of SplitMix64: cheap, and every input bit flips each output bit with probability one half.
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

/// A hasher for maps whose keys are already hashes.
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

/// Returns whether a character is a space or punctuation beyond ASCII, roughly: these vary between editors and templates.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{80}'..='\u{bf}' | '\u{2000}'..='\u{206f}' | '\u{3000}'..='\u{303f}' | '\u{ff00}'..='\u{ff0f}')
}

/// Hashes a text's letters, ignoring ASCII case, spaces, punctuation and the values of numbers.
pub(crate) fn hash_text(text: &str) -> u64 {
    let mut hash = TextHash::default();
    text.chars().for_each(|c| hash.add(c));
    hash.finish()
}

/// Incremental [`hash_text`], character by character.
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

/// Hashes a class or id without its digits, which may count posts.
pub(crate) fn name_hash(name: &str) -> u64 {
    hash_bytes(name.bytes().filter(|byte| !byte.is_ascii_digit()))
}
