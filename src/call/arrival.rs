//! What is known of a call when FreeSWITCH hands it over.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::base::ids::{CallId, ChannelId};

/// The call's facts, taken from the `connect` reply. All texts come from outside and may hold
/// anything.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    pub call: CallId,
    pub channel: ChannelId,
    pub caller_name: String,
    pub caller_number: String,
    /// The number that was dialed.
    pub dialed: String,
    /// Whether the channel is answered already.
    pub answered: bool,
    /// The channel variables that the program reads, without the prefix `variable_`.
    pub variables: BTreeMap<String, String>,
}
