//! Everything a call needs to run from its first step to its last, fixed when the call begins.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::ids::{FlowName, GatewayName, PromptName, TenantId};
use crate::base::millis::Millis;

use super::Flow;

/// A published version of a flow: it never changes.
#[derive(Debug, Clone, PartialEq)]
pub struct Published {
    pub name: FlowName,
    /// 1, 2, 3 …; 0 is a draft, which only a simulation runs.
    pub version: u32,
    pub flow: Flow,
}

/// A flow with all that it refers to, in the versions of one moment.
#[derive(Debug, Clone)]
pub struct Program {
    pub tenant: TenantId,
    /// The tenant's IANA time zone.
    pub timezone: String,
    /// The flow that the call begins with.
    pub main: FlowName,
    /// It and all flows it can reach, by name.
    pub flows: BTreeMap<FlowName, Arc<Published>>,
    /// Files as FreeSWITCH sees them, by prompt.
    pub prompts: BTreeMap<PromptName, PromptFile>,
    pub settings: Settings,
}

/// A prompt's audio.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptFile {
    /// A path that FreeSWITCH can read, made by us or set by the operator.
    pub path: String,
    /// How long it plays, where known.
    pub length: Option<Millis>,
}

/// What the operator lays down for a tenant's calls.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Settings {
    /// Gateways that the tenant's flows may dial through.
    pub gateways: Vec<GatewayName>,
    /// Host names and addresses that `dial` may reach by SIP address.
    pub sip_hosts: Vec<String>,
    /// Domain in which extensions are dialed, as FreeSWITCH's directory knows it.
    pub domain: String,
    /// Dialplan contexts that `transfer` may name; the first is the default.
    pub contexts: Vec<String>,
    /// `engine|voice` for text to speech, where an engine is configured.
    pub speech: Option<SpeechEngine>,
    /// Directory in which FreeSWITCH writes messages; absolute.
    pub message_directory: String,
    /// Whether parties' numbers are masked in records.
    pub mask_parties: bool,
}

/// A text-to-speech engine of FreeSWITCH.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpeechEngine {
    pub engine: String,
    pub voice: String,
}
