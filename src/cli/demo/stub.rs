//! The web service that the sample flow asks: it knows two orders.

use std::net::SocketAddr;

use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::post;
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// Serves on a free port of the loopback interface until the task is dropped.
pub(super) async fn start() -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let address = listener.local_addr()?;
    let app = Router::new().route("/orders/{order}", post(order));
    tokio::spawn(async move { axum::serve(listener, app).await });
    Ok(address)
}

async fn order(Path(order): Path<String>) -> (StatusCode, Json<Value>) {
    match order.as_str() {
        "4711" => (StatusCode::OK, Json(json!({ "state": "shipped", "days": 2 }))),
        "4712" => (StatusCode::OK, Json(json!({ "state": "open" }))),
        _ => (StatusCode::NOT_FOUND, Json(json!({ "error": "no such order" }))),
    }
}
