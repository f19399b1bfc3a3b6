//! The whole program: `feedmill once` on a store with ten thousand due feeds, compared with a process that makes the same requests
//! with the bare client and ignores the answers. Both are child processes, and so is the server, so that wall time, CPU time and
//! memory are measured separately.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use futures_util::StreamExt as _;
use futures_util::stream;
use sqlx::{Connection as _, Executor as _};

use super::{AT_ONCE, FEEDS, bare, median, millis};

const ROUNDS: usize = 5;
/// Linux counts CPU time in hundredths of a second.
const TICK: Duration = Duration::from_millis(10);

/// The cost of one child process.
#[derive(Clone, Copy)]
struct Cost {
    wall: Duration,
    processor: Duration,
    peak_mib: f64,
}

/// Runs the part of a child process if the arguments name one; returns whether they did.
pub(crate) fn play_part(arguments: &[String]) -> bool {
    let runtime = || tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    match arguments {
        [part, feeds] if part == "bare" => runtime().block_on(ask_all(feeds)),
        [part] if part == "serve" => {
            println!("{}", super::serve(std::collections::HashMap::default()));
            loop {
                std::thread::park();
            }
        }
        _ => return false,
    }
    true
}

async fn ask_all(feeds: &str) {
    let client = bare();
    stream::iter(0..FEEDS)
        .for_each_concurrent(AT_ONCE, async |number| {
            let request = client.get(format!("{feeds}{number}"));
            let mut response = request.header("if-none-match", "\"1\"").send().await.unwrap();
            while response.chunk().await.unwrap().is_some() {}
        })
        .await;
}

/// The server process; killed on drop.
struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

pub(crate) fn compare() {
    let mut serve = Command::new(std::env::current_exe().unwrap());
    let mut server = Server(serve.arg("serve").stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap());
    let mut address = String::new();
    BufReader::new(server.0.stdout.take().unwrap()).read_line(&mut address).unwrap();
    for (kind, news) in [("quiet", "another body, but no entry"), ("news", "a new entry")] {
        println!(
            "{FEEDS} feeds polled once through; nine in ten are not modified, one has {news}; median of {ROUNDS} rounds:"
        );
        compare_over(&format!("http://{}/{kind}/", address.trim()));
    }
}

fn compare_over(feeds: &str) {
    let dir = tempfile::tempdir().unwrap();
    prepare(dir.path(), feeds);
    measure(&mut once(dir.path()));
    let (mut bare, mut mill) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        make_due(dir.path());
        bare.push(measure(Command::new(std::env::current_exe().unwrap()).args(["bare", feeds])));
        mill.push(measure(&mut once(dir.path())));
    }
    report("bare client", &bare);
    report("feedmill once", &mill);
    let ratio =
        |cost: fn(&Cost) -> Duration| middle(&mill, cost).as_secs_f64() / middle(&bare, cost).as_secs_f64();
    println!(
        "  ratio          {:7.2} wall  {:7.2} processor",
        ratio(|cost| cost.wall),
        ratio(|cost| cost.processor)
    );
}

fn report(name: &str, costs: &[Cost]) {
    let peak = costs.iter().map(|cost| cost.peak_mib).fold(0.0, f64::max);
    let (wall, processor) = (middle(costs, |cost| cost.wall), middle(costs, |cost| cost.processor));
    println!(
        "  {name:13}  {:7.0} ms wall  {:7.0} ms processor  {peak:6.1} MiB at most",
        millis(wall),
        millis(processor)
    );
}

fn middle(costs: &[Cost], cost: fn(&Cost) -> Duration) -> Duration {
    median(costs.iter().map(cost).collect())
}

/// Writes a configuration that allows as many concurrent requests to one host as the bare client makes.
fn prepare(dir: &Path, feeds: &str) {
    let list: String = (0..FEEDS).map(|number| format!("{feeds}{number}\n")).collect();
    std::fs::write(dir.join("feeds.txt"), list).unwrap();
    let config = format!(
        "include = [\"feeds.txt\"]\n[database]\nurl = \"sqlite:{}\"\n[fetch]\nallow = [\"127.0.0.0/8\"]\n\
         host_concurrency = {AT_ONCE}\nhost_min_gap_ms = 0\n[schedule]\ninitial_spread_secs = 0\n\
         [pipeline]\nfeed_concurrency = {AT_ONCE}\n[log]\nfilter = \"warn\"\n",
        dir.join("feedmill.db").display()
    );
    std::fs::write(dir.join("feedmill.toml"), config).unwrap();
}

fn once(dir: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    command.arg("--config").arg(dir.join("feedmill.toml")).arg("once");
    command
}

/// Makes every feed due, directly in the database.
fn make_due(dir: &Path) {
    sqlx::any::install_default_drivers();
    let url = format!("sqlite:{}", dir.join("feedmill.db").display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut connection = sqlx::AnyConnection::connect(&url).await.unwrap();
        connection.execute("UPDATE feeds SET next_poll_at = 0").await.unwrap();
        connection.close().await.unwrap();
    });
}

fn measure(command: &mut Command) -> Cost {
    let before = processor_of_children();
    let began = Instant::now();
    let mut child = command.stdin(Stdio::null()).spawn().unwrap();
    let peak_mib = watched(&mut child);
    let wall = began.elapsed();
    Cost { wall, processor: processor_of_children().saturating_sub(before), peak_mib }
}

/// Waits for the child; returns its highest observed peak memory in MiB.
fn watched(child: &mut Child) -> f64 {
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0.0;
    loop {
        if let Some(status) = child.try_wait().unwrap() {
            assert!(status.success(), "{status}");
            return peak;
        }
        peak = super::peak_in(&std::fs::read_to_string(&status).unwrap_or_default()).unwrap_or(peak);
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Returns the CPU time, user and system, of ended children.
fn processor_of_children() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u32 =
        fields.split_whitespace().skip(13).take(2).map(|field| field.parse::<u32>().unwrap()).sum();
    TICK * ticks
}
