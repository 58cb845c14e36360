//! `http`: the flow asks another system.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{StepName, VarName};
use crate::base::millis::Millis;
use crate::flow::Exits;
use crate::flow::expr::Template;

/// Headers that belong to the connection, not to the author; in lower case.
pub const OWN_HEADERS: [&str; 8] = [
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "te",
    "trailer",
    "proxy-authorization",
];

/// Sends a request and takes values out of the JSON answer. Any failure, a status outside 200–299
/// and an answer that is not JSON (where one is needed) leave by `failed`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Http {
    #[serde(default)]
    pub method: Method,
    /// `http` or `https`. A value in braces is percent-encoded, so that it can't change the
    /// address's shape; the scheme and host must be written out.
    pub url: Template,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Template>,
    /// Any JSON; the texts in it are templates. A text that is one expression in braces keeps its
    /// type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<serde_json::Value>,
    /// For one try, answer included. At most 30 s.
    #[serde(default = "timeout")]
    pub timeout: Millis,
    /// Further tries after a failure to connect, a time-out or a 5xx status. At most 5.
    #[serde(default)]
    pub retries: u8,
    /// Most bytes of the answer; a longer one is a failure. At most 1 MiB.
    #[serde(default = "max_bytes")]
    pub max_bytes: u32,
    /// Variables and the JSON pointers (RFC 6901) of the values they take.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub into: BTreeMap<VarName, String>,
    /// The variable that takes the HTTP status; 0 when there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<VarName>,
    /// Played again and again while the answer is awaited.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub waiting_prompts: Vec<crate::flow::prompt::Prompt>,
    pub next: StepName,
    #[serde(default)]
    pub on: Exits,
}

const fn timeout() -> Millis {
    Millis::seconds(5)
}

const fn max_bytes() -> u32 {
    65_536
}

/// The methods of a data dip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    #[default]
    Get,
    Post,
    Put,
    Patch,
    Delete,
}
