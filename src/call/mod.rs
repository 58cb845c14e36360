//! The machine of one call, without I/O: inputs in, outputs out.
//!
//! **How to drive it.** Hand in one input with [`Call::handle`]; take outputs with
//!  [`Call::poll_output`] until there is none; then ask [`Call::poll_timeout`] when to come back.
//!  Never two inputs in a row.
//!
//! - Time comes only from arguments, identities from birth; the same inputs give the same outputs.
//! - A command is answered by one [`output::Output::Answered`], at once.
//! - Inputs cannot fail: what is not expected is noted in the timeline and put up with.
//! - Every action carries an [`output::ActionId`]; a completion whose id is not awaited is stale
//!   and ignored.
//! - Actions, queries and notes leave in one queue: their order is part of the behaviour.
//! - Every wait has a deadline, and every deadline a name ([`timer::Timer`]).
//! - After `Output::Ended` nothing follows.
//!
//! **Who decides what.** A step (`step/`, a file per kind) orders, waits and says how it ended;
//!  only `run` changes steps, and only `end` ends a call.
#![deny(clippy::disallowed_methods, clippy::disallowed_types)]

pub mod admission;
pub mod arrival;
pub mod handover;
pub mod input;
pub mod moment;
pub mod outbound;
pub mod output;
pub mod park;
pub mod place;
pub mod queue;
pub mod room;
pub mod state;
pub mod timer;

mod address;
mod describe;
mod end;
mod fuzz;
mod journal;
mod listen;
mod mark;
mod media;
mod operator;
mod orders;
mod run;
mod step;
mod talk;
mod variables;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::base::digits::Digits;
use crate::base::ids::{ChannelId, FlowName, StepName};
use crate::base::millis::Millis;
use crate::base::now::Now;
use crate::flow::program::Program;
use crate::model::timeline::What;

use admission::Screening;
use arrival::Arrival;
use handover::{Found, Taken};
use input::{Answer, Event, FarNews, Input};
use output::{Output, QueryId};
use state::{State, Waits};
use step::Heard;
use timer::Timer;
use variables::Secrets;

pub use fuzz::fuzz_inputs;
pub use talk::{BROUGHT, Tie};

/// One call's machine.
#[derive(Debug)]
pub struct Call {
    program: Arc<Program>,
    state: State,
    live: Live,
    outputs: VecDeque<Output>,
    /// Where in `outputs` the step begins that was entered last, since the last input.
    boundary: Option<usize>,
    /// Where in `outputs` a key stands that is worth writing.
    typed: Option<usize>,
    over: bool,
}

/// What a call knows and never writes down.
#[derive(Debug)]
struct Live {
    now: Now,
    /// The switch's clock and the call's own at one moment: what turns one into the other.
    origin_mono_ms: u64,
    origin_age_ms: u64,
    /// What has been typed in the step so far.
    typed: Digits,
    /// What is to be confirmed.
    input: Digits,
    rest: Option<listen::Rest>,
    secrets: Secrets,
    /// Where the caller stands in a line, as far as it was told.
    standing: Option<queue::Standing>,
    departure: Option<operator::Departure>,
    /// Whose words are being looked up.
    saying: Option<talk::Saying>,
    /// Who gives the command that is being carried out.
    operator: Option<String>,
    asked: Option<talk::Asked>,
    /// Why it is asked how the room is in which the caller is.
    room_asked: Option<step::conference::Asks>,
    reserving: Option<talk::Reserving>,
    /// Orders to call numbers outside that nobody has answered yet.
    outgoing: Vec<outbound::Outgoing>,
    /// What is being typed in a conversation.
    typing: talk::Typing,
    /// Whether any flow of the program asks for secret digits: then no key is shown before it is
    /// known which step it is for.
    guarded_keys: bool,
}

/// Why a call can't go on from a written state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResumeError {
    #[error("the state is of format {found}; this release reads format {known}")]
    Format { found: u16, known: u16 },
    #[error("the state is another tenant's")]
    Tenant,
    #[error("flow `{flow}` is needed in version {wanted}, not {found:?}")]
    Version { flow: FlowName, wanted: u32, found: Option<u32> },
    #[error("flow `{flow}` has no step `{step}`")]
    Step { flow: FlowName, step: StepName },
    #[error("the state is damaged: {0}")]
    Damaged(&'static str),
}

impl Call {
    /// A new call, on its first step. There are outputs to poll.
    pub fn begin(arrival: Arrival, program: Arc<Program>, now: Now) -> Self {
        Self::begin_screened(arrival, program, Screening::default(), now)
    }

    /// A new call, which is on its first step only if it is let in. There are outputs to poll.
    pub fn begin_screened(
        arrival: Arrival,
        program: Arc<Program>,
        screening: Screening,
        now: Now,
    ) -> Self {
        let state = State::new(arrival, &program, now);
        let mut call = Self::with(state, program, now);
        call.note_arrival();
        call.screen(screening);
        call.settle_boundary();
        call
    }

    /// A call that another process ran: its step begins again where it waited, or goes on from what
    /// was `found`. There are outputs to poll.
    ///
    /// `program` must hold the flows in the versions that [`State::versions`] names.
    pub fn resume(
        taken: impl Into<Taken>,
        program: Arc<Program>,
        found: Found,
        now: Now,
    ) -> Result<Self, ResumeError> {
        let mut call = Self::restore(taken.into(), program, now)?;
        call.pick_up(found);
        call.settle_outside();
        call.settle_boundary();
        Ok(call)
    }

    /// A call that nobody holds while the switch goes on with it by itself: nothing is begun again.
    /// `other` is the leg to which the caller is joined. There are outputs to poll.
    pub fn watch(
        taken: impl Into<Taken>,
        program: Arc<Program>,
        other: Option<ChannelId>,
        now: Now,
    ) -> Result<Self, ResumeError> {
        let mut call = Self::restore(taken.into(), program, now)?;
        call.note_watched();
        call.follow_supervisor();
        call.follow_invited();
        call.found_joined(other);
        call.follow_moved();
        call.listen_to_keys();
        call.worth_writing();
        call.settle_boundary();
        Ok(call)
    }

    fn restore(taken: Taken, program: Arc<Program>, now: Now) -> Result<Self, ResumeError> {
        let Taken { state, secrets, ahead, typed, input, rest } = taken;
        state.fits(&program)?;
        let away = now.wall.duration_since(state.seen).as_millis();
        let mut call = Self::with(state, program, now);
        call.live.secrets.take_back(secrets);
        call.state.ahead.take_back(ahead);
        call.live.typed = typed;
        call.live.input = input;
        call.live.rest = rest;
        // A clock that was set back must not make the call younger.
        let away_ms = u64::try_from(away).unwrap_or(0).min(Millis::MAX.ms());
        call.live.origin_age_ms = call.state.age_ms.saturating_add(away_ms);
        call.tick(now);
        call.state.term = call.state.term.saturating_add(1);
        call.state.hands.change(call.state.age_ms);
        Ok(call)
    }

    fn with(mut state: State, program: Arc<Program>, now: Now) -> Self {
        let guarded_keys = variables::asks_secrets(&program);
        if guarded_keys {
            state.ahead.guard();
        }
        let live = Live {
            now,
            origin_mono_ms: now.mono_ms,
            origin_age_ms: state.age_ms,
            typed: Digits::default(),
            input: Digits::default(),
            rest: None,
            secrets: Secrets::default(),
            standing: None,
            departure: None,
            saying: None,
            operator: None,
            asked: None,
            room_asked: None,
            reserving: None,
            outgoing: Vec::new(),
            typing: talk::Typing::default(),
            guarded_keys,
        };
        Self {
            program,
            state,
            live,
            outputs: VecDeque::new(),
            boundary: None,
            typed: None,
            over: false,
        }
    }

    /// Hears one input. After the call's end nothing is heard any more.
    pub fn handle(&mut self, input: Input, now: Now) {
        if self.over {
            return;
        }
        self.tick(now);
        match input {
            Input::Event(event) => self.event(event),
            Input::Command(command) => self.command(command),
            Input::Answer(id, answer) => self.answer(id, answer),
            Input::Timeout => self.timeout(),
        }
        self.settle_queue();
        self.settle_outside();
        self.settle_boundary();
    }

    /// The next output, if there is one.
    pub fn poll_output(&mut self) -> Option<Output> {
        let output = self.outputs.pop_front();
        if output.is_none() && self.outputs.capacity() > 0 {
            // A call that waits holds no empty room.
            self.outputs = VecDeque::new();
        }
        output
    }

    /// When `Input::Timeout` is due, on the clock of [`Now::mono_ms`], and for what. One that lies
    /// in the past is due at once.
    pub fn poll_timeout(&self) -> Option<(u64, Timer)> {
        let (age, timer) = self.state.timers.first()?;
        let later = age.saturating_sub(self.live.origin_age_ms);
        Some((self.live.origin_mono_ms.saturating_add(later), timer))
    }

    /// The state without its secrets; [`Call::kept`] has them too.
    pub fn state(&self) -> &State {
        &self.state
    }

    fn tick(&mut self, now: Now) {
        let passed = now.mono_ms.saturating_sub(self.live.origin_mono_ms);
        let age = self.live.origin_age_ms.saturating_add(passed);
        self.state.age_ms = self.state.age_ms.max(age);
        self.state.seen = now.wall;
        self.live.now = now;
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Digit(digit) => self.key(digit),
            Event::Done(id, ending) => {
                self.note_done(id, describe::ending(&ending));
                self.ended(id, ending);
            }
            Event::Refused(id, reason) => {
                self.note_done(id, format!("refused: {}", describe::clean(&reason)));
                self.refused(id, reason);
            }
            Event::Obeyed(id) => self.recording_obeyed(id),
            Event::Answered => self.answered(),
            Event::Bridged { other, target } => self.bridged(other, target),
            Event::Unbridged => self.unbridged(),
            Event::Replaced { other, party } => self.replaced(other, &party),
            Event::Refers { to, other } => self.refers(to.as_deref(), other),
            Event::Room(news) => self.hear(Heard::Room(news)),
            Event::Held(on) => self.held_by_phone(None, on),
            Event::Far { channel, news } => self.far(&channel, news),
            Event::RecordingBegan { path } => self.recording_began(&path),
            Event::RecordingEnded { path, length_ms, cause } => {
                self.recording_ended(&path, length_ms, &cause);
            }
            Event::HungUp { cause, by_caller } => self.hung_up(cause, by_caller),
            Event::TakenAway { to } => self.taken_away(&to),
            Event::LinkLost { reason } => self.link_lost(&reason),
        }
    }

    fn bridged(&mut self, other: ChannelId, target: Option<usize>) {
        let channel = other.to_string();
        self.monitored_bridged(&other);
        self.parted();
        self.state.bridged = Some(other);
        self.talk_joined();
        self.parking_joined();
        self.hear(Heard::Bridged(target));
        self.listen_to_keys();
        self.tie();
        let dialed = self
            .state
            .legs
            .iter()
            .find(|leg| leg.channel.as_ref().is_some_and(|known| known.as_str() == channel));
        let party = dialed.map_or(channel, |leg| leg.party.clone());
        self.note(What::Bridged { party });
    }

    /// What nobody waits for is passed over.
    fn far(&mut self, channel: &ChannelId, news: FarNews) {
        if self.leg_goes_on(channel, &news) {
            return;
        }
        if self.supervisor_news(channel, &news) || self.invited_news(channel, &news) {
            return;
        }
        self.moved_news(channel, &news);
        match news {
            FarNews::Held(on) => self.held_by_phone(Some(channel), on),
            FarNews::Key(key) => self.far_key(channel, key),
            FarNews::Answered
            | FarNews::Room(_)
            | FarNews::Bridged(_)
            | FarNews::Unbridged
            | FarNews::Parked
            | FarNews::HungUp(_) => {}
        }
    }

    fn unbridged(&mut self) {
        self.note(What::Unbridged { cause: None });
        self.monitored_parted();
        self.parted();
        self.state.bridged = None;
    }

    fn answer(&mut self, id: QueryId, answer: Answer) {
        // Lines are asked about too often; what limits say is told when it matters.
        if !matches!(answer, Answer::Queue(_) | Answer::Admit(_) | Answer::Spoken(_)) {
            self.note(What::Heard { query: id.0, answer: describe::answer(&answer) });
        }
        if self.gateway_found(id, &answer) || self.words_found(id, &answer) {
            return;
        }
        if self.state.waits.query == Some(id) {
            self.state.waits.query = None;
            self.state.timers.clear(Timer::AnswerOverdue);
            let taken = self.admitted(Some(&answer))
                || self.far_slot_found(Some(&answer))
                || self.parking_answered(&answer)
                || self.far_room_found(Some(&answer));
            if !taken {
                self.hear(Heard::Answer(answer));
            }
        }
    }

    /// One timer at a time: the next is due at once if it is due too.
    fn timeout(&mut self) {
        let Some((due, timer)) = self.state.timers.first() else { return };
        if due > self.state.age_ms {
            return;
        }
        self.state.timers.clear(timer);
        match timer {
            Timer::Duration => self.lasted_too_long(),
            Timer::HangupOverdue => self.hangup_overdue(),
            Timer::ActionOverdue => self.action_overdue(),
            Timer::AnswerOverdue => self.answer_overdue(),
            Timer::SupervisorOverdue => self.supervisor_overdue(),
            Timer::Announced => self.recording_announced(),
            Timer::RecordingOverdue => self.recording_overdue(),
            Timer::RecordingLimit => self.recording_full(),
            Timer::Talk => self.talk_overdue(),
            Timer::TalkKeys => self.talk_keys_overdue(),
            Timer::GuestKeys => self.guest_keys_overdue(),
            Timer::HoldLimit => self.held_too_long(),
            Timer::Parked => self.parked_for_long(),
            Timer::Fetched => self.not_fetched(),
            Timer::Placed => self.placing_overdue(),
            Timer::Outside => self.outside_due(),
            Timer::FirstKey | Timer::NextKey | Timer::Pause | Timer::Waited => {
                self.hear(Heard::Due(timer));
            }
        }
    }

    fn settle_boundary(&mut self) {
        let (boundary, typed) = (self.boundary.take(), self.typed.take());
        let written = boundary.map(|at| (at, Output::Boundary));
        if let Some((at, output)) = written.or_else(|| typed.map(|at| (at, Output::Typed)))
            && !self.over
        {
            self.outputs.insert(at.min(self.outputs.len()), output);
        }
    }

    /// The step's state has changed so that a process which takes over should know it.
    fn worth_writing(&mut self) {
        self.boundary.get_or_insert(self.outputs.len());
    }

    fn waits(&self) -> &Waits {
        &self.state.waits
    }
}
