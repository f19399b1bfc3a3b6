//! Splits titles at separators and recognises the part that is the site's name.

use std::sync::LazyLock;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::extract::words::letters::letters;

/// Separators between a headline and the site's name in `<title>`.
const SEPARATORS: &[&str] = &[
    " | ", " - ", " – ", " — ", " :: ", " » ", " « ", " · ", " • ", " › ", " ‹ ", " ~ ", " / ", " > ", " < ",
    "｜", " : ", " ‖ ", "_", " ― ", " ∙ ", " -- ", " || ", "|", " │ ", " ┃ ", " ⋅ ", " ● ", " ◆ ", " ＞ ",
    " → ", "ㅣ", "丨", "￨",
];

/// Characters that separate a site's name at either end of a title, with or without spaces around them.
const CLOSE_SEPARATORS: &[char] = &[
    '|', '｜', 'ㅣ', '丨', '￨', '│', '·', '・', '•', '：', ':', '»', '«', '›', '‹', '–', '—', '―', '－', '-',
    '_', '~', '/', '∙', '⋅', '＿', '【', '】', '［', '］', '[', ']',
];

/// Endings of the names of Chinese and Japanese news sites; a bare hyphen separates such names from the headline.
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

/// Returns whether `title` begins with words whose key is `key_of_words`, followed by a separator.
pub(crate) fn is_parted_behind(title: &str, key_of_words: &str) -> bool {
    let signs = title.match_indices([':', '-', '–', '—', '|', '/']);
    let mut before =
        signs.map(|(at, _)| letters(&title[..at])).take_while(|key| key.len() <= key_of_words.len());
    before.any(|key| key == key_of_words)
}

/// Returns the text before the last bar if a single word follows the bar: a section or site name.
pub(crate) fn before_the_label(text: &str) -> Option<&str> {
    let (before, label) = text.rsplit_once(" | ")?;
    (label.split_whitespace().count() == 1 && before.contains(' ')).then(|| before.trim_end())
}

/// Returns `text` without a leading numeric date and its separator.
pub(crate) fn behind_the_date(text: &str) -> &str {
    let is_date = |part: &str| {
        part.len() > 5 && part.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '/' | '-'))
    };
    match segments(text).as_slice() {
        [(_, date), (start, _), ..] if is_date(date) => &text[*start..],
        _ => text,
    }
}

/// Returns the text before the first bar if it has more than two words: an unknown section or site name follows.
pub(crate) fn before_the_pipe(title: &str) -> &str {
    match title.split_once(" | ") {
        Some((before, _)) if before.split_whitespace().count() > 2 => before.trim(),
        _ => title,
    }
}

/// Returns `title` without the site's name at its start, and cut before the next part that names the site (a slogan may follow).
pub(crate) fn without_site_name(title: &str, names: &[String]) -> String {
    let title = without_ideographic_site(title);
    let parts = segments(title);
    let is_site = |(_, part): &(usize, &str)| is_name_of_site(&letters(part), names);
    let first = usize::from(parts.len() > 1 && is_site(&parts[0]));
    let end = parts.iter().skip(first + 1).position(is_site).map_or(parts.len(), |at| first + 1 + at);
    let title = match (parts.get(first), parts.get(end - 1)) {
        (Some((start, _)), Some((last, part))) => &title[*start..last + part.len()],
        _ => title.trim(),
    };
    without_leading_separator(without_close_site_name(title, names)).to_owned()
}

/// Strips a site name whose separator also occurs inside headlines: "港に船：港新聞".
fn without_close_site_name<'a>(title: &'a str, names: &[String]) -> &'a str {
    let is_site = |part: &str| names.contains(&letters(part));
    let is_set_off = |before: &str, sign: char, after: &str| {
        let is_close = |c: Option<char>| c.is_some_and(|c| c.is_ascii_alphanumeric());
        // "Ex-Times", "09:30": between letters or digits these characters join instead of separating.
        !(matches!(sign, '-' | '–' | ':' | '/' | '_' | '·')
            && is_close(before.chars().next_back())
            && is_close(after.chars().next()))
    };
    if let Some((before, after)) = title.rsplit_once(CLOSE_SEPARATORS)
        && let Some(sign) = title[before.len()..].chars().next()
        && is_site(after)
        && is_set_off(before, sign, after)
        && before.contains(char::is_alphanumeric)
    {
        return before.trim_end_matches(|c: char| c.is_whitespace() || CLOSE_SEPARATORS.contains(&c));
    }
    if let Some((before, after)) = title.split_once(CLOSE_SEPARATORS)
        && let Some(sign) = title[before.len()..].chars().next()
        && is_site(before)
        && is_set_off(before, sign, after)
        && after.contains(char::is_alphanumeric)
    {
        return after.trim_start();
    }
    title
}

/// Strips leading separators. A dash goes only before white space: before a digit it is a minus sign, before a word a hyphen.
fn without_leading_separator(title: &str) -> &str {
    let rest =
        title.trim_start_matches(['|', '｜', 'ㅣ', '丨', '·', '•', '：', ':', '»', '›', '/', '~', ' ']);
    match rest.strip_prefix(['-', '–', '—']) {
        Some(after) if after.starts_with(char::is_whitespace) => after.trim_start(),
        _ => rest,
    }
}

/// Strips a site name after a bare hyphen, as in Chinese titles.
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

/// Returns the parts of a title between its separators, with their byte offsets.
pub(crate) fn segments(title: &str) -> Vec<(usize, &str)> {
    // Of two separators that start at the same offset the longer one matches.
    static FINDER: LazyLock<AhoCorasick> = LazyLock::new(|| {
        let finder = AhoCorasick::builder().match_kind(MatchKind::LeftmostLongest).build(SEPARATORS);
        finder.expect("a few short separators make a small automaton")
    });
    let mut parts = Vec::new();
    let mut start = 0;
    let end = title.len()..title.len();
    for separator in FINDER.find_iter(title).map(|found| found.range()).chain([end]) {
        let part = title[start..separator.start].trim_start();
        if !part.is_empty() {
            parts.push((separator.start - part.len(), part.trim_end()));
        }
        start = separator.end;
    }
    parts
}

/// Returns the site's name from the title of one of its feeds: "Harbour Times » Feed".
pub(crate) fn site_of_feed_title(title: &str) -> Option<&str> {
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

/// Returns whether `part` (a key made by `letters`) is a name of the site, or a longer or shorter form of one.
pub(crate) fn is_name_of_site(part: &str, names: &[String]) -> bool {
    names.iter().any(|name| {
        part == *name
            || (part.len() >= 4 && name.contains(part))
            || (name.len() >= 4 && part.contains(name.as_str()) && part.len() <= name.len() * 3)
    })
}
