//! The audit log.

use callwright::base::ids::{ApiKeyId, TenantId};
use callwright::flow::room::RoomSettings;
use callwright::model::access::Role;
use callwright::model::act::{Act, Actor};
use callwright::model::tenant::NumberMatch;
use callwright::store::{ActFilter, Deed, NewApiKey, NewNumber, NewTenant, Signature, TenantScope};
use jiff::Timestamp;
use serde_json::json;
use uuid::Uuid;

use crate::bench::{Bench, on_both};

fn ada() -> Actor {
    let key = Some(ApiKeyId(Uuid::from_u128(7)));
    Actor { who: "ada".into(), key, request: Some("r-1".into()) }
}

/// The whole log, the oldest first.
async fn log(scope: &TenantScope) -> Vec<Act> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = scope.log(&ActFilter::default(), after, 3).await.unwrap();
        all.extend(page.items);
        after = page.next;
        if after.is_none() {
            all.reverse();
            return all;
        }
    }
}

fn room(pin: &str) -> RoomSettings {
    serde_json::from_value(json!({ "member_pin": pin, "most": 10 })).unwrap()
}

async fn every_change_is_in_the_log_with_who_made_it_and_no_secret(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let scope = bench.store.tenant(tenant).by(ada());
    let changed =
        NewTenant { name: "Acme Ltd".into(), ..NewTenant::named("acme".parse().unwrap()) };
    scope.change(&changed).await.unwrap();
    scope.put_room(&"all".parse().unwrap(), &room("1234")).await.unwrap();
    scope.put_room(&"all".parse().unwrap(), &room("98765")).await.unwrap();
    scope.remove_room(&"all".parse().unwrap()).await.unwrap();
    let main = "main".parse().unwrap();
    let flow = json!({
        "callwright": 1, "start": "bye", "steps": { "bye": { "kind": "hangup" } },
    });
    scope.save_draft(&main, &flow, "ada", None).await.unwrap();
    let by = Signature { author: "ada".into(), note: String::new() };
    scope.publish(&main, 1, &by, |_| Ok(())).await.unwrap();
    scope.put_number(&NewNumber::exact("+15550100", main.clone())).await.unwrap();
    scope.remove_number(&NumberMatch::Exact("+15550100".into())).await.unwrap();
    scope.put_prompt(&"hello".parse().unwrap(), "/p/hello.wav", None).await.unwrap();
    scope.remove_prompt(&"hello".parse().unwrap()).await.unwrap();
    let key = NewApiKey {
        name: "wall".into(),
        role: Role::Reader,
        powers: [].into(),
        addresses: Vec::new(),
        expires: None,
    };
    let (made, secret) = scope.add_api_key(&key).await.unwrap();
    scope.revoke_api_key(made.id).await.unwrap();

    let log = log(&scope).await;
    let whats: Vec<&str> = log.iter().map(|act| act.what.as_str()).collect();
    let expected = [
        "tenant.add",
        "tenant.change",
        "room.put",
        "room.put",
        "room.remove",
        "flow.draft",
        "flow.publish",
        "number.put",
        "number.remove",
        "prompt.put",
        "prompt.remove",
        "key.add",
        "key.revoke",
    ];
    assert_eq!(whats, expected);
    assert_eq!(log[0].who, "callwright");
    for act in &log[1..] {
        let by = Actor { who: act.who.clone(), key: act.key, request: act.request.clone() };
        assert_eq!(by, ada(), "{act:?}");
    }
    assert_eq!(log[1].before.as_ref().unwrap()["name"], "acme");
    assert_eq!(log[1].after.as_ref().unwrap()["name"], "Acme Ltd");
    assert_eq!((&log[2].before, log[2].subject.as_str()), (&None, "all"));
    assert_eq!(log[3].before, log[2].after);
    assert_eq!(log[4].before, log[3].after);
    assert_eq!(log[6].after, Some(json!({ "version": 1 })));
    let written = serde_json::to_string(&log).unwrap();
    // Its last part is random, and any character of it may be the mark between the parts.
    let secret = secret.reveal();
    let random = &secret[secret.len() - 20..];
    for hidden in ["1234\"", "98765", random] {
        assert!(!written.contains(hidden), "{hidden} in {written}");
    }
}

async fn what_was_refused_is_not_in_the_log(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    bench.tenant("other").await;
    let taken = NewTenant::named("other".parse().unwrap());
    assert!(scope.change(&taken).await.is_err());
    assert!(scope.remove_room(&"all".parse().unwrap()).await.is_err());
    assert!(scope.save_draft(&"main".parse().unwrap(), &json!({}), "ada", Some(3)).await.is_err());
    assert!(scope.put_number(&NewNumber::exact("1", "main".parse().unwrap())).await.is_err());
    let log = log(&scope).await;
    assert_eq!(log.len(), 1, "only that the tenant was added: {log:?}");
}

async fn the_log_is_the_tenants_own_and_can_be_searched(bench: Bench) {
    let tenant = bench.tenant("acme").await.id;
    let other = bench.store.tenant(bench.tenant("other").await.id);
    let scope = bench.store.tenant(tenant).by(ada());
    scope.put_room(&"one".parse().unwrap(), &room("1111")).await.unwrap();
    scope.put_room(&"two".parse().unwrap(), &room("1111")).await.unwrap();
    let deed = Deed { author: "bob".into(), why: "asked".into() };
    scope.heard(callwright::base::ids::RecordingId(Uuid::from_u128(9)), &deed).await.unwrap();
    let found = async |filter: ActFilter| -> Vec<String> {
        let page = scope.log(&filter, None, 50).await.unwrap();
        page.items.into_iter().map(|act| format!("{} {}", act.what, act.subject)).collect()
    };
    let what = |what: &str| ActFilter { what: Some(what.into()), ..ActFilter::default() };
    assert_eq!(found(what("room")).await, ["room.put two", "room.put one"]);
    assert_eq!(found(what("room.put")).await.len(), 2);
    assert_eq!(found(what("roo")).await, [""; 0], "whole words only");
    let heard = found(what("recording")).await;
    assert_eq!(heard, [format!("recording.heard {}", Uuid::from_u128(9))]);
    let subject = ActFilter { subject: Some("two".into()), ..ActFilter::default() };
    assert_eq!(found(subject).await, ["room.put two"]);
    let key = ActFilter { key: ada().key, ..ActFilter::default() };
    assert_eq!(found(key).await.len(), 2);
    let later = ActFilter { from: Some(Timestamp::MAX), ..ActFilter::default() };
    assert_eq!(found(later).await, [""; 0]);
    assert_eq!(log(&other).await.len(), 1, "another tenant's is not in it");
    let own = bench.store.operator().log(&ActFilter::default(), None, 50).await.unwrap();
    assert!(own.items.is_empty(), "{own:?}");
    let nobody = bench.store.tenant(TenantId(Uuid::from_u128(1)));
    assert!(log(&nobody).await.is_empty());
}

on_both! {
    every_change_is_in_the_log_with_who_made_it_and_no_secret,
    what_was_refused_is_not_in_the_log,
    the_log_is_the_tenants_own_and_can_be_searched,
}
