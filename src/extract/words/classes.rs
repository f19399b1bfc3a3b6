//! What the names of a box tell about it: a set of traits.
//!
//! Site builders of every country name their boxes in a handful of English words and a few of their own; the names
//! are cut into tokens and each token looked up. A trait is evidence, never a verdict: the model weighs it.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::tokens::TOKENS;
use foldhash::fast::RandomState;

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

/// Cuts `names` at whatever is no letter and at the humps of camel case, and adds up what the tokens tell.
pub(crate) fn traits_of_names(names: &str) -> Traits {
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
