//! A tenant's events are sent to its own receivers, however they behave.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use callwright::base::millis::Millis;
use callwright::model::access::Role;
use serde_json::{Value, json};

use crate::client::{Asker, Place};
use crate::events::{calls, furnished, log};
use crate::receiver::{Came, Reaction, Receiver};

const HOOKS: &str = "/v1/tenants/acme/webhooks";
const ENOUGH: usize = 40;

/// A daemon that may reach this machine, and tries again soon.
async fn place() -> Place {
    let place = Place::with(|config| {
        config.webhooks.allow_private = vec!["127.0.0.0/8".parse().unwrap()];
        config.webhooks.retry = vec![Millis(100); ENOUGH];
        config.webhooks.timeout = Millis(500);
    });
    place.await
}

async fn hook(admin: &Asker, name: &str, to: &Receiver, types: &[&str]) -> String {
    let new = json!({ "url": to.url(), "types": types });
    let made = admin.put(&format!("{HOOKS}/{name}"), &new).await;
    assert_eq!(made.status, 200, "{made:?}");
    made.body["secret"].as_str().unwrap().to_owned()
}

/// What was told of calls.
async fn told(admin: &Asker) -> Vec<Value> {
    let all = log(admin).await.into_iter();
    all.filter(|event| event["type"].as_str().unwrap().starts_with("call.")).collect()
}

/// Waits until all that was told was taken; what came is what was told, signed, and in order.
async fn all_is_taken(admin: &Asker, receiver: &Receiver, secret: &str, ends: usize) {
    let ended = |came: &Came| came.event["type"] == "call.ended";
    let all = |receiver: &Receiver| {
        let taken = receiver.taken();
        (taken.iter().filter(|came| ended(came)).count() >= ends).then_some(taken)
    };
    let taken = receiver.until(all).await;
    receiver.is_in_order();
    assert!(receiver.came().iter().all(|came| came.is_signed(secret)));
    let mut came: Vec<_> = taken.iter().map(|came| came.event.clone()).collect();
    came.sort_by_key(|event| event["sequence"].as_u64());
    for event in &mut came {
        let tenant = event.as_object_mut().unwrap().remove("tenant");
        assert_eq!(tenant, Some(json!("acme")));
    }
    assert_eq!(came, told(admin).await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_misbehaves_gets_each_calls_events_in_order_all_the_same() {
    let place = place().await;
    let (_, admin) = furnished(&place).await;
    let inside = Receiver::kind().await;
    let elsewhere = inside.url();
    // By its kind each event meets another trouble, at first; and one of them for long.
    let receiver = Receiver::start(move |event, before| match event["type"].as_str().unwrap() {
        "call.created" if before == 0 => Reaction::Status(500),
        "call.answered" if before == 0 => Reaction::Stall,
        "call.step_entered" if before < 2 => Reaction::Redirect(elsewhere.clone()),
        "call.step_entered" if before == 2 => Reaction::Endless,
        "call.digit" if before == 0 => Reaction::Late(Duration::from_secs(2)),
        "call.ended" if before < 3 => Reaction::Status(429),
        _ => Reaction::Status(200),
    });
    let receiver = receiver.await;
    let secret = hook(&admin, "main", &receiver, &["call.*"]).await;
    calls(&place, 6).await;
    all_is_taken(&admin, &receiver, &secret, 6).await;
    assert!(inside.came().is_empty(), "a redirect is never followed");

    let listed = admin.get(&format!("{HOOKS}/main/deliveries?limit=200")).await.body;
    let all = listed["items"].as_array().unwrap();
    assert_eq!(all.len(), told(&admin).await.len());
    let came = receiver.came();
    for one in all {
        assert_eq!((&one["state"], &one["error"]), (&json!("delivered"), &Value::Null), "{one}");
        let attempts = came.iter().filter(|came| came.id() == one["webhook_id"]).count();
        assert_eq!(one["attempts"], attempts, "{one}");
    }
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_asks_for_a_pause_gets_it() {
    let place = place().await;
    let (_, admin) = furnished(&place).await;
    let tired = Receiver::start(|_, before| match before {
        0 => Reaction::Later(2),
        _ => Reaction::Status(200),
    });
    let tired = tired.await;
    let secret = hook(&admin, "main", &tired, &["call.created"]).await;
    calls(&place, 1).await;
    tired.until(|tired| (tired.came().len() == 2).then_some(())).await;
    let [first, second] = &tired.came()[..] else { panic!("it was taken twice") };
    assert_eq!(first.id(), second.id());
    let pause = second.at.duration_since(first.at);
    assert!(pause >= Duration::from_secs(2), "the webhook's own pause is 100 ms, it was {pause:?}");
    assert!(second.is_signed(&secret));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_holds_back_only_its_own_call_and_no_other_webhook() {
    let place = place().await;
    let (_, admin) = furnished(&place).await;
    let first = std::sync::Mutex::new(None);
    let picky = Receiver::start(move |event, _| {
        let call = event["call"].as_str().map(str::to_owned);
        let mut first = first.lock().unwrap();
        let bad = first.get_or_insert_with(|| call.clone());
        Reaction::Status(if *bad == call { 500 } else { 200 })
    });
    let (picky, dead, kind) =
        (picky.await, Receiver::start(|_, _| Reaction::Stall).await, Receiver::kind().await);
    hook(&admin, "picky", &picky, &["call.*"]).await;
    hook(&admin, "dead", &dead, &["call.*"]).await;
    let secret = hook(&admin, "kind", &kind, &["call.*"]).await;
    let began = Instant::now();
    calls(&place, 10).await;
    all_is_taken(&admin, &kind, &secret, 10).await;
    let ended = |receiver: &Receiver| {
        let taken = receiver.taken();
        let ends = taken.iter().filter(|came| came.event["type"] == "call.ended").count();
        (ends >= 9).then_some(())
    };
    picky.until(ended).await;
    eprintln!("nine of ten calls passed the tenth after {:?}", began.elapsed());
    let came = picky.came();
    let bad: BTreeSet<_> =
        came.iter().filter(|came| !came.taken).map(|came| (came.call(), came.sequence())).collect();
    assert_eq!(bad.len(), 1, "nothing that comes after it was tried: {bad:?}");
    picky.is_in_order();
    dead.is_in_order();
    assert!(dead.taken().is_empty());
    let began = Instant::now();
    let state = loop {
        let state = admin.get(&format!("{HOOKS}/dead/state")).await.body;
        if state["failing_since"].is_string() {
            break state;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "{state}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert!(state["waiting"].as_u64() > Some(9), "{state}");
    let failed = admin.get(&format!("{HOOKS}/dead/deliveries?failed=true")).await.body;
    let said = &failed["items"][0]["error"];
    assert_eq!(said, "no answer came within 0.5 s", "{failed}");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_secret_signs_beside_the_new_one_and_nobody_is_shown_either_again() {
    let place = place().await;
    let (tenant, admin) = furnished(&place).await;
    let receiver = Receiver::kind().await;
    let old = hook(&admin, "main", &receiver, &[]).await;
    assert!(old.starts_with("whsec_"));
    calls(&place, 1).await;
    receiver.until(|receiver| (receiver.count() > 0).then_some(())).await;
    let rotated = admin.post(&format!("{HOOKS}/main/rotate"), &json!({})).await;
    let new = rotated.body["secret"].as_str().unwrap().to_owned();
    assert_eq!(rotated.status, 201);
    calls(&place, 2).await;
    let both = |receiver: &Receiver| {
        receiver.came().into_iter().find(|came| came.is_signed(&new) && came.is_signed(&old))
    };
    receiver.until(both).await;
    let first = &receiver.came()[0];
    assert!(first.is_signed(&old) && !first.is_signed(&new));
    assert!(!first.is_signed(&new.replace("whsec_", "whsec_AAAA")));

    let one = admin.get(&format!("{HOOKS}/main")).await;
    let everything = format!(
        "{}{}{}{}",
        one.body,
        admin.get(HOOKS).await.body,
        admin.get("/v1/tenants/acme/audit").await.body,
        admin.get(&format!("{HOOKS}/main/deliveries")).await.body,
    );
    let file = std::fs::read(place.folder.path().join("test.db")).unwrap();
    let wal = std::fs::read(place.folder.path().join("test.db-wal")).unwrap_or_default();
    for secret in [old, new] {
        let random = secret.trim_start_matches("whsec_");
        assert!(!everything.contains(random));
        let holds = |bytes: &[u8]| bytes.windows(random.len()).any(|w| w == random.as_bytes());
        assert!(!holds(&file) && !holds(&wal), "the secret is in the database");
    }
    // Whoever saw an older one changes nothing.
    let put = json!({ "url": receiver.url(), "enabled": false });
    let path = format!("{HOOKS}/main");
    let seen = [("if-match", "\"other\"")];
    let stale = admin.ask(reqwest::Method::PUT, &path, Some(&put), &seen).await;
    assert_eq!(stale.status, 412);
    let seen = [("if-match", one.tag())];
    let put = admin.ask(reqwest::Method::PUT, &path, Some(&put), &seen).await;
    assert_eq!((put.status.as_u16(), put.body.get("secret")), (200, None), "{put:?}");
    let leader = place.asker(Some(tenant), Role::Supervisor).await;
    assert_eq!(leader.get(HOOKS).await.status, 403);
    assert_eq!(admin.delete(&path).await.status, 204);
    assert_eq!(admin.get(&path).await.status, 404);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_is_gone_is_left_alone_until_the_webhook_is_enabled_again() {
    let place = place().await;
    let (_, admin) = furnished(&place).await;
    let gone = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let is_gone = std::sync::Arc::clone(&gone);
    let receiver = Receiver::start(move |_, _| {
        Reaction::Status(if is_gone.load(std::sync::atomic::Ordering::Relaxed) { 410 } else { 200 })
    });
    let (receiver, watcher) = (receiver.await, Receiver::kind().await);
    let secret = hook(&admin, "main", &receiver, &["call.*"]).await;
    hook(&admin, "watcher", &watcher, &["webhook.disabled"]).await;
    calls(&place, 1).await;
    let notice = watcher.until(|watcher| watcher.came().first().cloned()).await;
    assert_eq!(
        (&notice.event["webhook"], &notice.event["tenant"]),
        (&json!("main"), &json!("acme"))
    );
    let shown = admin.get(&format!("{HOOKS}/main")).await.body;
    assert_eq!(shown["enabled"], false);
    assert_eq!(shown["disabled"]["reason"], "the receiver wants nothing more (410)");
    let (before, audit) =
        (receiver.came().len(), admin.get("/v1/tenants/acme/audit?what=webhook.disable").await);
    assert_eq!(audit.body["items"][0]["subject"], "main", "{audit:?}");
    calls(&place, 1).await;
    let tested = admin.post(&format!("{HOOKS}/main/test"), &json!({})).await;
    assert_eq!((&tested.body["delivered"], &tested.body["status"]), (&json!(false), &json!(410)));
    assert_eq!(receiver.came().len(), before + 1, "the test, and nothing else");

    gone.store(false, std::sync::atomic::Ordering::Relaxed);
    let tested = admin.post(&format!("{HOOKS}/main/test"), &json!({})).await;
    assert_eq!(tested.body["delivered"], true, "{tested:?}");
    let test = receiver.came().pop().unwrap();
    assert!(test.event["type"] == "webhook.test" && test.is_signed(&secret));
    let enabled = json!({ "url": receiver.url(), "types": ["call.*"] });
    let enabled = admin.put(&format!("{HOOKS}/main"), &enabled).await;
    assert_eq!((&enabled.body["enabled"], &enabled.body["disabled"]), (&json!(true), &Value::Null));
    let ends = |receiver: &Receiver| {
        let taken = receiver.taken();
        let ends = taken.iter().filter(|came| came.event["type"] == "call.ended").count();
        (ends == 2).then_some(taken)
    };
    let taken = receiver.until(ends).await;
    let events = taken.iter().filter(|came| came.event["type"] != "webhook.test").count();
    assert_eq!(events, told(&admin).await.len(), "it goes on where it stopped");
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_delivered_is_delivered_again_when_it_is_asked_for() {
    let place = place().await;
    let (_, admin) = furnished(&place).await;
    let receiver = Receiver::kind().await;
    let secret = hook(&admin, "main", &receiver, &["call.*"]).await;
    calls(&place, 3).await;
    all_is_taken(&admin, &receiver, &secret, 3).await;
    let count = receiver.came().len();
    let all = admin.get(&format!("{HOOKS}/main/deliveries?limit=200")).await.body;
    let one = &all["items"][0];
    let path = format!("{HOOKS}/main/deliveries/{}/replay", one["id"].as_str().unwrap());
    assert_eq!(admin.post(&path, &json!({})).await.status, 204);
    let more = |receiver: &Receiver| (receiver.came().len() > count).then(|| receiver.came());
    let again = receiver.until(more).await.pop().unwrap();
    assert!(again.id() == one["webhook_id"] && again.is_signed(&secret));

    let events = told(&admin).await;
    let after = events[2]["sequence"].as_u64().unwrap();
    let path = format!("{HOOKS}/main/replay");
    assert_eq!(admin.post(&path, &json!({ "after": after })).await.status, 204);
    let wanted: Vec<_> = events[3..].iter().map(|event| event["sequence"].as_u64()).collect();
    let more = |receiver: &Receiver| {
        let came = receiver.came().split_off(count + 1);
        (came.len() >= wanted.len()).then_some(came)
    };
    let came = receiver.until(more).await;
    let mut again: Vec<_> = came.iter().map(|came| came.event["sequence"].as_u64()).collect();
    again.sort_unstable();
    assert_eq!(again, wanted);
    let ahead = admin.post(&path, &json!({ "after": 99_999 })).await;
    assert_eq!((ahead.status.as_u16(), &ahead.body["field"]), (422, &json!("after")));
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_webhook_leads_inside_unless_the_operator_opened_it() {
    let place = Place::new().await;
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    let inside = Receiver::kind().await;
    let port = inside.url().rsplit(':').next().unwrap().to_owned();
    for url in [
        inside.url(),
        "http://example.org/".into(),
        format!("https://127.0.0.1:{port}"),
        format!("https://2130706433:{port}"),
        format!("https://0x7f.1:{port}"),
        format!("https://[::ffff:127.0.0.1]:{port}"),
        format!("https://[::1]:{port}"),
        "https://169.254.169.254/latest/meta-data/".into(),
        "https://10.0.0.1/".into(),
        "https://100.64.0.1/".into(),
        "https://[fd00::1]/".into(),
        "https://224.0.0.1/".into(),
        "https://ann:secret@example.org/".into(),
        "ftp://example.org/".into(),
    ] {
        let refused = admin.put(&format!("{HOOKS}/main"), &json!({ "url": url })).await;
        let field = &refused.body["field"];
        assert_eq!((refused.status.as_u16(), field), (422, &json!("url")), "{url}: {refused:?}");
    }
    let named = json!({ "url": format!("https://localhost:{port}") });
    let made = admin.put(&format!("{HOOKS}/main"), &named).await;
    assert_eq!(made.status, 200, "where a name leads is known when it is asked: {made:?}");
    let tested = admin.post(&format!("{HOOKS}/main/test"), &json!({})).await;
    assert_eq!(tested.body["error"], "`localhost` has no public address", "{tested:?}");
    assert!(inside.came().is_empty());
    place.end().await;
}
