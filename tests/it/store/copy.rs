//! A copy contains everything, verifies it, and resumes after it was killed.

use std::process::Stdio;

use feedmill::store::{Settings, StoreError, TableDigest};

use super::backup::{fill, goes_on, rows};
use super::*;
use crate::support::daemon::{TestDaemon, feedmill};
use crate::support::proxy::{Proxy, Way};

on_both!(
    a_copy_holds_everything_on_either_back_end,
    a_copy_that_was_killed_goes_on,
    a_copy_of_what_has_changed_is_refused,
);

async fn copy(from: &Settings, to: &Settings, clock: &Clock) -> Result<Vec<TableDigest>, StoreError> {
    Store::copy(from, to, clock, |_| {}).await
}

async fn a_copy_holds_everything_on_either_back_end(bench: &Bench) {
    fill(bench).await;
    let folder = tempfile::tempdir().unwrap();
    bench.store.backup(&folder.path().join("before")).await.unwrap();
    for backend in [Backend::Sqlite, Backend::Postgres] {
        let Some(target) = FreshDatabase::create(backend).await else { continue };
        let digests = copy(&bench.database.settings, &target.settings, &bench.clock).await.unwrap();
        let articles = digests.iter().find(|digest| digest.table == "articles").unwrap();
        assert_eq!(articles.rows, 71);
        assert!(digests.iter().any(|digest| digest.table == "raw_pages" && digest.rows == 1));
        let again = copy(&bench.database.settings, &target.settings, &bench.clock).await.unwrap_err();
        assert!(matches!(again, StoreError::Occupied { .. }), "{again}");
        let store = target.open(&bench.clock).await;
        let after = folder.path().join(format!("after {backend:?}"));
        store.backup(&after).await.unwrap();
        assert_eq!(rows(&after).await, rows(&folder.path().join("before")).await, "on {backend:?}");
        goes_on(Bench { database: target, store, clock: bench.clock.clone() }, backend).await;
    }
}

/// Runs the program with a proxy in front of the target server, and kills it when some of the tables have arrived and another is in
/// transit.
async fn a_copy_that_was_killed_goes_on(bench: &Bench) {
    fill(bench).await;
    let Some(server) = FreshDatabase::create(Backend::Postgres).await else { return };
    let (proxy, to) = behind_proxy(&server, b"COMMIT\0").await;
    let from = bench.database.settings.url.expose_secret();
    kill_and_resume((from, to.as_str()), &proxy, [1, 4, 9], (bench, &server)).await;
    server.drop().await;
}

/// The reverse for a file as target: the proxy is in front of the original, and the last kill happens during the comparison.
#[tokio::test(flavor = "multi_thread")]
async fn a_copy_into_a_file_that_was_killed_goes_on() {
    run(Backend::Postgres, async |bench| {
        fill(bench).await;
        let file = FreshDatabase::create(Backend::Sqlite).await.unwrap();
        let (proxy, from) = behind_proxy(&bench.database, b" ORDER BY ").await;
        let to = file.settings.url.expose_secret();
        kill_and_resume((from.as_str(), to), &proxy, [3, 12, 33], (bench, &file)).await;
        file.drop().await;
    })
    .await;
}

/// Starts a proxy that counts `word` on the way to a server, and returns it with the URL of the database behind it.
async fn behind_proxy(server: &FreshDatabase, word: &'static [u8]) -> (Proxy, Url) {
    let mut url: Url = server.settings.url.expose_secret().parse().unwrap();
    let address = format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap_or(5432));
    let proxy = Proxy::start(&address, Way::ToServer, word).await;
    url.set_host(Some("127.0.0.1")).unwrap();
    url.set_port(Some(proxy.address().port())).unwrap();
    (proxy, url)
}

/// Copies, killing the program after the given number of words each time, and finally copies to the end.
async fn kill_and_resume(
    (from, to): (&str, &str),
    proxy: &Proxy,
    words: [usize; 3],
    (bench, target): (&Bench, &FreshDatabase),
) {
    let config = TestDaemon::new();
    let path = config.write_config();
    let arguments = ["copy", "--from", from, "--to", to];
    for words in words {
        proxy.hold_after(words);
        let mut run =
            feedmill(&path, &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        proxy.holds().await;
        run.kill().unwrap();
        run.wait().unwrap();
        let refused = Store::open(&target.settings, bench.clock.clone()).await.unwrap_err();
        assert!(matches!(refused, StoreError::UnfinishedCopy), "{refused}");
    }
    proxy.let_pass();
    let run = tokio::task::block_in_place(|| feedmill(&path, &arguments).output().unwrap());
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(
        said.contains("identical to") && said.lines().any(|line| line.trim_start().starts_with("raw_pages")),
        "{said}"
    );
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    bench.store.backup(&before).await.unwrap();
    let store = target.open(&bench.clock).await;
    store.backup(&after).await.unwrap();
    store.close().await;
    assert_eq!(rows(&after).await, rows(&before).await);
}

async fn a_copy_of_what_has_changed_is_refused(bench: &Bench) {
    // The state before the word index is rebuilt, which a copy does at its end.
    const INDEX: &str = "UPDATE counters SET value = 0 WHERE name = 'search_backlog'";
    const MARK: &str = "CREATE TABLE unfinished_copy (place BIGINT PRIMARY KEY, statement TEXT NOT NULL)";
    fill(bench).await;
    let Some(target) = FreshDatabase::create(Backend::Sqlite).await else { return };
    let copied = async || copy(&bench.database.settings, &target.settings, &bench.clock).await;
    bench.database.execute(INDEX).await;
    let digests = copied().await.unwrap();
    for statement in [INDEX, MARK] {
        target.execute(statement).await;
    }
    assert_eq!(copied().await.unwrap(), digests, "killed just before its end");
    for statement in [INDEX, MARK] {
        target.execute(statement).await;
    }
    bench.database.execute("UPDATE cursors SET seq = seq + 1").await;
    let refused = copied().await.unwrap_err();
    assert!(matches!(&refused, StoreError::CopyDiffers { table, .. } if table == "cursors"), "{refused}");
    target.drop().await;
}
