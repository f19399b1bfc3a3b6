//! The subscriber for logs and traces, and the recorder for metrics.

/// What is counted, and how it is called.
pub mod metrics;
/// Spans to a collector.
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

/// The running logs, whose filter can be changed.
#[derive(Clone, Debug)]
pub struct Logs {
    filter: reload::Handle<EnvFilter, Registry>,
}

/// Why there are no logs.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The filter cannot be read.
    #[error("invalid log filter {filter:?}: {source}")]
    Filter {
        /// As given.
        filter: String,
        /// What is wrong with it.
        source: tracing_subscriber::filter::ParseError,
    },
    /// There is somewhere to send traces to, and they cannot be sent.
    #[error(transparent)]
    Traces(#[from] TracesError),
    /// The process has logs already.
    #[error("the logs are running already")]
    Started,
    /// The process's logs are gone.
    #[error("the logs have stopped")]
    Stopped,
}

/// Starts the logs of the process, on standard error. Text for people escapes whatever could pass for something else
/// on a terminal: values come from the open internet.
pub fn start_logs(settings: &LogSettings) -> Result<Logs, LogError> {
    start(settings, None).map(|(logs, _)| logs)
}

/// The same, and sends spans to where `traces` says, whatever the filter of the logs says.
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
    /// Goes on with another filter. The format stays: half a file in each would serve nobody.
    pub fn set_filter(&self, directives: &str) -> Result<(), LogError> {
        self.filter.reload(filter(directives)?).map_err(|_| LogError::Stopped)
    }
}

/// What says much and nothing of use unless it is asked for by name: the parser of pages warns of every table with text
/// beside its cells.
const QUIET: &str = "html5ever=error";

/// Whether `directives` can be read as a filter.
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

/// Writes through, but for characters that move the cursor, start a line or reorder their neighbours.
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

/// Whether a character moves the cursor, hides, or reorders its neighbours.
pub(crate) fn is_deceptive(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
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
