//! Feeds in separate files, in the formats of other programs.

use std::fs;
use std::time::Duration;

use url::Url;

use super::{Files, lines, loaded, url};

#[test]
fn feeds_come_from_included_files() {
    let files = Files::new(&[
        (
            "feedmill.toml",
            "include = [\"feeds/more.toml\"]\n[[feed]]\nurl = \"https://opml.example/tuned\"\ninterval_secs = 900\n",
        ),
        (
            "feeds/more.toml",
            "include = [\"list.txt\", \"export.opml\"]\n[[feed]]\nurl = \"https://toml.example/feed\"\n\
             [[feed]]\nurl = \"https://list.example/off\"\nenabled = false\n",
        ),
        (
            "feeds/list.txt",
            "# our list\n\nhttps://list.example/one\n  https://list.example/two # the second\n\
             https://list.example/off\nfeed://list.example/three\n",
        ),
        (
            "feeds/export.opml",
            r#"<?xml version="1.0"?>
<opml version="2.0"><head><title>Mine</title></head><body>
  <outline text="World">
    <outline text="Europe">
      <outline type="rss" text="One" xmlUrl="https://opml.example/one?a=1&amp;b=2" category="/News,/World"/>
      <outline type="rss" text="Tuned" xmlUrl="https://opml.example/tuned"/>
    </outline>
    <outline type="rss" text="Bare &" xmlUrl="https://opml.example/bare?a=1&b=2"/>
  </outline>
  <outline type="rss" text="Bad" xmlUrl="not a url"/>
  <outline type="link" text="No feed" url="https://opml.example/page"/>
  <outline text="Top" XMLURL='https://opml.example/top'></outline>
  <outline type="rss" text="Top again" xmlUrl="https://OPML.example/top"/>
</body></opml>"#,
        ),
    ]);
    let loaded = loaded(&files);
    let mut feeds: Vec<String> = loaded.config.feeds.keys().map(Url::to_string).collect();
    feeds.sort_unstable();
    assert_eq!(
        feeds,
        [
            "http://list.example/three",
            "https://list.example/one",
            "https://list.example/two",
            "https://opml.example/bare?a=1&b=2",
            "https://opml.example/one?a=1&b=2",
            "https://opml.example/top",
            "https://opml.example/tuned",
            "https://toml.example/feed",
        ]
    );
    assert_eq!(
        loaded.config.feeds[&url("https://opml.example/one?a=1&b=2")].tags,
        ["World", "Europe", "News"]
    );
    let tuned = &loaded.config.feeds[&url("https://opml.example/tuned")];
    assert_eq!(tuned.bounds.fixed_interval, Some(Duration::from_mins(15)));
    assert_eq!(loaded.origins.disabled(), 1);
    assert_eq!(
        files.warnings(),
        [
            "feeds/export.opml:10: \"not a url\": not a URL: must begin with http:// or https://",
            "feeds/export.opml:13: https://opml.example/top is named twice: first by feeds/export.opml:12",
        ]
    );
}

#[test]
fn a_broken_outline_loses_only_itself() {
    for broken in [
        r#"<outline type="rss" text="Bad xmlUrl="https://bad.example/"/>"#,
        r"<outline type=rss text=Bad xmlUrl=https://bad.example/ />",
        r#"<outline type="rss" text="Bad" xmlUrl="https://bad.example/" <b>"#,
        "<!-- never ends here? -->",
        "<outline text=\"never closed\">",
        "</outline></outline></body>",
        "<outline",
        "&nosuch; &#xZZ; ]]>",
    ] {
        let opml = format!(
            "<opml><body>\n<outline type=\"rss\" xmlUrl=\"https://a.example/\"/>\n{broken}\n\
             <outline type=\"rss\" xmlUrl=\"https://b.example/\"/>\n</body></opml>\n"
        );
        let files = Files::new(&[("feedmill.toml", "include = [\"x.opml\"]"), ("x.opml", &opml)]);
        let feeds = loaded(&files).config.feeds;
        for good in ["https://a.example/", "https://b.example/"] {
            assert!(feeds.contains_key(&url(good)), "{broken}: {good} is lost: {:?}", files.warnings());
        }
    }
}

#[test]
fn opml_in_another_encoding_is_read() {
    let files = Files::new(&[("feedmill.toml", "include = [\"a.opml\", \"b.opml\"]")]);
    let opml = |name: &str| {
        format!("<opml><body><outline text='é' xmlUrl='https://{name}.example/'/></body></opml>")
    };
    let latin1: Vec<u8> = opml("a").chars().map(|c| u8::try_from(u32::from(c)).unwrap()).collect();
    let utf16: Vec<u8> =
        std::iter::once(0xfeff).chain(opml("b").encode_utf16()).flat_map(u16::to_le_bytes).collect();
    fs::write(files.path("a.opml"), latin1).unwrap();
    fs::write(files.path("b.opml"), utf16).unwrap();
    assert_eq!(loaded(&files).config.feeds.len(), 2);
}

#[test]
fn a_folder_and_a_pattern_include_their_files_by_name() {
    let files = Files::new(&[
        ("feedmill.toml", "include = [\"feeds.d\", \"lists/*.list\"]"),
        ("feeds.d/b.toml", "[[feed]]\nurl = \"https://b.example/\"\n"),
        ("feeds.d/a.txt", "https://a.example/\n"),
        ("feeds.d/a.txt~", "https://backup.example/\n"),
        ("feeds.d/.hidden.txt", "https://hidden.example/\n"),
        ("lists/one.list", "https://one.example/\n"),
        ("lists/one.md", "https://other.example/\n"),
    ]);
    let mut hosts: Vec<String> =
        loaded(&files).config.feeds.keys().map(|url| url.host_str().unwrap().to_owned()).collect();
    hosts.sort();
    assert_eq!(hosts, ["a.example", "b.example", "one.example"]);

    let files = Files::new(&[("feedmill.toml", "include = [\"*.none\"]")]);
    assert_eq!(files.warnings(), ["feedmill.toml:1:12: include = \"*.none\": there is no such file"]);
    let files = Files::new(&[("feedmill.toml", "include = [\"*/feeds.toml\"]")]);
    assert!(files.error().contains("only the last part of a path may hold * and ?"), "{}", files.error());
}

#[test]
fn files_that_include_each_other_are_refused() {
    let files = Files::new(&[
        ("feedmill.toml", "include = [\"a/one.toml\"]"),
        ("a/one.toml", "include = [\"two.toml\"]"),
        ("a/two.toml", "include = [\"../a/one.toml\"]"),
    ]);
    assert!(
        files.error().starts_with("a/two.toml:1:12: include = \"../a/one.toml\": the file includes itself")
    );
}

#[test]
fn fifty_thousand_feeds_are_read() {
    let url = |i: u32| format!("https://host-{i}.example/feed.xml");
    let list = lines((0..50_000).map(url));
    let outline = |i| format!("<outline type=\"rss\" text=\"Feed {i}\" xmlUrl=\"{}\"/>", url(i));
    let outlines = lines((50_000..100_000).map(outline));
    let table = |i| format!("[[feed]]\nurl = \"{}\"\ninterval_secs = 900", url(i));
    let tables = lines((100_000..150_000).map(table));
    let files = Files::new(&[
        ("feedmill.toml", "include = [\"list.txt\", \"export.opml\", \"tables.toml\"]"),
        ("list.txt", &list),
        ("export.opml", &format!("<opml><body>{outlines}</body></opml>")),
        ("tables.toml", &tables),
    ]);
    assert_eq!(loaded(&files).config.feeds.len(), 150_000);
}
