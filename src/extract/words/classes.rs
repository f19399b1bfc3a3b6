//! What class names, ids, roles and tags tell about an element: a set of traits.
//!
//! Site builders of every country name their boxes in a handful of English words and a few of their own; the names
//! are cut into tokens and each token looked up. A trait is evidence, never a verdict: the model weighs it.

use std::collections::HashMap;
use std::sync::LazyLock;

use foldhash::fast::RandomState;
use html5ever::{Attribute, LocalName, local_name};

use super::tokens::TOKENS;
use crate::extract::evidence::host::name_hash;
use crate::extract::html::tree::Element;

/// A set of traits of an element.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Traits(pub(crate) u64);

macro_rules! traits {
    ($($name:ident = $bit:literal),* $(,)?) => {
        impl Traits { $(pub(crate) const $name: Self = Self(1 << $bit);)* }
        /// Every trait, by bit.
        pub(crate) const TRAIT_NAMES: &[&str] = &[$(stringify!($name)),*];
    };
}

traits! {
    COMMENT = 0, RELATED = 1, SHARE = 2, NAV = 3, AD = 4, NEWSLETTER = 5, AUTHOR = 6, META = 7, CAPTION = 8, FOOTER = 9,
    HEADER = 10, SIDEBAR = 11, CONSENT = 12, HIDDEN = 13, MEDIA = 14, FORM = 15, BODY = 16, CONTENT = 17, STANDFIRST = 18,
    TITLE = 19, ASIDE = 20, TAGS = 21, CARD = 22, LIST = 23, ARTICLE = 24, FIGURE = 25, QUOTE = 26, TABLE = 27, PRINT = 28,
    TOC = 29, WIDGET = 30, LINK = 31, DATE = 32, EMBED = 33, SECTION = 34, COOKIE = 35,
}

impl Traits {
    pub(crate) const NONE: Self = Self(0);
    /// Who wrote it and when.
    pub(crate) const CREDITS: Self = Self(Self::AUTHOR.0 | Self::DATE.0);

    pub(crate) fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    pub(crate) fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }
}

/// What an element's names and tag say.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Described {
    /// The traits that it has by itself.
    pub(crate) traits: Traits,
    /// Hashes of its class and id, for its path.
    pub(crate) class: Option<u64>,
    pub(crate) id: Option<u64>,
}

/// The lexicon with what it has told of this page's names: pages repeat their class names.
#[derive(Default)]
pub(crate) struct Lexicon<'a> {
    known: HashMap<&'a str, (Traits, u64), RandomState>,
}

/// A page that has more different names does not repeat them.
const MAX_KNOWN: usize = 10_000;

impl<'a> Lexicon<'a> {
    /// What an element says of itself.
    pub(crate) fn describe(&mut self, element: &'a Element) -> Described {
        let mut traits = traits_of_tag(&element.name.local);
        let (mut class, mut id) = (None, None);
        for Attribute { name, value } in &element.attrs {
            traits.insert(match name.local {
                local_name!("class") => self.look_up(value, &mut class),
                local_name!("id") => self.look_up(value, &mut id),
                local_name!("role") => traits_of_role(value),
                local_name!("itemprop") => traits_of_property(value),
                local_name!("hidden") => Traits::HIDDEN,
                local_name!("style") if hides(value) => Traits::HIDDEN,
                local_name!("aria-hidden") if &**value == "true" => Traits::HIDDEN,
                _ => Traits::NONE,
            });
        }
        Described { traits, class, id }
    }

    fn look_up(&mut self, names: &'a str, hash: &mut Option<u64>) -> Traits {
        let described = || (traits_of_names(names), name_hash(names));
        let (traits, hash_of_names) = if self.known.len() < MAX_KNOWN {
            *self.known.entry(names).or_insert_with(described)
        } else {
            self.known.get(names).copied().unwrap_or_else(described)
        };
        *hash = hash.or(Some(hash_of_names));
        traits
    }
}

/// Whether a style keeps its element from the reader's eyes.
pub(crate) fn hides(style: &str) -> bool {
    let after = |property: &str, value: &str| {
        let rest = style.split_once(property).map(|(_, rest)| rest.trim_start_matches([' ', ':']));
        rest.is_some_and(|rest| rest.starts_with(value))
    };
    after("display", "none") || after("visibility", "hidden")
}

fn traits_of_role(role: &str) -> Traits {
    match role {
        "navigation" | "menu" | "menubar" | "search" => Traits::NAV,
        "complementary" => Traits::SIDEBAR,
        "banner" => Traits::HEADER,
        "contentinfo" => Traits::FOOTER,
        "dialog" | "alertdialog" => Traits::CONSENT,
        "main" | "article" => Traits::CONTENT,
        _ => Traits::NONE,
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
        _ => Traits::NONE,
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
        _ => Traits::NONE,
    }
}

/// Cuts `names` at whatever is no letter and at the humps of camel case, and adds up what the tokens tell.
fn traits_of_names(names: &str) -> Traits {
    let mut traits = Traits::NONE;
    let mut token = Token::default();
    let mut previous = Traits::NONE;
    let mut last = [0_u8; 1];
    for byte in names.bytes() {
        let hump = byte.is_ascii_uppercase() && last[0].is_ascii_lowercase();
        if hump || !byte.is_ascii_alphabetic() {
            token.finish(&mut traits, &mut previous, byte.is_ascii_whitespace());
        }
        if byte.is_ascii_alphabetic() {
            token.push(byte.to_ascii_lowercase());
        }
        last[0] = byte;
    }
    token.finish(&mut traits, &mut previous, true);
    traits
}

/// [`TOKENS`] by token.
static TRAITS_OF_TOKEN: LazyLock<HashMap<&[u8], Traits, RandomState>> = LazyLock::new(|| {
    TOKENS
        .iter()
        .flat_map(|(traits, tokens)| tokens.iter().map(|token| (token.as_bytes(), *traits)))
        .collect()
});

/// The longest token that any entry of the lexicon has.
const MAX_TOKEN: usize = 20;

#[derive(Default)]
struct Token {
    bytes: [u8; MAX_TOKEN],
    length: usize,
}

impl Token {
    fn push(&mut self, byte: u8) {
        if self.length < MAX_TOKEN {
            self.bytes[self.length] = byte;
        }
        self.length += 1;
    }

    /// Looks the token up. `previous` is what the token before it in the same name gave: `article` and `body`, side by
    /// side, name the body of the article, each alone says little.
    fn finish(&mut self, traits: &mut Traits, previous: &mut Traits, end_of_name: bool) {
        if self.length > 0 {
            let found = if self.length <= MAX_TOKEN {
                TRAITS_OF_TOKEN.get(&self.bytes[..self.length]).copied().unwrap_or(Traits::NONE)
            } else {
                Traits::NONE
            };
            let is_text = found.intersects(Traits::CONTENT);
            if is_text && previous.intersects(Traits::CONTENT) {
                traits.insert(Traits::BODY);
            }
            traits.insert(found);
            *previous = found;
            self.length = 0;
        }
        if end_of_name {
            *previous = Traits::NONE;
        }
    }
}
