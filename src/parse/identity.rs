//! Identifies entries from poll to poll.
//!
//! An entry offers keys of several kinds, the best first: its guid, the guid together with the link, the link, the link with
//! headline and date, and its headline, date and text. A key is *own* if no other entry of the document has it. Guids that are
//! blank, placeholders or repeated are disregarded one by one: those of the other entries count as before. Keys that are not
//! the entry's own are offered too, since it may have been recorded under one of them when no other entry had it; the matching
//! with recorded entries then compares their other fields (see [`crate::identity`]).

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::hash::Hash;
use std::sync::LazyLock;

use url::Url;

use super::EntryDraft;
use super::text::fold_space;
use crate::model::{EntryKey, Sha256Hash, normalise_url, without_fragment};

/// Placeholders that generators write if they have no id, one per line.
static PLACEHOLDERS: LazyLock<HashSet<&str>> = LazyLock::new(|| {
    let lines = include_str!("../../config/placeholders.txt").lines().map(str::trim);
    lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect()
});

/// Returns whether this is a placeholder that generators write for a missing value.
pub(super) fn is_placeholder(text: &str) -> bool {
    PLACEHOLDERS.contains(text.to_lowercase().as_str())
}

/// Minimum length of an entry's text that is more than a teaser.
const FULL_TEXT_BYTES: usize = 400;

/// What identifies an entry among the others of its document.
pub(super) struct Identity {
    /// The keys, the best first; at least one.
    pub(super) keys: Vec<EntryKey>,
    /// The address of the article. If the link is not the entry's own page, a guid that is a link is used instead.
    pub(super) link: Option<Url>,
    /// Whether other entries have that link too, or it is the site's.
    pub(super) shares_link: bool,
    /// Whether parameters of the link that look like tracking distinguish its page from those of other entries.
    pub(super) has_exact_link: bool,
}

/// Returns whether every entry has a guid and no guid is repeated.
pub(super) fn guids_are_sound(entries: &[EntryDraft]) -> bool {
    let mut seen = HashSet::new();
    entries.iter().all(|entry| entry.guid.as_deref().is_some_and(|guid| seen.insert(guid)))
}

/// Returns the identity of each entry. `sites` are the addresses of the feed's site and of the feed: their front pages are not
/// articles.
pub(super) fn identities(entries: &[EntryDraft], sites: &[&Url]) -> Vec<Identity> {
    let facts: Vec<Facts<'_>> = entries.iter().map(|entry| Facts::of(entry, sites)).collect();
    let guids = counts(facts.iter().filter_map(|facts| facts.guid));
    let pairs = counts(facts.iter().filter_map(|facts| facts.guid.zip(facts.link.as_deref())));
    let links = counts(facts.iter().filter_map(|facts| facts.link.as_deref()));
    let headlines = counts(facts.iter().filter_map(Facts::headline));
    let said_about = said_at(&facts, |facts| facts.page.as_deref());
    let said_exactly_at = said_at(&facts, |facts| facts.exact_page.as_ref().map(Url::as_str));
    let identity = |(facts, entry): (&Facts<'_>, &EntryDraft)| {
        let link = facts.link.as_deref();
        let is_one = |count: Option<&usize>| count == Some(&1);
        let mut keys = Keys::default();
        if let Some(guid) = facts.guid {
            keys.offer(!facts.is_placeholder && is_one(guids.get(guid)), "guid", guid);
            if let Some(link) = link {
                let is_own = !facts.is_placeholder && is_one(pairs.get(&(guid, link)));
                keys.offer(is_own, "guid and link", &format!("{guid}\n{link}"));
            }
        }
        if let Some(link) = link {
            keys.offer(!facts.is_sites && is_one(links.get(link)), "link", link);
        }
        if let Some(headline) = facts.headline() {
            let (link, title, date) = headline;
            let parts = [link.unwrap_or_default(), title, date.unwrap_or_default()].join("\n");
            // A headline with neither link nor date may recur every week.
            let is_own = is_one(headlines.get(&headline)) && link.or(date).is_some();
            keys.offer(is_own, "headline", &parts);
        }
        keys.offer(true, "text", &all_that_it_says(entry));
        let differs = |said: Option<&Said<'_>>| said.is_some_and(|said| said.differs);
        let is_shared = differs(facts.page.as_deref().and_then(|page| said_about.get(page)));
        let is_shared_exactly =
            differs(facts.exact_page.as_ref().and_then(|page| said_exactly_at.get(page.as_str())));
        let shares_link = facts.is_sites_page || is_shared_exactly;
        let has_own_permalink = shares_link
            && facts.link != facts.page
            && !facts.is_sites
            && is_one(link.and_then(|link| links.get(link)));
        let page = entry.link.as_ref().filter(|_| !has_own_permalink).or(entry.permalink.as_ref());
        Identity {
            keys: keys.ordered(),
            link: page.or(entry.link.as_ref()).cloned(),
            shares_link: shares_link && !has_own_permalink,
            has_exact_link: is_shared && !shares_link,
        }
    };
    facts.iter().zip(entries).map(identity).collect()
}

/// Groups entries by page, with what they say.
fn said_at<'f>(
    facts: &'f [Facts<'_>],
    page: impl Fn(&'f Facts<'_>) -> Option<&'f str>,
) -> HashMap<&'f str, Said<'f>> {
    let mut said_at: HashMap<&str, Said<'_>> = HashMap::new();
    for facts in facts {
        if let Some(page) = page(facts) {
            said_at.entry(page).or_insert_with(|| Said::of(facts)).note(facts);
        }
    }
    said_at
}

fn counts<T: Eq + Hash>(values: impl Iterator<Item = T>) -> HashMap<T, usize> {
    let mut counts = HashMap::new();
    for value in values {
        *counts.entry(value).or_default() += 1;
    }
    counts
}

/// The fields that can identify an entry.
struct Facts<'e> {
    guid: Option<&'e str>,
    is_placeholder: bool,
    /// The guid that is a link, else the link.
    link: Option<String>,
    /// The link, else the guid that is a link.
    page: Option<String>,
    /// `page` with all its parameters.
    exact_page: Option<Url>,
    /// Whether `link` is a front page of the feed's own site; `is_sites_page` says the same of `page`.
    is_sites: bool,
    is_sites_page: bool,
    title: Option<Cow<'e, str>>,
    date: Option<String>,
    /// The entry's text in the feed, if it is more than a teaser.
    full_text: Option<&'e str>,
}

impl<'e> Facts<'e> {
    fn of(entry: &'e EntryDraft, sites: &[&Url]) -> Self {
        let guid = entry.guid.as_deref();
        let link = entry.permalink.as_ref().or(entry.link.as_ref());
        let page = entry.link.as_ref().or(entry.permalink.as_ref());
        let evidence = &entry.evidence;
        Self {
            guid,
            is_placeholder: guid.is_some_and(is_placeholder),
            link: link.map(normalise_url),
            page: page.map(normalise_url),
            exact_page: page.map(without_fragment),
            is_sites: link.is_some_and(|link| is_front_page(link, sites)),
            is_sites_page: page.is_some_and(|page| is_front_page(page, sites)),
            title: evidence.title.as_deref().map(|title| fold_space(title).into()),
            date: evidence.published_at.or(evidence.updated_at).map(|date| date.to_string()),
            full_text: evidence.own_text().filter(|text| text.len() >= FULL_TEXT_BYTES),
        }
    }

    fn headline(&self) -> Option<(Option<&str>, &str, Option<&str>)> {
        Some((self.link.as_deref(), self.title.as_deref()?, self.date.as_deref()))
    }
}

/// Returns whether a link leads to one of the feed's own addresses, or to the front page of their hosts.
fn is_front_page(link: &Url, sites: &[&Url]) -> bool {
    let is_root = link.path() == "/" && link.query().is_none();
    let normal = normalise_url(link);
    sites.iter().any(|site| normal == normalise_url(site) || (is_root && link.host() == site.host()))
}

/// What the entries of one page say.
struct Said<'f> {
    title: Option<&'f str>,
    full_text: Option<&'f str>,
    /// Whether they disagree.
    differs: bool,
}

impl<'f> Said<'f> {
    fn of(facts: &'f Facts<'_>) -> Self {
        Self { title: facts.title.as_deref(), full_text: facts.full_text, differs: false }
    }

    /// Adds an entry. Different headlines or full texts cannot be about one page; different teasers of one headline can.
    fn note(&mut self, facts: &Facts<'_>) {
        let other_text = self.full_text.zip(facts.full_text).is_some_and(|(one, other)| one != other);
        self.differs |= self.title != facts.title.as_deref() || other_text;
    }
}

fn all_that_it_says(entry: &EntryDraft) -> String {
    let evidence = &entry.evidence;
    let date = evidence.published_at.or(evidence.updated_at).map(|date| date.to_string());
    let content = evidence.content.as_ref().or(evidence.summary.as_ref());
    let parts = [evidence.title.as_ref(), date.as_ref(), content];
    parts.map(|part| part.map_or("", String::as_str)).join("\n")
}

#[derive(Default)]
struct Keys {
    own: Vec<EntryKey>,
    shared: Vec<EntryKey>,
}

impl Keys {
    fn offer(&mut self, is_own: bool, kind: &str, value: &str) {
        let list = if is_own { &mut self.own } else { &mut self.shared };
        list.push(EntryKey { sha256: Sha256Hash::of(format!("{kind}\n{value}")), is_own });
    }

    fn ordered(self) -> Vec<EntryKey> {
        self.own.into_iter().chain(self.shared).collect()
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::model::EntryEvidence;

    fn entry(guid: &str, link: &str, title: &str, text: &str) -> EntryDraft {
        let some = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        EntryDraft {
            guid: some(guid),
            link: Url::parse(link).ok(),
            evidence: EntryEvidence {
                title: some(title),
                summary: some(text),
                published_at: Some(Timestamp::UNIX_EPOCH),
                ..EntryEvidence::default()
            },
            ..EntryDraft::default()
        }
    }

    fn of(entries: &[EntryDraft]) -> Vec<Identity> {
        identities(entries, &[&Url::parse("https://quay.example/").unwrap()])
    }

    fn distinct(entries: &[EntryDraft]) -> usize {
        of(entries).iter().map(|identity| identity.keys[0].sha256).collect::<HashSet<_>>().len()
    }

    fn numbered(count: usize, one: impl Fn(usize) -> EntryDraft) -> Vec<EntryDraft> {
        (0..count).map(one).collect()
    }

    #[test]
    fn entries_that_say_different_things_have_keys_of_their_own() {
        let home = "https://quay.example/";
        let page = |n| format!("https://quay.example/{n}");
        let title = |n| format!("Shirt {n}");
        let feeds = [
            ("no guid, one link", numbered(12, |n| entry("", home, &title(n), "new"))),
            ("no guid, one link, one title", numbered(12, |n| entry("", home, "Shirt", &title(n)))),
            ("no guid, no link", numbered(12, |n| entry("", "", &title(n), ""))),
            ("one guid, own links", numbered(50, |n| entry("x", &page(n), "", ""))),
            ("one guid, one link", numbered(50, |n| entry("x", home, &title(n), ""))),
            ("one guid for all, no titles", numbered(50, |n| entry("x", home, "", &title(n)))),
            ("placeholders", numbered(3, |n| entry("N/A", "https://quay.example/N/A", &title(n), ""))),
            ("own guids, one link", numbered(5, |n| entry(&title(n), home, "Shirt", ""))),
            ("fragments", numbered(5, |n| entry("", &format!("{}#v{n}", page(0)), &title(n), ""))),
        ];
        for (what, entries) in feeds {
            assert_eq!(distinct(&entries), entries.len(), "{what}");
        }
        assert_eq!(
            distinct(&numbered(3, |_| entry("x", home, "The same", "words"))),
            1,
            "a repeat is a repeat"
        );
    }

    #[test]
    fn one_bad_guid_leaves_the_others_alone() {
        let sound = numbered(10, |n| entry(&format!("g{n}"), &format!("https://quay.example/{n}"), "", ""));
        let before: Vec<EntryKey> = of(&sound).iter().map(|identity| identity.keys[0]).collect();
        for bad in ["g1", "", "N/A"] {
            let mut stained = sound.clone();
            stained[0].guid = (!bad.is_empty()).then(|| bad.to_owned());
            let after: Vec<EntryKey> = of(&stained).iter().map(|identity| identity.keys[0]).collect();
            assert_eq!(after[2..], before[2..], "{bad:?}");
            let known: Vec<Sha256Hash> = of(&stained)[1].keys.iter().map(|key| key.sha256).collect();
            assert!(known.contains(&before[1].sha256), "what it was known by is still offered");
        }
    }

    #[test]
    fn a_link_is_shared_by_what_says_different_things() {
        let page = "https://quay.example/changes";
        let shares = |entries: &[EntryDraft]| -> Vec<bool> {
            of(entries).iter().map(|identity| identity.shares_link).collect()
        };
        let (long, longer) = ("word ".repeat(100), "word ".repeat(101));
        assert_eq!(shares(&[entry("1", page, "One", ""), entry("2", page, "Two", "")]), [true, true]);
        assert_eq!(shares(&[entry("1", page, "One", &long), entry("2", page, "One", &longer)]), [true, true]);
        assert_eq!(shares(&[entry("1", page, "One", "a"), entry("2", page, "One ", "b")]), [false, false]);
        let tracked = ["?smid=1", "?smid=2"].map(|query| entry(query, &format!("{page}{query}"), query, ""));
        assert_eq!(shares(&tracked), [false, false], "the parameter tells pages apart");
        assert!(of(&tracked).iter().all(|identity| identity.has_exact_link));
        let home = entry("1", "https://quay.example", "One", "");
        let other_home = entry("2", "https://mole.example/", "Two", "");
        assert_eq!(shares(&[home, other_home]), [true, false]);
    }
}
