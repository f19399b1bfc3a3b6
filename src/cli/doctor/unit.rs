//! Checks the systemd unit files: whether the unit's program can be run, uses this configuration, and gets what it needs: enough
//! time to stop, and memory and folders (see [`super::limits`]).

use std::path::Path;
use std::time::Duration;

use jiff::{Span, SpanRelativeTo};
use rustix::fs::{Access, access};

use super::finding::Finding;
use super::limits::{self, Needs};
use super::unit_file::{CHECK, NAME, read, value};

/// Folders that are searched for the unit; the first match is used.
pub(super) const FOLDERS: &[&str] = &[
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];

pub(super) fn look(
    folders: &[&Path],
    config: Option<&Path>,
    stop_timeout: Duration,
    needs: &Needs<'_>,
) -> Vec<Finding> {
    let Some(file) = folders.iter().map(|folder| folder.join(NAME)).find(|file| file.exists()) else {
        return vec![
            Finding::note(CHECK, format!("no {NAME} on this machine"))
                .with_hint("deploy/feedmill.service is an example"),
        ];
    };
    let unit = match read(&file, folders) {
        Ok(unit) => unit,
        Err(error) => {
            return vec![Finding::note(CHECK, format!("cannot read {}: {error}", file.display()))];
        }
    };
    let elsewhere = configuration(&unit, config);
    // What another configuration needs is not known here.
    let limits = if elsewhere.is_none() { limits::look(&unit, needs) } else { Vec::new() };
    let findings: Vec<Finding> = [start(&unit), elsewhere, patience(&unit, stop_timeout)]
        .into_iter()
        .flatten()
        .chain(limits)
        .collect();
    if findings.is_empty() {
        return vec![Finding::ok(CHECK, format!("{} matches this configuration", file.display()))];
    }
    findings
}

/// Returns the words of the command, without the special prefixes of `ExecStart`.
fn command(unit: &str) -> Option<Vec<&str>> {
    let line = value(unit, "ExecStart")?;
    Some(line.trim_start_matches(['@', '-', ':', '+', '!']).split_whitespace().collect())
}

fn start(unit: &str) -> Option<Finding> {
    let Some(command) = command(unit) else {
        return Some(Finding::problem(CHECK, "the unit has no command").with_hint("set ExecStart="));
    };
    let program = Path::new(command.first()?);
    let can_run = access(program, Access::EXEC_OK).is_ok();
    (program.is_absolute() && !can_run).then(|| {
        Finding::problem(CHECK, format!("the unit starts {}, which cannot be run", program.display()))
            .with_hint("install the program there, or set ExecStart=")
    })
}

/// Checks that the unit uses the configuration file that was checked.
fn configuration(unit: &str, config: Option<&Path>) -> Option<Finding> {
    let command = command(unit)?;
    let at = command.iter().position(|word| *word == "--config")?;
    let named = Path::new(command.get(at + 1)?);
    let resolved = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    (config.map(resolved) != Some(resolved(named))).then(|| {
        Finding::note(
            CHECK,
            format!("the unit reads {}, not the configuration checked here", named.display()),
        )
        .with_hint(format!("feedmill --config {} doctor", named.display()))
    })
}

/// Checks that systemd waits longer than a stop may take.
fn patience(unit: &str, stop_timeout: Duration) -> Option<Finding> {
    let text = value(unit, "TimeoutStopSec")?;
    let patience = if let Ok(seconds) = text.parse() {
        Duration::from_secs(seconds)
    } else {
        let span: Span = text.parse().ok()?;
        Duration::try_from(span.to_duration(SpanRelativeTo::days_are_24_hours()).ok()?).ok()?
    };
    // systemd takes 0 as no timeout.
    (!patience.is_zero() && patience <= stop_timeout).then(|| {
        let message = format!(
            "TimeoutStopSec={text} is not longer than lifecycle.stop_timeout_secs = {}",
            stop_timeout.as_secs()
        );
        Finding::problem(CHECK, message).with_hint("raise TimeoutStopSec: a stop would be cut short")
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::super::finding::State;
    use super::*;

    const UNIT: &str = "[Service]\nExecStart=/bin/sh --config /etc/feedmill.toml run\nTimeoutStopSec=40\n";

    fn needs() -> Needs<'static> {
        Needs { memory_bytes: 384 << 20, folders: &[], state_dir: Path::new("") }
    }

    fn found(unit: &str, drop_in: Option<&str>) -> Vec<(State, String)> {
        let dir = tempfile::tempdir().unwrap();
        fs::write(dir.path().join(NAME), unit).unwrap();
        if let Some(text) = drop_in {
            let folder = dir.path().join("feedmill.service.d");
            fs::create_dir(&folder).unwrap();
            fs::write(folder.join("override.conf"), text).unwrap();
        }
        let config = Some(Path::new("/etc/feedmill.toml"));
        let findings = look(&[dir.path()], config, Duration::from_secs(20), &needs());
        findings.into_iter().map(|finding| (finding.state, finding.message)).collect()
    }

    #[test]
    fn a_unit_that_fits_is_well() {
        let [(State::Ok, _)] = &found(UNIT, None)[..] else { panic!("{:?}", found(UNIT, None)) };
    }

    #[test]
    fn what_does_not_fit_is_said() {
        for (drop_in, said) in [
            ("[Service]\nTimeoutStopSec=15s\n", "TimeoutStopSec=15s is not longer"),
            (
                "[Service]\nExecStart=\nExecStart=/no/such/feedmill run\n",
                "/no/such/feedmill, which cannot be run",
            ),
            (
                "[Service]\nExecStart=/bin/sh --config /other.toml run\nMemoryMax=256M\n",
                "the unit reads /other.toml",
            ),
            ("[Service]\nMemoryMax=256M\n", "pipeline.memory_mb = 384 is not below MemoryMax=256M"),
        ] {
            let found = found(UNIT, Some(drop_in));
            assert!(found.len() == 1 && found[0].1.contains(said), "{drop_in}: {found:?}");
        }
    }

    #[test]
    fn no_unit_is_no_problem() {
        let dir = tempfile::tempdir().unwrap();
        let findings = look(&[dir.path()], None, Duration::ZERO, &needs());
        assert_eq!(findings[0].state, State::Note);
    }
}
