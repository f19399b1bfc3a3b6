//! Real pages for benchmarks: `.jsonl.gz` files with a JSON object of `url` and `html` per line.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use feedmill::model::{Page, PageBody};
use flate2::read::MultiGzDecoder;
use serde::Deserialize;
use url::Url;

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    url: String,
    html: String,
}

/// Reads the pages of a file in order.
pub(crate) fn read(file: &Path) -> impl Iterator<Item = Page> {
    let lines = BufReader::new(MultiGzDecoder::new(File::open(file).expect("the file opens"))).lines();
    lines.map(|line| {
        let Line { url, html } = serde_json::from_str(&line.expect("a line of UTF-8")).expect("a page");
        page(url.parse().unwrap_or_else(|_| address()), PageBody::Html(html))
    })
}

/// A page with a fixed fetch time.
pub(crate) fn page(url: Url, body: PageBody) -> Page {
    let fetched_at = "2026-03-05T12:00:00Z".parse().expect("a timestamp");
    Page { url: url.clone(), final_url: url, body, fetched_at }
}

/// A URL for pages whose URL does not matter.
pub(crate) fn address() -> Url {
    Url::parse("https://courier.example/news/1").expect("a URL")
}
