//! What the address of a link tells about the text around it.

use html5ever::local_name;

use super::tree::Element;

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
    let holds = |parts: &[&str]| parts.iter().any(|part| href.contains(part));
    let begins =
        |scheme: &str| href.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    if href.starts_with('#') || href.is_empty() {
        Targets::ANCHOR
    } else if begins("javascript:") {
        Targets::SCRIPT
    } else if begins("mailto:") || begins("tel:") {
        Targets::CONTACT
    } else if holds(&[
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
    ]) {
        Targets::SHARE
    } else if holds(&[
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
    ]) {
        Targets::AUTHOR
    } else if holds(&[
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
    ]) {
        Targets::TAG
    } else if begins("http") || href.starts_with("//") {
        let authority = href.split("//").nth(1).unwrap_or_default();
        let authority = authority.split(['/', '?', '#', ':']).next().unwrap_or_default();
        let bare = |host: &str| host.strip_prefix("www.").unwrap_or(host).to_ascii_lowercase();
        if bare(authority) == bare(host) { Targets::INTERNAL } else { Targets::EXTERNAL }
    } else {
        Targets::INTERNAL
    }
}
