//! A gateway did not carry a call: the next one is asked for, where there may be one.

use super::Wanted;
use super::outgoing::Outgoing;
use super::seek::ANSWER_MS;
use crate::base::cause::HangupCause;
use crate::base::ids::ChannelId;
use crate::call::Call;
use crate::call::input::{Dialed, Ending, FarNews};
use crate::call::output::{Action, ActionId};
use crate::call::state::Awaited;
use crate::model::outbound::leads_on;

/// FreeSWITCH gives a channel's name to another only when the first is gone, a moment after it has
/// said so (`switch_core_session.c` switch_core_session_request_uuid).
const GONE_MS: u64 = 500;
/// With less time than this left nobody is called once more.
const RING_MIN_MS: u64 = 1_000;

impl Call {
    /// Whether a dial that failed goes on by another gateway. Where several numbers rang at once,
    /// nobody is called once more.
    pub(in crate::call) fn dial_goes_on(&mut self, id: ActionId, ending: &Ending) -> bool {
        let Some(at) = self.live.outgoing.iter().position(|one| one.id == id && one.given) else {
            return false;
        };
        let outgoing = self.live.outgoing.swap_remove(at);
        let Ending::Dialed(Dialed { answered: false, cause, code, .. }) = ending else {
            return false;
        };
        let alone = matches!(&outgoing.action, Action::Dial(order) if order.targets.len() == 1);
        let awaited = self.state.waits.action == Some((id, Awaited::Dial));
        alone && awaited && self.goes_on(outgoing, *code, *cause)
    }

    /// The same for a leg that was called besides. What FreeSWITCH says of it a second time is
    /// passed over.
    pub(in crate::call) fn leg_goes_on(&mut self, channel: &ChannelId, news: &FarNews) -> bool {
        let is_it = |one: &Outgoing| one.channel() == Some(channel);
        let Some(at) = self.live.outgoing.iter().position(is_it) else { return false };
        match news {
            FarNews::HungUp(_) if !self.live.outgoing.get(at).is_some_and(|one| one.given) => true,
            FarNews::HungUp(cause) => {
                let outgoing = self.live.outgoing.swap_remove(at);
                self.goes_on(outgoing, None, *cause)
            }
            FarNews::Answered | FarNews::Parked | FarNews::Bridged(_) => {
                self.live.outgoing.swap_remove(at);
                false
            }
            _ => false,
        }
    }

    /// The same for whom the call itself is placed to.
    pub(in crate::call) fn place_goes_on(&mut self, cause: HangupCause) -> bool {
        let placed = |one: &Outgoing| matches!(one.action, Action::Place(_));
        let Some(at) = self.live.outgoing.iter().position(placed) else { return false };
        if self.state.closing.is_some() || self.state.answered_ms.is_some() {
            return false;
        }
        if !self.live.outgoing.get(at).is_some_and(|one| one.given) {
            return true;
        }
        let outgoing = self.live.outgoing.swap_remove(at);
        self.goes_on(outgoing, None, cause)
    }

    /// Asks for the next gateway, where there may be one and there is time.
    fn goes_on(&mut self, mut outgoing: Outgoing, code: Option<u16>, cause: HangupCause) -> bool {
        let now_ms = self.state.age_ms;
        let Some(one) = outgoing.tries.pop() else { return false };
        let Some(Ok(way)) = &one.found else { return false };
        let spent_ms = now_ms.saturating_sub(outgoing.since_ms).saturating_add(GONE_MS);
        let is_time = outgoing.rings_ms() >= spent_ms.saturating_add(RING_MIN_MS);
        let may = !way.fails_over.is_empty() && leads_on(&way.fails_over, code, cause);
        if !may || !is_time || outgoing.cancelled || self.state.closing.is_some() {
            return false;
        }
        let code = code.map(|code| format!(" ({code})")).unwrap_or_default();
        self.notice(format!("the gateway {} does not carry the call: {cause}{code}", way.name));
        let Wanted { number, calling, gateway, mut tried, leg, .. } = one.wanted.clone();
        tried.push(way.gateway.clone());
        // Who counts takes the new leg for the old one.
        self.state.counted.retain(|counted| counted.leg != leg);
        let wanted = Wanted { leg: 0, number, calling, gateway, tried, instead_of: Some(leg) };
        let again = self.seek(one.position, one.place, wanted);
        self.state.counters.actions += 1;
        let id = ActionId(self.state.counters.actions);
        if self.state.waits.action == Some((outgoing.id, Awaited::Dial)) {
            self.state.waits.action = Some((id, Awaited::Dial));
        } else {
            outgoing.not_before_ms = now_ms + GONE_MS;
        }
        if let Some(placed) = &mut self.state.placed {
            placed.again(id);
        }
        outgoing.tries.push(again);
        outgoing.until_ms = now_ms + ANSWER_MS;
        self.live.outgoing.push(Outgoing { id, given: false, ..outgoing });
        self.await_outside();
        true
    }
}
