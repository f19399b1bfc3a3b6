//! The installation by hand, performed in a temporary root.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::{Command, Output};

use super::{README, shell_lines};

/// Returns whether a documented command is a step of the installation by hand.
pub(super) fn is_step(line: &str) -> bool {
    ["sudo install ", "sudo systemctl "].iter().any(|beginning| line.starts_with(beginning))
}

/// Changes a step so that it takes place in `root`. The service is enabled there but not started: that takes a machine with
/// systemd, on which `scripts/packages --test` starts the same unit.
fn within(root: &Path, step: &str) -> String {
    let root = root.display();
    let at_root = format!("--root={root}");
    [
        (
            "sudo systemctl daemon-reload && sudo systemctl enable --now ",
            format!("systemctl {at_root} enable "),
        ),
        ("sudo systemd-sysusers", format!("systemd-sysusers {at_root}")),
        ("sudo systemd-tmpfiles ", format!("systemd-tmpfiles {at_root} ")),
        ("sudo ", String::new()),
        ("~/.cargo/bin/feedmill ", format!("{} ", env!("CARGO_BIN_EXE_feedmill"))),
        (" /usr/local/", format!(" {root}/usr/local/")),
        (" /etc/", format!(" {root}/etc/")),
    ]
    .into_iter()
    .fold(step.to_owned(), |step, (from, to)| step.replace(from, &to))
}

/// Returns whether the steps can be performed: only root gives folders to another user. Panics if `CI` is set and a program is
/// missing.
fn can_install() -> bool {
    if !rustix::process::geteuid().is_root() {
        eprintln!("SKIPPED the installation by hand: only root can perform it");
        return false;
    }
    for program in ["systemd-sysusers", "systemd-tmpfiles", "systemctl"] {
        if let Err(error) = Command::new(program).arg("--version").output() {
            assert!(std::env::var("CI").is_err(), "{program}: {error}, and this is CI");
            eprintln!("SKIPPED the installation by hand: {program}: {error}");
            return false;
        }
    }
    true
}

fn checked(command: &mut Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

#[test]
fn the_installation_by_hand_makes_a_service() {
    let steps: Vec<&str> = shell_lines(README).into_iter().filter(|line| is_step(line)).collect();
    assert!(steps.len() > 4, "{steps:?}");
    if !can_install() {
        return;
    }
    let root = tempfile::tempdir().unwrap();
    let place = |path: &str| root.path().join(path);
    for folder in ["usr/local/bin", "etc/systemd/system"] {
        fs::create_dir_all(place(folder)).unwrap();
    }
    for step in steps {
        let step = within(root.path(), step);
        checked(Command::new("sh").args(["-c", &step]).current_dir(env!("CARGO_MANIFEST_DIR")));
    }

    let unit = fs::read_to_string(place("etc/systemd/system/feedmill.service")).unwrap();
    let config = place("etc/feedmill/feedmill.toml");
    assert!(unit.contains("\nExecStart=feedmill --config /etc/feedmill/feedmill.toml run\n"), "{unit}");
    let wanted = fs::read_link(place("etc/systemd/system/multi-user.target.wants/feedmill.service")).unwrap();
    assert!(wanted.ends_with("etc/systemd/system/feedmill.service"), "{}", wanted.display());
    checked(
        Command::new(place("usr/local/bin/feedmill")).arg("--config").arg(config).args(["config", "check"]),
    );

    let users = fs::read_to_string(place("etc/passwd")).unwrap();
    let user = users.lines().find(|line| line.starts_with("feedmill:")).unwrap();
    let state = place("var/lib/feedmill").metadata().unwrap();
    assert_eq!(user.split(':').nth(2), Some(&*state.uid().to_string()), "{user}");
    assert_eq!(state.mode() & 0o777, 0o700);
}
