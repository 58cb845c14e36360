//! Schedules: opening hours that flows name.

use callwright::model::access::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Asker, Place};

const SHOP: &str = "/v1/tenants/acme/schedules/shop";

async fn admin(place: &Place) -> Asker {
    let tenant = place.tenant("acme").await;
    place.asker(Some(tenant), Role::Admin).await
}

fn flow(schedule: &str) -> Value {
    json!({
        "callwright": 1,
        "start": "open",
        "steps": {
            "open": { "kind": "hours", "schedule": schedule, "next": "bye",
                "on": { "closed": "bye" } },
            "bye": { "kind": "hangup" },
        },
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_schedule_is_checked_told_of_and_kept_while_a_live_flow_names_it() {
    let place = Place::new().await;
    let admin = admin(&place).await;
    let draft = "/v1/tenants/acme/flows/main/draft";
    admin.put(draft, &json!({ "document": flow("shop") })).await;
    let publish = "/v1/tenants/acme/flows/main/publish";
    let missing = admin.post(publish, &json!({ "revision": 1 })).await;
    assert_eq!(missing.status, StatusCode::UNPROCESSABLE_ENTITY, "{missing:?}");
    assert_eq!(missing.body["problems"][0]["code"], "unknown-schedule");
    assert_eq!(missing.body["problems"][0]["path"], "steps.open.schedule");

    let wrong = json!({ "weekly": { "mon": ["9-17"] }, "timezone": "Berlin" });
    let wrong = admin.put(SHOP, &wrong).await;
    assert_eq!(wrong.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong:?}");
    let paths: Vec<_> = wrong.body["problems"].as_array().unwrap().iter().collect();
    assert_eq!(
        (&paths[0]["path"], &paths[1]["path"]),
        (&json!("timezone"), &json!("weekly.mon.0"))
    );
    let hours = json!({ "weekly": { "mon": ["09:00-17:00"] }, "timezone": "Europe/Berlin",
        "holidays": [{ "date": "12-25", "name": "Christmas" }] });
    let made = admin.put(SHOP, &hours).await;
    assert_eq!((made.status, &made.body["name"]), (StatusCode::OK, &json!("shop")), "{made:?}");
    let same = admin.put(SHOP, &hours).await;
    assert_eq!(same.body, made.body, "nothing has changed");
    let guard = [("if-match", "\"other\"")];
    let late = admin.ask(Method::PUT, SHOP, Some(&json!({})), &guard).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{late:?}");

    for (at, state, next) in [
        ("2026-11-23T08:00:00Z", "open", json!("2026-11-23T16:00:00Z")),
        ("2026-11-23T16:00:00Z", "closed", json!("2026-11-30T08:00:00Z")),
        ("2026-12-25T08:00:00Z", "holiday", json!("2026-12-28T08:00:00Z")),
    ] {
        let stands = admin.get(&format!("{SHOP}/state?at={at}")).await.body;
        assert_eq!((&stands["state"], &stands["next_change"]), (&json!(state), &next), "{stands}");
    }
    assert_eq!(admin.post(publish, &json!({ "revision": 1 })).await.status, StatusCode::OK);
    let used = admin.delete(SHOP).await;
    assert_eq!(used.status, StatusCode::CONFLICT, "{used:?}");
    assert_eq!(used.body["detail"], "the schedule `shop` is named by the flow `main`");
    let plain =
        json!({ "callwright": 1, "start": "bye", "steps": { "bye": { "kind": "hangup" } } });
    admin.put(draft, &json!({ "document": plain, "revision": 1 })).await;
    admin.post(publish, &json!({ "revision": 2 })).await;
    assert_eq!(admin.delete(SHOP).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get("/v1/tenants/acme/schedules").await.body["items"], json!([]));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flow_is_tried_with_the_tenants_own_schedules() {
    let place = Place::new().await;
    let admin = admin(&place).await;
    admin.put(SHOP, &json!({})).await;
    let trial = json!({ "flow": "main", "document": flow("shop"), "script": { "dial": "100" } });
    let tried = admin.post("/v1/tenants/acme/flow-simulate", &trial).await;
    assert_eq!(tried.status, StatusCode::OK, "{tried:?}");
    let path = tried.body["record"]["path"].to_string();
    assert!(path.contains("closed"), "{path}");
    let always = json!(["00:00-24:00"]);
    let week = json!({ "mon": always, "tue": always, "wed": always, "thu": always, "fri": always,
        "sat": always, "sun": always });
    admin.put(SHOP, &json!({ "weekly": week })).await;
    let tried = admin.post("/v1/tenants/acme/flow-simulate", &trial).await;
    let path = tried.body["record"]["path"].to_string();
    assert!(!path.contains("closed") && path.contains("open"), "{path}");
    place.end().await;
}
