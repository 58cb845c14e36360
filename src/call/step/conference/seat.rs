//! A place in a room: the caller's, or that of somebody whom the call has called out into it. It
//! knows how its member is there, and acts in the member's name.

use serde::{Deserialize, Serialize};

use super::{is_not, is_zero};
use crate::base::ids::{ChannelId, RoomName};
use crate::base::millis::Millis;
use crate::call::Call;
use crate::call::output::Action;
use crate::call::room::{RoomNews, RoomOrder, RoomSound, Who as Whom};
use crate::flow::prompt::TonePrompt;
use crate::flow::room::{Permission, Role, RoomKey, RoomSettings};
use crate::model::room::{Presence, Who};
use crate::model::timeline::Sign;

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

/// Whose place it is.
#[derive(Debug, Clone, Copy)]
pub(in crate::call) struct Whose<'a> {
    pub(in crate::call) who: Who,
    /// Where it is one of the tenant's.
    pub(in crate::call) room: Option<&'a RoomName>,
    /// As it was dialed, or calls.
    pub(in crate::call) party: &'a str,
}

impl Whose<'_> {
    fn say(self, call: &mut Call, sign: Option<Sign>, text: &str) {
        let who = match self.who {
            Who::Caller => "",
            Who::Far => "the other party is ",
            Who::Invited => "who was invited is ",
        };
        let room = self.room.map_or_else(String::new, |room| format!(" {room}"));
        let text = format!("{who}in the room{room} {text}");
        match sign {
            Some(sign) => call.notice_as(sign, text),
            None => call.notice(text),
        }
    }
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

    /// Notes what was heard of the member; what it is in a room that is nobody's only in words.
    pub(in crate::call) fn note(&self, call: &mut Call, whose: Whose<'_>, news: RoomNews) {
        let Some(member) = self.member else { return };
        let Whose { who, room, party } = whose;
        let text = match news {
            RoomNews::Entered { .. } => format!("as {}, member {member}", self.role),
            RoomNews::Muted(true) => "muted".to_owned(),
            RoomNews::Muted(false) => "heard again".to_owned(),
            RoomNews::Deaf(true) => "deaf".to_owned(),
            RoomNews::Deaf(false) => "no more deaf".to_owned(),
            RoomNews::Kicked => "taken out".to_owned(),
        };
        let sign = match (news, room.cloned()) {
            (RoomNews::Entered { .. }, Some(room)) => {
                let moderator = self.role == Role::Moderator;
                let (muted, deaf) = (self.muted, self.deaf);
                let party = call.party(party);
                let presence = Presence { who, party, moderator, muted, deaf };
                Some(Sign::InRoom { room, member, presence })
            }
            (RoomNews::Muted(_) | RoomNews::Deaf(_), Some(room)) => {
                let (muted, deaf) = (self.muted, self.deaf);
                Some(Sign::RoomChanged { room, member, who, muted, deaf })
            }
            (RoomNews::Kicked, _) | (_, None) => None,
        };
        whose.say(call, sign, &text);
    }

    /// The member is gone.
    pub(in crate::call) fn leave(&mut self, call: &mut Call, whose: Whose<'_>) {
        let Some(member) = self.member.take() else { return };
        let who = whose.who;
        let sign = whose.room.cloned().map(|room| Sign::LeftRoom { room, member, who });
        whose.say(call, sign, "no more");
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
            RoomKey::MuteSelf => RoomOrder::Mute { who: Whom::Me, on: !self.muted },
            RoomKey::MuteOthers => RoomOrder::Mute { who: Whom::Others, on: true },
            RoomKey::UnmuteOthers => RoomOrder::Mute { who: Whom::Others, on: false },
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
        RoomOrder::Volume { who: Whom::Me, own: false, level: self.volume }
    }
}
