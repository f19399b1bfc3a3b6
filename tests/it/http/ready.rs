//! Readiness: whether the daemon reports ready, and the reason if not.

use std::os::unix::fs::FileExt as _;
use std::path::Path;

use feedmill::health::Health;
use feedmill::http::{Surface, router};
use feedmill::publish::outputs::Output;

use super::{get, surface, surface_of, watched};

#[tokio::test]
async fn readiness_follows_the_feeds_at_once() {
    let (mut daemon, _server, router, _soft) = surface(1).await;
    daemon.reload(&[]).await.unwrap();
    let (status, body) = get(&router, "/readyz").await;
    assert!(status == 503 && body.contains("no feed is configured"), "{body}");
    assert!(!daemon.store().feeds_any_active().await.unwrap());
}

#[tokio::test]
async fn readiness_follows_the_store() {
    let health = Health::default();
    let (daemon, _server, router, _soft) = watched(1, &health).await;
    health.check_store(daemon.store()).await;
    health.check_integrity(daemon.store()).await;
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!(status, 200, "{body}");
    let file = daemon.database_file();
    let away = file.with_extension("away");
    std::fs::rename(&file, &away).unwrap();
    health.check_store(daemon.store()).await;
    let (status, body) = get(&router, "/readyz").await;
    assert!(status == 503 && body.contains("deleted or replaced"), "{body}");
    std::fs::rename(&away, &file).unwrap();
    health.check_store(daemon.store()).await;
    assert_eq!(get(&router, "/readyz").await.0, 200);
}

#[tokio::test]
async fn damage_in_the_file_ends_readiness() {
    let (daemon, _server, earlier, _soft) = surface(1).await;
    // Pages that only the integrity check reads.
    let filler = "CREATE TABLE filler AS WITH RECURSIVE numbers (n) AS \
        (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4000) SELECT zeroblob(300) AS zeros FROM numbers";
    daemon.execute(filler).await;
    daemon.execute("PRAGMA wal_checkpoint(TRUNCATE)").await;
    drop(earlier);
    let file = daemon.database_file();
    let damaged = |test| {
        damage_the_end_of(&file);
        test
    };
    let daemon = daemon.restarted_with(damaged).await;
    let health = Health::default();
    let router = router(Surface { health: health.clone(), ..surface_of(&daemon) });
    health.check_store(daemon.store()).await;
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!(status, 200, "the store can be written: {body}");

    health.check_integrity(daemon.store()).await;
    let (status, body) = get(&router, "/readyz").await;
    assert!(status == 503 && body.contains("is damaged: ") && body.contains("feedmill.db"), "{body}");

    // It stays, although the store can be written.
    health.check_store(daemon.store()).await;
    health.check_integrity(daemon.store()).await;
    let (status, body) = get(&router, "/readyz").await;
    assert!(status == 503 && body.contains("is damaged: "), "{body}");
}

/// Overwrites every fourth page in the last quarter of a database file.
fn damage_the_end_of(file: &Path) {
    const PAGE_BYTES: usize = 4096;
    let file = std::fs::File::options().write(true).open(file).unwrap();
    let pages = file.metadata().unwrap().len() / PAGE_BYTES as u64;
    assert!(pages > 300, "{pages} pages");
    for page in (pages / 4 * 3..pages).step_by(4) {
        file.write_all_at(&[0xa5; PAGE_BYTES], page * PAGE_BYTES as u64).unwrap();
    }
}

#[tokio::test]
async fn readiness_follows_the_output_folders() {
    let health = Health::default();
    let (_daemon, _server, router, _soft) = watched(1, &health).await;
    let dir = tempfile::tempdir().unwrap();
    let folders = ["texts", "warc"].map(|name| dir.path().join(name));
    let outputs = [("sink texts", &folders[0]), ("output.warc_dir", &folders[1])]
        .map(|(of, folder)| Output { of: of.to_owned(), folder: folder.clone() });
    for folder in &folders {
        std::fs::create_dir(folder).unwrap();
    }
    for output in &outputs {
        health.check_output(output).await;
    }
    assert_eq!(get(&router, "/readyz").await.0, 200);
    assert!(
        folders.iter().all(|folder| std::fs::read_dir(folder).unwrap().next().is_none()),
        "nothing is left"
    );

    std::fs::remove_dir(&folders[0]).unwrap();
    std::fs::remove_dir(&folders[1]).unwrap();
    std::fs::write(&folders[1], "not a folder").unwrap();
    for output in &outputs {
        health.check_output(output).await;
    }
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!(status, 503);
    for reason in ["sink texts cannot write to ", "output.warc_dir cannot write to ", "Not a directory"] {
        assert!(body.contains(reason), "{body}");
    }
    let (_, page) = get(&router, "/").await;
    assert!(page.contains("sink texts cannot write to "), "{page}");

    std::fs::create_dir(&folders[0]).unwrap();
    for output in &outputs {
        health.check_output(output).await;
    }
    let (status, body) = get(&router, "/readyz").await;
    assert!(status == 503 && !body.contains("sink texts") && body.contains("output.warc_dir"), "{body}");
}

#[tokio::test]
async fn readiness_tells_its_reasons() {
    let (_daemon, _server, router, soft) = surface(1).await;
    assert_eq!(get(&router, "/healthz").await, (200, "ok\n".to_owned()));
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!((status, body.as_str()), (200, r#"{"ready":true,"reasons":[]}"#));
    soft.cancel();
    let (status, body) = get(&router, "/readyz").await;
    assert_eq!((status, body.as_str()), (503, r#"{"ready":false,"reasons":["stopping"]}"#));
}
