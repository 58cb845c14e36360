//! `park` and `retrieve`: the caller waits in a slot, and somebody else takes it from there.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::StepName;
use crate::base::millis::Millis;
use crate::flow::Exits;
use crate::flow::expr::Template;

/// Parks the caller in one of the tenant's slots, with music, until somebody takes it from there.
/// `next` is taken when those two have parted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Park {
    /// The slot; without it the lowest that is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slot: Option<Template>,
    /// How long the caller waits; without it as the tenant has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Millis>,
    /// The caller hears the slot first.
    #[serde(default)]
    pub announce: bool,
    /// The extension that is called when the time is over, before `timed_out` is taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub back: Option<Template>,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}

/// Takes the caller out of a slot and speaks with it; `next` is taken when they have parted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Retrieve {
    /// The slot.
    pub slot: Template,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}
