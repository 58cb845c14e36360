//! Walks the flow: enters a step, lets it wait, leaves it by its outcome. Nobody else changes
//! steps.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::Call;
use super::end::by_us;
use super::handover::Found;
use super::state::{Frame, PATH_MAX, Trace};
use super::step::{self, Heard, Next, Running, Way};
use super::timer::Timer;
use super::variables::Known;
use crate::base::cause::{HangupCause, Party, Termination};
use crate::base::digits::Digit;
use crate::base::ids::{FlowName, StepName, VarName};
use crate::flow::program::Published;
use crate::flow::{Limits, Outcome, Step, Value};
use crate::model::talk::Side;
use crate::model::timeline::What;

/// Steps that a fallback may take after a guard has acted: enough to say sorry and to pass the call
/// on.
const FALLBACK_STEPS: u32 = 20;
/// So much time makes a step count as not silent.
const SILENCE_MS: u64 = 1_000;

impl Call {
    /// The first step of the first flow.
    pub(in crate::call) fn start(&mut self) {
        self.limit_duration();
        let main = self.state.main.clone();
        let next = self.enter_flow(&main, BTreeMap::new());
        self.walk(next);
    }

    /// However long the call lasts, its first flow's limit ends it.
    pub(in crate::call) fn limit_duration(&mut self) {
        self.state.timers.set(Timer::Duration, self.limits().duration.ms());
    }

    /// The step that another process left, again.
    pub(in crate::call) fn pick_up(&mut self, found: Found) {
        if let Some(termination) = self.state.closing.take() {
            return self.close(termination);
        }
        if self.pick_up_placed() {
            return;
        }
        if self.pick_up_pending() {
            return;
        }
        let here = self.here();
        if here.is_none() && !self.is_loose() {
            return;
        }
        self.note_watched();
        self.end_monitoring("the conversation ended");
        if found.ours {
            self.state.talk.returns += 1;
        }
        self.parted();
        self.state.timers.clear_step();
        self.state.waits = super::state::Waits::default();
        self.worth_writing();
        self.follow_invited();
        if self.pick_up_parked(&found) || self.pick_up_moved(&found) {
            return;
        }
        let step = here.as_ref().and_then(|(flow, name)| flow.flow.steps.get(name));
        if let Some(step) = step {
            let left = std::mem::take(&mut self.state.running);
            let (running, next) = step::resume(self, step, left, found);
            self.state.running = running;
            self.walk(next);
        }
    }

    /// The limits of the whole call: its first flow's, which may be lower than the ceiling.
    pub(in crate::call) fn limits(&self) -> Limits {
        let ceiling = Limits::CEILING;
        let limits = self.program.flows.get(&self.state.main).map(|main| main.flow.limits);
        limits.map_or(ceiling, |limits| Limits {
            steps: limits.steps.min(ceiling.steps),
            silent_steps: limits.silent_steps.min(ceiling.silent_steps),
            duration: limits.duration.min(ceiling.duration),
            legs: limits.legs.min(ceiling.legs),
            depth: limits.depth.min(ceiling.depth),
        })
    }

    pub(in crate::call) fn here(&self) -> Option<(Arc<Published>, StepName)> {
        let frame = self.state.frames.last()?;
        Some((self.program.flows.get(&frame.flow)?.clone(), frame.step.clone()))
    }

    /// The waiting step hears something.
    pub(in crate::call) fn hear(&mut self, heard: Heard) {
        if self.state.closing.is_some() || self.is_leaving() {
            return;
        }
        if self.goes_to_room() {
            return self.room_hear(heard);
        }
        let Some((published, name)) = self.here() else { return };
        let Some(step) = published.flow.steps.get(&name) else { return };
        let mut running = std::mem::take(&mut self.state.running);
        let next = step::hear(self, step, &mut running, heard);
        self.state.running = running;
        self.walk(next);
    }

    /// A key of the caller.
    pub(in crate::call) fn key(&mut self, key: Digit) {
        if self.is_rest(key) {
            return self.notice("a key is dropped: the input that it belongs to has been judged");
        }
        self.note_key(key);
        let most = self.limits().steps;
        let counters = &mut self.state.counters;
        counters.silent = 0;
        counters.silent_since_ms = self.state.age_ms;
        if counters.steps <= most {
            // The circle is broken.
            counters.steps_left = None;
        }
        let at = self.outputs.len();
        if self.state.bridged.is_some() || self.caller_consults() {
            self.talk_key(Side::Caller, key);
        }
        self.hear(Heard::Key(key));
        // A key is heard once: whoever takes over must know it.
        if !(self.live.typed.is_empty() && self.state.ahead.is_empty()) {
            self.typed = Some(at);
        }
    }

    /// Whether a key pressed now may be shown: the step that takes it asks for nothing secret, or
    /// nothing in the whole program does.
    pub(in crate::call) fn shows_keys(&self) -> bool {
        if self.state.bridged.is_some() || self.caller_consults() {
            // Keys pressed in a conversation are for the far end: a bank's PIN, say.
            return false;
        }
        let step = self.here();
        let step = step.as_ref().and_then(|(flow, name)| flow.flow.steps.get(name));
        match (&self.state.running, step) {
            // A PIN is typed before, and codes are nobody's business.
            (Running::Conference(_), _) => false,
            _ if self.goes_to_room() => false,
            (Running::Menu(state), Some(Step::Menu(menu))) if state.takes_keys(menu) => true,
            (Running::Gather(state), Some(Step::Gather(gather))) if state.takes_keys(gather) => {
                !gather.secret
            }
            (_, _) => !self.live.guarded_keys,
        }
    }

    /// Goes on until something is awaited or the call is over; the guards bound it.
    pub(in crate::call) fn walk(&mut self, mut next: Next) {
        loop {
            next = match next {
                Next::Wait => return,
                Next::Leave { way, why } => self.leave(way, why),
                Next::Call { flow, arguments } => self.enter_flow(&flow, arguments),
                Next::Return(value) => self.return_from_flow(value),
                Next::Close(termination) => return self.close(termination),
                Next::Decline(reason) => return self.decline(reason),
                Next::Gone(termination) => return self.finish(termination),
            };
        }
    }

    fn enter_flow(&mut self, name: &FlowName, arguments: BTreeMap<VarName, Known>) -> Next {
        let Some(published) = self.program.flows.get(name).cloned() else {
            return self.no_flow(name);
        };
        let depth = self.limits().depth as usize;
        if self.state.frames.len() >= depth {
            self.note_guard(format!("flows call one another more than {depth} deep"));
            return Next::failed("the flows are nested too deep");
        }
        self.stack(&published);
        let flow = &published.flow;
        for (argument, known) in arguments {
            if flow.arguments.contains_key(&argument) {
                self.put(&argument, known.value, known.secret);
            } else {
                self.notice(format!("flow `{name}` takes no argument `{argument}`"));
            }
        }
        self.enter(&published, &flow.start)
    }

    /// Puts a flow on the stack, at its first step.
    pub(in crate::call) fn stack(&mut self, published: &Published) {
        let flow = &published.flow;
        let given = flow.arguments.iter().chain(&flow.variables);
        self.state.frames.push(Frame {
            flow: published.name.clone(),
            step: flow.start.clone(),
            variables: given.map(|(name, value)| (name.clone(), value.clone())).collect(),
            visit: None,
        });
    }

    /// Enters the step at which a flow stands that was only put on the stack.
    pub(in crate::call) fn first_step(&mut self) {
        if let Some((published, name)) = self.here() {
            let next = self.enter(&published, &name);
            self.walk(next);
        }
    }

    fn no_flow(&self, name: &FlowName) -> Next {
        let why = format!("there is no flow `{name}`");
        if self.state.frames.is_empty() {
            return Next::Close(by_us(HangupCause::NormalTemporaryFailure, why));
        }
        Next::failed(why)
    }

    fn return_from_flow(&mut self, known: Known) -> Next {
        self.stamp("return");
        self.note_left("return", None, String::new());
        if self.state.frames.len() <= 1 {
            let (party, cause) = (Party::Flow, HangupCause::NormalClearing);
            let reason = "the flow came to its end".into();
            return Next::Close(Termination { party, cause, reason });
        }
        self.pop_frame();
        let into =
            self.here().and_then(|(published, name)| match published.flow.steps.get(&name)? {
                Step::Flow(subflow) => subflow.into.clone(),
                _ => None,
            });
        match into {
            Some(name) => self.set(&name, known),
            None if known.value != Value::Nothing => {
                self.notice("what the flow returns is not used")
            }
            None => {}
        }
        Next::done()
    }

    fn pop_frame(&mut self) {
        self.state.frames.pop();
        self.live.secrets.keep_below(self.state.frames.len());
    }

    fn enter(&mut self, published: &Published, name: &StepName) -> Next {
        self.state.timers.clear_step();
        self.state.waits = super::state::Waits::default();
        self.live.typed.clear();
        self.live.input.clear();
        self.boundary = Some(self.outputs.len());
        let Some(step) = published.flow.steps.get(name) else {
            let why = format!("there is no step `{name}`");
            return Next::Close(by_us(HangupCause::NormalTemporaryFailure, why));
        };
        if let Some(frame) = self.state.frames.last_mut() {
            frame.step = name.clone();
            frame.visit = None;
        }
        if let Some(next) = self.guard(published) {
            return next;
        }
        let kind = step::kind(step).to_owned();
        self.note(What::StepEntered { flow: published.name.clone(), step: name.clone(), kind });
        self.trace(published, name);
        let (running, next) = step::enter(self, step);
        self.state.running = running;
        next
    }

    /// Counts the step about to be entered. Where it is one too many the call goes to the fallback,
    /// once.
    fn guard(&mut self, published: &Published) -> Option<Next> {
        let limits = self.limits();
        let age_ms = self.state.age_ms;
        let counters = &mut self.state.counters;
        if age_ms.saturating_sub(counters.silent_since_ms) >= SILENCE_MS {
            counters.silent = 0;
            counters.silent_since_ms = age_ms;
        }
        counters.steps += 1;
        counters.silent += 1;
        let limit = match counters.steps_left.as_mut() {
            Some(left) => {
                *left = left.saturating_sub(1);
                (*left == 0).then(|| format!("more than {FALLBACK_STEPS} steps after a guard"))
            }
            None if counters.steps > limits.steps => {
                Some(format!("more than {} steps", limits.steps))
            }
            None if counters.silent > limits.silent_steps => {
                Some(format!("more than {} steps without a key or a second", limits.silent_steps))
            }
            None => None,
        }?;
        let first = counters.steps_left.is_none();
        counters.steps_left = Some(FALLBACK_STEPS);
        counters.silent = 0;
        self.note_guard(&limit);
        match &published.flow.fallback {
            Some(fallback) if first => {
                let fallback = fallback.clone();
                Some(self.enter(published, &fallback))
            }
            Some(_) | None => {
                let why = format!("the flow goes in circles: {limit}");
                Some(Next::Close(by_us(HangupCause::NormalTemporaryFailure, why)))
            }
        }
    }

    /// Whether so many more legs are too many for one call.
    pub(in crate::call) fn legs_exceeded(&mut self, more: usize) -> Option<String> {
        let limit = self.limits().legs;
        let legs = u32::try_from(more).unwrap_or(u32::MAX);
        if self.state.counters.legs.saturating_add(legs) <= limit {
            return None;
        }
        let limit = format!("more than {limit} legs dialed");
        self.note_guard(&limit);
        Some(limit)
    }

    fn leave(&mut self, way: Way, why: String) -> Next {
        let Some((published, name)) = self.here() else { return Next::Wait };
        let (outcome, to) = match way {
            Way::Choice { label, to } => (label, Some(to)),
            Way::Outcome(outcome) => {
                let step = published.flow.steps.get(&name);
                let to = step.and_then(|step| way_out(step, outcome));
                (outcome.name().to_owned(), to.cloned())
            }
        };
        self.let_go(&outcome);
        if let Some(to) = to {
            self.note_left(&outcome, Some(&to), why);
            return self.enter(&published, &to);
        }
        self.fall_back(&published, &name, &outcome, why)
    }

    /// Ends what the step has begun.
    fn let_go(&mut self, outcome: &str) {
        self.unpark();
        self.leave_queue();
        self.stop_action();
        self.stop_conversation_recording();
        self.state.timers.clear_step();
        self.stamp(outcome);
    }

    /// Leaves the flow, and whatever called it, for another of the call's flows.
    pub(in crate::call) fn go_to_flow(&mut self, name: &FlowName, why: &str) {
        self.let_go("moved");
        self.note_left("moved", None, why.to_owned());
        self.state.running = Running::Nothing;
        self.state.frames.clear();
        self.live.secrets.keep_below(0);
        let next = self.enter_flow(name, BTreeMap::new());
        self.walk(next);
    }

    /// A step failed and its author named no way out for that: the flow's fallback, the calling
    /// flow's, or the end.
    fn fall_back(
        &mut self,
        published: &Published,
        name: &StepName,
        outcome: &str,
        why: String,
    ) -> Next {
        if let Some(fallback) = published.flow.fallback.as_ref().filter(|to| *to != name) {
            let separator = if why.is_empty() { "" } else { "; " };
            let why = format!("{why}{separator}by the flow's fallback");
            self.note_left(outcome, Some(fallback), why);
            return self.enter(published, fallback);
        }
        self.note_left(outcome, None, why.clone());
        if self.state.frames.len() > 1 {
            self.pop_frame();
            return Next::failed(format!("flow `{}` failed: {why}", published.name));
        }
        let why = format!("step `{name}` ended with `{outcome}`, and there is no way on: {why}");
        Next::Close(by_us(HangupCause::NormalTemporaryFailure, why))
    }

    fn note_left(&mut self, outcome: &str, next: Option<&StepName>, why: String) {
        let Some((_, step)) = self.here() else { return };
        self.note(What::StepLeft { step, outcome: outcome.to_owned(), next: next.cloned(), why });
    }

    fn trace(&mut self, published: &Published, name: &StepName) {
        if self.state.path.len() >= PATH_MAX {
            if self.state.path.len() == PATH_MAX
                && self.state.counters.steps as usize == PATH_MAX + 1
            {
                self.notice(format!("the record's path is cut after {PATH_MAX} steps"));
            }
            return;
        }
        let flow = self.program.flows.keys().position(|flow| *flow == published.name);
        let step = published.flow.steps.keys().position(|step| step == name);
        let visit = self.state.path.len();
        self.state.path.push(Trace {
            flow: flow.unwrap_or_default(),
            step: step.unwrap_or_default(),
            entered_ms: self.state.age_ms,
            took_ms: 0,
            outcome: "".into(),
            keys: "".into(),
        });
        if let Some(frame) = self.state.frames.last_mut() {
            frame.visit = Some(visit);
        }
    }

    /// Closes the visit of the running step.
    fn stamp(&mut self, outcome: &str) {
        let age_ms = self.state.age_ms;
        if let Some(visit) = self.visit_mut() {
            visit.took_ms = age_ms.saturating_sub(visit.entered_ms);
            visit.outcome = outcome.into();
        }
        if let Some(frame) = self.state.frames.last_mut() {
            frame.visit = None;
        }
    }

    /// Closes the visits that the call's end cut short.
    pub(in crate::call) fn leave_visits(&mut self) {
        let age_ms = self.state.age_ms;
        for frame in &mut self.state.frames {
            let visit = frame.visit.take().and_then(|visit| self.state.path.get_mut(visit));
            if let Some(visit) = visit {
                visit.took_ms = age_ms.saturating_sub(visit.entered_ms);
            }
        }
    }

    pub(in crate::call) fn visit(&self) -> Option<&Trace> {
        let visit = self.state.frames.last()?.visit?;
        self.state.path.get(visit)
    }

    pub(in crate::call) fn visit_mut(&mut self) -> Option<&mut Trace> {
        let visit = self.state.frames.last()?.visit?;
        self.state.path.get_mut(visit)
    }

    /// How the call ended for us, where it is just leaving for the dialplan.
    pub(in crate::call) fn departed(&self) -> Option<Termination> {
        let sent = self.sent_away();
        if sent.is_some() {
            return sent;
        }
        match &self.state.running {
            Running::Transfer(state) => Some(state.termination()),
            Running::Nothing
            | Running::Answer(_)
            | Running::Ring(_)
            | Running::Play(_)
            | Running::Menu(_)
            | Running::Gather(_)
            | Running::Http(_)
            | Running::Dial(_)
            | Running::Dtmf(_)
            | Running::Queue(_)
            | Running::Conference(_)
            | Running::Message(_)
            | Running::Record(_)
            | Running::Hold(_)
            | Running::Park
            | Running::Retrieve(_)
            | Running::Flow => None,
        }
    }

    /// Saves what the running step would lose by the call's end.
    pub(in crate::call) fn last_words(&mut self) {
        self.leave_queue();
        let Some((published, name)) = self.here() else { return };
        let running = std::mem::take(&mut self.state.running);
        match (running, published.flow.steps.get(&name)) {
            (Running::Message(state), Some(Step::Message(message))) => state.hung_up(self, message),
            (Running::Conference(state), _) => state.hung_up(self),
            _ => {}
        }
    }
}

/// The way out that the author named for an outcome or for one that stands for it.
fn way_out(step: &Step, outcome: Outcome) -> Option<&StepName> {
    let mut outcomes = std::iter::successors(Some(outcome), |outcome| outcome.parent());
    outcomes.find_map(|outcome| step::way_out(step, outcome))
}
