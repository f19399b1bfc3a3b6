//! Passes html5gum's tokens to html5ever's tree builder.
//!
//! Comment texts and the contents of style sheets and scripts, except JSON-LD and formulas, are dropped here.

use std::cell::Cell;
use std::convert::Infallible;

use html5ever::tendril::StrTendril;
use html5ever::tokenizer::states::RawKind;
use html5ever::tokenizer::{
    CharacterTokens, CommentToken, Doctype, DoctypeToken, EndTag, NullCharacterToken, StartTag, Tag, TagKind,
    TagToken, Token, TokenSink, TokenSinkResult,
};
use html5ever::tree_builder::TreeBuilder;
use html5ever::{Attribute, LocalName, QualName, local_name, ns};
use html5gum::{Emitter, Error, State};

use super::sink::{self, Limits, Sink};
use super::tree::NodeId;
use crate::markup::MAX_ATTRIBUTES;
use crate::work;

/// Tags between two checks of the tree's depth.
const TAGS_BETWEEN_LOOKS: u32 = 64;

/// Passes tokens on and stops the reader: for good when the tree is too large, temporarily within a tag with too many
/// attributes.
pub(crate) struct TreeEmitter<'a> {
    builder: &'a TreeBuilder<NodeId, Sink>,
    limits: &'a Limits,
    is_stopped: &'a Cell<bool>,
    tags_until_look: u32,
    /// Characters since the last tag or comment.
    text: Vec<u8>,
    /// Whether to drop the text up to the next tag.
    skips_text: bool,
    /// The current tag, without its name.
    tag: Tag,
    name: Vec<u8>,
    /// Number of attributes since the start of the tag, or since it was last continued.
    attribute_count: usize,
    /// Whether the next tag continues the current one.
    goes_on: bool,
    /// Whether `attribute` and `value` are in use.
    in_attribute: bool,
    attribute: Vec<u8>,
    value: Vec<u8>,
    /// The name of the start tag that was passed on last.
    last_start: Vec<u8>,
    doctype: Doctype,
}

impl<'a> TreeEmitter<'a> {
    pub(crate) fn new(
        builder: &'a TreeBuilder<NodeId, Sink>,
        limits: &'a Limits,
        is_stopped: &'a Cell<bool>,
    ) -> Self {
        Self {
            builder,
            limits,
            is_stopped,
            tags_until_look: TAGS_BETWEEN_LOOKS,
            text: Vec::new(),
            skips_text: false,
            tag: empty_tag(StartTag),
            name: Vec::new(),
            attribute_count: 0,
            goes_on: false,
            in_attribute: false,
            attribute: Vec::new(),
            value: Vec::new(),
            last_start: Vec::new(),
            doctype: Doctype::default(),
        }
    }

    /// Returns what the tokenizer has to read before the rest of a stopped page: the beginning of a tag that continues the
    /// interrupted one. Returns `None` if the tree is too large.
    pub(crate) fn go_on(&mut self) -> Option<Vec<u8>> {
        if self.attribute_count <= MAX_ATTRIBUTES {
            self.hand_on_text();
            return None;
        }
        self.goes_on = true;
        self.attribute_count = 0;
        self.in_attribute = false;
        Some([b"<a ", &*self.attribute].concat())
    }

    fn hand_on(&self, token: Token) -> Option<State> {
        hand_on(self.builder, token)
    }

    fn hand_on_text(&mut self) {
        if self.text.is_empty() {
            return;
        }
        for (number, piece) in self.text.split(|&byte| byte == 0).enumerate() {
            if number > 0 {
                self.hand_on(NullCharacterToken);
            }
            if !piece.is_empty() {
                self.hand_on(CharacterTokens(tendril(piece)));
            }
        }
        self.text.clear();
    }

    fn end_attribute(&mut self) {
        if !self.in_attribute {
            return;
        }
        self.in_attribute = false;
        if self.tag.kind == EndTag || self.tag.attrs.len() == MAX_ATTRIBUTES {
            return;
        }
        let name = name(&self.attribute);
        if self.tag.attrs.iter().all(|before| before.name.local != name) {
            let name = QualName::new(None, ns!(), name);
            self.tag.attrs.push(Attribute { name, value: tendril(&self.value) });
        }
    }

    fn begin_tag(&mut self, kind: TagKind) {
        if self.goes_on {
            return;
        }
        self.tag = empty_tag(kind);
        self.name.clear();
        self.attribute_count = 0;
        self.in_attribute = false;
    }

    fn look(&mut self) {
        work::count(1);
        let sink = &self.builder.sink;
        sink.count_for_thread();
        self.tags_until_look = self.tags_until_look.checked_sub(1).unwrap_or(TAGS_BETWEEN_LOOKS);
        if sink.is_too_large(self.limits) || self.tags_until_look == 0 && sink.is_too_deep(self.limits) {
            self.is_stopped.set(true);
        }
    }
}

fn empty_tag(kind: TagKind) -> Tag {
    let name = local_name!("");
    Tag { kind, name, self_closing: false, attrs: Vec::new(), had_duplicate_attributes: false }
}

/// Passes a token to the tree builder. Returns the tokenizer's next state if what follows is not markup.
pub(crate) fn hand_on(builder: &TreeBuilder<NodeId, Sink>, token: Token) -> Option<State> {
    match builder.process_token(token, 1) {
        TokenSinkResult::RawData(RawKind::Rcdata) => Some(State::RcData),
        TokenSinkResult::RawData(RawKind::Rawtext) => Some(State::RawText),
        TokenSinkResult::RawData(_) => Some(State::ScriptData),
        TokenSinkResult::Plaintext => Some(State::PlainText),
        _ => None,
    }
}

fn tendril(text: &[u8]) -> StrTendril {
    StrTendril::try_from_byte_slice(text)
        .unwrap_or_else(|()| StrTendril::from_slice(&String::from_utf8_lossy(text)))
}

fn name(name: &[u8]) -> LocalName {
    match str::from_utf8(name) {
        Ok(name) => LocalName::from(name),
        Err(_) => LocalName::from(&*String::from_utf8_lossy(name)),
    }
}

impl Emitter for &mut TreeEmitter<'_> {
    type Token = Infallible;

    fn set_last_start_tag(&mut self, name: Option<&[u8]>) {
        self.last_start.clear();
        self.last_start.extend_from_slice(name.unwrap_or_default());
    }

    fn emit_eof(&mut self) {
        self.hand_on_text();
    }

    fn emit_error(&mut self, _error: Error) {}

    #[inline]
    fn should_emit_errors(&mut self) -> bool {
        false
    }

    #[inline]
    fn pop_token(&mut self) -> Option<Infallible> {
        None
    }

    #[inline]
    fn emit_string(&mut self, text: &[u8]) {
        work::count(1);
        if !self.skips_text {
            self.text.extend_from_slice(text);
        }
    }

    fn init_start_tag(&mut self) {
        self.begin_tag(StartTag);
    }

    fn init_end_tag(&mut self) {
        self.begin_tag(EndTag);
    }

    fn init_comment(&mut self) {}

    fn emit_current_tag(&mut self) -> Option<State> {
        self.end_attribute();
        self.hand_on_text();
        let mut tag = std::mem::replace(&mut self.tag, empty_tag(StartTag));
        tag.name = name(&self.name);
        let is_start = tag.kind == StartTag;
        let skips_text = is_start && !sink::holds_text(&tag.name, &tag.attrs);
        let state = self.hand_on(TagToken(tag));
        // In foreign content (SVG) a script's contents are markup, and the builder requests no state.
        self.skips_text = skips_text && state.is_some();
        self.last_start.clear();
        if is_start {
            self.last_start.extend_from_slice(&self.name);
        }
        self.look();
        state
    }

    fn emit_current_comment(&mut self) {
        self.hand_on_text();
        self.hand_on(CommentToken(StrTendril::new()));
    }

    fn emit_current_doctype(&mut self) {
        self.hand_on_text();
        let doctype = std::mem::take(&mut self.doctype);
        self.hand_on(DoctypeToken(doctype));
    }

    fn set_self_closing(&mut self) {
        self.tag.self_closing = true;
    }

    fn set_force_quirks(&mut self) {
        self.doctype.force_quirks = true;
    }

    #[inline]
    fn push_tag_name(&mut self, name: &[u8]) {
        if !self.goes_on {
            self.name.extend_from_slice(name);
        }
    }

    fn push_comment(&mut self, _text: &[u8]) {
        work::count(1);
    }

    fn push_doctype_name(&mut self, name: &[u8]) {
        self.doctype.name.get_or_insert_default().push_tendril(&tendril(name));
    }

    fn init_doctype(&mut self) {
        self.doctype = Doctype::default();
    }

    fn init_attribute(&mut self) {
        self.goes_on = false;
        self.end_attribute();
        self.attribute_count += 1;
        if self.attribute_count > MAX_ATTRIBUTES {
            self.is_stopped.set(true);
        }
        self.in_attribute = true;
        self.attribute.clear();
        self.value.clear();
    }

    #[inline]
    fn push_attribute_name(&mut self, name: &[u8]) {
        self.attribute.extend_from_slice(name);
    }

    #[inline]
    fn push_attribute_value(&mut self, value: &[u8]) {
        self.value.extend_from_slice(value);
    }

    fn set_doctype_public_identifier(&mut self, value: &[u8]) {
        self.doctype.public_id = Some(tendril(value));
    }

    fn set_doctype_system_identifier(&mut self, value: &[u8]) {
        self.doctype.system_id = Some(tendril(value));
    }

    fn push_doctype_public_identifier(&mut self, value: &[u8]) {
        self.doctype.public_id.get_or_insert_default().push_tendril(&tendril(value));
    }

    fn push_doctype_system_identifier(&mut self, value: &[u8]) {
        self.doctype.system_id.get_or_insert_default().push_tendril(&tendril(value));
    }

    fn current_is_appropriate_end_tag_token(&mut self) -> bool {
        self.tag.kind == EndTag && !self.last_start.is_empty() && self.last_start == self.name
    }

    fn adjusted_current_node_present_but_not_in_html_namespace(&mut self) -> bool {
        // The preceding text may open elements.
        self.hand_on_text();
        self.builder.adjusted_current_node_present_but_not_in_html_namespace()
    }
}
