//! What makes an entry the same entry at the next poll.

use std::collections::HashMap;

use crate::model::{Sha256Hash, normalise_url};

use super::EntryDraft;

/// Share of blank or repeated guids, in percent, from which a feed's guids are not believed.
const MAX_BAD_GUIDS_PERCENT: usize = 5;

/// The key of each entry: its guid, else the permalink or link without what varies, else a hash of what it says.
/// Where many guids of a feed are blank or repeated, links come first for all of its entries.
pub(super) fn keys(entries: &[EntryDraft]) -> Vec<Sha256Hash> {
    let believe_guids = guids_are_sound(entries);
    entries.iter().map(|entry| key(entry, believe_guids)).collect()
}

/// Whether the guids of a feed tell its entries apart.
pub(super) fn guids_are_sound(entries: &[EntryDraft]) -> bool {
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for guid in entries.iter().filter_map(|entry| entry.guid.as_deref()) {
        *seen.entry(guid).or_default() += 1;
    }
    let sound = seen.values().filter(|count| **count == 1).count();
    let bad = entries.len() - sound;
    bad * 100 <= entries.len() * MAX_BAD_GUIDS_PERCENT
}

fn key(entry: &EntryDraft, believe_guids: bool) -> Sha256Hash {
    let guid = entry.guid.as_deref().map(|guid| ("guid", guid.to_owned()));
    let link = entry.permalink.as_ref().or(entry.link.as_ref()).map(|url| ("link", normalise_url(url)));
    let named = if believe_guids { guid.or(link) } else { link.or(guid) };
    let (kind, value) = named.unwrap_or_else(|| {
        let evidence = &entry.evidence;
        let date = evidence.published_at.or(evidence.updated_at).map(|date| date.to_string());
        let content = evidence.content.as_ref().or(evidence.summary.as_ref());
        let parts = [evidence.title.as_ref(), date.as_ref(), content];
        ("text", parts.map(|part| part.map_or("", String::as_str)).join("\n"))
    });
    Sha256Hash::of(format!("{kind}\n{value}"))
}
