//! The service files: hardened, and consistent with the configuration defaults.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use feedmill::config::{Config, Environment};
use feedmill::lifecycle::Lifecycle;
use feedmill::telemetry::metrics::Metrics;
use serde_json::Value;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::support::daemon::TestDaemon;

/// Highest exposure accepted from `systemd-analyze security`, in tenths.
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

/// Every document of a YAML file.
fn documents(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    serde_saphyr::from_multiple(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// All Kubernetes manifests.
fn manifests() -> Vec<Value> {
    let files = std::fs::read_dir(deploy("kubernetes")).unwrap();
    files.flat_map(|file| documents(&file.unwrap().path())).collect()
}

fn manifest<'m>(manifests: &'m [Value], kind: &str) -> &'m Value {
    let mut of_kind = manifests.iter().filter(|manifest| manifest["kind"] == kind);
    of_kind.next().unwrap_or_else(|| panic!("no {kind}"))
}

#[test]
fn the_manifests_are_of_one_piece() {
    let manifests = manifests();
    for manifest in &manifests {
        assert!(manifest["apiVersion"].is_string(), "{manifest}");
        assert_eq!(manifest["metadata"]["name"], "feedmill");
        assert_eq!(manifest["metadata"]["labels"]["app.kubernetes.io/name"], "feedmill");
    }
    let deployment = &manifest(&manifests, "Deployment")["spec"];
    let labels = &deployment["template"]["metadata"]["labels"];
    let selectors = [
        &deployment["selector"]["matchLabels"],
        &manifest(&manifests, "Service")["spec"]["selector"],
        &manifest(&manifests, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"],
        &manifest(&manifests, "NetworkPolicy")["spec"]["podSelector"]["matchLabels"],
    ];
    assert!(selectors.iter().all(|selector| *selector == labels), "{selectors:?}");
    let pod = &deployment["template"]["spec"];
    let container = &pod["containers"][0];
    let volumes: Vec<&Value> =
        pod["volumes"].as_array().unwrap().iter().map(|volume| &volume["name"]).collect();
    for mount in container["volumeMounts"].as_array().unwrap() {
        assert!(volumes.contains(&&mount["name"]), "{mount}");
    }
    assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
    assert_eq!(pod["securityContext"]["runAsNonRoot"], true);
    let budget_mb = shipped_config().pipeline.memory_bytes >> 20;
    let limit = container["resources"]["limits"]["memory"].as_str().unwrap();
    assert!(limit.strip_suffix("Mi").unwrap().parse::<u64>().unwrap() > budget_mb);
    let grace = pod["terminationGracePeriodSeconds"].as_u64().unwrap();
    assert!(grace > shipped_config().stop_timeout.as_secs());
}

/// The program accepts the config map's configuration, with secrets at the paths where the deployment mounts them.
#[test]
fn the_config_map_is_a_configuration() {
    let manifests = manifests();
    let deployment = manifest(&manifests, "Deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let mount_of = |name: &str| {
        let mounts = container["volumeMounts"].as_array().unwrap();
        let mount = mounts.iter().find(|mount| mount["name"] == name).unwrap();
        mount["mountPath"].as_str().unwrap().to_owned()
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("database_url"), "postgres://feedmill:secret@postgres/feedmill")
        .unwrap();
    for token in ["reader_token", "metrics_token"] {
        std::fs::write(folder.path().join(token), "0123456789abcdef0123456789abcdef").unwrap();
    }
    let map = manifest(&manifests, "ConfigMap")["data"]["feedmill.toml"].as_str().unwrap();
    let secrets = mount_of("secrets");
    assert_eq!(map.matches(&secrets).count(), 3, "all secrets are read from {secrets}");
    let file = folder.path().join("feedmill.toml");
    std::fs::write(&file, map.replace(&secrets, folder.path().to_str().unwrap())).unwrap();
    let config = Config::load(Some(&file), &Environment::default()).unwrap().config;
    for (name, listen) in [("http", config.http.listen), ("metrics", config.http.metrics_listen)] {
        assert_eq!(port_of(container, name), listen.unwrap().port(), "{name}");
    }
    let place = format!("{}/feedmill.toml", mount_of("config"));
    assert!(container["args"].as_array().unwrap().contains(&Value::from(place)));
}

fn port_of(container: &Value, name: &str) -> u16 {
    let port = container["ports"].as_array().unwrap().iter().find(|port| port["name"] == name).unwrap();
    port["containerPort"].as_u64().unwrap().try_into().unwrap()
}

/// Prometheus is told the port, and a token that permits to read metrics, and reaches that port only.
#[test]
fn prometheus_may_scrape_what_it_is_told_to() {
    let manifests = manifests();
    let pod = &manifest(&manifests, "Deployment")["spec"]["template"];
    let monitor = &manifest(&manifests, "PodMonitor")["spec"];
    assert_eq!(monitor["selector"]["matchLabels"], pod["metadata"]["labels"]);
    assert!(pod["metadata"]["annotations"].is_null(), "annotations could not name the token");
    let endpoint = &monitor["podMetricsEndpoints"][0];
    let port = port_of(&pod["spec"]["containers"][0], endpoint["port"].as_str().unwrap());
    assert_eq!(endpoint["path"], "/metrics");

    let credentials = &endpoint["authorization"]["credentials"];
    let mounted = pod["spec"]["volumes"].as_array().unwrap();
    assert!(mounted.iter().any(|volume| volume["secret"]["secretName"] == credentials["name"]));
    let map = manifest(&manifests, "ConfigMap")["data"]["feedmill.toml"].as_str().unwrap();
    let settings: toml::Table = map.parse().unwrap();
    let key = credentials["key"].as_str().unwrap();
    let mut tokens = settings["http"]["tokens"].as_array().unwrap().iter();
    let token = tokens.find(|token| token["secret"]["file"].as_str().unwrap().ends_with(&format!("/{key}")));
    assert_eq!(token.unwrap()["role"].as_str(), Some("operator"));
    let made = std::fs::read_to_string(deploy("kubernetes/deployment.yaml")).unwrap();
    assert!(made.contains(&format!("--from-literal={key}=")), "the command that makes the secret has it");

    let ingress = manifest(&manifests, "NetworkPolicy")["spec"]["ingress"].as_array().unwrap();
    let from_elsewhere = |rule: &&Value| {
        let from = rule["from"].as_array().unwrap();
        from.iter().any(|peer| !peer["namespaceSelector"].is_null())
    };
    let ports: Vec<&Value> = ingress.iter().filter(from_elsewhere).map(|rule| &rule["ports"]).collect();
    assert_eq!(ports, [&serde_json::json!([{ "port": port }])]);
}

#[tokio::test]
async fn the_probes_ask_what_is_answered() {
    let manifests = manifests();
    let deployment = manifest(&manifests, "Deployment");
    let container = &deployment["spec"]["template"]["spec"]["containers"][0];
    let feed = "http://127.0.0.1:9/feed".parse().unwrap();
    let opened = TestDaemon::new().feed(&feed).http("metrics_listen = \"127.0.0.1:0\"").open().await;
    let lifecycle = Lifecycle::new(Duration::from_mins(1));
    let listening = Arc::clone(&opened.daemon).start(&lifecycle, Metrics::install()).await.unwrap();
    for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
        let path = container[probe]["httpGet"]["path"].as_str().unwrap();
        let answer = get(listening.metrics.unwrap(), path).await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{probe} {path}: {answer}");
        assert_eq!(container[probe]["httpGet"]["port"], "metrics", "readers cannot take its places");
    }
    lifecycle.stop_soft();
    assert!(lifecycle.wait().await.is_clean());
}

async fn get(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

/// The instructions of the last stage of the Containerfile, continued lines joined.
fn last_stage() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(deploy("Containerfile")).unwrap().replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let instructions: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(' '))
        .map(|(name, rest)| (name.into(), rest.into()))
        .collect();
    let last = instructions.iter().rposition(|(name, _)| name == "FROM").unwrap();
    instructions[last..].to_vec()
}

#[test]
fn the_container_is_static_and_has_no_powers() {
    let text = std::fs::read_to_string(deploy("Containerfile")).unwrap();
    assert!(text.contains("RUSTFLAGS=\"-C target-feature=+crt-static\""), "the program needs no library");
    assert!(text.contains("! readelf --dynamic /out/usr/local/bin/feedmill | grep NEEDED"), "{text}");
    let stage = last_stage();
    let value = |name: &str| {
        let mut values = stage.iter().filter(|(known, _)| known == name).map(|(_, value)| value.as_str());
        let value = values.next().unwrap_or_else(|| panic!("no {name}"));
        assert_eq!(values.next(), None, "{name} once");
        value
    };
    assert!(value("FROM").starts_with("gcr.io/distroless/static-debian"), "no libc, no shell");
    assert_eq!(value("USER"), "nonroot:nonroot");
    let (entry, volume) = (value("ENTRYPOINT"), value("VOLUME"));
    let [program]: [String; 1] = serde_json::from_str(entry).unwrap();
    let copied: Vec<&str> =
        stage.iter().filter(|(name, _)| name == "COPY").map(|(_, rest)| rest.as_str()).collect();
    assert!(copied.iter().any(|rest| rest.ends_with(&format!(" {program}"))), "{copied:?}");
    assert!(copied.iter().any(|rest| rest.contains("--chown=nonroot:nonroot") && rest.ends_with(volume)));
    assert!(stage.contains(&("ENV".to_owned(), format!("STATE_DIRECTORY={volume}"))));

    // The health check and the default command are subcommands of the program.
    let (_, check) = value("HEALTHCHECK").split_once(" CMD ").unwrap();
    let check: Vec<String> = serde_json::from_str(check).unwrap();
    let run: Vec<String> = serde_json::from_str(value("CMD")).unwrap();
    assert_eq!((check[0].as_str(), check[1].as_str()), (program.as_str(), "health"));
    for arguments in [&check[1..], &run] {
        let asked =
            Command::new(env!("CARGO_BIN_EXE_feedmill")).args(arguments).arg("--help").output().unwrap();
        assert!(asked.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&asked.stderr));
    }
}

#[test]
fn the_compose_file_shares_the_work_among_three() {
    let compose = &documents(&deploy("compose.yaml"))[0];
    let services = &compose["services"];
    let feedmill = &services["feedmill"];
    assert_eq!(feedmill["read_only"], true);
    assert_eq!(feedmill["cap_drop"], serde_json::json!(["ALL"]));
    assert_eq!(feedmill["security_opt"], serde_json::json!(["no-new-privileges:true"]));
    assert_eq!(services["feedmill"]["deploy"]["replicas"], 3);
    for needed in services["feedmill"]["depends_on"].as_object().unwrap().keys() {
        assert!(services[needed].is_object(), "{needed}");
    }
    let secrets = compose["secrets"].as_object().unwrap();
    for (name, service) in services.as_object().unwrap() {
        for secret in service["secrets"].as_array().into_iter().flatten() {
            assert!(secrets.contains_key(secret.as_str().unwrap()), "{name}: {secret}");
        }
    }
}

/// The program accepts the configuration that the instructions in the compose file produce, with secrets at other paths.
#[test]
fn the_compose_files_instructions_make_a_configuration() {
    let file = deploy("compose.yaml");
    let feedmill = &documents(&file)[0]["services"]["feedmill"];
    let text = std::fs::read_to_string(&file).unwrap();
    let folder = tempfile::tempdir().unwrap();
    for secret in feedmill["secrets"].as_array().unwrap() {
        let content = match secret.as_str().unwrap() {
            "database_url" => "postgres://feedmill:secret@postgres/feedmill",
            _ => "0123456789abcdef0123456789abcdef",
        };
        std::fs::write(folder.path().join(secret.as_str().unwrap()), content).unwrap();
    }
    // Of the instructions, those are run that write the configuration.
    let commands: Vec<&str> = text
        .lines()
        .filter_map(|line| line.strip_prefix("#   "))
        .filter(|line| line.contains("feedmill.toml"))
        .collect();
    assert_eq!(commands.len(), 2, "a copy and an addition: {commands:?}");
    let script = commands.join("\n").replace("../config", deploy("../config").to_str().unwrap());
    let made = Command::new("sh").args(["-ec", &script]).current_dir(folder.path()).status().unwrap();
    assert!(made.success(), "{script}");

    let secrets = "/run/secrets/";
    let here = format!("{}/", folder.path().display());
    let of_compose = feedmill["environment"].as_object().unwrap().iter();
    let of_compose = of_compose.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned()));
    let of_image = last_stage().into_iter().filter(|(name, _)| name == "ENV").map(|(_, setting)| {
        let (name, value) = setting.split_once('=').unwrap();
        (name.to_owned(), value.to_owned())
    });
    let environment: Environment =
        of_image.chain(of_compose).map(|(name, value)| (name, value.replace(secrets, &here))).collect();
    let made = folder.path().join("feedmill.toml");
    let config = Config::load(Some(&made), &environment).unwrap().config;
    let [sink] = &*config.sinks else { panic!("{:?}", config.sinks) };
    assert_eq!((sink.relay.name.as_str(), sink.receiver.kind()), ("nats", "nats"));
    let port = feedmill["ports"][0].as_str().unwrap().rsplit(':').next().unwrap();
    assert_eq!(config.http.listen.unwrap().port().to_string(), port);
    assert!(!config.http.tokens.is_empty());
}

/// A folder in memory would belong to root, and the program does not run as root.
#[test]
fn the_compose_file_gives_the_state_folder_to_the_images_user() {
    /// The user `nonroot` of distroless images.
    const USER: &str = "65532";
    let manifests = manifests();
    let pod = &manifest(&manifests, "Deployment")["spec"]["template"]["spec"]["securityContext"];
    assert_eq!(pod["runAsUser"].to_string(), USER);
    let volume = last_stage().into_iter().find(|(name, _)| name == "VOLUME").unwrap().1;
    let compose = &documents(&deploy("compose.yaml"))[0]["services"]["feedmill"];
    let folders = compose["tmpfs"].as_array().unwrap();
    let expected = format!("{volume}:uid={USER},gid={USER},mode=0700");
    assert!(folders.contains(&Value::from(expected)), "{folders:?}");
}

#[test]
fn the_systemd_unit_speaks_the_daemons_language() {
    let unit = unit();
    assert_eq!(unit_value(&unit, "Type"), "notify");
    assert_eq!(unit_value(&unit, "ExecReload"), "/bin/kill -HUP $MAINPID");
    assert_eq!(unit_value(&unit, "RestartPreventExitStatus"), "2", "the exit code for a bad configuration");
    assert!(unit_value(&unit, "WatchdogSec").parse::<u64>().unwrap() > 0);
}

#[test]
fn memory_that_was_freed_goes_back_soon() {
    let mut feedmill = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    let told = feedmill.arg("--version").env("_RJEM_MALLOC_CONF", "stats_print:true").output().unwrap();
    let settings = String::from_utf8(told.stderr).unwrap();
    for expected in ["opt.dirty_decay_ms: 100 ", "opt.oversize_threshold: 1048576"] {
        assert!(settings.contains(expected), "{settings}");
    }
}
