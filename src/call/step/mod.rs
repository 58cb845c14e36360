//! What each kind of step does, a file each, under the names of `flow::kind`. A step orders, waits
//! and says how it ended; it never changes to another step by itself.

mod answer;
mod branch;
pub(in crate::call) mod conference;
mod dial;
mod dtmf;
mod gather;
mod hangup;
mod hold;
mod hours;
mod http;
mod menu;
mod message;
mod park;
mod play;
mod queue;
mod record;
mod reject;
mod ring;
mod set;
mod subflow;
mod transfer;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Call;
use super::handover::Found;
use super::input::{Answer, Ending};
use super::room::RoomNews;
use super::timer::Timer;
use super::variables::Known;
use crate::base::cause::Termination;
use crate::base::digits::Digit;
use crate::base::ids::{FlowName, StepName, VarName};
use crate::flow::kind::answer::RejectReason;
use crate::flow::{Outcome, Step};

pub(in crate::call) use dial::{address_of, outcome_of};

/// What a waiting step hears.
#[derive(Debug)]
pub(in crate::call) enum Heard {
    Key(Digit),
    /// The awaited action has ended, was refused, or is overdue.
    Ended(Ending),
    /// The awaited query is answered.
    Answer(Answer),
    /// A timer of the step.
    Due(Timer),
    /// The caller was joined to a party that was dialed.
    /// The caller and somebody were joined: the place of the target in the order, where known.
    Bridged(Option<usize>),
    /// News of the caller in a room.
    Room(RoomNews),
}

/// How the call goes on.
pub(in crate::call) enum Next {
    /// Something is awaited.
    Wait,
    /// The step is over. `why` is the decision in words.
    Leave { way: Way, why: String },
    /// Another flow runs, and the step waits for its end.
    Call { flow: FlowName, arguments: BTreeMap<VarName, Known> },
    /// This flow is over.
    Return(Known),
    /// The call is over: hang up.
    Close(Termination),
    /// The call is over: decline it.
    Decline(RejectReason),
    /// The call went on without us.
    Gone(Termination),
}

/// The way out of a step.
#[derive(Debug)]
pub(in crate::call) enum Way {
    Outcome(Outcome),
    /// A way that the step itself names: a choice or a case.
    Choice {
        label: String,
        to: StepName,
    },
}

impl Next {
    pub(in crate::call) fn done() -> Self {
        Self::leave(Outcome::Done, "")
    }

    pub(in crate::call) fn leave(outcome: Outcome, why: impl Into<String>) -> Self {
        Self::Leave { way: Way::Outcome(outcome), why: why.into() }
    }

    pub(in crate::call) fn failed(why: impl Into<String>) -> Self {
        Self::leave(Outcome::Failed, why)
    }
}

/// What the running step waits for. What it orders is the same from wherever it is read back.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::call) enum Running {
    #[default]
    Nothing,
    Answer(answer::ExpectAnswer),
    Ring(ring::ExpectRinging),
    Play(play::ExpectEnd),
    Menu(menu::ExpectChoice),
    Gather(gather::ExpectInput),
    Http(http::ExpectReply),
    Dial(Box<dial::ExpectOutcome>),
    Dtmf(dtmf::ExpectSent),
    Queue(Box<queue::ExpectTarget>),
    Conference(Box<conference::ExpectRoom>),
    Transfer(transfer::ExpectDeparture),
    Message(Box<message::ExpectMessage>),
    Record(record::ExpectPrompts),
    Hold(hold::ExpectRelease),
    Park,
    Retrieve(Box<park::ExpectParted>),
    /// A `flow` step whose flow runs above it.
    Flow,
}

impl Running {
    /// How a step that dials stands with that.
    pub(in crate::call) fn dialing(&self) -> Option<&dial::ExpectOutcome> {
        match self {
            Self::Dial(state) => Some(state),
            Self::Queue(state) => state.dialing(),
            _ => None,
        }
    }
}

/// Enters a step.
pub(in crate::call) fn enter(call: &mut Call, step: &Step) -> (Running, Next) {
    match step {
        Step::Answer(answer) => answer::enter(call, answer),
        Step::Ring(ring) => ring::enter(call, ring),
        Step::Reject(reject) => reject::enter(call, reject),
        Step::Play(play) => play::enter(call, play, 0),
        Step::Menu(menu) => menu::enter(call, menu),
        Step::Gather(gather) => gather::enter(call, gather),
        Step::Set(set) => set::enter(call, set),
        Step::Branch(branch) => branch::enter(call, branch),
        Step::Hours(hours) => hours::enter(call, hours),
        Step::Http(http) => http::enter(call, http),
        Step::Dial(dial) => dial::enter(call, dial),
        Step::Dtmf(dtmf) => dtmf::enter(call, dtmf),
        Step::Queue(queue) => queue::enter(call, queue),
        Step::Transfer(transfer) => transfer::enter(call, transfer),
        Step::Conference(conference) => conference::enter(call, conference),
        Step::Message(message) => message::enter(call, message),
        Step::Record(record) => record::enter(call, record),
        Step::Hold(hold) => hold::enter(call, hold),
        Step::Park(park) => park::enter(call, park),
        Step::Retrieve(retrieve) => park::enter_retrieve(call, retrieve),
        Step::Flow(flow) => subflow::enter(call, flow),
        Step::Return(end) => subflow::give_back(call, end),
        Step::Hangup(hangup) => hangup::enter(hangup),
    }
}

/// Goes on with a step that another process left.
pub(in crate::call) fn resume(
    call: &mut Call,
    step: &Step,
    left: Running,
    found: Found,
) -> (Running, Next) {
    match (step, left) {
        (Step::Play(play), Running::Play(left)) => play::enter(call, play, left.round),
        (Step::Menu(menu), Running::Menu(left)) => menu::resume(call, menu, left),
        (Step::Gather(gather), Running::Gather(left)) => gather::resume(call, gather, left),
        (Step::Dial(dial), Running::Dial(left)) => dial::resume(call, dial, left, found.dialed),
        (Step::Queue(step), Running::Queue(left)) => queue::resume(call, step, left, found.dialed),
        (Step::Dtmf(_), Running::Dtmf(left)) => dtmf::resume(call, left),
        (Step::Message(message), Running::Message(left)) => {
            message::resume(call, message, left, found.recorded)
        }
        (Step::Http(http), Running::Http(left)) => http::resume(call, http, left),
        (Step::Hold(hold), Running::Hold(left)) => hold::resume(call, hold, left),
        (Step::Retrieve(_), Running::Retrieve(left)) => park::resume_retrieve(call, left),
        (Step::Conference(step), Running::Conference(left)) => {
            conference::resume(call, step, left, found.roomed)
        }
        (step, _) => enter(call, step),
    }
}

/// Tells a waiting step what happened.
pub(in crate::call) fn hear(
    call: &mut Call,
    step: &Step,
    running: &mut Running,
    heard: Heard,
) -> Next {
    match (&mut *running, step) {
        (Running::Answer(state), Step::Answer(answer)) => state.hear(call, answer, heard),
        (Running::Ring(state), Step::Ring(ring)) => state.hear(call, ring, heard),
        (Running::Play(state), Step::Play(play)) => state.hear(call, play, heard),
        (Running::Menu(state), Step::Menu(menu)) => state.hear(call, menu, heard),
        (Running::Gather(state), Step::Gather(gather)) => state.hear(call, gather, heard),
        (Running::Http(state), Step::Http(http)) => state.hear(call, http, heard),
        (Running::Dial(state), Step::Dial(dial)) => state.hear(call, dial, heard),
        (Running::Queue(state), Step::Queue(queue)) => state.hear(call, queue, heard),
        (Running::Dtmf(state), Step::Dtmf(_)) => state.hear(call, heard),
        (Running::Transfer(state), Step::Transfer(_)) => state.hear(call, heard),
        (Running::Conference(state), Step::Conference(step)) => state.hear(call, step, heard),
        (Running::Message(state), Step::Message(message)) => state.hear(call, message, heard),
        (Running::Record(state), Step::Record(record)) => state.hear(call, record, heard),
        (Running::Hold(_), Step::Hold(hold)) => hold::hear(call, hold, heard),
        (Running::Retrieve(state), Step::Retrieve(_)) => state.hear(call, heard),
        _ => Next::Wait,
    }
}

/// The kind's name, as an author writes it.
pub(in crate::call) const fn kind(step: &Step) -> &'static str {
    match step {
        Step::Answer(_) => "answer",
        Step::Ring(_) => "ring",
        Step::Reject(_) => "reject",
        Step::Play(_) => "play",
        Step::Menu(_) => "menu",
        Step::Gather(_) => "gather",
        Step::Set(_) => "set",
        Step::Branch(_) => "branch",
        Step::Hours(_) => "hours",
        Step::Http(_) => "http",
        Step::Dial(_) => "dial",
        Step::Dtmf(_) => "dtmf",
        Step::Queue(_) => "queue",
        Step::Transfer(_) => "transfer",
        Step::Conference(_) => "conference",
        Step::Message(_) => "message",
        Step::Record(_) => "record",
        Step::Hold(_) => "hold",
        Step::Park(_) => "park",
        Step::Retrieve(_) => "retrieve",
        Step::Flow(_) => "flow",
        Step::Return(_) => "return",
        Step::Hangup(_) => "hangup",
    }
}

/// Where a step goes by an outcome; none where its author named no way.
pub(in crate::call) fn way_out(step: &Step, outcome: Outcome) -> Option<&StepName> {
    match outcome {
        Outcome::Done => step.next(),
        Outcome::NoInput
        | Outcome::Invalid
        | Outcome::TooMany
        | Outcome::Closed
        | Outcome::Holiday
        | Outcome::Busy
        | Outcome::NoAnswer
        | Outcome::Rejected
        | Outcome::Unreachable
        | Outcome::Cancelled
        | Outcome::TooLong
        | Outcome::Nobody
        | Outcome::TooShort
        | Outcome::Kicked
        | Outcome::Ended
        | Outcome::Full
        | Outcome::Locked
        | Outcome::Denied
        | Outcome::NoRoom
        | Outcome::TimedOut
        | Outcome::Empty
        | Outcome::Elsewhere
        | Outcome::Failed => step.on().and_then(|exits| exits.get(&outcome)),
    }
}
