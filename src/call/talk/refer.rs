//! A phone that transfers by itself (REFER). FreeSWITCH obeys it: the other party's channel leaves
//! whatever it does for the dialplan, which offers it to us again.
//!
//! Where the far party's phone did it, the caller comes back in its own call, which calls for whom
//! the phone named. Where the caller's phone did it, the caller is gone; its call ends, and the far
//! party comes in a call of its own. A far party's channel knows nothing of us, so it carries a
//! [`Tie`]; it has none where the caller may transfer nobody.
//!
//! Whom a phone names comes from outside: a number of the tenant leads to its flow (`led`),
//! anything else is called only as an extension or a number that the tenant may reach; and all of
//! that only where the phone is the tenant's own.

use super::moved::{Address, Moved, Other, Stage};
use super::tie::Onward;
use crate::base::cause::HangupCause;
use crate::base::ids::ChannelId;
use crate::call::handover::{Leads, Referral};
use crate::call::input::Dialed;
use crate::call::output::Action;
use crate::call::step::Running;
use crate::call::{Call, describe};
use crate::flow::Outcome;
use crate::flow::kind::dial::Inside;
use crate::model::record::{LegRecord, LegRole, TransferKind};
use crate::model::talk::{Goal, Side};

impl Call {
    /// Whether this party is the tenant's own.
    pub(super) fn is_inside(&self, side: Side) -> bool {
        if side == Side::Caller {
            return self.names_inside(Inside::Caller);
        }
        if let Some((_, inside)) = self.called_for() {
            return inside;
        }
        let far = self.far_channel().or_else(|| self.state.bridged.clone());
        match far.filter(|far| !self.was_dialed(far)) {
            // Whom the caller was moved to is not whom the step dialed.
            Some(far) => self.address_of_far(&far).is_some_and(|at| at.is_own()),
            None => self.names_inside(Inside::Target),
        }
    }

    /// The caller's channel has come back from where a phone sent it. False where it spoke with
    /// nobody whose phone could have done that.
    pub(super) fn referred(&mut self, referral: &Referral, dialed: Option<&Dialed>) -> bool {
        if let Some(dialed) = dialed {
            self.find_joined(dialed);
        }
        let speaks = match self.stage() {
            None | Some(Stage::Together | Stage::Toggled) => true,
            Some(Stage::Dialing { joined, .. }) => *joined,
            Some(_) => false,
        };
        let far = self.far_channel().or_else(|| self.state.bridged.clone());
        let Some(far) = far.filter(|_| speaks && self.dials()) else { return false };
        let (allowed, back) = (self.is_inside(Side::Far), self.address_of_far(&far));
        let by = self.leg_mut(&far).map(|leg| leg.party.clone()).unwrap_or_default();
        let third = self.third_channel();
        self.end_other(Some(far), HangupCause::BlindTransfer);
        self.drop_other(third, HangupCause::NormalClearing);
        self.state.bridged = None;
        self.state.talk.moved = None;
        self.sent_by_phone(&by, allowed, referral, back);
        true
    }

    /// A phone may be faster than what is written on the channel when it answers.
    fn find_joined(&mut self, dialed: &Dialed) {
        let mut running = std::mem::take(&mut self.state.running);
        if let Running::Dial(state) = &mut running {
            state.found_joined(self, dialed);
        }
        self.state.running = running;
    }

    /// Calls for whom a phone sent the caller to, or, where that may not be, for who sent it.
    pub(super) fn sent_by_phone(
        &mut self,
        by: &str,
        allowed: bool,
        referral: &Referral,
        back: Option<Address>,
    ) {
        let to = referral.to.as_str();
        let goal = match &referral.leads {
            _ if !allowed => Err("only the tenant's own phones may transfer".to_owned()),
            Leads::To { program, variables } => {
                let by = self.party(by);
                return self.led(&by, to, program, variables.clone());
            }
            Leads::Elsewhere => self.reachable(&Goal::Extension(to.to_owned())),
            Leads::Nowhere(why) => Err(format!("the number's flow can't be run: {why}")),
        };
        let goal = goal.and_then(|goal| match self.legs_exceeded(1) {
            Some(limit) => Err(limit),
            None => Ok(goal),
        });
        let by = self.party(by);
        let transfer = self.note_transfer(TransferKind::Blind, &by, 0, to);
        let (to, instead, back) = match goal {
            Ok(goal) => (Some(goal), self.as_number(to), back),
            Err(why) => {
                self.notice(format!("what the phone asked for is not done: {why}"));
                (back, None, None)
            }
        };
        let refused = instead.is_none() && back.is_none();
        let Some(to) = to else {
            return self.nobody_left(Outcome::Rejected, "the transfer was refused");
        };
        let stage = Stage::Dialing { to, instead, back, leg: None, joined: false };
        let moved = Moved { transfer, ..Moved::new(stage) };
        self.state.talk.moved = Some(Box::new(moved));
        if refused {
            self.transfer_came_to("refused");
        }
        self.dial_again();
    }

    /// What a phone named, where it is no extension of the tenant.
    fn as_number(&self, to: &str) -> Option<Address> {
        self.reachable(&Goal::Number { number: to.to_owned(), gateway: None }).ok()
    }

    /// FreeSWITCH joined the caller to somebody else: a phone transferred it after it had spoken
    /// with them itself (REFER with Replaces).
    pub(in crate::call) fn replaced(&mut self, other: ChannelId, party: &str) {
        let far = self.far_channel().or_else(|| self.state.bridged.clone());
        let speaks = matches!(
            self.stage(),
            None | Some(Stage::Together | Stage::Toggled | Stage::Dialing { joined: true, .. })
        );
        if !speaks || far.as_ref() == Some(&other) || !self.dials() {
            return;
        }
        let by = far.as_ref().and_then(|far| self.leg_mut(far)).map(|leg| leg.party.clone());
        let by = self.party(&by.unwrap_or_default());
        let third = self.third_channel().filter(|third| *third != other);
        self.drop_other(third, HangupCause::NormalClearing);
        self.end_other(far, HangupCause::AttendedTransfer);
        self.parted();
        let party = if party.is_empty() { other.as_str() } else { party };
        let leg = self.known(other.clone()).leg;
        if let Some(leg) = self.state.legs.get_mut(leg) {
            describe::clean(party).clone_into(&mut leg.party);
        }
        let transfer = self.note_transfer(TransferKind::Attended, &by, 0, party);
        let far = Other { channel: other.clone(), leg, at: None, seat: None };
        let moved = Moved { far: Some(far), transfer, ..Moved::new(Stage::Together) };
        self.state.talk.moved = Some(Box::new(moved));
        self.transfer_came_to("done");
        self.forget_action();
        self.state.timers.clear_step();
        self.state.bridged = Some(other.clone());
        self.worth_writing();
        self.order(Action::Return { other });
        self.tie();
    }

    /// The caller's phone sent the far party to `to`, or joined it to `other`, with whom it spoke
    /// besides. FreeSWITCH has done that.
    pub(in crate::call) fn refers(&mut self, to: Option<&str>, other: Option<ChannelId>) {
        let mut legs = self.state.legs.iter();
        let spoke = |leg: &LegRecord| leg.role == LegRole::Dialed && leg.answered.is_some();
        let Some(place) = legs.rposition(spoke) else { return };
        let own = self.may_refer();
        let far = self.state.legs.get(place).and_then(|leg| leg.channel.clone());
        // Whoever waits meanwhile is not whom the phone meant.
        self.release_waiting();
        let joined = far.zip(other).filter(|_| self.stage().is_none_or(Stage::is_plain));
        let (kind, outcome) = match (to, &joined) {
            (Some(_), _) if own => (TransferKind::Blind, OWN_CALL),
            (Some(_), _) => (TransferKind::Blind, "refused"),
            (None, Some(_)) => (TransferKind::Attended, OWN_CALL),
            (None, None) => (TransferKind::Attended, "done"),
        };
        let by = self.party(&self.state.arrival.caller_number);
        let to = to.unwrap_or("whom the caller spoke with besides");
        let transfer = self.note_transfer(kind, &by, place, to);
        self.transfer_is(transfer, outcome);
        if let (TransferKind::Attended, Some((far, channel))) = (kind, joined) {
            let party = String::new();
            self.bring(far, Onward::Join { channel, party, at: None, joined: true });
        }
    }
}

/// What becomes of a far party that its caller has left to another.
pub(super) const OWN_CALL: &str = "goes on in a call of its own";
