//! State and lag of each sink, from the configuration and the store.

use jiff::Timestamp;
use serde::Serialize;

use crate::publish::Configured;
use crate::store::{SinkStatus, Store, StoreError};

/// The parts of a sink's configuration that reports need.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sink {
    /// Name of the sink.
    pub name: String,
    /// Kind of the sink.
    pub kind: &'static str,
    /// Whether the operator paused it.
    pub pause: bool,
}

impl From<&Configured> for Sink {
    fn from(sink: &Configured) -> Self {
        Self { name: sink.relay.name.clone(), kind: sink.receiver.kind(), pause: sink.relay.pause }
    }
}

/// The state of a sink, from the configuration and the store.
#[derive(Clone, Debug, Serialize)]
pub struct Standing {
    kind: &'static str,
    state: &'static str,
    behind: i64,
    behind_secs: i64,
    #[serde(flatten)]
    known: Known,
}

/// What the store knows of a sink.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Known {
    Started(SinkStatus),
    /// Not started yet.
    New {
        name: String,
    },
}

impl Standing {
    /// Returns the store's status of the sink; `None` before it was first started.
    pub fn status(&self) -> Option<&SinkStatus> {
        match &self.known {
            Known::Started(status) => Some(status),
            Known::New { .. } => None,
        }
    }

    /// Returns the name in the configuration.
    pub fn name(&self) -> &str {
        match &self.known {
            Known::Started(status) => &status.name,
            Known::New { name } => name,
        }
    }

    /// Returns the kind of the sink.
    pub const fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns `active`, `paused`, `failing`, `disabled` or `not started yet`.
    pub const fn state(&self) -> &'static str {
        self.state
    }

    /// Returns whether the sink needs attention.
    pub fn is_in_trouble(&self) -> bool {
        !matches!(self.state, "active" | "paused")
    }

    /// Returns the number of positions between the cursor and the end of the outbox.
    pub const fn behind(&self) -> i64 {
        self.behind
    }

    /// Returns the age in seconds of the oldest undelivered record.
    pub const fn behind_secs(&self) -> i64 {
        self.behind_secs
    }
}

/// Returns the state of every configured sink.
pub async fn look(
    sinks: impl IntoIterator<Item = Sink>,
    store: &Store,
    now: Timestamp,
) -> Result<Vec<Standing>, StoreError> {
    let mut known = store.sinks_list().await?;
    let last_seq = store.last_seq().await?;
    let mut standings = Vec::new();
    for sink in sinks {
        let at = known.iter().position(|status| status.name == sink.name);
        let status = at.map(|at| known.swap_remove(at));
        let oldest = match &status {
            Some(status) => {
                store.outbox_next(status.seq).await?.map(|(_, stored_at)| (status.seq, stored_at))
            }
            None => None,
        };
        standings.push(Standing {
            kind: sink.kind,
            state: status.as_ref().map_or("not started yet", |status| state(&sink, status)),
            behind: oldest.map_or(0, |(seq, _)| last_seq - seq),
            behind_secs: oldest.map_or(0, |(_, stored_at)| now.duration_since(stored_at).as_secs()),
            known: match status {
                Some(status) => Known::Started(status),
                None => Known::New { name: sink.name },
            },
        });
    }
    Ok(standings)
}

fn state(sink: &Sink, status: &SinkStatus) -> &'static str {
    match (sink.pause, status.disabled, status.failures > 0) {
        (true, _, _) => "paused",
        (false, true, _) => "disabled",
        (false, false, true) => "failing",
        (false, false, false) => "active",
    }
}
