//! Feeds and pages for tests, with generated text.

use std::fmt::Write as _;

use url::Url;

/// One entry of a feed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Item {
    pub(crate) title: String,
    pub(crate) link: Option<Url>,
    pub(crate) guid: String,
    pub(crate) content: Option<String>,
}

impl Item {
    /// An entry that links to `link`.
    pub(crate) fn new(title: &str, link: &Url) -> Self {
        Self { title: title.to_owned(), link: Some(link.clone()), guid: link.to_string(), content: None }
    }

    /// Adds the whole article to the entry.
    pub(crate) fn with_content(mut self, html: &str) -> Self {
        self.content = Some(html.to_owned());
        self
    }
}

/// An RSS feed.
pub(crate) fn rss(items: &[Item]) -> String {
    let mut feed = String::from(
        r#"<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:content="http://purl.org/rss/1.0/modules/content/"><channel>
<title>Harbour Gazette</title><link>https://gazette.example/</link><description>News from the quay</description>
"#,
    );
    for item in items {
        write!(feed, "<item><title>{}</title><guid isPermaLink=\"false\">{}</guid>", item.title, item.guid)
            .unwrap();
        if let Some(link) = &item.link {
            write!(feed, "<link>{}</link>", link.as_str().replace('&', "&amp;")).unwrap();
        }
        if let Some(content) = &item.content {
            write!(feed, "<content:encoded><![CDATA[{content}]]></content:encoded>").unwrap();
        }
        feed.push_str("</item>\n");
    }
    feed.push_str("</channel></rss>\n");
    feed
}

/// The paragraphs of an article on `topic`: the same topic gives the same article, different topics share hardly a phrase.
pub(crate) fn paragraphs(topic: &str) -> Vec<String> {
    const SUBJECTS: [&str; 8] = [
        "The harbour master",
        "A retired pilot",
        "The council",
        "An engineer",
        "The ferry company",
        "A fisherman",
        "The museum",
        "Nobody in town",
    ];
    const VERBS: [&str; 8] = [
        "measured",
        "described",
        "questioned",
        "repaired",
        "photographed",
        "remembered",
        "postponed",
        "welcomed",
    ];
    const OBJECTS: [&str; 8] = [
        "the northern breakwater",
        "a crate of brass instruments",
        "the winter timetable",
        "three abandoned barges",
        "an unusually low tide",
        "the lighthouse budget",
        "a map drawn in pencil",
        "the smell of tar",
    ];
    let mut state = topic.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let mut pick = |words: &[&'static str; 8]| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        words[usize::try_from(state >> 61).unwrap()]
    };
    (0..6)
        .map(|number| {
            format!(
                "{} {} {} on the morning of {topic}, while {} {} {}. Paragraph {number} of the account of {topic} \
                 adds that {} {} {} before the bells rang.",
                pick(&SUBJECTS), pick(&VERBS), pick(&OBJECTS), pick(&SUBJECTS), pick(&VERBS), pick(&OBJECTS),
                pick(&SUBJECTS), pick(&VERBS), pick(&OBJECTS),
            )
        })
        .collect()
}

/// A page with the article on `topic` between navigation, a sign-up box and a footer.
pub(crate) fn page(topic: &str) -> String {
    let body: String = paragraphs(topic).iter().map(|text| format!("<p>{text}</p>\n")).collect();
    format!(
        r#"<!DOCTYPE html><html lang="en"><head><title>The {topic} affair - Harbour Gazette</title></head><body>
<nav><a href="/">Home</a> <a href="/tides">Tides</a></nav>
<main><article><h1>The {topic} affair</h1>
{body}</article>
<form class="newsletter-signup"><p>Sign up for our newsletter and never miss a tide.</p><input type="email"></form></main>
<footer>Copyright Harbour Gazette</footer></body></html>"#
    )
}
