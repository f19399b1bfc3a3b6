//! Where the insides of scripts and style sheets end, so that the parser can step over them.
//!
//! They are a third of a news page and more, and say nothing of its article. The rules are those of the HTML standard's
//! tokenizer, for its states "RAWTEXT" and "script data" with all that follow from `<!--` in a script.

/// An element whose inside is no markup.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RawText {
    Script,
    Style,
}

impl RawText {
    /// Bytes up to the end tag in `text`, which begins inside the element: all of it where there is none.
    pub(crate) fn length(self, text: &str) -> usize {
        let end = match self {
            Self::Script => end_of_script(text),
            Self::Style => end_of_style(text),
        };
        end.unwrap_or(text.len())
    }
}

fn end_of_style(text: &str) -> Option<usize> {
    let mut signs = text.match_indices('<').map(|(at, _)| at);
    signs.find(|&at| is_named(&text.as_bytes()[at..], "</style"))
}

/// Within `<!--` and `-->` a script may hold a whole script element, end tag included.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Within {
    Script,
    Comment,
    ScriptInComment,
}

fn end_of_script(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let mut within = Within::Script;
    let mut at = 0;
    loop {
        if within == Within::Script {
            at += text[at..].find('<')?;
            if is_named(&bytes[at..], "</script") {
                return Some(at);
            }
            if bytes[at..].starts_with(b"<!--") {
                within = Within::Comment;
                // The hyphens may be those of the end as well: `<!-->`.
                at += "<!".len();
            } else {
                at += 1;
            }
            continue;
        }
        at += bytes[at..].iter().position(|byte| matches!(byte, b'<' | b'-'))?;
        let rest = &bytes[at..];
        at += match within {
            _ if rest.starts_with(b"-->") => {
                within = Within::Script;
                "-->".len()
            }
            Within::Comment if is_named(rest, "</script") => return Some(at),
            Within::Comment if is_named(rest, "<script") => {
                within = Within::ScriptInComment;
                "<script".len()
            }
            Within::ScriptInComment if is_named(rest, "</script") => {
                within = Within::Comment;
                "</script".len()
            }
            _ => 1,
        };
    }
}

/// Whether `text` begins with a tag of this name, and of no longer one.
fn is_named(text: &[u8], tag: &str) -> bool {
    text.get(..tag.len()).is_some_and(|start| start.eq_ignore_ascii_case(tag.as_bytes()))
        && matches!(text.get(tag.len()), Some(b'\t' | b'\n' | b'\r' | 0x0c | b' ' | b'/' | b'>'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_end_where_browsers_end_them() {
        for (text, inside) in [
            ("a < b</script>after", "a < b"),
            ("'</scripts>' '</script'</SCRIPT\r\n>after", "'</scripts>' '</script'"),
            ("<!-- <script> </script> --></script>after", "<!-- <script> </script> -->"),
            ("<!-- <script> </script/></script>after", "<!-- <script> </script/>"),
            ("<!--></script>after", "<!-->"),
            ("<!-- </script>after", "<!-- "),
            ("<!- <script> </script>after", "<!- <script> "),
            ("never ends </script", "never ends </script"),
        ] {
            assert_eq!(&text[..RawText::Script.length(text)], inside);
        }
    }

    #[test]
    fn style_sheets_end_at_their_tag() {
        let text = "a > b {} /* </styles> <!-- */</Style >after";
        assert_eq!(&text[..RawText::Style.length(text)], "a > b {} /* </styles> <!-- */");
    }
}
