//! Reports of a tenant's calls, from the records in the database: read in pages, folded beside the
//! tasks that run calls, and drawn.

mod drawing;

use jiff::{SignedDuration, Timestamp};

use crate::base::ids::{FlowName, QueueName};
use crate::base::millis::Millis;
use crate::flow::Limits;
use crate::flow::schedule::{ScheduleError, zone};
use crate::model::report::calls::{CallsReport, CallsTally};
use crate::model::report::flow::{FlowReport, FlowTally};
use crate::model::report::period::{Bucket, Moment, Period, PeriodError};
use crate::model::report::queue::{QueueReport, QueueTally};
use crate::model::report::{Tally, TooWide};
use crate::store::{KeptRecord, Names, ReportFilter, StoreError, TenantScope};

pub use drawing::drawing;

/// Most calls that a report looks at.
pub const RECORDS_MAX: u32 = 500_000;
/// How much longer than its limit a call may take to end.
const SLACK_MS: i64 = 3_600_000;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Period(#[from] PeriodError),
    #[error(transparent)]
    TooWide(#[from] TooWide),
    #[error(
        "more than {RECORDS_MAX} calls began in that time, which is more than a report reads: \
         ask for less time"
    )]
    TooMany,
    #[error("the tenant's time zone can't be used: {0}")]
    Zone(#[from] ScheduleError),
    #[error("no version of the flow `{0}` is published: say which one")]
    Unpublished(FlowName),
    #[error("version {version} of the flow `{flow}` can't be read")]
    Unreadable { flow: FlowName, version: u32 },
    #[error("reading was broken off: {0}")]
    Broken(#[from] tokio::task::JoinError),
}

/// Which time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct When {
    pub from: Option<Moment>,
    pub until: Option<Moment>,
    pub bucket: Bucket,
}

/// Which calls; what is left out does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Which {
    /// The one that was dialed.
    pub number: Option<String>,
    /// The call's own.
    pub flow: Option<FlowName>,
    pub version: Option<u32>,
}

/// Where callers go in a flow; of one version, or of all together.
///
/// # Errors
/// There is no such flow, or the time can't be reported on.
pub async fn flow(
    scope: &TenantScope,
    flow: &FlowName,
    version: Option<u32>,
    number: Option<String>,
    when: When,
) -> Result<FlowReport, ReportError> {
    scope.flow(flow).await?;
    let period = period(scope, when).await?;
    let names = Some(Names::Flow(flow.clone()));
    let filter = ReportFilter { names, number, ..within(&period) };
    let tally = FlowTally::new(flow.clone(), version, period);
    Ok(fold(scope, filter, tally).await?.report())
}

/// What became of calls.
///
/// # Errors
/// The time can't be reported on.
pub async fn calls(
    scope: &TenantScope,
    which: Which,
    when: When,
) -> Result<CallsReport, ReportError> {
    let period = period(scope, when).await?;
    let all = within(&period);
    let longest_ms = i64::try_from(Limits::CEILING.duration.ms()).unwrap_or(i64::MAX);
    let since_ms = all.from_ms.saturating_sub(longest_ms.saturating_add(SLACK_MS));
    let Which { number, flow, version } = which;
    let filter = ReportFilter { since_ms, number, flow, version, ..all };
    Ok(fold(scope, filter, CallsTally::new(period)).await?.report())
}

/// What became of those who waited in a line.
///
/// # Errors
/// The time can't be reported on.
pub async fn queue(
    scope: &TenantScope,
    queue: &QueueName,
    answer_within: Millis,
    when: When,
) -> Result<QueueReport, ReportError> {
    let period = period(scope, when).await?;
    let names = Some(Names::Queue(queue.clone()));
    let filter = ReportFilter { names, ..within(&period) };
    let tally = QueueTally::new(queue.clone(), period, answer_within);
    Ok(fold(scope, filter, tally).await?.report())
}

async fn period(scope: &TenantScope, when: When) -> Result<Period, ReportError> {
    let timezone = scope.tenant().await?.timezone;
    let zone = zone(&timezone)?;
    // What began in this very millisecond is in it.
    let now = Timestamp::now() + SignedDuration::from_millis(1);
    Ok(Period::new((when.from, when.until), now, (&timezone, zone), when.bucket)?)
}

fn within(period: &Period) -> ReportFilter {
    let (from_ms, until_ms) = (period.from_ms(), period.until_ms());
    ReportFilter { since_ms: from_ms, from_ms, until_ms, ..ReportFilter::default() }
}

async fn fold<T: Tally + Send + 'static>(
    scope: &TenantScope,
    filter: ReportFilter,
    mut tally: T,
) -> Result<T, ReportError> {
    let most = RECORDS_MAX + 1;
    if scope.records_between(filter.since_ms, filter.until_ms, most).await? > RECORDS_MAX.into() {
        return Err(ReportError::TooMany);
    }
    let mut after = None;
    loop {
        let page = scope.report_page(&filter, after).await?;
        // Not among the tasks that run calls: a page may take some milliseconds.
        tally = tokio::task::spawn_blocking(move || add(tally, &page.records)).await??;
        after = page.next;
        if after.is_none() {
            return Ok(tally);
        }
    }
}

fn add<T: Tally>(mut tally: T, records: &[KeptRecord]) -> Result<T, ReportError> {
    for record in records {
        tally.add(&record.read()?)?;
    }
    Ok(tally)
}
