//! Articles that are older than the index of words are added to it in small batches, so that whoever stores an article never
//! waits long. Once it is done there is nothing more to do: later articles are added as they are stored.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Shared;

/// How long it rests where it cannot go on.
const PAUSE: Duration = Duration::from_mins(1);

/// Adds what is missing, until nothing is or `soft` is cancelled.
pub async fn run(shared: &Shared, soft: &CancellationToken) {
    // One process at a time: two would wait for each other's rows.
    while soft.run_until_cancelled(shared.store.shards().first()).await.is_some() {
        match shared.store.search_catch_up().await {
            Ok(true) => {}
            Ok(false) => return,
            Err(error) => {
                tracing::error!(error = %error, "older articles cannot be added to the search; trying again");
                soft.run_until_cancelled(tokio::time::sleep(PAUSE)).await;
            }
        }
    }
}
