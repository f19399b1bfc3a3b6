//! What kind of page it declares itself to be: an article, a forum thread, documentation, a product, a list, a service.
//!
//! The same box is the body on one kind of page and furniture on another: posts of a thread are in boxes named as comments.
//! The types that a page declares, the words of its address and its generator are facts for the model.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use html5ever::local_name;
use url::Url;

use super::json_ld::JsonLd;
use crate::extract::html::tree::{Element, Tree};

/// The number of facts: three sources for every kind, and the forms of an address.
pub(crate) const SAID: usize = KINDS.len() * SOURCES + FORMS;

/// The kinds, as named in `config/words/kinds.toml`.
const KINDS: &[&str] = &["article", "forum", "documentation", "product", "list", "service"];
const ARTICLE: usize = 0;
const FORUM: usize = 1;
const LIST: usize = 4;
const SOURCES: usize = 3;
const FORMS: usize = 4;
/// Indices of forms of an address: with a year, with the words of a headline.
const YEAR: usize = 1;
const HEADLINE: usize = 2;

/// Where a word of a kind was found.
#[derive(Clone, Copy)]
enum Source {
    Type,
    Address,
    Generator,
}

/// The facts that hold, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Said(pub(crate) u64);

impl Said {
    /// Returns whether the page's types or its generator are those of a forum. Words of an address say too little.
    pub(crate) fn is_thread(self) -> bool {
        self.holds(FORUM, Source::Type) || self.holds(FORUM, Source::Generator)
    }

    /// Returns whether the page's types, generator or address are those of a forum.
    pub(crate) fn may_be_thread(self) -> bool {
        self.is_thread() || self.holds(FORUM, Source::Address)
    }

    /// Returns whether a list of other articles' headlines would be unexpected: a feed announced the page, or its address looks
    /// like an article's and not like a list's, where a list is what was requested. A page declared as an article and not as a
    /// list is trusted, since the headings of a ranking are links, too; but publishing systems also declare their archives as
    /// articles.
    pub(crate) fn may_be_listing(self, is_announced: bool) -> bool {
        let is_one_article = self.holds(ARTICLE, Source::Type) && !self.holds(LIST, Source::Type);
        let is_list = self.holds(LIST, Source::Type) || self.holds(LIST, Source::Address);
        let has_articles_address = !is_list && (self.has_form(YEAR) || self.has_form(HEADLINE));
        !is_one_article && (is_announced || has_articles_address)
    }

    fn holds(self, kind: usize, source: Source) -> bool {
        self.0 >> (kind * SOURCES + source as usize) & 1 != 0
    }

    fn insert(&mut self, kind: usize, source: Source) {
        self.0 |= 1 << (kind * SOURCES + source as usize);
    }

    fn has_form(self, form: usize) -> bool {
        self.0 >> (KINDS.len() * SOURCES + form) & 1 != 0
    }

    fn insert_form(&mut self, form: usize) {
        self.0 |= 1 << (KINDS.len() * SOURCES + form);
    }
}

/// The words that identify kinds.
#[derive(Clone, Debug)]
pub(crate) struct Kinds {
    types: HashMap<String, usize, RandomState>,
    address: HashMap<String, usize, RandomState>,
    generators: Vec<(String, usize)>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Words {
    types: Vec<String>,
    address: Vec<String>,
    generator: Vec<String>,
}

impl Kinds {
    /// Parses the word lists.
    pub(crate) fn parse(file: &str) -> Result<Self, String> {
        let mut lists: HashMap<String, Words> = toml::from_str(file).map_err(|error| error.to_string())?;
        let mut kinds =
            Self { types: HashMap::default(), address: HashMap::default(), generators: Vec::new() };
        for (kind, name) in KINDS.iter().enumerate() {
            let words = lists.remove(*name).ok_or_else(|| format!("no words for the kind {name}"))?;
            kinds.types.extend(words.types.into_iter().map(|word| (word, kind)));
            kinds.address.extend(words.address.into_iter().map(|word| (word, kind)));
            kinds.generators.extend(words.generator.into_iter().map(|word| (word, kind)));
        }
        match lists.keys().next() {
            Some(name) => Err(format!("there is no kind {name}")),
            None => Ok(kinds),
        }
    }

    /// Returns what a page declares by its address, its elements and its JSON-LD.
    pub(crate) fn read(&self, url: &Url, tree: &Tree, json_ld: &JsonLd) -> Said {
        let mut said = Said::default();
        self.read_address(url, &mut said);
        for element in tree.nodes().filter_map(|node| node.value().as_element()) {
            self.read_element(element, &mut said);
        }
        json_ld.each_type(|name| self.read_type(name, &mut said));
        said
    }

    /// Adds the facts of an address.
    fn read_address(&self, url: &Url, said: &mut Said) {
        const HYPHENS_OF_HEADLINE: usize = 3;
        let path = url.path().to_ascii_lowercase();
        let labels = url.host_str().unwrap_or_default().split('.');
        let steps = || path.split('/').filter(|step| !step.is_empty());
        let words = steps().flat_map(|step| step.split(['.', '-', '_']).take(2));
        for word in labels.chain(words) {
            if let Some(kind) = self.address.get(word) {
                said.insert(*kind, Source::Address);
            }
        }
        let is_year = |step: &str| step.len() == 4 && (step.starts_with("19") || step.starts_with("20"));
        let last = steps().next_back().unwrap_or_default();
        let forms = [
            steps().next().is_none() && url.query().is_none(),
            steps().any(is_year),
            last.matches(['-', '_', '+']).count() >= HYPHENS_OF_HEADLINE,
            url.query().is_some(),
        ];
        for (form, _) in forms.iter().enumerate().filter(|(_, holds)| **holds) {
            said.insert_form(form);
        }
    }

    /// Adds the facts of a `meta` element or of an element with an `itemtype`.
    fn read_element(&self, element: &Element, said: &mut Said) {
        if element.name.local == local_name!("meta") {
            return self.read_meta(element, said);
        }
        if let Some(types) = element.attribute(&local_name!("itemtype")) {
            for name in types.split_ascii_whitespace() {
                self.read_type(name.rsplit(['/', '#']).next().unwrap_or(name), said);
            }
        }
    }

    fn read_meta(&self, meta: &Element, said: &mut Said) {
        let attribute = |name| meta.attribute(&name);
        let content = attribute(local_name!("content")).unwrap_or_default();
        let name = attribute(local_name!("name")).or_else(|| attribute(local_name!("property")));
        match name {
            Some("og:type") => self.read_type(content, said),
            Some("generator" | "Generator") => {
                for (start, kind) in &self.generators {
                    if content.starts_with(&**start) {
                        said.insert(*kind, Source::Generator);
                    }
                }
            }
            _ => {}
        }
    }

    fn read_type(&self, name: &str, said: &mut Said) {
        if let Some(kind) = self.types.get(name) {
            said.insert(*kind, Source::Type);
        }
    }
}
