//! `answer`, `ring`, `reject`: what the caller's phone is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::cause::HangupCause;
use crate::base::ids::StepName;
use crate::base::millis::Millis;
use crate::flow::Exits;

/// Answers the call (SIP 200). Answering an answered call does nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// A pause after the answer, so that the first word is not cut off.
    #[serde(default)]
    pub pause: Millis,
    pub next: StepName,
}

/// Tells the caller's phone that it rings (SIP 180), and goes on after `duration`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Ring {
    #[serde(default)]
    pub duration: Millis,
    pub next: StepName,
}

/// Declines a call that has not been answered; hangs up one that has.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reject {
    #[serde(default)]
    pub reason: RejectReason,
    #[serde(default, skip_serializing_if = "Exits::is_empty")]
    pub on: Exits,
}

/// Why a call is declined, and the SIP status that says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RejectReason {
    /// 486 Busy Here
    #[default]
    Busy,
    /// 603 Decline
    Declined,
    /// 404 Not Found
    NotFound,
    /// 480 Temporarily Unavailable
    Unavailable,
    /// 403 Forbidden
    Forbidden,
    /// 503 Service Unavailable
    Congestion,
}

impl RejectReason {
    /// The cause that mod_sofia turns into the SIP status that is meant (`mod_sofia.c`
    /// hangup_cause_to_sip).
    pub const fn cause(self) -> HangupCause {
        match self {
            Self::Busy => HangupCause::UserBusy,
            Self::Declined => HangupCause::CallRejected,
            Self::NotFound => HangupCause::UnallocatedNumber,
            Self::Unavailable => HangupCause::SubscriberAbsent,
            Self::Forbidden => HangupCause::OutgoingCallBarred,
            Self::Congestion => HangupCause::NormalCircuitCongestion,
        }
    }
}
