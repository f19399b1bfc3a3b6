//! No spelling of a special address passes the guard, by whatever way a request comes about.

use feedmill::fetch::{AllowedNet, FetchError, Posted, RequestOptions, Response, Settings};
use feedmill::model::{QualityFlag, Record, Validators};
use feedmill::pipeline::websub;
use url::Url;

use crate::support::client::{body, fetcher, get, get_page, get_with, settings};
use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::names::NameServer;
use crate::support::server::{Reply, Server};
use crate::support::site::page;

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
    "http://169.254.0.23:P/",
    "http://169.254.42.42:P/",
    "http://169.254.170.23:P/",
    "http://[fd00:ec2::23]:P/",
    "http://[fd00:a9fe:a9fe::1]:P/",
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

/// Returns the spellings with the canary's port.
fn spelled(canary: &Server) -> Vec<String> {
    let port = format!(":{}", canary.address().port());
    SPELLINGS.iter().map(|spelling| spelling.replace(":P", &port)).collect()
}

/// Allows only this server: the same address as the canary's, another port.
fn only(front: &Server) -> Vec<AllowedNet> {
    vec![AllowedNet { net: "127.0.0.1/32".parse().unwrap(), port: Some(front.address().port()) }]
}

/// By each way to a request that a client has: for a feed, a page and a hub, for the operator's webhook, and from each of them by
/// each kind of redirect.
#[tokio::test]
async fn no_spelling_of_a_special_address_is_reached() {
    let canary = Server::start().await;
    let front = Server::start().await;
    let fetcher = fetcher(Settings { allow: only(&front), ..settings() });
    assert!(SPELLINGS.len() >= 90);
    let (redirect, refresh, header) = (front.url("/"), front.url("/refresh"), front.url("/header"));
    let (none, posted) = (RequestOptions::default(), Posted { content_type: "text/plain", body: b"x" });
    for spelling in spelled(&canary) {
        let url: Url = spelling.parse().expect("the URL standard allows all of them");
        front.replace("/", Reply::redirect(307, &spelling));
        let meta = format!("<meta charset=utf-8><meta http-equiv=refresh content=\"0; url={spelling}\">");
        front.replace("/refresh", Reply::ok("text/html", meta));
        front.replace("/header", Reply::ok("text/html", "<p>").header("Refresh", format!("0; url={url}")));
        let answered = |result: Result<Response, FetchError>| result.map(drop);
        let results = [
            ("feed", answered(get(&fetcher, &url).await)),
            ("page", answered(get_page(&fetcher, &url).await)),
            ("hub", fetcher.post_form(&url, &[("hub.mode", "subscribe")]).await),
            ("webhook", fetcher.post(&url, posted, &none).await),
            ("redirect of a feed", answered(get(&fetcher, &redirect).await)),
            ("redirect of a page", answered(get_page(&fetcher, &redirect).await)),
            ("redirect of a hub", fetcher.post_form(&redirect, &[("hub.mode", "subscribe")]).await),
            ("redirect of a webhook", fetcher.post(&redirect, posted, &none).await),
            ("refresh of a feed", answered(get(&fetcher, &refresh).await)),
            ("refresh of a page", answered(get_page(&fetcher, &refresh).await)),
            ("refresh by a header", answered(get_page(&fetcher, &header).await)),
        ];
        for (way, result) in results {
            // Not every machine resolves `localhost` with a trailing dot.
            let unknown_name = url.domain().is_some() && result.as_ref().is_err_and(FetchError::is_network);
            assert!(
                unknown_name || matches!(result, Err(FetchError::Refused(_))),
                "{way}: {spelling}: {result:?}"
            );
        }
    }
    assert_eq!(canary.connections(), 0);
    assert_eq!(front.requests("/").len(), 4 * SPELLINGS.len());
}

/// The file is read once per host and client, so each spelling has a client of its own.
#[tokio::test]
async fn no_robots_txt_leads_to_a_special_address() {
    let canary = Server::start().await;
    let front = Server::start().await;
    front.respond("/page", Reply::ok("text/html", "<p>"));
    for spelling in spelled(&canary) {
        front.replace("/robots.txt", Reply::redirect(302, &spelling));
        let fetcher = fetcher(Settings { allow: only(&front), ..settings() });
        // What a site without a readable file permits is tested elsewhere.
        drop(get_page(&fetcher, &front.url("/page")).await);
    }
    assert_eq!(canary.connections(), 0);
    assert_eq!(front.requests("/robots.txt").len(), SPELLINGS.len());
}

/// By each way that a feed or page has through the daemon: an entry's page, the site that may name the feed, a hub, the original of an
/// AMP page, a further page of an article.
#[tokio::test]
async fn no_feed_or_page_leads_the_daemon_to_a_special_address() {
    let canary = Server::start().await;
    let front = Server::start().await;
    let mut test = TestDaemon::new()
        .allow(&format!("127.0.0.1:{}", front.address().port()))
        .tables("[websub]\ncallback_url = \"https://feeds.example/hubs/\"\nlisten = \"127.0.0.1:0\"");
    for (number, spelling) in spelled(&canary).iter().enumerate() {
        let own_text = format!("{spelling}own");
        let (further, amp) = (format!("/further/{number}"), format!("/amp/{number}"));
        let (further_url, amp_url) = (front.url(&further), front.url(&amp));
        front.respond(
            &format!("/feed/{number}"),
            Reply::ok(
                "application/rss+xml; charset=utf-8",
                format!(
                    "<rss version='2.0' xmlns:atom='http://www.w3.org/2005/Atom'><channel><title>Quay</title>\
                     <link>{spelling}</link><atom:link rel='hub' href='{spelling}'/><image><url>{spelling}</url></image>\
                     <item><title>One</title><link>{spelling}</link><enclosure url='{spelling}' type='audio/mpeg'/></item>\
                     <item><title>Two</title><link>{own_text}</link><description>The feed's own words.</description></item>\
                     <item><title>Three</title><link>{further_url}</link></item>\
                     <item><title>Four</title><link>{amp_url}</link></item></channel></rss>"
                ),
            ),
        );
        let whole = page(&format!("quay {number}"));
        let next = format!("</article><a rel=\"next\" href=\"{spelling}\">Next page</a>");
        front.respond(&further, html(whole.replace("</article>", &next)));
        let head = format!("<head><link rel=\"canonical\" href=\"{spelling}\">");
        front.respond(&amp, html(whole.replace("<html ", "<html amp ").replace("<head>", &head)));
        test = test.feed(&front.url(&format!("/feed/{number}")));
    }
    let daemon = test.open().await;

    daemon.once().await;
    let mut hubs = 0;
    loop {
        match websub::step(daemon.daemon.shared()).await.unwrap() {
            0 => break,
            asked => hubs += asked,
        }
    }

    assert_eq!(canary.connections(), 0);
    assert_eq!(hubs, SPELLINGS.len(), "hubs were asked");
    let records = daemon.records().await;
    let is_instead = |record: &&Record| record.quality_flags.contains(&QualityFlag::FeedContentUsed);
    for title in ["One", "Two"] {
        let is_titled = |record: &&Record| record.metadata.title.as_deref() == Some(title);
        let instead = records.iter().filter(is_titled).filter(is_instead).count();
        // Pages at names that this machine does not resolve are tried again.
        let is_name = |spelling: &&String| spelling.parse::<Url>().is_ok_and(|url| url.domain().is_some());
        let names = spelled(&canary).iter().filter(is_name).count();
        assert!(instead + names >= SPELLINGS.len(), "the feed's own text stands for {instead} {title:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_leads_the_search_for_feeds_to_a_special_address() {
    /// No more links of a page are tried.
    const LINKS: usize = 20;
    let canary = Server::start().await;
    let front = Server::start().await;
    let test = TestDaemon::new().allow(&format!("127.0.0.1:{}", front.address().port()));
    let config = test.write_config();
    for spellings in spelled(&canary).chunks(LINKS) {
        let link = |spelling: &String| {
            format!("<link rel=alternate type=\"application/rss+xml\" href=\"{spelling}\">")
        };
        let links: String = spellings.iter().map(link).collect();
        front.replace("/", html(format!("<meta charset=utf-8>{links}")));
        let url = front.url("/");
        let mut command = feedmill(&config, &["-v", "feeds", "discover", url.as_str()]);
        let output = tokio::task::block_in_place(|| command.output().unwrap());
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(log.contains("special-purpose address"), "{log}");
        assert!(log.contains("no feed at"), "{log}");
    }
    assert_eq!(canary.connections(), 0);
}

fn html(body: String) -> Reply {
    Reply::ok("text/html; charset=utf-8", body)
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
