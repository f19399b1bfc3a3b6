//! Two texts of an article against each other, by word: paragraphs in which something changed, with what went and what
//! came.

use std::io::{self, Write};
use std::time::Duration;

use console::Style;
use similar::{ChangeTag, TextDiff};

use crate::store::Revision;

/// How long the shortest way from one text to the other is looked for; what is found by then is a way too.
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
        let lines = changed_lines(&from, &to, &marks);
        is_same &= lines.is_empty();
        for line in lines {
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
    changed_lines(from, to, &Marks { colour })
}

/// How a change is shown.
struct Marks {
    colour: bool,
}

impl Marks {
    fn gone(&self, text: &str) -> String {
        let style = Style::new().red().strikethrough().force_styling(true);
        if self.colour { style.apply_to(text).to_string() } else { format!("[-{text}-]") }
    }

    fn come(&self, text: &str) -> String {
        let style = Style::new().green().force_styling(true);
        if self.colour { style.apply_to(text).to_string() } else { format!("{{+{text}+}}") }
    }
}

/// The paragraphs in which something changed.
fn changed_lines(from: &str, to: &str, marks: &Marks) -> Vec<String> {
    let diff = TextDiff::configure().timeout(PATIENCE).diff_words(from, to);
    let mut lines = Lines::default();
    let mut change = Change::default();
    for word in diff.iter_all_changes() {
        match word.tag() {
            ChangeTag::Delete => change.add_gone(word.value()),
            ChangeTag::Insert => change.add_come(word.value()),
            // Changed words with nothing but space between them are one change.
            ChangeTag::Equal if change.may_go_on_after(word.value()) => change.space.push_str(word.value()),
            ChangeTag::Equal => {
                lines.add_change(&std::mem::take(&mut change), marks);
                lines.add(ChangeTag::Equal, word.value(), marks);
            }
        }
    }
    lines.add_change(&change, marks);
    lines.ended()
}

/// Neighbouring words that went and came.
#[derive(Default)]
struct Change {
    gone: String,
    come: String,
    /// Stands in both texts behind what has been added so far.
    space: String,
}

impl Change {
    fn add_gone(&mut self, word: &str) {
        self.take_space();
        self.gone.push_str(word);
    }

    fn add_come(&mut self, word: &str) {
        self.take_space();
        self.come.push_str(word);
    }

    fn take_space(&mut self) {
        let space = std::mem::take(&mut self.space);
        self.gone.push_str(&space);
        self.come.push_str(&space);
    }

    fn is_empty(&self) -> bool {
        self.gone.is_empty() && self.come.is_empty()
    }

    fn may_go_on_after(&self, word: &str) -> bool {
        !self.is_empty() && !word.contains('\n') && word.trim().is_empty()
    }
}

#[derive(Default)]
struct Lines {
    changed: Vec<String>,
    line: String,
    is_changed: bool,
}

impl Lines {
    fn add_change(&mut self, change: &Change, marks: &Marks) {
        self.add(ChangeTag::Delete, &change.gone, marks);
        self.add(ChangeTag::Insert, &change.come, marks);
        self.add(ChangeTag::Equal, &change.space, marks);
    }

    fn add(&mut self, tag: ChangeTag, text: &str, marks: &Marks) {
        for (i, part) in text.split('\n').enumerate() {
            if i > 0 {
                self.end_line();
            }
            if part.is_empty() {
                continue;
            }
            match tag {
                ChangeTag::Equal => self.line.push_str(part),
                ChangeTag::Delete => self.line.push_str(&marks.gone(part)),
                ChangeTag::Insert => self.line.push_str(&marks.come(part)),
            }
            self.is_changed |= tag != ChangeTag::Equal;
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        if std::mem::take(&mut self.is_changed) {
            self.changed.push(line);
        }
    }

    fn ended(mut self) -> Vec<String> {
        self.end_line();
        self.changed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(from: &str, to: &str) -> Vec<String> {
        changed_lines(from, to, &Marks { colour: false })
    }

    #[test]
    fn changed_paragraphs_are_shown_with_what_went_and_what_came() {
        let before = "The harbour is closed.\n\nNobody was hurt.\n\nThe ferry sails at nine.";
        let after =
            "The harbour is open again.\n\nNobody was hurt.\n\nThe ferry sails at nine.\n\nMore follows.";
        assert_eq!(lines(before, after), ["The harbour is [-closed.-]{+open again.+}", "{+More follows.+}"]);
        assert_eq!(lines(after, after), Vec::<String>::new());
        assert_eq!(
            lines("The mooring affair\n\nends.", "The harbour row\n\nends."),
            ["The [-mooring affair-]{+harbour row+}"]
        );
        assert_eq!(lines("", "Words."), ["{+Words.+}"]);
        assert_eq!(lines("One.\n\nTwo.", "One."), ["[-Two.-]"]);
    }

    #[test]
    fn colours_take_the_place_of_brackets() {
        let [line] = &changed_lines("It is closed.", "It is open.", &Marks { colour: true })[..] else {
            panic!("one line")
        };
        assert!(
            line.contains("\u{1b}[31m") && line.contains("\u{1b}[32m") && !line.contains("{+"),
            "{line:?}"
        );
    }
}
