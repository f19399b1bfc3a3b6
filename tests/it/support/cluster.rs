//! Several processes of the program on one database and one set of hosts; some join, stop or are killed on the way. Shared by
//! small tests and a large benchmark.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use feedmill::clock::Clock;
use jiff::Timestamp;
use sqlx::{AnyConnection, Connection as _};

use super::hosts::{Hosts, Manners, Seen};
use super::names::NameServer;

/// The parameters of a round.
pub(crate) struct Round {
    pub(crate) processes: usize,
    pub(crate) feeds: usize,
    pub(crate) hosts: usize,
    /// What happens to the processes, one change each time `change_after_feeds` more feeds have been requested.
    pub(crate) changes: &'static [Change],
    pub(crate) change_after_feeds: usize,
    pub(crate) gap: Duration,
    pub(crate) manners: Manners,
    /// Time limit of the round.
    pub(crate) patience: Duration,
    pub(crate) page: fn(usize) -> String,
}

/// A change among the processes while others work.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// One more starts.
    Join,
    /// The one that works on most hosts is told to stop: a new one would leave nothing to take over.
    Stop,
    /// The one that works on most hosts is killed.
    Kill,
}

/// The results of a round.
pub(crate) struct Outcome {
    pub(crate) seen: Seen,
    pub(crate) took: Duration,
    /// For each kill, the times after which the hosts of the killed process were requested again.
    pub(crate) taken_over: Vec<Vec<Duration>>,
    /// For each kill that another process has noticed, the time until that process had ended the claims of the killed one.
    pub(crate) noticed: Vec<Duration>,
    /// For each process told to stop, the times after which its hosts were requested by others.
    pub(crate) handed_over: Vec<Vec<Duration>>,
    /// Feeds and entries that processes report to have taken over from dead ones.
    pub(crate) claimed_anew: (usize, usize),
    /// How many requests each process has made, in the order of their start.
    pub(crate) requests: Vec<usize>,
    /// CPU time of the processes that were there at the end.
    pub(crate) processor: Duration,
    pub(crate) texts: Texts,
}

/// The text files written by the sink, into the folder of whichever process ran it.
///
/// A file is named by the position of its record and the hash of its text. So a process that delivers a record again overwrites its
/// own file, and another process writes a second file of the same name.
pub(crate) struct Texts {
    /// Files in all folders.
    pub(crate) files: usize,
    /// Distinct names among them: records.
    pub(crate) records: usize,
    /// Distinct hashes among them: texts.
    pub(crate) distinct: usize,
    /// Files of processes that were not killed, in excess of one for each record.
    pub(crate) repeated_by_living: usize,
}

impl Texts {
    /// Reads the folders of the processes that were killed, and those of the others.
    fn read(of_killed: &[PathBuf], of_living: &[PathBuf]) -> Self {
        let mut names = texts_in(of_living);
        let of_living = names.len();
        let distinct_of_living = names.iter().collect::<HashSet<_>>().len();
        names.extend(texts_in(of_killed));
        let hashes = names.iter().map(|name| name.split_once('_').unwrap().1);
        Self {
            files: names.len(),
            records: names.iter().collect::<HashSet<_>>().len(),
            distinct: hashes.collect::<HashSet<_>>().len(),
            repeated_by_living: of_living - distinct_of_living,
        }
    }
}

struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Drop for Process {
    fn drop(&mut self) {
        // The process may have ended already.
        self.child.kill().unwrap_or_default();
        self.child.wait().unwrap();
    }
}

impl Process {
    /// Tells it to stop softly.
    fn stop(&self) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    }

    /// Waits for its end, which must be a good one.
    fn ended(&mut self) {
        let status = self.child.wait().unwrap();
        let log = std::fs::read_to_string(&self.log).unwrap();
        assert!(status.success(), "{}: {status}\n{log}", self.name);
    }
}

/// A process that was killed.
struct Killed {
    name: String,
    pid: u32,
    at: Instant,
    /// The same moment on the clock of the logs.
    logged_at: Timestamp,
}

/// What a process has logged after it ended the claims of dead ones.
struct Notice {
    at: Timestamp,
    /// The process ids of the dead.
    pids: Vec<u32>,
    feeds: usize,
    entries: usize,
}

impl Notice {
    /// Reads a line of a log; `None` if it says something else.
    fn parse(line: &str) -> Option<Self> {
        line.contains("processes are dead").then_some(())?;
        let names = after(line, " processes=\"").split('"').next().unwrap();
        Some(Self {
            at: line.split(' ').next().unwrap().parse().unwrap(),
            pids: names.split(", ").map(|name| name.rsplit(':').next().unwrap().parse().unwrap()).collect(),
            feeds: number_in(line, " feeds="),
            entries: number_in(line, " entries="),
        })
    }
}

/// Returns the name by which the hosts know a process.
fn name_of(number: usize) -> String {
    format!("https://p{number}.example/")
}

impl Round {
    /// Runs the round on an empty database.
    pub(crate) async fn play(&self, database: &str, program: &Path) -> Outcome {
        let folder = tempfile::tempdir().unwrap();
        let hosts = Hosts::start(self.feeds, self.hosts, (self.gap, self.manners), self.page).await;
        let names = NameServer::start().await;
        std::fs::write(folder.path().join("feeds.txt"), hosts.feed_list()).unwrap();
        let began = Instant::now();
        let mut processes: Vec<Process> = (0..self.processes)
            .map(|number| self.start(number, (database, program), folder.path(), &hosts, &names))
            .collect();
        let (mut killed, mut stopped, mut started) = (Vec::new(), Vec::new(), self.processes);
        for (number, change) in (1..).zip(self.changes) {
            self.within(began, hosts.polled(number * self.change_after_feeds), &processes).await;
            if *change == Change::Join {
                processes.push(self.start(started, (database, program), folder.path(), &hosts, &names));
                started += 1;
                continue;
            }
            let seen = hosts.seen();
            let busiest = (0..processes.len()).max_by_key(|at| seen.hosts_of(&processes[*at].name));
            let mut leaving = processes.remove(busiest.unwrap());
            if *change == Change::Stop {
                stopped.push((leaving.name.clone(), Instant::now()));
                leaving.stop();
                leaving.ended();
            } else {
                leaving.child.kill().unwrap();
                leaving.child.wait().unwrap();
                let (name, pid) = (leaving.name.clone(), leaving.child.id());
                killed.push(Killed { name, pid, at: Instant::now(), logged_at: Clock::system().now() });
            }
        }
        self.within(began, hosts.polled(self.feeds), &processes).await;
        self.within(began, self.recorded(database), &processes).await;
        let took = began.elapsed();
        let processor = processes.iter().map(|process| processor_time(process.child.id())).sum();
        processes.iter().for_each(Process::stop);
        processes.iter_mut().for_each(Process::ended);
        // A killed process may itself have taken over claims before.
        let logs = (0..started).map(|number| folder.path().join(format!("p{number}.log")));
        let logs: String = logs.map(|log| std::fs::read_to_string(log).unwrap()).collect();
        let reports: Vec<Notice> = logs.lines().filter_map(Notice::parse).collect();
        let claimed_anew: (usize, usize) = (
            reports.iter().map(|notice| notice.feeds).sum(),
            reports.iter().map(|notice| notice.entries).sum(),
        );
        let noticed = killed.iter().filter_map(|killed| {
            let notice = reports.iter().find(|notice| notice.pids.contains(&killed.pid))?;
            Some(notice.at.duration_since(killed.logged_at).unsigned_abs())
        });
        let noticed = noticed.collect();
        let seen = hosts.seen();
        let taken_over = killed.iter().map(|killed| seen.taken_over_after(&killed.name, killed.at)).collect();
        let handed_over = stopped.iter().map(|(name, at)| seen.taken_over_after(name, *at)).collect();
        let requests = (0..started).map(|number| seen.requests_of(&name_of(number))).collect();
        let (of_killed, of_living): (Vec<_>, Vec<_>) =
            (0..started).partition(|number| killed.iter().any(|killed| killed.name == name_of(*number)));
        let folders = |numbers: &[usize]| -> Vec<PathBuf> {
            numbers.iter().map(|number| texts_of(folder.path(), *number)).collect()
        };
        let texts = Texts::read(&folders(&of_killed), &folders(&of_living));
        Outcome { seen, took, taken_over, noticed, handed_over, claimed_anew, requests, processor, texts }
    }

    fn start(
        &self,
        number: usize,
        (database, program): (&str, &Path),
        folder: &Path,
        hosts: &Hosts,
        names: &NameServer,
    ) -> Process {
        let name = name_of(number);
        let config = format!(
            "include = [\"feeds.txt\"]\n[database]\nurl = \"{database}\"\nmax_connections = 4\n[fetch]\n\
             contact_url = \"{name}\"\nallow = [\"{}\"]\nname_servers = [\"{}\"]\nhost_concurrency = 1\n\
             host_min_gap_ms = {}\n[schedule]\ninitial_spread_secs = 0\nmin_interval_secs = 86400\n[http]\nlisten = \"\"\n\
             [log]\nfilter = \"warn,feedmill=info\"\n[[sink]]\nname = \"texts\"\ntext = {{ to = \"{}\" }}\n",
            hosts.address(),
            names.address(),
            self.gap.as_millis(),
            texts_of(folder, number).display(),
        );
        let file = folder.join(format!("p{number}.toml"));
        std::fs::write(&file, config).unwrap();
        let log = folder.join(format!("p{number}.log"));
        let child = Command::new(program)
            .arg("--config")
            .arg(&file)
            .arg("run")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap();
        Process { name, child, log }
    }

    /// Waits until every feed is polled and every page is stored as an article.
    async fn recorded(&self, database: &str) {
        sqlx::any::install_default_drivers();
        let mut connection = AnyConnection::connect(database).await.unwrap();
        let mut looks = tokio::time::interval(Duration::from_millis(300));
        loop {
            looks.tick().await;
            let left: i64 = sqlx::query_scalar(
                "SELECT (SELECT count(*) FROM feed_details WHERE last_polled_at IS NULL) \
                    + (SELECT count(*) FROM entries WHERE state = 'pending') \
                    + (SELECT max(value) FROM counters WHERE name = 'outbox') \
                    - (SELECT min(seq) FROM sinks)",
            )
            .fetch_one(&mut connection)
            .await
            .unwrap();
            if left == 0 {
                return connection.close().await.unwrap();
            }
        }
    }

    async fn within(&self, began: Instant, work: impl Future<Output = ()>, processes: &[Process]) {
        let left = self.patience.saturating_sub(began.elapsed());
        if tokio::time::timeout(left, work).await.is_err() {
            let logs = processes.iter().map(|process| std::fs::read_to_string(&process.log).unwrap());
            panic!("the round is not over after {:?}:\n{}", self.patience, logs.collect::<String>());
        }
    }
}

/// Returns the CPU time of a process so far; Linux counts it in hundredths of a second.
fn processor_time(pid: u32) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    // The program's name, in brackets, may contain any characters.
    let fields = stat.rsplit(')').next().unwrap().split_ascii_whitespace();
    fields.skip(11).take(2).map(|ticks| Duration::from_millis(10) * ticks.parse().unwrap()).sum()
}

/// Returns where a process writes texts.
fn texts_of(folder: &Path, number: usize) -> PathBuf {
    folder.join(format!("texts{number}"))
}

/// Returns the names of the texts in folders. A process that never ran the sink has none.
fn texts_in(folders: &[PathBuf]) -> Vec<String> {
    let present = folders.iter().filter(|folder| folder.is_dir());
    let files = present.flat_map(|folder| std::fs::read_dir(folder).unwrap());
    let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
    names.filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "txt")).collect()
}

fn number_in(line: &str, key: &str) -> usize {
    let digits: String = after(line, key).chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

/// Returns what follows `key` in a line.
fn after<'l>(line: &'l str, key: &str) -> &'l str {
    line.split_once(key).unwrap_or_else(|| panic!("no{key} in {line}")).1
}
