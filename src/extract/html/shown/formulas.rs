//! Replaces each formula by one piece of text, however many forms of it the page contains.
//!
//! A renderer emits a formula for display and, for screen readers, as `MathML` with the author's TeX as its annotation. The
//! annotation is what an author would type in plain text; without it the `MathML` is read from left to right.

use html5ever::local_name;

use super::super::tree::{NodeId, NodeRef, Tree};
use super::{MAX_NODES, is_blank, is_in_line, is_words};

/// Maximum number of nested elements around a formula that hold only its copies.
const MAX_WRAPPERS: usize = 6;

/// Replaces a formula and its copies by its text.
pub(super) fn write_out(tree: &mut Tree, math: NodeId) {
    let node = tree.node(math);
    let text = annotation(node).map_or_else(|| linear(node), |tex| plain_tex(&tex));
    let mut outer = node;
    for _ in 0..MAX_WRAPPERS {
        match outer.parent() {
            Some(around) if holds_copies_only(around, outer) => outer = around,
            _ => break,
        }
    }
    // The source script may follow the renderer's output.
    let source = super::after(outer).filter(|next| formula_script(*next).is_some()).map(NodeRef::id);
    let outer = outer.id();
    tree.replace_by_text(outer, &text);
    if let Some(source) = source {
        tree.detach(source);
    }
}

/// Writes out a formula in a script that a renderer would replace.
pub(super) fn write_out_script(tree: &mut Tree, id: NodeId) {
    if let Some(tex) = formula_script(tree.node(id)).map(plain_tex) {
        tree.replace_by_text(id, &tex);
    }
}

/// Returns the formula in a script.
fn formula_script(node: NodeRef<'_>) -> Option<&str> {
    let element = node.value().as_element().filter(|element| element.name.local == local_name!("script"))?;
    element.attribute(&local_name!("type")).filter(|kind| is_formula_type(kind))?;
    node.first_child()?.value().as_text()
}

/// Returns whether a script of this type holds a formula.
pub(crate) fn is_formula_type(kind: &str) -> bool {
    kind.starts_with("math/tex") || kind.starts_with("math/asciimath")
}

/// Returns whether an inline element holds only a formula and other forms of it: pictures, elements for display only.
fn holds_copies_only(around: NodeRef<'_>, formula: NodeRef<'_>) -> bool {
    let is_copy = |child: NodeRef<'_>| {
        child.id() == formula.id()
            || is_blank(child)
            || child.value().as_element().is_some_and(|element| {
                matches!(element.name.local, local_name!("img") | local_name!("script"))
                    || element.attrs.iter().any(|attribute| {
                        &*attribute.name.local == "aria-hidden" && &*attribute.value == "true"
                    })
                    || holds_hidden_copy(child)
            })
    };
    let is_wrapper = around.value().as_element().is_some_and(|element| {
        is_in_line(around) && element.name.local != local_name!("a") || !super::is_known(&element.name.local)
    });
    is_wrapper && around.children().nth(MAX_NODES).is_none() && around.children().all(is_copy)
}

/// Returns whether an element contains no text except for display (`aria-hidden`).
fn holds_hidden_copy(node: NodeRef<'_>) -> bool {
    let is_hidden = |node: NodeRef<'_>| {
        node.value().as_element().is_some_and(|element| {
            element
                .attrs
                .iter()
                .any(|attribute| &*attribute.name.local == "aria-hidden" && &*attribute.value == "true")
        })
    };
    node.children().nth(MAX_NODES).is_none()
        && node.children().all(|child| is_hidden(child) || !child.descendants().take(MAX_NODES).any(is_words))
}

fn name(node: NodeRef<'_>) -> &str {
    node.value().as_element().map_or("", |element| &*element.name.local)
}

/// Returns the TeX source of a formula.
fn annotation(math: NodeRef<'_>) -> Option<String> {
    let is_tex = |node: &NodeRef<'_>| {
        let encoding =
            node.value().as_element().and_then(|element| element.attribute(&local_name!("encoding")));
        name(*node) == "annotation"
            && encoding.is_some_and(|encoding| encoding.to_ascii_lowercase().contains("tex"))
    };
    let annotation = math.descendants().find(is_tex)?;
    let tex: String = annotation.descendants().filter_map(|below| below.value().as_text()).collect();
    (!tex.trim().is_empty()).then_some(tex)
}

/// Returns whether a picture's `alt` text is TeX: it has a command, and braces, `^`, `_` or `=` if it looks like a path or prose.
pub(super) fn is_tex(text: &str) -> bool {
    let mut commands = text
        .match_indices('\\')
        .filter(|(at, _)| text[at + 1..].starts_with(|c: char| c.is_ascii_alphabetic()));
    let has_signs = text.contains(['{', '^', '_', '=']);
    // A file path has backslashes, but none of these characters.
    commands.next().is_some() && (has_signs || !text.contains([':', '.', ' ']))
}

/// Returns TeX on one line, without commands that only set its size.
pub(super) fn plain_tex(tex: &str) -> String {
    let mut text = tex.trim();
    for style in ["\\displaystyle", "\\textstyle"] {
        let inside = text.strip_prefix('{').and_then(|rest| rest.trim_start().strip_prefix(style));
        if let Some(inside) = inside.and_then(|rest| rest.strip_suffix('}')) {
            text = inside.trim();
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads `MathML` from left to right.
fn linear(math: NodeRef<'_>) -> String {
    let mut text = String::new();
    write_children(math, 0, &mut text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Deeper parts are read as plain text, without structure.
const MAX_DEPTH: usize = 64;

fn elements(node: NodeRef<'_>) -> impl Iterator<Item = NodeRef<'_>> {
    node.children().filter(|child| child.value().as_element().is_some())
}

fn write_children(node: NodeRef<'_>, depth: usize, text: &mut String) {
    for child in elements(node) {
        write(child, depth + 1, text);
    }
}

fn write(node: NodeRef<'_>, depth: usize, text: &mut String) {
    if depth > MAX_DEPTH {
        text.extend(node.descendants().filter_map(|below| below.value().as_text()).map(str::trim));
        return;
    }
    let mut parts = elements(node);
    let mut part = || parts.next().map(|part| in_brackets(part, depth)).unwrap_or_default();
    match name(node) {
        "annotation" | "annotation-xml" | "mphantom" | "none" | "mprescripts" => {}
        "mi" | "mn" | "mtext" | "ms" => text.extend(texts(node)),
        "mo" => write_operator(&texts(node).collect::<String>(), text),
        "mspace" | "mtd" | "mtr" | "mlabeledtr" => {
            write_children(node, depth, text);
            text.push(' ');
        }
        "mfrac" => text.push_str(&[part(), "/".into(), part()].concat()),
        "msqrt" => {
            let mut inside = String::new();
            write_children(node, depth, &mut inside);
            text.push_str(&["√(", inside.trim(), ")"].concat());
        }
        "mroot" => {
            let (base, index) = (part(), part());
            text.push_str(&[&*base, "^(1/", &*index, ")"].concat());
        }
        "msup" | "mover" => text.push_str(&[part(), "^".into(), part()].concat()),
        "msub" | "munder" => text.push_str(&[part(), "_".into(), part()].concat()),
        "msubsup" | "munderover" => {
            text.push_str(&[part(), "_".into(), part(), "^".into(), part()].concat());
        }
        "mfenced" => {
            let inside: Vec<String> = elements(node).map(|part| one(part, depth)).collect();
            text.push_str(&["(", &*inside.join(", "), ")"].concat());
        }
        _ => write_children(node, depth, text),
    }
}

fn texts(node: NodeRef<'_>) -> impl Iterator<Item = &str> {
    node.descendants().filter_map(|below| below.value().as_text()).map(str::trim)
}

fn one(node: NodeRef<'_>, depth: usize) -> String {
    let mut text = String::new();
    write(node, depth + 1, &mut text);
    text.trim().to_owned()
}

/// Returns a part of a fraction or power, in brackets if it is composite.
fn in_brackets(node: NodeRef<'_>, depth: usize) -> String {
    let text = one(node, depth);
    if text.contains([' ', '/', '^', '_']) { ["(", &*text, ")"].concat() } else { text }
}

/// Writes an operator, with spaces around it if it is a relation or binary operator between two terms.
fn write_operator(operator: &str, text: &mut String) {
    const APART: &[char] =
        &['=', '+', '−', '-', '<', '>', '≤', '≥', '≈', '≠', '∼', '→', '×', '±', '∈', '⊂', '≡', '∝'];
    let is_between = !text.is_empty() && !text.ends_with([' ', '(', '[', '{', '^', '_']);
    match operator {
        "\u{2061}" | "\u{2062}" | "\u{2063}" | "\u{2064}" => {}
        "," | ";" => text.push_str(&[operator, " "].concat()),
        _ if operator.contains(APART) && is_between => text.push_str(&[" ", operator, " "].concat()),
        _ => text.push_str(operator),
    }
}
