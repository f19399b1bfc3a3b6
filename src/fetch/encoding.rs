//! Content codings, removed by what the bytes are rather than by what the headers say: servers declare `gzip` and send plain
//! bytes, compress what is compressed already, serve `feed.xml.gz` without declaring it, and mean two different formats by
//! `deflate`. The HTTP library would fail on the first of these, so its decompression is off.

use std::io::{self, Read};

use flate2::bufread::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http::header::{CONTENT_ENCODING, HeaderMap};

use super::FetchError;

/// The `Accept-Encoding` header.
pub(super) const ACCEPTED: &str = "gzip, br, zstd";

/// Undeclared layers that are removed: a compressed file may have been compressed once more.
const MAX_HIDDEN_LAYERS: usize = 2;

/// Largest zstd window over HTTP, as a power of two (RFC 9659).
const ZSTD_WINDOW_LOG: u32 = 23;

const BROTLI_BUFFER_BYTES: usize = 4096;

/// A content coding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Deflate,
    Brotli,
    Zstd,
}

/// A body after its codings are removed.
#[derive(Debug, Default)]
pub(super) struct Plain {
    pub(super) bytes: Vec<u8>,
    /// Whether the body exceeds the cap.
    pub(super) truncated: bool,
    /// Why the bytes end too early, if they do.
    pub(super) cut: Option<String>,
    /// Whether the server declared the wrong coding or none.
    pub(super) mislabelled: bool,
}

/// Removes the codings that `headers` declare and those that the first bytes reveal, up to `cap` bytes per layer.
pub(super) fn decode(body: Vec<u8>, headers: &HeaderMap, cap: usize) -> Result<Plain, FetchError> {
    let mut plain = Plain { bytes: body, ..Plain::default() };
    for label in labels(headers).iter().rev() {
        match coding(label) {
            Ok(Some(coding)) if plain.take_off(coding, cap) => {}
            Ok(None) => {}
            Ok(Some(_)) | Err(()) if looks_like_text(&plain.bytes) || by_magic(&plain.bytes).is_some() => {
                plain.mislabelled = true;
            }
            Ok(Some(_)) => {
                return Err(FetchError::BrokenBody(format!("it is declared as {label} but is not")));
            }
            Err(()) => return Err(FetchError::UnknownEncoding(label.chars().take(80).collect())),
        }
    }
    for _ in 0..MAX_HIDDEN_LAYERS {
        let Some(coding) = by_magic(&plain.bytes) else { break };
        if !plain.take_off(coding, cap) {
            break;
        }
        plain.mislabelled = true;
    }
    Ok(plain)
}

/// Returns whether the headers or the first bytes name a coding to remove.
pub(super) fn is_coded(body: &[u8], headers: &HeaderMap) -> bool {
    by_magic(body).is_some() || labels(headers).iter().any(|label| coding(label) != Ok(None))
}

/// Returns the declared codings in the order in which they were applied, in lower case.
fn labels(headers: &HeaderMap) -> Vec<String> {
    let values = headers.get_all(CONTENT_ENCODING).iter();
    let lists = values.map(|value| String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase());
    lists.flat_map(|list| list.split(',').map(|label| label.trim().to_owned()).collect::<Vec<_>>()).collect()
}

/// Returns the coding of a label; `None` for a label that means no coding, an error for an unknown one.
fn coding(label: &str) -> Result<Option<Coding>, ()> {
    match label {
        "gzip" | "x-gzip" => Ok(Some(Coding::Gzip)),
        "deflate" => Ok(Some(Coding::Deflate)),
        "br" => Ok(Some(Coding::Brotli)),
        "zstd" => Ok(Some(Coding::Zstd)),
        "" | "identity" | "none" | "utf-8" => Ok(None),
        _ => Err(()),
    }
}

/// Returns the coding whose magic number the bytes begin with.
fn by_magic(bytes: &[u8]) -> Option<Coding> {
    match bytes {
        [0x1F, 0x8B, 8, ..] => Some(Coding::Gzip),
        [0x28, 0xB5, 0x2F, 0xFD, ..] => Some(Coding::Zstd),
        _ => None,
    }
}

/// Returns whether a body is text (markup, JSON or lines): its beginning has no control characters but white space.
fn looks_like_text(bytes: &[u8]) -> bool {
    const SAMPLE_BYTES: usize = 512;
    let sample = &bytes[..bytes.len().min(SAMPLE_BYTES)];
    !sample.iter().any(|byte| *byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0C))
}

impl Plain {
    /// Removes one coding; returns `false` and changes nothing if the bytes are not in it.
    fn take_off(&mut self, coding: Coding, cap: usize) -> bool {
        let shown = by_magic(&self.bytes);
        if shown != Some(coding) && (shown.is_some() || matches!(coding, Coding::Gzip | Coding::Zstd)) {
            return false;
        }
        let input = self.bytes.as_slice();
        let inflated = match coding {
            Coding::Gzip => gunzip(input, cap),
            Coding::Zstd => unzstd(input, cap),
            Coding::Brotli => Inflated::read(&mut brotli::Decompressor::new(input, BROTLI_BUFFER_BYTES), cap),
            // With the zlib wrapper as in RFC 9110, or raw, as some servers have always sent it.
            Coding::Deflate => {
                let wrapped = Inflated::read(&mut ZlibDecoder::new(input), cap);
                if wrapped.bytes.is_empty() {
                    Inflated::read(&mut DeflateDecoder::new(input), cap)
                } else {
                    wrapped
                }
            }
        };
        if inflated.bytes.is_empty() && inflated.fault.is_some() {
            return false;
        }
        self.bytes = inflated.bytes;
        self.truncated |= inflated.truncated;
        self.cut = self.cut.take().or(inflated.fault.map(|fault| fault.to_string()));
        true
    }
}

/// The output of a decoder.
#[derive(Default)]
struct Inflated {
    bytes: Vec<u8>,
    truncated: bool,
    /// The error that ended the output.
    fault: Option<io::Error>,
}

impl Inflated {
    fn read(reader: &mut impl Read, cap: usize) -> Self {
        let mut inflated = Self::default();
        inflated.read_on(reader, cap);
        inflated
    }

    fn read_on(&mut self, reader: &mut impl Read, cap: usize) {
        let room = cap.saturating_sub(self.bytes.len());
        // Bytes read before an error are kept.
        self.fault = reader.take(room as u64 + 1).read_to_end(&mut self.bytes).err();
        if self.bytes.len() > cap {
            self.bytes.truncate(cap);
            self.truncated = true;
        }
    }
}

/// Inflates all members of a gzip file. Bytes after the last member are padding and ignored.
fn gunzip(mut input: &[u8], cap: usize) -> Inflated {
    let mut inflated = Inflated::default();
    while by_magic(input) == Some(Coding::Gzip) && inflated.fault.is_none() && !inflated.truncated {
        let mut member = GzDecoder::new(input);
        inflated.read_on(&mut member, cap);
        input = member.into_inner();
    }
    inflated
}

fn unzstd(input: &[u8], cap: usize) -> Inflated {
    let opened = zstd::stream::read::Decoder::with_buffer(input).and_then(|mut decoder| {
        decoder.window_log_max(ZSTD_WINDOW_LOG)?;
        Ok(decoder)
    });
    match opened {
        Ok(mut decoder) => Inflated::read(&mut decoder, cap),
        Err(fault) => Inflated { fault: Some(fault), ..Inflated::default() },
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use http::HeaderValue;

    use super::*;

    const FEED: &[u8] = b"<rss><channel><title>Harbour Notes</title></channel></rss>";
    const CAP: usize = 1 << 20;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap()
    }

    fn deflate(bytes: &[u8], wrapped: bool) -> Vec<u8> {
        let mut out = Vec::new();
        let level = flate2::Compression::fast();
        let read = if wrapped {
            flate2::read::ZlibEncoder::new(bytes, level).read_to_end(&mut out)
        } else {
            flate2::read::DeflateEncoder::new(bytes, level).read_to_end(&mut out)
        };
        read.unwrap();
        out
    }

    fn brotli(bytes: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        brotli::CompressorReader::new(bytes, 4096, 4, 20).read_to_end(&mut out).unwrap();
        out
    }

    fn decoded(body: Vec<u8>, encoding: &str, cap: usize) -> Result<Plain, FetchError> {
        let mut headers = HeaderMap::new();
        if !encoding.is_empty() {
            headers.insert(CONTENT_ENCODING, HeaderValue::from_str(encoding).unwrap());
        }
        decode(body, &headers, cap)
    }

    #[test]
    fn what_is_there_is_read_whatever_is_said_of_it() {
        let twice = gzip(&gzip(FEED));
        let two_members = [gzip(&FEED[..20]), gzip(&FEED[20..])].concat();
        let padded = [gzip(FEED), vec![0; 512]].concat();
        for (body, encoding, mislabelled) in [
            (FEED.to_vec(), "", false),
            (FEED.to_vec(), "identity", false),
            (gzip(FEED), "gzip", false),
            (gzip(FEED), "x-gzip", false),
            (brotli(FEED), "br", false),
            (zstd::encode_all(FEED, 1).unwrap(), "zstd", false),
            (deflate(FEED, true), "deflate", false),
            (deflate(FEED, false), "deflate", false),
            (brotli(&gzip(FEED)), "gzip, br", false),
            (two_members, "gzip", false),
            (padded, "gzip", false),
            (gzip(FEED), "", true),
            (zstd::encode_all(FEED, 1).unwrap(), "", true),
            (FEED.to_vec(), "gzip", true),
            (FEED.to_vec(), "br", true),
            (FEED.to_vec(), "deflate", true),
            (gzip(FEED), "deflate", true),
            (gzip(FEED), "br", true),
            (gzip(FEED), "aws-chunked", true),
            (FEED.to_vec(), "compress", true),
            (twice.clone(), "gzip", true),
            (twice, "", true),
            (gzip(FEED), "gzip, gzip", true),
        ] {
            let plain = decoded(body, encoding, CAP).unwrap();
            assert_eq!(plain.bytes, FEED, "{encoding:?}");
            assert_eq!(plain.mislabelled, mislabelled, "{encoding:?}");
            assert!(plain.cut.is_none() && !plain.truncated, "{encoding:?}");
        }
    }

    #[test]
    fn a_coding_that_ends_too_early_says_so_and_what_it_held_is_kept() {
        let long: Vec<u8> = FEED.repeat(100);
        for (body, encoding) in [(gzip(&long), "gzip"), (deflate(&long, true), "deflate"), (gzip(&long), "")]
        {
            let cut = decoded(body[..body.len() - 5].to_vec(), encoding, CAP).unwrap();
            assert!(cut.cut.is_some(), "{encoding:?}");
            assert!(long.starts_with(&cut.bytes) && !cut.bytes.is_empty(), "{encoding:?}");
        }
    }

    #[test]
    fn no_layer_grows_beyond_the_cap() {
        let bomb = vec![b' '; CAP];
        for (body, encoding) in [
            (gzip(&bomb), "gzip"),
            (gzip(&gzip(&bomb)), "gzip"),
            (brotli(&bomb), "br"),
            (zstd::encode_all(bomb.as_slice(), 1).unwrap(), "zstd"),
            (deflate(&bomb, false), "deflate"),
        ] {
            let plain = decoded(body, encoding, 1000).unwrap();
            assert!(plain.truncated && plain.bytes.len() <= 1000, "{encoding:?}");
        }
    }

    #[test]
    fn bytes_that_are_neither_are_refused_by_name() {
        let noise = vec![0x00, 0x01, 0xFF, 0x7F, 0x03];
        assert!(matches!(decoded(noise.clone(), "gzip", CAP), Err(FetchError::BrokenBody(_))));
        assert!(
            matches!(decoded(noise, "compress", CAP), Err(FetchError::UnknownEncoding(name)) if name == "compress")
        );
    }
}
