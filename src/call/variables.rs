//! The flow's variables, and those that are secret: they live in memory only.

use std::collections::BTreeMap;

use super::Call;
use super::describe;
use crate::base::digits::Digits;
use crate::base::ids::VarName;
use crate::base::masked::Masked;
use crate::flow::expr::{Expr, Scope, Template};
use crate::flow::program::Program;
use crate::flow::room::RoomSettings;
use crate::flow::schedule::{self, WallClock};
use crate::flow::{Step, Value};
use crate::model::timeline::What;

/// Secret values by the depth of their flow on the stack, and name.
#[derive(Debug, Default)]
pub(in crate::call) struct Secrets(BTreeMap<(usize, VarName), Masked<Value>>);

impl Secrets {
    pub(in crate::call) fn clear(&mut self) {
        self.0.clear();
    }

    /// Whether a text shows one of them.
    pub(in crate::call) fn shown_in(&self, text: &str) -> bool {
        let mut secrets = self.0.values().map(|secret| secret.reveal().to_text());
        secrets.any(|secret| !secret.is_empty() && text.contains(&*secret))
    }

    pub(in crate::call) fn all(&self) -> impl Iterator<Item = (usize, &VarName, &Value)> {
        self.0.iter().map(|((depth, name), value)| (*depth, name, value.reveal()))
    }

    pub(in crate::call) fn put(&mut self, depth: usize, name: VarName, value: Value) {
        self.0.insert((depth, name), Masked::new(value));
    }

    /// Forgets those of flows that have ended.
    pub(in crate::call) fn keep_below(&mut self, depth: usize) {
        self.0.retain(|(level, _), _| *level < depth);
    }
}

/// Whether any flow of the program asks for secret digits.
pub(in crate::call) fn asks_secrets(program: &Program) -> bool {
    let mut steps = program.flows.values().flat_map(|flow| flow.flow.steps.values());
    let pins = program.settings.rooms.values().any(RoomSettings::asks);
    steps.any(|step| match step {
        Step::Gather(gather) => gather.secret,
        Step::Conference(conference) => conference.role.is_none() && pins,
        _ => false,
    })
}

/// A value, and whether a secret went into it.
pub(in crate::call) struct Known {
    pub(in crate::call) value: Value,
    pub(in crate::call) secret: bool,
}

/// What an expression can read: the flow's variables, `caller.`, `call.`, `channel.`, and `input`.
pub(in crate::call) struct Names<'a> {
    call: &'a Call,
    input: Option<&'a Digits>,
}

impl Scope for Names<'_> {
    fn lookup(&self, name: &str) -> Value {
        if name == "input"
            && let Some(input) = self.input
        {
            return Value::text(input.as_str());
        }
        self.call.fact(name).unwrap_or_else(|| self.call.variable(name))
    }
}

impl Call {
    pub(in crate::call) fn names(&self) -> Names<'_> {
        Names { call: self, input: None }
    }

    pub(in crate::call) fn names_with<'a>(&'a self, input: Option<&'a Digits>) -> Names<'a> {
        Names { call: self, input }
    }

    fn depth(&self) -> usize {
        self.state.frames.len().saturating_sub(1)
    }

    /// What is known of the call itself.
    fn fact(&self, name: &str) -> Option<Value> {
        let arrival = &self.state.arrival;
        let text = match name {
            "caller.name" => arrival.caller_name.as_str(),
            "caller.number" => arrival.caller_number.as_str(),
            "dialed" => self.state.talk.dialed().unwrap_or(&arrival.dialed),
            "call.id" => return Some(Value::text(arrival.call.to_string())),
            "call.seconds" => return Some(self.seconds()),
            "queue.position" => return Some(self.position()),
            "queue.minutes" => return Some(self.minutes()),
            "now.date" => return Some(Value::text(self.wall_clock()?.date)),
            "now.time" => return Some(Value::text(self.wall_clock()?.time)),
            "now.weekday" => return Some(Value::text(self.wall_clock()?.weekday)),
            _ => {
                let channel = name.strip_prefix("channel.")?;
                return Some(arrival.variables.get(channel).map_or(Value::Nothing, Value::text));
            }
        };
        Some(Value::text(text))
    }

    /// Whole seconds since the call's first input.
    fn seconds(&self) -> Value {
        let seconds = u32::try_from(self.state.age_ms / 1_000).unwrap_or(u32::MAX);
        Value::Number(seconds.into())
    }

    /// The place in the line in which the caller waits, from 1.
    fn position(&self) -> Value {
        let standing = self.live.standing.as_ref();
        standing.map_or(Value::Nothing, |standing| Value::Number(f64::from(standing.ahead) + 1.0))
    }

    /// How many minutes that may still take, at least one.
    fn minutes(&self) -> Value {
        let wait_ms = self.live.standing.and_then(|standing| standing.wait_ms);
        wait_ms.map_or(Value::Nothing, |wait_ms| {
            let minutes = u32::try_from(wait_ms.div_ceil(60_000).max(1)).unwrap_or(u32::MAX);
            Value::Number(minutes.into())
        })
    }

    /// The time zone of the running flow.
    pub(in crate::call) fn timezone(&self) -> &str {
        let frame = self.state.frames.last();
        let flow = frame.and_then(|frame| self.program.flows.get(&frame.flow));
        let timezone = flow.and_then(|flow| flow.flow.timezone.as_deref());
        timezone.unwrap_or(&self.program.timezone)
    }

    fn wall_clock(&self) -> Option<WallClock> {
        let zone = schedule::zone(self.timezone()).ok()?;
        Some(WallClock::new(&zone, self.live.now.wall))
    }

    fn variable(&self, name: &str) -> Value {
        if let Some(secret) = self.secret(name) {
            return secret.clone();
        }
        let frame = self.state.frames.last();
        frame.and_then(|frame| frame.variables.get(name)).cloned().unwrap_or_default()
    }

    fn secret(&self, name: &str) -> Option<&Value> {
        if self.live.secrets.0.is_empty() {
            return None;
        }
        let name = name.parse::<VarName>().ok()?;
        self.live.secrets.0.get(&(self.depth(), name)).map(Masked::reveal)
    }

    /// Whether any of these variables is secret: then so is what is made of them.
    pub(in crate::call) fn any_secret<'n>(&self, names: impl IntoIterator<Item = &'n str>) -> bool {
        !self.live.secrets.0.is_empty() && names.into_iter().any(|name| self.secret(name).is_some())
    }

    pub(in crate::call) fn eval(&self, expr: &Expr) -> Known {
        let secret = self.any_secret(expr.variables());
        Known { value: expr.eval(&self.names()), secret }
    }

    /// The text, and whether a secret went into it.
    pub(in crate::call) fn render(&self, template: &Template) -> (String, bool) {
        let secret = self.any_secret(template.variables());
        (template.render(&self.names()), secret)
    }

    /// Gives a variable of the running flow a value.
    pub(in crate::call) fn set(&mut self, name: &VarName, known: Known) {
        let Known { value, secret } = known;
        let shown = if secret { "•••".to_owned() } else { describe::clean(&value.to_text()) };
        self.note(What::Set { variable: name.to_string(), value: shown });
        self.put(name, value, secret);
    }

    pub(in crate::call) fn put(&mut self, name: &VarName, value: Value, secret: bool) {
        let key = (self.depth(), name.clone());
        let Some(frame) = self.state.frames.last_mut() else { return };
        if secret {
            frame.variables.remove(name);
            self.live.secrets.0.insert(key, Masked::new(value));
        } else {
            self.live.secrets.0.remove(&key);
            frame.variables.insert(name.clone(), value);
        }
    }

    pub(in crate::call) fn set_text(&mut self, name: &VarName, text: &str, secret: bool) {
        self.set(name, Known { value: Value::text(text), secret });
    }
}
