//! What is told to those who follow a tenant: everything once, in order and without gaps.

use std::time::Duration;

use callwright::base::ids::{CallId, TenantId};
use callwright::base::millis::Millis;
use callwright::model::admission::TurnedAway;
use callwright::model::event::{Event, Fold, Kind};
use callwright::model::record::CallRecord;
use callwright::model::timeline::{Entry, Sign, What};
use callwright::store::{Config, Followed, Follower, Recorder, Settled, Store, Untold};
use jiff::Timestamp;
use serde_json::Value;

use crate::bench::{Bench, call_id, entry, name, on_both, publish, record, spooled};

const SOON: Duration = Duration::from_secs(10);

fn noted(sequence: u32, what: What) -> Box<Entry> {
    let at = Timestamp::from_millisecond(1_800_000_000_000 + i64::from(sequence)).unwrap();
    Box::new(Entry { term: 0, sequence, at, ms: u64::from(sequence), what })
}

fn arrived() -> What {
    What::Arrived {
        caller_name: "\",\"type\":\"call.ended".into(),
        caller_number: "+1555\u{0}0100".into(),
        dialed: "100".into(),
        flow: name("main"),
        version: 3,
    }
}

fn entered(step: &str) -> What {
    What::StepEntered { flow: name("main"), step: step.parse().unwrap(), kind: "menu".into() }
}

/// A call that arrives, is answered, rings and speaks.
fn begin(recorder: &Recorder, tenant: TenantId, call: CallId) {
    let rings = Sign::Rings { to: "200".into() };
    let order = "dial 200".to_owned();
    let whats = [
        arrived(),
        entered("start"),
        What::Answered,
        What::Ordered { action: 1, order, sign: Some(rings) },
        What::Bridged { party: "200".into() },
    ];
    for (at, what) in whats.into_iter().enumerate() {
        recorder.note(tenant, call, noted(u32::try_from(at).unwrap() + 1, what));
    }
}

async fn told(store: &Store, tenant: TenantId) -> Vec<Event> {
    let told = store.tenant(tenant).told_after(0, 500).await.unwrap();
    told.events.iter().map(|(_, event)| serde_json::from_str(event).unwrap()).collect()
}

fn types(events: &[Event]) -> Vec<String> {
    let json = events.iter().map(|event| serde_json::to_value(event).unwrap());
    json.map(|event| event["type"].as_str().unwrap().to_owned()).collect()
}

fn are_whole(events: &[Event]) {
    let numbers: Vec<_> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(numbers, (1..=events.len() as u64).collect::<Vec<_>>());
}

async fn what_calls_do_is_told_once_and_how_they_stand_follows_from_it(bench: Bench) {
    let (tenant, other) = (bench.tenant("acme").await.id, bench.tenant("other").await.id);
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let (first, second) = (call_id(), call_id());
    begin(&recorder, tenant, first);
    recorder.note(tenant, first, entry(6, "nothing for programs"));
    begin(&recorder, tenant, second);
    recorder.record(record(tenant, second, 1));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let events = told(&bench.store, tenant).await;
    are_whole(&events);
    let own = |call: CallId| -> Vec<Event> {
        events.iter().filter(|event| event.what.kind.call() == Some(call)).cloned().collect()
    };
    let begun =
        ["call.created", "call.step_entered", "call.answered", "call.ringing", "call.bridged"];
    assert_eq!(types(&own(first)), begun);
    assert_eq!(types(&own(second)), [&begun[..], &["call.ended"]].concat());
    assert!(told(&bench.store, other).await.is_empty());

    let standing = bench.store.tenant(tenant).standing().await.unwrap();
    assert_eq!(standing.sequence, 11);
    let view = &standing.calls[..];
    assert_eq!((view.len(), view[0].call, view[0].with.as_deref()), (1, first, Some("200")));
    assert_eq!((view[0].step.as_ref().unwrap().as_str(), &view[0].ringing), ("start", &None));
    assert!(view[0].answered.is_some());
    assert_eq!(bench.store.tenant(other).standing().await.unwrap().calls, []);

    // As if the process had died before it removed its segment.
    let elsewhere = Config { spool: bench.folder.path().join("after"), ..bench.config.clone() };
    std::fs::create_dir(&elsewhere.spool).unwrap();
    let lines = std::fs::read(&spooled(&bench.config.spool)[0]).unwrap();
    std::fs::write(elsewhere.spool.join("000000000041.spool"), lines).unwrap();
    let again = Recorder::start(&bench.store, &elsewhere).unwrap();
    again.record(record(tenant, first, 2));
    assert_eq!(again.settle(SOON).await, Settled::Written);
    let after = told(&bench.store, tenant).await;
    are_whole(&after);
    assert_eq!(after.len(), 12, "{after:?}");
    assert!(matches!(after[11].what.kind, Kind::CallEnded { call, .. } if call == first));
    assert_eq!(bench.store.tenant(tenant).standing().await.unwrap().calls, []);
}

/// Follows until it was told of so many ends.
async fn until_ended(mut follower: Follower, ends: usize) -> Vec<Value> {
    let (mut all, mut ended) = (Vec::new(), 0);
    while ended < ends {
        let batch = tokio::time::timeout(SOON, follower.next()).await.expect("it is told").unwrap();
        for (sequence, event) in batch {
            let event: Value = serde_json::from_str(&event).unwrap();
            assert_eq!(event["sequence"], sequence);
            ended += usize::from(event["type"] == "call.ended");
            all.push(event);
        }
    }
    all
}

async fn followers_in_every_process_are_told_the_same(bench: Bench) {
    const CALLS: usize = 60;
    let tenant = bench.tenant("acme").await.id;
    let stores = [bench.store.clone(), bench.another_store().await];
    let recorders = stores.each_ref().map(|store| Recorder::start(store, &bench.config).unwrap());
    let followed = stores.each_ref().map(|store| Followed::start(store.clone()));
    let mut followers = Vec::new();
    for (followed, store) in followed.iter().zip(&stores) {
        for _ in 0..3 {
            let follower = followed.follow(store.tenant(tenant), 0).await.unwrap();
            followers.push(tokio::spawn(until_ended(follower, CALLS)));
        }
    }
    for at in 0..CALLS {
        let (recorder, call) = (&recorders[at % 2], call_id());
        begin(recorder, tenant, call);
        recorder.record(record(tenant, call, 1));
        if at % 10 == 0 {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
    let mut logs = Vec::new();
    for follower in followers {
        logs.push(follower.await.unwrap());
    }
    let events = told(&bench.store, tenant).await;
    are_whole(&events);
    assert_eq!(events.len(), CALLS * 6);
    let server: Vec<_> = events.iter().map(|event| serde_json::to_value(event).unwrap()).collect();
    for log in logs {
        assert_eq!(log, server);
    }
    // Whoever was away goes on where it was.
    let late = followed[1].follow(stores[1].tenant(tenant), 100).await.unwrap();
    let ended = server[100..].iter().filter(|event| event["type"] == "call.ended").count();
    assert_eq!(until_ended(late, ended).await, server[100..]);
    // How things stood, and what came after, is how things stand.
    let mut fold = Fold::default();
    events.iter().for_each(|event| fold.tell(&event.what));
    assert_eq!(fold.standing(360), stores[0].tenant(tenant).standing().await.unwrap());
}

async fn what_is_old_is_forgotten_but_nothing_of_calls_that_are_up(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let (up, over) = (call_id(), call_id());
    begin(&recorder, tenant, up);
    begin(&recorder, tenant, over);
    recorder.record(record(tenant, over, 1));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let scope = bench.store.tenant(tenant);
    assert!(!bench.store.forget_told(Millis::seconds(3_600)).await.unwrap());
    assert_eq!(scope.told_after(0, 500).await.unwrap().events.len(), 11, "nothing is old");
    tokio::time::sleep(Duration::from_millis(20)).await;
    assert!(!bench.store.forget_told(Millis(1)).await.unwrap());
    let gone = scope.told_after(0, 500).await.unwrap_err();
    assert!(matches!(gone, Untold::Gone { kept_after: 11 }), "{gone:?}");
    assert_eq!(scope.told_after(11, 500).await.unwrap().events, []);
    assert!(matches!(scope.told_after(12, 1).await.unwrap_err(), Untold::Ahead { last: 11 }));
    let standing = scope.standing().await.unwrap();
    assert_eq!((standing.sequence, standing.calls[0].call), (11, up));
    let followed = Followed::start(bench.store.clone());
    let late = followed.follow(bench.store.tenant(tenant), 3).await;
    assert!(matches!(late.unwrap_err(), Untold::Gone { .. }));
    recorder.record(record(tenant, up, 2));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert_eq!(scope.standing().await.unwrap().calls, []);
}

async fn a_call_that_is_not_let_in_is_told_with_its_end(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let call = call_id();
    let turned_away = Some(TurnedAway::unencrypted("acme"));
    for _ in 0..2 {
        let record = record(tenant, call, 1);
        recorder.record(Box::new(CallRecord { turned_away: turned_away.clone(), ..*record }));
    }
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let events = told(&bench.store, tenant).await;
    assert_eq!(types(&events), ["call.turned_away", "call.ended"]);
}

async fn a_flow_that_is_published_is_told(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    publish(&bench.store, tenant, "main", "one").await;
    publish(&bench.store, tenant, "main", "two").await;
    let events = told(&bench.store, tenant).await;
    let versions: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.what.kind {
            Kind::FlowPublished { version, .. } => Some(*version),
            _ => None,
        })
        .collect();
    assert_eq!(versions, [1, 2]);
}

on_both!(
    what_calls_do_is_told_once_and_how_they_stand_follows_from_it,
    followers_in_every_process_are_told_the_same,
    what_is_old_is_forgotten_but_nothing_of_calls_that_are_up,
    a_call_that_is_not_let_in_is_told_with_its_end,
    a_flow_that_is_published_is_told,
);
