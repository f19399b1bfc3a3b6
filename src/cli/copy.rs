//! `feedmill copy`: a whole store from one place into another.

use std::process::ExitCode;

use anyhow::Context as _;

use super::{Global, block_on, table, terminal};
use crate::clock::Clock;
use crate::model::SecretText;
use crate::store::{Settings, Store, TableDigest};

/// Arguments of `copy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store: `sqlite:PATH` or `postgres://USER@HOST/NAME` [default: `database.url`]. Passwords may stand in ~/.pgpass
    /// or PGPASSWORD instead
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The empty place that it is copied to, or one where a copy of it was begun and did not end
    #[arg(long, value_name = "URL")]
    to: String,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    let at = |url: &str| anyhow::Ok(Settings { url: absolute(url)?, ..config.database.clone() });
    let from = args.from.as_deref().map_or_else(|| Ok(config.database.clone()), at)?;
    let to = at(&args.to)?;
    let digests = block_on(async {
        let checked = |digest: &TableDigest| {
            tracing::info!(table = digest.table, rows = digest.rows, "the same on both sides");
        };
        Ok(Store::copy(&from, &to, &Clock::system(), checked).await?)
    })?;
    let mut shown = table::new(["table", "rows", "sha256"]);
    for digest in &digests {
        shown.add_row([digest.table.clone(), digest.rows.to_string(), digest.sha256.to_string()]);
    }
    let mut out = terminal::stdout();
    writeln!(out, "{shown}")?;
    let rows: u64 = digests.iter().map(|digest| digest.rows).sum();
    writeln!(
        out,
        "{}: {} tables, {rows} rows, the same as in {}",
        Store::place(&to)?,
        digests.len(),
        Store::place(&from)?
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Paths start where the command is called.
fn absolute(url: &str) -> anyhow::Result<SecretText> {
    let Some(path) = url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) else {
        return Ok(SecretText::from(url));
    };
    let path = std::path::absolute(path).context("cannot tell where the file is")?;
    Ok(SecretText::from(format!("sqlite:{}", path.display())))
}
