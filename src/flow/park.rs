//! How a tenant's callers are parked.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::StepName;
use crate::base::millis::Millis;
use crate::base::slot::SlotRange;

/// How callers are parked in a conversation; without slots nobody can be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ParkSettings {
    /// The tenant's slots, such as `701-720`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<SlotRange>,
    /// How long a caller waits before whoever parked it is called back.
    pub timeout: Millis,
    /// How long whoever parked the caller is called back; `0s`: not at all.
    pub call_back: Millis,
    /// How often the caller is parked again where nobody answers that.
    pub again: u8,
    /// The step of its flow to which the caller goes then; without it, or in a flow that has none
    /// of this name, as if nobody had answered the step that dialed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<StepName>,
    /// How whoever parks a caller hears the slot.
    pub announce: Announce,
}

impl Default for ParkSettings {
    fn default() -> Self {
        Self {
            slots: None,
            timeout: Millis::seconds(120),
            call_back: Millis::seconds(30),
            again: 1,
            then: None,
            announce: Announce::default(),
        }
    }
}

impl ParkSettings {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// How a slot is announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Announce {
    /// Digit by digit, in the language of the flow.
    #[default]
    Spoken,
    /// By the tones of its keys.
    Tones,
    /// Not at all.
    Nothing,
}
