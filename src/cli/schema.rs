//! `feedmill schema`: prints the JSON Schema of a record or its documentation.

use std::io::Write;
use std::process::ExitCode;

use super::terminal;
use crate::model::schema;

/// Arguments of `schema`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Print the documentation, docs/record.md, instead of the JSON Schema
    #[arg(long)]
    markdown: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<ExitCode> {
    let mut out = terminal::stdout();
    if args.markdown {
        write!(out, "{}", schema::reference())?;
    } else {
        serde_json::to_writer_pretty(&mut out, &schema::json_schema())?;
        writeln!(out)?;
    }
    Ok(ExitCode::SUCCESS)
}
