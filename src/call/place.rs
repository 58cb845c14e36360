//! A call that we begin: somebody is called, and once they have answered, their leg comes to us as
//! any caller's does, with this call's state on it. Until then the call is heard over the link.

use std::collections::BTreeMap;
use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::arrival::{Arrival, Via};
use super::output::{Action, ActionId, PlaceOrder};
use super::state::State;
use super::talk::Address;
use super::timer::Timer;
use super::{Call, address, describe};
use crate::base::cause::{HangupCause, Party, Termination};
use crate::base::ids::{CallId, ChannelId, FlowName, VarName};
use crate::base::millis::Millis;
use crate::base::now::Now;
use crate::flow::Value;
use crate::flow::program::Program;
use crate::model::talk::Goal;

/// How long it may ring.
const RING: Millis = Millis::seconds(30);
const RING_MIN: Millis = Millis::seconds(5);
const RING_MAX: Millis = Millis::seconds(120);
/// How much longer FreeSWITCH may take to say that nobody answered.
const GRACE_MS: u64 = 10_000;
/// Longest name that is shown to who is called, in bytes.
const NAME_MAX: usize = 128;
/// Arguments for a flow, and the longest text among them in bytes: the state that holds them goes
/// out in one line with the order to call.
const ARGUMENTS_MAX: usize = 16;
const ARGUMENT_MAX: usize = 512;

/// Whom to call, and what becomes of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Placement {
    /// Who is called first: an extension or a number.
    pub to: Goal,
    /// What happens once they have answered.
    pub then: Purpose,
    /// How long it may ring: 5 s to 120 s.
    #[serde(default = "ring")]
    #[schemars(with = "String")]
    pub timeout: Millis,
    /// What they see while it rings.
    #[serde(default)]
    #[schemars(length(max = 128))]
    pub caller_name: Option<String>,
    #[serde(default)]
    #[schemars(length(max = 64))]
    pub caller_number: Option<String>,
}

const fn ring() -> Millis {
    RING
}

/// What a call is placed for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Purpose {
    /// A published flow runs, with these arguments.
    Flow {
        name: FlowName,
        #[serde(default)]
        arguments: BTreeMap<VarName, Value>,
    },
    /// They are put through to somebody: an extension or a number.
    Connect(Goal),
}

/// What can't be done about a placement: which part of it, and why.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {why}")]
pub struct Unplaceable {
    pub field: &'static str,
    pub why: String,
}

fn wrong<W: Into<String>>(field: &'static str) -> impl FnOnce(W) -> Unplaceable {
    move |why| Unplaceable { field, why: why.into() }
}

/// A call to somebody who has not answered yet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(in crate::call) struct Placed {
    action: ActionId,
    /// To whom they are put through; none where a flow begins.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<Address>,
    by: String,
}

impl Placed {
    /// The order is given once more, as this one.
    pub(in crate::call) fn again(&mut self, action: ActionId) {
        self.action = action;
    }
}

impl Placement {
    /// The flow that the call runs.
    pub const fn flow(&self) -> Option<&FlowName> {
        match &self.then {
            Purpose::Flow { name, .. } => Some(name),
            Purpose::Connect(_) => None,
        }
    }

    fn check(&self) -> Result<(), Unplaceable> {
        if self.timeout < RING_MIN || self.timeout > RING_MAX {
            return Err(wrong("timeout")(format!("it lies between {RING_MIN} and {RING_MAX}")));
        }
        if self.caller_name.as_ref().is_some_and(|name| name.len() > NAME_MAX) {
            return Err(wrong("caller_name")(format!("it has more than {NAME_MAX} bytes")));
        }
        if let Some(number) = &self.caller_number {
            address::user(number).ok_or("that is not a number").map_err(wrong("caller_number"))?;
        }
        Ok(())
    }
}

impl Call {
    /// A call to whom `placement` names, by whoever `by` is; `program` must hold the flow that it
    /// names, or none. There are outputs to poll.
    ///
    /// # Errors
    /// The tenant may not reach somebody, or the flow takes no such arguments.
    pub fn place(
        id: CallId,
        channel: ChannelId,
        placement: &Placement,
        by: &str,
        program: Arc<Program>,
        now: Now,
    ) -> Result<Self, Unplaceable> {
        placement.check()?;
        let shown = placement.caller_number.clone().unwrap_or_default();
        let arrival = Arrival {
            call: id,
            channel,
            caller_name: String::new(),
            caller_number: String::new(),
            dialed: shown,
            answered: false,
            variables: BTreeMap::new(),
            via: Via { placed: true, ..Via::default() },
        };
        let state = State::new(arrival, &program, now);
        let mut call = Self::with(state, program, now);
        let at = call.reachable(&placement.to).map_err(wrong("to"))?;
        let to = call.prepare(&placement.then)?;
        call.is_with(&at, to.as_ref());
        let by = describe::clean(by);
        call.note_arrival();
        call.limit_duration();
        call.notice(format!("{by} places the call"));
        let action = call.order(Action::Place(Box::new(PlaceOrder {
            address: at.at,
            caller_name: placement.caller_name.clone().filter(|name| !name.is_empty()),
            caller_number: placement.caller_number.as_deref().and_then(address::user),
            timeout: placement.timeout,
        })));
        call.state.after(Timer::Placed, placement.timeout.ms().saturating_add(GRACE_MS));
        call.state.placed = Some(Box::new(Placed { action, to, by }));
        Ok(call)
    }

    /// The call's caller is whom we call.
    fn is_with(&mut self, at: &Address, to: Option<&Address>) {
        let arrival = &mut self.state.arrival;
        at.party.clone_into(&mut arrival.caller_number);
        at.party.clone_into(&mut arrival.caller_name);
        if let Some(to) = to {
            to.party.clone_into(&mut arrival.dialed);
        }
        if let Some(leg) = self.state.legs.first_mut() {
            at.party.clone_into(&mut leg.party);
        }
        if to.is_some() {
            self.ties_to(at.clone());
        }
    }

    /// Looks at what is to happen, and keeps it: to whom they are put through, or the flow.
    fn prepare(&mut self, then: &Purpose) -> Result<Option<Address>, Unplaceable> {
        let (name, arguments) = match then {
            Purpose::Connect(to) => {
                return self.reachable(to).map(Some).map_err(wrong("then.connect"));
            }
            Purpose::Flow { name, arguments } => (name, arguments),
        };
        let Some(published) = self.program.flows.get(name).cloned() else {
            return Err(wrong("then.flow.name")(format!("no flow `{name}` is live")));
        };
        let refuse = |why: String| Err(wrong("then.flow.arguments")(why));
        if arguments.len() > ARGUMENTS_MAX {
            return refuse(format!("there are more than {ARGUMENTS_MAX}"));
        }
        for (argument, value) in arguments {
            if !published.flow.arguments.contains_key(argument) {
                return refuse(format!("flow `{name}` takes no argument `{argument}`"));
            }
            if value.to_text().len() > ARGUMENT_MAX {
                return refuse(format!("`{argument}` has more than {ARGUMENT_MAX} bytes"));
            }
        }
        self.stack(&published);
        for (argument, value) in arguments {
            self.put(argument, value.clone(), false);
        }
        Ok(None)
    }

    /// Whether nobody has answered yet.
    pub(in crate::call) fn is_placing(&self) -> bool {
        self.state.is_placed()
    }

    /// Who was called is there. False where the call was not one of ours to begin.
    pub(in crate::call) fn pick_up_placed(&mut self) -> bool {
        let Some(placed) = self.state.placed.take() else { return false };
        self.state.timers.clear(Timer::Placed);
        // It changes hands as a call that comes back does: nobody took it over.
        self.state.talk.returns += 1;
        self.answered();
        match placed.to {
            Some(to) => self.put_through(&placed.by, to),
            None => self.first_step(),
        }
        true
    }

    /// The order to call could not be carried out. True where that was awaited.
    pub(in crate::call) fn placing_refused(&mut self, id: ActionId, why: &str) -> bool {
        if self.state.placed.as_ref().is_none_or(|placed| placed.action != id) {
            return false;
        }
        let (party, cause) = (Party::Callee, HangupCause::named(why));
        if self.place_goes_on(cause) {
            return true;
        }
        let reason = not_reached(cause);
        self.finish(Termination { party, cause, reason });
        true
    }

    /// Neither an answer nor a refusal came.
    pub(in crate::call) fn placing_overdue(&mut self) {
        if self.is_placing() && self.state.answered_ms.is_none() {
            let (party, cause) = (Party::Callee, HangupCause::NoAnswer);
            self.close(Termination { party, cause, reason: not_reached(cause) });
        }
    }

    /// How a call ends that its other party has never answered.
    pub(in crate::call) fn unanswered(&self, cause: HangupCause) -> Option<Termination> {
        let waits = self.is_placing() && self.state.answered_ms.is_none();
        waits.then(|| Termination { party: Party::Callee, cause, reason: not_reached(cause) })
    }
}

fn not_reached(cause: HangupCause) -> String {
    format!("who was called was not reached: {cause}")
}
