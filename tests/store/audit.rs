//! Who listened to whom.

use std::time::Duration;

use callwright::base::ids::{AuditId, CallId, TenantId};
use callwright::model::audit::{AuditEntry, Change};
use callwright::model::monitor::{Manner, Mode};
use callwright::model::talk::Side;
use callwright::store::{Recorder, Settled};
use jiff::Timestamp;
use uuid::Uuid;

use crate::bench::{Bench, call_id, on_both, record};

const SOON: Duration = Duration::from_secs(20);

fn entry(tenant: TenantId, call: CallId, revision: u32) -> AuditEntry {
    let began: Timestamp = "2026-11-23T09:00:00Z".parse().unwrap();
    let manner = Manner { mode: Mode::Listen, to: Side::Far };
    AuditEntry {
        id: AuditId(Uuid::from_u128(call.0.as_u128() + 1)),
        tenant,
        call,
        revision,
        by: "300".into(),
        whom: vec!["+15550100".into(), "200".into()],
        reason: "training".into(),
        began,
        answered: Some(began),
        changes: vec![Change { at: began, manner }],
        ended: None,
        end: None,
    }
}

async fn the_newest_of_a_session_counts_in_whatever_order_it_comes(bench: Bench) {
    let (acme, other) = (bench.tenant("acme").await.id, bench.tenant("other").await.id);
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let call = call_id();
    let end = Some("2026-11-23T09:05:00Z".parse().unwrap());
    let last = AuditEntry { ended: end, end: Some("done".into()), ..entry(acme, call, 3) };
    for told in [&entry(acme, call, 1), &last, &entry(acme, call, 2)] {
        recorder.audit(Box::new(told.clone()));
        assert_eq!(recorder.settle(SOON).await, Settled::Written);
    }
    for listed in [
        bench.store.tenant(acme).audit(10).await.unwrap(),
        bench.store.tenant(acme).audit_of(call).await.unwrap(),
    ] {
        assert_eq!(listed.as_slice(), std::slice::from_ref(&last));
    }
    assert!(bench.store.tenant(other).audit(10).await.unwrap().is_empty());
    assert!(bench.store.tenant(other).audit_of(call).await.unwrap().is_empty());
}

async fn a_session_whose_end_nobody_saw_ends_with_its_call(bench: Bench) {
    let acme = bench.tenant("acme").await.id;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let (before, after) = (call_id(), call_id());
    recorder.audit(Box::new(entry(acme, before, 1)));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    for call in [before, after] {
        recorder.record(record(acme, call, 1));
        assert_eq!(recorder.settle(SOON).await, Settled::Written);
    }
    // From the spool of a process that was killed.
    recorder.audit(Box::new(entry(acme, after, 1)));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    for call in [before, after] {
        let kept = bench.store.tenant(acme).audit_of(call).await.unwrap();
        let ended = bench.store.tenant(acme).call(call).await.unwrap().ended;
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].ended.map(|at| at.as_millisecond()), Some(ended.as_millisecond()));
        assert_eq!(kept[0].end.as_deref(), Some("the call ended unseen"));
    }
}

on_both! {
    the_newest_of_a_session_counts_in_whatever_order_it_comes,
    a_session_whose_end_nobody_saw_ends_with_its_call,
}
