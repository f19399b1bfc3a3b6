//! Adds articles that are older than the word index to it, in small batches, so that storing an article never waits long.
//! Once done there is nothing more to do: later articles are indexed as they are stored.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Shared;

/// Pause after a failure.
const PAUSE: Duration = Duration::from_mins(1);

/// Adds what is missing, until nothing is or `soft` is cancelled.
pub async fn run(shared: &Shared, soft: &CancellationToken) {
    // One process at a time: two would wait for each other's row locks.
    while soft.run_until_cancelled(shared.store.shards().first()).await.is_some() {
        match shared.store.search_catch_up().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::error!(error = %error, "cannot add older articles to the search index; trying again");
                soft.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
            }
        }
    }
}
