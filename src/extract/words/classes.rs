//! Derives traits from the names of a box: its classes and ids.
//!
//! Site builders of every country name their boxes with a small set of English words and a few of their own. The names
//! are split into tokens and each token looked up. A trait is evidence, never a verdict: the model weighs it.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::LazyLock;

use bitflags::{Flags, bitflags};
use foldhash::fast::RandomState;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde::de::value;

bitflags! {
    /// Traits of an element according to its names, tag and attributes.
    #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
    pub(crate) struct Traits: u64 {
        const COMMENT = 1 << 0;
        const RELATED = 1 << 1;
        const SHARE = 1 << 2;
        const NAV = 1 << 3;
        const AD = 1 << 4;
        const NEWSLETTER = 1 << 5;
        const AUTHOR = 1 << 6;
        const META = 1 << 7;
        const CAPTION = 1 << 8;
        const FOOTER = 1 << 9;
        const HEADER = 1 << 10;
        const SIDEBAR = 1 << 11;
        const CONSENT = 1 << 12;
        const HIDDEN = 1 << 13;
        const MEDIA = 1 << 14;
        const FORM = 1 << 15;
        const BODY = 1 << 16;
        const CONTENT = 1 << 17;
        const STANDFIRST = 1 << 18;
        const TITLE = 1 << 19;
        const ASIDE = 1 << 20;
        const TAGS = 1 << 21;
        const CARD = 1 << 22;
        const LIST = 1 << 23;
        const ARTICLE = 1 << 24;
        const FIGURE = 1 << 25;
        const QUOTE = 1 << 26;
        const TABLE = 1 << 27;
        const PRINT = 1 << 28;
        const TOC = 1 << 29;
        const WIDGET = 1 << 30;
        const LINK = 1 << 31;
        const DATE = 1 << 32;
        const EMBED = 1 << 33;
        const SECTION = 1 << 34;
        const COOKIE = 1 << 35;
        const TABS = 1 << 36;
    }
}

impl Traits {
    /// Author and date.
    pub(crate) const CREDITS: Self = Self::AUTHOR.union(Self::DATE);
    pub(crate) const COUNT: usize = Self::FLAGS.len();

    /// Returns the name of the trait with the number `bit`, in capitals.
    pub(crate) fn name(bit: usize) -> &'static str {
        Self::FLAGS[bit].name()
    }

    /// Returns the trait of a name in lower case.
    fn named(name: &str) -> Option<Self> {
        Self::from_name(&name.to_ascii_uppercase())
    }
}

/// The kind of content that an element's name indicates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Role {
    /// The author's name.
    Author,
    /// A box about the author, which may contain the name among other text.
    Portrait,
    Date,
    /// The date of a change.
    Modified,
    /// A menu or a box with other articles.
    Furniture,
    /// Reader comments.
    Comments,
}

/// The format of `config/words/classes.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    traits: BTreeMap<String, BTreeMap<String, Vec<String>>>,
    roles: BTreeMap<Role, Vec<String>>,
    headings: Headings,
    addresses: Addresses,
}

/// Words in the class names of headings.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Headings {
    /// Class words of an element inside a heading that holds the headline proper.
    pub(crate) proper: Vec<String>,
    /// Class words of an element that holds something beside the headline.
    pub(crate) beside: Vec<String>,
    /// Class words for an article and for a title: one of each marks the heading of an article.
    pub(crate) article: Vec<String>,
    pub(crate) title: Vec<String>,
    /// Class words of the site's name.
    pub(crate) site: Vec<String>,
}

/// Parts of URLs that tell where a link leads.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Addresses {
    pub(crate) share: Vec<String>,
    pub(crate) author: Vec<String>,
    pub(crate) tag: Vec<String>,
    /// Names of the path segment before that of an author's page.
    pub(crate) author_folders: Vec<String>,
    /// Parts of the URLs of frames with a media player.
    pub(crate) player: Vec<String>,
}

/// The meaning of a word in a name.
#[derive(Clone, Copy, Debug, Default)]
struct Word {
    traits: Traits,
    role: Option<Role>,
}

/// The shipped words in names.
pub(crate) struct Classes {
    words: HashMap<Box<[u8]>, Word, RandomState>,
    pub(crate) headings: Headings,
    pub(crate) addresses: Addresses,
}

/// The words of `config/words/classes.toml`.
pub(crate) static CLASSES: LazyLock<Classes> = LazyLock::new(|| {
    let file = include_str!("../../../config/words/classes.toml");
    Classes::parse(file).expect("the shipped class words are tested")
});

impl Classes {
    fn parse(file: &str) -> Result<Self, String> {
        let file: File = toml::from_str(file).map_err(|error| error.to_string())?;
        let mut words = HashMap::default();
        let mut add = |word: &str, meaning: Word| match words.insert(word.as_bytes().into(), meaning) {
            Some(_) => Err(format!("{word}: stands there twice")),
            None => Ok(()),
        };
        for (name, lists) in &file.traits {
            let traits = Traits::named(name).ok_or_else(|| format!("{name}: no such trait"))?;
            for (list, of_list) in lists {
                let role = (list != "words").then(|| Role::deserialize(list.as_str().into_deserializer()));
                let role = role.transpose().map_err(|error: value::Error| error.to_string())?;
                of_list.iter().try_for_each(|word| add(word, Word { traits, role }))?;
            }
        }
        for (&role, of_role) in &file.roles {
            let meaning = Word { role: Some(role), ..Word::default() };
            of_role.iter().try_for_each(|word| add(word, meaning))?;
        }
        Ok(Self { words, headings: file.headings, addresses: file.addresses })
    }

    /// Returns the role of a lower-case word in an element's name.
    pub(crate) fn role(&self, word: &[u8]) -> Option<Role> {
        self.words.get(word)?.role
    }
}

/// A lower-case token of a name: its first twelve letters, five bits each. It therefore needs no allocation and can be
/// converted back to text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NameToken(u64);

impl NameToken {
    const LETTERS: usize = 12;
    const BITS: usize = 5;
    /// The byte before `a`, so that no letter is encoded as 0.
    const BEFORE_FIRST: u8 = b'a' - 1;

    /// Creates the token of lower-case `letters`.
    fn new(letters: &[u8]) -> Self {
        let letters = letters.iter().take(Self::LETTERS);
        Self(letters.fold(0, |token, letter| token << Self::BITS | u64::from(letter - Self::BEFORE_FIRST)))
    }

    /// Returns the token spelled `word`; `None` if `word` is not a possible token.
    pub(crate) fn spelled(word: &str) -> Option<Self> {
        let is_token = (1..=Self::LETTERS).contains(&word.len())
            && word.bytes().all(|letter| letter.is_ascii_lowercase());
        is_token.then(|| Self::new(word.as_bytes()))
    }
}

impl fmt::Display for NameToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for place in (0..Self::LETTERS).rev() {
            let letter = self.0 >> (place * Self::BITS) & ((1 << Self::BITS) - 1);
            if letter > 0 {
                let letter = u8::try_from(letter).expect("five bits fit in eight");
                write!(f, "{}", char::from(Self::BEFORE_FIRST + letter))?;
            }
        }
        Ok(())
    }
}

/// Splits `names` at non-letters and at camel-case boundaries and returns the union of the tokens' traits. Calls `seen` with
/// each token.
pub(crate) fn traits_of_names(names: &str, mut seen: impl FnMut(NameToken)) -> Traits {
    let mut traits = Traits::empty();
    let mut token = Token::default();
    let mut previous = Traits::empty();
    let mut last = [0_u8; 1];
    for byte in names.bytes() {
        let hump = byte.is_ascii_uppercase() && last[0].is_ascii_lowercase();
        if hump || !byte.is_ascii_alphabetic() {
            token.finish(&mut traits, &mut previous, byte.is_ascii_whitespace(), &mut seen);
        }
        if byte.is_ascii_alphabetic() {
            token.push(byte.to_ascii_lowercase());
        }
        last[0] = byte;
    }
    token.finish(&mut traits, &mut previous, true, &mut seen);
    traits
}

/// Maximum length of a token in the word list.
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

    /// Looks the token up. `previous` holds the traits of the preceding token of the same name: `article` and `body` together
    /// name the body of the article, while each alone says little.
    fn finish(
        &mut self,
        traits: &mut Traits,
        previous: &mut Traits,
        end_of_name: bool,
        seen: &mut impl FnMut(NameToken),
    ) {
        if self.length > 0 {
            seen(NameToken::new(&self.bytes[..self.length.min(MAX_TOKEN)]));
            let found = if self.length <= MAX_TOKEN {
                CLASSES.words.get(&self.bytes[..self.length]).map_or(Traits::empty(), |word| word.traits)
            } else {
                Traits::empty()
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
            *previous = Traits::empty();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_words_are_read() {
        assert_eq!(CLASSES.role(b"byline"), Some(Role::Author));
        assert_eq!(CLASSES.role(b"yazar"), Some(Role::Author));
        assert_eq!(CLASSES.role(b"bios"), None);
        let traits = |names| traits_of_names(names, |_| {});
        assert_eq!(traits("post-authorName"), Traits::CONTENT | Traits::AUTHOR);
        assert!(traits("articleBody").contains(Traits::BODY));
        assert!(CLASSES.words.keys().all(|word| word.len() <= MAX_TOKEN));
    }

    #[test]
    fn a_token_is_spelled_as_it_stands_in_its_name() {
        let mut tokens = Vec::new();
        traits_of_names("post-authorName az_2 recommendations", |token| tokens.push(token.to_string()));
        assert_eq!(tokens, ["post", "author", "name", "az", "recommendati"]);
        assert_eq!(NameToken::spelled("author").unwrap().to_string(), "author");
    }

    #[test]
    fn a_word_stands_once_and_a_trait_is_known() {
        let rest = "[roles]\n[headings]\nproper = []\nbeside = []\narticle = []\ntitle = []\nsite = []\n[addresses]\nshare = []\n\
                    author = []\ntag = []\nauthor_folders = []\nplayer = []\n";
        let error = |traits: &str| Classes::parse(&format!("{traits}\n{rest}")).err().unwrap_or_default();
        assert_eq!(error("[traits.nav]\nwords = ['menu']\nfurniture = ['menu']"), "menu: stands there twice");
        assert_eq!(error("[traits.navigation]\nwords = []"), "navigation: no such trait");
        assert!(error("[traits.nav]\nword = []").contains("unknown variant `word`"));
    }
}
