//! The caller consults: it speaks with a third while the far party waits.
//!
//! The far party has no machine of its own, so the caller goes from one to the other: it is joined
//! to each outside of our connection, and comes back to us in between. When it leaves the two to
//! one another, the far party goes on in a call of its own ([`super::tie`]), the third with it.

use super::consult::{BUSY, RINGING, tone};
use super::moved::{JOIN_MS, Stage, TELL_MS};
use super::refer::OWN_CALL;
use super::tie::Onward;
use crate::base::cause::{HangupCause, Party, Termination};
use crate::call::Call;
use crate::call::operator::Obeyed;
use crate::call::output::{Action, Media};
use crate::call::timer::Timer;
use crate::model::talk::Side;

impl Call {
    /// Whether the caller consults somebody, and not the far party.
    pub(in crate::call) fn caller_consults(&self) -> bool {
        self.moved().is_some_and(|moved| moved.by_caller)
    }

    /// Who consults somebody, if one of the two does.
    pub(super) fn consulting_side(&self) -> Option<Side> {
        let moved = self.moved()?;
        match moved.stage {
            Stage::Ringing { sends: false, .. }
            | Stage::Consulting
            | Stage::Toggled
            | Stage::Turning { .. }
            | Stage::Back => Some(if moved.by_caller { Side::Caller } else { Side::Far }),
            _ => None,
        }
    }

    /// What the caller hears while it is in our hands.
    pub(super) fn sound_meanwhile(&self) -> Media {
        match self.stage() {
            Some(Stage::Ringing { .. }) if self.caller_consults() => tone(RINGING),
            Some(Stage::Back) if self.caller_consults() => tone(BUSY),
            _ => self.music(),
        }
    }

    /// Who was called speaks with the caller.
    pub(super) fn caller_speaks_with_third(&mut self) {
        let Some(third) = self.third_channel() else { return };
        self.set_stage(Stage::Consulting);
        self.tie_waiting();
        self.join(third, true);
    }

    /// Whom the caller spoke with waits, so that it comes back to us and then speaks with the
    /// other.
    pub(super) fn turn_to(&mut self, third: bool) {
        let waits = if third { self.far_channel() } else { self.third_channel() };
        self.set_stage(Stage::Turning { third });
        if let Some(channel) = waits {
            let sound = self.music();
            self.order(Action::Await { channel, sound });
        }
        self.state.after(Timer::Talk, JOIN_MS);
    }

    /// The caller has come back to us, and speaks with whom it turned to, or with who is left.
    pub(super) fn turned(&mut self, third: bool) {
        match (third, self.far_channel(), self.third_channel()) {
            (true, Some(_), Some(_)) => self.caller_speaks_with_third(),
            (false, Some(far), Some(_)) => {
                self.set_stage(Stage::Toggled);
                self.join(far, true);
            }
            (_, Some(_), None) => self.come_back(),
            (_, None, Some(_)) => self.complete_with_third("the other party hung up"),
            (_, None, None) => self.talk_over(HangupCause::NormalClearing),
        }
    }

    /// The caller hears that nobody is there to be consulted any more. `here`: it is in our hands.
    pub(super) fn tell_caller(&mut self, here: bool) {
        self.set_stage(Stage::Back);
        if here {
            self.stop_prompt();
            self.wait_here();
        }
        self.state.after(Timer::Talk, if here { TELL_MS } else { JOIN_MS });
    }

    /// The far party hung up while the caller spoke with the third.
    pub(super) fn keep_third(&mut self) {
        let Some(moved) = self.moved_mut() else { return };
        moved.by_caller = false;
        moved.far = moved.third.take();
        self.set_stage(Stage::Together);
        self.transfer_came_to("the other party hung up");
        if let Some(other) = self.far_channel() {
            // It ends with the caller from now on.
            self.order(Action::Return { other });
        }
    }

    /// The caller leaves the far party to the third.
    pub(super) fn caller_completes(&mut self) -> Obeyed {
        if !self.leave_to_third() {
            return Err("nobody is being consulted".to_owned());
        }
        let cause = HangupCause::AttendedTransfer;
        let reason = "the caller transferred the other party".to_owned();
        self.close(Termination { party: Party::Caller, cause, reason });
        Ok(())
    }

    /// The far party, if it waits for the caller, goes on with whom the caller consults, or called.
    pub(in crate::call) fn leave_to_third(&mut self) -> bool {
        if !self.caller_consults() {
            return false;
        }
        let (Some(far), Some(onward)) = (self.far_channel(), self.onward()) else { return false };
        if let Onward::Call(_) = onward {
            // It is called anew, by the far party's call.
            let ringing = self.third_channel();
            self.drop_other(ringing, HangupCause::OriginatorCancel);
        }
        self.transfer_came_to(OWN_CALL);
        self.end_hold();
        self.bring(far, onward);
        self.state.talk.moved = None;
        true
    }

    /// How the far party goes on if the caller leaves now.
    pub(super) fn onward(&self) -> Option<Onward> {
        let moved = self.moved().filter(|moved| moved.by_caller)?;
        match (&moved.stage, &moved.third) {
            (Stage::Ringing { to, .. }, _) => Some(Onward::Call(to.clone())),
            (Stage::Consulting | Stage::Toggled | Stage::Turning { .. }, Some(third)) => {
                let leg = self.state.legs.get(third.leg);
                let party = leg.map(|leg| leg.party.clone()).unwrap_or_default();
                let (channel, at) = (third.channel.clone(), third.at.clone());
                Some(Onward::Join { channel, party, at, joined: false })
            }
            _ => None,
        }
    }

    /// The caller's phone has sent elsewhere whom it spoke with: nobody is left for who waits.
    pub(super) fn release_waiting(&mut self) {
        if !self.caller_consults() {
            return;
        }
        let speaks = self.state.bridged.clone();
        let others = [self.far_channel(), self.third_channel()];
        for other in others.into_iter().flatten().filter(|other| Some(other) != speaks.as_ref()) {
            self.drop_other(Some(other), HangupCause::NormalClearing);
        }
        self.state.talk.moved = None;
    }
}
