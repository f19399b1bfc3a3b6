//! The operator's regular expressions, with bounds on the compiled size and on the matching time.

use regex::{Regex, RegexBuilder};

/// Maximum bytes of a compiled pattern, and of its lazy DFA cache.
const SIZE_LIMIT: usize = 1 << 20;

/// Compiles a pattern that may match anywhere in a text; a leading `(?i)` ignores case.
pub fn compile(text: &str) -> Result<Regex, String> {
    const HINT: &str = "hint: such as \"^Advertisement\", \"(?i)sponsored by\" or \"/video/\"";
    if text.is_empty() {
        return Err(format!("an empty pattern matches everything; {HINT}"));
    }
    let compiled = RegexBuilder::new(text).size_limit(SIZE_LIMIT).dfa_size_limit(SIZE_LIMIT).build();
    compiled.map_err(|error| match error {
        regex::Error::CompiledTooBig(limit) => format!("compiles to more than {limit} bytes; {HINT}"),
        // The library's message is a drawing of several lines; the last line states the error.
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
            [("(a", "unclosed group"), ("", "matches everything"), ("(?:a{1000}){1000}", "compiles to more")]
        {
            let message = compile(text).unwrap_err();
            assert!(message.contains(said) && !message.contains('\n'), "{text}: {message}");
        }
        assert!(compile("(?i)AD").unwrap().is_match("an ad"));
    }
}
