//! What long work shows of itself: a line that moves on a terminal, log lines elsewhere.

use std::future::Future;
use std::io::{self, IsTerminal as _};
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

use crate::pipeline::Tally;

/// How often the line moves.
const TICK: Duration = Duration::from_millis(120);

/// Runs `work`, and shows what the mill has done so far while it runs.
pub(crate) async fn shown<T>(tally: &Arc<Tally>, work: impl Future<Output = T>) -> T {
    if !io::stderr().is_terminal() {
        return work.await;
    }
    let style =
        ProgressStyle::with_template("{spinner} {elapsed_precise}  {msg}").expect("the template is valid");
    let bar = ProgressBar::new_spinner().with_style(style);
    let tally = Arc::clone(tally);
    let moving = async {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            ticks.tick().await;
            bar.set_message(line(&tally));
            bar.tick();
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = moving => unreachable!("the line moves until the work is done"),
    };
    bar.finish_and_clear();
    done
}

fn line(tally: &Tally) -> String {
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
}
