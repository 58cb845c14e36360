//! The timeline of a call: every input, decision and command, with its millisecond; enough to
//! explain it.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::monitor::Manner;
use super::recording::RecordingState;
use super::room::{Presence, Who};
use super::talk::Side;
use crate::base::cause::{HangupCause, Termination};
use crate::base::ids::{FlowName, QueueName, RecordingId, RoomName, StepName};
use crate::base::slot::Slot;

/// One thing that happened to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Entry {
    /// How often the call had changed hands. Entries are in order by term and sequence.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub term: u32,
    /// 1, 2, 3 …, without gaps within a term. A process that takes over goes on from the last
    /// number that it knows of; the one before may have noted more.
    pub sequence: u32,
    #[schemars(with = "String")]
    pub at: Timestamp,
    /// Milliseconds since the call's first entry.
    pub ms: u64,
    #[serde(flatten)]
    pub what: What,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(term: &u32) -> bool {
    *term == 0
}

/// What happened. Texts are for people and hold no secrets: secret digits come as `•`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum What {
    /// The call reached us.
    Arrived {
        caller_name: String,
        caller_number: String,
        dialed: String,
        flow: FlowName,
        version: u32,
    },
    /// Another process took the call over.
    Resumed {
        step: StepName,
    },
    StepEntered {
        flow: FlowName,
        step: StepName,
        kind: String,
    },
    /// `why` is the decision in words: which case, which hours, what was typed.
    StepLeft {
        step: StepName,
        outcome: String,
        next: Option<StepName>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// We told FreeSWITCH to do something.
    Ordered {
        action: u32,
        order: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign: Option<Sign>,
    },
    /// FreeSWITCH did it, or not.
    Done {
        action: u32,
        result: String,
    },
    /// A key of the caller.
    Key {
        key: String,
    },
    Answered,
    /// The caller and a dialed party were joined.
    Bridged {
        party: String,
    },
    Unbridged {
        cause: Option<HangupCause>,
    },
    /// A query to the outside, such as an http request.
    Asked {
        query: u32,
        question: String,
    },
    Heard {
        query: u32,
        answer: String,
    },
    Set {
        variable: String,
        value: String,
    },
    /// What became of a recording; found in the timeline after the call's own entries.
    Recording {
        #[schemars(with = "String")]
        recording: RecordingId,
        state: RecordingState,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        why: String,
    },
    /// A guard or a time-out acted.
    Guard {
        limit: String,
    },
    /// Anything unexpected that was put up with.
    Noticed {
        text: String,
        /// The same for programs, where they are told of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        sign: Option<Sign>,
    },
    Ended {
        termination: Termination,
    },
}

/// What programs are told of something that people read in words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "sign", rename_all = "snake_case")]
pub enum Sign {
    /// Somebody is being called for the caller.
    Rings {
        to: String,
    },
    /// One side is on hold, or not any more.
    Held {
        side: Side,
        on: bool,
    },
    /// A party was sent elsewhere.
    Moved {
        to: String,
    },
    Parked {
        slot: Slot,
    },
    Queued {
        queue: QueueName,
        ahead: u32,
    },
    /// Somebody is in a room; also who was there before another process took the call over.
    InRoom {
        room: RoomName,
        member: u32,
        #[serde(flatten)]
        presence: Presence,
    },
    /// It is heard, and hears, as this says from now on.
    RoomChanged {
        room: RoomName,
        member: u32,
        who: Who,
        muted: bool,
        deaf: bool,
    },
    LeftRoom {
        room: RoomName,
        member: u32,
        who: Who,
    },
    /// Somebody listens in; `now` is none when that is over.
    Monitored {
        by: String,
        now: Option<Manner>,
    },
}
