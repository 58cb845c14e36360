//! Numbers outside: by which gateway each is called is asked outside, where calls are counted and
//! gateways known. An order to call one waits for the answer here, whoever gave it; where the
//! gateway fails, the next one is asked for.
//!
//! Each answer counts a leg, until the call tells that it is over.

mod go_on;
mod outgoing;
mod seek;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Call;
use super::output::{Query, QueryId};
use crate::base::ids::{CallId, GatewayName, RouteName, TenantId};
use crate::base::millis::Millis;
use crate::model::outbound::{Calling, Refusal, Shown};

pub(in crate::call) use outgoing::Outgoing;

/// A question to who knows gateways and counts calls, or word to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboundQuery {
    pub tenant: TenantId,
    pub call: CallId,
    pub ask: OutboundAsk,
}

/// What is asked or told. `leg` is a number of the call's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundAsk {
    /// By which gateway may this number be called?
    Begin(Box<Wanted>),
    /// Somebody has answered. Nobody waits for an answer to this and the next.
    Answered { leg: u32 },
    /// The leg is over, after so much conversation.
    Over { leg: u32, talked: Millis },
}

/// A number that is to be called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub leg: u32,
    pub number: String,
    /// Who calls, as it would be shown.
    pub calling: Calling,
    /// FreeSWITCH's name of the gateway, where one was named.
    pub gateway: Option<GatewayName>,
    /// Gateways that have failed already, as FreeSWITCH names them.
    pub tried: Vec<GatewayName>,
    /// The leg by the one that has failed last.
    pub instead_of: Option<u32>,
}

impl OutboundQuery {
    /// Whether it is only told.
    pub const fn is_told(&self) -> bool {
        !matches!(self.ask, OutboundAsk::Begin(_))
    }
}

/// What comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutboundFound {
    By(Box<Way>),
    Refused(Refusal),
    /// Nobody knows: the gateway that was named, or the first, is taken.
    Unknown,
}

/// How a number is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way {
    /// FreeSWITCH's name of the gateway, and the tenant's.
    pub gateway: GatewayName,
    pub name: GatewayName,
    /// As the gateway gets it.
    pub number: String,
    pub route: Option<RouteName>,
    /// A conversation may last so long, until no minutes are left.
    pub most: Option<Millis>,
    /// Who is shown, where it is not who would be.
    pub shown: Option<Shown>,
    /// SIP codes after which another gateway may be asked for; empty where there is none.
    pub fails_over: Vec<u16>,
    /// What is to be known of it besides.
    pub remark: Option<String>,
}

/// A leg that is counted outside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::call) struct Counted {
    /// Its place among the record's legs.
    place: usize,
    leg: u32,
    #[serde(default, skip_serializing_if = "is_not")]
    answered: bool,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_not(so: &bool) -> bool {
    !*so
}

/// How long a conversation was; nothing where there was none.
fn lasted(answered: Option<Timestamp>, ended: Option<Timestamp>) -> Millis {
    let lasted = ended.zip(answered).map(|(end, begin)| end.duration_since(begin).as_millis());
    Millis(u64::try_from(lasted.unwrap_or(0)).unwrap_or(0).min(Millis::MAX.ms()))
}

impl Call {
    fn tell_outbound(&mut self, ask: OutboundAsk) -> QueryId {
        let (tenant, call) = (self.state.tenant(), self.state.call());
        self.tell(Query::Outbound(Box::new(OutboundQuery { tenant, call, ask })))
    }

    /// Tells of legs that were answered, and of those that are over.
    pub(in crate::call) fn settle_outside(&mut self) {
        if self.state.counted.is_empty() {
            return;
        }
        let mut told = Vec::new();
        let legs = &self.state.legs;
        self.state.counted.retain_mut(|counted| {
            let leg = counted.leg;
            let record = legs.get(counted.place);
            let answered = record.and_then(|record| record.answered);
            let over = record.is_none_or(|record| record.ended.is_some());
            if over {
                let ended = record.and_then(|record| record.ended);
                told.push(OutboundAsk::Over { leg, talked: lasted(answered, ended) });
                return false;
            }
            if answered.is_some() && !counted.answered {
                counted.answered = true;
                told.push(OutboundAsk::Answered { leg });
            }
            true
        });
        for ask in told {
            self.tell_outbound(ask);
        }
    }

    /// The call is over: nothing of it counts any more.
    pub(in crate::call) fn end_outside(&mut self) {
        let outgoing = std::mem::take(&mut self.live.outgoing);
        self.settle_outside();
        for leg in outgoing.iter().flat_map(Outgoing::unanswered) {
            self.tell_outbound(OutboundAsk::Over { leg, talked: Millis(0) });
        }
        let now = self.live.now.wall;
        for Counted { place, leg, .. } in std::mem::take(&mut self.state.counted) {
            let answered = self.state.legs.get(place).and_then(|leg| leg.answered);
            let talked = lasted(answered, Some(now));
            self.tell_outbound(OutboundAsk::Over { leg, talked });
        }
    }
}
