//! The live call: what is known of a call that is up, and who holds it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{CallId, ChannelId, FlowName, GatewayName, InstanceId, TenantId};

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
    /// The number, as the number map has it, that led it to its flow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub number: Option<String>,
    /// The gateway through which it came, by the tenant's name for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway: Option<GatewayName>,
    /// It is not known yet whether it is let in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub pending: bool,
}
