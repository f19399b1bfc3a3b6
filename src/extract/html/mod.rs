//! Parses a page within limits into one tree, which html5ever builds and all of `extract` uses.
//!
//! html5ever's tree builder has no limits of its own: nesting and misnested formatting elements cost quadratic time or
//! gigabytes. The size of the tree and the work so far are therefore checked after every tag, the depth after every 64th
//! (`emitter`). The work is counted, not timed, so that the same page always gives the same tree. What was parsed before
//! a limit is kept. Comments and the contents of style sheets and scripts, except JSON-LD and formulas, never enter the tree.

mod emitter;
pub(crate) mod elements;
pub(crate) mod noscript;
pub(crate) mod shown;
mod sink;
pub(crate) mod text;
pub(crate) mod tree;

use std::borrow::Cow;
use std::cell::Cell;

use html5ever::tokenizer::{EOFToken, TokenSink};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts, TreeSink};
use html5gum::Tokenizer;

use crate::markup::GuardedReader;
use emitter::{TreeEmitter, hand_on};
use sink::{Limits, Sink};
use tree::Tree;

/// A normal page of 1 MB has about ten thousand nodes and takes a million steps; one of the maximum size that is fetched
/// comes up to these limits. They bound all work on a page, since no later step visits a node more than a constant number of
/// times.
const LIMITS: Limits = Limits { nodes: MAX_NODES, depth: 512, work: 40_000_000 };
/// Maximum number of nodes read of a page; the rest of the page is missing.
pub const MAX_NODES: usize = 100_000;
/// Average bytes of source per node.
const BYTES_OF_NODE: usize = 64;

/// A parsed page.
pub(crate) struct Parsed {
    /// The tree.
    pub(crate) tree: Tree,
    /// Whether a limit ended the parse, so that the rest of the page is missing.
    pub(crate) partial: bool,
}

/// Parses a whole document or a fragment of one; never fails.
pub(crate) fn parse(html: &str) -> Parsed {
    let html = &*close_title(html);
    let html = html.strip_prefix('\u{feff}').unwrap_or(html);
    let sink = Sink::with_capacity(html.len() / BYTES_OF_NODE);
    // With scripting disabled, the contents of a noscript element are parsed as markup.
    let scripting_enabled = !noscript::holds_body(html);
    let options = TreeBuilderOpts { scripting_enabled, ..TreeBuilderOpts::default() };
    let builder = TreeBuilder::new(sink, options);
    let is_stopped = Cell::new(false);
    let mut emitter = TreeEmitter::new(&builder, &LIMITS, &is_stopped);
    let mut reader = GuardedReader::new(html, &is_stopped);
    let mut partial = false;
    while Tokenizer::new_with_emitter(&mut reader, &mut emitter).finish().is_err() {
        let Some(prefix) = emitter.go_on() else {
            partial = true;
            break;
        };
        reader.go_on(prefix);
    }
    hand_on(&builder, EOFToken);
    builder.end();
    Parsed { tree: builder.sink.finish(), partial }
}

/// Closes an unclosed `<title>`, which would swallow the whole page, at the next tag.
fn close_title(html: &str) -> Cow<'_, str> {
    const START_BYTES: usize = 65_536;
    const LONGEST_TITLE: usize = 4096;
    let find = |tag: &str, from: usize, to: usize| {
        let bytes = &html.as_bytes()[from..to];
        bytes.windows(tag.len()).position(|window| window.eq_ignore_ascii_case(tag.as_bytes()))
    };
    let Some(start) = find("<title", 0, html.len().min(START_BYTES)) else { return Cow::Borrowed(html) };
    let end = html.len().min(start + LONGEST_TITLE);
    if find("</title", start, end).is_some() {
        return Cow::Borrowed(html);
    }
    let after = start + "<title".len();
    match html[after..].find('<') {
        Some(next) => {
            let (title, rest) = html.split_at(after + next);
            Cow::Owned([title, "</title>", rest].concat())
        }
        None => Cow::Borrowed(html),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use html5ever::{LocalName, local_name};
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::tree::{Node, ROOT};
    use super::*;
    use crate::markup::MAX_ATTRIBUTES;

    /// A tag may reopen all unclosed formatting elements, and the depth is checked after every 64th tag.
    const MAX_LEVELS_BETWEEN_LOOKS: usize = 64 * LIMITS.depth;

    fn depth_of(tree: &Tree) -> usize {
        let mut depths = HashMap::from([(ROOT, 0)]);
        for node in tree.root().descendants().skip(1) {
            let parent = node.parent().expect("only the root has none");
            depths.insert(node.id(), depths[&parent.id()] + 1);
        }
        depths.into_values().max().unwrap_or_default()
    }

    /// Tags with their depth, attributes and texts in document order, without the contents of scripts and style sheets.
    #[derive(Default)]
    struct Outline(String);

    impl Outline {
        fn tag<'a>(
            &mut self,
            depth: usize,
            name: &str,
            attributes: impl Iterator<Item = (&'a LocalName, &'a str)>,
        ) {
            let mut attributes: Vec<String> =
                attributes.map(|(name, value)| format!(" {name}={value:?}")).collect();
            attributes.sort();
            self.0.extend([&*format!("<{depth} "), name, &attributes.concat(), ">"]);
        }

        fn text(&mut self, text: &str, parent: Option<&LocalName>) {
            if !matches!(parent, Some(&local_name!("script") | &local_name!("style"))) {
                self.0.push_str(text);
            }
        }
    }

    fn our_outline(html: &str) -> String {
        let Parsed { tree, .. } = parse(html);
        let mut outline = Outline::default();
        for node in tree.root().descendants() {
            match node.value() {
                Node::Root => {}
                Node::Element(element) => outline.tag(
                    node.ancestors().count(),
                    &element.name.local,
                    element.attrs.iter().map(|attribute| (&attribute.name.local, &*attribute.value)),
                ),
                Node::Text(text) => {
                    let parent = node.parent().and_then(|parent| parent.value().as_element());
                    outline.text(text, parent.map(|element| &element.name.local));
                }
            }
        }
        outline.0
    }

    fn scrapers_outline(html: &str) -> String {
        let html = scraper::Html::parse_document(html);
        let mut outline = Outline::default();
        for node in html.tree.root().descendants() {
            if let Some(element) = node.value().as_element() {
                outline.tag(
                    node.ancestors().count(),
                    &element.name.local,
                    element.attrs.iter().map(|(name, value)| (&name.local, &**value)),
                );
            } else if let Some(text) = node.value().as_text() {
                let parent = node.parent().and_then(|parent| parent.value().as_element());
                outline.text(text, parent.map(|element| &element.name.local));
            }
        }
        outline.0
    }

    proptest! {
        #[test]
        fn the_tree_is_that_of_html5evers_own_tokenizer(
            pieces in vec(
                select(vec![
                    "<script>", "<script src=x>", "</script>", "</script ", "</SCRIPT\r\n>", "<script", "</scripts>", "<script/>",
                    "<style>", "</style>", "</style", "<svg>", "</svg>", "<title>", "</title>", "<p>", "<b>", "</p>",
                    "<!--", "-->", "<!-", "--", "-", "!", ">", "<", "/", " ", "\n", "word", "\u{e4}", "<textarea>", "</textarea>",
                    "<table>", "<td>", "<template>", "</template>", "<select>", "</select>", "<head>", "</head>", "<pre>",
                    "<a ", "<A HREF=", "</a x=1>", "=", "\"", "'", "id", "ID=", "id='one'", "class=\"x y\"", "\r", "\t",
                    "<br/>", "&amp;", "&", ";", "&lt", "&nbsp;", "&notin", "&#", "x41;", "&#x80;", "&unknown;", "\0",
                    "<![CDATA[", "]]>", "]]", "<?xml?>", "<!doctype html>", "<!DOCTYPE html PUBLIC \"-//W3C//DTD HTML 3.2//EN\">",
                    "<math>", "<mi>", "<foreignObject>", "<plaintext>", "<noscript>", "</noscript>", "<iframe>", "</iframe>", "<frameset>",
                    "<form>", "<li>", "<i>", "</b>", "</i>", "<body class=b>", "<html lang=en>", "</body>", "</html>",
                ]),
                0..40,
            )
        ) {
            let html = pieces.concat();
            // Both parsers get the source with the title closed.
            prop_assert_eq!(our_outline(&html), scrapers_outline(&close_title(&html)));
        }
    }

    #[test]
    fn no_page_makes_a_tree_beyond_the_limits() {
        let fonts: String = (0..20_000).map(|n| format!("<p><font id=f{n}>x")).collect();
        for bomb in [
            "<div>".repeat(100_000),
            fonts,
            "<ul><li>".repeat(10_000),
            "<span>".repeat(20_000) + &"</i>".repeat(20_000),
            "<span>".repeat(500) + &"</i>".repeat(200_000),
            (0..50_000).map(|n| format!("<body a{n}=\"\">")).collect(),
            "<p>A sentence of the page.</p>".repeat(200_000),
            "<table><tr><td>".repeat(5_000),
            "<b><i><a>".repeat(5_000) + &"</b></a></i>".repeat(5_000),
            "<svg><g>".repeat(20_000),
            "<template>".repeat(20_000),
        ] {
            let start = bomb[..40].to_owned();
            let Parsed { tree, partial } = parse(&bomb);
            assert!(partial, "{start}");
            assert!(tree.len() < LIMITS.nodes + MAX_LEVELS_BETWEEN_LOOKS, "{start}: {} nodes", tree.len());
            let depth = depth_of(&tree);
            assert!(depth <= LIMITS.depth + MAX_LEVELS_BETWEEN_LOOKS, "{start}: {depth} levels");
        }
    }

    #[test]
    fn a_tag_of_any_many_attributes_is_one_tag() {
        let many = |count: usize| {
            (0..count).map(|n| format!(" {}a{n}=\"{n}&amp;\"", if n % 2 > 0 { "\u{e4}" } else { "" }))
        };
        for count in [MAX_ATTRIBUTES - 1, MAX_ATTRIBUTES, MAX_ATTRIBUTES + 1, 5 * MAX_ATTRIBUTES] {
            let attributes: String = many(count).collect();
            let html = format!(
                "<p{attributes} z=1>one</p{attributes}><b ={} x>two</b>",
                " A=\"\" =\"1\"".repeat(2 * count)
            );
            let kept: String = (many(count).chain([" z=1".to_owned()])).take(MAX_ATTRIBUTES).collect();
            let short = format!("<p{kept}>one</p><b = A=\"\" =\"1\" x>two</b>");
            assert!(our_outline(&html) == scrapers_outline(&short), "{count} attributes");
        }
        let flood = "<div".to_owned() + &" a=\"\"".repeat(200_000) + "><p>Text";
        let Parsed { tree, partial } = parse(&flood);
        assert!(!partial);
        assert_eq!(
            tree.root().descendants().filter_map(|node| node.value().as_text()).collect::<String>(),
            "Text"
        );
    }
}
