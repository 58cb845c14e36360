//! Before the first step: a caller who is blocked, or a call too many, is declined or has another
//! flow. How many calls there are is known outside, where every process sees them; the call asks
//! once, before anything is heard of it, and is let in where nobody knows.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Call;
use super::arrival::Via;
use super::input::Answer;
use super::output::{Action, Query};
use super::timer::Timer;
use crate::base::cause::{Party, Termination};
use crate::base::ids::{CallId, FlowName};
use crate::flow::program::Program;
use crate::model::admission::{CallLimit, Over, TurnedAway};

/// How long the question may take at most: whoever answers has a shorter limit of its own.
const ANSWER_MS: u64 = 2_000;

/// What the tenant's rules say to a call that arrives.
#[derive(Debug, Clone, Default)]
pub struct Screening {
    /// It is not let in, whatever the limits.
    pub turned_away: Option<TurnedAway>,
    /// These are asked about; the first that is met is named.
    pub limits: Vec<CallLimit>,
    /// The flows that calls have which are not let in.
    pub flows: BTreeMap<FlowName, Arc<Program>>,
}

/// A call that has found its flow.
#[derive(Debug, Clone)]
pub struct Arriving {
    pub program: Arc<Program>,
    pub screening: Screening,
    pub via: Via,
    /// Its sound has to stay encrypted.
    pub encrypted: bool,
    /// The caller's number and the dialed one, where the tenant's plan reads them otherwise.
    pub caller_number: Option<String>,
    pub dialed: Option<String>,
    /// What stands before the caller's name.
    pub label: Option<String>,
}

impl Arriving {
    /// One that nobody looks at any further.
    pub fn plain(program: Arc<Program>) -> Self {
        let (screening, via) = (Screening::default(), Via::default());
        let (caller_number, dialed, label) = (None, None, None);
        Self { program, screening, via, encrypted: false, caller_number, dialed, label }
    }
}

/// Whether one more call fits into these limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AdmitQuery {
    pub call: CallId,
    pub limits: Vec<CallLimit>,
}

/// What is known of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AdmitFound {
    Admitted,
    Over(Over),
}

/// The call waits to be let in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::call) struct Pending {
    limits: Vec<CallLimit>,
}

impl Call {
    /// Enters the first step, or whatever comes before it.
    pub(in crate::call) fn screen(&mut self, screening: Screening) {
        for program in screening.flows.values() {
            self.keep_flows(program);
        }
        match screening.turned_away {
            Some(turned) => self.turn_away(turned),
            None if screening.limits.is_empty() => self.start(),
            None => {
                self.state.pending = Some(Box::new(Pending { limits: screening.limits }));
                self.ask_to_enter();
            }
        }
    }

    fn ask_to_enter(&mut self) {
        let Some(pending) = &self.state.pending else { return };
        let limits = pending.limits.clone();
        let query = Query::Admit(Box::new(AdmitQuery { call: self.id(), limits }));
        let id = self.tell(query);
        self.state.waits.query = Some(id);
        self.state.after(Timer::AnswerOverdue, ANSWER_MS);
    }

    /// Another process goes on: it asks anew. True where the call waits to be let in.
    pub(in crate::call) fn pick_up_pending(&mut self) -> bool {
        self.state.waits.query = None;
        self.ask_to_enter();
        self.state.pending.is_some()
    }

    /// The limits have answered, or nobody has. True where that was awaited.
    pub(in crate::call) fn admitted(&mut self, answer: Option<&Answer>) -> bool {
        let Some(pending) = self.state.pending.take() else { return false };
        if self.state.closing.is_some() || self.is_leaving() {
            return true;
        }
        let over = match answer {
            Some(Answer::Admit(AdmitFound::Over(over))) => Some(*over),
            Some(_) | None => None,
        };
        let limit = over.and_then(|over| Some((pending.limits.get(over.limit)?, over.measure)));
        match limit {
            Some((limit, measure)) => self.turn_away(TurnedAway::over(limit, measure)),
            None => self.start(),
        }
        true
    }

    /// Declines the call before it is answered, or gives it the flow that is meant for such.
    fn turn_away(&mut self, turned: TurnedAway) {
        self.notice(format!("{}: {}", turned.rule, turned.reason));
        let flow = turned.instead.flow().filter(|flow| self.program.flows.contains_key(*flow));
        let (flow, declined) = (flow.cloned(), turned.declined());
        let reason = turned.reason.clone();
        self.state.turned_away = Some(Box::new(turned));
        if let Some(flow) = flow {
            self.limit_duration();
            return self.go_to_flow(&flow, &reason);
        }
        let (party, cause) = (Party::Us, declined.cause());
        self.close_by(Termination { party, cause, reason }, Action::Reject(declined));
    }

    /// Whether it is not known yet if the call is let in.
    pub(in crate::call) const fn is_pending(&self) -> bool {
        self.state.pending.is_some()
    }
}
