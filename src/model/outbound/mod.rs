//! Calls to numbers outside: by which gateways they go, and which of them may be made at all.

mod caller;
mod dialed;
mod plan;
mod prefix;
mod rules;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::cause::HangupCause;
use crate::base::ids::GatewayName;

pub use caller::{CallerRule, Calling, Shown, is_number};
pub use dialed::Dialed;
pub use plan::{Candidate, Outbound, Plan, Trunk};
pub use prefix::{NotPrefix, Prefix};
pub use rules::{FraudRule, Lock, Refusal, Rules, Suspicion, Usage};

/// Gateways of one route, and SIP codes, each at most.
const LIST_MAX: usize = 32;
/// Characters that may be taken from a number.
const STRIP_MAX: u8 = 20;
/// The codes after which the next gateway is tried, where a route names none: the gateway, not who
/// was called, is at fault.
const FAILS_OVER: [u16; 5] = [408, 500, 502, 503, 504];

/// Numbers that begin alike, and the gateways by which they are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Route {
    /// Of several routes for a number the one of the lowest order is taken; of those the one with
    /// the longest prefix.
    #[serde(default)]
    pub order: i32,
    /// How the numbers begin; without one, it is for all.
    #[serde(default)]
    pub prefix: Prefix,
    /// So many characters are taken from the front of the number.
    #[serde(default)]
    #[schemars(range(max = 20))]
    pub strip: u8,
    /// What is put before the number then.
    #[serde(default)]
    pub prepend: Prefix,
    #[schemars(length(min = 1, max = 32))]
    pub gateways: Vec<RouteGateway>,
    /// The SIP codes of a gateway after which the next one is tried. Never after busy or no
    /// answer, unless their codes are named here.
    #[serde(default = "fails_over")]
    #[schemars(length(max = 32), inner(range(min = 400, max = 699)))]
    pub fails_over: Vec<u16>,
    /// Who is shown, where it is not as the tenant's rules say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerRule>,
}

fn fails_over() -> Vec<u16> {
    FAILS_OVER.to_vec()
}

/// A gateway of a route.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RouteGateway {
    pub gateway: GatewayName,
    /// The lowest comes first.
    #[serde(default)]
    pub order: i32,
    /// Of several of one order each comes first as often as its weight says.
    #[serde(default = "one")]
    #[schemars(range(min = 1, max = 1_000))]
    pub weight: u16,
    /// Who is shown, where it is not as the route says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caller: Option<CallerRule>,
}

const fn one() -> u16 {
    1
}

/// What makes no sense.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct OutboundFault {
    pub field: &'static str,
    pub why: &'static str,
}

fn fault(field: &'static str, why: &'static str) -> Result<(), OutboundFault> {
    Err(OutboundFault { field, why })
}

impl Route {
    /// By these gateways, one after another, for all numbers.
    pub fn by(gateways: impl IntoIterator<Item = GatewayName>) -> Self {
        let gateways = gateways.into_iter().zip(0..);
        let gateway = |(gateway, order)| RouteGateway { gateway, order, weight: 1, caller: None };
        Self {
            order: 0,
            prefix: Prefix::default(),
            strip: 0,
            prepend: Prefix::default(),
            gateways: gateways.map(gateway).collect(),
            fails_over: fails_over(),
            caller: None,
        }
    }

    /// # Errors
    /// Names the field.
    pub fn check(&self) -> Result<(), OutboundFault> {
        if self.strip > STRIP_MAX {
            return fault("strip", "expected 0 to 20 characters");
        }
        if self.gateways.is_empty() || self.gateways.len() > LIST_MAX {
            return fault("gateways", "expected 1 to 32 gateways");
        }
        if self.gateways.iter().any(|one| !(1..=1_000).contains(&one.weight)) {
            return fault("gateways", "expected a weight of 1 to 1000");
        }
        let mut names: Vec<_> = self.gateways.iter().map(|one| &one.gateway).collect();
        names.sort_unstable();
        if names.windows(2).any(|two| two[0] == two[1]) {
            return fault("gateways", "a gateway is named twice");
        }
        if self.fails_over.len() > LIST_MAX {
            return fault("fails_over", "there are more than 32");
        }
        if self.fails_over.iter().any(|code| !(400..=699).contains(code)) {
            return fault("fails_over", "expected SIP codes of 400 to 699");
        }
        let each = self.gateways.iter().filter_map(|one| one.caller.as_ref());
        each.chain(&self.caller).try_for_each(|rule| rule.check("caller"))
    }

    /// The number as its gateways get it; none where nothing is left of it.
    fn dialed(&self, number: &str) -> Option<String> {
        let rest = number.chars().skip(usize::from(self.strip));
        let dialed: String = self.prepend.as_str().chars().chain(rest).collect();
        dialed.bytes().any(|byte| byte.is_ascii_digit()).then_some(dialed)
    }
}

/// What FreeSWITCH makes of a SIP code (`sofia_glue.c` sofia_glue_sip_cause_to_freeswitch), as far
/// as it tells codes apart.
const fn cause_of(code: u16) -> Option<HangupCause> {
    Some(match code {
        401 | 402 | 403 | 407 | 603 | 608 => HangupCause::CallRejected,
        404 => HangupCause::UnallocatedNumber,
        485 | 604 => HangupCause::NoRouteDestination,
        408 | 504 => HangupCause::RecoveryOnTimerExpire,
        410 => HangupCause::NumberChanged,
        480 => HangupCause::NoUserResponse,
        400 | 481 | 500 | 503 => HangupCause::NormalTemporaryFailure,
        486 | 600 => HangupCause::UserBusy,
        484 => HangupCause::InvalidNumberFormat,
        488 | 606 => HangupCause::IncompatibleDestination,
        502 => HangupCause::NetworkOutOfOrder,
        482 | 483 => HangupCause::ExchangeRoutingError,
        _ => return None,
    })
}

/// Whether an attempt that came to this leads to the next gateway. `code` is the provider's, where
/// FreeSWITCH tells it; else its cause stands for the codes that come to it. A gateway that
/// FreeSWITCH could not use at all leads on in any case.
pub fn leads_on(codes: &[u16], code: Option<u16>, cause: HangupCause) -> bool {
    let unused = matches!(
        cause,
        HangupCause::GatewayDown | HangupCause::InvalidGateway | HangupCause::InvalidProfile
    );
    let named = match code {
        Some(code) => codes.contains(&code),
        None => codes.iter().any(|code| cause_of(*code) == Some(cause)),
    };
    unused || named
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn busy_and_no_answer_lead_to_no_other_gateway_by_default() {
        let codes = fails_over();
        for (code, cause) in [
            (486, HangupCause::UserBusy),
            (480, HangupCause::NoUserResponse),
            (603, HangupCause::CallRejected),
            (404, HangupCause::UnallocatedNumber),
        ] {
            assert!(!leads_on(&codes, Some(code), cause), "{code}");
            assert!(!leads_on(&codes, None, cause), "{cause}");
        }
        for cause in [HangupCause::NoAnswer, HangupCause::OriginatorCancel] {
            assert!(!leads_on(&codes, None, cause), "{cause}");
        }
    }

    #[test]
    fn a_code_counts_before_the_cause_and_the_cause_stands_for_it_where_it_is_not_told() {
        let cause = HangupCause::NormalTemporaryFailure;
        assert!(leads_on(&[503], Some(503), cause));
        assert!(!leads_on(&[503], Some(500), cause));
        assert!(leads_on(&[503], None, cause));
        assert!(!leads_on(&[502], None, cause));
        assert!(leads_on(&[], None, HangupCause::GatewayDown), "nobody was asked at all");
    }

    #[test]
    fn a_route_names_what_is_wrong_with_it() {
        let route: Route = serde_json::from_str(
            r#"{"prefix": "+49", "strip": 3, "prepend": "0", "gateways": [{"gateway": "a"}]}"#,
        )
        .unwrap();
        assert_eq!(route.check(), Ok(()));
        assert_eq!(route.dialed("+4930123").as_deref(), Some("030123"));
        assert_eq!(Route { prepend: Prefix::default(), ..route.clone() }.dialed("+49"), None);
        let field = |route: Route| route.check().unwrap_err().field;
        assert_eq!(field(Route { gateways: Vec::new(), ..route.clone() }), "gateways");
        assert_eq!(field(Route { fails_over: vec![200], ..route.clone() }), "fails_over");
        let caller = Some(CallerRule::Number { number: "x".into(), name: None });
        assert_eq!(field(Route { caller, ..route.clone() }), "caller");
        assert_eq!(field(Route { strip: 21, ..route }), "strip");
        let twice = ["a", "a"].map(|name| name.parse().unwrap());
        assert_eq!(field(Route::by(twice)), "gateways");
    }
}
