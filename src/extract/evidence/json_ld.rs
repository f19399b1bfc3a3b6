//! What a page says in JSON-LD, read once for all who ask: the metadata, the choice of the body, the flags.
//!
//! It stands there in any arrangement: one object, a list, a `@graph` whose nodes refer to one another by `@id`, articles
//! nested in pages. In come the page's scripts; out come the statements as published, entities and white space included.
//! What a name, a date or a headline is worth is decided elsewhere.

use std::collections::HashMap;

use html5ever::local_name;
use serde_json::{Map, Value};

use super::json;
use crate::extract::html::text::plain;
use crate::extract::html::tree::{NodeRef, Tree};
use crate::extract::words::letters::{first_chars, letters};
use crate::work;

/// Bytes read of a page; the most on seven thousand real ones are 74 KB. Values made of ten times as many take a second to make
/// and to drop, which nothing can break off.
const MAX_BYTES: usize = 1 << 20;
/// Most objects looked at on a page.
const MAX_OBJECTS: usize = 2000;
/// Most lists of authors, authors in one, and the longest name of one: references make any number of one long name.
const MAX_LISTS: usize = 40;
const MAX_AUTHORS: usize = 100;
const MAX_NAME_CHARS: usize = 600;

type Object = Map<String, Value>;

/// The JSON-LD of a page.
#[derive(Debug, Default)]
pub(crate) struct JsonLd {
    documents: Vec<Value>,
}

/// The statements about the page's article.
#[derive(Debug, Default)]
pub(crate) struct Linked {
    pub(crate) headline: Option<String>,
    pub(crate) description: Option<String>,
    /// Who is said to have written it, most trusted first: the first list that names anybody is meant.
    pub(crate) authors: Vec<Vec<Author>>,
    pub(crate) published: Option<String>,
    /// Of a video or the like on the page: a moment of the article at best.
    pub(crate) uploaded: Option<String>,
    pub(crate) modified: Option<String>,
    pub(crate) language: Option<String>,
    pub(crate) url: Option<String>,
    pub(crate) site_name: Option<String>,
    pub(crate) section: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) image: Option<String>,
    pub(crate) license: Option<String>,
}

/// A name in an author's place.
#[derive(Debug)]
pub(crate) struct Author {
    pub(crate) name: String,
    pub(crate) is_organisation: bool,
}

/// What any object on the page says, of whatever it speaks: evidence of where the body is and of what is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statements<'a> {
    /// The longest `articleBody`.
    pub(crate) body: Option<&'a str>,
    /// Every `articleBody`: of a running account those of its entries.
    pub(crate) bodies: Vec<&'a str>,
    pub(crate) is_liveblog: bool,
    pub(crate) is_not_free: bool,
}

/// How much an object has to say about the article of the page it stands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The web page that carries the article.
    Page,
    /// Something with a text: a recipe, a video, a review.
    Work,
    Article,
}

/// What the page calls itself, as keys: where several articles are described, the one that agrees is meant.
#[derive(Debug, Default)]
pub(crate) struct PageKeys {
    pub(crate) titles: Vec<String>,
    pub(crate) addresses: Vec<String>,
}

impl JsonLd {
    /// Reads all scripts of a page. The tree holds the text of no others.
    pub(crate) fn read(tree: &Tree) -> Self {
        let is_script = |node: &NodeRef<'_>| {
            node.value().as_element().is_some_and(|element| element.name.local == local_name!("script"))
        };
        let scripts = tree.root().descendants().filter(is_script);
        let texts = scripts.filter_map(NodeRef::first_child).filter_map(|node| node.value().as_text());
        let mut left = MAX_BYTES;
        let read = |text: &str| {
            let part = &text[..text.floor_char_boundary(left)];
            left -= part.len();
            json::parse(part)
        };
        Self { documents: texts.flat_map(read).collect() }
    }

    /// What it says of the article on the page that goes by these keys.
    pub(crate) fn article(&self, page_keys: &PageKeys) -> Linked {
        let mut objects = Vec::new();
        let mut by_id = HashMap::new();
        let mut pending: Vec<&Value> = self.documents.iter().rev().collect();
        while let Some(value) = pending.pop() {
            work::count(1);
            match value {
                Value::Array(values) => pending.extend(values.iter().rev()),
                Value::Object(object) if objects.len() < MAX_OBJECTS => {
                    if let Some(id) = text(object.get("@id"))
                        && object.len() > 1
                    {
                        by_id.entry(id).or_insert(object);
                    }
                    objects.push(object);
                    pending.extend(
                        object
                            .iter()
                            .rev()
                            .filter(|(key, _)| leads_to_the_article(key))
                            .map(|(_, value)| value),
                    );
                }
                _ => {}
            }
        }
        let graph = Graph { by_id };
        let mut ranked: Vec<(Kind, bool, &Object)> = objects
            .iter()
            .filter_map(|object| Some((kind(object)?, agrees(object, page_keys), *object)))
            .collect();
        // Stable: of equals the first on the page is meant.
        ranked.sort_by_key(|(kind, agrees, _)| std::cmp::Reverse((*kind, *agrees)));
        let mut data = Linked::default();
        let mut best = None;
        for (kind, agrees, object) in ranked {
            // Of several articles only the best one is ours; pages and works may add what it leaves out.
            let other_article = kind == Kind::Article && best.is_some();
            if !other_article && (kind != Kind::Work || agrees || best.is_none()) {
                best = best.or(Some(object));
                graph.add(&mut data, object, kind);
            }
        }
        if data.site_name.is_none() {
            let site = objects.iter().find(|object| has_type(object, |name| name == "WebSite"));
            data.site_name = site.and_then(|site| text(site.get("name")));
        }
        data
    }

    /// What it says wherever it stands.
    pub(crate) fn statements(&self) -> Statements<'_> {
        let mut statements = Statements::default();
        let mut pending: Vec<&Value> = self.documents.iter().collect();
        while let Some(value) = pending.pop() {
            work::count(1);
            match value {
                Value::Array(values) => pending.extend(values),
                Value::Object(object) => {
                    statements.add(object);
                    pending.extend(object.values());
                }
                _ => {}
            }
        }
        statements
    }

    /// Hands on every type that is named.
    pub(crate) fn each_type(&self, mut see: impl FnMut(&str)) {
        let mut pending: Vec<&Value> = self.documents.iter().collect();
        while let Some(value) = pending.pop() {
            work::count(1);
            match value {
                Value::Array(values) => pending.extend(values),
                Value::Object(object) => {
                    match object.get("@type") {
                        Some(Value::String(name)) => see(name),
                        Some(Value::Array(names)) => {
                            names.iter().filter_map(Value::as_str).for_each(&mut see);
                        }
                        _ => {}
                    }
                    pending.extend(object.values());
                }
                _ => {}
            }
        }
    }
}

impl<'a> Statements<'a> {
    /// The whole text that is stated: the longest, of a running account all its entries.
    pub(crate) fn whole_body(&self) -> Option<String> {
        if self.is_liveblog { Some(self.bodies.join("\n")) } else { self.body.map(str::to_owned) }
            .filter(|body| !body.is_empty())
    }

    fn add(&mut self, object: &'a Object) {
        if let Some(Value::String(body)) = object.get("articleBody") {
            self.bodies.push(body);
            if self.body.is_none_or(|longest| longest.len() < body.len()) {
                self.body = Some(body);
            }
        }
        self.is_liveblog |= has_type(object, |name| name == "LiveBlogPosting");
        self.is_not_free |= object.get("isAccessibleForFree").is_some_and(|free| match free {
            Value::Bool(free) => !free,
            Value::String(free) => free.eq_ignore_ascii_case("false"),
            _ => false,
        });
    }
}

/// Properties whose values are this page's own, not lists of other pages.
fn leads_to_the_article(key: &str) -> bool {
    !matches!(
        key,
        "itemListElement"
            | "comment"
            | "review"
            | "reviews"
            | "isPartOf"
            | "hasPart"
            | "citation"
            | "mentions"
            | "isBasedOn"
            | "relatedLink"
            | "blogPost"
            | "subjectOf"
            | "about"
            | "breadcrumb"
            | "articleBody"
            | "potentialAction"
            | "itemReviewed"
    )
}

fn has_type(object: &Object, is: impl Fn(&str) -> bool) -> bool {
    let bare = |name: &str| is(name.rsplit(['/', ':', '#']).next().unwrap_or(name));
    match object.get("@type").or_else(|| object.get("type")) {
        Some(Value::String(name)) => bare(name),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).any(bare),
        _ => false,
    }
}

fn kind(object: &Object) -> Option<Kind> {
    let of = |name: &str| match name {
        "BlogPosting" | "LiveBlogPosting" | "SocialMediaPosting" | "DiscussionForumPosting" | "Report" => {
            Some(Kind::Article)
        }
        _ if name.ends_with("Article") => Some(Kind::Article),
        "Recipe" | "HowTo" | "Review" | "CreativeWork" | "VideoObject" | "PodcastEpisode" | "Course"
        | "Event" | "QAPage" | "WebContent" => Some(Kind::Work),
        _ if name.ends_with("Page") => Some(Kind::Page),
        _ => None,
    };
    match object.get("@type").or_else(|| object.get("type")) {
        Some(Value::String(name)) => of(name.rsplit(['/', ':', '#']).next().unwrap_or(name)),
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).filter_map(of).max(),
        _ => None,
    }
}

/// Whether the object speaks of the page by title or address.
fn agrees(object: &Object, page_keys: &PageKeys) -> bool {
    let titles = ["headline", "name"].iter().filter_map(|property| text(object.get(*property)));
    let addresses =
        ["url", "@id", "mainEntityOfPage"].iter().filter_map(|property| text(object.get(*property)));
    // A page's title goes on with the name of the site.
    let agrees = |title: &str, stated: &str| stated.len() > 8 && title.starts_with(stated);
    titles
        .map(|title| letters(&plain(&title)))
        .any(|stated| page_keys.titles.iter().any(|title| agrees(title, &stated)))
        || addresses
            .filter_map(|address| url::Url::parse(&address).ok())
            .map(|url| letters(&crate::model::normalise_url(&url)))
            .any(|stated| page_keys.addresses.contains(&stated))
}

struct Graph<'a> {
    by_id: HashMap<String, &'a Object>,
}

impl<'a> Graph<'a> {
    /// Adds what `object` states and `data` does not have yet.
    fn add(&self, data: &mut Linked, object: &'a Object, kind: Kind) {
        let get = |names: &[&str]| names.iter().find_map(|name| text(object.get(*name)));
        let fill = |slot: &mut Option<String>, value: Option<String>| {
            if slot.is_none() {
                *slot = value;
            }
        };
        let headline = if kind == Kind::Article { get(&["headline", "name"]) } else { get(&["headline"]) };
        fill(&mut data.headline, headline);
        fill(&mut data.description, get(&["description"]));
        fill(&mut data.published, get(&["datePublished"]));
        if kind == Kind::Work {
            fill(&mut data.uploaded, get(&["uploadDate"]));
        } else {
            fill(&mut data.published, get(&["dateCreated"]));
        }
        fill(&mut data.modified, get(&["dateModified"]));
        fill(&mut data.language, get(&["inLanguage"]));
        fill(&mut data.url, get(&["url", "mainEntityOfPage"]));
        fill(&mut data.section, get(&["articleSection"]));
        fill(&mut data.license, get(&["license"]));
        fill(&mut data.image, self.resolve(object.get("image")).next().and_then(Property::address));
        fill(&mut data.image, get(&["thumbnailUrl"]));
        if data.site_name.is_none() {
            data.site_name = self.resolve(object.get("publisher")).find_map(Property::name);
        }
        if data.tags.is_empty() {
            data.tags = tags(object.get("keywords"));
        }
        for property in ["author", "creator"].into_iter().take(MAX_LISTS.saturating_sub(data.authors.len())) {
            let named = |author: Property<'_>| {
                let name = plain(&author.name()?);
                Some(Author { name, is_organisation: author.is_organisation() })
            };
            data.authors
                .push(self.resolve(object.get(property)).take(MAX_AUTHORS).filter_map(named).collect());
        }
    }

    /// The values of a property, lists opened and references followed.
    fn resolve(&self, value: Option<&'a Value>) -> impl Iterator<Item = Property<'a>> {
        let mut pending: Vec<&Value> = value.into_iter().collect();
        std::iter::from_fn(move || {
            while let Some(value) = pending.pop() {
                work::count(1);
                match value {
                    Value::Array(values) => pending.extend(values.iter().rev()),
                    Value::Object(object) if !object.contains_key("name") && !object.contains_key("url") => {
                        let target = text(object.get("@id")).and_then(|id| self.by_id.get(&id).copied());
                        if let Some(target) = target {
                            return Some(Property::Object(target));
                        }
                    }
                    Value::Object(object) => return Some(Property::Object(object)),
                    Value::String(text) => return Some(Property::Text(text)),
                    _ => {}
                }
            }
            None
        })
    }
}

/// One value of a property.
#[derive(Clone, Copy)]
enum Property<'a> {
    Text(&'a str),
    Object(&'a Object),
}

impl Property<'_> {
    fn name(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(first_chars(text, MAX_NAME_CHARS).to_owned()),
            Self::Object(object) => match object.get("name") {
                Some(Value::String(name)) => Self::Text(name.trim()).name().filter(|name| !name.is_empty()),
                name => text(name),
            },
        }
    }

    fn is_organisation(self) -> bool {
        matches!(self, Self::Object(object) if has_type(object, |name| name.ends_with("Organization") || name == "Corporation"))
    }

    fn address(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.to_owned()),
            Self::Object(object) => {
                ["url", "contentUrl", "@id"].iter().find_map(|name| text(object.get(*name)))
            }
        }
    }
}

/// The text of a property: a string, or the first of a list, or the name or address of an object.
fn text(value: Option<&Value>) -> Option<String> {
    let found = match value? {
        Value::String(text) => {
            work::count(text.len());
            text.trim().to_owned()
        }
        Value::Number(number) => number.to_string(),
        Value::Array(values) => return values.iter().find_map(|value| text(Some(value))),
        Value::Object(object) => {
            return ["@id", "@value", "name", "url"]
                .iter()
                .find_map(|name| object.get(*name)?.as_str().map(str::to_owned));
        }
        _ => return None,
    };
    (!found.is_empty()).then_some(found)
}

fn tags(value: Option<&Value>) -> Vec<String> {
    match value {
        Some(Value::String(list)) => list.split([',', ';']).map(|tag| tag.trim().to_owned()).collect(),
        Some(Value::Array(values)) => values.iter().filter_map(|value| text(Some(value))).collect(),
        _ => Vec::new(),
    }
}
