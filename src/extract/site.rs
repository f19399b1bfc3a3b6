//! What the host's other pages tell: the hashes that stand for a block, and how they are counted.

use std::hash::Hasher;

use html5ever::LocalName;

use super::SiteEvidence;
use super::blocks::{Block, Document};
use super::choose::Fate;
use super::lexicon::Described;
use crate::model::BlockHash;

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

const HASH_SEED: u64 = 0xcbf2_9ce4_8422_2325;

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
    let mut hash = HASH_SEED;
    let mut in_number = false;
    for c in text.chars() {
        let is_digit = c.is_ascii_digit();
        if is_digit && in_number {
            continue;
        }
        in_number = is_digit;
        if is_digit {
            hash = step(hash, u64::from(b'#'));
        } else if c.is_ascii_alphabetic() {
            hash = step(hash, u64::from(c.to_ascii_lowercase()));
        } else if !c.is_ascii() && !is_mark(c) {
            hash = step(hash, u64::from(c));
        }
    }
    hash
}

/// Hash of a class or id, without the digits that count posts.
pub(crate) fn name_hash(name: &str) -> u64 {
    hash_bytes(name.bytes().filter(|byte| !byte.is_ascii_digit()))
}

/// The path of an element below a container of path `around`: tag, classes and id.
pub(crate) fn path_hash(around: u64, tag: &LocalName, described: &Described) -> u64 {
    let names = [described.class, described.id].into_iter().flatten();
    names.fold(mix(around, hash_bytes(tag.bytes())), mix)
}

/// What a hash stands for; part of the hash.
#[derive(Clone, Copy)]
enum Domain {
    /// The text of a block, digits masked.
    Text = 1,
    /// A path on which blocks of the article hang.
    BodyPath = 2,
    /// A path on which only furniture hangs.
    FurniturePath = 3,
}

fn block_hash(domain: Domain, value: u64) -> BlockHash {
    BlockHash(mix(domain as u64, value))
}

fn text_hash(block: &Block) -> BlockHash {
    block_hash(Domain::Text, block.text_hash)
}

fn path_of(document: &Document, block: &Block) -> u64 {
    document.containers[block.container].path
}

/// Probabilities that teach: a page whose own judgement wavers says nothing about its site.
const SURE_BODY: f32 = 0.75;
const SURE_FURNITURE: f32 = 0.2;

/// The hashes that a page adds to its host's counts, each once.
pub(crate) fn block_hashes(document: &Document, fates: &[Fate]) -> Vec<BlockHash> {
    let mut hashes = Vec::with_capacity(document.blocks.len() * 2);
    for (block, fate) in document.blocks.iter().zip(fates) {
        hashes.push(text_hash(block));
        if fate.kept && fate.probability > SURE_BODY {
            hashes.push(block_hash(Domain::BodyPath, path_of(document, block)));
        } else if !fate.kept && fate.probability < SURE_FURNITURE {
            hashes.push(block_hash(Domain::FurniturePath, path_of(document, block)));
        }
    }
    hashes.sort_unstable();
    hashes.dedup();
    hashes
}

/// What the host's other pages say of a block.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Standing {
    /// Its text stands on several of them.
    pub(crate) is_repeated: bool,
    /// How far the block's log-odds move.
    pub(crate) shift: f32,
}

impl Standing {
    pub(crate) const UNKNOWN: Self = Self { is_repeated: false, shift: 0.0 };
}

/// A text on so many distinct articles is the site's: one other could be the article's own earlier revision.
const REPEATED: u32 = 2;
/// How far a repeated text moves the log-odds: no model is so sure that it could stay.
const REPEATED_SHIFT: f32 = -6.0;
/// How far a path moves them for each unit of its own log-odds, and at most.
const PATH_WEIGHT: f32 = 0.5;
const PATH_LIMIT: f32 = 1.5;
/// Fewer articles than this say nothing about a path.
const PATH_LEAST: u32 = 3;

/// Weighs the host's counts for one block.
pub(crate) fn standing(document: &Document, block: &Block, evidence: &SiteEvidence) -> Standing {
    let count = |hash: BlockHash| evidence.articles_by_block.get(&hash).copied().unwrap_or_default();
    if count(text_hash(block)) >= REPEATED {
        return Standing { is_repeated: true, shift: REPEATED_SHIFT };
    }
    let path = path_of(document, block);
    let (body, furniture) =
        (count(block_hash(Domain::BodyPath, path)), count(block_hash(Domain::FurniturePath, path)));
    if body + furniture < PATH_LEAST {
        return Standing::UNKNOWN;
    }
    let odds = ((body as f32 + 0.5) / (furniture as f32 + 0.5)).ln();
    Standing { is_repeated: false, shift: (odds * PATH_WEIGHT).clamp(-PATH_LIMIT, PATH_LIMIT) }
}
