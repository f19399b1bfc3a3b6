//! `feedmill articles`: lists, shows and compares stored articles.

use std::io::{self, Write};
use std::num::NonZeroU32;
use std::process::ExitCode;

use anyhow::{Context, bail};
use serde::Serialize;
use url::Url;

use super::{Global, block_on, table, terminal};
use crate::clock::Clock;
use crate::model::{ArticleId, Sha256Hash};
use crate::store::{ArticleStatus, Listing, Revision, Store};

pub(super) mod diff;

/// Minimum number of digits to select an article by its id, and the number that lists show.
const LEAST_DIGITS: usize = 8;
const SHOWN_DIGITS: usize = 16;

/// Arguments of `articles`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

const ID_HELP: &str = "The id, its first 8 or more digits, or the URL of the article";

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// List the latest articles, newest first
    List {
        /// Maximum number of articles
        #[arg(long, value_name = "N", default_value = "20")]
        limit: NonZeroU32,
        /// Only those with more than one revision
        #[arg(long)]
        revised: bool,
        /// Print one JSON object per line instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Show one article with its revisions and its text
    Show {
        #[arg(help = ID_HELP)]
        id: String,
        /// Print a JSON object
        #[arg(long)]
        json: bool,
    },
    /// Show what changed from one revision to another, by word
    Diff {
        #[arg(help = ID_HELP)]
        id: String,
        /// The earlier revision [default: the one before the later one]
        #[arg(long, value_name = "N")]
        from: Option<u32>,
        /// The later revision [default: the current one]
        #[arg(long, value_name = "M")]
        to: Option<u32>,
    },
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let mut out = terminal::stdout();
    match &args.command {
        Command::List { limit, revised, json } => {
            let listing = if *revised { Listing::Revised } else { Listing::All };
            let articles = block_on(async {
                let store = Store::visit(&config.database, Clock::system()).await?;
                Ok(store.articles_list(listing, limit.get()).await?)
            })?;
            if *json {
                articles.iter().try_for_each(|article| write_json(&mut out, article))?;
            } else {
                writeln!(out, "{}", articles_table(&articles))?;
            }
        }
        Command::Show { id, json } => {
            let article =
                block_on(async { found(&Store::visit(&config.database, Clock::system()).await?, id).await })?;
            if *json {
                write_json(&mut out, &article)?;
            } else {
                write_article(&mut out, &article)?;
            }
        }
        Command::Diff { id, from, to } => {
            let article =
                block_on(async { found(&Store::visit(&config.database, Clock::system()).await?, id).await })?;
            let to = to.unwrap_or(article.status.revision);
            let from = match from {
                Some(from) => *from,
                None if to > 1 => to - 1,
                None => bail!("revision 1 is the first text: there is no earlier one"),
            };
            let (from, to) = (article.revision(from)?, article.revision(to)?);
            diff::write(&mut out, from, to, console::colors_enabled())?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// An article with all its revisions.
#[derive(Serialize)]
struct Found {
    #[serde(flatten)]
    status: ArticleStatus,
    revisions: Vec<Revision>,
}

impl Found {
    fn revision(&self, number: u32) -> anyhow::Result<&Revision> {
        self.revisions.iter().find(|revision| revision.revision == number).with_context(|| {
            format!("no revision {number}; hint: this article has 1 to {}", self.status.revision)
        })
    }
}

/// Returns the article that `named` refers to.
async fn found(store: &Store, named: &str) -> anyhow::Result<Found> {
    let (first, last) = ids(named)?;
    let mut articles = store.articles_between(first, last).await?;
    let status = match (articles.pop(), articles.pop()) {
        (Some(_), Some(_)) => bail!("{named}: several articles match; hint: give more digits"),
        (Some(status), None) => status,
        (None, _) => bail!("{named}: no such article; hint: `feedmill articles list` shows the latest"),
    };
    let revisions = store.article_revisions(status.id).await?;
    Ok(Found { status, revisions })
}

/// Returns the first and the last id that `named` may refer to.
fn ids(named: &str) -> anyhow::Result<(ArticleId, ArticleId)> {
    if named.contains(':') {
        let url = Url::parse(named).with_context(|| format!("{named}: not a URL"))?;
        let id = ArticleId::of_url(&url);
        return Ok((id, id));
    }
    let whole = |filler: &str| {
        let missing = 64_usize.checked_sub(named.len())?;
        let digits = format!("{named}{}", filler.repeat(missing));
        digits.parse::<Sha256Hash>().ok().map(ArticleId)
    };
    match (whole("0"), whole("f")) {
        (Some(first), Some(last)) if named.len() >= LEAST_DIGITS => Ok((first, last)),
        _ => bail!("{named}: not an id: {LEAST_DIGITS} to 64 hex digits, or the article's URL"),
    }
}

fn articles_table(articles: &[ArticleStatus]) -> comfy_table::Table {
    let mut table = table::new(["id", "rev", "stored", "copy of", "title"]);
    for article in articles {
        let short = |id: &ArticleId| id.to_string()[..SHOWN_DIGITS].to_owned();
        let mut title = article.title.clone().unwrap_or_else(|| article.url.to_string());
        if article.withdrawn_at.is_some() {
            title.insert_str(0, "(withdrawn) ");
        }
        table.add_row([
            short(&article.id),
            article.revision.to_string(),
            article.stored_at.strftime("%F %T").to_string(),
            article.duplicate_of.as_ref().map(short).unwrap_or_default(),
            title,
        ]);
    }
    table
}

fn write_article(out: &mut impl Write, article: &Found) -> io::Result<()> {
    let Found { status, revisions } = article;
    writeln!(out, "id         {}", status.id)?;
    writeln!(out, "url        {}", status.url)?;
    if let (Some(of), Some(kind)) = (status.duplicate_of, status.duplicate_kind) {
        writeln!(out, "copy of    {of} ({})", kind.as_str())?;
    }
    writeln!(out, "cluster    {}", status.cluster_id)?;
    if let Some(moment) = status.withdrawn_at {
        writeln!(out, "withdrawn  {moment}")?;
    }
    for revision in revisions {
        let Revision { revision, fetched_at, word_count, extractor_version, quality_flags, .. } = revision;
        let flags = quality_flags.iter().map(|flag| flag.as_str()).collect::<Vec<_>>().join(", ");
        writeln!(
            out,
            "revision   {revision}, fetched {fetched_at}, {word_count} words, extractor {extractor_version}, flags {}",
            if flags.is_empty() { "none" } else { &flags }
        )?;
    }
    let Some(current) = revisions.last() else { return Ok(()) };
    writeln!(out, "\n{}\n\n{}", current.title.as_deref().unwrap_or_default(), current.text)
}

fn write_json(out: &mut impl Write, value: &impl Serialize) -> anyhow::Result<()> {
    serde_json::to_writer(&mut *out, value)?;
    writeln!(out)?;
    Ok(())
}
