//! Words about conference rooms: what is ordered there, by keys and operators alike, and what is
//! heard of it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Call;
use super::operator::Obeyed;
use super::output::Action;
use super::step::Running;
use crate::base::ids::RoomName;
use crate::flow::prompt::TonePrompt;
use crate::flow::room::{Permission, Role, RoomSettings};
use crate::model::talk::{Goal, Side};

/// How a caller joins a room. The names are ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinOrder {
    /// The room as FreeSWITCH knows it.
    pub room: String,
    pub role: Role,
    pub muted: bool,
    pub deaf: bool,
    /// The room is over when the last of those who have this leaves.
    pub ends_it: bool,
    /// Whoever makes the room has it wait for a moderator.
    pub waits: bool,
    pub most: Option<u32>,
    /// A file for who is alone or waits.
    pub music: Option<String>,
    /// The lock does not hold it back.
    pub passes_lock: bool,
    /// It must not make the room.
    pub joins_only: bool,
    /// The room is over when one is left of several.
    pub ends_alone: bool,
}

impl JoinOrder {
    /// As anybody joins a room without rules.
    pub const fn plain(room: String) -> Self {
        Self {
            room,
            role: Role::Member,
            muted: false,
            deaf: false,
            ends_it: false,
            waits: false,
            most: None,
            music: None,
            passes_lock: false,
            joins_only: false,
            ends_alone: false,
        }
    }
}

/// Who of a room is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    /// The call that orders it.
    Me,
    /// The room's number of the member.
    Member(u32),
    /// All but moderators.
    Others,
}

/// A sound for all in a room.
#[derive(Debug, Clone, PartialEq)]
pub enum RoomSound {
    File { path: String },
    Tone(TonePrompt),
}

/// What is ordered in a room.
#[derive(Debug, Clone, PartialEq)]
pub enum RoomOrder {
    Mute {
        who: Who,
        on: bool,
    },
    Deaf {
        who: Who,
        on: bool,
    },
    /// From -4 to 4: how loud the member is to the others (`own`), or hears them.
    Volume {
        who: Who,
        own: bool,
        level: i8,
    },
    /// Let the member go on in its flow.
    Leave(Who),
    Kick(Who),
    Lock(bool),
    Play(RoomSound),
    /// Without a path every recording of it.
    Record {
        path: Option<String>,
        on: bool,
    },
    Floor(Who),
    /// The room is over.
    End,
}

impl RoomOrder {
    /// What somebody in the room must be permitted to order it.
    pub const fn needs(&self) -> Option<Permission> {
        match self {
            Self::Mute { who: Who::Me, .. } => Some(Permission::MuteSelf),
            Self::Deaf { who: Who::Me, .. } | Self::Volume { who: Who::Me, .. } => None,
            Self::Leave(_) => None,
            Self::Mute { .. } | Self::Deaf { .. } | Self::Volume { .. } => {
                Some(Permission::MuteOthers)
            }
            Self::Floor(_) | Self::Play(_) => Some(Permission::MuteOthers),
            Self::Kick(_) => Some(Permission::Kick),
            Self::Lock(_) => Some(Permission::Lock),
            Self::Record { .. } => Some(Permission::Record),
            Self::End => Some(Permission::End),
        }
    }
}

/// What the switch tells of the caller in a room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoomNews {
    /// The caller is in, with this number.
    Entered {
        member: u32,
        muted: bool,
        deaf: bool,
    },
    Muted(bool),
    Deaf(bool),
    /// Somebody took the caller out.
    Kicked,
}

/// A question about a room before somebody joins it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoomQuery {
    /// The room as FreeSWITCH knows it.
    pub room: String,
}

/// What is known of a room.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RoomFound {
    /// How it is on the caller's FreeSWITCH, where it is there.
    pub here: Option<RoomFacts>,
    /// Another FreeSWITCH has it: by what operators call that one.
    pub elsewhere: Option<String>,
    /// Whether anybody could be asked.
    pub known: bool,
}

/// How a room is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RoomFacts {
    pub locked: bool,
    pub recorded: bool,
    pub members: u32,
}

/// What an operator does with one caller in a room, or by it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MemberOp {
    Mute(bool),
    Deaf(bool),
    /// How loud the others hear the caller (`own`), or the caller them: -4 to 4.
    Volume {
        own: bool,
        level: i8,
    },
    Kick,
    /// Call somebody out into the room.
    Invite {
        to: Goal,
        #[serde(default)]
        role: Role,
    },
}

impl Call {
    /// What an operator asks of one party in a room.
    pub(in crate::call) fn in_room(&mut self, side: Side, op: MemberOp) -> Obeyed {
        let room = self.room_of_caller().ok_or("the caller is not in a room")?;
        let by = match side {
            Side::Caller => None,
            Side::Far => Some(self.far_in_room().ok_or("the other party is not in that room")?),
        };
        let order = match op {
            MemberOp::Mute(on) => RoomOrder::Mute { who: Who::Me, on },
            MemberOp::Deaf(on) => RoomOrder::Deaf { who: Who::Me, on },
            MemberOp::Volume { own, level } => RoomOrder::Volume { who: Who::Me, own, level },
            MemberOp::Kick => RoomOrder::Kick(Who::Me),
            MemberOp::Invite { to, role } => {
                let (name, order) = self.invitation_by_caller(role)?;
                return self.invite(&to, name, order);
            }
        };
        self.notice(match side {
            Side::Caller => "an operator acts on the caller in the room",
            Side::Far => "an operator acts on the other party in the room",
        });
        self.order(Action::Room { room, order, by });
        Ok(())
    }

    /// The room in which the caller is, as FreeSWITCH knows it.
    pub(in crate::call) fn room_of_caller(&self) -> Option<String> {
        match &self.state.running {
            _ if self.goes_to_room() => self.room_of_conversation(),
            Running::Conference(state) => state.entered().map(str::to_owned),
            _ => None,
        }
    }

    /// How one of the tenant's rooms is laid down; one that is nobody's has no rules.
    pub(in crate::call) fn room_settings(&self, name: Option<&RoomName>) -> RoomSettings {
        let known = name.and_then(|name| self.program.settings.rooms.get(name));
        known.cloned().unwrap_or_default()
    }

    fn invitation_by_caller(&self, role: Role) -> Result<(Option<RoomName>, JoinOrder), String> {
        match &self.state.running {
            _ if self.goes_to_room() => self.invitation_to_conversation(role),
            Running::Conference(state) => {
                let (name, order) = state.invitation(self, role)?;
                Ok((Some(name), order))
            }
            _ => Err("the caller is in no room".to_owned()),
        }
    }
}
