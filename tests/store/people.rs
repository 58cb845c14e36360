//! Users and tokens, and the hours that tenants lay down by name.

use std::collections::BTreeSet;
use std::time::Duration;

use callwright::base::ids::{ApiKeyId, ScheduleName, TokenId, UserName};
use callwright::flow::kind::hours::Opening;
use callwright::model::access::Role;
use callwright::model::token::Token;
use callwright::model::user::UserSettings;
use callwright::store::{Asked, Directory, NewNumber, StoreError, TenantScope};
use jiff::Timestamp;
use uuid::Uuid;

use crate::bench::{Bench, eventually, name, on_both, publish, signed};

fn ann() -> UserName {
    "ann@acme.example".parse().unwrap()
}

fn shop() -> ScheduleName {
    "shop".parse().unwrap()
}

fn agent(enabled: bool) -> UserSettings {
    let extension = Some("201".parse().unwrap());
    UserSettings { name: "Ann".into(), role: Role::Agent, extension, enabled }
}

fn zoned(zone: &str) -> Opening {
    Opening { timezone: Some(zone.into()), ..Opening::default() }
}

async fn a_user_is_one_tenants_and_what_ended_stays_over(bench: Bench) {
    let (acme, other) = (bench.tenant("acme").await.id, bench.tenant("other").await.id);
    let scope = bench.store.tenant(acme);
    let made = scope.put_user(&ann(), &agent(true)).await.unwrap();
    assert_eq!((&made.settings, made.ended), (&agent(true), None));
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let known = directory.routes().user(acme, made.id).unwrap();
    assert_eq!((known.tenant, &known.user), (acme, &made));
    assert_eq!(directory.routes().user(other, made.id), None);
    assert!(bench.store.tenant(other).users().await.unwrap().is_empty());

    let ended = scope.put_user(&ann(), &agent(false)).await.unwrap();
    assert_eq!(ended.id, made.id);
    let at = ended.ended.unwrap();
    let again = scope.put_user(&ann(), &agent(true)).await.unwrap();
    assert_eq!(again.ended, Some(at), "what was minted before stays over");
    eventually("enabled", async || {
        directory.routes().user(acme, made.id).is_some_and(|known| known.user == again)
    })
    .await;
    scope.remove_user(&ann()).await.unwrap();
    eventually("gone", async || directory.routes().user(acme, made.id).is_none()).await;
    let gone = scope.remove_user(&ann()).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
    let back = scope.put_user(&ann(), &agent(true)).await.unwrap();
    assert_ne!(back.id, made.id, "it is another user");
    let boss = UserSettings { role: Role::Operator, ..agent(true) };
    let boss = scope.put_user(&ann(), &boss).await.unwrap_err();
    assert!(matches!(boss, StoreError::Field("role", _)), "{boss}");
}

/// The time zone of the schedule, as a call finds it that began at this moment.
fn zone(directory: &Directory, began: Timestamp) -> Option<String> {
    let asked = Asked { dialed: "100", ..Asked::default() };
    let program = directory.find(&asked).ok()?;
    program.settings.schedules.at(&shop(), began)?.timezone.clone()
}

/// A tenant whose number 100 leads to a flow that goes by its schedule.
async fn scheduled(bench: &Bench) -> TenantScope {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    scope.put_schedule(&shop(), &zoned("Europe/Berlin")).await.unwrap();
    let document = serde_json::json!({
        "callwright": 1, "start": "open", "fallback": "bye", "steps": {
            "open": { "kind": "hours", "schedule": "shop", "next": "bye" },
            "bye": { "kind": "hangup" },
        },
    });
    scope.save_draft(&name("main"), &document, "ada", None).await.unwrap();
    scope.publish(&name("main"), 1, &signed("x"), |_| Ok(())).await.unwrap();
    scope.put_number(&NewNumber::exact("100", name("main"))).await.unwrap();
    scope
}

async fn a_changed_schedule_is_in_force_within_a_second_and_not_for_calls_before(bench: Bench) {
    let scope = scheduled(&bench).await;
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let asked = Asked { dialed: "100", ..Asked::default() };
    let running = directory.find(&asked).unwrap();
    let first = scope.schedule(&shop()).await.unwrap();
    let began = first.since;
    let elsewhere = bench.another_store().await.tenant(scope.id());
    for wanted in ["Europe/Paris", "Asia/Tokyo"] {
        elsewhere.put_schedule(&shop(), &zoned(wanted)).await.unwrap();
        let is_found = async || zone(&directory, Timestamp::now()).as_deref() == Some(wanted);
        let took = eventually(wanted, is_found).await;
        assert!(took < Duration::from_secs(1), "{took:?}");
    }
    // The call that runs keeps what it began with, in this process and in another.
    let kept = running.settings.schedules.at(&shop(), began).unwrap();
    assert_eq!(kept, &first.hours);
    let resumed = directory.program_of(scope.id(), &name("main"), &[(name("main"), 1)].into());
    let resumed = resumed.unwrap();
    assert_eq!(resumed.settings.schedules.at(&shop(), began), Some(&first.hours));
    let paris = Timestamp::from_millisecond(
        elsewhere.schedule(&shop()).await.unwrap().since.as_millisecond() - 1,
    );
    assert_eq!(zone(&directory, paris.unwrap()).as_deref(), Some("Europe/Paris"));
    // Of calls that can't be up any more nothing is kept.
    bench.sql("UPDATE schedule_before SET until_ms = 1").await;
    elsewhere.put_schedule(&shop(), &zoned("UTC")).await.unwrap();
    eventually("forgotten", async || zone(&directory, began).as_deref() == Some("Asia/Tokyo"))
        .await;
}

fn token(scope: &TenantScope, label: &str, life: Duration) -> Token {
    let minted = Timestamp::now();
    Token {
        id: TokenId(Uuid::now_v7()),
        key: ApiKeyId(Uuid::nil()),
        tenant: scope.id(),
        user: None,
        label: Some(label.into()),
        role: Role::Reader,
        powers: BTreeSet::new(),
        minted,
        expires: minted + life,
    }
}

async fn a_token_is_revoked_on_every_node_within_a_second_and_forgotten_with_its_time(
    bench: Bench,
) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let other = bench.store.tenant(bench.tenant("other").await.id);
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let hour = Duration::from_secs(3_600);
    let [one, two] = ["one", "two"].map(|label| token(&scope, label, hour));
    for token in [&one, &two] {
        scope.note_token(token).await.unwrap();
    }
    assert_eq!(scope.tokens(None, 10).await.unwrap().items, [two.clone(), one.clone()]);
    let first = scope.tokens(None, 1).await.unwrap();
    assert_eq!(first.items, std::slice::from_ref(&two));
    assert_eq!(scope.tokens(first.next, 1).await.unwrap().items, std::slice::from_ref(&one));
    assert!(other.tokens(None, 10).await.unwrap().items.is_empty());
    let foreign = other.revoke_token(one.id).await.unwrap_err();
    assert!(matches!(foreign, StoreError::NotFound { .. }), "{foreign}");

    let elsewhere = bench.another_store().await.tenant(scope.id());
    elsewhere.revoke_token(one.id).await.unwrap();
    let is_known = async || directory.routes().is_revoked(one.id);
    let took = eventually("revoked", is_known).await;
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(!directory.routes().is_revoked(two.id));
    assert_eq!(scope.tokens(None, 10).await.unwrap().items, std::slice::from_ref(&two));
    let again = scope.revoke_token(one.id).await.unwrap_err();
    assert!(matches!(again, StoreError::NotFound { .. }), "{again}");

    bench.sql("UPDATE token SET expires_ms = 1").await;
    assert!(matches!(scope.revoke_token(two.id).await, Err(StoreError::NotFound { .. })));
    let three = token(&scope, "three", hour);
    scope.note_token(&three).await.unwrap();
    assert_eq!(scope.tokens(None, 10).await.unwrap().items, [three]);
    // The rows of the others are gone, so their ids are free.
    scope.note_token(&one).await.unwrap();
}

async fn a_schedule_that_a_live_flow_names_is_not_removed(bench: Bench) {
    let scope = scheduled(&bench).await;
    let other = bench.store.tenant(bench.tenant("other").await.id);
    assert!(matches!(other.schedule(&shop()).await, Err(StoreError::NotFound { .. })));
    let used = scope.remove_schedule(&shop()).await.unwrap_err();
    assert!(matches!(&used, StoreError::Conflict(why) if why.contains("`main`")), "{used}");
    let world = scope.world(None, false).await.unwrap();
    assert_eq!(world.schedules.unwrap().into_iter().collect::<Vec<_>>(), [shop()]);
    publish(&bench.store, scope.id(), "main", "plain").await;
    scope.put_schedule(&shop(), &zoned("UTC")).await.unwrap();
    scope.remove_schedule(&shop()).await.unwrap();
    assert!(scope.schedules().await.unwrap().is_empty());
    let odd = Opening { timezone: Some("Berlin".into()), ..Opening::default() };
    let odd = scope.put_schedule(&shop(), &odd).await.unwrap_err().to_string();
    assert!(odd.contains("timezone: there is no time zone `Berlin`"), "{odd}");
}

async fn a_schedule_put_again_as_it_is_stays_since_when_it_was(bench: Bench) {
    let scope = scheduled(&bench).await;
    let first = scope.schedule(&shop()).await.unwrap();
    let again = scope.put_schedule(&shop(), &first.hours).await.unwrap();
    assert_eq!(again, first);
    let second = scope.put_schedule(&shop(), &zoned("UTC")).await.unwrap();
    assert!(second.since >= first.since, "{second:?}");
    let filter =
        callwright::store::ActFilter { what: Some("schedule".into()), ..Default::default() };
    let log = scope.log(&filter, None, 10).await.unwrap().items;
    assert_eq!(log.len(), 2, "{log:?}");
    assert_eq!(
        log[0].before,
        Some(serde_json::json!({ "weekly": first.hours.weekly,
        "timezone": "Europe/Berlin" }))
    );
}

on_both! {
    a_user_is_one_tenants_and_what_ended_stays_over,
    a_changed_schedule_is_in_force_within_a_second_and_not_for_calls_before,
    a_token_is_revoked_on_every_node_within_a_second_and_forgotten_with_its_time,
    a_schedule_that_a_live_flow_names_is_not_removed,
    a_schedule_put_again_as_it_is_stays_since_when_it_was,
}
