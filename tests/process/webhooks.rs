//! Webhooks of daemons that are killed while they deliver: each event comes at least once, and what
//! is about one call in its order.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use callwright::driver::call::Clock;
use callwright::driver::dialer::place as dial;
use callwright::simulator::Script;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::daemon::{PATIENCE, Place, Running};
use crate::events::{addresses, log, many};
use crate::live::menu;
use crate::nodes::database;
use crate::receiver::{Came, Reaction, Receiver};

/// Calls that are up at once.
const AT_ONCE: usize = 20;
/// No call takes longer.
const CALL_MAX: Duration = Duration::from_secs(10);

/// Settings with which this machine may be reached, and what fails is tried again soon.
fn settings() -> String {
    let retry = vec!["\"200ms\""; 60].join(", ");
    format!(
        "[health]\nlisten = \"127.0.0.1:0\"\n\
         [api]\nlisten = \"127.0.0.1:0\"\nper_second = 100000\nburst = 100000\n\
         [webhooks]\nallow_private = [\"127.0.0.0/8\"]\ntimeout = \"1s\"\nretry = [{retry}]\n"
    )
}

fn key(place: &Place) -> String {
    let said = place.type_line("api-key add hooks --role admin --tenant acme");
    said.split_whitespace().find(|word| word.starts_with("cw_")).unwrap().to_owned()
}

async fn ask(api: SocketAddr, key: &str, method: &str, path: &str, body: &Value) -> Value {
    let url = format!("http://{api}/v1/tenants/acme/{path}");
    let method = method.parse().unwrap();
    let request = reqwest::Client::new().request(method, url).bearer_auth(key);
    let request = request.header("content-type", "application/json").body(body.to_string());
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let bytes = answer.bytes().await.unwrap();
    assert!(status.is_success(), "{path}: {status} {}", String::from_utf8_lossy(&bytes));
    serde_json::from_slice(&bytes).unwrap_or_default()
}

/// A receiver that fails now and then, and its webhook's secret.
async fn hooked(api: SocketAddr, key: &str) -> (Receiver, String) {
    let moody = |event: &Value, before| match event["sequence"].as_u64() {
        Some(sequence) if before == 0 && sequence % 11 == 0 => Reaction::Status(503),
        Some(sequence) if before == 0 && sequence % 97 == 0 => Reaction::Stall,
        _ => Reaction::Status(200),
    };
    let receiver = Receiver::start(moody).await;
    let new = json!({ "url": receiver.url() });
    let made = ask(api, key, "PUT", "webhooks/main", &new).await;
    // What was told before it was there is wanted too.
    ask(api, key, "POST", "webhooks/main/replay", &json!({ "after": 0 })).await;
    (receiver, made["secret"].as_str().unwrap().to_owned())
}

/// Calls on these nodes by turns; those of a node that is killed break off.
async fn some_calls(nodes: &[SocketAddr], count: u32) {
    let script = "dial: '100'\npatience: 20s\nsteps: [{ hear: welcome }, { press: '1' }]\n";
    let script = Arc::new(Script::from_yaml(script).unwrap());
    let (places, mut callers) = (Arc::new(Semaphore::new(AT_ONCE)), JoinSet::new());
    for (_, node) in (0..count).zip(nodes.iter().cycle()) {
        let seat = Arc::clone(&places).acquire_owned().await.unwrap();
        let (script, node) = (Arc::clone(&script), *node);
        callers.spawn(async move {
            let uuid = uuid::Uuid::now_v7().to_string();
            let call = dial(script, &uuid, node, Clock::start());
            drop(tokio::time::timeout(CALL_MAX, call).await);
            drop(seat);
        });
    }
    while callers.join_next().await.is_some() {}
}

/// Waits until so many ends of calls were told, nothing more is, and all that was told was taken;
/// and looks whether it came as it should.
async fn all_came(
    (api, key): (SocketAddr, &str),
    ends: u32,
    (receiver, secret): (&Receiver, &str),
) -> Vec<Value> {
    let (began, mut told) = (Instant::now(), log(api, key).await);
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let before = std::mem::replace(&mut told, log(api, key).await);
        let ended = told.iter().filter(|event| event["type"] == "call.ended").count();
        let taken = receiver.taken().len();
        if told.len() == before.len() && taken >= told.len() && ended as u64 >= ends.into() {
            break;
        }
        assert!(began.elapsed() < PATIENCE, "{taken} of {} taken, {ended} ended", told.len());
    }
    receiver.is_in_order();
    let came = receiver.came();
    assert!(came.iter().all(|came| came.is_signed(secret)));
    let mut taken: Vec<_> = receiver.taken().iter().map(Came::sequence).collect();
    taken.sort_unstable();
    let numbers: Vec<_> = told.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
    assert_eq!(taken, numbers);
    told
}

fn kill(mut running: Running) {
    running.signal(Signal::KILL);
    running.end();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_daemon_that_is_killed_while_it_delivers_loses_nothing_and_keeps_the_order() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let calls = many("CALLWRIGHT_CALLS", 120);
    let place = menu(&settings());
    let key = key(&place);
    let mut running = place.start("serve");
    let (mut node, mut api) = addresses(&place, &running);
    let (receiver, secret) = hooked(api, &key).await;
    for _ in 0..2 {
        some_calls(&[node], calls / 3).await;
        // What is under way now is cut off.
        kill(running);
        running = place.start("serve");
        (node, api) = addresses(&place, &running);
    }
    some_calls(&[node], calls / 3).await;
    // Those that a killed daemon had not accepted yet were never there.
    let told = all_came((api, &key), calls / 2, (&receiver, &secret)).await;
    eprintln!("{} events told, {} attempts", told.len(), receiver.came().len());

    // All of it once more, to one that takes everything at once.
    let quick = Receiver::kind().await;
    ask(api, &key, "PUT", "webhooks/quick", &json!({ "url": quick.url() })).await;
    let began = Instant::now();
    ask(api, &key, "POST", "webhooks/quick/replay", &json!({ "after": 0 })).await;
    quick.until(|quick| (quick.count() >= told.len()).then_some(())).await;
    let took = began.elapsed();
    quick.is_in_order();
    let rate = f64::from(u32::try_from(told.len()).unwrap()) / took.as_secs_f64();
    eprintln!("{} deliveries in {took:?}: {rate:.0} a second", told.len());
    let status = place.status().unwrap();
    let url = format!("http://{}/metrics", status["health"].as_str().unwrap());
    let figures = reqwest::get(url).await.unwrap().text().await.unwrap();
    let name = r#"callwright_webhook_attempts_total{outcome="delivered",tenant="acme"} "#;
    let delivered = figures.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    assert!(delivered.parse::<usize>().unwrap() >= told.len(), "{delivered} of {}", told.len());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_nodes_one_delivers_and_the_other_goes_on_when_it_is_killed() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let Some(store) = database().await else { return };
    let one = menu(&format!("node = \"one\"\n{}{store}", settings()));
    let keys = one.path().join("callwright.key").display().to_string();
    let shared = format!("[handover]\nkeys = \"{keys}\"\n");
    let two = Place::new(&format!("node = \"two\"\n{}{store}{shared}", settings()));
    let key = key(&one);
    let first = one.start("serve");
    let (node_one, api_one) = addresses(&one, &first);
    let second = two.start("serve");
    let (node_two, api_two) = addresses(&two, &second);
    let (receiver, secret) = hooked(api_one, &key).await;
    some_calls(&[node_one, node_two], 30).await;
    kill(first);
    some_calls(&[node_two], 20).await;
    let before = all_came((api_two, &key), 20, (&receiver, &secret)).await;
    let first = one.start("serve");
    let (node_one, api_one) = addresses(&one, &first);
    some_calls(&[node_one, node_two], 30).await;
    kill(second);
    some_calls(&[node_one], 20).await;
    let after = all_came((api_one, &key), 60, (&receiver, &secret)).await;
    assert!(after.len() > before.len());
}
