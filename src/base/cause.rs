//! Why calls end: FreeSWITCH's hang-up causes (Q.850 names, `src/include/switch_types.h`
//! switch_call_cause_t) and our own judgement of who ended a call.

use std::fmt;
use std::str::FromStr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

macro_rules! causes {
    ($($(#[$doc:meta])* $variant:ident = $name:literal),* $(,)?) => {
        /// A hang-up cause that FreeSWITCH names. A name we don't know is kept as `Other`.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[derive(Serialize, Deserialize, JsonSchema)]
        pub enum HangupCause {
            $($(#[$doc])* #[serde(rename = $name)] $variant,)*
            /// A cause this list lacks; FreeSWITCH takes an unknown name for NORMAL_CLEARING.
            #[serde(other, rename = "OTHER")]
            Other,
        }

        impl HangupCause {
            pub const fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* Self::Other => "OTHER" }
            }

            /// The cause that FreeSWITCH calls `name`, whatever `name` is.
            pub fn named(name: &str) -> Self {
                match name { $($name => Self::$variant,)* _ => Self::Other }
            }
        }
    };
}

causes! {
    AllottedTimeout = "ALLOTTED_TIMEOUT",
    AttendedTransfer = "ATTENDED_TRANSFER",
    BearercapabilityNotavail = "BEARERCAPABILITY_NOTAVAIL",
    BlindTransfer = "BLIND_TRANSFER",
    CallRejected = "CALL_REJECTED",
    ChanNotImplemented = "CHAN_NOT_IMPLEMENTED",
    DestinationOutOfOrder = "DESTINATION_OUT_OF_ORDER",
    ExchangeRoutingError = "EXCHANGE_ROUTING_ERROR",
    FacilityRejected = "FACILITY_REJECTED",
    GatewayDown = "GATEWAY_DOWN",
    IncompatibleDestination = "INCOMPATIBLE_DESTINATION",
    IncomingCallBarred = "INCOMING_CALL_BARRED",
    InvalidGateway = "INVALID_GATEWAY",
    InvalidNumberFormat = "INVALID_NUMBER_FORMAT",
    InvalidProfile = "INVALID_PROFILE",
    InvalidUrl = "INVALID_URL",
    LoseRace = "LOSE_RACE",
    ManagerRequest = "MANAGER_REQUEST",
    MandatoryIeMissing = "MANDATORY_IE_MISSING",
    MediaTimeout = "MEDIA_TIMEOUT",
    NetworkOutOfOrder = "NETWORK_OUT_OF_ORDER",
    NoAnswer = "NO_ANSWER",
    NoRouteDestination = "NO_ROUTE_DESTINATION",
    NormalCircuitCongestion = "NORMAL_CIRCUIT_CONGESTION",
    NormalClearing = "NORMAL_CLEARING",
    NormalTemporaryFailure = "NORMAL_TEMPORARY_FAILURE",
    NormalUnspecified = "NORMAL_UNSPECIFIED",
    NoUserResponse = "NO_USER_RESPONSE",
    NumberChanged = "NUMBER_CHANGED",
    OriginatorCancel = "ORIGINATOR_CANCEL",
    OutgoingCallBarred = "OUTGOING_CALL_BARRED",
    PickedOff = "PICKED_OFF",
    ProgressTimeout = "PROGRESS_TIMEOUT",
    ProtocolError = "PROTOCOL_ERROR",
    RecoveryOnTimerExpire = "RECOVERY_ON_TIMER_EXPIRE",
    SubscriberAbsent = "SUBSCRIBER_ABSENT",
    SystemShutdown = "SYSTEM_SHUTDOWN",
    UnallocatedNumber = "UNALLOCATED_NUMBER",
    UserBusy = "USER_BUSY",
    UserNotRegistered = "USER_NOT_REGISTERED",
    WrongMessage = "WRONG_MESSAGE",
}

impl fmt::Display for HangupCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for HangupCause {
    type Err = std::convert::Infallible;
    fn from_str(name: &str) -> Result<Self, Self::Err> {
        Ok(Self::named(name))
    }
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
    /// 488 Not Acceptable Here
    NotAcceptable,
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
            Self::NotAcceptable => HangupCause::IncompatibleDestination,
        }
    }
}

/// Who ended a call, as we judge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    /// The one who called.
    Caller,
    /// The one who was dialed.
    Callee,
    /// The network between: a gateway or trunk failed.
    Carrier,
    /// The flow came to its end.
    Flow,
    /// Somebody ended it from outside, by command.
    Operator,
    /// A fault or a limit of ours.
    Us,
}

impl Party {
    /// As it is written in records.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Caller => "caller",
            Self::Callee => "callee",
            Self::Carrier => "carrier",
            Self::Flow => "flow",
            Self::Operator => "operator",
            Self::Us => "us",
        }
    }
}

/// How a call ended: exactly one for each call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Termination {
    pub party: Party,
    pub cause: HangupCause,
    /// One sentence for a person, without secrets.
    pub reason: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_keeps_freeswitchs_name_everywhere() {
        assert_eq!(HangupCause::named("USER_BUSY"), HangupCause::UserBusy);
        assert_eq!(serde_json::to_string(&HangupCause::UserBusy).unwrap(), "\"USER_BUSY\"");
        let unknown: HangupCause = serde_json::from_str("\"NEVER_HEARD_OF\"").unwrap();
        assert_eq!(unknown, HangupCause::Other);
    }
}
