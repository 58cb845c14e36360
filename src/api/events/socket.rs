//! Events over a WebSocket (RFC 6455).

use std::sync::Arc;
use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade};
use axum::extract::{ConnectInfo, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::SinkExt;
use serde::Deserialize;
use tokio::time::timeout;

use super::super::access::{Asker, Whose, permit};
use super::super::problem::Problem;
use super::super::{Api, Peer};
use super::Follow;
use super::feed::{Fed, Feed, Filter, Over};
use crate::base::ids::TenantSlug;
use crate::model::access::Power;
use crate::store::TenantScope;

/// Where it is.
pub(in crate::api) const PATH: &str = "/v1/events";
/// What is spoken over it. A browser, which can send no header, offers beside it
/// [`BEARER`] and its token.
pub(super) const PROTOCOL: &str = "callwright.events.v1";
pub(super) const BEARER: &str = "bearer.";
/// How long a client may take to read one batch.
const SLOW: Duration = Duration::from_secs(10);
/// Longest message that a client may send: it has nothing to say.
const MESSAGE_MAX: usize = 1_024;
/// What is read at once, bytes. The library takes 128 KiB of memory for each client otherwise.
const READ_AT_ONCE: usize = 2_048;
/// Close codes of our own (RFC 6455 7.4.2).
const UNAUTHORIZED: u16 = 4_401;
const SLOW_CODE: u16 = 4_408;
const GONE: u16 = 4_410;
/// As IANA registers it.
const SERVICE_RESTART: u16 = 1_012;

/// Whom to follow.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(in crate::api) struct Wanted {
    /// Only who may follow several has to say it.
    tenant: Option<TenantSlug>,
    after: Option<u64>,
    types: Option<Filter>,
}

pub(in crate::api) async fn follow(
    State(api): State<Arc<Api>>,
    ConnectInfo(Peer(from)): ConnectInfo<Peer>,
    headers: HeaderMap,
    Query(wanted): Query<Wanted>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let upgrade = upgrade.max_message_size(MESSAGE_MAX).read_buffer_size(READ_AT_ONCE);
    let upgrade = upgrade.protocols([PROTOCOL]);
    let in_browser = !headers.contains_key(header::AUTHORIZATION) && offered(&headers).is_some();
    match open(&api, from, headers, wanted).await {
        Ok(feed) => upgrade.on_upgrade(move |socket| serve(socket, feed)),
        // A browser does not tell its page why a handshake failed: it would try again for ever.
        Err(problem) if in_browser && problem.is_at("after") => {
            upgrade.on_upgrade(async |mut socket| {
                close(&mut socket, GONE, Over::Gone.word()).await;
            })
        }
        Err(problem) => problem.into_response(),
    }
}

async fn open(
    api: &Arc<Api>,
    from: std::net::SocketAddr,
    mut headers: HeaderMap,
    wanted: Wanted,
) -> Result<Feed, Problem> {
    if !headers.contains_key(header::AUTHORIZATION)
        && let Some(bearer) = offered(&headers)
    {
        headers.insert(header::AUTHORIZATION, bearer);
    }
    let (bearer, _) = api.admit(&headers, from.ip())?;
    let request = uuid::Uuid::now_v7().to_string();
    let by = Asker { bearer: bearer.clone(), request };
    let scope = match (&wanted.tenant, bearer.tenant()) {
        (Some(slug), _) => TenantScope::of(api, &by, Some(slug.as_str()))?,
        (None, Some(own)) => api.store.tenant(own).by(by.actor()),
        (None, None) => {
            let which = "say whom to follow: `tenant`";
            return Err(Problem::new(StatusCode::BAD_REQUEST, "query", which).at("tenant"));
        }
    };
    permit(&bearer, Power::CallsRead)?;
    Feed::open(api, &bearer, scope, Follow { after: wanted.after, types: wanted.types }).await
}

/// The key or token that a browser offers as a protocol.
fn offered(headers: &HeaderMap) -> Option<HeaderValue> {
    let all = headers.get_all(header::SEC_WEBSOCKET_PROTOCOL).iter();
    let mut words = all.filter_map(|value| value.to_str().ok()).flat_map(|text| text.split(','));
    let token = words.find_map(|word| word.trim().strip_prefix(BEARER))?;
    let mut value = HeaderValue::try_from(format!("Bearer {token}")).ok()?;
    value.set_sensitive(true);
    Some(value)
}

async fn serve(mut socket: WebSocket, mut feed: Feed) {
    loop {
        let fed = tokio::select! {
            fed = feed.next() => fed,
            said = socket.recv() => match said {
                // Pings are answered by the library; all else is of no interest.
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        let Ok(fed) = fed else { return };
        if let Fed::Over(why) = fed {
            let code = match why {
                Over::Restart => SERVICE_RESTART,
                Over::Unauthorized => UNAUTHORIZED,
                Over::Gone => GONE,
            };
            return close(&mut socket, code, why.word()).await;
        }
        match timeout(SLOW, send(&mut socket, &fed)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return,
            Err(_) => {
                tracing::debug!("a follower that does not read is let go");
                return close(&mut socket, SLOW_CODE, "too slow").await;
            }
        }
    }
}

async fn send(socket: &mut WebSocket, fed: &Fed) -> Result<(), axum::Error> {
    let mut messages = Vec::new();
    fed.for_each_line(|_, _, json| messages.push(Message::text(json.to_owned())));
    for message in messages {
        socket.feed(message).await?;
    }
    // All that came at once goes out at once.
    socket.flush().await
}

/// Says why; whoever does not read that either is cut off.
async fn close(socket: &mut WebSocket, code: u16, reason: &'static str) {
    let frame = CloseFrame { code, reason: reason.into() };
    let _ = timeout(SLOW, socket.send(Message::Close(Some(frame)))).await;
}
