//! What the doctor says of name resolution.

use super::{findings, output};
use crate::support::daemon::TestDaemon;
use crate::support::names::NameServer;
use crate::support::server::{Reply, Server};
use crate::support::site::rss;

#[tokio::test(flavor = "multi_thread")]
async fn the_doctor_resolves_names_as_the_daemon_does() {
    let names = NameServer::start().await;
    let server = Server::start().await;
    server.handle(|_| Reply::ok("text/xml", rss(&[])));
    let port = server.address().port();
    let test = TestDaemon::new().fetch(&format!("name_servers = [\"{}\"]", names.address()));
    let config = test.write_config();
    let dns = |config: &std::path::Path, feed: &str| {
        let found = findings(&output(config, &["doctor", "--json", "--feed", feed]));
        let mut dns = found.iter().filter(|(check, ..)| check == "dns").cloned();
        let (_, state, message) = dns.next().unwrap_or_else(|| panic!("{found:?}"));
        assert_eq!(dns.next(), None, "{found:?}");
        (state, message)
    };
    let (state, message) = dns(&config, &format!("http://good.example:{port}/feed"));
    assert_eq!(state, "ok", "{message}");
    assert!(message.starts_with("good.example has 1 addresses, found in "), "{message}");
    assert!(names.asked("good.example") > 0, "the configured servers are asked");

    let (state, message) = dns(&config, "http://none.example/feed");
    assert_eq!(state, "problem", "{message}");
    assert!(message.starts_with("none.example: ") && message.contains("fetch.name_servers"), "{message}");

    let asked = names.asked("good.example");
    let guards = format!("proxy = \"{}\"\nproxy_guards_addresses = true", server.url("/"));
    let test = test.fetch(&guards);
    let behind = test.write_config();
    let (state, message) = dns(&behind, &format!("http://good.example:{port}/feed"));
    assert_eq!((state.as_str(), message.trim_end()), ("note", "good.example is resolved by the proxy"));
    assert_eq!(names.asked("good.example"), asked);
}
