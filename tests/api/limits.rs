//! Blocked callers and limits, over HTTP.

use callwright::model::access::Role;
use reqwest::StatusCode;
use serde_json::json;

use crate::client::Place;

const BLOCKED: &str = "/v1/tenants/acme/blocked-callers";
const LIMITS: &str = "/v1/tenants/acme/limits";

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_blocked_and_let_in_again() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let entry = json!({ "match": "prefix", "value": "+49900", "instead": { "decline": "busy" } });
    let put = admin.put(BLOCKED, &entry).await;
    assert_eq!((put.status, &put.body["value"]), (StatusCode::OK, &json!("+49900")));
    let withheld = admin.put(BLOCKED, &json!({ "match": "withheld" })).await;
    assert_eq!(withheld.body["instead"], json!({ "decline": "declined" }), "{withheld:?}");
    let empty = admin.put(BLOCKED, &json!({ "match": "exact", "value": "" })).await;
    assert_eq!((empty.status.as_u16(), &empty.body["field"]), (422, &json!("value")));
    let flow = json!({ "match": "withheld", "instead": { "flow": "nowhere" } });
    assert_eq!(admin.put(BLOCKED, &flow).await.status, StatusCode::NOT_FOUND);
    let listed = admin.get(BLOCKED).await.body;
    let items = listed["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[0]["calls"]), (2, &json!(0)), "{listed}");
    for path in ["?prefix=%2B49900", "?withheld=true"] {
        let gone = admin.delete(&format!("{BLOCKED}{path}")).await;
        assert_eq!(gone.status, StatusCode::NO_CONTENT, "{gone:?}");
    }
    for wrong in ["", "?exact=1&prefix=2", "?withheld=false"] {
        let refused = admin.delete(&format!("{BLOCKED}{wrong}")).await;
        assert_eq!(refused.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}: {refused:?}");
    }
    let log = admin.get("/v1/tenants/acme/audit?what=block").await.body;
    assert_eq!(log["items"].as_array().unwrap().len(), 4, "{log}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_limits_its_numbers_and_the_operator_the_tenant() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let operator = place.asker(None, Role::Operator).await;
    let whole = json!({ "calls": 10, "calls_per_second": 5 });
    let path = format!("{LIMITS}/tenant");
    assert_eq!(admin.put(&path, &whole).await.status, StatusCode::FORBIDDEN);
    let sneaky = json!({ "on": "tenant", "limits": { "calls": 1000 } });
    assert_eq!(admin.put(LIMITS, &sneaky).await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let put = operator.put(&path, &whole).await;
    assert_eq!((put.status, &put.body["limits"]), (StatusCode::OK, &whole), "{put:?}");
    let number = json!({ "on": "number", "name": "+4930100", "limits": { "calls": 2 } });
    assert_eq!(admin.put(LIMITS, &number).await.status, StatusCode::NOT_FOUND, "no such number");
    let listed = admin.get(LIMITS).await.body;
    assert_eq!(listed["items"], json!([{ "on": "tenant", "limits": whole }]), "{listed}");
    assert_eq!(operator.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get(LIMITS).await.body["items"], json!([]));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn how_numbers_are_written_is_the_tenants() {
    let place = Place::new().await;
    place.tenant("acme").await;
    let operator = place.asker(None, Role::Operator).await;
    let tenant = json!({ "slug": "acme", "name": "Acme", "timezone": "Europe/Berlin",
        "numbering": { "country": "49" } });
    let put = operator.put("/v1/tenants/acme", &tenant).await;
    assert_eq!(put.body["numbering"]["national_prefix"], "0", "{put:?}");
    let wrong = json!({ "slug": "acme", "name": "Acme", "timezone": "Europe/Berlin",
        "numbering": { "country": "049" } });
    let refused = operator.put("/v1/tenants/acme", &wrong).await;
    let field = (refused.status, &refused.body["field"]);
    assert_eq!(field, (StatusCode::UNPROCESSABLE_ENTITY, &json!("numbering")), "{refused:?}");
    place.end().await;
}
