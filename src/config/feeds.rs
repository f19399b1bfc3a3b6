//! The configured feeds, from `[[feed]]` tables and included files, without duplicates.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use url::Url;

use super::FeedOptions;
use super::addresses::{has_credentials, http_url};
use super::check::{Checker, INTERVAL_SECS, TIMEOUT_SECS};
use super::include::Listing;
use super::listed::ListedFeed;
use super::origins::{Files, Origin, Origins, to_number};
use super::problem::{Problem, Problems};
use super::raw;
use crate::fetch::{Auth, RequestOptions};
use crate::model::SecretText;
use crate::pipeline::choice::{Choice, EntryRule, Field};
use crate::schedule::Bounds;
use crate::trust::SpeaksFor;

/// Headers that the client sets itself.
const OWN_HEADERS: &[&str] = &[
    "accept-encoding",
    "authorization",
    "connection",
    "content-length",
    "host",
    "if-modified-since",
    "if-none-match",
    "te",
    "transfer-encoding",
    "upgrade",
    "user-agent",
];

/// Feeds by normalized URL.
#[derive(Debug)]
pub(super) struct Feeds {
    /// Options of feeds that set none themselves.
    defaults: Arc<FeedOptions>,
    /// A longer timeout would let the lease on a page end while it is being fetched or extracted.
    longest_timeout_secs: u64,
    known: HashMap<Url, Known>,
    /// Options of feeds that have only tags: up to 50,000 feeds of a list share one value.
    by_tags: HashMap<Vec<String>, Arc<FeedOptions>>,
    files: Files,
}

/// A configured feed.
#[derive(Debug)]
struct Known {
    /// `None` if the feed is disabled.
    options: Option<Arc<FeedOptions>>,
    origin: Origin,
}

impl Feeds {
    /// Creates an empty collection; feeds get the options in `defaults` that they do not set themselves.
    pub(super) fn new(defaults: Arc<FeedOptions>, longest_timeout_secs: u64) -> Self {
        Self {
            defaults,
            longest_timeout_secs,
            known: HashMap::new(),
            by_tags: HashMap::new(),
            files: Files::default(),
        }
    }

    /// Adds the `[[feed]]` tables of the checker's document.
    pub(super) fn add_tables(&mut self, tables: &[raw::Feed], checker: &mut Checker<'_>) {
        for (index, feed) in tables.iter().enumerate() {
            let path = format!("feed[{index}]");
            let url = match feed_url(&feed.url) {
                Ok(url) => url,
                Err(message) => {
                    let shown = format!("{:?}", feed.url);
                    // A URL with a user name may contain a password as well.
                    let shown: Option<&dyn std::fmt::Display> =
                        (!feed.url.contains('@')).then_some(&shown as &dyn std::fmt::Display);
                    checker.refuse(&format!("{path}.url"), shown, message);
                    continue;
                }
            };
            let options = table_options(feed, &path, self, checker);
            let file = self.files.number(&checker.document.path);
            let (number, is_on) = (to_number(index + 1), feed.enabled);
            let origin = Origin { file, number, is_table: true, is_listed: false, is_on };
            match self.known.entry(url) {
                Entry::Vacant(entry) => {
                    entry.insert(Known { options: is_on.then(|| Arc::new(options)), origin });
                }
                Entry::Occupied(entry) => {
                    let message =
                        format!("configured twice: first by {}", self.files.place(entry.get().origin));
                    checker.refuse(&format!("{path}.url"), Some(entry.key()), message);
                }
            }
        }
    }

    /// Adds the feeds of an OPML file or list. A `[[feed]]` table for the same URL takes precedence.
    pub(super) fn add_listing(
        &mut self,
        listing: &Listing,
        problems: &mut Problems,
        warnings: &mut Vec<Problem>,
    ) {
        self.known.reserve(listing.feeds.len());
        let file = self.files.number(&listing.path);
        for ListedFeed { line, url, tags, .. } in &listing.feeds {
            let place = || listing.place(*line);
            let url = match feed_url(url) {
                Ok(url) => url,
                Err(message) => {
                    let problem = || Problem::at(place(), format!("{}{message}", shown_url(url)));
                    if listing.tolerant {
                        warnings.push(problem());
                    } else {
                        problems.push(problem);
                    }
                    continue;
                }
            };
            let options = self.listed_options(tags);
            match self.known.entry(url) {
                Entry::Vacant(entry) => {
                    let number = to_number(*line);
                    let origin = Origin { file, number, is_table: false, is_listed: true, is_on: true };
                    entry.insert(Known { options: Some(options), origin });
                }
                Entry::Occupied(mut entry) => {
                    let origin = &mut entry.get_mut().origin;
                    origin.is_listed = true;
                    if !origin.is_table {
                        let first = self.files.place(*origin);
                        let message = format!("{} is named twice: first by {first}", entry.key());
                        warnings.push(Problem::at(place(), message));
                    }
                }
            }
        }
    }

    /// Returns the enabled feeds with their options, and the origins of all feeds.
    pub(super) fn into_parts(self, added: Option<PathBuf>) -> (HashMap<Url, Arc<FeedOptions>>, Origins) {
        let origins = self.known.iter().map(|(url, known)| (url, known.origin));
        let origins = Origins::new(self.files, added, origins);
        let enabled = self.known.into_iter().filter_map(|(url, known)| Some((url, known.options?)));
        (enabled.collect(), origins)
    }

    fn listed_options(&mut self, tags: &[String]) -> Arc<FeedOptions> {
        if let Some(options) = self.by_tags.get(tags) {
            return Arc::clone(options);
        }
        let options = Arc::new(FeedOptions { tags: tags.to_vec(), ..FeedOptions::clone(&self.defaults) });
        self.by_tags.insert(tags.to_vec(), Arc::clone(&options));
        options
    }
}

/// Parses a feed's URL into the normalized form used for comparisons.
pub(crate) fn feed_url(text: &str) -> Result<Url, String> {
    // Some programs write feeds as `feed:https://…` or `feed://…`.
    let mut url = match text.strip_prefix("feed:") {
        Some(rest) if rest.starts_with("//") => http_url(&format!("http:{rest}")),
        Some(rest) => http_url(rest),
        None => http_url(text),
    }?;
    if has_credentials(&url) {
        return Err("the URL must not contain user name and password: set auth = { username, password } \
                    in a [[feed]] table"
            .to_owned());
    }
    url.set_fragment(None);
    Ok(url)
}

/// Returns the URL as the start of a message; empty if it may contain a password.
fn shown_url(text: &str) -> String {
    if text.contains('@') { String::new() } else { format!("{text:?}: ") }
}

fn table_options(feed: &raw::Feed, path: &str, feeds: &Feeds, checker: &mut Checker<'_>) -> FeedOptions {
    let FeedOptions { bounds, keeping, .. } = &*feeds.defaults;
    let key = |name: &str| format!("{path}.{name}");
    let mut interval =
        |name: &str, secs: Option<u64>| secs.map(|secs| checker.secs(&key(name), secs, INTERVAL_SECS));
    let fixed_interval = interval("interval_secs", feed.interval_secs);
    let own_min = interval("min_interval_secs", feed.min_interval_secs);
    let own_max = interval("max_interval_secs", feed.max_interval_secs);
    let min_interval = own_min.unwrap_or(bounds.min_interval);
    // A feed's own bound takes precedence over the default.
    let max_interval = own_max.unwrap_or(bounds.max_interval.max(min_interval));
    let min_interval = if own_min.is_none() { min_interval.min(max_interval) } else { min_interval };
    if max_interval < min_interval {
        let message = format!("must be at least min_interval_secs = {}", min_interval.as_secs());
        checker.refuse(&key("max_interval_secs"), Some(&max_interval.as_secs()), message);
    }
    let freshness = match &feed.freshness {
        Some(_) if fixed_interval.is_some() => {
            checker.refuse(
                &key("freshness"),
                None,
                "cannot be combined with interval_secs; hint: remove one of them",
            );
            None
        }
        Some(text) => checker.freshness(&key("freshness"), text, min_interval),
        // A feed's own bound takes precedence over the default freshness.
        None => bounds.freshness.filter(|aim| *aim >= min_interval / 2),
    };
    // A lease that leaves no time at all is reported by itself.
    let is_too_long = |secs: &u64| (1..*secs).contains(&feeds.longest_timeout_secs);
    if let Some(secs) = feed.timeout_secs.filter(|secs| TIMEOUT_SECS.contains(secs) && is_too_long(secs)) {
        checker.refuse_with_hint(
            &key("timeout_secs"),
            Some(&secs),
            &format!(
                "must be at most {}, less than pipeline.lease_secs - extract.timeout_secs",
                feeds.longest_timeout_secs
            ),
            "raise pipeline.lease_secs: the lease on a page must outlast its request and its extraction",
        );
    }
    let request = RequestOptions {
        headers: headers(&feed.headers, path, checker),
        query: query(feed, path, checker),
        auth: feed.auth.as_ref().and_then(|auth| credentials(auth, &key("auth"), checker)),
        proxy: feed.proxy.as_deref().and_then(|proxy| checker.proxy(&key("proxy"), proxy)),
        timeout: feed.timeout_secs.map(|secs| checker.secs(&key("timeout_secs"), secs, TIMEOUT_SECS)),
        user_agent: feed.user_agent.clone(),
        obey_robots: feed.obey_robots,
    };
    check_user_agent(feed.user_agent.as_deref(), &key("user_agent"), checker);
    // An operator who wants a single feed polled more often accepts the cost.
    let is_wanted = own_min.is_some() || (feed.freshness.is_some() && freshness.is_some());
    let unconditional_bytes_per_day = if is_wanted { u64::MAX } else { bounds.unconditional_bytes_per_day };
    let speaks_for = SpeaksFor::read(&feed.speaks_for).unwrap_or_else(|error| {
        checker.refuse(&key("speaks_for"), Some(&format!("{:?}", feed.speaks_for)), error.to_string());
        SpeaksFor::default()
    });
    FeedOptions {
        bounds: Bounds {
            min_interval,
            max_interval,
            fixed_interval,
            freshness,
            unconditional_bytes_per_day,
            ..bounds.clone()
        },
        request,
        content: feed.content.unwrap_or_default(),
        speaks_for,
        keeping: checker.feed_articles(feed, path, keeping),
        choice: Choice {
            keep: entry_rules(&feed.keep, &key("keep"), checker),
            drop: entry_rules(&feed.drop, &key("drop"), checker),
        },
        tags: feed.tags.clone(),
    }
}

fn check_user_agent(user_agent: Option<&str>, path: &str, checker: &mut Checker<'_>) {
    let is_sendable = |name: &str| !name.is_empty() && HeaderValue::from_str(name).is_ok();
    if let Some(name) = user_agent.filter(|name| !is_sendable(name)) {
        checker.refuse(path, Some(&format!("{name:?}")), "must be printable ASCII, and not empty");
    }
}

/// Checks rules for entries; `path` is the path of their list.
fn entry_rules(raw: &[raw::EntryRule], path: &str, checker: &mut Checker<'_>) -> Vec<EntryRule> {
    let mut rules = Vec::new();
    for (i, given) in raw.iter().enumerate() {
        let path = format!("{path}[{i}]");
        let patterns = [
            (Field::Title, &given.title),
            (Field::Category, &given.category),
            (Field::Author, &given.author),
            (Field::Url, &given.url),
        ];
        if patterns.iter().all(|(_, pattern)| pattern.is_none()) {
            checker.refuse(&path, None, "must have one of title, category, author and url");
        }
        let mut rule = EntryRule::default();
        for (field, pattern) in patterns {
            let Some(pattern) = pattern else { continue };
            if let Err(message) = rule.add(field, pattern) {
                let path = format!("{path}.{}", field.as_str());
                checker.refuse(&path, Some(&format!("{pattern:?}")), format!("not a pattern: {message}"));
            }
        }
        rules.push(rule);
    }
    rules
}

/// Checks the operator's additional headers; `path` is the path of the table that contains `headers`.
pub(super) fn headers(
    given: &BTreeMap<String, raw::Secret>,
    path: &str,
    checker: &mut Checker<'_>,
) -> Vec<(String, SecretText)> {
    let mut headers = Vec::new();
    for (name, value) in given {
        let path = format!("{path}.headers.{name}");
        let Ok(header) = HeaderName::try_from(name) else {
            checker.refuse(&path, None, "not a valid header name");
            continue;
        };
        if OWN_HEADERS.contains(&header.as_str()) {
            let cure = match header.as_str() {
                "authorization" => ": use auth",
                "user-agent" => ": use user_agent",
                _ => "",
            };
            checker.refuse(&path, None, format!("feedmill sets this header itself{cure}"));
            continue;
        }
        let Some(value) = checker.secret(&path, value) else { continue };
        if HeaderValue::from_str(value.expose_secret()).is_err() {
            checker.refuse(&path, None, "not a valid header value");
            continue;
        }
        headers.push((header.as_str().to_owned(), value));
    }
    headers
}

fn query(feed: &raw::Feed, path: &str, checker: &mut Checker<'_>) -> Vec<(String, SecretText)> {
    let value = |(name, value): (&String, &raw::Secret)| {
        Some((name.clone(), checker.secret(&format!("{path}.query.{name}"), value)?))
    };
    feed.query.iter().filter_map(value).collect()
}

/// Checks credentials: a user name and a password, or a bearer token.
pub(super) fn credentials(auth: &raw::Auth, path: &str, checker: &mut Checker<'_>) -> Option<Auth> {
    match (&auth.username, &auth.password, &auth.bearer) {
        (Some(username), Some(password), None) => Some(Auth::Basic {
            username: username.clone(),
            password: checker.secret(&format!("{path}.password"), password)?,
        }),
        (None, None, Some(bearer)) => Some(Auth::Bearer(checker.secret(&format!("{path}.bearer"), bearer)?)),
        _ => {
            checker.refuse(path, None, "must be { username, password } or { bearer }");
            None
        }
    }
}
