//! A tenant, its numbers, prompts and flows, as stored.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{FlowId, FlowName, GatewayName, PromptName, TenantId};

/// A customer of the phone system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tenant {
    pub id: TenantId,
    /// A short name for the command line.
    pub slug: FlowName,
    pub name: String,
    /// Its SIP domain: `domain_name` where FusionPBX sets it.
    pub domain: String,
    /// An IANA time zone.
    pub timezone: String,
    /// Gateways whose inbound calls are this tenant's and through which it may dial.
    pub gateways: Vec<GatewayName>,
    /// Hosts that `dial` may reach by SIP address.
    pub sip_hosts: Vec<String>,
    /// Dialplan contexts that `transfer` may name.
    pub contexts: Vec<String>,
    pub mask_parties: bool,
    pub created: Timestamp,
}

/// How a dialed number is matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "match", content = "value")]
pub enum NumberMatch {
    /// The number as dialed, character by character.
    Exact(String),
    /// A regular expression that the whole number must match; tried in order after exact numbers.
    Pattern(String),
}

/// A number that leads to a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumberRoute {
    pub tenant: TenantId,
    #[serde(flatten)]
    pub number: NumberMatch,
    pub flow: FlowName,
    /// Patterns are tried from the lowest order on.
    pub order: i32,
}

/// A prompt of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredPrompt {
    pub tenant: TenantId,
    pub name: PromptName,
    /// Where FreeSWITCH reads it.
    pub path: String,
    pub length_ms: Option<u64>,
    pub created: Timestamp,
}

/// A published version's head: all but its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionHead {
    #[schemars(with = "String")]
    pub flow: FlowId,
    pub version: u32,
    pub author: String,
    pub note: String,
    #[schemars(with = "String")]
    pub published: Timestamp,
}
