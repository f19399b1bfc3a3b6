//! Diff of two revisions of an article for the terminal: the paragraphs that changed, with deleted and inserted words.

use std::io::{self, Write};
use std::time::Duration;

use console::Style;

use crate::report::diff::{Change, Paragraph, by_words};
use crate::store::Revision;

/// Time limit for finding the shortest diff.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes the changes from one revision to another: in colour, or as `[-deleted-]` and `{+inserted+}`.
pub(super) fn write(out: &mut impl Write, from: &Revision, to: &Revision, colour: bool) -> io::Result<()> {
    let marks = Marks { colour };
    let name = |revision: &Revision| format!("revision {} of {}", revision.revision, revision.fetched_at);
    writeln!(out, "{}", marks.gone(&name(from)))?;
    writeln!(out, "{}", marks.come(&name(to)))?;
    let headline = |revision: &Revision| revision.title.clone().unwrap_or_default();
    let mut is_same = true;
    for (from, to) in [(headline(from), headline(to)), (from.text.clone(), to.text.clone())] {
        for line in marks.changes(&from, &to) {
            is_same = false;
            writeln!(out, "\n{line}")?;
        }
    }
    if is_same {
        writeln!(out, "\nno word has changed")?;
    }
    Ok(())
}

/// Returns the changed paragraphs of two texts, marked in the same way.
pub(in crate::cli) fn changes(from: &str, to: &str, colour: bool) -> Vec<String> {
    Marks { colour }.changes(from, to)
}

/// How changes are marked.
struct Marks {
    colour: bool,
}

impl Marks {
    /// Returns the changed paragraphs.
    fn changes(&self, from: &str, to: &str) -> Vec<String> {
        let paragraphs = by_words(from, to, PATIENCE);
        paragraphs
            .iter()
            .filter(|paragraph| paragraph.changed)
            .map(|paragraph| self.line(paragraph))
            .collect()
    }

    fn line(&self, paragraph: &Paragraph) -> String {
        let shown = paragraph.parts.iter().map(|part| match part.change {
            Change::Same => part.text.clone(),
            Change::Gone => self.gone(&part.text),
            Change::Come => self.come(&part.text),
        });
        shown.collect()
    }

    fn gone(&self, text: &str) -> String {
        let style = Style::new().red().strikethrough().force_styling(true);
        if self.colour { style.apply_to(text).to_string() } else { format!("[-{text}-]") }
    }

    fn come(&self, text: &str) -> String {
        let style = Style::new().green().force_styling(true);
        if self.colour { style.apply_to(text).to_string() } else { format!("{{+{text}+}}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_take_the_place_of_brackets() {
        let paragraphs = by_words("It is closed.", "It is open.", PATIENCE);
        let line = |colour| Marks { colour }.line(&paragraphs[0]);
        assert_eq!(line(false), "It is [-closed.-]{+open.+}");
        let coloured = line(true);
        assert!(
            coloured.contains("\u{1b}[31m") && coloured.contains("\u{1b}[32m") && !coloured.contains("{+"),
            "{coloured:?}"
        );
    }
}
