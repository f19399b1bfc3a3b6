//! Store checks: that it opens and is intact, and that our clock is not behind its last event.

use jiff::SignedDuration;

use super::finding::Finding;
use crate::clock::Clock;
use crate::config::Config;
use crate::store::{Store, StoreError};

/// Tolerated difference between two clocks.
pub(super) const TOLERANCE: SignedDuration = SignedDuration::from_mins(2);

pub(super) async fn look(config: &Config, clock: &Clock) -> Vec<Finding> {
    const CHECK: &str = "store";
    let store = match Store::visit(&config.database, clock.clone()).await {
        Ok(store) => store,
        Err(error @ (StoreError::Missing { .. } | StoreError::Empty { .. })) => {
            return vec![Finding::note(CHECK, error.to_string())];
        }
        Err(error) => return vec![Finding::problem(CHECK, error.to_string())],
    };
    let findings = match look_at(&store, config, clock).await {
        Ok(findings) => findings,
        Err(error) => vec![Finding::problem(CHECK, error.to_string())],
    };
    store.close().await;
    findings
}

async fn look_at(store: &Store, config: &Config, clock: &Clock) -> Result<Vec<Finding>, StoreError> {
    let totals = store.totals().await?;
    let place = Store::place(&config.database)?;
    let mut findings = vec![Finding::ok(
        "store",
        format!("{place}: {} articles, {} feeds polled", totals.articles, totals.feeds_active),
    )];
    findings.push(match store.check_integrity().await {
        Err(problem) => Finding::problem("integrity", problem.to_string()),
        Ok(()) if Store::file(&config.database).is_some() => Finding::ok("integrity", "the file is intact"),
        Ok(()) => Finding::note(
            "integrity",
            "the files of a PostgreSQL server are not checked: pg_amcheck checks them",
        ),
    });
    let Some((position, stored_at)) = store.last_event().await? else { return Ok(findings) };
    if position > totals.last_seq {
        let message = format!(
            "the outbox holds position {position}, but the recorded last position is {}",
            totals.last_seq
        );
        findings.push(
            Finding::problem("integrity", message).with_hint("stop the daemon and restore an intact backup"),
        );
    }
    let ahead = stored_at.duration_since(clock.now());
    findings.push(if ahead > TOLERANCE {
        let message = format!("the store's last event, of {stored_at:.0}, is in the future");
        Finding::problem("clock", message).with_hint("set the clock: timedatectl set-ntp true")
    } else {
        Finding::ok("clock", "not behind the store's last event")
    });
    Ok(findings)
}
