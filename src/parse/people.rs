//! Extracts the names of authors from the various forms in which feeds write them.

use super::add_new;
use super::content::capped_line;
use super::text::fold_space;

/// Placeholders that name nobody.
const NOBODY: &[&str] =
    &["unknown", "n/a", "na", "none", "null", "undefined", "noreply", "no-reply", "donotreply", "-", "."];

/// Words and signs that join the last two names of a list.
const JOINTS: &[&str] =
    &["and", "und", "et", "y", "e", "en", "og", "och", "ja", "i", "и", "та", "ve", "&", "+"];

/// Number of words in a name: a list of single words may be one inverted name, and more words are a sentence.
const NAME_WORDS: std::ops::RangeInclusive<usize> = 2..=5;

/// Longest word of a name that begins in lower case: "van der", "de la".
const MAX_PARTICLE_CHARS: usize = 4;

/// Returns the names in `text`, which may contain one with an email address (`name@host (Name)`, `Name <name@host>`) or
/// several. Addresses alone are not names.
pub(super) fn names(text: &str) -> Vec<String> {
    let text = fold_space(text);
    let mut found: Vec<String> = Vec::new();
    for part in text.split([';', '；', '、', '，']) {
        for name in split_list(&without_address(part)) {
            add_new(&mut found, capped_line(name).filter(|name| is_somebody(name)));
        }
    }
    found
}

/// Returns the name beside an email address; all of `text` if it contains no address.
fn without_address(text: &str) -> String {
    if !text.contains('@') {
        return text.trim().to_owned();
    }
    let is_address = |word: &&str| {
        let word = word.trim_matches(['<', '>', '(', ')', ',', '"']);
        word.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.'))
    };
    let words: Vec<&str> = text.split(' ').filter(|word| !word.is_empty()).collect();
    let named: Vec<&str> = words.iter().copied().filter(|word| !is_address(word)).collect();
    let name = named.join(" ");
    if named.len() == words.len() {
        return name;
    }
    let name = name.trim_matches([' ', ',', '"', '<', '>']);
    // Names in parentheses, each after its address.
    let inside = |name: &str| name.trim().strip_prefix('(')?.strip_suffix(')').map(str::to_owned);
    let all_inside: Option<Vec<String>> = name.split(',').map(inside).collect();
    all_inside.map_or_else(|| name.to_owned(), |names| names.join(", "))
}

/// Splits a list of names at commas, and the last two possibly at a joining word. Text that is not a list of full names is one
/// name.
fn split_list(text: &str) -> Vec<String> {
    let mut names: Vec<&str> = text.split(',').map(str::trim).filter(|part| !part.is_empty()).collect();
    if let Some(last) = names.pop() {
        // "Ada Quay, Ben Mole, and Cy Pier"
        let last =
            JOINTS.iter().find_map(|joint| last.strip_prefix(joint)?.strip_prefix(' ')).unwrap_or(last);
        match halves(last) {
            Some((left, right)) => names.extend([left, right]),
            None => names.push(last),
        }
    }
    let is_list = names.len() > 1 && names.iter().all(|name| is_full_name(name));
    if is_list { names.into_iter().map(str::to_owned).collect() } else { vec![text.to_owned()] }
}

/// Returns the full names before and after a joining word.
fn halves(text: &str) -> Option<(&str, &str)> {
    let mut from = 0;
    while let Some(at) = text[from..].find(' ').map(|at| from + at) {
        let rest = &text[at + 1..];
        let word = rest.split(' ').next().unwrap_or_default();
        if JOINTS.contains(&word) {
            let (left, right) = (&text[..at], rest[word.len()..].trim());
            if is_full_name(left) && is_full_name(right) {
                return Some((left, right));
            }
        }
        from = at + 1;
    }
    None
}

fn is_full_name(text: &str) -> bool {
    let is_name_word = |word: &str| {
        let first = word.chars().next();
        first.is_some_and(|c| c.is_alphabetic() && !c.is_lowercase())
            || word.chars().count() <= MAX_PARTICLE_CHARS
    };
    NAME_WORDS.contains(&text.split(' ').count())
        && text.split(' ').all(is_name_word)
        && !text.contains(|c: char| c.is_ascii_digit())
}

fn is_somebody(name: &str) -> bool {
    let name = name.trim_matches(['(', ')', '[', ']']);
    !name.is_empty() && !NOBODY.iter().any(|nobody| name.eq_ignore_ascii_case(nobody))
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn one_name_beside_its_address_or_none() {
        for (text, expected) in [
            ("ada@quay.example (Ada Quay)", "Ada Quay"),
            ("Ada Quay <ada@quay.example>", "Ada Quay"),
            ("\"Ada Quay\" <ada@quay.example>", "Ada Quay"),
            ("Ada Quay, ada@quay.example", "Ada Quay"),
            ("noreply@blogger.example (Ada Quay)", "Ada Quay"),
            ("Ada Quay (Harbour Gazette)", "Ada Quay (Harbour Gazette)"),
            ("@adaquay", "@adaquay"),
            ("Quay, Ada", "Quay, Ada"),
            ("Ada Quay, Jr.", "Ada Quay, Jr."),
            (
                "The crew of the ferry, the harbour master and the pilots",
                "The crew of the ferry, the harbour master and the pilots",
            ),
        ] {
            assert_eq!(names(text), [expected], "{text}");
        }
        for nobody in [
            "ada@quay.example",
            "noreply@blogger.example (Unknown)",
            "<ada@quay.example>",
            "N/A",
            "",
            "unknown",
        ] {
            assert!(names(nobody).is_empty(), "{nobody}");
        }
    }

    #[test]
    fn names_in_a_list_are_authors_each() {
        let three = ["Ada Quay", "Ben Mole", "Cy van der Pier"];
        for text in [
            "Ada Quay, Ben Mole, Cy van der Pier",
            "Ada Quay; Ben Mole; Cy van der Pier",
            "Ada Quay, Ben Mole and Cy van der Pier",
            "Ada Quay, Ben Mole, and Cy van der Pier",
            "ada@quay.example (Ada Quay), ben@quay.example (Ben Mole), cy@quay.example (Cy van der Pier)",
        ] {
            assert_eq!(names(text), three, "{text}");
        }
        assert_eq!(names("Ada Quay & Ben Mole"), ["Ada Quay", "Ben Mole"]);
        assert_eq!(names("Quay, Ada; Mole, Ben"), ["Quay, Ada", "Mole, Ben"]);
        assert_eq!(names("安田光、木村波"), ["安田光", "木村波"]);
    }
}
