//! The caller's keys in a room, and what they ask of the call.

use super::seat::Seat;
use super::typed::Typed;
use super::{ASK_MS, ExpectRoom};
use crate::base::digits::{Digit, Digits};
use crate::base::ids::{ChannelId, RecordingId, RoomName};
use crate::call::Call;
use crate::call::output::{Action, Output, Query};
use crate::call::room::{RoomFound, RoomOrder, RoomQuery, Who};
use crate::call::timer::Timer;
use crate::flow::room::{Role, RoomKey, RoomSettings};
use crate::model::record::RecordingNote;

/// Why it is asked how a room is in which the caller is. Nobody is asked twice: who takes the call
/// over meanwhile has the key pressed again.
#[derive(Debug)]
pub(in crate::call) enum Asks {
    /// To record it, or to do so no more.
    Record,
    /// To call somebody into it, in the name of `by` or else of the caller.
    Invite { number: Digits, by: Option<ChannelId> },
}

impl ExpectRoom {
    pub(super) fn key(&mut self, call: &mut Call, settings: &RoomSettings, key: Digit) {
        call.state.timers.clear(Timer::NextKey);
        let mut typed = std::mem::take(&mut call.live.typed);
        let came = self.typing.take(settings, self.seat.role, &mut typed, key);
        call.live.typed = typed;
        self.typed(call, settings, came);
    }

    pub(super) fn keys_overdue(&mut self, call: &mut Call, settings: &RoomSettings) {
        let came = self.typing.overdue(&mut call.live.typed);
        self.typed(call, settings, came);
    }

    fn typed(&mut self, call: &mut Call, settings: &RoomSettings, came: Typed) {
        match came {
            Typed::Begun => call.state.after(Timer::NextKey, self.typing.patience_ms()),
            Typed::Nothing => {}
            Typed::Code(key) => self.press(call, settings, key),
            Typed::Number(number) => {
                call.ask_of_room(&self.seat, &self.name, Asks::Invite { number, by: None });
            }
            Typed::GivenUp => call.beep_in_room(None),
        }
    }

    fn press(&mut self, call: &mut Call, settings: &RoomSettings, key: RoomKey) {
        call.notice(format!("by key: {}", key.name().replace('_', " ")));
        match self.seat.press(call, settings, None, key) {
            Some(RoomKey::Record) => call.ask_of_room(&self.seat, &self.name, Asks::Record),
            Some(RoomKey::Invite) => {
                self.typing.invite();
                call.beep_in_room(None);
                call.state.after(Timer::NextKey, self.typing.patience_ms());
                call.worth_writing();
            }
            Some(_) => {
                self.leaves = true;
                call.worth_writing();
                self.seat.order(call, None, RoomOrder::Leave(Who::Me));
            }
            None => {}
        }
    }

    /// It is known how the room is.
    pub(super) fn asked(&self, call: &mut Call, settings: &RoomSettings, found: &RoomFound) {
        match call.live.room_asked.take() {
            Some(Asks::Record) => self.record(call, found),
            Some(Asks::Invite { number, by }) => {
                let facts = found.here.unwrap_or_default();
                let obeyed = match settings.admits(Role::Member, facts.locked, facts.members) {
                    Ok(()) => self.invitation(call, Role::Member).and_then(|(name, order)| {
                        call.invite_typed(number.as_str(), by.as_ref(), &name, order)
                    }),
                    Err(why) => Err(why.to_string()),
                };
                if let Err(why) = obeyed {
                    call.notice(format!("nobody is invited: {why}"));
                    call.beep_in_room(by);
                }
            }
            None => {}
        }
    }

    /// Begins a recording of the room, or ends it. When it has ended is seen by whoever looks after
    /// rooms: it may outlive this call.
    fn record(&self, call: &mut Call, found: &RoomFound) {
        let Some(facts) = found.here else {
            return call.notice("nobody says whether the room is recorded");
        };
        if facts.recorded {
            call.notice("the room is recorded no more");
            return self.order(call, RoomOrder::Record { path: None, on: false });
        }
        call.notice("the room is recorded");
        call.state.counters.files += 1;
        let id = RecordingId::nth(call.state.arrival.call, call.state.counters.files);
        let path = call.recording_path(&id.to_string());
        let note = RecordingNote::room(id, &self.name, path.clone(), call.live.now.wall);
        call.outputs.push_back(Output::Recording(Box::new(note)));
        self.order(call, RoomOrder::Record { path: Some(path), on: true });
        call.worth_writing();
    }
}

impl Call {
    /// The answer is heard by the room's step, as long as the caller is in the room.
    pub(in crate::call) fn ask_of_room(&mut self, seat: &Seat, name: &RoomName, asks: Asks) {
        self.live.room_asked = Some(asks);
        let query = RoomQuery { room: seat.room.clone() };
        self.ask(Query::Room(query), format!("how the room {name} is"), ASK_MS);
    }

    /// A short tone for one member, of ours or the caller.
    pub(in crate::call) fn beep_in_room(&mut self, whose: Option<ChannelId>) {
        let channel = whose.unwrap_or_else(|| self.state.channel().clone());
        self.order(Action::Beep { channel });
    }
}
