//! The daemon as its service manager sees it: real signals to a real process, and its messages on the notify socket.

use std::collections::BTreeSet;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use feedmill::model::Record;
use tempfile::TempDir;

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// Time to wait for a message before the test fails.
const PATIENCE: Duration = Duration::from_mins(1);

/// A running daemon and the service manager's end of its socket.
struct Service {
    dir: TempDir,
    socket: UnixDatagram,
    process: Child,
}

impl Service {
    fn start() -> Self {
        Self::start_in(TempDir::new().unwrap(), |_| CONFIG.to_owned())
    }

    fn start_in(dir: TempDir, prepare: impl FnOnce(&Path) -> String) -> Self {
        let config = prepare(dir.path());
        let socket = UnixDatagram::bind(dir.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        std::fs::write(dir.path().join("feedmill.toml"), config).unwrap();
        let process = Command::new(env!("CARGO_BIN_EXE_feedmill"))
            .args(["--log-format", "json", "run"])
            .current_dir(dir.path())
            .env_clear()
            .env("STATE_DIRECTORY", dir.path().join("state"))
            .env("NOTIFY_SOCKET", dir.path().join("notify"))
            .env("WATCHDOG_USEC", "200000")
            .stdin(Stdio::null())
            .stderr(std::fs::File::create(dir.path().join("log")).unwrap())
            .spawn()
            .unwrap();
        Self { dir, socket, process }
    }

    /// Waits until the daemon has sent `line`.
    fn await_notice(&self, line: &str) {
        let mut message = [0; 4096];
        loop {
            let length = self.socket.recv(&mut message).unwrap_or_else(|error| {
                panic!("never said {line}: {error}\n{}", self.log());
            });
            if String::from_utf8_lossy(&message[..length]).lines().any(|said| said == line) {
                return;
            }
        }
    }

    fn signal(&self, name: &str) {
        let pid = self.process.id().to_string();
        assert!(Command::new("kill").args(["-s", name, &pid]).status().unwrap().success());
    }

    fn configure(&self, config: &str) {
        std::fs::write(self.dir.path().join("feedmill.toml"), config).unwrap();
    }

    /// Waits for a reload, and returns whether the new configuration was accepted.
    fn await_reload(&self) -> bool {
        let taken = |log: &str| log.matches("the new configuration is in force").count();
        let before = taken(&self.log());
        self.await_notice("RELOADING=1");
        self.await_notice("READY=1");
        taken(&self.log()) > before
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("log")).unwrap()
    }

    fn end(&mut self) -> ExitStatus {
        self.process.wait().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Only a failed test leaves the process running.
        if let Ok(None) = self.process.try_wait() {
            self.process.kill().unwrap();
            self.process.wait().unwrap();
        }
    }
}

const CONFIG: &str = "[http]\nlisten = \"\"\n";

#[test]
fn sigterm_stops_softly_and_cleanly() {
    let mut service = Service::start();
    service.await_notice("READY=1");
    service.await_notice("WATCHDOG=1");
    service.signal("TERM");
    service.await_notice("STOPPING=1");
    assert_eq!(service.end().code(), Some(0), "{}", service.log());
    assert!(service.log().contains("all work finished"), "{}", service.log());
}

#[test]
fn sighup_takes_a_good_config_and_refuses_a_bad_one() {
    let mut service = Service::start();
    service.await_notice("READY=1");

    service.configure("[fetch]\ntimeout_secs = 0\n[http]\nlisten = \"\"\n");
    service.signal("HUP");
    service.await_notice("RELOADING=1");
    service.await_notice("READY=1");
    let log = service.log();
    assert!(log.contains("the old configuration stays in force"), "{log}");
    assert!(log.contains("fetch.timeout_secs = 0: must be 1 to 600"), "{log}");

    service.configure("[fetch]\ntimeout_secs = 20\n[http]\nlisten = \"\"\n");
    service.signal("HUP");
    service.await_notice("RELOADING=1");
    service.await_notice("READY=1");
    assert!(service.log().contains("the new configuration is in force"), "{}", service.log());

    service.signal("INT");
    assert_eq!(service.end().code(), Some(0), "{}", service.log());
}

#[test]
fn changed_files_are_taken_over_where_they_are_watched() {
    const WATCHED: &str = "watch = true\ninclude = [\"feeds.d\"]\n[http]\nlisten = \"\"\n";
    let folder = TempDir::new().unwrap();
    let mut service = Service::start_in(folder, |folder| {
        std::fs::create_dir(folder.join("feeds.d")).unwrap();
        WATCHED.to_owned()
    });
    service.await_notice("READY=1");
    let place = |name: &str| service.dir.path().join(name);

    // A truncated file: the old configuration stays in force, and the reason is logged.
    service.configure("watch = true\n[fetch]\ntimeout_");
    assert!(!service.await_reload(), "{}", service.log());
    assert!(service.log().contains("the old configuration stays in force"), "{}", service.log());

    // The way editors save: a new file replaces the old one.
    std::fs::write(place("feedmill.toml~"), WATCHED).unwrap();
    std::fs::rename(place("feedmill.toml~"), place("feedmill.toml")).unwrap();
    assert!(service.await_reload(), "{}", service.log());

    // A new, at first invalid file in an included folder: correcting it is enough.
    std::fs::write(place("feeds.d/more.toml"), "[[feed]]\nurl = \"nowhere\"\n").unwrap();
    assert!(!service.await_reload(), "{}", service.log());
    std::fs::write(place("feeds.d/more.toml"), "[[feed]]\nurl = \"https://x.example/\"\nenabled = false\n")
        .unwrap();
    assert!(service.await_reload(), "{}", service.log());

    // The file of added feeds, which did not exist; and removal of a file.
    std::fs::write(place("added.toml"), "[[feed]]\nurl = \"https://y.example/\"\nenabled = false\n").unwrap();
    assert!(service.await_reload(), "{}", service.log());
    std::fs::remove_file(place("feeds.d/more.toml")).unwrap();
    assert!(service.await_reload(), "{}", service.log());

    // With `watch` off, it reacts to signals only.
    service.configure(CONFIG);
    assert!(service.await_reload(), "{}", service.log());
    service.configure("[fetch]\ntimeout_");
    service.signal("TERM");
    assert_eq!(service.end().code(), Some(0), "{}", service.log());
    assert_eq!(service.log().matches("the configuration has changed").count(), 7, "{}", service.log());
}

/// Every page requested before the stop is an article after it, and every article has been delivered to every receiver.
#[tokio::test(flavor = "multi_thread")]
async fn sigterm_under_load_hands_in_everything_that_was_begun() {
    const FEEDS: usize = 20;
    const ENTRIES: usize = 20;
    let server = Server::start().await;
    let origin = server.url("/");
    server.handle(move |request| match request.path().strip_prefix("/feed/") {
        Some(feed) => {
            let link = |entry: usize| origin.join(&format!("/page/{feed}/{entry}")).unwrap();
            let items: Vec<Item> =
                (0..ENTRIES).map(|entry| Item::new(&format!("Quay {feed} {entry}"), &link(entry))).collect();
            Reply::ok("application/rss+xml", rss(&items))
        }
        None if request.path() == "/hook" => Reply::status(204),
        None => Reply::ok("text/html", page(&format!("quay {}", request.path()))),
    });
    let hook = format!("[[sink]]\nname = \"hook\"\n[sink.webhook]\nurl = \"{}\"\n", server.url("/hook"));
    let mut test = TestDaemon::new().tables(&hook);
    for feed in 0..FEEDS {
        test = test.feed(&server.url(&format!("/feed/{feed}")));
    }
    let config = test.write_config();
    let log = std::fs::File::create(config.with_file_name("log")).unwrap();
    let mut run = feedmill(&config, &["run"]).stdout(Stdio::null()).stderr(log).spawn().unwrap();
    // Articles are being delivered, and most pages are still to be requested.
    server.arrived("/hook", 1).await;
    let pid = run.id().to_string();
    assert!(Command::new("kill").args(["-s", "TERM", &pid]).status().unwrap().success());
    let ended = tokio::task::block_in_place(|| run.wait().unwrap());
    let log = std::fs::read_to_string(config.with_file_name("log")).unwrap();
    assert_eq!(ended.code(), Some(0), "{log}");
    assert!(log.contains("all work finished"), "{log}");

    let exported =
        tokio::task::block_in_place(|| feedmill(&config, &["export", "--format", "jsonl"]).output().unwrap());
    let lines = String::from_utf8(exported.stdout).unwrap();
    let records: Vec<Record> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let stored: BTreeSet<String> = records.iter().map(|record| record.url.path().to_owned()).collect();
    let requests = server.all_requests();
    let asked = requests.iter().map(|request| request.path().to_owned());
    let asked: BTreeSet<String> = asked.filter(|path| path.starts_with("/page/")).collect();
    assert_eq!(stored, asked, "{log}");
    let posted: BTreeSet<i64> = server
        .requests("/hook")
        .iter()
        .flat_map(|request| {
            let body: serde_json::Value = serde_json::from_slice(&request.body).unwrap();
            body["records"]
                .as_array()
                .unwrap()
                .iter()
                .map(|record| record["seq"].as_i64().unwrap())
                .collect::<Vec<_>>()
        })
        .collect();
    assert_eq!(posted, records.iter().map(|record| record.seq).collect());
    let originals = records.iter().filter(|record| record.duplicate_of.is_none()).count();
    assert_eq!(test.files().len(), originals);
}
