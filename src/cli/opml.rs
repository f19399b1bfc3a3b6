//! Writes feeds as OPML 2.0, which all feed readers import.

use std::io::Write;

use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use super::terminal::plain;
use crate::store::FeedStatus;

/// Writes a document with one outline per feed, with the URL where it is polled now and its tags as categories.
pub(super) fn write(out: &mut impl Write, feeds: &[FeedStatus]) -> std::io::Result<()> {
    let mut xml = Writer::new_with_indent(&mut *out, b' ', 2);
    xml.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
    xml.write_event(Event::Start(BytesStart::new("opml").with_attributes([("version", "2.0")])))?;
    xml.create_element("head").write_inner_content(|head| {
        head.create_element("title").write_text_content(BytesText::new("Feeds of feedmill"))?;
        Ok(())
    })?;
    xml.write_event(Event::Start(BytesStart::new("body")))?;
    for feed in feeds {
        let title = plain(feed.title.as_deref().unwrap_or(feed.url.as_str()));
        let mut attributes = vec![
            ("type", "rss"),
            ("text", title.as_str()),
            ("title", title.as_str()),
            ("xmlUrl", feed.url.as_str()),
        ];
        let site = feed.info.as_ref().and_then(|info| info.link.as_deref()).map(plain);
        if let Some(site) = &site {
            attributes.push(("htmlUrl", site));
        }
        let categories = plain(&feed.tags.join(","));
        if !categories.is_empty() {
            attributes.push(("category", &categories));
        }
        xml.write_event(Event::Empty(BytesStart::new("outline").with_attributes(attributes)))?;
    }
    xml.write_event(Event::End(BytesEnd::new("body")))?;
    xml.write_event(Event::End(BytesEnd::new("opml")))?;
    writeln!(out)
}
