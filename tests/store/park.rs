//! Slots: who gets one, who gets the caller in it, and what becomes of those that nobody is in.

use std::collections::BTreeSet;
use std::time::Duration;

use callwright::base::ids::{CallId, ChannelId, CoreId, TenantId};
use callwright::base::slot::Slot;
use callwright::call::park::{ParkAsk, ParkFound, ParkQuery};
use callwright::model::park::Taker;
use callwright::store::{Recorder, Settled, Store};
use uuid::Uuid;

use crate::bench::{Bench, call_id, eventually, live, on_both, record};

const SOON: Duration = Duration::from_secs(20);

fn slot(number: u32) -> Slot {
    Slot::try_from(number).unwrap()
}

fn core(number: u128) -> Option<CoreId> {
    Some(CoreId(Uuid::from_u128(number)))
}

fn channel(call: CallId) -> ChannelId {
    call.to_string().parse().unwrap()
}

async fn ask_on(
    store: &Store,
    (tenant, call): (TenantId, CallId),
    ask: ParkAsk,
    core: Option<CoreId>,
) -> ParkFound {
    let query = ParkQuery { tenant, call, channel: channel(call), ask };
    store.tenant(tenant).park(&query, core).await.unwrap()
}

async fn ask(bench: &Bench, who: (TenantId, CallId), ask: ParkAsk) -> ParkFound {
    ask_on(&bench.store, who, ask, core(1)).await
}

fn reserve(slots: &str, wanted: Option<u32>) -> ParkAsk {
    ParkAsk::Reserve {
        slots: slots.parse().unwrap(),
        wanted: wanted.map(slot),
        party: "+4930".into(),
        parker: "200".into(),
    }
}

fn take(number: u32, call: CallId) -> ParkAsk {
    ParkAsk::Take { slot: slot(number), by: Taker { call, party: "300".into() } }
}

/// A caller whom anybody may take.
async fn park(bench: &Bench, tenant: TenantId, slots: &str) -> CallId {
    let call = call_id();
    let found = ask(bench, (tenant, call), reserve(slots, None)).await;
    assert!(matches!(found, ParkFound::In(_)), "{found:?}");
    assert_eq!(ask(bench, (tenant, call), ParkAsk::Open).await, found);
    call
}

async fn listed(bench: &Bench, tenant: TenantId) -> Vec<(u32, CallId)> {
    let parked = bench.store.tenant(tenant).parked().await.unwrap();
    parked.into_iter().map(|one| (one.slot.number(), one.call)).collect()
}

async fn the_lowest_free_slot_is_given_or_the_one_that_is_wanted(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let calls: Vec<CallId> = (0..5).map(|_| call_id()).collect();
    let asks = |at: usize, wanted| ask(&bench, (tenant, calls[at]), reserve("701-703", wanted));
    assert_eq!(asks(0, None).await, ParkFound::In(slot(701)));
    assert_eq!(asks(0, None).await, ParkFound::In(slot(701)), "asked twice");
    assert_eq!(asks(1, Some(703)).await, ParkFound::In(slot(703)));
    assert_eq!(asks(2, Some(703)).await, ParkFound::Full);
    assert_eq!(asks(2, None).await, ParkFound::In(slot(702)));
    assert_eq!(asks(3, None).await, ParkFound::Full);
    assert_eq!(ask(&bench, (tenant, calls[0]), ParkAsk::Free).await, ParkFound::Out(None));
    assert_eq!(asks(3, None).await, ParkFound::In(slot(701)));
    // Nobody is to be found before he is there.
    assert_eq!(listed(&bench, tenant).await, []);
    assert_eq!(ask(&bench, (tenant, calls[4]), take(701, calls[4])).await, ParkFound::Empty);
}

async fn of_many_who_ask_at_once_each_gets_a_slot_of_its_own(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let stores = [bench.another_store().await, bench.another_store().await];
    let asks = (0..12).map(|at| {
        let store = stores[at % 2].clone();
        tokio::spawn(async move {
            ask_on(&store, (tenant, call_id()), reserve("701-710", None), core(1)).await
        })
    });
    let mut slots = BTreeSet::new();
    let mut full = 0;
    for found in asks.collect::<Vec<_>>() {
        match found.await.unwrap() {
            ParkFound::In(slot) => assert!(slots.insert(slot), "{slot} twice"),
            ParkFound::Full => full += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((slots.len(), full), (10, 2));
}

async fn of_many_who_take_a_caller_one_gets_it(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let parked = park(&bench, tenant, "701-702").await;
    let stores = [bench.another_store().await, bench.another_store().await];
    let takers = (0..8).map(|at| {
        let (store, call) = (stores[at % 2].clone(), call_id());
        let taking = async move {
            let found = ask_on(&store, (tenant, call), take(701, call), core(1)).await;
            (call, found)
        };
        tokio::spawn(taking)
    });
    let mut winners = Vec::new();
    for taker in takers.collect::<Vec<_>>() {
        match taker.await.unwrap() {
            (call, ParkFound::Taken { call: got, channel: on, party }) => {
                assert_eq!((got, on, party.as_str()), (parked, channel(parked), "+4930"));
                winners.push(call);
            }
            (_, found) => assert_eq!(found, ParkFound::Empty),
        }
    }
    let [winner] = winners[..] else { panic!("{winners:?}") };
    // Who asks again, since it does not know, is told the same; and the caller may not leave.
    let again = ask(&bench, (tenant, winner), take(701, winner)).await;
    assert!(matches!(again, ParkFound::Taken { .. }), "{again:?}");
    let taker = Some(Taker { call: winner, party: "300".into() });
    let leaves = ask(&bench, (tenant, parked), ParkAsk::Leave).await;
    assert_eq!(leaves, ParkFound::Out(taker.clone()));
    assert_eq!(listed(&bench, tenant).await, [], "it is about to go");
    assert_eq!(ask(&bench, (tenant, parked), ParkAsk::Free).await, ParkFound::Out(taker));
    assert_eq!(ask(&bench, (tenant, winner), take(701, winner)).await, ParkFound::Empty);
}

async fn a_caller_whom_nobody_came_for_is_in_its_slot_again(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let parked = park(&bench, tenant, "701-702").await;
    let (one, two) = (call_id(), call_id());
    assert!(matches!(ask(&bench, (tenant, one), take(701, one)).await, ParkFound::Taken { .. }));
    assert_eq!(ask(&bench, (tenant, two), take(701, two)).await, ParkFound::Empty);
    bench.sql("UPDATE park_slot SET taken_ms = taken_ms - 10500").await;
    assert_eq!(listed(&bench, tenant).await, [(701, parked)]);
    assert!(matches!(ask(&bench, (tenant, two), take(701, two)).await, ParkFound::Taken { .. }));
    bench.sql("UPDATE park_slot SET taken_ms = taken_ms - 10500").await;
    assert_eq!(ask(&bench, (tenant, parked), ParkAsk::Leave).await, ParkFound::Out(None));
    assert_eq!(listed(&bench, tenant).await, []);
}

async fn a_caller_on_another_freeswitch_is_elsewhere(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    park(&bench, tenant, "701-702").await;
    let call = call_id();
    let there = ask_on(&bench.store, (tenant, call), take(701, call), core(2)).await;
    assert_eq!(there, ParkFound::Elsewhere(core(1).unwrap()));
    // Nobody has taken it by that.
    assert!(matches!(ask(&bench, (tenant, call), take(701, call)).await, ParkFound::Taken { .. }));
}

async fn a_tenant_finds_nobody_in_another_ones_slot(bench: Bench) {
    let (acme, rival) = (bench.tenant("acme").await.id, bench.tenant("rival").await.id);
    let parked = park(&bench, acme, "701-702").await;
    let call = call_id();
    assert_eq!(ask(&bench, (rival, call), take(701, call)).await, ParkFound::Empty);
    assert_eq!(ask(&bench, (rival, parked), ParkAsk::Free).await, ParkFound::Out(None));
    assert_eq!(
        ask(&bench, (rival, call), reserve("701-702", None)).await,
        ParkFound::In(slot(701))
    );
    assert_eq!(listed(&bench, acme).await, [(701, parked)]);
    assert_eq!(listed(&bench, rival).await, []);
}

async fn a_slot_is_free_with_its_calls_record(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let parked = park(&bench, tenant, "701-702").await;
    recorder.live(live(tenant, parked, 1));
    let mut swept = record(tenant, parked, 0);
    (swept.swept, swept.hands) = (true, 0);
    recorder.record(swept);
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    // It changed hands since it was given up: it is up.
    assert_eq!(listed(&bench, tenant).await, [(701, parked)]);
    recorder.record(record(tenant, parked, 1));
    eventually("the slot is free", async || {
        ask(&bench, (tenant, call_id()), reserve("701", None)).await == ParkFound::In(slot(701))
    })
    .await;
}

async fn slots_of_calls_that_are_gone_heal(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let (gone, up) = (park(&bench, tenant, "701-703").await, park(&bench, tenant, "701-703").await);
    let coming = call_id();
    ask(&bench, (tenant, coming), reserve("701-703", None)).await;
    recorder.live(live(tenant, up, 0));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert_eq!(listed(&bench, tenant).await, [(701, gone), (702, up)], "what is told comes late");
    bench.sql("UPDATE park_slot SET since_ms = since_ms - 61000").await;
    assert_eq!(listed(&bench, tenant).await, [(702, up)]);
    let next = ask(&bench, (tenant, call_id()), reserve("701-703", None)).await;
    assert_eq!(next, ParkFound::In(slot(701)));
    let next = ask(&bench, (tenant, call_id()), reserve("703", None)).await;
    assert_eq!(next, ParkFound::In(slot(703)), "who was on its way has not come");
}

on_both!(
    the_lowest_free_slot_is_given_or_the_one_that_is_wanted,
    of_many_who_ask_at_once_each_gets_a_slot_of_its_own,
    of_many_who_take_a_caller_one_gets_it,
    a_caller_whom_nobody_came_for_is_in_its_slot_again,
    a_caller_on_another_freeswitch_is_elsewhere,
    a_tenant_finds_nobody_in_another_ones_slot,
    a_slot_is_free_with_its_calls_record,
    slots_of_calls_that_are_gone_heal,
);
