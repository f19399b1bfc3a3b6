//! `feedmill extract`: prints the clean text of one page, or of many from JSON lines.

use std::io::{self, BufWriter, IsTerminal as _, Read, Write};
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, bail};
use http::HeaderMap;
use url::Url;

use super::{DONE_IN_PART, Global, block_on, progress, terminal};
use crate::clock::Clock;
use crate::config::Config;
use crate::extract::{Evidence, Rules, extract};
use crate::fetch::{Content, Fetcher, Purpose, Request, RequestOptions, decode_page, page_body};
use crate::impostor::{self, Impostor};
use crate::model::{EntryEvidence, Page, PageBody, Validators, masked};

mod batch;
mod output;

const BATCH_HELP: &str = "Read pages as JSON lines {\"id\", \"url\", \"html\" or \"text\", \"entry\"} from the input and print a \
JSON line for each, in the same order";

/// Arguments of `extract`.
#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of the command line")]
pub(crate) struct Args {
    /// A page: a file, an http or https URL, or `-` for standard input. A file that ends in .txt holds plain text
    #[arg(value_name = "FILE|URL", required_unless_present = "batch")]
    input: Option<String>,
    /// The URL of a page from a file: links resolve against it, and its host selects the site rules
    #[arg(long, value_name = "URL", conflicts_with = "batch")]
    url: Option<Url>,
    /// Print the record's fields as JSON
    #[arg(long, conflicts_with = "batch")]
    json: bool,
    /// Print every block, kept (+) or dropped (-), with the rule that decided; coloured on a terminal, unless `NO_COLOR` is set
    #[arg(long, conflicts_with_all = ["json", "batch"])]
    explain: bool,
    #[arg(long, help = BATCH_HELP)]
    batch: bool,
    /// Number of threads [default: one per core]
    #[arg(long, value_name = "N", requires = "batch")]
    jobs: Option<NonZeroUsize>,
    /// Read the input twice: first learn which blocks recur on the pages of each host, then leave them out
    #[arg(long, requires = "batch")]
    learn: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let rules = Rules::new(&config.sites)?;
    let fetched_at = Clock::system().now();
    let mut out = BufWriter::new(terminal::stdout());
    if args.batch {
        let jobs = match args.jobs {
            Some(jobs) => jobs,
            None => {
                std::thread::available_parallelism().context("cannot count the cores; hint: give --jobs")?
            }
        };
        let counts = Arc::new(batch::Counts::default());
        let batch = batch::Batch { rules: &rules, dedup: &config.dedup, fetched_at, jobs, counts: &counts };
        let file = args.input.as_deref().filter(|path| *path != "-").map(Path::new);
        // On a terminal, the records themselves show the progress.
        let shown = (!io::stdout().is_terminal()).then(|| {
            let counts = Arc::clone(&counts);
            progress::show(move || counts.to_string())
        });
        let done = if args.learn { batch.learn_and_run(file, &mut out) } else { batch.run(file, &mut out) };
        drop(shown);
        done?;
        out.flush().context("cannot write to standard output")?;
        let (answered, failed) = (counts.answered(), counts.failed());
        if failed > 0 {
            tracing::warn!(answered, failed, "some lines have no article: their output says why");
            return Ok(ExitCode::from(DONE_IN_PART));
        }
        tracing::info!(answered, "extracted");
        return Ok(ExitCode::SUCCESS);
    }
    let input = args.input.as_deref().expect("clap requires it without --batch");
    let (page, headers) = match Url::parse(input) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => fetch_page(&url, &config)?,
        _ => (read_page(input, args.url.clone(), fetched_at)?, HeaderMap::new()),
    };
    if let Some(impostor) = impostor_of(&page, &headers, &EntryEvidence::default()) {
        bail!("{input}: {impostor}");
    }
    let article = extract(&page, &Evidence::default(), &rules);
    if args.explain {
        output::write_account(&article, &mut out, console::colors_enabled())?;
    } else if args.json {
        let fields = output::Fields::new(&article, &page.url, &config.dedup);
        serde_json::to_writer_pretty(&mut out, &fields).context("cannot write to standard output")?;
        writeln!(out)?;
    } else {
        output::write_text(&article, &mut out)?;
    }
    out.flush().context("cannot write to standard output")?;
    Ok(ExitCode::SUCCESS)
}

/// Returns what the page is instead of the one that `entry` announces, if it is not that page.
fn impostor_of(page: &Page, headers: &HeaderMap, entry: &EntryEvidence) -> Option<Impostor> {
    let PageBody::Html(html) = &page.body else { return None };
    impostor::judge(&impostor::Answer { asked: &page.url, final_url: &page.final_url, headers, html }, entry)
}

/// Fetches a page; also returns the response headers.
fn fetch_page(url: &Url, config: &Config) -> anyhow::Result<(Page, HeaderMap)> {
    let clock = Clock::system();
    let fetcher = Fetcher::new(config.fetch.clone(), clock.clone())?;
    let (validators, options) = (Validators::default(), RequestOptions::default());
    let request = Request { purpose: Purpose::Page, url, validators: &validators, options: &options };
    let response = block_on(async {
        fetcher.fetch(&request).await.with_context(|| format!("cannot fetch {}", masked(url)))
    })?;
    let Content::Body(body) = response.content else { bail!("{}: no content", masked(url)) };
    let page = Page {
        url: url.clone(),
        final_url: response.final_url,
        body: page_body(&body, response.content_type.as_deref()),
        fetched_at: clock.now(),
    };
    Ok((page, response.headers))
}

fn read_page(input: &str, url: Option<Url>, fetched_at: jiff::Timestamp) -> anyhow::Result<Page> {
    let path = if input == "-" { PathBuf::from("/dev/stdin") } else { std::path::absolute(input)? };
    let mut bytes = Vec::new();
    if input == "-" {
        io::stdin().lock().read_to_end(&mut bytes).context("cannot read standard input")?;
    } else {
        bytes = std::fs::read(&path).with_context(|| format!("cannot read {input}"))?;
    }
    let text = decode_page(&bytes, None);
    let plain = path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("txt"));
    let url = match url {
        Some(url) => url,
        None => Url::from_file_path(&path).ok().with_context(|| format!("{input} is not a path"))?,
    };
    Ok(Page {
        final_url: url.clone(),
        url,
        body: if plain { PageBody::Text(text) } else { PageBody::Html(text) },
        fetched_at,
    })
}
