//! Feeds that are added, paused, taken up again and removed: by a command or on the page, in one file of their own that the
//! configuration includes. What is written is read at once as any reload would read it, and taken back where that fails.

use url::Url;

use super::added::{AddedError, AddedFeeds};
use super::origins::Home;
use super::{ConfigError, Loaded};
use crate::model::masked;

/// Reads the configuration anew.
pub type Load = dyn Fn() -> Result<Loaded, ConfigError> + Send + Sync;

/// What is done to a feed that is configured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedChange {
    /// Polled no more; all that is known of it stays.
    Pause,
    /// Polled again.
    Resume,
    /// Out of the file.
    Remove,
}

/// Why the feeds stay as they are.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// The configuration cannot be read as it is.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is none, or none that has such a file.
    #[error(
        "there is no file to write feeds to; hint: `feedmill config default` prints a configuration to begin with, and \
         added_feeds in it names that file"
    )]
    NoFile,
    /// Nothing names the feed.
    #[error("{0} is not configured; hint: `feedmill feeds add {0}`")]
    Unknown(Url),
    /// A table says how it is treated, which only a person writes.
    #[error(
        "{url} is configured by {place}, a file that is yours alone to write; hint: enabled = false there pauses it"
    )]
    Tabled {
        /// The feed, without its secrets.
        url: Url,
        /// Where it is configured.
        place: String,
    },
    /// Only what is in the file can be taken out of it.
    #[error(
        "{url} is not in the file of added feeds, but configured by {place}; hint: remove it where it is configured"
    )]
    NotAdded {
        /// The feed, without its secrets.
        url: Url,
        /// Where it is configured.
        place: String,
    },
    /// The file cannot be read or written.
    #[error(transparent)]
    File(#[from] AddedError),
    /// What was written is no good.
    #[error("the configuration would be wrong with it, and is left as it was:\n{0}")]
    Spoiled(ConfigError),
}

/// Adds the feeds that are not configured yet, and gives them.
pub(crate) fn add(urls: &[Url], tags: &[String], load: &Load) -> Result<Vec<Url>, ChangeError> {
    let loaded = load()?;
    let mut file = open(&loaded)?;
    let mut new = Vec::new();
    for url in urls {
        if loaded.origins.of(url).is_none() && !file.has(url) {
            file.add(url, tags);
            new.push(url.clone());
        }
    }
    if !new.is_empty() {
        write(&file, load)?;
    }
    Ok(new)
}

/// Changes a feed of the file; one that only a list names is paused by a table of its own.
pub(crate) fn change(change: FeedChange, url: &Url, load: &Load) -> Result<(), ChangeError> {
    let loaded = load()?;
    let mut file = open(&loaded)?;
    let Some(origin) = loaded.origins.of(url) else { return Err(ChangeError::Unknown(masked(url))) };
    match (change, file.has(url)) {
        (FeedChange::Pause, true) => file.enable(url, false),
        (FeedChange::Resume, true) => file.enable(url, true),
        (FeedChange::Remove, true) => file.remove(url),
        (FeedChange::Pause, false) if origin.home == Home::List => {
            file.add(url, &[]);
            file.enable(url, false);
        }
        // It is polled.
        (FeedChange::Resume, false) if origin.home == Home::List => return Ok(()),
        (FeedChange::Pause | FeedChange::Resume, false) => {
            return Err(ChangeError::Tabled { url: masked(url), place: origin.place });
        }
        (FeedChange::Remove, false) => {
            return Err(ChangeError::NotAdded { url: masked(url), place: origin.place });
        }
    }
    write(&file, load)
}

fn open(loaded: &Loaded) -> Result<AddedFeeds, ChangeError> {
    let path = loaded.origins.added().ok_or(ChangeError::NoFile)?;
    Ok(AddedFeeds::open(path)?)
}

fn write(file: &AddedFeeds, load: &Load) -> Result<(), ChangeError> {
    file.save()?;
    if let Err(error) = load() {
        file.take_back()?;
        return Err(ChangeError::Spoiled(error));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::config::{Config, Environment};

    #[test]
    fn what_would_spoil_the_configuration_is_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let (file, added) = (dir.path().join("feedmill.toml"), dir.path().join("added.toml"));
        fs::write(&file, "").unwrap();
        // Another file becomes wrong between the two readings.
        let readings = AtomicU32::new(0);
        let load = move || {
            let text = if readings.fetch_add(1, Ordering::Relaxed).is_multiple_of(2) { "" } else { "no = 1" };
            fs::write(&file, text).unwrap();
            Config::load(Some(&file), &Environment::default())
        };
        let url = feed("https://a.example/feed");
        let refused = add(std::slice::from_ref(&url), &[], &load).unwrap_err();
        assert!(matches!(refused, ChangeError::Spoiled(_)), "{refused}");
        assert!(!added.exists());
        let before = "[[feed]]\nurl = \"https://a.example/feed\"\n";
        fs::write(&added, before).unwrap();
        assert!(matches!(change(FeedChange::Pause, &url, &load), Err(ChangeError::Spoiled(_))));
        assert_eq!(fs::read_to_string(&added).unwrap(), before);
    }

    #[test]
    fn one_feed_given_twice_is_added_once() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("feedmill.toml");
        fs::write(&file, "").unwrap();
        let load = move || Config::load(Some(&file), &Environment::default());
        let url = feed("https://a.example/feed");
        assert_eq!(add(&[url.clone(), url.clone()], &[], &load).unwrap(), std::slice::from_ref(&url));
        assert_eq!(add(std::slice::from_ref(&url), &[], &load).unwrap(), []);
        let origin = load().unwrap().origins.of(&url).unwrap();
        assert_eq!((origin.home, origin.is_on, origin.is_listed), (Home::Added, true, false));
    }

    fn feed(url: &str) -> Url {
        url.parse().unwrap()
    }
}
