//! `menu`: the caller chooses.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gather::Keys;
use crate::base::ids::{StepName, VarName};
use crate::flow::Exits;
use crate::flow::keys::{MenuKeys, Prepared};
use crate::flow::prompt::Prompt;

/// Plays a prompt and goes where the caller's keys say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Menu {
    pub prompts: Vec<Prompt>,
    /// Played instead of `prompts` from the second time on.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub repeat_prompts: Vec<Prompt>,
    /// Keys such as `1`, `*` or `12`, or a pattern between slashes such as `/^9\d{2}$/`; where both
    /// match, keys win, then the first pattern in alphabetical order.
    pub choices: BTreeMap<String, StepName>,
    /// The variable that takes what was pressed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub into: Option<VarName>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direct_dial: Option<DirectDial>,
    #[serde(default)]
    pub keys: Keys,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
    #[serde(skip)]
    pub(in crate::flow) prepared: Prepared<MenuKeys>,
}

/// Extensions that can be dialed from the menu.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DirectDial {
    /// Fewest digits of an extension.
    pub min: u8,
    /// Most digits of an extension.
    pub max: u8,
    /// Extensions that can't be dialed: digits, or a pattern between slashes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exclude: Vec<String>,
    /// The variable that takes the extension, for the `dial` step that follows.
    pub into: VarName,
    pub next: StepName,
}
