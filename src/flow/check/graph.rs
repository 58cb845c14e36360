//! The shape of the graph: targets, reachability, outcomes.

use std::collections::BTreeSet;

use super::{Found, loops, place};
use crate::base::ids::StepName;
use crate::flow::nearest::nearest;
use crate::flow::{Flow, Kind, Outcome, Step};

pub(super) fn check(flow: &Flow, found: &mut Found) {
    targets(flow, found);
    unreachable(flow, found);
    loops::check(flow, found);
    outcomes(flow, found);
}

fn targets(flow: &Flow, found: &mut Found) {
    let mut look = |path: String, to: &StepName| {
        if !flow.steps.contains_key(to) {
            found.error(path, "dangling-target", format!("there is no step `{to}`"));
            let near = nearest(to.as_str(), flow.steps.keys().map(StepName::as_str));
            found.hint(near.map(|near| format!("do you mean `{near}`?")));
        }
    };
    look("start".into(), &flow.start);
    if let Some(fallback) = &flow.fallback {
        look("fallback".into(), fallback);
    }
    for (name, step) in &flow.steps {
        for way in step.ways() {
            look(place(name, &way.path), way.to);
        }
    }
}

/// The steps that a call can come to.
pub(in crate::flow) fn reachable(flow: &Flow) -> BTreeSet<&StepName> {
    let mut seen = BTreeSet::new();
    let mut open = vec![&flow.start];
    let fallback_taken = |step: &Step| step.kind().outcomes().contains(&Outcome::Failed);
    while let Some(name) = open.pop() {
        let Some(step) = flow.steps.get(name) else { continue };
        if seen.insert(name) {
            open.extend(step.ways().into_iter().map(|way| way.to));
            if fallback_taken(step) || step.kind() == Kind::Hours {
                open.extend(&flow.fallback);
            }
        }
    }
    seen
}

fn unreachable(flow: &Flow, found: &mut Found) {
    let reachable = reachable(flow);
    for name in flow.steps.keys().filter(|name| !reachable.contains(name)) {
        let message = format!("no call can come to the step `{name}`");
        found.warning(format!("steps.{name}"), "unreachable-step", message);
    }
}

/// Outcomes that come in the ordinary course of calls; `failed` of a step that does not ask another
/// system is not among them.
fn ordinary(step: &Step) -> Vec<Outcome> {
    match step {
        Step::Menu(menu) => asked(&menu.keys),
        Step::Gather(gather) => asked(&gather.keys),
        Step::Conference(_) => vec![Outcome::Full, Outcome::Locked, Outcome::Denied],
        Step::Park(_) => vec![Outcome::TimedOut, Outcome::Full],
        Step::Retrieve(_) => vec![Outcome::Empty],
        Step::Hold(hold) => hold.cancel_key.iter().map(|_| Outcome::Cancelled).collect(),
        Step::Hours(_) => vec![Outcome::Closed],
        Step::Http(_) => vec![Outcome::Failed],
        Step::Queue(queue) => {
            let mut outcomes = vec![Outcome::TooLong];
            outcomes.retain(|_| queue.max_wait.is_some());
            outcomes.extend(queue.max_callers.map(|_| Outcome::Full));
            outcomes.extend(queue.dial.cancel_key.as_ref().map(|_| Outcome::Cancelled));
            outcomes
        }
        Step::Dial(dial) => {
            use Outcome as O;
            let mut outcomes = vec![O::Busy, O::NoAnswer, O::Rejected, O::Unreachable];
            outcomes.extend(dial.cancel_key.as_ref().map(|_| O::Cancelled));
            outcomes
        }
        _ => Vec::new(),
    }
}

fn asked(keys: &crate::flow::kind::gather::Keys) -> Vec<Outcome> {
    let mut outcomes = vec![Outcome::NoInput, Outcome::Invalid];
    let apart = u32::from(keys.max_no_input.max(1)) - 1 + u32::from(keys.max_invalid.max(1)) - 1;
    // `too_many` comes only where failures of both kinds can add up to it first.
    if u32::from(keys.max_failures) <= apart {
        outcomes.push(Outcome::TooMany);
    }
    outcomes
}

fn outcomes(flow: &Flow, found: &mut Found) {
    if flow.fallback.is_some() {
        return;
    }
    let mut can_fail = Vec::new();
    for (name, step) in &flow.steps {
        let kind = step.kind();
        let open: Vec<_> =
            ordinary(step).into_iter().filter(|outcome| step.way_out(*outcome).is_none()).collect();
        for outcome in &open {
            let message = format!("the `{kind}` step has no way out for `{outcome}`");
            found.error(place(name, "on"), "unhandled-outcome", message);
            found.hint(remedy(*outcome));
        }
        let failed =
            kind.outcomes().contains(&Outcome::Failed) && step.way_out(Outcome::Failed).is_none();
        if failed && open.is_empty() {
            can_fail.push(format!("`{name}`"));
        }
    }
    if !can_fail.is_empty() {
        let steps = can_fail.join(", ");
        let message = format!("where a step fails the call ends without a word: {steps}");
        found.warning("fallback", "no-fallback", message);
        found.hint("name a step in `fallback` that says so".to_owned());
    }
}

fn remedy(outcome: Outcome) -> String {
    match outcome.parent() {
        Some(parent) if parent != Outcome::Done => {
            format!("add `on.{outcome}` or `on.{parent}`, or give the flow a `fallback`")
        }
        _ => format!("add `on.{outcome}`, or give the flow a `fallback`"),
    }
}
