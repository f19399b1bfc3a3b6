//! The service files: hardened, and in step with the defaults of the configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use feedmill::config::{Config, Environment};

/// Highest exposure that `systemd-analyze security` may find, in tenths.
const MAX_EXPOSURE: u32 = 15;

fn deploy(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("deploy").join(name)
}

fn shipped_config() -> Config {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("config/feedmill.toml");
    Config::load(Some(&file), &Environment::default()).unwrap().config
}

fn unit() -> String {
    std::fs::read_to_string(deploy("feedmill.service")).unwrap()
}

fn unit_value<'u>(unit: &'u str, key: &str) -> &'u str {
    unit.lines()
        .find_map(|line| line.strip_prefix(key)?.strip_prefix('='))
        .unwrap_or_else(|| panic!("no {key}="))
}

#[test]
fn the_systemd_unit_is_hardened() {
    let analysis = Command::new("systemd-analyze")
        .args(["security", "--offline=true", "--no-pager", &format!("--threshold={MAX_EXPOSURE}")])
        .arg(deploy("feedmill.service"))
        .output();
    match analysis {
        Ok(analysis) => assert!(analysis.status.success(), "{}", String::from_utf8_lossy(&analysis.stdout)),
        Err(error) => {
            assert!(std::env::var("CI").is_err(), "systemd-analyze: {error}, and this is CI");
            eprintln!("SKIPPED the_systemd_unit_is_hardened: systemd-analyze: {error}");
        }
    }
}

#[test]
fn service_managers_wait_longer_than_a_soft_stop_takes() {
    let stop_timeout_secs = shipped_config().stop_timeout.as_secs();
    let unit = unit();
    let systemd: u64 = unit_value(&unit, "TimeoutStopSec").parse().unwrap();
    let compose = std::fs::read_to_string(deploy("compose.yaml")).unwrap();
    let compose = compose.lines().find_map(|line| line.trim().strip_prefix("stop_grace_period: ")).unwrap();
    let compose: u64 = compose.strip_suffix('s').unwrap().parse().unwrap();
    assert!(systemd > stop_timeout_secs && compose > stop_timeout_secs);
}

#[test]
fn service_managers_allow_more_memory_than_the_budget() {
    let budget_mb = shipped_config().pipeline.memory_bytes >> 20;
    let unit = unit();
    let megabytes = |key: &str| unit_value(&unit, key).strip_suffix('M').unwrap().parse::<u64>().unwrap();
    let compose = std::fs::read_to_string(deploy("compose.yaml")).unwrap();
    let limit = compose.lines().find_map(|line| line.trim().strip_prefix("mem_limit: ")).unwrap();
    let limit_mb: u64 = limit.strip_suffix('m').unwrap().parse().unwrap();
    assert!(budget_mb < megabytes("MemoryHigh") && megabytes("MemoryHigh") < megabytes("MemoryMax"));
    assert_eq!(limit_mb, megabytes("MemoryMax"));
}

#[test]
fn the_systemd_unit_speaks_the_daemons_language() {
    let unit = unit();
    assert_eq!(unit_value(&unit, "Type"), "notify");
    assert_eq!(unit_value(&unit, "ExecReload"), "/bin/kill -HUP $MAINPID");
    assert_eq!(unit_value(&unit, "RestartPreventExitStatus"), "2", "the exit code for a bad configuration");
    assert!(unit_value(&unit, "WatchdogSec").parse::<u64>().unwrap() > 0);
}
