//! What a call writes down, so that another process can go on with it: plain data, without secrets.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ResumeError;
use super::admission::Pending;
use super::arrival::Arrival;
use super::handover::Hands;
use super::mark::Mark;
use super::outbound::Counted;
use super::output::{ActionId, QueryId};
use super::place::Placed;
use super::step::Running;
use super::talk::Talk;
use super::timer::{Timer, Timers};
use crate::base::cause::Termination;
use crate::base::digits::{Digit, Digits};
use crate::base::ids::{CallId, ChannelId, FlowName, StepName, TenantId, VarName};
use crate::base::now::Now;
use crate::flow::Value;
use crate::flow::program::Program;
use crate::model::admission::TurnedAway;
use crate::model::record::{CallRecord, LegRecord, LegRole, RecordingNote};

/// The format of [`State`]; it grows by one with every change that an older release would misread.
pub const STATE_FORMAT: u16 = 2;
/// Keys kept for a step that is still to come. More are dropped: nobody types so far ahead.
pub const KEYS_AHEAD_MAX: usize = 32;
pub const PATH_MAX: usize = CallRecord::PATH_MAX;
/// Keys kept of one visit.
pub const VISIT_KEYS_MAX: usize = 96;
/// Recordings kept of a call.
pub const RECORDINGS_MAX: usize = 50;

/// The whole of a call between two inputs. Secret digits and variables are left out of what is
/// written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct State {
    pub(super) format: u16,
    pub(super) tenant: TenantId,
    /// How often the call has changed hands.
    pub(super) term: u32,
    #[serde(default)]
    pub(super) hands: Hands,
    pub(super) arrival: Arrival,
    pub(super) started: Timestamp,
    /// When the last input came, by the date.
    pub(super) seen: Timestamp,
    /// The call's own clock at its last input: milliseconds since its first.
    pub(super) age_ms: u64,
    pub(super) main: FlowName,
    /// Every flow that the call may come to, in the version that it keeps until its end.
    pub(super) versions: BTreeMap<FlowName, u32>,
    /// The flow that runs is the last.
    pub(super) frames: Vec<Frame>,
    pub(super) running: Running,
    pub(super) waits: Waits,
    pub(super) timers: Timers,
    pub(super) counters: Counters,
    pub(super) ahead: Ahead,
    /// On the call's clock.
    pub(super) answered_ms: Option<u64>,
    pub(super) bridged: Option<ChannelId>,
    pub(super) path: Vec<Trace>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) marks: Vec<Mark>,
    /// The first is the caller's.
    pub(super) legs: Vec<LegRecord>,
    pub(super) recordings: Vec<RecordingNote>,
    #[serde(default, skip_serializing_if = "Talk::is_nothing")]
    pub(super) talk: Talk,
    /// Whom we call has not answered yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) placed: Option<Box<Placed>>,
    /// It is not known yet whether the call is let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<Box<Pending>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) turned_away: Option<Box<TurnedAway>>,
    /// Legs to numbers outside that are counted there.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) counted: Vec<Counted>,
    /// Set once the end is decided and only the hang-up is awaited.
    pub(super) closing: Option<Termination>,
}

/// One flow on the stack: the first is the call's, each further one was called by a `flow` step.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct Frame {
    pub(in crate::call) flow: FlowName,
    pub(in crate::call) step: StepName,
    pub(in crate::call) variables: BTreeMap<VarName, Value>,
    /// The visit of `step`, in the call's path; none where the path is full.
    pub(in crate::call) visit: Option<usize>,
}

/// What is awaited from outside: an ending or an answer that is not named here is stale.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::call) struct Waits {
    pub(in crate::call) action: Option<(ActionId, Awaited)>,
    pub(in crate::call) query: Option<QueryId>,
}

/// Of what kind the awaited action is, for the way it is stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(in crate::call) enum Awaited {
    /// `several`: a key stops only one of them.
    Play {
        several: bool,
    },
    Record,
    Dial,
    Conference,
    Other,
}

/// What is counted, so that it can end.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::call) struct Counters {
    pub(in crate::call) actions: u32,
    pub(in crate::call) queries: u32,
    pub(in crate::call) entries: u32,
    pub(in crate::call) steps: u32,
    /// Steps since the last key or second.
    pub(in crate::call) silent: u32,
    pub(in crate::call) silent_since_ms: u64,
    pub(in crate::call) legs: u32,
    pub(in crate::call) files: u32,
    pub(in crate::call) hangups: u32,
    #[serde(default, skip_serializing_if = "is_zero")]
    pub(in crate::call) identities: u32,
    /// Steps left to a fallback after a guard has acted.
    pub(in crate::call) steps_left: Option<u32>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
const fn is_zero(count: &u32) -> bool {
    *count == 0
}

/// Keys pressed before a step asked for them. They may be meant for a secret: then they are not
/// written.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::call) struct Ahead {
    #[serde(default, skip)]
    secret: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    shown: Option<Digits>,
    #[serde(default, skip)]
    hidden: Digits,
}

impl Ahead {
    pub(in crate::call) fn guard(&mut self) {
        self.secret = true;
    }

    /// The keys that are not written, since a secret may be among them.
    pub(in crate::call) fn hidden(&self) -> &Digits {
        &self.hidden
    }

    pub(in crate::call) fn take_back(&mut self, hidden: Digits) {
        if !hidden.is_empty() {
            self.put(hidden);
        }
    }

    fn keys(&self) -> &Digits {
        if self.secret { &self.hidden } else { self.shown.as_ref().unwrap_or(&self.hidden) }
    }

    fn put(&mut self, keys: Digits) {
        if self.secret {
            self.hidden = keys;
        } else {
            self.shown = (!keys.is_empty()).then_some(keys);
        }
    }

    pub(in crate::call) fn is_empty(&self) -> bool {
        self.keys().is_empty()
    }

    /// Whether there was room.
    pub(in crate::call) fn push(&mut self, key: Digit) -> bool {
        let mut keys = self.keys().clone();
        let room = keys.len() < KEYS_AHEAD_MAX;
        if room {
            keys.push(key);
            self.put(keys);
        }
        room
    }

    pub(in crate::call) fn first(&self) -> Option<Digit> {
        self.keys().iter().next()
    }

    pub(in crate::call) fn take_first(&mut self) -> Option<Digit> {
        let first = self.first()?;
        let mut rest = Digits::default();
        self.keys().iter().skip(1).for_each(|key| rest.push(key));
        self.put(rest);
        Some(first)
    }

    /// How many were dropped.
    pub(in crate::call) fn clear(&mut self) -> usize {
        let count = self.keys().len();
        self.put(Digits::default());
        count
    }
}

/// One visit of a step, small: the flow and step by their place in the program, times on the call's
/// clock.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(from = "TraceRow", into = "TraceRow")]
pub(in crate::call) struct Trace {
    pub(in crate::call) flow: usize,
    pub(in crate::call) step: usize,
    pub(in crate::call) entered_ms: u64,
    pub(in crate::call) took_ms: u64,
    pub(in crate::call) outcome: Box<str>,
    pub(in crate::call) keys: Box<str>,
}

/// A visit as it is written: a call may have many.
type TraceRow = (usize, usize, u64, u64, Box<str>, Box<str>);

impl From<TraceRow> for Trace {
    fn from((flow, step, entered_ms, took_ms, outcome, keys): TraceRow) -> Self {
        Self { flow, step, entered_ms, took_ms, outcome, keys }
    }
}

impl From<Trace> for TraceRow {
    fn from(trace: Trace) -> Self {
        let Trace { flow, step, entered_ms, took_ms, outcome, keys } = trace;
        (flow, step, entered_ms, took_ms, outcome, keys)
    }
}

impl State {
    pub(super) fn new(arrival: Arrival, program: &Program, now: Now) -> Self {
        let versions = program.flows.iter().map(|(name, flow)| (name.clone(), flow.version));
        let mut state = Self {
            format: STATE_FORMAT,
            tenant: program.tenant,
            term: 0,
            hands: Hands::default(),
            started: now.wall,
            seen: now.wall,
            age_ms: 0,
            main: program.main.clone(),
            versions: versions.collect(),
            frames: Vec::new(),
            running: Running::Nothing,
            waits: Waits::default(),
            timers: Timers::default(),
            counters: Counters::default(),
            ahead: Ahead::default(),
            answered_ms: arrival.answered.then_some(0),
            bridged: None,
            path: Vec::new(),
            marks: Vec::new(),
            legs: Vec::new(),
            recordings: Vec::new(),
            talk: Talk::new(program.settings.record_number),
            placed: None,
            pending: None,
            turned_away: None,
            counted: Vec::new(),
            closing: None,
            arrival,
        };
        state.legs.push(LegRecord {
            channel: Some(state.arrival.channel.clone()),
            role: LegRole::Caller,
            party: state.arrival.caller_number.clone(),
            started: now.wall,
            answered: state.arrival.answered.then_some(now.wall),
            ended: None,
            cause: None,
            held_ms: 0,
        });
        state
    }

    pub fn call(&self) -> CallId {
        self.arrival.call
    }

    pub fn tenant(&self) -> TenantId {
        self.tenant
    }

    pub fn main(&self) -> &FlowName {
        &self.main
    }

    /// The flows that the call keeps, by name, with their versions.
    pub fn versions(&self) -> &BTreeMap<FlowName, u32> {
        &self.versions
    }

    /// The step in which the call stands; none once its end is decided.
    pub fn step(&self) -> Option<(&FlowName, &StepName)> {
        if self.closing.is_some() {
            return None;
        }
        self.frames.last().map(|frame| (&frame.flow, &frame.step))
    }

    /// Whether the caller is joined to another party.
    pub fn is_bridged(&self) -> bool {
        self.bridged.is_some()
    }

    /// To which channel.
    pub fn bridged(&self) -> Option<&ChannelId> {
        self.bridged.as_ref()
    }

    /// Whether the conversation is led elsewhere than its step began it.
    pub const fn is_moved(&self) -> bool {
        self.talk.is_moved()
    }

    /// Whether the caller is in a conference room.
    pub fn is_in_room(&self) -> bool {
        matches!(&self.running, Running::Conference(state) if state.entered().is_some())
            || self.talk.is_in_room()
    }

    /// Whether we placed the call, and whom we call has not come to us yet.
    pub const fn is_placed(&self) -> bool {
        self.placed.is_some()
    }

    pub fn term(&self) -> u32 {
        self.term
    }

    pub fn started(&self) -> Timestamp {
        self.started
    }

    pub fn arrival(&self) -> &Arrival {
        &self.arrival
    }

    /// The caller's leg.
    pub fn channel(&self) -> &ChannelId {
        &self.arrival.channel
    }

    /// As [`super::Call::runs_on`].
    pub fn runs_on(&self) -> bool {
        let awaited = self.waits.action.map(|(_, awaited)| awaited);
        self.is_bridged()
            || self.talk.joins()
            || matches!(awaited, Some(Awaited::Dial | Awaited::Record | Awaited::Conference))
    }

    pub(super) fn fits(&self, program: &Program) -> Result<(), ResumeError> {
        if self.format != STATE_FORMAT {
            return Err(ResumeError::Format { found: self.format, known: STATE_FORMAT });
        }
        if self.tenant != program.tenant {
            return Err(ResumeError::Tenant);
        }
        for (name, wanted) in &self.versions {
            let found = program.flows.get(name).map(|flow| flow.version);
            if found != Some(*wanted) {
                return Err(ResumeError::Version { flow: name.clone(), wanted: *wanted, found });
            }
        }
        for frame in &self.frames {
            let flow = program.flows.get(&frame.flow);
            if flow.is_none_or(|flow| !flow.flow.steps.contains_key(&frame.step)) {
                let (flow, step) = (frame.flow.clone(), frame.step.clone());
                return Err(ResumeError::Step { flow, step });
            }
        }
        if self.legs.is_empty() {
            return Err(ResumeError::Damaged("it has no leg"));
        }
        let begun = !self.frames.is_empty() || self.talk.is_tied() || self.pending.is_some();
        if !begun && self.closing.is_none() {
            return Err(ResumeError::Damaged("no flow runs in it"));
        }
        Ok(())
    }

    pub(super) fn after(&mut self, timer: Timer, ms: u64) {
        self.timers.set(timer, self.age_ms.saturating_add(ms));
    }
}
