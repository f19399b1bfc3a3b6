//! Standard output that is safe for terminals: text from the open internet may contain characters that reorder or hide the text
//! around them or control the terminal. On a terminal they are escaped (`\u202e`, which JSON readers decode to the same
//! character), except for ESC, which our colours need; files and pipes get every byte unchanged.

use std::io::{self, IsTerminal, Write};

use crate::telemetry::is_deceptive;

/// Returns locked standard output, escaping if it is a terminal.
pub(super) fn stdout() -> Box<dyn Write> {
    let out = io::stdout();
    if out.is_terminal() { Box::new(Visible::new(out.lock())) } else { Box::new(out.lock()) }
}

/// Escapes a message; ESC too, because messages are not coloured.
pub(super) fn visible(text: &str) -> String {
    escaped(text, |c| matches!(c, '\n' | '\t'))
}

/// Escapes deceptive characters, except for those to keep.
fn escaped(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if is_deceptive(c) && !is_kept(c) {
            let code = format!("\\u{:04x}", u32::from(c));
            out.push_str(&code);
        } else {
            out.push(c);
        }
    }
    out
}

/// Formats an error with its causes, each once because many errors already name their cause, and the hints at the end.
pub(super) fn causes(error: &anyhow::Error) -> String {
    const HINT: &str = "; hint: ";
    let (mut said, mut hints) = (String::new(), String::new());
    for cause in error.chain().map(ToString::to_string) {
        let (what, hint) = cause.split_once(HINT).unwrap_or((cause.as_str(), ""));
        if !said.contains(what) {
            said.push_str(if said.is_empty() { "" } else { ": " });
            said.push_str(what);
        }
        if !hint.is_empty() && !hints.contains(hint) {
            hints.push_str(HINT);
            hints.push_str(hint);
        }
    }
    said + &hints
}

/// Logs a multi-line message: on a terminal, where line breaks in a message are escaped, one log line per line, otherwise as one
/// message for programs.
pub(super) fn log_lines(message: &str, log: impl Fn(&str)) {
    if io::stderr().is_terminal() {
        message.lines().filter(|line| !line.trim().is_empty()).for_each(log);
    } else {
        log(message);
    }
}

/// Replaces control characters in untrusted text by spaces.
pub(super) fn plain(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// A writer that escapes deceptive characters. Line breaks, tabs and escape sequences (for our colours) pass unchanged.
struct Visible<W> {
    inner: W,
    /// The first bytes of a character that is not complete yet.
    rest: Vec<u8>,
}

impl<W: Write> Visible<W> {
    fn new(inner: W) -> Self {
        Self { inner, rest: Vec::new() }
    }

    fn write_text(&mut self, text: &str) -> io::Result<()> {
        let is_ours = |c| matches!(c, '\n' | '\r' | '\t' | '\u{1b}');
        self.inner.write_all(escaped(text, is_ours).as_bytes())
    }
}

impl<W: Write> Write for Visible<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let pending = [std::mem::take(&mut self.rest).as_slice(), bytes].concat();
        let mut rest = pending.as_slice();
        while !rest.is_empty() {
            let (text, invalid) = match std::str::from_utf8(rest) {
                Ok(text) => (text, Some(0)),
                Err(error) => {
                    let valid = error.valid_up_to();
                    (std::str::from_utf8(&rest[..valid]).unwrap_or_default(), error.error_len())
                }
            };
            self.write_text(text)?;
            rest = &rest[text.len()..];
            if let Some(length) = invalid {
                self.inner.write_all(&rest[..length])?;
                rest = &rest[length..];
            } else {
                rest.clone_into(&mut self.rest);
                break;
            }
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_said_once_and_the_ways_out_last() {
        let refused = "connection refused";
        let opened = anyhow::anyhow!(refused).context(format!("cannot open x: {refused}; hint: is it up?"));
        assert_eq!(causes(&opened), "cannot open x: connection refused; hint: is it up?");
        let asked = anyhow::anyhow!(refused).context("nobody answers; hint: is it running?");
        assert_eq!(causes(&asked), "nobody answers: connection refused; hint: is it running?");
        assert_eq!(causes(&anyhow::anyhow!("one\ntwo")), "one\ntwo");
    }

    #[test]
    fn what_reorders_hides_or_steers_is_written_out() {
        assert_eq!(
            visible("a \u{202e}txt.exe\u{9b}31m\u{1b}[2J\r\u{feff} é\n\tb"),
            "a \\u202etxt.exe\\u009b31m\\u001b[2J\\u000d\\ufeff é\n\tb"
        );
    }

    #[test]
    fn a_character_may_come_in_pieces() {
        let text = "é\u{202e}😀";
        let mut out = Visible::new(Vec::new());
        for byte in text.bytes() {
            out.write_all(&[byte]).unwrap();
        }
        assert_eq!(String::from_utf8(out.inner).unwrap(), "é\\u202e😀");
    }
}
