//! Routes and rules for calls to numbers outside: laid down, refused and unlocked over the API.

use callwright::model::access::Role;
use reqwest::StatusCode;
use serde_json::json;

use crate::client::Place;

const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

#[tokio::test(flavor = "multi_thread")]
async fn a_route_is_laid_down_changed_as_it_was_read_and_forgotten() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let settings = json!({ "server": "sip.example", "register": false });
    let gateway = json!({ "settings": settings });
    for name in ["first", "second"] {
        let made = admin.put(&format!("/v1/tenants/acme/gateways/{name}"), &gateway).await;
        assert_eq!(made.status, StatusCode::OK, "{made:?}");
    }
    let path = "/v1/tenants/acme/routes/germany";
    let gateways = json!([{ "gateway": "first" }, { "gateway": "second", "order": 1 }]);
    let route = json!({ "prefix": "+49", "strip": 3, "prepend": "0", "gateways": gateways });
    let made = admin.put(path, &route).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    assert_eq!(made.body["fails_over"], json!([408, 500, 502, 503, 504]));
    let listed = admin.get("/v1/tenants/acme/routes").await;
    assert_eq!(listed.body["items"][0], made.body);
    let same = admin.get(path).await;
    let stale = [("if-match", "\"other\"")];
    let stale = admin.ask(reqwest::Method::PUT, path, Some(&route), &stale).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{stale:?}");
    let fresh = [("if-match", same.tag())];
    let fresh = admin.ask(reqwest::Method::PUT, path, Some(&route), &fresh).await;
    assert_eq!(fresh.status, StatusCode::OK, "{fresh:?}");
    for (body, field) in [
        (json!({ "gateways": [] }), "gateways"),
        (json!({ "gateways": [{ "gateway": "third" }] }), "gateways"),
        (json!({ "gateways": gateways, "fails_over": [200] }), "fails_over"),
    ] {
        let refused = admin.put(path, &body).await;
        assert_eq!((refused.status, &refused.body["field"]), (REFUSED, &json!(field)), "{body}");
    }
    assert_eq!(admin.delete(path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get(path).await.status, StatusCode::NOT_FOUND);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_may_be_called_is_laid_down_and_a_lock_is_shown_and_opened() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let path = "/v1/tenants/acme/outbound";
    let open = admin.get(path).await;
    let help = open.body["emergency"].as_array().unwrap();
    assert!(help.contains(&json!("112")) && help.contains(&json!("911")), "{open:?}");
    let rules = json!({ "denied": ["+88"], "calls": 5, "fraud": {
        "window": 60, "calls": 3, "prefixes": ["+900"], "unseen_digits": 3 },
        "caller": { "show": "own", "number": "+4930100", "name": "Acme" } });
    let laid = admin.put(path, &rules).await;
    assert_eq!((laid.status, &laid.body["calls"]), (StatusCode::OK, &json!(5)), "{laid:?}");
    assert_eq!(laid.body["caller"], rules["caller"]);
    let nobody = json!({ "caller": { "show": "own", "number": "nobody" } });
    let wrong = admin.put(path, &nobody).await;
    assert_eq!((wrong.status, &wrong.body["field"]), (REFUSED, &json!("caller")), "{wrong:?}");
    let wrong = admin.put(path, &json!({ "fraud": { "window": 60, "calls": 3 } })).await;
    assert_eq!((wrong.status, &wrong.body["field"]), (REFUSED, &json!("fraud")));

    let (usage, lock) = (format!("{path}/usage"), format!("{path}/lock"));
    let idle = admin.get(&usage).await;
    assert_eq!((&idle.body["calls"], &idle.body["lock"]), (&json!(0), &json!(null)), "{idle:?}");
    assert_eq!(admin.delete(&lock).await.status, StatusCode::NOT_FOUND);
    place.store.tenant(tenant).lock_outbound("too many").await.unwrap();
    assert_eq!(admin.get(&usage).await.body["lock"]["why"], "too many");
    let agent = place.asker(Some(tenant), Role::Agent).await;
    assert_eq!(agent.delete(&lock).await.status, StatusCode::FORBIDDEN);
    assert_eq!(admin.delete(&lock).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get(&usage).await.body["lock"], json!(null));
    let log = admin.get("/v1/tenants/acme/audit").await.body.to_string();
    assert!(log.contains("outbound.lock") && log.contains("outbound.unlock"), "{log}");
    place.end().await;
}
