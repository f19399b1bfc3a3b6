//! What a look came to.

use std::fmt;

use serde::Serialize;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    pub(super) check: &'static str,
    pub(super) state: State,
    pub(super) message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) hint: Option<String>,
}

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum State {
    Ok,
    /// Nothing is wrong, but it should be known.
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

    /// An error's own hint becomes the finding's.
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
        /// Of the columns before the message.
        const WIDTH: usize = 23;
        let state = match self.state {
            State::Ok => "ok",
            State::Note => "note",
            State::Problem => "PROBLEM",
        };
        let message = self.message.replace('\n', &format!("\n{:WIDTH$}", ""));
        writeln!(f, "{state:<9}{:<14}{message}", self.check)?;
        match &self.hint {
            Some(hint) => writeln!(f, "{:WIDTH$}do: {hint}", ""),
            None => Ok(()),
        }
    }
}
