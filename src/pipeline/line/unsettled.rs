//! Finished work that is not recorded yet.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;

use super::{Stage, Worked};
use crate::model::PartyId;
use crate::store::StoreError;

/// Outcomes that are not written to the store yet. They are kept until they are: while the store is unavailable, finished
/// work must not be lost and requested from its publishers again.
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

    /// Takes out as many outcomes as are recorded in one transaction, in the order in which they were finished.
    ///
    /// All that finishes meanwhile waits for the transaction, so a party with many items, or with items that cost the store much,
    /// could delay all others. Therefore the parties take turns by weight, and the item that has waited longest always goes first.
    pub(super) fn batch(&mut self) -> Self {
        let mut taken_by: HashMap<PartyId, u32> = HashMap::new();
        let mut turns: Vec<(u32, usize, u32)> = Vec::with_capacity(self.done.len());
        for (place, item) in self.done.iter().enumerate() {
            let weight = S::weight_of(item).clamp(1, S::BATCH);
            let taken = taken_by.entry(S::party_of(item)).or_default();
            *taken = taken.saturating_add(weight);
            turns.push((if place == 0 { 0 } else { *taken }, place, weight));
        }
        turns.sort_unstable();
        let mut weight_left = S::BATCH;
        let fits = |(_, _, weight): &&(u32, usize, u32)| match weight_left.checked_sub(*weight) {
            Some(left) => {
                weight_left = left;
                true
            }
            None => false,
        };
        let goes: HashSet<usize> = turns.iter().take_while(fits).map(|(_, place, _)| *place).collect();
        let mut place = 0..;
        let done =
            self.done.extract_if(.., |_| place.next().is_some_and(|place| goes.contains(&place))).collect();
        Self { done, put_off: std::mem::take(&mut self.put_off) }
    }

    #[cfg(test)]
    pub(super) fn into_done(self) -> Vec<S::Done> {
        self.done
    }

    pub(super) fn append(&mut self, other: &mut Self) {
        self.done.append(&mut other.done);
        self.put_off.append(&mut other.put_off);
    }

    /// Writes the outcomes to the store and returns how many items are done. An error means that the store is unavailable:
    /// call it again.
    pub(super) async fn settle(&mut self, stage: &S) -> Result<usize, StoreError> {
        let count = self.done.len();
        if count > 0 {
            match stage.record(&self.done).await {
                Ok(()) => self.done.clear(),
                Err(error) if error.is_passing() => return Err(error),
                Err(error) => self.settle_one_by_one(stage, &error).await?,
            }
        }
        give_back(stage, &self.put_off).await?;
        self.put_off.clear();
        Ok(count)
    }

    /// Records the items one by one, so that one that the store refuses does not fail the others of its transaction.
    async fn settle_one_by_one(&mut self, stage: &S, error: &StoreError) -> Result<(), StoreError> {
        tracing::warn!(stage = S::NAME, error = %error, "the store refuses a batch; recording its items one by one");
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
                    self.settle_refused(stage, S::refused(item, &error)).await?;
                }
            }
        }
        Ok(())
    }

    /// Records that the store refused an item. The refusal is kept as well while the store is unavailable. If the store refuses
    /// even that, the claim is left to expire: keeping the item would hold up all others.
    async fn settle_refused(&mut self, stage: &S, refused: S::Done) -> Result<(), StoreError> {
        let refused = [refused];
        match stage.record(&refused).await {
            Ok(()) => {}
            Err(error) if error.is_passing() => {
                self.done.extend(refused);
                return Err(error);
            }
            Err(error) => {
                tracing::error!(
                    stage = S::NAME,
                    error = %error,
                    "the store refuses to record the failure of an item; it is processed again when its lease expires"
                );
            }
        }
        Ok(())
    }
}

/// Releases claims. An error means that the store is unavailable. Claims that the store refuses to release are left to expire.
pub(super) async fn give_back<S: Stage>(
    stage: &S,
    claims: &[(S::Claim, Timestamp)],
) -> Result<(), StoreError> {
    if claims.is_empty() {
        return Ok(());
    }
    match stage.release(claims).await {
        Ok(()) => Ok(()),
        Err(error) if error.is_passing() => Err(error),
        Err(error) => {
            log_kept::<S>(&error);
            Ok(())
        }
    }
}

/// Logs that claims are not released.
pub(super) fn log_kept<S: Stage>(error: &StoreError) {
    tracing::error!(stage = S::NAME, error = %error, "cannot release claims; their leases will expire");
}
