//! Settings of the HTTP API.

use std::net::SocketAddr;
use std::path::PathBuf;

use axum::http::HeaderValue;
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
    /// Where the pages come from whose browsers may ask, such as `https://app.example.com`.
    /// Default: from nowhere.
    pub origins: Vec<Origin>,
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
            origins: Vec::new(),
            body: 1_024 * 1_024,
            upload: 20 * 1_024 * 1_024,
            per_second: 50,
            burst: 200,
        }
    }
}

/// Where a page comes from (RFC 6454): scheme, host and port, as browsers write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(String);

/// A text is not where a page can come from.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no origin: write it as browsers do, like `https://app.example.com`, without a path"
)]
pub struct NoOrigin(String);

impl Origin {
    /// As it stands in a header.
    pub(super) fn header(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.0).ok()
    }
}

impl TryFrom<String> for Origin {
    type Error = NoOrigin;
    fn try_from(text: String) -> Result<Self, NoOrigin> {
        let read = url::Url::parse(&text).ok();
        let web = read.filter(|url| matches!(url.scheme(), "http" | "https"));
        // A star is a character of a host's to the parser; here somebody would mean any.
        let web = web.filter(|_| !text.contains('*'));
        match web.map(|url| url.origin().ascii_serialization()) {
            Some(written) if written == text => Ok(Self(text)),
            _ => Err(NoOrigin(text.chars().take(80).collect())),
        }
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it_or_refused() {
        for right in ["https://app.example.com", "http://localhost:8000", "https://[::1]:8443"] {
            assert!(Origin::try_from(right.to_owned()).is_ok(), "{right}");
        }
        for wrong in [
            "*",
            "null",
            "app.example.com",
            "https://app.example.com/",
            "https://App.example.com",
            "https://app.example.com:443",
            "https://u@app.example.com",
            "ftp://app.example.com",
            "https://app.example.com/x",
            "https://*.example.com",
        ] {
            let error = Origin::try_from(wrong.to_owned()).unwrap_err().to_string();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
