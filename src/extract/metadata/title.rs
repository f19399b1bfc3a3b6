//! The headline: what the page shows its readers, without the name of the site.

use super::words::{self, key};

/// What separates a headline from the site's name in `<title>`.
const SEPARATORS: &[&str] = &[
    " | ", " - ", " – ", " — ", " :: ", " » ", " « ", " · ", " • ", " › ", " ‹ ", " ~ ", " / ", " > ", " < ",
    "｜", " : ", " ‖ ", "_", " ― ", " ∙ ", " -- ", " || ", "|",
];

/// Where a headline may come from.
#[derive(Debug, Default)]
pub(super) struct Sources<'a> {
    /// Visible headlines in the page's order.
    pub(super) headings: Vec<&'a str>,
    /// Declared headlines, most trusted first.
    pub(super) declared: Vec<String>,
    /// `<title>`.
    pub(super) element: &'a str,
    /// The feed entry's.
    pub(super) entry: Option<&'a str>,
    /// Names that the site goes by, host included.
    pub(super) site_names: Vec<String>,
}

/// The headline.
///
/// What readers see is meant, so a visible headline wins where a declared one, `<title>` or the feed confirms it, or
/// where it at least shares a word with one of them: they are often rewritten for search engines. Without one the
/// declared headlines stand in their order, then `<title>`, then the feed entry's title.
pub(super) fn choose(sources: &Sources<'_>) -> Option<String> {
    let names: Vec<String> =
        sources.site_names.iter().map(|name| key(name)).filter(|name| name.len() > 2).collect();
    let is_site = |title: &str| names.contains(&key(title));
    let headings: Vec<&str> = sources
        .headings
        .iter()
        .copied()
        .filter(|heading| !key(heading).is_empty() && !is_site(heading))
        .collect();
    let stated: Vec<String> = sources
        .declared
        .iter()
        .map(String::as_str)
        .chain([sources.element])
        .chain(sources.entry)
        .map(words::plain)
        .filter(|title| !key(title).is_empty())
        .collect();
    let declared: Vec<String> = stated.iter().map(|title| without_site_name(title, &names)).collect();
    let confirmed = headings.iter().find(|heading| {
        let heading_key = key(heading);
        declared
            .iter()
            .zip(&stated)
            .any(|(title, whole)| confirms(&key(title), &heading_key) || is_part(&heading_key, whole))
    });
    if let Some(heading) = confirmed {
        let unbeheaded =
            declared.iter().zip(&stated).filter(|(title, whole)| whole.starts_with(title.as_str()));
        return Some(without_kicker(heading, unbeheaded.map(|(title, _)| title)));
    }
    let related = || {
        let alone = headings.len() == 1;
        headings.iter().find(|heading| declared.iter().any(|title| are_related(heading, title, alone)))
    };
    let first_declared = || declared.iter().find(|title| !is_site(title));
    related()
        .map(|heading| (*heading).to_owned())
        .or_else(|| first_declared().map(|title| before_the_pipe(title).to_owned()))
        .or_else(|| headings.first().map(|heading| (*heading).to_owned()))
        .or_else(|| declared.into_iter().next())
}

/// Whether two headlines are one: equal, or one the greater part of the other.
fn confirms(title: &str, heading: &str) -> bool {
    let (short, long) = if title.len() < heading.len() { (title, heading) } else { (heading, title) };
    long.contains(short) && short.len() * 2 >= long.len()
}

/// Whether a headline of this key is one of the parts that separators cut `title` into.
fn is_part(heading_key: &str, title: &str) -> bool {
    segments(title).iter().any(|(_, part)| key(part) == heading_key)
}

/// `heading` without the kicker that stands above it in one element, where a declared headline shows where it ends.
fn without_kicker<'a>(heading: &str, mut declared: impl Iterator<Item = &'a String>) -> String {
    let whole = key(heading);
    let bare = declared.find(|title| {
        let title = key(title);
        title.len() < whole.len() && whole.ends_with(&title)
    });
    bare.map_or_else(|| heading.to_owned(), Clone::clone)
}

/// Whether a visible headline says in other words what a declared one says. Where it stands `alone` on the page one
/// word in common will do; else it may be a menu's label.
fn are_related(heading: &str, title: &str, alone: bool) -> bool {
    let title = title.to_lowercase();
    let is_ideograph = |c: char| matches!(c, '\u{3040}'..='\u{9fff}');
    let heading = heading.to_lowercase();
    let words: Vec<&str> =
        heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let tells = |word: &str| word.chars().count() > 3 || word.contains(is_ideograph);
    let shared = words.iter().filter(|word| tells(word) && title.contains(**word)).count();
    let phrase = words.len() > 2 || heading.contains(is_ideograph);
    (alone && shared > 0) || (phrase && (shared > 1 || shared * 3 >= words.len()))
}

/// What stands before the first bar: behind it follow section and site, where their names are not known.
fn before_the_pipe(title: &str) -> &str {
    match title.split_once(" | ") {
        Some((before, _)) if before.split_whitespace().count() > 2 => before.trim(),
        _ => title,
    }
}

/// `title` without the parts that name the site, and what stands beyond them: its slogan.
fn without_site_name(title: &str, names: &[String]) -> String {
    let parts = segments(title);
    let is_site = |(_, part): &(usize, &str)| is_name_of_site(part, names);
    let first = usize::from(parts.len() > 1 && is_site(&parts[0]));
    let end = parts.iter().skip(first + 1).position(is_site).map_or(parts.len(), |at| first + 1 + at);
    match (parts.get(first), parts.get(end - 1)) {
        (Some((start, _)), Some((last, part))) => title[*start..last + part.len()].to_owned(),
        _ => title.trim().to_owned(),
    }
}

/// The parts of a title between its separators, with their places.
fn segments(title: &str) -> Vec<(usize, &str)> {
    let mut parts = Vec::new();
    let mut start = 0;
    while start < title.len() {
        let rest = &title[start..];
        let next = SEPARATORS.iter().filter_map(|separator| Some((rest.find(separator)?, separator.len())));
        // Of two that begin at one place the longer is meant.
        let (at, length) =
            next.min_by_key(|(at, length)| (*at, std::cmp::Reverse(*length))).unwrap_or((rest.len(), 0));
        let part = rest[..at].trim();
        if !part.is_empty() {
            parts.push((start + rest.find(part).unwrap_or_default(), part));
        }
        start += at + length.max(1);
    }
    parts
}

fn is_name_of_site(part: &str, names: &[String]) -> bool {
    let part = key(part);
    names.iter().any(|name| {
        part == *name
            || (part.len() >= 4 && name.contains(&part))
            || (name.len() >= 4 && part.contains(name) && part.len() <= name.len() * 3)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn title(headings: &[&str], og: Option<&str>, element: &str) -> Option<String> {
        choose(&Sources {
            headings: headings.to_vec(),
            declared: og.map(str::to_owned).into_iter().collect(),
            element,
            entry: None,
            site_names: vec!["The Harbour Times".to_owned(), "harbourtimes".to_owned()],
        })
    }

    #[test]
    fn the_sites_name_goes() {
        for element in [
            "Ferries return | The Harbour Times",
            "Ferries return - The Harbour Times",
            "Ferries return — Harbour Times",
            "Harbour Times: | Ferries return",
            "Ferries return | News | The Harbour Times",
        ] {
            let got = title(&[], None, element).unwrap();
            assert!(got.starts_with("Ferries return"), "{element}: {got}");
            assert!(!got.contains("Times"), "{element}: {got}");
        }
    }

    #[test]
    fn the_visible_headline_wins_where_it_is_confirmed() {
        let got =
            title(&["The Harbour Times", "Ferries return - at last"], Some("Ferries return - at last"), "x");
        assert_eq!(got.as_deref(), Some("Ferries return - at last"));
        let got = title(&["Most read"], Some("Ferries return"), "Ferries return | The Harbour Times");
        assert_eq!(got.as_deref(), Some("Ferries return"));
        assert_eq!(title(&[], None, ""), None);
    }
}
