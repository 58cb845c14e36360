//! What goes on while people talk, whoever asked for it: a step, a key or an operator. What can't
//! be done is said in words, and changes nothing.

mod caller_consults;
mod consult;
mod dtmf;
mod hold;
mod invite;
mod key_tones;
mod keys;
mod led;
mod monitor;
mod moved;
mod park;
mod park_far;
pub(in crate::call) mod record;
mod refer;
mod room;
mod say;
mod tape;
mod tell;
mod tie;
mod transfer;

use serde::{Deserialize, Serialize};

use crate::model::record::TransferRecord;
use monitor::Monitoring;

use hold::Waiting;
use invite::Invited;
use moved::Moved;
use park::Parking;
use tape::Recording;
use tie::Tied;

pub(in crate::call) use keys::Typing;
pub(in crate::call) use moved::Address;
pub(in crate::call) use park_far::Reserving;
pub(in crate::call) use room::Asked;
pub(in crate::call) use say::Saying;
pub use tie::{BROUGHT, Tie};

/// What was begun and nothing has ended yet.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(in crate::call) struct Talk {
    /// The caller's own leg is on hold: FreeSWITCH reads nothing from it.
    #[serde(skip_serializing_if = "is_not")]
    caller_held: bool,
    /// The number that was dialed has its conversations recorded.
    #[serde(skip_serializing_if = "is_not")]
    pub(in crate::call) record_number: bool,
    /// Who is on hold.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Waiting>,
    #[serde(skip_serializing_if = "Option::is_none")]
    recording: Option<Recording>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitoring: Option<Box<Monitoring>>,
    /// The conversation is not the one that the step began.
    #[serde(skip_serializing_if = "Option::is_none")]
    moved: Option<Box<Moved>>,
    /// The caller is parked, or about to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    parking: Option<Box<Parking>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(in crate::call) transfers: Vec<TransferRecord>,
    /// The music could not be played.
    #[serde(skip_serializing_if = "is_not")]
    tuneless: bool,
    /// Who was called out into a room.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    invited: Vec<Invited>,
    /// The call began as the other party of another.
    #[serde(skip_serializing_if = "Option::is_none")]
    tied: Option<Box<Tied>>,
    /// The number by which a phone sent the caller to another flow.
    #[serde(skip_serializing_if = "Option::is_none")]
    led_by: Option<String>,
    /// How often the call came back, on a new connection, to the process that had it.
    #[serde(skip_serializing_if = "is_none")]
    pub(in crate::call) returns: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_not(so: &bool) -> bool {
    !*so
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_none(count: &u32) -> bool {
    *count == 0
}

impl Talk {
    pub(in crate::call) fn new(record_number: bool) -> Self {
        Self { record_number, ..Self::default() }
    }

    pub(in crate::call) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// The number that led the caller to its flow, where that is not what it dialed.
    pub(in crate::call) fn dialed(&self) -> Option<&str> {
        self.led_by.as_deref()
    }

    /// The call needs no flow: it is a conversation and nothing else.
    pub(in crate::call) const fn is_tied(&self) -> bool {
        self.tied.is_some()
    }

    /// The caller is in a room to which the conversation went.
    pub(in crate::call) fn is_in_room(&self) -> bool {
        self.moved.as_ref().is_some_and(|moved| moved.is_in_room())
    }

    /// The conversation is led elsewhere than the step began it.
    pub(in crate::call) const fn is_moved(&self) -> bool {
        self.moved.is_some()
    }

    /// The caller and the far party are joined outside of our connection, or about to be.
    pub(in crate::call) fn joins(&self) -> bool {
        self.moved.as_ref().is_some_and(|moved| moved.joins())
    }
}
