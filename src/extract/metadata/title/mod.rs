//! Chooses the headline: the one that the page shows its readers, without the site's name.

pub(crate) mod parts;

use crate::extract::html::text::{fold_space, plain, without_entities};
use crate::extract::metadata::clues::{HEADING_CHARS, Heading};
use crate::extract::words::letters::{first_chars, is_ideograph, letters};
use parts::{
    before_the_label, before_the_pipe, behind_the_date, is_name_of_site, is_parted_behind, segments,
    without_site_name,
};

/// A longer heading is the standfirst or a whole paragraph.
const MAX_HEADLINE_CHARS: usize = 200;
/// Keys of more bytes are not contained in other keys by coincidence.
const LONG_KEY_BYTES: usize = 20;

/// The sources of the headline.
#[derive(Debug, Default)]
pub(crate) struct Sources<'a> {
    /// Visible headlines in document order: `<h1>` and elements marked as a headline.
    pub(crate) headings: Vec<&'a Heading<'a>>,
    /// Headings of the next levels (`<h2>` to `<h4>`).
    pub(crate) lesser: Vec<&'a Heading<'a>>,
    /// Declared headlines (metadata), most trusted first.
    pub(crate) declared: Vec<String>,
    /// `<title>`.
    pub(crate) element: &'a str,
    /// Title of the feed entry.
    pub(crate) entry: Option<&'a str>,
    /// Names of the site, including its host.
    pub(crate) site_names: Vec<String>,
    /// Names of the article's section.
    pub(crate) sections: Vec<&'a str>,
    /// The page's host.
    pub(crate) host: &'a str,
    /// The path of the page's URL.
    pub(crate) path: &'a str,
}

/// The headline, with its text position if it is visible on the page.
#[derive(Debug, PartialEq)]
pub(crate) struct Headline {
    pub(crate) text: String,
    pub(crate) at: Option<usize>,
}

/// How strongly the declared headlines, `<title>`, feed entry and URL confirm a heading, best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    /// It equals a part of a stated title, or the URL spells it out.
    Part,
    /// It contains a stated title or is contained in one, and the shorter is at least half of the longer, or a long start or end.
    Contained,
    /// It equals a stated title (letters and digits only).
    Equal,
}

/// Chooses the headline.
///
/// The visible headline is wanted, so one wins if a declared headline, `<title>`, the feed or the URL confirms it, or
/// at least shares a word with it: declared ones are often rewritten for search engines. A lower-level heading
/// counts if it equals a stated title (or a part of one) and no `<h1>` is confirmed better. A heading that links to the
/// front page, or whose class names the site's title, is the site's name. Without a heading, the declared headlines are used
/// in order, then `<title>`, then the feed entry's title.
pub(crate) fn choose<'a>(sources: &Sources<'a>) -> Option<Headline> {
    let statements = Statements::new(sources);
    let is_site = |seen: &Seen<'_>| statements.is_site(&seen.key) || is_sites_own(seen, sources);
    let seen = |headings: &[&'a Heading<'a>]| {
        let seen = headings.iter().map(|heading| Seen { heading, key: letters(&heading.text) });
        seen.filter(|seen| !seen.key.is_empty()).collect::<Vec<_>>()
    };
    let mut headings = seen(&sources.headings);
    headings.retain(|seen| !(is_site(seen) || seen.is_paragraph() && statements.grade(seen).is_none()));
    let others = seen(&sources.lesser);
    let spelt = |seen: &Seen<'_>| words_in_path(&seen.heading.text, sources.path);
    let best = best_of(&headings, |seen| statements.grade(seen), spelt);
    let lesser = best_of(
        &others,
        |seen| {
            let text = &seen.heading.text;
            let telling = text.split_whitespace().count() > 2 || text.contains(is_ideograph);
            statements.grade_of_lesser(seen).filter(|grade| telling || *grade == Grade::Equal)
        },
        spelt,
    )
    .filter(|(seen, _)| !is_site(seen) && !is_name_of_site(&seen.key, &statements.names));
    let related = statements.related(&headings);
    let confirmed = match (best, lesser) {
        // Both are parts of one title: the URL tells which one is the article's.
        (Some((first, Grade::Part)), Some((second, grade))) => {
            // Where the title goes from the site down to the article, its first part is the site's.
            let opens_title = statements.element.starts_with(&first.key) && !sources.element.contains('»');
            // A forum's name above the title of a thread: most titles go from the article up to the site.
            let closes_title = statements.element.starts_with(&second.key)
                && statements.element.ends_with(&first.key)
                && first.heading.at < second.heading.at;
            let second_wins = grade == Grade::Equal
                || (!opens_title && spelt(second) > spelt(first))
                || (closes_title && spelt(second) == spelt(first));
            Some(if second_wins { second } else { first })
        }
        (Some((first, _)), _) => Some(first),
        (None, Some((second, _))) => {
            // A related heading that precedes the confirmed lesser one wins, unless it starts or ends the title: that is
            // the site's part.
            let title = &statements.element;
            let is_part = |part: &str| title.starts_with(part) || title.ends_with(part);
            let above = related.filter(|seen| seen.heading.at < second.heading.at && !is_part(&seen.key));
            Some(above.unwrap_or(second))
        }
        (None, None) => None,
    };
    let of_article: Vec<&Seen<'_>> = if headings.is_empty() {
        others.iter().filter(|seen| seen.heading.of_article && !is_site(seen)).collect()
    } else {
        headings.iter().collect()
    };
    let visible = confirmed.or(related).or_else(|| statements.sole(&of_article));
    if let Some(seen) = visible {
        let text = statements.proper(seen, &sources.sections);
        return Some(Headline { text, at: Some(seen.heading.at) });
    }
    let stated = &statements.stated;
    let first_declared = stated.iter().find(|stated| !statements.is_site(&stated.key));
    statements
        .entrys_own(sources)
        .or(first_declared)
        .map(|stated| before_the_pipe(&stated.clean).to_owned())
        .or_else(|| headings.first().map(|seen| seen.heading.text.clone()))
        .or_else(|| stated.first().map(|stated| stated.clean.clone()))
        .map(|text| Headline { text, at: None })
}

/// A heading and its key (letters and digits) for comparisons.
struct Seen<'a> {
    heading: &'a Heading<'a>,
    key: String,
}

impl Seen<'_> {
    /// Returns whether the heading is too long for a headline: some templates mark up the standfirst as a heading.
    fn is_paragraph(&self) -> bool {
        self.heading.text.chars().count() > MAX_HEADLINE_CHARS
    }
}

/// Returns the heading with the best grade. Ties go to the one whose class names an article's title, then to the one that
/// shares more words with the URL, then to the first.
fn best_of<'s, 'a>(
    headings: &'s [Seen<'a>],
    grade: impl Fn(&Seen<'_>) -> Option<Grade>,
    spelt: impl Fn(&Seen<'_>) -> usize,
) -> Option<(&'s Seen<'a>, Grade)> {
    let graded = headings.iter().filter_map(|seen| Some((seen, grade(seen)?)));
    graded.min_by_key(|(seen, grade)| std::cmp::Reverse((*grade, seen.heading.of_article, spelt(seen))))
}

/// Returns whether a heading is the site's name: its class says so, or it links to the front page. A heading that
/// the page declares to be the headline is not, whatever its class.
fn is_sites_own(seen: &Seen<'_>, sources: &Sources<'_>) -> bool {
    let heading = seen.heading;
    let leads_home = || {
        heading.link.is_some_and(|link| {
            let link = link.trim();
            let address = link.trim_start_matches("https:").trim_start_matches("http:");
            let of_host = address.strip_prefix("//").and_then(|rest| rest.strip_prefix(sources.host));
            link == "/" || of_host.is_some_and(|path| matches!(path, "" | "/"))
        })
    };
    let declared = || sources.declared.iter().any(|title| letters(title).starts_with(&seen.key));
    !heading.of_article && (heading.of_site || leads_home()) && !declared()
}

/// Counts the words of the URL's path that occur in a headline.
fn words_in_path(title: &str, path: &str) -> usize {
    let title = title.to_lowercase();
    let words = path.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2);
    words.filter(|word| title.contains(&word.to_lowercase())).count()
}

/// A title stated by the page or its feed entry.
struct Stated {
    /// The title without the site's name.
    clean: String,
    /// Key of `clean`.
    key: String,
    /// Keys of the parts of the whole title between separators.
    parts: Vec<String>,
    /// Whether the site's name comes first: either a slogan or a headline may follow.
    opens_with_site: bool,
    /// Whether it comes from the feed entry.
    is_entrys: bool,
}

/// All titles that the page and its feed entry state for the article.
struct Statements {
    /// Keys of the site's names.
    names: Vec<String>,
    /// Most trusted first.
    stated: Vec<Stated>,
    /// Letters and digits of `<title>`.
    element: String,
    /// Letters and digits of the URL's path.
    path: String,
}

impl Statements {
    fn new(sources: &Sources<'_>) -> Self {
        let mut names: Vec<String> =
            sources.site_names.iter().map(|name| letters(name)).filter(|name| name.len() > 2).collect();
        let seen = sources.headings.iter().map(|heading| Seen { heading, key: letters(&heading.text) });
        let own = seen.filter(|seen| is_sites_own(seen, sources));
        names.extend(own.map(|seen| seen.key).filter(|name| name.len() > 2));
        names.sort_unstable();
        names.dedup();
        let stated = sources
            .declared
            .iter()
            .map(String::as_str)
            .chain([sources.element])
            .map(|whole| (whole, false))
            .chain(sources.entry.map(|whole| (whole, true)))
            // No headline is longer, and the work below grows with the square of the length.
            .map(|(whole, is_entrys)| {
                let start = first_chars(whole, HEADING_CHARS);
                // An entry's title is already plain text: apparent markup in it is part of the title.
                (if is_entrys { without_entities(&fold_space(start)) } else { plain(start) }, is_entrys)
            })
            .filter(|(whole, _)| whole.contains(char::is_alphanumeric))
            .map(|(whole, is_entrys)| {
                let clean = without_site_name(&whole, &names);
                let parts: Vec<String> = segments(&whole).iter().map(|(_, part)| letters(part)).collect();
                let opens_with_site = parts.first().is_some_and(|first| is_name_of_site(first, &names));
                Stated { key: letters(&clean), clean, parts, opens_with_site, is_entrys }
            })
            .filter(|stated| !stated.key.is_empty())
            .collect();
        Self { names, stated, element: letters(sources.element), path: letters(sources.path) }
    }

    fn is_site(&self, key: &str) -> bool {
        self.names.iter().any(|name| name == key)
    }

    fn is_stated(&self, key: &str) -> bool {
        self.stated.iter().any(|stated| stated.key == key)
    }

    fn grade(&self, seen: &Seen<'_>) -> Option<Grade> {
        let heading = seen.key.as_str();
        let contained = |stated: &Stated| {
            let title = stated.key.as_str();
            confirms(title, heading)
                || (title.len() > LONG_KEY_BYTES && heading.ends_with(title))
                || (heading.len() > LONG_KEY_BYTES && title.starts_with(heading))
        };
        if self.is_stated(heading) {
            return Some(Grade::Equal);
        }
        if self.stated.iter().any(contained) {
            return Some(Grade::Contained);
        }
        let spelt = heading.len() > 11 && self.path.contains(heading);
        (spelt || self.is_part(heading)).then_some(Grade::Part)
    }

    fn grade_of_lesser(&self, seen: &Seen<'_>) -> Option<Grade> {
        // "harbourtimes.example Ferries return": a name without a separator.
        let behind_name = || {
            let before = self.element.strip_suffix(seen.key.as_str());
            before.is_some_and(|before| !before.is_empty() && self.is_site(before))
        };
        if self.is_stated(&seen.key) || behind_name() {
            return Some(Grade::Equal);
        }
        self.is_part(&seen.key).then_some(Grade::Part)
    }

    /// Returns whether `key` equals one of the parts of a stated title.
    fn is_part(&self, key: &str) -> bool {
        self.stated.iter().any(|stated| stated.parts.iter().any(|part| part == key))
    }

    /// Returns the first heading that rephrases a stated title.
    fn related<'s, 'a>(&self, headings: &'s [Seen<'a>]) -> Option<&'s Seen<'a>> {
        let titles: Vec<String> = self.stated.iter().map(|stated| stated.clean.to_lowercase()).collect();
        let alone = headings.len() == 1;
        headings.iter().find(|seen| {
            let heading = seen.heading.text.to_lowercase();
            titles.iter().any(|title| are_related(&heading, title, alone))
        })
    }

    /// Returns the only heading of a page that states nothing but the site's name, perhaps with a slogan. If the `<h1>`
    /// is the site's, the caller passes the next-level headings whose class names an article's title.
    fn sole<'s, 'a>(&self, headings: &[&'s Seen<'a>]) -> Option<&'s Seen<'a>> {
        let [seen] = headings else { return None };
        let text = &seen.heading.text;
        let tells =
            text.split_whitespace().count() > 2 || text.chars().filter(|&c| is_ideograph(c)).count() > 5;
        let states_site_only = self.stated.iter().all(|stated| !stated.is_entrys && stated.opens_with_site);
        (tells && states_site_only).then_some(seen)
    }

    /// Returns the entry's title if the page declares no headline and its `<title>` shares no word with the entry's: that
    /// is then the site's or a template's.
    fn entrys_own(&self, sources: &Sources<'_>) -> Option<&Stated> {
        let (entrys, own): (Vec<&Stated>, Vec<&Stated>) =
            self.stated.iter().partition(|stated| stated.is_entrys);
        let entry = entrys.first().filter(|_| sources.declared.is_empty())?;
        let title = entry.clean.to_lowercase();
        let shares = |stated: &&Stated| are_related(&title, &stated.clean.to_lowercase(), true);
        (!own.iter().any(shares)).then_some(*entry)
    }

    /// Returns the headline inside a heading: without the kicker above, the subtitle below, or the site's name after it.
    fn proper(&self, seen: &Seen<'_>, sections: &[&str]) -> String {
        let text = self.headline_in(seen);
        let named = |part: &str| {
            let part = letters(part);
            self.is_site(&part) || sections.iter().any(|section| letters(section) == part)
        };
        let text = match segments(&text).as_slice() {
            [.., (start, last), (_, end)] if named(end) => text[..start + last.len()].to_owned(),
            _ => text,
        };
        let text = before_the_label(&text).map_or(text.as_str(), |before| before);
        behind_the_date(text).to_owned()
    }

    fn headline_in(&self, seen: &Seen<'_>) -> String {
        let Seen { heading, key: whole } = seen;
        if let Some(core) = &heading.core
            && core.split_whitespace().count() > 1
            && whole.ends_with(&letters(core))
        {
            return core.clone();
        }
        let is_stated = |part: &str| {
            let part = letters(part);
            part.len() > 7 && self.is_stated(&part)
        };
        let cuts = || (1..heading.pieces.len()).map(|at| heading.pieces.split_at(at));
        let below_kicker = cuts().map(|(_, rest)| rest.join(" ")).find(|part| is_stated(part));
        let above_subtitle = || {
            if self.is_stated(whole) {
                return None;
            }
            let told = cuts().filter(|(_, rest)| rest.len() > 1 || rest[0].split_whitespace().count() > 2);
            told.map(|(part, _)| part.join(" ")).find(|part| is_stated(part) && !part.ends_with(':'))
        };
        // The kicker has an element of its own; without it the kicker would run into the headline.
        let set_off = || {
            let parted = |kicker: &str| {
                let kicker = letters(kicker);
                self.stated
                    .iter()
                    .any(|stated| stated.key == *whole && is_parted_behind(&stated.clean, &kicker))
            };
            let bare = |piece: &str| piece.ends_with(|c: char| c.is_alphanumeric());
            let kicker = cuts()
                .find(|(part, _)| part.last().is_some_and(|last| bare(last)) && parted(&part.join(" ")));
            let behind = |rest: &[String]| rest.join(" ").trim_start_matches(['-', '–', '—', ' ']).to_owned();
            kicker.map(|(_, rest)| behind(rest)).filter(|rest| !rest.starts_with(':'))
        };
        below_kicker.or_else(above_subtitle).or_else(set_off).unwrap_or_else(|| heading.text.clone())
    }
}

/// Returns whether two headlines match: equal, or one makes up at least half of the other.
fn confirms(title: &str, heading: &str) -> bool {
    let (short, long) = if title.len() < heading.len() { (title, heading) } else { (heading, title) };
    long.contains(short) && short.len() * 2 >= long.len()
}

/// Returns whether a visible headline rephrases a declared one, both in lower case. If it is the only one on the page
/// (`alone`), one common word is enough; otherwise it may be a menu label or a section heading of the text.
fn are_related(heading: &str, title: &str, alone: bool) -> bool {
    let words: Vec<&str> =
        heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let tells = |word: &str| word.chars().count() > 3 || word.contains(is_ideograph);
    let shared = words.iter().filter(|word| tells(word) && title.contains(**word)).count();
    let phrase = words.len() > 2 || heading.contains(is_ideograph);
    shared > 0 && (alone || (phrase && (shared > 1 || shared * 2 >= words.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heading(text: &str) -> Heading<'_> {
        Heading { text: text.to_owned(), ..Heading::default() }
    }

    fn title(headings: &[&str], og: Option<&str>, element: &str) -> Option<String> {
        let headings: Vec<Heading<'_>> = headings.iter().map(|text| heading(text)).collect();
        let chosen = choose(&Sources {
            headings: headings.iter().collect(),
            declared: og.map(str::to_owned).into_iter().collect(),
            element,
            site_names: vec!["The Harbour Times".to_owned(), "harbourtimes".to_owned()],
            host: "harbourtimes.example",
            ..Sources::default()
        });
        chosen.map(|headline| headline.text)
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

    #[test]
    fn a_heading_of_the_text_does_not_pass_for_the_headline() {
        let sections = ["What is a ferry?", "So many ferries!", "Next steps"];
        let got = title(&sections, Some("Small ferries return to the old harbour"), "x");
        assert_eq!(got.as_deref(), Some("Small ferries return to the old harbour"));
        let lead = "The small ferries return to the old harbour. ".repeat(6);
        let got = title(&[&lead], Some("Small ferries return"), "x");
        assert_eq!(got.as_deref(), Some("Small ferries return"));
    }

    #[test]
    fn of_two_confirmed_headings_the_address_spells_the_headline() {
        let headings = [heading("News"), heading("Ferries return")];
        let chosen = choose(&Sources {
            headings: headings.iter().collect(),
            declared: vec!["Ferries return".to_owned()],
            element: "News - The Harbour Times",
            site_names: vec!["The Harbour Times".to_owned()],
            path: "/news/ferries-return",
            ..Sources::default()
        });
        assert_eq!(chosen.unwrap().text, "Ferries return");
    }

    #[test]
    fn what_a_template_sets_before_or_behind_goes() {
        for (visible, headline) in [
            ("Ferries return at last | Opinion", "Ferries return at last"),
            ("23.01.2022 - Ferries return", "Ferries return"),
            ("Ferries return at last | What passengers say", "Ferries return at last | What passengers say"),
        ] {
            assert_eq!(title(&[visible], Some(visible), visible).as_deref(), Some(headline));
        }
    }

    #[test]
    fn a_kicker_in_a_box_of_its_own_goes() {
        let of_pieces = |pieces: &[&str], stated: &str| {
            let heading = Heading {
                text: pieces.join(" "),
                pieces: pieces.iter().copied().map(str::to_owned).collect(),
                ..Heading::default()
            };
            let sources = Sources { headings: vec![&heading], element: stated, ..Sources::default() };
            choose(&sources).unwrap().text
        };
        assert_eq!(of_pieces(&["Harbour", "Ferries return"], "Harbour: Ferries return"), "Ferries return");
        assert_eq!(of_pieces(&["Harbour", "– Ferries return"], "Harbour – Ferries return"), "Ferries return");
        assert_eq!(
            of_pieces(&["Harbour", "ferries return"], "Harbour ferries return"),
            "Harbour ferries return"
        );
        assert_eq!(
            of_pieces(&["Harbour", ": past, future"], "Harbour: past, future"),
            "Harbour : past, future"
        );
    }
}
