//! The cost of reading repetitive input: `cargo bench --bench growth`, or `-- NAME` for some kinds.
//!
//! For each kind of `tests/it/support/repeats.rs`, at 1, 4 and 10 MB: CPU seconds of its stage, compared with those of a bare parse
//! of as many bytes of paragraphs in the same run, the counted steps per byte, and how long the work at 10 MB continued after it
//! was stopped. CPU time is that of the thread, so that a busy machine does not affect it.
//!
//! `-- FILE.jsonl.gz …` reads real pages instead (`benches/pages`) and prints the steps that they take, for comparison with
//! `work::BUDGET`.

#![expect(clippy::print_stdout, clippy::unwrap_used, reason = "a program for the person before it")]

mod pages;
#[path = "../tests/it/support/repeats.rs"]
mod repeats;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::time::Duration;

use feedmill::dedup::{self, fingerprint};
use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::PageBody;
use feedmill::parse::parse;
use feedmill::work::{Stop, steps_of};
use scraper::Html;
use url::Url;

use pages::{address, read};
use repeats::{FEEDS, PAGES, Repeats, TEXTS};

const SIZES: [usize; 3] = [1_000_000, 4_000_000, 10_000_000];
/// CPU seconds allowed for a page of 4 MB, and for one of 10 MB.
const BARS: [f64; 2] = [0.4, 1.0];
/// The shares of its duration after which work is stopped.
const STOPPED_AT: [f64; 3] = [0.2, 0.5, 0.8];
const LOOKS: usize = 2;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let files: Vec<&Path> = arguments.iter().map(Path::new).filter(|path| path.exists()).collect();
    if !files.is_empty() {
        return real_pages(&files);
    }
    let wanted = arguments.first().map_or("", String::as_str);
    let paragraphs = PAGES.iter().find(|kind| kind.name == "paragraphs").unwrap();
    let bare = SIZES.map(|bytes| {
        let html = paragraphs.document(bytes);
        cpu_secs(|| drop(Html::parse_document(&html)))
    });
    println!("bare parse of paragraphs: {:.3} / {:.3} / {:.3} s\n", bare[0], bare[1], bare[2]);
    println!(
        "{:<46} {:>7} {:>7} {:>7} {:>8} {:>8} {:>9}",
        "kind", "1 MB", "4 MB", "10 MB", "x bare", "steps/B", "stop ms"
    );
    let rules = Rules::new(&[]).unwrap();
    let read = |body: PageBody| {
        let page = pages::page(address(), body);
        drop(extract(&page, &Evidence::default(), &rules));
    };
    table("page", wanted, PAGES, bare[1], |html| read(PageBody::Html(html.to_owned())));
    table("markup of an entry", wanted, PAGES, bare[1], |html| read(PageBody::Fragment(html.to_owned())));
    table("text", wanted, TEXTS, bare[1], |text| {
        let page = pages::page(address(), PageBody::Text(text.to_owned()));
        let article = extract(&page, &Evidence::default(), &rules);
        fingerprint(&article, &dedup::Settings::default());
    });
    let address = Url::parse("https://harbour.example/feed").unwrap();
    // Some are not feeds: only the work counts.
    table("feed", wanted, FEEDS, bare[1], |feed| drop(parse(feed.as_bytes(), None, Some(&address))));
}

/// Prints a row for each kind.
fn table(stage: &str, wanted: &str, kinds: &[Repeats], bare: f64, work: impl Fn(&str) + Sync) {
    for kind in kinds.iter().filter(|kind| format!("{stage}: {}", kind.name).contains(wanted)) {
        let mut seconds = [0.0; SIZES.len()];
        let mut steps_a_byte = 0.0;
        for (bytes, seconds) in SIZES.into_iter().zip(&mut seconds) {
            let document = kind.document(bytes);
            let ((), steps) = steps_of(|| *seconds = cpu_secs(|| work(&document)));
            steps_a_byte = float(steps) / float(document.len() as u64);
        }
        let document = kind.document(SIZES[SIZES.len() - 1]);
        let took = seconds[SIZES.len() - 1];
        // Repeated, since a busy machine may have delayed the first stop.
        let stop = |share: f64| {
            let looks = (0..LOOKS).map(|_| goes_on_for(took * share, || work(&document)));
            looks.into_iter().fold(f64::INFINITY, f64::min)
        };
        let stops = STOPPED_AT.map(stop);
        let longest = stops.into_iter().fold(0.0, f64::max) * 1e3;
        let is_above = seconds[1] > BARS[0] || seconds[2] > BARS[1] || longest > 100.0;
        println!(
            "{:<46} {:>7.3} {:>7.3} {:>7.3} {:>8.1} {steps_a_byte:>8.1} {longest:>9.1}{}",
            format!("{stage}: {}", kind.name),
            seconds[0],
            seconds[1],
            seconds[2],
            seconds[1] / bare,
            if is_above { "  above the bar" } else { "" }
        );
    }
}

/// Returns the CPU seconds for which work continues when it is stopped after `seconds`.
fn goes_on_for(seconds: f64, work: impl Fn() + Sync) -> f64 {
    let stop = Stop::default();
    std::thread::scope(|threads| {
        let (tell, told) = mpsc::sync_channel(1);
        let (work, stop_sign) = (&work, &stop);
        let worker = threads.spawn(move || {
            tell.send(std::fs::read_link("/proc/thread-self").unwrap()).unwrap();
            drop(catch_unwind(AssertUnwindSafe(|| stop_sign.guard(work))));
            cpu_of(Path::new("/proc/thread-self"))
        });
        let thread = Path::new("/proc").join(told.recv().unwrap());
        let mut used = 0.0;
        while used < seconds && !worker.is_finished() {
            std::thread::sleep(Duration::from_millis(1));
            used = cpu_of(&thread);
        }
        stop.stop();
        (worker.join().unwrap() - used).max(0.0)
    })
}

/// Returns the CPU seconds of work on this thread.
fn cpu_secs(work: impl FnOnce()) -> f64 {
    let thread = Path::new("/proc/thread-self");
    let before = cpu_of(thread);
    work();
    cpu_of(thread) - before
}

/// Returns the CPU seconds that a thread has used; 0 if it has ended.
fn cpu_of(thread: &Path) -> f64 {
    let status = std::fs::read_to_string(thread.join("schedstat")).unwrap_or_default();
    let nanoseconds = status.split(' ').next().and_then(|first| first.parse().ok()).unwrap_or_default();
    Duration::from_nanos(nanoseconds).as_secs_f64()
}

/// Prints the steps that pages of these files take.
fn real_pages(files: &[&Path]) {
    let rules = Rules::new(&[]).unwrap();
    let mut pages: Vec<(u64, f64, PathBuf, Url)> = Vec::new();
    for file in files {
        for page in read(file) {
            let PageBody::Html(html) = &page.body else { continue };
            let bytes = float(html.len().max(1) as u64);
            let (_, steps) = steps_of(|| extract(&page, &Evidence::default(), &rules));
            pages.push((steps, float(steps) / bytes, file.to_path_buf(), page.url));
        }
    }
    pages.sort_by(|one, other| one.1.total_cmp(&other.1));
    let at = |share: usize| pages[(pages.len() - 1) * share / 1000].1;
    println!(
        "{} pages; steps a byte: half {:.1}, 99 % {:.1}, 99.9 % {:.1}, most {:.1}",
        pages.len(),
        at(500),
        at(990),
        at(999),
        at(1000)
    );
    pages.sort_by_key(|page| page.0);
    for (steps, each, file, url) in pages.iter().rev().take(5) {
        println!("{steps} steps, {each:.1} a byte: {} {url}", file.display());
    }
}

#[expect(clippy::cast_precision_loss, reason = "far below 2^53")]
fn float(number: u64) -> f64 {
    number as f64
}
