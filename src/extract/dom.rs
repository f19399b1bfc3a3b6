//! The guarded parse: one tree for the whole room, built by html5ever.
//!
//! html5ever has no limits of its own: nesting, misnested formatting elements and attribute floods cost quadratic time
//! or gigabytes. The page is therefore fed in small chunks, and after each one the size of the tree, its depth and the
//! work done so far are looked at. The work is counted, not timed, so that the same page always gives the same tree.
//! What was parsed before a limit is kept. Comments and the insides of scripts and style sheets, JSON-LD excepted,
//! never enter the tree.

use std::borrow::Cow;
use std::cell::Cell;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::{
    BufferQueue, StartTag, TagToken, Token, TokenSink, TokenSinkResult, Tokenizer, TokenizerOpts,
};
use html5ever::tree_builder::{TreeBuilder, TreeBuilderOpts, TreeSink};
use html5ever::{TokenizerResult, local_name};

use super::rawtext::RawText;
use super::sink::{self, Limits, Sink};
use super::tree::{NodeId, ROOT, Tree};

/// Bytes fed between two looks at the limits.
const CHUNK_BYTES: usize = 4096;
/// An honest page of a megabyte has some ten thousand nodes and needs a million steps of work.
const LIMITS: Limits = Limits { nodes: 300_000, depth: 512, work: 40_000_000 };
/// What a node of a page takes in its source, roughly.
const BYTES_OF_NODE: usize = 64;
/// Bytes of one tag that could separate attributes, seen while nothing comes out of the tokenizer.
const MAX_SEPARATORS_IN_TAG: usize = 60_000;

/// A page's tree.
pub(crate) struct Parsed {
    /// The tree.
    pub(crate) tree: Tree,
    /// Whether a limit ended the parse early.
    pub(crate) partial: bool,
}

/// Parses a whole document or a fragment of one; never fails.
pub(crate) fn parse(html: &str) -> Parsed {
    let html = &*close_title(html);
    let sink = Sink::with_capacity(html.len() / BYTES_OF_NODE);
    let builder = TreeBuilder::new(sink, TreeBuilderOpts::default());
    let tokenizer = Tokenizer::new(Stepper { builder, entered: Cell::new(None) }, TokenizerOpts::default());
    let sink = &tokenizer.sink.builder.sink;
    let input = BufferQueue::default();
    let mut partial = false;
    let mut separators = 0;
    let mut at = 0;
    while at < html.len() {
        let chunk = &html[at..html.floor_char_boundary(at + CHUNK_BYTES)];
        at += chunk.len();
        let before = sink.built();
        input.push_back(StrTendril::from_slice(chunk));
        at = feed(&tokenizer, &input, html, at);
        separators = if sink.built() == before { separators + count_separators(chunk) } else { 0 };
        if separators > MAX_SEPARATORS_IN_TAG || sink.exceeds(&LIMITS) {
            partial = !html[at..].trim().is_empty();
            break;
        }
    }
    tokenizer.end();
    Parsed { tree: tokenizer.sink.builder.sink.finish(), partial }
}

/// Has `input` read, which ends at `at`, scripts and style sheets stepped over. Gives the place to go on from.
fn feed(tokenizer: &Tokenizer<Stepper>, input: &BufferQueue, html: &str, mut at: usize) -> usize {
    while !matches!(tokenizer.feed(input), TokenizerResult::Done) {
        let Some(raw_text) = tokenizer.sink.entered.take() else { continue };
        let mut rest = StrTendril::new();
        while let Some(piece) = input.pop_front() {
            rest.push_tendril(&piece);
        }
        let length = raw_text.length(&html[at - rest.len()..]);
        if length < rest.len() {
            let length = u32::try_from(length).expect("shorter than a chunk");
            rest.pop_front(length);
            input.push_back(rest);
        } else {
            at += length - rest.len();
        }
    }
    at
}

/// Hands tokens on to the tree builder, and has the tokenizer pause where a script or style sheet begins.
///
/// For the tokenizer the element is then over: what it reads next is the end tag.
struct Stepper {
    builder: TreeBuilder<NodeId, Sink>,
    /// What it paused for.
    entered: Cell<Option<RawText>>,
}

impl TokenSink for Stepper {
    type Handle = NodeId;

    fn process_token(&self, token: Token, line: u64) -> TokenSinkResult<NodeId> {
        let raw_text = raw_text(&token);
        match self.builder.process_token(token, line) {
            // In a drawing its inside is markup, and the builder does not ask for this.
            TokenSinkResult::RawData(_) if raw_text.is_some() => {
                self.entered.set(raw_text);
                TokenSinkResult::Script(ROOT)
            }
            result => result,
        }
    }

    fn end(&self) {
        self.builder.end();
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&self) -> bool {
        self.builder.adjusted_current_node_present_but_not_in_html_namespace()
    }
}

/// What a token opens that can be stepped over.
fn raw_text(token: &Token) -> Option<RawText> {
    let TagToken(tag) = token else { return None };
    let raw_text = match tag.name {
        local_name!("script") => RawText::Script,
        local_name!("style") => RawText::Style,
        _ => return None,
    };
    (tag.kind == StartTag && !sink::holds_text(&tag.name, &tag.attrs)).then_some(raw_text)
}

/// A title that is never closed swallows the whole page: it ends where the next tag begins.
fn close_title(html: &str) -> Cow<'_, str> {
    const LONGEST_TITLE: usize = 4096;
    let find = |tag: &str, from: usize, to: usize| {
        let bytes = &html.as_bytes()[from..to];
        bytes.windows(tag.len()).position(|window| window.eq_ignore_ascii_case(tag.as_bytes()))
    };
    let Some(start) = find("<title", 0, html.len().min(CHUNK_BYTES * 16)) else { return Cow::Borrowed(html) };
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

fn count_separators(chunk: &str) -> usize {
    chunk
        .bytes()
        .filter(|byte| matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | 0x0c | b'/' | b'=' | b'"' | b'\''))
        .count()
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use html5ever::QualName;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::*;
    use crate::extract::tree::NodeRef;

    /// No limit is looked at within a chunk, whose tags may each open all unclosed formatting elements once more.
    const MAX_NODES_IN_CHUNK: usize = CHUNK_BYTES / "<p>".len() * LIMITS.depth;
    const MAX_LEVELS_IN_CHUNK: usize = CHUNK_BYTES / "<p>".len();

    fn depth_of(tree: &Tree) -> usize {
        let mut depths = HashMap::from([(ROOT, 0)]);
        for node in tree.root().descendants().skip(1) {
            let parent = node.parent().expect("only the root has none");
            depths.insert(node.id(), depths[&parent.id()] + 1);
        }
        depths.into_values().max().unwrap_or_default()
    }

    /// Tags and texts in the page's order, without what scripts and style sheets hold.
    fn outline<'a>(
        nodes: impl Iterator<Item = (Option<&'a QualName>, Option<&'a str>, Option<&'a QualName>)>,
    ) -> String {
        let is_raw = |name: &QualName| matches!(name.local, local_name!("script") | local_name!("style"));
        let mut outline = String::new();
        for (name, text, parent) in nodes {
            if let Some(name) = name {
                outline.extend(["<", &name.local, ">"]);
            }
            outline.push_str(text.filter(|_| !parent.is_some_and(is_raw)).unwrap_or_default());
        }
        outline
    }

    fn name_of(node: NodeRef<'_>) -> Option<&QualName> {
        node.value().as_element().map(|element| &element.name)
    }

    fn our_outline(html: &str) -> String {
        let Parsed { tree, .. } = parse(html);
        outline(
            tree.root()
                .descendants()
                .map(|node| (name_of(node), node.value().as_text(), node.parent().and_then(name_of))),
        )
    }

    fn scrapers_outline(html: &str) -> String {
        let html = scraper::Html::parse_document(html);
        outline(html.tree.root().descendants().map(|node| {
            let parent = node.parent().and_then(|parent| parent.value().as_element());
            let name = node.value().as_element().map(|element| &element.name);
            (name, node.value().as_text().map(|text| &**text), parent.map(|element| &element.name))
        }))
    }

    proptest! {
        #[test]
        fn stepping_over_scripts_changes_nothing_else(
            pieces in vec(
                select(vec![
                    "<script>", "<script src=x>", "</script>", "</script ", "</SCRIPT\r\n>", "<script", "</scripts>", "<script/>",
                    "<style>", "</style>", "</style", "<svg>", "</svg>", "<title>", "</title>", "<p>", "<b>", "</p>",
                    "<!--", "-->", "<!-", "--", "-", "!", ">", "<", "/", " ", "\n", "word", "\u{e4}", "<textarea>", "</textarea>",
                    "<table>", "<td>", "<template>", "</template>", "<select>", "</select>", "<head>", "</head>",
                ]),
                0..40,
            )
        ) {
            let html = pieces.concat();
            // A title that is never closed is closed for both.
            prop_assert_eq!(our_outline(&html), scrapers_outline(&close_title(&html)));
        }
    }

    #[test]
    fn no_page_makes_a_tree_beyond_the_limits() {
        let fonts: String = (0..20_000).map(|n| format!("<p><font id=f{n}>x")).collect();
        let attributes: String = (0..50_000).map(|n| format!(" a{n}=\"\"")).collect();
        for bomb in [
            "<div>".repeat(100_000),
            fonts,
            "<ul><li>".repeat(10_000),
            "<span>".repeat(20_000) + &"</i>".repeat(20_000),
            "<div>".repeat(500) + &"</i>".repeat(200_000),
            format!("<div{attributes}>"),
            "<p>A sentence of the page.</p>".repeat(200_000),
            "<table><tr><td>".repeat(5_000),
            "<b><i><a>".repeat(5_000) + &"</b></a></i>".repeat(5_000),
            "<svg><g>".repeat(20_000),
            "<template>".repeat(20_000),
        ] {
            let start = bomb[..40].to_owned();
            let Parsed { tree, partial } = parse(&bomb);
            assert!(partial, "{start}");
            assert!(tree.len() < LIMITS.nodes + MAX_NODES_IN_CHUNK, "{start}: {} nodes", tree.len());
            assert!(
                depth_of(&tree) < LIMITS.depth + MAX_LEVELS_IN_CHUNK,
                "{start}: {} levels",
                depth_of(&tree)
            );
        }
    }
}
