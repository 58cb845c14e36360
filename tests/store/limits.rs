//! Who is let in: numbers as a tenant reads them, blocked callers, and limits on calls.

use std::time::Duration;

use callwright::base::cause::RejectReason;
use callwright::base::ids::TenantId;
use callwright::call::admission::{AdmitFound, Arriving};
use callwright::model::admission::{
    BlockMatch, CallLimit, CallLimits, Instead, LimitOn, Measure, Over, Rule, TurnedAway,
};
use callwright::model::e164::NumberPlan;
use callwright::model::live::LiveCall;
use callwright::model::tenant::{NumberMatch, Reach};
use callwright::store::{
    Asked, CallFilter, Caller, Directory, NewBlock, NewNumber, NewTenant, Recorder, Settled,
    StoreError, TenantScope,
};

use crate::bench::{Bench, call_id, live, name, on_both, publish, record};

const SOON: Duration = Duration::from_secs(20);

async fn german(bench: &Bench, slug: &str) -> TenantScope {
    let new = NewTenant {
        numbering: Some(NumberPlan::of("49")),
        domain: format!("{slug}.example"),
        ..NewTenant::named(slug.parse().unwrap())
    };
    let tenant = bench.store.operator().create_tenant(&new).await.unwrap();
    assert_eq!(tenant.numbering, new.numbering);
    let scope = bench.store.tenant(tenant.id);
    for flow in ["main", "busy"] {
        publish(&bench.store, tenant.id, flow, flow).await;
    }
    scope
}

fn call(dialed: &str) -> Asked<'_> {
    Asked { dialed, ..Asked::default() }
}

fn from(number: &str) -> Caller<'_> {
    Caller { number, ..Caller::default() }
}

fn rule(arriving: &Arriving) -> Option<(Rule, RejectReason)> {
    let turned = arriving.screening.turned_away.as_ref();
    turned.map(|turned| (turned.rule, turned.declined()))
}

async fn however_a_number_is_written_it_is_the_same(bench: Bench) {
    let scope = german(&bench, "acme").await;
    let exact = NewNumber::exact("030 123456", name("main"));
    scope.put_number(&exact).await.unwrap();
    let pattern = NumberMatch::Pattern(r"\+4940\d+".into());
    scope.put_number(&NewNumber { number: pattern, ..exact.clone() }).await.unwrap();
    scope.put_number(&NewNumber { reach: Reach::Tenant, ..exact.clone() }).await.unwrap();
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let domain = Some("acme.example");
    for dialed in ["030 123456", "030123456", "+4930123456", "004930123456"] {
        let found = directory
            .routes()
            .arrive(&Asked { domain_name: domain, ..call(dialed) }, &from("0301"));
        let found = found.unwrap();
        assert_eq!(found.via.number.as_deref(), Some("030 123456"), "{dialed}");
        let read = found.dialed.as_deref().unwrap_or(dialed);
        assert_eq!(read, "+4930123456");
    }
    scope.put_number(&exact).await.unwrap();
    directory.refresh().await.unwrap();
    for dialed in ["030123456", "+4930123456", "040123456", "004940123456"] {
        let found = directory.routes().arrive(&call(dialed), &from("0170 1234567")).unwrap();
        assert_eq!(found.caller_number.as_deref(), Some("+491701234567"), "{dialed}");
    }
    let none = directory.routes().arrive(&call("123456"), &from("1")).unwrap_err();
    assert_eq!(none.word(), "unknown_number");
    let wrong = NumberPlan { digits_min: 9, digits_max: 8, ..NumberPlan::of("49") };
    let tenant = scope.tenant().await.unwrap();
    let wrong = NewTenant { numbering: Some(wrong), ..NewTenant::from(tenant) };
    let refused = scope.change(&wrong).await.unwrap_err();
    assert!(matches!(refused, StoreError::Field("numbering", _)), "{refused}");
}

async fn records_are_found_by_a_number_however_it_is_written(bench: Bench) {
    let scope = german(&bench, "acme").await;
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let mut kept = record(scope.id(), call_id(), 1);
    kept.caller_number = "+4930123456".into();
    recorder.record(kept.clone());
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    for number in ["030123456", "+49 30 123456", "004930123456", "030/123456"] {
        let filter = CallFilter { number: Some(number.into()), ..CallFilter::default() };
        let found = scope.calls(&filter, None, 10).await.unwrap();
        assert_eq!(found.items.len(), 1, "{number}");
    }
    let filter = CallFilter { number: Some("030123457".into()), ..CallFilter::default() };
    assert!(scope.calls(&filter, None, 10).await.unwrap().items.is_empty());
}

async fn blocked_callers_are_known_by_number_beginning_and_silence(bench: Bench) {
    let (scope, other) = (german(&bench, "acme").await, german(&bench, "other").await);
    for (scope, number) in [(&scope, "030100"), (&other, "030200")] {
        scope.put_number(&NewNumber::exact(number, name("main"))).await.unwrap();
    }
    let busy =
        |caller| NewBlock { instead: Instead::Decline(RejectReason::Busy), ..NewBlock::of(caller) };
    scope.put_block(&NewBlock::of(BlockMatch::Exact("0170 111111".into()))).await.unwrap();
    scope.put_block(&NewBlock::of(BlockMatch::Prefix("0900".into()))).await.unwrap();
    scope.put_block(&busy(BlockMatch::Prefix("09005".into()))).await.unwrap();
    scope.put_block(&busy(BlockMatch::Withheld)).await.unwrap();
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let routes = directory.routes();
    let asked = |number: &str, to: &str| rule(&routes.arrive(&call(to), &from(number)).unwrap());
    let declined = Some((Rule::BlockedCaller, RejectReason::Declined));
    let is_busy = Some((Rule::BlockedCaller, RejectReason::Busy));
    for number in ["0170111111", "+49170111111", "0049170111111", "0900123456", "+49900123456"] {
        assert_eq!(asked(number, "030100"), declined, "{number}");
        assert_eq!(asked(number, "030200"), None, "another tenant's list");
    }
    assert_eq!(asked("0900512345", "030100"), is_busy, "the longest beginning counts");
    for number in ["anonymous", "Anonymous", "", "unknown", "Restricted"] {
        assert_eq!(asked(number, "030100"), is_busy, "{number}");
    }
    let private = Caller { private: true, ..from("0301234567") };
    assert_eq!(rule(&routes.arrive(&call("030100"), &private).unwrap()), is_busy);
    let own = Caller { own_phone: true, ..from("0170111111") };
    assert_eq!(rule(&routes.arrive(&call("030100"), &own).unwrap()), None);
    for number in ["0170111112", "0901", "0301234567"] {
        assert_eq!(asked(number, "030100"), None, "{number}");
    }
    scope.remove_block(&BlockMatch::Withheld).await.unwrap();
    let gone = scope.remove_block(&BlockMatch::Withheld).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
    directory.refresh().await.unwrap();
    let found = directory.routes().arrive(&call("030100"), &from("anonymous")).unwrap();
    assert_eq!(rule(&found), None);
}

async fn each_entry_of_the_list_counts_the_calls_it_kept_away(bench: Bench) {
    let scope = german(&bench, "acme").await;
    let exact = BlockMatch::Exact("0170111111".into());
    let blocked = scope.put_block(&NewBlock::of(exact.clone())).await.unwrap();
    let again = NewBlock { note: "rings at night".into(), ..NewBlock::of(exact) };
    let changed = scope.put_block(&again).await.unwrap();
    assert_eq!((changed.id, changed.note.as_str()), (blocked.id, "rings at night"));
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    for second in 1..=3 {
        let mut record = record(scope.id(), call_id(), second);
        record.turned_away = Some(TurnedAway::blocked(&blocked)).filter(|_| second != 2);
        recorder.record(record);
    }
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let listed = scope.blocked().await.unwrap();
    assert_eq!((listed.len(), listed[0].calls), (1, 2));
    assert_eq!(listed[0].last.unwrap().to_string(), "2026-11-22T00:00:03.123Z");
    let rule = Some(Rule::BlockedCaller);
    let filter = CallFilter { turned_away: rule, ..CallFilter::default() };
    let found = scope.calls(&filter, None, 10).await.unwrap().items;
    assert_eq!((found.len(), found[0].turned_away), (2, rule));
}

fn limit(on: LimitOn, calls: Option<u32>, calls_per_second: Option<u32>) -> CallLimit {
    CallLimit { on, limits: CallLimits { calls, calls_per_second, instead: None } }
}

fn waiting(tenant: TenantId, number: Option<&str>) -> LiveCall {
    let number = number.map(str::to_owned);
    LiveCall { number, pending: true, ..*live(tenant, call_id(), 0) }
}

fn over(limit: usize) -> AdmitFound {
    AdmitFound::Over(Over { limit, measure: Measure::Calls })
}

async fn limits_are_kept_for_what_is_there_and_told_to_calls(bench: Bench) {
    let scope = german(&bench, "acme").await;
    scope.put_number(&NewNumber::exact("030100200", name("main"))).await.unwrap();
    let number = LimitOn::Number("030100200".into());
    let by_number = limit(number.clone(), Some(2), None);
    let whole = limit(LimitOn::Tenant, Some(10), Some(5));
    scope.put_limit(&by_number).await.unwrap();
    scope.put_limit(&whole).await.unwrap();
    let nowhere = limit(LimitOn::Number("030999".into()), Some(1), None);
    let gateway = limit(LimitOn::Gateway("carrier".parse().unwrap()), Some(1), None);
    for wrong in [&nowhere, &gateway] {
        let refused = scope.put_limit(wrong).await.unwrap_err();
        assert!(matches!(refused, StoreError::NotFound { .. }), "{refused}");
    }
    for wrong in [limit(LimitOn::Tenant, None, None), limit(LimitOn::Tenant, None, Some(0))] {
        assert!(matches!(scope.put_limit(&wrong).await, Err(StoreError::Field(..))), "{wrong:?}");
    }
    assert_eq!(scope.limits().await.unwrap(), [by_number.clone(), whole.clone()]);
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let found = directory.routes().arrive(&call("+4930100200"), &from("1")).unwrap();
    assert_eq!(found.screening.limits, [by_number, whole.clone()]);
    let own = Caller { own_phone: true, ..from("100") };
    let found = directory.routes().arrive(&call("+4930100200"), &own).unwrap();
    assert!(found.screening.limits.is_empty());
    scope.remove_limit(&number).await.unwrap();
    assert_eq!(scope.limits().await.unwrap(), [whole]);
}

async fn of_many_that_ask_at_once_as_many_are_let_in_as_may(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let other = bench.tenant("other").await.id;
    let stores = [bench.another_store().await, bench.another_store().await];
    let limits = [limit(LimitOn::Tenant, Some(10), None)];
    let elsewhere = waiting(other, None);
    bench.store.tenant(other).admit(&elsewhere, &limits).await.unwrap();
    let ask = |number: usize| {
        let (scope, limits) = (stores[number % 2].tenant(tenant), limits.clone());
        let call = waiting(tenant, None);
        tokio::spawn(async move { (scope.admit(&call, &limits).await.unwrap(), call) })
    };
    let mut admitted = Vec::new();
    let mut refused = 0;
    for one in (0..24).map(ask).collect::<Vec<_>>() {
        match one.await.unwrap() {
            (AdmitFound::Admitted, call) => admitted.push(call),
            (found, _) => {
                assert_eq!(found, over(0));
                refused += 1;
            }
        }
    }
    assert_eq!((admitted.len(), refused), (10, 14));
    let scope = bench.store.tenant(tenant);
    // Who was let in is let in when it asks again, and one that ends makes room for one.
    assert_eq!(scope.admit(&admitted[0], &limits).await.unwrap(), AdmitFound::Admitted);
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    recorder.record(record(tenant, admitted[0].call, 1));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let found = scope.admit(&waiting(tenant, None), &limits).await.unwrap();
    assert_eq!(found, AdmitFound::Admitted);
    assert_eq!(scope.admit(&waiting(tenant, None), &limits).await.unwrap(), over(0));
}

async fn calls_that_wait_do_not_count_and_calls_of_a_killed_process_do(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let scope = bench.store.tenant(tenant);
    let recorder = Recorder::start(&bench.store, &bench.config).unwrap();
    let limits = [limit(LimitOn::Number("030100".into()), Some(1), None)];
    for _ in 0..3 {
        recorder.live(Box::new(waiting(tenant, Some("030100"))));
        recorder.live(Box::new(LiveCall { pending: false, ..waiting(tenant, Some("030200")) }));
    }
    let asks = waiting(tenant, Some("030100"));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert_eq!(scope.admit(&asks, &limits).await.unwrap(), AdmitFound::Admitted);
    // What its process told before, and comes later, takes nothing back.
    recorder.live(Box::new(asks.clone()));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    let next = waiting(tenant, Some("030100"));
    assert_eq!(scope.admit(&next, &limits).await.unwrap(), over(0));
    // Another process has the call by now, and it is one call still.
    let taken = LiveCall { term: 1, pending: false, ..asks.clone() };
    recorder.live(Box::new(taken.clone()));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert_eq!(scope.admit(&next, &limits).await.unwrap(), over(0));
    recorder.record(Box::new(callwright::model::record::CallRecord {
        hands: 1,
        ..*record(tenant, taken.call, 1)
    }));
    assert_eq!(recorder.settle(SOON).await, Settled::Written);
    assert_eq!(scope.admit(&next, &limits).await.unwrap(), AdmitFound::Admitted);
    // An answer that comes after the call's end leaves nothing behind.
    assert_eq!(scope.admit(&taken, &[]).await.unwrap(), AdmitFound::Admitted);
    let up = scope.live_calls().await.unwrap();
    assert!(up.iter().all(|live| live.call != taken.call), "{up:?}");
}

async fn within_a_second_no_more_calls_are_let_in_than_may(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let scope = bench.store.tenant(tenant);
    let limits = [limit(LimitOn::Tenant, None, Some(3))];
    let over = AdmitFound::Over(Over { limit: 0, measure: Measure::CallsPerSecond });
    let mut found = Vec::new();
    for _ in 0..5 {
        found.push(scope.admit(&waiting(tenant, None), &limits).await.unwrap() != over);
    }
    assert_eq!(found, [true, true, true, false, false]);
    bench.sql("UPDATE call_start SET at_ms = at_ms - 1000").await;
    let again = scope.admit(&waiting(tenant, None), &limits).await.unwrap();
    assert_eq!(again, AdmitFound::Admitted);
}

on_both!(
    however_a_number_is_written_it_is_the_same,
    records_are_found_by_a_number_however_it_is_written,
    blocked_callers_are_known_by_number_beginning_and_silence,
    each_entry_of_the_list_counts_the_calls_it_kept_away,
    limits_are_kept_for_what_is_there_and_told_to_calls,
    of_many_that_ask_at_once_as_many_are_let_in_as_may,
    calls_that_wait_do_not_count_and_calls_of_a_killed_process_do,
    within_a_second_no_more_calls_are_let_in_than_may,
);
