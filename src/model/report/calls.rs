//! What became of calls: who was answered by whom and how soon, who gave up, and how many were up
//! at once.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::peak::{Peak, Spans};
use super::period::{Covered, Part, Period};
use super::times::{Spread, Times};
use super::{Tally, TooWide, between, dialed, share};
use crate::base::cause::Party;
use crate::base::ids::GatewayName;
use crate::model::record::CallRecord;

/// Most numbers, and most gateways, that a report tells apart.
pub const GROUPS_MAX: usize = 1_000;

/// Calls over a time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CallsReport {
    #[serde(flatten)]
    pub covered: Covered,
    pub total: CallsFigures,
    pub buckets: Vec<CallsBucket>,
    /// By the number, as the number map has it, that led calls to their flow.
    pub numbers: Vec<CallsOfNumber>,
    pub gateways: Vec<CallsOfGateway>,
}

/// Calls that began in a part of the time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CallsBucket {
    #[serde(flatten)]
    pub part: Part,
    #[serde(flatten)]
    pub figures: CallsFigures,
}

/// Calls to a number.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CallsOfNumber {
    /// None for those that no number led to a flow, or whose records don't tell.
    pub number: Option<String>,
    #[serde(flatten)]
    pub figures: CallsFigures,
}

/// Calls that came through a gateway.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CallsOfGateway {
    /// None for those that came through none, or whose records don't tell.
    #[schemars(with = "Option<String>")]
    pub gateway: Option<GatewayName>,
    #[serde(flatten)]
    pub figures: CallsFigures,
}

/// What calls come to. Each call is one of `offered`, `placed` and `continued`; each that was
/// offered is one of `turned_away`, `by_person`, `abandoned`, `by_flow` and `unanswered`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct CallsFigures {
    pub calls: u64,
    /// They came in, or a phone of the tenant made them.
    pub offered: u64,
    /// We placed them; their caller is whom we called.
    pub placed: u64,
    /// Of those, where whom we called answered.
    pub placed_answered: u64,
    /// What was left of another call, whose caller is gone.
    pub continued: u64,
    /// A limit or an entry of the blocked callers did not let them in, whatever they got instead.
    pub turned_away: u64,
    /// The same by the rule.
    pub turned_away_by: BTreeMap<String, u64>,
    /// Somebody who was called for the caller answered.
    pub by_person: u64,
    /// Nobody was called, or nobody answered, but the flow did; and the caller did not give up
    /// while somebody was being called or a queue was waited in.
    pub by_flow: u64,
    /// The caller hung up before anything answered, or after the flow did while somebody was being
    /// called or a queue was waited in, and nobody had answered.
    pub abandoned: u64,
    /// Nothing answered, and it was not the caller who gave up.
    pub unanswered: u64,
    /// Of what was offered: `by_person` and `by_flow`.
    pub answered_share: f64,
    pub by_person_share: f64,
    pub abandoned_share: f64,
    /// Until a person or the flow answered a call that was offered.
    pub to_answer: Option<Spread>,
    /// Until a person answered.
    pub to_person: Option<Spread>,
    /// How long calls spoke with people, hold included.
    pub talk: Option<Spread>,
    pub ended_by: EndedBy,
    /// Calls that were up at once, also those that began before: of any kind, and turned away ones.
    pub peak: Peak,
}

/// Calls by who ended them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[schemars(inline)]
pub struct EndedBy {
    pub caller: u64,
    pub callee: u64,
    pub carrier: u64,
    pub flow: u64,
    pub operator: u64,
    pub us: u64,
}

impl EndedBy {
    const fn of(&mut self, party: Party) -> &mut u64 {
        match party {
            Party::Caller => &mut self.caller,
            Party::Callee => &mut self.callee,
            Party::Carrier => &mut self.carrier,
            Party::Flow => &mut self.flow,
            Party::Operator => &mut self.operator,
            Party::Us => &mut self.us,
        }
    }

    const PARTIES: [Party; 6] =
        [Party::Caller, Party::Callee, Party::Carrier, Party::Flow, Party::Operator, Party::Us];
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Became {
    Placed { answered: bool },
    Continued,
    TurnedAway,
    ByPerson,
    Abandoned,
    ByFlow,
    Unanswered,
}

impl Became {
    pub(super) fn of(record: &CallRecord) -> Self {
        if record.came_by.placed {
            return Self::Placed { answered: record.answered.is_some() };
        }
        if record.transfers.iter().any(|transfer| transfer.from.is_some()) {
            return Self::Continued;
        }
        if record.turned_away.is_some() {
            return Self::TurnedAway;
        }
        if dialed(record).any(|leg| leg.answered.is_some()) {
            return Self::ByPerson;
        }
        let gave_up = record.termination.party == Party::Caller;
        match record.answered {
            _ if gave_up && (record.answered.is_none() || waited(record)) => Self::Abandoned,
            Some(_) => Self::ByFlow,
            None => Self::Unanswered,
        }
    }
}

/// Whether the call ended while somebody was being called for it, or in a queue.
fn waited(record: &CallRecord) -> bool {
    let calling = dialed(record).any(|leg| leg.ended.is_none_or(|ended| ended >= record.ended));
    let queued = record.path.iter().any(|visit| visit.outcome.is_empty() && visit.queue.is_some());
    calling || queued
}

/// How long a caller spoke with somebody: what several spoke at once counts once.
fn talk_ms(record: &CallRecord) -> u64 {
    let mut spoken: Vec<(Timestamp, Timestamp)> = dialed(record)
        .filter_map(|leg| Some((leg.answered?, leg.ended.unwrap_or(record.ended))))
        .collect();
    spoken.sort_unstable();
    let mut until = Timestamp::MIN;
    let mut talk_ms = 0;
    for (from, to) in spoken {
        talk_ms += between(from.max(until), to.max(until));
        until = until.max(to);
    }
    talk_ms
}

#[derive(Debug, Clone, Default)]
struct Figures {
    calls: u64,
    placed: u64,
    placed_answered: u64,
    continued: u64,
    turned_away_by: BTreeMap<String, u64>,
    by_person: u64,
    by_flow: u64,
    abandoned: u64,
    unanswered: u64,
    to_answer: Times,
    to_person: Times,
    talk: Times,
    ended_by: EndedBy,
}

impl Figures {
    fn add(&mut self, record: &CallRecord, became: Became) {
        self.calls += 1;
        *self.ended_by.of(record.termination.party) += 1;
        let person = dialed(record).filter_map(|leg| leg.answered).min();
        if person.is_some() {
            self.talk.add(talk_ms(record));
        }
        match became {
            Became::Placed { answered } => {
                self.placed += 1;
                self.placed_answered += u64::from(answered);
                return;
            }
            Became::Continued => {
                self.continued += 1;
                return;
            }
            Became::TurnedAway => {
                let rule = record.turned_away.as_ref().map(|turned| turned.rule.name());
                *self.turned_away_by.entry(rule.unwrap_or_default().to_owned()).or_default() += 1;
                return;
            }
            Became::ByPerson => self.by_person += 1,
            Became::Abandoned => self.abandoned += 1,
            Became::ByFlow => self.by_flow += 1,
            Became::Unanswered => self.unanswered += 1,
        }
        if let Some(answered) = record.answered.into_iter().chain(person).min() {
            self.to_answer.add(between(record.started, answered));
        }
        if let Some(person) = person {
            self.to_person.add(between(record.started, person));
        }
    }

    fn merge(&mut self, other: &Self) {
        self.calls += other.calls;
        self.placed += other.placed;
        self.placed_answered += other.placed_answered;
        self.continued += other.continued;
        for (rule, calls) in &other.turned_away_by {
            *self.turned_away_by.entry(rule.clone()).or_default() += calls;
        }
        self.by_person += other.by_person;
        self.by_flow += other.by_flow;
        self.abandoned += other.abandoned;
        self.unanswered += other.unanswered;
        self.to_answer.merge(&other.to_answer);
        self.to_person.merge(&other.to_person);
        self.talk.merge(&other.talk);
        let mut ended_by = other.ended_by.clone();
        for party in EndedBy::PARTIES {
            *self.ended_by.of(party) += *ended_by.of(party);
        }
    }

    fn told(self, peak: Peak) -> CallsFigures {
        let offered = self.calls - self.placed - self.continued;
        CallsFigures {
            calls: self.calls,
            offered,
            placed: self.placed,
            placed_answered: self.placed_answered,
            continued: self.continued,
            turned_away: self.turned_away_by.values().sum(),
            turned_away_by: self.turned_away_by,
            by_person: self.by_person,
            by_flow: self.by_flow,
            abandoned: self.abandoned,
            unanswered: self.unanswered,
            answered_share: share(self.by_person + self.by_flow, offered),
            by_person_share: share(self.by_person, offered),
            abandoned_share: share(self.abandoned, offered),
            to_answer: self.to_answer.spread(),
            to_person: self.to_person.spread(),
            talk: self.talk.spread(),
            ended_by: self.ended_by,
            peak,
        }
    }
}

/// Figures and when the calls were up.
#[derive(Debug, Clone, Default)]
struct Group {
    figures: Figures,
    spans: Spans,
}

impl Group {
    fn told(mut self, whole: (i64, i64)) -> CallsFigures {
        let peak = self.spans.peaks(&[whole]).first().copied().unwrap_or_default();
        self.figures.told(peak)
    }
}

/// What calls' records are folded into; also those of calls that began before and were still up,
/// which count for the peaks alone.
#[derive(Debug, Clone)]
pub struct CallsTally {
    period: Period,
    total: Group,
    parts: Vec<Figures>,
    numbers: BTreeMap<Option<String>, Group>,
    gateways: BTreeMap<Option<GatewayName>, Group>,
}

impl CallsTally {
    pub fn new(period: Period) -> Self {
        let parts = vec![Figures::default(); period.parts()];
        let (numbers, gateways) = (BTreeMap::new(), BTreeMap::new());
        Self { period, total: Group::default(), parts, numbers, gateways }
    }

    /// Takes what was folded apart for the same time.
    ///
    /// # Errors
    /// There are too many numbers or gateways.
    pub fn merge(&mut self, other: Self) -> Result<(), TooWide> {
        self.total.figures.merge(&other.total.figures);
        self.total.spans.merge(other.total.spans);
        for (part, more) in self.parts.iter_mut().zip(&other.parts) {
            part.merge(more);
        }
        for (number, more) in other.numbers {
            let group = self.numbers.entry(number).or_default();
            group.figures.merge(&more.figures);
            group.spans.merge(more.spans);
        }
        for (gateway, more) in other.gateways {
            let group = self.gateways.entry(gateway).or_default();
            group.figures.merge(&more.figures);
            group.spans.merge(more.spans);
        }
        self.fits()
    }

    fn fits(&self) -> Result<(), TooWide> {
        let instead = "one number, or less time";
        let wide = |what| TooWide { most: GROUPS_MAX, what, instead };
        match (self.numbers.len(), self.gateways.len()) {
            (numbers, _) if numbers > GROUPS_MAX => Err(wide("numbers")),
            (_, gateways) if gateways > GROUPS_MAX => Err(wide("gateways")),
            _ => Ok(()),
        }
    }

    pub fn report(mut self) -> CallsReport {
        let stretches = self.period.stretches();
        let peaks = self.total.spans.peaks(&stretches);
        let parts = stretches.iter().zip(self.parts).zip(peaks);
        let buckets = parts.map(|((stretch, figures), peak)| CallsBucket {
            part: self.period.part(*stretch),
            figures: figures.told(peak),
        });
        let buckets = buckets.collect();
        let whole = (self.period.from_ms(), self.period.until_ms());
        let numbers = self.numbers.into_iter();
        let gateways = self.gateways.into_iter();
        CallsReport {
            covered: self.period.covered(),
            total: self.total.told(whole),
            buckets,
            numbers: numbers
                .map(|(number, group)| CallsOfNumber { number, figures: group.told(whole) })
                .collect(),
            gateways: gateways
                .map(|(gateway, group)| CallsOfGateway { gateway, figures: group.told(whole) })
                .collect(),
        }
    }
}

impl Tally for CallsTally {
    fn add(&mut self, record: &CallRecord) -> Result<(), TooWide> {
        let counts = self.period.holds(record.started);
        let up_in_it = record.ended.as_millisecond() > self.period.from_ms();
        if record.started.as_millisecond() >= self.period.until_ms() || !(counts || up_in_it) {
            return Ok(());
        }
        let number = self.numbers.entry(record.came_by.number.clone()).or_default();
        let gateway = self.gateways.entry(record.came_by.gateway.clone()).or_default();
        let became = Became::of(record);
        for group in [&mut self.total, number, gateway] {
            group.spans.add(record.started, record.ended);
            if counts {
                group.figures.add(record, became);
            }
        }
        if let Some(part) = self.period.part_of(record.started) {
            self.parts[part].add(record, became);
        }
        self.fits()
    }
}
