//! Routes, rules and locks for calls to numbers outside, and what is counted of them.

use callwright::base::ids::{CallId, GatewayName};
use callwright::base::millis::Millis;
use callwright::call::admission::AdmitFound;
use callwright::keyring::Keyring;
use callwright::model::admission::{CallLimit, CallLimits, LimitOn, Measure, Over};
use callwright::model::extension::ExtensionSettings;
use callwright::model::live::LiveCall;
use callwright::model::outbound::{Candidate, Outbound, Refusal, Route, Rules, Trunk};
use callwright::store::{
    ActFilter, Claimed, Directory, NewLeg, NewNumber, NewTenant, SecretOf, StoreError, TenantScope,
};
use callwright::vault::keys::OperatorKeys;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::json;
use uuid::Uuid;

use crate::bench::{Bench, call_id, live, name, on_both, publish};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

fn call(number: u128) -> CallId {
    CallId(Uuid::from_u128(number))
}

fn candidate(name: &str, most: Option<u32>) -> Candidate {
    let trunk = Trunk { switch: format!("cw-{name}").parse().unwrap(), most };
    Candidate { name: name.parse().unwrap(), trunk, number: "1".into(), shown: None }
}

/// A time zone in which it is about noon: no day ends while a test counts its minutes.
fn noon() -> String {
    let hour = Timestamp::now().to_zoned(TimeZone::UTC).hour();
    // These names count westward: it is later in Etc/GMT-3 than in UTC.
    format!("Etc/GMT{:+}", hour - 12)
}

fn ruled(rules: &serde_json::Value) -> Outbound {
    let rules: Rules = serde_json::from_value(rules.clone()).unwrap();
    rules.check().unwrap();
    let mut outbound = Outbound::new([], [], &noon());
    outbound.rules = rules;
    outbound
}

const fn by(place: usize) -> Claimed {
    Claimed::By { place, most: None }
}

fn leg(number: u128) -> NewLeg<'static> {
    NewLeg { call: call(number), leg: 1, instead_of: None, number: "+4930", emergency: false }
}

/// Claims a leg of this call.
async fn claim(scope: &TenantScope, number: u128, rules: &serde_json::Value) -> Claimed {
    let all = [candidate("a", Some(1)), candidate("b", Some(2))];
    scope.claim_outbound(&leg(number), &all, &ruled(rules)).await.unwrap()
}

async fn acme(bench: &Bench) -> TenantScope {
    bench.store.tenant(bench.tenant("acme").await.id)
}

async fn routes_are_kept_checked_and_told_to_routing(bench: Bench) {
    let given: GatewayName = "carrier".parse().unwrap();
    let new =
        NewTenant { gateways: vec![given.clone()], ..NewTenant::named("acme".parse().unwrap()) };
    let tenant = bench.store.operator().create_tenant(&new).await.unwrap();
    let (scope, name) = (bench.store.tenant(tenant.id), "all".parse().unwrap());
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    assert!(!directory.routes().outbound(tenant.id).unwrap().decides());
    let route = Route::by([given]);
    let kept = scope.put_route(&name, &route).await.unwrap();
    assert_eq!(kept.route, route);
    let unknown = Route::by(["other".parse().unwrap()]);
    let refused = scope.put_route(&name, &unknown).await.unwrap_err();
    assert!(matches!(refused, StoreError::Field("gateways", _)), "{refused}");
    directory.refresh().await.unwrap();
    let outbound = directory.routes().outbound(tenant.id).unwrap();
    assert_eq!(outbound.plan("+49", None, 0).unwrap().candidates[0].name.as_str(), "carrier");
    let other = bench.store.tenant(bench.tenant("other").await.id);
    assert!(matches!(other.route(&name).await, Err(StoreError::NotFound { .. })));
    assert!(other.outbound_routes().await.unwrap().is_empty());
    scope.remove_route(&name).await.unwrap();
    assert!(matches!(scope.remove_route(&name).await, Err(StoreError::NotFound { .. })));
    let log = scope.log(&ActFilter::default(), None, 10).await.unwrap();
    let deeds: Vec<_> = log.items.iter().map(|act| act.what.as_str()).collect();
    assert_eq!(deeds[..2], ["route.remove", "route.put"], "{deeds:?}");
}

async fn own_numbers_and_what_extensions_show_are_known_to_routing(bench: Bench) {
    let scope = acme(&bench).await;
    publish(&bench.store, scope.id(), "main", "main").await;
    for number in ["030 100200", "100"] {
        scope.put_number(&NewNumber::exact(number, name("main"))).await.unwrap();
    }
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let known = directory.routes().outbound(scope.id()).unwrap();
    assert_eq!(known.numbers, ["030 100200".to_owned()].into(), "a short one is not known outside");
    assert!(!known.decides());
    let outside = Some("+4930100200".to_owned());
    let settings = ExtensionSettings { outside, ..ExtensionSettings::default() };
    let number = "200".parse().unwrap();
    let id = scope.extension_id(&number).await.unwrap();
    let keyring = Keyring::new(&bench.store, OperatorKeys::read(KEY).unwrap());
    let label = SecretOf::Extension.label(id);
    let sealed = keyring.seal(scope.id(), &label, "phone").await.unwrap();
    scope.put_extension(id, &number, &settings, Some(sealed)).await.unwrap();
    directory.refresh().await.unwrap();
    let known = directory.routes().outbound(scope.id()).unwrap();
    assert_eq!(known.extensions["200"], "+4930100200");
    assert!(known.decides());
    let wrong = ExtensionSettings { outside: Some("x".into()), ..settings };
    let refused = scope.put_extension(id, &number, &wrong, None).await.unwrap_err();
    assert!(matches!(refused, StoreError::Field("settings.outside", _)), "{refused}");
}

async fn two_processes_give_a_gateways_last_channel_to_one_call(bench: Bench) {
    let scope = acme(&bench).await;
    let other = bench.another_store().await.tenant(scope.id());
    let none = json!({});
    let calls = (1..=8).map(|number| {
        let scope = if number % 2 == 0 { scope.clone() } else { other.clone() };
        let none = none.clone();
        tokio::spawn(async move { claim(&scope, number, &none).await })
    });
    let mut by = [0; 2];
    let mut full = 0;
    for claimed in calls.collect::<Vec<_>>() {
        match claimed.await.unwrap() {
            Claimed::By { place, .. } => by[place] += 1,
            Claimed::Refused(Refusal::Full(_)) => full += 1,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((by, full), ([1, 2], 5));
    let usage = scope.outbound_usage(&noon()).await.unwrap();
    assert_eq!((usage.calls, usage.gateways["b"]), (3, 2));
}

async fn a_leg_counts_until_it_is_over_and_its_minutes_from_then_on(bench: Bench) {
    let scope = acme(&bench).await;
    let rules = json!({ "calls": 1, "minutes_per_day": 3 });
    let day = Claimed::By { place: 0, most: Some(Millis(180_000)) };
    assert_eq!(claim(&scope, 1, &rules).await, day);
    assert_eq!(claim(&scope, 2, &rules).await, Claimed::Refused(Refusal::Calls(1)));
    scope.answer_outbound(call(1), 1).await.unwrap();
    scope.end_outbound(call(1), 1, 179_000, &noon()).await.unwrap();
    // What is told twice counts once.
    scope.end_outbound(call(1), 1, 179_000, &noon()).await.unwrap();
    let rest = Claimed::By { place: 0, most: Some(Millis(1_000)) };
    assert_eq!(claim(&scope, 2, &rules).await, rest, "it may talk for what is left");
    scope.end_outbound(call(2), 1, 1_000, &noon()).await.unwrap();
    assert_eq!(claim(&scope, 3, &rules).await, Claimed::Refused(Refusal::Day(3)));
    let usage = scope.outbound_usage(&noon()).await.unwrap();
    assert_eq!((usage.calls, usage.minutes_today, usage.minutes_this_month), (0, 3, 3));
    let month = json!({ "minutes_per_month": 3 });
    assert_eq!(claim(&scope, 3, &month).await, Claimed::Refused(Refusal::Month(3)));
}

async fn what_a_killed_process_could_not_say_is_found_and_its_talk_counts(bench: Bench) {
    let scope = acme(&bench).await;
    let rules = json!({ "calls": 1 });
    assert_eq!(claim(&scope, 1, &rules).await, by(0));
    scope.answer_outbound(call(1), 1).await.unwrap();
    assert_eq!(claim(&scope, 2, &rules).await, Claimed::Refused(Refusal::Calls(1)));
    // Nobody has heard of the call for longer than it takes to be known.
    let past = "UPDATE outbound_leg SET began_ms = began_ms - 120000, answered_ms = \
         answered_ms - 120000";
    bench.sql(past).await;
    assert_eq!(claim(&scope, 2, &rules).await, by(0));
    let usage = scope.outbound_usage(&noon()).await.unwrap();
    assert_eq!((usage.calls, usage.minutes_today), (1, 2));
}

/// A call that came in through a gateway and waits to be let in.
fn came_in(scope: &TenantScope, gateway: &str) -> LiveCall {
    let gateway = Some(gateway.parse().unwrap());
    LiveCall { gateway, pending: true, ..*live(scope.id(), call_id(), 0) }
}

async fn a_gateways_calls_are_counted_in_both_directions(bench: Bench) {
    let (scope, open) = (acme(&bench).await, json!({}));
    let limit = |name: &str, calls| CallLimit {
        on: LimitOn::Gateway(name.parse().unwrap()),
        limits: CallLimits { calls: Some(calls), ..CallLimits::default() },
    };
    let full = AdmitFound::Over(Over { limit: 0, measure: Measure::Calls });
    // The one channel of `a` is a caller's; who is called has one of the two of `b`.
    let caller = came_in(&scope, "a");
    let a = [limit("a", 1)];
    assert_eq!(scope.admit(&caller, &a).await.unwrap(), AdmitFound::Admitted);
    assert_eq!(claim(&scope, 1, &open).await, by(1));
    let usage = scope.outbound_usage(&noon()).await.unwrap();
    assert_eq!((usage.calls, usage.gateways["a"], usage.gateways["b"]), (1, 1, 1));
    let b = [limit("b", 1)];
    assert_eq!(scope.admit(&came_in(&scope, "b"), &b).await.unwrap(), full);
    let b = [limit("b", 2)];
    assert_eq!(scope.admit(&came_in(&scope, "b"), &b).await.unwrap(), AdmitFound::Admitted);
    let none = claim(&scope, 2, &open).await;
    assert!(matches!(none, Claimed::Refused(Refusal::Full(_))), "{none:?}");
    assert_eq!(scope.admit(&came_in(&scope, "b"), &b).await.unwrap(), full);
    // A leg of a call that is gone takes no channel, even before anybody settles it.
    bench.sql("UPDATE outbound_leg SET began_ms = began_ms - 120000").await;
    assert_eq!(scope.admit(&came_in(&scope, "b"), &b).await.unwrap(), AdmitFound::Admitted);
}

/// However many come and are called at once, on two nodes.
async fn callers_and_who_is_called_share_a_gateways_last_channel(bench: Bench) {
    let scope = acme(&bench).await;
    let other = bench.another_store().await.tenant(scope.id());
    let both = (1..=10).map(|number| {
        let scope = if number % 3 == 0 { scope.clone() } else { other.clone() };
        tokio::spawn(async move {
            if number % 2 == 0 {
                let only = [candidate("a", Some(3))];
                let claimed = scope.claim_outbound(&leg(number), &only, &ruled(&json!({}))).await;
                return matches!(claimed.unwrap(), Claimed::By { .. });
            }
            let limits = CallLimits { calls: Some(3), ..CallLimits::default() };
            let limit = CallLimit { on: LimitOn::Gateway("a".parse().unwrap()), limits };
            let admitted = scope.admit(&came_in(&scope, "a"), &[limit]).await.unwrap();
            admitted == AdmitFound::Admitted
        })
    });
    let mut through = 0;
    for one in both.collect::<Vec<_>>() {
        through += u32::from(one.await.unwrap());
    }
    assert_eq!(through, 3);
}

async fn a_gateway_that_failed_makes_room_for_the_next_in_the_same_moment(bench: Bench) {
    let scope = acme(&bench).await;
    let (rules, all) = (ruled(&json!({ "calls": 1, "per_second": 1 })), [candidate("b", Some(1))]);
    let first = scope.claim_outbound(&leg(1), &all, &rules).await.unwrap();
    assert_eq!(first, by(0));
    let again = NewLeg { leg: 2, instead_of: Some(1), ..leg(1) };
    assert_eq!(scope.claim_outbound(&again, &all, &rules).await.unwrap(), by(0));
    let usage = scope.outbound_usage(&noon()).await.unwrap();
    assert_eq!(usage.calls, 1);
    scope.end_outbound(call(1), 2, 0, &noon()).await.unwrap();
    let next = scope.claim_outbound(&leg(2), &all, &rules).await.unwrap();
    assert_eq!(next, Claimed::Refused(Refusal::Pace(1)), "two begin within a second");
}

async fn suspicious_calls_lock_and_only_help_is_called_until_somebody_unlocks(bench: Bench) {
    let scope = acme(&bench).await;
    let rules = json!({ "fraud": { "window": 60, "calls": 2, "unseen_digits": 2 } });
    for number in 1..=2 {
        assert!(matches!(claim(&scope, number, &rules).await, Claimed::By { .. }));
    }
    let locked = claim(&scope, 3, &rules).await;
    assert!(matches!(&locked, Claimed::Locked(why) if why.contains("2 suspicious")), "{locked:?}");
    let refused = claim(&scope, 4, &rules).await;
    assert!(matches!(refused, Claimed::Refused(Refusal::Locked(_))), "{refused:?}");
    let help = NewLeg { emergency: true, number: "112", ..leg(5) };
    let full = [candidate("a", Some(0))];
    let called = scope.claim_outbound(&help, &full, &ruled(&rules)).await.unwrap();
    assert_eq!(called, by(0), "neither the lock nor the channel counts");
    let usage = scope.outbound_usage(&noon()).await.unwrap();
    assert!(usage.lock.is_some());
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let known = directory.routes().outbound(scope.id()).unwrap();
    assert!(known.locked.is_some() && known.decides());
    scope.unlock_outbound().await.unwrap();
    assert!(matches!(scope.unlock_outbound().await, Err(StoreError::NotFound { .. })));
    // What was suspicious before counts no more: it is a new beginning.
    scope.end_outbound(call(1), 1, 0, &noon()).await.unwrap();
    assert!(matches!(claim(&scope, 6, &rules).await, Claimed::By { .. }));
    let log = scope.log(&ActFilter::default(), None, 10).await.unwrap();
    let deeds: Vec<_> = log.items.iter().map(|act| act.what.as_str()).collect();
    assert_eq!(deeds[..2], ["outbound.unlock", "outbound.lock"], "{deeds:?}");
    let told = scope.told_after(0, 500).await.unwrap().events;
    assert!(
        told[0].1.contains("\"type\":\"outbound.locked\",\"why\":\"more than 2 susp"),
        "{told:?}"
    );
    assert!(told[1].1.contains("outbound.unlocked"), "{told:?}");
}

async fn numbers_that_were_called_long_ago_are_not_suspicious(bench: Bench) {
    let scope = acme(&bench).await;
    let rules = json!({ "fraud": { "window": 60, "calls": 0, "unseen_digits": 2 } });
    assert!(matches!(claim(&scope, 1, &rules).await, Claimed::Locked(_)));
    scope.unlock_outbound().await.unwrap();
    bench.sql("UPDATE outbound_seen SET first_ms = first_ms - 7200000").await;
    assert_eq!(claim(&scope, 2, &rules).await, by(0));
}

on_both!(
    routes_are_kept_checked_and_told_to_routing,
    own_numbers_and_what_extensions_show_are_known_to_routing,
    two_processes_give_a_gateways_last_channel_to_one_call,
    a_leg_counts_until_it_is_over_and_its_minutes_from_then_on,
    what_a_killed_process_could_not_say_is_found_and_its_talk_counts,
    a_gateways_calls_are_counted_in_both_directions,
    callers_and_who_is_called_share_a_gateways_last_channel,
    a_gateway_that_failed_makes_room_for_the_next_in_the_same_moment,
    suspicious_calls_lock_and_only_help_is_called_until_somebody_unlocks,
    numbers_that_were_called_long_ago_are_not_suspicious,
);
