//! From a conversation to a room: one or both of its parties go to a room of the tenant, or a
//! consultation becomes a room of its own for all three.
//!
//! The caller goes first: its machine asks where the room is, and hears that it is in. Whoever goes
//! too waits with music, or speaks on, until then.

use serde::{Deserialize, Serialize};

use super::moved::{Address, Moved, Other, Stage};
use crate::base::cause::HangupCause;
use crate::base::ids::{ChannelId, RoomName};
use crate::call::input::{Answer, Ending};
use crate::call::operator::Obeyed;
use crate::call::output::{Action, Query};
use crate::call::room::{JoinOrder, RoomNews, RoomOrder, RoomQuery, Who as Whom};
use crate::call::state::Awaited;
use crate::call::step::conference::{self, ExpectRoom, Seat, Whose};
use crate::call::step::{Heard, Next};
use crate::call::{Call, describe};
use crate::flow::Outcome;
use crate::flow::room::{Role, RoomSettings, address};
use crate::model::record::TransferKind;
use crate::model::room::Who;
use crate::model::talk::Goal;

/// How long the question where a room is may take.
const ASK_MS: u64 = 3_000;

/// Where the caller is on its way to, or is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Place {
    /// A room of the tenant.
    Own(Box<ExpectRoom>),
    /// One for those who speak. It is over when one of them is left.
    AdHoc { entered: bool },
}

impl Place {
    pub(super) fn is_entered(&self) -> bool {
        match self {
            Self::Own(state) => state.entered().is_some(),
            Self::AdHoc { entered } => *entered,
        }
    }
}

/// A far party that is to go to a room once it is known where that is.
#[derive(Debug)]
pub(in crate::call) struct Asked {
    by: String,
    room: RoomName,
}

impl Call {
    /// Sends both who speak to a room.
    pub(in crate::call) fn send_both(&mut self, by: &str, to: &Goal) -> Obeyed {
        let Goal::Room(room) = to else {
            return Err("two parties can be sent to nothing but a room".to_owned());
        };
        self.own_room(room)?;
        let far = self.partner()?;
        self.end_hold();
        let transfer = self.note_transfer(TransferKind::Blind, by, 0, &named(room));
        let far = self.known(far);
        let channel = far.channel.clone();
        self.set_out(Some(room.clone()), None);
        if let Some(moved) = self.moved_mut() {
            (moved.far, moved.transfer) = (Some(far), transfer);
        }
        self.order(Action::Follow { channel: channel.clone(), on: true });
        // So the caller comes into our hands.
        let sound = self.music();
        self.order(Action::Await { channel, sound });
        Ok(())
    }

    /// Sends the caller to a room, away from the far party.
    pub(super) fn send_caller_to(&mut self, by: &str, room: &RoomName) -> Obeyed {
        self.own_room(room)?;
        let far = self.partner()?;
        self.end_hold();
        let back = self.address_of_far(&far);
        let transfer = self.note_transfer(TransferKind::Blind, by, 0, &named(room));
        self.known(far.clone());
        self.set_out(Some(room.clone()), back);
        if let Some(moved) = self.moved_mut() {
            moved.transfer = transfer;
        }
        self.drop_other(Some(far), HangupCause::BlindTransfer);
        Ok(())
    }

    /// Sends the far party to a room, away from the caller; first it is asked where that is.
    pub(super) fn send_far_to(&mut self, by: &str, room: &RoomName) -> Obeyed {
        self.own_room(room)?;
        self.partner()?;
        self.live.asked = Some(Asked { by: by.to_owned(), room: room.clone() });
        let query = RoomQuery { room: address(self.state.tenant, room) };
        self.ask(Query::Room(query), format!("where the room {room} is"), ASK_MS);
        Ok(())
    }

    /// Whether an answer, or that there is none, was about the far party's way to a room.
    pub(in crate::call) fn far_room_found(&mut self, answer: Option<&Answer>) -> bool {
        let Some(Asked { by, room }) = self.live.asked.take() else { return false };
        let found = match answer {
            Some(Answer::Room(found)) => found.clone(),
            Some(
                Answer::Http(_)
                | Answer::Park(_)
                | Answer::Queue(_)
                | Answer::Admit(_)
                | Answer::Outbound(_)
                | Answer::Spoken(_),
            )
            | None => crate::call::room::RoomFound::default(),
        };
        let settings = self.own_room(&room).unwrap_or_default();
        let here = found.here.unwrap_or_default();
        let why = if found.elsewhere.is_some() {
            Some("it is on another FreeSWITCH".to_owned())
        } else {
            let closed = settings.admits(Role::Member, here.locked, here.members).err();
            closed.map(|closed| closed.to_string())
        };
        let far = self.partner();
        match (why, far) {
            (None, Ok(far)) => {
                self.end_hold();
                let far = self.known(far);
                let transfer = self.note_transfer(TransferKind::Blind, &by, far.leg, &named(&room));
                self.transfer_is(transfer, "done");
                let order = conference::order_to_join(&self.state, &room, &settings, Role::Member);
                // The caller's part of the conversation ends with that.
                self.order(Action::Enter { channel: far.channel, order: Box::new(order) });
            }
            (Some(why), _) => self.notice(format!("nobody goes to the room {room}: {why}")),
            (None, Err(why)) => self.notice(format!("nobody goes to the room {room}: {why}")),
        }
        true
    }

    /// Makes a room for three of a consultation.
    pub(in crate::call) fn merge(&mut self) -> Obeyed {
        let speaks = match self.stage() {
            Some(Stage::Consulting) if self.caller_consults() => self.third_channel(),
            Some(Stage::Consulting) => None,
            Some(Stage::Toggled) => Some(self.far_channel().ok_or("the far party has left")?),
            _ => return Err("nobody is being consulted".to_owned()),
        };
        self.notice("all three go to a room");
        self.set_stage(Stage::Room { name: None, place: None, back: None, sent: false });
        if let Some(channel) = speaks {
            let sound = self.music();
            // So the caller comes back to us.
            self.order(Action::Await { channel, sound });
        } else {
            self.stop_action();
            self.enter_room();
        }
        Ok(())
    }

    fn own_room(&self, room: &RoomName) -> Result<RoomSettings, String> {
        let known = self.program.settings.rooms.get(room).cloned();
        known.ok_or_else(|| format!("the tenant has no room `{room}`"))
    }

    fn set_out(&mut self, name: Option<RoomName>, back: Option<Address>) {
        let stage = Stage::Room { name, place: None, back, sent: false };
        self.state.talk.moved = Some(Box::new(Moved::new(stage)));
        self.worth_writing();
    }

    /// The caller is in our hands, and goes.
    pub(super) fn enter_room(&mut self) {
        self.state.bridged = None;
        let Some(Stage::Room { name, .. }) = self.stage().cloned() else { return };
        let (place, next) = match name {
            Some(name) => {
                let (state, next) = conference::sent(self, name);
                (Place::Own(state), next)
            }
            None => {
                let order = self.order_ad_hoc();
                self.expect_for_long(Action::JoinRoom(Box::new(order)), Awaited::Conference);
                (Place::AdHoc { entered: false }, Next::Wait)
            }
        };
        self.worth_writing();
        self.put_place(place);
        self.room_next(next);
    }

    /// How somebody joins the room that is for those who speak. No tenant's room has such a name.
    fn order_ad_hoc(&self) -> JoinOrder {
        let (tenant, call) = (self.state.tenant.0.simple(), self.state.call().0.simple());
        let room = format!("t{tenant}_{call}");
        JoinOrder { ends_alone: true, ..JoinOrder::plain(room) }
    }

    /// The room of the conversation, as FreeSWITCH knows it, once the caller is in.
    pub(in crate::call) fn room_of_conversation(&self) -> Option<String> {
        let Some(Stage::Room { place: Some(place), .. }) = self.stage() else { return None };
        match place {
            Place::Own(state) => state.entered().map(str::to_owned),
            Place::AdHoc { entered } => entered.then(|| self.order_ad_hoc().room),
        }
    }

    /// The other party, where it went to the caller's room.
    pub(in crate::call) fn far_in_room(&self) -> Option<ChannelId> {
        let sent = matches!(self.stage(), Some(Stage::Room { sent: true, .. }));
        self.far_channel().or_else(|| self.third_channel()).filter(|_| sent)
    }

    /// How somebody joins whom the caller has called out into the room of the conversation.
    pub(in crate::call) fn invitation_to_conversation(
        &self,
        role: Role,
    ) -> Result<(Option<RoomName>, JoinOrder), String> {
        match self.stage() {
            Some(Stage::Room { place: Some(Place::Own(state)), .. }) => {
                let (name, order) = state.invitation(self, role)?;
                Ok((Some(name), order))
            }
            _ => Ok((None, JoinOrder { role, joins_only: true, ..self.order_ad_hoc() })),
        }
    }

    fn put_place(&mut self, place: Place) {
        if let Some(Stage::Room { place: known, .. }) = self.moved_mut().map(|m| &mut m.stage) {
            *known = Some(place);
        }
    }

    /// Whether the caller is on its way to a room, or there.
    pub(in crate::call) fn goes_to_room(&self) -> bool {
        matches!(self.stage(), Some(Stage::Room { .. }))
    }

    /// What happens on the way to the room and in it.
    pub(in crate::call) fn room_hear(&mut self, heard: Heard) {
        let Some(Stage::Room { place, .. }) = self.moved_mut().map(|moved| &mut moved.stage) else {
            return;
        };
        let (place, next) = match place.take() {
            Some(Place::Own(mut state)) => {
                let next = state.hear(self, &conference::plain(), heard);
                (Place::Own(state), next)
            }
            Some(Place::AdHoc { entered }) => match heard {
                Heard::Room(RoomNews::Entered { .. }) => {
                    (Place::AdHoc { entered: true }, Next::Wait)
                }
                Heard::Ended(ending) => {
                    let why = describe::failure(&ending);
                    let why = why.unwrap_or_else(|| "the room is over".to_owned());
                    (Place::AdHoc { entered }, Next::leave(Outcome::Ended, why))
                }
                _ => (Place::AdHoc { entered }, Next::Wait),
            },
            None => return,
        };
        let entered = place.is_entered();
        self.put_place(place);
        if entered {
            self.send_others();
        }
        self.room_next(next);
    }

    fn room_next(&mut self, next: Next) {
        if let Next::Leave { why, .. } = next {
            self.left_room(&why);
        }
    }

    /// Whoever goes too is sent after the caller.
    fn send_others(&mut self) {
        let Some(Stage::Room { name, sent, .. }) = self.moved_mut().map(|moved| &mut moved.stage)
        else {
            return;
        };
        if std::mem::replace(sent, true) {
            return;
        }
        let name = name.clone();
        let order = match &name {
            Some(name) => {
                let settings = self.own_room(name).unwrap_or_default();
                conference::order_to_join(&self.state, name, &settings, Role::Member)
            }
            None => self.order_ad_hoc(),
        };
        self.worth_writing();
        self.transfer_came_to(if name.is_some() { "done" } else { "merged" });
        let Some(moved) = self.moved_mut() else { return };
        for other in [&mut moved.far, &mut moved.third].into_iter().flatten() {
            other.seat = Some(Seat::new(order.room.clone(), order.role));
        }
        for channel in [self.far_channel(), self.third_channel()].into_iter().flatten() {
            self.order(Action::Enter { channel, order: Box::new(order.clone()) });
        }
        self.leave_alone();
    }

    /// What the switch tells of somebody who went to the room with the caller.
    pub(super) fn other_in_room(&mut self, channel: &ChannelId, news: RoomNews) {
        self.with_other(channel, |seat, call, whose| {
            seat.hear(news);
            seat.note(call, whose, news);
        });
        self.worth_writing();
    }

    pub(super) fn other_gone(&mut self, channel: &ChannelId) {
        self.with_other(channel, |seat, call, whose| seat.leave(call, whose));
    }

    fn with_other(
        &mut self,
        channel: &ChannelId,
        does: impl FnOnce(&mut Seat, &mut Self, Whose<'_>),
    ) {
        let Some(Stage::Room { name, .. }) = self.stage().cloned() else { return };
        let Some(other) = self.other(channel) else { return };
        let (leg, Some(mut seat)) = (other.leg, other.seat.clone()) else { return };
        let party = self.party_of(leg);
        does(&mut seat, self, Whose { who: Who::Far, room: name.as_ref(), party: &party });
        if let Some(other) = self.other(channel) {
            other.seat = Some(seat);
        }
    }

    /// One of those who went to the room with the caller.
    fn other(&mut self, channel: &ChannelId) -> Option<&mut Other> {
        let moved = self.moved_mut()?;
        let mut all = [&mut moved.far, &mut moved.third].into_iter().flatten();
        all.find(|other| other.channel == *channel)
    }

    /// Somebody who goes to the room too hung up.
    pub(super) fn other_left_room(&mut self, channel: &ChannelId) {
        if !self.goes_to_room() {
            return;
        }
        let Some(moved) = self.moved_mut() else { return };
        for other in [&mut moved.far, &mut moved.third] {
            other.take_if(|other| other.channel == *channel);
        }
        self.leave_alone();
    }

    /// Nobody stays alone in a room that was for those who spoke.
    fn leave_alone(&mut self) {
        let alone = self.far_channel().is_none() && self.third_channel().is_none();
        let Some(Stage::Room { name: None, place, .. }) = self.stage() else { return };
        match place {
            Some(place) if alone && place.is_entered() => self.leave_room(),
            _ => {}
        }
    }

    /// The caller is to leave the room.
    pub(super) fn leave_room(&mut self) {
        let Some(Stage::Room { place: Some(place), .. }) = self.stage() else { return };
        let room = match place {
            Place::Own(state) => state.entered().map(str::to_owned),
            Place::AdHoc { .. } => Some(self.order_ad_hoc().room),
        };
        if let Some(room) = room {
            self.order(Action::Room { room, order: RoomOrder::Leave(Whom::Me), by: None });
        }
    }

    /// The caller is in the room no more, or was not let in.
    fn left_room(&mut self, why: &str) {
        let Some(Stage::Room { place, back, sent, .. }) = self.stage().cloned() else { return };
        if sent || place.is_some_and(|place| place.is_entered()) {
            self.notice(why);
            return self.talk_over(HangupCause::NormalClearing);
        }
        self.transfer_came_to(why);
        if self.third_channel().is_none() && self.far_channel().is_some() {
            return self.come_back();
        }
        match back.filter(|_| self.legs_exceeded(1).is_none()) {
            Some(to) => {
                let (instead, back, leg) = (None, None, None);
                self.set_stage(Stage::Dialing { to, instead, back, leg, joined: false });
                self.dial_again();
            }
            None => self.nobody_left(Outcome::Unreachable, why),
        }
    }

    /// Goes on with a room after another process, or another connection.
    pub(super) fn pick_up_room(&mut self, roomed: bool) {
        match self.stage() {
            Some(Stage::Room { place: Some(place), .. }) if roomed || place.is_entered() => {
                self.room_hear(Heard::Ended(Ending::Finished));
            }
            _ => self.enter_room(),
        }
    }
}

fn named(room: &RoomName) -> String {
    format!("room {room}")
}
