//! Health over HTTP, for balancers and orchestrators: `/livez` answers as long as the event loop
//! turns, `/readyz` says whether the next call would be taken, and if not, why; and figures for
//! Prometheus, `/metrics`.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde::Serialize;

use super::console::Console;
use crate::telemetry::Families;

/// All figures as Prometheus reads them; nothing after a fault of ours. It never waits.
pub type Figures = Arc<dyn Fn() -> Option<Vec<u8>> + Send + Sync>;

/// Each part of being ready. The directory is loaded before anything listens.
#[derive(Debug, Serialize)]
struct Ready {
    ready: bool,
    accepting: bool,
    draining: bool,
    shedding: Option<&'static str>,
    calls: usize,
    talking: usize,
}

/// Answers until another process does.
///
/// # Errors
/// The socket can't be used.
pub async fn run(socket: TcpListener, console: Arc<Console>, figures: Figures) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let listener = tokio::net::TcpListener::from_std(socket)?;
    let followed = console.followed.clone();
    let router = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(async move || metrics(&figures)))
        .with_state(console);
    axum::serve(listener, router).with_graceful_shutdown(followed.cancelled_owned()).await
}

fn metrics(figures: &Figures) -> Response {
    match figures() {
        Some(text) => ([(header::CONTENT_TYPE, Families::MEDIA_TYPE)], text).into_response(),
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}

async fn ready(State(console): State<Arc<Console>>) -> (StatusCode, Json<Ready>) {
    let registry = &console.shared.registry;
    let ready = Ready {
        ready: console.is_ready(),
        accepting: console.is_accepting(),
        draining: console.drain.since().is_some(),
        shedding: console.gate.sheds().map(|refusal| refusal.word()),
        calls: registry.len(),
        talking: registry.talking(),
    };
    let status = if ready.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(ready))
}
