//! Two texts of an article against each other, as a terminal shows them: paragraphs in which something changed, with what
//! went and what came.

use std::io::{self, Write};
use std::time::Duration;

use console::Style;

use crate::report::diff::{Change, Paragraph, by_words};
use crate::store::Revision;

/// How long the shortest way from one text to the other is looked for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Writes what changed from one revision to another: in colour, or with `[-what went-]` and `{+what came+}`.
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

/// The paragraphs of two texts in which something changed, marked in the same way.
pub(in crate::cli) fn changes(from: &str, to: &str, colour: bool) -> Vec<String> {
    Marks { colour }.changes(from, to)
}

/// How a change is shown.
struct Marks {
    colour: bool,
}

impl Marks {
    /// The paragraphs in which something changed.
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
