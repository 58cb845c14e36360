//! The ways out of a step.

use std::collections::BTreeMap;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::base::ids::StepName;

/// How a step ended, when it is not simply done.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// The step did what it is for. Written as the step's `next`.
    Done,
    /// menu, gather: nothing was pressed, `max_no_input` times.
    NoInput,
    /// menu, gather: what was pressed matched nothing, `max_invalid` times.
    Invalid,
    /// menu, gather: `max_failures` failures of either kind; also taken for the two above where
    /// they have no way out.
    TooMany,
    /// hours: outside the opening hours.
    Closed,
    /// hours: closed because of a holiday; without a way out of its own, `closed`.
    Holiday,
    /// dial: every target was busy.
    Busy,
    /// dial: nobody answered in time.
    NoAnswer,
    /// dial: the call was declined.
    Rejected,
    /// dial: no target could be reached (unknown, not registered, gateway down).
    Unreachable,
    /// dial, hold: the caller pressed the cancel key while it rang, or waited; queue: the exit key.
    Cancelled,
    /// queue: the caller has waited as long as it may.
    TooLong,
    /// queue: it has no target that can be dialed.
    Nobody,
    /// message: shorter than `min_length`.
    TooShort,
    /// conference: somebody took the caller out of the room.
    Kicked,
    /// conference: the room was ended; without a way out of its own, `next`, as for `kicked`.
    Ended,
    /// conference: the room has as many members as it may; park: no slot is free; queue: as many
    /// wait as may.
    Full,
    /// conference: the room is locked.
    Locked,
    /// conference: no PIN that was typed is one of the room's.
    Denied,
    /// conference: the tenant has no such room.
    NoRoom,
    /// park: nobody has taken the caller out of its slot in time.
    TimedOut,
    /// retrieve: nobody is in the slot; without a way out of its own, `failed`, as for `elsewhere`.
    Empty,
    /// retrieve: the caller in the slot is on another FreeSWITCH.
    Elsewhere,
    /// The step could not do its work: a prompt is missing, an http request failed, a limit was
    /// met.
    Failed,
}

impl Outcome {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "next",
            Self::NoInput => "no_input",
            Self::Invalid => "invalid",
            Self::TooMany => "too_many",
            Self::Closed => "closed",
            Self::Holiday => "holiday",
            Self::Busy => "busy",
            Self::NoAnswer => "no_answer",
            Self::Rejected => "rejected",
            Self::Unreachable => "unreachable",
            Self::Cancelled => "cancelled",
            Self::TooLong => "too_long",
            Self::Nobody => "nobody",
            Self::TooShort => "too_short",
            Self::Kicked => "kicked",
            Self::Ended => "ended",
            Self::Full => "full",
            Self::Locked => "locked",
            Self::Denied => "denied",
            Self::NoRoom => "no_room",
            Self::TimedOut => "timed_out",
            Self::Empty => "empty",
            Self::Elsewhere => "elsewhere",
            Self::Failed => "failed",
        }
    }

    /// The outcome whose way out is taken when this one has none, before the flow's `fallback`.
    pub const fn parent(self) -> Option<Self> {
        match self {
            Self::NoInput | Self::Invalid => Some(Self::TooMany),
            Self::Holiday => Some(Self::Closed),
            Self::Busy | Self::NoAnswer | Self::Rejected | Self::Unreachable => Some(Self::Failed),
            Self::TooShort | Self::Kicked | Self::Ended => Some(Self::Done),
            Self::TooLong | Self::Nobody => Some(Self::Failed),
            Self::Full | Self::Locked | Self::Denied | Self::NoRoom => Some(Self::Failed),
            Self::TimedOut | Self::Empty | Self::Elsewhere => Some(Self::Failed),
            Self::Done | Self::TooMany | Self::Closed | Self::Cancelled | Self::Failed => None,
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Ways out by outcome: the `on` of a step. `next` stands beside it, not in it.
pub type Exits = BTreeMap<Outcome, StepName>;
