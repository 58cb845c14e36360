//! Keys of the HTTP API.

use callwright::model::access::{Power, Role};
use callwright::store::{Directory, NewApiKey, StoreError, read_api_key};
use jiff::Timestamp;

use crate::bench::{Bench, on_both};

fn new(role: Role) -> NewApiKey {
    NewApiKey {
        name: " wall ".into(),
        role,
        powers: [Power::CallsRead].into(),
        addresses: vec!["192.0.2.0/24".parse().unwrap()],
        expires: None,
    }
}

async fn a_key_is_kept_without_its_secret_and_known_until_it_is_revoked(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let (made, text) = scope.add_api_key(&new(Role::Reader)).await.unwrap();
    assert_eq!((made.name.as_str(), made.role), ("wall", Role::Reader));
    assert_eq!(scope.api_keys().await.unwrap(), vec![made.clone()]);
    let (id, secret) = read_api_key(text.reveal()).unwrap();
    assert_eq!(id, made.id);

    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    let known = directory.routes().api_key(id).unwrap();
    assert_eq!((&known.key, known.is(secret), known.is("another")), (&made, true, false));
    let used = Timestamp::from_second(1_800_000_000).unwrap();
    bench.store.operator().note_api_key(id, used).await.unwrap();
    assert_eq!(scope.api_keys().await.unwrap()[0].used, Some(used));
    scope.revoke_api_key(id).await.unwrap();
    directory.refresh().await.unwrap();
    assert_eq!(directory.routes().api_key(id), None);
    let twice = scope.revoke_api_key(id).await.unwrap_err();
    assert!(matches!(twice, StoreError::NotFound { .. }), "{twice}");
}

async fn a_tenants_key_is_no_others_and_no_operators(bench: Bench) {
    let acme = bench.store.tenant(bench.tenant("acme").await.id);
    let other = bench.store.tenant(bench.tenant("other").await.id);
    let operator = bench.store.operator();
    let (made, _) = acme.add_api_key(&new(Role::Admin)).await.unwrap();
    for refused in [other.revoke_api_key(made.id).await, operator.revoke_api_key(made.id).await] {
        assert!(matches!(refused, Err(StoreError::NotFound { .. })), "{refused:?}");
    }
    assert!(other.api_keys().await.unwrap().is_empty());
    assert!(operator.api_keys().await.unwrap().is_empty());
    assert!(acme.add_api_key(&new(Role::Operator)).await.is_err());
    assert!(operator.add_api_key(&new(Role::Admin)).await.is_err());
    let beyond = NewApiKey { powers: [Power::FlowsWrite].into(), ..new(Role::Reader) };
    let beyond = acme.add_api_key(&beyond).await.unwrap_err().to_string();
    assert!(beyond.contains("reader never has flows:write"), "{beyond}");
    let over = NewApiKey { expires: Some(Timestamp::UNIX_EPOCH), ..new(Role::Reader) };
    assert!(acme.add_api_key(&over).await.is_err());
}

on_both! {
    a_key_is_kept_without_its_secret_and_known_until_it_is_revoked,
    a_tenants_key_is_no_others_and_no_operators,
}
