//! Limits the work spent on one page, in counted steps, so that a page gives the same text on slow and fast machines.

use super::Evidence;
use crate::model::{Article, Page, PageBody, QualityFlag};
use crate::work;

/// Runs `whole` on a page within `steps` steps; on a beginning of the page if all of it would take more.
pub(super) fn read_within(
    steps: u64,
    page: &Page,
    evidence: &Evidence<'_>,
    whole: impl Fn(&Page, &Evidence<'_>) -> Article,
) -> Article {
    let text = page.body.source();
    let read = |part: &str| {
        if part.len() == text.len() { whole(page, evidence) } else { whole(&beginning(page, part), evidence) }
    };
    match work::in_part_within(steps, text, read) {
        Some((article, true)) => article,
        Some((article, false)) => partial(article),
        // The evidence uses up the steps, not the page's text: read without either.
        None => partial(whole(&beginning(page, ""), &Evidence::default())),
    }
}

/// Returns the page with its body cut to `part`.
fn beginning(page: &Page, part: &str) -> Page {
    let body = match page.body {
        PageBody::Html(_) => PageBody::Html(part.to_owned()),
        PageBody::Fragment(_) => PageBody::Fragment(part.to_owned()),
        PageBody::Text(_) => PageBody::Text(part.to_owned()),
    };
    Page { url: page.url.clone(), final_url: page.final_url.clone(), body, fetched_at: page.fetched_at }
}

fn partial(mut article: Article) -> Article {
    if !article.quality_flags.contains(&QualityFlag::Partial) {
        article.quality_flags.push(QualityFlag::Partial);
        article.quality_flags.sort_unstable();
    }
    article
}

#[cfg(test)]
mod tests {
    use std::fmt::Write as _;

    use super::*;
    use crate::extract::{Rules, whole};

    #[test]
    fn a_page_that_takes_too_many_steps_is_read_in_part_and_says_so() {
        const STEPS: u64 = 100_000;
        let mut html = String::from("<title>Ferries</title><article><h1>Ferries</h1>");
        for number in 0..2_000 {
            write!(html, "<p>Ferry {number} said that it would return before the week ended, or so.</p>")
                .unwrap();
        }
        let url: url::Url = "https://courier.example/news/1".parse().unwrap();
        let fetched_at = "2026-03-05T12:00:00Z".parse().unwrap();
        let page = Page { url: url.clone(), final_url: url, body: PageBody::Html(html), fetched_at };
        let rules = Rules::new(&[]).unwrap();
        let read = |steps| {
            let evidence = Evidence::default();
            work::steps_of(|| {
                read_within(steps, &page, &evidence, |page, evidence| whole(page, &[], evidence, &rules))
            })
        };
        let (all, needed) = read(u64::MAX);
        assert!(needed > STEPS && all.text.contains("Ferry 1999 "), "{needed} steps");
        let (part, took) = read(STEPS);
        assert!(part.text.contains("Ferry 1 ") && !part.text.contains("Ferry 1999 "));
        assert!(part.quality_flags.contains(&QualityFlag::Partial));
        assert!(took < 2 * STEPS, "{took} steps");
        assert_eq!(read(STEPS), (part, took), "the same again");
        let (nothing, _) = read(1);
        assert_eq!(
            (&*nothing.text, &*nothing.quality_flags),
            ("", &[QualityFlag::TooShort, QualityFlag::Partial][..])
        );
    }
}
