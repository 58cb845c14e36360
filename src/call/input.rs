//! What a call hears.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::admission::AdmitFound;
use super::outbound::OutboundFound;
use super::output::{ActionId, QueryId};
use super::park::ParkFound;
use super::queue::QueueFound;
use super::room::{MemberOp, RoomFound, RoomNews};
use crate::base::cause::HangupCause;
use crate::base::digits::{Digit, Digits, Keying};
use crate::base::ids::{ChannelId, PromptName, StepName};
use crate::base::slot::Slot;
use crate::flow::kind::record::RecordAction;
use crate::flow::prompt::SayKind;
use crate::model::monitor::Manner;
use crate::model::talk::{Goal, Hearers, Side};

/// One input.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// From the switch.
    Event(Event),
    /// From an operator.
    Command(Ordered),
    /// To a query of ours.
    Answer(QueryId, Answer),
    /// The deadline of `poll_timeout` has come.
    Timeout,
}

/// News from the switch about the caller's leg.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// The caller pressed a key.
    Digit(Digit),
    /// An action came to its end.
    Done(ActionId, Ending),
    /// An action could not be given to the switch, or was refused by it; it did not run.
    Refused(ActionId, String),
    /// The switch has done at once what [`super::output::Action::RecordCall`] says.
    Obeyed(ActionId),
    /// The caller's leg is answered.
    Answered,
    /// The caller's leg was joined to another.
    Bridged {
        other: ChannelId,
        /// The place of the target in [`super::output::DialOrder::targets`], where known.
        target: Option<usize>,
    },
    /// The two were parted.
    Unbridged,
    /// A phone joined the caller to somebody with whom it had spoken itself; the call's own
    /// connection is over. `party` is their number, where known.
    Replaced { other: ChannelId, party: String },
    /// The caller's phone sent the other party to this number, or to somebody with whom it spoke
    /// besides; the caller's leg is about to end.
    /// `other`: that somebody's channel, where the switch named it.
    Refers { to: Option<String>, other: Option<ChannelId> },
    /// News of the caller in a conference room.
    Room(RoomNews),
    /// The caller's phone put us on hold, or took us back.
    Held(bool),
    /// News of another channel, one that `Action::Follow` named.
    Far { channel: ChannelId, news: FarNews },
    /// The switch writes a recording, of whomever.
    RecordingBegan { path: String },
    /// The switch has closed a recording, of this length where it says so.
    RecordingEnded { path: String, length_ms: Option<u64>, cause: String },
    /// The caller's leg is gone. `by_caller` is whether it hung up itself, where the switch says
    /// so.
    HungUp { cause: HangupCause, by_caller: Option<bool> },
    /// Somebody else sent the caller's leg to `to`: a REFER, or another program. It is not ours any
    /// more.
    TakenAway { to: String },
    /// The link to the switch is gone while the call may still be up; nothing more can be ordered.
    LinkLost { reason: String },
}

/// What happened to another channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FarNews {
    Answered,
    /// Its party pressed a key.
    Key(Digit),
    /// Its phone put us on hold, or took us back.
    Held(bool),
    Bridged(ChannelId),
    Unbridged,
    /// It waits in silence.
    Parked,
    /// In a conference room.
    Room(RoomNews),
    /// It is gone.
    HungUp(HangupCause),
}

/// How an action ended.
#[derive(Debug, Clone, PartialEq)]
pub enum Ending {
    /// It ran to its end, or was stopped.
    Finished,
    /// A file to be played is not there, or can't be played.
    FileMissing { file: String },
    /// A recording was made.
    Recorded { length_ms: u64, terminator: Option<Digits> },
    /// A dial came to its end.
    Dialed(Dialed),
    /// It failed in another way.
    Failed { detail: String },
}

/// What became of a dial.
#[derive(Debug, Clone, PartialEq)]
pub struct Dialed {
    /// Whether a target answered (and accepted), so that there was a conversation.
    pub answered: bool,
    /// The cause of the failure or, after a conversation, of its end.
    pub cause: HangupCause,
    /// The SIP code of a target that failed, where the switch tells one.
    pub code: Option<u16>,
    /// The target's position in [`super::output::DialOrder::targets`], where known.
    pub target: Option<usize>,
    pub other: Option<ChannelId>,
}

impl Dialed {
    /// There was a conversation, which ended so.
    pub const fn talked(cause: HangupCause) -> Self {
        Self { answered: true, cause, code: None, target: None, other: None }
    }
}

/// Who gives a command of which no more is known.
pub const OPERATOR: &str = "an operator";

/// A command, and who gave it in words that go into the timeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ordered {
    pub by: String,
    pub command: Command,
}

impl From<Command> for Ordered {
    fn from(command: Command) -> Self {
        Self { by: OPERATOR.to_owned(), command }
    }
}

/// What an operator may ask of a live call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Command {
    Hangup {
        cause: HangupCause,
    },
    /// Let one party of a conversation wait with music, or talk again.
    Hold {
        on: bool,
        #[serde(default)]
        side: Side,
    },
    /// Move one party of a conversation to another one, without a word: the caller, who leaves the
    /// other party, or the other party, and the caller goes on in the flow.
    Send {
        #[serde(default)]
        side: Side,
        to: Goal,
    },
    /// Move both parties to a room.
    SendBoth {
        to: Goal,
    },
    /// Move the caller to a step of the flow.
    Move {
        step: StepName,
    },
    /// Let one party, the other one where none is named, speak with somebody while the rest waits
    /// with music.
    Consult {
        #[serde(default = "Side::far")]
        side: Side,
        to: Goal,
    },
    /// Who consults speaks with the other of the two, and the one waits.
    Toggle,
    /// Who consults leaves the two to one another, and is let go.
    Complete,
    /// Both and who was consulted go to a room of their own.
    Merge,
    /// The two are joined again; who was consulted is hung up.
    Cancel,
    /// Answer a call that its flow has not answered yet; the flow goes on.
    Answer,
    /// Let a prompt be heard, in the place of the other party by who talks, and by a caller who
    /// does not beside whatever plays. Nothing of the flow changes.
    Play {
        prompt: PromptName,
        #[serde(default)]
        to: Hearers,
    },
    /// Let a value be heard in recorded words, as `play` does with a prompt: a code, a number, a
    /// date.
    Say {
        text: String,
        #[serde(default, rename = "as")]
        kind: SayKind,
        /// Another language than the flow's.
        #[serde(default)]
        language: Option<String>,
        #[serde(default)]
        to: Hearers,
    },
    /// Send keys to one party's phone.
    Dtmf {
        #[serde(default)]
        side: Side,
        digits: Keying,
    },
    /// Send the caller's leg to the dialplan, in a context that the tenant may use; the first of
    /// them where none is named.
    Transfer {
        extension: String,
        #[serde(default)]
        context: Option<String>,
    },
    /// Act on the caller in the conference room where it is.
    Room(MemberOp),
    /// The same for the other party, where both went to the room.
    FarInRoom(MemberOp),
    /// Record the call from now on, or change the recording that runs.
    Record {
        action: RecordAction,
    },
    /// Park one party, in this slot or the lowest that is free. The other one hears which; who
    /// parks the caller is let go, and a caller who parks the other party goes on in its flow.
    Park {
        #[serde(default)]
        side: Side,
        #[serde(default)]
        slot: Option<Slot>,
    },
    /// Call somebody who is to have the parked caller.
    Retrieve {
        to: Goal,
    },
    /// Listening in on a conversation.
    Monitor(MonitorOrder),
}

/// What is asked of a supervisor's session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MonitorOrder {
    /// Call the supervisor at extension `by`, and let it hear the conversation in this manner.
    Begin {
        by: String,
        manner: Manner,
        reason: String,
    },
    Change {
        manner: Manner,
    },
    /// Give the caller to the supervisor, and let the other party go.
    TakeOver,
    End,
}

/// What came of a query.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    Http(Result<HttpAnswer, HttpFailure>),
    Room(RoomFound),
    Park(ParkFound),
    Queue(QueueFound),
    Admit(AdmitFound),
    Outbound(OutboundFound),
    /// The files of a value's words, or why there are none.
    Spoken(Result<Vec<String>, String>),
}

/// An answer within the limits that the query set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpAnswer {
    pub status: u16,
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpFailure {
    #[error("the address is not allowed: {0}")]
    Forbidden(String),
    #[error("no answer in time")]
    TimedOut,
    #[error("could not connect: {0}")]
    Unreachable(String),
    #[error("the answer is longer than {0} bytes")]
    TooLong(u32),
    #[error("{0}")]
    Other(String),
}
