//! Pages in WARC files, read back by another implementation.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use ::warc::{BufferedBody, Record, RecordType, WarcHeader, WarcReader};
use feedmill::model::Sha256Hash;
use feedmill::publish::warc::{Archive, ArchivedPage, Settings};
use flate2::bufread::MultiGzDecoder;
use jiff::Timestamp;

use crate::support::daemon::{START, TestDaemon};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

fn files(dir: &Path) -> BTreeSet<PathBuf> {
    std::fs::read_dir(dir).unwrap().map(|file| file.unwrap().path()).collect()
}

fn records(path: &Path) -> Vec<Record<BufferedBody>> {
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    let reader = WarcReader::new(BufReader::new(MultiGzDecoder::new(file)));
    reader.iter_records().map(|record| record.unwrap()).collect()
}

fn header(record: &Record<BufferedBody>, header: WarcHeader) -> String {
    record.header(header).unwrap().into_owned()
}

#[tokio::test]
async fn every_page_is_archived_as_it_came() {
    let server = Server::start().await;
    let items = [Item::new("One", &server.url("/moved")), Item::new("Two", &server.url("/two"))];
    server.respond("/feed", Reply::ok("application/rss+xml", rss(&items)));
    server.respond("/moved", Reply::redirect(302, "/one"));
    let bodies = [page("mooring").into_bytes(), [page("dredging").as_bytes(), b"\0\xff\r\n\r\n"].concat()];
    server.respond("/one", Reply::ok("text/html; charset=utf-8", bodies[0].clone()));
    server.respond("/two", Reply::ok("text/html", bodies[1].clone()));
    let dir = tempfile::tempdir().unwrap();
    let option = format!("warc_dir = {:?}", dir.path());
    let daemon = TestDaemon::new().feed(&server.url("/feed")).output(&option).open().await;
    daemon.once().await;

    let files = files(dir.path());
    assert_eq!(files.len(), 1);
    let records = records(files.first().unwrap());
    assert_eq!(records.len(), 3);
    assert_eq!(*records[0].warc_type(), RecordType::WarcInfo);
    assert!(records[0].body().starts_with(b"software: feedmill/"));
    let ids: BTreeSet<&str> = records.iter().map(Record::warc_id).collect();
    assert_eq!(ids.len(), 3);
    let archived: BTreeMap<String, &Record<BufferedBody>> =
        records[1..].iter().map(|record| (header(record, WarcHeader::TargetURI), record)).collect();
    for (path, body, content_type) in
        [("/one", &bodies[0], "text/html; charset=utf-8"), ("/two", &bodies[1], "text/html")]
    {
        let record = archived[server.url(path).as_str()];
        assert_eq!(*record.warc_type(), RecordType::Resource);
        assert_eq!(record.body(), body.as_slice());
        assert_eq!(header(record, WarcHeader::ContentType), content_type);
        assert_eq!(header(record, WarcHeader::Date), START);
        assert_eq!(header(record, WarcHeader::WarcInfoID), records[0].warc_id());
        assert!(header(record, WarcHeader::PayloadDigest).starts_with("sha256:"));
    }
}

/// Adds a page whose body is `number` followed by hardly compressible bytes.
fn add(archive: &Archive, number: u64, bytes: usize) {
    let mut state = number + 1;
    let mut body = number.to_string().into_bytes();
    body.resize_with(bytes, || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    });
    let page = ArchivedPage {
        url: &format!("https://site.example/{number}").parse().unwrap(),
        content_type: Some("text/html\r\nWARC-Type: response"),
        fetched_at: START.parse::<Timestamp>().unwrap(),
        sha256: Sha256Hash::of(&body),
        body: &body,
    };
    archive.add(&page).unwrap();
}

#[test]
fn a_file_that_is_large_enough_is_ended() {
    let dir = tempfile::tempdir().unwrap();
    let archive = Archive::open(Settings { dir: dir.path().to_owned(), max_file_bytes: 10_000 }).unwrap();
    for number in 0..5 {
        add(&archive, number, 4_000);
    }
    let files = files(dir.path());
    let sizes: BTreeSet<usize> = files.iter().map(|path| records(path).len()).collect();
    assert_eq!((files.len(), sizes), (2, BTreeSet::from([3, 4])), "each with its own first record");
    let first = records(files.first().unwrap());
    assert_eq!(*first[1].warc_type(), RecordType::Resource, "a server's header is no header of ours");
}

#[test]
fn what_a_crash_leaves_is_whole_up_to_the_last_record() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { dir: dir.path().to_owned(), max_file_bytes: 1 << 20 };
    let archive = Archive::open(settings.clone()).unwrap();
    add(&archive, 0, 500);
    let whole = std::fs::read(files(dir.path()).first().unwrap()).unwrap();
    add(&archive, 1, 500);
    drop(archive);
    let path = files(dir.path()).pop_first().unwrap();
    let torn = std::fs::read(&path).unwrap();
    for cut in [whole.len(), whole.len() + 7, torn.len() - 1] {
        let mut text = Vec::new();
        let mut decoder = MultiGzDecoder::new(&torn[..cut]);
        let read = decoder.read_to_end(&mut text);
        assert_eq!(read.is_ok(), cut == whole.len());
        let text = String::from_utf8_lossy(&text).into_owned();
        assert!(text.contains("https://site.example/0") && text.contains("Content-Length: 500"), "{cut}");
    }
    // The next process does not touch that file.
    add(&Archive::open(settings).unwrap(), 2, 500);
    assert_eq!(std::fs::read(&path).unwrap(), torn);
    assert_eq!(files(dir.path()).len(), 2);
}
