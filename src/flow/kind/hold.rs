//! `hold`: the caller waits with music.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::digits::Digits;
use crate::base::ids::{PromptName, StepName};
use crate::base::millis::Millis;
use crate::flow::Exits;

/// The caller waits with music until the time is over, or until an operator takes it back from hold
/// (`callwright call ID unhold`).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hold {
    /// How long; without it as long as the call may last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Millis>,
    /// What the caller hears, instead of the tenant's music.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub music: Option<PromptName>,
    /// Keys of which any ends the waiting, as `cancelled`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub cancel_key: Option<Digits>,
    pub next: StepName,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}
