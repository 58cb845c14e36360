//! `transfer`: the call leaves us for a dialplan extension.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::flow::Exits;
use crate::flow::expr::Template;

/// Sends the call to an extension of FreeSWITCH's dialplan; our part in it ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Transfer {
    pub extension: Template,
    /// A context that the operator allows; without it the tenant's default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<String>,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}
