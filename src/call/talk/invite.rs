//! Somebody is called out into a conference room, by a call that is in it. The leg is the switch's
//! and the room's, not the call's: it stays when the call leaves. What becomes of it is noted here,
//! and its keys are heard, for as long as the call lasts.
//!
//! Whether there is room for it is judged by FreeSWITCH when it joins: nobody else would know in
//! that moment. Who is not let in hears a tone, which FreeSWITCH plays too, whoever is gone then.

use serde::{Deserialize, Serialize};

use super::moved::Address;
use crate::base::cause::HangupCause;
use crate::base::digits::{Digit, Digits};
use crate::base::ids::{ChannelId, RoomName};
use crate::base::millis::Millis;
use crate::call::Call;
use crate::call::address;
use crate::call::input::FarNews;
use crate::call::operator::Obeyed;
use crate::call::output::{Action, OriginateOrder, Then};
use crate::call::room::{JoinOrder, RoomNews, RoomOrder, RoomSound};
use crate::call::step::conference::{self, Asks, ENTRY, EXIT, Seat, Typed, Typing, Whose};
use crate::call::timer::Timer;
use crate::flow::prompt::TonePrompt;
use crate::flow::room::RoomKey;
use crate::model::room::Who;
use crate::model::talk::Goal;

/// How long somebody is called.
const RING_MS: u64 = 30_000;
/// Invitations of one call that are not over.
const INVITED_MAX: usize = 16;
/// What the room hears when somebody does not come: Hz, how long, how often.
const ABSENT: (u16, u64, u8) = (300, 180, 3);

/// Somebody who was invited, until the leg is gone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Invited {
    channel: ChannelId,
    /// Its place among the record's legs.
    leg: usize,
    #[serde(flatten)]
    seat: Seat,
    /// The tenant's name of the room, where it is one of the tenant's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<RoomName>,
    #[serde(default, skip_serializing_if = "super::is_not")]
    is_there: bool,
    /// It is one of the tenant's extensions.
    #[serde(default, skip_serializing_if = "super::is_not")]
    is_own: bool,
    /// Where else they may be: called where no such extension is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instead: Option<Address>,
    #[serde(default, skip_serializing_if = "Typing::is_nothing")]
    typing: Typing,
    #[serde(default, skip_serializing_if = "Digits::is_empty")]
    typed: Digits,
    /// Until when the next key is waited for, on the call's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_ms: Option<u64>,
}

const fn guests<'a>(room: Option<&'a RoomName>, party: &'a str) -> Whose<'a> {
    Whose { who: Who::Invited, room, party }
}

impl Call {
    /// Calls somebody, who joins the room as `order` says.
    pub(in crate::call) fn invite(
        &mut self,
        to: &Goal,
        name: Option<RoomName>,
        order: JoinOrder,
    ) -> Obeyed {
        let to = self.reachable(to)?;
        self.call_guest(to, None, name, order)
    }

    /// The same by keys, in the name of `by` or else of the caller. Only the tenant's own phones
    /// reach numbers outside.
    pub(in crate::call) fn invite_typed(
        &mut self,
        number: &str,
        by: Option<&ChannelId>,
        name: &RoomName,
        order: JoinOrder,
    ) -> Obeyed {
        let to = self.reachable(&Goal::Extension(number.to_owned()))?;
        let is_own = match by {
            Some(by) => self.guest(by).is_some_and(|guest| guest.is_own),
            None => self.state.arrival.extension().is_some(),
        };
        let outside = Goal::Number { number: number.to_owned(), gateway: None };
        let instead = is_own.then(|| self.reachable(&outside).ok()).flatten();
        self.call_guest(to, instead, Some(name.clone()), order)
    }

    fn call_guest(
        &mut self,
        to: Address,
        instead: Option<Address>,
        name: Option<RoomName>,
        order: JoinOrder,
    ) -> Obeyed {
        if self.state.talk.invited.len() >= INVITED_MAX {
            return Err("too many were invited by this call".to_owned());
        }
        if let Some(limit) = self.legs_exceeded(1) {
            return Err(limit);
        }
        let shown = self.party(&to.party);
        self.notice(format!("{shown} is called into the room as {}", order.role));
        let leg = self.add_leg(&to.party);
        let channel = self.new_channel();
        if let Some(leg) = self.state.legs.get_mut(leg) {
            leg.channel = Some(channel.clone());
        }
        let seat = Seat::new(order.room.clone(), order.role);
        self.state.talk.invited.push(Invited {
            channel: channel.clone(),
            leg,
            seat,
            name,
            is_there: false,
            is_own: to.is_own(),
            instead,
            typing: Typing::default(),
            typed: Digits::default(),
            until_ms: None,
        });
        self.worth_writing();
        self.order(Action::Follow { channel: channel.clone(), on: true });
        let arrival = &self.state.arrival;
        let order = OriginateOrder {
            channel,
            address: to.at,
            caller_name: address::display_name(&arrival.caller_name),
            caller_number: address::user(&arrival.caller_number),
            timeout: Millis(RING_MS),
            then: Then::Room(Box::new(order)),
        };
        self.order(Action::Originate(Box::new(order)));
        Ok(())
    }

    /// Whether this was news of somebody who was invited.
    pub(in crate::call) fn invited_news(&mut self, channel: &ChannelId, news: &FarNews) -> bool {
        if self.guest(channel).is_none() {
            return false;
        }
        match news {
            FarNews::Answered => self.invited_came(channel),
            FarNews::HungUp(cause) => self.invited_left(channel, *cause),
            FarNews::Room(news) => self.invited_in_room(channel, *news),
            FarNews::Key(key) => self.with_guest(channel, |guest, call| guest.key(call, *key)),
            FarNews::Held(_) | FarNews::Bridged(_) | FarNews::Unbridged | FarNews::Parked => {}
        }
        true
    }

    fn guest(&self, channel: &ChannelId) -> Option<&Invited> {
        self.state.talk.invited.iter().find(|invited| invited.channel == *channel)
    }

    /// Something that somebody who was invited does with the call.
    fn with_guest(&mut self, channel: &ChannelId, does: impl FnOnce(&mut Invited, &mut Self)) {
        let Some(mut guest) = self.guest(channel).cloned() else { return };
        does(&mut guest, self);
        let mut all = self.state.talk.invited.iter_mut();
        if let Some(kept) = all.find(|invited| invited.channel == *channel) {
            *kept = guest;
        }
    }

    fn invited_came(&mut self, channel: &ChannelId) {
        self.with_guest(channel, |guest, _| guest.is_there = true);
        let now = self.live.now.wall;
        if let Some(leg) = self.leg_mut(channel) {
            leg.answered.get_or_insert(now);
        }
        // It goes on when nobody of ours is left who could end it.
        let length = self.limits().duration;
        self.order(Action::Limit { channel: channel.clone(), length });
        self.notice("who was invited has answered");
        self.worth_writing();
    }

    fn invited_in_room(&mut self, channel: &ChannelId, news: RoomNews) {
        self.with_guest(channel, |guest, call| {
            let first = guest.seat.hear(news);
            let party = call.party_of(guest.leg);
            guest.seat.note(call, guests(guest.name.as_ref(), &party), news);
            if first && call.room_settings(guest.name.as_ref()).tones {
                guest.seat.tone(call, ENTRY);
            }
        });
        self.worth_writing();
    }

    fn invited_left(&mut self, channel: &ChannelId, cause: HangupCause) {
        let place = self.state.talk.invited.iter().position(|known| known.channel == *channel);
        let Some(invited) = place.map(|place| self.state.talk.invited.remove(place)) else {
            return;
        };
        self.end_other(Some(channel.clone()), cause);
        self.order(Action::Follow { channel: channel.clone(), on: false });
        self.worth_writing();
        let Invited { mut seat, name, instead, leg, is_there, .. } = invited;
        if seat.member.is_some() {
            let party = self.party_of(leg);
            seat.leave(self, guests(name.as_ref(), &party));
            if self.room_settings(name.as_ref()).tones {
                seat.tone(self, EXIT);
            }
            return;
        }
        if is_there {
            self.notice("who was invited was not let in: the room is locked, full or gone");
        } else {
            self.notice(format!("who was invited is not reached: {cause}"));
        }
        // As with whom a phone named: FreeSWITCH's directory does not have that user.
        if let (HangupCause::SubscriberAbsent, Some(to), Some(order)) =
            (cause, instead, self.invitation(name.as_ref(), &seat))
            && leg + 1 == self.state.legs.len()
        {
            // It was never called, and is no leg.
            self.state.legs.truncate(leg);
            self.state.counters.legs = self.state.counters.legs.saturating_sub(1);
            if self.call_guest(to, None, name, order).is_ok() {
                return;
            }
        }
        let (hertz, ms, times) = ABSENT;
        let (on, off) = (Millis(ms), Millis(ms));
        let tone = TonePrompt { tone: vec![hertz], on, off, times };
        seat.order(self, None, RoomOrder::Play(RoomSound::Tone(tone)));
    }

    /// How somebody joins again who was to have this place.
    fn invitation(&self, name: Option<&RoomName>, seat: &Seat) -> Option<JoinOrder> {
        let settings = self.program.settings.rooms.get(name?)?;
        Some(conference::order_to_invite(&self.state, name?, settings, seat.role))
    }

    /// The places of legs that go on without this call: of those who were invited and have come.
    pub(in crate::call) fn legs_in_rooms(&self) -> Vec<usize> {
        let there = self.state.talk.invited.iter().filter(|invited| invited.is_there);
        there.map(|invited| invited.leg).collect()
    }

    /// Whoever was invited and has not answered is called no longer.
    pub(super) fn call_off_invited(&mut self) {
        for invited in self.state.talk.invited.clone() {
            if !invited.is_there {
                self.drop_other(Some(invited.channel), HangupCause::OriginatorCancel);
            }
        }
    }

    /// Another process, or connection, goes on hearing of them.
    pub(in crate::call) fn follow_invited(&mut self) {
        let channels: Vec<_> =
            self.state.talk.invited.iter().map(|invited| invited.channel.clone()).collect();
        for channel in channels {
            self.order(Action::Follow { channel, on: true });
        }
    }

    /// No further key of theirs came in time.
    pub(in crate::call) fn guest_keys_overdue(&mut self) {
        let age_ms = self.state.age_ms;
        let late = |guest: &&Invited| guest.until_ms.is_some_and(|until_ms| until_ms <= age_ms);
        let late = self.state.talk.invited.iter().filter(late);
        for channel in late.map(|guest| guest.channel.clone()).collect::<Vec<_>>() {
            self.with_guest(&channel, Invited::overdue);
        }
        self.await_guest_keys();
    }

    fn await_guest_keys(&mut self) {
        let next = self.state.talk.invited.iter().filter_map(|guest| guest.until_ms).min();
        match next {
            Some(until_ms) => self.state.timers.set(Timer::GuestKeys, until_ms),
            None => self.state.timers.clear(Timer::GuestKeys),
        }
    }
}

impl Invited {
    fn key(&mut self, call: &mut Call, key: Digit) {
        let settings = call.room_settings(self.name.as_ref());
        if self.seat.member.is_none() {
            return;
        }
        let came = self.typing.take(&settings, self.seat.role, &mut self.typed, key);
        self.typed(call, came);
    }

    fn overdue(&mut self, call: &mut Call) {
        let came = self.typing.overdue(&mut self.typed);
        self.typed(call, came);
    }

    fn typed(&mut self, call: &mut Call, came: Typed) {
        self.until_ms = None;
        let own = Some(self.channel.clone());
        match came {
            Typed::Begun => self.await_key(call),
            Typed::Nothing => {}
            Typed::Code(key) => self.press(call, key),
            Typed::Number(number) => self.ask(call, Asks::Invite { number, by: own }),
            Typed::GivenUp => call.beep_in_room(own),
        }
    }

    fn await_key(&mut self, call: &mut Call) {
        let until_ms = call.state.age_ms.saturating_add(self.typing.patience_ms());
        self.until_ms = Some(until_ms);
        call.state.timers.set_earlier(Timer::GuestKeys, until_ms);
    }

    fn press(&mut self, call: &mut Call, key: RoomKey) {
        call.notice(format!("by key of who was invited: {}", key.name().replace('_', " ")));
        let settings = call.room_settings(self.name.as_ref());
        match self.seat.press(call, &settings, Some(&self.channel), key) {
            Some(RoomKey::Record) => self.ask(call, Asks::Record),
            Some(RoomKey::Invite) => {
                self.typing.invite();
                call.beep_in_room(Some(self.channel.clone()));
                self.await_key(call);
            }
            Some(_) => {
                let cause = HangupCause::NormalClearing;
                call.order(Action::Drop { channel: self.channel.clone(), cause });
            }
            None => {}
        }
    }

    /// How the room is: the caller must be in it too, whose step hears the answer.
    fn ask(&self, call: &mut Call, asks: Asks) {
        match &self.name {
            Some(name) if call.room_of_caller().as_ref() == Some(&self.seat.room) => {
                call.ask_of_room(&self.seat, name, asks);
            }
            _ => {
                call.notice("who has invited the member is in the room no more");
                call.beep_in_room(Some(self.channel.clone()));
            }
        }
    }
}
