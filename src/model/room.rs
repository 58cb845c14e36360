//! A conference room while people are in it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::{CallId, ChannelId, RecordingId};

/// What a member of a room is to the call that brought it there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Who {
    #[default]
    Caller,
    /// The party with whom the caller spoke before both went to the room.
    Far,
    /// Somebody whom the call has called out into the room.
    Invited,
}

/// How somebody comes into a room.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct Presence {
    pub who: Who,
    /// A number, as the tenant has it shown.
    pub party: String,
    pub moderator: bool,
    pub muted: bool,
    pub deaf: bool,
}

/// A room as it is now.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub struct RoomView {
    /// Nobody more is let in.
    pub locked: bool,
    /// A moderator is waited for.
    pub waits: bool,
    pub recording: bool,
    /// What is being recorded of it, as far as it is ours.
    #[serde(default)]
    pub recordings: Vec<RecordingId>,
    /// Since when it has been there, in seconds.
    pub age_s: u64,
    pub members: Vec<MemberView>,
}

/// One member of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[allow(clippy::struct_excessive_bools, reason = "each is one thing that a member is")]
pub struct MemberView {
    /// The room's number of it.
    pub member: u32,
    /// Its call, where this process holds it.
    pub call: Option<CallId>,
    pub channel: Option<ChannelId>,
    /// `member` or `moderator`.
    pub role: String,
    pub name: String,
    pub number: String,
    pub muted: bool,
    pub deaf: bool,
    pub talks: bool,
    pub has_floor: bool,
    /// How loud the others hear it, -4 to 4.
    pub volume: i8,
    /// How loud it hears the others, -4 to 4.
    pub hears: i8,
    /// For how long it has been in, in seconds.
    pub since_s: u64,
}
