//! What is kept of those who listened to others.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::monitor::Manner;
use crate::base::ids::{AuditId, CallId, TenantId};

/// One session of a supervisor, from the order to its end. It is told again with each change; of
/// one session the entry with the highest revision counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct AuditEntry {
    #[schemars(with = "String")]
    pub id: AuditId,
    #[schemars(with = "String")]
    pub tenant: TenantId,
    #[schemars(with = "String")]
    pub call: CallId,
    pub revision: u32,
    /// The supervisor's extension.
    pub by: String,
    /// Those who talked, the caller first; masked where the tenant asks for it.
    pub whom: Vec<String>,
    pub reason: String,
    #[schemars(with = "String")]
    pub began: Timestamp,
    /// When the supervisor's phone was answered.
    #[schemars(with = "Option<String>")]
    pub answered: Option<Timestamp>,
    /// The manner it began with, and each change.
    pub changes: Vec<Change>,
    #[schemars(with = "Option<String>")]
    pub ended: Option<Timestamp>,
    /// Why it ended.
    pub end: Option<String>,
}

/// From then on the supervisor was heard in this manner.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "MonitorChange")]
pub struct Change {
    #[schemars(with = "String")]
    pub at: Timestamp,
    #[serde(flatten)]
    pub manner: Manner,
}
