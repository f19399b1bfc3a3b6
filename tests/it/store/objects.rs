//! Delivery from the outbox to a bucket of a real S3 endpoint.

use feedmill::publish::files::Form;
use feedmill::publish::folder::Place;
use feedmill::publish::folder::objects::{Objects, Provider, Settings};
use feedmill::publish::relay::{Flush, Step};

use super::relay::{files_of, records_of, rows_of, seqs, texts};
use super::*;
use crate::support::blobs::{self, Blobs};
use crate::support::client::{fetcher, settings};
use crate::support::s3::{BUCKET, S3, SECRET};

#[tokio::test(flavor = "multi_thread")]
async fn objects_hold_everything_once_through_crashes_and_replays() {
    run(Backend::Sqlite, async |bench| {
        let s3 = S3::start().await;
        let sinks = [
            files_of(Form::JsonLines, "lines", &s3.place("lines"), 4),
            files_of(Form::Parquet, "lake", &s3.place("deep/lake/"), 4),
            texts(&s3.place("texts")),
        ];
        bench.store_articles(0..10).await;
        for sink in &sinks {
            bench.deliver(sink).await;
        }
        let first = ["lines", "deep/lake", "texts"].map(|prefix| s3.objects(prefix));
        let day = "date=2026-03-01";
        let names: Vec<&String> = first[0].keys().collect();
        let expected = [(1, 4), (5, 8), (9, 10)].map(|(a, b)| format!("{day}/{a:012}-{b:012}.jsonl.zst"));
        assert_eq!(names, expected.iter().collect::<Vec<_>>());
        bench.die_before_the_cursor_moves_from(5).await;
        bench.store_articles(10..12).await;
        for sink in &sinks {
            bench.deliver(sink).await;
            assert!(bench.store.sink_replay(sink.name(), 0).await.unwrap());
            bench.deliver(sink).await;
        }
        let all: Vec<i64> = (1..=12).collect();
        let records: Vec<_> = s3.objects("lines").values().flat_map(|object| records_of(object)).collect();
        assert_eq!(records, bench.store.records_after(0, 100).await.unwrap(), "whole records, in order");
        let rows: Vec<_> = s3.objects("deep/lake").into_values().flat_map(rows_of).collect();
        assert_eq!(rows.iter().map(|row| row["seq"].as_i64().unwrap()).collect::<Vec<_>>(), all);
        let texts = s3.objects("texts");
        assert_eq!((seqs(&records), texts.len()), (all, 12));
        assert!(first[2].iter().all(|(name, content)| texts.get(name) == Some(content)));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_is_said_with_the_way_out_and_without_secrets() {
    run(Backend::Sqlite, async |bench| {
        let s3 = S3::start().await;
        let with = |name: &str, value: &str| {
            let mut settings = s3.settings("articles");
            settings.options.push((name.to_owned(), value.to_owned().into()));
            settings
        };
        let elsewhere = Settings { url: "s3://another/articles".parse().unwrap(), ..s3.settings("") };
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let wrong = [
            (with("secret_access_key", "another"), "no write permission there"),
            (elsewhere, "does the bucket exist"),
            (with("endpoint", &format!("http://{nobody}")), "cannot connect"),
        ];
        for (settings, expected) in wrong {
            let sink = files_of(Form::Parquet, "lake", &Place::Objects(settings.clone()), 4);
            bench.store_articles(0..1).await;
            let mut relay = bench.relay(&sink).await;
            bench.store.sink_replay("lake", 0).await.unwrap();
            assert!(matches!(relay.step(Flush::All).await.unwrap(), Step::Idle(Some(_))));
            let error = bench.store.sinks_list().await.unwrap().remove(0).error.unwrap();
            assert!(error.contains(expected) && error.contains("articles"), "{error}");
            assert!(!error.contains(SECRET), "{error}");
            let error = probe(&settings).await.unwrap_err();
            assert!(error.contains(expected) && error.starts_with("cannot write to s3://"), "{error}");
        }
        probe(&s3.settings("articles")).await.unwrap();
        assert!(s3.objects("articles").is_empty(), "a probe leaves nothing in {BUCKET}");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn google_and_azure_hold_everything_once_too() {
    run(Backend::Sqlite, async |bench| {
        bench.store_articles(0..10).await;
        for provider in [Provider::Google, Provider::Azure] {
            let blobs = Blobs::start(provider).await;
            let name = format!("{provider:?}");
            let sinks = [
                files_of(Form::JsonLines, &name, &blobs.place("deep/lake/"), 4),
                texts(&blobs.place("texts")),
            ];
            for sink in &sinks {
                bench.deliver(sink).await;
                assert!(bench.store.sink_replay(sink.name(), 0).await.unwrap());
                bench.deliver(sink).await;
            }
            let lines = blobs.objects("deep/lake");
            assert_eq!(lines.keys().next().unwrap(), "date=2026-03-01/000000000001-000000000004.jsonl.zst");
            let records: Vec<_> = lines.values().flat_map(|object| records_of(object)).collect();
            assert_eq!(records, bench.store.records_after(0, 100).await.unwrap(), "{provider:?}");
            assert_eq!(blobs.objects("texts").len(), 10, "{provider:?}");
            probe(&blobs.settings("probed")).await.unwrap();
            assert!(blobs.objects("probed").is_empty(), "{provider:?}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_bucket_of_google_or_azure_is_said_too() {
    for (provider, scheme) in [(Provider::Google, "gs"), (Provider::Azure, "az")] {
        let blobs = Blobs::start(provider).await;
        let url = format!("{scheme}://another/lake").parse().unwrap();
        let error = probe(&Settings { url, ..blobs.settings("") }).await.unwrap_err();
        assert!(error.contains("does the bucket exist") && !error.contains(blobs::KEY), "{error}");
    }
    let blobs = Blobs::start(Provider::Azure).await;
    let mut settings = blobs.settings("lake");
    let wrong = "bm90IHRoZSBrZXk=";
    settings.options.push(("access_key".to_owned(), wrong.to_owned().into()));
    let error = probe(&settings).await.unwrap_err();
    assert!(error.contains("no write permission there") && !error.contains(wrong), "{error}");
}

async fn probe(bucket: &Settings) -> Result<(), String> {
    let client = fetcher(settings()).object_client().unwrap();
    Objects::open(bucket, client).unwrap().probe().await.map_err(|error| error.to_string())
}
