//! One endpoint: a method and path, the power it takes, and a function from what is asked to a
//! reply. Its types say all that the documentation needs.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{ConnectInfo, FromRequestParts, Path, Query, RawPathParams, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, MethodRouter, on};
use schemars::SchemaGenerator;
use tokio::time::{Instant, timeout};

use super::access::{Asker, Whose, permit};
use super::once::Turn;
use super::pace::Left;
use super::problem::Problem;
use super::reply::{Nothing, Seen};
use super::shape::{Answer, Content, Described, Shape, is_nothing, read};
use super::{Api, Peer};
use crate::model::access::Power;
use crate::model::token::Bearer;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(super) const LIMIT: HeaderName = HeaderName::from_static("ratelimit-limit");
pub(super) const REMAINING: HeaderName = HeaderName::from_static("ratelimit-remaining");
/// Longest name of a request that is taken over from who asks.
const REQUEST_ID_MAX: usize = 64;

/// How long an answer waits at most for what it changed to be in force.
const FOLLOWED: Duration = Duration::from_secs(1);

/// What was asked, and by whom. Nothing here is without its owner: `whose` is the tenant's part of
/// the store, or the operator's.
pub(super) struct Asked<W, P = Nothing, Q = Nothing, B = Nothing> {
    pub(super) api: Arc<Api>,
    pub(super) by: Bearer,
    pub(super) whose: W,
    pub(super) path: P,
    pub(super) query: Q,
    pub(super) body: B,
    pub(super) seen: Seen,
}

/// One of the API's.
pub(super) struct Endpoint {
    pub(super) method: Method,
    pub(super) path: &'static str,
    /// None where any key will do.
    pub(super) power: Option<Power>,
    /// A line for people.
    pub(super) summary: &'static str,
    pub(super) describe: fn(&mut SchemaGenerator) -> Described,
    pub(super) route: MethodRouter<Arc<Api>>,
}

impl Endpoint {
    pub(super) fn new<W, P, Q, B, A, F, Run>(
        method: Method,
        path: &'static str,
        power: impl Into<Option<Power>>,
        summary: &'static str,
        run: F,
    ) -> Self
    where
        W: Whose,
        P: Shape,
        Q: Shape,
        B: Content,
        A: Answer,
        F: Fn(Asked<W, P, Q, B>) -> Run + Clone + Send + Sync + 'static,
        Run: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        debug_assert_eq!(W::OF_TENANT, path.contains("{tenant}"), "{path}");
        let power = power.into();
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let route = on(filter, move |State(api): State<Arc<Api>>, request: Request| {
            let run = run.clone();
            async move {
                let (began, method) = (Instant::now(), request.method().clone());
                let telemetry = api.console.shared.telemetry.clone();
                let response = api.respond(request, power, run).await;
                let status = response.status().as_u16();
                telemetry.metrics().requested(method.as_str(), path, status, began.elapsed());
                response
            }
        });
        Self { method, path, power, summary, describe: Described::of::<P, Q, B, A>, route }
    }
}

/// What the request is called, in our answer and log: as who asks calls it, or a name of ours.
fn name(parts: &Parts) -> String {
    let given = parts.headers.get(&REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = |text: &&str| {
        !text.is_empty()
            && text.len() <= REQUEST_ID_MAX
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    given.filter(plain).map_or_else(|| uuid::Uuid::now_v7().to_string(), str::to_owned)
}

impl Api {
    /// Whoever has an answer finds what it changed in force, at least here.
    async fn follow(&self, before: u64) {
        if self.store.changes() == before {
            return;
        }
        match timeout(FOLLOWED, self.directory.refresh()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a change is in force later"),
            Err(_) => tracing::debug!("a change is in force later"),
        }
    }

    async fn respond<W, P, Q, B, A, F, Run>(
        self: Arc<Self>,
        request: Request,
        power: Option<Power>,
        run: F,
    ) -> Response
    where
        W: Whose,
        P: Shape,
        Q: Shape,
        B: Content,
        A: Answer,
        F: Fn(Asked<W, P, Q, B>) -> Run,
        Run: Future<Output = Result<A, Problem>> + Send + 'static,
    {
        let (mut parts, body) = request.into_parts();
        let (name, method) = (name(&parts), parts.method.clone());
        let mut left = None;
        let done = async {
            let (bearer, pace) = self.admit(&parts.headers, peer(&parts)?)?;
            left = Some(pace);
            let by = Asker { bearer: bearer.clone(), request: name.clone() };
            let whose = W::of(&self, &by, tenant(&mut parts).await.as_deref())?;
            if let Some(power) = power {
                permit(&bearer, power)?;
            }
            let path = path(&mut parts).await?;
            let query = query(&parts)?;
            let body = match B::most(&self.config) {
                None => Bytes::new(),
                Some(most) => to_bytes(body, most).await.map_err(|_| too_long(most))?,
            };
            let sent = body.clone();
            let body = B::read(&parts.headers, body)?;
            let seen = Seen::of(&parts.method, &parts.headers);
            let api = Arc::clone(&self);
            let asked = Asked { api, by: bearer, whose, path, query, body, seen: seen.clone() };
            let (doing, api) = (run(asked), Arc::clone(&self));
            let done = async move {
                let before = api.store.changes();
                let done = doing.await?;
                api.follow(before).await;
                done.respond(&seen)
            };
            match self.turn(&parts, &by, &sent).await? {
                Turn::Plain => done.await,
                Turn::Again(response) => Ok(response),
                Turn::First(ticket) => {
                    // It goes on though who asked is gone, and may ask for the answer again.
                    let kept = tokio::spawn(async move {
                        let done = done.await.unwrap_or_else(IntoResponse::into_response);
                        ticket.keep(done, A::SECRET).await
                    });
                    kept.await.map_err(|error| Problem::fault(&error))
                }
            }
        }
        .await;
        let mut response = done.unwrap_or_else(IntoResponse::into_response);
        tracing::debug!(request = name, %method, status = response.status().as_u16(), "answered");
        dress(&mut response, &name, left);
        response
    }
}

fn too_long(most: usize) -> Problem {
    let detail = format!("a body has at most {most} bytes");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "too_long", detail)
}

fn dress(response: &mut Response, name: &str, left: Option<Left>) {
    let headers = response.headers_mut();
    if let Ok(name) = HeaderValue::from_str(name) {
        headers.insert(REQUEST_ID, name);
    }
    if let Some(left) = left {
        headers.insert(LIMIT, HeaderValue::from(left.limit));
        headers.insert(REMAINING, HeaderValue::from(left.requests));
    }
}

fn peer(parts: &Parts) -> Result<std::net::IpAddr, Problem> {
    let peer = parts.extensions.get::<ConnectInfo<Peer>>();
    peer.map(|ConnectInfo(Peer(address))| address.ip())
        .ok_or_else(|| Problem::forbidden("you have no address"))
}

async fn tenant(parts: &mut Parts) -> Option<String> {
    let params = RawPathParams::from_request_parts(parts, &()).await.ok()?;
    let tenant = params.iter().find(|(name, _)| *name == "tenant");
    tenant.map(|(_, slug)| slug.to_owned())
}

/// What can't be a name names nothing.
async fn path<P: Shape>(parts: &mut Parts) -> Result<P, Problem> {
    if is_nothing::<P>() {
        return read(b"{}");
    }
    let found = Path::<P>::from_request_parts(parts, &()).await;
    found.map(|Path(path)| path).map_err(|_| Problem::not_found("there is nothing of this name"))
}

fn query<Q: Shape>(parts: &Parts) -> Result<Q, Problem> {
    let found = Query::<Q>::try_from_uri(&parts.uri);
    found
        .map(|Query(query)| query)
        .map_err(|rejected| Problem::new(StatusCode::BAD_REQUEST, "query", rejected.body_text()))
}
