//! `answer`, `ring`, `reject`: what the caller's phone is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::base::cause::RejectReason;
use crate::base::ids::StepName;
use crate::base::millis::Millis;
use crate::flow::Exits;

/// Answers the call (SIP 200). Answering an answered call does nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// A pause after the answer, so that the first word is not cut off.
    #[serde(default)]
    pub pause: Millis,
    pub next: StepName,
}

/// Tells the caller's phone that it rings (SIP 180), and goes on after `duration`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    #[serde(default)]
    pub duration: Millis,
    pub next: StepName,
}

/// Declines a call that has not been answered; hangs up one that has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reject {
    #[serde(default)]
    pub reason: RejectReason,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}
