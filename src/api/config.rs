//! Settings of the HTTP API.

use std::net::SocketAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

use crate::base::networks;

/// How the API is reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where it listens. Default: nowhere.
    pub listen: Option<SocketAddr>,
    /// Encrypts it with this certificate. Default: nothing is encrypted.
    pub tls: Option<Tls>,
    /// Networks from which it may be asked. Default: this machine.
    pub allow: Vec<IpNet>,
    /// Longest body of a request, in bytes. Default: 1 MiB.
    pub body: usize,
    /// Longest file that is uploaded, in bytes. Default: 20 MiB.
    pub upload: usize,
    /// Requests of one key in a second, over some time. Default: 50.
    pub per_second: u32,
    /// Requests of one key at once. Default: 200.
    pub burst: u32,
}

/// PEM files; they are read again when they change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// The certificate, and those between it and the root.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: None,
            tls: None,
            allow: networks::local(),
            body: 1_024 * 1_024,
            upload: 20 * 1_024 * 1_024,
            per_second: 50,
            burst: 200,
        }
    }
}
