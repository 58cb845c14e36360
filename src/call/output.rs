//! What a call orders, asks and tells.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::admission::AdmitQuery;
use super::outbound::OutboundQuery;
use super::park::ParkQuery;
use super::queue::QueueQuery;
use super::room::{JoinOrder, RoomOrder, RoomQuery};
use super::talk::Tie;
use crate::base::cause::HangupCause;
use crate::base::digits::{Digits, Keying};
use crate::base::ids::{ChannelId, GatewayName};
use crate::base::masked::Masked;
use crate::base::millis::Millis;
use crate::flow::kind::answer::RejectReason;
use crate::flow::kind::dial::Strategy;
use crate::flow::kind::http::Method;
use crate::flow::program::SpeechEngine;
use crate::flow::prompt::{SayKind, TonePrompt};
use crate::model::audit::AuditEntry;
use crate::model::outbound::Shown;
use crate::model::record::{CallRecord, RecordingNote};
use crate::model::timeline::Entry;

/// One output.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// To the switch.
    Action(ActionId, Action),
    /// To the outside; heard again as an answer. A query is cancelled by the call's end.
    Query(QueryId, Query),
    /// The step in which the call stands has changed: its state is worth writing down.
    Boundary,
    /// A key was taken that the step, or a later one, still needs: worth writing down too, so that
    /// nobody has to type it again.
    Typed,
    /// To whoever gave the command that was heard last: it is done, or why not.
    Answered(Result<(), String>),
    /// To the timeline.
    Note(Box<Entry>),
    /// Who listened to whom, as far as it is known now.
    Audit(Box<AuditEntry>),
    /// A recording has begun (`Running`), or has ended (`Pending`). Both are told once; a process
    /// that takes over may tell either again.
    Recording(Box<RecordingNote>),
    /// The call is over, and its record complete. Nothing follows.
    Ended(Box<CallRecord>),
}

/// An action's number within its call: 1, 2, 3 …. Never used again, not by a process that takes
/// over either.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ActionId(pub u32);

impl fmt::Display for ActionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// A query's number within its call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QueryId(pub u32);

/// What the switch is to do. Those marked *ends* are heard of again as `Event::Done`; actions run
/// one after another in the order given, but for those marked *at once*.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Ends.
    Answer,
    /// Tell the caller's phone that it rings. Ends.
    Ring,
    /// Decline with a SIP status (an unanswered call). The call ends with it.
    Reject(RejectReason),
    /// Play one after another. Ends when the last is over, a key of `stop_on` was pressed, or
    /// `Silence` came.
    Play { media: Vec<Media>, stop_on: Digits },
    /// Stop what plays and forget what is still to be played or done. At once.
    Silence,
    /// Record the caller. Ends.
    Record(RecordOrder),
    /// Dial, and join the first who answers. Ends when nobody did, or when the conversation is
    /// over.
    Dial(Box<DialOrder>),
    /// Give up a dial that still rings. At once; the dial ends all the same.
    CancelDial,
    /// Write channel variables. At once.
    SetVariables(BTreeMap<String, String>),
    /// Throw a recording's file away, after some time: nobody is to hear it. At once.
    Discard { path: String, after: Millis },
    /// Leave for an extension of the dialplan: the switch takes the call away from us. Ends when
    /// the switch has it; the loss of the link says the same.
    Transfer { extension: String, context: String },
    /// Let `held` hear music and `other` that somebody waits, in the place of one another, or let
    /// them talk again; that is told each `reminder`. At once.
    Hold { held: ChannelId, other: ChannelId, on: bool, music: Media, reminder: Millis },
    /// Ask another channel's phone, or the caller's, to take back a call that it put on hold. At
    /// once.
    AskBack { channel: ChannelId },
    /// Join the caller to a channel that waits. The caller leaves our connection, and comes back on
    /// a new one when they part; with `keep` the other one stays then, in silence, for a while. At
    /// once.
    Join { other: ChannelId, keep: bool },
    /// The same where somebody else has joined the two: only the way back is laid. At once.
    Return { other: ChannelId },
    /// Let another channel carry this. At once.
    Tie { channel: ChannelId, tie: Box<Tie> },
    /// The same, and have our dialplan bring that channel to us, for a call of its own; whom the
    /// tie names waits for it. At once.
    Bring { channel: ChannelId, tie: Box<Tie> },
    /// Join the caller to a channel that another call lends, which goes on with it when they part.
    /// Else as `Join`; a refusal is heard.
    Take { other: ChannelId },
    /// Let another call take the caller, which comes back on a new connection; or no more. At once.
    Lend(bool),
    /// Take another channel out of what it does, let it hear this and hang it up. At once.
    Dismiss { channel: ChannelId, said: Vec<Media> },
    /// Join two other channels. With `keep`, one stays in silence when the other is gone. At once.
    Connect { one: ChannelId, other: ChannelId, keep: bool },
    /// Take another channel out of what it does, and let it hear this. At once.
    Await { channel: ChannelId, sound: Media },
    /// Tell everything of another channel too, as [`super::input::Event::Far`], or no more. Of the
    /// one to which the caller is joined hold is told in any case. At once.
    Follow { channel: ChannelId, on: bool },
    /// Call somebody besides. What becomes of the leg is heard as news of its channel, once it is
    /// followed. At once.
    Originate(Box<OriginateOrder>),
    /// Call the call's own caller, whose leg comes to us once they have answered. That it failed
    /// is heard as a refusal. At once.
    Place(Box<PlaceOrder>),
    /// Hang another channel up when it has lasted so long from now on. At once.
    Limit { channel: ChannelId, length: Millis },
    /// Hang another channel up. At once.
    Drop { channel: ChannelId, cause: HangupCause },
    /// Have a leg of ours listen in on `target`, and speak into what it hears or keep silent; no
    /// matter where it did before. At once.
    Eavesdrop { channel: ChannelId, target: ChannelId, speaks: bool },
    /// Make a leg that is nobody's phone, which hears what `from` says and speaks it into what
    /// `to` hears. It ends with either. At once.
    Relay { channel: ChannelId, from: ChannelId, to: ChannelId },
    /// Send keys to a channel's phone, each so long. At once; a refusal is heard.
    SendKeys { channel: ChannelId, keys: Keying, length: Millis },
    /// Answer the call beside what is being done. At once.
    PickUp,
    /// Let a channel that talks hear this in the place of the other one. At once.
    Tell { channel: ChannelId, media: Media },
    /// Let another channel's phone hear a short tone, and nobody else. At once.
    Beep { channel: ChannelId },
    /// Record both parties from now on, or change such a recording. At once; that it began and
    /// ended is heard as events.
    RecordCall { path: String, change: RecordChange },
    /// Let the caller hear something, and `far` too, without stopping what they do. At once.
    Overlay { media: Media, far: Option<ChannelId> },
    /// Take another channel out of what it does, into a room. It ends with the room. At once.
    Enter { channel: ChannelId, order: Box<JoinOrder> },
    /// Join a conference room. Ends when the caller is not in it any more.
    JoinRoom(Box<JoinOrder>),
    /// Order something in a room, in the name of `by` or else of the caller. At once.
    Room { room: String, order: RoomOrder, by: Option<ChannelId> },
    /// Hang the caller's leg up. At once.
    Hangup(HangupCause),
    /// Give the call back to the dialplan, with the variable `callwright_refused` set to this
    /// reason.
    Release { refused: String },
}

/// What becomes of a recording of both parties.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordChange {
    /// It ends by itself some seconds after the limit, whoever has the call then.
    Start {
        /// A channel for each party, the caller's on the left.
        stereo: bool,
        limit: Millis,
    },
    Stop,
    /// Nothing is written.
    Pause,
    Resume,
    /// Silence is written.
    Mask,
    Unmask,
}

/// One thing to play.
#[derive(Debug, Clone, PartialEq)]
pub enum Media {
    /// A prompt's file, with the prompt's name for people.
    File {
        path: String,
        name: String,
    },
    Tone(TonePrompt),
    Silence(Millis),
    /// A value for `say`; it came from outside.
    Say {
        value: Masked<String>,
        kind: SayKind,
        language: String,
    },
    /// A value's recorded words, one after another.
    Words {
        paths: Vec<String>,
    },
    /// Text for the speech engine; it may come from outside.
    Speak {
        text: Masked<String>,
        engine: SpeechEngine,
    },
}

/// How to record.
#[derive(Debug, Clone, PartialEq)]
pub struct RecordOrder {
    /// An absolute path, made by us.
    pub path: String,
    pub max_length: Millis,
    /// `0s` is never.
    pub silence: Millis,
    pub terminators: Digits,
}

/// Whom to call, and what the leg does then.
#[derive(Debug, Clone, PartialEq)]
pub struct OriginateOrder {
    /// Its identity, one of ours.
    pub channel: ChannelId,
    pub address: DialAddress,
    pub caller_name: Option<String>,
    pub caller_number: Option<String>,
    pub timeout: Millis,
    pub then: Then,
}

/// Whom a call of ours is for.
#[derive(Debug, Clone, PartialEq)]
pub struct PlaceOrder {
    pub address: DialAddress,
    pub caller_name: Option<String>,
    pub caller_number: Option<String>,
    pub timeout: Millis,
}

/// What a new leg does once it is answered.
#[derive(Debug, Clone, PartialEq)]
pub enum Then {
    /// Waits in silence.
    Park,
    /// As [`Action::Eavesdrop`].
    Eavesdrop { target: ChannelId, speaks: bool },
    /// Joins a room that is there; it ends with the room.
    Room(Box<JoinOrder>),
}

/// How to dial.
#[derive(Debug, Clone, PartialEq)]
pub struct DialOrder {
    pub targets: Vec<DialTarget>,
    pub strategy: Strategy,
    pub caller_name: Option<String>,
    pub caller_number: Option<String>,
    pub ringback: RingTone,
    pub time_limit: Option<Millis>,
    pub accept: Option<AcceptOrder>,
    pub cancel_key: Option<Digits>,
}

impl DialOrder {
    /// Rings these at once, without anything special.
    pub fn plain(targets: Vec<DialTarget>) -> Self {
        Self {
            targets,
            strategy: Strategy::All,
            caller_name: None,
            caller_number: None,
            ringback: RingTone::Tone,
            time_limit: None,
            accept: None,
            cancel_key: None,
        }
    }
}

/// One target.
#[derive(Debug, Clone, PartialEq)]
pub struct DialTarget {
    /// Its place in the order as it was given: others may have been left out.
    pub position: usize,
    pub address: DialAddress,
    pub delay: Millis,
    pub timeout: Millis,
}

/// Where a target is. The texts may come from outside.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DialAddress {
    Extension {
        extension: String,
        domain: String,
    },
    Number {
        number: String,
        gateway: GatewayName,
        /// So long a conversation lasts at most.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        most: Option<Millis>,
        /// Who is shown, where it is not whom the order names.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shown: Option<Box<Shown>>,
    },
    /// A number of which it is asked first by which gateway it is called. `gateway` is
    /// FreeSWITCH's name of the one that was named. The switch never gets this.
    Outside {
        number: String,
        gateway: Option<GatewayName>,
    },
    /// `host` is one that the operator allows.
    Sip {
        user: String,
        host: String,
    },
}

/// What the caller hears while it rings.
#[derive(Debug, Clone, PartialEq)]
pub enum RingTone {
    Tone,
    EarlyMedia,
    File { path: String },
}

/// The key that the far end must press.
#[derive(Debug, Clone, PartialEq)]
pub struct AcceptOrder {
    pub file: String,
    pub key: Digits,
    pub timeout: Millis,
}

/// What the outside is asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Query {
    Http(Box<HttpRequest>),
    /// Where a conference room is, and how.
    Room(RoomQuery),
    /// Who is in which slot.
    Park(Box<ParkQuery>),
    /// Where the caller stands in a waiting line.
    Queue(Box<QueueQuery>),
    /// Whether the call is let in.
    Admit(Box<AdmitQuery>),
    /// By which gateway a number is called, if at all.
    Outbound(Box<OutboundQuery>),
    /// With which recorded words a value is spoken.
    Spoken(Box<SpokenQuery>),
}

/// A value to be spoken; it came from outside.
#[derive(Debug, Clone, PartialEq)]
pub struct SpokenQuery {
    pub value: Masked<String>,
    pub kind: SayKind,
    pub language: String,
}

/// A data dip. Header values and body may hold secrets.
#[derive(Debug, Clone, PartialEq)]
pub struct HttpRequest {
    pub method: Method,
    pub url: Masked<String>,
    pub headers: Vec<(String, Masked<String>)>,
    /// JSON text.
    pub body: Option<Masked<String>>,
    /// Says that two requests are the same one: a try again, or another process that makes it
    /// again.
    pub key: String,
    pub timeout: Millis,
    pub retries: u8,
    pub max_bytes: u32,
}
