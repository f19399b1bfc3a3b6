//! Collects everything on a page that may be metadata in one walk; no field has a selector of its own.

mod texts;
mod walk;

use crate::extract::html::tree::Tree;
use crate::work;

/// Longest headline.
pub(crate) const HEADING_CHARS: usize = 600;

/// The results of the walk. Positions count the bytes of text before a place, so that distances can be compared.
#[derive(Debug, Default)]
pub(crate) struct Clues<'a> {
    /// `<html lang>`.
    pub(crate) html_language: Option<&'a str>,
    /// `<meta>`: name or property in lower case, and content.
    metas: Vec<(String, &'a str)>,
    /// `<link rel=canonical>`.
    pub(crate) canonical: Option<&'a str>,
    /// URL of `rel=license`.
    pub(crate) license: Option<&'a str>,
    /// `<title>`.
    pub(crate) title_element: String,
    /// `<h1>` and elements marked as the headline, in document order.
    pub(crate) headings: Vec<Heading<'a>>,
    /// `<h2>` to `<h4>` in document order: one is the headline if `<h1>` holds the site's name.
    pub(crate) lesser_headings: Vec<Heading<'a>>,
    /// Titles of the page's feeds: the site's name and more.
    pub(crate) feed_titles: Vec<&'a str>,
    /// Candidates for author names.
    pub(crate) bylines: Vec<Byline>,
    /// Candidates for dates.
    pub(crate) dates: Vec<DateClue<'a>>,
    /// The beginning of the running text, for language detection.
    pub(crate) sample: String,
}

/// The kind of region in which an element or text is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Outside of furniture and comments, where the article may be.
    #[default]
    Open,
    /// A sidebar, a footer, a box: mostly about other articles, at times about this one.
    Furniture,
    /// Reader comments.
    Comments,
}

/// A heading that may be the headline.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heading<'a> {
    pub(crate) text: String,
    /// The separate texts inside it, if there are several: kicker, headline, subtitle.
    pub(crate) pieces: Vec<String>,
    /// The text of an inner element whose class marks the headline proper.
    pub(crate) core: Option<String>,
    /// It is marked as the headline, or its class names an article's title.
    pub(crate) of_article: bool,
    /// Its class names the site's title.
    pub(crate) of_site: bool,
    /// Target of its first link.
    pub(crate) link: Option<&'a str>,
    pub(crate) at: usize,
    pub(crate) place: Place,
}

/// How explicitly an element names an author, most explicit first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum BylineKind {
    Marked,
    Class,
    Text,
    /// A link whose URL is that of an author's page.
    Link,
}

/// A candidate for author names. Texts of different elements are on separate lines.
#[derive(Debug)]
pub(crate) struct Byline {
    pub(crate) kind: BylineKind,
    pub(crate) text: String,
    pub(crate) at: usize,
    pub(crate) place: Place,
}

/// How explicitly an element is marked as a date, most explicit first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum DateKind {
    Marked,
    Time,
    Class,
    Text,
}

/// A candidate for a date.
#[derive(Debug)]
pub(crate) struct DateClue<'a> {
    pub(crate) kind: DateKind,
    /// Whether it is the date of a change.
    pub(crate) modified: bool,
    /// Value of `datetime`, `content` or `title`.
    pub(crate) value: Option<&'a str>,
    pub(crate) text: String,
    pub(crate) at: usize,
    pub(crate) place: Place,
}

impl<'a> Clues<'a> {
    pub(crate) fn collect(tree: &'a Tree) -> Self {
        walk::walk(tree)
    }

    /// Returns the content of the first meta element that has one of `names`, tried in order.
    pub(crate) fn meta(&self, names: &[&str]) -> Option<&'a str> {
        names.iter().find_map(|name| self.meta_all(name).next())
    }

    /// Returns the contents of the meta elements whose names `is_meant` accepts.
    pub(crate) fn metas_where(&self, is_meant: impl Fn(&str) -> bool) -> impl Iterator<Item = &'a str> {
        work::count(self.metas.len());
        self.metas.iter().filter(move |(name, _)| is_meant(name)).map(|(_, content)| *content)
    }

    /// Returns the contents of all meta elements called `name`.
    pub(crate) fn meta_all(&self, name: &str) -> impl Iterator<Item = &'a str> {
        work::count(self.metas.len());
        self.metas.iter().filter(move |(key, _)| key == name).map(|(_, content)| *content)
    }
}
