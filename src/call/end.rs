//! How a call ends, and what is kept of it. Every call ends here, once.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use super::Call;
use super::describe;
use super::output::{Action, Output};
use super::state::Trace;
use super::timer::Timer;
use crate::base::cause::{HangupCause, Party, Termination};
use crate::base::ids::FlowName;
use crate::flow::Step;
use crate::flow::kind::answer::RejectReason;
use crate::model::admission::AsSent;
use crate::model::record::{CallRecord, LegRecord, LegRole, Visit};
use crate::model::timeline::What;

/// How long a hang-up that was ordered may take to be confirmed.
const HANGUP_MS: u64 = 5_000;

impl Call {
    /// Decides the end and hangs up.
    pub(in crate::call) fn close(&mut self, termination: Termination) {
        let cause = termination.cause;
        self.close_by(termination, Action::Hangup(cause));
    }

    /// Decides the end of a call that was not answered.
    pub(in crate::call) fn decline(&mut self, reason: RejectReason) {
        let termination = Termination {
            party: Party::Flow,
            cause: reason.cause(),
            reason: format!("the flow declined the call: {}", describe::declined(reason)),
        };
        self.close_by(termination, Action::Reject(reason));
    }

    pub(in crate::call) fn close_by(&mut self, termination: Termination, action: Action) {
        self.worth_writing();
        self.end_monitoring("the call is ended");
        self.leave_queue();
        self.state.running = super::step::Running::Nothing;
        self.state.waits = super::state::Waits::default();
        self.state.timers.clear_all();
        self.state.closing = Some(termination);
        self.order(action);
        self.state.after(Timer::HangupOverdue, HANGUP_MS);
    }

    pub(in crate::call) fn hang_up_by_operator(&mut self, by: &str, cause: HangupCause) {
        self.notice(format!("{by} asks to hang up: {cause}"));
        if self.state.closing.is_none() {
            let reason = format!("{by} ended the call");
            self.close(Termination { party: Party::Operator, cause, reason });
        }
    }

    pub(in crate::call) fn lasted_too_long(&mut self) {
        self.note_guard("the call lasts longer than its flow allows");
        self.close(by_us(HangupCause::AllottedTimeout, "the call lasted longer than its limit"));
    }

    /// The order to decline can be refused, where the call was answered meanwhile.
    pub(in crate::call) fn hangup_refused(&mut self) {
        let cause = self.state.closing.as_ref().map(|termination| termination.cause);
        if let Some(cause) = cause
            && self.state.counters.hangups == 0
        {
            self.state.counters.hangups += 1;
            self.order(Action::Hangup(cause));
        }
    }

    pub(in crate::call) fn hangup_overdue(&mut self) {
        if let Some(termination) = self.state.closing.take() {
            self.note_guard("the hang-up was not confirmed in time");
            self.finish(termination);
        } else if let Some(termination) = self.sent_away() {
            self.note_guard("the switch did not let go of the call in time");
            self.last_words();
            self.finish(termination);
        }
    }

    pub(in crate::call) fn hung_up(&mut self, cause: HangupCause, by_caller: Option<bool>) {
        if self.place_goes_on(cause) {
            return;
        }
        let termination = match self.state.closing.take() {
            Some(decided) => decided,
            None => match self.unanswered(cause) {
                Some(unanswered) => unanswered,
                None => {
                    self.leave_to_third();
                    self.judge(cause, by_caller)
                }
            },
        };
        self.last_words();
        let bridged = self.state.bridged.take().is_some();
        let given_up =
            if bridged { HangupCause::NormalClearing } else { HangupCause::OriginatorCancel };
        let now = self.live.now.wall;
        let stay = self.legs_in_rooms();
        for (index, leg) in self.state.legs.iter_mut().enumerate() {
            if leg.ended.is_none() && !stay.contains(&index) {
                leg.ended = Some(now);
                leg.cause = Some(if index == 0 { cause } else { given_up });
            }
        }
        self.finish(termination);
    }

    pub(in crate::call) fn link_lost(&mut self, reason: &str) {
        let reason = describe::clean(reason);
        self.notice(format!("the link to the switch is lost: {reason}"));
        let termination = match (self.state.closing.take(), self.departed()) {
            (Some(decided), _) | (None, Some(decided)) => decided,
            (None, None) => {
                self.leave_to_third();
                let reason = format!("the link to the switch was lost: {reason}");
                Termination { party: Party::Us, cause: HangupCause::NetworkOutOfOrder, reason }
            }
        };
        self.last_words();
        self.finish(termination);
    }

    /// The call goes on elsewhere.
    pub(in crate::call) fn taken_away(&mut self, to: &str) {
        let to = describe::clean(to);
        let termination = self.departed().unwrap_or_else(|| {
            let party = if self.state.bridged.is_some() { Party::Callee } else { Party::Operator };
            let reason = format!("the call was transferred to `{to}`");
            Termination { party, cause: HangupCause::BlindTransfer, reason }
        });
        self.last_words();
        self.finish(termination);
    }

    /// Who ended a call that we did not end. The switch says whether it was the caller; what it
    /// leaves open, the cause tells.
    fn judge(&self, cause: HangupCause, by_caller: Option<bool>) -> Termination {
        if let Some(departed) = self.departed()
            && by_caller != Some(true)
        {
            return departed;
        }
        let (party, reason) = match (by_caller, cause) {
            (Some(true), _)
            | (None, HangupCause::NormalClearing | HangupCause::OriginatorCancel) => {
                (Party::Caller, "the caller hung up")
            }
            (_, HangupCause::ManagerRequest) => {
                (Party::Operator, "the call was ended at the switch")
            }
            (_, HangupCause::SystemShutdown) => (Party::Us, "the switch was shut down"),
            (_, HangupCause::BlindTransfer | HangupCause::AttendedTransfer) => {
                (Party::Caller, "the caller's phone transferred the other party")
            }
            (_, HangupCause::AllottedTimeout) => (Party::Us, "the call met a time limit"),
            (Some(false), HangupCause::DestinationOutOfOrder) => {
                (Party::Us, "the switch could not do what it was told")
            }
            (Some(false), HangupCause::NormalClearing) if self.state.bridged.is_some() => {
                (Party::Callee, "the far end hung up")
            }
            (Some(false), HangupCause::NormalClearing) => {
                (Party::Operator, "the switch ended the call")
            }
            (Some(false) | None, _) => (Party::Carrier, "the connection to the caller failed"),
        };
        Termination { party, cause, reason: reason.into() }
    }

    pub(in crate::call) fn finish(&mut self, termination: Termination) {
        self.leave_visits();
        self.end_monitoring("the call ended");
        self.recording_over(None);
        self.release_others();
        self.parted();
        let now = self.live.now.wall;
        let stay = self.legs_in_rooms();
        let legs = self.state.legs.iter_mut().enumerate();
        for (_, leg) in legs.filter(|(index, _)| !stay.contains(index)) {
            leg.ended.get_or_insert(now);
            leg.cause.get_or_insert(termination.cause);
        }
        self.end_outside();
        self.note(What::Ended { termination: termination.clone() });
        let record = self.call_record(termination);
        self.outputs.push_back(Output::Ended(Box::new(record)));
        self.state.timers.clear_all();
        self.state.waits = super::state::Waits::default();
        self.live.secrets.clear();
        self.live.typed.clear();
        self.live.input.clear();
        self.state.ahead.clear();
        self.over = true;
    }

    fn call_record(&self, termination: Termination) -> CallRecord {
        let arrival = &self.state.arrival;
        let legs = self
            .state
            .legs
            .iter()
            .map(|leg| LegRecord { party: self.party(&leg.party), ..leg.clone() });
        let first = self.state.frames.first();
        let variables = first.map(|frame| {
            let shown = frame.variables.iter();
            shown.map(|(name, value)| (name.to_string(), value.to_json())).collect()
        });
        CallRecord {
            call: arrival.call,
            tenant: self.state.tenant,
            flow: self.state.main.clone(),
            version: self.state.versions.get(&self.state.main).copied().unwrap_or(0),
            caller_name: self.caller_name(),
            caller_number: self.party(&arrival.caller_number),
            dialed: describe::clean(&arrival.dialed),
            started: self.state.started,
            answered: self.state.answered_ms.map(|ms| self.wall(ms)),
            ended: self.live.now.wall,
            legs: legs.collect(),
            path: self.path(),
            termination,
            versions: self.other_versions(),
            came_by: arrival.via.came_by(),
            hands: self.state.term.saturating_sub(self.state.talk.returns),
            swept: false,
            recordings: self.state.recordings.clone(),
            transfers: self.state.talk.transfers.clone(),
            turned_away: self.state.turned_away.as_deref().cloned(),
            as_sent: self.as_sent(),
            variables: variables.unwrap_or_default(),
        }
    }

    fn as_sent(&self) -> AsSent {
        let sent = &self.state.arrival.via.sent;
        AsSent {
            caller_number: sent.caller_number.as_deref().map(|number| self.party(number)),
            dialed: sent.dialed.as_deref().map(describe::clean),
        }
    }

    /// Of the flows on its path.
    fn other_versions(&self) -> BTreeMap<FlowName, u32> {
        let flows: BTreeSet<usize> = self.state.path.iter().map(|trace| trace.flow).collect();
        let names = self.program.flows.keys().enumerate();
        let on_path = names.filter(|(at, name)| flows.contains(at) && **name != self.state.main);
        let version = |name: &FlowName| Some((name.clone(), *self.state.versions.get(name)?));
        on_path.filter_map(|(_, name)| version(name)).collect()
    }

    fn path(&self) -> Vec<Visit> {
        let path = self.state.path.iter().enumerate();
        path.filter_map(|(at, trace)| self.visit_record(at, trace)).collect()
    }

    fn visit_record(&self, at: usize, trace: &Trace) -> Option<Visit> {
        let (name, published) = self.program.flows.iter().nth(trace.flow)?;
        let (step, written) = published.flow.steps.iter().nth(trace.step)?;
        let mark = self.marked(at);
        Some(Visit {
            flow: name.clone(),
            step: step.clone(),
            no_input: mark.no_input,
            invalid: mark.invalid,
            answered_ms: mark.answered_ms,
            queue: match written {
                Step::Queue(queue) => Some(queue.queue.clone()),
                _ => None,
            },
            entered: self.wall(trace.entered_ms),
            took_ms: trace.took_ms,
            outcome: trace.outcome.to_string(),
            keys: trace.keys.trim_end().to_owned(),
        })
    }

    /// The date of a moment on the call's clock.
    pub(in crate::call) fn wall(&self, age_ms: u64) -> Timestamp {
        let span = SignedDuration::from_millis(i64::try_from(age_ms).unwrap_or(i64::MAX));
        self.state.started.saturating_add(span).unwrap_or(self.state.started)
    }

    /// Notes when the caller's leg was answered; the first time counts.
    pub(in crate::call) fn answered(&mut self) {
        if self.state.answered_ms.is_none() {
            self.state.answered_ms = Some(self.state.age_ms);
            let now = self.live.now.wall;
            if let Some(leg) = self.state.legs.iter_mut().find(|leg| leg.role == LegRole::Caller) {
                leg.answered = Some(now);
            }
            self.note(What::Answered);
        }
    }
}

/// An end for which we are to blame.
pub(in crate::call) fn by_us(cause: HangupCause, reason: impl Into<String>) -> Termination {
    Termination { party: Party::Us, cause, reason: reason.into() }
}
