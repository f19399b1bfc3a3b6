//! Finds the blocks of a page that are contained in the body stated as a whole by the page or its feed.

use std::collections::HashSet;
use std::hash::BuildHasherDefault;

use crate::extract::blocks::Document;
use crate::extract::blocks::hash::Hashed;
use crate::extract::words::letters::letters;
use crate::work;

/// A body with no more bytes of letters is a teaser.
const LEAST_LETTERS: usize = 100;
/// Only this much of a block is searched for.
const LOOKED_FOR_BYTES: usize = 160;
/// The lengths in bytes that are compared: of each block the largest that it has. The body is scanned once for every length,
/// whereas a search for every block would scan it as often as the page has blocks.
const LENGTHS: &[usize] =
    &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 20, 24, 28, 32, 40, 48, 64, 96];

/// Returns whether the stated body contains each block; `None` if no body is stated. Only letters are compared, by hashes.
pub(crate) fn stated(document: &Document, body: Option<&str>) -> Option<Vec<bool>> {
    let body = body.map(letters).filter(|body| body.len() > LEAST_LETTERS)?;
    let keys: Vec<Option<(usize, u64)>> =
        document.blocks.iter().map(|block| key(document.text_of(block))).collect();
    let mut found: HashSet<(usize, u64), BuildHasherDefault<Hashed>> = HashSet::default();
    for (number, &length) in LENGTHS.iter().enumerate() {
        let wanted: HashSet<u64, BuildHasherDefault<Hashed>> =
            keys.iter().flatten().filter(|(of, _)| *of == number).map(|(_, hash)| *hash).collect();
        work::count(keys.len());
        if !wanted.is_empty() {
            work::count(body.len());
            let held = Windows::new(body.as_bytes(), length).filter(|hash| wanted.contains(hash));
            found.extend(held.map(|hash| (number, hash)));
        }
    }
    Some(keys.iter().map(|key| key.is_some_and(|key| found.contains(&key))).collect())
}

/// Returns the index in [`LENGTHS`] of the length that is compared of a block, and the hash of that part.
fn key(text: &str) -> Option<(usize, u64)> {
    let text = letters(&text[..text.floor_char_boundary(LOOKED_FOR_BYTES)]);
    let number = LENGTHS.partition_point(|length| *length <= text.len()).checked_sub(1)?;
    Some((number, Windows::new(text.as_bytes(), LENGTHS[number]).next()?))
}

/// Iterates over the rolling hashes of all windows of one length.
struct Windows<'a> {
    bytes: &'a [u8],
    length: usize,
    hash: u64,
    /// The factor of the byte that leaves the window.
    leaving: u64,
    end: usize,
}

const BASE: u64 = 0x9e37_79b9_7f4a_7c15;

impl<'a> Windows<'a> {
    fn new(bytes: &'a [u8], length: usize) -> Self {
        let add = |hash: u64, byte: &u8| hash.wrapping_mul(BASE).wrapping_add(u64::from(*byte) + 1);
        // All but the last byte of the first window.
        let hash = bytes.iter().take(length - 1).fold(0, add);
        let leaving = (1..length).fold(1_u64, |power, _| power.wrapping_mul(BASE));
        Self { bytes, length, hash, leaving, end: length }
    }
}

impl Iterator for Windows<'_> {
    type Item = u64;

    fn next(&mut self) -> Option<u64> {
        let entering = *self.bytes.get(self.end - 1)?;
        let hash = self.hash.wrapping_mul(BASE).wrapping_add(u64::from(entering) + 1);
        let left = self.bytes[self.end - self.length];
        self.hash = hash.wrapping_sub((u64::from(left) + 1).wrapping_mul(self.leaving));
        self.end += 1;
        // The low bits of a product depend only on the low bits of its factors.
        Some(hash ^ (hash >> 32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::blocks::plain::segment;

    #[test]
    fn a_body_holds_the_blocks_that_stand_in_it() {
        let body = "The ferries return. \u{201c}All of them\u{201d}, said the harbour master, who had waited for a month \
                    while the council argued over the pier. Häfen atmen auf.";
        let lines = [
            ("The ferries return", true),
            ("the FERRIES, return!", true),
            ("Häfen atmen auf", true),
            ("said the harbour master, who had waited for a month while the council argued over", true),
            ("said the harbour mistress, who had waited for a month while the council argued over", false),
            ("Read also", false),
            ("auf", true),
            ("-", false),
        ];
        let (document, _) = segment(&lines.map(|(line, _)| line).join("\n"));
        assert_eq!(stated(&document, Some(body)).unwrap(), lines.map(|(_, is_held)| is_held));
        assert_eq!(stated(&document, Some("Too short.")), None);
        assert_eq!(stated(&document, None), None);
    }
}
