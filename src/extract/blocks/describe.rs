//! Derives traits of an element from its class names, id, role and tag.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use html5ever::{Attribute, LocalName, local_name};

use super::hash::{hash_bytes, mix, name_hash};
use crate::extract::html::elements::hides;
use crate::extract::html::tree::Element;
use crate::extract::words::classes::{NameToken, Traits, traits_of_names};

/// What is derived from an element's attributes and tag.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Described {
    /// The element's own traits.
    pub(crate) traits: Traits,
    /// Hashes of its class and id, for the path hash.
    pub(crate) class: Option<u64>,
    pub(crate) id: Option<u64>,
    /// The tokens of class and id.
    pub(crate) tokens: [Tokens; 2],
}

/// The range of a name's tokens in [`super::Document::tokens`].
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tokens {
    pub(crate) start: u32,
    pub(crate) end: u32,
}

/// A cache of the meaning of this page's names: pages repeat their class names.
#[derive(Default)]
pub(crate) struct Lexicon<'a> {
    known: HashMap<&'a str, Name, RandomState>,
    /// The concatenated tokens of all known names.
    pub(crate) tokens: Vec<NameToken>,
}

/// What is derived from a class or an id.
#[derive(Clone, Copy)]
struct Name {
    traits: Traits,
    hash: u64,
    tokens: Tokens,
}

/// Maximum number of cached names: a page with more of them does not repeat them.
const MAX_KNOWN: usize = 10_000;

impl<'a> Lexicon<'a> {
    /// Describes an element by its tag and attributes.
    pub(crate) fn describe(&mut self, element: &'a Element) -> Described {
        let mut traits = traits_of_tag(&element.name.local);
        let (mut class, mut id, mut tokens) = (None, None, [Tokens::default(); 2]);
        for Attribute { name, value } in &element.attrs {
            traits.insert(match name.local {
                local_name!("class") => self.look_up(value, &mut class, &mut tokens[0]),
                local_name!("id") => self.look_up(value, &mut id, &mut tokens[1]),
                local_name!("role") => traits_of_role(value),
                local_name!("itemprop") => traits_of_property(value),
                local_name!("hidden") => Traits::HIDDEN,
                local_name!("style") if hides(value) => Traits::HIDDEN,
                local_name!("aria-hidden") if &**value == "true" => Traits::HIDDEN,
                _ => Traits::empty(),
            });
        }
        Described { traits, class, id, tokens }
    }

    fn look_up(&mut self, names: &'a str, hash: &mut Option<u64>, tokens: &mut Tokens) -> Traits {
        let name = if self.known.len() < MAX_KNOWN {
            let tokens = &mut self.tokens;
            *self.known.entry(names).or_insert_with(|| Name::new(names, tokens))
        } else {
            self.known
                .get(names)
                .copied()
                .unwrap_or_else(|| Name { tokens: Tokens::default(), ..Name::new(names, &mut Vec::new()) })
        };
        if hash.is_none() {
            (*hash, *tokens) = (Some(name.hash), name.tokens);
        }
        name.traits
    }
}

impl Name {
    fn new(names: &str, tokens: &mut Vec<NameToken>) -> Self {
        let place = |tokens: &Vec<NameToken>| u32::try_from(tokens.len()).unwrap_or(u32::MAX);
        let start = place(tokens);
        let traits = traits_of_names(names, |token| tokens.push(token));
        Self { traits, hash: name_hash(names), tokens: Tokens { start, end: place(tokens) } }
    }
}

/// Returns the path hash of an element below a container with path hash `around`: tag, class and id are added.
pub(crate) fn path_hash(around: u64, tag: &LocalName, described: &Described) -> u64 {
    let names = [described.class, described.id].into_iter().flatten();
    names.fold(mix(around, hash_bytes(tag.bytes())), mix)
}

fn traits_of_role(role: &str) -> Traits {
    match role {
        "navigation" | "menu" | "menubar" | "search" => Traits::NAV,
        "complementary" => Traits::SIDEBAR,
        "banner" => Traits::HEADER,
        "contentinfo" => Traits::FOOTER,
        "dialog" | "alertdialog" => Traits::CONSENT,
        "main" | "article" => Traits::CONTENT,
        "tablist" => Traits::TABS,
        _ => Traits::empty(),
    }
}

fn traits_of_property(property: &str) -> Traits {
    match property {
        "articleBody" => Traits::BODY,
        "author" | "creator" => Traits::AUTHOR,
        "datePublished" | "dateModified" | "dateCreated" => Traits::DATE,
        "caption" => Traits::CAPTION,
        "headline" | "name" => Traits::TITLE,
        "description" | "alternativeHeadline" => Traits::STANDFIRST,
        "comment" => Traits::COMMENT,
        "keywords" => Traits::TAGS,
        _ => Traits::empty(),
    }
}

fn traits_of_tag(tag: &LocalName) -> Traits {
    match *tag {
        local_name!("nav") | local_name!("menu") => Traits::NAV,
        local_name!("aside") => Traits::ASIDE,
        local_name!("footer") => Traits::FOOTER,
        local_name!("header") => Traits::HEADER,
        local_name!("form") | local_name!("fieldset") => Traits::FORM,
        local_name!("figure") => Traits::FIGURE,
        local_name!("figcaption") | local_name!("caption") => Traits::CAPTION,
        local_name!("article") => Traits::ARTICLE,
        local_name!("main") => Traits::CONTENT,
        local_name!("section") => Traits::SECTION,
        local_name!("blockquote") => Traits::QUOTE,
        local_name!("dialog") => Traits::CONSENT,
        local_name!("table") => Traits::TABLE,
        local_name!("ul") | local_name!("ol") | local_name!("dl") => Traits::LIST,
        local_name!("address") => Traits::AUTHOR,
        local_name!("time") => Traits::DATE,
        local_name!("a") => Traits::LINK,
        _ => Traits::empty(),
    }
}
