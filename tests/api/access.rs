//! Who may do what: every endpoint with every role, and with another tenant's key.

use std::time::Duration;

use callwright::api::powers;
use callwright::model::access::{Power, Role};
use callwright::store::NewApiKey;
use jiff::Timestamp;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::{Place, key, random};

/// A path with a name in the place of each of its parts.
fn filled(path: &str, tenant: &str) -> String {
    let id = "0190a8c4-0000-7000-8000-000000000001";
    let parts = [
        ("{tenant}", tenant),
        ("{key}", id),
        ("{call}", id),
        ("{version}", "1"),
        ("{flow}", "main"),
        ("{room}", "main"),
        ("{prompt}", "main"),
        ("{recording}", id),
        ("{gateway}", "main"),
        ("{queue}", "main"),
        ("{route}", "main"),
        ("{extension}", "main"),
        ("{profile}", "cw-main"),
        ("{user}", "main"),
        ("{schedule}", "main"),
        ("{token}", id),
        ("{webhook}", "main"),
        ("{delivery}", id),
    ];
    let filled = parts.iter().fold(path.to_owned(), |path, (part, with)| path.replace(part, with));
    assert!(!filled.contains('{'), "{filled}: what is that part?");
    // It would not end.
    if filled.ends_with("/events/stream") { filled + "?after=99999999" } else { filled }
}

#[tokio::test(flavor = "multi_thread")]
async fn each_role_may_do_what_the_table_says_and_nothing_more() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    for role in Role::ALL {
        let own = (role != Role::Operator).then_some(tenant);
        let asker = place.asker(own, role).await;
        for (method, path, power) in powers() {
            let may = power.is_none_or(|power| role.may(power));
            let body = (method != Method::GET && method != Method::DELETE).then(|| json!([]));
            let what = format!("{role}: {method} {path}");
            let answer = asker.ask(method, &filled(path, "acme"), body.as_ref(), &[]).await;
            let forbidden = answer.status == StatusCode::FORBIDDEN;
            assert_eq!(forbidden, !may, "{what}: {answer:?}");
            assert_ne!(answer.status, StatusCode::UNAUTHORIZED, "{what}");
            assert!(!answer.status.is_server_error() || answer.status == 503, "{what}: {answer:?}");
        }
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_tenants_key_finds_nothing_at_any_endpoint() {
    // They are more than a key may ask at once.
    let place = Place::with(|config| config.api.burst = 10_000).await;
    place.tenant("acme").await;
    let other = place.tenant("other").await;
    let asker = place.asker(Some(other), Role::Admin).await;
    let mut seen = Vec::new();
    for (method, path, _) in powers().into_iter().filter(|(_, path, _)| path.contains("{tenant}")) {
        for slug in ["acme", "nobody"] {
            let path = filled(path, slug);
            let answer = asker.ask(method.clone(), &path, Some(&json!({})), &[]).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{method} {path}");
            seen.push(answer.body);
        }
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "a tenant that is there and one that is not look the same: {seen:?}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_wrong_over_revoked_or_from_elsewhere_counts_for_nothing() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let unauthorized = StatusCode::UNAUTHORIZED;
    let nobody = place.nobody().get("/v1/me").await;
    assert_eq!((nobody.status, nobody.header("www-authenticate")), (unauthorized, Some("Bearer")));
    for wrong in ["", "cw_x_y", "cw_0190a8c4000070008000000000000001_x"] {
        assert_eq!(place.with_key(wrong).get("/v1/me").await.status, unauthorized, "{wrong}");
    }
    let scope = place.store.tenant(tenant);
    let (known, secret) = scope.add_api_key(&key(Role::Reader)).await.unwrap();
    let guessed = format!("{}x", secret.reveal());
    let asker = place.with_key(secret.reveal());
    while asker.get("/v1/me").await.status != StatusCode::OK {}
    assert_eq!(place.with_key(&guessed).get("/v1/me").await.status, unauthorized);
    scope.revoke_api_key(known.id).await.unwrap();
    while asker.get("/v1/me").await.status != unauthorized {}

    let far = NewApiKey { addresses: vec!["192.0.2.0/24".parse().unwrap()], ..key(Role::Reader) };
    let far = place.asker_with(Some(tenant), &far).await;
    assert_eq!(far.get("/v1/me").await.status, StatusCode::FORBIDDEN);
    let expires = Some(Timestamp::now() + Duration::from_millis(1_500));
    let short = NewApiKey { expires, ..key(Role::Reader) };
    let short = place.asker_with(Some(tenant), &short).await;
    while short.get("/v1/me").await.status != unauthorized {}
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_can_be_cut_down_and_never_made_more_than_its_maker() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let cut = NewApiKey { powers: [Power::CallsRead].into(), ..key(Role::Supervisor) };
    let cut = place.asker_with(Some(tenant), &cut).await;
    assert_eq!(cut.get("/v1/tenants/acme/calls").await.status, StatusCode::OK);
    assert_eq!(cut.get("/v1/tenants/acme/records").await.status, StatusCode::FORBIDDEN);

    let admin = place.asker(Some(tenant), Role::Admin).await;
    let keys = "/v1/tenants/acme/keys";
    let made = admin.post(keys, &json!({ "name": "wall", "role": "reader" })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let secret = made.body["secret"].as_str().unwrap();
    assert!(secret.starts_with("cw_"));
    let operator = admin.post(keys, &json!({ "name": "more", "role": "operator" })).await;
    assert_eq!(operator.status, StatusCode::UNPROCESSABLE_ENTITY, "{operator:?}");
    let listed = admin.get(keys).await.body.to_string();
    assert!(listed.contains("wall") && !listed.contains(secret));
    let file = std::fs::read(place.folder.path().join("test.db")).unwrap();
    let wal = std::fs::read(place.folder.path().join("test.db-wal")).unwrap_or_default();
    let random = random(secret).as_bytes();
    let holds = |bytes: &[u8]| bytes.windows(random.len()).any(|window| window == random);
    assert!(!holds(&file) && !holds(&wal), "the secret is in the database");
    place.end().await;
}
