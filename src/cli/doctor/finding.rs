//! Result of a check.

use std::fmt;

use serde::Serialize;

use crate::cli::terminal::visible;

/// One finding, printed as a line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) state: State,
    pub(super) message: String,
    /// How to fix it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

/// Severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    /// Not an error, but worth knowing.
    Note,
    Problem,
}

impl Finding {
    pub(super) fn ok(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, State::Ok, message)
    }

    pub(super) fn note(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, State::Note, message)
    }

    /// Creates a problem. As in the other constructors, a hint in the message ("; hint: ") becomes the finding's hint.
    pub(super) fn problem(check: &'static str, message: impl Into<String>) -> Self {
        Self::new(check, State::Problem, message)
    }

    pub(super) fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }

    fn new(check: &'static str, state: State, message: impl Into<String>) -> Self {
        let message = message.into();
        match message.split_once("; hint: ") {
            Some((message, hint)) => {
                Self { check, state, message: message.to_owned(), hint: Some(hint.to_owned()) }
            }
            None => Self { check, state, message, hint: None },
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        /// Width of the columns before the message.
        const WIDTH: usize = 23;
        let state = match self.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "PROBLEM",
        };
        let message = visible(&self.message).replace('\n', &format!("\n{:WIDTH$}", ""));
        writeln!(f, "{state:<9}{:<14}{message}", self.check)?;
        match &self.hint {
            Some(hint) => writeln!(f, "{:WIDTH$}do: {hint}", ""),
            None => Ok(()),
        }
    }
}
