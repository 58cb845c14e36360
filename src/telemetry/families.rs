//! Figures that are read when somebody asks for them, and all figures as Prometheus reads them.

use std::collections::BTreeMap;

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

use super::Metrics;

/// What is read at one moment.
#[derive(Debug, Default)]
pub struct Families(BTreeMap<&'static str, Family>);

#[derive(Debug)]
struct Family {
    help: &'static str,
    kind: MetricType,
    metrics: Vec<Metric>,
}

/// The names and values of labels.
type Labels<'a> = [(&'a str, &'a str)];

impl Families {
    /// What Prometheus's text format is called (prometheus.io, exposition formats).
    pub const MEDIA_TYPE: &'static str = prometheus::TEXT_FORMAT;

    /// Something that goes up and down.
    pub fn gauge(&mut self, name: &'static str, help: &'static str, labels: &Labels<'_>, now: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(now);
        let mut metric = labelled(labels);
        metric.set_gauge(gauge);
        self.put(name, help, MetricType::GAUGE, metric);
    }

    /// Something that only goes up; its name ends in `_total`.
    pub fn counter(
        &mut self,
        name: &'static str,
        help: &'static str,
        labels: &Labels<'_>,
        now: u64,
    ) {
        let mut counter = Counter::default();
        counter.set_value(number(now));
        let mut metric = labelled(labels);
        metric.set_counter(counter);
        self.put(name, help, MetricType::COUNTER, metric);
    }

    fn put(&mut self, name: &'static str, help: &'static str, kind: MetricType, metric: Metric) {
        let family = self.0.entry(name).or_insert(Family { help, kind, metrics: Vec::new() });
        family.metrics.push(metric);
    }

    /// These and what was counted, as text.
    ///
    /// # Errors
    /// A figure's name makes no sense: a fault of ours.
    pub fn exposed(self, metrics: &Metrics) -> prometheus::Result<Vec<u8>> {
        let read = self.0.into_iter().map(|(name, family)| {
            let mut made = MetricFamily::default();
            made.set_name(name.to_owned());
            made.set_help(family.help.to_owned());
            made.set_field_type(family.kind);
            made.set_metric(family.metrics);
            made
        });
        let all: Vec<_> = metrics.gather().into_iter().chain(read).collect();
        let mut text = Vec::new();
        TextEncoder::new().encode(&all, &mut text)?;
        Ok(text)
    }
}

fn labelled(labels: &Labels<'_>) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    Metric::from_label(pairs.collect())
}

/// As Prometheus keeps it; beyond 2^53 not every count is told apart.
#[allow(clippy::cast_precision_loss, reason = "Prometheus has no other numbers")]
pub fn number(count: u64) -> f64 {
    count as f64
}
