//! The labelled pages.

use std::collections::HashMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use anyhow::Context;
use feedmill::model::{Page, PageBody};
use flate2::read::GzDecoder;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

use crate::gold::Gold;

/// Parts that the pages are dealt into, by site.
pub(super) const FOLDS: usize = 4;

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    url: Url,
    html: String,
    #[serde(default)]
    gold: Gold,
}

/// A page with what is right for it.
pub(super) struct LabelledPage {
    pub(super) page: Page,
    pub(super) gold: Gold,
    /// Number of the set that it is from.
    pub(super) set: usize,
    pub(super) fold: usize,
    /// Pages of its site.
    pub(super) of_site: usize,
}

/// Reads all sets; a name that ends in `.gz` is inflated.
pub(super) fn read(sets: &[PathBuf]) -> anyhow::Result<Vec<LabelledPage>> {
    let mut pages = Vec::new();
    let mut sites = Vec::new();
    // No text hangs on the moment, and it must not change what is fitted.
    let fetched_at: Timestamp = "2100-01-01T00:00:00Z".parse()?;
    for (set, path) in sets.iter().enumerate() {
        for (number, line) in open(path)?.lines().enumerate() {
            let line: Line = serde_json::from_str(&line?)
                .with_context(|| format!("{}: line {}", path.display(), number + 1))?;
            sites.push(site_of(&line));
            let url = line.url;
            let page = Page { final_url: url.clone(), url, body: PageBody::Html(line.html), fetched_at };
            pages.push(LabelledPage { page, gold: line.gold, set, fold: 0, of_site: 0 });
        }
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for site in &sites {
        *counts.entry(site).or_default() += 1;
    }
    for (page, site) in pages.iter_mut().zip(&sites) {
        page.of_site = counts[&**site];
        page.fold = fold_of(site);
    }
    Ok(pages)
}

fn open(path: &Path) -> anyhow::Result<Box<dyn BufRead>> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let reader: Box<dyn Read> = if path.extension().is_some_and(|extension| extension == "gz") {
        Box::new(GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    Ok(Box::new(BufReader::new(reader)))
}

/// The site that a page is from: an archive's pages are of the site in their address, and where a set hides the
/// hosts behind a reserved name, every page stands for itself.
fn site_of(line: &Line) -> String {
    let address = line.url.as_str();
    let innermost = address.rfind("http").map_or(address, |at| &address[at..]);
    let innermost = Url::parse(innermost).unwrap_or_else(|_| line.url.clone());
    let host = innermost.host_str().unwrap_or_default();
    if host.ends_with(".example") {
        return line.id.to_string();
    }
    host.strip_prefix("www.").unwrap_or(host).to_owned()
}

/// FNV-1a: the same folds in every run, whatever the order of the sets.
fn fold_of(site: &str) -> usize {
    let hash = site.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    usize::try_from((hash >> 32) % FOLDS as u64).expect("there are few folds")
}
