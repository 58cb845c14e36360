//! Loops in which no time goes by.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::Found;
use crate::base::ids::StepName;
use crate::flow::{Flow, Step};

/// Steps that do not wait, and where each leads.
type Ways<'a> = BTreeMap<&'a StepName, Vec<&'a StepName>>;

const ENDLESS: &str = "let a step of it play, ask or wait, or let a `branch` leave it by what a \
                       `set` counts or an `http` step learns";
const BOUNDED: &str = "a call that stays in it longer than `limits.silent_steps` goes to the \
                       `fallback`: let a step of it wait";

/// A loop is silent if no step on it waits. One that no call can leave, or in which nothing changes
/// that could make it leave, is an error. Each group of steps that lead to one another is told of
/// once for each.
pub(super) fn check(flow: &Flow, found: &mut Found) {
    let silent: Ways<'_> = flow
        .steps
        .iter()
        .filter(|(_, step)| !step.waits())
        .map(|(name, step)| (name, step.ways().into_iter().map(|way| way.to).collect()))
        .collect();
    let without = |avoided: &dyn Fn(&StepName, &Step) -> bool| -> Ways<'_> {
        let kept = silent.iter().filter(|(name, _)| !avoided(name, &flow.steps[**name]));
        kept.map(|(name, ways)| (*name, ways.clone())).collect()
    };
    let mut told = BTreeSet::new();
    for ways in [without(&|name, step| leaves(name, step, &silent)), without(&|_, s| changes(s))] {
        for (name, message) in loops(&ways, &mut told) {
            found.error(format!("steps.{name}"), "silent-loop", message);
            found.hint(ENDLESS.to_owned());
        }
    }
    for (name, message) in loops(&silent, &mut told) {
        found.warning(format!("steps.{name}"), "silent-loop", message);
        found.hint(BOUNDED.to_owned());
    }
}

/// Whether a choice made in the step can lead out of every silent loop that it is on.
fn leaves(name: &StepName, step: &Step, silent: &Ways<'_>) -> bool {
    matches!(step, Step::Branch(_) | Step::Http(_))
        && step.ways().iter().any(|way| way.to != name && way_back(way.to, name, silent).is_none())
}

/// Whether the next round may differ from this one.
const fn changes(step: &Step) -> bool {
    matches!(step, Step::Set(_) | Step::Http(_) | Step::Flow(_))
}

/// The loops in which no step has been told of yet, each with the step where it begins.
fn loops<'a>(ways: &Ways<'a>, told: &mut BTreeSet<&'a StepName>) -> Vec<(&'a StepName, String)> {
    let mut loops = Vec::new();
    for name in ways.keys() {
        if told.contains(name) {
            continue;
        }
        if let Some(path) = way_back(name, name, ways) {
            let names = path.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>();
            let message = format!(
                "{} → `{name}` is a loop in which nothing is asked and no time goes by",
                names.join(" → ")
            );
            loops.push((*name, message));
            told.extend(path);
        }
    }
    loops
}

/// The steps on the shortest way from one step to another, the last left out.
fn way_back<'a>(start: &'a StepName, end: &StepName, ways: &Ways<'a>) -> Option<Vec<&'a StepName>> {
    let mut from: BTreeMap<&StepName, &StepName> = BTreeMap::new();
    let mut open = VecDeque::from([start]);
    while let Some(at) = open.pop_front() {
        for to in ways.get(at).into_iter().flatten() {
            if *to == end {
                let back = std::iter::successors(Some(at), |at| from.get(at).copied());
                let mut path: Vec<_> = back.collect();
                path.reverse();
                return Some(path);
            }
            if *to != start && ways.contains_key(to) && !from.contains_key(to) {
                from.insert(to, at);
                open.push_back(to);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::super::{World, check};
    use crate::flow::problem::Problem;
    use crate::flow::{Severity, parse};

    /// The problems of a flow with these steps and `bye`.
    fn told(steps: &str, world: &World) -> Vec<Problem> {
        let text = format!(
            r#"{{"callwright": 1, "start": "a", "fallback": "bye", "variables": {{"n": 0}},
                "steps": {{{steps}, "bye": {{"kind": "hangup"}}}}}}"#
        );
        check(&parse(text.as_bytes()).unwrap(), world)
    }

    #[test]
    fn a_silent_loop_is_an_error_only_where_no_call_can_leave_it() {
        let set = r#"{"kind": "set", "variables": {"n": "n + 1"}, "next": "b"}"#;
        let leaves = r#"{"kind": "branch", "cases": [{"if": "n > 3", "next": "bye"}],
                         "otherwise": "a"}"#;
        let stays = r#"{"kind": "branch", "cases": [{"if": "n > 3", "next": "a"}],
                        "otherwise": "a"}"#;
        let asks = r#"{"kind": "http", "url": "https://x.example/", "next": "b",
                       "on": {"failed": "b"}}"#;
        let retries = r#"{"kind": "http", "url": "https://x.example/", "next": "bye",
                          "on": {"failed": "a"}}"#;
        let answer = r#"{"kind": "answer", "next": "b"}"#;
        let past = r#"{"kind": "set", "variables": {"n": "n + 1"}, "next": "c"},
                      "c": {"kind": "hours", "next": "a", "on": {"closed": "b"}}"#;
        let outer = r#"{"kind": "branch", "cases": [{"if": "n > 3", "next": "bye"}],
                        "otherwise": "b"}"#;
        for (a, b, expected) in [
            (set, leaves, Severity::Warning),
            (asks, leaves, Severity::Warning),
            (retries, leaves, Severity::Warning),
            (set, stays, Severity::Error),
            (asks, stays, Severity::Error),
            (answer, leaves, Severity::Error),
            (outer, past, Severity::Error),
        ] {
            let steps = format!(r#""a": {a}, "b": {b}"#);
            let problems = told(&steps, &World::unknown());
            let loops: Vec<_> = problems
                .iter()
                .filter(|problem| problem.code == "silent-loop")
                .map(|problem| problem.severity)
                .collect();
            assert!(!loops.is_empty(), "{steps}");
            let endless = loops.contains(&Severity::Error);
            assert_eq!(endless, expected == Severity::Error, "{steps}");
        }
    }
}
