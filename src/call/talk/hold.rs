//! Hold: one party waits with music.
//!
//! An operator's hold stands in the two channels beside their conversation, which goes on: what
//! each hears is replaced (`switch_ivr_async.c` switch_ivr_displace_session). `uuid_hold` would
//! have FreeSWITCH queue the music behind the `bridge`, where a caller's waits for ever. A phone's
//! own hold is FreeSWITCH's affair; it is only counted.

use serde::{Deserialize, Serialize};

use crate::base::ids::ChannelId;
use crate::base::millis::Millis;
use crate::call::Call;
use crate::call::operator::Obeyed;
use crate::call::output::{Action, Media};
use crate::call::step::{Heard, Running};
use crate::call::timer::Timer;
use crate::flow::prompt::TonePrompt;
use crate::model::talk::Side;
use crate::model::timeline::Sign;

/// The tone of who waits without music: on, off, in ms, and Hz.
const COMFORT: (u64, u64, u16) = (300, 4_200, 425);

/// Who waits, and since when on the call's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Waiting {
    side: Side,
    by_phone: bool,
    /// The channels, the one that waits first.
    held: ChannelId,
    other: ChannelId,
    since_ms: u64,
    /// It has lasted too long, and that was said.
    #[serde(default, skip_serializing_if = "super::is_not")]
    told: bool,
    #[serde(default = "reminded")]
    reminder: Millis,
}

const fn reminded() -> Millis {
    Millis::seconds(10)
}

impl Call {
    /// What somebody hears who waits.
    pub(in crate::call) fn music(&self) -> Media {
        let music = self.program.settings.talk.music.as_ref();
        let file = music.filter(|_| !self.state.talk.tuneless).map(|name| self.file(name));
        if let Some(Ok(file)) = file {
            return file;
        }
        let (on, off, hz) = COMFORT;
        let (on, off) = (Millis(on), Millis(off));
        Media::Tone(TonePrompt { tone: vec![hz], on, off, times: u8::MAX })
    }

    /// The music can't be played, and is tried no more.
    pub(in crate::call) fn lose_music(&mut self) {
        self.state.talk.tuneless = true;
    }

    pub(in crate::call) const fn is_tuneless(&self) -> bool {
        self.state.talk.tuneless
    }

    /// A phone's own hold: `far` is the other party's channel, none the caller's.
    pub(in crate::call) fn held_by_phone(&mut self, far: Option<&ChannelId>, on: bool) {
        if far.is_some_and(|far| self.state.bridged.as_ref() != Some(far)) {
            return;
        }
        if far.is_none() {
            self.recording_held(on);
        }
        let who = if far.is_some() { "the other party's" } else { "the caller's" };
        let what = if on { "put the call on hold" } else { "took the call back from hold" };
        // Whoever is at the other end waits.
        let side = if far.is_some() { Side::Caller } else { Side::Far };
        self.notice_as(Sign::Held { side, on }, format!("{who} phone {what}"));
        if on {
            self.waits_now(side, true);
        } else {
            self.waits_no_more(|waiting| waiting.by_phone && waiting.side == side);
        }
        self.worth_writing();
    }

    pub(in crate::call) fn hold(&mut self, by: &str, side: Side, on: bool) -> Obeyed {
        if let (Running::Hold(_), Side::Caller, false) = (&self.state.running, side, on) {
            let text = format!("{by} takes the caller back from hold");
            self.notice_as(Sign::Held { side, on }, text);
            self.hear(Heard::Due(Timer::Pause));
            return Ok(());
        }
        let Some((held, other)) = self.two(side) else {
            return Err("only a conversation can be held".to_owned());
        };
        let waits = |side| move |waiting: &Waiting| !waiting.by_phone && waiting.side == side;
        let mut waiting = self.state.talk.waiting.iter();
        match (on, waiting.any(waits(side))) {
            (true, true) => return Err(format!("{side} is on hold already")),
            (false, false) => return Err(format!("{side} is not on hold")),
            (true, false) if self.state.talk.waiting.iter().any(waits(side.other())) => {
                return Err(format!("{} is on hold", side.other()));
            }
            _ => {}
        }
        let what = if on { "puts" } else { "takes" };
        let whence = if on { "on hold" } else { "back from hold" };
        self.notice_as(Sign::Held { side, on }, format!("{by} {what} {side} {whence}"));
        if on {
            self.waits_now(side, false);
            self.order_hold(held, other, true, self.reminder());
        } else {
            self.end_hold();
        }
        self.worth_writing();
        Ok(())
    }

    /// A hold that somebody forgot: the two hear a tone, and one another where that is in our
    /// hands.
    pub(in crate::call) fn held_too_long(&mut self) {
        let Some(limit) = self.program.settings.talk.hold_limit else { return };
        let now_ms = self.state.age_ms;
        let mut over = Vec::new();
        for waiting in &mut self.state.talk.waiting {
            if !waiting.told && waiting.since_ms.saturating_add(limit.ms()) <= now_ms {
                waiting.told = true;
                over.push(waiting.clone());
            }
        }
        for Waiting { by_phone, held, other, .. } in over {
            self.note_guard("a party was on hold for as long as the tenant allows");
            if by_phone {
                self.order(Action::AskBack { channel: other.clone() });
            } else {
                self.end_hold();
            }
            for channel in [held, other] {
                self.order(Action::Beep { channel });
            }
        }
        self.limit_hold();
        self.worth_writing();
    }

    /// Who has been on hold for longest is looked after first.
    fn limit_hold(&mut self) {
        self.state.timers.clear(Timer::HoldLimit);
        let limit = self.program.settings.talk.hold_limit;
        let waiting = self.state.talk.waiting.iter().filter(|waiting| !waiting.told);
        if let Some((limit, since_ms)) = limit.zip(waiting.map(|waiting| waiting.since_ms).min()) {
            self.state.timers.set(Timer::HoldLimit, since_ms.saturating_add(limit.ms()));
        }
    }

    fn reminder(&self) -> Millis {
        self.program.settings.talk.hold_reminder.unwrap_or(reminded())
    }

    pub(super) fn is_on_hold(&self, side: Side) -> bool {
        let mut waiting = self.state.talk.waiting.iter();
        waiting.any(|waiting| !waiting.by_phone && waiting.side == side)
    }

    fn order_hold(&mut self, held: ChannelId, other: ChannelId, on: bool, reminder: Millis) {
        let music = self.music();
        self.order(Action::Hold { held, other, on, music, reminder });
    }

    fn two(&self, side: Side) -> Option<(ChannelId, ChannelId)> {
        let (own, far) = (self.state.channel().clone(), self.state.bridged.clone()?);
        Some(match side {
            Side::Caller => (own, far),
            Side::Far => (far, own),
        })
    }

    fn waits_now(&mut self, side: Side, by_phone: bool) {
        let same = |waiting: &Waiting| waiting.side == side && waiting.by_phone == by_phone;
        let Some((held, other)) = self.two(side) else { return };
        if !self.state.talk.waiting.iter().any(same) {
            let (since_ms, told, reminder) = (self.state.age_ms, false, self.reminder());
            let waiting = Waiting { side, by_phone, held, other, since_ms, told, reminder };
            self.state.talk.waiting.push(waiting);
            self.limit_hold();
        }
    }

    /// Adds the time to the leg's.
    fn waits_no_more(&mut self, which: impl Fn(&Waiting) -> bool) {
        let waiting = std::mem::take(&mut self.state.talk.waiting);
        let (over, rest) = waiting.into_iter().partition::<Vec<_>, _>(which);
        self.state.talk.waiting = rest;
        self.limit_hold();
        for Waiting { held, since_ms, .. } in over {
            let length_ms = self.state.age_ms.saturating_sub(since_ms);
            let own = held == *self.state.channel();
            let leg = if own { self.state.legs.first_mut() } else { self.leg_mut(&held) };
            if let Some(leg) = leg {
                leg.held_ms = leg.held_ms.saturating_add(length_ms);
            }
        }
    }

    /// Nobody waits on an operator's word any more.
    pub(super) fn end_hold(&mut self) {
        let held = self.state.talk.waiting.iter().filter(|waiting| !waiting.by_phone);
        for Waiting { held, other, reminder, .. } in held.cloned().collect::<Vec<_>>() {
            self.order_hold(held, other, false, reminder);
        }
        self.waits_no_more(|waiting| !waiting.by_phone);
    }

    /// The conversation is over, and with it every hold.
    pub(in crate::call) fn parted(&mut self) {
        self.end_hold();
        self.waits_no_more(|_| true);
    }
}
