//! Classifies links by their addresses.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use bitflags::{Flags, bitflags};
use html5ever::local_name;

use crate::extract::html::tree::Element;
use crate::extract::words::classes::CLASSES;

bitflags! {
    /// Where the links of a block lead.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Targets: u8 {
        /// A place on the same page.
        const ANCHOR = 1;
        /// A mail program, a telephone.
        const CONTACT = 1 << 1;
        const AUTHOR = 1 << 2;
        /// A tag, a category, a search.
        const TAG = 1 << 3;
        /// An address for sharing the page.
        const SHARE = 1 << 4;
        const SCRIPT = 1 << 5;
        const EXTERNAL = 1 << 6;
        const INTERNAL = 1 << 7;
    }
}

impl Targets {
    pub(crate) const COUNT: usize = Self::FLAGS.len();
}

/// One automaton for all known parts of addresses, with the target of each: every link of a page is searched for all of them.
static FINDER: LazyLock<(AhoCorasick, Vec<(usize, Targets)>)> = LazyLock::new(|| {
    let addresses = &CLASSES.addresses;
    let lists = [
        (Targets::SHARE, &addresses.share),
        (Targets::AUTHOR, &addresses.author),
        (Targets::TAG, &addresses.tag),
    ];
    let parts = || {
        let numbered = lists.iter().enumerate();
        numbered.flat_map(|(list, (target, parts))| parts.iter().map(move |part| (part, (list, *target))))
    };
    let finder =
        AhoCorasick::new(parts().map(|(part, _)| part)).expect("a few short words make a small automaton");
    (finder, parts().map(|(_, meaning)| meaning).collect())
});

/// Returns the target that the known parts of an address name; of several, the one from the first list.
fn named_target(href: &str) -> Option<Targets> {
    let (finder, meanings) = &*FINDER;
    let found = finder.find_overlapping_iter(href).map(|found| meanings[found.pattern().as_usize()]);
    found.min_by_key(|(list, _)| *list).map(|(_, target)| target)
}

/// Returns where a link on a page of `host` leads.
pub(crate) fn target_of(link: &Element, host: &str) -> Targets {
    let Some(href) = link.attribute(&local_name!("href")).map(str::trim) else { return Targets::ANCHOR };
    if let Some(relation) = link.attribute(&local_name!("rel")) {
        if relation.contains("author") {
            return Targets::AUTHOR;
        }
        if relation.split_ascii_whitespace().any(|word| word == "tag" || word == "category") {
            return Targets::TAG;
        }
    }
    let begins =
        |scheme: &str| href.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if href.starts_with('#') || href.is_empty() {
        Targets::ANCHOR
    } else if begins("javascript:") {
        Targets::SCRIPT
    } else if begins("mailto:") || begins("tel:") {
        Targets::CONTACT
    } else if let Some(target) = named_target(href) {
        target
    } else if begins("http") || href.starts_with("//") {
        let authority = href.split("//").nth(1).unwrap_or_default();
        let authority = authority.split(['/', '?', '#', ':']).next().unwrap_or_default();
        if bare(authority).eq_ignore_ascii_case(bare(host)) { Targets::INTERNAL } else { Targets::EXTERNAL }
    } else {
        Targets::INTERNAL
    }
}

fn bare(host: &str) -> &str {
    host.strip_prefix("www.").unwrap_or(host)
}
