//! What one process hands on and another takes: a call's state, secrets included. Where it is
//! written, nobody else may read or change it.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::input::{Dialed, Ending};
use super::listen::Rest;
use super::output::ActionId;
use super::state::{Awaited, State};
use super::talk::BROUGHT;
use super::variables::Secrets;
use super::{Call, address, describe};
use crate::base::digits::Digits;
use crate::base::ids::{CallId, ChannelId, InstanceId, VarName};
use crate::flow::Value;
use crate::flow::program::Program;
use crate::model::live::LiveCall;
use crate::model::timeline::What;

/// A call that changes hands so often within [`HANDS_WINDOW_MS`] brings its processes down itself.
pub const HANDS_MAX: u32 = 20;
pub const HANDS_WINDOW_MS: u64 = 60_000;

/// A call as it is written, to be read back as [`Taken`].
#[derive(Serialize)]
pub struct Kept<'a> {
    state: &'a State,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    secrets: Vec<(usize, &'a VarName, &'a Value)>,
    #[serde(skip_serializing_if = "Digits::is_empty")]
    ahead: &'a Digits,
    #[serde(skip_serializing_if = "Digits::is_empty")]
    typed: &'a Digits,
    #[serde(skip_serializing_if = "Digits::is_empty")]
    input: &'a Digits,
    #[serde(skip_serializing_if = "Option::is_none")]
    rest: Option<&'a Rest>,
}

/// A call that another process wrote.
#[derive(Deserialize)]
pub struct Taken {
    pub(in crate::call) state: State,
    #[serde(default)]
    pub(in crate::call) secrets: Vec<(usize, VarName, Value)>,
    #[serde(default)]
    pub(in crate::call) ahead: Digits,
    /// What was typed in the step.
    #[serde(default)]
    pub(in crate::call) typed: Digits,
    /// What is to be confirmed.
    #[serde(default)]
    pub(in crate::call) input: Digits,
    #[serde(default)]
    pub(in crate::call) rest: Option<Rest>,
}

/// What the switch did while nobody was there, as its channel tells.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// How the last dial ended, where it has.
    pub dialed: Option<Dialed>,
    /// How the last recording ended, where it has.
    pub recorded: Option<Ending>,
    /// Where a phone sent the caller's channel.
    pub referred: Option<Referral>,
    /// Whether the caller has been in a room since it was last sent to one.
    pub roomed: bool,
    /// Whether this process is the one that had the call.
    pub ours: bool,
}

/// Where a phone sent a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Referral {
    /// The number that it named; it comes from outside.
    pub(in crate::call) to: String,
    pub(in crate::call) leads: Leads,
}

/// Where a number leads within the tenant.
#[derive(Debug, Clone, PartialEq)]
pub enum Leads {
    /// The tenant has no such number: it may be an extension, or one outside.
    Elsewhere,
    /// To a flow. `variables` are those of the channel that it reads.
    To { program: Arc<Program>, variables: BTreeMap<String, String> },
    /// To a flow that no call can run, and why.
    Nowhere(String),
}

impl Referral {
    /// `leads` is for a number that can be one.
    pub fn new(to: String, leads: Leads) -> Self {
        let is_number = to != BROUGHT && address::user(&to).is_some();
        let leads = if is_number { leads } else { Leads::Elsewhere };
        Self { to, leads }
    }

    pub fn to(&self) -> &str {
        &self.to
    }

    /// The program of the flow to which it leads.
    pub const fn program(&self) -> Option<&Arc<Program>> {
        match &self.leads {
            Leads::To { program, .. } => Some(program),
            Leads::Elsewhere | Leads::Nowhere(_) => None,
        }
    }
}

impl Taken {
    pub fn state(&self) -> &State {
        &self.state
    }
}

impl From<State> for Taken {
    /// A state without its secrets.
    fn from(state: State) -> Self {
        let (ahead, typed, input) = Default::default();
        Self { state, secrets: Vec::new(), ahead, typed, input, rest: None }
    }
}

impl fmt::Debug for Taken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Taken").field("state", &self.state).finish_non_exhaustive()
    }
}

impl fmt::Debug for Kept<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("state", &self.state).finish_non_exhaustive()
    }
}

/// Take-overs lately.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub(in crate::call) struct Hands {
    count: u32,
    /// On the call's clock.
    since_ms: u64,
}

impl Hands {
    pub(in crate::call) fn change(&mut self, age_ms: u64) {
        if age_ms.saturating_sub(self.since_ms) >= HANDS_WINDOW_MS {
            *self = Self { count: 0, since_ms: age_ms };
        }
        self.count += 1;
    }
}

impl Call {
    /// What another process needs to go on from here. It is right at every moment between two
    /// inputs, and worth writing after each [`super::output::Output::Boundary`].
    pub fn kept(&self) -> Kept<'_> {
        Kept {
            state: &self.state,
            secrets: self.live.secrets.all().collect(),
            ahead: self.state.ahead.hidden(),
            typed: &self.live.typed,
            input: &self.live.input,
            rest: self.live.rest.as_ref(),
        }
    }

    pub fn id(&self) -> CallId {
        self.state.call()
    }

    /// Whether it brings its processes down, one after another.
    pub fn is_unstable(&self) -> bool {
        self.state.hands.count > HANDS_MAX
    }

    /// What is known of it while it is up.
    pub fn live(&self, holder: InstanceId) -> LiveCall {
        let arrival = &self.state.arrival;
        LiveCall {
            call: arrival.call,
            tenant: self.state.tenant,
            holder,
            term: self.state.term,
            channel: arrival.channel.clone(),
            flow: self.state.main.clone(),
            version: self.state.versions.get(&self.state.main).copied().unwrap_or(0),
            caller_name: self.caller_name(),
            caller_number: self.party(&arrival.caller_number),
            dialed: describe::clean(&arrival.dialed),
            started: self.state.started,
            number: arrival.via.number.clone(),
            gateway: arrival.via.gateway.clone(),
            pending: self.is_pending(),
        }
    }

    /// Whether its end is decided, and only the hang-up is awaited.
    pub fn is_closing(&self) -> bool {
        self.state.closing.is_some()
    }

    /// The dial or recording that is waited for.
    pub fn awaits(&self) -> Option<ActionId> {
        let (id, awaited) = self.state.waits.action?;
        matches!(awaited, Awaited::Dial | Awaited::Record).then_some(id)
    }

    /// Whether what the switch does now must run to its end if we are gone: a conversation, a dial
    /// or a recording. Anything else it may cut, and the step begins again.
    pub fn runs_on(&self) -> bool {
        self.state.runs_on()
    }

    /// Gives the call up to whoever comes next. Nothing is heard any more, and no record is made.
    pub fn hand_over(&mut self, reason: &str) {
        if !self.over {
            self.notice(reason);
            self.over = true;
        }
    }

    /// The caller was joined to `other` while nobody was there to hear it.
    pub(in crate::call) fn found_joined(&mut self, other: Option<ChannelId>) {
        let known = self.state.bridged.take();
        match other {
            Some(other) if known.as_ref() == Some(&other) => self.state.bridged = Some(other),
            Some(other) => self.bridged(other, None),
            None => {}
        }
    }

    /// The step goes on without us; we only listen.
    pub(in crate::call) fn note_watched(&mut self) {
        if let Some((_, step)) = self.here() {
            self.note(What::Resumed { step });
        }
    }
}

impl Secrets {
    pub(in crate::call) fn take_back(&mut self, secrets: Vec<(usize, VarName, Value)>) {
        for (depth, name, value) in secrets {
            self.put(depth, name, value);
        }
    }
}
