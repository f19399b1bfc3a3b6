//! What elements are by their tags and attributes, for the walk that cuts the page into blocks.

use html5ever::{Attribute, LocalName, local_name};

use super::tree::{Element, Node, NodeRef};
use crate::extract::words::classes::hides;

/// Elements whose inside is no text of the page.
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

/// Elements without an inside.
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

/// Elements within a line of text.
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

/// Cells, and boxes that stand in cells.
pub(crate) fn is_cell_or_inside(tag: &LocalName) -> bool {
    matches!(
        *tag,
        local_name!("td") | local_name!("th") | local_name!("p") | local_name!("div") | local_name!("center")
    )
}

/// Whether an element is not shown at all; `aria-hidden` and class names only hint at it.
pub(crate) fn is_really_hidden(element: &Element) -> bool {
    element.attrs.iter().any(|Attribute { name, value }| match name.local {
        local_name!("hidden") => &**value != "until-found",
        local_name!("style") => hides(value),
        _ => false,
    })
}

/// Whether the table around a row holds data: every row of the first few has two or more cells, and no cell holds
/// more than a line of text or a structure of its own. Old sites lay their whole page out in the other kind.
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
