//! Adding, pausing, resuming and removing feeds, by a command or on a page. The changes go to one file that the configuration
//! includes. After each write the configuration is loaded as a reload would load it; if that fails, the write is reverted.

use url::Url;

use super::added::{AddedError, AddedFeeds};
use super::origins::Home;
use super::{ConfigError, Loaded};
use crate::model::masked;

/// Reloads the configuration.
pub type Load = dyn Fn() -> Result<Loaded, ConfigError> + Send + Sync;

/// A change to a configured feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FeedChange {
    /// Stop polling; its stored data is kept.
    Pause,
    /// Poll again.
    Resume,
    /// Remove it from the file.
    Remove,
}

/// An error from changing feeds; the configuration is left unchanged.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ChangeError {
    /// The current configuration cannot be loaded.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// There is no configuration file, or `added_feeds` is empty.
    #[error(
        "no file of added feeds is configured; hint: set added_feeds in the configuration file; `feedmill config default` \
         prints a file to start with"
    )]
    NoFile,
    /// The feed is not configured.
    #[error("{0} is not configured; hint: `feedmill feeds add {0}`")]
    Unknown(Url),
    /// The feed is configured by a `[[feed]]` table in another file, which only the operator edits.
    #[error(
        "{url} is configured by {place}, which feedmill does not write; hint: enabled = false there pauses it"
    )]
    Tabled {
        /// The feed, without its secrets.
        url: Url,
        /// Where it is configured.
        place: String,
    },
    /// The feed is not in the file of added feeds, so it cannot be removed from it.
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
    /// The changed configuration would be invalid.
    #[error("the change would make the configuration invalid, and was not saved:\n{0}")]
    Spoiled(ConfigError),
}

/// Adds the feeds that are not configured yet and returns them.
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

/// Changes a feed in the file. Pausing a feed that only a list names adds a table for it.
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
        // A feed that only a list names is always polled.
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
        // Another file becomes invalid between the two loads.
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
