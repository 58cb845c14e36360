//! Figures that are counted as things happen. What can be read when somebody asks is not counted
//! here: see [`Families`](super::Families).

use std::time::Duration;

use dashmap::DashMap;
use jiff::Timestamp;
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{
    Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec, IntGauge, Opts, Registry,
};

use crate::base::ids::CallId;
use crate::model::record::CallRecord;
use crate::model::timeline::{Entry, What};

/// What takes a machine's time: from half a millisecond to ten seconds.
const QUICK: [f64; 13] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];
/// What takes a caller's time: from a tenth of a second to an hour.
const SLOW: [f64; 13] =
    [0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0, 3_600.0];
/// Steps whose time is taken at once; of more nothing is known.
const STEPS_MAX: usize = 50_000;

/// How a call came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// A rule did not let it in.
    TurnedAway,
    /// The caller spoke with somebody.
    Talked,
    /// The flow answered, and nobody else did.
    Answered,
    /// Nobody answered.
    Unanswered,
}

impl Outcome {
    pub const fn name(self) -> &'static str {
        match self {
            Self::TurnedAway => "turned_away",
            Self::Talked => "talked",
            Self::Answered => "answered",
            Self::Unanswered => "unanswered",
        }
    }
}

impl From<&CallRecord> for Outcome {
    fn from(record: &CallRecord) -> Self {
        if record.turned_away.is_some() {
            Self::TurnedAway
        } else if record.legs.iter().skip(1).any(|leg| leg.answered.is_some()) {
            Self::Talked
        } else if record.answered.is_some() {
            Self::Answered
        } else {
            Self::Unanswered
        }
    }
}

/// What is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// Since when each call is in its step, and of which kind that is.
    steps: DashMap<CallId, (Timestamp, String)>,
    ended: IntCounterVec,
    duration: HistogramVec,
    step: HistogramVec,
    round_trip: Histogram,
    lag: Histogram,
    requests: IntCounterVec,
    request: HistogramVec,
    deliveries: IntCounterVec,
    delivery: Histogram,
    /// Spans that no collector took.
    pub spans_lost: IntCounter,
    /// Those who follow a tenant's events.
    pub followers: IntGauge,
}

impl Metrics {
    /// # Errors
    /// Two figures of one name: a fault of ours.
    pub fn new() -> prometheus::Result<Self> {
        let registry = Registry::new();
        registry.register(Box::new(ProcessCollector::for_self()))?;
        let made = Maker(&registry);
        Ok(Self {
            steps: DashMap::new(),
            ended: made.counters(
                "callwright_calls_ended_total",
                "Calls that ended, by how they came out and who ended them.",
                &["tenant", "outcome", "ended_by"],
            )?,
            duration: made.histograms(
                "callwright_call_duration_seconds",
                "How long calls took, from their arrival to their end.",
                &SLOW,
                &["outcome"],
            )?,
            step: made.histograms(
                "callwright_step_duration_seconds",
                "How long callers were in a step, by its kind.",
                &SLOW,
                &["kind"],
            )?,
            round_trip: made.histogram(
                "callwright_event_socket_round_trip_seconds",
                "How long FreeSWITCH took to answer a command on a call's connection.",
                &QUICK,
            )?,
            lag: made.histogram(
                "callwright_event_socket_lag_seconds",
                "How old events of calls were when they were read, by FreeSWITCH's clock.",
                &QUICK,
            )?,
            requests: made.counters(
                "callwright_api_requests_total",
                "Requests to the HTTP API, by what was asked and the status of the answer.",
                &["method", "route", "status"],
            )?,
            request: made.histograms(
                "callwright_api_request_duration_seconds",
                "How long the HTTP API took to answer.",
                &QUICK,
                &["method", "route"],
            )?,
            deliveries: made.counters(
                "callwright_webhook_attempts_total",
                "Attempts to deliver events to webhooks, by what came of them.",
                &["tenant", "outcome"],
            )?,
            delivery: made.histogram(
                "callwright_webhook_attempt_duration_seconds",
                "How long receivers of webhooks took to answer.",
                &QUICK,
            )?,
            spans_lost: made.counter(
                "callwright_trace_spans_lost_total",
                "Spans of traces that no collector took.",
            )?,
            followers: made.gauge("callwright_followers", "Who follows events live.")?,
            registry,
        })
    }

    /// Something happened to a call.
    pub(super) fn note(&self, call: CallId, entry: &Entry) {
        match &entry.what {
            What::StepEntered { kind, .. } => {
                self.leave(call, entry.at);
                if self.steps.len() < STEPS_MAX {
                    self.steps.insert(call, (entry.at, kind.clone()));
                }
            }
            What::StepLeft { .. } | What::Ended { .. } => self.leave(call, entry.at),
            _ => {}
        }
    }

    fn leave(&self, call: CallId, at: Timestamp) {
        if let Some((_, (since, kind))) = self.steps.remove(&call) {
            let seconds = (at - since).total(jiff::Unit::Second).unwrap_or(0.0);
            self.step.with_label_values(&[kind.as_str()]).observe(seconds);
        }
    }

    /// A call is over.
    pub(super) fn record(&self, tenant: &str, record: &CallRecord) {
        self.leave(record.call, record.ended);
        let outcome = Outcome::from(record).name();
        let ended_by = record.termination.party.name();
        self.ended.with_label_values(&[tenant, outcome, ended_by]).inc();
        let seconds = record.ended.duration_since(record.started).as_secs_f64();
        self.duration.with_label_values(&[outcome]).observe(seconds);
    }

    /// FreeSWITCH answered a command.
    pub fn answered_after(&self, time: Duration) {
        self.round_trip.observe(time.as_secs_f64());
    }

    /// An event was so old when it was read.
    pub fn lagged(&self, time: Duration) {
        self.lag.observe(time.as_secs_f64());
    }

    /// The HTTP API answered. `route` is the path with names in place of what varies.
    pub fn requested(&self, method: &str, route: &str, status: u16, time: Duration) {
        self.requests.with_label_values(&[method, route, &status.to_string()]).inc();
        self.request.with_label_values(&[method, route]).observe(time.as_secs_f64());
    }

    /// A webhook's receiver was sent an event; `outcome` is `delivered`, `failed` where it is tried
    /// again, or `given_up`.
    pub fn delivered(&self, tenant: &str, outcome: &str, time: Duration) {
        self.deliveries.with_label_values(&[tenant, outcome]).inc();
        self.delivery.observe(time.as_secs_f64());
    }

    /// All that was counted.
    pub(super) fn gather(&self) -> Vec<MetricFamily> {
        self.registry.gather()
    }
}

/// Makes figures that are gathered.
struct Maker<'a>(&'a Registry);

impl Maker<'_> {
    fn counter(&self, name: &str, help: &str) -> prometheus::Result<IntCounter> {
        let made = IntCounter::new(name, help)?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn counters(
        &self,
        name: &str,
        help: &str,
        labels: &[&str],
    ) -> prometheus::Result<IntCounterVec> {
        let made = IntCounterVec::new(Opts::new(name, help), labels)?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn gauge(&self, name: &str, help: &str) -> prometheus::Result<IntGauge> {
        let made = IntGauge::new(name, help)?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn histogram(&self, name: &str, help: &str, buckets: &[f64]) -> prometheus::Result<Histogram> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let made = Histogram::with_opts(options)?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }

    fn histograms(
        &self,
        name: &str,
        help: &str,
        buckets: &[f64],
        labels: &[&str],
    ) -> prometheus::Result<HistogramVec> {
        let options = HistogramOpts::new(name, help).buckets(buckets.to_vec());
        let made = HistogramVec::new(options, labels)?;
        self.0.register(Box::new(made.clone()))?;
        Ok(made)
    }
}
