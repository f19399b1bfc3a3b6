//! Words that tell what an element or a line is: in class names, item properties and in front of names and dates.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;

use crate::extract::words::classes::{CLASSES, Role};
use crate::languages::LANGUAGES;

/// What an element's attributes say it is.
#[derive(Clone, Copy, Debug, Default)]
#[expect(clippy::struct_excessive_bools, reason = "independent observations, each read on its own")]
pub(crate) struct Roles {
    /// `itemprop=headline`.
    pub(crate) headline: bool,
    /// `rel=author`, `itemprop=author`.
    pub(crate) marked_author: bool,
    /// A class such as `byline`.
    pub(crate) author: bool,
    /// A box about the author: the name may stand there among other things.
    pub(crate) portrait: bool,
    /// `itemprop=datePublished`.
    pub(crate) marked_date: bool,
    /// `itemprop=dateModified`.
    pub(crate) marked_modified: bool,
    /// A class such as `post-date`.
    pub(crate) date: bool,
    /// A class such as `updated`.
    pub(crate) modified: bool,
    /// Menus, boxes with other articles.
    pub(crate) furniture: bool,
    /// What readers wrote.
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
                // Works and people of others.
                "citation" | "comment" | "review" => self.comments = true,
                _ => {}
            }
        }
    }

    /// What class names and ids say by their words: `post-authorName` says author, `update-box` does not say date.
    pub(crate) fn of_class(value: &str) -> Self {
        let mut roles = Self::default();
        roles.read_class(value);
        roles
    }

    /// Adds what `other` says, which is of a class.
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

    /// One word of a class name; `None` for one too long to mean anything here.
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

/// The words of class names, in lower case.
fn class_words(class: &str) -> impl Iterator<Item = String> {
    class.split(|c: char| !c.is_ascii_alphabetic()).map(str::to_ascii_lowercase)
}

/// Whether the class of an element inside a heading says that the headline proper stands there.
pub(crate) fn names_headline_inside(class: &str) -> bool {
    let headings = &CLASSES.headings;
    let has = |words: &[String]| class_words(class).any(|word| words.contains(&word));
    has(&headings.proper) && !has(&headings.beside)
}

/// Whether a class says that a heading is an article's: `entry-title`, `article__headline`.
pub(crate) fn names_article_title(class: &str) -> bool {
    let headings = &CLASSES.headings;
    let has = |words: &[String]| class_words(class).any(|word| words.contains(&word));
    has(&headings.article) && has(&headings.title)
}

/// Whether a class says that a heading is the site's name: `site-title`, `logo`.
pub(crate) fn names_site_title(class: &str) -> bool {
    class_words(class).any(|word| CLASSES.headings.site.contains(&word))
}

/// Whether an address is that of an author's page: `/author/ada-lind`, `/autoren/lind`.
pub(crate) fn leads_to_author(address: &str) -> bool {
    let folders = &CLASSES.addresses.author_folders;
    let path = address.split(['?', '#']).next().unwrap_or_default();
    let mut parts = path.split('/').filter(|part| !part.is_empty()).rev();
    let last = parts.next().unwrap_or_default();
    let folder = parts.next().unwrap_or_default();
    !last.is_empty() && folders.iter().any(|named| folder.eq_ignore_ascii_case(named))
}

/// Whether a date's own words say that it is the date of a change.
pub(crate) fn speaks_of_change(text: &str) -> bool {
    static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
        AhoCorasick::new(&LANGUAGES.date.change).expect("a few short words make a small automaton")
    });
    FINDER.is_match(&text.to_lowercase())
}

/// Whether a date's own words say that it is the date of the publication.
pub(crate) fn speaks_of_publication(text: &str) -> bool {
    let lower = text.to_lowercase();
    LANGUAGES.date.publication.iter().any(|word| lower.contains(word.as_str()))
}
