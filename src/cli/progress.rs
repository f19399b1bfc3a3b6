//! What long work shows of itself: a line that moves on a terminal, log lines elsewhere.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::pipeline::Tally;

/// How often the line moves.
const TICK: Duration = Duration::from_millis(120);

/// A line on the terminal, which goes when this is dropped.
pub(crate) struct Shown(Option<ProgressBar>);

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Shows what `line` says, over and over, on a thread of its own; nothing where standard error is no terminal.
pub(crate) fn show(line: impl Fn() -> String + Send + Sync + 'static) -> Shown {
    show_every(TICK, line)
}

/// The same for a `line` that costs something to make.
pub(crate) fn show_every(tick: Duration, line: impl Fn() -> String + Send + Sync + 'static) -> Shown {
    if !io::stderr().is_terminal() {
        return Shown(None);
    }
    let line = Arc::new(line);
    let written = move |_: &ProgressState, out: &mut dyn fmt::Write| {
        out.write_str(&line()).expect("the line is put together in memory");
    };
    let style = ProgressStyle::with_template("{spinner} {elapsed_precise}  {line}")
        .expect("the template is valid")
        .with_key("line", written);
    let bar = ProgressBar::new_spinner().with_style(style);
    bar.enable_steady_tick(tick);
    Shown(Some(bar))
}

/// Shows what the mill has done so far.
pub(crate) fn show_mill(tally: Arc<Tally>) -> Shown {
    show(move || {
        format!(
            "{} feeds polled ({} failed), {} new entries, {} articles ({} duplicates), {} put off, {} failed",
            Tally::get(&tally.polls_ok),
            Tally::get(&tally.polls_failed),
            Tally::get(&tally.new_entries),
            Tally::get(&tally.articles),
            Tally::get(&tally.duplicates),
            Tally::get(&tally.postponed),
            Tally::get(&tally.failed),
        )
    })
}
