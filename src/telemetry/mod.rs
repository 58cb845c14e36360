//! What runs can be watched from outside: figures for Prometheus, and each call as a tree of spans
//! for OpenTelemetry. Both are made of what a call writes down of itself.

pub mod config;
mod export;
mod families;
mod metrics;
mod spans;

pub use config::Config;
pub use export::ExportError;
pub use families::{Families, number};
pub use metrics::{Metrics, Outcome};

use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;

use crate::base::ids::CallId;
use crate::base::masked::Masked;
use crate::base::span::{Part, traceparent};
use crate::model::record::CallRecord;
use crate::model::timeline::Entry;

use export::Exporter;
use spans::Unfinished;

/// The header by which a trace goes on elsewhere (W3C Trace Context).
const TRACEPARENT: &str = "traceparent";
/// Calls whose spans are put together at once; more are not traced.
const CALLS_MAX: usize = 20_000;

/// Watches calls; a clone is the same.
#[derive(Debug, Clone)]
pub struct Telemetry(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    metrics: Arc<Metrics>,
    traces: Option<Traces>,
}

#[derive(Debug)]
struct Traces {
    exporter: Exporter,
    share: f64,
    calls: DashMap<CallId, Unfinished>,
}

impl Telemetry {
    /// Begins to send traces where the settings say where to. Call it within a tokio runtime.
    ///
    /// # Errors
    /// The settings make no sense.
    pub fn start(config: &Config, node: &str, metrics: Arc<Metrics>) -> Result<Self, ExportError> {
        let traces = match &config.endpoint {
            None => None,
            Some(_) if !(0.0..=1.0).contains(&config.share) => {
                return Err(ExportError::Share(config.share));
            }
            Some(endpoint) => {
                let exporter = Exporter::start(endpoint, &config.headers, node, &metrics)?;
                Some(Traces { exporter, share: config.share, calls: DashMap::new() })
            }
        };
        Ok(Self(Arc::new(Inner { metrics, traces })))
    }

    /// Counts alone; nothing is traced.
    ///
    /// # Errors
    /// As [`Metrics::new`].
    pub fn untraced() -> prometheus::Result<Self> {
        Ok(Self(Arc::new(Inner { metrics: Arc::new(Metrics::new()?), traces: None })))
    }

    pub fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Lets another system go on with the trace of a call, where the call is traced and the
    /// request's author names no trace: `headers` are those of the request of this query.
    pub fn mark(&self, call: CallId, query: u32, headers: &mut Vec<(String, Masked<String>)>) {
        let traced = self.0.traces.as_ref().is_some_and(|it| spans::is_chosen(call, it.share));
        if traced && !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case(TRACEPARENT)) {
            let value = Masked::new(traceparent(call, Part::Query(query)));
            headers.push((TRACEPARENT.to_owned(), value));
        }
    }

    /// Something happened to a call.
    pub fn note(&self, call: CallId, entry: &Entry) {
        self.0.metrics.note(call, entry);
        if let Some(traces) = &self.0.traces {
            traces.note(call, entry);
        }
    }

    /// A call is over.
    pub fn record(&self, tenant: &str, record: &CallRecord) {
        self.0.metrics.record(tenant, record);
        if let Some(traces) = &self.0.traces {
            traces.record(tenant, record);
        }
    }

    /// Sends what is left, in that time.
    pub async fn settle(&self, within: Duration) {
        if let Some(traces) = &self.0.traces {
            traces.exporter.settle(within).await;
        }
    }
}

impl Traces {
    fn note(&self, call: CallId, entry: &Entry) {
        if !spans::is_chosen(call, self.share) {
            return;
        }
        if self.calls.len() >= CALLS_MAX && !self.calls.contains_key(&call) {
            return;
        }
        let mut unfinished = self.calls.entry(call).or_default();
        unfinished.note(call, entry, |span| self.exporter.send(span));
    }

    fn record(&self, tenant: &str, record: &CallRecord) {
        if !spans::is_chosen(record.call, self.share) {
            return;
        }
        let unfinished =
            self.calls.remove(&record.call).map(|(_, spans)| spans).unwrap_or_default();
        unfinished.end(tenant, record, |span| self.exporter.send(span));
    }
}
