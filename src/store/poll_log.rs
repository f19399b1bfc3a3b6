//! The last polls of each feed, for display.

use std::collections::HashMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::AnyConnection;

use super::polls::{PollRecord, PollReport, PollResult};
use super::sql::{Row, RowsSql, clean, json};
use super::{Store, StoreError};
use crate::model::FeedId;

/// Characters kept of a feed's polls: some fifteen polls, fewer if they failed. Each poll rewrites all of them.
macro_rules! recent_chars {
    () => {
        "1200"
    };
}
/// Characters kept of the reason of a failure.
const MAX_REASON_CHARS: usize = 160;

/// A finished poll.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PastPoll {
    /// When it ended.
    pub at: Timestamp,
    /// The result.
    pub result: PollKind,
    /// Entries not seen before.
    #[serde(rename = "new", default, skip_serializing_if = "is_zero")]
    pub new_entries: u32,
    /// Entries that changed.
    #[serde(rename = "updated", default, skip_serializing_if = "is_zero")]
    pub updated_entries: u32,
    /// Bytes of the decompressed body; absent if there was no body.
    #[serde(rename = "bytes", default, skip_serializing_if = "Option::is_none")]
    pub body_bytes: Option<u64>,
    /// How long the poll took, in milliseconds, including the wait for the host.
    #[serde(rename = "ms")]
    pub took_ms: u64,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The result of a poll.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PollKind {
    /// 304.
    NotModified,
    /// The same body as before.
    SameBody,
    /// A feed that changed.
    Parsed,
    /// The poll failed.
    Failed,
    /// A hub's delivery.
    Delivered,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_zero(count: &u32) -> bool {
    *count == 0
}

impl PastPoll {
    /// Returns `None` if no request was made.
    fn of(poll: &PollRecord, report: PollReport) -> Option<Self> {
        let (result, reason) = match &poll.result {
            PollResult::Unchanged { .. } if poll.transfer.body_bytes.is_none() => {
                (PollKind::NotModified, None)
            }
            PollResult::Unchanged { .. } => (PollKind::SameBody, None),
            PollResult::Parsed { .. } => (PollKind::Parsed, None),
            PollResult::Failed { reason, .. } => {
                let reason = clean(reason).chars().take(MAX_REASON_CHARS).collect();
                (PollKind::Failed, Some(reason))
            }
            PollResult::Delivered { .. } => (PollKind::Delivered, None),
            PollResult::HostPaused => return None,
        };
        Some(Self {
            at: poll.polled_at,
            result,
            new_entries: report.new_entries,
            updated_entries: report.updated_entries,
            body_bytes: poll.transfer.body_bytes,
            took_ms: u64::try_from(poll.transfer.took.as_millis()).unwrap_or(u64::MAX),
            reason,
        })
    }
}

impl Store {
    /// Returns the last polls of a feed, newest first.
    pub async fn feed_polls(&self, id: FeedId) -> Result<Vec<PastPoll>, StoreError> {
        let row = sqlx::query("SELECT feed_id, recent FROM feed_polls WHERE feed_id = $1")
            .bind(id.0)
            .fetch_optional(&self.database.readers)
            .await?;
        let Some(row) = row else { return Ok(Vec::new()) };
        let recent: &str = Row { table: "feed_polls", row: &row }.get("recent")?;
        // The last line may be truncated.
        Ok(recent.lines().map_while(|line| serde_json::from_str(line).ok()).collect())
    }
}

/// Adds polls to the logs of their feeds.
pub(super) async fn note(
    tx: &mut AnyConnection,
    polls: &[&PollRecord],
    reports: &HashMap<FeedId, PollReport>,
) -> Result<(), StoreError> {
    let mut lines = Vec::with_capacity(polls.len());
    for poll in polls {
        let report = reports.get(&poll.feed_id).copied().unwrap_or_default();
        if let Some(past) = PastPoll::of(poll, report) {
            lines.push((poll.feed_id, format!("{}\n", json("a poll", &past)?)));
        }
    }
    NOTE.execute(tx, &lines, |query, (id, line)| query.bind(id.0).bind(line.as_str())).await?;
    Ok(())
}

const NOTE: RowsSql = RowsSql {
    before: "INSERT INTO feed_polls (feed_id, recent) VALUES ",
    columns: 2,
    after: concat!(
        " ON CONFLICT (feed_id) DO UPDATE SET recent = substr(excluded.recent || feed_polls.recent, 1, ",
        recent_chars!(),
        ")"
    ),
};
