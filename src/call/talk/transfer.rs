//! Blind transfer: a party is moved to another, or to a step of the flow, without a word. The
//! caller stays in its machine; a target that is not reached leads back to who was left.

use crate::base::cause::HangupCause;
use crate::base::ids::{ChannelId, StepName};
use crate::base::millis::Millis;
use crate::call::Call;
use crate::call::address;
use crate::call::describe;
use crate::call::input::Ending;
use crate::call::operator::Obeyed;
use crate::call::output::Then;
use crate::call::output::{Action, DialAddress, DialOrder, DialTarget, OriginateOrder};
use crate::flow::Step;
use crate::model::record::{TransferKind, TransferRecord};
use crate::model::talk::{Goal, Side};
use crate::model::timeline::Sign;

use super::consult::Why;
use super::moved::{Address, Moved, Stage};

/// How long a target of a transfer is called.
const RING_MS: u64 = 30_000;
/// Transfers kept of a call.
const TRANSFERS_MAX: usize = 50;

impl Call {
    /// Moves one of the two who speak.
    pub(in crate::call) fn send(&mut self, by: &str, side: Side, to: &Goal) -> Obeyed {
        match (side, to) {
            (Side::Far, Goal::Room(room)) => self.send_far_to(by, room),
            (Side::Caller, Goal::Room(room)) => self.send_caller_to(by, room),
            (Side::Far, _) => self.call_third(by, to, Why::Sent),
            (Side::Caller, _) => self.send_caller(by, to),
        }
    }

    fn send_caller(&mut self, by: &str, to: &Goal) -> Obeyed {
        let far = self.partner_to_leave()?;
        let to = self.reachable(to)?;
        if let Some(limit) = self.legs_exceeded(1) {
            return Err(limit);
        }
        self.end_hold();
        let back = self.address_of_far(&far);
        let transfer = self.note_transfer(TransferKind::Blind, by, 0, &to.party);
        let far = self.known(far);
        let channel = far.channel;
        let stage = Stage::Dialing { to, instead: None, back, leg: None, joined: false };
        let moved = Moved { transfer, ..Moved::new(stage) };
        self.state.talk.moved = Some(Box::new(moved));
        self.leave_taker();
        self.worth_writing();
        self.drop_other(Some(channel), HangupCause::BlindTransfer);
        Ok(())
    }

    /// The caller goes to a leg of ours that is up already, and the far party is let go.
    pub(super) fn give_to(&mut self, party: &str, channel: ChannelId) {
        self.end_hold();
        let by = self.operator();
        let transfer = self.note_transfer(TransferKind::Attended, &by, 0, party);
        // FreeSWITCH hangs it up when the caller is taken from it.
        let left = self.state.bridged.clone();
        self.end_other(left, HangupCause::BlindTransfer);
        let far = self.known(channel.clone());
        if let Some(leg) = self.state.legs.get_mut(far.leg) {
            party.clone_into(&mut leg.party);
        }
        let moved = Moved { far: Some(far), transfer, ..Moved::new(Stage::Together) };
        self.state.talk.moved = Some(Box::new(moved));
        self.transfer_came_to("done");
        self.worth_writing();
        self.join(channel, false);
    }

    pub(in crate::call) fn move_to_step(&mut self, by: &str, step: &StepName) -> Obeyed {
        let here = self.here().ok_or("the call is in no flow")?;
        if !here.0.flow.steps.contains_key(step) {
            return Err(format!("flow `{}` has no step `{step}`", here.0.name));
        }
        if self.is_fetched() {
            return Err("who took the caller from its slot has a call of its own".to_owned());
        }
        self.unpark();
        self.end_hold();
        let transfer = self.note_transfer(TransferKind::Step, by, 0, step.as_str());
        let waits = self.stage().is_some() && !self.joins();
        let far = self.state.bridged.clone();
        let Some(far) = far.filter(|_| self.dials() && !waits) else {
            // The caller is in our hands.
            return self.leave_now(step.clone());
        };
        let third = self.third_channel();
        self.drop_other(third, HangupCause::NormalClearing);
        let stage = Stage::Leaving { step: step.clone() };
        let moved = Moved { transfer, ..Moved::new(stage) };
        self.state.talk.moved = Some(Box::new(moved));
        self.worth_writing();
        self.known(far.clone());
        self.drop_other(Some(far), HangupCause::BlindTransfer);
        Ok(())
    }

    /// Calls whoever the caller is to have.
    pub(super) fn dial_again(&mut self) {
        let Some(Stage::Dialing { to, .. }) = self.stage().cloned() else { return };
        self.state.bridged = None;
        let leg = self.add_leg(&to.party);
        if let Some(Stage::Dialing { leg: called, .. }) =
            self.moved_mut().map(|moved| &mut moved.stage)
        {
            *called = Some(leg);
        }
        self.worth_writing();
        let (delay, timeout) = (Millis(0), Millis(RING_MS));
        let target = DialTarget { position: 0, address: to.at, delay, timeout };
        let mut order = DialOrder::plain(vec![target]);
        order.caller_name = self.state.arrival.shown_name();
        self.dial(order, RING_MS);
    }

    pub(super) fn dialed_again(&mut self, ending: &Ending) {
        let now = self.live.now.wall;
        let (answered, cause) = match ending {
            Ending::Dialed(dialed) => (dialed.answered, dialed.cause),
            _ => (false, HangupCause::NormalTemporaryFailure),
        };
        let Some(Stage::Dialing { instead, back, leg, .. }) = self.stage().cloned() else { return };
        if let Some(leg) = leg.and_then(|leg| self.state.legs.get_mut(leg)) {
            leg.ended.get_or_insert(now);
            leg.cause.get_or_insert(cause);
        }
        if answered {
            self.transfer_came_to("answered");
            return self.talk_over(cause);
        }
        // FreeSWITCH's word for a user that its directory does not have (`mod_dptools.c`
        // user_outgoing_channel).
        if let (HangupCause::SubscriberAbsent, Some(to)) = (cause, instead) {
            // It was never called, and is no leg.
            self.state.legs.truncate(leg.unwrap_or(self.state.legs.len()).max(1));
            self.state.counters.legs = self.state.counters.legs.saturating_sub(1);
            self.set_stage(Stage::Dialing { to, instead: None, back, leg: None, joined: false });
            return self.dial_again();
        }
        self.transfer_came_to(cause.name());
        match back.filter(|_| self.legs_exceeded(1).is_none()) {
            Some(to) => {
                self.notice(format!("nobody is reached: {cause}; who moved the caller is called"));
                let (instead, back, leg) = (None, None, None);
                self.set_stage(Stage::Dialing { to, instead, back, leg, joined: false });
                self.dial_again();
            }
            None => self.nobody_left(crate::call::step::outcome_of(cause), cause.name()),
        }
    }

    fn leave_now(&mut self, step: StepName) -> Obeyed {
        let stage = Stage::Leaving { step };
        self.leave_room();
        if self.stage().is_some() {
            self.release_others();
            self.state.talk.moved = None;
        }
        let moved = Moved { transfer: self.last_transfer(), ..Moved::new(stage) };
        self.state.talk.moved = Some(Box::new(moved));
        self.stop_action();
        self.pick_up_moved(&crate::call::handover::Found::default());
        Ok(())
    }

    fn last_transfer(&self) -> Option<usize> {
        self.state.talk.transfers.len().checked_sub(1)
    }

    /// Whether the step is one that dialed.
    pub(super) fn dials(&self) -> bool {
        self.state.running.dialing().is_some() || self.is_loose()
    }

    /// Where the far party was called, so that it can be called again.
    pub(super) fn address_of_far(&self, far: &ChannelId) -> Option<Address> {
        if let Some(Stage::Dialing { to, .. }) = self.stage() {
            return Some(to.clone());
        }
        if let Some((to, _)) = self.called_for() {
            return Some(to.clone());
        }
        let others = self.moved().map(|moved| [&moved.far, &moved.third]);
        let mut others = others.into_iter().flatten().flatten();
        if let Some(at) = others.find(|other| other.channel == *far).and_then(|far| far.at.clone())
        {
            return Some(at);
        }
        let (published, name) = self.here()?;
        let dial = published.flow.steps.get(&name).and_then(Step::dial)?;
        let place = self.state.running.dialing()?.place_of(far)?;
        let target = dial.targets.get(place)?;
        crate::call::step::address_of(self, target)
    }

    /// A goal as one of the tenant's targets.
    pub(in crate::call) fn reachable(&self, to: &Goal) -> Result<Address, String> {
        let settings = &self.program.settings;
        let at = match to {
            Goal::Extension(extension) => DialAddress::Extension {
                extension: address::user(extension).ok_or("that is not an extension")?,
                domain: settings.domain.clone(),
            },
            Goal::Number { number, gateway } => {
                let number = address::number(number).ok_or("that is not a number")?;
                address::outside(number, gateway.as_ref(), settings)?
            }
            Goal::Room(_) => return Err("nobody can be called in a room".to_owned()),
        };
        let party = match &at {
            DialAddress::Extension { extension, .. } => extension.clone(),
            DialAddress::Number { number, .. } | DialAddress::Outside { number, .. } => {
                number.clone()
            }
            DialAddress::Sip { user, host } => format!("{user}@{host}"),
        };
        Ok(Address { at, party })
    }

    /// A new leg that waits once somebody has answered.
    pub(super) fn order_leg(&mut self, channel: ChannelId, at: DialAddress, timeout: Millis) {
        let arrival = &self.state.arrival;
        let order = OriginateOrder {
            channel,
            address: at,
            caller_name: Some(arrival.caller_name.clone()).filter(|name| !name.is_empty()),
            caller_number: address::user(&arrival.caller_number),
            timeout,
            then: Then::Park,
        };
        self.order(Action::Originate(Box::new(order)));
    }

    pub(super) fn note_transfer(
        &mut self,
        kind: TransferKind,
        by: &str,
        leg: usize,
        to: &str,
    ) -> Option<usize> {
        let moved = self.state.legs.get(leg).map(|leg| self.party(&leg.party));
        let (moved, to) = (moved.unwrap_or_default(), self.party(to));
        let text = format!("{by} moves {moved} to {to}");
        self.notice_as(Sign::Moved { to: to.clone() }, text);
        if self.state.talk.transfers.len() >= TRANSFERS_MAX {
            return None;
        }
        let (at, by, outcome) = (self.live.now.wall, describe::clean(by), String::new());
        let first = self.state.talk.transfers.is_empty();
        let from = self.state.talk.tied.as_ref().filter(|_| first).and_then(|tied| tied.call);
        let transfer = TransferRecord { at, kind, by, moved, to, outcome, from };
        self.state.talk.transfers.push(transfer);
        self.last_transfer()
    }

    pub(super) fn transfer_came_to(&mut self, outcome: &str) {
        let place = self.moved().and_then(|moved| moved.transfer);
        self.transfer_is(place, outcome);
    }

    /// The first word counts.
    pub(super) fn transfer_is(&mut self, place: Option<usize>, outcome: &str) {
        let transfer = place.and_then(|place| self.state.talk.transfers.get_mut(place));
        if let Some(transfer) = transfer.filter(|transfer| transfer.outcome.is_empty()) {
            transfer.outcome = outcome.to_owned();
        }
    }
}
