//! Words that identify bylines, dates and other elements: in class names, item properties and before names and dates.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::extract::words::classes::{CLASSES, Role};
use crate::languages::LANGUAGES;

/// The roles of an element according to its attributes.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations, each read on its own")]
pub(crate) struct Roles {
    /// `itemprop=headline`.
    pub(crate) headline: bool,
    /// `rel=author`, `itemprop=author`.
    pub(crate) marked_author: bool,
    /// A class such as `byline`.
    pub(crate) author: bool,
    /// A box about the author, which may contain the name among other text.
    pub(crate) portrait: bool,
    /// `itemprop=datePublished`.
    pub(crate) marked_date: bool,
    /// `itemprop=dateModified`.
    pub(crate) marked_modified: bool,
    /// A class such as `post-date`.
    pub(crate) date: bool,
    /// A class such as `updated`.
    pub(crate) modified: bool,
    /// A menu or a box with other articles.
    pub(crate) furniture: bool,
    /// Reader comments.
    pub(crate) comments: bool,
    /// `rel=license`.
    pub(crate) license: bool,
}

impl Roles {
    pub(crate) fn read_relation(&mut self, value: &str) {
        for relation in value.split_ascii_whitespace() {
            self.marked_author |= relation.eq_ignore_ascii_case("author");
            self.license |= relation.eq_ignore_ascii_case("license");
        }
    }

    pub(crate) fn read_item_property(&mut self, value: &str) {
        for property in value.split_ascii_whitespace() {
            match property {
                "headline" => self.headline = true,
                "author" | "creator" => self.marked_author = true,
                "datePublished" | "dateCreated" => self.marked_date = true,
                "dateModified" => self.marked_modified = true,
                // These describe other works and people.
                "citation" | "comment" | "review" => self.comments = true,
                _ => {}
            }
        }
    }

    /// Returns the roles that the words of class names and ids indicate: `post-authorName` is an author, `update-box` is no date.
    pub(crate) fn of_class(value: &str) -> Self {
        let mut roles = Self::default();
        roles.read_class(value);
        roles
    }

    /// Adds the roles in `other`, which come from a class.
    pub(crate) fn insert_class(&mut self, other: Self) {
        self.author |= other.author;
        self.portrait |= other.portrait;
        self.date |= other.date;
        self.modified |= other.modified;
        self.furniture |= other.furniture;
        self.comments |= other.comments;
    }

    fn read_class(&mut self, value: &str) {
        let mut word = [0_u8; 16];
        let mut length = 0;
        let mut previous_lower = false;
        for byte in value.bytes() {
            let starts_word = byte.is_ascii_uppercase() && previous_lower;
            previous_lower = byte.is_ascii_lowercase();
            if starts_word || !byte.is_ascii_alphabetic() {
                self.read_word(word.get(..length));
                length = 0;
            }
            if byte.is_ascii_alphabetic() {
                if let Some(slot) = word.get_mut(length) {
                    *slot = byte.to_ascii_lowercase();
                }
                length += 1;
            }
        }
        self.read_word(word.get(..length));
    }

    /// Reads one word of a class name; `None` stands for a word too long to be listed.
    fn read_word(&mut self, word: Option<&[u8]>) {
        match CLASSES.role(word.unwrap_or_default()) {
            Some(Role::Author) => self.author = true,
            Some(Role::Portrait) => self.portrait = true,
            Some(Role::Date) => self.date = true,
            Some(Role::Modified) => self.modified = true,
            Some(Role::Furniture) => self.furniture = true,
            Some(Role::Comments) => self.comments = true,
            None => {}
        }
    }
}

/// Returns the words of class names in lower case.
fn class_words(class: &str) -> impl Iterator<Item = String> {
    class.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase)
}

/// Returns whether the class of an element inside a heading marks the headline proper.
pub(crate) fn names_headline_inside(class: &str) -> bool {
    let headings = &CLASSES.headings;
    let has = |words: &[String]| class_words(class).any(|word| words.contains(&word));
    has(&headings.proper) && !has(&headings.beside)
}

/// Returns whether a class marks a heading as an article's title: `entry-title`, `article__headline`.
pub(crate) fn names_article_title(class: &str) -> bool {
    let headings = &CLASSES.headings;
    let has = |words: &[String]| class_words(class).any(|word| words.contains(&word));
    has(&headings.article) && has(&headings.title)
}

/// Returns whether a class marks a heading as the site's name: `site-title`, `logo`.
pub(crate) fn names_site_title(class: &str) -> bool {
    class_words(class).any(|word| CLASSES.headings.site.contains(&word))
}

/// Returns whether a URL is that of an author's page: `/author/ada-lind`, `/autoren/lind`.
pub(crate) fn leads_to_author(address: &str) -> bool {
    let folders = &CLASSES.addresses.author_folders;
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.split('/').filter(|part| !part.is_empty()).rev();
    let last = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    !last.is_empty() && folders.iter().any(|named| folder.eq_ignore_ascii_case(named))
}

/// Returns whether the words around a date mark it as the date of a change.
pub(crate) fn speaks_of_change(text: &str) -> bool {
    static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
        AhoCorasick::new(&LANGUAGES.date.change).expect("a few short words make a small automaton")
    });
    FINDER.is_match(&text.to_lowercase())
}

/// Returns whether the words around a date mark it as the publication date.
pub(crate) fn speaks_of_publication(text: &str) -> bool {
    let lower = text.to_lowercase();
    LANGUAGES.date.publication.iter().any(|word| lower.contains(word.as_str()))
}
