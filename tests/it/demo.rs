//! `feedmill demo`, as a new user runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// The stories on the demo's sites: a line `name: value` for each field, a blank line, the body.
const STORIES: &[&str] = &[
    include_str!("../../src/demo/site/stories/barley.html"),
    include_str!("../../src/demo/site/stories/cable.html"),
    include_str!("../../src/demo/site/stories/ferry.html"),
    include_str!("../../src/demo/site/stories/foundry.html"),
    include_str!("../../src/demo/site/stories/frost.html"),
    include_str!("../../src/demo/site/stories/library.html"),
    include_str!("../../src/demo/site/stories/map.html"),
    include_str!("../../src/demo/site/stories/tram.html"),
];

/// Furniture around the articles, which must not get into the texts.
const FURNITURE: &[&str] = &[
    "Printed on the quay since 1871",
    "Leave a Comment",
    "Comments are read by an editor",
    "Related News",
    "Lamplighters’ guild",
    "Most Viewed",
    "Email this article",
    "Regional Press Council",
    "Skip to content",
    "Picture of Dagny",
    "Share this News",
    "Post Author",
    "former switchboard engineer",
    "Join the Debate",
    "Thoughtful replies are welcome",
    "Notify of",
    "Inline Feedbacks",
    "View all comments",
    "See Other Updates",
    "The last peat station",
    "All currents reserved",
    "profile image",
    "min read",
    "Alma Reyes",
    "Read also about",
    "attic beans",
    "Every house on Mill Lane",
    "Subscribe",
    "Success!",
    "spam folder",
    "Read More",
    "moss on your roof",
    "Powered by Ghost",
    "Also Read",
    "Posted in",
    "Recent Posts",
    "Grafting week",
    "grown, not made",
    "cookies",
    "Accept all",
    "Copy link",
    "The Wire at Six",
    "unsubscribe",
    "More from the valley",
    "The weir that sings",
    "under licence",
];

#[test]
fn demo_shows_the_clean_articles_and_one_duplicate() {
    let home = tempfile::tempdir().unwrap();
    let kept = home.path().join("kept");
    let output = demo(home.path(), &["--keep", kept.to_str().unwrap()]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}\n{}\n{shown}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    );
    for expected in ["Articles cleaned: 9", "Duplicates linked: 1", "Files written: 8", "an exact copy"] {
        assert!(shown.contains(expected), "{expected:?} is not in\n{shown}");
    }

    let texts: Vec<String> = fs::read_dir(kept.join("texts"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "txt"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    assert_eq!(texts.len(), STORIES.len());
    for story in STORIES {
        let (fields, body) = story.split_once("\n\n").unwrap();
        let title = fields.lines().find_map(|line| line.strip_prefix("title: ")).unwrap();
        let headline = format!("{title}\n\n");
        let text =
            texts.iter().find(|text| text.starts_with(&headline)).unwrap_or_else(|| panic!("no {title:?}"));
        // Some stories contain furniture lines in their bodies.
        let is_prose =
            |line: &String| !line.is_empty() && !FURNITURE.iter().any(|furniture| line.contains(furniture));
        let lost: Vec<String> =
            body.lines().map(without_tags).filter(is_prose).filter(|line| !text.contains(line)).collect();
        assert!(lost.is_empty(), "{title:?} has lost {lost:#?}");
    }
    for text in &texts {
        for furniture in FURNITURE {
            assert!(!text.contains(furniture), "{furniture:?} is in\n{text}");
        }
    }
}

#[test]
fn demo_leaves_nothing_behind() {
    let home = tempfile::tempdir().unwrap();
    let output = demo(home.path(), &[]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0);
}

fn without_tags(line: &str) -> String {
    line.split('<').map(|piece| piece.split_once('>').map_or(piece, |(_tag, text)| text)).collect()
}

/// Runs the demo with `home` as its working, home and temporary directory.
fn demo(home: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_feedmill"))
        .arg("demo")
        .args(arguments)
        .current_dir(home)
        .env("TMPDIR", home)
        .env("HOME", home)
        .output()
        .unwrap()
}
