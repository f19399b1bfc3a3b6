//! The one walk over the page that finds whatever may speak of the article: no field has a selector of its own.

mod texts;
mod walk;

use crate::extract::html::tree::Tree;
use crate::work;

/// Longest headline.
pub(crate) const HEADING_CHARS: usize = 600;

/// What the walk found. Positions count the bytes of text before a place, so that nearness can be told.
#[derive(Debug, Default)]
pub(crate) struct Clues<'a> {
    /// `<html lang>`.
    pub(crate) html_language: Option<&'a str>,
    /// `<meta>`: name or property in lower case, and content.
    metas: Vec<(String, &'a str)>,
    /// `<link rel=canonical>`.
    pub(crate) canonical: Option<&'a str>,
    /// `rel=license`: address.
    pub(crate) license: Option<&'a str>,
    /// `<title>`.
    pub(crate) title_element: String,
    /// `<h1>` and what is marked as the headline, in order.
    pub(crate) headings: Vec<Heading<'a>>,
    /// `<h2>` to `<h4>`, in order: the headline where `<h1>` holds the site's name.
    pub(crate) lesser_headings: Vec<Heading<'a>>,
    /// What the page's feeds are called: the site's name and more.
    pub(crate) feed_titles: Vec<&'a str>,
    /// What may name the authors.
    pub(crate) bylines: Vec<Byline>,
    /// What may say when.
    pub(crate) dates: Vec<DateClue<'a>>,
    /// The beginning of the running text.
    pub(crate) sample: String,
}

/// Where on the page something stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Where the article may be.
    #[default]
    Open,
    /// A margin, a footer, a box: mostly of other articles, at times of this one.
    Furniture,
    /// What readers wrote.
    Comments,
}

/// A headline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heading<'a> {
    pub(crate) text: String,
    /// The texts of the elements inside it, where there are several: kicker, headline, subtitle.
    pub(crate) pieces: Vec<String>,
    /// The part that an element inside it calls the headline.
    pub(crate) core: Option<String>,
    /// Its class speaks of an article's headline.
    pub(crate) of_article: bool,
    /// Its class speaks of the site's name.
    pub(crate) of_site: bool,
    /// Where its first link leads.
    pub(crate) link: Option<&'a str>,
    pub(crate) at: usize,
    pub(crate) place: Place,
}

/// How plainly an element says that it names an author, plainest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BylineKind {
    Marked,
    Class,
    Text,
    /// A link to what by its address is an author's page.
    Link,
}

/// What may name the authors. Pieces of text from different elements stand on lines of their own.
#[derive(Debug)]
pub(crate) struct Byline {
    pub(crate) kind: BylineKind,
    pub(crate) text: String,
    pub(crate) at: usize,
    pub(crate) place: Place,
}

/// How plainly an element says that it is a date, plainest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DateKind {
    Marked,
    Time,
    Class,
    Text,
}

/// What may say when.
#[derive(Debug)]
pub(crate) struct DateClue<'a> {
    pub(crate) kind: DateKind,
    /// Whether it speaks of a change.
    pub(crate) modified: bool,
    /// `datetime` or `content`.
    pub(crate) value: Option<&'a str>,
    pub(crate) text: String,
    pub(crate) at: usize,
    pub(crate) place: Place,
}

impl<'a> Clues<'a> {
    pub(crate) fn collect(tree: &'a Tree) -> Self {
        walk::walk(tree)
    }

    /// The content of the first meta element that is not empty, by the order of `names`.
    pub(crate) fn meta(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.meta_all(name).next())
    }

    /// The contents of the meta elements whose names `is_meant` picks.
    pub(crate) fn metas_where(&self, is_meant: impl Fn(&str) -> bool) -> impl Iterator<Item = &'a str> {
        work::count(self.metas.len());
        self.metas.iter().filter(move |(name, _)| is_meant(name)).map(|(_, content)| *content)
    }

    /// The contents of every meta element called `name`.
    pub(crate) fn meta_all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        work::count(self.metas.len());
        self.metas.iter().filter(move |(key, _)| key == name).map(|(_, content)| *content)
    }
}
