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

/// The headline. A visible headline that a declared one (or `<title>`, or the feed) confirms is what readers see and
/// wins; then the declared ones, `<title>`, a lone visible headline, the feed entry's title.
pub(super) fn choose(sources: &Sources<'_>) -> Option<String> {
    let names: Vec<String> =
        sources.site_names.iter().map(|name| key(name)).filter(|name| name.len() > 2).collect();
    let declared: Vec<String> = sources
        .declared
        .iter()
        .map(String::as_str)
        .chain([sources.element])
        .chain(sources.entry)
        .map(|title| without_site_name(&words::plain(title), &names))
        .filter(|title| !key(title).is_empty())
        .collect();
    let is_site = |title: &str| names.contains(&key(title));
    let confirmed = sources.headings.iter().find(|heading| {
        let heading_key = key(heading);
        !heading_key.is_empty()
            && !is_site(heading)
            && declared.iter().any(|title| confirms(&key(title), &heading_key))
    });
    if let Some(heading) = confirmed {
        return Some((*heading).to_owned());
    }
    let first_heading = sources.headings.iter().find(|heading| !key(heading).is_empty() && !is_site(heading));
    declared
        .iter()
        .find(|title| !is_site(title))
        .cloned()
        .or_else(|| first_heading.map(|heading| (*heading).to_owned()))
        .or_else(|| declared.first().cloned())
}

/// Whether two headlines are one: equal, or one the greater part of the other.
fn confirms(title: &str, heading: &str) -> bool {
    let (short, long) = if title.len() < heading.len() { (title, heading) } else { (heading, title) };
    long.contains(short) && short.len() * 2 >= long.len()
}

/// `title` without the parts at its ends that name the site.
fn without_site_name(title: &str, names: &[String]) -> String {
    let mut rest = title.trim();
    loop {
        let at_end = last_separator(rest).filter(|(_, name)| is_name_of_site(name, names));
        let at_start = first_separator(rest).filter(|(name, _)| is_name_of_site(name, names));
        rest = match (at_end, at_start) {
            (Some((title, _)), _) | (None, Some((_, title))) if !key(title).is_empty() => title.trim(),
            _ => return rest.to_owned(),
        };
    }
}

fn last_separator(title: &str) -> Option<(&str, &str)> {
    SEPARATORS
        .iter()
        .filter_map(|separator| title.rsplit_once(separator))
        .max_by_key(|(before, _)| before.len())
}

fn first_separator(title: &str) -> Option<(&str, &str)> {
    SEPARATORS
        .iter()
        .filter_map(|separator| title.split_once(separator))
        .min_by_key(|(before, _)| before.len())
}

fn is_name_of_site(part: &str, names: &[String]) -> bool {
    let part = key(part);
    part.is_empty()
        || names.iter().any(|name| {
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
