//! Which processes share the store, and what work each has.

use crate::shards::SHARDS;
use crate::store::ProcessStatus;

/// Returns a one-line description of a process.
pub fn sentence(process: &ProcessStatus) -> String {
    let ProcessStatus { name, version, shards, feeds, entries, heard_secs_ago, sinks, is_first, .. } =
        process;
    let mut line = format!(
        "{name} (feedmill {version}), last seen {heard_secs_ago} s ago: owns {shards} of {SHARDS} shards of hosts; \
         {feeds} feeds and {entries} entries claimed"
    );
    if !sinks.is_empty() {
        line.push_str("; delivers to ");
        line.push_str(sinks);
    }
    if *is_first {
        line.push_str("; runs retention");
    }
    line
}
