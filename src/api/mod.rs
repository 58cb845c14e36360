//! The HTTP API: what a tenant's own programs ask and order, under `/v1`. Everything here is
//! thin: what is done is done by `store`, `control` and `driver`.
//!
//! An endpoint is one function from what was asked to a reply; its types are its documentation
//! ([`document`]), and the power that it takes stands beside it in its list (`endpoint.rs`).

mod access;
mod audit;
mod blocked;
mod calls;
mod choices;
pub mod config;
mod cors;
mod document;
mod endpoint;
mod events;
mod export;
mod extensions;
mod flows;
mod gateways;
mod keys;
mod limits;
mod names;
mod numbers;
mod once;
mod outbound;
mod pace;
mod page;
mod problem;
mod profiles;
mod prompts;
mod range;
mod recordings;
mod records;
mod reply;
mod reports;
mod rooms;
mod schedules;
mod shape;
mod stream;
mod tenants;
mod tls;
mod tokens;
mod trial;
mod users;
mod webhooks;

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;

use axum::Router;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::IncomingStream;
use dashmap::DashMap;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use crate::archive::Archive;
use crate::archive::prompts::Prompts;
use crate::base::ids::ApiKeyId;
use crate::control::console::Console;
use crate::driver::call::Shared;
use crate::hooks::Hooks;
use crate::model::access::Power;
use crate::sip::Accounts;
use crate::store::{Directory, Followed, Store};

use config::Config;
use endpoint::Endpoint;
use pace::Paces;
use problem::Problem;
use tls::Secured;

pub use tls::TlsError;

/// Why the API is not answered.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    #[error(transparent)]
    Socket(#[from] io::Error),
    #[error(transparent)]
    Tls(#[from] TlsError),
}

/// Where somebody asks from.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, tokio::net::TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, tokio::net::TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

impl Connected<IncomingStream<'_, Secured>> for Peer {
    fn connect_info(stream: IncomingStream<'_, Secured>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// What the API works with.
pub struct Api {
    store: Store,
    directory: Directory,
    accounts: Accounts,
    console: Arc<Console>,
    archive: Arc<Archive>,
    prompts: Prompts,
    config: Config,
    speech: bool,
    /// Free places for simulations.
    trials: Semaphore,
    /// Free places for exports.
    exports: Arc<Semaphore>,
    /// Free places for reports.
    reports: Semaphore,
    /// Free places for who hears a recording.
    played: Arc<Semaphore>,
    /// What followers are told.
    followed: Followed,
    hooks: Hooks,
    /// Free places for followers.
    followers: Arc<Semaphore>,
    paces: Paces,
    /// The minute in which each key was last noted as used.
    used: DashMap<ApiKeyId, i64>,
}

impl std::fmt::Debug for Api {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Api").field("config", &self.config).finish_non_exhaustive()
    }
}

impl Api {
    /// What calls share.
    fn shared(&self) -> &Shared {
        &self.console.shared
    }

    /// Gateways and phones at work.
    const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Whether the operator has an engine that speaks.
    const fn speaks(&self) -> bool {
        self.speech
    }
}

/// Every endpoint.
fn endpoints() -> Vec<Endpoint> {
    [
        tenants::endpoints(),
        keys::endpoints(),
        tokens::endpoints(),
        users::endpoints(),
        flows::endpoints(),
        trial::endpoints(),
        numbers::endpoints(),
        blocked::endpoints(),
        limits::endpoints(),
        prompts::endpoints(),
        rooms::endpoints(),
        schedules::endpoints(),
        gateways::endpoints(),
        outbound::endpoints(),
        profiles::endpoints(),
        extensions::endpoints(),
        calls::endpoints(),
        records::endpoints(),
        export::endpoints(),
        reports::endpoints(),
        recordings::endpoints(),
        audit::endpoints(),
        events::endpoints(),
        webhooks::endpoints(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What the API can do, as OpenAPI 3.1.
pub fn document() -> serde_json::Value {
    document::of(&endpoints(), webhooks::sent)
}

/// What followers are told, as AsyncAPI 3.0.
pub fn events_document() -> serde_json::Value {
    events::document()
}

/// For each endpoint, by method and path, the power that it takes; none where any key will do.
pub fn powers() -> Vec<(Method, &'static str, Option<Power>)> {
    let endpoints = endpoints().into_iter();
    endpoints.map(|endpoint| (endpoint.method, endpoint.path, endpoint.power)).collect()
}

impl Api {
    /// `speech`: whether the operator has an engine that speaks.
    pub fn new(
        store: Store,
        directory: Directory,
        accounts: Accounts,
        (followed, hooks): (Followed, Hooks),
        console: Arc<Console>,
        archive: Arc<Archive>,
        prompts: Prompts,
        config: Config,
        speech: bool,
    ) -> Self {
        let paces = Paces::new(&config);
        let played = Arc::new(Semaphore::new(recordings::PLAYED_MAX));
        let exports = Arc::new(Semaphore::new(export::EXPORTS_MAX));
        let reports = Semaphore::new(reports::REPORTS_MAX);
        let trials = Semaphore::new(trial::TRIALS_MAX);
        let followers = Arc::new(Semaphore::new(events::FOLLOWERS_MAX));
        let used = DashMap::new();
        Self {
            store,
            directory,
            accounts,
            console,
            archive,
            prompts,
            config,
            speech,
            trials,
            exports,
            reports,
            played,
            followed,
            hooks,
            followers,
            paces,
            used,
        }
    }

    /// Answers until it is told to stop, and what is being answered then.
    ///
    /// # Errors
    /// The socket or the certificate can't be used.
    pub async fn run(self, socket: TcpListener, stop: CancellationToken) -> Result<(), ApiError> {
        socket.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(socket)?;
        let tls = self.config.tls.clone();
        let router = router(Arc::new(self)).into_make_service_with_connect_info::<Peer>();
        let stop = stop.cancelled_owned();
        match tls {
            Some(tls) => {
                let secured = Secured::new(listener, &tls)?;
                axum::serve(secured, router).with_graceful_shutdown(stop).await?;
            }
            None => axum::serve(listener, router).with_graceful_shutdown(stop).await?,
        }
        Ok(())
    }
}

fn router(api: Arc<Api>) -> Router {
    let mut router = Router::new()
        .route("/v1/openapi.json", get(openapi))
        .route("/v1/asyncapi.json", get(asyncapi))
        .route(events::PATH, get(events::follow));
    for endpoint in endpoints() {
        router = router.route(endpoint.path, endpoint.route);
    }
    let origins = cors::layer(&api.config.origins);
    let router = router.fallback(nothing).method_not_allowed_fallback(not_so).with_state(api);
    // Outside of all else: a browser shows no answer, nor what is wrong, without these headers.
    match origins {
        Some(origins) => router.layer(origins),
        None => router,
    }
}

/// No key is needed to read what there is; whoever may not ask at all may not read it either.
async fn openapi(
    State(api): State<Arc<Api>>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
) -> Response {
    match api.open_to(from.ip()) {
        Ok(()) => axum::Json(document()).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn asyncapi(
    State(api): State<Arc<Api>>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
) -> Response {
    match api.open_to(from.ip()) {
        Ok(()) => axum::Json(events_document()).into_response(),
        Err(problem) => problem.into_response(),
    }
}

async fn nothing() -> Problem {
    Problem::not_found("there is nothing at this path")
}

async fn not_so(request: Request) -> Problem {
    let method: &Method = request.method();
    Problem::method(method.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Set `CALLWRIGHT_WRITE_OPENAPI` to write it.
    fn is_committed(name: &str, document: &serde_json::Value) {
        let path = format!("{}/src/api/{name}", env!("CARGO_MANIFEST_DIR"));
        let made = serde_json::to_string_pretty(document).unwrap() + "\n";
        if std::env::var_os("CALLWRIGHT_WRITE_OPENAPI").is_some() {
            std::fs::write(&path, &made).unwrap();
        }
        let kept = std::fs::read_to_string(path).unwrap_or_default();
        assert!(kept == made, "{name} is another: run with CALLWRIGHT_WRITE_OPENAPI=1");
    }

    #[test]
    fn the_committed_documents_are_those_that_the_code_makes() {
        is_committed("openapi.json", &document());
        is_committed("asyncapi.json", &events_document());
    }

    #[test]
    fn no_two_endpoints_are_one() {
        let mut seen = std::collections::BTreeSet::new();
        for endpoint in endpoints() {
            let what = format!("{} {}", endpoint.method, endpoint.path);
            assert!(seen.insert(what.clone()), "{what} stands there twice");
        }
    }

    #[test]
    fn no_two_schemas_want_one_name() {
        for document in [document(), events_document()] {
            let schemas = document["components"]["schemas"].as_object().unwrap();
            // A number behind the name is what the second gets.
            let numbered: Vec<_> = schemas
                .keys()
                .filter(|name| name.ends_with(|c: char| c.is_ascii_digit()))
                .collect();
            assert!(numbered.is_empty(), "{numbered:?}");
        }
    }
}
