//! No spelling of a special address passes the guard, neither requested nor as a redirect target.

use feedmill::fetch::{AllowedNet, FetchError, RequestOptions, Settings};
use feedmill::model::Validators;
use url::Url;

use crate::support::client::{body, fetcher, get, get_page, get_with, settings};
use crate::support::names::NameServer;
use crate::support::server::{Reply, Server};

/// Ways to write an address of this machine or a nearby one; `P` is the canary's port.
const SPELLINGS: &[&str] = &[
    // 127.0.0.1 in the spellings of the URL standard.
    "http://127.0.0.1:P/",
    "http://127.0.0.1.:P/",
    "http://127.1:P/",
    "http://127.0.1:P/",
    "http://2130706433:P/",
    "http://0x7f000001:P/",
    "http://0x7f.0.0.1:P/",
    "http://0X7F.1:P/",
    "http://0177.0.0.1:P/",
    "http://0177.1:P/",
    "http://017700000001:P/",
    "http://127.0.0.0x1:P/",
    "http://127.000.000.001:P/",
    "http://１２７.０.０.１:P/",
    "http://127。0。0。1:P/",
    "http://①②⑦.⓪.⓪.①:P/",
    "http://%31%32%37.0.0.1:P/",
    "http://example.org@127.0.0.1:P/",
    "http://user:password@127.0.0.1:P/",
    "http://127.0.0.1:P/?@example.org",
    "http:\\\\127.0.0.1:P\\",
    "http:////127.0.0.1:P/",
    // Other addresses of this machine.
    "http://127.0.0.2:P/",
    "http://127.255.255.254:P/",
    "http://0.0.0.0:P/",
    "http://0:P/",
    "http://0x0:P/",
    "http://0.1.2.3:P/",
    "http://localhost:P/",
    "http://LOCALHOST:P/",
    "http://localhost.:P/",
    "http://lo%63alhost:P/",
    "http://ｌｏｃａｌｈｏｓｔ:P/",
    // IPv6, and IPv4 embedded in it.
    "http://[::1]:P/",
    "http://[0:0:0:0:0:0:0:1]:P/",
    "http://[0000:0000:0000:0000:0000:0000:0000:0001]:P/",
    "http://[::]:P/",
    "http://[::ffff:127.0.0.1]:P/",
    "http://[::FFFF:7F00:1]:P/",
    "http://[0:0:0:0:0:ffff:127.0.0.1]:P/",
    "http://[::ffff:10.0.0.1]:P/",
    "http://[::127.0.0.1]:P/",
    "http://[::ffff:0:127.0.0.1]:P/",
    "http://[64:ff9b::127.0.0.1]:P/",
    "http://[64:ff9b::a00:1]:P/",
    "http://[64:ff9b:1::7f00:1]:P/",
    "http://[2002:7f00:1::]:P/",
    "http://[2002:a9fe:a9fe::1]:P/",
    "http://[2001:0:4136:e378:8000:63bf:80ff:fffe]:P/",
    "http://[2a00::5efe:127.0.0.1]:P/",
    "http://[2a00::200:5efe:10.0.0.1]:P/",
    "http://[fe80::1]:P/",
    "http://[fe80::5efe:127.0.0.1]:P/",
    "http://[fec0::1]:P/",
    "http://[fc00::1]:P/",
    "http://[fd00:ec2::254]:P/",
    // Internal services of clouds, at public and other addresses.
    "http://168.63.129.16:P/",
    "http://0xa83f8110:P/",
    "http://[::ffff:168.63.129.16]:P/",
    "http://[64:ff9b::a83f:8110]:P/",
    "http://161.26.0.10:P/",
    "http://166.11.255.255:P/",
    "http://199.36.153.5:P/",
    "http://199.36.153.11:P/",
    "http://100.100.100.200:P/",
    "http://192.0.0.192:P/",
    "http://169.254.170.2:P/",
    "http://[fd20:ce::254]:P/",
    "http://[fd00:42::42]:P/",
    "http://[fe80::a9fe:a9fe]:P/",
    "http://[ff02::1]:P/",
    "http://[2001:db8::1]:P/",
    "http://[100::1]:P/",
    "http://[4000::1]:P/",
    // Metadata services of clouds.
    "http://169.254.169.254:P/",
    "http://2852039166:P/",
    "http://0xa9fea9fe:P/",
    "http://0251.0376.0251.0376:P/",
    "http://[::ffff:169.254.169.254]:P/",
    "http://100.100.100.200:P/",
    "http://192.0.0.192:P/",
    // Private and other special networks.
    "http://10.0.0.1:P/",
    "http://10.1:P/",
    "http://172.16.0.1:P/",
    "http://172.31.255.255:P/",
    "http://192.168.1.1:P/",
    "http://0xc0a80101:P/",
    "http://100.64.0.1:P/",
    "http://192.0.2.1:P/",
    "http://192.88.99.1:P/",
    "http://198.18.0.1:P/",
    "http://198.51.100.1:P/",
    "http://203.0.113.1:P/",
    "http://224.0.0.1:P/",
    "http://240.0.0.1:P/",
    "http://255.255.255.255:P/",
];

#[tokio::test]
async fn no_spelling_of_a_special_address_is_reached() {
    let canary = Server::start().await;
    let front = Server::start().await;
    // Only the front server is allowed: same address, another port.
    let allow = vec![AllowedNet { net: "127.0.0.1/32".parse().unwrap(), port: Some(front.address().port()) }];
    let fetcher = fetcher(Settings { allow, ..settings() });
    assert!(SPELLINGS.len() >= 60);
    for spelling in SPELLINGS {
        let spelling = spelling.replace(":P", &format!(":{}", canary.address().port()));
        let url: Url = spelling.parse().expect("the URL standard allows all of them");
        front.replace("/", Reply::redirect(302, &spelling));
        for result in
            [get(&fetcher, &url).await, get_page(&fetcher, &url).await, get(&fetcher, &front.url("/")).await]
        {
            // Not every machine resolves `localhost` with a trailing dot.
            let unknown_name = url.domain().is_some() && result.as_ref().is_err_and(FetchError::is_network);
            assert!(unknown_name || matches!(result, Err(FetchError::Refused(_))), "{spelling}: {result:?}");
        }
    }
    assert_eq!(canary.connections(), 0);
    assert_eq!(front.requests("/").len(), SPELLINGS.len());
}

#[tokio::test]
async fn the_operator_allows_by_network_and_port() {
    let server = Server::start().await;
    server.respond("/", Reply::ok("text/xml", "here"));
    let port = server.address().port();
    let by_name: Url = format!("http://localhost:{port}/").parse().unwrap();
    let mapped: Url = format!("http://[::ffff:127.0.0.1]:{port}/").parse().unwrap();
    let rule = |net: &str, port| AllowedNet { net: net.parse().unwrap(), port };
    // `localhost` has two addresses on many machines, and a single disallowed one blocks the name.
    let v6 = |port| rule("::1/128", port);
    for (allow, expected) in [
        (vec![rule("127.0.0.0/8", None), v6(None)], true),
        (vec![rule("127.0.0.1/32", Some(port)), v6(Some(port))], true),
        (vec![rule("127.0.0.1/32", Some(port ^ 1)), v6(Some(port ^ 1))], false),
        (vec![rule("10.0.0.0/8", None), rule("10.0.0.0/8", Some(port))], false),
    ] {
        let fetcher = fetcher(Settings { allow: allow.clone(), ..settings() });
        for url in [&server.url("/"), &by_name] {
            assert_eq!(get(&fetcher, url).await.is_ok(), expected, "{url} {allow:?}");
        }
        let result = get(&fetcher, &mapped).await;
        assert_eq!(matches!(result, Err(FetchError::Refused(_))), !expected, "{allow:?}: {result:?}");
    }
}

#[tokio::test]
async fn a_proxy_of_the_operators_choice_needs_no_permission_but_what_lies_behind_it_does() {
    let proxy = Server::start().await;
    proxy.handle(|request| Reply::ok("text/xml", request.target.clone()));
    let careful = fetcher(Settings { allow: Vec::new(), ..settings() });
    let options = RequestOptions { proxy: Some(proxy.url("/")), ..RequestOptions::default() };
    let through =
        async |url: &str| get_with(&careful, &url.parse().unwrap(), &Validators::default(), &options).await;
    // This name cannot be resolved here; the proxy may know it.
    let url = "http://feeds.invalid/feed.xml";
    assert_eq!(body(through(url).await.unwrap()), url.as_bytes());
    for url in ["http://169.254.169.254/latest/meta-data", "http://localhost/", "http://[::1]/"] {
        assert!(matches!(through(url).await, Err(FetchError::Refused(_))), "{url}");
    }
    assert_eq!(proxy.all_requests().len(), 1);

    // If the proxy is trusted, names are not resolved; IP addresses are refused all the same.
    let trusting = fetcher(Settings { allow: Vec::new(), proxy_guards_addresses: true, ..settings() });
    let through =
        async |url: &str| get_with(&trusting, &url.parse().unwrap(), &Validators::default(), &options).await;
    assert_eq!(body(through("http://localhost/").await.unwrap()), b"http://localhost/");
    assert!(matches!(through("http://[::1]/").await, Err(FetchError::Refused(_))));
}

/// Through a proxy, a name is looked up here only to refuse private addresses: what is unknown here passes.
#[tokio::test]
async fn a_name_is_looked_up_for_a_proxy_once_within_the_life_of_its_answer() {
    /// Two record types, resolved twice, and each query sent up to four times (by `hickory-net`).
    const MOST_ASKED: usize = 2 * 2 * 4;
    let names = NameServer::start().await;
    let proxy = Server::start().await;
    proxy.handle(|request| Reply::ok("text/html", request.target.clone()));
    let careful = fetcher(Settings {
        allow: Vec::new(),
        name_servers: vec![names.address()],
        proxy: Some(proxy.url("/")),
        ..settings()
    });
    let at = |name: &str, path: &str| -> Url { format!("http://{name}{path}").parse().unwrap() };
    for (name, most_asked) in [("hangs.example", MOST_ASKED), ("none.example", 2), ("private.example", 2)] {
        let urls = ["/feed", "/other", "/third"].map(|path| at(name, path));
        let first = futures_util::future::join_all(urls.iter().map(|url| get(&careful, url))).await;
        let asked = names.asked(name);
        assert!((1..=most_asked).contains(&asked), "{name}: asked {asked} times");
        // Its robots.txt is requested, too.
        let later = [get(&careful, &urls[0]).await, get_page(&careful, &at(name, "/page")).await];
        assert_eq!(names.asked(name), asked, "{name}");
        for answer in first.into_iter().chain(later) {
            let is_refused = matches!(answer, Err(FetchError::Refused(_)));
            assert_eq!(
                (answer.is_ok(), is_refused),
                if name == "private.example" { (false, true) } else { (true, false) }
            );
        }
    }
}

#[tokio::test]
async fn only_http_goes_out() {
    let server = Server::start().await;
    let fetcher = fetcher(settings());
    for target in ["file:///etc/passwd", "ftp://example.org/", "javascript:alert(1)", "data:text/html,x"] {
        assert_eq!(
            get(&fetcher, &target.parse().unwrap()).await.unwrap_err().kind().as_str(),
            "bad_url",
            "{target}"
        );
        server.replace("/", Reply::redirect(301, target));
        assert_eq!(get(&fetcher, &server.url("/")).await.unwrap_err().kind().as_str(), "bad_url", "{target}");
    }
}
