//! What extraction costs beside the bare parse of the same pages: the bar is 1.6 times `Html::parse_document`.
//!
//! The pages are generated: an article of the given number of paragraphs in the frame of a news site, with as much
//! navigation, teasers, comments and script around it as such sites have.

use divan::{Bencher, black_box};
use feedmill::extract::{Evidence, Rules, extract};
use feedmill::model::{Page, PageBody};
use scraper::Html;
use url::Url;

fn main() {
    divan::main();
}

const PARAGRAPHS: &[usize] = &[8, 40, 200];

fn page(paragraphs: usize) -> Page {
    let menu: String = (0..60)
        .map(|n| format!("<li class=\"menu-item menu-item-{n}\"><a class=\"nav-link\" href=\"/section/{n}\">Section {n}</a></li>"))
        .collect();
    let body: String = (0..paragraphs)
        .map(|n| {
            format!(
                "<p class=\"story-paragraph\">In week {n} the crew of the <a href=\"/ships/{n}\">Meridian</a> repaired the \
                 rudder, counted the barrels, and wrote <em>nothing</em> of it in the log. Nobody asked them to, and the \
                 harbour master, who had seen worse, let it pass without a word.</p>"
            )
        })
        .collect();
    let teasers: String = (0..40)
        .map(|n| {
            format!(
                "<div class=\"card related-card\"><a href=\"/story/{n}\"><img src=\"/i/{n}.jpg\" alt=\"\"><h3 class=\"card-title\">\
                 Another story, number {n}</h3></a><span class=\"date\">{n} hours ago</span></div>"
            )
        })
        .collect();
    let comments: String = (0..30)
        .map(|n| format!("<li class=\"comment\"><cite>Reader {n}</cite><p>I was there in week {n} and saw it happen.</p></li>"))
        .collect();
    let script =
        "window.settings = window.settings || []; settings.push({a: 1, b: [2, 3], c: \"d\"});\n".repeat(150);
    let html = format!(
        "<!DOCTYPE html><html lang=en><head><title>The log of the Meridian | Quayside</title><script>{script}</script>\
         <meta property=\"og:title\" content=\"The log of the Meridian\"></head><body class=\"single post\">\
         <header class=\"site-header\"><nav><ul class=\"menu\">{menu}</ul></nav></header><main id=\"content\">\
         <article class=\"entry\"><h1 class=\"entry-title\">The log of the Meridian</h1><div class=\"entry-content\">{body}</div>\
         </article><aside class=\"sidebar\">{teasers}</aside><ol class=\"comment-list\">{comments}</ol></main>\
         <footer class=\"site-footer\"><ul>{menu}</ul><p>© 2026 Quayside</p></footer></body></html>"
    );
    let url = Url::parse("https://quayside.example/story").expect("a URL");
    let fetched_at = "2026-03-05T12:00:00Z".parse().expect("a timestamp");
    Page { url: url.clone(), final_url: url, body: PageBody::Html(html), fetched_at }
}

fn html(page: &Page) -> &str {
    match &page.body {
        PageBody::Html(html) | PageBody::Text(html) => html,
    }
}

#[divan::bench(args = PARAGRAPHS)]
fn bare_parse(bencher: Bencher<'_, '_>, paragraphs: usize) {
    let page = page(paragraphs);
    bencher.bench(|| black_box(Html::parse_document(html(&page))));
}

#[divan::bench(args = PARAGRAPHS)]
fn extraction(bencher: Bencher<'_, '_>, paragraphs: usize) {
    let page = page(paragraphs);
    let rules = Rules::new(&[]).expect("the shipped rules compile");
    bencher.bench(|| black_box(extract(&page, &Evidence::default(), &rules)));
}
