//! What comes back.

use axum::body::Bytes;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use schemars::{JsonSchema, SchemaGenerator};
use serde::{Deserialize, Serialize};

use super::problem::Problem;
use super::shape::{Answer, Good, Media, is_nothing};

const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");
/// Bytes of a hash that make a tag.
const TAG_BYTES: usize = 12;

/// A JSON answer with its status.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply<T, const STATUS: u16 = 200>(pub(super) T);

/// Where nothing is asked or answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub(super) struct Nothing {}

/// Done; there is nothing to say.
pub(super) type Done = Reply<Nothing, 204>;

pub(super) const DONE: Done = Reply(Nothing {});

/// An answer that nobody gets twice.
pub(super) struct Secret<T>(pub(super) Reply<T, 201>);

impl<T: Serialize + JsonSchema + Send + 'static> Answer for Secret<T> {
    const SECRET: bool = true;

    fn describe(generator: &mut SchemaGenerator) -> Vec<Good> {
        Reply::<T, 201>::describe(generator)
    }

    fn respond(self, seen: &Seen) -> Result<Response, Problem> {
        self.0.respond(seen)
    }
}

impl<T: Serialize + JsonSchema + Send + 'static, const STATUS: u16> Answer for Reply<T, STATUS> {
    fn describe(generator: &mut SchemaGenerator) -> Vec<Good> {
        let media = (!is_nothing::<T>()).then(|| Media::json(generator.subschema_for::<T>()));
        let headers = if media.is_some() { &["ETag"][..] } else { &[] };
        let mut all = vec![Good { status: STATUS, about: "Done", media, headers }];
        if STATUS == StatusCode::OK.as_u16() {
            all.push(Good::empty(304, "As `If-None-Match` says"));
        }
        all
    }

    fn respond(self, seen: &Seen) -> Result<Response, Problem> {
        let status = StatusCode::from_u16(STATUS).unwrap_or(StatusCode::OK);
        seen.respond(status, &self.0)
    }
}

/// The tag of what somebody was shown: another where anything in it is another.
pub(super) fn tag(json: &[u8]) -> String {
    let hash = digest(&SHA256, json);
    let start = hash.as_ref().get(..TAG_BYTES).unwrap_or_default();
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(start))
}

fn json<T: Serialize>(value: &T) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(value).map_err(|error| Problem::fault(&error))
}

/// What the sender has seen, and must still be so (RFC 9110 13.1).
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    matches: Option<String>,
    differs: Option<String>,
    /// The part that is wanted, and of what (14.2, 13.1.5).
    pub(super) range: Option<String>,
    pub(super) if_range: Option<String>,
    /// Only the head of the answer is wanted.
    pub(super) head_only: bool,
    /// Of a stream, the last event that came (WHATWG HTML 9.2.4).
    pub(super) last_event: Option<u64>,
}

impl Seen {
    pub(super) fn of(method: &Method, headers: &HeaderMap) -> Self {
        let text = |name| {
            headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).map(str::to_owned)
        };
        Self {
            matches: text(header::IF_MATCH),
            differs: text(header::IF_NONE_MATCH),
            range: text(header::RANGE),
            if_range: text(header::IF_RANGE),
            head_only: method == Method::HEAD,
            last_event: text(LAST_EVENT_ID).and_then(|id| id.parse().ok()),
        }
    }

    /// Whether the reader has this already.
    pub(super) fn knows(&self, tag: &str) -> bool {
        self.differs.as_deref().is_some_and(|known| lists(known, tag))
    }

    /// Refuses where the thing, as it is now, is not what the sender has seen. `*` is anything.
    pub(super) fn still<T: Serialize>(&self, now: &T) -> Result<(), Problem> {
        let Some(matches) = &self.matches else { return Ok(()) };
        let now = tag(&json(now)?);
        if lists(matches, &now) {
            return Ok(());
        }
        let detail = "it was changed since you read it; read it again";
        Err(Problem::new(StatusCode::PRECONDITION_FAILED, "changed", detail).with(
            header::ETAG,
            HeaderValue::from_str(&now).unwrap_or(HeaderValue::from_static("*")),
        ))
    }

    /// The response to a reader, who may know it already.
    pub(super) fn respond<T: Serialize>(
        &self,
        status: StatusCode,
        value: &T,
    ) -> Result<Response, Problem> {
        if status == StatusCode::NO_CONTENT {
            return Ok(status.into_response());
        }
        let body = json(value)?;
        let tag = tag(&body);
        let known = self.knows(&tag);
        let mut response = if known && status == StatusCode::OK {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            let kind = (header::CONTENT_TYPE, "application/json");
            (status, [kind], Bytes::from(body)).into_response()
        };
        if let Ok(tag) = HeaderValue::from_str(&tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        Ok(response)
    }
}

fn lists(tags: &str, tag: &str) -> bool {
    tags.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(name: HeaderName, value: &str) -> Seen {
        Seen::of(
            &Method::GET,
            &HeaderMap::from_iter([(name, HeaderValue::from_str(value).unwrap())]),
        )
    }

    #[test]
    fn what_was_changed_meanwhile_is_not_overwritten() {
        let (old, new) = (tag(b"{\"a\":1}"), serde_json::json!({ "a": 2 }));
        let same = tag(&serde_json::to_vec(&new).unwrap());
        assert!(seen(header::IF_MATCH, &old).still(&new).is_err());
        assert!(seen(header::IF_MATCH, &format!("{old}, {same}")).still(&new).is_ok());
        assert!(seen(header::IF_MATCH, "*").still(&new).is_ok());
        assert!(Seen::default().still(&new).is_ok());
    }

    #[test]
    fn what_the_reader_has_already_is_not_sent_again() {
        let value = serde_json::json!({ "a": 2 });
        let tag = tag(&serde_json::to_vec(&value).unwrap());
        let status = |seen: &Seen| seen.respond(StatusCode::OK, &value).unwrap().status();
        assert_eq!(status(&seen(header::IF_NONE_MATCH, &tag)), StatusCode::NOT_MODIFIED);
        assert_eq!(status(&Seen::default()), StatusCode::OK);
    }
}
