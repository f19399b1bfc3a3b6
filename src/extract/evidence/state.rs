//! Finds the body of a page whose markup holds none: a string of HTML in the state that one of its scripts reads.
//!
//! Sites write it in many forms (JSON in a script element, a call with a string of JSON inside, escaped once or more). In all
//! of them paragraphs follow one another once the escapes are undone: the longest such run is taken.

use crate::work;

/// Bytes scanned per step of work.
const BYTES_A_STEP: usize = 16;
/// Maximum layers of escapes that are undone.
const MOST_ROUNDS: usize = 3;
/// A run with fewer paragraphs is a notice.
const LEAST_PARAGRAPHS: usize = 3;
/// A run with this many form fields per paragraph is a template: "This is only a preview of your comment."
const LEAST_FIELDS_A_PARAGRAPH: f32 = 0.75;
/// Maximum bytes between two paragraphs of one body, where a heading, a list or a picture may be.
const WIDEST_GAP_BYTES: usize = 4000;

/// Returns the longest run of paragraphs in the page's scripts.
pub(crate) fn body(html: &str) -> Option<String> {
    let scripts = html.split("<script").skip(1).filter_map(|rest| {
        let (_, inside) = rest.split_once('>')?;
        Some(inside.split("</script").next().unwrap_or(inside))
    });
    scripts.filter_map(longest_run).max_by_key(String::len)
}

fn longest_run(script: &str) -> Option<String> {
    let mut text = script.to_owned();
    for _ in 0..MOST_ROUNDS {
        if let Some(run) = run_of_paragraphs(&text) {
            return Some(plain_markup(run));
        }
        if !text.contains('\\') {
            break;
        }
        text = unescaped(&text);
    }
    run_of_paragraphs(&text).map(plain_markup)
}

/// Undoes the escapes that remain inside a run.
fn plain_markup(run: &str) -> String {
    let mut run = run.to_owned();
    for _ in 0..MOST_ROUNDS {
        if !run.contains("\\u") && !run.contains("\\\"") && !run.contains("\\n") {
            break;
        }
        run = unescaped(&run);
    }
    run
}

fn run_of_paragraphs(text: &str) -> Option<&str> {
    const START: &str = "<p";
    const END: &str = "</p>";
    let mut best: Option<&str> = None;
    let mut at = 0;
    while let Some(start) = text[at..].find(START).map(|start| at + start) {
        let (mut end, mut paragraphs) = (start, 0);
        while let Some(close) = text[end..].find(END).map(|close| end + close + END.len()) {
            paragraphs += 1;
            end = close;
            let near = &text[end..text.floor_char_boundary(end + WIDEST_GAP_BYTES)];
            work::count(1 + near.len() / BYTES_A_STEP);
            if !near.find(START).is_some_and(|next| is_markup(&near[..next])) {
                break;
            }
        }
        if paragraphs == 0 {
            break;
        }
        let run = &text[start..end];
        let is_longest = || best.is_none_or(|best| best.len() < run.len());
        if paragraphs >= LEAST_PARAGRAPHS && is_longest() && !is_template(run, paragraphs) {
            best = Some(run);
        }
        at = end;
    }
    best
}

fn is_template(run: &str, paragraphs: usize) -> bool {
    work::count(1 + run.len() / BYTES_A_STEP);
    let fields = ["<input", "<textarea"].map(|field| run.matches(field).count()).iter().sum::<usize>();
    fields as f32 >= paragraphs as f32 * LEAST_FIELDS_A_PARAGRAPH
}

/// Returns whether the text between two paragraphs is markup: a quotation mark outside of any tag would end the string.
fn is_markup(between: &str) -> bool {
    let outside_tags = between.split('<').enumerate().map(|(at, part)| match part.split_once('>') {
        Some((_, text)) if at > 0 => text,
        _ if at > 0 => "",
        _ => part,
    });
    outside_tags.into_iter().all(|text| !text.replace("\\\"", "").contains('"'))
}

/// Undoes one layer of the escapes that JSON and JavaScript share.
fn unescaped(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        work::count(1);
        plain.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let Some(kind) = escape.chars().next() else {
            rest = "";
            break;
        };
        rest = &escape[kind.len_utf8()..];
        match kind {
            'n' | 'r' | 't' => plain.push(' '),
            'u' => {
                let units = utf16_units(escape);
                plain.extend(char::decode_utf16(units.iter().copied()).filter_map(Result::ok));
                rest = &escape[(units.len() * BYTES_OF_UNIT).saturating_sub(1).max(1)..];
            }
            other => plain.push(other),
        }
    }
    plain.push_str(rest);
    plain
}

/// The length of `\uXXXX`.
const BYTES_OF_UNIT: usize = 6;

/// Returns the one or two UTF-16 units of the escape at the start of `escape`, whose backslash is removed.
fn utf16_units(escape: &str) -> Vec<u16> {
    let unit = |text: &str| u16::from_str_radix(text.strip_prefix('u')?.get(..4)?, 16).ok();
    let Some(first) = unit(escape) else { return Vec::new() };
    let is_first_of_two = (0xd800..0xdc00).contains(&first);
    let second = escape.get(BYTES_OF_UNIT - 1..).and_then(|rest| rest.strip_prefix('\\')).and_then(unit);
    match second.filter(|_| is_first_of_two) {
        Some(second) => vec![first, second],
        None => vec![first],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_undone_layer_by_layer() {
        assert_eq!(
            unescaped(r#"\u003cp\u003e\"A\" \\u201cb\u201d \ud83d\ude00"#),
            "<p>\"A\" \\u201cb\u{201d} \u{1f600}"
        );
        assert_eq!(unescaped(r"cut \u12"), "cut 12");
        assert_eq!(unescaped("ends in \\"), "ends in ");
    }

    #[test]
    fn a_run_ends_with_its_string() {
        let html = r#"<script>x({"a":"<p>One.</p><h2>Two</h2><p>Three.</p><p>Four.</p>","b":"<p>Other.</p>"})</script>"#;
        assert_eq!(body(html).as_deref(), Some("<p>One.</p><h2>Two</h2><p>Three.</p><p>Four.</p>"));
        let template = "<script>z('<p>Only a preview.</p><form><input><input><input></form><p>Try again.</p><p>View another.</p>')</script>";
        assert_eq!(body(template), None);
        assert_eq!(body("<script>y('<p>One.</p>')</script><p>a</p><p>b</p><p>c</p>"), None);
    }
}
