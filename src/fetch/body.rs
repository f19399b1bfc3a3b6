//! Bodies, read chunk by chunk up to a cap. The cap applies again after inflating: 800 bytes of brotli can hold a gigabyte.

use http::HeaderMap;

use super::encoding::Plain;
use super::{FetchError, Oddity, encoding};
use crate::blocking::{self, Queue};
use crate::memory::{SMALL_BYTES, Share};

/// How far from the end of the body the root element may close: caches append comments to what they store.
const CLOSING_BYTES: usize = 1024;

/// A body, read up to the cap.
pub(super) struct CappedBody {
    pub(super) bytes: Vec<u8>,
    /// Whether the body exceeds the cap.
    pub(super) truncated: bool,
    /// Bytes received, before inflating.
    pub(super) sent_bytes: usize,
    /// Defects in how the body was sent.
    pub(super) oddities: Vec<Oddity>,
}

/// Reads the body up to `cap` bytes. Some servers announce more than they send or omit the last chunk: a body that was cut
/// off is accepted if the document in it is complete.
pub(super) async fn read(
    response: &mut reqwest::Response,
    cap: usize,
    held: &Share,
) -> Result<CappedBody, FetchError> {
    let Sent { bytes, truncated, failure } = receive(response, cap, held).await;
    let sent_bytes = bytes.len();
    let mut plain = inflated(bytes, response.headers(), cap, held).await?;
    plain.bytes.shrink_to_fit();
    held.hold(plain.bytes.len()).await;
    plain.truncated |= truncated;
    let mut oddities = Vec::new();
    let is_cut = failure.is_some() || plain.cut.is_some();
    if is_cut && !plain.truncated {
        let (is_whole, bytes) = whole(plain.bytes).await;
        if !is_whole {
            return Err(failure.unwrap_or_else(|| FetchError::BrokenBody(plain.cut.unwrap_or_default())));
        }
        plain.bytes = bytes;
    }
    if is_cut {
        oddities.push(Oddity::EndsEarly);
    }
    if plain.mislabelled {
        oddities.push(Oddity::Mislabelled);
    }
    Ok(CappedBody { bytes: plain.bytes, truncated: plain.truncated, sent_bytes, oddities })
}

/// The bytes on the wire, as far as they were received.
struct Sent {
    bytes: Vec<u8>,
    truncated: bool,
    failure: Option<FetchError>,
}

/// Removes the content codings. The inflated size is not known in advance and usually small, so a small body is first inflated
/// up to 256 KiB; if there is more, it is inflated again, once memory for the whole cap is reserved.
async fn inflated(
    bytes: Vec<u8>,
    headers: &HeaderMap,
    cap: usize,
    held: &Share,
) -> Result<Plain, FetchError> {
    if !encoding::is_coded(&bytes, headers) {
        return encoding::decode(bytes, headers, cap);
    }
    let little = usize::try_from(SMALL_BYTES).unwrap_or(usize::MAX).min(cap);
    if bytes.len() <= little {
        let plain = encoding::decode(bytes.clone(), headers, little)?;
        if !plain.truncated || little == cap {
            return Ok(plain);
        }
    }
    // A buffer that grows by doubling may be twice as large as what is in it.
    held.hold(bytes.capacity() + 2 * cap).await;
    let headers = headers.clone();
    blocking::run(Queue::Fetched, cap, move || encoding::decode(bytes, &headers, cap)).await
}

/// Returns whether the document is complete, and the document. Runs off the async threads: scanning a large one takes a while.
async fn whole(bytes: Vec<u8>) -> (bool, Vec<u8>) {
    blocking::run(Queue::Fetched, bytes.len(), move || (is_whole(&bytes), bytes)).await
}

async fn receive(response: &mut reqwest::Response, cap: usize, held: &Share) -> Sent {
    let announced = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
    // The announced length may be too large or too small.
    let mut bytes = Vec::with_capacity(announced.min(cap).min(256 << 10));
    loop {
        let chunk = match response.chunk().await {
            Ok(Some(chunk)) => chunk,
            Ok(None) => return Sent { bytes, truncated: false, failure: None },
            Err(error) => {
                return Sent { bytes, truncated: false, failure: Some(FetchError::from_reqwest(error)) };
            }
        };
        let room = cap - bytes.len();
        if chunk.len() > room {
            bytes.extend_from_slice(&chunk[..room]);
            return Sent { bytes, truncated: true, failure: None };
        }
        if bytes.capacity() - bytes.len() < chunk.len() {
            // A body never needs more than the cap.
            let capacity = (bytes.capacity() * 2).max(bytes.len() + chunk.len()).min(cap);
            held.hold(capacity).await;
            bytes.reserve_exact(capacity - bytes.len());
        }
        bytes.extend_from_slice(&chunk);
    }
}

/// Returns whether a document is complete: its root element is closed, or its JSON object parses.
fn is_whole(body: &[u8]) -> bool {
    let body = body.trim_ascii();
    if body.first() == Some(&b'{') {
        return body.last() == Some(&b'}') && serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    }
    let Some(root) = root_name(body) else { return false };
    let end_tag = [b"</", root].concat();
    let tail = &body[body.len().saturating_sub(CLOSING_BYTES)..];
    let Some(start) = tail.windows(end_tag.len()).rposition(|window| window.eq_ignore_ascii_case(&end_tag))
    else {
        return false;
    };
    let rest = &tail[start + end_tag.len()..];
    rest.trim_ascii_start().first() == Some(&b'>')
}

/// Returns the name of the first element.
fn root_name(body: &[u8]) -> Option<&[u8]> {
    let mut rest = body;
    loop {
        let start = rest.iter().position(|byte| *byte == b'<')?;
        rest = &rest[start + 1..];
        if rest.first()?.is_ascii_alphabetic() {
            let length =
                rest.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b'>' | b'/'))?;
            return Some(&rest[..length]);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http::HeaderValue;
    use http::header::CONTENT_ENCODING;

    use super::*;
    use crate::memory::Memory;

    /// The test runtime has one thread: inflating on it would block all other tasks.
    #[tokio::test]
    async fn others_go_on_while_a_bomb_is_inflated() {
        const CAP: usize = 10 << 20;
        const LEAST_TURNS: usize = 100;
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(&vec![b' '; 2 * CAP]).unwrap();
        let bomb = encoder.finish().unwrap();
        let headers = HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static("gzip"))]);
        let held = Memory::unbounded().share();
        let mut inflating = std::pin::pin!(inflated(bomb, &headers, CAP, &held));
        let mut turns = 0;
        let plain = loop {
            tokio::select! {
                biased;
                () = tokio::task::yield_now() => turns += 1,
                plain = &mut inflating => break plain.unwrap(),
            }
        };
        assert!(plain.truncated);
        assert!(turns >= LEAST_TURNS, "others had {turns} turns");
    }

    #[test]
    fn a_document_is_whole_when_its_first_element_is_closed() {
        for whole in [
            "<?xml version='1.0'?><!-- made by hand --><rss version='2.0'><channel/></rss>",
            "\n<!DOCTYPE html><html lang=en><p>Words</html>\n<!-- cached -->",
            "<HTML><p>Words</html >",
            "<rdf:RDF xmlns:rdf='x'></rdf:RDF>",
            "{\"items\": []}",
        ] {
            assert!(is_whole(whole.as_bytes()), "{whole}");
        }
        for part in [
            "",
            "words",
            "<rss><channel><item><title>One</title></item>",
            "<rss><channel></channel></rss",
            "<feed><entry></entry>",
            "{\"items\": [{}",
            "{\"items\": [{}",
        ] {
            assert!(!is_whole(part.as_bytes()), "{part}");
        }
    }
}
