//! The subscriber for logs and traces, and the metrics recorder.

/// Metrics and their names.
pub mod metrics;
/// Export of spans to a collector.
pub mod traces;

use std::fmt::{self, Write};
use std::io::{self, IsTerminal};

use tracing::field::Field;
use tracing_subscriber::field::MakeExt;
use tracing_subscriber::filter::{EnvFilter, LevelFilter, Targets};
use tracing_subscriber::fmt::format::{Writer, debug_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Layer, Registry, reload};

use self::traces::{Traces, TracesError};
use crate::config::{LogFormat, LogSettings};

/// Handle to the process's logs, with which the filter can be changed.
#[derive(Clone, Debug)]
pub struct Logs {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// An error from starting or changing the logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be parsed.
    #[error("invalid log filter {filter:?}: {source}")]
    Filter {
        /// The filter as given.
        filter: String,
        /// The parser's error.
        source: tracing_subscriber::filter::ParseError,
    },
    /// A trace endpoint is set, but traces cannot be sent.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// The process already has a subscriber.
    #[error("logging is already running")]
    Started,
    /// The process's subscriber has been dropped.
    #[error("logging has stopped")]
    Stopped,
}

/// Starts logging to standard error. The text format escapes control and formatting characters, which could forge output on a
/// terminal: logged values come from the open internet.
pub fn start_logs(settings: &LogSettings) -> Result<Logs, LogError> {
    start(settings, None).map(|(logs, _)| logs)
}

/// Like [`start_logs`], and also sends spans to the endpoint in `traces`, independently of the log filter.
pub fn start(settings: &LogSettings, traces: Option<&traces::Settings>) -> Result<(Logs, Traces), LogError> {
    let (filter, handle) = reload::Layer::new(filter(&settings.filter)?);
    let lines = match settings.format {
        LogFormat::Text => tracing_subscriber::fmt::layer()
            .with_ansi(io::stderr().is_terminal())
            .with_writer(io::stderr)
            .fmt_fields(debug_fn(write_field).delimited(" "))
            .boxed(),
        LogFormat::Json => tracing_subscriber::fmt::layer()
            .json()
            .flatten_event(true)
            .with_current_span(false)
            .with_writer(io::stderr)
            .boxed(),
    };
    let (collector, sending) = traces.map(traces::start).transpose()?.unzip();
    let spans = collector.map(|collector| {
        tracing_opentelemetry::layer()
            .with_tracer(collector)
            .with_location(false)
            .with_threads(false)
            .with_filter(Targets::new().with_target("feedmill", LevelFilter::INFO))
    });
    let subscriber = Registry::default().with(lines.with_filter(filter)).with(spans);
    subscriber.try_init().map_err(|_| LogError::Started)?;
    Ok((Logs { filter: handle }, sending.unwrap_or_default()))
}

impl Logs {
    /// Changes the filter. The format cannot be changed: a log file in two formats would be of no use.
    pub fn set_filter(&self, directives: &str) -> Result<(), LogError> {
        self.filter.reload(filter(directives)?).map_err(|_| LogError::Stopped)
    }
}

/// Default filter for noisy targets, which an explicit directive overrides: html5ever warns about every table with text
/// outside its cells.
const QUIET: &str = "html5ever=error";

/// Parses `directives` as a filter.
pub(crate) fn filter(directives: &str) -> Result<EnvFilter, LogError> {
    EnvFilter::builder()
        .parse(format!("{QUIET},{directives}"))
        .map_err(|source| LogError::Filter { filter: directives.to_owned(), source })
}

fn write_field(writer: &mut Writer<'_>, field: &Field, value: &dyn fmt::Debug) -> fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    write!(Escaping(writer), "{value:?}")
}

/// A writer that escapes characters that move the cursor, start a line, are invisible or reorder the text around them.
struct Escaping<W>(W);

impl<W: Write> Write for Escaping<W> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for part in text.split_inclusive(is_deceptive) {
            match part.chars().next_back().filter(|last| is_deceptive(*last)) {
                Some(last) => {
                    self.0.write_str(&part[..part.len() - last.len_utf8()])?;
                    write!(self.0, "{}", last.escape_default())?;
                }
                None => self.0.write_str(part)?,
            }
        }
        Ok(())
    }
}

/// Returns whether a character moves the cursor, is invisible, or reorders the text around it.
pub(crate) fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_from_outside_cannot_pass_for_ours() {
        let mut out = String::new();
        write!(Escaping(&mut out), "a\u{1b}[31mred\nINFO forged \u{202e}txt.exe é").unwrap();
        assert_eq!(out, "a\\u{1b}[31mred\\nINFO forged \\u{202e}txt.exe é");
    }

    #[test]
    fn a_bad_filter_is_named() {
        let error = filter("feedmill=loud").unwrap_err();
        assert!(error.to_string().starts_with("invalid log filter \"feedmill=loud\": "), "{error}");
    }
}
