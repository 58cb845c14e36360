//! The kinds of steps, a file each: what an author writes for it. What each does is in
//! `call::step`, under the same name.

pub mod answer;
pub mod branch;
pub mod conference;
pub mod dial;
pub mod dtmf;
pub mod gather;
pub mod hangup;
pub mod hold;
pub mod hours;
pub mod http;
pub mod menu;
pub mod message;
pub mod park;
pub mod play;
pub mod queue;
pub mod record;
pub mod set;
pub mod subflow;
pub mod transfer;

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::exits::Outcome;

/// A step: its kind and what that kind needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Step {
    Answer(answer::Answer),
    Ring(answer::Ring),
    Reject(answer::Reject),
    Play(play::Play),
    Menu(Box<menu::Menu>),
    Gather(Box<gather::Gather>),
    Set(set::Set),
    Branch(branch::Branch),
    Hours(hours::Hours),
    Http(Box<http::Http>),
    Dial(Box<dial::Dial>),
    Dtmf(dtmf::Dtmf),
    Queue(Box<queue::Queue>),
    Transfer(transfer::Transfer),
    Conference(Box<conference::Conference>),
    Message(Box<message::Message>),
    Record(record::Record),
    Hold(hold::Hold),
    Park(Box<park::Park>),
    Retrieve(park::Retrieve),
    Flow(subflow::Subflow),
    Return(subflow::Return),
    Hangup(hangup::Hangup),
}

impl Step {
    pub const fn kind(&self) -> Kind {
        match self {
            Self::Answer(_) => Kind::Answer,
            Self::Ring(_) => Kind::Ring,
            Self::Reject(_) => Kind::Reject,
            Self::Play(_) => Kind::Play,
            Self::Menu(_) => Kind::Menu,
            Self::Gather(_) => Kind::Gather,
            Self::Set(_) => Kind::Set,
            Self::Branch(_) => Kind::Branch,
            Self::Hours(_) => Kind::Hours,
            Self::Http(_) => Kind::Http,
            Self::Dial(_) => Kind::Dial,
            Self::Dtmf(_) => Kind::Dtmf,
            Self::Queue(_) => Kind::Queue,
            Self::Transfer(_) => Kind::Transfer,
            Self::Conference(_) => Kind::Conference,
            Self::Message(_) => Kind::Message,
            Self::Record(_) => Kind::Record,
            Self::Hold(_) => Kind::Hold,
            Self::Park(_) => Kind::Park,
            Self::Retrieve(_) => Kind::Retrieve,
            Self::Flow(_) => Kind::Flow,
            Self::Return(_) => Kind::Return,
            Self::Hangup(_) => Kind::Hangup,
        }
    }
}

/// A kind of step, without its data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    Answer,
    Ring,
    Reject,
    Play,
    Menu,
    Gather,
    Set,
    Branch,
    Hours,
    Http,
    Dial,
    Dtmf,
    Queue,
    Transfer,
    Conference,
    Message,
    Record,
    Hold,
    Park,
    Retrieve,
    Flow,
    Return,
    Hangup,
}

impl Kind {
    pub const ALL: [Self; 23] = [
        Self::Answer,
        Self::Ring,
        Self::Reject,
        Self::Play,
        Self::Menu,
        Self::Gather,
        Self::Set,
        Self::Branch,
        Self::Hours,
        Self::Http,
        Self::Dial,
        Self::Dtmf,
        Self::Queue,
        Self::Transfer,
        Self::Conference,
        Self::Message,
        Self::Record,
        Self::Hold,
        Self::Park,
        Self::Retrieve,
        Self::Flow,
        Self::Return,
        Self::Hangup,
    ];

    /// As it is written in a flow.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Ring => "ring",
            Self::Reject => "reject",
            Self::Play => "play",
            Self::Menu => "menu",
            Self::Gather => "gather",
            Self::Set => "set",
            Self::Branch => "branch",
            Self::Hours => "hours",
            Self::Http => "http",
            Self::Dial => "dial",
            Self::Dtmf => "dtmf",
            Self::Queue => "queue",
            Self::Transfer => "transfer",
            Self::Conference => "conference",
            Self::Message => "message",
            Self::Record => "record",
            Self::Hold => "hold",
            Self::Park => "park",
            Self::Retrieve => "retrieve",
            Self::Flow => "flow",
            Self::Return => "return",
            Self::Hangup => "hangup",
        }
    }

    /// The outcomes that may stand in its `on`; `next`, where it has one, stands beside it.
    pub const fn outcomes(self) -> &'static [Outcome] {
        use Outcome as O;
        match self {
            Self::Answer | Self::Ring | Self::Set | Self::Branch | Self::Return | Self::Hangup => {
                &[]
            }
            Self::Reject
            | Self::Play
            | Self::Http
            | Self::Dtmf
            | Self::Transfer
            | Self::Record
            | Self::Flow => &[O::Failed],
            Self::Menu | Self::Gather => &[O::NoInput, O::Invalid, O::TooMany, O::Failed],
            Self::Hours => &[O::Closed, O::Holiday],
            Self::Dial => {
                &[O::Busy, O::NoAnswer, O::Rejected, O::Unreachable, O::Cancelled, O::Failed]
            }
            Self::Queue => &[O::TooLong, O::Full, O::Cancelled, O::Nobody, O::Failed],
            Self::Conference => {
                &[O::Kicked, O::Ended, O::Full, O::Locked, O::Denied, O::NoRoom, O::Failed]
            }
            Self::Message => &[O::TooShort, O::Failed],
            Self::Hold => &[O::Cancelled, O::Failed],
            Self::Park => &[O::TimedOut, O::Full, O::Failed],
            Self::Retrieve => &[O::Empty, O::Elsewhere, O::Failed],
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
