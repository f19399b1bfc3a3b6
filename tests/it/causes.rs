//! What the program says of a store that it cannot open, and what commands leave beside a store of another user.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::database::{Backend, FreshDatabase};
use crate::support::running::Running;
use crate::support::server::{Reply, Server};
use crate::support::site::{Item, page, rss};

/// Commands that open the store, two as its owners and two as visitors.
const OPENERS: &[&[&str]] =
    &[&["--quiet", "once"], &["--quiet", "run"], &["feeds", "list"], &["export", "--format", "jsonl"]];

/// Time within which a command must name the cause. It takes a fraction of a second; the bar is generous because other tests use
/// the CPU, too. It still tells a cause that is named at once from one that is retried until the pool gives up: that took ten seconds,
/// and the command then named the pool's timeout.
const AT_ONCE: Duration = Duration::from_secs(5);

/// Returns the only line that a command says, which fails at once. It names neither a password nor our libraries.
fn complaint(mut command: Command) -> String {
    let began = Instant::now();
    let failed = tokio::task::block_in_place(|| command.output().unwrap());
    let took = began.elapsed();
    let said = String::from_utf8(failed.stderr).unwrap();
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert_eq!(said.lines().count(), 1, "{said}");
    for hidden in ["swordfish", "sqlx", "pool timed out"] {
        assert!(!said.contains(hidden), "{said}");
    }
    assert!(took < AT_ONCE, "{took:?}: {said}");
    said
}

/// Every command that opens the store names the cause once and at once, with the way out.
fn assert_cause(config: &Path, parts: &[&str]) {
    for arguments in OPENERS {
        let said = complaint(feedmill(config, arguments));
        for part in parts {
            assert!(said.contains(part), "{arguments:?}: {part}: {said}");
        }
    }
}

fn nobodys_feed() -> TestDaemon {
    TestDaemon::new().feed(&"http://127.0.0.1:9/feed".parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_user_or_password_is_named() {
    let Some(database) = FreshDatabase::create(Backend::Postgres).await else { return };
    let known: url::Url = database.settings.url.expose_secret().parse().unwrap();
    let mut refused = known.clone();
    refused.set_username("mill_of_nobody").unwrap();
    let mut urls = vec![refused];
    // A server that trusts everybody asks no known user for a password.
    urls.extend(known.password().is_some().then_some(known));
    for mut url in urls {
        url.set_password(Some("swordfish")).unwrap();
        let config = nobodys_feed().database(url.as_str());
        let parts = ["postgres://127.0.0.1/feedmill_test_", "hint: the server refuses this user or password"];
        assert_cause(&config.write_config(), &parts);
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closed_port_is_named() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("postgres://mill:swordfish@{}/feeds", nobody.local_addr().unwrap());
    drop(nobody);
    let parts = ["postgres://127.0.0.1/feeds", "Connection refused", "hint: is the server running"];
    assert_cause(&nobodys_feed().database(&url).write_config(), &parts);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_no_store_is_named_and_left_alone() {
    let test = nobodys_feed();
    let config = test.write_config();
    let file = config.with_file_name("feedmill.db");
    let content = "no database at all, but a text";
    fs::write(&file, content).unwrap();
    assert_cause(&config, &[file.to_str().unwrap(), "hint: the file is not an SQLite database"]);
    assert_eq!(fs::read_to_string(&file).unwrap(), content);
}

/// A user without privileges, whom no name is needed for.
const OTHER: u32 = 65_534;

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// The program as the service runs it: by a user other than root, who owns its folder.
struct Service {
    test: TestDaemon,
    config: PathBuf,
    /// The program, in a folder that every user may read.
    program: PathBuf,
    _folder: TempDir,
}

impl Service {
    fn new(test: TestDaemon) -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let program = folder.path().join("feedmill");
        let built = env!("CARGO_BIN_EXE_feedmill");
        // A link may be impossible across file systems.
        if fs::hard_link(built, &program).is_err() {
            fs::copy(built, &program).unwrap();
        }
        let service = Self { config: test.write_config(), test, program, _folder: folder };
        if is_root() {
            for place in [service.folder(), service.config.as_path()] {
                chown(place, Some(OTHER), Some(OTHER)).unwrap();
            }
        }
        service
    }

    fn folder(&self) -> &Path {
        self.config.parent().unwrap()
    }

    /// The program, run by the service's user: as root another one, otherwise the one who runs the tests.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--config").arg(&self.config).args(arguments);
        if is_root() {
            command.uid(OTHER).gid(OTHER);
        }
        command
    }

    fn output(&self, arguments: &[&str]) -> Output {
        tokio::task::block_in_place(|| self.command(arguments).output().unwrap())
    }

    fn succeeds(&self, arguments: &[&str]) {
        let output = self.output(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    }

    /// Returns the files and folders of the service that its user does not own.
    fn of_others(&self) -> Vec<PathBuf> {
        let mut places = vec![self.folder().to_owned()];
        let mut of_others = Vec::new();
        while let Some(place) = places.pop() {
            let metadata = place.symlink_metadata().unwrap();
            if metadata.is_dir() {
                places.extend(fs::read_dir(&place).unwrap().map(|entry| entry.unwrap().path()));
            }
            if metadata.uid() != OTHER {
                of_others.push(place);
            }
        }
        of_others
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_file_is_named() {
    let server = Server::start().await;
    server.respond("/feed", Reply::ok("text/xml", rss(&[])));
    let service = Service::new(TestDaemon::new().feed(&server.url("/feed")));
    service.succeeds(&["once"]);
    let file = service.config.with_file_name("feedmill.db");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o444)).unwrap();
    for arguments in [["--quiet", "once"], ["--quiet", "run"]] {
        let said = complaint(service.command(&arguments));
        for part in [file.to_str().unwrap(), "attempt to write a readonly database", "must be writable"] {
            assert!(said.contains(part), "{arguments:?}: {part}: {said}");
        }
    }
    service.succeeds(&["feeds", "list"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn root_leaves_no_files_that_the_services_user_cannot_write() {
    const READERS: &[&[&str]] = &[
        &["feeds", "list"],
        &["articles", "list"],
        &["export", "--format", "jsonl"],
        &["tail"],
        &["sinks", "list"],
        &["status"],
        &["queue"],
        &["doctor"],
        &["site", "try", "127.0.0.1"],
        &["reextract", "--dry-run"],
    ];
    if !is_root() {
        eprintln!("SKIPPED root beside the service's user: the tests are not run by root");
        return;
    }
    let server = Server::start().await;
    server.respond("/feed", Reply::ok("text/xml", rss(&[Item::new("One", &server.url("/one"))])));
    server.respond("/one", Reply::ok("text/html; charset=utf-8", page("mooring")));
    let test = TestDaemon::new().feed_with(&server.url("/feed"), "raw = \"keep\"");
    let service = Service::new(test);
    service.succeeds(&["once"]);
    let read_by_root = || {
        for arguments in READERS {
            let output = feedmill(&service.config, arguments).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            // The doctor fails if it finds a fault of this machine.
            let is_done = output.status.success() || *arguments == ["doctor"];
            assert!(is_done, "{arguments:?}: {said}{}", String::from_utf8_lossy(&output.stdout));
            let left = service.of_others();
            assert!(left.is_empty(), "{arguments:?} leaves {left:?}");
        }
    };
    tokio::task::block_in_place(|| {
        let running = Running::of(&mut service.command(&["--log-format", "json", "run"]));
        read_by_root();
        running.stop();
        // Without the daemon, a reader is the first to open the store.
        read_by_root();
    });
    let before = server.requests("/feed").len();
    service.succeeds(&["feeds", "poll", "--all"]);
    assert_eq!(server.requests("/feed").len(), before + 1);
    assert_eq!(service.test.files().len(), 1);
}
