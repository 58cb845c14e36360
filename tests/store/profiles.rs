//! The operator's Sofia profiles.

use callwright::model::gateway::GatewaySettings;
use callwright::model::profile::ProfileSettings;
use callwright::model::sip::ProfileName;
use callwright::store::{ActFilter, Directory, StoreError};

use crate::bench::{Bench, on_both};

fn name(name: &str) -> ProfileName {
    name.parse().unwrap()
}

fn at(port: u16) -> ProfileSettings {
    serde_json::from_str(&format!(r#"{{"for": "providers", "port": {port}}}"#)).unwrap()
}

async fn a_profile_is_kept_changed_and_known_to_whoever_tells_freeswitch(bench: Bench) {
    let operator = bench.store.operator();
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();
    assert_eq!(directory.sip().profiles, []);
    let made = operator.put_profile(&name("cw-a"), &at(5090)).await.unwrap();
    directory.refresh().await.unwrap();
    assert_eq!(directory.sip().profiles, std::slice::from_ref(&made));
    let changed = operator.put_profile(&name("cw-a"), &at(5091)).await.unwrap();
    assert_eq!((changed.created, changed.settings), (made.created, at(5091)));
    directory.refresh().await.unwrap();
    assert_eq!(directory.sip().profiles[0].settings.port, 5091, "a change is noticed, too");
    operator.remove_profile(&name("cw-a")).await.unwrap();
    directory.refresh().await.unwrap();
    assert_eq!(directory.sip().profiles, []);
    let gone = operator.profile(&name("cw-a")).await.unwrap_err();
    assert!(matches!(gone, StoreError::NotFound { .. }), "{gone}");
    let acts = operator.log(&ActFilter::default(), None, 10).await.unwrap().items;
    let what: Vec<_> = acts.iter().map(|act| act.what.as_str()).collect();
    assert_eq!(what, ["profile.remove", "profile.put", "profile.put"]);
}

async fn two_profiles_never_have_one_port(bench: Bench) {
    let operator = bench.store.operator();
    operator.put_profile(&name("cw-a"), &at(5090)).await.unwrap();
    let same = operator.put_profile(&name("cw-b"), &at(5090)).await.unwrap_err();
    assert!(matches!(same, StoreError::Field("port", _)), "{same}");
    operator.put_profile(&name("cw-b"), &at(5091)).await.unwrap();
    let names: Vec<_> =
        operator.profiles().await.unwrap().into_iter().map(|one| one.name).collect();
    assert_eq!(names, [name("cw-a"), name("cw-b")]);
}

async fn a_profile_that_a_gateway_names_stays(bench: Bench) {
    let operator = bench.store.operator();
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    let settings = GatewaySettings {
        register: false,
        profile: Some(name("cw-a")),
        ..GatewaySettings::at("sip.example".parse().unwrap())
    };
    let carrier = "carrier".parse().unwrap();
    let id = scope.gateway_id(&carrier).await.unwrap();
    let unknown = scope.put_gateway(id, &carrier, &settings, None).await.unwrap_err();
    assert!(matches!(unknown, StoreError::Field("settings.profile", _)), "{unknown}");
    operator.put_profile(&name("cw-a"), &at(5090)).await.unwrap();
    scope.put_gateway(id, &carrier, &settings, None).await.unwrap();
    let named = operator.remove_profile(&name("cw-a")).await.unwrap_err();
    assert!(matches!(&named, StoreError::Conflict(why) if why.ends_with(": 1")), "{named}");
    // FreeSWITCH's own are not known here.
    let own = GatewaySettings { profile: Some(name("external")), ..settings };
    scope.put_gateway(id, &carrier, &own, None).await.unwrap();
    operator.remove_profile(&name("cw-a")).await.unwrap();
}

on_both! {
    a_profile_is_kept_changed_and_known_to_whoever_tells_freeswitch,
    two_profiles_never_have_one_port,
    a_profile_that_a_gateway_names_stays,
}
