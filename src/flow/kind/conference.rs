//! `conference`: the caller joins one of the tenant's rooms.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::gather::Keys;
use crate::base::ids::StepName;
use crate::flow::Exits;
use crate::flow::expr::Template;
use crate::flow::prompt::Prompt;
use crate::flow::room::Role;

/// Joins a conference room until the caller leaves it, is taken out of it, or it is over.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Conference {
    /// The room's name.
    pub room: Template,
    /// What the caller is there, without being asked for a PIN; without it the PIN decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What is played before the PIN is typed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub prompts: Vec<Prompt>,
    /// How the PIN is listened to.
    #[serde(default)]
    pub keys: Keys,
    /// What is played before the caller says a name, if the room announces names; a tone follows.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub name_prompts: Vec<Prompt>,
    /// The caller joins without being heard, whatever the room says.
    #[serde(default)]
    pub muted: bool,
    /// The caller joins without hearing anything.
    #[serde(default)]
    pub deaf: bool,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}
