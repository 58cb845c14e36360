//! Attended transfer: one of the two speaks with somebody else first, while the other waits.
//!
//! What is here is the far party's; [`super::caller_consults`] has what differs for the caller.
//!
//! Whoever hangs up decides, too: the far party that leaves while it consults has completed the
//! transfer; one that leaves while it rings has made a blind one of it. Who is consulted and
//! leaves brings the two others together again.

use super::moved::{Address, JOIN_MS, Moved, Other, Stage, TELL_MS};
use crate::base::cause::HangupCause;
use crate::base::ids::ChannelId;
use crate::base::millis::Millis;
use crate::call::Call;
use crate::call::input::FarNews;
use crate::call::operator::Obeyed;
use crate::call::output::{Action, Media};
use crate::call::timer::Timer;
use crate::flow::prompt::TonePrompt;
use crate::model::record::TransferKind;
use crate::model::talk::{Goal, Side};

/// How long somebody is called who is to be consulted.
pub(super) const RING_MS: u64 = 30_000;
/// What FreeSWITCH may need beyond that.
const SPARE_MS: u64 = 5_000;

/// Ringing and busy tones as they sound in most of Europe (ITU-T E.180).
pub(super) const RINGING: (u64, u64) = (1_000, 4_000);
pub(super) const BUSY: (u64, u64) = (480, 480);

pub(super) fn tone((on, off): (u64, u64)) -> Media {
    let (on, off) = (Millis(on), Millis(off));
    Media::Tone(TonePrompt { tone: vec![425], on, off, times: 1 })
}

/// Why a third is called while two wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    FarAsks,
    CallerAsks,
    /// The far party is to be the third's, and the caller goes on.
    Sent,
}

impl Call {
    /// With whom the caller speaks, where that can be changed.
    pub(super) fn partner(&self) -> Result<ChannelId, String> {
        if self.is_fetched() {
            return Err("who took the caller from its slot has a call of its own".to_owned());
        }
        self.partner_to_leave()
    }

    /// The same for a caller that leaves it: whoever took it from a slot is let go, too.
    pub(super) fn partner_to_leave(&self) -> Result<ChannelId, String> {
        match self.stage() {
            None | Some(Stage::Together | Stage::Dialing { joined: true, .. }) => {}
            Some(_) => return Err("the conversation is being moved already".to_owned()),
        }
        self.is_movable()?;
        if !self.dials() && !self.is_fetched() {
            return Err("only a conversation that a step dialed can be moved".to_owned());
        }
        self.state.bridged.clone().ok_or_else(|| "the caller speaks with nobody".to_owned())
    }

    /// Lets one party speak with somebody else while the other waits.
    pub(in crate::call) fn consult(&mut self, by: &str, side: Side, to: &Goal) -> Obeyed {
        let why = match side {
            Side::Caller => Why::CallerAsks,
            Side::Far => Why::FarAsks,
        };
        self.call_third(by, to, why)
    }

    /// Calls a third party while the caller and the far party wait.
    pub(super) fn call_third(&mut self, by: &str, to: &Goal, why: Why) -> Obeyed {
        let far = self.partner()?;
        let address = self.reachable(to)?;
        if let Some(limit) = self.legs_exceeded(1) {
            return Err(limit);
        }
        self.end_hold();
        let far = self.known(far);
        let (kind, who) = match why {
            Why::FarAsks => (TransferKind::Attended, 0),
            Why::CallerAsks => (TransferKind::Attended, far.leg),
            Why::Sent => (TransferKind::Blind, far.leg),
        };
        let transfer = self.note_transfer(kind, by, who, &address.party);
        let stage = Stage::Ringing { to: address, sends: why == Why::Sent };
        let (far_channel, far) = (far.channel.clone(), Some(far));
        let by_caller = why == Why::CallerAsks;
        let moved = Moved { far, transfer, by_caller, ..Moved::new(stage) };
        self.state.talk.moved = Some(Box::new(moved));
        self.worth_writing();
        self.order(Action::Follow { channel: far_channel.clone(), on: true });
        // So the caller comes into our hands, and then the third is called.
        self.tie_waiting();
        let sound = if by_caller { self.music() } else { tone(RINGING) };
        self.order(Action::Await { channel: far_channel, sound });
        self.state.after(Timer::Talk, SPARE_MS);
        Ok(())
    }

    fn new_other(&mut self, at: Address) -> Other {
        let leg = self.add_leg(&at.party);
        let channel = self.new_channel();
        if let Some(leg) = self.state.legs.get_mut(leg) {
            leg.channel = Some(channel.clone());
        }
        Other { channel, leg, at: Some(at), seat: None }
    }

    /// Calls the third; whom an earlier process called for the same is hung up.
    pub(super) fn call_now(&mut self) {
        let earlier = self.third_channel();
        self.drop_other(earlier.clone(), HangupCause::OriginatorCancel);
        if let Some(channel) = earlier {
            self.order(Action::Follow { channel, on: false });
        }
        let Some(Stage::Ringing { to, .. }) = self.stage().cloned() else { return };
        let third = self.new_other(to.clone());
        let channel = third.channel.clone();
        if let Some(moved) = self.moved_mut() {
            moved.third = Some(third);
        }
        self.worth_writing();
        self.order(Action::Follow { channel: channel.clone(), on: true });
        self.order_leg(channel, to.at, Millis(RING_MS));
        self.state.after(Timer::Talk, RING_MS + SPARE_MS);
    }

    /// News of a channel that belongs to a moved conversation.
    pub(in crate::call) fn moved_news(&mut self, channel: &ChannelId, news: &FarNews) {
        let is_third = self.third_channel().as_ref() == Some(channel);
        let is_far = self.far_channel().as_ref() == Some(channel);
        match news {
            // It has answered, and `originate` is done with it: until then it would take it from
            // whoever it was joined to (`mod_commands.c` originate_function).
            FarNews::Parked if is_third => self.third_parked(channel),
            FarNews::HungUp(cause) if is_third => {
                self.end_other(Some(channel.clone()), *cause);
                self.other_gone(channel);
                self.third_failed(*cause);
                self.other_left_room(channel);
            }
            FarNews::HungUp(cause) if is_far => {
                self.end_other(Some(channel.clone()), *cause);
                self.other_gone(channel);
                self.far_left(*cause);
                self.other_left_room(channel);
            }
            FarNews::Room(news) => self.other_in_room(channel, *news),
            _ => {}
        }
    }

    /// The far party was taken from the third, which may park after it was told to hear music.
    fn third_parked(&mut self, third: &ChannelId) {
        match self.stage() {
            Some(Stage::Toggled) if !self.caller_consults() => self.third_waits(third.clone()),
            _ => self.third_answered(),
        }
    }

    fn third_waits(&mut self, channel: ChannelId) {
        let sound = self.music();
        self.order(Action::Await { channel, sound });
    }

    fn third_answered(&mut self) {
        let Some(Stage::Ringing { sends, .. }) = self.stage().cloned() else { return };
        let (far, third) = (self.far_channel(), self.third_channel());
        let Some(third) = third else { return };
        let now = self.live.now.wall;
        if let Some(leg) = self.leg_mut(&third) {
            leg.answered.get_or_insert(now);
        }
        match far {
            None => self.complete_with_third("blind: the far party had hung up"),
            Some(_) if sends => {
                self.set_stage(Stage::Consulting);
                self.transfer_came_to("answered");
                // They are joined as they are let go.
                self.talk_over(HangupCause::BlindTransfer);
            }
            Some(_) if self.caller_consults() => self.caller_speaks_with_third(),
            Some(one) => {
                self.set_stage(Stage::Consulting);
                self.order(Action::Connect { one, other: third, keep: true });
            }
        }
    }

    /// Nobody is there to be consulted, or not any more.
    pub(super) fn third_failed(&mut self, cause: HangupCause) {
        let sound = match self.stage() {
            Some(Stage::Ringing { .. } | Stage::Consulting) => tone(BUSY),
            Some(Stage::Toggled) => {
                self.notice("who was consulted has hung up");
                return self.stay_together();
            }
            Some(Stage::Turning { .. }) => return self.forget_third(),
            _ => return,
        };
        let joined = self.joins();
        self.forget_third();
        self.transfer_came_to(cause.name());
        let Some(channel) = self.far_channel() else {
            let outcome = crate::call::step::outcome_of(cause);
            return self.nobody_left(outcome, "the caller was moved to where nobody answered");
        };
        if self.caller_consults() {
            return self.tell_caller(!joined);
        }
        self.set_stage(Stage::Back);
        self.order(Action::Await { channel, sound });
        self.state.after(Timer::Talk, TELL_MS);
    }

    /// The caller and the far party speak on; who was consulted is forgotten.
    fn stay_together(&mut self) {
        self.forget_third();
        self.set_stage(Stage::Together);
        let Some(moved) = self.moved_mut().filter(|moved| moved.by_caller) else { return };
        moved.by_caller = false;
        if let Some(other) = self.far_channel() {
            // It was to stay when they part.
            self.order(Action::Return { other });
        }
    }

    fn forget_third(&mut self) {
        let third = self.moved_mut().and_then(|moved| moved.third.take());
        if let Some(third) = third {
            self.order(Action::Follow { channel: third.channel, on: false });
        }
    }

    /// The far party hung up.
    fn far_left(&mut self, cause: HangupCause) {
        match self.stage().cloned() {
            Some(Stage::Ringing { sends: true, .. } | Stage::Back) => {
                self.transfer_came_to("the far party hung up");
                self.talk_over(cause);
            }
            Some(Stage::Ringing { .. }) => {
                self.notice("the far party hung up: who answers has the caller");
                if let Some(moved) = self.moved_mut() {
                    moved.far = None;
                }
                self.worth_writing();
            }
            Some(Stage::Consulting) if self.caller_consults() => self.keep_third(),
            Some(Stage::Consulting) => self.complete_with_third("the far party hung up"),
            Some(Stage::Turning { .. }) => {
                if let Some(moved) = self.moved_mut() {
                    moved.far = None;
                }
            }
            // The caller comes back to us by itself.
            Some(
                Stage::Toggled
                | Stage::Together
                | Stage::Dialing { .. }
                | Stage::Room { .. }
                | Stage::Leaving { .. }
                | Stage::Announcing { .. },
            )
            | None => {}
        }
    }

    /// The caller has the third for its far party from now on.
    pub(super) fn complete_with_third(&mut self, how: &str) {
        let Some(moved) = self.moved_mut() else { return };
        let Some(third) = moved.third.take() else {
            return self.talk_over(HangupCause::NormalClearing);
        };
        let channel = third.channel.clone();
        moved.far = Some(third);
        let by_caller = std::mem::take(&mut moved.by_caller);
        self.notice(format!("the transfer is complete ({how})"));
        self.set_stage(Stage::Together);
        // Nobody was transferred where who was to be has left.
        self.transfer_came_to(if by_caller { how } else { "done" });
        self.join(channel, false);
    }

    pub(in crate::call) fn complete(&mut self) -> Obeyed {
        if self.caller_consults() {
            return self.caller_completes();
        }
        let far = self.far_channel();
        match self.stage() {
            Some(Stage::Ringing { sends: false, .. }) => {
                self.drop_other(far, HangupCause::BlindTransfer);
                if let Some(moved) = self.moved_mut() {
                    moved.far = None;
                }
                self.worth_writing();
            }
            Some(Stage::Consulting | Stage::Toggled) => {
                self.complete_with_third("asked for");
                self.drop_other(far, HangupCause::AttendedTransfer);
            }
            _ => return Err("nobody is being consulted".to_owned()),
        }
        Ok(())
    }

    pub(in crate::call) fn cancel(&mut self) -> Obeyed {
        let third = self.third_channel();
        match self.stage() {
            Some(Stage::Ringing { .. }) if self.far_channel().is_none() => {
                return Err("the far party has left already".to_owned());
            }
            // The caller is taken from the third, and comes back to us.
            Some(Stage::Consulting) if self.caller_consults() => {
                self.set_stage(Stage::Turning { third: false });
                self.state.after(Timer::Talk, JOIN_MS);
            }
            Some(Stage::Ringing { .. } | Stage::Consulting) => self.come_back(),
            Some(Stage::Toggled) => {}
            _ => return Err("nobody is being consulted".to_owned()),
        }
        self.transfer_came_to("cancelled");
        self.drop_other(third, HangupCause::NormalClearing);
        match self.stage() {
            Some(Stage::Toggled) => self.stay_together(),
            _ => self.forget_third(),
        }
        Ok(())
    }

    pub(in crate::call) fn toggle(&mut self) -> Obeyed {
        let (Some(far), Some(third)) = (self.far_channel(), self.third_channel()) else {
            return Err("nobody is being consulted".to_owned());
        };
        match self.stage() {
            Some(Stage::Consulting | Stage::Toggled) if self.caller_consults() => {
                self.turn_to(self.stage() == Some(&Stage::Toggled));
            }
            Some(Stage::Consulting) => {
                self.set_stage(Stage::Toggled);
                // The third is let go by it: were that one taken away first, FreeSWITCH could hang
                // the far party up before it is joined (`switch_ivr_bridge.c`
                // switch_ivr_multi_threaded_bridge).
                self.join(far, false);
                self.third_waits(third);
            }
            Some(Stage::Toggled) => {
                self.set_stage(Stage::Consulting);
                self.order(Action::Connect { one: far, other: third, keep: true });
            }
            _ => return Err("nobody is being consulted".to_owned()),
        }
        Ok(())
    }
}
