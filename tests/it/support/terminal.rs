//! A pseudoterminal, for what the program prints if a person reads it.

use std::fs::File;
use std::io::Read as _;
use std::process::{Command, Stdio};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Opens a terminal: its screen, and the end for programs.
pub(crate) fn open() -> (File, File) {
    let screen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&screen).unwrap();
    unlockpt(&screen).unwrap();
    let name = ptsname(&screen, Vec::new()).unwrap().into_string().unwrap();
    let inner = File::options().write(true).open(name).unwrap();
    (File::from(screen), inner)
}

/// Runs a program whose output and errors both go to a terminal; returns all that it printed.
pub(crate) fn on_terminal(mut command: Command) -> String {
    let (mut screen, inner) = open();
    command.stdin(Stdio::null()).stdout(inner.try_clone().unwrap()).stderr(inner);
    let mut program = command.spawn().unwrap();
    // The command holds the program's end open.
    drop(command);
    let (mut seen, mut piece) = (Vec::new(), [0; 4096]);
    // Reading fails when no program has the terminal open any more.
    while let Ok(count) = screen.read(&mut piece) {
        seen.extend_from_slice(&piece[..count]);
    }
    program.wait().unwrap();
    String::from_utf8(seen).unwrap()
}
