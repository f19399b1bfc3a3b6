//! Parses any bytes: no panic, bounded size and work, the same result twice.
//!
//! CONTRIBUTING.md has the command.

#![no_main]

use feedmill::parse::parse;
use feedmill::work::steps_of;
use libfuzzer_sys::fuzz_target;

/// Maximum steps per byte, plus a constant.
const STEPS_A_BYTE: u64 = 400;
const STEPS: u64 = 10_000;

fuzz_target!(|body: &[u8]| {
    let read = || parse(body, None, None).map_err(|error| error.to_string());
    let (first, steps) = steps_of(read);
    let bytes = body.len() as u64;
    assert!(steps <= STEPS + STEPS_A_BYTE * bytes, "{steps} steps for {bytes} bytes");
    if let Ok(feed) = &first {
        assert!(feed.entries.len() <= 2_000);
        for entry in &feed.entries {
            assert!(entry.link.as_ref().is_none_or(|url| matches!(url.scheme(), "http" | "https")));
        }
    }
    assert_eq!(first, read());
});
