//! Call records and timelines, as a tenant reads them.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::Value;
use sqlx::FromRow;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::page::{Cursor, Page, Wanted};
use super::pool::on;
use super::{Operator, StoreError, TenantScope, positive, timestamp};
use crate::base::cause::{HangupCause, Party};
use crate::base::ids::{CallId, FlowName, TenantId};
use crate::model::admission::Rule;
use crate::model::record::{CallHead, CallRecord};
use crate::model::timeline::Entry;

#[derive(Debug, FromRow)]
struct HeadRow {
    id: String,
    flow: String,
    version: i64,
    caller: String,
    dialed: String,
    started_ms: i64,
    ended_ms: i64,
    party: String,
    cause: String,
    turned_away: Option<String>,
}

impl TryFrom<HeadRow> for CallHead {
    type Error = StoreError;
    fn try_from(row: HeadRow) -> Result<Self, StoreError> {
        Ok(Self {
            call: row.id.parse().map_err(StoreError::corrupt)?,
            flow: row.flow.parse().map_err(StoreError::corrupt)?,
            version: positive(row.version)?,
            caller_number: row.caller,
            dialed: row.dialed,
            started: timestamp(row.started_ms)?,
            ended: timestamp(row.ended_ms)?,
            party: party(&row.party)?,
            cause: HangupCause::named(&row.cause),
            turned_away: row.turned_away.and_then(|name| Rule::named(&name)),
        })
    }
}

/// The word for a party, as serialised elsewhere.
fn party(word: &str) -> Result<Party, StoreError> {
    serde_json::from_value(word.into()).map_err(StoreError::corrupt)
}

fn word(party: Party) -> Result<String, StoreError> {
    match serde_json::to_value(party) {
        Ok(Value::String(word)) => Ok(word),
        _ => Err(StoreError::Invalid("nobody of this name ends calls".into())),
    }
}

/// Which calls are wanted; what is left out does not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallFilter {
    /// Those that began then or later.
    pub from: Option<Timestamp>,
    /// Those that began before.
    pub to: Option<Timestamp>,
    /// The caller's number or the dialed one, as it is kept or as the tenant's plan reads it.
    pub number: Option<String>,
    pub flow: Option<FlowName>,
    pub cause: Option<HangupCause>,
    /// Who ended it.
    pub party: Option<Party>,
    /// The rule that did not let it in.
    pub turned_away: Option<Rule>,
}

const HEADS: &str =
    "id, flow, version, caller, dialed, started_ms, ended_ms, party, cause, turned_away";

impl TenantScope {
    async fn rows<R>(
        &self,
        columns: &'static str,
        filter: &CallFilter,
        wanted: &Wanted,
    ) -> Result<Vec<R>, StoreError>
    where
        R: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin,
    {
        let party = filter.party.map(word).transpose()?;
        let read = self.read(filter.number.as_deref()).await?;
        let sql = format!(
            "SELECT {columns} FROM call_record WHERE tenant = $1 AND (started_ms, id) < ($2, $3) \
             AND started_ms >= $4 AND started_ms < $5 \
             AND ($6 IS NULL OR caller IN ($6, $7) OR dialed IN ($6, $7)) \
             AND ($8 IS NULL OR flow = $8) AND ($9 IS NULL OR cause = $9) \
             AND ($10 IS NULL OR party = $10) AND ($11 IS NULL OR turned_away = $11) \
             ORDER BY started_ms DESC, id DESC LIMIT $12"
        );
        Ok(on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, R>(sqlx::AssertSqlSafe(sql))
                .bind(self.key())
                .bind(wanted.before_ms)
                .bind(&wanted.before_id)
                .bind(filter.from.map_or(i64::MIN, Timestamp::as_millisecond))
                .bind(filter.to.map_or(i64::MAX, Timestamp::as_millisecond))
                .bind(&filter.number)
                .bind(read)
                .bind(filter.flow.as_ref().map(FlowName::as_str))
                .bind(filter.cause.as_ref().map(ToString::to_string))
                .bind(party)
                .bind(filter.turned_away.map(Rule::name))
                .bind(wanted.rows())
                .fetch_all(db)
                .await?
        }))
    }

    /// A number as the tenant's plan reads it, or else as it is.
    pub(super) async fn read(&self, number: Option<&str>) -> Result<Option<String>, StoreError> {
        let Some(number) = number else { return Ok(None) };
        let plan = self.tenant().await?.numbering;
        Ok(Some(plan.map_or_else(|| number.to_owned(), |plan| plan.normalised(number))))
    }

    /// Whole records, the newest first, at most `limit` (and never more than 500).
    pub async fn records(
        &self,
        filter: &CallFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<CallRecord>, StoreError> {
        let wanted = Wanted::new(after, limit);
        let rows: Vec<(String,)> = self.rows("record", filter, &wanted).await?;
        let records = rows.into_iter().map(|(record,)| serde_json::from_str(&record));
        let records =
            records.collect::<Result<Vec<CallRecord>, _>>().map_err(StoreError::corrupt)?;
        Ok(wanted.page(records, |last| Cursor::new(last.started, last.call.0)))
    }

    /// The tenant's calls, the newest first, at most `limit` (and never more than 500).
    pub async fn calls(
        &self,
        filter: &CallFilter,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<CallHead>, StoreError> {
        let wanted = Wanted::new(after, limit);
        let rows: Vec<HeadRow> = self.rows(HEADS, filter, &wanted).await?;
        let calls = rows.into_iter().map(CallHead::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(wanted.page(calls, |last| Cursor::new(last.started, last.call.0)))
    }

    pub async fn call(&self, call: CallId) -> Result<CallRecord, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>(
                "SELECT record FROM call_record WHERE tenant = $1 AND id = $2",
            )
            .bind(self.key())
            .bind(call.to_string())
            .fetch_optional(db)
            .await?
        });
        let (record,) = row.ok_or_else(|| StoreError::not_found("call", call))?;
        serde_json::from_str(&record).map_err(StoreError::corrupt)
    }

    /// What happened in a call, in order; of a call that still runs, what is known so far.
    pub async fn timeline(&self, call: CallId) -> Result<Vec<Entry>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>(
                "SELECT entries FROM call_timeline WHERE tenant = $1 AND call = $2 \
                 ORDER BY term, first",
            )
            .bind(self.key())
            .bind(call.to_string())
            .fetch_all(db)
            .await?
        });
        if rows.is_empty() {
            return Err(StoreError::not_found("call", call));
        }
        // What was written again after a crash or a full disk is passed over.
        let mut entries: BTreeMap<(u32, u32), Entry> = BTreeMap::new();
        for (stretch,) in rows {
            let stretch: Vec<Entry> =
                serde_json::from_str(&stretch).map_err(StoreError::corrupt)?;
            for entry in stretch {
                entries.entry((entry.term, entry.sequence)).or_insert(entry);
            }
        }
        Ok(entries.into_values().collect())
    }
}

impl Operator {
    /// Whose call it is, for who only has its id.
    pub async fn whose_call(&self, call: CallId) -> Result<TenantId, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>(
                "SELECT tenant FROM call_record WHERE id = $1 \
                 UNION SELECT tenant FROM live_call WHERE id = $1 \
                 UNION SELECT tenant FROM call_timeline WHERE call = $1",
            )
            .bind(call.to_string())
            .fetch_optional(db)
            .await?
        });
        let (tenant,) = row.ok_or_else(|| StoreError::not_found("call", call))?;
        tenant.parse().map_err(StoreError::corrupt)
    }
}
