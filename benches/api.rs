//! What the HTTP API answers in a second, and how late, while many calls are up.
//!
//! `cargo bench --bench api`. A daemon with SQLite, the simulated switch with its calls and the
//! clients are one process and share its processors.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench reports to a person and may give up"
)]

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use callwright::app::config::Config;
use callwright::app::host::Host;
use callwright::driver::call::Clock;
use callwright::driver::dialer::place;
use callwright::flow::parse::parse_yaml;
use callwright::model::access::Role;
use callwright::simulator::Script;
use callwright::store::{Database, NewApiKey, NewNumber, NewTenant, Signature, Store};
use reqwest::{Client, Method};
use serde_json::{Value, json};
use uuid::Uuid;

/// Calls that are up.
const CALLS: usize = 5_000;
/// New calls in a second.
const RATE: u64 = 500;
/// Clients, each with a connection of its own, that ask as fast as they are answered.
const CLIENTS: usize = 16;
/// How long each kind of request is measured.
const LENGTH: Duration = Duration::from_secs(10);
/// How long it may take until all calls are up.
const PATIENCE: Duration = Duration::from_secs(120);

const FLOW: &str = "
callwright: 1
start: pick-up
steps:
  pick-up: { kind: answer, next: main }
  main:
    kind: menu
    prompts: [welcome]
    choices: { '1': end }
    keys: { first_key: 1h }
    on: { no_input: end, invalid: end, too_many: end }
  end: { kind: hangup }
";

const CALLER: &str = "
dial: '100'
patience: 1h
steps:
  - hear: welcome
  - wait: 1h
";

fn anywhere() -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)
}

fn config(folder: &std::path::Path) -> Config {
    let path = |name: &str| folder.join(name);
    let mut config = Config::default();
    config.store.database = Database::Sqlite(path("bench.db"));
    config.store.spool = path("spool");
    config.control.socket = Some(path("control.sock"));
    config.handover.keys = path("callwright.key");
    config.store.message_directory = path("messages").to_str().unwrap().to_owned();
    config.recordings.store = path("recordings").to_str().unwrap().to_owned();
    config.switch.listen = anywhere();
    config.api.listen = Some(anywhere());
    config.api.per_second = 1_000_000;
    config.api.burst = 1_000_000;
    config
}

/// A tenant with a menu at number 100, and a key.
async fn tenant(store: &Store) -> String {
    let new = NewTenant::named("acme".parse().unwrap());
    let scope = store.tenant(store.operator().create_tenant(&new).await.unwrap().id);
    scope.put_prompt(&"welcome".parse().unwrap(), "/prompts/welcome.wav", None).await.unwrap();
    let main = "main".parse().unwrap();
    let flow = serde_json::to_value(parse_yaml(FLOW.as_bytes()).unwrap()).unwrap();
    scope.save_draft(&main, &flow, "bench", None).await.unwrap();
    let by = Signature { author: "bench".into(), note: String::new() };
    scope.publish(&main, 1, &by, |_| Ok(())).await.unwrap();
    scope.put_number(&NewNumber::exact("100", main)).await.unwrap();
    let key = NewApiKey {
        name: "bench".into(),
        role: Role::Admin,
        powers: [].into(),
        addresses: Vec::new(),
        expires: None,
    };
    scope.add_api_key(&key).await.unwrap().1.reveal().clone()
}

#[derive(Clone)]
struct Asker {
    client: Client,
    base: String,
    key: String,
}

impl Asker {
    async fn ask(&self, method: Method, path: &str, body: Option<&Value>) -> (u16, Vec<u8>) {
        let url = format!("{}/v1/tenants/acme/{path}", self.base);
        let mut request = self.client.request(method, url).bearer_auth(&self.key);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), response.bytes().await.unwrap().to_vec())
    }

    async fn calls(&self) -> Vec<String> {
        let (mut ids, mut cursor) = (Vec::new(), String::new());
        loop {
            let path = format!("calls?limit=500{cursor}");
            let (status, body) = self.ask(Method::GET, &path, None).await;
            assert_eq!(status, 200);
            let page: Value = serde_json::from_slice(&body).unwrap();
            let items = page["items"].as_array().unwrap();
            ids.extend(items.iter().map(|call| call["call"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return ids,
            }
        }
    }
}

/// Clients that do the same for a while; prints how often and how late.
async fn measure(
    what: &str,
    asker: &Asker,
    request: impl Fn(usize) -> (Method, String, Option<Value>) + Clone + Send + Sync + 'static,
    good: u16,
) {
    let (mut clients, began) = (tokio::task::JoinSet::new(), Instant::now());
    for client in 0..CLIENTS {
        let (asker, request) = (Asker { client: Client::new(), ..asker.clone() }, request.clone());
        clients.spawn(async move {
            let mut took = Vec::new();
            while began.elapsed() < LENGTH {
                let (method, path, body) = request(client + took.len() * CLIENTS);
                let sent = Instant::now();
                let (status, answer) = asker.ask(method, &path, body.as_ref()).await;
                assert_eq!(status, good, "{}", String::from_utf8_lossy(&answer));
                took.push(sent.elapsed());
            }
            took
        });
    }
    let mut took = clients.join_all().await.concat();
    let seconds = began.elapsed().as_secs_f64();
    took.sort_unstable();
    let at = |part: usize| took[(took.len() * part / 1_000).min(took.len() - 1)];
    let rate = took.len() as f64 / seconds;
    println!("{what}: {rate:.0} a second, p50 {:.1?}, p99 {:.1?}", at(500), at(990));
}

async fn bench() {
    drop(rustls::crypto::ring::default_provider().install_default());
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let store = Store::open(&config.store).await.unwrap();
    let key = tenant(&store).await;
    let host = Host::build(config, &store).await.unwrap();
    let console = host.console();
    let running = tokio::spawn(host.run());
    let status = console.status();
    let asker =
        Asker { client: Client::new(), base: format!("http://{}", status.api.unwrap()), key };
    let (script, clock) = (Arc::new(Script::from_yaml(CALLER).unwrap()), Clock::start());
    let address = console.address;
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let script = Arc::clone(&script);
        callers.spawn(async move {
            place(script, &Uuid::now_v7().to_string(), address, clock).await.unwrap()
        });
        tokio::time::sleep(Duration::from_micros(1_000_000 / RATE)).await;
    }
    let began = Instant::now();
    let mut ids = asker.calls().await;
    while ids.len() < CALLS {
        assert!(began.elapsed() < PATIENCE, "{} calls are up", ids.len());
        tokio::time::sleep(Duration::from_millis(500)).await;
        ids = asker.calls().await;
    }
    println!("{CALLS} calls are up, {CLIENTS} clients ask");
    let get = |path: &'static str| move |_| (Method::GET, path.to_owned(), None);
    measure("list of 50 calls", &asker, get("calls"), 200).await;
    let one = Arc::new(ids);
    let ids = Arc::clone(&one);
    let show = move |at: usize| (Method::GET, format!("calls/{}", ids[at % CALLS]), None);
    measure("one call", &asker, show, 200).await;
    let order = json!({ "move": { "step": "main" } });
    let operate = move |at: usize| {
        let path = format!("calls/{}/commands", one[at * 7 % CALLS]);
        (Method::POST, path, Some(order.clone()))
    };
    measure("operate: move a call to a step", &asker, operate, 204).await;
    callers.abort_all();
    console.stop();
    running.await.unwrap().unwrap();
}

fn main() {
    if !std::env::args().any(|argument| argument == "--bench") {
        return;
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    runtime.block_on(bench());
}
