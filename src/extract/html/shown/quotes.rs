//! Inline quotations (`<q>`), which browsers show in the quotation marks of the language.

use html5ever::local_name;

use super::super::tree::{NodeId, NodeRef, Tree};
use super::{text_after, text_before};

/// Primary language subtags, the marks around a quotation, and those around a nested one, from the Unicode locale data.
/// Other languages use the English marks.
const MARKS: &[(&[&str], [&str; 2], [&str; 2])] = &[
    (&["de", "cs", "sk", "sl", "bg", "is", "lt", "et", "ka"], ["„", "“"], ["‚", "‘"]),
    (&["pl", "hu", "ro", "hr", "sr", "bs"], ["„", "”"], ["«", "»"]),
    (&["fr"], ["« ", " »"], ["« ", " »"]),
    (&["es", "it", "ca", "el", "ru", "uk", "be", "no", "nb", "nn", "fa", "hy"], ["«", "»"], ["“", "”"]),
    (&["sv", "fi"], ["”", "”"], ["’", "’"]),
    (&["ja"], ["「", "」"], ["『", "』"]),
];
const ENGLISH: ([&str; 2], [&str; 2]) = (["“", "”"], ["‘", "’"]);

/// Writes quotation marks around a quotation that has none.
pub(super) fn write_out(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    if has_marks(node) {
        return;
    }
    let is_quotation = |node: &NodeRef<'_>| {
        node.value().as_element().is_some_and(|element| element.name.local == local_name!("q"))
    };
    let is_inner = node.ancestors().any(|above| is_quotation(&above));
    let language =
        node.ancestors().find_map(|above| above.value().as_element()?.attribute(&local_name!("lang")));
    let primary =
        language.and_then(|tag| tag.split(['-', '_']).next()).unwrap_or_default().to_ascii_lowercase();
    let known = MARKS.iter().find(|(languages, ..)| languages.contains(&&*primary));
    let (outer, inner) = known.map_or(ENGLISH, |(_, outer, inner)| (*outer, *inner));
    let [opening, closing] = if is_inner { inner } else { outer };
    match node.first_child().map(NodeRef::id) {
        Some(first) => tree.insert_text_before(first, opening),
        None => return,
    }
    tree.append_text(id, closing);
}

/// Returns whether the author typed quotation marks, inside or around the element; also true for an empty quotation.
fn has_marks(node: NodeRef<'_>) -> bool {
    let is_mark =
        |c: char| matches!(c, '"' | '“' | '”' | '„' | '«' | '»' | '‘' | '‚' | '‹' | '›' | '「' | '『' | '\'');
    let inside =
        node.descendants().filter_map(|below| below.value().as_text()).find(|text| !text.trim().is_empty());
    let opens = |text: &str| text.trim_start().starts_with(is_mark);
    inside.is_none_or(opens)
        || text_before(node).is_some_and(|text| text.ends_with(is_mark))
            && text_after(node)
                .is_some_and(|text| text.starts_with(|c| is_mark(c) || matches!(c, '」' | '』' | '’')))
}
