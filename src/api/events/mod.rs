//! What happens to a tenant's calls, gateways, recordings and flows, followed live: how things
//! stand first, then every event in order and once, also over a broken connection.

mod document;
mod feed;
mod socket;

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

use super::endpoint::{Asked, Endpoint};
use super::problem::Problem;
use super::reply::{Nothing, Reply, Seen};
use super::shape::{Answer, Good, Media};
use super::stream::{Pipe, written};
use crate::model::access::Power;
use crate::model::event::{Event, Standing};
use crate::store::{EVENTS_MAX, TenantScope, Untold};

pub(super) use document::document;
pub(super) use feed::FOLLOWERS_MAX;
pub(super) use socket::{PATH, follow};

use feed::{Fed, Feed, Filter};

pub(super) fn endpoints() -> Vec<Endpoint> {
    let read = Power::CallsRead;
    vec![
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/events",
            read,
            "What was told after some event, the oldest first",
            list,
        ),
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/events/standing",
            read,
            "How things stand after the last event: where to begin to follow",
            standing,
        ),
        Endpoint::new(
            Method::GET,
            "/v1/tenants/{tenant}/events/stream",
            read,
            "Follow as server-sent events; /v1/events is the same as a WebSocket",
            stream,
        ),
    ]
}

/// After which event.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct After {
    /// The sequence of the last event that is known; 0 for all that are kept.
    #[serde(default)]
    after: u64,
    #[serde(default)]
    limit: Many,
}

/// Events at once.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(try_from = "u32")]
#[schemars(inline)]
struct Many(#[schemars(range(min = 1, max = 500))] u32);

impl Default for Many {
    fn default() -> Self {
        Self(100)
    }
}

impl TryFrom<u32> for Many {
    type Error = String;
    fn try_from(many: u32) -> Result<Self, String> {
        if (1..=EVENTS_MAX).contains(&many) {
            return Ok(Self(many));
        }
        Err(format!("1 to {EVENTS_MAX} events come at once"))
    }
}

/// Some events.
#[derive(Debug, Serialize, JsonSchema)]
struct Events {
    items: Vec<Event>,
    /// After which event to go on.
    next: u64,
    /// That of the last event that there is.
    last: u64,
}

/// Whom to follow, and from where.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Follow {
    /// The sequence of the last event that is known. Without it how things stand comes first.
    #[serde(default)]
    after: Option<u64>,
    /// Only these types, such as `call.ended,gateway.*`; all where it is left out.
    #[serde(default)]
    types: Option<Filter>,
}

impl From<Untold> for Problem {
    fn from(untold: Untold) -> Self {
        match untold {
            Untold::Gone { kept_after } => {
                let detail = format!(
                    "events up to {kept_after} are not kept any more; see how things stand, and go \
                     on from there"
                );
                Self::new(StatusCode::GONE, "events_gone", detail).at("after")
            }
            Untold::Ahead { last } => {
                Self::invalid(format!("event {last} is the last there is")).at("after")
            }
            Untold::Store(error) => error.into(),
        }
    }
}

async fn list(asked: Asked<TenantScope, Nothing, After>) -> Result<Reply<Events>, Problem> {
    let told = asked.whose.told_after(asked.query.after, asked.query.limit.0).await?;
    let shown = told.events.iter().filter(|(_, event)| feed::may(&asked.by, event));
    let items = shown.map(|(_, event)| serde_json::from_str(event));
    let items = items.collect::<Result<_, _>>().map_err(|error| Problem::fault(&error))?;
    let next = told.events.last().map_or(asked.query.after, |(sequence, _)| *sequence);
    Ok(Reply(Events { items, next, last: told.last }))
}

async fn standing(asked: Asked<TenantScope>) -> Result<Reply<Standing>, Problem> {
    Ok(Reply(feed::standing(&asked.by, &asked.whose).await?))
}

/// Server-sent events (WHATWG HTML, 9.2).
struct Sse(Body);

impl Answer for Sse {
    fn describe(_: &mut SchemaGenerator) -> Vec<Good> {
        let schema = json_schema!({ "type": "string" });
        let media = Some(Media { kinds: &["text/event-stream"], schema });
        vec![Good { status: 200, about: "Events as they come", media, headers: &[] }]
    }

    fn respond(self, seen: &Seen) -> Result<Response, Problem> {
        let body = if seen.head_only { Body::empty() } else { self.0 };
        // Proxies pass on at once what comes.
        let headers =
            [(header::CONTENT_TYPE, "text/event-stream"), (header::CACHE_CONTROL, "no-store")];
        Ok((StatusCode::OK, headers, body).into_response())
    }
}

/// A browser that connects again says what it got last.
async fn stream(asked: Asked<TenantScope, Nothing, Follow>) -> Result<Sse, Problem> {
    let mut wanted = asked.query;
    wanted.after = asked.seen.last_event.or(wanted.after);
    let mut feed = Feed::open(&asked.api, &asked.by, asked.whose, wanted).await?;
    Ok(Sse(written(async move |pipe: Pipe| {
        while let Ok(fed) = feed.next().await {
            let mut text = String::new();
            let over = matches!(fed, Fed::Over(_));
            fed.for_each_line(|name, sequence, json| {
                text.push_str(&format!("event: {name}\nid: {sequence}\ndata: {json}\n\n"));
            });
            if pipe.send(text).await.is_err() || over {
                return;
            }
        }
    })))
}
