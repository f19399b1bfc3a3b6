//! robots.txt (RFC 9309): the rules of sites for crawlers, and their cache.
//!
//! The parser is our own: the published crates are old, and the standard is little more than a longest match over patterns
//! with two special characters. `Crawl-delay` is not in the standard, but publishers use it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use percent_encoding::percent_decode_str;
use url::Url;

use super::FetchError;
use crate::model::after;

/// How much of the file is read: the minimum by the standard.
pub(super) const MAX_BYTES: u64 = 500 << 10;
/// How long a copy is used: the maximum by the standard.
const TRUSTED_FOR: Duration = Duration::from_hours(24);
/// How soon an unreachable file is requested again.
pub(super) const RETRY: Duration = Duration::from_mins(10);
/// Cap on the delay between two pages: a longer one would amount to a refusal, for which there is `Disallow`.
const LONGEST_DELAY: Duration = Duration::from_mins(1);
/// Cap on the size of all cached rules together.
const MAX_CACHE_BYTES: usize = 16 << 20;

/// The rules of one site for one crawler.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Rules {
    rules: Vec<Rule>,
    pub(super) crawl_delay: Duration,
}

#[derive(Clone, Debug, PartialEq)]
struct Rule {
    allow: bool,
    /// Canonical (see [`canonical`]), without the final `$`.
    pattern: String,
    /// Whether the pattern must reach the end of the path.
    anchored: bool,
}

impl Rules {
    /// Reads the groups for `product`, or those for `*` if there are none.
    pub(super) fn parse(file: &[u8], product: &str) -> Self {
        let text = String::from_utf8_lossy(file);
        let (mut ours, mut everyone) = (None::<Self>, Self::default());
        let mut group = Group::default();
        for line in text.trim_start_matches('\u{feff}').split(['\r', '\n']) {
            let line = line.split('#').next().unwrap_or_default();
            let Some((key, value)) = line.split_once(':') else { continue };
            let value = value.trim();
            let key = key.trim().to_ascii_lowercase();
            if key == "user-agent" {
                if group.has_rules {
                    group = Group::default();
                }
                group.ours |= product_token(value).eq_ignore_ascii_case(product);
                group.everyone |= value == "*";
                if group.ours {
                    ours.get_or_insert_default();
                }
                continue;
            }
            if !matches!(key.as_str(), "allow" | "disallow" | "crawl-delay") {
                continue;
            }
            group.has_rules = true;
            if group.everyone {
                everyone.add(&key, value);
            }
            if let Some(ours) = ours.as_mut().filter(|_| group.ours) {
                ours.add(&key, value);
            }
        }
        ours.unwrap_or(everyone)
    }

    fn add(&mut self, key: &str, value: &str) {
        if key == "crawl-delay" {
            let delay = value.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            self.crawl_delay = delay.unwrap_or_default().min(LONGEST_DELAY).max(self.crawl_delay);
        } else if !value.is_empty() {
            let (pattern, anchored) =
                value.strip_suffix('$').map_or((value, false), |pattern| (pattern, true));
            self.rules.push(Rule { allow: key == "allow", pattern: canonical(pattern, "*"), anchored });
        }
    }

    /// Returns whether `url` may be fetched: the longest matching pattern decides; of two equally long ones, the allowing one.
    pub(super) fn allow(&self, url: &Url) -> bool {
        let path = canonical(&url[url::Position::BeforePath..url::Position::AfterQuery], "");
        self.rules
            .iter()
            .filter(|rule| rule.matches(&path))
            .map(|rule| (rule.pattern.len() + usize::from(rule.anchored), rule.allow))
            .max()
            .is_none_or(|(_, allow)| allow)
    }

    fn weight(&self) -> usize {
        self.rules.iter().map(|rule| rule.pattern.len() + size_of::<Rule>()).sum::<usize>() + 256
    }
}

#[derive(Default)]
struct Group {
    ours: bool,
    everyone: bool,
    has_rules: bool,
}

impl Rule {
    fn matches(&self, path: &str) -> bool {
        let mut pieces = self.pattern.split('*');
        let first = pieces.next().unwrap_or_default();
        let Some(mut rest) = path.strip_prefix(first) else { return false };
        let Some(last) = pieces.next_back() else { return !self.anchored || rest.is_empty() };
        for piece in pieces {
            let Some(at) = rest.find(piece) else { return false };
            rest = &rest[at + piece.len()..];
        }
        if self.anchored { rest.ends_with(last) } else { rest.contains(last) }
    }
}

/// Returns the name of a crawler in robots.txt: the beginning of its `User-Agent`.
pub(super) fn product_token(user_agent: &str) -> &str {
    let end = user_agent.find(|char: char| !(char.is_ascii_alphabetic() || matches!(char, '_' | '-')));
    &user_agent[..end.unwrap_or(user_agent.len())]
}

/// Normalizes the percent-encoding of a path or pattern: unreserved characters are decoded, all others that could be written
/// either way are encoded, except those in `special`.
fn canonical(text: &str, special: &str) -> String {
    use std::fmt::Write;

    let mut canonical = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let (length, encoded) = match rest.get(..3).filter(|_| char == '%') {
            Some(escape) if escape[1..].bytes().all(|byte| byte.is_ascii_hexdigit()) => (3, true),
            _ => (char.len_utf8(), false),
        };
        let piece = &rest[..length];
        rest = &rest[length..];
        if encoded {
            let byte = percent_decode_str(piece).next().expect("a whole escape was taken");
            if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
                canonical.push(char::from(byte));
            } else {
                write!(canonical, "%{byte:02X}").expect("a String takes everything");
            }
        } else if special.contains(char) || (char.is_ascii_graphic() && !matches!(char, '*' | '$' | '%')) {
            canonical.push(char);
        } else {
            for byte in piece.bytes() {
                write!(canonical, "%{byte:02X}").expect("a String takes everything");
            }
        }
    }
    canonical
}

/// A cache of rules by site. Each file is fetched once, however many pages wait for it.
#[derive(Debug, Default)]
pub(super) struct Cache(Mutex<Sites>);

#[derive(Debug, Default)]
struct Sites {
    slots: HashMap<SiteKey, Slot>,
    weight: usize,
}

/// Origin of the site and product token of the crawler.
type SiteKey = (String, String);
/// Locked while the file is being fetched.
type Cell = Arc<tokio::sync::Mutex<Option<Known>>>;

#[derive(Debug)]
struct Slot {
    cell: Cell,
    weight: usize,
    asked_at: Timestamp,
}

#[derive(Clone, Debug)]
struct Known {
    rules: Result<Arc<Rules>, Unreachable>,
    until: Timestamp,
}

/// Why a robots.txt could not be fetched.
#[derive(Clone, Debug)]
struct Unreachable {
    reason: String,
    network: bool,
}

impl From<Unreachable> for FetchError {
    fn from(Unreachable { reason, network }: Unreachable) -> Self {
        Self::RobotsUnreachable { reason, network }
    }
}

impl Cache {
    /// Returns the rules of `url`'s site for `product`; awaits `fetch` if they are not cached or too old.
    pub(super) async fn rules(
        &self,
        url: &Url,
        product: &str,
        now: Timestamp,
        fetch: impl Future<Output = Result<Vec<u8>, FetchError>>,
    ) -> Result<Arc<Rules>, FetchError> {
        let key = (url.origin().ascii_serialization(), product.to_ascii_lowercase());
        let cell = self.lock().cell(&key, now);
        let mut known = cell.lock().await;
        if let Some(known) = known.as_ref().filter(|known| now < known.until) {
            return Ok(known.rules.clone()?);
        }
        let (rules, trusted_for) = match fetch.await {
            Ok(file) => (Ok(Arc::new(Rules::parse(&file, product))), TRUSTED_FOR),
            // The standard's "unavailable": no file, no rules.
            Err(FetchError::BadRedirect(_) | FetchError::TooManyRedirects { .. }) => {
                (Ok(Arc::default()), TRUSTED_FOR)
            }
            Err(FetchError::Status { status, .. }) if (400..500).contains(&status) && status != 429 => {
                (Ok(Arc::default()), TRUSTED_FOR)
            }
            Err(error @ (FetchError::Refused(_) | FetchError::HostElsewhere { .. })) => return Err(error),
            // The standard's "unreachable": a refusal, unless an older copy is at hand.
            Err(error) => {
                let older = known.take().and_then(|known| known.rules.ok());
                let unreachable = Unreachable { reason: error.to_string(), network: error.is_network() };
                (older.ok_or(unreachable), RETRY)
            }
        };
        self.lock().weigh(&key, rules.as_ref().map_or(0, |rules| rules.weight()), now);
        *known = Some(Known { rules: rules.clone(), until: after(now, trusted_for) });
        Ok(rules?)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Sites> {
        self.0.lock().expect("no holder of this lock can panic")
    }
}

impl Sites {
    fn cell(&mut self, key: &SiteKey, now: Timestamp) -> Cell {
        if let Some(slot) = self.slots.get(key) {
            return Arc::clone(&slot.cell);
        }
        let cell = Cell::default();
        self.slots.insert(key.clone(), Slot { cell: Arc::clone(&cell), weight: 0, asked_at: now });
        self.weigh(key, 0, now);
        cell
    }

    /// Records the size of a site's rules; if the total exceeds the cap, drops the sites fetched longest ago until three quarters
    /// of it are left.
    fn weigh(&mut self, key: &SiteKey, weight: usize, now: Timestamp) {
        let weight = weight + key.0.len() + size_of::<Slot>();
        if let Some(slot) = self.slots.get_mut(key) {
            self.weight = self.weight + weight - slot.weight;
            (slot.weight, slot.asked_at) = (weight, now);
        }
        if self.weight <= MAX_CACHE_BYTES {
            return;
        }
        let mut by_age: Vec<(Timestamp, SiteKey)> =
            self.slots.iter().map(|(key, slot)| (slot.asked_at, key.clone())).collect();
        by_age.sort_unstable();
        for (_, key) in by_age {
            if self.weight <= MAX_CACHE_BYTES / 4 * 3 {
                break;
            }
            if let Some(slot) = self.slots.remove(&key) {
                self.weight -= slot.weight;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(file: &str, product: &str, path: &str) -> bool {
        let url = Url::parse("https://example.org").unwrap().join(path).unwrap();
        Rules::parse(file.as_bytes(), product).allow(&url)
    }

    #[test]
    fn the_examples_of_rfc_9309() {
        // Section 5.1.
        let simple = "User-Agent: *\nDisallow: *.gif$\nDisallow: /example/\nAllow: /publications/\n\n\
                      User-Agent: foobot\nDisallow:/\nAllow:/example/page.html\nAllow:/example/allowed.gif\n\n\
                      User-Agent: barbot\nUser-Agent: bazbot\nDisallow: /example/page.html\n\n\
                      User-Agent: quxbot\n\nEOF";
        for (product, path, expected) in [
            ("other", "/a.gif", false),
            ("other", "/a.gif?x", true),
            ("other", "/example/", false),
            ("other", "/example", true),
            ("other", "/publications/", true),
            ("foobot", "/", false),
            ("FooBot", "/example/page.html", true),
            ("foobot", "/example/allowed.gif", true),
            ("foobot", "/publications/", false),
            ("barbot", "/example/page.html", false),
            ("bazbot", "/example/page.html", false),
            ("barbot", "/a.gif", true),
            ("quxbot", "/example/page.html", true),
        ] {
            assert_eq!(allows(simple, product, path), expected, "{product} {path}");
        }
        // Section 5.2: the longest match.
        let longest = "User-Agent: foobot\nAllow: /example/page/\nDisallow: /example/page/disallowed.gif\n";
        assert!(allows(longest, "foobot", "/example/page/"));
        assert!(!allows(longest, "foobot", "/example/page/disallowed.gif"));
    }

    #[test]
    fn groups_for_one_crawler_are_one_group() {
        // Section 2.2.1.
        let file = "user-agent: ExampleBot\ndisallow: /foo\ndisallow: /bar\n\n\
                    user-agent: OtherBot\ndisallow: /other\n\n\
                    user-agent: ExampleBot/2.0 # again\ndisallow: /baz\n";
        for (path, expected) in [("/foo", false), ("/bar", false), ("/baz", false), ("/other", true)] {
            assert_eq!(allows(file, "ExampleBot", path), expected, "{path}");
        }
        let sitemap = "User-agent: a\nSitemap: https://example.org/s.xml\nUser-agent: b\nDisallow: /\n";
        assert!(!allows(sitemap, "a", "/x"), "a line of another kind does not part the group");
    }

    #[test]
    fn patterns_and_their_spellings() {
        for (rule, path, expected) in [
            // Section 2.2.2.
            ("/foo/bar?baz=quz", "/foo/bar?baz=quz", false),
            ("/foo/bar?baz=https://foo.bar", "/foo/bar?baz=https%3A%2F%2Ffoo.bar", true),
            ("/foo/bar/\u{30c4}", "/foo/bar/%E3%83%84", false),
            ("/foo/bar/%E3%83%84", "/foo/bar/\u{30c4}", false),
            ("/foo/bar/%e3%83%84", "/foo/bar/%E3%83%84", false),
            ("/foo/bar/%62%61%7A", "/foo/bar/baz", false),
            // Section 2.2.3.
            ("/path/file-with-a-%2A.html", "/path/file-with-a-*.html", false),
            ("/path/file-with-a-%2A.html", "/path/file-with-a-b.html", true),
            ("/path/foo-%24", "/path/foo-$", false),
            ("/this/*/exactly", "/this/path/exactly", false),
            ("/*.pdf$", "/a/b.pdf", false),
            ("/*.pdf$", "/a/b.pdf?x=1", true),
            ("/$", "/", false),
            ("/$", "/a", true),
            ("/a*b*c", "/abbbbd", true),
            ("/a*b*c", "/a1b2c3", false),
            ("/a*a$", "/a", true),
            ("*", "/anything", false),
            ("", "/anything", true),
            ("nonsense", "/nonsense", true),
            ("/100%", "/100%25", false),
        ] {
            assert_eq!(
                allows(&format!("User-agent: *\nDisallow: {rule}"), "x", path),
                expected,
                "{rule} {path}"
            );
        }
        let tie = "User-agent: *\nDisallow: /page\nAllow: /page";
        assert!(allows(tie, "x", "/page"), "of two rules as long the kinder one decides");
    }

    #[test]
    fn crawl_delay() {
        for (value, expected) in
            [("2.5", 2500), ("0", 0), ("-1", 0), ("soon", 0), ("86400", 60_000), ("NaN", 0)]
        {
            let file = format!("\u{feff}User-agent: *\r\nCrawl-delay: {value}\r\n");
            assert_eq!(Rules::parse(file.as_bytes(), "x").crawl_delay.as_millis(), expected, "{value}");
        }
    }

    #[test]
    fn any_bytes_are_rules() {
        let hostile = "Disallow: *a*a*a*a*a*a*a*a$\n".repeat(15_000);
        let path = format!("/{}b", "a".repeat(8000));
        assert!(allows(&format!("User-agent: *\n{hostile}"), "x", &path));
        assert!(Rules::parse(&[0xff, 0, b':', b'\n'].repeat(1000), "x").rules.is_empty());
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut sites = Sites::default();
        let key = |number: u64| (format!("https://h{number}.example"), "x".to_owned());
        for number in 0..100 {
            let now = Timestamp::UNIX_EPOCH + Duration::from_secs(number);
            sites.cell(&key(number), now);
            sites.weigh(&key(number), 1 << 20, now);
        }
        assert!(sites.weight <= MAX_CACHE_BYTES);
        assert!(sites.slots.contains_key(&key(99)));
        assert!(!sites.slots.contains_key(&key(0)));
        assert_eq!(sites.weight, sites.slots.values().map(|slot| slot.weight).sum::<usize>());
    }

    #[tokio::test]
    async fn an_older_copy_stands_in_for_one_out_of_reach() {
        let cache = Cache::default();
        let url = Url::parse("https://example.org/page").unwrap();
        let file = b"User-agent: *\nDisallow: /page".to_vec();
        let mut now = Timestamp::UNIX_EPOCH;
        let broken = || std::future::ready(Err(FetchError::Dns("gone".to_owned())));
        let error = cache.rules(&url, "x", now, broken()).await.unwrap_err();
        assert!(error.is_network());
        let unasked = async { unreachable!("the refusal is remembered") };
        assert!(cache.rules(&url, "x", now, unasked).await.is_err());
        now += RETRY;
        assert!(!cache.rules(&url, "x", now, std::future::ready(Ok(file))).await.unwrap().allow(&url));
        now += TRUSTED_FOR;
        assert!(!cache.rules(&url, "x", now, broken()).await.unwrap().allow(&url));
    }
}
