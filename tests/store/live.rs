//! Calls that change hands: live calls, processes that die, records that are made without the call.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use callwright::base::cause::{HangupCause, Party, Termination};
use callwright::base::ids::{CallId, InstanceId, TenantId};
use callwright::model::live::LiveCall;
use callwright::model::timeline::{Entry, What};
use callwright::store::{Config, Instance, Recorder, Settled};
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use uuid::Uuid;

use crate::bench::{
    Bench, call_id, entry, eventually, instance_id, live, name, on_both, record, spooled,
};

const SOON: Duration = Duration::from_secs(20);

fn gone() -> Termination {
    Termination {
        party: Party::Carrier,
        cause: HangupCause::NormalTemporaryFailure,
        reason: "FreeSWITCH was restarted".into(),
    }
}

fn instance(node: &str) -> Instance {
    Instance { id: instance_id(), node: node.into(), started: Timestamp::now(), alive: true }
}

/// What the table holds of a call.
async fn held(bench: &Bench, call: CallId) -> Option<LiveCall> {
    let calls = bench.store.operator().live_calls().await.unwrap();
    calls.into_iter().find(|live| live.call == call)
}

async fn a_live_call_is_seen_by_its_tenant_until_its_record_is_there(bench: Bench) {
    let (acme, other) = (bench.tenant("acme").await.id, bench.tenant("other").await.id);
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let call = live(acme, call_id(), 0);
    recorder.live(call.clone());
    // Nobody asks for it to be written.
    eventually("it is seen", async || held(&bench, call.call).await.is_some()).await;
    assert_eq!(bench.store.tenant(acme).live_calls().await.unwrap(), [*call.clone()]);
    assert!(bench.store.tenant(other).live_calls().await.unwrap().is_empty());
    assert_eq!(bench.store.operator().whose_call(call.call).await.unwrap(), acme);
    recorder.record(record(acme, call.call, 1));
    // Late, as from the spool of a process that was killed.
    recorder.live(call.clone());
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert_eq!(held(&bench, call.call).await, None);
}

async fn a_process_is_alive_while_it_beats_by_the_databases_clock(bench: Bench) {
    let operator = bench.store.operator();
    let (one, two) = (instance("one"), instance("two"));
    operator.beat(&one).await.unwrap();
    operator.beat(&two).await.unwrap();
    let alive = async || {
        let instances = operator.instances().await.unwrap();
        instances.into_iter().map(|one| (one.node, one.alive)).collect::<BTreeMap<_, _>>()
    };
    assert_eq!(alive().await, [("one".into(), true), ("two".into(), true)].into());
    bench.sql("UPDATE instance SET seen_ms = seen_ms - 5500 WHERE node = 'one'").await;
    assert_eq!(alive().await, [("one".into(), false), ("two".into(), true)].into());
    operator.beat(&one).await.unwrap();
    operator.leave(two.id).await.unwrap();
    assert_eq!(alive().await, [("one".into(), true)].into());
}

async fn calls_of_the_dead_are_found_once_somebody_has_beaten_for_long(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let operator = bench.store.operator();
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let (dead, alive) = (instance("dead"), instance("alive"));
    let orphan = LiveCall { holder: dead.id, ..*live(tenant, call_id(), 0) };
    recorder.live(Box::new(orphan.clone()));
    recorder.live(Box::new(LiveCall { holder: alive.id, ..*live(tenant, call_id(), 0) }));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    operator.beat(&dead).await.unwrap();
    operator.beat(&alive).await.unwrap();
    let found = async || operator.live_calls_of_the_dead().await.unwrap();
    bench.sql("UPDATE instance SET steady_ms = steady_ms - 60000").await;
    assert_eq!(found().await, []);
    bench.sql("UPDATE instance SET seen_ms = seen_ms - 5500 WHERE node = 'dead'").await;
    assert_eq!(found().await, std::slice::from_ref(&orphan));
    // As after a database that was away: nobody could beat, and who is back is not dead.
    bench.sql("UPDATE instance SET seen_ms = seen_ms - 60000").await;
    operator.beat(&alive).await.unwrap();
    assert_eq!(found().await, []);
    bench.sql("UPDATE instance SET steady_ms = steady_ms - 5500").await;
    assert_eq!(found().await, [orphan]);
}

async fn a_call_that_ended_unseen_is_closed_once_by_whoever_is_first(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let call = *live(tenant, call_id(), 1);
    recorder.live(Box::new(call.clone()));
    let steps = [
        What::StepEntered {
            flow: name("main"),
            step: "hello".parse().unwrap(),
            kind: "play".into(),
        },
        What::Answered,
    ];
    for (number, what) in (1..).zip(steps) {
        let at = call.started + jiff::SignedDuration::from_secs(i64::from(number));
        recorder.note(tenant, call.call, Box::new(Entry { at, what, ..*entry(number, "") }));
    }
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let stores = [bench.another_store().await, bench.another_store().await];
    let close = |number: usize| {
        let (operator, call) = (stores[number % 2].operator(), call.clone());
        tokio::spawn(async move { operator.close_unseen(&call, &gone(), None).await.unwrap() })
    };
    let closing: Vec<_> = (0..8).map(close).collect();
    let mut written = Vec::new();
    for one in closing {
        written.extend(one.await.unwrap());
    }
    let scope = bench.store.tenant(tenant);
    let found = scope.call(call.call).await.unwrap();
    assert_eq!(written, std::slice::from_ref(&found));
    assert!(found.swept && found.hands == 1 && found.answered.is_some());
    assert_eq!(found.ended, call.started + jiff::SignedDuration::from_secs(2));
    let path: Vec<_> =
        found.path.iter().map(|visit| (visit.step.as_str(), visit.took_ms)).collect();
    assert_eq!(path, [("hello", 1_000)]);
    assert_eq!(held(&bench, call.call).await, None);
    // The machine's own record was in a spool that nobody could reach.
    recorder.record(record(tenant, call.call, 3));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert_eq!(scope.call(call.call).await.unwrap(), *record(tenant, call.call, 3));
}

async fn a_call_that_changed_hands_meanwhile_is_not_closed(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let before = *live(tenant, call_id(), 0);
    let after = LiveCall { term: 1, holder: instance_id(), ..before.clone() };
    recorder.live(Box::new(after.clone()));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let closed = bench.store.operator().close_unseen(&before, &gone(), None).await.unwrap();
    assert_eq!((closed, held(&bench, before.call).await), (None, Some(after)));
}

/// What one of several processes does with one call.
#[derive(Debug, Clone)]
enum Deed {
    Note {
        term: u32,
        sequence: u32,
    },
    Live {
        term: u32,
    },
    Sweep {
        hands: u32,
    },
    Record,
    /// Everything so far reaches the database.
    Settle,
    /// Its segments are kept as they are now, to be read again at the end.
    Copy,
    /// It goes away without a word; another takes its place.
    Die,
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        6 => (0_u32..3, 1_u32..9).prop_map(|(term, sequence)| Deed::Note { term, sequence }),
        3 => (0_u32..4).prop_map(|term| Deed::Live { term }),
        2 => (0_u32..3).prop_map(|hands| Deed::Sweep { hands }),
        1 => Just(Deed::Record),
        2 => Just(Deed::Settle),
        2 => Just(Deed::Copy),
        1 => Just(Deed::Die),
    ]
}

const PROCESSES: usize = 3;
const CALLS: usize = 3;

/// What must be in the database in the end, by what was ever handed in.
#[derive(Debug, Default)]
struct Expected {
    entries: BTreeSet<(u32, u32)>,
    live: Option<u32>,
    swept: Option<u32>,
    recorded: bool,
}

impl Expected {
    fn add(&mut self, deed: &Deed) {
        match deed {
            Deed::Note { term, sequence } => drop(self.entries.insert((*term, *sequence))),
            Deed::Live { term } => self.live = self.live.max(Some(*term)),
            Deed::Sweep { hands } => self.swept = self.swept.max(Some(*hands)),
            Deed::Record => self.recorded = true,
            Deed::Settle | Deed::Copy | Deed::Die => {}
        }
    }

    async fn is_met(&self, bench: &Bench, tenant: TenantId, call: CallId) -> bool {
        let scope = bench.store.tenant(tenant);
        let entries = scope.timeline(call).await.unwrap_or_default();
        let entries: Vec<_> = entries.iter().map(|one| (one.term, one.sequence)).collect();
        let found = scope.call(call).await.ok().map(|record| (record.swept, record.hands));
        let swept = self.swept.map(|hands| (true, hands));
        let record = if self.recorded { Some((false, 0)) } else { swept };
        let live = self.live.filter(|term| !self.recorded && Some(*term) > self.swept);
        let live_found = held(bench, call).await.map(|live| live.term);
        entries.is_sorted()
            && entries.into_iter().collect::<BTreeSet<_>>() == self.entries
            && found == record
            && live_found == live
    }
}

/// Does what was drawn, with every spool replayed at some moment, and waits for the outcome.
async fn play(bench: &Bench, tenant: TenantId, deeds: &[(usize, usize, Deed)]) {
    let calls: Vec<CallId> = (0..CALLS).map(|_| call_id()).collect();
    let mut expected: Vec<Expected> = (0..CALLS).map(|_| Expected::default()).collect();
    let folder = tempfile::tempdir_in(bench.folder.path()).unwrap();
    let config = Config { spool: folder.path().join("spool"), ..bench.config.clone() };
    let copies = folder.path().join("copies");
    std::fs::create_dir(&copies).unwrap();
    let start = || Recorder::start(&bench.store, &config).unwrap();
    let mut processes: Vec<Recorder> = (0..PROCESSES).map(|_| start()).collect();
    let mut copied = 0;
    for (process, number, deed) in deeds {
        let (recorder, call) = (&processes[*process], calls[*number]);
        expected[*number].add(deed);
        match deed {
            Deed::Note { term, sequence } => {
                let entry = Entry { term: *term, ..*entry(*sequence, "noted") };
                recorder.note(tenant, call, Box::new(entry));
            }
            Deed::Live { term } => recorder.live(live(tenant, call, *term)),
            Deed::Sweep { hands } => {
                let mut swept = record(tenant, call, 1);
                (swept.swept, swept.hands) = (true, *hands);
                recorder.record(swept);
            }
            Deed::Record => recorder.record(record(tenant, call, 1)),
            Deed::Settle => assert_eq!(recorder.settle(SOON).await, Settled::Written),
            Deed::Copy => {
                for segment in spooled(&config.spool) {
                    copied += 1;
                    // Its process may remove it at this moment.
                    let _ = std::fs::copy(segment, copies.join(format!("{copied:012}.spool")));
                }
            }
            Deed::Die => processes[*process] = start(),
        }
    }
    let again = Recorder::start(&bench.store, &Config { spool: copies, ..config.clone() }).unwrap();
    for recorder in processes.iter().chain([&again]) {
        assert_eq!(recorder.settle(SOON).await, Settled::Written);
    }
    for (expected, call) in expected.iter().zip(calls) {
        let what = format!("{expected:?} after {deeds:?}");
        eventually(&what, async || expected.is_met(bench, tenant, call).await).await;
    }
}

async fn whatever_is_replayed_in_whatever_order_a_call_has_one_outcome(bench: Bench) {
    const CASES: usize = 10;
    let tenant = bench.tenant("acme").await.id;
    let mut runner = TestRunner::deterministic();
    let deeds = prop::collection::vec((0..PROCESSES, 0..CALLS, deed()), 1..60);
    for _ in 0..CASES {
        let deeds = deeds.new_tree(&mut runner).unwrap().current();
        play(&bench, tenant, &deeds).await;
    }
}

on_both!(
    a_live_call_is_seen_by_its_tenant_until_its_record_is_there,
    a_process_is_alive_while_it_beats_by_the_databases_clock,
    calls_of_the_dead_are_found_once_somebody_has_beaten_for_long,
    a_call_that_ended_unseen_is_closed_once_by_whoever_is_first,
    a_call_that_changed_hands_meanwhile_is_not_closed,
    whatever_is_replayed_in_whatever_order_a_call_has_one_outcome,
);

#[test]
fn of_two_processes_in_one_term_the_younger_sorts_last() {
    let (older, younger) = (InstanceId(Uuid::now_v7()), InstanceId(Uuid::now_v7()));
    assert!(older.to_string() < younger.to_string());
}
