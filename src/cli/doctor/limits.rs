//! Checks that the unit permits what the configuration needs: memory, and folders to write to.

use std::path::{Path, PathBuf};

use super::finding::Finding;
use super::folders::Folder;
use super::unit_file::{CHECK, values};

/// What the configuration needs of the unit.
#[derive(Debug)]
pub(super) struct Needs<'a> {
    /// `pipeline.memory_mb`, in bytes.
    pub(super) memory_bytes: u64,
    /// The folders that are written to.
    pub(super) folders: &'a [Folder],
    /// Where relative paths of the configuration begin for this command; for the daemon they begin in its `StateDirectory`.
    pub(super) state_dir: &'a Path,
}

pub(super) fn look(unit: &str, needs: &Needs<'_>) -> Vec<Finding> {
    memory(unit, needs.memory_bytes).into_iter().chain(folders(unit, needs)).collect()
}

/// Checks that the memory budget is below the unit's limits. At `MemoryHigh` systemd slows the process down, at `MemoryMax` it
/// is killed.
fn memory(unit: &str, memory_bytes: u64) -> Option<Finding> {
    [("MemoryMax", "killed"), ("MemoryHigh", "slowed down")].into_iter().find_map(|(key, consequence)| {
        let text = values(unit, key).next_back()?;
        (memory_bytes >= limit_bytes(text)?).then(|| {
            let budget_mb = memory_bytes >> 20;
            let message = format!(
                "pipeline.memory_mb = {budget_mb} is not below {key}={text}: the process would be {consequence}"
            );
            Finding::problem(CHECK, message)
                .with_hint("raise MemoryHigh= and MemoryMax= in a drop-in (`systemctl edit feedmill`), or lower memory_mb")
        })
    })
}

/// Reads a limit in bytes; `None` for no limit (`infinity`, empty), and for a share of the machine's memory, which is not compared.
fn limit_bytes(text: &str) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let shift = match &text[digits.len()..] {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return None,
    };
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// Settings that make folders writable, and the folders that their values are relative to.
const DIRECTORIES: [(&str, &str); 4] = [
    ("StateDirectory", "/var/lib"),
    ("CacheDirectory", "/var/cache"),
    ("LogsDirectory", "/var/log"),
    ("RuntimeDirectory", "/run"),
];

/// Specifiers of these folders in paths.
const SPECIFIERS: [(&str, &str); 4] =
    [("%S", "/var/lib"), ("%C", "/var/cache"), ("%L", "/var/log"), ("%t", "/run")];

/// Checks that the folders are writable where the unit makes the file system read-only.
fn folders(unit: &str, needs: &Needs<'_>) -> Vec<Finding> {
    if values(unit, "ProtectSystem").next_back() != Some("strict") {
        return Vec::new();
    }
    let writable = writable(unit);
    let begins = begin(unit);
    let of_daemon = |path: &Path| match (&begins, path.strip_prefix(needs.state_dir)) {
        (Some(begins), Ok(relative)) => begins.join(relative),
        (None, _) | (_, Err(_)) => path.to_owned(),
    };
    let closed = needs.folders.iter().filter_map(|folder| {
        let path = of_daemon(folder.path());
        let is_open = writable.iter().any(|open| path.starts_with(open) || resolved(&path).starts_with(resolved(open)));
        (!is_open).then(|| {
            let shown = path.display();
            let message = format!(
                "{}: {shown} is read-only for the service (ProtectSystem=strict)",
                folder.purpose()
            );
            Finding::problem(CHECK, message).with_hint(format!(
                "add ReadWritePaths={shown} in a drop-in (`systemctl edit feedmill`), or configure a folder in the StateDirectory"
            ))
        })
    });
    closed.collect()
}

/// Returns the folders that the unit makes writable.
fn writable(unit: &str) -> Vec<PathBuf> {
    let of_systemd = DIRECTORIES
        .into_iter()
        .flat_map(|(key, parent)| words(unit, key).into_iter().map(move |name| directory(parent, name)));
    let named = words(unit, "ReadWritePaths").into_iter().map(|path| {
        let path = path.trim_start_matches(['-', '+']);
        let known = SPECIFIERS
            .into_iter()
            .find_map(|(specifier, folder)| Some(format!("{folder}{}", path.strip_prefix(specifier)?)));
        PathBuf::from(known.unwrap_or_else(|| path.to_owned()))
    });
    let has_own = values(unit, "PrivateTmp")
        .next_back()
        .is_some_and(|value| !matches!(value, "no" | "false" | "off" | "0" | ""));
    let temporary = ["/tmp", "/var/tmp"].into_iter().filter(|_| has_own).map(PathBuf::from);
    of_systemd.chain(named).chain(temporary).collect()
}

/// Returns where relative paths begin for the daemon.
fn begin(unit: &str) -> Option<PathBuf> {
    let (key, parent) = DIRECTORIES[0];
    words(unit, key).first().map(|name| directory(parent, name))
}

/// Returns a directory of systemd's; a colon separates its name from a link to it.
fn directory(parent: &str, name: &str) -> PathBuf {
    Path::new(parent).join(name.split(':').next().unwrap_or(name))
}

/// Returns the words of a list, which an empty value clears.
fn words<'u>(unit: &'u str, key: &str) -> Vec<&'u str> {
    let mut words = Vec::new();
    for value in values(unit, key) {
        if value.is_empty() {
            words.clear();
        }
        words.extend(value.split_whitespace());
    }
    words
}

/// Returns the path without symbolic links, as far as it exists.
fn resolved(path: &Path) -> PathBuf {
    let found = path.ancestors().find_map(|place| Some((place, place.canonicalize().ok()?)));
    found.map_or_else(
        || path.to_owned(),
        |(place, real)| real.join(path.strip_prefix(place).expect("it is an ancestor")),
    )
}

#[cfg(test)]
mod tests {
    use super::super::unit_file::joined;
    use super::*;

    const UNIT: &str =
        "[Service]\nMemoryHigh=448M\nMemoryMax=512M\nStateDirectory=feedmill\nProtectSystem=strict\n";

    fn found(drop_in: &str, memory_mb: u64, folders: &[&str]) -> Vec<String> {
        let folders: Vec<Folder> = folders.iter().map(|path| Folder::of("sink", Path::new(path))).collect();
        let needs = Needs {
            memory_bytes: memory_mb << 20,
            folders: &folders,
            state_dir: Path::new("/home/me/.local/state/feedmill"),
        };
        look(&joined(&format!("{UNIT}[Service]\n{drop_in}\n")), &needs)
            .into_iter()
            .map(|found| found.message)
            .collect()
    }

    #[test]
    fn a_budget_fits_below_both_limits() {
        for (drop_in, memory_mb, said) in [
            ("", 384, ""),
            ("", 512, "pipeline.memory_mb = 512 is not below MemoryMax=512M: the process would be killed"),
            (
                "",
                450,
                "pipeline.memory_mb = 450 is not below MemoryHigh=448M: the process would be slowed down",
            ),
            ("MemoryHigh=3G\nMemoryMax=4G", 2048, ""),
            ("MemoryHigh=\nMemoryMax=infinity", 2048, ""),
            (
                "MemoryHigh=80%\nMemoryMax=536870912",
                2048,
                "pipeline.memory_mb = 2048 is not below MemoryMax=536870912",
            ),
            (
                "MemoryHigh=infinity\nMemoryMax=1048576K",
                1024,
                "pipeline.memory_mb = 1024 is not below MemoryMax=1048576K",
            ),
        ] {
            let found = found(drop_in, memory_mb, &[]);
            let is_as_said = match &found[..] {
                [] => said.is_empty(),
                [one] => !said.is_empty() && one.starts_with(said),
                _ => false,
            };
            assert!(is_as_said, "{drop_in:?} {memory_mb}: {found:?}");
        }
    }

    #[test]
    fn folders_are_where_the_service_may_write() {
        let named = "ReadWritePaths=-/srv/feedmill %C/pages\nLogsDirectory=mill:old";
        for (drop_in, folder, is_open) in [
            ("", "/var/lib/feedmill", true),
            ("", "/var/lib/feedmill/texts", true),
            ("", "/var/lib/feedmills", false),
            // The daemon begins relative paths in its StateDirectory.
            ("", "/home/me/.local/state/feedmill/texts", true),
            ("", "/srv/feedmill/texts", false),
            (named, "/srv/feedmill/texts", true),
            (named, "/var/cache/pages", true),
            (named, "/var/log/mill", true),
            ("ReadWritePaths=/srv\nReadWritePaths=", "/srv/feedmill/texts", false),
            ("ReadWritePaths=/srv/one \\\n  /srv/feedmill", "/srv/feedmill/texts", true),
            ("ProtectSystem=full", "/srv/feedmill/texts", true),
            ("", "/tmp/texts", false),
            ("PrivateTmp=yes", "/tmp/texts", true),
            ("StateDirectory=", "/var/lib/feedmill", false),
        ] {
            let found = found(drop_in, 384, &[folder]);
            assert_eq!(found.is_empty(), is_open, "{drop_in:?} {folder}: {found:?}");
            let said = format!("sink: {folder} is read-only for the service (ProtectSystem=strict)");
            assert!(is_open || found == [said], "{drop_in:?} {folder}: {found:?}");
        }
    }
}
