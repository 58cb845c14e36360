//! Call records and timelines, as a tenant reads them.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::pool::on;
use super::{Operator, StoreError, TenantScope, positive, timestamp};
use crate::base::cause::{HangupCause, Party};
use crate::base::ids::{CallId, TenantId};
use crate::model::record::{CallHead, CallRecord};
use crate::model::timeline::Entry;

/// A page of calls has at most so many.
const PAGE_MAX: u32 = 500;

/// Where the next page begins: after this call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    started_ms: i64,
    call: CallId,
}

/// Some calls, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Page {
    pub calls: Vec<CallHead>,
    /// Where to go on; none after the last.
    pub next: Option<Cursor>,
}

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
        })
    }
}

/// The word for a party, as serialised elsewhere.
fn party(word: &str) -> Result<Party, StoreError> {
    serde_json::from_value(word.into()).map_err(StoreError::corrupt)
}

impl TenantScope {
    /// The tenant's calls, the newest first, at most `limit` (and never more than 500).
    pub async fn calls(&self, after: Option<Cursor>, limit: u32) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, PAGE_MAX);
        let (before_ms, before_id) = match after {
            Some(cursor) => (cursor.started_ms, cursor.call.to_string()),
            // Greater than every uuid.
            None => (i64::MAX, "g".to_owned()),
        };
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, HeadRow>(
                "SELECT id, flow, version, caller, dialed, started_ms, ended_ms, party, cause \
                 FROM call_record WHERE tenant = $1 AND (started_ms, id) < ($2, $3) \
                 ORDER BY started_ms DESC, id DESC LIMIT $4",
            )
            .bind(self.key())
            .bind(before_ms)
            .bind(before_id)
            .bind(i64::from(limit) + 1)
            .fetch_all(db)
            .await?
        });
        let wanted = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > wanted;
        let calls = rows.into_iter().take(wanted).map(CallHead::try_from);
        let calls: Vec<CallHead> = calls.collect::<Result<_, _>>()?;
        let next = calls
            .last()
            .filter(|_| more)
            .map(|last| Cursor { started_ms: last.started.as_millisecond(), call: last.call });
        Ok(Page { calls, next })
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
