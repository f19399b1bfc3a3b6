//! Requeues entries whose content changed in their feed.

use std::time::Duration;

use jiff::Timestamp;
use sqlx::AnyConnection;

use super::sql::RowsSql;
use super::{StoreError, rechecks};
use crate::model::after;

/// The longest wait of an entry whose changes keep leaving its article's text unchanged.
pub const LONGEST_REQUEUE: Duration = Duration::from_hours(7 * 24);

/// Requeues entries. If an entry's changes keep leaving its article's text unchanged, its page is fetched after an hour, then
/// two, and so on up to a week; the fetch covers all changes until then.
pub(super) async fn requeue(
    tx: &mut AnyConnection,
    entries: &[i64],
    now: Timestamp,
) -> Result<(), StoreError> {
    rechecks::supersede(tx, entries).await?;
    let latest = after(now, LONGEST_REQUEUE).as_millisecond();
    REQUEUE_ENTRIES
        .execute(tx, entries, |query, id| query.bind(*id).bind(now.as_millisecond()).bind(latest))
        .await?;
    Ok(())
}

/// Number of changes of an entry that did not change its article's text.
macro_rules! idle_changes {
    () => {
        "(requeues + 1 - coalesce((SELECT a.revision FROM articles a WHERE a.id = entries.article_id), 1))"
    };
}

/// Raises the epoch, so that the result of a worker that has the old entry is refused. Quarantined entries wait for the operator.
const REQUEUE_ENTRIES: RowsSql = RowsSql {
    before: "WITH requeued (entry_id, due, latest) AS (VALUES ",
    columns: 3,
    after: concat!(
        ") UPDATE entries SET state = 'pending', party = CASE WHEN party = 0 THEN feed_id ELSE party END, \
        requeues = requeues + CASE WHEN state = 'pending' THEN 0 ELSE 1 END, \
        next_attempt_at = CASE WHEN state = 'pending' AND lease_until = 0 AND failures = 0 THEN next_attempt_at \
            WHEN ",
        idle_changes!(),
        " < 2 THEN requeued.due WHEN ",
        idle_changes!(),
        " > 9 THEN requeued.latest \
            ELSE requeued.due + (CAST(3600000 AS BIGINT) << CAST(",
        idle_changes!(),
        " - 2 AS INTEGER)) END, \
        lease_until = 0, lease_epoch = lease_epoch + 1, failures = 0 FROM requeued \
        WHERE id = requeued.entry_id AND state <> 'quarantined'"
    ),
};
