//! Recognises names by their shape: splits a text at its separators and strips from each part the roles around the name and
//! what follows it.

use crate::extract::metadata::dates::date_words;
use crate::extract::words::letters::{is_hangul, is_ideograph, letters};
use crate::languages::LANGUAGES;

/// Maximum length of a name.
const MAX_NAME_CHARS: usize = 60;
/// Maximum number of authors of one article.
const MAX_AUTHORS: usize = 20;

/// Adds the names that are not listed yet. "Jane Young" replaces "Jane"; "Jane" is not added beside "Jane Young".
pub(crate) fn add(authors: &mut Vec<String>, names: Vec<String>) {
    for name in names {
        if authors.len() == MAX_AUTHORS {
            return;
        }
        let key = letters(&name);
        if let Some(shorter) = authors.iter_mut().find(|author| key.starts_with(&letters(author))) {
            *shorter = name;
            continue;
        }
        if !authors.iter().any(|author| letters(author).contains(&key)) {
            authors.push(name);
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Printed for readers: only what looks like a person's name.
    Visible,
    /// Declared to be a name: pen names and organisations too.
    Declared,
}

pub(crate) fn names(text: &str, shape: Shape) -> Vec<String> {
    // A line with a URL is dropped as a whole: split at separators, its pieces would look like names.
    let is_address = |line: &&str| line.contains("://") || line.starts_with("www.");
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && !is_address(line)).collect();
    // A first and a last name in elements of their own.
    if let [first, last] = lines.as_slice()
        && [first, last].iter().all(|word| looks_capitalised(word) && word.chars().all(char::is_alphabetic))
    {
        return names(&format!("{first} {last}"), shape);
    }
    let parts: Vec<&str> = lines
        .iter()
        .flat_map(|line| {
            line.split(['|', '•', '·', '—', ';', ',', '/', '、', '，', '；', '،', '｜', '(', ')', '[', ']'])
        })
        .flat_map(|part| part.split(" - "))
        .flat_map(|part| part.split(" – "))
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .collect();
    // "Young, Jane"
    if let ([last, first], Shape::Declared) = (parts.as_slice(), shape)
        && text.contains(',')
        && !(last.contains(' ') || first.contains(' '))
        && [last, first].iter().all(|part| looks_capitalised(part) && part.chars().any(char::is_lowercase))
    {
        return vec![format!("{first} {last}")];
    }
    let mut names: Vec<String> = Vec::new();
    for part in parts {
        if let Some(last) = names.last_mut()
            && part.split_whitespace().all(is_post_nominal)
        {
            last.push_str(", ");
            last.push_str(part.trim_end_matches(['*', '†']));
            continue;
        }
        if names.len() == MAX_AUTHORS {
            break;
        }
        // After a name, a part with a role is that person's role, and a single word is a place.
        let follows_name = !names.is_empty();
        let found = split_at_conjunctions(part).into_iter().filter_map(|words| {
            let is_role =
                words.iter().any(|word| is_role(word) && !is_honorific(word)) && !is_collective(&words);
            let name = name(&words, shape).filter(|_| !(follows_name && is_role))?;
            (!follows_name || name.contains(' ') || name.contains(is_ideograph)).then_some(name)
        });
        let found = found.collect();
        add(&mut names, found);
    }
    names
}

fn split_at_conjunctions(part: &str) -> Vec<Vec<&str>> {
    let words: Vec<&str> = part.split_whitespace().collect();
    // Some conjunctions also count in capitals, for bylines in capitals. Single capital letters would be initials.
    let joins = |word: &&str| {
        LANGUAGES.byline.conjunctions.contains(*word) || matches!(*word, "AND" | "And" | "UND" | "Und")
    };
    words.split(joins).map(<[&str]>::to_vec).collect()
}

/// Returns the name in the words of one part.
fn name(words: &[&str], shape: Shape) -> Option<String> {
    let first_number = words.iter().position(|word| word.chars().any(char::is_numeric));
    let mut words = match (first_number, shape) {
        (Some(at), Shape::Visible) => &words[..at],
        _ => words,
    };
    if first_number.is_some()
        && let [before @ .., last] = words
        && date_words::month(&last.to_lowercase(), None).is_some()
    {
        words = before;
    }
    if shape == Shape::Visible
        && let Some(cut) = words.iter().skip(1).position(|word| LANGUAGES.byline.cuts.contains(*word))
    {
        words = &words[..=cut];
    }
    // Roles around a name are stripped; the name of an office, such as "Harbour Times Editorial Team", stays whole.
    if words.iter().any(|word| is_label(word)) && shape == Shape::Visible {
        return None;
    }
    let collective = is_collective(words);
    let invites = words.len() > 1 && LANGUAGES.byline.invitations.contains(&words[0].to_lowercase());
    if invites || words.iter().all(|word| is_role(word)) || words.iter().all(|word| is_no_name(word)) {
        return None;
    }
    if !collective {
        while let [first, rest @ ..] = words
            && is_role(first)
            && !is_honorific(first)
            && rest.len() > 1
        {
            words = rest;
        }
        while shape == Shape::Visible
            && let [rest @ .., last] = words
            && is_role(last)
            && !is_post_nominal(last)
            && (rest.len() > 1 || rest.len() == 1 && is_whole_name(rest[0]))
        {
            words = rest;
        }
        // In Korean the role follows every name, declared ones too.
        if let [name, role] = words
            && is_role(role)
            && role.chars().all(is_hangul)
            && is_whole_name(name)
        {
            words = &words[..1];
        }
    }
    let name = words.join(" ");
    let name = name.trim_matches(|c: char| !(c.is_alphanumeric() || c == '.')).trim_end_matches(['.', ':']);
    (is_name(name, words, shape)).then(|| name.to_owned())
}

pub(crate) fn is_label(word: &str) -> bool {
    LANGUAGES.byline.labels.contains(&word.trim_end_matches(':').to_lowercase())
}

fn is_no_name(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !(c.is_alphanumeric() || c == '/')).to_lowercase();
    LANGUAGES.byline.no_names.contains(&word)
}

pub(crate) fn is_collective(words: &[&str]) -> bool {
    words.iter().any(|word| LANGUAGES.byline.collectives.contains(&word.to_lowercase()))
}

/// Returns whether a word may be a full name (family and given name) as written in East Asia.
fn is_whole_name(word: &str) -> bool {
    (2..=5).contains(&word.chars().count())
        && word.chars().all(|c| is_ideograph(c) || is_hangul(c))
        && !is_role(word)
}

pub(crate) fn is_role(word: &str) -> bool {
    let lower = word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    LANGUAGES.byline.roles.contains(&lower) || lower.is_empty()
}

/// Returns whether a word is a title that precedes a name and belongs to it.
fn is_honorific(word: &str) -> bool {
    let word = word.trim_end_matches('.').to_lowercase();
    matches!(word.as_str(), "dr" | "prof" | "professor" | "md" | "sir" | "dame")
}

/// Returns whether a word is a degree or certificate that follows a name and belongs to it, as the person writes it.
fn is_post_nominal(word: &str) -> bool {
    let letters: String = word.chars().filter(char::is_ascii_alphabetic).collect();
    LANGUAGES.byline.post_nominals.contains(&letters)
}

pub(crate) fn is_name(name: &str, words: &[&str], shape: Shape) -> bool {
    let chars = name.chars().count();
    if !(2..=MAX_NAME_CHARS).contains(&chars) || !name.contains(char::is_alphabetic) {
        return false;
    }
    let lower = name.to_lowercase();
    if lower.contains("://")
        || lower.contains(": ")
        || lower.contains("www.")
        || name.contains(['@', '{', '}', '<', '>', '=', '#', '?', '!', '"'])
    {
        return false;
    }
    if lower.rsplit_once('.').is_some_and(|(_, end)| matches!(end, "com" | "org" | "net")) {
        return false;
    }
    // A template's variable: `page.author.name`.
    if !name.contains(' ')
        && name.matches('.').count() > 1
        && name.chars().all(|c| c.is_lowercase() || c == '.')
    {
        return false;
    }
    // Letters after the name: MD, CFA, FAND.
    let initials = chars <= 5 && words.len() == 1 && name.chars().all(|c| c.is_uppercase() || c == '.');
    match shape {
        Shape::Declared => words.len() <= 8 && !(initials && chars <= 2),
        Shape::Visible => {
            let cased = words
                .iter()
                .all(|word| looks_capitalised(word) || LANGUAGES.byline.particles.contains(*word));
            let ideographs = name.contains(is_ideograph);
            words.len() <= 5
                && cased
                && !initials
                && !name.contains(|c: char| c.is_numeric())
                && (!ideographs || chars <= 8)
                && date_words::month(&lower, None).is_none()
        }
    }
}

/// Returns whether a word starts with a capital, or with a letter of a script without capitals.
pub(crate) fn looks_capitalised(word: &str) -> bool {
    word.trim_start_matches(|c: char| !c.is_alphabetic()).chars().next().is_some_and(|c| !c.is_lowercase())
}
