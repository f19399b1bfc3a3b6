//! The daemon as a separate process with its HTTP listener open, for tests of changes while it runs.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::daemon::feedmill;

/// Time after which the test fails, for a start and for a state that is waited for.
const PATIENCE: Duration = Duration::from_mins(1);

/// Time between two looks at a state that is waited for.
const LOOK_INTERVAL: Duration = Duration::from_millis(100);

/// `feedmill run`.
pub(crate) struct Running {
    process: Child,
    /// The address of its HTTP listener.
    pub(crate) address: SocketAddr,
    /// Its log so far.
    log: Arc<Mutex<String>>,
    /// Collects its log.
    reader: Option<JoinHandle<()>>,
    /// Receives the address from its log.
    listening: mpsc::Receiver<SocketAddr>,
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
        let (found, listening) = mpsc::sync_channel(1);
        let log = Arc::new(Mutex::new(String::new()));
        let collected = Arc::clone(&log);
        let reader = std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                if said["message"] == "serving the page, health and records" {
                    let address = said["address"].as_str().unwrap().parse().unwrap();
                    found.send(address).unwrap_or_default();
                }
                let mut log = collected.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        Self { process, address: ([0; 4], 0).into(), log, reader: Some(reader), listening }
    }

    /// Waits until its HTTP listener answers.
    pub(crate) fn await_address(&mut self) {
        match self.listening.recv_timeout(PATIENCE) {
            Ok(address) => self.address = address,
            Err(error) => panic!("it never opened its page: {error}: {}", self.end()),
        }
    }

    /// Its process id.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Its log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    /// Returns status line, headers and body of an answer. In HTTP/1.0 a body comes in one piece.
    pub(crate) async fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let request = format!("GET {path} HTTP/1.0\r\nHost: feedmill\r\n\r\n");
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

    /// Waits until its log contains all of `words` in one line.
    pub(crate) async fn logs(&self, words: &[&str]) {
        let logged = async {
            let mut looks = tokio::time::interval(LOOK_INTERVAL);
            while !self.log().lines().any(|line| words.iter().all(|word| line.contains(word))) {
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
