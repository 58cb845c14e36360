//! Users, and tokens that are minted for them and for nobody.

use std::time::Duration;

use callwright::model::access::{Power, Role};
use callwright::store::NewApiKey;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

use crate::client::{Answer, Asker, Place, key};

const USERS: &str = "/v1/tenants/acme/users";
const TOKENS: &str = "/v1/tenants/acme/tokens";
const ANN: &str = "/v1/tenants/acme/users/ann@acme.example";

fn user(role: Role, enabled: bool) -> Value {
    json!({ "name": "Ann", "role": role, "extension": "201", "enabled": enabled })
}

fn bearer(place: &Place, minted: &Answer) -> Asker {
    assert_eq!(minted.status, StatusCode::CREATED, "{minted:?}");
    place.with_key(minted.body["token"].as_str().unwrap())
}

async fn admin(place: &Place) -> Asker {
    let tenant = place.tenant("acme").await;
    place.asker(Some(tenant), Role::Admin).await
}

/// Asks until who they are is answered with this.
async fn soon(asker: &Asker, status: StatusCode) {
    let began = std::time::Instant::now();
    while asker.get("/v1/me").await.status != status {
        assert!(began.elapsed() < Duration::from_secs(10), "never {status}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_users_token_does_what_the_user_may_and_is_told_as_theirs() {
    let place = Place::new().await;
    let admin = admin(&place).await;
    assert_eq!(admin.put(ANN, &user(Role::Agent, true)).await.status, StatusCode::OK);
    let minted = admin.post(TOKENS, &json!({ "user": "ann@acme.example" })).await;
    assert_eq!(minted.body["about"]["role"], "agent", "{minted:?}");
    let ann = bearer(&place, &minted);
    soon(&ann, StatusCode::OK).await;
    let me = ann.get("/v1/me").await.body;
    assert_eq!((&me["user"]["name"], &me["key"]), (&json!("ann@acme.example"), &Value::Null));
    assert_eq!(ann.get("/v1/tenants/acme/calls").await.status, StatusCode::OK);
    assert_eq!(ann.get("/v1/tenants/acme/audit").await.status, StatusCode::FORBIDDEN);
    // A supervisor now, but the token was minted for an agent.
    admin.put(ANN, &user(Role::Supervisor, true)).await;
    let new = admin.post(TOKENS, &json!({ "user": "ann@acme.example" })).await;
    let supervisor = bearer(&place, &new);
    while supervisor.get("/v1/tenants/acme/audit").await.status != StatusCode::OK {}
    assert_eq!(ann.get("/v1/tenants/acme/audit").await.status, StatusCode::FORBIDDEN);

    let manner = json!({ "mode": "listen", "to": "far" });
    let listen =
        |by: &str| json!({ "begin": { "by": by, "manner": manner, "reason": "training" } });
    let call = "/v1/tenants/acme/calls/0190a8c4-0000-7000-8000-000000000001/monitor";
    let as_another = supervisor.post(call, &listen("202")).await;
    assert_eq!(as_another.status, StatusCode::FORBIDDEN, "{as_another:?}");
    assert_eq!(as_another.body["field"], "begin.by");
    assert_eq!(supervisor.post(call, &listen("201")).await.status, StatusCode::NOT_FOUND);

    let boss = json!({ "user": "ann@acme.example", "role": "reader" });
    assert_eq!(admin.post(TOKENS, &boss).await.body["about"]["role"], "reader");
    let log = admin.get("/v1/tenants/acme/audit?what=token").await.body;
    assert_eq!(log["items"].as_array().unwrap().len(), 3);
    assert_eq!(log["items"][2]["subject"], me["token"]["id"]);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_done_with_a_token_is_written_down_as_its_users_by_its_key() {
    let place = Place::new().await;
    let admin = admin(&place).await;
    admin.put(ANN, &user(Role::Admin, true)).await;
    let minted = admin.post(TOKENS, &json!({ "user": "ann@acme.example" })).await;
    let ann = bearer(&place, &minted);
    soon(&ann, StatusCode::OK).await;
    ann.put("/v1/tenants/acme/rooms/all", &json!({})).await;
    let wall = json!({ "label": "wall", "role": "admin", "ttl_s": 60 });
    let wall = bearer(&place, &admin.post(TOKENS, &wall).await);
    wall.put("/v1/tenants/acme/rooms/all", &json!({ "most": 3 })).await;
    let log = admin.get("/v1/tenants/acme/audit?what=room").await.body;
    assert_eq!(log["items"][0]["who"], "token wall by key the admin's");
    assert_eq!(log["items"][1]["who"], "token of user ann@acme.example by key the admin's");
    assert_eq!(log["items"][1]["key"], minted.body["about"]["key"]);
    for asker in [&ann, &wall] {
        let more = asker.post(TOKENS, &json!({ "label": "more", "role": "reader" })).await;
        assert_eq!(more.status, StatusCode::FORBIDDEN, "{more:?}");
        let key = json!({ "name": "more", "role": "reader" });
        let key = asker.post("/v1/tenants/acme/keys", &key).await;
        assert_eq!(key.status, StatusCode::FORBIDDEN, "{key:?}");
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_ends_with_its_user_its_key_and_its_time() {
    let place = Place::new().await;
    let admin = admin(&place).await;
    admin.put(ANN, &user(Role::Agent, true)).await;
    let mint = async |who: Value| bearer(&place, &admin.post(TOKENS, &who).await);
    let of_ann = json!({ "user": "ann@acme.example" });
    let ann = mint(of_ann.clone()).await;
    soon(&ann, StatusCode::OK).await;
    admin.put(ANN, &user(Role::Agent, false)).await;
    soon(&ann, StatusCode::UNAUTHORIZED).await;
    let disabled = admin.post(TOKENS, &of_ann).await;
    assert_eq!(disabled.status, StatusCode::CONFLICT, "{disabled:?}");
    admin.put(ANN, &user(Role::Agent, true)).await;
    let anew = mint(of_ann.clone()).await;
    soon(&anew, StatusCode::OK).await;
    assert_eq!(ann.get("/v1/me").await.status, StatusCode::UNAUTHORIZED, "it stays over");
    assert_eq!(admin.delete(ANN).await.status, StatusCode::NO_CONTENT);
    soon(&anew, StatusCode::UNAUTHORIZED).await;
    admin.put(ANN, &user(Role::Agent, true)).await;
    let another = mint(of_ann).await;
    soon(&another, StatusCode::OK).await;
    assert_eq!(anew.get("/v1/me").await.status, StatusCode::UNAUTHORIZED, "another Ann");

    let short = mint(json!({ "label": "x", "role": "reader", "ttl_s": 1 })).await;
    soon(&short, StatusCode::UNAUTHORIZED).await;
    let id = another.get("/v1/me").await.body["token"]["key"].as_str().unwrap().to_owned();
    let operator = place.asker(None, Role::Operator).await;
    let revoked = operator.delete(&format!("/v1/tenants/acme/keys/{id}")).await;
    assert_eq!(revoked.status, StatusCode::NO_CONTENT, "{revoked:?}");
    soon(&another, StatusCode::UNAUTHORIZED).await;
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_token_ends_at_once_and_no_other_does() {
    let place = Place::new().await;
    let admin = admin(&place).await;
    let mint =
        async |label: &str| admin.post(TOKENS, &json!({ "label": label, "role": "reader" })).await;
    let (one, two) = (mint("one").await, mint("two").await);
    let (first, second) = (bearer(&place, &one), bearer(&place, &two));
    soon(&first, StatusCode::OK).await;
    let list = admin.get(TOKENS).await;
    assert_eq!(list.body["items"], json!([two.body["about"], one.body["about"]]), "{list:?}");
    let signature = one.body["token"].as_str().unwrap().rsplit_once('.').unwrap().1;
    assert!(!list.body.to_string().contains(signature));
    let page = admin.get(&format!("{TOKENS}?limit=1")).await.body;
    let next = page["next"].as_str().unwrap();
    let page = admin.get(&format!("{TOKENS}?limit=1&cursor={next}")).await.body;
    assert_eq!((&page["items"][0], &page["next"]), (&one.body["about"], &Value::Null));

    let path = format!("{TOKENS}/{}", one.body["about"]["id"].as_str().unwrap());
    assert_eq!(first.delete(&path).await.status, StatusCode::FORBIDDEN, "a token mints nothing");
    let other = place.tenant("other").await;
    let stranger = place.asker(Some(other), Role::Admin).await;
    let theirs = path.replace("acme", "other");
    assert_eq!(stranger.delete(&theirs).await.status, StatusCode::NOT_FOUND);
    assert_eq!(first.get("/v1/me").await.status, StatusCode::OK);
    assert_eq!(admin.delete(&path).await.status, StatusCode::NO_CONTENT);
    soon(&first, StatusCode::UNAUTHORIZED).await;
    assert_eq!(second.get("/v1/me").await.status, StatusCode::OK);
    assert_eq!(admin.delete(&path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(admin.get(TOKENS).await.body["items"], json!([two.body["about"]]));
    let log = admin.get("/v1/tenants/acme/audit?what=token.revoke").await.body;
    assert_eq!(log["items"][0]["before"]["label"], "one", "{log}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_token_is_wider_than_its_key_and_none_is_forged() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let powers = [Power::TokensMint, Power::CallsRead].into();
    let narrow = NewApiKey { powers, ..key(Role::Admin) };
    let backend = place.asker_with(Some(tenant), &narrow).await;
    let refused = [
        (json!({ "label": "x", "role": "reader", "powers": ["flows:read"] }), "powers"),
        (json!({ "label": "x", "role": "admin", "powers": ["tokens:mint"] }), "powers"),
        (json!({ "label": "x", "role": "operator" }), "role"),
        (json!({ "label": "x" }), "role"),
        (json!({ "label": " ", "role": "reader" }), "label"),
        (json!({ "user": "nobody" }), "user"),
        (json!({ "label": "x", "role": "reader", "ttl_s": 3_601 }), "ttl_s"),
    ];
    for (body, field) in refused {
        let answer = backend.post(TOKENS, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{body}: {answer:?}");
        assert_eq!(answer.body["field"], field, "{answer:?}");
    }
    let both = backend.post(TOKENS, &json!({ "label": "x", "user": "x", "role": "reader" })).await;
    assert_eq!(both.status, StatusCode::UNPROCESSABLE_ENTITY, "{both:?}");

    let minted = backend.post(TOKENS, &json!({ "label": "x", "role": "admin" })).await;
    let wall = bearer(&place, &minted);
    assert_eq!(wall.get("/v1/tenants/acme/calls").await.status, StatusCode::OK);
    assert_eq!(wall.get("/v1/tenants/acme/flows").await.status, StatusCode::FORBIDDEN);
    assert_eq!(wall.get("/v1/me").await.body["powers"], json!(["calls:read"]));
    let text = minted.body["token"].as_str().unwrap();
    let said = text.split('.').nth(1).unwrap();
    let other = minted.body["about"].to_string().replace("\"admin\"", "\"agent\"");
    let other = base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, other);
    for forged in [text.replace(said, &other), text[..text.len() - 1].into(), format!("{text}.x")] {
        let status = place.with_key(&forged).get("/v1/me").await.status;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{forged}");
    }
    // An operator's own key mints for a tenant, and the token is that tenant's.
    place.tenant("other").await;
    let operator = place.asker(None, Role::Operator).await;
    let minted = operator.post(TOKENS, &json!({ "label": "y", "role": "admin" })).await;
    let of_acme = bearer(&place, &minted);
    assert_eq!(of_acme.get("/v1/tenants/acme/calls").await.status, StatusCode::OK);
    assert_eq!(of_acme.get("/v1/tenants/other/calls").await.status, StatusCode::NOT_FOUND);
    assert_eq!(of_acme.get("/v1/tenants").await.status, StatusCode::FORBIDDEN);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_token_has_a_pace_and_idempotency_keys_of_its_own_or_its_users() {
    let place = Place::with(|config| {
        config.api.per_second = 1;
        config.api.burst = 20;
    })
    .await;
    let admin = admin(&place).await;
    let label = |label: &str| json!({ "label": label, "role": "admin" });
    let one = bearer(&place, &admin.post(TOKENS, &label("one")).await);
    let two = bearer(&place, &admin.post(TOKENS, &label("two")).await);
    let once = [("idempotency-key", "k")];
    let flow = json!({ "callwright": 1, "start": "bye", "steps": { "bye": { "kind": "hangup" } } });
    let path = "/v1/tenants/acme/flow-check";
    let first = one.ask(Method::POST, path, Some(&flow), &once).await;
    let again = one.ask(Method::POST, path, Some(&flow), &once).await;
    assert_eq!((first.status, again.status), (StatusCode::OK, StatusCode::OK));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    let another = two.ask(Method::POST, path, Some(&flow), &once).await;
    assert_eq!(another.header("idempotency-replayed"), None, "{another:?}");
    let mut last = one.get("/v1/me").await;
    for _ in 0..25 {
        last = one.get("/v1/me").await;
    }
    assert_eq!(last.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(two.get("/v1/me").await.status, StatusCode::OK);
    assert_eq!(admin.get("/v1/me").await.status, StatusCode::OK);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_is_laid_down_changed_listed_and_forgotten() {
    let place = Place::new().await;
    let admin = admin(&place).await;
    let made = admin.put(ANN, &user(Role::Agent, true)).await;
    assert_eq!(made.body["settings"]["extension"], "201", "{made:?}");
    let guard = [("if-match", "\"other\"")];
    let late = admin.ask(Method::PUT, ANN, Some(&user(Role::Reader, true)), &guard).await;
    assert_eq!(late.status, StatusCode::PRECONDITION_FAILED, "{late:?}");
    let operator = admin.put(ANN, &json!({ "role": "operator" })).await;
    assert_eq!((operator.status.as_u16(), &operator.body["field"]), (422, &json!("role")));
    let odd = admin.put("/v1/tenants/acme/users/%20", &user(Role::Agent, true)).await;
    assert_eq!(odd.status, StatusCode::NOT_FOUND);
    let listed = admin.get(USERS).await.body;
    assert_eq!(listed["items"], json!([made.body]));
    assert_eq!(admin.delete(ANN).await.status, StatusCode::NO_CONTENT);
    assert_eq!(admin.get(ANN).await.status, StatusCode::NOT_FOUND);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_may_ask_from_pages_of_named_origins_and_no_others() {
    let origin = "https://app.example.com";
    let place = Place::with(|config| {
        config.api.origins = vec![origin.to_owned().try_into().unwrap()];
    })
    .await;
    let asking = |origin: &'static str| {
        [
            ("origin", origin),
            ("access-control-request-method", "PUT"),
            ("access-control-request-headers", "authorization,if-match,idempotency-key"),
        ]
    };
    let allowed = "access-control-allow-origin";
    let nobody = place.nobody();
    let asked = nobody.ask(Method::OPTIONS, USERS, None, &asking(origin)).await;
    assert_eq!((asked.status, asked.header(allowed)), (StatusCode::OK, Some(origin)));
    let headers = asked.header("access-control-allow-headers").unwrap().to_owned();
    assert!(headers.contains("authorization") && headers.contains("if-match"), "{headers}");
    assert!(asked.header("access-control-allow-methods").unwrap().contains("PUT"));
    assert_eq!(asked.header("access-control-allow-credentials"), None);
    // A page reads what went wrong, too.
    let refused = nobody.ask(Method::GET, USERS, None, &[("origin", origin)]).await;
    assert_eq!((refused.status.as_u16(), refused.header(allowed)), (401, Some(origin)));
    assert!(refused.header("access-control-expose-headers").unwrap().contains("etag"));
    let other = nobody.ask(Method::OPTIONS, USERS, None, &asking("https://evil.example")).await;
    assert_eq!(other.header(allowed), None, "{other:?}");
    place.end().await;

    let closed = Place::new().await;
    let none = closed.nobody().ask(Method::GET, "/v1/me", None, &[("origin", origin)]).await;
    assert_eq!(none.header(allowed), None);
    closed.end().await;
}
