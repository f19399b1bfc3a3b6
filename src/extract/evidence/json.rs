//! A lenient parser for JSON as publishers write it into pages: with trailing commas, raw line breaks inside strings, HTML
//! comments around it, unescaped quotation marks inside strings, a missing end. Well-formed text goes through `serde_json`.

use serde_json::{Map, Value};

use crate::work;

/// Deeper values are dropped.
const MAX_DEPTH: usize = 64;

/// Returns all values in `text`, which may hold several documents. Empty if nothing can be parsed.
pub(crate) fn parse(text: &str) -> Vec<Value> {
    let text = unwrap(text);
    work::count(text.len());
    match serde_json::from_str(text) {
        Ok(value) => vec![value],
        Err(_) if text.starts_with("{&quot;") || text.starts_with("[{&quot;") => {
            parse_leniently(&text.replace("&quot;", "\"").replace("&amp;", "&"))
        }
        Err(_) => parse_leniently(text),
    }
}

/// Strips the comment and CDATA marks that hid scripts from old browsers.
fn unwrap(text: &str) -> &str {
    const OPENINGS: &[&str] = &["<!--", "//<![CDATA[", "/*<![CDATA[*/", "<![CDATA[", "\u{feff}"];
    const CLOSINGS: &[&str] = &["//-->", "-->", "//]]>", "/*]]>*/", "]]>", ";"];
    let mut text = text.trim();
    while let Some(rest) = OPENINGS.iter().find_map(|mark| text.strip_prefix(mark)) {
        text = rest.trim_start();
    }
    while let Some(rest) = CLOSINGS.iter().find_map(|mark| text.strip_suffix(mark)) {
        text = rest.trim_end();
    }
    text
}

fn parse_leniently(text: &str) -> Vec<Value> {
    let mut reader = Reader { text, at: 0 };
    let mut values = Vec::new();
    while let Some(offset) = reader.rest().find(['{', '[']) {
        reader.at += offset;
        values.extend(reader.value(0));
    }
    values
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Reader<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Skips white space, comments and the bytes in `also`.
    fn skip(&mut self, also: &[u8]) {
        while let Some(byte) = self.peek() {
            let rest = self.rest();
            if byte.is_ascii_whitespace() || also.contains(&byte) {
                self.at += 1;
            } else if rest.starts_with("/*") {
                self.at += rest.find("*/").map_or(rest.len(), |end| end + 2);
            } else if rest.starts_with("<!--") {
                self.at += rest.find("-->").map_or(rest.len(), |end| end + 3);
            } else if rest.starts_with("//") {
                self.at += rest.find('\n').unwrap_or(rest.len());
            } else if rest.starts_with('\u{a0}') {
                self.at += '\u{a0}'.len_utf8();
            } else {
                break;
            }
        }
    }

    /// Reads the value that begins here; `None` if there is none. Always advances or stops before a closing bracket or comma.
    fn value(&mut self, depth: usize) -> Option<Value> {
        work::count(1);
        self.skip(b"");
        match self.peek()? {
            b'{' if depth < MAX_DEPTH => Some(Value::Object(self.object(depth))),
            b'[' if depth < MAX_DEPTH => Some(Value::Array(self.array(depth))),
            b'{' | b'[' => {
                self.at = self.text.len();
                None
            }
            b'"' => Some(Value::String(self.string())),
            b'}' | b']' | b',' => None,
            _ => {
                let end = self.rest().find([',', '}', ']', '\n']).unwrap_or(self.rest().len());
                let word = self.rest()[..end].trim();
                self.at += end;
                serde_json::from_str(word).ok().or_else(|| {
                    let word = word.trim_matches('\'');
                    (!word.is_empty() && word != "undefined").then(|| Value::String(word.to_owned()))
                })
            }
        }
    }

    fn object(&mut self, depth: usize) -> Map<String, Value> {
        let mut object = Map::new();
        self.at += 1;
        loop {
            self.skip(b",;");
            match self.peek() {
                // A closing bracket of the level above: this object was never closed.
                None | Some(b']') => break,
                Some(b'}') => {
                    self.at += 1;
                    break;
                }
                Some(b'"') => {
                    let key = self.string();
                    self.skip(b"");
                    if self.peek() == Some(b':') {
                        self.at += 1;
                        if let Some(value) = self.value(depth + 1) {
                            object.insert(key, value);
                        }
                    }
                }
                // The rest of a string that ended too early, or an unquoted key: skip to the next key.
                Some(_) => self.at += self.rest().find(['"', '}']).unwrap_or(self.rest().len()),
            }
        }
        object
    }

    fn array(&mut self, depth: usize) -> Vec<Value> {
        let mut array = Vec::new();
        self.at += 1;
        loop {
            self.skip(b",");
            match self.peek() {
                None | Some(b'}') => break,
                Some(b']') => {
                    self.at += 1;
                    break;
                }
                Some(_) => array.extend(self.value(depth + 1)),
            }
        }
        array
    }

    /// Reads the string that begins at this quotation mark. It ends at a mark that is followed by valid JSON; any other mark was
    /// left unescaped and is part of the text.
    fn string(&mut self) -> String {
        self.at += 1;
        let mut text = String::new();
        let mut rest = self.rest().char_indices();
        while let Some((offset, c)) = rest.next() {
            match c {
                '"' => {
                    let tail = self.rest()[offset + 1..].trim_start();
                    let closes = match tail.as_bytes().first() {
                        None | Some(b':' | b'}' | b']') => true,
                        Some(b',') => opens_next(&tail[1..]),
                        // A key follows without a comma: a quotation mark, then another and the colon after the key.
                        Some(b'"') => tail[1..].matches(['"', ':']).take(2).eq(["\"", ":"]),
                        Some(_) => false,
                    };
                    if closes {
                        self.at += offset + 1;
                        return text;
                    }
                    text.push(c);
                }
                '\\' => match rest.next().map(|(_, escaped)| escaped) {
                    Some('n' | 'r' | 't') => text.push(' '),
                    Some('b' | 'f') | None => {}
                    Some('u') => text.extend(unicode_escape(&mut rest)),
                    Some(other) => text.push(other),
                },
                '\n' | '\r' | '\t' => text.push(' '),
                _ => text.push(c),
            }
        }
        self.at = self.text.len();
        text
    }
}

/// Returns whether a comma is followed by valid JSON: a value, a closing bracket or a comment, not a word.
fn opens_next(tail: &str) -> bool {
    let tail = tail.trim_start();
    let value = |c: char| c.is_ascii_digit() || matches!(c, '"' | '{' | '[' | '}' | ']' | '-');
    tail.starts_with(value)
        || ["/*", "//", "<!--", "true", "false", "null"].iter().any(|next| tail.starts_with(next))
}

/// Reads the character of `\uXXXX`, surrogate pairs included.
fn unicode_escape(rest: &mut std::str::CharIndices<'_>) -> Option<char> {
    let unit = |rest: &mut std::str::CharIndices<'_>| {
        let digits = rest.as_str().get(..4)?;
        let unit = u32::from_str_radix(digits, 16).ok()?;
        rest.nth(3);
        Some(unit)
    };
    let first = unit(rest)?;
    if !(0xd800..0xdc00).contains(&first) {
        return char::from_u32(first);
    }
    if !rest.as_str().starts_with("\\u") {
        return None;
    }
    rest.nth(1);
    let second = unit(rest)?;
    char::from_u32(0x10000 + ((first - 0xd800) << 10) + second.checked_sub(0xdc00)?)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn repairs_what_publishers_break() {
        let whole = json!({"headline": "A day", "author": {"name": "Ada Lind"}});
        for text in [
            r#"{"headline": "A day", "author": {"name": "Ada Lind"}}"#,
            r#"{"headline": "A day", "author": {"name": "Ada Lind",},}"#,
            r#"<!-- {"headline": "A day", "author": {"name": "Ada Lind"}} -->"#,
            r#"//<![CDATA[
                {"headline": "A day", "author": {"name": "Ada Lind"}}
            //]]>"#,
            r#"{"headline": "A day" "author": {"name": "Ada Lind"}};"#,
            r#"{"headline": "A day", /* who */
                "author": {"name": "Ada Lind"}"#,
            r"{&quot;headline&quot;: &quot;A day&quot;, &quot;author&quot;: {&quot;name&quot;: &quot;Ada Lind&quot;}}",
        ] {
            assert_eq!(parse(text), std::slice::from_ref(&whole), "{text}");
        }
    }

    #[test]
    fn strings_keep_what_was_meant() {
        assert_eq!(parse("{\"a\": \"one\ntwo\"}"), [json!({"a": "one two"})]);
        assert_eq!(parse(r#"{"a": "the "new" deal", "b": 1,}"#), [json!({"a": "the \"new\" deal", "b": 1})]);
        assert_eq!(parse(r#"{"a": "\u00e9\ud83d\ude00\'",}"#), [json!({"a": "é😀'"})]);
    }

    #[test]
    fn several_documents() {
        assert_eq!(parse(r#"{"a": 1}{"b": 2}"#), [json!({"a": 1}), json!({"b": 2})]);
        assert!(parse("nothing here").is_empty());
    }

    #[test]
    fn depth_is_bounded() {
        assert!(parse(&"[".repeat(100_000)).len() <= 1);
        assert!(parse(&"{\"a\":".repeat(100_000)).len() <= 1);
    }
}
