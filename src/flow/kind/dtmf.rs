//! `dtmf`: keys are sent to the caller, where that is a machine.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::StepName;
use crate::base::millis::Millis;
use crate::flow::Exits;
use crate::flow::expr::Template;

/// Sends keys to the caller, as if we pressed them on a telephone, and waits until they are sent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Dtmf {
    /// Keys, and `w` for a pause of half a second; one to eighty of both.
    pub digits: Template,
    /// How long each key sounds.
    #[serde(default = "key_length")]
    pub length: Millis,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}

/// How long a key sounds where nobody says otherwise.
pub const fn key_length() -> Millis {
    Millis(160)
}
