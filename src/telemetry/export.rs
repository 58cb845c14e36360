//! Sends spans to an OpenTelemetry collector: OTLP over HTTP. A call never waits for it.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use opentelemetry::trace::{
    SpanContext, SpanId, SpanKind, Status, TraceFlags, TraceId, TraceState,
};
use opentelemetry::{InstrumentationScope, KeyValue};
use opentelemetry_otlp::{ExporterBuildError, Protocol, WithExportConfig, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{SpanData, SpanEvents, SpanExporter, SpanLinks};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use super::Metrics;
use super::spans::Span;
use crate::base::masked::Masked;
use crate::base::span::trace;

/// Spans that wait; more are lost, and counted.
const WAITING_MAX: usize = 8_192;
/// Spans that are sent at once.
const BATCH_MAX: usize = 512;
/// How long a span waits for others at most.
const GATHER: Duration = Duration::from_secs(2);
/// How long a collector may take.
const SENDING: Duration = Duration::from_secs(10);

/// Why traces can't be sent.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    #[error(transparent)]
    Client(#[from] reqwest::Error),
    #[error("`traces.share` is {0}; it is from 0 to 1")]
    Share(f64),
    #[error(transparent)]
    Settings(#[from] ExporterBuildError),
}

/// The way to the collector.
#[derive(Debug)]
pub(super) struct Exporter {
    waiting: mpsc::Sender<Word>,
    metrics: Arc<Metrics>,
}

enum Word {
    Span(Box<Span>),
    /// Send all that came before, and say so.
    Flush(oneshot::Sender<()>),
}

impl Exporter {
    pub(super) fn start(
        endpoint: &Url,
        headers: &BTreeMap<String, Masked<String>>,
        node: &str,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, ExportError> {
        // Another part of the process may have chosen a provider already; either will do.
        drop(rustls::crypto::ring::default_provider().install_default());
        let client = reqwest::Client::builder().no_proxy().timeout(SENDING).build()?;
        let headers: HashMap<_, _> =
            headers.iter().map(|(name, value)| (name.clone(), value.reveal().clone())).collect();
        let mut exporter = opentelemetry_otlp::SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(endpoint.as_str())
            .with_headers(headers)
            .with_timeout(SENDING)
            .build()?;
        let resource = Resource::builder_empty()
            .with_service_name("callwright")
            .with_attributes([
                KeyValue::new("service.version", env!("CARGO_PKG_VERSION")),
                KeyValue::new("service.instance.id", node.to_owned()),
            ])
            .build();
        exporter.set_resource(&resource);
        let (waiting, waited) = mpsc::channel(WAITING_MAX);
        tokio::spawn(send(exporter, waited, Arc::clone(metrics)));
        Ok(Self { waiting, metrics: Arc::clone(metrics) })
    }

    pub(super) fn send(&self, span: Span) {
        if self.waiting.try_send(Word::Span(Box::new(span))).is_err() {
            self.metrics.spans_lost.inc();
        }
    }

    /// Sends what waits, as far as that is done in time.
    pub(super) async fn settle(&self, within: Duration) {
        let (done, sent) = oneshot::channel();
        let settled = async {
            if self.waiting.send(Word::Flush(done)).await.is_ok() {
                drop(sent.await);
            }
        };
        if timeout(within, settled).await.is_err() {
            tracing::debug!("the collector does not take the last spans");
        }
    }
}

/// Until nobody has anything to send.
async fn send(
    exporter: opentelemetry_otlp::SpanExporter,
    mut waited: mpsc::Receiver<Word>,
    metrics: Arc<Metrics>,
) {
    let mut fails = false;
    while let Some(first) = waited.recv().await {
        let (mut batch, mut asked) = (Vec::new(), None);
        let until = Instant::now() + GATHER;
        let mut next = Some(first);
        while let Some(word) = next.take() {
            match word {
                Word::Span(span) => batch.push(data(*span)),
                Word::Flush(done) => {
                    asked = Some(done);
                    break;
                }
            }
            if batch.len() < BATCH_MAX {
                next = timeout_at(until, waited.recv()).await.ok().flatten();
            }
        }
        let count = batch.len();
        let sent = count == 0 || was_sent(&exporter, batch, fails).await;
        if !sent {
            metrics.spans_lost.inc_by(u64::try_from(count).unwrap_or(0));
        }
        fails = !sent;
        // Whoever asked may have given up.
        drop(asked);
    }
}

async fn was_sent(
    exporter: &opentelemetry_otlp::SpanExporter,
    batch: Vec<SpanData>,
    failed_before: bool,
) -> bool {
    let error = match timeout(SENDING, exporter.export(batch)).await {
        Ok(Ok(())) => return true,
        Ok(Err(error)) => error.to_string(),
        Err(_) => format!("no answer within {} s", SENDING.as_secs()),
    };
    if !failed_before {
        tracing::warn!(error, "the collector takes no traces");
    }
    false
}

fn data(span: Span) -> SpanData {
    let trace_id = TraceId::from_bytes(trace(span.call).to_be_bytes());
    let context = |id: u64| {
        let id = SpanId::from_bytes(id.to_be_bytes());
        SpanContext::new(trace_id, id, TraceFlags::SAMPLED, false, TraceState::NONE)
    };
    let parent = span.parent.map_or(SpanId::INVALID, |id| SpanId::from_bytes(id.to_be_bytes()));
    let kind = match (span.parent, span.outside) {
        (None, _) => SpanKind::Server,
        (Some(_), true) => SpanKind::Client,
        (Some(_), false) => SpanKind::Internal,
    };
    let attributes = span.attributes.into_iter().map(|(name, value)| KeyValue::new(name, value));
    SpanData {
        span_context: context(span.id),
        parent_span_id: parent,
        parent_span_is_remote: false,
        span_kind: kind,
        name: span.name.into(),
        start_time: SystemTime::from(span.start),
        end_time: SystemTime::from(span.end),
        attributes: attributes.collect(),
        dropped_attributes_count: 0,
        events: SpanEvents::default(),
        links: SpanLinks::default(),
        status: span.failed.map_or(Status::Unset, Status::error),
        instrumentation_scope: InstrumentationScope::builder("callwright").build(),
    }
}
