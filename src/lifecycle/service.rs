//! Notifications to the service manager. Without one (no `NOTIFY_SOCKET`) nothing is sent.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::MissedTickBehavior;
use tracing::{error, warn};

use super::Progress;

/// The daemon is running.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is being reloaded; [`ready`] reports the end of the reload.
pub fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => warn!(%error, "cannot read the monotonic clock"),
    }
}

/// A stop has begun.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Sets the line shown by `systemctl status`.
pub fn status(line: &str) {
    tell(&[NotifyState::Status(line)]);
}

/// Answers the watchdog twice in each period while the returned future is polled; does nothing if the service manager has no
/// watchdog. If all threads of the runtime are stuck, or the daemon makes no progress, the answers stop and the service manager
/// restarts it.
pub async fn answer_watchdog(progress: &Progress) {
    let Some(period) = sd_notify::watchdog_enabled() else { return };
    let mut ticks = tokio::time::interval((period / 2).max(Duration::from_millis(1)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        ticks.tick().await;
        if progress.is_stuck() {
            error!("the store has not answered for minutes; no longer answering the watchdog");
            continue;
        }
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "cannot notify the service manager");
    }
}
