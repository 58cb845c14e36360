//! What a flow means, checked against what its tenant has: all problems at once, sorted by place.
//!
//! | code | severity | said of |
//! |---|---|---|
//! | `dangling-target` | error | a way that leads to no step |
//! | `unreachable-step` | warning | a step that no call can come to |
//! | `silent-loop` | error or warning | a loop that never waits; a warning if calls can leave it |
//! | `unhandled-outcome` | error | an ordinary outcome with no way out and no `fallback` |
//! | `no-fallback` | warning | steps that can fail, in a flow without `fallback` |
//! | `bad-choice` | error | a choice that is neither keys nor a usable pattern |
//! | `bad-pattern` | error | a pattern that can't be used |
//! | `choice-never-matches` | error | a choice that no input can take |
//! | `choice-shadowed` | error | a choice of which every input takes another first |
//! | `choices-overlap` | warning | inputs that two choices, or one and direct dial, match |
//! | `choice-delayed` | warning | a choice that begins extensions, and so waits for more keys |
//! | `terminator-in-choice` | warning | a terminator that goes on with another choice |
//! | `no-choices` | error | a menu in which nothing can be chosen |
//! | `bad-keys` | error | keys to send that are none |
//! | `no-delay` | error | a `delay` of a queue's target |
//! | `out-of-range` | error | a number or time outside its bounds |
//! | `too-many` | error | a list that is too long |
//! | `empty-list` | error | a list that needs at least one entry |
//! | `limit-above-ceiling` | error | a limit above what any flow may have |
//! | `unknown-timezone` | error | a name that is no time zone |
//! | `bad-hours` | error | a span or day that can't be read |
//! | `hours-overlap` | warning | two spans of a day that share a minute |
//! | `hours-twice` | error | hours of a step's own beside a schedule |
//! | `date-twice` | warning | a day that stands twice among the holidays or exceptions |
//! | `unknown-cause` | error | a hang-up cause that FreeSWITCH has no name for |
//! | `unknown-prompt` | error | a prompt that the tenant does not have |
//! | `unknown-schedule` | error | a schedule that the tenant does not have |
//! | `unknown-flow` | error | a flow that the tenant does not have |
//! | `unknown-argument` | error | an argument that the called flow does not take |
//! | `flow-recursion` | warning | a flow that can call itself |
//! | `flows-too-deep` | error | calls from flow to flow beyond `limits.depth` |
//! | `unknown-gateway` | error | a gateway that is not the tenant's |
//! | `unknown-sip-host` | error | a SIP address at a host that is not allowed |
//! | `bad-address` | error | a SIP address without a user or a host |
//! | `unknown-context` | error | a dialplan context that is not allowed |
//! | `no-speech-engine` | error | text to speech where no engine is configured |
//! | `bad-url` | error | an address without a scheme and host that are written out |
//! | `bad-header` | error | an http header that can't be sent |
//! | `bad-body` | error | a text of an http body that is no template |
//! | `bad-pointer` | error | a place in an answer that is no JSON pointer |
//! | `unknown-variable` | error | a variable that nothing sets |
//! | `unused-variable` | warning | a variable that nothing reads |
//! | `reserved-variable` | error | a variable with the name of something else |
//! | `always-same` | warning | a comparison whose result never changes |
//! | `secret-shown` | error | a secret in an address, number or name |
//! | `secret-heard` | warning | a secret that is spoken |
//! | `secret-leaves` | warning | a secret that goes to another flow, where it is none any more |
//!
//! Codes of a document's shape are those of [`mod@super::parse`].

mod choices;
mod graph;
mod hours;
mod loops;
mod ranges;
mod references;
mod variables;
mod world;

use super::kind::hours::Opening;
use super::problem::Problem;
use super::{Flow, Step};
use crate::base::ids::StepName;

pub use world::{FlowFacts, World};

/// All that is wrong with opening hours.
pub fn check_hours(hours: &Opening) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    hours::opening("", hours, &mut found);
    found.0.sort();
    found.0
}

/// All that is wrong with a flow; errors keep it from being published, warnings do not.
pub fn check(flow: &Flow, world: &World) -> Vec<Problem> {
    let mut found = Found(Vec::new());
    graph::check(flow, &mut found);
    ranges::check(flow, &mut found);
    variables::check(flow, &mut found);
    references::check(flow, world, &mut found);
    hours::check(flow, &mut found);
    for (name, step) in &flow.steps {
        if let Step::Menu(menu) = step {
            choices::check(name, menu, &mut found);
        }
    }
    found.0.sort();
    found.0.dedup();
    found.0
}

/// The problems so far.
struct Found(Vec<Problem>);

impl Found {
    fn error(&mut self, path: impl Into<String>, code: &str, message: impl Into<String>) {
        self.0.push(Problem::error(path, code, message));
    }

    fn warning(&mut self, path: impl Into<String>, code: &str, message: impl Into<String>) {
        self.0.push(Problem::warning(path, code, message));
    }

    /// Gives the problem told last a hint.
    fn hint(&mut self, hint: impl Into<Option<String>>) {
        if let Some(last) = self.0.last_mut() {
            last.hint = hint.into();
        }
    }
}

fn place(step: &StepName, path: &str) -> String {
    format!("steps.{step}.{path}")
}

#[cfg(test)]
mod tests;
