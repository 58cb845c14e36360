//! Tenants' gateways and extensions, and their passwords.

use callwright::archive::Archive;
use callwright::base::ids::{GatewayId, GatewayName};
use callwright::keyring::Keyring;
use callwright::model::extension::ExtensionSettings;
use callwright::model::gateway::{GatewaySettings, switch_name};
use callwright::model::sip::SipUser;
use callwright::model::tenant::Reach;
use callwright::store::{
    Asked, Deed, Directory, NewNumber, NoRoute, SecretOf, StoreError, StoredGateway, TenantScope,
};
use callwright::vault;
use callwright::vault::keys::OperatorKeys;

use crate::bench::{Bench, on_both, publish};

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

on_both! {
    a_password_is_read_back_from_memory_and_is_nowhere_in_the_database,
    a_change_without_a_password_keeps_it_and_one_with_it_counts,
    two_tenants_have_a_gateway_of_one_name_and_each_its_own,
    passwords_outlive_a_rotated_and_a_destroyed_key,
}
