//! `feedmill demo`, as a newcomer runs it.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

/// Of each article: its headline, how its text begins and how it ends.
const ARTICLES: &[[&str; 3]] = &[
    [
        "Harwick’s smallest ferry now runs on the tide",
        "HARWICK – For eleven days in October",
        "six hundred and twelve people, two harps and a goat.",
    ],
    [
        "Council votes to keep the library open all night",
        "OSTERMOUTH – The town’s library",
        "but how many people came back.",
    ],
    [
        "Bell foundry wins the contract it nearly refused",
        "OSTERMOUTH – A foundry with seven employees",
        "now has a waiting list.",
    ],
    [
        "A cable under the strait changes who pays for power",
        "When the last joint of the Tolland interconnector",
        "each tries to buy from the other.",
    ],
    [
        "Why the seed bank moved its oldest barley twice",
        "The oldest barley in the Skarn collection",
        "for the first time in a century, to a baker.",
    ],
    [
        "The map that misplaced a village",
        "There is a bench in Little Hoxton",
        "“Rain. Sheets would not agree. Persuaded them.”",
    ],
    [
        "Orchard growers agree on a frost warning of their own",
        "Fruit growers in the Vale of Amber",
        "everybody agreed that it had been good practice.",
    ],
    [
        "Tram line reopens with drivers who learned on buses",
        "The first tram in thirty-four years",
        "the number for everyone to see.",
    ],
];

/// What stands around the articles and must not get into the texts.
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
    assert_eq!(texts.len(), ARTICLES.len());
    for [title, beginning, end] in ARTICLES {
        let headline = format!("{title}\n\n");
        let whole = |text: &&String| {
            text.starts_with(&headline) && text.contains(beginning) && text.trim_end().ends_with(end)
        };
        assert_eq!(texts.iter().filter(whole).count(), 1, "{title:?} in\n{}", texts.join("\n---\n"));
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

/// Runs the demo with `home` as its working directory and its place for temporary files.
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
