//! The live call: what is known of a call that is up, and who holds it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{CallId, ChannelId, FlowName, InstanceId, TenantId};

/// A call that has begun and has no record yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LiveCall {
    pub call: CallId,
    pub tenant: TenantId,
    /// The process that runs it.
    pub holder: InstanceId,
    /// How often it has changed hands before.
    pub term: u32,
    /// The caller's leg.
    pub channel: ChannelId,
    pub flow: FlowName,
    pub version: u32,
    pub caller_name: String,
    /// Masked where the tenant asks for it.
    pub caller_number: String,
    pub dialed: String,
    pub started: Timestamp,
}
