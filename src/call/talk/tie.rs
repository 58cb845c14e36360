//! A far party that goes on without the caller: it gets a call of its own.
//!
//! Its channel knows nothing of us, so it carries a [`Tie`], and comes to us through the dialplan
//! like a call that was transferred, wherever it was sent by: the caller's phone (REFER), or the
//! caller's call, which says then how it goes on.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::moved::{Address, Moved, Other, Stage};
use super::park_far::ParkedFar;
use crate::base::cause::{HangupCause, Party, Termination};
use crate::base::ids::{CallId, ChannelId, FlowName, TenantId};
use crate::base::now::Now;
use crate::call::Call;
use crate::call::arrival::Arrival;
use crate::call::handover::Referral;
use crate::call::output::Action;
use crate::call::state::{Frame, State};
use crate::call::step::Running;
use crate::flow::program::Program;
use crate::model::record::TransferKind;
use crate::model::talk::{Goal, Side};

/// What stands in the place of a number where a far party was not sent by a phone.
pub const BROUGHT: &str = "callwright_brought";

/// What the far party's channel carries, so that it is not lost when it leaves the caller. Nobody
/// else may read or change it.
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
    /// How it goes on when the caller is gone, or leaves it: [`BROUGHT`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    onward: Option<Onward>,
    /// The channel of the caller.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    of: Option<ChannelId>,
    /// The caller's phone may send it nowhere.
    #[serde(default, skip_serializing_if = "super::is_not")]
    outside: bool,
}

/// How a far party goes on in its own call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Onward {
    /// Somebody is called for it.
    Call(Address),
    /// It is joined to a channel that waits, or that it speaks with.
    Join {
        channel: ChannelId,
        /// As the record has them; not known where a phone joined the two.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        party: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Address>,
        /// FreeSWITCH joins the two by itself.
        #[serde(default, skip_serializing_if = "super::is_not")]
        joined: bool,
    },
    /// It waits in a slot.
    Park(ParkedFar),
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

    /// Whether the channel may come as it came: sent to `to` by the caller's phone, or by us.
    pub fn allows(&self, to: &str) -> bool {
        if to == BROUGHT { self.onward.is_some() } else { !self.outside }
    }

    /// The caller's channel, where this one goes on without it when it is gone.
    pub fn outlives(&self) -> Option<&ChannelId> {
        self.of.as_ref().filter(|_| self.onward.is_some())
    }

    /// The channel that waits for this one.
    pub fn awaited(&self) -> Option<&ChannelId> {
        match &self.onward {
            Some(Onward::Join { channel, .. }) => Some(channel),
            _ => None,
        }
    }

    /// Whether the switch joins the two by itself before.
    pub const fn is_joined(&self) -> bool {
        matches!(&self.onward, Some(Onward::Join { joined: true, .. }))
    }

    /// The identity that the call of this channel is to have, where that is known before.
    pub fn becomes(&self) -> Option<CallId> {
        match &self.onward {
            Some(Onward::Park(parked)) => Some(parked.call),
            _ => None,
        }
    }
}

/// A call that is a conversation and nothing else: it began as the other party of another, or we
/// put somebody through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tied {
    /// Which; none where nobody had to be taken out of another call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) call: Option<CallId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    at: Option<Address>,
    /// It runs a flow.
    #[serde(default, skip_serializing_if = "super::is_not")]
    flows: bool,
}

impl Call {
    /// The far party of another call, which that call's caller left: as the referral says where
    /// its phone did it, else as the tie says. There are outputs to poll. `program` is that of the
    /// flow to which the referral leads; else it must hold the flows in the versions that the tie
    /// names.
    pub fn begin_tied(
        tie: Tie,
        mut arrival: Arrival,
        referral: &Referral,
        program: Arc<Program>,
        now: Now,
    ) -> Self {
        tie.party.clone_into(&mut arrival.caller_number);
        tie.party.clone_into(&mut arrival.caller_name);
        let mut state = State::new(arrival, &program, now);
        let flows = referral.program().is_some();
        if !flows {
            // It is in no step: when its conversation is over, it is over too.
            let start = program.flows.get(&program.main).map(|main| main.flow.start.clone());
            state.frames.extend(start.map(|step| Frame {
                flow: program.main.clone(),
                step,
                variables: BTreeMap::new(),
                visit: None,
            }));
        }
        let Tie { call, at, by, back, onward, .. } = tie;
        let onward = onward.filter(|_| referral.to == BROUGHT);
        if let Some(Onward::Call(Address { party, .. }) | Onward::Join { party, .. }) = &onward {
            party.clone_into(&mut state.arrival.dialed);
        }
        state.talk.tied = Some(Box::new(Tied { call: Some(call), at, flows }));
        let mut call = Self::with(state, program, now);
        call.note_arrival();
        call.limit_duration();
        match onward {
            None => call.sent_by_phone(&by, true, referral, back),
            Some(onward) => call.goes_onward(&by, onward, back),
        }
        call.settle_boundary();
        call
    }

    /// From now on the call is nothing but a conversation; `at` is where its caller can be called.
    pub(in crate::call) fn ties_to(&mut self, at: Address) {
        self.state.talk.tied = Some(Box::new(Tied { call: None, at: Some(at), flows: false }));
    }

    /// Calls whom a call that is nothing but a conversation is for.
    pub(in crate::call) fn put_through(&mut self, by: &str, to: Address) {
        self.goes_onward(by, Onward::Call(to), None);
    }

    fn goes_onward(&mut self, by: &str, onward: Onward, back: Option<Address>) {
        let by = self.party(by);
        match onward {
            Onward::Call(to) => {
                let transfer = self.note_transfer(TransferKind::Blind, &by, 0, &to.party);
                let stage = Stage::Dialing { to, instead: None, back, leg: None, joined: false };
                self.state.talk.moved = Some(Box::new(Moved { transfer, ..Moved::new(stage) }));
                self.dial_again();
            }
            Onward::Park(parked) => self.park_brought(parked, back),
            Onward::Join { channel, party, at, .. } => {
                let leg = self.known(channel.clone()).leg;
                let party = if party.is_empty() { channel.to_string() } else { party };
                if let Some(leg) = self.state.legs.get_mut(leg) {
                    party.clone_into(&mut leg.party);
                }
                let transfer = self.note_transfer(TransferKind::Attended, &by, 0, &party);
                let far = Some(Other { channel: channel.clone(), leg, at, seat: None });
                let moved = Moved { far, transfer, ..Moved::new(Stage::Together) };
                self.state.talk.moved = Some(Box::new(moved));
                self.transfer_came_to("done");
                self.order(Action::Follow { channel: channel.clone(), on: true });
                self.join(channel, false);
            }
        }
    }

    /// Whether the call is a conversation and nothing else.
    pub(in crate::call) fn is_loose(&self) -> bool {
        let tied = self.state.talk.tied.as_ref();
        tied.is_some_and(|tied| !tied.flows) && matches!(self.state.running, Running::Nothing)
    }

    /// A call that is nothing but a conversation ends with it.
    pub(super) fn close_loose(&mut self, cause: HangupCause, why: &str) {
        let reason = why.to_owned();
        self.close(Termination { party: Party::Callee, cause, reason });
    }

    /// Lets the far party's channel carry what it needs if the caller's phone sends it elsewhere.
    pub(in crate::call) fn tie(&mut self) {
        let Some(far) = self.state.bridged.clone() else { return };
        if !self.may_refer() {
            return;
        }
        let onward = self.onward().filter(|_| self.far_channel().as_ref() == Some(&far));
        let tie = Box::new(self.tie_of(&far, onward));
        self.order(Action::Tie { channel: far, tie });
    }

    /// Lets the far party, which waits, carry how it goes on if the caller ends while nobody is
    /// there to say it.
    pub(super) fn tie_waiting(&mut self) {
        let (Some(far), Some(onward)) = (self.far_channel(), self.onward()) else { return };
        let tie = Box::new(self.tie_of(&far, Some(onward)));
        self.order(Action::Tie { channel: far, tie });
    }

    /// Whether the caller's phone may send the far party elsewhere.
    pub(super) fn may_refer(&self) -> bool {
        self.address_of_caller().is_some() || self.is_inside(Side::Caller)
    }

    fn tie_of(&mut self, far: &ChannelId, onward: Option<Onward>) -> Tie {
        let party = self.leg_mut(far).map(|leg| leg.party.clone());
        let at = self.address_of_far(far);
        let party = party.or_else(|| at.as_ref().map(|at| at.party.clone())).unwrap_or_default();
        Tie {
            call: self.state.call(),
            tenant: self.state.tenant,
            main: self.state.main.clone(),
            versions: self.state.versions.clone(),
            party,
            at,
            by: self.state.arrival.caller_number.clone(),
            back: self.address_of_caller(),
            onward,
            of: Some(self.state.channel().clone()),
            outside: !self.may_refer(),
        }
    }

    /// The far party goes on without the caller.
    pub(super) fn bring(&mut self, far: ChannelId, onward: Onward) {
        let tie = Box::new(self.tie_of(&far, Some(onward)));
        self.order(Action::Bring { channel: far, tie });
    }

    /// Where the caller can be called.
    pub(super) fn address_of_caller(&self) -> Option<Address> {
        if let Some(tied) = &self.state.talk.tied {
            return tied.at.clone();
        }
        let extension = self.state.arrival.extension()?;
        self.reachable(&Goal::Extension(extension.to_owned())).ok()
    }
}
