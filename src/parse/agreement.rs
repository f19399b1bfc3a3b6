//! Checks that feed-rs and our tree give the same result: a feed may need repair at one poll and none at the next, and its
//! entries must keep their identities.

use std::path::{Path, PathBuf};

use super::{ParsedFeed, finish, mend, trim_start, upstream};

fn feed_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of feeds").flatten() {
        if entry.path().is_dir() {
            feed_files(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// The cases of `tests/feeds`, and those in the folder that `FEEDMILL_FEEDS` names.
#[test]
fn feed_rs_and_the_tree_agree() {
    let mut files = Vec::new();
    feed_files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/feeds"), &mut files);
    if let Some(more) = std::env::var_os("FEEDMILL_FEEDS") {
        feed_files(Path::new(&more), &mut files);
    }
    let (mut plain, mut differing) = (0, Vec::new());
    for file in &files {
        let body = std::fs::read(file).expect("a file of the list");
        let Ok(text) = std::str::from_utf8(&body) else { continue };
        let source = trim_start(text);
        let Some(feed) = upstream::read(source, None) else { continue };
        plain += 1;
        let by_upstream = finish(feed.info, feed.entries, &feed.authors, Vec::new(), None);
        let by_tree = mend(source, None).expect("a feed that feed-rs reads");
        if by_upstream != by_tree {
            differing.push(format!("{}\n{}", file.display(), first_difference(&by_upstream, &by_tree)));
        }
    }
    assert!(plain > 0, "no feed of {} went through feed-rs", files.len());
    assert!(differing.is_empty(), "{} of {plain} differ:\n{}", differing.len(), differing.join("\n"));
}

fn first_difference(left: &ParsedFeed, right: &ParsedFeed) -> String {
    let (left, right) = (format!("{left:#?}"), format!("{right:#?}"));
    let lines = left.lines().zip(right.lines()).find(|(left, right)| left != right);
    lines.map_or(String::new(), |(left, right)| format!("  feed-rs: {left}\n  tree:    {right}"))
}
