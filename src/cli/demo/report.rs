//! The demo's report after the run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{self, Write};

use anyhow::Context;

use super::Folder;
use crate::cli::table;
use crate::model::{ArticleId, DuplicateKind, Record};
use crate::store::{ArticleAccount, Store};

/// An upper bound on the number of the demo's records.
const ALL_RECORDS: u32 = 1000;

const NEXT_STEPS: &[(&str, &str)] = &[
    ("feedmill config default > feedmill.toml", "every setting, commented: add your [[feed]] tables"),
    ("feedmill --config feedmill.toml config check", "reports its problems, with their lines"),
    ("feedmill --config feedmill.toml once", "polls what is due, processes it, exits"),
    ("feedmill --config feedmill.toml run", "the daemon"),
];

/// Number of dropped lines shown per rule.
const EXAMPLES: usize = 3;

/// Prints what happened, read back from the store and the output folder. Returns whether everything succeeded.
pub(super) async fn print(store: &Store, folder: &Folder, out: &mut impl Write) -> anyhow::Result<bool> {
    let totals = store.totals().await?;
    let polled = totals.feeds_active - totals.feeds_failing;
    let new_entries = totals.entries_done + totals.entries_pending + totals.entries_failed;
    writeln!(out, "Feeds polled: {polled} of {}, new entries: {new_entries}", totals.feeds_active)?;
    let mut rows = table::new(["Feed", "Address", "Entries", "Next poll"]);
    for feed in store.feeds_list().await? {
        let outcome = feed.last_error.or(feed.title).unwrap_or_default();
        let next_poll = feed.next_poll_at.strftime("%F %H:%M UTC").to_string();
        rows.add_row([outcome, feed.url.to_string(), feed.entries.to_string(), next_poll]);
    }
    writeln!(out, "{rows}\n")?;

    let articles = articles(store).await?;
    show_cleaned(&articles, out)?;
    show_dropped(&articles, out)?;
    show_duplicates(&articles, out)?;
    show_files(folder, out)?;
    show_next_steps(folder, out)?;
    Ok(totals.feeds_failing + totals.entries_pending + totals.entries_failed + totals.entries_quarantined
        == 0)
}

/// The latest record of an article, and the account of its page's blocks.
struct Cleaned {
    record: Record,
    account: ArticleAccount,
}

impl Cleaned {
    fn title(&self) -> &str {
        self.record.metadata.title.as_deref().unwrap_or_else(|| self.record.url.as_str())
    }

    fn site(&self) -> &str {
        self.record.metadata.site_name.as_deref().unwrap_or(&self.record.hostname)
    }
}

async fn articles(store: &Store) -> anyhow::Result<Vec<Cleaned>> {
    let mut latest: HashMap<ArticleId, Record> = HashMap::new();
    for record in store.records_after(0, ALL_RECORDS).await? {
        latest.insert(record.id, record);
    }
    let mut articles = Vec::new();
    for record in latest.into_values() {
        let account = store.article_account(record.id).await?.context("a stored article has no account")?;
        articles.push(Cleaned { record, account });
    }
    articles.sort_by_key(|article| article.record.seq);
    Ok(articles)
}

fn show_cleaned(articles: &[Cleaned], out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Articles cleaned: {}", articles.len())?;
    let mut rows = table::new(["Article", "Site", "Author", "Published", "Words", "Kept", "Dropped"]);
    for article in articles {
        let published = article.record.metadata.published_at.map(|time| time.strftime("%F").to_string());
        rows.add_row([
            article.title().to_owned(),
            article.site().to_owned(),
            article.record.metadata.authors.join(", "),
            published.unwrap_or_default(),
            article.record.word_count.to_string(),
            article.account.blocks_kept.to_string(),
            article.account.blocks_dropped.to_string(),
        ]);
    }
    writeln!(out, "{rows}\n")
}

/// Shows how many lines each rule dropped, with the longest ones as examples.
fn show_dropped(articles: &[Cleaned], out: &mut impl Write) -> io::Result<()> {
    let mut excerpts_by_rule: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for block in articles.iter().flat_map(|article| &article.account.dropped) {
        excerpts_by_rule.entry(&block.rule).or_default().push(&block.excerpt);
    }
    writeln!(out, "Lines dropped, by rule:")?;
    let mut rows = table::new(["Rule", "Lines", "Examples"]);
    for (rule, mut excerpts) in excerpts_by_rule {
        let lines = excerpts.len();
        excerpts.sort_by_key(|excerpt| (Reverse(excerpt.len()), *excerpt));
        excerpts.dedup();
        let examples: Vec<String> = excerpts.into_iter().take(EXAMPLES).map(cut).collect();
        rows.add_row([rule.to_owned(), lines.to_string(), examples.join("\n")]);
    }
    writeln!(out, "{rows}\n")
}

fn show_duplicates(articles: &[Cleaned], out: &mut impl Write) -> io::Result<()> {
    let copies: Vec<(&Cleaned, ArticleId)> =
        articles.iter().filter_map(|article| Some((article, article.record.duplicate_of?))).collect();
    writeln!(out, "Duplicates linked: {}", copies.len())?;
    for (copy, original) in copies {
        let original = articles.iter().find(|article| article.record.id == original);
        let kind = match copy.record.duplicate_kind {
            Some(DuplicateKind::Near) => "a near",
            Some(DuplicateKind::Exact) | None => "an exact",
        };
        writeln!(out, "    \"{}\" on {}", copy.title(), copy.record.url)?;
        writeln!(
            out,
            "    is {kind} copy (score {:.2}) of the one on {}\n    Both are kept; the copy's record names the original.",
            copy.record.duplicate_score.unwrap_or_default(),
            original.map_or("a removed page", |original| original.record.url.as_str()),
        )?;
    }
    writeln!(out)
}

fn show_files(folder: &Folder, out: &mut impl Write) -> anyhow::Result<()> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder.texts()).context("cannot list the clean texts")? {
        let path = entry.context("cannot list the clean texts")?.path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            files.push(path);
        }
    }
    files.sort_unstable();
    writeln!(out, "Files written: {}", files.len())?;
    let mut rows = table::new(["File", "Bytes", "Begins"]);
    for path in files {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let name = path.file_name().unwrap_or_default().display().to_string();
        rows.add_row([name, text.len().to_string(), cut(text.lines().next().unwrap_or_default())]);
    }
    writeln!(out, "{rows}\n")?;
    Ok(())
}

fn show_next_steps(folder: &Folder, out: &mut impl Write) -> io::Result<()> {
    writeln!(out, "Where to go next:")?;
    if folder.is_temporary() {
        let why = "the same, keeping configuration, store and texts in DIR";
        writeln!(out, "    {:<47} {why}", "feedmill demo --keep DIR")?;
    } else {
        let program = format!("feedmill --config {}", folder.config_file().display());
        writeln!(out, "    {program} feeds list\n    {program} export --format jsonl")?;
    }
    for (command, why) in NEXT_STEPS {
        writeln!(out, "    {command:<47} {why}")?;
    }
    Ok(())
}

fn cut(line: &str) -> String {
    const LONGEST: usize = 80;
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line.to_owned(),
    }
}
