//! `gather`: the caller types digits; and the settings that it shares with `menu`.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::digits::Digits;
use crate::base::ids::{StepName, VarName};
use crate::base::millis::Millis;
use crate::flow::Exits;
use crate::flow::expr::Template;
use crate::flow::keys::{GatherKeys, Prepared};
use crate::flow::prompt::Prompt;

/// How keys are listened to, in `menu` and `gather` alike.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Keys {
    /// How long to wait for the first key after the prompt has ended.
    #[serde(default = "first_key")]
    pub first_key: Millis,
    /// How long to wait for each further key, while a longer input could still match.
    #[serde(default = "next_key")]
    pub next_key: Millis,
    /// Keys that end the input; they are not part of it.
    #[serde(default = "terminators")]
    #[schemars(with = "String", regex(pattern = "^[0-9*#A-D]*$"))]
    pub terminators: Digits,
    /// A key ends the prompt.
    #[serde(default = "yes")]
    pub barge_in: bool,
    /// Keys pressed before this step count for it.
    #[serde(default = "yes")]
    pub type_ahead: bool,
    /// How often no input is met with the prompt again, counting the first time.
    #[serde(default = "three")]
    pub max_no_input: u8,
    /// The same for input that matches nothing.
    #[serde(default = "three")]
    pub max_invalid: u8,
    /// The same for failures of either kind together.
    #[serde(default = "three")]
    pub max_failures: u8,
    /// Played before the prompt is repeated after no input.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub no_input_prompts: Vec<Prompt>,
    /// Played before the prompt is repeated after input that matches nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub invalid_prompts: Vec<Prompt>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            first_key: first_key(),
            next_key: next_key(),
            terminators: terminators(),
            barge_in: true,
            type_ahead: true,
            max_no_input: three(),
            max_invalid: three(),
            max_failures: three(),
            no_input_prompts: Vec::new(),
            invalid_prompts: Vec::new(),
        }
    }
}

const fn first_key() -> Millis {
    Millis::seconds(5)
}

const fn next_key() -> Millis {
    Millis::seconds(3)
}

#[allow(clippy::unwrap_used, reason = "`#` is a key")]
fn terminators() -> Digits {
    "#".parse().unwrap()
}

const fn yes() -> bool {
    true
}

const fn three() -> u8 {
    3
}

/// Collects digits into a variable.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Gather {
    pub prompts: Vec<Prompt>,
    /// Played instead of `prompts` from the second time on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeat_prompts: Vec<Prompt>,
    /// The variable that takes the digits.
    pub into: VarName,
    /// Fewest digits, at least 1.
    #[serde(default = "one")]
    pub min: u8,
    /// Most digits, at most 64.
    pub max: u8,
    /// A regular expression that the whole input must match.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pattern: Option<String>,
    /// Only these inputs are valid: a PIN gate when it is one secret.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub accept: Vec<Template>,
    /// The digits are never stored, logged or shown; the variable is forgotten at the end of the
    /// call.
    #[serde(default)]
    pub secret: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirm: Option<Confirm>,
    #[serde(default)]
    pub keys: Keys,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
    #[serde(skip)]
    pub(in crate::flow) prepared: Prepared<GatherKeys>,
}

const fn one() -> u8 {
    1
}

/// Asks the caller whether what was typed is right.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Confirm {
    /// `{input}` is what was typed.
    pub prompts: Vec<Prompt>,
    /// The key that says yes; any other key, or none, asks for the input again.
    #[serde(default = "key_one")]
    #[schemars(with = "String", regex(pattern = "^[0-9*#A-D]$"))]
    pub accept: Digits,
    /// How often the input is asked again before it counts as invalid.
    #[serde(default = "three")]
    pub attempts: u8,
}

#[allow(clippy::unwrap_used, reason = "`1` is a key")]
fn key_one() -> Digits {
    "1".parse().unwrap()
}
