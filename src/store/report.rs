//! Call records as reports read them: the oldest first, in pages that look at so many rows and no
//! more, so that no page keeps a connection for long however little of it is wanted.

use super::page::Cursor;
use super::pool::on;
use super::{StoreError, TenantScope};
use crate::base::ids::{FlowName, QueueName};
use crate::model::record::CallRecord;

/// Rows that a page looks at.
const ROWS: i64 = 200;

/// What a record has to name, to be wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Names {
    /// A step of this flow on its path.
    Flow(FlowName),
    /// A step with this waiting line.
    Queue(QueueName),
}

impl Names {
    /// As the record's JSON has it, for LIKE. It may find too much, never too little.
    fn pattern(&self) -> String {
        let plain = |name: &str| name.replace('_', "\\_");
        match self {
            Self::Flow(flow) => format!("%\"flow\":\"{}\",\"step\":%", plain(flow.as_str())),
            Self::Queue(queue) => format!("%\"queue\":\"{}\"%", plain(queue.as_str())),
        }
    }
}

/// Which records a report reads; what is left out does not matter. Times are in Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ReportFilter {
    /// Calls that began then or later are read …
    pub since_ms: i64,
    /// … but those that began before this only if they were up then.
    pub from_ms: i64,
    pub until_ms: i64,
    pub names: Option<Names>,
    /// The dialed number, as it is kept or as the tenant's plan reads it.
    pub number: Option<String>,
    /// The call's own flow, and its version.
    pub flow: Option<FlowName>,
    pub version: Option<u32>,
}

/// A record as it is kept.
#[derive(Debug)]
pub struct KeptRecord(String);

impl KeptRecord {
    /// # Errors
    /// It is damaged.
    pub fn read(&self) -> Result<CallRecord, StoreError> {
        serde_json::from_str(&self.0).map_err(StoreError::corrupt)
    }
}

/// Those that are wanted of a page's rows.
#[derive(Debug)]
pub struct RecordPage {
    pub records: Vec<KeptRecord>,
    /// Where the next page begins; none after the last.
    pub next: Option<Cursor>,
}

/// `CASE` instead of `WHERE`: a page that skipped rows would look at any number of them.
const PAGE: &str = "SELECT started_ms, id, CASE WHEN (started_ms >= $5 OR ended_ms > $5) \
     AND ($6 IS NULL OR record LIKE $6 ESCAPE '\\') \
     AND ($7 IS NULL OR dialed IN ($7, $8)) AND ($9 IS NULL OR flow = $9) \
     AND ($10 IS NULL OR version = $10) THEN record END \
     FROM call_record WHERE tenant = $1 AND (started_ms, id) > ($2, $3) \
     AND started_ms < $4 ORDER BY started_ms, id LIMIT $11";

impl TenantScope {
    /// How many calls began in a time, counted up to `most`.
    pub async fn records_between(
        &self,
        from_ms: i64,
        until_ms: i64,
        most: u32,
    ) -> Result<u64, StoreError> {
        let (count,) = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (i64,)>(
                "SELECT COUNT(*) FROM (SELECT 1 FROM call_record WHERE tenant = $1 \
                 AND started_ms >= $2 AND started_ms < $3 LIMIT $4) AS counted",
            )
            .bind(self.key())
            .bind(from_ms)
            .bind(until_ms)
            .bind(i64::from(most))
            .fetch_one(db)
            .await?
        });
        u64::try_from(count).map_err(StoreError::corrupt)
    }

    /// A page of what a report reads, the oldest first.
    pub async fn report_page(
        &self,
        filter: &ReportFilter,
        after: Option<Cursor>,
    ) -> Result<RecordPage, StoreError> {
        let read = self.read(filter.number.as_deref()).await?;
        // Less than every uuid.
        let (after_ms, after_id) =
            after.map_or((filter.since_ms, String::new()), |c| (c.at_ms, c.id.to_string()));
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (i64, String, Option<String>)>(PAGE)
                .bind(self.key())
                .bind(after_ms)
                .bind(after_id)
                .bind(filter.until_ms)
                .bind(filter.from_ms)
                .bind(filter.names.as_ref().map(Names::pattern))
                .bind(&filter.number)
                .bind(read)
                .bind(filter.flow.as_ref().map(FlowName::as_str))
                .bind(filter.version.map(i64::from))
                .bind(ROWS)
                .fetch_all(db)
                .await?
        });
        let more = i64::try_from(rows.len()).is_ok_and(|rows| rows == ROWS);
        let last = rows.last().filter(|_| more);
        let next = last.map(|(at_ms, id, _)| {
            Ok::<_, StoreError>(Cursor {
                at_ms: *at_ms,
                id: id.parse().map_err(StoreError::corrupt)?,
            })
        });
        let next = next.transpose()?;
        let records = rows.into_iter().filter_map(|(_, _, record)| record.map(KeptRecord));
        Ok(RecordPage { records: records.collect(), next })
    }
}
