//! A tenant is followed live: over a WebSocket, as server-sent events, and page by page.

use std::sync::Arc;
use std::time::{Duration, Instant};

use callwright::base::ids::TenantId;
use callwright::driver::call::Clock;
use callwright::driver::dialer::place as call_from_outside;
use callwright::model::access::Role;
use callwright::simulator::Script;
use futures_util::{SinkExt, StreamExt};
use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{self, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async, connect_async};

use crate::client::{Answer, Asker, Place};

/// How long may be waited for what comes by itself.
const PATIENCE: Duration = Duration::from_secs(30);

const CALLER: &str = "
dial: '100'
patience: 10s
steps: [{ hear: welcome }, { press: '1' }]
";

const EVENTS: &str = "/v1/tenants/acme/events";

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

fn good(answer: &Answer) {
    assert!(answer.status.is_success(), "{answer:?}");
}

/// A flow at number 100 that wants a key.
pub(crate) async fn furnished(place: &Place) -> (TenantId, Asker) {
    let tenant = place.tenant("acme").await;
    let admin = place.asker(Some(tenant), Role::Admin).await;
    place
        .store
        .tenant(tenant)
        .put_prompt(&"welcome".parse().unwrap(), "/p/welcome.wav", None)
        .await
        .unwrap();
    let steps = json!({
        "pick-up": { "kind": "answer", "next": "main" },
        "main": {
            "kind": "menu", "prompts": ["welcome"], "choices": { "1": "bye" },
            "on": { "no_input": "bye", "invalid": "bye", "too_many": "bye" },
        },
        "bye": { "kind": "hangup" },
    });
    let flow = json!({ "callwright": 1, "start": "pick-up", "steps": steps });
    let path = "/v1/tenants/acme/flows/main/draft";
    good(&admin.put(path, &json!({ "document": flow })).await);
    good(&admin.post("/v1/tenants/acme/flows/main/publish", &json!({ "revision": 1 })).await);
    let number = json!({ "match": "exact", "value": "100", "flow": "main" });
    good(&admin.put("/v1/tenants/acme/numbers", &number).await);
    (tenant, admin)
}

pub(crate) async fn calls(place: &Place, count: u32) {
    let script = Arc::new(Script::from_yaml(CALLER).unwrap());
    let mut callers = JoinSet::new();
    for _ in 0..count {
        let (script, uuid) = (Arc::clone(&script), uuid::Uuid::now_v7().to_string());
        let address = place.address();
        callers
            .spawn(async move { call_from_outside(script, &uuid, address, Clock::start()).await });
    }
    while let Some(ended) = callers.join_next().await {
        ended.unwrap().unwrap();
    }
}

async fn open(place: &Place, key: Option<&str>, query: &str) -> Result<Socket, tungstenite::Error> {
    let url = format!("ws://127.0.0.1:{}/v1/events{query}", place.port());
    let mut request = url.into_client_request().unwrap();
    if let Some(key) = key {
        request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    }
    Ok(connect_async(request).await?.0)
}

/// A key counts a moment after it was made.
async fn as_soon_as_known(place: &Place, key: &str, query: &str) -> Socket {
    loop {
        if let Ok(socket) = open(place, Some(key), query).await {
            return socket;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The next thing that is told, or the code with which it is over.
async fn next(socket: &mut Socket) -> Result<Value, u16> {
    loop {
        let message = tokio::time::timeout(PATIENCE, socket.next()).await.expect("it comes");
        match message {
            Some(Ok(Message::Text(text))) => return Ok(serde_json::from_str(&text).unwrap()),
            Some(Ok(Message::Close(frame))) => {
                return Err(frame.map_or(0, |frame| frame.code.into()));
            }
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return Err(1),
        }
    }
}

async fn until_ended(socket: &mut Socket, ends: usize) -> Vec<Value> {
    let (mut all, mut ended) = (Vec::new(), 0);
    while ended < ends {
        let event = next(socket).await.unwrap();
        if event["type"] == "heartbeat" {
            continue;
        }
        ended += usize::from(event["type"] == "call.ended");
        all.push(event);
    }
    all
}

/// All that was told, page by page.
pub(crate) async fn log(admin: &Asker) -> Vec<Value> {
    let (mut all, mut after) = (Vec::new(), 0);
    loop {
        let page = admin.get(&format!("{EVENTS}?after={after}&limit=50")).await;
        good(&page);
        let items = page.body["items"].as_array().unwrap();
        all.extend(items.iter().cloned());
        after = page.body["next"].as_u64().unwrap();
        if items.is_empty() {
            return all;
        }
    }
}

fn status(refused: Result<Socket, tungstenite::Error>) -> u16 {
    match refused {
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        other => panic!("{other:?}"),
    }
}

/// As a browser offers its key.
async fn in_browser(place: &Place, secret: &str, after: u64) -> Socket {
    let url = format!("ws://127.0.0.1:{}/v1/events?after={after}", place.port());
    let mut request = url.into_client_request().unwrap();
    let offer = format!("callwright.events.v1, bearer.{secret}");
    request.headers_mut().insert("sec-websocket-protocol", offer.parse().unwrap());
    let (browser, response) = connect_async(request).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "callwright.events.v1");
    browser
}

/// Over a WebSocket, and as server-sent events.
async fn as_browsers_do(place: &Place, secret: &str, from: u64) {
    let mut browser = in_browser(place, secret, from).await;
    assert_eq!(next(&mut browser).await.unwrap()["sequence"], from + 1);
    // It can't read why a handshake fails.
    let mut lost = in_browser(place, secret, 1_000_000).await;
    assert_eq!(next(&mut lost).await, Err(4_410));
    let stream = format!("http://127.0.0.1:{}{EVENTS}/stream?after=0", place.port());
    let mut stream = reqwest::Client::new()
        .get(stream)
        .header("last-event-id", from)
        .bearer_auth(secret)
        .send()
        .await
        .unwrap();
    let start = stream.chunk().await.unwrap().unwrap();
    let start = String::from_utf8_lossy(&start).into_owned();
    assert!(
        start.starts_with(&format!("event: call.created\nid: {}\ndata: {{", from + 1)),
        "{start}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_is_followed_without_gaps_over_broken_connections() {
    let place = Place::new().await;
    let (tenant, admin) = furnished(&place).await;
    let (_, secret) =
        place.store.tenant(tenant).add_api_key(&crate::client::key(Role::Reader)).await.unwrap();
    let secret = secret.reveal().clone();
    let mut first = as_soon_as_known(&place, &secret, "").await;
    let standing = next(&mut first).await.unwrap();
    assert_eq!((&standing["type"], &standing["calls"]), (&json!("standing"), &json!([])));
    let from = standing["sequence"].as_u64().unwrap();
    let began = Instant::now();
    calls(&place, 5).await;
    let heard = until_ended(&mut first, 5).await;
    assert!(began.elapsed() < PATIENCE);
    let types: Vec<_> = heard.iter().filter_map(|event| event["type"].as_str()).collect();
    for wanted in ["call.created", "call.answered", "call.step_entered", "call.digit", "call.ended"]
    {
        assert!(types.contains(&wanted), "{wanted}: {types:?}");
    }
    let after = heard.last().unwrap()["sequence"].as_u64().unwrap();
    drop(first);
    calls(&place, 5).await;
    let mut second = open(&place, Some(&secret), &format!("?after={after}")).await.unwrap();
    let more = until_ended(&mut second, 5).await;
    let all: Vec<_> = log(&admin)
        .await
        .into_iter()
        .filter(|event| event["sequence"].as_u64() > Some(from))
        .collect();
    assert_eq!([heard, more].concat(), all);
    // What nobody may read, and what nobody wants, is left out.
    let mut some =
        open(&place, Some(&secret), &format!("?after={from}&types=call.ended")).await.unwrap();
    let ends = until_ended(&mut some, 10).await;
    assert!(ends.iter().all(|event| event["type"] == "call.ended"), "{ends:?}");
    as_browsers_do(&place, &secret, from).await;
    // A key that is gone ends what was begun with it.
    let keys = place.store.tenant(tenant).api_keys().await.unwrap();
    let own = keys.iter().find(|key| key.role == Role::Reader).unwrap();
    place.store.tenant(tenant).revoke_api_key(own.id).await.unwrap();
    calls(&place, 1).await;
    let over = loop {
        if let Err(code) = next(&mut second).await {
            break code;
        }
    };
    assert_eq!(over, 4_401);
    drop(some);
    place.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_follow_is_told_so_and_another_tenant_is_not_there() {
    let place = Place::new().await;
    let (tenant, admin) = furnished(&place).await;
    let other = place.tenant("other").await;
    let (_, secret) =
        place.store.tenant(other).add_api_key(&crate::client::key(Role::Admin)).await.unwrap();
    let secret = secret.reveal().clone();
    while open(&place, Some(&secret), "").await.is_err() {}
    assert_eq!(status(open(&place, None, "").await), 401);
    assert_eq!(status(open(&place, Some("nonsense"), "").await), 401);
    assert_eq!(status(open(&place, Some(&secret), "?tenant=acme").await), 404);
    assert_eq!(status(open(&place, Some(&secret), "?tenant=nobody").await), 404);
    assert_eq!(status(open(&place, Some(&secret), "?after=99").await), 422);
    assert_eq!(status(open(&place, Some(&secret), "?types=*").await), 400);
    let stranger = place.with_key(&secret);
    assert_eq!(stranger.get(EVENTS).await.status, StatusCode::NOT_FOUND);
    calls(&place, 1).await;
    let mut follows = open(&place, Some(&secret), "?after=0").await.unwrap();
    let nothing = tokio::time::timeout(Duration::from_millis(500), follows.next()).await;
    assert!(nothing.is_err(), "{nothing:?}");
    let told = place.store.tenant(tenant).told_after(0, 500).await.unwrap();
    assert!(told.last > 0);
    let ahead = admin.get(&format!("{EVENTS}?after=9999")).await;
    assert_eq!((ahead.status.as_u16(), &ahead.body["field"]), (422, &json!("after")), "{ahead:?}");
    let standing = admin.get(&format!("{EVENTS}/standing")).await;
    assert_eq!(standing.body["calls"], json!([]), "{standing:?}");
    follows.send(Message::Text("a word that nobody waits for".into())).await.unwrap();
    follows.close(None).await.unwrap();
    place.end().await;
}

/// Follows over a connection of which the system keeps little for a client that does not read.
async fn narrow(place: &Place, key: &str) -> WebSocketStream<TcpStream> {
    let url = format!("ws://127.0.0.1:{}/v1/events?after=0", place.port());
    let mut request = url.into_client_request().unwrap();
    request.headers_mut().insert("authorization", format!("Bearer {key}").parse().unwrap());
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(128 * 1_024).unwrap();
    let address = format!("127.0.0.1:{}", place.port()).parse().unwrap();
    let stream = socket.connect(address).await.unwrap();
    client_async(request, stream).await.unwrap().0
}

/// More than the system keeps to be sent (tcp(7): tcp_wmem, 4 MiB).
const MANY: usize = 100;
const LONG: usize = 100_000;

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_read_is_let_go_and_others_are_told_at_once() {
    let place = Place::new().await;
    let (tenant, admin) = furnished(&place).await;
    let from = log(&admin).await.len() as u64;
    let own = crate::client::key(Role::Admin);
    let (_, key) = place.store.tenant(tenant).add_api_key(&own).await.unwrap();
    let key = key.reveal().clone();
    let mut other = as_soon_as_known(&place, &key, &format!("?after={from}")).await;
    let mut stalled = narrow(&place, &key).await;
    let scope = place.store.tenant(tenant);
    let reading = tokio::spawn(async move {
        for sequence in from + 1..=from + 2 * MANY as u64 {
            let event = loop {
                let event = next(&mut other).await.unwrap();
                if event["type"] != "heartbeat" {
                    break event;
                }
            };
            assert_eq!(event["sequence"], sequence);
        }
        Instant::now()
    });
    for _ in 0..MANY {
        scope.lock_outbound(&"x".repeat(LONG)).await.unwrap();
        scope.unlock_outbound().await.unwrap();
    }
    let written = Instant::now();
    let told = reading.await.unwrap();
    assert!(told.saturating_duration_since(written) < Duration::from_secs(8), "others wait");
    // It reads again when it was given up long ago.
    tokio::time::sleep(Duration::from_secs(12)).await;
    let mut read = 0;
    let code = loop {
        match tokio::time::timeout(PATIENCE, stalled.next()).await.expect("it is over") {
            Some(Ok(Message::Text(_))) => {
                read += 1;
                assert!(read < from + 2 * MANY as u64, "it was told everything");
            }
            Some(Ok(Message::Close(frame))) => break frame.map_or(0, |frame| frame.code.into()),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => break 0,
        }
    };
    assert!([0, 4_408].contains(&code), "{code}");
}
