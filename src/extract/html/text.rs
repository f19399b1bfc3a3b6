//! Plain text of attributes and markup, as readers see it.

/// Maximum bytes of markup that are read; names, headlines and descriptions are shorter.
const MAX_MARKUP_BYTES: usize = 4000;

/// Returns `text` as readers see it: entities and markup resolved, white space folded.
pub(crate) fn plain(text: &str) -> String {
    let mut text = fold_space(text);
    // Twice, since some templates escape text that is already escaped.
    for _ in 0..2 {
        if !text.contains(['&', '<']) {
            break;
        }
        text = fold_space(&text_of_markup(&text));
    }
    text
}

/// Resolves entities that were escaped once too often; characters that look like markup stay text.
pub(crate) fn without_entities(text: &str) -> String {
    if text.contains('&') && text.contains(';') {
        return fold_space(&text_of_markup(&text.replace('<', "&lt;")));
    }
    text.to_owned()
}

fn text_of_markup(markup: &str) -> String {
    let fragment = scraper::Html::parse_fragment(&markup[..markup.floor_char_boundary(MAX_MARKUP_BYTES)]);
    fragment.root_element().text().collect()
}

/// Folds white space to single spaces and removes invisible characters.
pub(crate) fn fold_space(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if word.bytes().all(|byte| byte.is_ascii_graphic()) {
            if !folded.is_empty() {
                folded.push(' ');
            }
            folded.push_str(word);
            continue;
        }
        let mut visible = word.chars().filter(|c| !is_invisible(*c)).peekable();
        if visible.peek().is_some() && !folded.is_empty() {
            folded.push(' ');
        }
        folded.extend(visible);
    }
    folded
}

fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
