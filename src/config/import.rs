//! Import of another program's list of feeds into a TOML file of `[[feed]]` tables that the configuration can include.

use std::collections::HashSet;
use std::fmt::Write as _;

use toml::Value;
use url::Url;

use super::feeds::feed_url;
use super::include;
use super::listed::ListedFeed;
use super::raw::RawIncluded;

/// The result of reading a list of feeds.
#[derive(Debug, Default)]
pub(crate) struct Import {
    /// New feeds, in the order of the list.
    pub(crate) added: Vec<ImportedFeed>,
    /// Number of feeds that are already known or repeated in the list.
    pub(crate) known: usize,
    /// Messages about invalid feeds, by line.
    pub(crate) invalid: Vec<(usize, String)>,
}

/// A feed to add.
#[derive(Debug)]
pub(crate) struct ImportedFeed {
    url: Url,
    title: Option<String>,
    tags: Vec<String>,
}

impl Import {
    /// Reads an OPML file or a list with one URL per line; `known` contains the feeds that are already configured.
    pub(crate) fn read(list: &[u8], mut known: HashSet<Url>) -> Self {
        let text = include::decode(list);
        let (feeds, invalid) = include::listed(&text);
        let mut import = Self { invalid, ..Self::default() };
        for ListedFeed { line, url, title, tags } in feeds {
            match feed_url(&url) {
                Ok(url) if known.insert(url.clone()) => import.added.push(ImportedFeed { url, title, tags }),
                Ok(_) => import.known += 1,
                // The URL is kept out of the message: it may contain a password.
                Err(message) => import.invalid.push((line, message)),
            }
        }
        import.invalid.sort();
        import
    }

    /// Formats the new feeds as tables, each with its title as a comment.
    pub(crate) fn to_toml(&self) -> String {
        let mut tables = String::new();
        for feed in &self.added {
            let lines = &mut tables;
            if let Some(title) = &feed.title {
                let title: String = title.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
                writeln!(lines, "# {title}").expect(TAKES_ALL);
            }
            writeln!(lines, "[[feed]]\nurl = {}", Value::from(feed.url.as_str())).expect(TAKES_ALL);
            if !feed.tags.is_empty() {
                writeln!(lines, "tags = {}", Value::from(feed.tags.clone())).expect(TAKES_ALL);
            }
            tables.push('\n');
        }
        tables
    }
}

const TAKES_ALL: &str = "a String takes everything";

/// Returns the feeds in a TOML file that a configuration could include.
pub(crate) fn feeds_in(file: &str) -> Result<HashSet<Url>, toml::de::Error> {
    let raw: RawIncluded = toml::from_str(file)?;
    Ok(raw.feed.iter().filter_map(|feed| feed_url(&feed.url).ok()).collect())
}
