//! What a tenant lays down for its conversations.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::monitor::MonitorPolicy;
use super::recording::RecordingPolicy;

/// A tenant's rules for conversations.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct TalkSettings {
    #[serde(skip_serializing_if = "MonitorPolicy::is_default")]
    pub monitor: MonitorPolicy,
    #[serde(skip_serializing_if = "RecordingPolicy::is_default")]
    pub recording: RecordingPolicy,
}
