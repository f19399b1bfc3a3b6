//! The systemd unit with its drop-ins, and the values in it.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The name of the checks of the unit.
pub(super) const CHECK: &str = "systemd";

/// The unit's file name.
pub(super) const NAME: &str = "feedmill.service";

/// Reads the unit and appends its drop-ins.
pub(super) fn read(file: &Path, folders: &[&Path]) -> std::io::Result<String> {
    let mut unit = std::fs::read_to_string(file)?;
    // systemd sorts drop-ins by name across all folders, and of one name takes that in the first folder.
    let mut drop_ins: BTreeMap<OsString, PathBuf> = BTreeMap::new();
    for folder in folders.iter().rev() {
        let Ok(entries) = folder.join(format!("{NAME}.d")).read_dir() else { continue };
        drop_ins.extend(entries.flatten().map(|entry| (entry.file_name(), entry.path())));
    }
    drop_ins.retain(|_, file| file.extension().is_some_and(|extension| extension == "conf"));
    for file in drop_ins.values() {
        unit.push('\n');
        unit.push_str(&std::fs::read_to_string(file)?);
    }
    Ok(joined(&unit))
}

/// Joins lines that a backslash at the end continues, and drops comments, which it does not continue.
pub(super) fn joined(unit: &str) -> String {
    let is_comment = |line: &&str| line.trim_start().starts_with(['#', ';']);
    let settings: Vec<&str> = unit.lines().filter(|line| !is_comment(line)).collect();
    settings.join("\n").replace("\\\n", " ")
}

/// Returns the values of a key in order, including empty ones.
pub(super) fn values<'u>(unit: &'u str, key: &str) -> impl DoubleEndedIterator<Item = &'u str> {
    unit.lines()
        .filter_map(move |line| Some(line.trim().strip_prefix(key)?.trim_start().strip_prefix('=')?.trim()))
}

/// Returns the last non-empty value of a key.
pub(super) fn value<'u>(unit: &'u str, key: &str) -> Option<&'u str> {
    values(unit, key).rfind(|value| !value.is_empty())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn drop_ins_go_by_name_and_the_first_folder_hides_the_others() {
        let dir = tempfile::tempdir().unwrap();
        let folders = ["etc", "run", "lib"].map(|name| dir.path().join(name));
        for (folder, name, timeout) in [(0, "10", 1), (1, "20", 2), (2, "20", 3), (2, "05", 4)] {
            let folder = folders[folder].join("feedmill.service.d");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join(format!("{name}.conf")), format!("TimeoutStopSec={timeout}\n")).unwrap();
        }
        let file = folders[2].join(NAME);
        fs::write(&file, "[Service]\nTimeoutStopSec=40\n").unwrap();
        let unit = read(&file, &folders.each_ref().map(PathBuf::as_path)).unwrap();
        let timeouts: Vec<&str> =
            unit.lines().filter_map(|line| line.strip_prefix("TimeoutStopSec=")).collect();
        assert_eq!(timeouts, ["40", "4", "1", "2"]);
    }
}
