use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use super::unsettled::Unsettled;
use super::*;
use crate::model::after;
use crate::pipeline::HOST_PATIENCE;

const HOSTS: usize = 50;
const PAGES: usize = 20;
const GAP: Duration = Duration::from_secs(1);
/// How long a page takes.
const TAKES: Duration = Duration::from_millis(200);

/// Entries in memory, grouped by host, and hosts that accept one request per gap.
#[derive(Clone)]
struct Paced {
    clock: Clock,
    table: Arc<Mutex<Table>>,
}

struct Table {
    waiting: BTreeSet<(Timestamp, usize)>,
    hosts: Vec<Host>,
    done: usize,
    looks: usize,
}

#[derive(Clone)]
struct Host {
    next_start: Timestamp,
    next_return: Timestamp,
}

impl Stage for Paced {
    type Item = usize;
    type Claim = usize;
    type Done = usize;

    const NAME: &'static str = "paced";
    const BATCH: u32 = 100;

    fn permits(&self) -> u32 {
        64
    }

    async fn claim(&self, limit: u32) -> Result<Vec<usize>, StoreError> {
        let now = self.clock.now();
        let mut table = self.table.lock().unwrap();
        table.looks += 1;
        let due = table.waiting.iter().take_while(|(due, _)| *due <= now).take(limit as usize);
        let due: Vec<_> = due.copied().collect();
        table.waiting.retain(|entry| !due.contains(entry));
        Ok(due.into_iter().map(|(_, entry)| entry).collect())
    }

    fn claim_of(item: &usize) -> usize {
        *item
    }

    fn party_of(entry: &usize) -> PartyId {
        PartyId(i64::try_from(entry / PAGES).unwrap())
    }

    fn weight_of(_: &usize) -> u32 {
        1
    }

    async fn release(&self, claims: &[(usize, Timestamp)]) -> Result<(), StoreError> {
        let claims = claims.iter().map(|(entry, due)| (*due, *entry));
        self.table.lock().unwrap().waiting.extend(claims);
        Ok(())
    }

    async fn process(&self, entry: usize) -> Worked<usize, usize> {
        let now = self.clock.now();
        let start = {
            let host = &mut self.table.lock().unwrap().hosts[entry / PAGES];
            let start = host.next_start.max(now);
            if after(now, HOST_PATIENCE) < start {
                let due = host.next_return.max(start);
                host.next_return = after(due, GAP);
                return Worked::PutOff { claim: entry, due, until: Until::HostTurn };
            }
            host.next_start = after(start, GAP);
            start
        };
        tokio::time::sleep(Duration::try_from(start.duration_since(now)).unwrap() + TAKES).await;
        Worked::Done(entry)
    }

    async fn record(&self, done: &[usize]) -> Result<(), StoreError> {
        self.table.lock().unwrap().done += done.len();
        Ok(())
    }

    fn refused(done: usize, _: &StoreError) -> usize {
        done
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(self.table.lock().unwrap().waiting.first().map(|(due, _)| *due))
    }
}

#[tokio::test(start_paused = true)]
async fn a_hosts_turn_comes_when_its_gap_is_over() {
    let start: Timestamp = "2026-03-02T08:00:00Z".parse().unwrap();
    let clock = Clock::ticking(start);
    let table = Table {
        waiting: (0..HOSTS * PAGES).map(|entry| (start, entry)).collect(),
        hosts: vec![Host { next_start: start, next_return: start }; HOSTS],
        done: 0,
        looks: 0,
    };
    let stage = Paced { clock: clock.clone(), table: Arc::new(Mutex::new(table)) };
    let nothing_before = CancellationToken::new();
    nothing_before.cancel();

    let (wake, soft) = (Notify::new(), CancellationToken::new());
    let recorded = drain(&stage, &wake, &clock, &nothing_before, &soft).await.unwrap();
    assert_eq!(recorded, HOSTS * PAGES);

    // Measured in the runtime's own time, which passes only while all tasks wait, so that a slow machine does not fail the
    // test.
    let took = Duration::try_from(clock.now().duration_since(start)).unwrap();
    let gaps = GAP * u32::try_from(PAGES - 1).unwrap();
    assert!(took <= gaps + Duration::from_secs(2), "{took:?}");
    let table = stage.table.lock().unwrap();
    assert_eq!(table.done, HOSTS * PAGES);
    assert!(table.looks <= HOSTS * PAGES, "{} looks at the store", table.looks);
}

/// Items that finish at once, from a slow store. The stop comes with one of them.
#[derive(Clone)]
struct Stopping {
    begun: Arc<Mutex<usize>>,
    released: Arc<Mutex<usize>>,
    soft: CancellationToken,
}

impl Stopping {
    const PERMITS: u32 = 4;
    const LAST: usize = 40;
}

impl Stage for Stopping {
    type Item = ();
    type Claim = ();
    type Done = ();

    const NAME: &'static str = "stopping";
    const BATCH: u32 = 100;

    fn permits(&self) -> u32 {
        Self::PERMITS
    }

    async fn claim(&self, limit: u32) -> Result<Vec<()>, StoreError> {
        tokio::time::sleep(Duration::from_secs(1)).await;
        Ok(vec![(); limit as usize])
    }

    fn claim_of((): &()) {}

    fn party_of((): &()) -> PartyId {
        PartyId(0)
    }

    fn weight_of((): &()) -> u32 {
        1
    }

    async fn release(&self, claims: &[((), Timestamp)]) -> Result<(), StoreError> {
        *self.released.lock().unwrap() += claims.len();
        Ok(())
    }

    async fn process(&self, (): ()) -> Worked<(), ()> {
        {
            let mut begun = self.begun.lock().unwrap();
            *begun += 1;
            if *begun == Self::LAST {
                self.soft.cancel();
            }
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
        Worked::Done(())
    }

    async fn record(&self, _: &[()]) -> Result<(), StoreError> {
        Ok(())
    }

    fn refused((): (), _: &StoreError) {}

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_begun_after_a_stop_however_long_the_store_takes() {
    let soft = CancellationToken::new();
    let stage = Stopping { begun: Arc::default(), released: Arc::default(), soft: soft.clone() };
    let clock = Clock::ticking("2026-03-02T08:00:00Z".parse().unwrap());
    let recorded = drain(&stage, &Notify::new(), &clock, &CancellationToken::new(), &soft).await.unwrap();
    let begun = *stage.begun.lock().unwrap();
    assert_eq!(recorded, begun);
    assert!(begun < Stopping::LAST + Stopping::PERMITS as usize, "{begun} were begun");
    assert!(*stage.released.lock().unwrap() > 0, "some were claimed ahead");
}

/// An item as the store knows it at last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Recorded {
    Whole(usize),
    Refused(usize),
    Released(usize),
}

/// A store that refuses two of five items. When the refusal of the one is recorded, it is unavailable at first, as it is when an item
/// is put off; the refusal of the other it refuses as well.
#[derive(Clone)]
struct Refusing {
    claimed: Arc<Mutex<bool>>,
    /// Whether the next refusal, and the next release, find the store unavailable.
    unavailable: Arc<Mutex<[bool; 2]>>,
    settled: Arc<Mutex<BTreeSet<Recorded>>>,
    soft: CancellationToken,
}

impl Refusing {
    const ITEMS: usize = 5;
    const REFUSED: usize = 1;
    const HOPELESS: usize = 3;
    const PUT_OFF: usize = 4;

    /// Returns an error if the store is unavailable, which it is only once.
    fn reach(&self, what: usize) -> Result<(), StoreError> {
        let is_unavailable = std::mem::take(&mut self.unavailable.lock().unwrap()[what]);
        if is_unavailable { Err(StoreError::FileGone { path: "feedmill.db".into() }) } else { Ok(()) }
    }

    fn settle(&self, items: impl IntoIterator<Item = Recorded>) {
        let mut settled = self.settled.lock().unwrap();
        settled.extend(items);
        if settled.len() == Self::ITEMS - 1 {
            self.soft.cancel();
        }
    }
}

impl Stage for Refusing {
    type Item = usize;
    type Claim = usize;
    type Done = Recorded;

    const NAME: &'static str = "refusing";
    const BATCH: u32 = 100;

    fn permits(&self) -> u32 {
        8
    }

    async fn claim(&self, _: u32) -> Result<Vec<usize>, StoreError> {
        let already = std::mem::replace(&mut *self.claimed.lock().unwrap(), true);
        Ok(if already { Vec::new() } else { (0..Self::ITEMS).collect() })
    }

    fn claim_of(item: &usize) -> usize {
        *item
    }

    fn party_of(_: &Recorded) -> PartyId {
        PartyId(0)
    }

    fn weight_of(_: &Recorded) -> u32 {
        1
    }

    async fn release(&self, claims: &[(usize, Timestamp)]) -> Result<(), StoreError> {
        self.reach(1)?;
        self.settle(claims.iter().map(|(item, _)| Recorded::Released(*item)));
        Ok(())
    }

    async fn process(&self, item: usize) -> Worked<usize, Recorded> {
        match item {
            Self::PUT_OFF => Worked::PutOff { claim: item, due: Timestamp::MAX, until: Until::HostReturn },
            _ => Worked::Done(Recorded::Whole(item)),
        }
    }

    async fn record(&self, done: &[Recorded]) -> Result<(), StoreError> {
        for item in done {
            match item {
                Recorded::Whole(Self::REFUSED | Self::HOPELESS) | Recorded::Refused(Self::HOPELESS) => {
                    return Err(StoreError::RowsChanged { table: "entries", expected: 1, changed: 0 });
                }
                Recorded::Refused(_) => self.reach(0)?,
                Recorded::Whole(_) | Recorded::Released(_) => {}
            }
        }
        self.settle(done.iter().copied());
        Ok(())
    }

    fn refused(done: Recorded, _: &StoreError) -> Recorded {
        match done {
            Recorded::Whole(item) | Recorded::Refused(item) | Recorded::Released(item) => {
                Recorded::Refused(item)
            }
        }
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}

#[tokio::test(start_paused = true)]
async fn an_item_is_kept_until_its_refusal_or_release_is_recorded_and_holds_up_no_other() {
    let soft = CancellationToken::new();
    let stage = Refusing {
        claimed: Arc::default(),
        unavailable: Arc::new(Mutex::new([true; 2])),
        settled: Arc::default(),
        soft: soft.clone(),
    };
    let clock = Clock::ticking("2026-03-02T08:00:00Z".parse().unwrap());
    let (wake, hard, progress) = (Notify::new(), CancellationToken::new(), Progress::default());
    let running = run(&stage, &wake, &clock, &soft, &hard, &progress);
    tokio::time::timeout(Duration::from_mins(1), running).await.expect("all items are settled");
    let settled: Vec<Recorded> = stage.settled.lock().unwrap().iter().copied().collect();
    let expected = [
        Recorded::Whole(0),
        Recorded::Whole(2),
        Recorded::Refused(Refusing::REFUSED),
        Recorded::Released(Refusing::PUT_OFF),
    ];
    assert_eq!(settled, expected);
}

/// Finished items: the party and the weight of each, and a number.
#[derive(Clone)]
struct Weighed;

type Item = (i64, u32, usize);

impl Stage for Weighed {
    type Item = Item;
    type Claim = Item;
    type Done = Item;

    const NAME: &'static str = "weighed";
    const BATCH: u32 = 100;

    fn permits(&self) -> u32 {
        1
    }

    async fn claim(&self, _: u32) -> Result<Vec<Item>, StoreError> {
        Ok(Vec::new())
    }

    fn claim_of(item: &Item) -> Item {
        *item
    }

    fn party_of((party, ..): &Item) -> PartyId {
        PartyId(*party)
    }

    fn weight_of((_, weight, _): &Item) -> u32 {
        *weight
    }

    async fn release(&self, _: &[(Item, Timestamp)]) -> Result<(), StoreError> {
        Ok(())
    }

    async fn process(&self, item: Item) -> Worked<Item, Item> {
        Worked::Done(item)
    }

    async fn record(&self, _: &[Item]) -> Result<(), StoreError> {
        Ok(())
    }

    fn refused(item: Item, _: &StoreError) -> Item {
        item
    }

    async fn next_due(&self) -> Result<Option<Timestamp>, StoreError> {
        Ok(None)
    }
}

/// Returns the batches in which these items, given by party and weight, are recorded.
fn batches(items: &[(i64, u32)]) -> Vec<Vec<Item>> {
    let mut unsettled = Unsettled::<Weighed>::default();
    for (number, (party, weight)) in items.iter().enumerate() {
        unsettled.push(Worked::Done((*party, *weight, number)));
    }
    let mut batches = Vec::new();
    while !unsettled.is_empty() {
        batches.push(unsettled.batch().into_done());
    }
    batches
}

#[test]
fn parties_take_turns_in_being_recorded() {
    let many: Vec<(i64, u32)> = [vec![(1, 1); 300], vec![(2, 1), (3, 1)]].concat();
    let recorded = batches(&many);
    assert_eq!(recorded.iter().map(Vec::len).collect::<Vec<_>>(), [100, 100, 100, 2]);
    let parties = |batch: &[Item]| batch.iter().map(|(party, ..)| *party).collect::<BTreeSet<_>>();
    assert_eq!(parties(&recorded[0]), BTreeSet::from([1, 2, 3]), "who came behind three hundred");
    assert!(recorded.iter().all(|batch| batch.is_sorted_by_key(|(.., number)| *number)), "in order");
}

#[test]
fn what_costs_the_store_much_fills_a_transaction() {
    let heavy: Vec<(i64, u32)> = [vec![(1, 40); 6], vec![(2, 1); 4], vec![(1, 1_000)]].concat();
    let recorded = batches(&heavy);
    let weights = |batch: &Vec<Item>| batch.iter().map(|(_, weight, _)| *weight).collect::<Vec<_>>();
    assert_eq!(
        recorded.iter().map(weights).collect::<Vec<_>>(),
        [vec![40, 40, 1, 1, 1, 1], vec![40, 40], vec![40, 40], vec![1_000]]
    );
}

#[test]
fn who_has_waited_longest_always_goes() {
    // Each time, the others are as many as fit.
    let mut unsettled = Unsettled::<Weighed>::default();
    unsettled.push(Worked::Done((1, 1, 0)));
    unsettled.push(Worked::Done((1, 60, 1)));
    for party in 2..102 {
        unsettled.push(Worked::Done((party, 1, 2)));
    }
    let first = unsettled.batch().into_done();
    assert!(first.iter().all(|(_, weight, _)| *weight == 1));
    for party in 2..102 {
        unsettled.push(Worked::Done((party, 1, 3)));
    }
    assert!(unsettled.batch().into_done().contains(&(1, 60, 1)));
}
