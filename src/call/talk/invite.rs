//! Somebody is called out into a conference room, by a call that is in it. The leg is the switch's
//! and the room's, not the call's: it stays when the call leaves. What becomes of it is noted here
//! for as long as the call lasts.

use serde::{Deserialize, Serialize};

use crate::base::cause::HangupCause;
use crate::base::ids::ChannelId;
use crate::base::millis::Millis;
use crate::call::Call;
use crate::call::address;
use crate::call::input::FarNews;
use crate::call::operator::Obeyed;
use crate::call::output::{Action, OriginateOrder, Then};
use crate::call::room::{JoinOrder, RoomOrder, RoomSound};
use crate::flow::prompt::TonePrompt;
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
    /// The room as FreeSWITCH knows it.
    room: String,
    #[serde(default, skip_serializing_if = "super::is_not")]
    is_there: bool,
}

impl Call {
    /// Calls somebody, who joins the room as `order` says.
    pub(in crate::call) fn invite(&mut self, to: &Goal, order: JoinOrder) -> Obeyed {
        if self.state.talk.invited.len() >= INVITED_MAX {
            return Err("too many were invited by this call".to_owned());
        }
        let address = self.reachable(to)?;
        if let Some(limit) = self.legs_exceeded(1) {
            return Err(limit);
        }
        let shown = self.party(&address.party);
        self.notice(format!("{shown} is called into the room as {}", order.role));
        let leg = self.add_leg(&address.party);
        let channel = self.new_channel();
        if let Some(leg) = self.state.legs.get_mut(leg) {
            leg.channel = Some(channel.clone());
        }
        let room = order.room.clone();
        self.state.talk.invited.push(Invited {
            channel: channel.clone(),
            leg,
            room,
            is_there: false,
        });
        self.worth_writing();
        self.order(Action::Follow { channel: channel.clone(), on: true });
        let arrival = &self.state.arrival;
        let order = OriginateOrder {
            channel,
            address: address.at,
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
        let mut all = self.state.talk.invited.iter_mut();
        let Some(invited) = all.find(|invited| invited.channel == *channel) else { return false };
        match news {
            FarNews::Answered => {
                invited.is_there = true;
                self.invited_came(channel);
            }
            FarNews::HungUp(cause) => self.invited_left(channel, *cause),
            _ => {}
        }
        true
    }

    fn invited_came(&mut self, channel: &ChannelId) {
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

    fn invited_left(&mut self, channel: &ChannelId, cause: HangupCause) {
        let place = self.state.talk.invited.iter().position(|known| known.channel == *channel);
        let Some(invited) = place.map(|place| self.state.talk.invited.remove(place)) else {
            return;
        };
        self.end_other(Some(channel.clone()), cause);
        self.order(Action::Follow { channel: channel.clone(), on: false });
        if invited.is_there {
            self.notice("who was invited has left");
        } else {
            self.notice(format!("who was invited is not reached: {cause}"));
            let (hertz, ms, times) = ABSENT;
            let (on, off) = (Millis(ms), Millis(ms));
            let tone = TonePrompt { tone: vec![hertz], on, off, times };
            let order = RoomOrder::Play(RoomSound::Tone(tone));
            self.order(Action::Room { room: invited.room, order });
        }
        self.worth_writing();
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
}
