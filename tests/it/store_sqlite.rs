//! Guarantees specific to SQLite: one running process, no commit lost after an error, no silent downgrade.

use std::path::Path;
use std::time::Duration;

use feedmill::clock::Clock;
use feedmill::store::{Settings, Store, StoreError};
use url::Url;

use crate::support::database::{Backend, FreshDatabase, start};

async fn database() -> FreshDatabase {
    FreshDatabase::create(Backend::Sqlite).await.expect("SQLite is always at hand")
}

fn settings(url: &str) -> Settings {
    Settings { url: url.into(), max_connections: 2, busy_timeout: Duration::from_secs(2), search_index: true }
}

/// RAISE(ROLLBACK) behaves like a full disk: SQLite rolls back the transaction by itself in the middle. ABORT is an ordinary
/// failing statement.
#[tokio::test]
async fn commits_after_a_failed_transaction_are_kept() {
    for failure in ["ROLLBACK", "ABORT"] {
        let database = database().await;
        let clock = Clock::manual(start());
        let store = database.open(&clock).await;
        let trigger = format!(
            "CREATE TRIGGER full_disk BEFORE INSERT ON feed_details BEGIN SELECT RAISE({failure}, 'disk is full'); END"
        );
        database.execute(&trigger).await;
        let urls: Vec<Url> = vec!["https://feeds.example/1".parse().unwrap()];
        let failed = store.feeds_sync(&urls, Duration::ZERO).await.unwrap_err();
        assert!(failed.to_string().contains("disk is full"), "{failed}");
        database.execute("DROP TRIGGER full_disk").await;

        for seq in 1..=20 {
            store.cursor_set("after the failure", seq).await.unwrap();
        }
        store.feeds_sync(&urls, Duration::ZERO).await.unwrap();
        // The store was not closed properly: acknowledged commits must be in the file.
        let reopened = database.open(&clock).await;
        assert_eq!(reopened.cursor_get("after the failure").await.unwrap(), 20, "{failure}");
        assert_eq!(reopened.feeds_list().await.unwrap().len(), 1, "{failure}");
        reopened.close().await;
        store.close().await;
        database.drop().await;
    }
}

#[tokio::test]
async fn a_write_that_is_given_up_half_way_leaves_nothing() {
    let database = database().await;
    let store = database.open(&Clock::manual(start())).await;
    let urls: Vec<Url> = (0..20_000).map(|i| format!("https://feeds.example/{i}").parse().unwrap()).collect();
    let given_up =
        tokio::time::timeout(Duration::from_millis(5), store.feeds_sync(&urls, Duration::ZERO)).await;
    assert!(given_up.is_err(), "20,000 feeds take longer than 5 ms");
    let sync = store.feeds_sync(&urls, Duration::ZERO).await.unwrap();
    assert_eq!(sync.added, 20_000);
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn one_process_runs_and_takes_the_leases_back() {
    let database = database().await;
    let clock = Clock::manual(start());
    let store = database.open(&clock).await;
    let urls = ["https://feeds.example/1".parse().unwrap()];
    store.feeds_sync(&urls, Duration::ZERO).await.unwrap();
    let lock = store.lock_for_running().await.unwrap();
    let lease = Duration::from_hours(1);
    let abandoned = store.feeds_claim_due(lease, 1).await.unwrap().remove(0);

    let second = database.open(&clock).await;
    let refused = second.lock_for_running().await.unwrap_err();
    assert!(matches!(refused, StoreError::Running { .. }));
    assert!(refused.to_string().contains("feedmill.db.lock"), "{refused}");
    assert!(refused.to_string().contains("another feedmill is running"), "{refused}");
    assert!(second.feeds_claim_due(lease, 1).await.unwrap().is_empty());

    drop(lock);
    let _lock = second.lock_for_running().await.unwrap();
    let taken = second.feeds_claim_due(lease, 1).await.unwrap().remove(0);
    assert!(taken.lease.epoch > abandoned.lease.epoch);
    store.close().await;
    second.close().await;
    database.drop().await;
}

#[tokio::test]
async fn the_lock_holds_whatever_link_leads_to_the_file() {
    let database = database().await;
    let clock = Clock::manual(start());
    let store = database.open(&clock).await;
    let _lock = store.lock_for_running().await.unwrap();
    let link = database.file().with_file_name("link.db");
    std::os::unix::fs::symlink(database.file(), &link).unwrap();
    let through_link =
        Store::open(&settings(&format!("sqlite:{}", link.display())), clock.clone()).await.unwrap();
    let refused = through_link.lock_for_running().await.unwrap_err();
    assert!(matches!(refused, StoreError::Running { .. }), "{refused}");
    through_link.close().await;
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn a_file_with_two_names_is_refused() {
    let database = database().await;
    let clock = Clock::manual(start());
    database.open(&clock).await.close().await;
    let link = database.file().with_file_name("link.db");
    std::fs::hard_link(database.file(), &link).unwrap();
    for file in [&database.file(), &link] {
        let settings = settings(&format!("sqlite:{}", file.display()));
        for refused in [
            Store::open(&settings, clock.clone()).await.unwrap_err(),
            Store::visit(&settings, clock.clone()).await.unwrap_err(),
        ] {
            assert!(matches!(&refused, StoreError::Linked { path, links: 2 } if path == file), "{refused}");
            let said = refused.to_string();
            assert!(said.contains("has 2 names (hard links)") && said.contains("hint: "), "{said}");
        }
    }
    std::fs::remove_file(&link).unwrap();
    database.open(&clock).await.close().await;
    database.drop().await;
}

/// Folders of backups may share unchanged files by hard links.
#[tokio::test]
async fn a_backup_with_two_names_is_restored() {
    let (original, restored) = (database().await, database().await);
    let clock = Clock::manual(start());
    let store = original.open(&clock).await;
    let backup = original.file().with_file_name("daily.backup");
    let written = store.backup(&backup).await.unwrap();
    store.close().await;
    std::fs::hard_link(&backup, backup.with_file_name("weekly.backup")).unwrap();
    assert_eq!(Store::restore(&restored.settings, &backup, clock.clone()).await.unwrap(), written);
    restored.open(&clock).await.close().await;
    original.drop().await;
    restored.drop().await;
}

#[tokio::test]
async fn nothing_is_acknowledged_once_the_file_is_gone() {
    let database = database().await;
    let store = database.open(&Clock::manual(start())).await;
    store.check_health().await.unwrap();
    std::fs::remove_file(database.file()).unwrap();
    let refused = store.cursor_set("reader", 1).await.unwrap_err();
    assert!(matches!(refused, StoreError::FileGone { .. }) && refused.is_passing(), "{refused}");
    let problem = store.check_health().await.unwrap_err();
    assert!(problem.to_string().contains("deleted or replaced while it was open; hint: "), "{problem}");
    // A new file of the same name is not the file that was opened.
    std::fs::write(database.file(), b"").unwrap();
    assert!(store.cursor_set("reader", 1).await.is_err());
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn damage_in_the_file_is_found() {
    use std::os::unix::fs::FileExt as _;
    let database = database().await;
    let store = database.open(&Clock::manual(start())).await;
    let urls: Vec<Url> = (0..2_000).map(|i| format!("https://feeds.example/{i}").parse().unwrap()).collect();
    store.feeds_sync(&urls, Duration::ZERO).await.unwrap();
    store.check_integrity().await.unwrap();
    store.close().await;
    let file = std::fs::File::options().write(true).open(database.file()).unwrap();
    let pages = file.metadata().unwrap().len() / 4096;
    assert!(pages > 40, "{pages} pages");
    // The schema is in the first half: if it were damaged, the store could not be opened.
    for page in (pages / 2..pages).step_by(4) {
        file.write_all_at(&[0xa5; 4096], page * 4096).unwrap();
    }
    let store = database.open(&Clock::manual(start())).await;
    let problem = store.check_integrity().await.unwrap_err().to_string();
    assert!(problem.contains("is damaged: ") && problem.contains("feedmill.db"), "{problem}");
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn the_file_is_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let database = database().await;
    let store = database.open(&Clock::manual(start())).await;
    for name in ["feedmill.db", "feedmill.db-wal"] {
        let mode = database.file().with_file_name(name).metadata().unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    store.close().await;
    database.drop().await;
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let database = database().await;
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("migrations/sqlite");
    let mut migrations: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned())
        .collect();
    migrations.sort();
    assert_eq!(Store::schema_status(&database.settings).await.unwrap().pending, migrations);
    let store = database.open(&Clock::manual(start())).await;
    store.close().await;
    let status = Store::schema_status(&database.settings).await.unwrap();
    assert_eq!((status.applied, status.pending.len()), (migrations, 0));

    database
        .execute("INSERT INTO schema_migrations (version, name, applied_at) VALUES (999, '0999_later', 0)")
        .await;
    for refused in [
        Store::open(&database.settings, Clock::system()).await.unwrap_err(),
        Store::schema_status(&database.settings).await.unwrap_err(),
    ] {
        assert!(matches!(refused, StoreError::SchemaNewer { found: 999, .. }));
        assert!(refused.to_string().contains("hint: "), "{refused}");
    }
    database.drop().await;
}

#[tokio::test]
async fn messages_name_the_place_and_the_way_out_and_no_password() {
    let missing =
        Store::open(&settings("sqlite:/nowhere/at/all/feedmill.db"), Clock::system()).await.unwrap_err();
    assert!(missing.to_string().contains("/nowhere/at/all/feedmill.db"), "{missing}");
    assert!(missing.to_string().contains("does its folder exist"), "{missing}");

    let folder = tempfile::tempdir().unwrap();
    let garbage = folder.path().join("garbage.db");
    std::fs::write(&garbage, [0x5a; 8192]).unwrap();
    let error =
        Store::open(&settings(&format!("sqlite:{}", garbage.display())), Clock::system()).await.unwrap_err();
    assert!(error.to_string().contains("the file is not an SQLite database"), "{error}");

    let closed =
        Store::open(&settings("postgres://mill@127.0.0.1:1/feeds"), Clock::system()).await.unwrap_err();
    assert!(closed.to_string().contains("onnection refused"), "{closed}");

    let unreachable = "postgres://mill:hunter2@127.0.0.1:1/feeds";
    for url in [
        unreachable,
        "sqlite:",
        "sqlite::memory:",
        "mysql://mill:hunter2@db/feeds",
        "postgres//mill:hunter2@db",
    ] {
        let error = Store::open(&settings(url), Clock::system()).await.unwrap_err();
        assert!(error.to_string().contains("hint: "), "{error}");
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error} {error:?}");
    }
}

#[tokio::test]
async fn a_value_that_no_feedmill_writes_is_named() {
    let database = database().await;
    let store = database.open(&Clock::manual(start())).await;
    store.feeds_sync(&["https://feeds.example/1".parse().unwrap()], Duration::ZERO).await.unwrap();
    database.execute("UPDATE feed_details SET history = 'not json'").await;
    let error = store.feeds_list().await.unwrap_err().to_string();
    assert!(error.starts_with("table feed_details, row 1, column history: "), "{error}");
    store.close().await;
    database.drop().await;
}
