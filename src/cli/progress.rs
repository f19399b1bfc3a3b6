//! Progress of long-running commands: a live line if standard error is a terminal, otherwise nothing.

use std::fmt;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::pipeline::Tally;

/// How often the line is redrawn.
const TICK: Duration = Duration::from_millis(120);

/// A progress line on the terminal; dropping it clears the line.
pub(crate) struct Shown(Option<ProgressBar>);

impl Drop for Shown {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

/// Shows `line` and refreshes it on a separate thread; shows nothing if standard error is not a terminal.
pub(crate) fn show(line: impl Fn() -> String + Send + Sync + 'static) -> Shown {
    show_every(TICK, line)
}

/// Like [`show`], with another interval, for a `line` that is expensive to compute.
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

/// Shows the daemon's counts so far.
pub(crate) fn show_mill(tally: Arc<Tally>) -> Shown {
    show(move || {
        format!(
            "{} feeds polled ({} failed), {} new entries, {} articles ({} duplicates), {} postponed, {} failed",
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
