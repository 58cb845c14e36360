//! A waiting line, as people look at it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::ids::{CallId, QueueName};

/// A line: who waits, and for whom.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    pub name: QueueName,
    /// How long a conversation takes, in ms; none before the first.
    pub talk_ms: Option<i64>,
    /// The first in the line is the first.
    pub waiting: Vec<WaitingCall>,
    /// Those that rang for this line last.
    pub targets: Vec<TargetView>,
}

/// A caller who waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingCall {
    pub call: CallId,
    /// The caller's number, as records show it; none while nobody has told of the call.
    pub caller: Option<String>,
    pub since: Timestamp,
    /// What rings for it now.
    pub target: Option<String>,
}

/// A target and what it does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetView {
    pub target: String,
    pub state: TargetState,
    /// For or with which call.
    pub call: Option<CallId>,
    /// Since when it rings or speaks, until when it is left alone, since when it is idle; none
    /// where it has not spoken with anybody yet.
    pub at: Option<Timestamp>,
}

/// What a target does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    Free,
    Rings,
    Speaks,
    /// It wraps up, or did not answer: it is left alone for a while.
    Rests,
}

impl TargetState {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Rings => "rings",
            Self::Speaks => "speaks",
            Self::Rests => "rests",
        }
    }
}
