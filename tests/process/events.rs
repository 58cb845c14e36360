//! Many follow a tenant while calls come and go, connections break, and the daemon is killed: each
//! is told exactly what the daemon has written down.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use callwright::driver::call::Clock;
use callwright::driver::dialer::place as dial;
use callwright::simulator::Script;
use futures_util::StreamExt;
use rustix::process::Signal;
use serde_json::Value;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;

use crate::daemon::{PATIENCE, Place, Running, eventually};
use crate::live::menu;

/// The daemon is killed so often.
const KILLS: u32 = 2;
/// Calls that are up at once; `CALLWRIGHT_AT_ONCE` says otherwise.
const AT_ONCE: u32 = 50;
/// No call takes longer.
const CALL_MAX: Duration = Duration::from_secs(10);
/// After how many events, on average, a follower breaks its connection off; `CALLWRIGHT_BREAKS`
/// says otherwise.
const BREAKS: u32 = 40;

/// More of them where these are set: for a night.
pub(crate) fn many(name: &str, usually: u32) -> u32 {
    std::env::var(name).ok().map_or(usually, |text| text.parse().unwrap())
}

/// What a process has taken of processors (proc(5): utime and stime).
fn processor_time(running: &Running) -> Duration {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", running.pid())).unwrap();
    let fields: Vec<_> = stat.rsplit_once(')').unwrap().1.split_whitespace().collect();
    let ticks: u64 = fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap();
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap()
}

/// Where the API is now; it moves when the daemon is killed.
type Where = watch::Receiver<Option<SocketAddr>>;

/// The daemon's addresses: for calls, and of its API.
pub(crate) fn addresses(place: &Place, running: &Running) -> (SocketAddr, SocketAddr) {
    let api = eventually(running, || {
        let status = place.status().filter(|status| status["pid"] == running.pid())?;
        status["api"].as_str()?.parse().ok()
    });
    (place.address(running), api)
}

/// In place of an event: millions of them are compared.
fn digest(event: &Value) -> u64 {
    let mut hasher = DefaultHasher::new();
    event.hash(&mut hasher);
    hasher.finish()
}

/// Follows until it was told of the event that `end` names, over as many connections as it takes:
/// what it was told, in order.
async fn follow(seed: u64, key: String, mut place: Where, end: watch::Receiver<u64>) -> Vec<u64> {
    let (mut log, mut after, mut dice) = (Vec::new(), 0_u64, seed * 2 + 1);
    let breaks = u64::from(many("CALLWRIGHT_BREAKS", BREAKS));
    loop {
        let is_over = |after: u64| *end.borrow() != 0 && after >= *end.borrow();
        if is_over(after) {
            return log;
        }
        let Some(api) = *place.borrow_and_update() else {
            place.changed().await.unwrap();
            continue;
        };
        let mut request =
            format!("ws://{api}/v1/events?after={after}").into_client_request().unwrap();
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
        let Ok((mut socket, _)) = connect_async(request).await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        // A pause in which nothing comes is time to look whether it is over.
        while let Ok(Some(Ok(message))) =
            tokio::time::timeout(Duration::from_secs(1), socket.next()).await
        {
            let Message::Text(text) = message else { break };
            let event: Value = serde_json::from_str(&text).unwrap();
            if event["type"] == "heartbeat" {
                continue;
            }
            let sequence = event["sequence"].as_u64().unwrap();
            assert_eq!(sequence, after + 1, "follower {seed}");
            after = sequence;
            log.push(digest(&event));
            dice = dice
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            if is_over(after) || (dice >> 33) % breaks == 0 {
                break;
            }
        }
    }
}

pub(crate) async fn log(api: SocketAddr, key: &str) -> Vec<Value> {
    let (client, mut all, mut after) = (reqwest::Client::new(), Vec::new(), 0);
    loop {
        let url = format!("http://{api}/v1/tenants/acme/events?after={after}&limit=500");
        let page = client.get(url).bearer_auth(key).send().await.unwrap();
        let page: Value = serde_json::from_slice(&page.bytes().await.unwrap()).unwrap();
        let items = page["items"].as_array().unwrap();
        all.extend(items.iter().cloned());
        after = page["next"].as_u64().unwrap();
        if items.is_empty() {
            return all;
        }
    }
}

/// The same once all that is in spools, those of the killed too, is told.
async fn whole_log(api: SocketAddr, key: &str) -> Vec<Value> {
    let (began, mut server) = (Instant::now(), log(api, key).await);
    loop {
        tokio::time::sleep(Duration::from_secs(3)).await;
        let later = log(api, key).await;
        if later.len() == server.len() {
            return server;
        }
        assert!(began.elapsed() < PATIENCE, "it does not end");
        server = later;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_follower_is_told_what_the_daemon_wrote_down_also_across_its_death() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let (followers, calls) = (many("CALLWRIGHT_FOLLOWERS", 12), many("CALLWRIGHT_CALLS", 300));
    let at_once = usize::try_from(many("CALLWRIGHT_AT_ONCE", AT_ONCE)).unwrap();
    let api = "[api]\nlisten = \"127.0.0.1:0\"\nper_second = 100000\nburst = 100000";
    let place = menu(api);
    let key = place.type_line("api-key add wall --role reader --tenant acme");
    let key = key.split_whitespace().find(|word| word.starts_with("cw_")).unwrap().to_owned();
    let mut running = place.start("serve");
    let (mut address, api) = addresses(&place, &running);
    let (moved, end) = (watch::Sender::new(Some(api)), watch::Sender::new(0));
    let mut following = JoinSet::new();
    for seed in 0..followers {
        following.spawn(follow(seed.into(), key.clone(), moved.subscribe(), end.subscribe()));
    }
    let script = "dial: '100'\npatience: 20s\nsteps: [{ hear: welcome }, { press: '1' }]\n";
    let script = Arc::new(Script::from_yaml(script).unwrap());
    let (places, placed) = (Arc::new(Semaphore::new(at_once)), Arc::new(AtomicU64::new(0)));
    let (mut callers, mut taken) = (JoinSet::new(), Duration::ZERO);
    for number in 0..calls {
        if number > 0 && KILLS > 0 && number % (calls / (KILLS + 1)) == 0 && number < calls - 1 {
            moved.send_replace(None);
            taken += processor_time(&running);
            running.signal(Signal::KILL);
            running.end();
            running = place.start("serve");
            let (calls_at, api_at) = addresses(&place, &running);
            address = calls_at;
            moved.send_replace(Some(api_at));
        }
        let seat = Arc::clone(&places).acquire_owned().await.unwrap();
        let (script, placed) = (Arc::clone(&script), Arc::clone(&placed));
        callers.spawn(async move {
            let uuid = uuid::Uuid::now_v7().to_string();
            // A call whose daemon is killed waits for a process that nobody sends it to.
            let call = dial(script, &uuid, address, Clock::start());
            if let Ok(Ok(_)) = tokio::time::timeout(CALL_MAX, call).await {
                placed.fetch_add(1, Ordering::Relaxed);
            }
            drop(seat);
        });
    }
    while callers.join_next().await.is_some() {}
    let (_, api) = addresses(&place, &running);
    let server = whole_log(api, &key).await;
    let numbers: Vec<_> = server.iter().map(|event| event["sequence"].as_u64().unwrap()).collect();
    assert_eq!(numbers, (1..=server.len() as u64).collect::<Vec<_>>());
    end.send_replace(server.len() as u64);
    let digests: Vec<_> = server.iter().map(digest).collect();
    let mut told = 0;
    while let Some(own) = following.join_next().await {
        let own = own.unwrap();
        let other = own.iter().zip(&digests).position(|(own, server)| own != server);
        assert_eq!(other.map(|at| &server[at]), None, "a follower was told something else");
        assert!(own.len() >= server.len(), "a follower was told too little");
        told += own.len();
    }
    let mut kinds = BTreeMap::<&str, usize>::new();
    server.iter().for_each(|event| *kinds.entry(event["type"].as_str().unwrap()).or_default() += 1);
    let placed = placed.load(Ordering::Relaxed);
    taken += processor_time(&running);
    eprintln!("the daemons took {taken:?} of processors");
    eprintln!("{placed} calls, {followers} followers, {told} events told: {kinds:?}");
    // Those that a killed daemon had not accepted yet were never there.
    assert!(kinds["call.created"] as u64 >= u64::from(calls) / 2, "{kinds:?}");
    assert!(kinds["call.ended"] > 0);
}
