//! What can be counted in a block's text without knowing its language.

/// Counts over one block.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Measure {
    /// Words; in scripts without spaces every character counts a little over half a word.
    pub(crate) words: f32,
    /// Share of the text inside links.
    pub(crate) link_share: f32,
    /// Share of the text in bold.
    pub(crate) strong_share: f32,
    /// Links that begin inside.
    pub(crate) links: u32,
    /// Ends of sentences followed by white space or the end.
    pub(crate) sentences: u32,
    /// Commas and their kin, half stops included.
    pub(crate) commas: u32,
    pub(crate) digit_share: f32,
    /// Words that begin with a capital, as a share of all.
    pub(crate) capital_share: f32,
    /// The separators of menus and widget lines.
    pub(crate) separators: u32,
    /// Whether it ends the way a sentence ends.
    pub(crate) ends_sentence: bool,
    pub(crate) ends_colon: bool,
    pub(crate) ends_question: bool,
    pub(crate) has_ellipsis_end: bool,
}

/// Whether `c` belongs to a script that writes no spaces between words.
pub(crate) fn is_unspaced(c: char) -> bool {
    matches!(c, '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{2ffff}')
}

/// Counts over `text`, of whose bytes so many stand in links and in bold.
pub(crate) fn measure(text: &str, link_bytes: usize, strong_bytes: usize, links: u32) -> Measure {
    let mut words = 0_u32;
    let mut unspaced = 0_u32;
    let mut capitals = 0_u32;
    let mut digits = 0_u32;
    let mut letters = 0_u32;
    let mut counts = Measure { links, ..Measure::default() };
    let mut in_word = false;
    let mut ended = false;
    for c in text.chars() {
        if c == ' ' || c == '\n' || c == '\t' {
            counts.sentences += u32::from(ended);
            ended = false;
            in_word = false;
            continue;
        }
        if c.is_ascii_alphanumeric() || (!c.is_ascii() && c.is_alphanumeric()) {
            ended = false;
            letters += 1;
            digits += u32::from(c.is_ascii_digit());
            if is_unspaced(c) {
                unspaced += 1;
                in_word = false;
            } else if !in_word {
                in_word = true;
                words += 1;
                capitals += u32::from(c.is_uppercase());
            }
            continue;
        }
        match c {
            '.' | '!' | '?' | '…' | '؟' | '۔' => ended = true,
            '。' | '！' | '？' => counts.sentences += 1,
            ',' | ';' | '，' | '、' | '；' | '،' | '؛' => counts.commas += 1,
            '|' | '»' | '›' | '•' | '·' | '/' | '>' => counts.separators += 1,
            _ => {}
        }
    }
    counts.sentences += u32::from(ended);
    counts.words = words as f32 + unspaced as f32 * 0.6;
    let share = |part: usize, all: usize| if all == 0 { 0.0 } else { (part as f32 / all as f32).min(1.0) };
    counts.link_share = share(link_bytes, text.len());
    counts.strong_share = share(strong_bytes, text.len());
    counts.digit_share = share(digits as usize, letters as usize);
    counts.capital_share = share(capitals as usize, words as usize);
    let tail = text.trim_end_matches(['"', '”', '’', '»', '\'', ')', '“', '」', '』', '）', ']', ' ']);
    counts.ends_sentence = tail.ends_with(['.', '!', '?', '…', '。', '！', '？', '؟', '۔', ';']);
    counts.ends_question = tail.ends_with(['?', '？', '؟']);
    counts.ends_colon = tail.ends_with([':', '：']);
    counts.has_ellipsis_end = tail.ends_with("...") || tail.ends_with('…');
    counts
}
