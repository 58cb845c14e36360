//! What became of those who waited in a line.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::Serialize;

use super::period::{Covered, Part, Period};
use super::times::{Spread, Times};
use super::{Tally, TooWide, share};
use crate::base::cause::Party;
use crate::base::ids::QueueName;
use crate::base::millis::Millis;
use crate::model::record::{CallRecord, Visit};

/// A waiting line over a time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QueueReport {
    #[schemars(with = "String")]
    pub queue: QueueName,
    #[serde(flatten)]
    pub covered: Covered,
    /// Within which an answer is in time.
    #[schemars(with = "String")]
    pub within: Millis,
    pub total: QueueFigures,
    pub buckets: Vec<QueueBucket>,
}

/// Calls that began in a part of the time.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QueueBucket {
    #[serde(flatten)]
    pub part: Part,
    #[serde(flatten)]
    pub figures: QueueFigures,
}

/// What came of waiting. Each time that was offered is one of `answered`, `abandoned`, `timed_out`,
/// `full`, `cancelled` and `other`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct QueueFigures {
    /// How often a caller came to the line; one may come more than once in a call.
    pub offered: u64,
    /// A target of the queue was joined to the caller.
    pub answered: u64,
    /// The caller hung up while waiting.
    pub abandoned: u64,
    /// The caller waited for as long as the queue lets them (`max_wait`).
    pub timed_out: u64,
    /// As many waited as may.
    pub full: u64,
    /// The caller pressed the key that leads out.
    pub cancelled: u64,
    /// No target could be dialed, the call was sent elsewhere, or it ended by somebody else.
    pub other: u64,
    pub answered_share: f64,
    pub abandoned_share: f64,
    /// Answered in time.
    pub answered_within: u64,
    /// Gave up before an answer would have been late.
    pub abandoned_within: u64,
    /// `answered_within` of all that were offered and did not find the line full.
    pub service_level: f64,
    pub to_answer: Option<Spread>,
    /// Until those who were not answered were gone.
    pub to_leave: Option<Spread>,
    /// How long they spoke.
    pub talk: Option<Spread>,
    /// The longest wait, whatever came of it.
    pub longest_wait_ms: u64,
    /// When it began.
    #[schemars(with = "Option<String>")]
    pub longest_wait_from: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
struct Figures {
    answered: u64,
    abandoned: u64,
    timed_out: u64,
    full: u64,
    cancelled: u64,
    other: u64,
    answered_within: u64,
    abandoned_within: u64,
    to_answer: Times,
    to_leave: Times,
    talk: Times,
    longest: Option<(u64, Timestamp)>,
}

/// The longer wait; of two as long the earlier.
fn longer(
    one: Option<(u64, Timestamp)>,
    other: Option<(u64, Timestamp)>,
) -> Option<(u64, Timestamp)> {
    let rank = |(ms, at): &(u64, Timestamp)| (*ms, std::cmp::Reverse(*at));
    one.into_iter().chain(other).max_by_key(rank)
}

impl Figures {
    fn add(&mut self, visit: &Visit, by_caller: bool, within: Millis) {
        let waited_ms = visit.answered_ms.unwrap_or(visit.took_ms);
        self.longest = longer(self.longest, Some((waited_ms, visit.entered)));
        if visit.answered_ms.is_some() {
            self.answered += 1;
            self.answered_within += u64::from(waited_ms <= within.ms());
            self.to_answer.add(waited_ms);
            self.talk.add(visit.took_ms.saturating_sub(waited_ms));
            return;
        }
        self.to_leave.add(waited_ms);
        match visit.outcome.as_str() {
            "" if by_caller => {
                self.abandoned += 1;
                self.abandoned_within += u64::from(waited_ms <= within.ms());
            }
            "too_long" => self.timed_out += 1,
            "full" => self.full += 1,
            "cancelled" => self.cancelled += 1,
            _ => self.other += 1,
        }
    }

    fn merge(&mut self, other: &Self) {
        self.answered += other.answered;
        self.abandoned += other.abandoned;
        self.timed_out += other.timed_out;
        self.full += other.full;
        self.cancelled += other.cancelled;
        self.other += other.other;
        self.answered_within += other.answered_within;
        self.abandoned_within += other.abandoned_within;
        self.to_answer.merge(&other.to_answer);
        self.to_leave.merge(&other.to_leave);
        self.talk.merge(&other.talk);
        self.longest = longer(self.longest, other.longest);
    }

    fn told(&self) -> QueueFigures {
        let unanswered = self.abandoned + self.timed_out + self.full + self.cancelled + self.other;
        let offered = self.answered + unanswered;
        QueueFigures {
            offered,
            answered: self.answered,
            abandoned: self.abandoned,
            timed_out: self.timed_out,
            full: self.full,
            cancelled: self.cancelled,
            other: self.other,
            answered_share: share(self.answered, offered),
            abandoned_share: share(self.abandoned, offered),
            answered_within: self.answered_within,
            abandoned_within: self.abandoned_within,
            service_level: share(self.answered_within, offered - self.full),
            to_answer: self.to_answer.spread(),
            to_leave: self.to_leave.spread(),
            talk: self.talk.spread(),
            longest_wait_ms: self.longest.map_or(0, |(ms, _)| ms),
            longest_wait_from: self.longest.map(|(_, at)| at),
        }
    }
}

/// What calls' records are folded into.
#[derive(Debug, Clone)]
pub struct QueueTally {
    queue: QueueName,
    period: Period,
    within: Millis,
    total: Figures,
    parts: Vec<Figures>,
}

impl QueueTally {
    /// `within`: an answer is in time that comes no later.
    pub fn new(queue: QueueName, period: Period, within: Millis) -> Self {
        let parts = vec![Figures::default(); period.parts()];
        Self { queue, period, within, total: Figures::default(), parts }
    }

    /// Takes what was folded apart for the same line and time.
    pub fn merge(&mut self, other: &Self) {
        self.total.merge(&other.total);
        for (part, more) in self.parts.iter_mut().zip(&other.parts) {
            part.merge(more);
        }
    }

    pub fn report(self) -> QueueReport {
        let stretches = self.period.stretches().into_iter().zip(&self.parts);
        let buckets = stretches.map(|(stretch, figures)| QueueBucket {
            part: self.period.part(stretch),
            figures: figures.told(),
        });
        QueueReport {
            buckets: buckets.collect(),
            covered: self.period.covered(),
            within: self.within,
            total: self.total.told(),
            queue: self.queue,
        }
    }
}

impl Tally for QueueTally {
    fn add(&mut self, record: &CallRecord) -> Result<(), TooWide> {
        if !self.period.holds(record.started) {
            return Ok(());
        }
        let by_caller = record.termination.party == Party::Caller;
        let part = self.period.part_of(record.started);
        for visit in record.path.iter().filter(|visit| visit.queue.as_ref() == Some(&self.queue)) {
            self.total.add(visit, by_caller, self.within);
            if let Some(part) = part {
                self.parts[part].add(visit, by_caller, self.within);
            }
        }
        Ok(())
    }
}
