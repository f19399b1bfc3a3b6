use futures_util::FutureExt;

use super::*;

fn url(text: &str) -> Url {
    text.parse().unwrap()
}

fn alive() -> Shards {
    let shards = Shards::shared();
    shards.begin_life(7);
    shards.note_alive(Instant::now() + Duration::from_mins(1), Standing::default());
    shards
}

fn every() -> Vec<(ShardId, Option<Instant>)> {
    (0..SHARDS).map(|shard| (ShardId(shard), None)).collect()
}

#[test]
fn hosts_of_one_domain_are_of_one_shard() {
    assert_eq!(shard_of(&url("https://www.a.example/1")), shard_of(&url("http://feeds.a.example:81/2")));
    let many: std::collections::HashSet<_> =
        (0..1000).map(|n| shard_of(&url(&format!("https://{n}.example/")))).collect();
    assert!(many.len() > 500, "they spread");
}

#[tokio::test]
async fn a_shard_leaves_when_its_last_request_is_answered() {
    let (shards, host) = (alive(), url("https://a.example/"));
    assert_eq!(shards.claimed(), "{-1}");
    shards.acquire(&every(), &[]);
    assert_eq!(shards.claimed(), "", "no list where all are ours");
    let pass = shards.enter(&host).await.unwrap();
    shards.keep_at_most(SHARDS - 1);
    let ready = shards.ready_to_leave();
    assert!(ready.len() == 1 && ready[0] != shard_of(&host), "an idle one goes first");
    shards.gone(&ready);
    shards.keep_at_most(0);
    assert_eq!(shards.ready_to_leave().len(), usize::from(SHARDS) - 2);
    assert_eq!(shards.enter(&host).await.unwrap_err(), Elsewhere { wait: COME_BACK });
    drop(pass);
    assert_eq!(shards.ready_to_leave().len(), usize::from(SHARDS) - 1);
    shards.keep_at_most(SHARDS);
    shards.enter(&host).await.unwrap();
}

#[tokio::test]
async fn a_host_of_another_is_borrowed_and_given_back() {
    let (owner, borrower, host) = (alive(), alive(), url("https://a.example/page"));
    owner.acquire(&every(), &[]);
    let asked = owner.enter(&host).await.unwrap();
    let mut entering = Box::pin(borrower.enter(&host));
    assert!((&mut entering).now_or_never().is_none());
    let wanted: Vec<String> = borrower.to_borrow().into_iter().map(|(party, _)| party).collect();
    assert_eq!(wanted, ["a.example"]);
    assert!(borrower.to_borrow().is_empty(), "asked for once");

    assert!(owner.lend(&wanted).is_empty(), "it is being asked");
    assert!(owner.enter(&host).now_or_never().is_none(), "and nobody else is let in");
    drop(asked);
    assert_eq!(owner.lend(&wanted), wanted);
    owner.granted(&wanted);
    let granted = StoredLoans { all: &wanted, granted: &wanted, ours: &wanted };
    assert!(borrower.changes_with(granted));
    borrower.settle_loans(granted);
    let pass = entering.await.unwrap();
    assert!(pass.last_asked().is_some(), "the gap counts from the loan");
    assert!(borrower.to_return().is_empty());
    drop(pass);
    assert_eq!(borrower.to_return(), wanted);

    assert!(!owner.changes_with(StoredLoans { ours: &[], ..granted }));
    assert!(owner.enter(&host).now_or_never().is_none(), "it is still lent");
    // The host was returned and requested again before the owner checked: local waiters go first.
    let again = StoredLoans { all: &wanted, granted: &[], ours: &[] };
    assert!(owner.changes_with(again));
    owner.settle_loans(again);
    let pass = owner.enter(&host).await.unwrap();
    assert!(pass.last_asked().is_some());
    assert!(owner.lend(&wanted).is_empty());
    drop(pass);
    assert_eq!(owner.lend(&wanted), wanted);
}

#[tokio::test]
async fn a_host_that_came_with_its_loan_is_first_asked_for_by_those_who_wait_here() {
    let (owner, host) = (alive(), url("https://a.example/page"));
    let lent = ["a.example".to_owned()];
    owner.acquire(&every(), &lent);
    let mut entering = Box::pin(owner.enter(&host));
    assert!((&mut entering).now_or_never().is_none(), "the borrower has it");
    let granted = StoredLoans { all: &lent, granted: &lent, ours: &[] };
    assert!(!owner.changes_with(granted));
    // It was returned and requested again before the owner checked.
    let again = StoredLoans { granted: &[], ..granted };
    assert!(owner.changes_with(again));
    owner.settle_loans(again);
    let pass = entering.await.unwrap();
    assert!(pass.last_asked().is_some(), "the gap counts from its return");
    assert!(owner.lend(&lent).is_empty(), "it is being asked");
    drop(pass);
    assert_eq!(owner.lend(&lent), lent);
}

#[tokio::test]
async fn whoever_may_be_taken_for_dead_asks_nothing() {
    let (shards, host) = (alive(), url("https://a.example/"));
    shards.acquire(&every(), &[]);
    let pass = shards.enter(&host).await.unwrap();
    let mut lapsed = Box::pin(shards.lapsed());
    assert!((&mut lapsed).now_or_never().is_none());
    shards.end_life();
    lapsed.await;
    drop(pass);
    assert_eq!(shards.count(), 0);

    shards.note_alive(Instant::now(), Standing::default());
    shards.acquire(&every(), &[]);
    assert_eq!(shards.claimed(), "{}");
    assert!(shards.enter(&host).await.is_err());
    shards.lapsed().await;
}
