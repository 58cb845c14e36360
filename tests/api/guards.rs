//! What holds for every endpoint: limits, tags, names of requests, problems.

use callwright::model::access::Role;
use ipnet::IpNet;
use reqwest::{Method, StatusCode};
use serde_json::json;

use crate::client::Place;

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_asks_too_often_is_told_when_to_come_again_and_others_are_not() {
    let place = Place::with(|config| {
        config.api.per_second = 1;
        config.api.burst = 3;
    })
    .await;
    let tenant = place.tenant("acme").await;
    let (one, two) = (
        place.asker(Some(tenant), Role::Reader).await,
        place.asker(Some(tenant), Role::Reader).await,
    );
    let mut last = one.get("/v1/me").await;
    for _ in 0..5 {
        last = one.get("/v1/me").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(last.header("retry-after"), Some("1"));
    assert_eq!(last.body["code"], "too_often");
    let other = two.get("/v1/me").await;
    assert_eq!((other.status, other.header("ratelimit-limit")), (StatusCode::OK, Some("3")));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_asks_from_where_the_api_is_not_open() {
    let only: IpNet = "192.0.2.0/24".parse().unwrap();
    let place = Place::with(|config| config.api.allow = vec![only]).await;
    for path in ["/v1/me", "/v1/openapi.json"] {
        assert_eq!(place.nobody().get(path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_changed_since_it_was_read_is_not_overwritten() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let path = "/v1/tenants/acme/rules";
    let read = admin.get(path).await;
    let known = [("if-none-match", read.tag())];
    let again = admin.ask(Method::GET, path, None, &known).await;
    assert_eq!(again.status, StatusCode::NOT_MODIFIED);

    let new = json!({ "keys": { "codes": { "hold": "*1" } } });
    let guard = [("if-match", read.tag())];
    let changed = admin.ask(Method::PUT, path, Some(&new), &guard).await;
    assert_eq!(changed.status, StatusCode::OK, "{changed:?}");
    let late = admin.ask(Method::PUT, path, Some(&json!({})), &guard).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{late:?}");
    assert_eq!(admin.get(path).await.body["keys"]["codes"]["hold"], "*1");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_body_is_named_where_it_is_wrong_and_a_long_one_refused() {
    let place = Place::with(|config| config.api.body = 2_000).await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let path = "/v1/tenants/acme/rules";
    let wrong = admin.put(path, &json!({ "keys": { "next_key": "soon" } })).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(wrong.header("content-type"), Some("application/problem+json"));
    assert_eq!(wrong.body["field"], "keys.next_key", "{wrong:?}");
    assert_eq!(wrong.body["code"], "invalid");
    let long = admin.put(path, &json!({ "music": "a".repeat(3_000) })).await;
    assert_eq!(long.status, StatusCode::PAYLOAD_TOO_LARGE);
    let method = admin.delete("/v1/me").await;
    assert_eq!(
        (method.status, method.body["code"].as_str()),
        (StatusCode::METHOD_NOT_ALLOWED, Some("method_not_allowed"),)
    );
    assert_eq!(admin.get("/v1/nothing").await.body["code"], "not_found");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_answer_has_the_name_of_its_request_and_a_strange_name_is_not_repeated() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let reader = place.asker(Some(tenant), Role::Reader).await;
    let named = [("x-request-id", "job-17")];
    let answer = reader.ask(Method::GET, "/v1/me", None, &named).await;
    assert_eq!(answer.header("x-request-id"), Some("job-17"));
    let strange = [("x-request-id", "a b<script>")];
    let answer = reader.ask(Method::GET, "/v1/me", None, &strange).await;
    let name = answer.header("x-request-id").unwrap();
    assert!(name.parse::<uuid::Uuid>().is_ok(), "{name}");
    place.end().await;
}
