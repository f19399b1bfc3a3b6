//! Extracts author names from bylines: "By Emmanuel Adler and Jane Young, Senior Reporters | 4 May 2024".
//!
//! A byline is split at its separators. The opening ("By"), roles and what follows the name (a place, a date) are
//! removed from each part; the rest is accepted if it has the shape of a name.

use super::names::{Shape, add, is_collective, is_label, is_name, is_role, looks_capitalised, names};
use crate::extract::words::letters::{letters, strip_prefix_ignoring_case};
use crate::extract::words::openings;
use crate::languages::LANGUAGES;

/// Maximum length of a text that consists of a name, a role and a date.
const MAX_BYLINE_BYTES: usize = 200;
/// A longer line is a sentence.
const SENTENCE_BYTES: usize = 50;

/// Returns the names in a visible byline; none if `text` is not a byline.
pub(crate) fn authors_of_byline(text: &str) -> Vec<String> {
    let text = openings::without_other_contributors(text.trim()).trim();
    // "记者 王小明 摄" credits the photographer.
    if text.trim_end_matches(['）', ')', '。']).ends_with(['摄', '攝']) {
        return Vec::new();
    }
    let text = strip_prefix_ignoring_case(text, "picture of").unwrap_or(text).trim_start();
    let mut rest = text;
    // "By: Words by Jane Young"
    while let Some(after) = openings::byline_opening(rest).filter(|after| after.len() < rest.len()) {
        rest = after.trim_start();
    }
    // "4 May 2024 by Jane Young"
    if rest.len() == text.len()
        && let Some(after) = openings::inner_byline(text)
    {
        rest = after;
    }
    let marked = rest.len() < text.len();
    let names = names(rest, Shape::Visible);
    // Without an opening, a byline consists mostly of names.
    let length = |text: &str| letters(text).len();
    let whole =
        |names: &[String]| names.iter().map(|name| length(name)).sum::<usize>() * 5 > length(text) * 2;
    if marked || whole(&names) { names } else { Vec::new() }
}

/// Returns the pen name on the line after one that consists only of a byline opening.
pub(crate) fn pen_name_of_byline(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let is_alone = lines.next().and_then(openings::byline_opening).is_some_and(str::is_empty);
    let name = lines.next().filter(|name| is_alone && is_pen_name(name));
    name.map(|name| names(name, Shape::Declared)).unwrap_or_default()
}

/// Returns the names in a text with a byline opening, including the following lines while they continue with names.
pub(crate) fn authors_of_opened_byline(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let opening = lines.next().unwrap_or_default();
    let is_alone = openings::byline_opening(opening).is_some_and(str::is_empty);
    let mut authors = if is_alone {
        names(lines.next().unwrap_or_default(), Shape::Visible)
    } else {
        authors_at_once(opening)
    };
    if authors.is_empty() {
        return authors;
    }
    let mut is_joined = false;
    for line in lines {
        let joins = |word: &str| LANGUAGES.byline.conjunctions.contains(word) || word == ",";
        if joins(line) {
            is_joined = true;
            continue;
        }
        if line.split_whitespace().any(is_role) {
            break;
        }
        let more = names(line, Shape::Visible);
        let goes_on = is_joined || line.split_whitespace().next().is_some_and(joins) || line.starts_with(',');
        if more.is_empty() || !(goes_on || more.iter().all(|name| name.contains(' '))) {
            break;
        }
        add(&mut authors, more);
        is_joined = false;
    }
    authors
}

/// Returns the names in a line with a byline opening if a name follows directly: not in "By the Teachers' Union". A
/// single word must be at least half of the rest: not in "By hand and by night".
fn authors_at_once(line: &str) -> Vec<String> {
    let authors = authors_of_byline(line);
    let rest = letters(openings::byline_opening(line).unwrap_or(line));
    let follows = |name: &String| {
        let name_key = letters(name);
        rest.starts_with(&name_key) && (name.contains(' ') || name_key.len() * 2 >= rest.len())
    };
    if authors.first().is_some_and(follows) { authors } else { Vec::new() }
}

/// Returns whether a line is one or two words that may be a pen name: `quillpen`, `r23`.
fn is_pen_name(line: &str) -> bool {
    let words: Vec<&str> = line.split_whitespace().collect();
    let is_shaped = match words.as_slice() {
        [_] => true,
        [first, last] => looks_capitalised(first) && looks_capitalised(last),
        _ => false,
    };
    is_shaped
        && line.contains(char::is_alphabetic)
        && !words.iter().any(|word| is_label(word) || LANGUAGES.byline.cuts.contains(&word.to_lowercase()))
}

/// Returns the names in an element whose class marks authors; pen names too if it contains nothing else.
pub(crate) fn authors_of_element(text: &str) -> Vec<String> {
    let names = authors_of_byline(text);
    let text = openings::without_other_contributors(text);
    let bare = openings::byline_opening(text).unwrap_or(text).trim();
    let words = || bare.split_whitespace();
    if names.is_empty()
        && (words().count() == 1 || words().count() == 2 && words().all(looks_capitalised))
        && !words().any(is_label)
        && bare.contains(char::is_alphabetic)
    {
        return authors_of_value(bare);
    }
    if names.is_empty() { first_name(bare) } else { names }
}

/// Returns the names beside the date in a line such as "4 May 2024 | Ada Lind": a part between separators that contains
/// nothing but names.
pub(crate) fn authors_of_dateline(text: &str) -> Vec<String> {
    let parts: Vec<&str> = text
        .split(['|', '·', '•'])
        .flat_map(|part| part.split(" - "))
        .flat_map(|part| part.split(" – "))
        .collect();
    let is_dated = parts.iter().any(|part| part.contains(char::is_numeric));
    if !is_dated || parts.len() < 2 || text.len() > MAX_BYLINE_BYTES {
        return Vec::new();
    }
    let whole = |part: &&str| {
        let part = openings::byline_opening(part).unwrap_or(part);
        let found = names(part, Shape::Visible);
        let all = found.iter().map(|name| letters(name).len()).sum::<usize>() == letters(part).len();
        (all && found.iter().all(|name| name.contains(' '))).then_some(found)
    };
    parts.iter().filter_map(whole).find(|found| !found.is_empty()).unwrap_or_default()
}

/// Returns the name at the start of a text if a separator or line end divides it from what is said of the person: a
/// role, a date.
fn first_name(text: &str) -> Vec<String> {
    let mut lines = text.lines();
    let line = lines.next().unwrap_or_default();
    // A long text is accepted only if it describes the person in whole sentences.
    let mut tells = || lines.next().is_some_and(|next| next.len() > SENTENCE_BYTES);
    if text.len() > MAX_BYLINE_BYTES && !tells() {
        return Vec::new();
    }
    let end = line.find([',', '(', '|', '·', '•', '–', '—']).unwrap_or(line.len());
    let is_whole = end == text.len();
    let found = names(&line[..end], Shape::Visible);
    match found.as_slice() {
        [name] if !is_whole && name.contains(' ') && letters(name) == letters(&line[..end]) => found,
        _ => Vec::new(),
    }
}

/// Returns the names in a value that is declared to hold authors.
pub(crate) fn authors_of_value(value: &str) -> Vec<String> {
    let value = value.trim();
    // "jane@news.example (Jane Young)", as feeds write it.
    if let Some((address, name)) = value.split_once(" (")
        && address.contains('@')
    {
        return names(name.trim_end_matches(')'), Shape::Declared);
    }
    let value = openings::byline_opening(value).filter(|rest| !rest.is_empty()).unwrap_or(value);
    names(value, Shape::Declared)
}

/// Returns the organisation in a value that is declared to hold one. It is not split: "Brick & Stone" is one name.
pub(crate) fn organisation_of_value(value: &str) -> Vec<String> {
    let words: Vec<&str> = value.split_whitespace().collect();
    let named = is_name(value, &words, Shape::Declared) && !words.iter().all(|word| is_role(word));
    if named { vec![value.to_owned()] } else { Vec::new() }
}

/// Returns the editorial office from a byline that names nobody: "Redaktion", "The editorial team".
pub(crate) fn collective(text: &str) -> Option<String> {
    let bare = openings::byline_opening(text).unwrap_or(text).trim();
    let words: Vec<&str> = bare.split_whitespace().collect();
    // A lower-case "team" is an account name or a template's default.
    let is_office = bare.chars().any(char::is_uppercase)
        && (1..=3).contains(&words.len())
        && is_collective(&words)
        && words.iter().all(|word| is_role(word) || word.eq_ignore_ascii_case("the"));
    is_office.then(|| bare.trim_matches(|c: char| !c.is_alphanumeric()).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bylines_of_many_languages() {
        for (text, expected) in [
            ("By Emmanuel Adler and Jane Young", &["Emmanuel Adler", "Jane Young"][..]),
            ("By Emmanuel Adler, Senior Reporter", &["Emmanuel Adler"]),
            ("BY EMMANUEL ADLER AND JANE YOUNG", &["EMMANUEL ADLER", "JANE YOUNG"]),
            ("Ρεπορτάζ: Νίκος Δέλτας", &["Νίκος Δέλτας"]),
            ("Текст: Анна Липова", &["Анна Липова"]),
            ("by Grünwald", &["Grünwald"]),
            ("Picture of By Ada Lind", &["Ada Lind"]),
            ("Picture of Ada Lind", &["Ada Lind"]),
            ("By Staff Writer Ada Lind | May 4, 2024", &["Ada Lind"]),
            ("By Ada Lind May 4, 2024", &["Ada Lind"]),
            (
                "By Dr. Ada Lind, Ph.D., and Jane Young, MD, RN",
                &["Dr. Ada Lind, Ph.D.", "Jane Young, MD, RN"],
            ),
            ("Written by Ada Lind | Edited by Jane Young", &["Ada Lind"]),
            ("Reviewed by Jane Young", &[]),
            ("By\nAda Lind\nand\nJane Young\nUpdated 3 hours ago", &["Ada Lind", "Jane Young"]),
            ("Ada Lind in Rome", &["Ada Lind"]),
            ("Von Ada Lind und Jörg van der Berg", &["Ada Lind", "Jörg van der Berg"]),
            ("Par Ada Lind et Émile Roux", &["Ada Lind", "Émile Roux"]),
            ("Por Ada Lind y José de la Cruz", &["Ada Lind", "José de la Cruz"]),
            ("Di Ada Lind e Enzo Rossi", &["Ada Lind", "Enzo Rossi"]),
            ("Автор: Анна Липова", &["Анна Липова"]),
            ("Autor: Anna Lipowa i Jan Kos", &["Anna Lipowa", "Jan Kos"]),
            ("Γράφει ο Νίκος Δέλτας", &["Νίκος Δέλτας"]),
            ("Yazar: Ayşe Yıldız", &["Ayşe Yıldız"]),
            ("بقلم: سارة نجم", &["سارة نجم"]),
            ("نویسنده: سارا نجم", &["سارا نجم"]),
            ("记者：王小明", &["王小明"]),
            ("本报记者 王小明", &["王小明"]),
            ("记者 王小明 摄", &[]),
            ("김하나 기자", &["김하나"]),
            ("Door Ada Lind", &["Ada Lind"]),
            ("Av Ada Lind och Emil Roth", &["Ada Lind", "Emil Roth"]),
            ("Tekst: Ada Lind, foto: Emil Roth", &["Ada Lind"]),
            ("Autor: Jana Lípová a Petr Kos", &["Jana Lípová", "Petr Kos"]),
            ("Szerző: Lind Ada és Kis Emil", &["Lind Ada", "Kis Emil"]),
            ("Автор: Ганна Липова та Іван Кіт", &["Ганна Липова", "Іван Кіт"]),
            ("Oleh: Ada Lind dan Emil Roth", &["Ada Lind", "Emil Roth"]),
            ("Tác giả: Nguyễn Hoa", &["Nguyễn Hoa"]),
            ("लेखक: आशा वन", &["आशा वन"]),
            ("โดย อาดา ลิน", &["อาดา ลิน"]),
            ("Hill Station Radio\n| By\nAda Lind", &["Ada Lind"]),
            ("By Staff", &[]),
            ("Von Redaktion", &[]),
            ("By @handle", &[]),
            ("By www.news.example", &[]),
            ("By the time they arrived it was over", &[]),
            ("This is no byline at all", &[]),
            ("", &[]),
        ] {
            assert_eq!(authors_of_byline(text), expected, "{text}");
        }
    }

    #[test]
    fn lines_behind_an_opening() {
        for (text, expected) in [
            ("Author:\nAda Lind\nSource:\nHut Courier", &["Ada Lind"][..]),
            ("By\nAda Lind\nand\nJane Young\nUpdated 3 hours ago", &["Ada Lind", "Jane Young"]),
            ("Von\nAda Lind\n,\nEmil Roth", &["Ada Lind", "Emil Roth"]),
            ("Auteur\nAda Lind\nCouverture", &["Ada Lind"]),
            ("By Ada Lind\nReview Editor", &["Ada Lind"]),
            ("By the Walkers' Union", &[]),
            ("Von Gebirgen, Tälern und Hütten", &[]),
        ] {
            assert_eq!(authors_of_opened_byline(text), expected, "{text}");
        }
        assert_eq!(pen_name_of_byline("by\nquillpen7\n4 May 2024"), ["quillpen7"]);
        assert!(pen_name_of_byline("by\nthe time they came it was over").is_empty());
        assert!(pen_name_of_byline("by hand").is_empty());
    }

    #[test]
    fn elements_that_name_an_author_and_more() {
        for (text, expected) in [
            ("Ada Lind\nLast updated on 4 May 2024", &["Ada Lind"][..]),
            ("Ada Lind, Keeper of Records at the Upper Valley Museum", &["Ada Lind"]),
            ("Walther von Lind", &["Walther von Lind"]),
            ("Soup, for fifty-two walkers who came at noon", &[]),
        ] {
            assert_eq!(authors_of_element(text), expected, "{text}");
        }
    }

    #[test]
    fn names_beside_dates() {
        assert_eq!(authors_of_dateline("4 May 2024 | 13:10 | Ada Lind"), ["Ada Lind"]);
        assert_eq!(authors_of_dateline("Ada Lind | Senior Writer | May 4, 2024"), ["Ada Lind"]);
        assert_eq!(authors_of_dateline("2024. május 4. | Szerző: Lind Ada"), ["Lind Ada"]);
        assert_eq!(authors_of_dateline("۴ مه ۲۰۲۴ | نویسنده: سارا نجم"), ["سارا نجم"]);
        assert!(authors_of_dateline("Rome - 4 May 2024").is_empty());
        assert!(authors_of_dateline("Ada Lind").is_empty());
    }

    #[test]
    fn declared_values() {
        for (value, expected) in [
            ("Ada Lind, Jane Young", &["Ada Lind", "Jane Young"][..]),
            ("Lind, Ada", &["Ada Lind"]),
            ("quillpen", &["quillpen"]),
            ("ada@news.example (Ada Lind)", &["Ada Lind"]),
            ("https://news.example/ada", &[]),
            ("admin", &[]),
            ("page.author.name", &[]),
            ("Md Ali Rahman", &["Md Ali Rahman"]),
            ("By Ada Lind", &["Ada Lind"]),
            ("김하나 기자", &["김하나"]),
            ("本报记者 王小明", &["王小明"]),
        ] {
            assert_eq!(authors_of_value(value), expected, "{value}");
        }
    }
}
