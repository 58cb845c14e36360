//! Answers FreeSWITCH's mod_xml_curl: the gateways and phones of its directory, and the operator's
//! Sofia profiles. All comes from memory; of what is not ours it is said so, and FreeSWITCH's next
//! source serves it.

pub mod config;
mod document;

use std::collections::BTreeMap;
use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::to_bytes;
use axum::extract::connect_info::Connected;
use axum::extract::{ConnectInfo, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::serve::IncomingStream;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use url::form_urlencoded;

use crate::base::masked::Masked;
use crate::base::networks;
use crate::sip::{Accounts, GATEWAY_DOMAIN};

use config::{Config, PasswordError};

/// Longest request, in bytes: FreeSWITCH sends the headers of a REGISTER along.
const BODY_MAX: usize = 256 * 1_024;
/// Fields of a request that are looked at.
const FIELDS_MAX: usize = 512;
/// How long a request may take to come; FreeSWITCH waits with what it asked for.
const PATIENCE: Duration = Duration::from_secs(2);

/// Where somebody asks from.
#[derive(Debug, Clone, Copy)]
struct Peer(SocketAddr);

impl Connected<IncomingStream<'_, tokio::net::TcpListener>> for Peer {
    fn connect_info(stream: IncomingStream<'_, tokio::net::TcpListener>) -> Self {
        Self(*stream.remote_addr())
    }
}

/// What mod_xml_curl is answered with.
pub struct Provision {
    accounts: Accounts,
    config: Config,
    /// Of `Basic` and what follows, the hash.
    credentials: Masked<[u8; 32]>,
}

impl fmt::Debug for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provision").field("config", &self.config).finish_non_exhaustive()
    }
}

fn hash(text: &[u8]) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, text).as_ref());
    bytes
}

impl Provision {
    /// # Errors
    /// There is no password.
    pub fn new(accounts: Accounts, config: Config) -> Result<Self, PasswordError> {
        let password = config.password()?;
        let pair = format!("{}:{}", config.user, password.reveal());
        let credentials = Masked::new(hash(STANDARD.encode(pair).as_bytes()));
        Ok(Self { accounts, config, credentials })
    }

    /// Answers until it is told to stop.
    ///
    /// # Errors
    /// The socket can't be used.
    pub async fn run(self, socket: TcpListener, stop: CancellationToken) -> std::io::Result<()> {
        socket.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(socket)?;
        let router = Router::new().route("/freeswitch", post(ask)).with_state(Arc::new(self));
        axum::serve(listener, router.into_make_service_with_connect_info::<Peer>())
            .with_graceful_shutdown(stop.cancelled_owned())
            .await
    }

    /// Whether it is FreeSWITCH that asks. Comparing hashes tells nobody how near they came.
    fn admits(&self, headers: &HeaderMap, from: SocketAddr) -> Result<(), StatusCode> {
        if !networks::hold(&self.config.allow, from.ip()) {
            return Err(StatusCode::FORBIDDEN);
        }
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let given = given.and_then(|value| value.strip_prefix("Basic "));
        match given {
            Some(given) if hash(given.trim().as_bytes()) == *self.credentials.reveal() => Ok(()),
            _ => Err(StatusCode::UNAUTHORIZED),
        }
    }

    fn answer(&self, fields: &BTreeMap<String, String>) -> Option<String> {
        let field = |name: &str| fields.get(name).map_or("", String::as_str);
        if field("section") == "configuration" && field("key_value") == "sofia.conf" {
            // Without a name it is asked for all, which is its own file's affair. Only what runs
            // is read again (`sofia.c` config_sofia).
            let starts = field("reconfig") != "true";
            let profile = self.accounts.profile(field("profile"), field("hostname"), starts)?;
            return Some(document::profile(&profile));
        }
        if field("section") != "directory" || field("tag_name") != "domain" {
            return None;
        }
        let domain = field("key_value").to_ascii_lowercase();
        if domain == GATEWAY_DOMAIN {
            return match field("purpose") {
                "gateways" => {
                    let all = self.accounts.of_profile(field("profile"), field("hostname"));
                    let all = all.iter().map(|account| &**account);
                    Some(document::gateways(GATEWAY_DOMAIN, all))
                }
                "network-list" => {
                    let picture = self.accounts.picture();
                    let all = picture.networks.iter().map(ToString::to_string);
                    Some(document::networks(GATEWAY_DOMAIN, all))
                }
                _ => None,
            };
        }
        let picture = self.accounts.picture();
        let phone = picture.phones.get(&(domain.clone(), field("user").to_owned()))?;
        let config = self.accounts.config();
        // Where the phone speaks itself, it is told by which profile (`sofia_reg.c`
        // sofia_reg_parse_auth).
        let asks = picture.encryption(field("sip_profile"));
        let profiles = picture.phone_profiles(config.phone_profile.as_str());
        Some(document::phone(&domain, phone, config.context.as_str(), &profiles, asks))
    }
}

async fn ask(
    State(provision): State<Arc<Provision>>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    if let Err(status) = provision.admits(&parts.headers, from) {
        tracing::warn!(%from, status = status.as_u16(), "mod_xml_curl is not answered");
        return status.into_response();
    }
    let Ok(Ok(body)) = timeout(PATIENCE, to_bytes(body, BODY_MAX)).await else {
        return StatusCode::BAD_REQUEST.into_response();
    };
    let mut fields = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(&body).take(FIELDS_MAX) {
        fields.entry(name.into_owned()).or_insert_with(|| value.into_owned());
    }
    let found = provision.answer(&fields);
    let [section, purpose] =
        ["section", "purpose"].map(|name| fields.get(name).map_or("", String::as_str));
    tracing::debug!(section, purpose, found = found.is_some(), "mod_xml_curl asks");
    let text = found.unwrap_or_else(document::nothing);
    ([(header::CONTENT_TYPE, "text/xml; charset=utf-8")], text).into_response()
}
