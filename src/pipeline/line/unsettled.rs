//! Finished work on its way into the store.

use jiff::Timestamp;

use super::{Stage, Worked};
use crate::store::StoreError;

/// What became of items and is not yet written down. It is kept until it is: while the store is away, work already done
/// must not be lost and asked of its publishers again.
pub(super) struct Unsettled<S: Stage> {
    done: Vec<S::Done>,
    put_off: Vec<(S::Claim, Timestamp)>,
}

impl<S: Stage> Default for Unsettled<S> {
    fn default() -> Self {
        Self { done: Vec::new(), put_off: Vec::new() }
    }
}

impl<S: Stage> Unsettled<S> {
    pub(super) fn len(&self) -> usize {
        self.done.len() + self.put_off.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(super) fn push(&mut self, worked: Worked<S::Claim, S::Done>) {
        match worked {
            Worked::Done(item) => self.done.push(item),
            Worked::PutOff { claim, due, .. } => self.put_off.push((claim, due)),
        }
    }

    /// Takes as many out as are recorded in one transaction.
    pub(super) fn batch(&mut self) -> Self {
        let done = self.done.drain(..self.done.len().min(S::BATCH as usize)).collect();
        Self { done, put_off: std::mem::take(&mut self.put_off) }
    }

    pub(super) fn append(&mut self, other: &mut Self) {
        self.done.append(&mut other.done);
        self.put_off.append(&mut other.put_off);
    }

    /// Writes it down and returns how many items are done. An error means that the store is away: to be called again.
    pub(super) async fn settle(&mut self, stage: &S) -> Result<usize, StoreError> {
        let count = self.done.len();
        if count > 0 {
            match stage.record(&self.done).await {
                Ok(()) => self.done.clear(),
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => self.settle_one_by_one(stage, &error).await?,
            }
        }
        give_back(stage, std::mem::take(&mut self.put_off)).await;
        Ok(count)
    }

    /// One item that the store refuses must not take those with it that share its transaction.
    async fn settle_one_by_one(&mut self, stage: &S, error: &StoreError) -> Result<(), StoreError> {
        tracing::warn!(stage = S::NAME, error = %error, "the store refuses a batch: recording it one by one");
        while let Some(item) = self.done.pop() {
            let item = [item];
            match stage.record(&item).await {
                Ok(()) => {}
                Err(error) if error.is_passing() => {
                    self.done.extend(item);
                    return Err(error);
                }
                Err(error) => {
                    let [item] = item;
                    tracing::error!(stage = S::NAME, error = %error, "the store refuses an item");
                    stage.record(&[S::refused(item, &error)]).await?;
                }
            }
        }
        Ok(())
    }
}

pub(super) async fn give_back<S: Stage>(stage: &S, claims: Vec<(S::Claim, Timestamp)>) {
    if claims.is_empty() {
        return;
    }
    if let Err(error) = stage.release(claims).await {
        tracing::error!(stage = S::NAME, error = %error, "cannot give work back: its leases will run out");
    }
}
