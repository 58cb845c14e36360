//! Who is let in: callers that are blocked, and limits on how many calls there may be.

use std::fmt;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::cause::RejectReason;
use crate::base::ids::{BlockId, FlowName, GatewayName};

/// Calls at once, or in a second, that a limit may allow.
pub const CALLS_MAX: u32 = 1_000_000;

/// What becomes of a call that is not let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Instead {
    /// It is declined before it is answered.
    Decline(RejectReason),
    /// This flow has it, if it is published; otherwise it is declined.
    Flow(FlowName),
}

impl Instead {
    /// The flow that has it.
    pub const fn flow(&self) -> Option<&FlowName> {
        match self {
            Self::Flow(flow) => Some(flow),
            Self::Decline(_) => None,
        }
    }
}

/// Which callers are blocked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "match", content = "value")]
pub enum BlockMatch {
    /// This number.
    Exact(String),
    /// Numbers that begin so.
    Prefix(String),
    /// Whoever does not show a number.
    Withheld,
}

/// Callers whose calls a tenant does not want.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BlockedCaller {
    pub id: BlockId,
    #[serde(flatten)]
    pub caller: BlockMatch,
    pub instead: Instead,
    /// Why, for whoever reads the list.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub note: String,
    pub created: Timestamp,
}

/// How many calls there may be.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct CallLimits {
    /// Calls at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(max = 1_000_000))]
    pub calls: Option<u32>,
    /// Calls that begin within any second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1_000_000))]
    pub calls_per_second: Option<u32>,
    /// What becomes of a call beyond; where nothing is said, 486 Busy Here for calls at once and
    /// 503 Service Unavailable for calls in a second.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Instead>,
}

impl CallLimits {
    /// Whether anything is limited.
    pub const fn is_nothing(&self) -> bool {
        self.calls.is_none() && self.calls_per_second.is_none()
    }
}

/// What is counted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "on", content = "name")]
pub enum LimitOn {
    /// All calls of the tenant.
    Tenant,
    /// Calls to a number, as the number map has it.
    Number(String),
    /// Calls through a gateway, by the tenant's name for it: at once those in both directions, in a
    /// second those that come in.
    Gateway(GatewayName),
}

impl LimitOn {
    /// The kind and the name, as the tables have them.
    pub fn columns(&self) -> (&'static str, &str) {
        match self {
            Self::Tenant => ("tenant", ""),
            Self::Number(number) => ("number", number),
            Self::Gateway(gateway) => ("gateway", gateway.as_str()),
        }
    }
}

/// A limit on what a tenant has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CallLimit {
    #[serde(flatten)]
    pub on: LimitOn,
    pub limits: CallLimits,
}

/// Which of a limit's two figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    Calls,
    CallsPerSecond,
}

/// A limit that was met: its place among those that were asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Over {
    pub limit: usize,
    pub measure: Measure,
}

/// The rule by which a call was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rule {
    BlockedCaller,
    TenantCalls,
    TenantCallsPerSecond,
    NumberCalls,
    NumberCallsPerSecond,
    GatewayCalls,
    GatewayCallsPerSecond,
    /// Where it came in, calls have to be encrypted.
    Unencrypted,
}

impl Rule {
    pub const ALL: [Self; 8] = [
        Self::BlockedCaller,
        Self::TenantCalls,
        Self::TenantCallsPerSecond,
        Self::NumberCalls,
        Self::NumberCallsPerSecond,
        Self::GatewayCalls,
        Self::GatewayCallsPerSecond,
        Self::Unencrypted,
    ];

    pub const fn of(on: &LimitOn, measure: Measure) -> Self {
        match (on, measure) {
            (LimitOn::Tenant, Measure::Calls) => Self::TenantCalls,
            (LimitOn::Tenant, Measure::CallsPerSecond) => Self::TenantCallsPerSecond,
            (LimitOn::Number(_), Measure::Calls) => Self::NumberCalls,
            (LimitOn::Number(_), Measure::CallsPerSecond) => Self::NumberCallsPerSecond,
            (LimitOn::Gateway(_), Measure::Calls) => Self::GatewayCalls,
            (LimitOn::Gateway(_), Measure::CallsPerSecond) => Self::GatewayCallsPerSecond,
        }
    }

    /// The rule of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|rule| rule.name() == name)
    }

    pub const fn name(self) -> &'static str {
        match self {
            Self::BlockedCaller => "blocked_caller",
            Self::TenantCalls => "tenant_calls",
            Self::TenantCallsPerSecond => "tenant_calls_per_second",
            Self::NumberCalls => "number_calls",
            Self::NumberCallsPerSecond => "number_calls_per_second",
            Self::GatewayCalls => "gateway_calls",
            Self::GatewayCallsPerSecond => "gateway_calls_per_second",
            Self::Unencrypted => "unencrypted",
        }
    }
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a call did not get the flow of its number, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TurnedAway {
    pub rule: Rule,
    /// The entry of the blocked callers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block: Option<BlockId>,
    /// In words for a person, without the caller's number.
    pub reason: String,
    pub instead: Instead,
}

impl TurnedAway {
    /// By an entry of the blocked callers.
    pub fn blocked(blocked: &BlockedCaller) -> Self {
        let reason = match &blocked.caller {
            BlockMatch::Exact(_) => "the caller's number is blocked",
            BlockMatch::Prefix(_) => "numbers that begin as the caller's does are blocked",
            BlockMatch::Withheld => "callers who do not show a number are blocked",
        };
        Self {
            rule: Rule::BlockedCaller,
            block: Some(blocked.id),
            reason: reason.to_owned(),
            instead: blocked.instead.clone(),
        }
    }

    /// Its sound is not encrypted, and `whose` calls have to be.
    pub fn unencrypted(whose: &str) -> Self {
        Self {
            rule: Rule::Unencrypted,
            block: None,
            reason: format!("{whose} takes encrypted calls only, and this one brings no SRTP"),
            instead: Instead::Decline(RejectReason::NotAcceptable),
        }
    }

    /// By a limit.
    pub fn over(limit: &CallLimit, measure: Measure) -> Self {
        let CallLimit { on, limits } = limit;
        let whose = match on {
            LimitOn::Tenant => "the tenant".to_owned(),
            LimitOn::Number(number) => format!("the number `{number}`"),
            LimitOn::Gateway(gateway) => format!("the gateway `{gateway}`"),
        };
        let (most, unit, usual) = match measure {
            Measure::Calls => (limits.calls, "calls at once", RejectReason::Busy),
            Measure::CallsPerSecond => {
                (limits.calls_per_second, "calls in a second", RejectReason::Congestion)
            }
        };
        Self {
            rule: Rule::of(on, measure),
            block: None,
            reason: format!("{whose} may have {} {unit}", most.unwrap_or(0)),
            instead: limits.instead.clone().unwrap_or(Instead::Decline(usual)),
        }
    }

    /// How it is declined, where no flow has it.
    pub const fn declined(&self) -> RejectReason {
        match (&self.instead, self.rule) {
            (Instead::Decline(reason), _) => *reason,
            (Instead::Flow(_), Rule::BlockedCaller) => RejectReason::Declined,
            (Instead::Flow(_), Rule::TenantCalls | Rule::NumberCalls | Rule::GatewayCalls) => {
                RejectReason::Busy
            }
            (
                Instead::Flow(_),
                Rule::TenantCallsPerSecond
                | Rule::NumberCallsPerSecond
                | Rule::GatewayCallsPerSecond,
            ) => RejectReason::Congestion,
            (Instead::Flow(_), Rule::Unencrypted) => RejectReason::NotAcceptable,
        }
    }
}

/// What a call was before its numbers were read by the tenant's plan.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct AsSent {
    /// Masked where the tenant asks for it; none where it reads the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller_number: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dialed: Option<String>,
}

impl AsSent {
    pub const fn is_nothing(&self) -> bool {
        self.caller_number.is_none() && self.dialed.is_none()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_the_name_by_which_it_is_written() {
        for rule in Rule::ALL {
            assert_eq!(serde_json::to_value(rule).unwrap(), rule.name());
            assert_eq!(Rule::named(rule.name()), Some(rule));
        }
    }

    #[test]
    fn a_call_over_a_limit_is_declined_as_is_usual_unless_something_is_said() {
        let limits = CallLimits { calls: Some(10), calls_per_second: Some(2), instead: None };
        let mut limit = CallLimit { on: LimitOn::Number("+49301".into()), limits };
        let over = TurnedAway::over(&limit, Measure::Calls);
        assert_eq!((over.rule, over.declined()), (Rule::NumberCalls, RejectReason::Busy));
        assert_eq!(over.reason, "the number `+49301` may have 10 calls at once");
        let over = TurnedAway::over(&limit, Measure::CallsPerSecond);
        assert_eq!(over.declined(), RejectReason::Congestion);
        limit.limits.instead = Some(Instead::Decline(RejectReason::Unavailable));
        let over = TurnedAway::over(&limit, Measure::Calls);
        assert_eq!(over.declined(), RejectReason::Unavailable);
    }
}
