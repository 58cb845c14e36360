//! Recordings: which there are, their sound, and what keeps or ends them.

use std::sync::Arc;

use axum::body::Body;
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use schemars::{JsonSchema, SchemaGenerator};
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;

use super::endpoint::{Asked, Endpoint};
use super::page::{Limit, Page, cursor, next};
use super::problem::Problem;
use super::range::{Wanted, wanted};
use super::reply::{DONE, Done, Nothing, Reply, Seen};
use super::shape::{Answer, Good, Media, binary};
use super::stream::{Pipe, written};
use crate::archive::Sound;
use crate::base::ids::{CallId, RecordingId, RoomName};
use crate::model::access::Power;
use crate::model::recording::{Recording, RecordingKind, RecordingState};
use crate::model::token::Bearer;
use crate::store::{Deed, RecordingFilter, TenantScope, Trace};

/// Recordings that are sent at once; each holds three mebibytes at most.
pub(super) const PLAYED_MAX: usize = 32;
/// Longest reason, in bytes.
const WHY_MAX: usize = 2_000;

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (get, put, delete) = (Method::GET, Method::PUT, Method::DELETE);
    let (read, write) = (Power::RecordingsRead, Power::RecordingsWrite);
    let (all, one) =
        ("/v1/tenants/{tenant}/recordings", "/v1/tenants/{tenant}/recordings/{recording}");
    let hold = "/v1/tenants/{tenant}/recordings/{recording}/hold";
    vec![
        Endpoint::new(get.clone(), all, read, "A tenant's recordings, the newest first", list),
        Endpoint::new(get.clone(), one, read, "All that is known of a recording", show),
        Endpoint::new(
            get.clone(),
            "/v1/tenants/{tenant}/recordings/{recording}/audio",
            Power::RecordingsListen,
            "A recording's sound, or a part of it; it is written down who heard it",
            audio,
        ),
        Endpoint::new(
            get,
            "/v1/tenants/{tenant}/recordings/{recording}/trace",
            Power::AuditRead,
            "Who heard, held or deleted a recording, the latest first; it outlives the recording",
            trace,
        ),
        Endpoint::new(delete.clone(), one, write, "Delete a recording; its trace stays", remove),
        Endpoint::new(put, hold, write, "Keep a recording from being deleted", hold_it),
        Endpoint::new(delete, hold, write, "Let a recording be deleted again", release),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneRecording {
    recording: RecordingId,
}

/// Which recordings, and which part of the list.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Listed {
    /// `next` of the page before.
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Limit,
    /// Only those of this call.
    #[serde(default)]
    call: Option<CallId>,
    #[serde(default)]
    kind: Option<RecordingKind>,
    #[serde(default)]
    state: Option<RecordingState>,
    /// Only those of this room.
    #[serde(default)]
    room: Option<RoomName>,
    /// Those that began then or later.
    #[serde(default)]
    from: Option<Timestamp>,
    /// Those that began before.
    #[serde(default)]
    to: Option<Timestamp>,
}

/// Why something is done; it is kept.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Why {
    #[serde(default)]
    #[schemars(length(max = 2000))]
    why: String,
}

impl Why {
    fn deed(self, by: &Bearer) -> Result<Deed, Problem> {
        if self.why.len() > WHY_MAX {
            let detail = format!("a reason has at most {WHY_MAX} bytes");
            return Err(Problem::invalid(detail).at("why"));
        }
        Ok(Deed { author: by.who(), why: self.why })
    }
}

async fn list(
    asked: Asked<TenantScope, Nothing, Listed>,
) -> Result<Reply<Page<Recording>>, Problem> {
    let Listed { cursor: after, limit, call, kind, state, room, from, to } = asked.query;
    let filter = RecordingFilter { call, kind, state, room, from, to };
    let page = asked.whose.recordings(&filter, cursor(after.as_deref())?, limit.0).await?;
    Ok(Reply(Page { items: page.items, next: next(page.next) }))
}

async fn show(asked: Asked<TenantScope, OneRecording>) -> Result<Reply<Recording>, Problem> {
    Ok(Reply(asked.whose.recording(asked.path.recording).await?.recording))
}

async fn trace(asked: Asked<TenantScope, OneRecording>) -> Result<Reply<Page<Trace>>, Problem> {
    let traces = asked.whose.recording_traces(Some(asked.path.recording), u32::MAX).await?;
    Ok(Reply(Page::whole(traces)))
}

async fn remove(asked: Asked<TenantScope, OneRecording, Why>) -> Result<Done, Problem> {
    let deed = asked.query.deed(&asked.by)?;
    asked.api.archive.delete(asked.whose.id(), asked.path.recording, &deed).await?;
    Ok(DONE)
}

async fn hold_it(asked: Asked<TenantScope, OneRecording, Nothing, Why>) -> Result<Done, Problem> {
    let deed = asked.body.deed(&asked.by)?;
    asked.whose.hold(asked.path.recording, true, &deed).await?;
    Ok(DONE)
}

async fn release(asked: Asked<TenantScope, OneRecording, Why>) -> Result<Done, Problem> {
    let deed = asked.query.deed(&asked.by)?;
    asked.whose.hold(asked.path.recording, false, &deed).await?;
    Ok(DONE)
}

/// A recording's sound on its way out.
struct Audio(Response);

impl Answer for Audio {
    fn describe(_: &mut SchemaGenerator) -> Vec<Good> {
        let sound = || Some(Media { kinds: &["audio/wav"], schema: binary() });
        let whole = &["Accept-Ranges", "Content-Length", "ETag"];
        let part = &["Content-Range", "Content-Length", "ETag"];
        vec![
            Good { status: 200, about: "The whole", media: sound(), headers: whole },
            Good { status: 206, about: "As `Range` says", media: sound(), headers: part },
            Good::empty(304, "As `If-None-Match` says"),
            Good { headers: &["Content-Range"], ..Good::empty(416, "It is shorter") },
        ]
    }

    fn respond(self, _: &Seen) -> Result<Response, Problem> {
        Ok(self.0)
    }
}

async fn audio(asked: Asked<TenantScope, OneRecording>) -> Result<Audio, Problem> {
    let Asked { api, by, whose, path, seen, .. } = asked;
    let sound = api.archive.sound(whose.id(), path.recording).await?;
    let (length, tag) = (sound.length(), format!("\"{}\"", sound.recording.hash));
    if seen.knows(&tag) {
        return Ok(Audio(StatusCode::NOT_MODIFIED.into_response()));
    }
    // A part of something else than what the reader has is of no use to it (13.1.5).
    let same = seen.if_range.as_ref().is_none_or(|known| *known == tag);
    let field = seen.range.as_deref().filter(|_| same);
    let range = match wanted(field, length) {
        Wanted::All => None,
        Wanted::Part(range) => Some(range),
        Wanted::Nothing => return Ok(Audio(too_far(length))),
    };
    let bytes = range.clone().unwrap_or(0..length);
    let body = if seen.head_only {
        Body::empty()
    } else {
        let busy = || Problem::unavailable("too many recordings are being heard");
        let place = Arc::clone(&api.played).try_acquire_owned().map_err(|_| busy())?;
        let part = format!("bytes {} to {} of {length}", bytes.start, bytes.end);
        let deed = Deed { author: by.who(), why: part };
        whose.heard(path.recording, &deed).await?;
        let bytes = bytes.clone();
        written(move |pipe| send(sound, bytes, pipe, place))
    };
    let mut response = body.into_response();
    let headers = response.headers_mut();
    let mut put = |name: HeaderName, text: &str| {
        if let Ok(value) = HeaderValue::from_str(text) {
            headers.insert(name, value);
        }
    };
    put(header::CONTENT_TYPE, "audio/wav");
    put(header::ACCEPT_RANGES, "bytes");
    put(header::CACHE_CONTROL, "private, no-store");
    put(header::ETAG, &tag);
    put(header::CONTENT_LENGTH, &(bytes.end - bytes.start).to_string());
    let name = format!("attachment; filename=\"{}.wav\"", path.recording);
    put(header::CONTENT_DISPOSITION, &name);
    if let Some(range) = &range {
        let part = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
        put(header::CONTENT_RANGE, &part);
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(Audio(response))
}

fn too_far(length: u64) -> Response {
    let range = (header::CONTENT_RANGE, format!("bytes */{length}"));
    (StatusCode::RANGE_NOT_SATISFIABLE, [range]).into_response()
}

async fn send(sound: Sound, bytes: std::ops::Range<u64>, pipe: Pipe, place: OwnedSemaphorePermit) {
    for part in sound.parts(bytes) {
        match sound.decrypt(&part).await {
            Ok(piece) => {
                if pipe.send(piece).await.is_err() {
                    break;
                }
            }
            Err(error) => {
                pipe.fail(&error).await;
                break;
            }
        }
    }
    drop(place);
}
