use rustix::io::Errno;
use rustix::process::{Pid, test_kill_process};

use crate::store::Place;

/// What an operator knows this process by.
pub fn name() -> String {
    let machine = rustix::system::uname();
    format!("{}:{}", machine.nodename().to_string_lossy(), std::process::id())
}

/// Where this process runs. `None` where the system does not say.
pub fn place() -> Option<Place> {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    let namespace = std::fs::read_link("/proc/self/ns/pid").ok()?;
    let machine = format!("{} {}", boot.trim(), namespace.display());
    Some(Place { machine, pid: i32::try_from(std::process::id()).ok()? })
}

/// Whether there is a process of that number, whoever it is and whosever.
pub fn runs(pid: i32) -> bool {
    Pid::from_raw(pid).is_none_or(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

#[cfg(test)]
mod tests {
    use super::*;

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
