//! Bodies, read chunk by chunk up to a cap that counts the bytes after inflating: 800 bytes of brotli make a gigabyte.

use super::FetchError;

/// A body as far as the cap lets it be read.
pub(super) struct CappedBody {
    pub(super) bytes: Vec<u8>,
    /// There was more.
    pub(super) truncated: bool,
}

/// Reads the body up to `cap` bytes and no further.
pub(super) async fn read(response: &mut reqwest::Response, cap: usize) -> Result<CappedBody, FetchError> {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    // The announcement may lie, in either direction.
    let mut bytes = Vec::with_capacity(announced.min(cap).min(256 << 10));
    while let Some(chunk) = response.chunk().await.map_err(FetchError::from_reqwest)? {
        let room = cap - bytes.len();
        if chunk.len() > room {
            bytes.extend_from_slice(&chunk[..room]);
            return Ok(CappedBody { bytes, truncated: true });
        }
        if bytes.capacity() - bytes.len() < chunk.len() && bytes.capacity() > cap / 2 {
            // Doubling would take more than a body may ever need.
            bytes.reserve_exact(room);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(CappedBody { bytes, truncated: false })
}
