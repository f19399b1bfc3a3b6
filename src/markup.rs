//! HTML tokenized by html5gum, with limits.
//!
//! html5gum reads runs of text at a time, where html5ever's tokenizer goes character by character and compares every attribute of a
//! tag with all earlier ones. html5gum's stack, however, grows by some hundred bytes with each attribute of a tag: callers count
//! attributes and stop the reader at `MAX_ATTRIBUTES`.

use std::cell::Cell;
use std::convert::Infallible;
use std::ops::ControlFlow;

use html5gum::emitters::callback::{Callback, CallbackEmitter, CallbackEvent};
use html5gum::{Emitter, ForwardingEmitter, Readable, Reader, Span, State, StringReader, Tokenizer};

use crate::work;

/// Maximum attributes of one tag; legitimate tags have fewer than a hundred.
pub(crate) const MAX_ATTRIBUTES: usize = 512;

/// The error of a reader that was stopped.
#[derive(Debug, thiserror::Error)]
#[error("the page was not read to its end")]
pub(crate) struct Stopped;

/// A reader of text that can be stopped, and resumed after an inserted prefix.
pub(crate) struct GuardedReader<'a> {
    is_stopped: &'a Cell<bool>,
    prefix: Vec<u8>,
    /// Bytes of the prefix already read.
    prefix_read: usize,
    text: StringReader<'a>,
}

impl<'a> GuardedReader<'a> {
    pub(crate) fn new(text: &'a str, is_stopped: &'a Cell<bool>) -> Self {
        Self { is_stopped, prefix: Vec::new(), prefix_read: 0, text: text.to_reader() }
    }

    /// Resumes after a stop: reads `prefix` first, then the remaining text.
    pub(crate) fn go_on(&mut self, prefix: Vec<u8>) {
        self.is_stopped.set(false);
        self.prefix = prefix;
        self.prefix_read = 0;
    }

    fn prefix_byte(&mut self) -> Option<u8> {
        let byte = self.prefix.get(self.prefix_read).copied()?;
        self.prefix_read += 1;
        Some(byte)
    }
}

#[expect(
    clippy::inline_always,
    reason = "called for every few bytes of a page: outlined, it costs a twentieth more"
)]
impl Reader for &mut GuardedReader<'_> {
    type Error = Stopped;

    #[inline(always)]
    fn read_byte(&mut self) -> Result<Option<u8>, Stopped> {
        if self.is_stopped.get() {
            return Err(Stopped);
        }
        if self.prefix_read < self.prefix.len() {
            return Ok(self.prefix_byte());
        }
        let Ok(byte) = self.text.read_byte();
        Ok(byte)
    }

    #[inline(always)]
    fn try_read_string(&mut self, text: &[u8], case_sensitive: bool) -> Result<bool, Stopped> {
        if self.is_stopped.get() {
            return Err(Stopped);
        }
        if self.prefix_read < self.prefix.len() {
            return Ok(false);
        }
        let Ok(is_next) = self.text.try_read_string(text, case_sensitive);
        Ok(is_next)
    }

    #[inline(always)]
    fn read_until<'b>(
        &'b mut self,
        needle: &[u8],
        buffer: &'b mut [u8; 4],
    ) -> Result<Option<&'b [u8]>, Stopped> {
        if self.is_stopped.get() {
            return Err(Stopped);
        }
        if let Some(byte) = self.prefix_byte() {
            buffer[0] = byte;
            return Ok(Some(&buffer[..1]));
        }
        let Ok(text) = self.text.read_until(needle, buffer);
        Ok(text)
    }
}

/// A tag of a page.
#[derive(Debug, Default)]
pub(crate) struct Tag {
    /// Lower case.
    pub(crate) name: String,
    pub(crate) is_end: bool,
    /// Names, in lower case, and values; empty for an end tag.
    attributes: Vec<(String, String)>,
}

impl Tag {
    /// Returns the value of an attribute.
    pub(crate) fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}

/// A part of a page.
#[derive(Debug)]
pub(crate) enum Part<'a> {
    Tag(&'a Tag),
    /// Text between two tags, or a part of it; includes the content of scripts and styles.
    Text(&'a str),
}

/// Calls `note` for each tag of a page in order (see [`each_part`]).
pub(crate) fn each_tag(html: &str, mut note: impl FnMut(&Tag)) {
    each_part(html, |part| {
        if let Part::Tag(tag) = part {
            note(tag);
        }
        ControlFlow::Continue(())
    });
}

/// Calls `note` for each tag and text of a page in order, until it breaks or a tag has too many attributes. Builds no tree, so deep
/// nesting is harmless; comments and elements that hold no markup, such as scripts and titles, yield no tags.
pub(crate) fn each_part(html: &str, mut note: impl FnMut(Part<'_>) -> ControlFlow<()>) {
    let is_stopped = Cell::new(false);
    let next = Cell::new(None);
    let mut tag = Tag::default();
    let mut is_open = false;
    let mut attributes = 0;
    let callback = |event: CallbackEvent<'_>, _: Span<()>| -> Option<Infallible> {
        let text = |bytes| String::from_utf8_lossy(bytes).into_owned();
        work::count(1);
        let stop_if = |is_enough| is_stopped.set(is_stopped.get() || is_enough);
        match event {
            CallbackEvent::OpenStartTag { name } => {
                tag = Tag { name: text(name), ..Tag::default() };
                is_open = true;
            }
            CallbackEvent::AttributeName { name } => {
                attributes += 1;
                stop_if(attributes > MAX_ATTRIBUTES);
                if is_open {
                    tag.attributes.push((text(name), String::new()));
                }
            }
            CallbackEvent::AttributeValue { value } => {
                if let Some((_, last)) = tag.attributes.last_mut().filter(|_| is_open) {
                    *last = text(value);
                }
            }
            CallbackEvent::CloseStartTag { .. } => {
                next.set(state_inside(&tag.name));
                stop_if(note(Part::Tag(&tag)).is_break());
                (is_open, attributes) = (false, 0);
            }
            CallbackEvent::EndTag { name } => {
                let tag = Tag { name: text(name), is_end: true, attributes: Vec::new() };
                stop_if(note(Part::Tag(&tag)).is_break());
                attributes = 0;
            }
            CallbackEvent::String { value } => {
                stop_if(note(Part::Text(&String::from_utf8_lossy(value))).is_break());
            }
            _ => {}
        }
        None
    };
    let emitter = TagEmitter { inner: CallbackEmitter::new(callback), next: &next };
    // If the reader was stopped, the parts seen so far are the result.
    Tokenizer::new_with_emitter(&mut GuardedReader::new(html, &is_stopped), emitter).finish().ok();
}

/// Counts the words visible to a reader, without scripts and styles. In scripts written without spaces two characters count as one
/// word.
pub(crate) fn visible_words(html: &str) -> usize {
    let (mut words, mut characters, mut is_hidden) = (0, 0, false);
    each_part(html, |part| {
        match part {
            Part::Tag(tag) => {
                if matches!(&*tag.name, "script" | "style") {
                    is_hidden = !tag.is_end;
                }
            }
            Part::Text(text) if !is_hidden => {
                for word in text.split_whitespace() {
                    let unspaced = word.chars().filter(|c| !is_spaced(*c)).count();
                    characters += unspaced;
                    words += usize::from(unspaced == 0);
                }
            }
            Part::Text(_) => {}
        }
        ControlFlow::Continue(())
    });
    words + characters / 2
}

/// Returns whether a character belongs to a script that separates words by spaces.
pub(crate) fn is_spaced(c: char) -> bool {
    !matches!(c, '\u{0E00}'..='\u{0EFF}' | '\u{1780}'..='\u{17FF}' | '\u{3040}'..='\u{30FF}' | '\u{3400}'..='\u{9FFF}')
}

/// The tokenizer state after a start tag whose element holds no markup: without a tree, the tokenizer must be told.
fn state_inside(name: &str) -> Option<State> {
    match name {
        "script" => Some(State::ScriptData),
        "style" | "xmp" | "iframe" | "noembed" | "noframes" => Some(State::RawText),
        "title" | "textarea" => Some(State::RcData),
        _ => None,
    }
}

struct TagEmitter<'a, F: Callback<Infallible, ()>> {
    inner: CallbackEmitter<F>,
    next: &'a Cell<Option<State>>,
}

impl<F: Callback<Infallible, ()>> ForwardingEmitter for TagEmitter<'_, F> {
    type Token = Infallible;

    fn inner(&mut self) -> &mut impl Emitter<Token = Infallible> {
        &mut self.inner
    }

    fn emit_current_tag(&mut self) -> Option<State> {
        self.inner.emit_current_tag().or_else(|| self.next.take())
    }

    /// Disabled: the tokenizer would examine every character for errors.
    fn should_emit_errors(&mut self) -> bool {
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_of_a_page() {
        let html = "<HTML LANG='de'><!-- <b> --><script>'<i>'</script><a b=1 B=2 c=\"x &amp; y\" d>text</a e=f><br/><p";
        let mut tags = Vec::new();
        each_tag(html, |tag| {
            let sign = if tag.is_end { "/" } else { "" };
            let values =
                ["lang", "b", "c", "d", "e"].map(|name| tag.attribute(name).unwrap_or("-").to_owned());
            tags.push(format!("{sign}{} {}", tag.name, values.join(" ")));
        });
        assert_eq!(
            tags,
            [
                "html de - - - -",
                "script - - - - -",
                "/script - - - - -",
                "a - 1 x & y  -",
                "/a - - - - -",
                "br - - - - -"
            ]
        );
    }

    #[test]
    fn words_are_counted_as_they_are_seen() {
        assert_eq!(visible_words("<p>One <b>two</b></p><script>three four</script> five"), 3);
        assert_eq!(visible_words("渡し船が正午に出る"), 4);
        assert_eq!(visible_words("plain words, 1 < 2"), 5);
    }

    #[test]
    fn a_flood_of_attributes_takes_little_stack() {
        let other: String = (0..100_000).map(|n| format!(" a{n}=\"\"")).collect();
        for attributes in [other, " a=\"\"".repeat(100_000)] {
            let count = move || {
                let mut count = 0;
                each_tag(&format!("<p><div{attributes}><p>"), |_| count += 1);
                count
            };
            let thread = std::thread::Builder::new().stack_size(512 << 10).spawn(count).unwrap();
            assert_eq!(thread.join().unwrap(), 1);
        }
    }
}
