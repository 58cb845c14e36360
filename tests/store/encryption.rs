//! Calls that have to be encrypted, and those that come without.

use callwright::base::ids::GatewayName;
use callwright::model::admission::Rule;
use callwright::model::gateway::{GatewaySettings, switch_name};
use callwright::model::profile::ProfileSettings;
use callwright::model::sip::MediaEncryption;
use callwright::store::{Asked, Caller, Directory, NewNumber, Sound, TenantScope};

use crate::bench::{Bench, name, on_both, publish};

async fn gateway(scope: &TenantScope, called: &str, encryption: MediaEncryption) -> GatewayName {
    let settings = GatewaySettings {
        register: false,
        addresses: vec![
            if called == "still" { "192.0.2.1/32" } else { "192.0.2.2/32" }.parse().unwrap(),
        ],
        encryption,
        ..GatewaySettings::at("sip.example".parse().unwrap())
    };
    let called = called.parse().unwrap();
    let id = scope.gateway_id(&called).await.unwrap();
    let made = scope.put_gateway(id, &called, &settings, None).await.unwrap();
    assert_eq!(made.gateway.settings, settings);
    switch_name(made.gateway.id)
}

/// Whether a call has to be encrypted, and by what it is declined.
fn heard(directory: &Directory, asked: &Asked<'_>, sound: Sound) -> (bool, Option<String>) {
    let caller = Caller { number: "100", sound, ..Caller::default() };
    let found = directory.routes().arrive(&Asked { dialed: "030100", ..*asked }, &caller).unwrap();
    let turned = found.screening.turned_away;
    assert!(turned.as_ref().is_none_or(|turned| turned.rule == Rule::Unencrypted));
    (found.encrypted, turned.map(|turned| turned.reason))
}

async fn a_call_without_srtp_is_declined_where_it_is_required_and_told_why(bench: Bench) {
    let scope = bench.store.tenant(bench.tenant("acme").await.id);
    publish(&bench.store, scope.id(), "main", "one").await;
    scope.put_number(&NewNumber::exact("030100", name("main"))).await.unwrap();
    let open = gateway(&scope, "open", MediaEncryption::Optional).await;
    let still = gateway(&scope, "still", MediaEncryption::Required).await;
    let profile = r#"{"for": "providers", "port": 5090, "encryption": "required"}"#;
    let profile: ProfileSettings = serde_json::from_str(profile).unwrap();
    bench.store.operator().put_profile(&"cw-a".parse().unwrap(), &profile).await.unwrap();
    let directory = Directory::start(&bench.store, &bench.config).await.unwrap();

    let (clear, srtp) = (Sound::default(), Sound { encrypted: true, ..Sound::default() });
    let by = |gateway| Asked { gateway: Some(gateway), ..Asked::default() };
    let from = |address| Asked { address: Some(address), ..Asked::default() };
    let from_open = Asked { address: Some("192.0.2.2"), ..by(open.as_str()) };
    let open = Asked { profile: Some("internal"), ..from_open };
    assert_eq!(heard(&directory, &open, clear), (false, None));
    for (asked, whose) in [
        (Asked { address: Some("192.0.2.1"), ..by(still.as_str()) }, "the gateway `still`"),
        (from("192.0.2.1"), "the gateway `still`"),
        (Asked { profile: Some("cw-a"), ..from("192.0.2.2") }, "the SIP profile `cw-a`"),
    ] {
        let (encrypted, declined) = heard(&directory, &asked, clear);
        let declined = declined.unwrap();
        assert!(encrypted && declined.starts_with(whose), "{declined}");
        assert_eq!(heard(&directory, &asked, srtp), (true, None), "{whose}");
    }
    let told = Sound { encrypted_only: true, ..clear };
    let (encrypted, declined) = heard(&directory, &from("192.0.2.2"), told);
    assert!(encrypted && declined.is_some(), "FreeSWITCH was told so when it looked its phone up");
}

on_both!(a_call_without_srtp_is_declined_where_it_is_required_and_told_why);
