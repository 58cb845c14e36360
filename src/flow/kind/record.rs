//! `record`: the call is recorded from here on, or not any more.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::StepName;
use crate::base::millis::Millis;
use crate::flow::Exits;
use crate::flow::prompt::Prompt;

/// Begins or ends a recording of the call, or changes the one that runs. A recording that runs
/// already is not begun again, and one that does not run is not ended: `next` is taken all the
/// same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Record {
    pub action: RecordAction,
    /// `start`: what is played to the caller before the recording begins, such as an announcement.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<Prompt>,
    /// `start`: a short tone when it begins; without this key as the tenant has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub beep: Option<bool>,
    /// `start`: a channel for each party, the caller's on the left; else as the tenant has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stereo: Option<bool>,
    /// `start`: it ends by itself after this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_length: Option<Millis>,
    /// `start`: a shorter recording is not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_length: Option<Millis>,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}

/// What becomes of the recording of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RecordAction {
    Start,
    Stop,
    /// Nothing is written until `resume`; the recording is shorter by that time.
    Pause,
    Resume,
    /// Silence is written until `unmask`, in the place of what is said.
    Mask,
    Unmask,
}

impl RecordAction {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Mask => "mask",
            Self::Unmask => "unmask",
        }
    }
}
