//! A phone that transfers by itself (REFER). FreeSWITCH obeys it: the other party's channel leaves
//! whatever it does for the dialplan, which offers it to us again.
//!
//! Where the far party's phone did it, the caller comes back in its own call, which calls for whom
//! the phone named. Where the caller's phone did it, the caller is gone; its call ends, and the far
//! party comes in a call of its own. A far party's channel knows nothing of us, so it carries a
//! [`Tie`]; it has none where the caller may transfer nobody.
//!
//! Whom a phone names comes from outside: it is called only as an extension or a number that the
//! tenant may reach, and only where the phone is the tenant's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::moved::{Address, Moved, Other, Stage};
use crate::base::cause::{HangupCause, Party, Termination};
use crate::base::ids::{CallId, ChannelId, FlowName, TenantId};
use crate::base::now::Now;
use crate::call::arrival::Arrival;
use crate::call::output::Action;
use crate::call::state::{Frame, State};
use crate::call::step::Running;
use crate::call::{Call, describe};
use crate::flow::Outcome;
use crate::flow::kind::dial::Inside;
use crate::flow::program::Program;
use crate::model::record::{LegRecord, LegRole, TransferKind};
use crate::model::talk::{Goal, Side};

/// What the far party's channel carries, so that it is not lost when the caller's phone sends it
/// elsewhere. Nobody else may read or change it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tie {
    call: CallId,
    tenant: TenantId,
    main: FlowName,
    versions: BTreeMap<FlowName, u32>,
    /// Whose channel this is, and where they were called.
    party: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Address>,
    /// With whom they speak.
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    back: Option<Address>,
}

impl Tie {
    /// The call in which the channel was called.
    pub const fn call(&self) -> CallId {
        self.call
    }

    pub const fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub const fn main(&self) -> &FlowName {
        &self.main
    }

    pub const fn versions(&self) -> &BTreeMap<FlowName, u32> {
        &self.versions
    }
}

/// A call that began as the other party of another.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tied {
    pub(super) call: CallId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Address>,
}

impl Call {
    /// The far party of another call, which that call's caller sent to `to`. There are outputs to
    /// poll. `program` must hold the flows in the versions that the tie names.
    pub fn begin_tied(
        tie: Tie,
        mut arrival: Arrival,
        to: &str,
        program: Arc<Program>,
        now: Now,
    ) -> Self {
        tie.party.clone_into(&mut arrival.caller_number);
        tie.party.clone_into(&mut arrival.caller_name);
        let mut state = State::new(arrival, &program, now);
        // It is in no step: when its conversation is over, it is over too.
        let start = program.flows.get(&program.main).map(|main| main.flow.start.clone());
        state.frames.extend(start.map(|step| Frame {
            flow: program.main.clone(),
            step,
            variables: BTreeMap::new(),
            visit: None,
        }));
        let Tie { call, at, by, back, .. } = tie;
        state.talk.tied = Some(Box::new(Tied { call, at }));
        let mut call = Self::with(state, program, now);
        call.note_arrival();
        call.limit_duration();
        call.sent_by_phone(&by, true, to, back);
        call.settle_boundary();
        call
    }

    /// Whether the call is a conversation and nothing else.
    pub(super) fn is_loose(&self) -> bool {
        self.state.talk.tied.is_some() && matches!(self.state.running, Running::Nothing)
    }

    /// A call that is nothing but a conversation ends with it.
    pub(super) fn close_loose(&mut self, cause: HangupCause, why: &str) {
        let reason = why.to_owned();
        self.close(Termination { party: Party::Callee, cause, reason });
    }

    /// Lets the far party's channel carry what it needs if the caller's phone sends it elsewhere.
    pub(in crate::call) fn tie(&mut self) {
        let Some(far) = self.state.bridged.clone() else { return };
        let back = self.address_of_caller();
        if back.is_none() && !self.is_inside(Side::Caller) {
            return;
        }
        let party = self.leg_mut(&far).map(|leg| leg.party.clone());
        let at = self.address_of_far(&far);
        let party = party.or_else(|| at.as_ref().map(|at| at.party.clone())).unwrap_or_default();
        let tie = Tie {
            call: self.state.call(),
            tenant: self.state.tenant,
            main: self.state.main.clone(),
            versions: self.state.versions.clone(),
            party,
            at,
            by: self.state.arrival.caller_number.clone(),
            back,
        };
        self.order(Action::Tie { channel: far, tie: Box::new(tie) });
    }

    /// Where the caller can be called.
    fn address_of_caller(&self) -> Option<Address> {
        if let Some(tied) = &self.state.talk.tied {
            return tied.at.clone();
        }
        let extension = self.state.arrival.extension()?;
        self.reachable(&Goal::Extension(extension.to_owned())).ok()
    }

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
    pub(super) fn referred(&mut self, to: &str) -> bool {
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
        self.sent_by_phone(&by, allowed, to, back);
        true
    }

    /// Calls for whom a phone sent the caller to, or, where that may not be, for who sent it.
    fn sent_by_phone(&mut self, by: &str, allowed: bool, to: &str, back: Option<Address>) {
        let goal = match allowed {
            true => self.reachable(&Goal::Extension(to.to_owned())),
            false => Err("only the tenant's own phones may transfer".to_owned()),
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
        let moved = Moved { stage, far: None, third: None, transfer };
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
        let far = Other { channel: other.clone(), leg, at: None };
        let moved = Moved { stage: Stage::Together, far: Some(far), third: None, transfer };
        self.state.talk.moved = Some(Box::new(moved));
        self.transfer_came_to("done");
        self.forget_action();
        self.state.timers.clear_step();
        self.state.bridged = Some(other.clone());
        self.worth_writing();
        self.order(Action::Return { other });
        self.tie();
    }

    /// The caller's phone sent the far party to `to`, or to whom it spoke with besides.
    pub(in crate::call) fn refers(&mut self, to: Option<&str>) {
        let mut legs = self.state.legs.iter();
        let spoke = |leg: &LegRecord| leg.role == LegRole::Dialed && leg.answered.is_some();
        let Some(leg) = legs.rposition(spoke) else { return };
        let own = self.address_of_caller().is_some() || self.is_inside(Side::Caller);
        let (kind, outcome) = match to {
            Some(_) if own => (TransferKind::Blind, "goes on in a call of its own"),
            Some(_) => (TransferKind::Blind, "refused"),
            None => (TransferKind::Attended, "done"),
        };
        let by = self.party(&self.state.arrival.caller_number);
        let to = to.unwrap_or("whom the caller spoke with besides");
        let transfer = self.note_transfer(kind, &by, leg, to);
        self.transfer_is(transfer, outcome);
    }
}
