//! Tenants' gateways and extensions, and their passwords.

use callwright::archive::Archive;
use callwright::base::ids::{GatewayId, GatewayName};
use callwright::base::millis::Millis;
use callwright::keyring::Keyring;
use callwright::model::event::{Event, Fold, GatewayView};
use callwright::model::extension::ExtensionSettings;
use callwright::model::gateway::{GatewaySettings, switch_name};
use callwright::model::registration::{Registration, Standing};
use callwright::model::sip::SipUser;
use callwright::model::tenant::Reach;
use callwright::store::{
    Asked, Deed, Directory, NewNumber, NoRoute, SecretOf, StoreError, StoredGateway, TenantScope,
};
use callwright::vault;
use callwright::vault::keys::OperatorKeys;
use jiff::Timestamp;

use crate::bench::{Bench, instance_id, on_both, publish};

const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const SECRET: &str = "p\u{e4}ss \"<&$'>` 1";

fn keyring(bench: &Bench) -> Keyring {
    Keyring::new(&bench.store, OperatorKeys::read(KEY).unwrap())
}

fn name() -> GatewayName {
    "carrier".parse().unwrap()
}

fn settings() -> GatewaySettings {
    let username = Some("alice".parse().unwrap());
    GatewaySettings { username, ..GatewaySettings::at("sip.example".parse().unwrap()) }
}

async fn put(keyring: &Keyring, scope: &TenantScope, secret: &str) -> StoredGateway {
    let id = scope.gateway_id(&name()).await.unwrap();
    let label = SecretOf::Gateway.label(id);
    let sealed = keyring.seal(scope.id(), &label, secret).await.unwrap();
    scope.put_gateway(id, &name(), &settings(), Some(sealed)).await.unwrap()
}

fn open(keyring: &Keyring, directory: &Directory, one: &StoredGateway) -> String {
    let facts = directory.sip();
    let keys = &facts.keys[&one.tenant];
    let label = SecretOf::Gateway.label(one.gateway.id);
    let sealed = one.sealed.as_ref().unwrap();
    keyring.open(one.tenant, keys, &label, sealed).unwrap().to_string()
}

async fn a_password_is_read_back_from_memory_and_is_nowhere_in_the_database(bench: Bench) {
    let keyring = keyring(&bench);
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let made = put(&keyring, &scope, SECRET).await;
    assert!(made.gateway.has_password);
    let shown = format!("{made:?}{}", serde_json::to_string(&made).unwrap());
    assert!(!shown.contains("ss \\\"<&"), "{shown}");
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let kept = directory.sip().gateways[0].clone();
    assert_eq!(kept, made);
    assert_eq!(open(&keyring, &directory, &kept), SECRET);
    // Another gateway's password can't be put in its place.
    let label = SecretOf::Gateway.label(uuid::Uuid::nil());
    let facts = directory.sip();
    let foreign = keyring.open(scope.id(), &facts.keys[&scope.id()], &label, &kept.sealed.unwrap());
    assert!(foreign.is_err());
}

async fn a_change_without_a_password_keeps_it_and_one_with_it_counts(bench: Bench) {
    let keyring = keyring(&bench);
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let made = put(&keyring, &scope, SECRET).await;
    let other = GatewaySettings { ping_s: Some(30), ..settings() };
    let id = scope.gateway_id(&name()).await.unwrap();
    assert_eq!(id, made.gateway.id);
    let same = scope.put_gateway(id, &name(), &other, None).await.unwrap();
    assert_eq!((&same.sealed, same.secret_revision), (&made.sealed, made.secret_revision));
    assert_eq!(same.gateway.settings, other);
    let another = put(&keyring, &scope, "another").await;
    assert_eq!(another.secret_revision, made.secret_revision + 1);
    assert_eq!(scope.gateways().await.unwrap(), [another]);

    let (id, x) = (GatewayId(uuid::Uuid::nil()), "x".parse().unwrap());
    let without = scope.put_gateway(id, &x, &settings(), None).await.unwrap_err();
    assert!(matches!(without, StoreError::Field("password", _)), "{without}");
    scope.remove_gateway(&name()).await.unwrap();
    let gone = scope.gateway(&name()).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }));
}

async fn two_tenants_have_a_gateway_of_one_name_and_each_its_own(bench: Bench) {
    let keyring = keyring(&bench);
    let mut names = Vec::new();
    for slug in ["acme", "other"] {
        let tenant = bench.tenant(slug).await;
        let scope = bench.store.tenant(tenant.id);
        publish(&bench.store, tenant.id, "main", "one").await;
        let number = NewNumber::exact("100", "main".parse().unwrap());
        scope.put_number(&NewNumber { reach: Reach::Tenant, ..number }).await.unwrap();
        let made = put(&keyring, &scope, slug).await;
        names.push((tenant.id, switch_name(made.gateway.id)));
    }
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    for (tenant, gateway) in &names {
        let asked = Asked { dialed: "100", gateway: Some(gateway.as_str()), ..Asked::default() };
        let program = directory.find(&asked).unwrap();
        assert_eq!(program.tenant, *tenant);
        assert_eq!(program.settings.gateway(&name()), Some(gateway));
    }
    let nobody = Asked { dialed: "100", gateway: Some("carrier"), ..Asked::default() };
    assert_eq!(directory.find(&nobody).unwrap_err(), NoRoute::UnknownNumber);
    assert_ne!(names[0].1, names[1].1);
}

async fn passwords_outlive_a_rotated_and_a_destroyed_key(bench: Bench) {
    let keyring = keyring(&bench);
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let made = put(&keyring, &scope, SECRET).await;
    let number: SipUser = "1001".parse().unwrap();
    let id = scope.extension_id(&number).await.unwrap();
    let label = SecretOf::Extension.label(id);
    let sealed = keyring.seal(scope.id(), &label, "phone").await.unwrap();
    let shown = ExtensionSettings { name: "Ann".into(), ..ExtensionSettings::default() };
    scope.put_extension(id, &number, &shown, Some(sealed)).await.unwrap();
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();

    let keys = OperatorKeys::read(KEY).unwrap();
    let archive = Archive::new(&bench.store, keys, vault::config::Config::default());
    let deed = Deed { author: "ann".into(), why: "a year is over".into() };
    for round in 0..2 {
        if round == 0 {
            archive.rotate(scope.id(), &deed).await.unwrap();
        } else {
            archive.destroy(scope.id(), &deed).await.unwrap();
        }
        let there = scope.keys().await.unwrap();
        let usable = there.iter().filter(|key| key.wrapped.is_some()).count();
        assert_eq!(usable, 1, "{there:?}");
        directory.refresh().await.unwrap();
        let kept = directory.sip().gateways[0].clone();
        assert_eq!(kept.secret_revision, made.secret_revision);
        assert_ne!(kept.sealed, made.sealed);
        assert_eq!(open(&keyring, &directory, &kept), SECRET);
        let phone = directory.sip().extensions[0].clone();
        let keys = directory.sip().keys[&scope.id()].clone();
        let opened = keyring.open(scope.id(), &keys, &label, &phone.sealed).unwrap();
        assert_eq!(opened.as_str(), "phone");
    }
}

fn stands(standing: Standing, code: Option<u16>, at_us: i64) -> Registration {
    let since = Timestamp::from_microsecond(at_us).unwrap();
    Registration::new("one".into(), standing, code, "Forbidden".into(), since)
}

async fn how_a_gateway_stands_is_kept_once_however_often_it_is_told(bench: Bench) {
    let (keyring, operator) = (keyring(&bench), bench.store.operator());
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let other = bench.store.tenant(bench.tenant("other").await.id);
    let id = put(&keyring, &scope, SECRET).await.gateway.id;
    let failed = stands(Standing::Failed, Some(403), 2_000_000);
    let registered = stands(Standing::Registered, None, 3_000_000);
    let told = [&stands(Standing::Trying, None, 1_000_000), &failed, &failed, &registered];
    for one in told.into_iter().chain([&failed]) {
        operator.note_registration(id, one).await.unwrap();
    }
    assert_eq!(scope.registrations().await.unwrap(), [(id, registered.clone())]);
    assert_eq!(other.registrations().await.unwrap(), []);
    let history = scope.registration_history(id, None).await.unwrap();
    let seen: Vec<_> = history.iter().map(|one| (one.standing, one.code)).collect();
    let expected =
        [(Standing::Registered, None), (Standing::Failed, Some(403)), (Standing::Trying, None)];
    assert_eq!(seen, expected);
    let earlier = scope.registration_history(id, Some(registered.since)).await.unwrap();
    assert_eq!(earlier.first(), Some(&failed));
    assert_eq!(other.registration_history(id, None).await.unwrap(), []);
    for nth in 0..600 {
        let standing = if nth % 2 == 0 { Standing::Failed } else { Standing::Registered };
        operator.note_registration(id, &stands(standing, None, 4_000_000 + nth)).await.unwrap();
    }
    let (mut count, mut before) = (0, None);
    loop {
        let page = scope.registration_history(id, before).await.unwrap();
        let Some(last) = page.last() else { break };
        (count, before) = (count + page.len(), Some(last.since));
    }
    assert_eq!(count, 500);
    // Of a gateway that is gone nothing is kept.
    scope.remove_gateway(&name()).await.unwrap();
    operator.note_registration(id, &failed).await.unwrap();
    assert_eq!(scope.registrations().await.unwrap(), []);
}

/// What was told of a tenant until now.
async fn told(scope: &TenantScope) -> Vec<Event> {
    let told = scope.told_after(0, 500).await.unwrap();
    told.events.iter().map(|(_, event)| serde_json::from_str(event).unwrap()).collect()
}

async fn who_follows_knows_how_gateways_stand_from_first_to_last(bench: Bench) {
    let (keyring, operator) = (keyring(&bench), bench.store.operator());
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let other = bench.store.tenant(bench.tenant("other").await.id);
    let id = put(&keyring, &scope, SECRET).await.gateway.id;
    let registered = stands(Standing::Registered, None, 3_000_000);
    let elsewhere = Registration { switch: "two".into(), ..registered.clone() };
    for one in [&stands(Standing::Failed, Some(403), 2_000_000), &registered, &elsewhere] {
        operator.note_registration(id, one).await.unwrap();
    }
    let view = GatewayView { gateway: name(), now: vec![registered, elsewhere] };
    assert_eq!(scope.standing().await.unwrap().gateways, [view]);
    assert_eq!(other.standing().await.unwrap().gateways, []);
    let mut fold = Fold::default();
    told(&scope).await.iter().for_each(|event| fold.tell(&event.what));
    assert_eq!(fold.standing(3), scope.standing().await.unwrap());
    // It is known for as long as it is so, and not only for as long as it is told.
    assert!(!bench.store.forget_told(Millis(0)).await.unwrap());
    assert_eq!(scope.standing().await.unwrap().gateways.len(), 1);
    scope.remove_gateway(&name()).await.unwrap();
    let standing = scope.standing().await.unwrap();
    assert_eq!((standing.sequence, standing.gateways.len()), (4, 0));
    let last = scope.told_after(3, 500).await.unwrap().events;
    assert!(last[0].1.contains("gateway.removed"), "{last:?}");
}

async fn one_process_at_a_time_changes_a_freeswitchs_gateways(bench: Bench) {
    let operator = bench.store.operator();
    let (one, two) = (instance_id(), instance_id());
    assert!(operator.take_turn("a", one).await.unwrap());
    assert!(operator.take_turn("a", one).await.unwrap(), "it goes on");
    assert!(!operator.take_turn("a", two).await.unwrap());
    assert!(operator.take_turn("b", two).await.unwrap());
    operator.end_turn("a", two).await.unwrap();
    assert!(!operator.take_turn("a", two).await.unwrap(), "that was not its turn");
    operator.end_turn("a", one).await.unwrap();
    assert!(operator.take_turn("a", two).await.unwrap());
    bench.sql("UPDATE gateway_turn SET until_ms = 0").await;
    assert!(operator.take_turn("a", one).await.unwrap(), "who died holds nobody up");
}

on_both! {
    who_follows_knows_how_gateways_stand_from_first_to_last,
    how_a_gateway_stands_is_kept_once_however_often_it_is_told,
    one_process_at_a_time_changes_a_freeswitchs_gateways,
    a_password_is_read_back_from_memory_and_is_nowhere_in_the_database,
    a_change_without_a_password_keeps_it_and_one_with_it_counts,
    two_tenants_have_a_gateway_of_one_name_and_each_its_own,
    passwords_outlive_a_rotated_and_a_destroyed_key,
}
