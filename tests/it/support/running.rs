//! The daemon as a separate process with its HTTP listener open, for tests of changes while it runs.

use std::io::{BufRead as _, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use super::daemon::feedmill;

/// Start-up time after which the test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// `feedmill run`.
pub(crate) struct Running {
    process: Child,
    /// The address of its HTTP listener.
    pub(crate) address: SocketAddr,
    /// Collects its log.
    log: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts it and waits until its HTTP listener answers.
    pub(crate) fn start(config: &Path) -> Self {
        let mut process = feedmill(config, &["--log-format", "json", "run"])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let (found, address) = mpsc::sync_channel(1);
        let log = std::thread::spawn(move || {
            let mut log = String::new();
            for line in lines.map_while(Result::ok) {
                let said: Value = serde_json::from_str(&line).unwrap_or_default();
                if said["message"] == "serving the page, health and records" {
                    let address = said["address"].as_str().unwrap().parse().unwrap();
                    found.send(address).unwrap_or_default();
                }
                log.push_str(&line);
                log.push('\n');
            }
            log
        });
        let mut running = Self { process, address: ([0; 4], 0).into(), log: Some(log) };
        match address.recv_timeout(PATIENCE) {
            Ok(address) => running.address = address,
            Err(error) => panic!("it never opened its page: {error}: {}", running.end()),
        }
        running
    }

    /// Stops it softly and returns its log.
    pub(crate) fn stop(mut self) -> String {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
        assert!(self.process.wait().unwrap().success());
        self.log.take().unwrap().join().unwrap()
    }

    fn end(&mut self) -> String {
        // The process may have ended already.
        self.process.kill().unwrap_or_default();
        self.process.wait().unwrap();
        self.log.take().map(|log| log.join().unwrap()).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end();
    }
}
