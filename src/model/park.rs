//! Callers that are parked.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::base::ids::{CallId, ChannelId};
use crate::base::slot::Slot;

/// A caller in a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParkedCall {
    pub slot: Slot,
    pub call: CallId,
    pub channel: ChannelId,
    /// The caller's number, as records show it.
    pub party: String,
    /// Who parked it; nobody where a flow did.
    pub parker: String,
    pub since: Timestamp,
}

/// Who takes a caller out of a slot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taker {
    pub call: CallId,
    /// Its number, as records show it.
    pub party: String,
}
