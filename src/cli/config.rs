use std::io::Write;
use std::process::ExitCode;

use super::{Global, terminal};
use crate::config::{DEFAULT_FILE, reference};

/// Arguments of `config`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Read the configuration and all included files, and report all problems
    Check,
    /// Print the effective configuration as TOML: defaults, file, included feeds and environment; secrets hidden
    Show,
    /// Print the commented default file
    Default,
    /// Print the lines of site files (`extract.site_files_dir`) that could not be interpreted, and why
    SiteFiles,
    /// Print the reference of all settings, docs/configuration.md
    Reference,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let mut out = terminal::stdout();
    match args.command {
        Command::Default => out.write_all(DEFAULT_FILE.as_bytes())?,
        Command::SiteFiles => {
            for remark in &global.load()?.site_remarks {
                writeln!(out, "{remark}")?;
            }
        }
        Command::Reference => out.write_all(reference().as_bytes())?,
        Command::Show => out.write_all(global.load()?.to_toml().as_bytes())?,
        Command::Check => {
            let loaded = global.load()?;
            for warning in &loaded.warnings {
                eprintln!("warning: {warning}");
            }
            let file = loaded.file.as_ref().map_or("the defaults".into(), |file| file.to_string_lossy());
            writeln!(
                out,
                "ok: {file}: {} feeds, {} disabled, {} sites, {} warnings",
                loaded.config.feeds.len(),
                loaded.origins.disabled(),
                loaded.config.sites.len(),
                loaded.warnings.len()
            )?;
        }
    }
    Ok(ExitCode::SUCCESS)
}
