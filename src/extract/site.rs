//! What the host's other pages tell: the hashes that stand for a block, and how they are counted.

use html5ever::local_name;
use scraper::node::Element;

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
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The path of `element` below a container of path `around`: tag, classes and id, without the digits that count posts.
pub(crate) fn path_hash(around: u64, element: &Element) -> u64 {
    let mut hash = mix(around, hash_bytes(element.name.local.bytes()));
    for (name, value) in &element.attrs {
        if name.local == local_name!("class") || name.local == local_name!("id") {
            hash = mix(hash, hash_bytes(value.bytes().filter(|byte| !byte.is_ascii_digit())));
        }
    }
    hash
}
