//! The headline: what the page shows its readers, without the name of the site.

use super::clues::Heading;
use super::words::{self, key};

/// What separates a headline from the site's name in `<title>`.
const SEPARATORS: &[&str] = &[
    " | ", " - ", " – ", " — ", " :: ", " » ", " « ", " · ", " • ", " › ", " ‹ ", " ~ ", " / ", " > ", " < ",
    "｜", " : ", " ‖ ", "_", " ― ", " ∙ ", " -- ", " || ", "|",
];

/// What ends the name of a news site in Chinese and Japanese, where a bare hyphen sets it off.
const IDEOGRAPHIC_SITES: &[&str] = &[
    "网",
    "網",
    "报",
    "報",
    "新闻",
    "新聞",
    "日报",
    "在线",
    "频道",
    "论坛",
    "百科",
    "网站",
    "中心",
    "ニュース",
    "オンライン",
];

/// Where a headline may come from.
#[derive(Debug, Default)]
pub(super) struct Sources<'a> {
    /// Visible headlines in the page's order: `<h1>` and what is marked as one.
    pub(super) headings: Vec<&'a Heading<'a>>,
    /// Headings of the next levels.
    pub(super) lesser: Vec<&'a Heading<'a>>,
    /// Declared headlines, most trusted first.
    pub(super) declared: Vec<String>,
    /// `<title>`.
    pub(super) element: &'a str,
    /// The feed entry's.
    pub(super) entry: Option<&'a str>,
    /// Names that the site goes by, host included.
    pub(super) site_names: Vec<String>,
    /// Names of the article's section.
    pub(super) sections: Vec<&'a str>,
    /// The page's host.
    pub(super) host: &'a str,
    /// The path of its address.
    pub(super) path: &'a str,
}

/// The headline, and where it stands if it stands on the page.
#[derive(Debug, PartialEq)]
pub(super) struct Headline {
    pub(super) text: String,
    pub(super) at: Option<usize>,
}

/// How well the page's other statements bear a heading out, best last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    /// It is one of the parts of `<title>`, or what the address spells.
    Part,
    /// A declared headline is the greater part of it, or the other way round.
    Contained,
    /// A declared headline in so many letters.
    Equal,
}

/// The headline.
///
/// What readers see is meant, so a visible headline wins where a declared one, `<title>`, the feed or the address
/// confirms it, or where it at least shares a word with one of them: they are often rewritten for search engines. A
/// heading of a lower level counts where it is a declared headline to the letter and no first one is; one that leads to
/// the front page, or has a class of the site's name, is the site's name. Without a heading the declared headlines stand
/// in their order, then `<title>`, then the feed entry's title.
pub(super) fn choose(sources: &Sources<'_>) -> Option<Headline> {
    let statements = Statements::new(sources);
    let is_site = |heading: &Heading<'_>| statements.is_site(&heading.text) || is_sites_own(heading, sources);
    let headings: Vec<&Heading<'_>> = sources
        .headings
        .iter()
        .copied()
        .filter(|heading| !key(&heading.text).is_empty() && !is_site(heading))
        .collect();
    let best = best_of(&headings, |heading| statements.grade(heading));
    let lesser = best_of(&sources.lesser, |heading| {
        let telling = heading.text.split_whitespace().count() > 2 || heading.text.contains(is_ideograph);
        statements.grade_of_lesser(heading).filter(|grade| telling || *grade == Grade::Equal)
    })
    .filter(|(heading, _)| !is_site(heading) && !is_name_of_site(&heading.text, &statements.names));
    let alone = headings.len() == 1;
    let related = headings
        .iter()
        .copied()
        .find(|heading| statements.clean.iter().any(|title| are_related(&heading.text, title, alone)));
    let confirmed = match (best, lesser) {
        // Two parts of one title: the address tells which is the article's.
        (Some((first, Grade::Part)), Some((second, grade))) => {
            let spelt = |heading: &Heading<'_>| words_in_path(&heading.text, sources.path);
            // Where the title goes from the site down to the article, its first part is the site.
            let opens_title =
                key(sources.element).starts_with(&key(&first.text)) && !sources.element.contains('»');
            let second_wins = grade == Grade::Equal || (!opens_title && spelt(second) > spelt(first));
            Some(if second_wins { second } else { first })
        }
        (Some((first, _)), _) => Some(first),
        (None, Some((second, _))) => {
            // A heading of the text goes before one that stands under it and repeats what the head says; the site's
            // part of the title does not.
            let title = key(sources.element);
            let is_part = |part: &str| title.starts_with(part) || title.ends_with(part);
            let above = related.filter(|heading| heading.at < second.at && !is_part(&key(&heading.text)));
            Some(above.unwrap_or(second))
        }
        (None, None) => None,
    };
    let visible = confirmed.or(related);
    if let Some(heading) = visible {
        return Some(Headline { text: statements.proper(heading, &sources.sections), at: Some(heading.at) });
    }
    let first_declared = statements.clean.iter().find(|title| !statements.is_site(title));
    first_declared
        .map(|title| before_the_pipe(title).to_owned())
        .or_else(|| headings.first().map(|heading| heading.text.clone()))
        .or_else(|| statements.clean.first().cloned())
        .map(|text| Headline { text, at: None })
}

/// The heading with the best grade; of equals the one that its class calls an article's, then the first.
fn best_of<'a>(
    headings: &[&'a Heading<'a>],
    grade: impl Fn(&Heading<'_>) -> Option<Grade>,
) -> Option<(&'a Heading<'a>, Grade)> {
    let graded = headings.iter().filter_map(|heading| Some((*heading, grade(heading)?)));
    graded.min_by_key(|(heading, grade)| std::cmp::Reverse((*grade, heading.of_article)))
}

/// Whether a heading is the site's name by its looks: its class says so, or it leads to the front page. One that the
/// page declares to be the headline is not, whatever its class.
fn is_sites_own(heading: &Heading<'_>, sources: &Sources<'_>) -> bool {
    let leads_home = || {
        heading.link.is_some_and(|link| {
            let link = link.trim();
            let address = link.trim_start_matches("https:").trim_start_matches("http:");
            let of_host = address.strip_prefix("//").and_then(|rest| rest.strip_prefix(sources.host));
            link == "/" || of_host.is_some_and(|path| matches!(path, "" | "/"))
        })
    };
    let heading_key = key(&heading.text);
    let declared =
        || sources.declared.iter().map(|title| key(title)).any(|title| title.starts_with(&heading_key));
    !heading.of_article && (heading.of_site || leads_home()) && !declared()
}

/// Words of the address that a headline has.
fn words_in_path(title: &str, path: &str) -> usize {
    let title = title.to_lowercase();
    let words = path.split(|c: char| !c.is_alphanumeric()).filter(|word| word.len() > 2);
    words.filter(|word| title.contains(&word.to_lowercase())).count()
}

/// What the page and its feed call the article.
struct Statements {
    /// Keys of the site's names.
    names: Vec<String>,
    /// As stated.
    whole: Vec<String>,
    /// The same without the site's name.
    clean: Vec<String>,
    /// Letters and digits of the address.
    path: String,
}

impl Statements {
    fn new(sources: &Sources<'_>) -> Self {
        let mut names: Vec<String> =
            sources.site_names.iter().map(|name| key(name)).filter(|name| name.len() > 2).collect();
        let own = sources.headings.iter().filter(|heading| is_sites_own(heading, sources));
        names.extend(own.map(|heading| key(&heading.text)).filter(|name| name.len() > 2));
        let whole: Vec<String> = sources
            .declared
            .iter()
            .map(String::as_str)
            .chain([sources.element])
            .chain(sources.entry)
            .map(words::plain)
            .filter(|title| !key(title).is_empty())
            .collect();
        let clean = whole.iter().map(|title| without_site_name(title, &names)).collect();
        Self { names, whole, clean, path: key(sources.path) }
    }

    fn is_site(&self, title: &str) -> bool {
        self.names.contains(&key(title))
    }

    fn grade(&self, heading: &Heading<'_>) -> Option<Grade> {
        let heading_key = key(&heading.text);
        let contained = |title: &String| {
            let title = key(title);
            confirms(&title, &heading_key) || (title.len() > 20 && heading_key.ends_with(&title))
        };
        if self.clean.iter().any(|title| key(title) == heading_key) {
            return Some(Grade::Equal);
        }
        if self.clean.iter().any(contained) {
            return Some(Grade::Contained);
        }
        let spelt = heading_key.len() > 11 && self.path.contains(&heading_key);
        (spelt || self.is_part(&heading_key)).then_some(Grade::Part)
    }

    fn grade_of_lesser(&self, heading: &Heading<'_>) -> Option<Grade> {
        let heading_key = key(&heading.text);
        if self.clean.iter().any(|title| key(title) == heading_key) {
            return Some(Grade::Equal);
        }
        self.is_part(&heading_key).then_some(Grade::Part)
    }

    /// Whether a headline of this key is one of the parts that separators cut a title into.
    fn is_part(&self, heading_key: &str) -> bool {
        self.whole.iter().any(|title| segments(title).iter().any(|(_, part)| key(part) == heading_key))
    }

    /// The headline in a heading: without the kicker above it, the subtitle below it, the site's name behind it.
    fn proper(&self, heading: &Heading<'_>, sections: &[&str]) -> String {
        let text = self.headline_in(heading);
        let named = |part: &str| {
            let part = key(part);
            self.names.contains(&part) || sections.iter().any(|section| key(section) == part)
        };
        match segments(&text).as_slice() {
            [.., (start, last), (_, end)] if named(end) => text[..start + last.len()].to_owned(),
            _ => text,
        }
    }

    fn headline_in(&self, heading: &Heading<'_>) -> String {
        let whole = key(&heading.text);
        if let Some(core) = &heading.core
            && core.split_whitespace().count() > 1
            && whole.ends_with(&key(core))
        {
            return core.clone();
        }
        let is_stated = |part: &str| {
            let part = key(part);
            part.len() > 7 && self.clean.iter().any(|title| key(title) == part)
        };
        let cuts = || (1..heading.pieces.len()).map(|at| heading.pieces.split_at(at));
        let below_kicker = cuts().map(|(_, rest)| rest.join(" ")).find(|part| is_stated(part));
        let above_subtitle = || {
            if is_stated(&heading.text) {
                return None;
            }
            let told = cuts().filter(|(_, rest)| rest.len() > 1 || rest[0].split_whitespace().count() > 2);
            told.map(|(part, _)| part.join(" ")).find(|part| is_stated(part) && !part.ends_with(':'))
        };
        below_kicker.or_else(above_subtitle).unwrap_or_else(|| heading.text.clone())
    }
}

/// Whether two headlines are one: equal, or one the greater part of the other.
fn confirms(title: &str, heading: &str) -> bool {
    let (short, long) = if title.len() < heading.len() { (title, heading) } else { (heading, title) };
    long.contains(short) && short.len() * 2 >= long.len()
}

/// Whether a visible headline says in other words what a declared one says. Where it stands `alone` on the page one
/// word in common will do; else it may be a menu's label.
fn are_related(heading: &str, title: &str, alone: bool) -> bool {
    let title = title.to_lowercase();
    let heading = heading.to_lowercase();
    let words: Vec<&str> =
        heading.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let tells = |word: &str| word.chars().count() > 3 || word.contains(is_ideograph);
    let shared = words.iter().filter(|word| tells(word) && title.contains(**word)).count();
    let phrase = words.len() > 2 || heading.contains(is_ideograph);
    (alone && shared > 0) || (phrase && (shared > 1 || shared * 3 >= words.len()))
}

fn is_ideograph(c: char) -> bool {
    matches!(c, '\u{3040}'..='\u{9fff}')
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
    let title = without_ideographic_site(title);
    let parts = segments(title);
    let is_site = |(_, part): &(usize, &str)| is_name_of_site(part, names);
    let first = usize::from(parts.len() > 1 && is_site(&parts[0]));
    let end = parts.iter().skip(first + 1).position(is_site).map_or(parts.len(), |at| first + 1 + at);
    match (parts.get(first), parts.get(end - 1)) {
        (Some((start, _)), Some((last, part))) => title[*start..last + part.len()].to_owned(),
        _ => title.trim().to_owned(),
    }
}

/// `title` without a site's name that a bare hyphen sets off, as in Chinese titles.
fn without_ideographic_site(title: &str) -> &str {
    match title.trim_end().rsplit_once(['-', '－', '—']) {
        Some((before, site))
            if before.ends_with(|c: char| !c.is_ascii_alphanumeric())
                && site.chars().count() <= 10
                && IDEOGRAPHIC_SITES.iter().any(|word| site.ends_with(word)) =>
        {
            before.trim_end_matches(['-', '－', '—', ' '])
        }
        _ => title,
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

/// The site's name in the title of one of its feeds: "Harbour Times » Feed".
pub(super) fn site_of_feed_title(title: &str) -> Option<&str> {
    let speaks_of_feeds = |part: &str| {
        let part = part.to_lowercase();
        ["feed", "rss", "atom", "comment", "kommentar", "commentaire", "comentario"]
            .iter()
            .any(|word| part.contains(word))
    };
    let parts = segments(title);
    let (_, first) = parts.iter().find(|(_, part)| !speaks_of_feeds(part))?;
    (parts.len() > 1 || !title.contains(' ')).then_some(*first)
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
}
