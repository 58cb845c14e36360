//! What went wrong, as RFC 9457 has it: a code for programs, a sentence for people, and where it
//! concerns what was sent, the field.

use std::borrow::Cow;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::JsonSchema;
use serde::Serialize;

use crate::archive::ArchiveError;
use crate::archive::prompts::PromptError;
use crate::call::place::Unplaceable;
use crate::control::room::RoomOpError;
use crate::driver::place::PlaceError;
use crate::driver::registry::TellError;
use crate::flow::problem::Problem as Finding;
use crate::flow::room::Denied;
use crate::report::ReportError;
use crate::store::StoreError;
use crate::vault::objects::ObjectError;

/// A request that was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem(Box<Words>);

/// What is said about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct Words {
    /// `urn:callwright:problem:` and the code.
    #[serde(rename = "type")]
    kind: String,
    status: u16,
    title: Cow<'static, str>,
    /// Stays the same over releases.
    code: Cow<'static, str>,
    /// What was wrong, in words.
    detail: String,
    /// The part of the body that is wrong, such as `rooms[2].name`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// What was found in a flow.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    problems: Vec<Finding>,
    #[serde(skip)]
    header: Option<(header::HeaderName, HeaderValue)>,
}

impl Problem {
    pub(super) fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Words {
            kind: format!("urn:callwright:problem:{code}"),
            status: status.as_u16(),
            title: Cow::Borrowed(status.canonical_reason().unwrap_or("Problem")),
            code: Cow::Borrowed(code),
            detail: detail.into(),
            field: None,
            problems: Vec::new(),
            header: None,
        }))
    }

    #[must_use]
    pub(super) fn at(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    #[must_use]
    pub(super) fn found(mut self, problems: Vec<Finding>) -> Self {
        self.0.problems = problems;
        self
    }

    #[must_use]
    pub(super) fn with(mut self, name: header::HeaderName, value: HeaderValue) -> Self {
        self.0.header = Some((name, value));
        self
    }

    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", detail)
    }

    pub(super) fn is_not_found(&self) -> bool {
        self.0.status == StatusCode::NOT_FOUND.as_u16()
    }

    /// Whether it concerns this part of what was sent.
    pub(super) fn is_at(&self, field: &str) -> bool {
        self.0.field.as_deref() == Some(field)
    }

    pub(super) fn unauthorized(detail: &'static str) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "unauthorized", detail)
            .with(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"))
    }

    pub(super) fn forbidden(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", detail)
    }

    pub(super) fn invalid(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "invalid", detail)
    }

    pub(super) fn conflict(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "conflict", detail)
    }

    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "unavailable", detail)
            .with(header::RETRY_AFTER, HeaderValue::from_static("2"))
    }

    pub(super) fn method(method: &str) -> Self {
        let detail = format!("{method} does nothing here");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", detail)
    }

    /// A fault of ours: what it was stands in the log, not in the answer.
    pub(super) fn fault(error: &(dyn std::error::Error + 'static)) -> Self {
        tracing::error!(%error, "a request could not be answered");
        let detail = "Callwright could not do this; its log says why";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "fault", detail)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status);
        let status = status.unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let header = self.0.header.clone();
        let mut response = (status, axum::Json(self.0)).into_response();
        let kind = HeaderValue::from_static("application/problem+json");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        if let Some((name, value)) = header {
            response.headers_mut().insert(name, value);
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound { .. } => Self::not_found(error.to_string()),
            StoreError::Conflict(sentence) => Self::conflict(sentence),
            StoreError::Invalid(sentence) => Self::invalid(sentence),
            StoreError::Field(field, sentence) => Self::invalid(sentence).at(field),
            StoreError::Unavailable(cause) => {
                tracing::warn!(%cause, "the database is away");
                Self::unavailable("the database does not answer; what needs it can't be done now")
            }
            error @ StoreError::Corrupt(_) => Self::fault(&error),
        }
    }
}

impl From<ArchiveError> for Problem {
    fn from(error: ArchiveError) -> Self {
        let words = error.to_string();
        let code = match error {
            ArchiveError::Store(error) => return error.into(),
            ArchiveError::NoSound(_) => "no_sound",
            ArchiveError::Destroyed => "destroyed",
            ArchiveError::Object(ObjectError::Missing)
            | ArchiveError::Damaged(_)
            | ArchiveError::Length { .. } => "damaged",
            ArchiveError::Object(_)
            | ArchiveError::Key(_)
            | ArchiveError::Busy
            | ArchiveError::Write(_) => {
                tracing::error!(error = words, "recordings can't be read");
                return Self::unavailable("recordings can't be read now; the log says why");
            }
        };
        Self::new(StatusCode::CONFLICT, code, words)
    }
}

impl From<ReportError> for Problem {
    fn from(error: ReportError) -> Self {
        let words = error.to_string();
        match error {
            ReportError::Store(error) => error.into(),
            ReportError::Period(_) => Self::invalid(words),
            ReportError::TooMany | ReportError::TooWide(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "too_much", words)
            }
            ReportError::Unpublished(_) => Self::not_found(words),
            ReportError::Zone(_) | ReportError::Unreadable { .. } => Self::conflict(words),
            ReportError::Broken(error) => Self::fault(&error),
        }
    }
}

impl From<PromptError> for Problem {
    fn from(error: PromptError) -> Self {
        let words = error.to_string();
        match error {
            PromptError::Store(error) => error.into(),
            PromptError::Convert(_) => {
                Self::new(StatusCode::UNPROCESSABLE_ENTITY, "not_sound", words)
            }
            PromptError::Full => Self::new(StatusCode::CONFLICT, "full", words),
            PromptError::Elsewhere => Self::new(StatusCode::CONFLICT, "elsewhere", words),
            PromptError::Io(error) => {
                tracing::error!(%error, "the directory of prompts can't be used");
                Self::unavailable("the directory of prompts can't be used; the log says why")
            }
        }
    }
}

impl From<TellError> for Problem {
    fn from(error: TellError) -> Self {
        match error {
            TellError::Unknown => Self::not_found(error.to_string()),
            TellError::Busy | TellError::Silent | TellError::Away(_) => {
                Self::unavailable(error.to_string())
            }
            TellError::Refused(why) => Self::conflict(why),
        }
    }
}

impl From<PlaceError> for Problem {
    fn from(error: PlaceError) -> Self {
        match error {
            PlaceError::Wrong(Unplaceable { field, why }) => Self::invalid(why).at(field),
            PlaceError::Unable(why) => Self::unavailable(why),
        }
    }
}

impl From<RoomOpError> for Problem {
    fn from(error: RoomOpError) -> Self {
        match error {
            RoomOpError::NotFound(_) | RoomOpError::NoMember(_) | RoomOpError::NoPrompt(_) => {
                Self::not_found(error.to_string())
            }
            RoomOpError::Unknown => Self::unavailable(error.to_string()),
            error => Self::conflict(error.to_string()),
        }
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        Self::forbidden(denied.to_string())
    }
}
