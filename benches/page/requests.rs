//! The requested pages.

use std::fmt::Write as _;

use crate::store::{FIRST, KEPT_EVERY};

/// The parameters of a request.
#[derive(Clone, Copy)]
pub(crate) struct Asked {
    pub(crate) articles: i64,
    pub(crate) feeds: i64,
    /// The number of this request among those for its page.
    pub(crate) number: i64,
}

impl Asked {
    /// Returns an article anywhere in the store.
    fn article(self) -> i64 {
        FIRST + (self.number * 7_919 * 1_301) % self.articles
    }

    /// Returns another article.
    fn other(self) -> i64 {
        Self { number: self.number + 1, ..self }.article()
    }

    /// Returns an article whose page is kept.
    fn kept(self) -> i64 {
        let article = self.article();
        article - article % KEPT_EVERY
    }

    fn feed(self) -> i64 {
        (self.number * 7_919) % self.feeds
    }
}

/// The name of a page, and its path.
type Page = (&'static str, fn(Asked) -> String);

pub(crate) const PAGES: &[Page] = &[
    ("overview", |_| "/".to_owned()),
    ("feeds", |_| "/feeds".to_owned()),
    ("feeds, by next poll", |_| "/feeds?sort=next_poll".to_owned()),
    ("feeds, by age", |_| "/feeds?sort=newest".to_owned()),
    ("feeds, the last page", |_| "/feeds?last=true".to_owned()),
    ("feeds, behind any of them", |asked| format!("/feeds?after={}-0", 2 + asked.feed())),
    ("feeds, the last page by next poll", |_| "/feeds?sort=next_poll&last=true".to_owned()),
    ("feeds, the last page of those that succeed", |_| "/feeds?health=succeeding&last=true".to_owned()),
    ("feeds, failing", |_| "/feeds?health=failing".to_owned()),
    ("feeds, looked for", |asked| format!("/feeds?q=h{}.example", asked.feed())),
    ("feeds, looked for by what all hold", |_| "/feeds?q=example".to_owned()),
    ("feeds, looked for in vain", |asked| format!("/feeds?q=zeppelin{}", asked.number)),
    ("a feed", |asked| format!("/feeds/{}", 2 + asked.feed())),
    ("an article", |asked| format!("/articles/{}", hex_id(asked.article()))),
    ("an article whose page is kept", |asked| format!("/articles/{}", hex_id(asked.kept()))),
    ("two articles, compared by word", |asked| {
        format!("/articles/{}/diff?with={}", hex_id(asked.article()), hex_id(asked.other()))
    }),
    ("sites", |_| "/sites".to_owned()),
    ("sites, looked for", |asked| format!("/sites?q=h{}.ex", asked.feed())),
    ("a site", |asked| format!("/sites/h{}.example", asked.feed())),
    ("search, a word of every text", |_| "/search?q=harbour".to_owned()),
    ("search, a word of one text in 1,000", |asked| format!("/search?q=wharf{}", asked.number)),
    ("search, a word of one text", |asked| format!("/search?q=berth{}", asked.article())),
    ("search, both of two common words", |asked| format!("/search?q=harbour+wharf{}", asked.number)),
    ("search, a beginning", |asked| format!("/search?q=wharf{}*", asked.number % 10)),
    ("search, words in a row", |asked| format!("/search?q=%22harbour+report%22+wharf{}", asked.number)),
    ("search, all but a common word", |_| "/search?q=harbour+-wharf7".to_owned()),
    ("search, a word of no text", |asked| format!("/search?q=zeppelin{}", asked.number)),
    ("search, two common words of no one text", |_| "/search?q=ebb+flood".to_owned()),
    ("search, common words of no text in a row", |_| "/search?q=%22report+harbour%22".to_owned()),
    ("search, a letter and a word of one text", |asked| format!("/search?q=b*+berth{}", asked.article())),
    ("search, a letter that all have", |_| "/search?q=w*".to_owned()),
    ("search, a beginning in vain", |asked| format!("/search?q=zeppelin{}*", asked.number)),
    ("search, words of old texts alone", |_| "/search?q=flood+jetty".to_owned()),
    ("API: records after a cursor", |asked| format!("/v1/articles?after={}&limit=100", asked.article())),
    ("API: an article", |asked| format!("/v1/articles/{}", hex_id(asked.article()))),
    ("metrics", |_| "/metrics".to_owned()),
];

fn hex_id(number: i64) -> String {
    format!("{number:032}").bytes().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}
