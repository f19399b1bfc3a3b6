//! A pseudoterminal, for what the program prints if a person reads it.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::process::{Command, ExitStatus, Stdio};

use rustix::fs::OFlags;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Opens a terminal: its screen, and the end for programs.
pub(crate) fn open() -> (File, File) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
    // It must not become the terminal that controls the tests: closing it would hang them up.
    let flags = OFlags::NOCTTY.bits().cast_signed();
    let inner = File::options().write(true).custom_flags(flags).open(name).unwrap();
    (File::from(screen), inner)
}

/// Runs a program whose output and errors both go to a terminal; returns all that it printed, and how it ended.
pub(crate) fn on_terminal(mut command: Command) -> (String, ExitStatus) {
    let (mut screen, inner) = open();
    command.env("TERM", "xterm").stdin(Stdio::null()).stdout(inner.try_clone().unwrap()).stderr(inner);
    let mut program = command.spawn().unwrap();
    // The command holds the program's end open.
    drop(command);
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    // Reading fails when no program has the terminal open any more.
    while let Ok(count @ 1..) = screen.read(&mut piece) {
        seen.extend_from_slice(&piece[..count]);
    }
    let ended = program.wait().unwrap();
    (String::from_utf8(seen).unwrap(), ended)
}
