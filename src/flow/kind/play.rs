//! `play`: the caller hears something.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::StepName;
use crate::flow::Exits;
use crate::flow::prompt::Prompt;

/// Plays prompts one after another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Play {
    pub prompts: Vec<Prompt>,
    /// How often the whole list is played, 1 to 100.
    #[serde(default = "once")]
    pub times: u8,
    /// Any key ends the playing; the key counts for the next step (type-ahead).
    #[serde(default)]
    pub barge_in: bool,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}

const fn once() -> u8 {
    1
}
