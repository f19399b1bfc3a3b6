//! The labelled pages.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File};
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
use crate::parallel;

/// Number of folds into which the pages are divided, by site.
pub(super) const FOLDS: usize = 3;

#[derive(Deserialize)]
struct Line {
    #[serde(default)]
    id: Value,
    url: Url,
    html: String,
    #[serde(default)]
    gold: Gold,
}

/// A page with its gold.
pub(super) struct LabelledPage {
    /// The set's id for it.
    pub(super) id: Value,
    pub(super) page: Page,
    pub(super) gold: Gold,
    /// The number of its set.
    pub(super) set: usize,
    /// Whether it is one of our own cases.
    pub(super) is_case: bool,
    pub(super) fold: usize,
    /// The number of its kind, and the hash of its site.
    pub(super) kind: usize,
    pub(super) site: u64,
    /// The number of pages of its site before it.
    pub(super) before_on_site: usize,
    /// The weight of the page: the more pages its site and its kind have, the less each counts.
    pub(super) weight: f32,
}

/// The weight of a case relative to a page: it stands for all pages of its kind, which are rare in the sets.
const CASE_WEIGHT: f32 = 10.0;

/// Maximum pages per site to fit on; further ones add nothing new and are only extracted.
const MOST_OF_SITE: usize = 12;

impl LabelledPage {
    /// Returns whether the page is used for fitting.
    pub(super) fn is_sample(&self) -> bool {
        self.before_on_site < MOST_OF_SITE
    }
}

/// Reads all sets; files whose name ends in `.gz` are decompressed.
pub(super) fn read(sets: &[PathBuf]) -> anyhow::Result<Vec<LabelledPage>> {
    let mut pages = Vec::new();
    let (mut sites, mut kinds) = (Vec::new(), Vec::new());
    // Fixed, since the time must not change what is fitted; no text depends on it.
    let fetched_at: Timestamp = "2100-01-01T00:00:00Z".parse()?;
    for (set, path) in sets.iter().enumerate() {
        let is_case = path.is_dir();
        for line in if is_case { cases(path)? } else { lines(path)? } {
            sites.push(site_of(&line));
            kinds.push((set, kind_of(&line)));
            let url = line.url;
            let page = Page { final_url: url.clone(), url, body: PageBody::Html(line.html), fetched_at };
            let (id, gold) = (line.id, line.gold);
            pages.push(LabelledPage {
                id,
                page,
                gold,
                set,
                is_case,
                fold: 0,
                kind: 0,
                site: 0,
                before_on_site: 0,
                weight: 0.0,
            });
        }
    }
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for site in &sites {
        *counts.entry(site).or_default() += 1;
    }
    let mut before: HashMap<&str, usize> = HashMap::new();
    for (page, site) in pages.iter_mut().zip(&sites) {
        let seen = before.entry(site).or_default();
        page.before_on_site = *seen;
        *seen += 1;
        page.site = hash_of(site);
        page.fold = fold_of(page.site);
    }
    // Otherwise news would outweigh forum threads and manuals: pages of a kind, too, count less the more there are.
    let mut of_kind: HashMap<&(usize, String), usize> = HashMap::new();
    for (_, kind) in pages.iter().zip(&kinds).filter(|(page, _)| page.is_sample()) {
        *of_kind.entry(kind).or_default() += 1;
    }
    let mut numbers = BTreeMap::new();
    for kind in of_kind.keys().copied() {
        numbers.insert(kind, 0);
    }
    numbers.values_mut().zip(0..).for_each(|(number, next)| *number = next);
    let even = pages.len() as f32 / of_kind.len().max(1) as f32;
    for ((page, site), kind) in pages.iter_mut().zip(&sites).zip(&kinds) {
        page.kind = numbers.get(kind).copied().unwrap_or(0);
        let of_kind = of_kind.get(kind).copied().unwrap_or(1);
        let of_site = counts[&**site].min(MOST_OF_SITE);
        let of_case = if page.is_case { CASE_WEIGHT } else { 1.0 };
        page.weight = of_case * (even / of_kind as f32).sqrt() / (of_site as f32).sqrt();
    }
    Ok(pages)
}

/// Reads the pages of a set.
fn lines(path: &Path) -> anyhow::Result<Vec<Line>> {
    let parsed = |(number, line): (usize, std::io::Result<String>)| {
        serde_json::from_str(&line?).with_context(|| format!("{}: line {}", path.display(), number + 1))
    };
    open(path)?.lines().enumerate().map(parsed).collect()
}

/// Reads the cases of a folder like `tests/pages` that have an expected text and no feed entry.
fn cases(folder: &Path) -> anyhow::Result<Vec<Line>> {
    #[derive(Deserialize)]
    struct Case {
        #[serde(default = "case_url")]
        url: Url,
        #[serde(default)]
        entry: Value,
    }
    let mut folders: Vec<PathBuf> =
        fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<_>>()?;
    folders.retain(|folder| folder.join("expected.txt").exists());
    folders.sort();
    let mut lines = Vec::new();
    for folder in folders {
        let read = |name| {
            let path = folder.join(name);
            fs::read_to_string(&path).with_context(|| path.display().to_string())
        };
        let Case { url, entry } = serde_json::from_str(&read("case.json")?)
            .with_context(|| folder.join("case.json").display().to_string())?;
        if entry.is_null() {
            let id = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let text = read("expected.txt")?.trim_end().to_owned();
            let gold = Gold { text: Some(text), ..Gold::default() };
            lines.push(Line { id: id.into(), url, html: read("page.html")?, gold });
        }
    }
    Ok(lines)
}

/// The URL of a case that does not give one.
fn case_url() -> Url {
    "https://courier.example/news/4711".parse().expect("a URL")
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

/// Returns the site of a page. Archived pages belong to the site in their URL's path; if a set hides hosts behind a reserved name,
/// every page is its own site.
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

/// Returns the kind of a page if the ids of its set begin with it: `forum-0501`.
fn kind_of(line: &Line) -> String {
    let start = line.id.as_str().and_then(|id| id.split_once('-')).map_or("", |(start, _)| start);
    if start.chars().all(char::is_alphabetic) { start.to_owned() } else { String::new() }
}

/// FNV-1a: gives the same folds in every run, in any order of the sets.
fn hash_of(site: &str) -> u64 {
    site.bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

fn fold_of(site: u64) -> usize {
    usize::try_from((site >> 32) % FOLDS as u64).expect("there are few folds")
}

/// Returns the results of `fit` without each fold, and on request also on all pages.
pub(super) fn without_each<T: Send>(
    and_of_all: bool,
    fit: impl Fn(Option<usize>) -> T + Sync,
) -> (Vec<T>, Option<T>) {
    let without: Vec<Option<usize>> = (0..FOLDS).map(Some).chain(and_of_all.then_some(None)).collect();
    let mut fitted = parallel::map(&without, |without| fit(*without));
    let of_all = and_of_all.then(|| fitted.pop()).flatten();
    (fitted, of_all)
}
