//! `feedmill health`: a health check for containers and scripts without another HTTP client.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, bail};
use url::Url;

use super::{Global, terminal};
use crate::fetch::Reporter;

/// Timeout of the request.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Arguments of `health`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Also check whether it has feeds and can store (`/readyz`), not only whether it responds (`/healthz`)
    #[arg(long)]
    ready: bool,
}

pub(crate) fn run(args: &Args, global: &Global) -> anyhow::Result<ExitCode> {
    let config = global.start()?;
    // The listener of metrics, if there is one: its places are not taken by readers.
    let Some(address) = config.http.metrics_listen.or(config.http.listen) else {
        bail!("the daemon has no HTTP listener; hint: set [http] listen");
    };
    let path = if args.ready { "readyz" } else { "healthz" };
    let url: Url =
        format!("http://{}/{path}", reached_at(address)).parse().context("an address makes a URL")?;
    let (status, body) = Reporter::new(TIMEOUT)?.get(&url).with_context(|| {
        format!("no daemon answers at {url}; hint: is it running, with this configuration?")
    })?;
    writeln!(terminal::stdout(), "{}", terminal::visible(String::from_utf8_lossy(&body).trim_end()))?;
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Returns the address to connect to: loopback if the daemon listens on all interfaces.
fn reached_at(listen: SocketAddr) -> SocketAddr {
    let here: IpAddr = if listen.is_ipv4() { Ipv4Addr::LOCALHOST.into() } else { Ipv6Addr::LOCALHOST.into() };
    SocketAddr::new(if listen.ip().is_unspecified() { here } else { listen.ip() }, listen.port())
}
