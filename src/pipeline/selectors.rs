//! Warns once about each of the operator's selectors that matches nothing: a redesigned site leaves outdated rules behind,
//! and nothing else would show it.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::model::SelectorUse;

/// Number of pages without a match after which a selector is reported.
const PAGES: u32 = 20;

/// The observations on each selector since the start, by its name.
#[derive(Debug, Default)]
pub struct SelectorWatch(Mutex<HashMap<String, Seen>>);

const HELD: &str = "no holder of this lock can panic";

#[derive(Debug)]
enum Seen {
    /// It has matched.
    Somewhere,
    /// It has matched on none of this many pages.
    Nowhere(u32),
}

impl SelectorWatch {
    /// Records which selectors matched on a page.
    pub fn note(&self, selectors: &[SelectorUse]) {
        for name in self.useless(selectors) {
            tracing::warn!(
                pages = PAGES,
                "{name} has matched nothing so far; hint: `feedmill extract --explain URL`"
            );
        }
    }

    /// Returns the selectors that have matched nothing, on `PAGES` pages or more.
    pub fn without_match(&self) -> Vec<String> {
        let seen = self.0.lock().expect(HELD);
        let is_useless = |seen: &Seen| matches!(seen, Seen::Nowhere(PAGES..));
        let mut names: Vec<String> =
            seen.iter().filter(|(_, seen)| is_useless(seen)).map(|(name, _)| name.clone()).collect();
        names.sort_unstable();
        names
    }

    /// Returns the selectors that have reached [`PAGES`] pages without a match just now.
    fn useless<'s>(&self, selectors: &'s [SelectorUse]) -> Vec<&'s str> {
        if selectors.is_empty() {
            return Vec::new();
        }
        let mut seen = self.0.lock().expect(HELD);
        let useless = selectors.iter().filter(|selector| {
            let seen = seen.entry(selector.name.clone()).or_insert(Seen::Nowhere(0));
            match seen {
                Seen::Somewhere => false,
                Seen::Nowhere(_) if selector.matches => {
                    *seen = Seen::Somewhere;
                    false
                }
                Seen::Nowhere(pages) => {
                    *pages = pages.saturating_add(1);
                    *pages == PAGES
                }
            }
        });
        useless.map(|selector| selector.name.as_str()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_selector_that_never_matches_is_told_of_once() {
        let watch = SelectorWatch::default();
        let page = |b: bool| {
            [("a", false), ("b", b)].map(|(name, matches)| SelectorUse { name: name.to_owned(), matches })
        };
        let told: Vec<Vec<String>> = (0..3 * PAGES)
            .map(|n| watch.useless(&page(n == 7)).into_iter().map(str::to_owned).collect())
            .collect();
        let at = usize::try_from(PAGES).unwrap() - 1;
        assert_eq!(told[at], ["a"]);
        assert_eq!(told.concat().len(), 1);
        assert_eq!(watch.without_match(), ["a"]);
    }
}
