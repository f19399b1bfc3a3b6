//! The JSON-LD of a page, parsed once for all users: the metadata, the choice of the body, the flags.
//!
//! It comes in any arrangement: one object, a list, a `@graph` whose nodes refer to one another by `@id`, articles nested in
//! pages. The input is the page's scripts; the output is the statements as published, entities and white space included.
//! Names, dates and headlines are evaluated elsewhere.

use std::collections::HashMap;

use html5ever::local_name;
use serde_json::{Map, Value};

use super::json;
use crate::extract::html::text::plain;
use crate::extract::html::tree::{NodeRef, Tree};
use crate::extract::words::letters::{first_chars, letters};
use crate::work;

/// Maximum bytes read from a page; the most on 7000 real pages are 74 KB. Values made from ten times as many take a second
/// to build and to drop, which cannot be interrupted.
const MAX_BYTES: usize = 1 << 20;
/// Maximum number of objects read on a page.
const MAX_OBJECTS: usize = 2000;
/// Maximum number of author lists, of authors in one, and of characters in a name: references can repeat one long name any
/// number of times.
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
    /// Lists of authors, most trusted first: the first list with a name counts.
    pub(crate) authors: Vec<Vec<Author>>,
    pub(crate) published: Option<String>,
    /// Upload date of a video or the like on the page: the date of the article at best.
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

/// A name given as an author.
#[derive(Debug)]
pub(crate) struct Author {
    pub(crate) name: String,
    pub(crate) is_organisation: bool,
}

/// Statements of all objects on the page, whatever they describe: evidence of where the body is and of what is missing.
#[derive(Clone, Debug, Default)]
pub(crate) struct Statements<'a> {
    /// The longest `articleBody`.
    pub(crate) body: Option<&'a str>,
    /// Every `articleBody`; in a live blog, those of its entries.
    pub(crate) bodies: Vec<&'a str>,
    pub(crate) is_liveblog: bool,
    pub(crate) is_not_free: bool,
}

/// How relevant an object is to the article of its page.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// The web page that carries the article.
    Page,
    /// Something with a text: a recipe, a video, a review.
    Work,
    Article,
}

/// The page's own titles and addresses as comparison keys: of several articles described, the one that agrees is meant.
#[derive(Debug, Default)]
pub(crate) struct PageKeys {
    pub(crate) titles: Vec<String>,
    pub(crate) addresses: Vec<String>,
}

impl JsonLd {
    /// Reads all scripts of a page. The tree holds the text of JSON-LD scripts only, once formulas are replaced.
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

    /// Returns the statements about the article on the page with these keys.
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
        // The sort is stable: of equals the first on the page is meant.
        ranked.sort_by_key(|(kind, agrees, _)| std::cmp::Reverse((*kind, *agrees)));
        let mut data = Linked::default();
        let mut best = None;
        for (kind, agrees, object) in ranked {
            // Of several articles only the best one is used; pages and works may add what it leaves out.
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

    /// Returns the statements of all objects.
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

    /// Calls `see` with every type name.
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
    /// Returns the whole stated text: the longest body, or all entries of a live blog.
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

/// Returns whether a property describes this page, rather than other pages.
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

/// Returns whether the object's title or address is that of the page.
fn agrees(object: &Object, page_keys: &PageKeys) -> bool {
    let titles = ["headline", "name"].iter().filter_map(|property| text(object.get(*property)));
    let addresses =
        ["url", "@id", "mainEntityOfPage"].iter().filter_map(|property| text(object.get(*property)));
    // A page's title may end with the name of the site.
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
    /// Adds the statements of `object` that `data` does not have yet.
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

    /// Returns the values of a property, with lists flattened and references resolved.
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

/// Returns the text of a property: a string or number, the first of a list, or the id, value, name or address of an object.
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
