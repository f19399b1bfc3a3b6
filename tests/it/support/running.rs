//! The daemon as a separate process with its HTTP listener open, for tests of changes while it runs and of what it takes.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::daemon::feedmill;

/// Time after which the test fails, for a start, a state and an event that are waited for: other tests use the CPU as well.
const PATIENCE: Duration = Duration::from_mins(2);

/// Time after which the test fails although the process goes on logging, for all the events that are followed at a time.
const LONGEST_FOLLOW: Duration = Duration::from_mins(10);

/// Time between two looks at a state that is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// `feedmill run`.
pub(crate) struct Running {
    process: Child,
    /// The address of its HTTP listener.
    pub(crate) address: SocketAddr,
    log: Arc<Log>,
    /// Collects its log.
    reader: Option<JoinHandle<()>>,
    /// How many bytes of its log were followed.
    followed: usize,
}

/// The log of a process.
#[derive(Default)]
struct Log {
    collected: Mutex<Collected>,
    /// It grew or ended.
    changed: Condvar,
}

#[derive(Default)]
struct Collected {
    /// Whole lines.
    text: String,
    /// Whether no more will come: the process has ended.
    ended: bool,
}

/// Returns the command that starts the daemon with a log in JSON, as [`Running::of`] needs it.
pub(crate) fn run(config: &Path) -> Command {
    feedmill(config, &["--log-format", "json", "run"])
}

impl Running {
    /// Starts it and waits until its HTTP listener answers.
    pub(crate) fn start(config: &Path) -> Self {
        Self::of(&mut run(config))
    }

    /// The same for a process that may have at most so many files open.
    pub(crate) fn start_within(config: &Path, descriptors: usize) -> Self {
        let program = run(config);
        let mut shell = Command::new("sh");
        shell
            .args(["-c", &format!("ulimit -n {descriptors} && exec \"$@\""), "sh"])
            .arg(program.get_program())
            .args(program.get_args());
        Self::of(&mut shell)
    }

    /// Like [`Running::start`], by a command that leads to the same.
    pub(crate) fn of(command: &mut Command) -> Self {
        let mut running = Self::begin(command);
        running.await_address();
        running
    }

    /// Starts it, and waits for nothing.
    pub(crate) fn begin(command: &mut Command) -> Self {
        let mut process =
            command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let log = Arc::new(Log::default());
        let shared = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                shared.collected.lock().unwrap().text.push_str(&(line + "\n"));
                shared.changed.notify_all();
            }
            shared.collected.lock().unwrap().ended = true;
            shared.changed.notify_all();
        });
        Self { process, address: ([0; 4], 0).into(), log, reader: Some(reader), followed: 0 }
    }

    /// Waits until its HTTP listener answers.
    pub(crate) fn await_address(&mut self) {
        let mut address = None;
        self.follow(|event| {
            if event["message"] == "serving the page, health and records" {
                address = Some(event["address"].as_str().unwrap().parse().unwrap());
            }
            address.is_some()
        });
        self.followed = 0;
        self.address = address.expect("it was awaited");
    }

    /// Passes the events of its log, from the first, until one of them is the awaited one.
    pub(crate) fn follow(&mut self, mut is_awaited: impl FnMut(&Value) -> bool) {
        let deadline = Instant::now() + LONGEST_FOLLOW;
        while let Some(line) = self.next_line(deadline) {
            self.followed += line.len() + 1;
            if is_awaited(&serde_json::from_str(&line).unwrap_or_default()) {
                return;
            }
        }
        panic!("it never said what the test waits for: {}", self.end());
    }

    /// Waits for the next line of its log; `None` if the process has ended, has been silent for too long, or the time is over.
    fn next_line(&self, deadline: Instant) -> Option<String> {
        let left = deadline.checked_duration_since(Instant::now())?;
        let log = self.log.collected.lock().unwrap();
        let more_may_come = |log: &mut Collected| log.text.len() == self.followed && !log.ended;
        let (log, _) = self.log.changed.wait_timeout_while(log, PATIENCE.min(left), more_may_come).unwrap();
        log.text[self.followed..].lines().next().map(str::to_owned)
    }

    /// Returns its peak memory so far in KiB, by the kernel's account.
    pub(crate) fn peak_kib(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.process.id())).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
        peak.trim().strip_suffix(" kB").unwrap().parse().unwrap()
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.collected.lock().unwrap().text.clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Returns status line, headers and body of an answer. In HTTP/1.0 a body comes in one piece.
    pub(crate) async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    /// Waits until the answer at `path` is as wanted, and returns it.
    pub(crate) async fn answers(&self, path: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        let wanted = async {
            let mut looks = tokio::time::interval(LOOK_INTERVAL);
            loop {
                looks.tick().await;
                last = self.get(path).await;
                if is_wanted(&last) {
                    return;
                }
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, wanted).await;
        assert!(in_time.is_ok(), "{path} was last answered by {last}\n{}", self.log());
        last
    }

    /// Returns how many lines of its log contain all of `words`.
    pub(crate) fn logged(&self, words: &[&str]) -> usize {
        self.log().lines().filter(|line| words.iter().all(|word| line.contains(word))).count()
    }

    /// Waits until so many lines of its log contain all of `words`.
    pub(crate) async fn logs(&self, words: &[&str], lines: usize) {
        let logged = async {
            let mut looks = tokio::time::interval(LOOK_INTERVAL);
            while self.logged(words) < lines {
                looks.tick().await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, logged).await;
        assert!(in_time.is_ok(), "{words:?} was never logged:\n{}", self.log());
    }

    /// Stops it softly and returns its log.
    pub(crate) fn stop(mut self) -> String {
        self.signal("TERM");
        assert!(self.process.wait().unwrap().success());
        self.reader.take().unwrap().join().unwrap();
        self.log()
    }

    /// Kills it and returns its log.
    pub(crate) fn end(&mut self) -> String {
        // The process may have ended already.
        self.process.kill().unwrap_or_default();
        self.process.wait().unwrap();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
        self.log()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
