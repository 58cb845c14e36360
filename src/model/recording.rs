//! Recordings: what is known of a sound file that a call left, from its first second to its end.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{CallId, RecordingId, TenantId};

/// A stretch of a recording, in milliseconds from its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Span {
    pub from_ms: u64,
    pub to_ms: u64,
}

/// What was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingKind {
    /// The parties of a call.
    #[default]
    Call,
    /// What a caller said to the `message` step.
    Message,
    /// A room.
    Room,
}

impl RecordingKind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Call => "call",
            Self::Message => "message",
            Self::Room => "room",
        }
    }
}

/// How far a recording has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordingState {
    /// FreeSWITCH writes it.
    Running,
    /// It has ended, and waits to be encrypted and stored.
    #[default]
    Pending,
    /// It is stored, and can be heard.
    Ready,
    /// It could not be stored, or is no sound: the reason is told.
    Failed,
    /// There is nothing to keep: no sound, or too little of it.
    Absent,
}

impl RecordingState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Absent => "absent",
        }
    }

    /// Whether nothing changes it any more by itself.
    pub const fn is_final(self) -> bool {
        matches!(self, Self::Ready | Self::Failed | Self::Absent)
    }
}

/// A recording, as its tenant sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Recording {
    #[schemars(with = "String")]
    pub id: RecordingId,
    #[schemars(with = "String")]
    pub tenant: TenantId,
    /// The call that it was begun in; none where a file was found of which no call told.
    #[schemars(with = "Option<String>")]
    pub call: Option<CallId>,
    pub kind: RecordingKind,
    /// The room's name, where it is a room's.
    pub room: Option<String>,
    pub state: RecordingState,
    /// Why it failed or is absent, or what is odd about it.
    pub why: String,
    #[schemars(with = "String")]
    pub began: Timestamp,
    /// As measured in the file; until then as told by the call.
    pub length_ms: u64,
    /// 2 where each party has a channel of its own.
    pub channels: u16,
    /// Samples a second; 0 until it is measured.
    pub rate: u32,
    /// Where there is silence instead of what was said.
    pub masked: Vec<Span>,
    /// Nothing louder than noise is in it.
    pub silent: bool,
    /// Bytes of the plain file.
    pub bytes: u64,
    /// SHA-256 of the plain file, in hexadecimal digits.
    pub hash: String,
    /// SHA-256 of what is stored.
    pub stored_hash: String,
    /// Who keeps it from being deleted, and why.
    pub hold: Option<String>,
    #[schemars(with = "Option<String>")]
    pub delete_after: Option<Timestamp>,
}
