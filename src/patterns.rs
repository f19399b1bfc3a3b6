//! The operator's patterns: regular expressions, which may neither grow without bound when they are compiled nor take more time
//! than the text that they look at.

use regex::{Regex, RegexBuilder};

/// Bytes of a compiled pattern, and of what it keeps while it looks.
const SIZE_LIMIT: usize = 1 << 20;

/// A pattern, found anywhere in a text; `(?i)` at its beginning makes capitals the same as small letters.
pub fn compile(text: &str) -> Result<Regex, String> {
    const HINT: &str = "hint: such as \"^Advertisement\", \"(?i)sponsored by\" or \"/video/\"";
    if text.is_empty() {
        return Err(format!("an empty pattern fits everything; {HINT}"));
    }
    let compiled = RegexBuilder::new(text).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => format!("grows to more than {limit} bytes; {HINT}"),
        // The library draws a picture of several lines; its last says what is wrong.
        error => {
            let message = error.to_string();
            let last = message.lines().last().unwrap_or_default();
            format!("{}; {HINT}", last.strip_prefix("error: ").unwrap_or(last))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_pattern_is_said_in_one_line() {
        for (text, said) in
            [("(a", "unclosed group"), ("", "fits everything"), ("(?:a{1000}){1000}", "grows to more")]
        {
            let message = compile(text).unwrap_err();
            assert!(message.contains(said) && !message.contains('\n'), "{text}: {message}");
        }
        assert!(compile("(?i)AD").unwrap().is_match("an ad"));
    }
}
