//! What a new tenant does first, from its own programs alone.

use callwright::model::access::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Asker, Place};

fn flow(next: &str) -> Value {
    json!({
        "callwright": 1,
        "start": "pick-up",
        "steps": {
            "pick-up": { "kind": "answer", "next": next },
            "bye": { "kind": "hangup" },
        },
    })
}

async fn good(asker: &Asker, path: &str) -> Value {
    let answer = asker.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{path}: {answer:?}");
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_made_and_gets_a_flow_a_number_and_a_room_over_http_alone() {
    let place = Place::new().await;
    let operator = place.asker(None, Role::Operator).await;
    let made = operator
        .post("/v1/tenants", &json!({ "slug": "acme", "name": "Acme", "timezone": "UTC" }))
        .await;
    assert_eq!(made.status, StatusCode::CREATED, "{made:?}");
    let twice = operator
        .post("/v1/tenants", &json!({ "slug": "acme", "name": "Acme", "timezone": "UTC" }))
        .await;
    assert_eq!(twice.status, StatusCode::CONFLICT);
    let body = json!({ "name": "backend", "role": "admin" });
    // What was answered is in force.
    let key = operator.post("/v1/tenants/acme/keys", &body).await;
    assert_eq!(key.status, StatusCode::CREATED, "{key:?}");
    let admin = place.with_key(key.body["secret"].as_str().unwrap());
    assert_eq!(admin.get("/v1/me").await.status, StatusCode::OK);

    let findings = admin.post("/v1/tenants/acme/flow-check", &flow("nowhere")).await;
    assert_eq!((findings.status, &findings.body["good"]), (StatusCode::OK, &json!(false)));
    let codes = findings.body["problems"].to_string();
    assert!(codes.contains("dangling-target"), "{codes}");
    let draft = "/v1/tenants/acme/flows/main/draft";
    let saved = admin.put(draft, &json!({ "document": flow("nowhere") })).await;
    assert_eq!((saved.status, &saved.body["draft_revision"]), (StatusCode::OK, &json!(1)));
    let publish = "/v1/tenants/acme/flows/main/publish";
    let refused = admin.post(publish, &json!({ "revision": 1 })).await;
    assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{refused:?}");
    let paths = refused.body["problems"].to_string();
    assert!(paths.contains("steps.pick-up.next"), "{paths}");
    admin.put(draft, &json!({ "document": flow("bye"), "revision": 1 })).await;
    let published = admin.post(publish, &json!({ "revision": 2, "note": "first" })).await;
    assert_eq!((published.status, &published.body["version"]), (StatusCode::OK, &json!(1)));

    let number = json!({ "match": "exact", "value": "+15550100", "flow": "main" });
    assert_eq!(admin.put("/v1/tenants/acme/numbers", &number).await.status, StatusCode::OK);
    let numbers = good(&admin, "/v1/tenants/acme/numbers").await;
    assert_eq!(numbers["items"][0]["value"], "+15550100");
    let gone = admin.delete("/v1/tenants/acme/numbers?exact=%2B15550100").await;
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{gone:?}");

    let room = json!({ "member_pin": "1234", "most": 10 });
    let kept = admin.put("/v1/tenants/acme/rooms/all", &room).await;
    assert_eq!(kept.body["settings"]["member_pin"], "1234", "{kept:?}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_is_shown_only_to_who_may_change_it() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let reader = place.asker(Some(tenant), Role::Reader).await;
    let path = "/v1/tenants/acme/rooms/all";
    admin.put(path, &json!({ "member_pin": "1234", "moderator_pin": "98765" })).await;
    let shown = good(&reader, path).await.to_string();
    assert!(!shown.contains("1234") && !shown.contains("98765"), "{shown}");
    assert!(good(&admin, path).await.to_string().contains("98765"));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_known_of_a_call_that_is_not_there() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let id = "0190a8c4-0000-7000-8000-000000000001";
    let calls = good(&admin, "/v1/tenants/acme/calls").await;
    assert_eq!(calls["items"], json!([]));
    let hang_up = json!({ "hangup": { "cause": "NORMAL_CLEARING" } });
    let path = format!("/v1/tenants/acme/calls/{id}/commands");
    assert_eq!(admin.post(&path, &hang_up).await.status, StatusCode::NOT_FOUND);
    for rest in ["records/ID", "records/ID/timeline", "calls/ID", "calls/no-id"] {
        let path = format!("/v1/tenants/acme/{}", rest.replace("ID", id));
        assert_eq!(admin.get(&path).await.status, StatusCode::NOT_FOUND, "{path}");
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_is_in_the_audit_log_with_the_key_and_the_request_that_made_it() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let named = [("x-request-id", "change-7")];
    let path = "/v1/tenants/acme/rooms/all";
    let pin = json!({ "member_pin": "1234" });
    admin.ask(reqwest::Method::PUT, path, Some(&pin), &named).await;
    let log = good(&admin, "/v1/tenants/acme/audit?what=room").await;
    let entry = &log["items"][0];
    assert_eq!((&entry["what"], &entry["subject"]), (&json!("room.put"), &json!("all")));
    assert_eq!((&entry["who"], &entry["request"]), (&json!("key the admin's"), &json!("change-7")));
    assert_eq!(entry["after"]["member_pin"], "•");
    let me = good(&admin, "/v1/me").await;
    assert_eq!(entry["key"], me["key"]["id"]);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_call_to_be_placed_is_told_by_its_field() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let connect = json!({ "connect": { "extension": "201" } });
    let none = json!({ "flow": { "name": "gone" } });
    let (to, odd) = (json!({ "extension": "200" }), json!({ "extension": "2,0" }));
    let path = "/v1/tenants/acme/calls";
    for (to, then, field) in [(&to, &none, "then.flow.name"), (&odd, &connect, "to")] {
        let answer = admin.post(path, &json!({ "to": to, "then": then })).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{answer:?}");
        assert_eq!(answer.body["field"], field, "{answer:?}");
    }
    let right = admin.post(path, &json!({ "to": to, "then": connect })).await;
    assert_eq!(right.status, StatusCode::SERVICE_UNAVAILABLE, "there is no link: {right:?}");
    place.end().await;
}
