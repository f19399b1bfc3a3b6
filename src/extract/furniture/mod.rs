//! Furniture by its own words: the rules that need no markup.
//!
//! The lines of a body are read in order. A line that names itself ("Leave a comment", "Also read: …", "Photo by …")
//! goes; a heading of a furniture section takes what belongs to it along. The same rules clean plain text.

pub(crate) mod boxes;
pub(crate) mod offers;

use std::collections::HashMap;

use crate::extract::blocks::measure::Measure;
use crate::extract::words::phrases::{Coverage, Furniture, Match, Section, fold};

/// A line as the rules see it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line<'a> {
    pub(crate) text: &'a str,
    pub(crate) measure: Measure,
    pub(crate) is_heading: bool,
    /// Whether it belongs to the body by all other evidence.
    pub(crate) is_kept: bool,
    /// Whether it says the title, which is a field of its own.
    pub(crate) is_title: bool,
    /// The number of the path that it hangs on.
    pub(crate) path: usize,
}

/// The headline, which stands in its own field.
const TITLE_RULE: &str = "rule.title";

impl Line<'_> {
    /// A paragraph that can only be running text.
    fn is_prose(&self) -> bool {
        self.measure.words >= 18.0
            && (self.measure.ends_sentence || self.measure.sentences > 1)
            && self.measure.link_share < 0.5
    }

    /// Words with a stop behind them, that lead nowhere.
    fn is_sentence(&self) -> bool {
        self.measure.words >= 3.0 && self.measure.ends_sentence && self.measure.link_share < 0.5
    }

    /// Short and without an end: a title, a name, a label.
    fn is_label(&self) -> bool {
        self.measure.words <= 20.0 && !self.measure.ends_sentence
    }
}

/// Which lines are furniture, by which rule. `matches` is what the word lists know of each.
pub(crate) fn judge(lines: &[Line<'_>], matches: &[Option<Match>]) -> Vec<Option<&'static str>> {
    let matches: Vec<Option<Match>> = lines
        .iter()
        .zip(matches)
        .map(|(line, found)| {
            found.filter(|found| found.coverage == Coverage::Whole || !is_statement(line, *found))
        })
        .collect();
    let matches = matches.as_slice();
    let words = |(line, found): (&Line<'_>, &Option<Match>)| {
        if line.is_kept && found.is_none() && line.is_prose() { line.measure.words } else { 0.0 }
    };
    let prose: Vec<f32> = lines.iter().zip(matches).map(words).collect();
    let body = Body::new(lines);
    let all_prose: f32 = prose.iter().sum();
    let mut fates = vec![None; lines.len()];
    let mut before = 0.0;
    let mut at = 0;
    while at < lines.len() {
        let line = &lines[at];
        let is_tail = before > 0.0 && before >= all_prose * 0.6;
        let seen = at;
        at += 1;
        before += prose[seen];
        if fates[seen].is_some() {
            continue;
        }
        if line.is_title {
            fates[seen] = Some(TITLE_RULE);
            continue;
        }
        let Some(found) = matches[seen] else { continue };
        if found.furniture == Furniture::Byline && found.coverage != Coverage::Whole && !is_byline(line) {
            continue;
        }
        if found.section != Section::Line && line.is_heading && body.goes_on(lines, at) {
            continue;
        }
        let rule = found.furniture.rule();
        fates[seen] = Some(rule);
        let opens = found.coverage == Coverage::Whole || found.furniture == Furniture::AuthorBox;
        match found.section {
            Section::Rest if opens && (is_tail || opens_comments(lines, matches, seen, before)) => {
                fates[at..].fill(Some(rule));
                break;
            }
            Section::Rest if found.furniture == Furniture::AuthorBox => {
                at = drop_name(lines, at, line.text, rule, &mut fates);
            }
            Section::Box if is_tail && found.coverage == Coverage::Whole => {
                while at < lines.len() && !lines[at].is_heading && prose[at] == 0.0 && !body.has(&lines[at]) {
                    fates[at] = Some(rule);
                    at += 1;
                }
            }
            Section::Box if found.furniture == Furniture::Related && line.measure.ends_colon => {
                at = drop_card(lines, at, matches, &body, rule, &mut fates);
            }
            _ => {}
        }
    }
    fates
}

/// Whether a line that begins or ends as furniture does says something of its own.
fn is_statement(line: &Line<'_>, found: Match) -> bool {
    /// The share of words with capitals in a line that is names.
    const MOST_NAMES: f32 = 0.4;
    match found.furniture {
        // A credit is names, a date has digits.
        Furniture::Credit => line.is_sentence() && line.measure.capital_share < MOST_NAMES,
        Furniture::Dateline => line.is_prose() || line.is_sentence() && line.measure.digit_share == 0.0,
        Furniture::Byline => line.is_prose(),
        Furniture::Comments | Furniture::Share | Furniture::AuthorBox if line.is_prose() => true,
        _ => (line.is_prose() || line.is_sentence()) && !found.is_borne_out,
    }
}

/// The path on which the body's paragraphs hang.
pub(crate) struct Body {
    path: Option<usize>,
}

impl Body {
    /// The path with most of the running text that is kept.
    pub(crate) fn new(lines: &[Line<'_>]) -> Self {
        /// A path of fewer paragraphs may be a comment's.
        const LEAST_PARAGRAPHS: usize = 2;
        let mut paths: HashMap<usize, (f32, usize)> = HashMap::new();
        for line in lines.iter().filter(|line| line.is_kept && line.is_prose()) {
            let (words, paragraphs) = paths.entry(line.path).or_default();
            *words += line.measure.words;
            *paragraphs += 1;
        }
        let most = paths.into_iter().max_by(|(path, (words, _)), (other_path, (other_words, _))| {
            words.total_cmp(other_words).then(other_path.cmp(path))
        });
        Self {
            path: most.filter(|(_, (_, paragraphs))| *paragraphs >= LEAST_PARAGRAPHS).map(|(path, _)| path),
        }
    }

    /// Whether a line is a sentence among the body's paragraphs.
    pub(crate) fn has(&self, line: &Line<'_>) -> bool {
        self.path == Some(line.path) && line.is_kept && line.is_sentence()
    }

    /// Whether the first text below a heading is the body's.
    fn goes_on(&self, lines: &[Line<'_>], at: usize) -> bool {
        let mut section = lines[at..].iter().take_while(|line| !line.is_heading);
        section.find(|line| line.is_prose() || self.has(line)).is_some_and(|line| self.has(line))
    }
}

/// Whether everything after a line is comments, which may be longer than the article: the line names them, was taken for
/// one of the body or opens a thread, and no heading of the body follows.
fn opens_comments(lines: &[Line<'_>], matches: &[Option<Match>], at: usize, prose_before: f32) -> bool {
    const LEAST_PROSE: f32 = 100.0;
    let line = &lines[at];
    names_comments(matches[at])
        && line.measure.link_share < 0.5
        && prose_before >= LEAST_PROSE
        && !lines[at + 1..].iter().any(|line| line.is_kept && line.is_heading)
        && (line.is_kept || is_thread(&lines[at + 1..], &matches[at + 1..]))
}

fn names_comments(found: Option<Match>) -> bool {
    found.is_some_and(|found| found.furniture == Furniture::Comments)
}

/// Whether one line that names comments comes again and again, as it does under each of them ("Report this comment").
fn is_thread(lines: &[Line<'_>], matches: &[Option<Match>]) -> bool {
    const AGAIN_AND_AGAIN: usize = 3;
    let mut counts: HashMap<&str, usize> = HashMap::new();
    lines.iter().zip(matches).filter(|(_, found)| names_comments(**found)).any(|(line, _)| {
        let count = counts.entry(line.text).or_default();
        *count += 1;
        *count >= AGAIN_AND_AGAIN
    })
}

/// "By Jane Doe" is a byline, "By noon the square was full" is not.
fn is_byline(line: &Line<'_>) -> bool {
    /// A name, its role and an address in a script without capitals.
    const MOST_CHARS: usize = 30;
    let measure = line.measure;
    let has_case = || line.text.chars().any(|c| c.is_uppercase() || c.is_lowercase());
    let looks_like_names = || {
        measure.capital_share >= 0.5
            || measure.capital_share >= 0.3 && measure.digit_share > 0.05
            || line.text.chars().count() <= MOST_CHARS && !has_case()
    };
    !measure.ends_sentence && !line.is_heading && measure.sentences <= 1 && looks_like_names()
}

/// Whether a line stands where the body's own byline would: shortly before it, or among its first lines.
pub(crate) fn stands_with_body(lines: &[Line<'_>], at: usize) -> bool {
    const REACH: usize = 8;
    let is_body = |line: &&Line<'_>| line.is_kept && line.is_prose();
    let before = lines[..at].iter().filter(is_body).count();
    let follows = lines[at..].iter().take(REACH).any(|line| is_body(&line));
    (before == 0 && follows) || lines[at].is_kept || before <= 2 && follows
}

/// After the picture in an author box stands the name again, and perhaps a line on who that is.
fn drop_name(
    lines: &[Line<'_>],
    mut at: usize,
    marker: &str,
    rule: &'static str,
    fates: &mut [Option<&'static str>],
) -> usize {
    if let Some(name) = lines.get(at)
        && name.is_label()
        && name.measure.words <= 6.0
        && fold(marker).contains(fold(name.text).trim_start_matches("by "))
        && !fold(name.text).starts_with("by ")
    {
        fates[at] = Some(rule);
        at += 1;
    }
    at
}

/// "Read also about …:" announces a card: a title and perhaps a teaser.
fn drop_card(
    lines: &[Line<'_>],
    mut at: usize,
    matches: &[Option<Match>],
    body: &Body,
    rule: &'static str,
    fates: &mut [Option<&'static str>],
) -> usize {
    let Some(title) = lines.get(at) else { return at };
    if !title.is_label() || title.is_heading || matches[at].is_some() {
        return at;
    }
    fates[at] = Some(rule);
    at += 1;
    if let Some(teaser) = lines.get(at)
        && !teaser.is_heading
        && !body.has(teaser)
        && teaser.measure.words <= 60.0
    {
        fates[at] = Some(rule);
        at += 1;
    }
    at
}
