//! Listening in on a conversation.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::talk::Side;

/// Who hears a supervisor that listens in.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Nobody.
    Listen,
    /// One side.
    Whisper,
    /// Both.
    Barge,
}

/// A mode, and the side that it is about: for a whisper who hears it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Manner {
    pub mode: Mode,
    #[serde(default)]
    pub to: Side,
}

impl fmt::Display for Manner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mode, self.to) {
            (Mode::Listen, _) => f.write_str("listen"),
            (Mode::Whisper, Side::Caller) => f.write_str("whisper to the caller"),
            (Mode::Whisper, Side::Far) => f.write_str("whisper to the far end"),
            (Mode::Barge, _) => f.write_str("barge"),
        }
    }
}
