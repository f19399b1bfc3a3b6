//! Disks that fill up or fail while the program uses them.

use std::ffi::OsStr;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use feedmill::disk::free_bytes;
use tempfile::TempDir;

use super::running::Running;

/// A file system of its own, in memory, that only the programs started by [`SmallDisk::command`] see.
pub(crate) struct SmallDisk {
    dir: TempDir,
}

/// Size of a [`SmallDisk`]: more than the free space below which the daemon is not ready, and a small store.
const SIZE: &str = "size=80m";

impl SmallDisk {
    /// Returns `None` with a note if this machine allows no mounts, not even in a user namespace; panics if `CI` is set.
    pub(crate) fn new() -> Option<Self> {
        let disk = Self { dir: TempDir::new().unwrap() };
        let tried = disk.command(&Command::new("true")).stdin(Stdio::null()).output();
        let reason = match tried {
            Ok(tried) if tried.status.success() => return Some(disk),
            Ok(tried) => String::from_utf8_lossy(&tried.stderr).into_owned(),
            Err(error) => error.to_string(),
        };
        assert!(std::env::var("CI").is_err(), "cannot mount a file system: {reason}, and this is CI");
        eprintln!("SKIPPED on a small disk: cannot mount a file system: {reason}");
        None
    }

    /// The folder, as the program sees it.
    pub(crate) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// Returns a command that mounts the file system and becomes `program`.
    pub(crate) fn command(&self, program: &Command) -> Command {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c"])
            .arg(format!("mount -t tmpfs -o {SIZE} tmpfs \"$0\" && exec \"$@\""))
            .arg(self.folder())
            .arg(program.get_program())
            .args(program.get_args());
        command
    }

    /// The folder, as this process sees it while the program runs.
    pub(crate) fn seen_through(&self, running: &Running) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", running.pid()));
        root.join(self.folder().strip_prefix("/").unwrap())
    }

    /// Uses up the space, except for this many bytes.
    pub(crate) fn fill(&self, running: &Running, leave_bytes: u64) {
        let folder = self.seen_through(running);
        let bytes = free_bytes(&folder).unwrap().saturating_sub(leave_bytes);
        let name = format!("filler{leave_bytes}");
        match fs::write(folder.join(name), vec![0; usize::try_from(bytes).unwrap()]) {
            // The program has used some of it meanwhile.
            Err(error) if error.kind() == ErrorKind::StorageFull => {}
            written => written.unwrap(),
        }
    }

    /// Frees what [`SmallDisk::fill`] has used.
    pub(crate) fn make_room(&self, running: &Running) {
        for file in fs::read_dir(self.seen_through(running)).unwrap() {
            let path = file.unwrap().path();
            if path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.starts_with("filler")) {
                fs::remove_file(path).unwrap();
            }
        }
    }
}

/// A library that makes system calls on the store's files fail when the test wants it.
pub(crate) struct FaultyDisk {
    dir: TempDir,
}

impl FaultyDisk {
    pub(crate) fn new() -> Self {
        let dir = TempDir::new().unwrap();
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it/support/faulty_disk.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-Wall", "-Werror", "-o"])
            .arg(dir.path().join("faulty_disk.so"))
            .arg(source)
            .arg("-ldl")
            .output()
            .unwrap();
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        Self { dir }
    }

    /// Loads the library into `program`.
    pub(crate) fn under<'c>(&self, program: &'c mut Command) -> &'c mut Command {
        program
            .env("LD_PRELOAD", self.dir.path().join("faulty_disk.so"))
            .env("FAULT_FILE", self.dir.path().join("fault"))
    }

    /// Lets calls fail from now on; `fault` is described in `faulty_disk.c`.
    pub(crate) fn fail(&self, fault: &str) {
        // Renamed into place, so that the library never reads half of it.
        let file = self.dir.path().join("fault.tmp");
        fs::write(&file, fault).unwrap();
        fs::rename(file, self.dir.path().join("fault")).unwrap();
    }

    /// Lets all calls succeed again.
    pub(crate) fn work(&self) {
        fs::remove_file(self.dir.path().join("fault")).unwrap();
    }
}
