//! A place in a room: the caller's, or that of somebody whom the call has called out into it. It
//! knows how its member is there, and acts in the member's name.

use serde::{Deserialize, Serialize};

use super::{is_not, is_zero};
use crate::base::ids::ChannelId;
use crate::base::millis::Millis;
use crate::call::Call;
use crate::call::output::Action;
use crate::call::room::{RoomNews, RoomOrder, RoomSound, Who};
use crate::flow::prompt::TonePrompt;
use crate::flow::room::{Permission, Role, RoomKey, RoomSettings};

/// The tones when somebody comes and goes: two frequencies in Hz, then how long in ms.
pub(in crate::call) const ENTRY: ([u16; 2], u64) = ([660, 880], 150);
pub(in crate::call) const EXIT: ([u16; 2], u64) = ([440, 330], 150);
/// How loud, at most, either way (`conference_api.c` conference_api_sub_volume_out).
const VOLUME_MAX: i8 = 4;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct Seat {
    /// The room as FreeSWITCH knows it.
    pub(in crate::call) room: String,
    #[serde(default)]
    pub(in crate::call) role: Role,
    /// The room's number of the member, once it is in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::call) member: Option<u32>,
    #[serde(default, skip_serializing_if = "is_not")]
    pub(super) muted: bool,
    #[serde(default, skip_serializing_if = "is_not")]
    pub(super) deaf: bool,
    #[serde(default, skip_serializing_if = "is_zero")]
    volume: i8,
}

impl Seat {
    pub(in crate::call) const fn new(room: String, role: Role) -> Self {
        Self { room, role, member: None, muted: false, deaf: false, volume: 0 }
    }

    /// The room, once the member is in.
    pub(in crate::call) fn entered(&self) -> Option<&str> {
        self.member.map(|_| self.room.as_str())
    }

    /// In the name of `by`, or else of the caller.
    pub(in crate::call) fn order(&self, call: &mut Call, by: Option<&ChannelId>, order: RoomOrder) {
        let room = self.room.clone();
        call.order(Action::Room { room, order, by: by.cloned() });
    }

    pub(in crate::call) fn tone(&self, call: &mut Call, (tones, ms): ([u16; 2], u64)) {
        for tone in tones {
            let (on, off) = (Millis(ms), Millis(0));
            let tone = TonePrompt { tone: vec![tone], on, off, times: 1 };
            self.order(call, None, RoomOrder::Play(RoomSound::Tone(tone)));
        }
    }

    /// Whether it has just come in.
    pub(in crate::call) fn hear(&mut self, news: RoomNews) -> bool {
        match news {
            RoomNews::Entered { member, muted, deaf } => {
                (self.muted, self.deaf) = (muted, deaf);
                return self.member.replace(member).is_none();
            }
            RoomNews::Muted(on) => self.muted = on,
            RoomNews::Deaf(on) => self.deaf = on,
            RoomNews::Kicked => {}
        }
        false
    }

    /// What a key does. What is not the room's affair alone is left to whose key it is.
    pub(in crate::call) fn press(
        &mut self,
        call: &mut Call,
        settings: &RoomSettings,
        by: Option<&ChannelId>,
        key: RoomKey,
    ) -> Option<RoomKey> {
        let order = match key {
            RoomKey::MuteSelf if self.muted && !settings.may(self.role, Permission::Speak) => {
                call.notice("a member who may not speak stays muted");
                return None;
            }
            RoomKey::MuteSelf => RoomOrder::Mute { who: Who::Me, on: !self.muted },
            RoomKey::MuteOthers => RoomOrder::Mute { who: Who::Others, on: true },
            RoomKey::UnmuteOthers => RoomOrder::Mute { who: Who::Others, on: false },
            RoomKey::Lock => RoomOrder::Lock(true),
            RoomKey::Unlock => RoomOrder::Lock(false),
            RoomKey::Louder => self.turn(call, 1),
            RoomKey::Quieter => self.turn(call, -1),
            RoomKey::End => RoomOrder::End,
            RoomKey::Record | RoomKey::Invite | RoomKey::Leave => return Some(key),
        };
        self.order(call, by, order);
        None
    }

    fn turn(&mut self, call: &mut Call, by: i8) -> RoomOrder {
        self.volume = self.volume.saturating_add(by).clamp(-VOLUME_MAX, VOLUME_MAX);
        call.worth_writing();
        RoomOrder::Volume { who: Who::Me, own: false, level: self.volume }
    }
}
