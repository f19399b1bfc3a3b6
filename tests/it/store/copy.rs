//! A copy holds everything, says so, and goes on where it was killed.

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

/// The program itself, between whose side on a server and the server stands a proxy: it is killed when a part of the tables has
/// arrived, and another is on its way.
async fn a_copy_that_was_killed_goes_on(bench: &Bench) {
    fill(bench).await;
    let Some(server) = FreshDatabase::create(Backend::Postgres).await else { return };
    let admin: Url = server.settings.url.expose_secret().parse().unwrap();
    let address = format!("{}:{}", admin.host_str().unwrap(), admin.port_or_known_default().unwrap_or(5432));
    let proxy = Proxy::start(&address, Way::ToServer, b"COMMIT\0").await;
    let mut to = admin.clone();
    to.set_host(Some("127.0.0.1")).unwrap();
    to.set_port(Some(proxy.address().port())).unwrap();
    let config = TestDaemon::new();
    let path = config.write_config();
    let from = bench.database.settings.url.expose_secret();
    let arguments = ["copy", "--from", from, "--to", to.as_str()];
    for commits in [1, 4, 9] {
        proxy.hold_after(commits);
        let mut run =
            feedmill(&path, &arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        proxy.holds().await;
        run.kill().unwrap();
        run.wait().unwrap();
        let refused = Store::open(&server.settings, bench.clock.clone()).await.unwrap_err();
        assert!(matches!(refused, StoreError::UnfinishedCopy), "{refused}");
    }
    proxy.let_pass();
    let run = tokio::task::block_in_place(|| feedmill(&path, &arguments).output().unwrap());
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let said = String::from_utf8(run.stdout).unwrap();
    assert!(
        said.contains("the same as in")
            && said.lines().any(|line| line.trim_start().starts_with("raw_pages")),
        "{said}"
    );
    let folder = tempfile::tempdir().unwrap();
    let (before, after) = (folder.path().join("before"), folder.path().join("after"));
    bench.store.backup(&before).await.unwrap();
    let store = server.open(&bench.clock).await;
    store.backup(&after).await.unwrap();
    store.close().await;
    assert_eq!(rows(&after).await, rows(&before).await);
    server.drop().await;
}

async fn a_copy_of_what_has_changed_is_refused(bench: &Bench) {
    // As it is before the index of words is made anew, which a copy does at its end.
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
