//! Webhooks as they are kept: one process works for each, and what it wrote down counts.

use callwright::base::ids::{InstanceId, TenantId, WebhookName, WebhookSecretId};
use callwright::base::millis::Millis;
use callwright::keyring::Keyring;
use callwright::model::event::Types;
use callwright::model::webhook::{Delivery, DeliveryState, WebhookSettings};
use callwright::store::{
    ActFilter, AtWork, Attempt, Claim, Deed, Fresh, Instance, NewSecret, Outcome, SecretOf, Store,
    StoreError, TenantScope, Untold, Verdict,
};
use callwright::vault::keys::OperatorKeys;
use jiff::Timestamp;
use uuid::Uuid;

use crate::bench::{Bench, instance_id, on_both, publish};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const PATIENCE: Millis = Millis::seconds(3_600);

fn keyring(bench: &Bench) -> Keyring {
    Keyring::new(&bench.store, OperatorKeys::read(KEY).unwrap())
}

fn name() -> WebhookName {
    "main".parse().unwrap()
}

fn settings() -> WebhookSettings {
    let url = "https://example.org/hook?token=hidden".to_owned().try_into().unwrap();
    WebhookSettings { url, types: Types::default(), enabled: true }
}

async fn secret(keyring: &Keyring, tenant: TenantId, text: &str) -> NewSecret {
    let id = WebhookSecretId(Uuid::now_v7());
    let sealed = keyring.seal(tenant, &SecretOf::Webhook.label(id), text).await.unwrap();
    NewSecret { id, sealed }
}

async fn add(bench: &Bench, scope: &TenantScope) {
    let secret = secret(&keyring(bench), scope.id(), "whsec_first").await;
    scope.add_webhook(&name(), &settings(), secret).await.unwrap();
}

/// A process that is alive.
async fn process(store: &Store) -> InstanceId {
    let id = instance_id();
    beat(store, id).await;
    id
}

async fn beat(store: &Store, id: InstanceId) {
    let instance = Instance { id, node: "a".into(), started: Timestamp::now(), alive: true };
    store.operator().beat(&instance).await.unwrap();
}

async fn at_work(store: &Store) -> AtWork {
    store.operator().webhooks_at_work().await.unwrap().remove(0)
}

async fn claim(store: &Store) -> Claim {
    let (free, holder) = (at_work(store).await, process(store).await);
    store.operator().claim_webhook(&free, holder).await.unwrap().unwrap()
}

fn fresh(sequence: u64, thing: &str) -> Fresh {
    let body = format!("{{\"sequence\":{sequence},\"type\":\"call.digit\"}}");
    Fresh { sequence, kind: "call.digit".into(), thing: thing.into(), body: body.into() }
}

fn attempt(sequence: u64, verdict: Verdict) -> Attempt {
    let taken = verdict == Verdict::Delivered;
    Attempt {
        sequence,
        kind: "call.digit".into(),
        verdict,
        status: Some(if taken { 200 } else { 500 }),
        error: (!taken).then(|| "the receiver answered 500".into()),
        latency_ms: 12,
        gone: false,
    }
}

async fn settle(claim: &Claim, attempts: &[Attempt]) -> Outcome {
    claim.settle(&name(), attempts, PATIENCE).await.unwrap()
}

async fn deliveries(scope: &TenantScope, failed: bool) -> Vec<Delivery> {
    scope.deliveries(&name(), failed, None, 50).await.unwrap().items
}

async fn waiting(claim: &Claim) -> Vec<(u64, u32)> {
    let laid = claim.load().await.unwrap().unwrap();
    laid.waiting.iter().map(|one| (one.event.sequence, one.attempts)).collect()
}

async fn one_process_works_for_a_webhook_and_another_goes_on_where_it_was(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    add(&bench, &scope).await;
    let (one, two) = (bench.store.clone(), bench.another_store().await);
    let free = at_work(&one).await;
    assert_eq!(free.holder, None);
    let (first, second) = (process(&one).await, process(&two).await);
    let stranger = instance_id();
    let operator = two.operator();
    assert!(operator.claim_webhook(&free, stranger).await.unwrap().is_none(), "it never beat");
    let older = one.operator().claim_webhook(&free, first).await.unwrap().unwrap();
    assert!(operator.claim_webhook(&free, second).await.unwrap().is_none(), "it was faster");
    assert_eq!(at_work(&two).await.holder, Some(first));

    let events: Vec<_> = (1..=4).map(|sequence| fresh(sequence, "call a")).collect();
    assert!(older.take(free.revision, 7, &events).await.unwrap());
    let again = Verdict::Again(Millis::seconds(60));
    let attempts = [attempt(1, Verdict::Delivered), attempt(2, again)];
    assert_eq!(settle(&older, &attempts).await, Outcome::Kept);

    // As when it is killed: nobody hears of it any more.
    one.operator().leave(first).await.unwrap();
    let free = at_work(&two).await;
    assert_eq!(free.holder, None);
    let newer = operator.claim_webhook(&free, second).await.unwrap().unwrap();
    let laid = newer.load().await.unwrap().unwrap();
    assert_eq!((laid.place, laid.waiting.len()), (7, 3));
    assert_eq!(laid.waiting[0].event, events[1]);
    let due = laid.waiting[0].due;
    assert!(due > Millis::seconds(50) && due <= Millis::seconds(60), "{due}");
    assert_eq!((laid.waiting[1].due, laid.waiting[1].attempts), (Millis(0), 0));

    // What the first still writes changes nothing.
    assert!(older.load().await.unwrap().is_none());
    assert!(!older.take(free.revision, 9, &[fresh(9, "call b")]).await.unwrap());
    assert_eq!(settle(&older, &[attempt(3, Verdict::Delivered)]).await, Outcome::NotOurs);
    older.release().await.unwrap();
    assert_eq!(at_work(&one).await.holder, Some(second));
    assert_eq!(waiting(&newer).await, [(2, 1), (3, 0), (4, 0)]);
    newer.release().await.unwrap();
    assert_eq!(at_work(&one).await.holder, None);
}

async fn the_log_says_what_became_of_each_delivery_and_what_failed_is_replayed(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    add(&bench, &scope).await;
    let claim = claim(&bench.store).await;
    let revision = at_work(&bench.store).await.revision;
    let events = [fresh(1, "a"), fresh(2, "b"), fresh(3, "c")];
    assert!(claim.take(revision, 3, &events).await.unwrap());
    let again = Verdict::Again(Millis::seconds(60));
    let attempts =
        [attempt(1, Verdict::Delivered), attempt(2, again), attempt(3, Verdict::GivenUp)];
    assert_eq!(settle(&claim, &attempts).await, Outcome::Kept);
    let all = deliveries(&scope, false).await;
    let states: Vec<_> = all.iter().rev().map(|one| (one.sequence, one.state)).collect();
    let expected =
        [(1, DeliveryState::Delivered), (2, DeliveryState::Waiting), (3, DeliveryState::Failed)];
    assert_eq!(states, expected);
    let failed = deliveries(&scope, true).await;
    assert_eq!(failed.iter().map(|one| one.sequence).collect::<Vec<_>>(), [3, 2]);
    assert_eq!(
        (failed[0].status, failed[0].attempts, failed[0].latency_ms),
        (Some(500), 1, Some(12))
    );
    assert_eq!(failed[0].error.as_deref(), Some("the receiver answered 500"));
    let first = scope.deliveries(&name(), false, None, 2).await.unwrap();
    let rest = scope.deliveries(&name(), false, first.next, 2).await.unwrap();
    assert_eq!((first.items.len(), rest.items.len(), rest.next), (2, 1, None));

    scope.replay_delivery(&name(), failed[0].id).await.unwrap();
    assert_ne!(at_work(&bench.store).await.revision, revision, "who delivers is to look again");
    assert_eq!(waiting(&claim).await, [(2, 1), (3, 0)]);
    assert!(!claim.take(revision, 9, &[]).await.unwrap(), "it has not looked yet");
    let gone = scope.replay_delivery(&name(), all[2].id).await.unwrap_err();
    assert!(matches!(gone, StoreError::Conflict(_)), "its event was never told: {gone}");

    let other = bench.store.tenant(bench.tenant("other").await.id);
    assert!(matches!(other.webhook(&name()).await, Err(StoreError::NotFound { .. })));
    assert!(other.deliveries(&name(), false, None, 9).await.is_err());
    assert!(other.replay_delivery(&name(), failed[0].id).await.is_err());
}

async fn what_was_told_is_replayed_as_far_as_it_is_kept_and_a_gap_is_said(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    for title in ["one", "two", "three"] {
        publish(&bench.store, scope.id(), "main", title).await;
    }
    add(&bench, &scope).await;
    let claim = claim(&bench.store).await;
    let laid = claim.load().await.unwrap().unwrap();
    assert_eq!(laid.place, 3, "it begins with what comes");
    scope.replay_after(&name(), 1).await.unwrap();
    let laid = claim.load().await.unwrap().unwrap();
    assert_eq!(laid.place, 1);
    assert!(matches!(scope.replay_after(&name(), 4).await, Err(Untold::Ahead { last: 3 })));
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    bench.store.forget_told(Millis(1)).await.unwrap();
    let gone = scope.replay_after(&name(), 2).await;
    assert!(matches!(gone, Err(Untold::Gone { kept_after: 3 })), "{gone:?}");
    assert!(claim.gap(laid.revision, laid.place, 3).await.unwrap());
    let all = deliveries(&scope, true).await;
    assert_eq!(
        (all[0].kind.as_str(), all[0].state, all[0].sequence),
        ("gap", DeliveryState::Lost, 3)
    );
    let said = "events 2 to 3 were forgotten before they could be sent";
    assert_eq!(all[0].error.as_deref(), Some(said));
    assert_eq!(scope.webhook_progress(&name()).await.unwrap().sequence, 3);
    assert!(scope.replay_delivery(&name(), all[0].id).await.is_err(), "there is nothing to send");
}

async fn what_fails_for_long_or_is_gone_is_disabled_and_that_is_told(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    add(&bench, &scope).await;
    let again = attempt(1, Verdict::Again(Millis(0)));
    let gone = Attempt { gone: true, status: Some(410), ..again.clone() };
    for (attempt, patience, words) in [
        (again.clone(), Millis(0), "every attempt failed for 0s; the last: the receiver answered"),
        (gone, PATIENCE, "the receiver answered 500"),
    ] {
        let claim = claim(&bench.store).await;
        let revision = at_work(&bench.store).await.revision;
        let last = scope.told_after(0, 500).await.unwrap().last;
        claim.take(revision, last, &[fresh(1, "a")]).await.unwrap();
        assert_eq!(settle(&claim, std::slice::from_ref(&again)).await, Outcome::Kept);
        assert!(scope.webhook_progress(&name()).await.unwrap().failing_since.is_some());
        let outcome = claim.settle(&name(), &[attempt], patience).await.unwrap();
        assert_eq!(outcome, Outcome::Disabled);
        let disabled = scope.webhook(&name()).await.unwrap().webhook;
        let why = disabled.disabled.unwrap().reason;
        assert!(!disabled.enabled && why.starts_with(words), "{why}");
        assert!(claim.load().await.unwrap().is_none());
        assert!(bench.store.operator().webhooks_at_work().await.unwrap().is_empty());
        let told = scope.told_after(last, 500).await.unwrap().events;
        assert_eq!(told.len(), 1, "{told:?}");
        assert!(told[0].1.contains("\"type\":\"webhook.disabled\",\"webhook\":\"main\""));
        let filter = ActFilter { what: Some("webhook.disable".into()), ..ActFilter::default() };
        let acts = scope.log(&filter, None, 1).await.unwrap().items;
        assert_eq!((acts[0].subject.as_str(), acts[0].who.as_str()), ("main", "callwright"));

        let enabled = scope.change_webhook(&name(), &settings()).await.unwrap();
        assert!(enabled.enabled && enabled.disabled.is_none());
        assert_eq!(scope.webhook_progress(&name()).await.unwrap().failing_since, None);
        claim.release().await.unwrap();
    }
}

async fn secrets_are_sealed_and_an_old_one_signs_for_another_day(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let keyring = keyring(&bench);
    add(&bench, &scope).await;
    let id = scope.webhook(&name()).await.unwrap().id;
    let second = secret(&keyring, scope.id(), "whsec_second").await;
    scope.rotate_webhook(&name(), second).await.unwrap();
    let opened = async || {
        let keys = scope.keys().await.unwrap();
        let kept = scope.webhook_secrets(id).await.unwrap();
        let open = |one: &callwright::store::StoredSecret| {
            let label = SecretOf::Webhook.label(one.id);
            keyring.open(scope.id(), &keys, &label, &one.sealed).unwrap().to_string()
        };
        kept.iter().map(|one| (open(one), one.until)).collect::<Vec<_>>()
    };
    let both = opened().await;
    assert_eq!((both[0].0.as_str(), both[0].1), ("whsec_second", None));
    let hours = (both[1].1.unwrap() - Timestamp::now()).total(jiff::Unit::Hour).unwrap();
    assert!(both[1].0 == "whsec_first" && (23.9..=24.0).contains(&hours), "{hours}");

    let deed = Deed { author: "ada".into(), why: String::new() };
    let key = keyring.add_key(scope.id(), 2).await.unwrap();
    keyring.reseal(scope.id(), &key).await.unwrap();
    scope.retire_keys(2, &deed).await.unwrap();
    assert_eq!(opened().await.len(), 2, "the tenant's key was rotated");

    for _ in 0..2 {
        let more = secret(&keyring, scope.id(), "whsec_more").await;
        scope.rotate_webhook(&name(), more).await.unwrap();
    }
    let more = secret(&keyring, scope.id(), "whsec_more").await;
    let refused = scope.rotate_webhook(&name(), more).await.unwrap_err();
    assert!(matches!(refused, StoreError::Conflict(_)), "{refused}");
    let acts = scope.log(&ActFilter::default(), None, 50).await.unwrap().items;
    let said = serde_json::to_string(&acts).unwrap();
    assert!(said.contains("webhook.rotate") && !said.contains("whsec"), "{said}");
    assert!(said.contains("example.org") && !said.contains("hidden"), "{said}");
    scope.remove_webhook(&name()).await.unwrap();
    assert!(scope.webhook_secrets(id).await.unwrap().is_empty());
}

async fn a_tenant_has_a_bounded_number_of_webhooks_and_the_log_ends_too(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    add(&bench, &scope).await;
    let keyring = keyring(&bench);
    let mut refused = None;
    for number in 0..25 {
        let secret = secret(&keyring, scope.id(), "whsec_x").await;
        let name = format!("more-{number}").parse().unwrap();
        if let Err(error) = scope.add_webhook(&name, &settings(), secret).await {
            refused = Some((number, error));
            break;
        }
    }
    let (number, error) = refused.unwrap();
    assert_eq!((number, error.to_string().as_str()), (19, "the tenant has 20 webhooks already"));
    assert_eq!(scope.webhooks().await.unwrap().len(), 20);

    let all = bench.store.operator().webhooks_at_work().await.unwrap();
    let main = scope.webhook(&name()).await.unwrap().id;
    let own = all.into_iter().find(|one| one.id == main).unwrap();
    let holder = process(&bench.store).await;
    let claim = bench.store.operator().claim_webhook(&own, holder).await.unwrap().unwrap();
    claim.take(own.revision, 2, &[fresh(1, "a"), fresh(2, "b")]).await.unwrap();
    let attempts = [attempt(1, Verdict::Delivered), attempt(2, Verdict::GivenUp)];
    settle(&claim, &attempts).await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    assert!(!bench.store.forget_deliveries(PATIENCE).await.unwrap());
    assert_eq!(deliveries(&scope, false).await.len(), 2);
    bench.store.forget_deliveries(Millis(1)).await.unwrap();
    let left: Vec<_> = deliveries(&scope, false).await.iter().map(|one| one.sequence).collect();
    assert_eq!(left, [2], "what failed is kept for longer");
}

on_both!(
    one_process_works_for_a_webhook_and_another_goes_on_where_it_was,
    the_log_says_what_became_of_each_delivery_and_what_failed_is_replayed,
    what_was_told_is_replayed_as_far_as_it_is_kept_and_a_gap_is_said,
    what_fails_for_long_or_is_gone_is_disabled_and_that_is_told,
    secrets_are_sealed_and_an_old_one_signs_for_another_day,
    a_tenant_has_a_bounded_number_of_webhooks_and_the_log_ends_too,
);
