//! The time that one request may take.

use std::time::Duration;

use tokio::time::Instant;

use super::FetchError;
use crate::memory::Share;

/// The time that a request may take. Waiting for the host's turn does not count.
pub(super) struct Budget {
    pub(super) total: Duration,
    pub(super) spent: Duration,
}

impl Budget {
    /// Runs one part of the request against the budget. Time spent waiting for memory does not count.
    pub(super) async fn spend<T>(
        &mut self,
        held: &Share,
        work: impl Future<Output = Result<T, FetchError>>,
    ) -> Result<T, FetchError> {
        let (began, waited_before) = (Instant::now(), held.waited());
        let left = self.total.saturating_sub(self.spent);
        let spent = || began.elapsed().saturating_sub(held.waited().saturating_sub(waited_before));
        tokio::pin!(work);
        let result = loop {
            let Some(left) = left.checked_sub(spent()).filter(|left| !left.is_zero()) else {
                break Err(FetchError::Timeout("the total time limit is reached".to_owned()));
            };
            if let Ok(result) = tokio::time::timeout(left, &mut work).await {
                break result;
            }
        };
        self.spent += spent();
        result
    }
}
