//! Configuration outside the files: environment variables and secrets.

use std::time::Duration;

use feedmill::fetch::Auth;

use super::{Files, config, loaded, url};

#[test]
fn the_environment_goes_on_top() {
    let files = config("include = [\"absent.txt\"]\n[fetch]\ntimeout_secs = 30\nread_timeout_secs = 20\n")
        .with("FEEDMILL_FETCH__TIMEOUT_SECS", "45")
        .with("FEEDMILL_FETCH__CONTACT_URL", "https://example.org/bot")
        .with("FEEDMILL_FETCH__ALLOW", r#"["127.0.0.1:8080", "[fd00::/8]:443", "10.0.0.0/8"]"#)
        .with("FEEDMILL_FETCH__PAGES_OBEY_ROBOTS", "false")
        .with("FEEDMILL_DATABASE__URL", "postgres://mill:swordfish@db/mill")
        .with("FEEDMILL_INCLUDE", "[]")
        .with("FEEDMILL_SERVICE_HOST", "10.0.0.1")
        .with("FEEDMILL_PORT_8080_TCP", "tcp://10.0.0.1:8080")
        .with("FEEDMILL_CONFIG", "/elsewhere.toml");
    let config = loaded(&files).config;
    assert_eq!(config.fetch.timeout, Duration::from_secs(45));
    assert_eq!(config.fetch.read_timeout, Duration::from_secs(20));
    assert_eq!(config.fetch.contact_url, Some(url("https://example.org/bot")));
    assert_eq!(
        config.fetch.allow.iter().map(|net| net.port).collect::<Vec<_>>(),
        [Some(8080), Some(443), None]
    );
    assert!(!config.fetch.pages_obey_robots);
    assert_eq!(config.database.url.expose_secret(), "postgres://mill:swordfish@db/mill");
}

#[test]
fn the_environment_may_name_the_file_of_a_secret() {
    let files = Files::new(&[("feedmill.toml", ""), ("url", "postgres://mill:swordfish@db/mill\n")]);
    let place = format!("{{ file = {:?} }}", files.path("url"));
    let config = loaded(&files.with("FEEDMILL_DATABASE__URL", place)).config;
    assert_eq!(config.database.url.expose_secret(), "postgres://mill:swordfish@db/mill");
}

#[test]
fn what_is_wrong_with_the_environment_names_the_variable() {
    let files = config("[http]\nlisten = \"\"\n")
        .with("FEEDMILL_FETCH__TIMEOUT_SECS", "0")
        .with("FEEDMILL_FETCH__TIMEOUT", "3")
        .with("FEEDMILL_LOG__FORMAT", "xml")
        .with("FEEDMILL_LISTEN", "127.0.0.1:80")
        .with("FEEDMILL_FETCHER__TIMEOUT_SECS", "10");
    insta::assert_snapshot!("environment", files.error());
}

#[test]
fn secrets_are_found_and_never_shown() {
    let files = Files::new(&[
        (
            "feedmill.toml",
            r#"
            [database]
            url = { file = "secrets/database" }
            [[feed]]
            url = "https://a.example/feed"
            auth = { username = "reader", password = { env = "FEEDMILL_SECRET_A" } }
            headers = { X-Api-Key = { file = "secrets/key" }, X-Other = "swordfish-4" }
            [[feed]]
            url = "https://b.example/feed"
            auth = { bearer = "swordfish-5" }
            "#,
        ),
        ("secrets/database", "postgres://mill:swordfish-1@db/mill\n"),
        ("secrets/key", "swordfish-3\n"),
    ])
    .with("FEEDMILL_SECRET_A", "swordfish-2");
    let loaded = loaded(&files);
    let config = &loaded.config;
    assert_eq!(config.database.url.expose_secret(), "postgres://mill:swordfish-1@db/mill");
    let request = &config.feeds[&url("https://a.example/feed")].request;
    let Some(Auth::Basic { username, password }) = &request.auth else { panic!("{request:?}") };
    assert_eq!((username.as_str(), password.expose_secret()), ("reader", "swordfish-2"));
    let headers: Vec<_> =
        request.headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
    assert_eq!(headers, [("x-api-key", "swordfish-3"), ("x-other", "swordfish-4")]);
    for shown in [format!("{loaded:?}"), loaded.to_toml()] {
        assert!(!shown.contains("swordfish"), "{shown}");
    }
    assert!(loaded.to_toml().contains("secrets/key"), "{}", loaded.to_toml());
}

#[test]
fn a_password_in_the_databases_url_is_hidden() {
    let shown =
        loaded(&config("[database]\nurl = \"postgres://mill:swordfish@db/mill?password=swordfish\"\n"));
    assert!(shown.to_toml().contains("url = \"postgres://mill:hidden@db/mill\""), "{}", shown.to_toml());
}
