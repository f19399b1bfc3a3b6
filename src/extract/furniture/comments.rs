//! Drops readers' comments, from the line that announces them to the end of the page.

use std::cell::LazyCell;
use std::collections::HashMap;

use foldhash::fast::RandomState;
use html5ever::LocalName;

use super::Facts;
use super::body::Body;
use super::names::of_kind;
use super::prose::Prose;
use crate::extract::account::{Account, Line, Rule};
use crate::extract::metadata::{date_of_text, names_more_than_a_date};
use crate::extract::words::furniture::Furniture;
use crate::extract::words::phrases::{Coverage, fold};

/// Minimum words of running text above comments: they may be longer than the article, but hardly ever begin before this much
/// of it.
const LEAST_PROSE: f32 = 100.0;
/// Minimum words of a post above a line that counts its comments.
const LEAST_OF_POST: f32 = 15.0;
/// Minimum words above signed comments. A standfirst has fewer: comments may also be counted between it and the article.
const LEAST_ABOVE_SIGNED: f32 = 30.0;
/// A line with more linked words is a link to the comments, wherever they are.
const MOST_LINKED: f32 = 0.5;
/// A line that occurs this often is below every comment.
const AGAIN_AND_AGAIN: usize = 3;

pub(crate) fn claim(lines: &[Line<'_>], facts: &Facts<'_>, account: &mut Account) {
    let prose = Prose::new(lines, account);
    let body = Body::new(lines, facts, account);
    let last_heading = account.kept().rev().find(|at| lines[*at].is_heading());
    let thread = last_before_thread(lines);
    let among_prose = among_prose(lines, facts, account);
    // Whether everything after a line is comments although the body is not over: the line was taken for one of the body,
    // shares a box with the text above it or is followed by a thread, and no heading of the body follows.
    let opens = |account: &Account, at: usize| {
        lines[at].block.measure.link_share < MOST_LINKED
            && prose.before(at) >= LEAST_PROSE
            && last_heading.is_none_or(|heading| heading <= at)
            && (account.is_kept(at) || among_prose[at] || thread.is_some_and(|thread| at < thread))
    };
    let headline = lines.iter().position(|line| line.is_title).unwrap_or(0);
    let counts = LazyCell::new(|| counts_of_names(lines));
    // In a thread or a live blog, signed texts are the content; in a list each item may count its comments.
    let is_of_entries = facts.context.said.may_be_thread() || facts.context.is_liveblog;
    let may_be_signed = |at: usize| {
        !is_of_entries
            && at > headline
            && lines[at].block.measure.link_share < MOST_LINKED
            && counts[&fold(lines[at].text)] < AGAIN_AND_AGAIN
            && prose.before(at) >= LEAST_ABOVE_SIGNED
    };
    let signed = LazyCell::new(|| Signed::new(lines, facts));
    for (at, coverage) in of_kind(lines, Furniture::Comments) {
        let is_whole = coverage == Coverage::Whole;
        let is_signed = is_whole && may_be_signed(at) && signed.follow(at);
        if !is_signed && body.goes_on_under(at) {
            continue;
        }
        let is_open = is_whole && (is_signed || prose.is_over(at) || opens(account, at));
        let end = if is_open { lines.len() } else { at + 1 };
        account.claim(at..end, Rule::Words(Furniture::Comments));
    }
    if let Some(at) = counts_answers(lines, facts, &prose) {
        account.claim(at..lines.len(), Rule::Words(Furniture::Comments));
    }
}

/// Positions of signatures, which say who wrote a text and when: "Posted by: Jo | May 4, 2007 8:10 AM" below each text,
/// "Jo, 3 hours ago" above each.
struct Signed {
    /// Words before each line.
    words_before: Vec<f32>,
    /// In page order.
    signatures: Vec<Signature>,
}

/// A signature line, together with all later ones in boxes of the same depth and tag.
struct Signature {
    at: usize,
    /// The number of these signatures, including this one.
    count: usize,
    /// The most words between two consecutive ones.
    longest: f32,
}

impl Signed {
    fn new(lines: &[Line<'_>], facts: &Facts<'_>) -> Self {
        let words_before = lines.iter().scan(0.0, |sum, line| {
            let before = *sum;
            *sum += line.words();
            Some(before)
        });
        let words_before: Vec<f32> = words_before.collect();
        let mut signatures: Vec<Signature> = Vec::new();
        // The next signature by depth and tag of its box: class names may contain the commenter's name.
        let mut next: HashMap<(u16, LocalName), usize, RandomState> = HashMap::default();
        for at in (0..lines.len()).rev().filter(|at| is_signature(&lines[*at], facts)) {
            let own = &facts.context.document.containers[lines[at].block.container];
            let next = next.insert((own.depth, own.tag.clone()), signatures.len());
            signatures.push(match next.map(|next| &signatures[next]) {
                Some(next) => Signature {
                    at,
                    count: next.count + 1,
                    longest: next.longest.max(words_before[next.at] - words_before[at + 1]),
                },
                None => Signature { at, count: 1, longest: 0.0 },
            });
        }
        signatures.reverse();
        Self { words_before, signatures }
    }

    /// Returns whether signed texts follow a line: the text before the first signature is hardly longer than the others.
    fn follow(&self, at: usize) -> bool {
        const LEAST: usize = 3;
        const MOST_OF_LONGEST: f32 = 2.0;
        let first = self.signatures.partition_point(|signature| signature.at <= at);
        self.signatures.get(first).is_some_and(|first| {
            let words = self.words_before[first.at] - self.words_before[at + 1];
            first.count >= LEAST && words <= first.longest * MOST_OF_LONGEST
        })
    }
}

/// Returns whether a line is a label with a date and another word that does not begin with a number. Headings and credits have
/// dates as well, and do not count.
fn is_signature(line: &Line<'_>, facts: &Facts<'_>) -> bool {
    const MOST_BYTES: usize = 120;
    const MOST_WORDS: f32 = 14.0;
    let names_itself_otherwise = line.found.is_some_and(|found| {
        !matches!(found.furniture, Furniture::Byline | Furniture::Dateline | Furniture::Comments)
    });
    !names_itself_otherwise
        && !line.is_heading()
        && !line.text.starts_with(char::is_numeric)
        && line.text.len() <= MOST_BYTES
        && line.words() <= MOST_WORDS
        && !line.block.measure.ends_sentence
        // The signature of a post quoted in the article begins with a dash.
        && !line.text.starts_with(['—', '–'])
        && line.text.contains(char::is_numeric)
        && names_more_than_a_date(line.text)
        && date_of_text(line.text, facts.fetched_at).is_some()
}

/// Returns whether each line is in the same box as the last running text of the body above it, and is longer than a heading
/// such as "Discussion", which may be a section.
fn among_prose(lines: &[Line<'_>], facts: &Facts<'_>, account: &Account) -> Vec<bool> {
    const LEAST_WORDS: f32 = 3.0;
    let mut last = None;
    let mut among = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter().enumerate() {
        let own = line.block.container;
        among.push(last == Some(own) && line.words() >= LEAST_WORDS);
        if account.is_kept(at) && line.is_prose() {
            let container = &facts.context.document.containers[own];
            // A paragraph is a box of its own.
            let is_paragraph = (container.first, container.end) == (at, at + 1);
            last = Some(if is_paragraph { container.parent } else { own });
        }
    }
    among
}

/// Finds the line below a post that counts the answers to its headline, as blogs of every language do: `92 Responses to
/// "Depth Compositing"`, `7 Kommentare zu „Nebel im Tal“`. This needs no word list, and also works for a post of a few words.
/// In a thread the answers are the text.
fn counts_answers(lines: &[Line<'_>], facts: &Facts<'_>, prose: &Prose) -> Option<usize> {
    const LEAST_TITLE_BYTES: usize = 8;
    const MOST_WORDS_BESIDE: f32 = 6.0;
    let headline = lines.iter().position(|line| line.is_title)?;
    let title = fold(lines[headline].text);
    if title.len() < LEAST_TITLE_BYTES || facts.context.said.is_thread() {
        return None;
    }
    let most_words = lines[headline].words() + MOST_WORDS_BESIDE;
    (headline + 1..lines.len()).find(|&at| {
        let line = &lines[at];
        line.text.trim_start().starts_with(|first: char| first.is_ascii_digit())
            && !line.is_title
            && line.words() <= most_words
            && line.words() > lines[headline].words()
            && line.block.measure.link_share < MOST_LINKED
            && prose.before(at) >= LEAST_OF_POST
            && counts(&fold(line.text), &title)
    })
}

/// Returns whether a folded line is a number, words, and the headline at the end. The number of a list item has a dot after it.
fn counts(line: &str, title: &str) -> bool {
    line.starts_with("# ") && line.ends_with(title)
}

/// Returns how often each line that matches comments occurs on the page, ignoring the values of numbers.
fn counts_of_names(lines: &[Line<'_>]) -> HashMap<String, usize, RandomState> {
    let mut counts = HashMap::default();
    for line in lines.iter().filter(|line| line.is_named(Furniture::Comments)) {
        *counts.entry(fold(line.text)).or_default() += 1;
    }
    counts
}

/// Returns the last line that has a thread below it: a line that matches comments and occurs at least three times from there
/// to the end of the page, as one below each comment does ("Report this comment").
fn last_before_thread(lines: &[Line<'_>]) -> Option<usize> {
    let mut counts: HashMap<&str, usize, RandomState> = HashMap::default();
    (0..lines.len()).rev().filter(|at| lines[*at].is_named(Furniture::Comments)).find(|at| {
        let count = counts.entry(lines[*at].text).or_default();
        *count += 1;
        *count >= AGAIN_AND_AGAIN
    })
}
