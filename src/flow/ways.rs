//! The edges of the graph: where each step can lead.

use crate::base::ids::StepName;

use super::exits::{Exits, Outcome};
use super::kind::Step;
use super::{Flow, kind};

/// One way from a step to another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Way<'a> {
    /// Where it is written, within the step: `next`, `on.busy`, `choices.2`, `cases.0.next`.
    pub path: String,
    /// What a drawing says beside it; empty for `next`.
    pub label: String,
    pub to: &'a StepName,
}

impl Step {
    /// Where it goes when it is done; kinds that branch by other means have none.
    pub fn next(&self) -> Option<&StepName> {
        match self {
            Self::Answer(step) => Some(&step.next),
            Self::Ring(step) => Some(&step.next),
            Self::Play(step) => Some(&step.next),
            Self::Gather(step) => Some(&step.next),
            Self::Set(step) => Some(&step.next),
            Self::Hours(step) => Some(&step.next),
            Self::Http(step) => Some(&step.next),
            Self::Dial(step) => Some(&step.next),
            Self::Dtmf(step) => Some(&step.next),
            Self::Queue(step) => Some(&step.dial.next),
            Self::Conference(step) => Some(&step.next),
            Self::Message(step) => Some(&step.next),
            Self::Record(step) => Some(&step.next),
            Self::Hold(step) => Some(&step.next),
            Self::Park(step) => Some(&step.next),
            Self::Retrieve(step) => Some(&step.next),
            Self::Flow(step) => Some(&step.next),
            Self::Reject(_)
            | Self::Menu(_)
            | Self::Branch(_)
            | Self::Transfer(_)
            | Self::Return(_)
            | Self::Hangup(_) => None,
        }
    }

    /// Its `on`; kinds without one have none.
    pub fn on(&self) -> Option<&Exits> {
        match self {
            Self::Reject(step) => Some(&step.on),
            Self::Play(step) => Some(&step.on),
            Self::Menu(step) => Some(&step.on),
            Self::Gather(step) => Some(&step.on),
            Self::Hours(step) => Some(&step.on),
            Self::Http(step) => Some(&step.on),
            Self::Dial(step) => Some(&step.on),
            Self::Dtmf(step) => Some(&step.on),
            Self::Transfer(step) => Some(&step.on),
            Self::Queue(step) => Some(&step.dial.on),
            Self::Conference(step) => Some(&step.on),
            Self::Message(step) => Some(&step.on),
            Self::Record(step) => Some(&step.on),
            Self::Hold(step) => Some(&step.on),
            Self::Park(step) => Some(&step.on),
            Self::Retrieve(step) => Some(&step.on),
            Self::Flow(step) => Some(&step.on),
            Self::Answer(_)
            | Self::Ring(_)
            | Self::Set(_)
            | Self::Branch(_)
            | Self::Return(_)
            | Self::Hangup(_) => None,
        }
    }

    /// The way that the step itself has for an outcome: its own, else its parent's.
    pub fn way_out(&self, outcome: Outcome) -> Option<&StepName> {
        let mut outcome = Some(outcome);
        while let Some(this) = outcome {
            if this == Outcome::Done {
                return self.next();
            }
            if let Some(to) = self.on().and_then(|on| on.get(&this)) {
                return Some(to);
            }
            outcome = this.parent();
        }
        None
    }

    /// All ways out of it, as written.
    pub fn ways(&self) -> Vec<Way<'_>> {
        let mut ways = Vec::new();
        match self {
            Self::Menu(menu) => menu_ways(menu, &mut ways),
            Self::Branch(branch) => {
                for (at, case) in branch.cases.iter().enumerate() {
                    let label = case.condition.source().to_owned();
                    ways.push(Way { path: format!("cases.{at}.next"), label, to: &case.next });
                }
                let label = "otherwise".to_owned();
                ways.push(Way { path: "otherwise".into(), label, to: &branch.otherwise });
            }
            _ => {}
        }
        if let Some(to) = self.next() {
            ways.push(Way { path: "next".into(), label: String::new(), to });
        }
        for (outcome, to) in self.on().into_iter().flatten() {
            // `done` is written as `next`; the checker says so.
            let name = if *outcome == Outcome::Done { "done" } else { outcome.name() };
            let label = name.replace('_', " ");
            ways.push(Way { path: format!("on.{name}"), label, to });
        }
        ways
    }
}

fn menu_ways<'a>(menu: &'a kind::menu::Menu, ways: &mut Vec<Way<'a>>) {
    for (keys, to) in &menu.choices {
        ways.push(Way { path: format!("choices.{keys}"), label: keys.clone(), to });
    }
    if let Some(direct) = &menu.direct_dial {
        let label = format!("{}–{} digits", direct.min, direct.max);
        ways.push(Way { path: "direct_dial.next".into(), label, to: &direct.next });
    }
}

impl Flow {
    /// Where a call goes from a step by an outcome: the step's own way, else the flow's `fallback`.
    pub fn way_out<'a>(&'a self, step: &'a Step, outcome: Outcome) -> Option<&'a StepName> {
        step.way_out(outcome).or(self.fallback.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dial(on: &str) -> Step {
        let text = format!(
            r#"{{"kind": "dial", "targets": [{{"extension": "100"}}], "next": "bye", "on": {on}}}"#
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn an_outcome_without_a_way_takes_its_parents() {
        let step = dial(r#"{"busy": "b", "failed": "f"}"#);
        let way = |outcome| step.way_out(outcome).map(StepName::as_str);
        assert_eq!(way(Outcome::Busy), Some("b"));
        assert_eq!(way(Outcome::NoAnswer), Some("f"));
        assert_eq!(way(Outcome::Done), Some("bye"));
        assert_eq!(way(Outcome::Cancelled), None);
    }

    #[test]
    fn every_way_is_named_by_where_it_is_written() {
        let step = dial(r#"{"no_answer": "n"}"#);
        let paths: Vec<_> = step.ways().into_iter().map(|way| way.path).collect();
        assert_eq!(paths, ["next", "on.no_answer"]);
    }
}
