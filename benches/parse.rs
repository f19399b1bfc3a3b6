//! The speed of the feed parser compared with others, in bytes per second over the same feeds in one run.
//!
//! The feeds are generated. `FEEDMILL_FEEDS=/some/folder cargo bench --bench parse` adds the files of a folder as one more row.
//! Each parser is measured on the feeds of which it reads at least as many entries as feedmill; rows without any such feed are
//! omitted.

use std::fmt;
use std::fmt::Write as _;
use std::sync::LazyLock;

use divan::Bencher;
use divan::counter::BytesCount;

fn main() {
    divan::main();
}

/// A set of feeds to read one after the other.
struct Sample {
    name: &'static str,
    feeds: Vec<Vec<u8>>,
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

static SAMPLES: LazyLock<Vec<Sample>> = LazyLock::new(|| {
    let mut samples = vec![
        Sample { name: "rss: nothing to repair", feeds: vec![plain_rss()] },
        Sample { name: "atom: nothing to repair", feeds: vec![plain_atom()] },
        Sample { name: "rss: full content, extensions", feeds: vec![rich_rss()] },
        Sample { name: "rss: broken", feeds: vec![broken_rss()] },
    ];
    if let Some(folder) = std::env::var_os("FEEDMILL_FEEDS") {
        let files = std::fs::read_dir(&folder).expect("FEEDMILL_FEEDS is a folder").flatten();
        let feeds = files.filter_map(|file| std::fs::read(file.path()).ok()).collect();
        samples.push(Sample { name: "folder", feeds });
    }
    samples
});

const PARAGRAPH: &str = "The council met until late and agreed on little: the bridge stays open, the fare stays as it \
    is, and the question of the trees along the canal goes back to the committee that sent it. ";

fn plain_rss() -> Vec<u8> {
    let mut feed = String::from(
        "<rss version=\"2.0\"><channel><title>Canal</title><link>https://canal.example/</link>\n",
    );
    for n in 0..50 {
        let text = PARAGRAPH.repeat(2 + n % 5);
        writeln!(
            feed,
            "<item><title>Session {n} &amp; vote</title><link>https://canal.example/{n}</link>\
             <guid isPermaLink=\"false\">canal-{n}</guid><pubDate>Tue, 05 Mar 2024 07:{n:02}:00 +0100</pubDate>\
             <description>&lt;p&gt;{text}&lt;/p&gt;</description></item>"
        )
        .expect("a String takes everything");
    }
    feed.push_str("</channel></rss>");
    feed.into_bytes()
}

fn plain_atom() -> Vec<u8> {
    let mut feed = String::from(
        "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Canal</title><id>tag:canal.example:1</id>\
         <link href=\"https://canal.example/\"/><updated>2024-03-05T07:00:00Z</updated>\n",
    );
    for n in 0..50 {
        let text = PARAGRAPH.repeat(2 + n % 5);
        writeln!(
            feed,
            "<entry><title>Session {n}</title><id>tag:canal.example:{n}</id><link href=\"https://canal.example/{n}\"/>\
             <updated>2024-03-05T07:{n:02}:00+01:00</updated><author><name>C. Lerk</name></author>\
             <content type=\"html\">&lt;p&gt;{text}&lt;/p&gt;</content></entry>"
        )
        .expect("a String takes everything");
    }
    feed.push_str("</feed>");
    feed.into_bytes()
}

fn rich_rss() -> Vec<u8> {
    let mut feed = String::from(
        "<?xml version=\"1.0\"?><rss version=\"2.0\" xmlns:content=\"http://purl.org/rss/1.0/modules/content/\" \
         xmlns:dc=\"http://purl.org/dc/elements/1.1/\" xmlns:media=\"http://search.yahoo.com/mrss/\" \
         xmlns:sy=\"http://purl.org/rss/1.0/modules/syndication/\"><channel><title>Canal</title>\
         <link>https://canal.example/</link><sy:updatePeriod>hourly</sy:updatePeriod>\n",
    );
    for n in 0..50 {
        let text = format!("<p>{PARAGRAPH}</p>\n").repeat(10 + n % 20);
        writeln!(
            feed,
            "<item><title>Session {n}</title><link>https://canal.example/{n}</link><dc:creator><![CDATA[C. Lerk]]>\
             </dc:creator><pubDate>Tue, 05 Mar 2024 07:{n:02}:00 +0100</pubDate><category>Council</category>\
             <guid isPermaLink=\"false\">canal-{n}</guid><description><![CDATA[{PARAGRAPH}]]></description>\
             <content:encoded><![CDATA[{text}]]></content:encoded>\
             <media:content url=\"https://canal.example/{n}.jpg\" medium=\"image\"/></item>"
        )
        .expect("a String takes everything");
    }
    feed.push_str("</channel></rss>");
    feed.into_bytes()
}

fn broken_rss() -> Vec<u8> {
    let feed = String::from_utf8(plain_rss()).expect("made of a String");
    feed.replace("&amp; vote", "& vote&nbsp;")
        .replace("</channel></rss>", "<item><title>cut sho")
        .into_bytes()
}

/// Measures every feed of a sample that `read` reads completely; `read` returns the number of entries.
fn read_all(bencher: Bencher<'_, '_>, sample: &Sample, read: impl Fn(&[u8]) -> Option<usize> + Sync) {
    let is_whole = |feed: &&[u8]| read(feed).is_some_and(|entries| Some(entries) >= by_feedmill(feed));
    let feeds: Vec<&[u8]> = sample.feeds.iter().map(Vec::as_slice).filter(is_whole).collect();
    let bytes: usize = feeds.iter().map(|feed| feed.len()).sum();
    if bytes > 0 {
        bencher
            .counter(BytesCount::new(bytes))
            .bench(|| feeds.iter().filter_map(|feed| read(divan::black_box(feed))).sum::<usize>());
    }
}

fn by_feedmill(feed: &[u8]) -> Option<usize> {
    feedmill::parse::parse(feed, None, None).ok().map(|feed| feed.entries.len())
}

#[divan::bench(args = SAMPLES.iter())]
fn feedmill(bencher: Bencher<'_, '_>, sample: &Sample) {
    read_all(bencher, sample, by_feedmill);
}

#[divan::bench(args = SAMPLES.iter())]
fn feed_rs(bencher: Bencher<'_, '_>, sample: &Sample) {
    read_all(bencher, sample, |feed| feed_rs::parser::parse(feed).ok().map(|feed| feed.entries.len()));
}

#[divan::bench(args = SAMPLES.iter())]
fn rss_and_atom_syndication(bencher: Bencher<'_, '_>, sample: &Sample) {
    read_all(bencher, sample, |feed| {
        let channel = rss::Channel::read_from(feed).ok().map(|channel| channel.items().len());
        channel.or_else(|| atom_syndication::Feed::read_from(feed).ok().map(|feed| feed.entries().len()))
    });
}

#[divan::bench(args = SAMPLES.iter())]
fn feedparser_rs(bencher: Bencher<'_, '_>, sample: &Sample) {
    read_all(bencher, sample, |feed| feedparser_rs::parse(feed).ok().map(|feed| feed.entries.len()));
}
