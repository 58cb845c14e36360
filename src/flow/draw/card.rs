//! What is written on the box of a step.

use super::heat::StepHeat;
use super::text::count;
use super::words::words;
use crate::base::ids::StepName;
use crate::flow::kind::hours::Hours;
use crate::flow::{Flow, Kind, Outcome, Step};

/// All boxes are this wide, in px.
pub(super) const BOX_WIDTH: f64 = 214.0;
pub(super) const HEAD_HEIGHT: f64 = 46.0;
pub(super) const LINE_HEIGHT: f64 = 15.0;
const FOOT_HEIGHT: f64 = 6.0;

/// Most steps that a box names as those it would lead to.
const TARGETS_MAX: usize = 4;

/// A box's text.
#[derive(Debug)]
pub(super) struct Card<'a> {
    pub(super) name: &'a StepName,
    /// None: there is no such step.
    pub(super) kind: Option<Kind>,
    pub(super) lines: Vec<String>,
    /// Outcomes that neither the step nor the flow has a way for.
    pub(super) dead: Vec<Outcome>,
    pub(super) is_fallback: bool,
    pub(super) reached: bool,
    pub(super) heat: Option<StepHeat>,
    /// Ways that callers took and that have no line.
    pub(super) undrawn: Vec<String>,
}

impl<'a> Card<'a> {
    pub(super) fn new(flow: &'a Flow, name: &'a StepName) -> Self {
        let step = flow.steps.get(name);
        Self {
            name,
            kind: step.map(Step::kind),
            lines: step.map_or_else(|| vec!["there is no such step".to_owned()], words),
            dead: step.map(|step| dead_ends(flow, step)).unwrap_or_default(),
            is_fallback: flow.fallback.as_ref() == Some(name),
            reached: true,
            heat: None,
            undrawn: Vec::new(),
        }
    }

    /// A step that no call reaches: its ways are told, as no lines are drawn for it.
    pub(super) fn unreached(flow: &'a Flow, name: &'a StepName) -> Self {
        let card = Self::new(flow, name);
        let ways = flow.steps.get(name).map(Step::ways).unwrap_or_default();
        let mut names: Vec<_> = ways.iter().map(|way| way.to.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        let more = names.len().saturating_sub(TARGETS_MAX);
        names.truncate(TARGETS_MAX);
        let mut lines = card.lines;
        if !names.is_empty() {
            let more = if more > 0 { format!(" +{more}") } else { String::new() };
            lines.push(format!("→ {}{more}", names.join(", ")));
        }
        Self { lines, dead: Vec::new(), reached: false, ..card }
    }

    pub(super) fn height(&self) -> f64 {
        let heat = self.heat.as_ref();
        let figures = heat.map_or(0, |heat| {
            heat.words().len() + usize::from(heat.leaving().is_some()) + self.undrawn.len()
        });
        let lines = self.lines.len() + usize::from(self.dead_line().is_some()) + figures;
        HEAD_HEIGHT + LINE_HEIGHT * count(lines) + FOOT_HEIGHT
    }

    /// The line that marks dead ends. `failed` alone is told once for the whole flow, not in each
    /// box; an outcome that would go the way of another dead one goes without saying.
    pub(super) fn dead_line(&self) -> Option<String> {
        if self.dead.iter().all(|outcome| *outcome == Outcome::Failed) {
            return None;
        }
        let said =
            |outcome: &&Outcome| outcome.parent().is_none_or(|parent| !self.dead.contains(&parent));
        let names = self.dead.iter().filter(said).map(|outcome| outcome.name().replace('_', " "));
        Some(format!("dead end: {}", names.collect::<Vec<_>>().join(", ")))
    }
}

fn dead_ends(flow: &Flow, step: &Step) -> Vec<Outcome> {
    let happens = |outcome: &Outcome| match (step, outcome) {
        (Step::Dial(_) | Step::Queue(_), Outcome::Cancelled) => {
            step.dial().is_some_and(|dial| dial.cancel_key.is_some())
        }
        (Step::Queue(queue), Outcome::TooLong) => queue.max_wait.is_some(),
        (Step::Queue(queue), Outcome::Full) => queue.max_callers.is_some(),
        (Step::Hours(hours), Outcome::Closed) => hours.schedule.is_some() || !always_open(hours),
        (Step::Hours(hours), Outcome::Holiday) => {
            hours.schedule.is_some() || !hours.holidays.is_empty()
        }
        _ => true,
    };
    let outcomes = step.kind().outcomes().iter().copied();
    outcomes.filter(|outcome| happens(outcome) && flow.way_out(step, *outcome).is_none()).collect()
}

fn always_open(hours: &Hours) -> bool {
    let week = &hours.weekly;
    [&week.mon, &week.tue, &week.wed, &week.thu, &week.fri, &week.sat, &week.sun]
        .iter()
        .all(|spans| spans.iter().any(|span| span == "00:00-24:00"))
        && hours.exceptions.is_empty()
}
