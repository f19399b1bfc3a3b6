//! What the address of a link tells about the text around it.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use html5ever::local_name;

use crate::extract::html::tree::Element;

/// Where the links of a block lead: a set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Targets(pub(crate) u8);

impl Targets {
    /// A place on the same page.
    pub(crate) const ANCHOR: Self = Self(1);
    /// A mail program, a telephone.
    pub(crate) const CONTACT: Self = Self(1 << 1);
    pub(crate) const AUTHOR: Self = Self(1 << 2);
    /// A tag, a category, a search.
    pub(crate) const TAG: Self = Self(1 << 3);
    /// A form that shares the page.
    pub(crate) const SHARE: Self = Self(1 << 4);
    pub(crate) const SCRIPT: Self = Self(1 << 5);
    pub(crate) const EXTERNAL: Self = Self(1 << 6);
    pub(crate) const INTERNAL: Self = Self(1 << 7);

    pub(crate) fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What parts of an address say where it leads. Of several the first list counts.
const PARTS: &[(Targets, &[&str])] = &[
    (
        Targets::SHARE,
        &[
            "sharer",
            "/share?",
            "/share/",
            "intent/tweet",
            "sharearticle",
            "shareArticle",
            "share-offsite",
            "api.whatsapp",
            "wa.me/?",
            "submit?url",
            "pin/create",
        ],
    ),
    (
        Targets::AUTHOR,
        &[
            "/author",
            "/autor",
            "/profile",
            "/by/",
            "/people/",
            "/staff/",
            "/journalist",
            "/contributor",
            "/redaktion",
            "/yazar",
        ],
    ),
    (
        Targets::TAG,
        &[
            "/tag/",
            "/tags/",
            "/category/",
            "/categories/",
            "/topic/",
            "/topics/",
            "/search",
            "/kategorie",
            "/thema/",
            "/themen/",
            "/hashtag/",
            "?tag=",
            "?cat=",
            "/label/",
        ],
    ),
];

/// [`PARTS`] as one automaton, with the list that each part is of: every link of a page is asked for all of them.
static FINDER: LazyLock<(AhoCorasick, Vec<usize>)> = LazyLock::new(|| {
    let parts =
        || PARTS.iter().enumerate().flat_map(|(list, (_, parts))| parts.iter().map(move |part| (list, part)));
    let finder =
        AhoCorasick::new(parts().map(|(_, part)| part)).expect("a few short words make a small automaton");
    (finder, parts().map(|(list, _)| list).collect())
});

/// What the parts of an address say.
fn named_target(href: &str) -> Option<Targets> {
    let (finder, lists) = &*FINDER;
    let list = finder.find_overlapping_iter(href).map(|found| lists[found.pattern().as_usize()]).min()?;
    Some(PARTS[list].0)
}

/// Where a link on a page of `host` leads.
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
