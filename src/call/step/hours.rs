//! `hours`: goes on by whether it is open now.

use super::{Next, Running};
use crate::call::Call;
use crate::flow::Outcome;
use crate::flow::kind::hours::Hours;
use crate::flow::schedule::{self, State};

pub(in crate::call) fn enter(call: &Call, hours: &Hours) -> (Running, Next) {
    let opening = match &hours.schedule {
        None => Some(hours.own()),
        Some(name) => call.program.settings.schedules.at(name, call.state.started).cloned(),
    };
    let Some(opening) = opening else {
        // A flow that names one is not published without it, and one in use is not removed.
        let name = hours.schedule.as_ref().map(ToString::to_string).unwrap_or_default();
        let why = format!("the tenant has no schedule `{name}`");
        return (Running::Nothing, Next::leave(Outcome::Closed, why));
    };
    let next = match schedule::state(&opening, call.timezone(), call.live.now.wall) {
        Ok(answer) => match answer.state {
            State::Open => Next::leave(Outcome::Done, answer.why),
            State::Closed => Next::leave(Outcome::Closed, answer.why),
            State::Holiday { .. } => Next::leave(Outcome::Holiday, answer.why),
        },
        // A flow with such hours is not published. Closed is the safer guess.
        Err(unreadable) => Next::leave(Outcome::Closed, unreadable.to_string()),
    };
    (Running::Nothing, next)
}
