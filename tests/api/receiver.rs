//! A receiver of webhooks that misbehaves as it is told to, and remembers what came.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use serde_json::Value;

/// How long anything may take that has to happen.
const PATIENCE: Duration = Duration::from_secs(60);

/// What it does with a request.
#[derive(Debug, Clone)]
pub(crate) enum Reaction {
    /// Answers with this status.
    Status(u16),
    /// Answers with 503, and wants to be left alone for so many seconds.
    Later(u64),
    /// Never answers.
    Stall,
    /// Answers with 200 after this time.
    Late(Duration),
    /// Answers with 200, and never comes to an end.
    Endless,
    /// Sends elsewhere.
    Redirect(String),
}

/// A request that came.
#[derive(Debug, Clone)]
pub(crate) struct Came {
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    pub(crate) event: Value,
    pub(crate) at: Instant,
    /// Whether it was answered with 200, and in time.
    pub(crate) taken: bool,
}

impl Came {
    pub(crate) fn id(&self) -> &str {
        self.headers["webhook-id"].to_str().unwrap()
    }

    pub(crate) fn sequence(&self) -> u64 {
        self.event["sequence"].as_u64().unwrap()
    }

    pub(crate) fn call(&self) -> &str {
        self.event["call"].as_str().unwrap_or_default()
    }

    /// Whether an implementation of Standard Webhooks that is not ours takes it.
    pub(crate) fn is_signed(&self, secret: &str) -> bool {
        let webhook = standardwebhooks::Webhook::new(secret).unwrap();
        webhook.verify(&self.bytes, &self.headers).is_ok()
    }
}

/// What is done with an event that came so often before.
type Manner = dyn Fn(&Value, usize) -> Reaction + Send + Sync;

struct Inner {
    came: Mutex<Log>,
    manner: Box<Manner>,
}

#[derive(Default)]
struct Log {
    all: Vec<Came>,
    /// How often each came.
    often: BTreeMap<String, usize>,
}

/// A clone is the same.
#[derive(Clone)]
pub(crate) struct Receiver {
    inner: Arc<Inner>,
    address: SocketAddr,
}

impl Receiver {
    pub(crate) async fn start(
        manner: impl Fn(&Value, usize) -> Reaction + Send + Sync + 'static,
    ) -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let inner = Arc::new(Inner { came: Mutex::default(), manner: Box::new(manner) });
        let router = Router::new().route("/", post(take)).with_state(Arc::clone(&inner));
        tokio::spawn(async move { axum::serve(listener, router).await });
        Self { inner, address }
    }

    /// One that takes all.
    pub(crate) async fn kind() -> Self {
        Self::start(|_, _| Reaction::Status(200)).await
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) fn came(&self) -> Vec<Came> {
        self.inner.came.lock().unwrap().all.clone()
    }

    /// How many it got, each counted once.
    pub(crate) fn count(&self) -> usize {
        self.inner.came.lock().unwrap().often.len()
    }

    /// What it took, in the order in which it took it; the same event once.
    pub(crate) fn taken(&self) -> Vec<Came> {
        let mut known = BTreeSet::new();
        let all = self.came().into_iter().filter(|came| came.taken);
        all.filter(|came| known.insert(came.id().to_owned())).collect()
    }

    /// Waits until it came to that.
    pub(crate) async fn until<T>(&self, mut look: impl FnMut(&Self) -> Option<T>) -> T {
        let began = Instant::now();
        loop {
            if let Some(found) = look(self) {
                return found;
            }
            let came = self.came();
            let last: Vec<_> = came.iter().rev().take(5).map(|came| &came.event).collect();
            assert!(began.elapsed() < PATIENCE, "{} came, the last {last:?}", came.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Each attempt with a call's events is made when all before it were taken.
    pub(crate) fn is_in_order(&self) {
        let mut last = BTreeMap::<String, (u64, bool)>::new();
        for came in self.came() {
            let (call, sequence) = (came.call().to_owned(), came.sequence());
            if let Some((before, taken)) = last.insert(call, (sequence, came.taken)) {
                let again = sequence == before;
                assert!(again || (sequence > before && taken), "{before} then {sequence}");
            }
        }
    }
}

async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, bytes: Bytes) -> Response {
    let event: Value = serde_json::from_slice(&bytes).unwrap();
    let id = headers["webhook-id"].to_str().unwrap().to_owned();
    let reaction = {
        let mut came = inner.came.lock().unwrap();
        let often = came.often.entry(id).or_default();
        let reaction = (inner.manner)(&event, *often);
        *often += 1;
        let taken = matches!(reaction, Reaction::Status(200) | Reaction::Endless);
        came.all.push(Came { headers, bytes, event, at: Instant::now(), taken });
        reaction
    };
    match reaction {
        Reaction::Status(status) => StatusCode::from_u16(status).unwrap().into_response(),
        Reaction::Later(seconds) => {
            let later = [("retry-after", seconds.to_string())];
            (StatusCode::SERVICE_UNAVAILABLE, later).into_response()
        }
        Reaction::Stall => std::future::pending().await,
        Reaction::Endless => {
            let nothing = futures_util::stream::pending::<Result<Bytes, std::io::Error>>();
            Body::from_stream(nothing).into_response()
        }
        Reaction::Late(pause) => {
            tokio::time::sleep(pause).await;
            StatusCode::OK.into_response()
        }
        Reaction::Redirect(to) => {
            (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, to)]).into_response()
        }
    }
}
