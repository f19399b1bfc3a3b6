//! `feedmill site try`: shows what a site rule would change, before it is saved.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use jiff::Timestamp;
use toml::Value;

use super::articles::diff;
use super::reextract::{get, moment, reextraction};
use super::{DONE_IN_PART, Global, block_on, progress, terminal};
use crate::config::Config;
use crate::extract::{Rules, SiteRules};
use crate::model::Metadata;
use crate::pipeline::reextract::{Comparison, Counts};
use crate::store::RawSelection;

/// Arguments of `site`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Extract the kept pages of a site with its rules and with additional ones, and show the changes. Nothing is stored
    Try(Box<Trial>),
}

#[derive(Debug, clap::Args)]
struct Trial {
    /// The site; its subdomains are included
    host: String,
    /// CSS selector of the article's body
    #[arg(long, value_name = "SELECTOR")]
    body: Vec<String>,
    /// CSS selector of elements to drop anywhere
    #[arg(long, value_name = "SELECTOR")]
    drop: Vec<String>,
    /// CSS selector of the headline
    #[arg(long, value_name = "SELECTOR")]
    title: Vec<String>,
    /// CSS selector of the authors
    #[arg(long, value_name = "SELECTOR")]
    author: Vec<String>,
    /// CSS selector of the date
    #[arg(long, value_name = "SELECTOR")]
    date: Vec<String>,
    /// Regular expression for paragraphs to keep, whatever other rules decide
    #[arg(long, value_name = "PATTERN")]
    keep_text: Vec<String>,
    /// Regular expression for paragraphs to drop
    #[arg(long, value_name = "PATTERN")]
    drop_text: Vec<String>,
    /// Pages that were fetched on this day (UTC) or at this time, or later
    #[arg(long, value_name = "DATE", value_parser = moment)]
    since: Option<Timestamp>,
    /// Maximum number of pages whose changes are shown; all are counted
    #[arg(long, value_name = "N", default_value = "10")]
    show: usize,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let Command::Try(trial) = &args.command;
    let config = global.start()?;
    let tried = trial.with_rules_of(&config);
    // Report errors in the rules before any page is read.
    let sites = config.sites.iter().filter(|site| !is_of(site, &trial.host)).chain([&tried]);
    let others = Arc::new(Rules::new(&sites.cloned().collect::<Vec<_>>())?);
    let counts = Arc::new(Counts::default());
    let mut seen = Seen { to_show: trial.show, ..Seen::default() };
    block_on(try_rules(config, trial, &others, &counts, &mut seen))?;
    let mut out = terminal::stdout();
    seen.write(&mut out)?;
    let [pages, changed, failed] = [&counts.pages, &counts.changed, &counts.failed].map(get);
    writeln!(
        out,
        "{pages} pages, {changed} would change: {} words added, {} removed; {failed} failed",
        seen.words_come, seen.words_gone
    )?;
    if pages == 0 {
        eprintln!("no pages of {} are kept; hint: articles.raw = \"keep\" keeps future pages", trial.host);
    } else {
        write!(out, "\n{}", table_of(&tried))?;
    }
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::from(DONE_IN_PART) })
}

async fn try_rules(
    config: Config,
    trial: &Trial,
    others: &Arc<Rules>,
    counts: &Arc<Counts>,
    seen: &mut Seen,
) -> anyhow::Result<()> {
    let reextraction = reextraction(config).await?;
    let selection = RawSelection { feed: None, host: Some(trial.host.clone()), since: trial.since };
    let shown = {
        let counts = Arc::clone(counts);
        progress::show(move || format!("{} pages, {} would change", get(&counts.pages), get(&counts.changed)))
    };
    let done = reextraction.compare(&selection, others, counts, |comparison| seen.note(&comparison)).await;
    drop(shown);
    Ok(done?)
}

impl Trial {
    /// Returns the rules on trial, followed by the site's existing ones.
    fn with_rules_of(&self, config: &Config) -> SiteRules {
        let Self { host, body, drop, title, author, date, keep_text, drop_text, .. } = self;
        // The last one takes effect.
        let known = config.sites.iter().rfind(|site| is_of(site, host)).cloned().unwrap_or_default();
        let joined = |tried: &[String], known: Vec<String>| {
            let mut all = tried.to_vec();
            all.extend(known.into_iter().filter(|one| !tried.contains(one)));
            all
        };
        SiteRules {
            host: host.to_ascii_lowercase(),
            body: joined(body, known.body),
            drop: joined(drop, known.drop),
            title: joined(title, known.title),
            author: joined(author, known.author),
            date: joined(date, known.date),
            keep_text: joined(keep_text, known.keep_text),
            drop_text: joined(drop_text, known.drop_text),
        }
    }
}

fn is_of(site: &SiteRules, host: &str) -> bool {
    site.host.eq_ignore_ascii_case(host)
}

/// Results from the compared pages.
#[derive(Debug, Default)]
struct Seen {
    to_show: usize,
    /// The changes of the first changed pages.
    lines: Vec<String>,
    words_come: u64,
    words_gone: u64,
    /// Number of pages on which each of the site's rules matches, and number of pages checked.
    matches: BTreeMap<String, (u64, u64)>,
}

impl Seen {
    fn note(&mut self, comparison: &Comparison) {
        let Comparison { url, before, after } = comparison;
        for used in &after.selectors {
            let (matches, pages) = self.matches.entry(used.name.clone()).or_default();
            *matches += u64::from(used.matches);
            *pages += 1;
        }
        self.words_come += u64::from(after.word_count.saturating_sub(before.word_count));
        self.words_gone += u64::from(before.word_count.saturating_sub(after.word_count));
        if comparison.is_same() || self.to_show == 0 {
            return;
        }
        self.to_show -= 1;
        let colour = console::colors_enabled();
        self.lines.push(format!("{url}  {} words before, {} after", before.word_count, after.word_count));
        for (name, value) in FIELDS {
            let changes = diff::changes(&value(&before.metadata), &value(&after.metadata), colour);
            self.lines.extend(changes.into_iter().map(|line| format!("  {name}: {line}")));
        }
        let changes = diff::changes(&before.text, &after.text, colour);
        self.lines.extend(changes.into_iter().map(|line| format!("  {line}")));
        self.lines.push(String::new());
    }

    fn write(&self, out: &mut impl Write) -> std::io::Result<()> {
        for line in &self.lines {
            writeln!(out, "{}", line.replace('\r', " "))?;
        }
        for (name, (matches, pages)) in &self.matches {
            writeln!(out, "{name} matches on {matches} of {pages} pages")?;
        }
        Ok(())
    }
}

/// A field that rules can change, and a function that returns it as text.
type Field = (&'static str, fn(&Metadata) -> String);

const FIELDS: [Field; 3] = [
    ("title", |metadata| metadata.title.clone().unwrap_or_default()),
    ("authors", |metadata| metadata.authors.join(", ")),
    ("date", |metadata| metadata.published_at.map(|at| at.to_string()).unwrap_or_default()),
];

/// Returns the table to save, without empty lists.
fn table_of(rules: &SiteRules) -> String {
    let SiteRules { host, body, drop, title, author, date, keep_text, drop_text } = rules;
    let lists = [
        ("body", body),
        ("drop", drop),
        ("title", title),
        ("author", author),
        ("date", date),
        ("keep_text", keep_text),
        ("drop_text", drop_text),
    ];
    let mut table = format!("[[site]]\nhost = {}\n", Value::from(host.as_str()));
    for (key, list) in lists.into_iter().filter(|(_, list)| !list.is_empty()) {
        writeln!(table, "{key} = {}", Value::from(list.clone())).expect("a String takes everything");
    }
    table
}
