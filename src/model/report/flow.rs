//! Where callers go in a flow, how long each step takes them, and where they leave.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Serialize;

use super::period::{Covered, Part, Period};
use super::times::{Spread, Times};
use super::{Tally, TooWide, share};
use crate::base::cause::Party;
use crate::base::ids::{FlowName, StepName};
use crate::model::record::{CallRecord, Visit};

/// Most steps of a report, over all versions of the flow.
pub const STEPS_MAX: usize = 2_000;
/// Most outcomes and edges of a report.
pub const LINES_MAX: usize = 20_000;

/// What stands for an outcome that nobody saw: the call was closed by what was known of it.
const UNSEEN: &str = "unseen";

/// A flow over a time: of one version, or of all; then steps of the same name are taken together.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FlowReport {
    #[schemars(with = "String")]
    pub flow: FlowName,
    /// The one that it is about; none for all.
    pub version: Option<u32>,
    #[serde(flatten)]
    pub covered: Covered,
    /// Calls that came to the flow: their own, or one that it led to.
    pub calls: u64,
    /// Callers who hung up in it; who had spoken with somebody in that step is not among them.
    pub hung_up: u64,
    pub hung_up_share: f64,
    /// Calls that went through more steps than a record keeps: what came after is not counted.
    pub cut: u64,
    pub versions: Vec<VersionCalls>,
    pub steps: Vec<StepReport>,
    pub edges: Vec<EdgeReport>,
    pub buckets: Vec<FlowBucket>,
}

/// Calls with a version of the flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct VersionCalls {
    /// None where the record does not tell it.
    pub version: Option<u32>,
    pub calls: u64,
}

/// Calls that began in a part of the time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct FlowBucket {
    #[serde(flatten)]
    pub part: Part,
    pub calls: u64,
    pub hung_up: u64,
    pub hung_up_share: f64,
}

/// A step. `entered` is the sum of all outcomes, `hung_up` and `ended`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StepReport {
    #[schemars(with = "String")]
    pub step: StepName,
    /// Calls that came to it.
    pub callers: u64,
    /// Of all calls that came to the flow.
    pub share: f64,
    /// How often it was entered.
    pub entered: u64,
    /// By what it was left: outcomes and a menu's choices.
    pub outcomes: Vec<OutcomeReport>,
    /// The caller hung up in it, and had not spoken with somebody in it.
    pub hung_up: u64,
    pub hung_up_share: f64,
    /// The call ended in it otherwise: by the flow, after a conversation, by somebody else.
    pub ended: u64,
    /// How often the caller pressed nothing in time at least once, of the times it was entered.
    pub no_input: u64,
    pub no_input_share: f64,
    /// The same for what matched nothing.
    pub invalid: u64,
    pub invalid_share: f64,
    /// How long callers were in it.
    pub time: Option<Spread>,
    /// Until somebody whom it called answered.
    pub to_answer: Option<Spread>,
}

/// A way out of a step.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OutcomeReport {
    /// As the record has it: `next`, `no_input`, a choice such as `1`; `unseen` where nobody saw.
    pub outcome: String,
    pub count: u64,
    /// Of the times the step was entered.
    pub share: f64,
}

/// From one step to another.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EdgeReport {
    #[schemars(with = "String")]
    pub from: StepName,
    #[schemars(with = "String")]
    pub to: StepName,
    /// How often.
    pub count: u64,
    /// Calls that took it at least once.
    pub callers: u64,
    /// Of all calls that came to the flow.
    pub share: f64,
    /// By which outcomes.
    pub outcomes: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Default)]
struct Step {
    callers: u64,
    entered: u64,
    outcomes: BTreeMap<String, u64>,
    hung_up: u64,
    ended: u64,
    no_input: u64,
    invalid: u64,
    time: Times,
    to_answer: Times,
}

#[derive(Debug, Clone, Default)]
struct Edge {
    callers: u64,
    outcomes: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, Copy, Default)]
struct Calls {
    calls: u64,
    hung_up: u64,
}

impl Calls {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.hung_up += other.hung_up;
    }
}

/// What calls' records are folded into.
#[derive(Debug, Clone)]
pub struct FlowTally {
    flow: FlowName,
    version: Option<u32>,
    period: Period,
    total: Calls,
    cut: u64,
    versions: BTreeMap<Option<u32>, u64>,
    steps: BTreeMap<StepName, Step>,
    edges: BTreeMap<(StepName, StepName), Edge>,
    /// Outcomes, of steps and of edges.
    lines: usize,
    parts: Vec<Calls>,
}

/// Adds to a count, and says whether it is a new one.
fn count(counts: &mut BTreeMap<String, u64>, name: &str, more: u64) -> usize {
    if let Some(count) = counts.get_mut(name) {
        *count += more;
        return 0;
    }
    counts.insert(name.to_owned(), more);
    1
}

impl FlowTally {
    pub fn new(flow: FlowName, version: Option<u32>, period: Period) -> Self {
        let parts = vec![Calls::default(); period.parts()];
        Self {
            flow,
            version,
            period,
            total: Calls::default(),
            cut: 0,
            versions: BTreeMap::new(),
            steps: BTreeMap::new(),
            edges: BTreeMap::new(),
            lines: 0,
            parts,
        }
    }

    fn fits(&self) -> Result<(), TooWide> {
        let instead = "one version, or less time";
        if self.steps.len() > STEPS_MAX {
            return Err(TooWide { most: STEPS_MAX, what: "steps", instead });
        }
        if self.lines > LINES_MAX {
            return Err(TooWide { most: LINES_MAX, what: "ways out of steps", instead });
        }
        Ok(())
    }

    /// The version of the flow that a call had, if it is one that counts.
    fn counts(&self, record: &CallRecord) -> Option<Option<u32>> {
        let own = (record.flow == self.flow).then_some(record.version);
        let version = own.or_else(|| record.versions.get(&self.flow).copied());
        (self.version.is_none() || self.version == version).then_some(version)
    }

    fn visit(&mut self, visit: &Visit, end: End) {
        let step = self.steps.entry(visit.step.clone()).or_default();
        step.entered += 1;
        step.no_input += u64::from(visit.no_input > 0);
        step.invalid += u64::from(visit.invalid > 0);
        step.time.add(visit.took_ms);
        if let Some(ms) = visit.answered_ms {
            step.to_answer.add(ms);
        }
        match end {
            End::Left => {
                let outcome = if visit.outcome.is_empty() { UNSEEN } else { &visit.outcome };
                self.lines += count(&mut step.outcomes, outcome, 1);
            }
            End::HungUp => step.hung_up += 1,
            End::Ended => step.ended += 1,
        }
    }

    fn pass(&mut self, from: &Visit, to: &StepName) {
        let outcome = if from.outcome.is_empty() { UNSEEN } else { &from.outcome };
        let edge = self.edges.entry((from.step.clone(), to.clone())).or_default();
        self.lines += count(&mut edge.outcomes, outcome, 1);
    }

    /// Takes what was folded apart for the same flow, version and time.
    ///
    /// # Errors
    /// There are too many steps, or ways out of them.
    pub fn merge(&mut self, other: Self) -> Result<(), TooWide> {
        self.total.add(other.total);
        self.cut += other.cut;
        for (version, calls) in other.versions {
            *self.versions.entry(version).or_default() += calls;
        }
        for (name, more) in other.steps {
            let step = self.steps.entry(name).or_default();
            step.callers += more.callers;
            step.entered += more.entered;
            step.hung_up += more.hung_up;
            step.ended += more.ended;
            step.no_input += more.no_input;
            step.invalid += more.invalid;
            step.time.merge(&more.time);
            step.to_answer.merge(&more.to_answer);
            for (outcome, times) in more.outcomes {
                self.lines += count(&mut step.outcomes, &outcome, times);
            }
        }
        for (ends, more) in other.edges {
            let edge = self.edges.entry(ends).or_default();
            edge.callers += more.callers;
            for (outcome, times) in more.outcomes {
                self.lines += count(&mut edge.outcomes, &outcome, times);
            }
        }
        for (part, more) in self.parts.iter_mut().zip(other.parts) {
            part.add(more);
        }
        self.fits()
    }

    pub fn report(self) -> FlowReport {
        let Calls { calls, hung_up } = self.total;
        let stretches = self.period.stretches().into_iter().zip(&self.parts);
        let buckets = stretches.map(|(stretch, part)| FlowBucket {
            part: self.period.part(stretch),
            calls: part.calls,
            hung_up: part.hung_up,
            hung_up_share: share(part.hung_up, part.calls),
        });
        let versions = self.versions.iter();
        FlowReport {
            buckets: buckets.collect(),
            covered: self.period.covered(),
            version: self.version,
            calls,
            hung_up,
            hung_up_share: share(hung_up, calls),
            cut: self.cut,
            versions: versions
                .map(|(version, calls)| VersionCalls { version: *version, calls: *calls })
                .collect(),
            steps: self.steps.into_iter().map(|(name, step)| step.told(name, calls)).collect(),
            edges: self.edges.into_iter().map(|(ends, edge)| edge.told(ends, calls)).collect(),
            flow: self.flow,
        }
    }
}

impl Step {
    fn told(self, step: StepName, calls: u64) -> StepReport {
        let outcomes = self.outcomes.into_iter().map(|(outcome, count)| {
            let share = share(count, self.entered);
            OutcomeReport { outcome, count, share }
        });
        StepReport {
            step,
            callers: self.callers,
            share: share(self.callers, calls),
            entered: self.entered,
            outcomes: outcomes.collect(),
            hung_up: self.hung_up,
            hung_up_share: share(self.hung_up, self.entered),
            ended: self.ended,
            no_input: self.no_input,
            no_input_share: share(self.no_input, self.entered),
            invalid: self.invalid,
            invalid_share: share(self.invalid, self.entered),
            time: self.time.spread(),
            to_answer: self.to_answer.spread(),
        }
    }
}

impl Edge {
    fn told(self, (from, to): (StepName, StepName), calls: u64) -> EdgeReport {
        let count = self.outcomes.values().sum();
        let share = share(self.callers, calls);
        EdgeReport { from, to, count, callers: self.callers, share, outcomes: self.outcomes }
    }
}

impl Tally for FlowTally {
    fn add(&mut self, record: &CallRecord) -> Result<(), TooWide> {
        let Some(version) = self.counts(record).filter(|_| self.period.holds(record.started))
        else {
            return Ok(());
        };
        let passages = passages(record, &self.flow);
        if passages.is_empty() {
            return Ok(());
        }
        *self.versions.entry(version).or_default() += 1;
        self.cut += u64::from(record.path_is_cut());
        let (mut steps, mut edges) = (BTreeSet::new(), BTreeSet::new());
        let mut hung_up = false;
        for Passage { visit, next } in passages {
            let end = End::of(record, visit, next.is_some());
            hung_up |= end == End::HungUp;
            self.visit(visit, end);
            steps.insert(&visit.step);
            if let Some(next) = next {
                self.pass(visit, &next.step);
                edges.insert((visit.step.clone(), next.step.clone()));
            }
        }
        for step in steps {
            if let Some(step) = self.steps.get_mut(step) {
                step.callers += 1;
            }
        }
        for ends in edges {
            if let Some(edge) = self.edges.get_mut(&ends) {
                edge.callers += 1;
            }
        }
        let calls = Calls { calls: 1, hung_up: u64::from(hung_up) };
        self.total.add(calls);
        if let Some(part) = self.period.part_of(record.started) {
            self.parts[part].add(calls);
        }
        self.fits()
    }
}

/// How a visit ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Left,
    HungUp,
    Ended,
}

impl End {
    fn of(record: &CallRecord, visit: &Visit, goes_on: bool) -> Self {
        if goes_on || !visit.outcome.is_empty() {
            return Self::Left;
        }
        let mut open = record.path.iter().filter(|visit| visit.outcome.is_empty());
        let spoke = open.any(|visit| visit.answered_ms.is_some());
        if record.termination.party == Party::Caller && !spoke { Self::HungUp } else { Self::Ended }
    }
}

/// A visit, and the one of the same flow that it led to.
#[derive(Debug)]
struct Passage<'a> {
    visit: &'a Visit,
    next: Option<&'a Visit>,
}

/// A flow on the stack as a path is read again: what it called stands above it.
struct Frame<'a> {
    flow: &'a FlowName,
    last: &'a Visit,
    /// The place among the passages of its last visit, where it is the flow that is asked about.
    place: Option<usize>,
}

/// The visits of a flow in a call. A path has the visits of all flows in the order in which they
/// were entered; one that calls another goes on when that has come back.
fn passages<'a>(record: &'a CallRecord, flow: &FlowName) -> Vec<Passage<'a>> {
    let mut passages: Vec<Passage<'a>> = Vec::new();
    let mut frames: Vec<Frame<'a>> = Vec::new();
    for visit in &record.path {
        let place = (visit.flow == *flow).then_some(passages.len());
        passages.extend(place.map(|_| Passage { visit, next: None }));
        let back = frames.iter().rposition(|frame| {
            frame.flow == &visit.flow
                && !(frame.last.outcome == "return" || holds(frame.last, visit))
        });
        match back {
            Some(back) => {
                frames.truncate(back + 1);
                let frame = &mut frames[back];
                if let Some(before) = frame.place.and_then(|place| passages.get_mut(place)) {
                    before.next = Some(visit);
                }
                (frame.last, frame.place) = (visit, place);
            }
            None => frames.push(Frame { flow: &visit.flow, last: visit, place }),
        }
    }
    passages
}

/// Whether a visit lies within another: its step called the flow, which is the same.
fn holds(outer: &Visit, inner: &Visit) -> bool {
    let after_ms = super::between(outer.entered, inner.entered);
    after_ms < outer.took_ms && after_ms.saturating_add(inner.took_ms) <= outer.took_ms
}
