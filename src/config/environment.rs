//! The environment variables of the process, as a value that tests can construct.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Prefix of feedmill's variables.
const PREFIX: &str = "FEEDMILL_";

/// Names with the prefix that are not settings: the command line's own, the operator's secrets (referred to by
/// `{ env = … }`), the tests' variables, and those that Kubernetes sets for a service called feedmill.
const RESERVED: &[&str] =
    &["FEEDMILL_CONFIG", "FEEDMILL_SECRET_", "FEEDMILL_TEST_", "FEEDMILL_SERVICE_", "FEEDMILL_PORT"];

/// Environment variables by name.
#[derive(Clone, Debug, Default)]
pub struct Environment(BTreeMap<String, String>);

/// A setting from the environment: `FEEDMILL_<SECTION>__<KEY>`, `FEEDMILL_INCLUDE`.
#[derive(Clone, Debug)]
pub(super) struct Override {
    /// The variable's name.
    pub(super) variable: String,
    /// Key path: at most section and key.
    pub(super) path: Vec<String>,
    /// A TOML value; text that is not TOML is taken as a string.
    pub(super) value: String,
}

impl Environment {
    /// Returns the environment of this process. Variables that are not UTF-8 are skipped.
    pub fn of_process() -> Self {
        let utf8 = |(name, value): (std::ffi::OsString, std::ffi::OsString)| {
            Some((name.into_string().ok()?, value.into_string().ok()?))
        };
        Self(std::env::vars_os().filter_map(utf8).collect())
    }

    /// Returns the value of a variable that is set and not empty.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns the non-empty variables whose names start with `prefix`.
    pub(super) fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = (&str, &str)> {
        let named = self.0.iter().filter(move |(name, value)| name.starts_with(prefix) && !value.is_empty());
        named.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Returns the directory in a variable; systemd may list several, of which the first is used.
    fn dir(&self, name: &str) -> Option<PathBuf> {
        let dirs = self.get(name)?;
        Some(PathBuf::from(dirs.split(':').next().unwrap_or(dirs)))
    }

    /// Returns the directory for persistent data: the one that systemd assigns, else the user's state directory, else
    /// the working directory.
    pub(super) fn state_dir(&self) -> PathBuf {
        self.dir("STATE_DIRECTORY")
            .or_else(|| Some(self.dir("XDG_STATE_HOME")?.join("feedmill")))
            .or_else(|| Some(self.dir("HOME")?.join(".local/state/feedmill")))
            .unwrap_or_default()
    }

    /// Returns the paths where a configuration file is searched for; the first existing one is used.
    pub(super) fn config_places(&self) -> Vec<PathBuf> {
        let user = self.dir("XDG_CONFIG_HOME").or_else(|| Some(self.dir("HOME")?.join(".config")));
        let mut places = vec![PathBuf::from("feedmill.toml")];
        places.extend(user.map(|dir| dir.join("feedmill/feedmill.toml")));
        places.push(PathBuf::from("/etc/feedmill/feedmill.toml"));
        places
    }

    /// Returns the settings from the environment, including unknown ones, which are rejected when the configuration is read.
    pub(super) fn overrides(&self) -> Vec<Override> {
        let settings = self.0.iter().filter_map(|(variable, value)| {
            let name = variable.strip_prefix(PREFIX)?;
            if RESERVED.iter().any(|reserved| variable.starts_with(reserved)) {
                return None;
            }
            let path = name.to_ascii_lowercase().splitn(2, "__").map(str::to_owned).collect();
            Some(Override { variable: variable.clone(), path, value: value.clone() })
        });
        settings.collect()
    }
}

impl<N: Into<String>, V: Into<String>> FromIterator<(N, V)> for Environment {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(variables: I) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect())
    }
}
