//! `feedmill copy`: copies the whole store to another place.

use std::process::ExitCode;

use anyhow::Context as _;

use super::{Global, block_on, table, terminal};
use crate::clock::Clock;
use crate::model::SecretText;
use crate::store::{Settings, Store, TableDigest};

/// Arguments of `copy`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The store to copy: `sqlite:PATH` or `postgres://USER@HOST/NAME` [default: `database.url`]. Passwords may be in ~/.pgpass
    /// or PGPASSWORD instead
    #[arg(long, value_name = "URL")]
    from: Option<String>,
    /// The destination: empty, or with an unfinished copy of the same store
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
            tracing::info!(table = digest.table, rows = digest.rows, "table is identical in both stores");
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
        "{}: {} tables, {rows} rows, identical to {}",
        Store::place(&to)?,
        digests.len(),
        Store::place(&from)?
    )?;
    Ok(ExitCode::SUCCESS)
}

/// Makes a path absolute, relative to the working directory.
fn absolute(url: &str) -> anyhow::Result<SecretText> {
    let Some(path) = url.strip_prefix("sqlite:").map(|path| path.strip_prefix("//").unwrap_or(path)) else {
        return Ok(SecretText::from(url));
    };
    let path = std::path::absolute(path).context("cannot resolve the path of the store")?;
    Ok(SecretText::from(format!("sqlite:{}", path.display())))
}
