//! Requests that are sent again.

use callwright::model::access::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Asker, Place, random};

async fn post(asker: &Asker, path: &str, body: &Value, name: &str) -> Answer {
    asker.ask(Method::POST, path, Some(body), &[("idempotency-key", name)]).await
}

fn tenant(slug: &str) -> Value {
    json!({ "slug": slug, "name": slug, "timezone": "UTC" })
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_request_with_the_same_key_is_done_once_and_answered_alike() {
    let place = Place::new().await;
    let operator = place.asker(None, Role::Operator).await;
    let path = "/v1/tenants";
    let first = post(&operator, path, &tenant("acme"), "k-1").await;
    assert_eq!(first.status, StatusCode::CREATED, "{first:?}");
    let again = post(&operator, path, &tenant("acme"), "k-1").await;
    assert_eq!((again.status, &again.body), (first.status, &first.body));
    assert_eq!(
        (again.tag(), again.header("content-type")),
        (first.tag(), Some("application/json"))
    );
    assert_eq!(again.header("idempotency-replayed"), Some("true"));

    let refused = post(&operator, path, &tenant("acme"), "k-2").await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "without the key it would be twice");
    let refused_again = post(&operator, path, &tenant("acme"), "k-2").await;
    assert_eq!((refused_again.status, refused_again.body), (refused.status, refused.body));

    let other = post(&operator, path, &tenant("other"), "k-1").await;
    assert_eq!(other.status, StatusCode::UNPROCESSABLE_ENTITY, "{other:?}");
    assert_eq!(other.body["code"], "idempotency_reused");
    assert_eq!(operator.get(path).await.body["items"].as_array().unwrap().len(), 1);

    let another = place.asker(None, Role::Operator).await;
    let theirs = post(&another, path, &tenant("third"), "k-1").await;
    assert_eq!(theirs.status, StatusCode::CREATED, "each API key has keys of its own");
    let long = post(&operator, path, &tenant("x"), &"k".repeat(256)).await;
    assert_eq!(long.status, StatusCode::BAD_REQUEST, "{long:?}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_at_once_one_is_done() {
    let place = Place::new().await;
    let operator = place.asker(None, Role::Operator).await;
    let mut asked = tokio::task::JoinSet::new();
    for _ in 0..20 {
        let operator = operator.clone();
        asked.spawn(async move { post(&operator, "/v1/tenants", &tenant("acme"), "k").await });
    }
    let answers = asked.join_all().await;
    let first = answers.iter().filter(|answer| answer.header("idempotency-replayed").is_none());
    let made = first.filter(|answer| answer.status == StatusCode::CREATED).count();
    assert_eq!(made, 1);
    for answer in &answers {
        let running = answer.body["code"] == "idempotency_running";
        assert!(answer.status == StatusCode::CREATED || running, "{answer:?}");
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_was_made_is_not_shown_again_and_lies_nowhere() {
    let place = Place::new().await;
    let id = place.tenant("acme").await;
    let admin = place.asker(Some(id), Role::Admin).await;
    let (path, body) = ("/v1/tenants/acme/keys", json!({ "name": "wall", "role": "reader" }));
    let made = post(&admin, path, &body, "k").await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let again = post(&admin, path, &body, "k").await;
    assert_eq!((again.status, &again.body["code"]), (StatusCode::CONFLICT, &json!("done_already")));
    let secret = random(made.body["secret"].as_str().unwrap());
    for file in ["test.db", "test.db-wal"] {
        let bytes = std::fs::read(place.folder.path().join(file)).unwrap_or_default();
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "the secret is in {file}");
    }
    place.end().await;
}
