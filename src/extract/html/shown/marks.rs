//! Note marks, links to their own place, and superscript and subscript text.

use std::collections::{HashMap, HashSet};

use html5ever::local_name;

use super::super::tree::{NodeId, NodeRef, Tree};
use super::{
    after, before, is_heading, is_in_line, is_words, line_around, short_text, text_after, text_before,
};

/// Maximum bytes of superscript or subscript text.
const LONGEST_RAISED_BYTES: usize = 24;
/// Maximum characters of a note mark: `[12]`.
const LONGEST_MARK_CHARS: usize = 6;

/// Removes a raised note mark and returns its link target; keeps a power from merging with its number.
pub(super) fn raise(tree: &mut Tree, id: NodeId) -> Option<String> {
    let node = tree.node(id);
    let text = short_text(node, LONGEST_RAISED_BYTES)?;
    let text = text.trim();
    if is_note_mark(node, text) {
        let target =
            node.parent().and_then(target).or_else(|| node.descendants().find_map(target)).map(str::to_owned);
        tree.detach(id);
        return target;
    }
    if let Some(raised) = shifted(text, RAISED).or_else(|| power(text)) {
        tree.replace_by_text(id, &raised);
    }
    None
}

/// Keeps a base or an index from merging with an adjacent number. "CO2" needs no change: that is how it is written without markup.
pub(super) fn lower(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    let Some(text) = short_text(node, LONGEST_RAISED_BYTES) else { return };
    let text = text.trim();
    let touches = |text: Option<char>| text.is_some_and(|c| c.is_ascii_digit());
    let is_beside_number = touches(text_before(node).and_then(|text| text.chars().next_back()))
        || touches(text_after(node).and_then(|text| text.chars().next()));
    let is_under_stroke = || text_before(node).is_some_and(|text| text.ends_with(['/', '\u{2044}']));
    if (is_beside_number || is_under_stroke())
        && let Some(lowered) = shifted(text, LOWERED)
    {
        tree.replace_by_text(id, &lowered);
    }
}

const RAISED: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
const LOWERED: [char; 10] = ['₀', '₁', '₂', '₃', '₄', '₅', '₆', '₇', '₈', '₉'];

/// Returns a number in Unicode superscript or subscript digits.
fn shifted(text: &str, digits: [char; 10]) -> Option<String> {
    let is_raised = digits == RAISED;
    let shift = |c: char| match c {
        '0'..='9' => Some(digits[c as usize - '0' as usize]),
        '+' => Some(if is_raised { '⁺' } else { '₊' }),
        '-' | '−' | '–' => Some(if is_raised { '⁻' } else { '₋' }),
        _ => None,
    };
    text.contains(|c: char| c.is_ascii_digit()).then(|| text.chars().map(shift).collect())?
}

/// Returns a power without superscript characters as `^(…)`.
fn power(text: &str) -> Option<String> {
    let holds_number = text.contains(|c: char| c.is_ascii_digit()) && !text.contains(char::is_whitespace);
    let is_plain =
        text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | ',' | '+' | '-' | '−' | '/'));
    (holds_number && is_plain).then(|| format!("^({text})"))
}

/// Returns whether a raised text is the mark of a note further down.
fn is_note_mark(node: NodeRef<'_>, text: &str) -> bool {
    let chars = text.chars().count();
    if chars == 0 || chars > LONGEST_MARK_CHARS {
        return false;
    }
    let is_sign = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '[' | ']' | '(' | ')' | '*' | '†' | '‡' | '§' | ' ' | ',')
    };
    let links = || node.parent().is_some_and(links_within) || node.descendants().any(links_within);
    if text.chars().all(is_sign) && links() || has_note_role(node) || is_bracketed(text) {
        return true;
    }
    if text.chars().all(|c| matches!(c, '*' | '†' | '‡' | '§')) {
        return true;
    }
    let is_number = text.chars().all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ' | '-' | '–'));
    is_number && follows_statement(text_before(node).unwrap_or_default())
}

/// Returns whether a raised number after this text must be a note mark: punctuation, a word or a year takes no power.
fn follows_statement(before: &str) -> bool {
    const LONGEST_UNIT: usize = 3;
    const STOPS: [char; 15] = ['.', ',', ';', ':', '!', '?', '”', '"', '’', '»', '“', '。', '」', '，', '、'];
    if before.ends_with(STOPS) {
        return true;
    }
    let run =
        |is: fn(char) -> bool| before.chars().rev().take(LONGEST_UNIT + 1).take_while(|&c| is(c)).count();
    run(char::is_alphabetic) > LONGEST_UNIT || run(|c| c.is_ascii_digit()) > LONGEST_UNIT
}

fn is_bracketed(text: &str) -> bool {
    let inside = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|inside| !inside.is_empty() && inside.chars().all(|c| c.is_alphanumeric() || c == ' '))
}

fn links_within(node: NodeRef<'_>) -> bool {
    target(node).is_some()
}

/// Returns the fragment of the page that an element links to.
fn target(node: NodeRef<'_>) -> Option<&str> {
    node.value().as_element()?.attribute(&local_name!("href"))?.strip_prefix('#')
}

/// Finds the notes that marks link to: the lists that contain them, or single notes.
pub(super) fn find_notes(tree: &mut Tree, marks: &[(NodeId, String)]) {
    if marks.is_empty() {
        return;
    }
    // A note follows its mark; a target before the mark is where a backlink leads, in the text.
    let places: HashMap<&str, NodeId> = marks.iter().rev().map(|(mark, place)| (&**place, *mark)).collect();
    let mut notes = HashSet::new();
    for node in tree.nodes() {
        let Some(element) = node.value().as_element() else { continue };
        let place = [local_name!("id"), local_name!("name")].iter().find_map(|name| element.attribute(name));
        if place.and_then(|place| places.get(place)).is_some_and(|mark| *mark < node.id()) {
            let note =
                std::iter::successors(Some(node), |node| node.parent()).find(|node| !is_in_line(*node));
            let list = note.and_then(NodeRef::parent).filter(|around| is_list(*around));
            notes.extend(list.or(note).map(NodeRef::id));
        }
    }
    tree.notes = notes;
}

fn is_list(node: NodeRef<'_>) -> bool {
    node.value().as_element().is_some_and(|element| {
        matches!(element.name.local, local_name!("ol") | local_name!("ul") | local_name!("dl"))
    })
}

fn has_note_role(node: NodeRef<'_>) -> bool {
    let role = node.value().as_element().and_then(|element| element.attribute(&local_name!("role")));
    role.is_some_and(|role| matches!(role, "doc-noteref" | "doc-backlink"))
}

/// Removes a link that is not text: a note mark, its backlink, a heading's link to itself. Returns the target of a
/// note mark.
pub(super) fn drop_link(tree: &mut Tree, id: NodeId) -> Option<String> {
    let node = tree.node(id);
    let place = target(node);
    if place.is_none() && !has_note_role(node) && !node.parent().is_some_and(is_heading) {
        return None;
    }
    let text = short_text(node, LONGEST_LABEL_BYTES)?;
    let text = text.trim();
    let is_mark = place.filter(|_| has_note_role(node) || is_mark_in_line(node, text)).map(str::to_owned);
    if is_mark.is_some()
        || is_sign(text)
        || has_note_role(node)
        || place.is_some_and(|place| leads_to_own_heading(node, place))
    {
        tree.detach(id);
    }
    is_mark
}

/// Maximum bytes of the text of a link to its own place.
const LONGEST_LABEL_BYTES: usize = 60;

fn is_sign(text: &str) -> bool {
    const MOST_CHARS: usize = 3;
    !text.is_empty() && text.chars().count() <= MOST_CHARS && !text.contains(char::is_alphanumeric)
}

/// Returns whether a link's text is in brackets after other text, or a number that directly follows the text before it.
fn is_mark_in_line(node: NodeRef<'_>, text: &str) -> bool {
    let Some(before) = text_before(node) else { return false };
    let is_number =
        !text.is_empty() && text.len() <= LONGEST_MARK_CHARS && text.chars().all(char::is_numeric);
    is_bracketed(text) && !before.trim().is_empty() || is_number && !before.ends_with(char::is_whitespace)
}

/// Returns whether a link is in the heading that it links to, beside the heading's text.
fn leads_to_own_heading(link: NodeRef<'_>, fragment: &str) -> bool {
    const LEAST_LETTERS: usize = 3;
    let Some((heading, part)) = line_around(link).filter(|(around, _)| is_heading(*around)) else {
        return false;
    };
    let has_id = |node: NodeRef<'_>| {
        let id = node.value().as_element().and_then(|element| element.attribute(&local_name!("id")));
        id == Some(fragment)
    };
    let is_own = !fragment.is_empty()
        && [Some(heading), heading.parent(), Some(link)].into_iter().flatten().any(has_id);
    let others = heading.children().take(super::MAX_NODES).filter(|child| child.id() != part.id());
    let letters: usize = others
        .filter_map(|other| short_text(other, usize::MAX))
        .map(|text| text.chars().filter(|c| c.is_alphabetic()).count())
        .sum();
    is_own && letters >= LEAST_LETTERS
}

/// Removes the link in brackets after a wiki's heading that edits the section.
pub(super) fn drop_edit_link(tree: &mut Tree, id: NodeId) {
    let node = tree.node(id);
    // A quick check, since nearly every span is something else.
    if !node.descendants().nth(1).is_some_and(|first| {
        first.value().as_text().is_some_and(|text| text.starts_with('['))
            || first.first_child().and_then(|child| child.value().as_text()) == Some("[")
    }) {
        return;
    }
    let links: Vec<NodeRef<'_>> = node
        .descendants()
        .take(super::MAX_NODES)
        .filter(|below| {
            below.value().as_element().is_some_and(|element| element.name.local == local_name!("a"))
        })
        .collect();
    let edits = |link: &NodeRef<'_>| {
        let href = link.value().as_element().and_then(|element| element.attribute(&local_name!("href")));
        href.is_some_and(|href| href.contains("action=edit"))
    };
    let is_in_brackets = short_text(node, LONGEST_LABEL_BYTES)
        .is_some_and(|text| text.trim().starts_with('[') && text.trim().ends_with(']'));
    let in_heading = || node.parent().is_some_and(is_heading) && before(node).is_some();
    if is_in_brackets && !links.is_empty() && (links.iter().any(edits) || in_heading()) {
        tree.detach(id);
    }
}

/// Removes struck text: a deletion within a sentence, other struck text only if an insertion is beside it. Struck text that
/// stays is separated from a number that follows.
pub(super) fn drop_struck(tree: &mut Tree, id: NodeId) {
    const LONGEST_BYTES: usize = 400;
    let node = tree.node(id);
    let Some(element) = node.value().as_element() else { return };
    let is_insertion = |node: NodeRef<'_>| {
        node.value().as_element().is_some_and(|element| element.name.local == local_name!("ins"))
    };
    let is_replaced = after(node).is_some_and(is_insertion) || before(node).is_some_and(is_insertion);
    let is_deletion = element.name.local == local_name!("del");
    let goes_on = || {
        line_around(node).is_some_and(|(line, _)| {
            let inside = line.descendants().take(super::MAX_NODES);
            let own = |other: NodeRef<'_>| {
                other.ancestors().take(super::MAX_NODES).any(|above| above.id() == node.id())
            };
            inside.filter(|other| is_words(*other)).any(|other| !own(other))
        })
    };
    let holds_lines_only =
        || node.descendants().skip(1).all(|below| below.value().as_text().is_some() || is_in_line(below));
    if (is_replaced || is_deletion && goes_on())
        && short_text(node, LONGEST_BYTES).is_some()
        && holds_lines_only()
    {
        tree.detach(id);
        return;
    }
    let touches = |text: Option<char>| text.is_some_and(char::is_numeric);
    if touches(text_after(node).and_then(|text| text.chars().next()))
        && let Some(after) = node.next_sibling().map(NodeRef::id)
    {
        tree.insert_text_before(after, " ");
    }
}
