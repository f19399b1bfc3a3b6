//! The cost of extraction relative to a bare parse of the same pages: the limit is 1.6 times `Html::parse_document`.
//!
//! `cargo bench --bench extract` measures generated pages in the proportions of real ones, `-- FILE.jsonl.gz …` every sixth page of
//! files, page by page on one thread, the best of five rounds for each page. `benches/peers` compares other extractors.

#![expect(clippy::print_stdout, reason = "a program for the person before it")]

use std::path::Path;
use std::time::Instant;

use divan::{Bencher, black_box};
use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{Page, PageBody};
use scraper::Html;

mod news;
mod pages;

const PARAGRAPHS: &[usize] = &[6, 18, 80];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let files: Vec<&Path> = arguments.iter().map(Path::new).filter(|path| path.is_file()).collect();
    if files.is_empty() {
        return divan::main();
    }
    println!(
        "{:<28} {:>6} {:>10} {:>10} {:>6} {:>8}",
        "file", "pages", "parse ms", "extract ms", "times", "slowest"
    );
    for file in files {
        measure(file);
    }
}

/// Measures the milliseconds of a bare parse and of extraction for each page of a file.
fn measure(file: &Path) {
    const STEP: usize = 6;
    const ROUNDS: usize = 5;
    let rules = rules();
    let mut times: Vec<[f64; 2]> = Vec::new();
    for page in pages::read(file).step_by(STEP) {
        let PageBody::Html(html) = &page.body else { continue };
        let mut best = [f64::MAX; 2];
        for _ in 0..ROUNDS {
            let round = [
                millis(|| Html::parse_document(html)),
                millis(|| extract(&page, &Evidence::default(), &rules)),
            ];
            best = [best[0].min(round[0]), best[1].min(round[1])];
        }
        times.push(best);
    }
    let [parse, extraction] = [0, 1].map(|of| mean(times.iter().map(|times| times[of])));
    times.sort_by(|one, other| other[1].total_cmp(&one[1]));
    let slowest = &times[..times.len().div_ceil(100)];
    let [slow_parse, slow_extraction] = [0, 1].map(|of| mean(slowest.iter().map(|times| times[of])));
    println!(
        "{:<28} {:>6} {parse:>10.2} {extraction:>10.2} {:>6.2} {:>8.2}",
        file.file_name().unwrap_or_default().display(),
        times.len(),
        extraction / parse,
        slow_extraction / slow_parse,
    );
}

fn millis<T>(work: impl FnOnce() -> T) -> f64 {
    let start = Instant::now();
    drop(black_box(work()));
    start.elapsed().as_secs_f64() * 1000.0
}

fn mean(values: impl Iterator<Item = f64> + Clone) -> f64 {
    values.clone().sum::<f64>() / values.map(|_| 1.0).sum::<f64>()
}

fn rules() -> Rules {
    Rules::new(&[]).expect("the shipped rules compile")
}

fn generated(paragraphs: usize) -> Page {
    pages::page(pages::address(), PageBody::Html(news::page(paragraphs)))
}

#[divan::bench(args = PARAGRAPHS)]
fn bare_parse(bencher: Bencher<'_, '_>, paragraphs: usize) {
    let html = news::page(paragraphs);
    bencher.bench(|| black_box(Html::parse_document(&html)));
}

#[divan::bench(args = PARAGRAPHS)]
fn extraction(bencher: Bencher<'_, '_>, paragraphs: usize) {
    let page = generated(paragraphs);
    let rules = rules();
    bencher.bench(|| black_box(extract(&page, &Evidence::default(), &rules)));
}
