//! Classifies elements by their tags and attributes, for all walks over a page.

use html5ever::{Attribute, LocalName, local_name};

use super::tree::{Element, Node, NodeRef};

/// Returns whether the contents of an element are not text of the page.
pub(crate) fn is_skipped(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("script")
            | local_name!("style")
            | local_name!("noscript")
            | local_name!("template")
            | local_name!("head")
            | local_name!("iframe")
            | local_name!("object")
            | local_name!("svg")
            | local_name!("canvas")
            | local_name!("select")
            | local_name!("datalist")
            | local_name!("textarea")
            | local_name!("button")
            | local_name!("audio")
            | local_name!("video")
            | local_name!("noframes")
            | local_name!("noembed")
            | local_name!("applet")
            | local_name!("map")
            | local_name!("rp")
            | local_name!("rt")
    )
}

/// Returns whether an element has no contents.
pub(crate) fn is_void(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("img")
            | local_name!("hr")
            | local_name!("input")
            | local_name!("wbr")
            | local_name!("link")
            | local_name!("meta")
            | local_name!("source")
            | local_name!("col")
            | local_name!("area")
            | local_name!("embed")
            | local_name!("param")
            | local_name!("track")
    )
}

/// Returns whether an element is part of a line of text.
pub(crate) fn is_inline(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("a")
            | local_name!("span")
            | local_name!("b")
            | local_name!("strong")
            | local_name!("i")
            | local_name!("em")
            | local_name!("font")
            | local_name!("small")
            | local_name!("big")
            | local_name!("sup")
            | local_name!("sub")
            | local_name!("u")
            | local_name!("s")
            | local_name!("strike")
            | local_name!("del")
            | local_name!("ins")
            | local_name!("code")
            | local_name!("kbd")
            | local_name!("samp")
            | local_name!("var")
            | local_name!("tt")
            | local_name!("cite")
            | local_name!("q")
            | local_name!("abbr")
            | local_name!("acronym")
            | local_name!("dfn")
            | local_name!("mark")
            | local_name!("time")
            | local_name!("data")
            | local_name!("label")
            | local_name!("bdi")
            | local_name!("bdo")
            | local_name!("nobr")
            | local_name!("ruby")
            | local_name!("rb")
            | local_name!("picture")
            | local_name!("output")
            | local_name!("blink")
    )
}

/// Returns whether an element does not separate the words of a headline, byline or date. Elements with a meaning of their own,
/// such as a time or a quotation's source, do separate them.
pub(crate) fn joins_words(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("span")
            | local_name!("a")
            | local_name!("b")
            | local_name!("strong")
            | local_name!("i")
            | local_name!("em")
            | local_name!("font")
            | local_name!("sup")
            | local_name!("sub")
            | local_name!("u")
            | local_name!("mark")
            | local_name!("small")
            | local_name!("wbr")
            | local_name!("bdi")
            | local_name!("q")
            | local_name!("abbr")
            | local_name!("code")
            | local_name!("ruby")
            | local_name!("rb")
            | local_name!("rt")
            | local_name!("rp")
    )
}

/// Returns whether an element is known to HTML; browsers lay out unknown ones inline.
pub(crate) fn is_known(tag: &LocalName) -> bool {
    is_inline(tag) || is_box(tag) || is_skipped(tag) || is_void(tag) || *tag == local_name!("br")
}

/// Returns whether an element is a block, on lines of its own.
fn is_box(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("p")
            | local_name!("div")
            | local_name!("li")
            | local_name!("ul")
            | local_name!("ol")
            | local_name!("dl")
            | local_name!("dt")
            | local_name!("dd")
            | local_name!("dir")
            | local_name!("menu")
            | local_name!("h1")
            | local_name!("h2")
            | local_name!("h3")
            | local_name!("h4")
            | local_name!("h5")
            | local_name!("h6")
            | local_name!("hgroup")
            | local_name!("section")
            | local_name!("article")
            | local_name!("aside")
            | local_name!("header")
            | local_name!("footer")
            | local_name!("main")
            | local_name!("nav")
            | local_name!("search")
            | local_name!("address")
            | local_name!("blockquote")
            | local_name!("center")
            | local_name!("figure")
            | local_name!("figcaption")
            | local_name!("pre")
            | local_name!("listing")
            | local_name!("xmp")
            | local_name!("plaintext")
            | local_name!("table")
            | local_name!("caption")
            | local_name!("colgroup")
            | local_name!("thead")
            | local_name!("tbody")
            | local_name!("tfoot")
            | local_name!("tr")
            | local_name!("td")
            | local_name!("th")
            | local_name!("form")
            | local_name!("fieldset")
            | local_name!("legend")
            | local_name!("optgroup")
            | local_name!("option")
            | local_name!("details")
            | local_name!("summary")
            | local_name!("dialog")
            | local_name!("html")
            | local_name!("body")
            | local_name!("title")
            | local_name!("base")
            | local_name!("frameset")
            | local_name!("frame")
            | local_name!("marquee")
    )
}

/// Returns whether an element is a heading.
pub(crate) fn is_heading_tag(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("h1")
            | local_name!("h2")
            | local_name!("h3")
            | local_name!("h4")
            | local_name!("h5")
            | local_name!("h6")
    )
}

/// Returns whether an element is a table cell or a box that may be in one.
pub(crate) fn is_cell_or_inside(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("td") | local_name!("th") | local_name!("p") | local_name!("div") | local_name!("center")
    )
}

/// Returns whether an element is not shown at all; `aria-hidden` and class names are only hints of that.
pub(crate) fn is_really_hidden(element: &Element) -> bool {
    element.attrs.iter().any(|Attribute { name, value }| match name.local {
        local_name!("hidden") => &**value != "until-found",
        local_name!("style") => hides(value),
        _ => false,
    })
}

/// Returns whether a hidden element is the collapsed part of an accordion: the heading or term before it has
/// `aria-expanded`. Its text belongs to the article, like that of a `details` element.
pub(crate) fn is_folded(node: NodeRef<'_>) -> bool {
    /// Maximum number of nodes of a heading that are checked.
    const MAX_NODES: usize = 32;
    let opens = |node: NodeRef<'_>| {
        let expanded = |attribute: &Attribute| &*attribute.name.local == "aria-expanded";
        node.value().as_element().is_some_and(|element| element.attrs.iter().any(expanded))
    };
    let is_term = |node: &NodeRef<'_>| {
        node.value().as_element().is_some_and(|element| {
            is_heading_tag(&element.name.local) || element.name.local == local_name!("dt")
        })
    };
    let mut siblings_before = std::iter::successors(Some(node), |at| at.previous_sibling()).skip(1);
    let before = siblings_before.find(|before| before.value().as_element().is_some());
    before.filter(is_term).is_some_and(|term| term.descendants().take(MAX_NODES).any(opens))
}

/// Returns whether an inline style hides its element.
pub(crate) fn hides(style: &str) -> bool {
    let after = |property: &str, value: &str| {
        let rest = style.split_once(property).map(|(_, rest)| rest.trim_start_matches([' ', ':']));
        rest.is_some_and(|rest| rest.starts_with(value))
    };
    after("display", "none") || after("visibility", "hidden")
}

/// Returns whether a row belongs to a data table: it has two or more cells, and none holds more than a line of text or
/// a block other than a paragraph or `div`. In the other kind, layout tables, old sites place their whole page.
pub(crate) fn in_data_table(row: NodeRef<'_>) -> bool {
    const MAX_CELL_BYTES: usize = 200;
    let cells = row.children().filter_map(|child| Some((child, child.value().as_element()?)));
    let mut count = 0;
    for (cell, element) in cells {
        if !matches!(element.name.local, local_name!("td") | local_name!("th")) {
            continue;
        }
        count += 1;
        let mut bytes = 0;
        for inside in cell.descendants().skip(1) {
            match inside.value() {
                Node::Text(text) => bytes += text.trim().len(),
                Node::Element(inner)
                    if !is_inline(&inner.name.local)
                        && !is_void(&inner.name.local)
                        && !is_cell_content(&inner.name.local) =>
                {
                    return false;
                }
                _ => {}
            }
            if bytes > MAX_CELL_BYTES {
                return false;
            }
        }
    }
    count >= 2
}

fn is_cell_content(tag: &LocalName) -> bool {
    matches!(*tag, local_name!("p") | local_name!("br") | local_name!("div"))
}
