//! A tenant, its numbers, prompts and flows, as stored.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::e164::NumberPlan;
use crate::base::ids::{FlowId, FlowName, GatewayName, PromptName, TenantId, TenantSlug};

/// A customer of the phone system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tenant {
    pub id: TenantId,
    /// A short name for the command line.
    pub slug: TenantSlug,
    pub name: String,
    /// Its SIP domain: `domain_name` where FusionPBX sets it.
    pub domain: String,
    /// FusionPBX's `domain_uuid`, where there is one.
    #[serde(default)]
    pub domain_uuid: Option<Uuid>,
    /// An IANA time zone.
    pub timezone: String,
    /// Gateways whose inbound calls are this tenant's and through which it may dial. Calls through
    /// a gateway that several tenants have are told apart by their number.
    pub gateways: Vec<GatewayName>,
    /// Hosts that `dial` may reach by SIP address.
    pub sip_hosts: Vec<String>,
    /// Dialplan contexts that `transfer` may name.
    pub contexts: Vec<String>,
    pub mask_parties: bool,
    /// Its rules for conversations, as JSON.
    #[serde(default = "no_rules")]
    pub talk: serde_json::Value,
    /// How numbers are written where it is; callers' and dialed numbers are then read by that.
    #[serde(default)]
    pub numbering: Option<NumberPlan>,
    pub created: Timestamp,
}

fn no_rules() -> serde_json::Value {
    serde_json::json!({})
}

/// How a dialed number is matched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "match", content = "value")]
pub enum NumberMatch {
    /// The number as dialed, character by character, or however else the tenant's plan writes it.
    Exact(String),
    /// A regular expression that the whole number must match; tried in order after exact numbers.
    Pattern(String),
}

/// A number that leads to a flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NumberRoute {
    pub tenant: TenantId,
    #[serde(flatten)]
    pub number: NumberMatch,
    pub flow: FlowName,
    /// Patterns are tried from the lowest order on.
    pub order: i32,
    #[serde(default)]
    pub reach: Reach,
    /// Whether the conversations of its calls are recorded, whatever the tenant's rules say.
    #[serde(default)]
    pub record: bool,
    /// What phones that ring for its calls show before the caller's name, such as `Sales`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<String>,
}

/// Which calls a number is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Reach {
    /// Any call; an exact number of this reach belongs to one tenant only.
    #[default]
    Everywhere,
    /// Only calls that are known to be the tenant's by their domain or gateway, such as an
    /// extension.
    Tenant,
}

/// A prompt of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
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
    /// The version whose document this one repeats: a rollback.
    #[serde(default)]
    pub copy_of: Option<u32>,
    #[schemars(with = "String")]
    pub published: Timestamp,
}

/// A flow's head: all but its documents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FlowHead {
    pub id: FlowId,
    pub name: FlowName,
    /// The version that new calls get; none before the first is published.
    pub version: Option<u32>,
    pub draft_revision: u32,
    pub draft_author: String,
    pub draft_saved: Timestamp,
}
