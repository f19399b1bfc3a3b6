//! Results and error messages for valid and invalid configurations.

mod environment;
mod included;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use feedmill::config::{Config, ConfigError, DEFAULT_FILE, Environment, Fixed, Loaded};
use feedmill::model::ContentSource;
use feedmill::publish::Receiver;
use feedmill::publish::folder::Place;
use feedmill::publish::text::{Selection, Trace};
use tempfile::TempDir;
use url::Url;

/// Files in a temporary folder. The environment contains only what the test sets.
struct Files {
    dir: TempDir,
    environment: Vec<(&'static str, String)>,
}

impl Files {
    fn new(files: &[(&str, &str)]) -> Self {
        let dir = TempDir::new().unwrap();
        for (name, text) in files {
            let path = dir.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { dir, environment: Vec::new() }
    }

    fn with(mut self, variable: &'static str, value: impl Into<String>) -> Self {
        self.environment.push((variable, value.into()));
        self
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn load(&self) -> Result<Loaded, ConfigError> {
        let environment: Environment = self.environment.iter().cloned().collect();
        Config::load(Some(&self.path("feedmill.toml")), &environment)
    }

    /// Returns the error's text without the folder's name.
    fn error(&self) -> String {
        let error = self.load().expect_err("the configuration is broken");
        self.without_dir(&error.to_string())
    }

    fn warnings(&self) -> Vec<String> {
        let loaded = self.load().unwrap_or_else(|error| panic!("{error}"));
        loaded.warnings.iter().map(|warning| self.without_dir(&warning.to_string())).collect()
    }

    fn without_dir(&self, text: &str) -> String {
        text.replace(&format!("{}/", self.dir.path().display()), "")
    }
}

fn config(text: &str) -> Files {
    Files::new(&[("feedmill.toml", text)])
}

fn loaded(files: &Files) -> Loaded {
    files.load().unwrap_or_else(|error| panic!("{error}"))
}

fn url(text: &str) -> Url {
    Url::parse(text).unwrap()
}

/// Returns the shipped file with every setting uncommented: prose begins with "# ", a setting with "#" alone.
fn uncommented() -> String {
    lines(DEFAULT_FILE.lines().map(|line| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase()) => setting,
        _ => line,
    }))
}

/// Returns the examples in the shipped file's prose.
fn examples() -> String {
    lines(DEFAULT_FILE.lines().filter_map(|line| line.strip_prefix("#    ")))
}

/// Joins lines into one text.
fn lines(lines: impl IntoIterator<Item = impl AsRef<str>>) -> String {
    lines.into_iter().fold(String::new(), |text, line| text + line.as_ref() + "\n")
}

/// Returns `section.key` of every setting.
fn keys(toml: &str) -> BTreeSet<String> {
    let table: toml::Table = toml.parse().unwrap();
    let mut keys = BTreeSet::new();
    for (section, value) in table {
        match value {
            toml::Value::Table(settings) => {
                keys.extend(settings.keys().map(|key| format!("{section}.{key}")));
            }
            _ => {
                keys.insert(section);
            }
        }
    }
    keys
}

/// Returns the keys that a `[[feed]]` or `[[site]]` table may have, as listed by the error for an unknown key.
fn known_keys(table: &str, extra: &str) -> BTreeSet<String> {
    let error = config(&format!("[[{table}]]\n{extra}\nzzz = 1\n")).error();
    let (_, known) = error.split_once("known keys: ").unwrap();
    known.lines().next().unwrap().split(", ").map(str::to_owned).collect()
}

#[test]
fn the_default_file_says_the_defaults() {
    let defaults = loaded(&config("")).to_toml();
    assert_eq!(loaded(&config(DEFAULT_FILE)).to_toml(), defaults);
    assert_eq!(loaded(&config(&uncommented())).to_toml(), defaults);
}

#[test]
fn the_default_file_has_exactly_the_keys_there_are() {
    assert_eq!(keys(&uncommented()), keys(&loaded(&config("")).to_toml()));
}

#[test]
fn the_default_files_examples_show_every_key_and_are_right() {
    let examples = examples();
    let table: toml::Table = examples.parse().unwrap();
    for (name, extra) in
        [("feed", "url = \"https://x.example/\""), ("site", "host = \"x.example\""), ("sink", "stdout = {}")]
    {
        let tables = table[name].as_array().unwrap();
        let shown: BTreeSet<String> =
            tables.iter().flat_map(|table| table.as_table().unwrap().keys().cloned()).collect();
        assert_eq!(shown, known_keys(name, extra), "{name}");
    }
    let (feeds_and_sinks, _) = examples.split_once("[[site]]").unwrap();
    let files = Files::new(&[("feedmill.toml", feeds_and_sinks), ("news.key", "k"), ("wire.token", "t")])
        .with("FEEDMILL_SECRET_NEWS", "n")
        .with("FEEDMILL_SECRET_HOOK", "h");
    for name in ["feedmill.creds", "hook.token", "lake.key"] {
        fs::write(files.path(name), "x").unwrap();
    }
    fs::write(files.path("nats-ca.pem"), include_str!("config/authority.pem")).unwrap();
    let config = loaded(&files).config;
    assert_eq!(config.feeds.len(), 2);
    let kinds: BTreeSet<&str> = config.sinks.iter().map(|sink| sink.receiver.kind()).collect();
    let of_all = ["name", "from", "pause", "filter"];
    let keys = known_keys("sink", "");
    assert_eq!(kinds, keys.iter().map(String::as_str).filter(|key| !of_all.contains(key)).collect());
}

/// Name and content of broken files; the snapshot of that name contains the error.
const BROKEN: &[(&str, &str)] = &[
    ("out_of_bounds", "[fetch]\ntimeout_secs = 0\n"),
    ("unknown_key", "[fetch]\n# a typing error\ntimout_secs = 30\n"),
    ("unknown_section", "[fetcher]\ntimeout_secs = 30\n"),
    ("wrong_type", "[fetch]\ntimeout_secs = \"30s\"\nproxy = 3128\n"),
    ("syntax", "[fetch]\ntimeout_secs = 30s\n[log\n"),
    ("unknown_variant", "[log]\nformat = \"xml\"\n"),
    ("bad_filter", "[log]\nfilter = \"feedmill=loud\"\n"),
    (
        "bad_feed_url",
        "[[feed]]\nurl = \"news.example.org/feed\"\n\n[[feed]]\nurl = \"ftp://news.example.org/feed\"\n",
    ),
    ("feed_without_url", "[[feed]]\ninterval_secs = 900\n"),
    ("output_dir", "[output]\ndir = \"texts\"\n"),
    (
        "bad_sinks",
        "[[sink]]\nname = \"a b\"\nstdout = {}\n\n[[sink]]\nname = \"x\"\n\n[[sink]]\nname = \"x\"\n\
         filter = { event = [\"deleted\"] }\njsonl = { to = \"\", every = \"7h\", max_bytes = 1 }\n\n\
         [[sink]]\nname = \"hook\"\n[sink.webhook]\nurl = \"https://u:p@x.example/\"\nmax_records = 0\n\n\
         [[sink]]\nname = \"bus\"\n[sink.nats]\nservers = [\"nats://u:p@x.example\"]\nsubject = \"news.>\"\n",
    ),
    (
        "bad_buckets",
        "[[sink]]\nname = \"a\"\nparquet = { to = \"ftp://lake\" }\n\n\
         [[sink]]\nname = \"b\"\njsonl = { to = \"s3://u:swordfish@lake\" }\n\n\
         [[sink]]\nname = \"c\"\ntext = { to = \"texts\", bucket = { region = \"eu\" } }\n\n\
         [[sink]]\nname = \"d\"\n[sink.jsonl]\nto = \"s3:///articles\"\n\n\
         [[sink]]\nname = \"e\"\n[sink.jsonl]\nto = \"s3://lake/a/\"\n\
         bucket = { access_key_id = \"AKID\", account_name = \"x\", endpoint = \"lake\" }\n\n\
         [[sink]]\nname = \"f\"\n[sink.parquet]\nto = \"s3://lake/a\"\n\n\
         [[sink]]\nname = \"g\"\n[sink.parquet]\nto = \"gs://lake/a\"\nbucket = { endpoint = \"http://store.example\" }\n\n\
         [[sink]]\nname = \"h\"\n[sink.parquet]\nto = \"az://lake/a\"\n\n\
         [[sink]]\nname = \"i\"\ntext = { to = \"/srv/news\" }\n\n\
         [[sink]]\nname = \"j\"\njsonl = { to = \"/srv/news\" }\n",
    ),
    (
        "feed_twice",
        "[[feed]]\nurl = \"https://news.example.org/feed\"\n\n[[feed]]\nurl = \"https://NEWS.example.org:443/feed#top\"\n",
    ),
    ("password_in_url", "[[feed]]\nurl = \"https://reader:swordfish@news.example.org/feed\"\n"),
    (
        "half_credentials",
        "[[feed]]\nurl = \"https://news.example.org/feed\"\nauth = { username = \"reader\" }\n",
    ),
    (
        "secret_not_found",
        "[[feed]]\nurl = \"https://news.example.org/feed\"\n\
         auth = { bearer = { env = \"FEEDMILL_SECRET_NEWS\" } }\nheaders = { X-Key = { file = \"absent.key\" } }\n",
    ),
    (
        "own_header",
        "[[feed]]\nurl = \"https://news.example.org/feed\"\nheaders = { Authorization = \"Basic c3dvcmRmaXNo\" }\n",
    ),
    ("bad_database", "[database]\nurl = \"mysql://mill:swordfish@db/mill\"\n"),
    ("database_in_memory", "[database]\nurl = \"sqlite::memory:\"\n"),
    ("bad_listen", "[http]\nlisten = \"8080\"\n"),
    ("no_token", "[http]\nlisten = \"0.0.0.0:8080\"\n"),
    (
        "anonymous_and_tokens",
        "[http]\ntokens = [{ name = \"x\", secret = \"0123456789abcdef\" }]\nallow_anonymous = true\n",
    ),
    ("bad_hosts", "[http]\nhosts = [\"mill.example\", \"http://mill.example:8080\"]\n"),
    ("metrics_in_the_open", "[http]\nmetrics_listen = \"0.0.0.0:9100\"\n"),
    ("metrics_at_the_same_place", "[http]\nmetrics_listen = \"127.0.0.1:8080\"\n"),
    ("short_token", "[http]\nlisten = \"[::]:8080\"\ntokens = [{ name = \"x\", secret = \"hunter2\" }]\n"),
    ("bad_net", "[fetch]\nallow = [\"10.0.0.0/8\", \"10.0.0.0/33\"]\n"),
    ("intervals_crossed", "[schedule]\nmin_interval_secs = 7200\nmax_interval_secs = 3600\n"),
    (
        "bad_freshness",
        "[schedule]\nfreshness = \"2m\"\n\n\
         [[feed]]\nurl = \"https://a.example/\"\nfreshness = \"soon\"\n\n\
         [[feed]]\nurl = \"https://b.example/\"\nfreshness = \"30m\"\ninterval_secs = 900\n",
    ),
    ("lease_too_short", "[pipeline]\nlease_secs = 60\n"),
    ("timeout_beyond_the_lease", "[[feed]]\nurl = \"https://a.example/\"\ntimeout_secs = 300\n"),
    (
        "bad_ages",
        "[articles]\nrecheck = [\"1h\", \"soon\", \"30s\"]\n\n\
         [[feed]]\nurl = \"https://a.example/\"\nrecheck = [\"24h\", \"1h\"]\n",
    ),
    ("bad_days", "[articles]\nkeep_days = 40000\nraw = \"yes\"\n"),
    (
        "bad_patterns",
        "[[feed]]\nurl = \"https://a.example/\"\nkeep = [{}]\ndrop = [{ title = \"(a\" }]\n\n\
         [[site]]\nhost = \"a.example\"\ndrop_text = [\"\"]\n\n[extract]\nsite_files_dir = \"absent\"\n",
    ),
    ("include_absent", "include = [\"feeds.opml\"]\n"),
    ("include_cycle", "include = [\"feedmill.toml\"]\n"),
    (
        "all_at_once",
        "[fetch]\ntimeout_secs = 0\nmax_redirect = 3\n\n[dedup]\nmin_containment = 0.2\n\n\
         [[feed]]\nurl = \"https://a.example/\"\ncontent = \"pages\"\n\n[[feed]]\nurl = \"gopher://b.example/\"\n\n\
         [database]\nmax_connections = -1\n",
    ),
];

#[test]
fn a_broken_config_is_told_where_and_how_to_mend_it() {
    for (name, text) in BROKEN {
        let error = config(text).error();
        assert!(!error.contains("swordfish") && !error.contains("c3dvcmRmaXNo"), "a secret in: {error}");
        insta::with_settings!({description => *text, omit_expression => true}, {
            insta::assert_snapshot!(*name, error);
        });
    }
}

#[test]
fn a_syntax_error_beside_a_secret_shows_no_secret() {
    for broken in [
        "[[feed]]\nurl = \"https://a.example/\"\nauth = { bearer = \"swordfish }\n",
        "[[feed]]\nurl = \"https://a.example/\"\nauth = { bearer = swordfish }\n",
        "[[feed]]\nurl = \"https://a.example/\"\nauth = \"swordfish\"\n",
        "[[feed]]\nurl = \"https://a.example/\"\nauth = { bearer = [\"swordfish\"] }\n",
        "[[feed]]\nurl = \"https://a.example/\"\n[feed.headers]\nX-Key = swordfish\n",
        "[[feed]]\nurl = \"https://a.example/\"\n[feed.headers]\nX-Key = \"swordfish\\u0001\"\n",
        "[database]\nurl = postgres://mill:swordfish@db/mill\n",
        "[database]\nurl = { password = \"swordfish\" }\n",
    ] {
        let error = config(broken).error();
        assert!(!error.contains("swordfish"), "{error}");
    }
}

#[test]
fn a_long_list_of_problems_is_cut() {
    let list = lines((0..50).map(|i| format!("no-url-{i}")));
    let error = Files::new(&[("feedmill.toml", "include = [\"feeds.txt\"]"), ("feeds.txt", &list)]).error();
    assert_eq!(error.lines().count(), 21, "{error}");
    assert!(error.starts_with("feeds.txt:1: \"no-url-0\": not a URL: must begin with http:// or https://\n"));
    assert!(error.ends_with("\nand 30 more"), "{error}");
}

#[test]
fn what_is_shown_can_be_read_again() {
    let files = Files::new(&[
        (
            "feedmill.toml",
            "include = [\"more.txt\"]\n[[feed]]\nurl = \"https://a.example/\"\ninterval_secs = 900\ntags = [\"x\"]\n",
        ),
        ("more.txt", "https://b.example/\n"),
    ]);
    let shown = loaded(&files).to_toml();
    let again = loaded(&config(&shown));
    assert_eq!(again.to_toml(), shown);
    assert_eq!(again.config.feeds.len(), 2);
}

#[test]
fn a_feeds_own_settings_win() {
    let files = config(
        r#"
        [schedule]
        freshness = "45m"
        min_interval_secs = 3600
        max_interval_secs = 7200
        [[feed]]
        url = "https://a.example/feed"
        interval_secs = 900
        content = "page"
        tags = ["world"]
        timeout_secs = 5
        user_agent = "ExampleBot/1.0"
        obey_robots = true
        proxy = "http://127.0.0.1:3128"
        [[feed]]
        url = "https://b.example/feed"
        min_interval_secs = 10000
        [[feed]]
        url = "https://c.example/feed"
        max_interval_secs = 60
        [[feed]]
        url = "https://d.example/feed"
        enabled = false
        [[feed]]
        url = "https://e.example/feed"
        freshness = "2h"
        [[feed]]
        url = "https://f.example/feed"
        freshness = ""
        "#,
    );
    let loaded = loaded(&files);
    let feeds = &loaded.config.feeds;
    assert_eq!((feeds.len(), loaded.origins.disabled()), (5, 1));
    let aim = |feed: &str| feeds[&url(feed)].bounds.freshness;
    assert_eq!(aim("https://b.example/feed"), None, "its bound is above that for all");
    assert_eq!(aim("https://c.example/feed"), Some(Duration::from_mins(45)));
    assert_eq!(aim("https://e.example/feed"), Some(Duration::from_hours(2)));
    assert_eq!(aim("https://f.example/feed"), None);
    let a = &feeds[&url("https://a.example/feed")];
    assert_eq!(a.bounds.fixed_interval, Some(Duration::from_mins(15)));
    assert_eq!((a.content, a.tags.as_slice()), (ContentSource::Page, ["world".to_owned()].as_slice()));
    assert_eq!(a.request.timeout, Some(Duration::from_secs(5)));
    assert_eq!(a.request.user_agent.as_deref(), Some("ExampleBot/1.0"));
    assert_eq!(a.request.obey_robots, Some(true));
    assert_eq!(a.request.proxy, Some(url("http://127.0.0.1:3128")));
    let bounds = |feed: &str| {
        let bounds = &feeds[&url(feed)].bounds;
        (bounds.min_interval.as_secs(), bounds.max_interval.as_secs())
    };
    assert_eq!(bounds("https://b.example/feed"), (10_000, 10_000));
    assert_eq!(bounds("https://c.example/feed"), (60, 60));
}

#[test]
fn relative_paths_of_the_store_start_at_the_state_directory() {
    let database = |files: &Files| loaded(files).config.database.url.expose_secret().to_owned();
    assert_eq!(database(&config("")), "sqlite:feedmill.db");
    assert_eq!(
        database(&config("").with("STATE_DIRECTORY", "/var/lib/feedmill:/var/lib/other")),
        "sqlite:/var/lib/feedmill/feedmill.db"
    );
    assert_eq!(
        database(&config("").with("HOME", "/home/a b?").with("XDG_STATE_HOME", "")),
        "sqlite:/home/a b?/.local/state/feedmill/feedmill.db"
    );
    let absolute = config("[database]\nurl = \"sqlite:///srv/mill.db\"\n").with("HOME", "/home/a");
    assert_eq!(database(&absolute), "sqlite:/srv/mill.db");
    let state_dir = |files: &Files| loaded(files).config.state_dir;
    let own = config("").with("STATE_DIRECTORY", "/var/lib/feedmill");
    assert_eq!(state_dir(&own).as_deref(), Some(Path::new("/var/lib/feedmill")));
    assert_eq!(state_dir(&absolute), None);
    assert_eq!(state_dir(&config("")), None);
    let sink = config("[[sink]]\nname = \"texts\"\ntext = { to = \"texts\" }\n");
    let sinks = loaded(&sink.with("STATE_DIRECTORY", "/var/lib/feedmill")).config.sinks;
    let Receiver::Text { to, selection: Selection::Originals, trace: Trace::None } = &sinks[0].receiver
    else {
        panic!("{sinks:?}")
    };
    assert_eq!(*to, Place::Local("/var/lib/feedmill/texts".into()));
}

/// The bucket's table takes precedence; the platform's environment is used only if the table has no credentials.
#[test]
fn buckets_are_reached_as_the_table_or_else_the_environment_says() {
    const PLATFORM: [(&str, &str); 3] = [
        ("AWS_ACCESS_KEY_ID", "AKIDENV"),
        ("AWS_REGION", "eu-env-1"),
        ("AZURE_STORAGE_ACCOUNT_NAME", "news"),
    ];
    let options = |toml: &str| {
        let files = PLATFORM.iter().fold(config(toml), |files, (name, value)| files.with(name, *value));
        let sinks = loaded(&files).config.sinks;
        let Some(Place::Objects(objects)) = sinks[0].receiver.place() else { panic!("{sinks:?}") };
        let options = objects.options.iter().map(|(name, value)| format!("{name}={}", value.expose_secret()));
        (objects.url.to_string(), options.collect::<Vec<_>>())
    };
    let sink = |to: &str, bucket: &str| {
        format!("[[sink]]\nname = \"lake\"\nparquet = {{ to = \"{to}\", bucket = {{ {bucket} }} }}\n")
    };
    assert_eq!(
        options(&sink("s3://lake/a/b/", "region = \"eu-own-1\"")),
        (
            "s3://lake/a/b".to_owned(),
            ["aws_access_key_id=AKIDENV", "aws_region=eu-env-1", "region=eu-own-1"]
                .map(str::to_owned)
                .to_vec()
        )
    );
    let own =
        "access_key_id = \"AKIDOWN\", secret_access_key = \"s3cret\", endpoint = \"http://minio:9000/\"";
    assert_eq!(
        options(&sink("s3://lake", own)).1,
        ["endpoint=http://minio:9000", "access_key_id=AKIDOWN", "secret_access_key=s3cret"]
    );
    assert_eq!(options(&sink("az://lake", "")).1, ["azure_storage_account_name=news"]);
    assert_eq!(
        options(&sink("gs://lake", "service_account_key = \"{}\", endpoint = \"https://gcs.example\"")).1,
        ["base_url=https://gcs.example", "service_account_key={}"]
    );
}

fn feedmill(dir: &Path, args: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_feedmill"));
    command.args(args).current_dir(dir).env_clear().env("HOME", dir).output().unwrap()
}

#[test]
fn the_command_line_checks_shows_and_prints() {
    let files = Files::new(&[
        ("feedmill.toml", "[[feed]]\nurl = \"https://a.example/feed\"\n"),
        ("bad.toml", "[fetch]\ntimeout_secs = 0\n"),
    ]);
    let dir = files.dir.path();
    let checked = feedmill(dir, &["config", "check"]);
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    assert_eq!(
        String::from_utf8(checked.stdout).unwrap(),
        "ok: feedmill.toml: 1 feeds, 0 disabled, 0 sites, 0 warnings\n"
    );
    let refused = feedmill(dir, &["--config", "bad.toml", "config", "check"]);
    assert_eq!(refused.status.code(), Some(2), "{refused:?}");
    let message = String::from_utf8(refused.stderr).unwrap();
    assert!(message.starts_with("bad.toml:2:1: fetch.timeout_secs = 0: must be 1 to 600\n"), "{message}");
    let shown = feedmill(dir, &["config", "show"]);
    assert!(String::from_utf8(shown.stdout).unwrap().contains("url = \"https://a.example/feed\""));
    let default = feedmill(dir, &["config", "default"]);
    assert_eq!(String::from_utf8(default.stdout).unwrap(), DEFAULT_FILE);
    let absent = feedmill(dir, &["--config", "absent.toml", "config", "check"]);
    assert_eq!(absent.status.code(), Some(2), "{absent:?}");
    assert_eq!(feedmill(dir, &["no-such-command"]).status.code(), Some(2));
}

/// A configuration with a sink, of which one part at a time is changed.
#[test]
fn what_changes_with_a_restart_only_is_named() {
    const BEFORE: &str = r#"
        [database]
        url = "postgres://mill:swordfish-1@db/mill"
        [http]
        listen = "127.0.0.1:8080"
        [fetch]
        timeout_secs = 30
        [log]
        filter = "info"
        format = "text"
        [[sink]]
        name = "hook"
        webhook = { url = "https://app.example/news", secret = "swordfish-2" }
    "#;
    let fixed = |text: &str| Fixed::of(&loaded(&config(text)).config);
    for (from, to, keys) in [
        ("timeout_secs = 30", "timeout_secs = 31", &[][..]),
        ("filter = \"info\"", "filter = \"debug\"", &[]),
        ("format = \"text\"", "format = \"json\"", &["log.format"]),
        ("swordfish-1", "marlin", &["database.url"]),
        ("127.0.0.1:8080", "127.0.0.2:8080", &["http.listen"]),
        ("swordfish-2", "marlin", &[]),
        ("app.example/news", "app.example/articles", &[]),
    ] {
        let after = BEFORE.replace(from, to);
        assert_ne!(after, BEFORE);
        assert_eq!(fixed(BEFORE).changed(&fixed(&after)), keys, "{to}");
    }
}
