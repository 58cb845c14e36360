//! `message`: the caller leaves a message.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::digits::Digits;
use crate::base::ids::{StepName, VarName};
use crate::base::millis::Millis;
use crate::flow::Exits;
use crate::flow::prompt::Prompt;

/// Records the caller.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Message {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<Prompt>,
    /// A short tone before the recording begins.
    #[serde(default = "yes")]
    pub beep: bool,
    #[serde(default = "max_length")]
    pub max_length: Millis,
    /// A shorter recording is thrown away and leaves by `too_short`.
    #[serde(default = "min_length")]
    pub min_length: Millis,
    /// So much silence ends the recording; `0s` never does.
    #[serde(default = "silence")]
    pub silence: Millis,
    /// Keys that end the recording.
    #[serde(default = "terminators")]
    #[schemars(with = "String", regex(pattern = "^[0-9*#A-D]*$"))]
    pub terminators: Digits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub review: Option<Review>,
    /// The variable that takes the recording's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<VarName>,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}

const fn yes() -> bool {
    true
}

const fn max_length() -> Millis {
    Millis::seconds(120)
}

const fn min_length() -> Millis {
    Millis::seconds(1)
}

const fn silence() -> Millis {
    Millis::seconds(5)
}

#[allow(clippy::unwrap_used, reason = "`#` is a key")]
fn terminators() -> Digits {
    "#".parse().unwrap()
}

/// Lets the caller hear the message and keep it, record it again, or give up. No key keeps it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Review {
    /// Played after the recording has been played back.
    pub prompts: Vec<Prompt>,
    #[serde(default = "key_one")]
    #[schemars(with = "String", regex(pattern = "^[0-9*#A-D]$"))]
    pub keep: Digits,
    #[serde(default = "key_two")]
    #[schemars(with = "String", regex(pattern = "^[0-9*#A-D]$"))]
    pub again: Digits,
    /// How long to wait for a key.
    #[serde(default = "review_for")]
    pub timeout: Millis,
    /// Most recordings, the first included.
    #[serde(default = "three")]
    pub attempts: u8,
}

const fn review_for() -> Millis {
    Millis::seconds(5)
}

const fn three() -> u8 {
    3
}

#[allow(clippy::unwrap_used, reason = "`1` is a key")]
fn key_one() -> Digits {
    "1".parse().unwrap()
}

#[allow(clippy::unwrap_used, reason = "`2` is a key")]
fn key_two() -> Digits {
    "2".parse().unwrap()
}
