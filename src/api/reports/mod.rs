//! Reports: what calls came to over a time, as JSON, as tables, and on a flow's drawing.

use axum::body::Body;
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use schemars::{JsonSchema, SchemaGenerator, json_schema};
use serde::Deserialize;

use super::Api;
use super::endpoint::{Asked, Endpoint};
use super::problem::Problem;
use super::reply::{Nothing, Reply, Seen};
use super::shape::{Answer, Good, Media};
use crate::base::ids::{FlowName, QueueName};
use crate::base::millis::Millis;
use crate::model::access::Power;
use crate::model::report::calls::CallsReport;
use crate::model::report::flow::FlowReport;
use crate::model::report::period::{Bucket, Moment};
use crate::model::report::queue::QueueReport;
use crate::report::{self, When, Which};
use crate::store::TenantScope;

mod table;

/// Reports that are made at once.
pub(super) const REPORTS_MAX: usize = 2;
/// Within which an answer from a queue is in time, where nothing is said.
const WITHIN: Millis = Millis::seconds(20);

pub(super) fn endpoints() -> Vec<Endpoint> {
    let (get, power) = (|| Method::GET, Power::ReportsRead);
    let flow = "Where callers go in a flow, how long each step takes them, where they leave";
    let calls = "What became of calls: answered, given up, turned away; how many at once";
    let queue = "What became of those who waited in a line";
    vec![
        Endpoint::new(get(), "/v1/tenants/{tenant}/reports/flows/{flow}", power, flow, of_flow),
        Endpoint::new(
            get(),
            "/v1/tenants/{tenant}/reports/flows/{flow}/steps.csv",
            power,
            "The steps of a flow's report as a table",
            steps,
        ),
        Endpoint::new(
            get(),
            "/v1/tenants/{tenant}/reports/flows/{flow}/outcomes.csv",
            power,
            "By what each step was left: outcomes and a menu's choices, as a table",
            outcomes,
        ),
        Endpoint::new(
            get(),
            "/v1/tenants/{tenant}/reports/flows/{flow}/edges.csv",
            power,
            "Who went from which step to which, as a table",
            edges,
        ),
        Endpoint::new(
            get(),
            "/v1/tenants/{tenant}/reports/flows/{flow}/heat.svg",
            power,
            "The flow's drawing with the share of callers on each way and the median time in each \
             step: of the version that is live, or of another that is named",
            heat,
        ),
        Endpoint::new(get(), "/v1/tenants/{tenant}/reports/calls", power, calls, of_calls),
        Endpoint::new(
            get(),
            "/v1/tenants/{tenant}/reports/calls.csv",
            power,
            "The same as a table: the whole time and its parts",
            calls_table,
        ),
        Endpoint::new(get(), "/v1/tenants/{tenant}/reports/queues/{queue}", power, queue, of_queue),
        Endpoint::new(
            get(),
            "/v1/tenants/{tenant}/reports/queues/{queue}/figures.csv",
            power,
            "The same as a table: the whole time and its parts",
            queue_table,
        ),
    ]
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneFlow {
    flow: FlowName,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct OneQueue {
    #[schemars(with = "String")]
    queue: QueueName,
}

/// Which of a flow's calls.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfFlow {
    /// Calls that began then or later; without an offset by the tenant's clock. Six days before
    /// `until` where it is left out.
    #[serde(default)]
    from: Option<Moment>,
    /// Calls that began before; now where it is left out.
    #[serde(default)]
    until: Option<Moment>,
    #[serde(default)]
    bucket: Bucket,
    /// Only calls with this version; steps of the same name are taken together where it is left
    /// out.
    #[serde(default)]
    version: Option<u32>,
    /// Only calls to this number.
    #[serde(default)]
    number: Option<String>,
}

/// Which calls.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfCalls {
    /// Calls that began then or later; without an offset by the tenant's clock. Six days before
    /// `until` where it is left out.
    #[serde(default)]
    from: Option<Moment>,
    /// Calls that began before; now where it is left out.
    #[serde(default)]
    until: Option<Moment>,
    #[serde(default)]
    bucket: Bucket,
    /// Only calls whose own flow this is.
    #[serde(default)]
    flow: Option<FlowName>,
    /// Only with this version of it.
    #[serde(default)]
    version: Option<u32>,
    /// Only calls to this number.
    #[serde(default)]
    number: Option<String>,
}

/// Which of a line's calls.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OfQueue {
    /// Calls that began then or later; without an offset by the tenant's clock. Six days before
    /// `until` where it is left out.
    #[serde(default)]
    from: Option<Moment>,
    /// Calls that began before; now where it is left out.
    #[serde(default)]
    until: Option<Moment>,
    #[serde(default)]
    bucket: Bucket,
    /// Within which an answer is in time, such as `20s`.
    #[serde(default = "within")]
    #[schemars(with = "String")]
    within: Millis,
}

const fn within() -> Millis {
    WITHIN
}

impl Api {
    /// A place among the reports that are made; without one there are too many.
    fn place_for_report(&self) -> Result<tokio::sync::SemaphorePermit<'_>, Problem> {
        let busy = |_| Problem::unavailable("too many reports are being made");
        self.reports.try_acquire().map_err(busy)
    }
}

type FlowAsked = Asked<TenantScope, OneFlow, OfFlow>;
type CallsAsked = Asked<TenantScope, Nothing, OfCalls>;
type QueueAsked = Asked<TenantScope, OneQueue, OfQueue>;

async fn flow_report(asked: FlowAsked) -> Result<FlowReport, Problem> {
    let _place = asked.api.place_for_report()?;
    let OfFlow { from, until, bucket, version, number } = asked.query;
    let when = When { from, until, bucket };
    Ok(report::flow(&asked.whose, &asked.path.flow, version, number, when).await?)
}

async fn calls_report(asked: CallsAsked) -> Result<CallsReport, Problem> {
    let _place = asked.api.place_for_report()?;
    let OfCalls { from, until, bucket, flow, version, number } = asked.query;
    let when = When { from, until, bucket };
    Ok(report::calls(&asked.whose, Which { number, flow, version }, when).await?)
}

async fn queue_report(asked: QueueAsked) -> Result<QueueReport, Problem> {
    let _place = asked.api.place_for_report()?;
    let OfQueue { from, until, bucket, within } = asked.query;
    let when = When { from, until, bucket };
    Ok(report::queue(&asked.whose, &asked.path.queue, within, when).await?)
}

async fn of_flow(asked: FlowAsked) -> Result<Reply<FlowReport>, Problem> {
    Ok(Reply(flow_report(asked).await?))
}

async fn steps(asked: FlowAsked) -> Result<Text<false>, Problem> {
    Ok(Text(table::steps(&flow_report(asked).await?)))
}

async fn outcomes(asked: FlowAsked) -> Result<Text<false>, Problem> {
    Ok(Text(table::outcomes(&flow_report(asked).await?)))
}

async fn edges(asked: FlowAsked) -> Result<Text<false>, Problem> {
    Ok(Text(table::edges(&flow_report(asked).await?)))
}

async fn heat(asked: FlowAsked) -> Result<Text<true>, Problem> {
    let _place = asked.api.place_for_report()?;
    let OfFlow { from, until, bucket, version, number } = asked.query;
    let when = When { from, until, bucket };
    let flow = &asked.path.flow;
    Ok(Text(report::drawing(&asked.whose, flow, version, number, when).await?))
}

async fn of_calls(asked: CallsAsked) -> Result<Reply<CallsReport>, Problem> {
    Ok(Reply(calls_report(asked).await?))
}

async fn calls_table(asked: CallsAsked) -> Result<Text<false>, Problem> {
    Ok(Text(table::calls(&calls_report(asked).await?)))
}

async fn of_queue(asked: QueueAsked) -> Result<Reply<QueueReport>, Problem> {
    Ok(Reply(queue_report(asked).await?))
}

async fn queue_table(asked: QueueAsked) -> Result<Text<false>, Problem> {
    Ok(Text(table::queue(&queue_report(asked).await?)))
}

/// A table, or a drawing.
struct Text<const SVG: bool>(String);

impl<const SVG: bool> Text<SVG> {
    const KIND: &str = if SVG { "image/svg+xml" } else { "text/csv" };
}

impl<const SVG: bool> Answer for Text<SVG> {
    fn describe(_: &mut SchemaGenerator) -> Vec<Good> {
        let kinds = if SVG { &["image/svg+xml"] } else { &["text/csv"] };
        let media = Some(Media { kinds, schema: json_schema!({ "type": "string" }) });
        let about = if SVG { "The drawing" } else { "The table" };
        vec![Good { status: 200, about, media, headers: &[] }]
    }

    fn respond(self, seen: &Seen) -> Result<Response, Problem> {
        let body = if seen.head_only { Body::empty() } else { Body::from(self.0) };
        Ok((StatusCode::OK, [(header::CONTENT_TYPE, Self::KIND)], body).into_response())
    }
}
