//! Any bytes are read without a panic, within bounds, and the same twice.
//!
//! CONTRIBUTING.md has the command.

#![no_main]

use feedmill::parse::parse;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    let read = || parse(body, None, None).map_err(|error| error.to_string());
    let first = read();
    if let Ok(feed) = &first {
        assert!(feed.entries.len() <= 2_000);
        for entry in &feed.entries {
            assert!(entry.link.as_ref().is_none_or(|url| matches!(url.scheme(), "http" | "https")));
        }
    }
    assert_eq!(first, read());
});
