//! Free space on disks.

use std::io;
use std::path::Path;

/// Minimum free space, in bytes. A busy machine uses up less than this within minutes.
pub const LEAST_FREE_BYTES: u64 = 32 << 20;

/// Returns the space of the folder's file system that is available to this process, in bytes.
pub fn free_bytes(folder: &Path) -> io::Result<u64> {
    let space = rustix::fs::statvfs(folder)?;
    Ok(space.f_bavail.saturating_mul(space.f_frsize))
}
