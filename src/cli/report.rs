//! `callwright report …`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Subcommand, ValueEnum};

use crate::base::ids::{FlowName, QueueName, TenantSlug};
use crate::base::millis::Millis;
use crate::flow::draw::heat::{length, percent};
use crate::model::report::calls::{CallsFigures, CallsReport};
use crate::model::report::flow::{FlowReport, StepReport};
use crate::model::report::period::{Bucket, Covered, Moment};
use crate::model::report::queue::{QueueFigures, QueueReport};
use crate::model::report::times::Spread;
use crate::report::{self, When, Which};
use crate::store::{Store, TenantScope};

use super::screen::{BOLD, Screen, count, paint};
use super::tenant_scope;

#[derive(Debug, Subcommand)]
pub enum ReportCommand {
    /// Where callers go in a flow, how long each step takes them, and where they leave
    Flow {
        flow: FlowName,
        /// Only calls with this version; for a drawing the live one where it is left out
        #[arg(id = "flow_version", long = "flow-version", value_name = "VERSION")]
        version: Option<u32>,
        /// Draw it to this file (SVG): share of callers on each way, median time in each step
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
        /// Only calls to this number
        #[arg(long)]
        number: Option<String>,
        #[command(flatten)]
        span: Span,
    },
    /// What became of calls: answered, given up, turned away; how many at once
    Calls {
        /// Only calls whose own flow this is
        #[arg(long)]
        flow: Option<FlowName>,
        /// Only with this version of it
        #[arg(id = "flow_version", long = "flow-version", value_name = "VERSION")]
        version: Option<u32>,
        /// Only calls to this number
        #[arg(long)]
        number: Option<String>,
        #[command(flatten)]
        span: Span,
    },
    /// What became of those who waited in a line
    Queue {
        queue: QueueName,
        /// An answer is in time that comes no later
        #[arg(long, default_value = "20s")]
        within: Millis,
        #[command(flatten)]
        span: Span,
    },
}

/// Whose calls, and of which time.
#[derive(Debug, Args)]
pub struct Span {
    #[arg(long)]
    tenant: TenantSlug,
    /// Calls that began then or later, such as 2026-11-23 or 2026-11-23T09:00 by the tenant's
    /// clock; seven days where it is left out
    #[arg(long)]
    from: Option<Moment>,
    /// Calls that began before; now where it is left out
    #[arg(long)]
    until: Option<Moment>,
    #[arg(long, value_enum, default_value = "total")]
    by: By,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum By {
    Hour,
    Day,
    Week,
    Total,
}

impl Span {
    async fn scope(&self, store: &Store) -> anyhow::Result<TenantScope> {
        tenant_scope(store, &self.tenant).await
    }

    const fn when(&self) -> When {
        let bucket = match self.by {
            By::Hour => Bucket::Hour,
            By::Day => Bucket::Day,
            By::Week => Bucket::Week,
            By::Total => Bucket::Total,
        };
        When { from: self.from, until: self.until, bucket }
    }
}

pub(super) async fn run(
    command: ReportCommand,
    store: &Store,
    screen: Screen,
) -> anyhow::Result<ExitCode> {
    match command {
        ReportCommand::Flow { flow, version, svg: Some(file), number, span } => {
            let scope = span.scope(store).await?;
            let picture = report::drawing(&scope, &flow, version, number, span.when()).await?;
            write(&file, &picture)?;
        }
        ReportCommand::Flow { flow, version, svg: None, number, span } => {
            let scope = span.scope(store).await?;
            let report = report::flow(&scope, &flow, version, number, span.when()).await?;
            screen.either(&report, |screen| of_flow(&report, screen))?;
        }
        ReportCommand::Calls { flow, version, number, span } => {
            let scope = span.scope(store).await?;
            let which = Which { number, flow, version };
            let report = report::calls(&scope, which, span.when()).await?;
            screen.either(&report, |screen| of_calls(&report, screen))?;
        }
        ReportCommand::Queue { queue, within, span } => {
            let scope = span.scope(store).await?;
            let report = report::queue(&scope, &queue, within, span.when()).await?;
            screen.either(&report, |screen| of_queue(&report, screen))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn write(file: &Path, picture: &str) -> anyhow::Result<()> {
    std::fs::write(file, picture).with_context(|| format!("`{}` can't be written", file.display()))
}

fn times(covered: &Covered) -> String {
    format!("{} to {} ({})", covered.from, covered.until, covered.timezone)
}

fn median(spread: Option<&Spread>) -> String {
    spread.map_or_else(|| "-".to_owned(), |spread| length(spread.median_ms))
}

fn amount(number: u64, thing: &str) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), thing)
}

fn of_flow(report: &FlowReport, screen: Screen) -> std::io::Result<()> {
    let version = match report.version {
        Some(version) => format!("version {version}"),
        None => "all versions".to_owned(),
    };
    let name = paint(BOLD, report.flow.as_str());
    screen.line(format!("{name}, {version}: {}", times(&report.covered)))?;
    let hung_up = format!("{} hung up ({})", report.hung_up, percent(report.hung_up_share));
    screen.line(format!("{}, {hung_up}", amount(report.calls, "call")))?;
    let head = ["STEP", "CALLERS", "SHARE", "MEDIAN", "P90", "HUNG UP", "LEFT BY"];
    screen.table(head, report.steps.iter().map(step))?;
    if !report.buckets.is_empty() {
        let rows = report.buckets.iter().map(|bucket| {
            let hung_up = format!("{} ({})", bucket.hung_up, percent(bucket.hung_up_share));
            [bucket.part.local.clone(), bucket.calls.to_string(), hung_up]
        });
        screen.table(["FROM", "CALLS", "HUNG UP"], rows)?;
    }
    Ok(())
}

fn step(step: &StepReport) -> [String; 7] {
    let outcomes = step.outcomes.iter();
    let left: Vec<_> =
        outcomes.map(|one| format!("{} {}", one.outcome, percent(one.share))).collect();
    let p90 = step.time.as_ref().map_or_else(|| "-".to_owned(), |time| length(time.p90_ms));
    [
        step.step.to_string(),
        step.callers.to_string(),
        percent(step.share),
        median(step.time.as_ref()),
        p90,
        format!("{} ({})", step.hung_up, percent(step.hung_up_share)),
        left.join(", "),
    ]
}

fn of_calls(report: &CallsReport, screen: Screen) -> std::io::Result<()> {
    screen.line(times(&report.covered))?;
    let head = [
        "FROM",
        "CALLS",
        "OFFERED",
        "PERSON",
        "FLOW",
        "GAVE UP",
        "REFUSED",
        "TO PERSON",
        "TALK",
        "PEAK",
    ];
    let parts = report.buckets.iter().map(|one| calls_row(one.part.local.clone(), &one.figures));
    let total = std::iter::once(calls_row("total".to_owned(), &report.total));
    let numbers = report.numbers.iter().map(|one| {
        calls_row(one.number.clone().unwrap_or_else(|| "no number".to_owned()), &one.figures)
    });
    let gateways = report.gateways.iter().map(|one| {
        let name =
            one.gateway.as_ref().map_or_else(|| "no gateway".to_owned(), ToString::to_string);
        calls_row(name, &one.figures)
    });
    screen.table(head, parts.chain(total).chain(numbers).chain(gateways))
}

fn calls_row(name: String, figures: &CallsFigures) -> [String; 10] {
    [
        name,
        figures.calls.to_string(),
        figures.offered.to_string(),
        format!("{} ({})", figures.by_person, percent(figures.by_person_share)),
        figures.by_flow.to_string(),
        format!("{} ({})", figures.abandoned, percent(figures.abandoned_share)),
        figures.turned_away.to_string(),
        median(figures.to_person.as_ref()),
        median(figures.talk.as_ref()),
        figures.peak.calls.to_string(),
    ]
}

fn of_queue(report: &QueueReport, screen: Screen) -> std::io::Result<()> {
    let name = paint(BOLD, report.queue.as_str());
    screen.line(format!("{name}: {}, in time within {}", times(&report.covered), report.within))?;
    let head = [
        "FROM", "OFFERED", "ANSWERED", "GAVE UP", "TOO LONG", "FULL", "IN TIME", "MEDIAN",
        "LONGEST",
    ];
    let parts = report.buckets.iter().map(|one| queue_row(one.part.local.clone(), &one.figures));
    let total = std::iter::once(queue_row("total".to_owned(), &report.total));
    screen.table(head, parts.chain(total))
}

fn queue_row(name: String, figures: &QueueFigures) -> [String; 9] {
    [
        name,
        figures.offered.to_string(),
        format!("{} ({})", figures.answered, percent(figures.answered_share)),
        format!("{} ({})", figures.abandoned, percent(figures.abandoned_share)),
        figures.timed_out.to_string(),
        figures.full.to_string(),
        percent(figures.service_level),
        median(figures.to_answer.as_ref()),
        length(figures.longest_wait_ms),
    ]
}
