//! Detects likely copies by fingerprints alone, where no texts are kept for comparison.

use std::collections::{HashMap, HashSet};

use crate::model::{Fingerprint, Sha256Hash};

/// The texts of one host seen so far.
#[derive(Debug, Default)]
pub struct Seen {
    /// The headlines under which each text was seen.
    titles_by_content: HashMap<Sha256Hash, HashSet<Option<String>>>,
    bands: HashSet<u64>,
}

impl Seen {
    /// Records a text and returns whether it is likely a copy of an earlier one: one common band is enough. The same text
    /// under another headline is not a copy, but a block that was wrongly chosen on both pages.
    pub fn is_copy(&mut self, title: Option<String>, fingerprint: &Fingerprint) -> bool {
        let titles = self.titles_by_content.entry(fingerprint.content_sha256).or_default();
        let (known_text, new_title) = (!titles.is_empty(), titles.insert(title));
        let mut shares_band = false;
        for band in &fingerprint.bands {
            shares_band |= !self.bands.insert(*band);
        }
        if known_text { !new_title } else { shares_band }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(text: &str, bands: &[u64]) -> Fingerprint {
        Fingerprint { content_sha256: Sha256Hash::of(text), bands: bands.to_vec(), comparable: true }
    }

    #[test]
    fn the_same_text_and_a_common_band_are_copies() {
        let mut seen = Seen::default();
        let title = |text: &str| Some(text.to_owned());
        assert!(!seen.is_copy(title("Storm"), &fingerprint("storm", &[1, 2])));
        assert!(seen.is_copy(title("Storm"), &fingerprint("storm", &[1, 2])), "told twice");
        assert!(seen.is_copy(title("A storm"), &fingerprint("the storm", &[2, 3])), "a band in common");
        assert!(!seen.is_copy(title("Flood"), &fingerprint("storm", &[1, 2])), "another headline");
        assert!(!seen.is_copy(title("Vote"), &fingerprint("vote", &[4])));
    }
}
