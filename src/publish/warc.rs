//! Archives raw pages in WARC files (ISO 28500), which other tools can read.
//!
//! Each record is a gzip member of its own, so that a reader can start at any of them. A page is on disk before its article is
//! stored: a crash can damage only the last record, whose article is not stored yet and whose page is fetched again after the
//! restart, into a new file. The HTTP library provides the body after decompression, so these are `resource` records: a
//! `response` record would claim to hold headers and bytes as sent over the wire.
//!
//! The tests read these files back with the `warc` crate. Its writer is not used, because it ignores short writes and makes one
//! gzip stream of a whole file; without it, all that is left to do by hand is to put together a few header lines.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use data_encoding::BASE32;
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::Timestamp;
use url::Url;

use super::PublishError;
use crate::model::Sha256Hash;

/// Where the archive is and when it starts a new file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The folder.
    pub dir: PathBuf,
    /// A file that has reached this size is closed.
    pub max_file_bytes: u64,
}

/// A folder of WARC files. Several processes may write into one folder: none opens another's file.
#[derive(Clone, Debug)]
pub struct Archive(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    open: Mutex<Option<Open>>,
}

/// The file that is currently written.
#[derive(Debug)]
struct Open {
    file: File,
    bytes: u64,
    info_id: String,
}

/// A page to be archived.
#[derive(Clone, Copy, Debug)]
pub struct ArchivedPage<'p> {
    /// The URL that it was fetched from.
    pub url: &'p Url,
    /// The `Content-Type` header.
    pub content_type: Option<&'p str>,
    /// When it was fetched.
    pub fetched_at: Timestamp,
    /// The hash of the body.
    pub sha256: Sha256Hash,
    /// The body.
    pub body: &'p [u8],
}

impl Archive {
    /// Opens the folder, creating it if it does not exist. The first file is created with the first page.
    pub fn open(settings: Settings) -> Result<Self, PublishError> {
        fs::create_dir_all(&settings.dir).map_err(|source| PublishError::File {
            action: "cannot create",
            path: settings.dir.display().to_string(),
            source,
        })?;
        Ok(Self(Arc::new(Inner { settings, open: Mutex::new(None) })))
    }

    /// The settings.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// Adds a page; when this returns, it is on disk. Blocks: call it off the async threads.
    pub fn add(&self, page: &ArchivedPage<'_>) -> io::Result<()> {
        let Inner { settings, open } = &*self.0;
        let mut open = open.lock().expect("no holder of this lock can panic");
        // A file whose last write failed is not written to again: its remains stay as they are.
        let mut current = match open.take().filter(|open| open.bytes < settings.max_file_bytes) {
            Some(current) => current,
            None => begin(&settings.dir, page.fetched_at)?,
        };
        let record = page_record(page, &current.info_id)?;
        current.append(&record)?;
        *open = Some(current);
        Ok(())
    }
}

impl Open {
    fn append(&mut self, record: &[u8]) -> io::Result<()> {
        self.file.write_all(record)?;
        self.file.sync_data()?;
        self.bytes += record.len() as u64;
        Ok(())
    }
}

/// Creates the next file: `feedmill-20260302T080000Z-6f1d….warc.gz`, with a `warcinfo` record that names the software.
fn begin(dir: &Path, now: Timestamp) -> io::Result<Open> {
    let name = format!("feedmill-{}-{:016x}.warc.gz", now.strftime("%Y%m%dT%H%M%SZ"), rand::random::<u64>());
    let file = File::options().create_new(true).append(true).open(dir.join(&name))?;
    let info_id = record_id();
    let mut open = Open { file, bytes: 0, info_id: info_id.clone() };
    let info = concat!(
        "software: feedmill/",
        env!("CARGO_PKG_VERSION"),
        "\r\nformat: WARC File Format 1.1\r\nconformsTo: \
         https://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/\r\n",
    );
    open.append(&record(
        &[
            ("WARC-Type", "warcinfo"),
            ("WARC-Record-ID", &info_id),
            ("WARC-Date", &date(now)),
            ("WARC-Filename", &name),
            ("WARC-Block-Digest", &digest(Sha256Hash::of(info))),
            ("Content-Type", "application/warc-fields"),
        ],
        info.as_bytes(),
    )?)?;
    // Syncs the folder, so that the file's name survives a crash too.
    File::open(dir)?.sync_all()?;
    Ok(open)
}

fn page_record(page: &ArchivedPage<'_>, info_id: &str) -> io::Result<Vec<u8>> {
    let digest = digest(page.sha256);
    // Control characters are removed: a line break in the server's header must not end a WARC header.
    let content_type: String =
        page.content_type.unwrap_or("application/octet-stream").chars().filter(|c| !c.is_control()).collect();
    record(
        &[
            ("WARC-Type", "resource"),
            ("WARC-Record-ID", &record_id()),
            ("WARC-Warcinfo-ID", info_id),
            ("WARC-Date", &date(page.fetched_at)),
            ("WARC-Target-URI", page.url.as_str()),
            ("WARC-Block-Digest", &digest),
            ("WARC-Payload-Digest", &digest),
            ("Content-Type", &content_type),
        ],
        page.body,
    )
}

/// Encodes one record as a gzip member.
fn record(fields: &[(&str, &str)], block: &[u8]) -> io::Result<Vec<u8>> {
    let mut member = GzEncoder::new(Vec::with_capacity(block.len() / 3), Compression::default());
    member.write_all(b"WARC/1.1\r\n")?;
    for (name, value) in fields {
        write!(member, "{name}: {value}\r\n")?;
    }
    write!(member, "Content-Length: {}\r\n\r\n", block.len())?;
    member.write_all(block)?;
    member.write_all(b"\r\n\r\n")?;
    member.finish()
}

fn date(moment: Timestamp) -> String {
    moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
}

fn record_id() -> String {
    let id = uuid::Builder::from_random_bytes(rand::random()).into_uuid();
    format!("<{}>", id.urn())
}

/// Returns `sha256:` and the hash in Base32 (RFC 4648), as archives write it.
fn digest(hash: Sha256Hash) -> String {
    format!("sha256:{}", BASE32.encode(&hash.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_base32() {
        // coreutils: printf abc | sha256sum | xxd -r -p | base32
        assert_eq!(
            digest(Sha256Hash::of("abc")),
            "sha256:XJ4BNP4PAHH6UQKBIDPF3LRCEOYAGYNDSYLXVHFUCD7WD4QACWWQ===="
        );
    }

    #[test]
    fn record_ids_are_random_uuids() {
        let id = record_id();
        assert_eq!((id.len(), &id[..10], &id[24..25]), (47, "<urn:uuid:", "4"), "{id}");
        assert!(matches!(&id[29..30], "8" | "9" | "a" | "b"), "{id}");
        assert_ne!(id, record_id());
    }
}
