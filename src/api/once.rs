//! Requests that may be sent again without being done twice (`Idempotency-Key`): whoever lost the
//! connection asks again with the same key and gets the first answer.

use axum::body::{Body, Bytes, to_bytes};
use axum::http::request::Parts;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use uuid::Uuid;

use super::Api;
use super::access::Asker;
use super::problem::Problem;
use crate::store::{Earlier, KeptAnswer, Operator};

pub(super) const NAME: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer was given before.
pub(super) const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Longest key, in bytes.
pub(super) const NAME_MAX: usize = 255;
/// Longest answer that is kept, in bytes; those to what is ordered are short.
const ANSWER_MAX: usize = 1_024 * 1_024;
/// After so many milliseconds nobody answers any more.
const LOST_MS: i64 = 60_000;
/// What marks are made for.
const PURPOSE: &str = "callwright requests";

/// A request with an `Idempotency-Key` that is being answered for the first time.
pub(super) struct Ticket {
    operator: Operator,
    asker: Uuid,
    name: String,
}

/// What is to be done with a request.
pub(super) enum Turn {
    /// It has no key: it is done.
    Plain,
    First(Ticket),
    Again(Response),
}

/// The key of a request that acts.
fn name(parts: &Parts) -> Result<Option<String>, Problem> {
    let value = parts.headers.get(NAME).filter(|_| parts.method == Method::POST);
    let Some(value) = value else { return Ok(None) };
    let visible = |text: &&str| {
        !text.is_empty() && text.len() <= NAME_MAX && text.bytes().all(|b| b.is_ascii_graphic())
    };
    let name = value.to_str().ok().filter(visible).map(str::to_owned);
    let detail = format!("an Idempotency-Key has 1 to {NAME_MAX} visible ASCII characters");
    name.map(Some).ok_or_else(|| Problem::new(StatusCode::BAD_REQUEST, "idempotency_key", detail))
}

impl Api {
    /// # Errors
    /// Another request has had this key, the first is being answered, or can't be answered again.
    pub(super) async fn turn(
        &self,
        parts: &Parts,
        by: &Asker,
        body: &Bytes,
    ) -> Result<Turn, Problem> {
        let Some(name) = name(parts)? else { return Ok(Turn::Plain) };
        let path = parts.uri.path_and_query().map_or("/", |path| path.as_str());
        let request = [path.as_bytes(), b"\0", body].concat();
        let keys = self.archive.keys().operator();
        let mark = keys.sign(PURPOSE, &request).map_err(|error| Problem::fault(&error))?;
        let operator = self.store.operator();
        let (asker, tenant) = (by.bearer.identity(), by.bearer.tenant());
        let earlier = operator.begin_answer(asker, tenant, &name, &mark).await;
        let conflict = |code, detail: &str| Err(Problem::new(StatusCode::CONFLICT, code, detail));
        match earlier.map_err(unkept)? {
            Earlier::None => Ok(Turn::First(Ticket { operator, asker, name })),
            Earlier::TooMany => {
                let detail = "too many requests with an Idempotency-Key in 24 hours";
                Err(Problem::new(StatusCode::TOO_MANY_REQUESTS, "idempotency_full", detail))
            }
            Earlier::Some { mark, .. } if !keys.verify(PURPOSE, &request, &mark) => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                let detail = "another request had this Idempotency-Key";
                Err(Problem::new(status, "idempotency_reused", detail))
            }
            Earlier::Some { answer: Some(answer), .. } => again(answer).map(Turn::Again),
            Earlier::Some { age_ms, .. } if age_ms < LOST_MS => {
                conflict("idempotency_running", "the first request with this key is being answered")
            }
            Earlier::Some { .. } => {
                let detail = "the first request with this key was lost while it was being done: \
                              look whether it was, then ask with another key";
                conflict("idempotency_lost", detail)
            }
        }
    }
}

fn unkept(error: crate::store::StoreError) -> Problem {
    if error.retryable() {
        let detail = "the database does not answer, so an Idempotency-Key can't be kept; what can \
                      be done without it can be asked without a key";
        return Problem::unavailable(detail);
    }
    error.into()
}

fn again(answer: KeptAnswer) -> Result<Response, Problem> {
    let KeptAnswer { status, headers, body } = answer;
    let Some(body) = body else {
        let detail = "this was done, and its answer held a secret that is shown only once";
        return Err(Problem::new(StatusCode::CONFLICT, "done_already", detail));
    };
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let mut response = (status, body).into_response();
    response.headers_mut().clear();
    for (name, value) in headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    response.headers_mut().insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(response)
}

impl Ticket {
    /// Keeps an answer. What failed with us counts as never asked.
    pub(super) async fn keep(self, response: Response, secret: bool) -> Response {
        let (parts, body) = response.into_parts();
        let Ok(bytes) = to_bytes(body, ANSWER_MAX).await else {
            let detail = "the answer is too long to be kept";
            return Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", detail)
                .into_response();
        };
        let status = parts.status;
        let headers = [header::CONTENT_TYPE, header::ETAG, header::LOCATION].into_iter();
        let headers = headers.filter_map(|name| {
            let value = parts.headers.get(&name)?.to_str().ok()?;
            Some((name.to_string(), value.to_owned()))
        });
        let hidden = secret && status.is_success();
        let answer = KeptAnswer {
            status: status.as_u16(),
            headers: headers.collect(),
            body: (!hidden).then(|| String::from_utf8_lossy(&bytes).into_owned()),
        };
        let passing = status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS;
        let answer = (!passing).then_some(&answer);
        if let Err(error) = self.operator.end_answer(self.asker, &self.name, answer).await {
            tracing::warn!(%error, "an answer was not kept: who asks again is not answered");
        }
        Response::from_parts(parts, Body::from(bytes))
    }
}
