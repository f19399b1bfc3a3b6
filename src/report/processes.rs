//! Which processes share the store, and what each has.

use crate::shards::SHARDS;
use crate::store::ProcessStatus;

/// A line on a process.
pub fn sentence(process: &ProcessStatus) -> String {
    let ProcessStatus { name, version, shards, feeds, entries, heard_secs_ago, sinks, is_first, .. } =
        process;
    let mut line = format!(
        "{name} (feedmill {version}), heard of {heard_secs_ago} s ago: asks {shards} of {SHARDS} shards of hosts; \
         {feeds} feeds and {entries} entries in hand"
    );
    if !sinks.is_empty() {
        line.push_str("; drives ");
        line.push_str(sinks);
    }
    if *is_first {
        line.push_str("; removes what is old");
    }
    line
}
