//! `hangup`: the call ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::cause::HangupCause;

/// Ends the call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Hangup {
    #[serde(default = "normal")]
    pub cause: HangupCause,
}

const fn normal() -> HangupCause {
    HangupCause::NormalClearing
}
