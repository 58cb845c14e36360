//! A daemon with its API, and a client.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Once};
use std::time::Duration;

use callwright::app::config::Config;
use callwright::app::host::Host;
use callwright::base::ids::TenantId;
use callwright::control::console::Console;
use callwright::model::access::Role;
use callwright::store::{Database, NewApiKey, NewTenant, Store};
use reqwest::{Client, Method, StatusCode};
use serde_json::Value;
use tokio::task::JoinHandle;

/// How long a change of keys may take to be known.
const PATIENCE: Duration = Duration::from_secs(20);

/// A daemon in this process.
pub(crate) struct Place {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) store: Store,
    base: String,
    console: Arc<Console>,
    running: JoinHandle<anyhow::Result<()>>,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) bytes: Vec<u8>,
    /// Null where it was not read as JSON.
    pub(crate) body: Value,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(crate) fn tag(&self) -> &str {
        self.header("etag").unwrap()
    }
}

/// Whoever asks with one key.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    client: Client,
    base: String,
    key: Option<String>,
}

pub(crate) fn anywhere(port: u16) -> SocketAddr {
    SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), port)
}

impl Place {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        Self::crypto();
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let mut config = Config::default();
        config.store.database = Database::Sqlite(path("test.db"));
        config.store.spool = path("spool");
        config.control.socket = Some(path("control.sock"));
        config.handover.keys = path("callwright.key");
        config.store.message_directory = path("messages").to_str().unwrap().to_owned();
        config.recordings.store = path("recordings").to_str().unwrap().to_owned();
        config.switch.listen = anywhere(0);
        config.api.listen = Some(anywhere(0));
        change(&mut config);
        let store = Store::open(&config.store).await.unwrap();
        let host = Host::build(config, &store).await.unwrap();
        let console = host.console();
        let running = tokio::spawn(host.run());
        let base = format!("http://{}", console.status().api.unwrap());
        Self { folder, store, base, console, running }
    }

    /// What clients need for TLS.
    pub(crate) fn crypto() {
        static CRYPTO: Once = Once::new();
        CRYPTO.call_once(|| drop(rustls::crypto::ring::default_provider().install_default()));
    }

    pub(crate) fn port(&self) -> u16 {
        self.console.status().api.unwrap().parse::<SocketAddr>().unwrap().port()
    }

    /// Where FreeSWITCH hands calls over.
    pub(crate) fn address(&self) -> SocketAddr {
        self.console.address
    }

    pub(crate) fn xml_curl(&self) -> String {
        self.console.status().xml_curl.unwrap()
    }

    pub(crate) async fn tenant(&self, slug: &str) -> TenantId {
        let new = NewTenant::named(slug.parse().unwrap());
        self.store.operator().create_tenant(&new).await.unwrap().id
    }

    pub(crate) fn nobody(&self) -> Asker {
        Asker { client: Client::new(), base: self.base.clone(), key: None }
    }

    pub(crate) fn with_key(&self, key: &str) -> Asker {
        Asker { key: Some(key.to_owned()), ..self.nobody() }
    }

    /// Somebody of this role; of a tenant, or the operator.
    pub(crate) async fn asker(&self, tenant: Option<TenantId>, role: Role) -> Asker {
        self.asker_with(tenant, &key(role)).await
    }

    pub(crate) async fn asker_with(&self, tenant: Option<TenantId>, new: &NewApiKey) -> Asker {
        let (_, secret) = match tenant {
            Some(tenant) => self.store.tenant(tenant).add_api_key(new).await.unwrap(),
            None => self.store.operator().add_api_key(new).await.unwrap(),
        };
        let asker = self.with_key(secret.reveal());
        let began = std::time::Instant::now();
        while asker.get("/v1/me").await.status == StatusCode::UNAUTHORIZED {
            assert!(began.elapsed() < PATIENCE, "a new key is not known");
        }
        asker
    }

    pub(crate) async fn end(self) {
        self.console.stop();
        self.running.await.unwrap().unwrap();
    }
}

/// Of what is in a key its end is nobody's guess. It may hold the mark between a key's parts.
pub(crate) fn random(secret: &str) -> &str {
    &secret[secret.len() - 20..]
}

/// A key to be made.
pub(crate) fn key(role: Role) -> NewApiKey {
    NewApiKey {
        name: format!("the {role}'s"),
        role,
        powers: [].into(),
        addresses: Vec::new(),
        expires: None,
    }
}

impl Asker {
    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path, None, &[]).await
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::POST, path, Some(body), &[]).await
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.ask(Method::PUT, path, Some(body), &[]).await
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.ask(Method::DELETE, path, None, &[]).await
    }

    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut headers = headers.to_vec();
        if body.is_some() {
            headers.push(("content-type", "application/json"));
        }
        let bytes = body.map(Value::to_string).unwrap_or_default().into_bytes();
        let mut answer = self.raw(method, path, &headers, bytes).await;
        let kinds = ["application/json", "application/problem+json"];
        if answer.header("content-type").is_some_and(|kind| kinds.contains(&kind)) {
            answer.body = serde_json::from_slice(&answer.bytes).unwrap();
        }
        answer
    }

    /// Asks with these bytes, and takes whatever comes.
    pub(crate) async fn raw(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        bytes: Vec<u8>,
    ) -> Answer {
        let mut request = self.client.request(method, format!("{}{path}", self.base)).body(bytes);
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = response.bytes().await.unwrap().to_vec();
        Answer { status, headers, bytes, body: Value::Null }
    }
}
