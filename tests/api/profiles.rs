//! The operator's Sofia profiles: laid down over the API, and run by FreeSWITCH.

use std::time::{Duration, Instant};

use callwright::base::masked::Masked;
use callwright::model::access::Role;
use reqwest::StatusCode;
use serde_json::{Value, json};

use crate::client::{Asker, Place, anywhere};
use crate::sofia::{FakeSwitch, Running, Sofia};

const MAIN: &str = "/v1/profiles/cw-main";
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is looked whether something is so.
const LOOK: Duration = Duration::from_millis(50);

async fn place() -> (Place, FakeSwitch, Asker) {
    let switch = FakeSwitch::new().await;
    let place = Place::with(|config| {
        config.xml_curl.listen = Some(anywhere(0));
        config.xml_curl.password = Some(Masked::new("between us".into()));
        config.link = vec![switch.link()];
    });
    let place = place.await;
    switch.asks(place.xml_curl());
    let operator = place.asker(None, Role::Operator).await;
    (place, switch, operator)
}

fn profile(port: u16, more: &Value) -> Value {
    let mut profile = json!({ "for": "providers", "port": port, "codecs": ["PCMA"] });
    profile.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    profile
}

/// Waits until FreeSWITCH is so.
async fn until(switch: &FakeSwitch, what: &str, is: impl Fn(&Sofia) -> bool) {
    let began = Instant::now();
    while !is(&switch.lock()) {
        assert!(began.elapsed() < PATIENCE, "never: {what}: {:?}", switch.lock());
        tokio::time::sleep(LOOK).await;
    }
}

fn main(sofia: &Sofia) -> Option<&Running> {
    sofia.profiles.get("cw-main")
}

fn has(sofia: &Sofia, name: &str, value: &str) -> bool {
    main(sofia).is_some_and(|profile| profile.params.get(name).is_some_and(|own| own == value))
}

async fn put(operator: &Asker, body: &Value) {
    let made = operator.put(MAIN, body).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
}

/// Waits until the API says so, and gives the state.
async fn stands(operator: &Asker, standing: &str) -> Value {
    let began = Instant::now();
    loop {
        let answer = operator.get(&format!("{MAIN}/state")).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        let state = &answer.body["items"][0];
        if state["standing"] == standing {
            return state.clone();
        }
        assert!(began.elapsed() < PATIENCE, "never {standing}: {state}");
        tokio::time::sleep(LOOK).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_is_started_changed_and_stopped_as_it_is_laid_down() {
    let (place, switch, operator) = place().await;
    put(&operator, &profile(5090, &json!({}))).await;
    until(&switch, "it runs", |sofia| has(sofia, "sip-port", "5090")).await;
    let state = stands(&operator, "running").await;
    assert_eq!(state["switch"], "one");
    assert_eq!(state["listens"], json!(["127.0.0.1:5090"]));
    assert_eq!((&state["calls"], &state["registrations"]), (&json!(0), &json!(7)));

    // A codec is read again beside a call.
    switch.lock().profiles.get_mut("cw-main").unwrap().calls = 2;
    put(&operator, &profile(5090, &json!({ "codecs": ["PCMU"] }))).await;
    until(&switch, "the codec", |sofia| has(sofia, "inbound-codec-prefs", "PCMU")).await;
    assert_eq!(main(&switch.lock()).map(|profile| profile.started), Some(1));

    // A port waits for the calls, and whoever reads again meanwhile is told the old one.
    put(&operator, &profile(5091, &json!({ "codecs": ["PCMU"] }))).await;
    let waits = stands(&operator, "waiting").await;
    assert!(waits["explained"].as_str().unwrap().contains("2 legs"), "{waits}");
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let settings = json!({ "server": "sip.example", "username": "a", "profile": "cw-main" });
    let gateway = json!({ "settings": settings, "password": "p" });
    let made = admin.put("/v1/tenants/acme/gateways/carrier", &gateway).await;
    assert_eq!(made.status, StatusCode::OK, "{made:?}");
    let one = |sofia: &Sofia| main(sofia).is_some_and(|profile| profile.gateways.len() == 1);
    until(&switch, "the gateway", one).await;
    assert!(has(&switch.lock(), "sip-port", "5090"));
    switch.lock().profiles.get_mut("cw-main").unwrap().calls = 0;
    until(&switch, "the port", |sofia| has(sofia, "sip-port", "5091") && one(sofia)).await;
    stands(&operator, "running").await;

    let named = operator.delete(MAIN).await;
    assert_eq!(named.status, StatusCode::CONFLICT, "{named:?}");
    admin.delete("/v1/tenants/acme/gateways/carrier").await;
    assert_eq!(operator.delete(MAIN).await.status, StatusCode::NO_CONTENT);
    until(&switch, "it is stopped", |sofia| main(sofia).is_none()).await;
    assert!(switch.lock().profiles.contains_key("external"), "that is not ours");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_young_is_asked_again_and_a_restart_now_does_not_wait_for_calls() {
    let (place, switch, operator) = place().await;
    put(&operator, &profile(5090, &json!({}))).await;
    stands(&operator, "running").await;
    {
        let mut sofia = switch.lock();
        let own = sofia.profiles.get_mut("cw-main").unwrap();
        (own.young, own.calls) = (true, 1);
    }
    put(&operator, &profile(5091, &json!({ "restart": "now" }))).await;
    let asked = |sofia: &Sofia| sofia.seen.iter().filter(|one| one.ends_with("restart")).count();
    until(&switch, "it is asked again", |sofia| asked(sofia) > 1).await;
    assert!(has(&switch.lock(), "sip-port", "5090"));
    switch.lock().profiles.get_mut("cw-main").unwrap().young = false;
    until(&switch, "the port", |sofia| has(sofia, "sip-port", "5091")).await;
    put(&operator, &profile(5091, &json!({ "enabled": false }))).await;
    stands(&operator, "stopped").await;
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_a_profile_from_running_is_said_in_words() {
    let (place, switch, operator) = place().await;
    let failed = async |body: Value| {
        put(&operator, &body).await;
        let state = stands(&operator, "failed").await;
        state["explained"].as_str().unwrap().to_owned()
    };
    let own = failed(profile(5080, &json!({}))).await;
    assert!(own.contains("`external` has port 5080"), "{own}");
    let tls = json!({ "port": 5062, "certificates": "/etc/tls" });
    let secure = json!({ "transports": ["udp", "tls"], "tls": tls });
    let missing = failed(profile(5061, &secure)).await;
    assert!(missing.contains("`/etc/tls/agent.pem`"), "{missing}");
    let started = |sofia: &Sofia| sofia.seen.iter().any(|one| one.starts_with("sofia profile cw-"));
    assert!(!started(&switch.lock()), "FreeSWITCH need not try");
    switch.lock().files.insert("/etc/tls/agent.pem".to_owned());
    // Whatever is changed is tried at once.
    put(&operator, &profile(5060, &secure)).await;
    stands(&operator, "running").await;
    switch.lock().profiles.remove("cw-main");
    switch.lock().taken.insert("5063".to_owned());
    let taken = failed(profile(5063, &json!({}))).await;
    assert!(taken.contains("could not listen on port 5063"), "{taken}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_profile_is_named_with_its_field() {
    let (place, _, operator) = place().await;
    let refused = async |path: &str, body: Value| {
        let answer = operator.put(path, &body).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{path} {body}: {answer:?}");
        answer.body["field"].clone()
    };
    assert_eq!(refused("/v1/profiles/external", profile(5090, &json!({}))).await, "profile");
    assert_eq!(refused(MAIN, profile(5090, &json!({ "transports": ["tls"] }))).await, "tls");
    assert_eq!(refused(MAIN, profile(5090, &json!({ "codecs": ["a b"] }))).await, "codecs[0]");
    put(&operator, &profile(5090, &json!({}))).await;
    let port = profile(5090, &json!({}));
    assert_eq!(refused("/v1/profiles/cw-other", port).await, "port");
    let tag = operator.get(MAIN).await.tag().to_owned();
    put(&operator, &profile(5091, &json!({}))).await;
    let body = profile(5092, &json!({}));
    let stale = operator.ask(reqwest::Method::PUT, MAIN, Some(&body), &[("if-match", &tag)]).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED, "{stale:?}");

    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    assert_eq!(admin.get("/v1/profiles").await.status, StatusCode::FORBIDDEN);
    let settings = json!({ "server": "sip.example", "username": "a", "profile": "cw-none" });
    let gateway = json!({ "settings": settings, "password": "p" });
    let unknown = admin.put("/v1/tenants/acme/gateways/carrier", &gateway).await;
    assert_eq!(
        (unknown.status, &unknown.body["field"]),
        (StatusCode::UNPROCESSABLE_ENTITY, &json!("settings.profile"))
    );
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_on_a_profile_that_is_not_there_keeps_no_other_waiting() {
    let (place, switch, _) = place().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    for (name, on) in [("lost", Some("absent")), ("carrier", None)] {
        let settings = json!({ "server": "sip.example", "username": "a", "profile": on });
        let body = json!({ "settings": settings, "password": "p" });
        let made = admin.put(&format!("/v1/tenants/acme/gateways/{name}"), &body).await;
        assert_eq!(made.status, StatusCode::OK, "{made:?}");
    }
    until(&switch, "the gateway", |sofia| sofia.profiles["external"].gateways.len() == 1).await;
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_whose_answer_freeswitch_forgot_registers_again() {
    let (place, switch, _) = place().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let body = json!({ "settings": { "server": "a", "username": "a" }, "password": "p" });
    admin.put("/v1/tenants/acme/gateways/carrier", &body).await;
    until(&switch, "the gateway", |sofia| !sofia.profiles["external"].gateways.is_empty()).await;
    let name = switch.lock().profiles["external"].gateways.keys().next().unwrap().clone();
    let say = |state: &str, status: u16| {
        switch.tell(&format!(
            "Event-Subclass: sofia::gateway_state\nGateway: {name}\nState: {state}\n\
             Ping-Status: DOWN\nStatus: {status}\nFreeSWITCH-Switchname: one\n\
             Event-Date-Timestamp: 1700000000000001"
        ));
    };
    say("REGISTER", 200);
    say("TRYING", 0);
    let order = format!("sofia profile external register {name}");
    until(&switch, "it registers", |sofia| sofia.seen.contains(&order)).await;
    place.end().await;
}
