//! Keys in a room: FreeSWITCH's own controls are off, and a code is bound only for a role that may
//! use it, so that to anybody else it is no code at all.

use super::{ASK_MS, ExpectRoom};
use crate::base::digits::Digit;
use crate::base::ids::RecordingId;
use crate::call::Call;
use crate::call::output::{Output, Query};
use crate::call::room::{RoomFound, RoomOrder, RoomQuery, Who};
use crate::call::timer::Timer;
use crate::flow::room::{Permission, RoomKey, RoomSettings};
use crate::model::record::RecordingNote;

/// How long the next key of a code may take.
const NEXT_KEY_MS: u64 = 2_000;
/// How loud, at most, either way (`conference_api.c` conference_api_sub_volume_out).
const VOLUME_MAX: i8 = 4;

impl ExpectRoom {
    pub(super) fn key(&mut self, call: &mut Call, settings: &RoomSettings, key: Digit) {
        call.state.timers.clear(Timer::NextKey);
        let mut typed = std::mem::take(&mut call.live.typed);
        typed.push(key);
        let known = |typed: &str| {
            let mut codes = settings.keys_of(self.role);
            codes.find(|(code, _)| code.as_str().starts_with(typed))
        };
        // What begins no code may end in the beginning of one.
        let begun = known(typed.as_str());
        let (typed, begun) = match begun {
            Some(begun) => (typed, Some(begun)),
            None => {
                typed.clear();
                typed.push(key);
                let begun = known(typed.as_str());
                (typed, begun)
            }
        };
        match begun {
            Some((code, what)) if *code == typed => self.press(call, settings, what),
            Some(_) => {
                call.live.typed = typed;
                call.state.after(Timer::NextKey, NEXT_KEY_MS);
            }
            None => {}
        }
    }

    fn press(&mut self, call: &mut Call, settings: &RoomSettings, key: RoomKey) {
        call.notice(format!("by key: {}", key.name().replace('_', " ")));
        match key {
            RoomKey::MuteSelf if self.muted && !settings.may(self.role, Permission::Speak) => {
                call.notice("a member who may not speak stays muted");
            }
            RoomKey::MuteSelf => {
                let on = !self.muted;
                self.order(call, RoomOrder::Mute { who: Who::Me, on });
            }
            RoomKey::MuteOthers => {
                self.order(call, RoomOrder::Mute { who: Who::Others, on: true });
            }
            RoomKey::UnmuteOthers => {
                self.order(call, RoomOrder::Mute { who: Who::Others, on: false });
            }
            RoomKey::Lock => self.order(call, RoomOrder::Lock(true)),
            RoomKey::Unlock => self.order(call, RoomOrder::Lock(false)),
            RoomKey::Record => self.ask_recorded(call),
            RoomKey::Louder => self.turn(call, 1),
            RoomKey::Quieter => self.turn(call, -1),
            RoomKey::Leave => {
                self.leaves = true;
                call.worth_writing();
                self.order(call, RoomOrder::Leave(Who::Me));
            }
            RoomKey::End => self.order(call, RoomOrder::End),
        }
    }

    /// The room's recording may be another's: whether there is one is asked first.
    fn ask_recorded(&self, call: &mut Call) {
        let question = format!("whether the room {} is recorded", self.name);
        call.ask(Query::Room(RoomQuery { room: self.room.clone() }), question, ASK_MS);
    }

    /// Begins a recording of the room, or ends it. When it has ended is seen by whoever looks after
    /// rooms: it may outlive this call.
    pub(super) fn record(&self, call: &mut Call, found: &RoomFound) {
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

    fn turn(&mut self, call: &mut Call, by: i8) {
        self.volume = self.volume.saturating_add(by).clamp(-VOLUME_MAX, VOLUME_MAX);
        let (who, level) = (Who::Me, self.volume);
        self.order(call, RoomOrder::Volume { who, own: false, level });
        call.worth_writing();
    }
}
