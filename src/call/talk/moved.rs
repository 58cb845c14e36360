//! A conversation that was led elsewhere than the `dial` that began it: the far party consults
//! somebody, or one of the two is moved to another.
//!
//! While the step `dial` waits for its end, the caller is in one of three places: in our hands,
//! with music ([`Call::wait_here`]); joined to somebody outside of our connection, from which it
//! comes back on a new one ([`super::super::output::Action::Join`]); or dialed for again. Whoever
//! is not in the conversation hears music or a tone, never nothing.

use serde::{Deserialize, Serialize};

use super::room::Place;
use crate::base::cause::HangupCause;
use crate::base::ids::{ChannelId, RoomName, StepName};
use crate::base::slot::Slot;
use crate::call::Call;
use crate::call::handover::Found;
use crate::call::input::{Dialed, Ending};
use crate::call::output::{Action, DialAddress};
use crate::call::step::conference::Seat;
use crate::call::step::{Heard, Next, Way};
use crate::call::timer::Timer;
use crate::flow::Outcome;
use crate::model::record::LegRecord;

/// How long FreeSWITCH may take to join two channels.
pub(super) const JOIN_MS: u64 = 5_000;
/// How long the far party hears why nobody else is there, before it is joined to the caller again.
pub(super) const TELL_MS: u64 = 1_500;

/// Where a moved conversation stands.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Moved {
    pub(super) stage: Stage,
    /// Who was joined to the caller; none once it has left.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) far: Option<Other>,
    /// Who is consulted, or is to have one of the two.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) third: Option<Other>,
    /// The transfer's place in the record.
    pub(super) transfer: Option<usize>,
    /// It is the caller who consults, while the far party waits.
    #[serde(default, skip_serializing_if = "super::is_not")]
    pub(super) by_caller: bool,
}

/// What is going on. It is written before it is ordered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Stage {
    /// The third is called; the far party, if it is there, hears it ring. With `sends` the far
    /// party is to be the third's, and the caller goes on.
    Ringing { to: Address, sends: bool },
    /// Who consults speaks with the third.
    Consulting,
    /// The far party speaks with the caller, and the third waits.
    Toggled,
    /// The caller, who consults, is on its way back to us; then it speaks with the third or with
    /// the far party.
    Turning { third: bool },
    /// Who consulted hears why the two are joined again.
    Back,
    /// The caller and the far party speak, outside of our connection.
    Together,
    /// The caller is called for: first whom it was moved to, then who moved it.
    Dialing {
        to: Address,
        /// Where else they may be: called where no such extension is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instead: Option<Address>,
        back: Option<Address>,
        leg: Option<usize>,
        joined: bool,
    },
    /// The caller goes to a room, or is in it. `sent`: the others were sent there too.
    Room {
        /// None: one of their own.
        name: Option<RoomName>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        place: Option<Place>,
        back: Option<Address>,
        sent: bool,
    },
    /// The caller is on its way to a step.
    Leaving { step: StepName },
    /// The caller hears in which slot it has parked the far party.
    Announcing { slot: Slot, said: bool },
}

/// Another channel than the caller's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Other {
    pub(super) channel: ChannelId,
    /// Its place among the record's legs.
    pub(super) leg: usize,
    /// Where it was called, if not by the step.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) at: Option<Address>,
    /// In the room to which the caller has gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) seat: Option<Seat>,
}

/// Where somebody is called, and how the record names them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct Address {
    pub(in crate::call) at: DialAddress,
    pub(in crate::call) party: String,
}

impl Address {
    /// Whether it is one of the tenant's extensions.
    pub(super) const fn is_own(&self) -> bool {
        matches!(self.at, DialAddress::Extension { .. })
    }
}

impl Stage {
    /// The caller speaks with the far party, and nobody is consulted.
    pub(super) const fn is_plain(&self) -> bool {
        matches!(self, Self::Together | Self::Dialing { joined: true, .. })
    }
}

impl Moved {
    pub(super) const fn new(stage: Stage) -> Self {
        Self { stage, far: None, third: None, transfer: None, by_caller: false }
    }

    pub(super) fn is_in_room(&self) -> bool {
        match &self.stage {
            Stage::Room { place: Some(place), .. } => place.is_entered(),
            _ => false,
        }
    }

    pub(super) const fn joins(&self) -> bool {
        match self.stage {
            Stage::Together | Stage::Toggled => true,
            Stage::Consulting => self.by_caller,
            _ => false,
        }
    }
}

impl Call {
    pub(super) fn moved(&self) -> Option<&Moved> {
        self.state.talk.moved.as_deref()
    }

    pub(super) fn moved_mut(&mut self) -> Option<&mut Moved> {
        self.state.talk.moved.as_deref_mut()
    }

    pub(super) fn stage(&self) -> Option<&Stage> {
        self.moved().map(|moved| &moved.stage)
    }

    pub(super) fn set_stage(&mut self, stage: Stage) {
        if let Some(moved) = self.moved_mut() {
            moved.stage = stage;
        }
        self.state.timers.clear(Timer::Talk);
        self.worth_writing();
    }

    pub(super) fn far_channel(&self) -> Option<ChannelId> {
        self.moved()?.far.as_ref().map(|far| far.channel.clone())
    }

    pub(super) fn third_channel(&self) -> Option<ChannelId> {
        self.moved()?.third.as_ref().map(|third| third.channel.clone())
    }

    /// Whose conversation with the caller FreeSWITCH holds outside of our connection.
    pub(super) fn joins(&self) -> bool {
        self.moved().is_some_and(Moved::joins)
    }

    /// The caller waits with music, or with a tone where there is none.
    pub(super) fn wait_here(&mut self) {
        self.state.bridged = None;
        self.worth_writing();
        let sound = self.sound_meanwhile();
        self.play(vec![sound], crate::base::digits::Digits::default());
    }

    /// The caller and another channel speak from now on. With `keep` the other one stays, in
    /// silence, when they part.
    pub(super) fn join(&mut self, other: ChannelId, keep: bool) {
        self.forget_action();
        self.worth_writing();
        self.order(Action::Join { other, keep });
        self.state.after(Timer::Talk, JOIN_MS);
    }

    /// The caller was joined to somebody.
    pub(in crate::call) fn talk_joined(&mut self) {
        let now = self.live.now.wall;
        if self.joins() {
            return self.state.timers.clear(Timer::Talk);
        }
        if let Some(Stage::Dialing { joined, leg, .. }) =
            self.moved_mut().map(|moved| &mut moved.stage)
        {
            *joined = true;
            let leg = *leg;
            let channel = self.state.bridged.clone();
            if let Some(leg) = leg.and_then(|leg| self.state.legs.get_mut(leg)) {
                leg.answered.get_or_insert(now);
                leg.channel = channel;
            }
            self.state.timers.clear(Timer::ActionOverdue);
            self.transfer_came_to("answered");
            self.worth_writing();
        }
    }

    /// What was awaited has ended. True where that is not the step's affair.
    pub(in crate::call) fn talk_ended(&mut self, ending: &Ending) -> bool {
        if self.parking_ended(ending) {
            return true;
        }
        match self.stage() {
            None => false,
            // What played was cut off by it.
            Some(Stage::Together | Stage::Toggled | Stage::Turning { .. }) => true,
            Some(Stage::Consulting) if self.joins() => true,
            Some(Stage::Ringing { .. } | Stage::Consulting | Stage::Back) => {
                if matches!(self.stage(), Some(Stage::Ringing { .. }))
                    && self.third_channel().is_none()
                {
                    self.call_now();
                }
                self.wait_on(ending);
                true
            }
            Some(Stage::Dialing { leg: None, .. }) => {
                self.dial_again();
                true
            }
            Some(Stage::Dialing { leg: Some(_), .. }) => {
                self.dialed_again(ending);
                true
            }
            Some(Stage::Room { place: None, .. }) => {
                self.enter_room();
                true
            }
            Some(Stage::Room { .. }) => {
                self.room_hear(Heard::Ended(ending.clone()));
                true
            }
            Some(Stage::Leaving { step }) => {
                let step = step.clone();
                self.leave_for(step);
                true
            }
            Some(Stage::Announcing { said: true, .. }) => {
                self.talk_over(HangupCause::NormalClearing);
                true
            }
            Some(Stage::Announcing { slot, .. }) => {
                let slot = *slot;
                self.say_slot(slot);
                true
            }
        }
    }

    /// The conversation that the caller waits for goes on, and so does the music. What can't be
    /// played must not be tried for ever.
    pub(super) fn wait_on(&mut self, ending: &Ending) {
        if crate::call::describe::failure(ending).is_some() {
            self.lose_music();
        }
        self.wait_here();
    }

    pub(in crate::call) fn talk_overdue(&mut self) {
        match self.stage() {
            Some(Stage::Ringing { .. }) => {
                let channel = self.third_channel();
                self.drop_other(channel, HangupCause::NoAnswer);
                self.third_failed(HangupCause::NoAnswer);
            }
            Some(Stage::Back) => self.come_back(),
            Some(Stage::Together | Stage::Toggled) => {
                self.not_joined();
            }
            Some(Stage::Consulting) if self.joins() => self.not_joined(),
            Some(Stage::Turning { third }) => {
                let third = *third;
                self.note_guard("the caller did not come back in time");
                self.turned(third);
            }
            Some(
                Stage::Consulting
                | Stage::Dialing { .. }
                | Stage::Room { .. }
                | Stage::Leaving { .. }
                | Stage::Announcing { .. },
            )
            | None => {}
        }
    }

    fn not_joined(&mut self) {
        self.note_guard("two channels were not joined in time");
        self.pick_up_moved(&Found::default());
    }

    /// The far party is joined to the caller, and the third is forgotten.
    pub(super) fn come_back(&mut self) {
        let Some(far) = self.far_channel() else {
            return self.talk_over(HangupCause::NormalClearing);
        };
        self.set_stage(Stage::Together);
        self.join(far, false);
    }

    /// Goes on in our hands with what another connection, or another process, left. False where
    /// nothing was moved.
    pub(in crate::call) fn pick_up_moved(&mut self, found: &Found) -> bool {
        if let Some(referral) = &found.referred
            && self.referred(referral, found.dialed.as_ref())
        {
            return true;
        }
        let Some(stage) = self.stage().cloned() else { return false };
        self.state.bridged = None;
        self.follow_moved();
        match stage {
            // They parted: the far party is gone.
            Stage::Together => self.talk_over(HangupCause::NormalClearing),
            Stage::Toggled => {
                self.end_other(self.far_channel(), HangupCause::NormalClearing);
                self.complete_with_third("the far party hung up");
            }
            Stage::Ringing { .. } => {
                // Whether who was called has answered meanwhile nobody heard.
                self.call_now();
                self.wait_here();
            }
            Stage::Consulting if self.caller_consults() => {
                let third = self.third_channel();
                self.drop_other(third, HangupCause::NormalClearing);
                self.third_failed(HangupCause::NormalClearing);
                self.tell_caller(true);
            }
            Stage::Consulting => self.wait_here(),
            Stage::Turning { third } => self.turned(third),
            Stage::Back if self.caller_consults() => self.tell_caller(true),
            Stage::Back => self.come_back(),
            Stage::Dialing { leg: None, .. } => self.dial_again(),
            Stage::Dialing { leg: Some(_), joined, .. } => {
                let over = Dialed::talked(HangupCause::NormalClearing);
                match found.dialed.clone().or_else(|| joined.then_some(over)) {
                    Some(dialed) => self.dialed_again(&Ending::Dialed(dialed)),
                    None => self.dial_again(),
                }
            }
            Stage::Room { .. } => self.pick_up_room(found.roomed),
            Stage::Leaving { step } => self.leave_for(step),
            Stage::Announcing { slot, .. } => self.say_slot(slot),
        }
        true
    }

    /// Another process, or connection, goes on hearing of the others.
    pub(in crate::call) fn follow_moved(&mut self) {
        let others = [self.far_channel(), self.third_channel()];
        for channel in others.into_iter().flatten() {
            self.order(Action::Follow { channel, on: true });
        }
    }

    /// Nobody is there any more to speak with the caller: the step that dialed is over.
    pub(super) fn talk_over(&mut self, cause: HangupCause) {
        self.release_others();
        self.state.talk.moved = None;
        self.state.timers.clear(Timer::Talk);
        self.state.bridged = None;
        self.stop_action();
        if self.is_loose() {
            return self.close_loose(cause, "the conversation is over");
        }
        if self.parks() {
            return self.walk(Next::leave(Outcome::Done, "the caller was taken from its slot"));
        }
        let dialed = Dialed::talked(cause);
        self.hear(Heard::Ended(Ending::Dialed(dialed)));
    }

    /// The same where nobody was reached.
    pub(super) fn nobody_left(&mut self, outcome: Outcome, why: &str) {
        self.release_others();
        self.state.talk.moved = None;
        self.state.timers.clear(Timer::Talk);
        self.stop_action();
        if self.is_loose() {
            return self.close_loose(HangupCause::NormalTemporaryFailure, why);
        }
        self.walk(Next::leave(outcome, why));
    }

    fn leave_for(&mut self, step: StepName) {
        self.transfer_came_to("done");
        self.release_others();
        self.state.talk.moved = None;
        self.state.timers.clear(Timer::Talk);
        self.stop_action();
        let way = Way::Choice { label: "moved".to_owned(), to: step };
        self.walk(Next::Leave { way, why: "the caller was moved to a step".to_owned() });
    }

    /// Lets go of whoever a moved conversation has gathered. Two that speak with one another go on
    /// without us.
    pub(in crate::call) fn release_others(&mut self) {
        self.call_off_invited();
        let Some(moved) = self.moved().cloned() else { return };
        let (far, third) = (moved.far, moved.third);
        let speak = match moved.stage {
            // In the room they go on without the caller.
            Stage::Room { sent: true, .. } => return,
            Stage::Consulting => !moved.by_caller,
            Stage::Room { .. } => true,
            _ => false,
        };
        if let (true, Some(one), Some(other)) = (speak, &far, &third) {
            let (one, other) = (one.channel.clone(), other.channel.clone());
            self.order(Action::Connect { one, other, keep: false });
            return;
        }
        // What FreeSWITCH joined to the caller ends with it.
        let alone = match moved.stage {
            Stage::Together => [None, third],
            Stage::Toggled if !moved.by_caller => [None, third],
            _ => [far, third],
        };
        for other in alone.into_iter().flatten() {
            self.drop_other(Some(other.channel), HangupCause::NormalClearing);
        }
    }

    /// Hangs up another channel, and writes its end down.
    pub(super) fn drop_other(&mut self, channel: Option<ChannelId>, cause: HangupCause) {
        let Some(channel) = channel else { return };
        self.order(Action::Drop { channel: channel.clone(), cause });
        self.end_other(Some(channel), cause);
    }

    pub(super) fn end_other(&mut self, channel: Option<ChannelId>, cause: HangupCause) {
        let now = self.live.now.wall;
        if let Some(leg) = channel.and_then(|channel| self.leg_mut(&channel)) {
            leg.ended.get_or_insert(now);
            leg.cause.get_or_insert(cause);
        }
    }

    pub(super) fn leg_mut(&mut self, channel: &ChannelId) -> Option<&mut LegRecord> {
        self.state.legs.iter_mut().rev().find(|leg| leg.channel.as_ref() == Some(channel))
    }

    /// A channel as one of the call's.
    pub(super) fn known(&mut self, channel: ChannelId) -> Other {
        let legs = &self.state.legs;
        let leg = legs.iter().rposition(|leg| leg.channel.as_ref() == Some(&channel));
        let leg = leg.unwrap_or_else(|| {
            let leg = self.add_leg(channel.as_str());
            let now = self.live.now.wall;
            if let Some(leg) = self.state.legs.get_mut(leg) {
                leg.channel = Some(channel.clone());
                leg.answered = Some(now);
            }
            leg
        });
        Other { channel, leg, at: None, seat: None }
    }
}
