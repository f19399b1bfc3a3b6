//! Records as messages in a real JetStream stream.

use async_nats::ServerAddr;
use feedmill::publish::filter::Filter;
use feedmill::publish::nats::{self, Login, Subject};
use feedmill::publish::relay::{Flush, Relay, Settings, Step};
use feedmill::publish::{Configured, Receiver};
use feedmill::store::Beginning;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::support::client::outward;
use crate::support::nats::{messages, name, server, stream};

pub(super) fn settings(server: &str, name: &str) -> nats::Settings {
    nats::Settings {
        servers: vec![server.parse::<ServerAddr>().unwrap()],
        login: Login::None,
        authorities: None,
        subject: Subject::parse(&format!("{name}.{{language}}.{{tag}}.{{host}}")).unwrap(),
        stream: name.to_owned(),
        duplicate_window: Duration::from_mins(2),
    }
}

async fn relay(bench: &Bench, settings: nats::Settings) -> Relay {
    let tags = [(feed_urls(1)[0].clone(), vec!["world".to_owned()])];
    bench.store.feeds_tag(&tags.each_ref().map(|(url, tags)| (url, tags.as_slice()))).await.unwrap();
    let outward = outward(&bench.clock);
    let receiver = Receiver::Nats(settings);
    let relay =
        Settings { name: "bus".to_owned(), from: Beginning::Start, pause: false, filter: Filter::default() };
    Relay::open(bench.store.clone(), Configured { relay, receiver }, outward).await.unwrap()
}

async fn held(server: &str, name: &str) -> Vec<(String, i64)> {
    messages(&stream(server, name).await).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_holds_everything_once_however_often_the_relay_dies() {
    let Some(server) = server() else { return };
    run(Backend::Sqlite, async |bench| {
        let name = name();
        for death in 0..20_i64 {
            let numbers = 3 * usize::try_from(death).unwrap();
            bench.store_articles(numbers..numbers + 3).await;
            // This process dies before it moves its cursor.
            let mut relay = relay(bench, settings(&server, &name)).await;
            relay.drain(Flush::All, &CancellationToken::new()).await.unwrap();
            drop(relay);
            let before = (death * 2 - 3).max(0);
            bench.die_before_the_cursor_moves_from(before).await;
        }
        let mut last = relay(bench, settings(&server, &name)).await;
        last.drain(Flush::All, &CancellationToken::new()).await.unwrap();
        let messages = held(&server, &name).await;
        let positions: Vec<i64> = messages.iter().map(|(_, seq)| *seq).collect();
        assert_eq!(positions, (1..=60).collect::<Vec<_>>(), "each once and in order");
        assert_eq!(messages[0].0, format!("{name}.en.world.site_example"));
        // Another event of the same revision is not a duplicate.
        bench.pass(60);
        bench.feeds(2).await;
        bench.poll(|_| vec![new_entry("again", "https://site.example/0", "x")]).await;
        let again = bench.store.entries_claim(LEASE, 10).await.unwrap();
        let linked: Vec<FinishedEntry> = again
            .into_iter()
            .map(|entry| FinishedEntry { entry, outcome: EntryOutcome::AlreadyStored })
            .collect();
        bench.finish(&linked).await;
        last.drain(Flush::All, &CancellationToken::new()).await.unwrap();
        let last_seq = bench.store.last_seq().await.unwrap();
        assert!(last_seq > 60);
        assert_eq!(held(&server, &name).await.last().unwrap().1, last_seq);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_away_is_waited_for() {
    run(Backend::Sqlite, async |bench| {
        bench.store_articles(0..1).await;
        let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let mut relay = relay(bench, settings(&format!("nats://{nobody}"), "away")).await;
        assert!(matches!(relay.step(Flush::All).await.unwrap(), Step::Idle(Some(_))));
        let status = bench.store.sinks_list().await.unwrap().remove(0);
        assert!(status.error.unwrap().contains("cannot connect to NATS"));
    })
    .await;
}
