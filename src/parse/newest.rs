//! Selects the entries to read of a feed that has more than [`MAX_ENTRIES`]: the newest, wherever they are.

use std::ops::Range;

use jiff::Timestamp;

use super::dates::{Region, parse_date};
use super::tree::MAX_ENTRIES;
use crate::work;

/// Elements with the date of an entry, without their prefix, the best first.
const DATE_ELEMENTS: &[&str] = &["pubdate", "published", "issued", "date", "updated", "modified"];

/// Returns the indexes, in order, of the entries to keep of those with these dates: the newest if at least half are dated, else
/// equally many from either end. A list that grows may be thinned repeatedly: first a prefix, then the whole.
pub(super) fn newest(dates: &[Option<Timestamp>]) -> Vec<usize> {
    let count = dates.len();
    let with_date = dates.iter().flatten().count();
    if with_date * 2 < count {
        let half = MAX_ENTRIES / 2;
        return (0..count).filter(|at| *at < half || *at + half >= count).collect();
    }
    let mut kept: Vec<usize> = (0..count).collect();
    // The sort is stable: of equal dates the first are kept, since feeds put the newest on top.
    kept.sort_by_key(|at| std::cmp::Reverse(dates[*at]));
    kept.truncate(MAX_ENTRIES);
    kept.sort_unstable();
    kept
}

/// Returns the warning for a feed that was cut.
pub(super) fn warning(entries: usize) -> String {
    format!(
        "{entries} entries, of which {MAX_ENTRIES} are read: the newest by their dates, else the first and the last"
    )
}

/// Returns a feed without the entries that are not read, and the warning; `None` if all are read. The feed is cut before it is
/// parsed so that feed-rs and our tree see the same feed, and no tree is built of entries that are dropped.
pub(super) fn cut(source: &str) -> Option<(String, String)> {
    let starts = entry_starts(source);
    if starts.len() <= MAX_ENTRIES {
        return None;
    }
    let ends = starts.iter().copied().skip(1).chain([source.len()]);
    let entries: Vec<Range<usize>> =
        starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect();
    let dates: Vec<Option<Timestamp>> = entries.iter().map(|entry| date(&source[entry.clone()])).collect();
    let mut shorter = source[..starts[0]].to_owned();
    let kept = newest(&dates);
    for at in &kept {
        shorter.push_str(&source[entries[*at].clone()]);
    }
    let last = starts[starts.len() - 1];
    let is_whole = kept.last() == Some(&(entries.len() - 1));
    if !is_whole {
        shorter.push_str(after_entries(source, last));
    }
    Some((shorter, warning(entries.len())))
}

/// Returns what follows the last entry, which begins at `start`.
fn after_entries(source: &str, start: usize) -> &str {
    let name = tag_name(&source[start..]);
    let end_tag = format!("</{name}>");
    source[start..].rfind(&end_tag).map_or("", |end| &source[start + end + end_tag.len()..])
}

/// Returns the name in the start tag that `rest` begins with.
fn tag_name(rest: &str) -> &str {
    let length = rest[1..].bytes().take_while(|byte| byte.is_ascii_alphanumeric() || *byte == b':').count();
    &rest[1..=length]
}

/// Returns where entries begin, outside CDATA sections and comments.
fn entry_starts(source: &str) -> Vec<usize> {
    const SHORTEST_ENTRY: usize = "<item/>".len();
    let mut starts = Vec::new();
    if source.len() < MAX_ENTRIES * SHORTEST_ENTRY {
        return starts;
    }
    let mut at = 0;
    while let Some(start) = source[at..].find('<').map(|found| at + found) {
        work::count(1);
        let rest = &source[start..];
        let hidden =
            [("<![CDATA[", "]]>"), ("<!--", "-->")].into_iter().find(|(open, _)| rest.starts_with(open));
        at = if let Some((_, close)) = hidden {
            // Unclosed: the tree builder decides what counts as an entry from here on.
            let Some(length) = rest.find(close) else { break };
            start + length + close.len()
        } else {
            let name = tag_name(rest);
            let local = name.rsplit(':').next().unwrap_or_default();
            let ends =
                rest[1 + name.len()..].starts_with(|c: char| c.is_whitespace() || c == '>' || c == '/');
            if ends && ["item", "entry"].iter().any(|entry| local.eq_ignore_ascii_case(entry)) {
                starts.push(start);
            }
            start + 1
        };
    }
    starts
}

/// Returns the date of an entry, if it can be found without parsing the entry.
fn date(entry: &str) -> Option<Timestamp> {
    let mut best: Option<(usize, &str)> = None;
    let mut rest = entry;
    while let Some(start) = rest.find('<') {
        work::count(1);
        rest = &rest[start + 1..];
        if rest.starts_with("![CDATA[") {
            rest = rest.find("]]>").map_or("", |end| &rest[end..]);
            continue;
        }
        let end = rest.find(['<', '>']).unwrap_or(rest.len());
        let name = rest[..end].split(char::is_whitespace).next().unwrap_or_default();
        let local = name.rsplit(':').next().unwrap_or_default();
        let rank = DATE_ELEMENTS.iter().position(|element| local.eq_ignore_ascii_case(element));
        if let Some(rank) = rank.filter(|rank| best.is_none_or(|(better, _)| *rank < better)) {
            best = Some((rank, &rest[end..]));
        }
    }
    let text = best?.1.strip_prefix('>')?.trim_start();
    let text = text.strip_prefix("<![CDATA[").unwrap_or(text);
    parse_date(text.split(['<', ']']).next()?, Region::default())
}
