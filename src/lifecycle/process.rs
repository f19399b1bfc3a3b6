use rustix::io::Errno;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit, test_kill_process};

use crate::store::Place;

/// Returns the name under which an operator knows this process: host name and process id.
pub fn name() -> String {
    let machine = rustix::system::uname();
    format!("{}:{}", machine.nodename().to_string_lossy(), std::process::id())
}

/// Returns where this process runs; `None` if `/proc` does not tell.
pub fn place() -> Option<Place> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let machine = format!("{} {}", boot.trim(), namespace.display());
    Some(Place { machine, pid: i32::try_from(std::process::id()).ok()? })
}

/// Raises the soft limit on open files to the hard one. The usual soft limit of 1,024 is meant for programs that use `select`.
pub fn raise_descriptor_limit() {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        tracing::debug!(%error, "cannot raise the limit on open files");
    }
}

/// Returns how many files this process may have open.
pub fn descriptors() -> usize {
    let Rlimit { current, .. } = getrlimit(Resource::Nofile);
    current.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}

/// Returns whether a process with this id exists, whatever it is and whoever owns it.
pub fn runs(pid: i32) -> bool {
    Pid::from_raw(pid).is_none_or(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_on_open_files_is_raised() {
        raise_descriptor_limit();
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        assert_eq!(current, maximum);
        assert!(maximum.is_none_or(|limit| limit == descriptors() as u64));
    }

    #[test]
    fn only_who_runs_is_said_to_run() {
        let own = place().expect("Linux says where");
        assert!(runs(own.pid));
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        assert!(runs(pid), "not waited for yet");
        child.wait().unwrap();
        assert!(!runs(pid));
    }
}
