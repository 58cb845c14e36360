//! Settings of the control socket and of health over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// The control socket.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// A Unix socket, for this user alone. Default: `callwright.sock` beside the SQLite file, or in
    /// the current directory.
    pub socket: Option<PathBuf>,
}

/// Health over HTTP: `/livez` and `/readyz`; and `/metrics` for Prometheus.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Health {
    /// Where to listen, such as `127.0.0.1:8085`. Default: nowhere.
    pub listen: Option<SocketAddr>,
}
