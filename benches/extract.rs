//! What extraction costs beside the bare parse of the same pages: the bar is 1.6 times `Html::parse_document`.
//!
//! `benches/peers` has other extractors beside it, on these pages or on a file of real ones.

use divan::{Bencher, black_box};
use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{Page, PageBody};
use scraper::Html;
use url::Url;

mod news;

fn main() {
    divan::main();
}

const PARAGRAPHS: &[usize] = &[6, 18, 80];

fn page(paragraphs: usize) -> Page {
    let url = Url::parse("https://quayside.example/story").expect("a URL");
    let fetched_at = "2026-03-05T12:00:00Z".parse().expect("a timestamp");
    Page { url: url.clone(), final_url: url, body: PageBody::Html(news::page(paragraphs)), fetched_at }
}

#[divan::bench(args = PARAGRAPHS)]
fn bare_parse(bencher: Bencher<'_, '_>, paragraphs: usize) {
    let html = news::page(paragraphs);
    bencher.bench(|| black_box(Html::parse_document(&html)));
}

#[divan::bench(args = PARAGRAPHS)]
fn extraction(bencher: Bencher<'_, '_>, paragraphs: usize) {
    let page = page(paragraphs);
    let rules = Rules::new(&[]).expect("the shipped rules compile");
    bencher.bench(|| black_box(extract(&page, &Evidence::default(), &rules)));
}
