//! Which requests carry secrets and the operator's headers.

use feedmill::fetch::{Auth, RequestOptions};
use feedmill::model::Validators;
use url::Url;

use crate::support::client::{fetcher, get, get_with, settings};
use crate::support::server::{Reply, Server};

#[tokio::test]
async fn secrets_stay_at_the_origin() {
    let (home, away) = (Server::start().await, Server::start().await);
    home.respond("/feed", Reply::redirect(302, "/inside"));
    home.respond("/inside", Reply::redirect(302, away.url("/away")));
    away.respond("/away", Reply::ok("text/xml", "<rss/>"));
    let fetcher = fetcher(settings());
    let key = vec![("X-Api-Key".to_owned(), "k1".into())];
    let basic = Auth::Basic { username: "u".to_owned(), password: "p:w".into() };
    let bearer = Auth::Bearer("t1".into());
    let plain = home.url("/feed");
    let mut with_credentials = plain.clone();
    with_credentials.set_username("u").unwrap();
    with_credentials.set_password(Some("p:w")).unwrap();
    for (url, auth, expected) in [
        (&plain, Some(basic), Some("Basic dTpwOnc=")),
        (&plain, Some(bearer), Some("Bearer t1")),
        (&with_credentials, None, Some("Basic dTpwOnc=")),
        (&plain, None, None),
    ] {
        let options = RequestOptions { headers: key.clone(), auth, ..RequestOptions::default() };
        let response = get_with(&fetcher, url, &Validators::default(), &options).await.unwrap();
        assert_eq!(response.final_url, away.url("/away"));
        for path in ["/feed", "/inside"] {
            let request = home.requests(path).pop().unwrap();
            assert_eq!(request.header("x-api-key"), Some("k1"), "{path}");
            assert_eq!(request.header("authorization"), expected, "{path}");
        }
        let request = away.requests("/away").pop().unwrap();
        assert_eq!((request.header("x-api-key"), request.header("authorization")), (None, None));
    }
    home.respond("/direct", Reply::ok("text/xml", "<rss/>"));
    with_credentials.set_path("/direct");
    assert_eq!(get(&fetcher, &with_credentials).await.unwrap().final_url, home.url("/direct"));
}

#[tokio::test]
async fn a_secret_in_the_query_is_sent_and_stands_in_no_url() {
    let (server, away) = (Server::start().await, Server::start().await);
    server.respond("/feed", Reply::redirect(301, "/moved?page=1&token=s%26cret"));
    server.respond("/moved", Reply::redirect(302, away.url("/elsewhere")));
    away.respond("/elsewhere", Reply::ok("text/xml", "<rss/>"));
    let fetcher = fetcher(settings());
    let options =
        RequestOptions { query: vec![("token".to_owned(), "s&cret".into())], ..RequestOptions::default() };
    let url = server.url("/feed?format=rss");
    let response = get_with(&fetcher, &url, &Validators::default(), &options).await.unwrap();
    assert_eq!(server.requests("/feed")[0].target, "/feed?format=rss&token=s%26cret");
    assert_eq!(server.requests("/moved")[0].target, "/moved?page=1&token=s%26cret");
    assert_eq!(away.requests("/elsewhere")[0].target, "/elsewhere", "it stays with the feed");
    assert_eq!(response.hops[0].to, server.url("/moved?page=1"));
    server.respond("/page", Reply::ok("text/html", "<p>"));
    let page = feedmill::fetch::Request {
        purpose: feedmill::fetch::Purpose::Page,
        url: &server.url("/page"),
        validators: &Validators::default(),
        options: &options,
    };
    fetcher.fetch(&page).await.unwrap();
    assert_eq!(server.requests("/page")[0].target, "/page");
}

#[test]
fn secrets_of_a_feed_are_not_for_pages_elsewhere() {
    let url = |text: &str| -> Url { text.parse().unwrap() };
    let feed = url("https://example.org/feed");
    let options = RequestOptions {
        headers: vec![("X-Api-Key".to_owned(), "k1".into())],
        auth: Some(Auth::Bearer("t1".into())),
        user_agent: Some("other".to_owned()),
        ..RequestOptions::default()
    };
    for (target, kept) in [
        ("https://example.org/page", true),
        ("http://example.org/page", false),
        ("https://example.org:444/page", false),
        ("https://www.example.org/page", false),
    ] {
        let options = options.for_target(&feed, &url(target));
        assert_eq!((options.headers.len(), options.auth.is_some()), (usize::from(kept), kept), "{target}");
        assert_eq!(options.user_agent.as_deref(), Some("other"));
    }
}

#[tokio::test]
async fn the_operators_options_are_obeyed() {
    let server = Server::start().await;
    server.respond("/", Reply::ok("text/xml", "<rss/>"));
    let fetcher = fetcher(settings());
    let ask = async |options: RequestOptions| {
        let result = get_with(&fetcher, &server.url("/"), &Validators::default(), &options).await;
        result.map(|_| server.requests("/").pop().unwrap())
    };
    let options = RequestOptions {
        headers: vec![("accept".to_owned(), "text/xml".into())],
        user_agent: Some("Other/1".to_owned()),
        ..RequestOptions::default()
    };
    let request = ask(options).await.unwrap();
    assert_eq!((request.header("accept"), request.header("user-agent")), (Some("text/xml"), Some("Other/1")));
    for (name, value) in [("not a name", "x"), ("x", "not\na value")] {
        let options =
            RequestOptions { headers: vec![(name.to_owned(), value.into())], ..RequestOptions::default() };
        let error = ask(options).await.unwrap_err();
        assert_eq!(error.kind().as_str(), "bad_option");
        assert!(!error.to_string().contains("not\na value"), "a value is a secret");
    }
}
