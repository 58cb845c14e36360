//! What goes on while people talk, whoever asked for it: a step, a key or an operator. What can't
//! be done is said in words, and changes nothing.

mod hold;
mod monitor;
pub(in crate::call) mod record;
mod tape;

use serde::{Deserialize, Serialize};

use monitor::Monitoring;
use tape::Recording;

/// What was begun and nothing has ended yet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::call) struct Talk {
    /// The caller waits with music.
    #[serde(skip_serializing_if = "is_not")]
    held: bool,
    /// The caller's own leg is on hold: FreeSWITCH reads nothing from it.
    #[serde(skip_serializing_if = "is_not")]
    caller_held: bool,
    /// The number that was dialed has its conversations recorded.
    #[serde(skip_serializing_if = "is_not")]
    pub(in crate::call) record_number: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitoring: Option<Box<Monitoring>>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_not(held: &bool) -> bool {
    !*held
}

impl Talk {
    pub(in crate::call) fn new(record_number: bool) -> Self {
        Self { record_number, ..Self::default() }
    }

    pub(in crate::call) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The conversation is over, and with it the hold.
    pub(in crate::call) fn parted(&mut self) {
        self.held = false;
    }
}
