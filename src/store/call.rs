//! Call records and timelines, as a tenant reads them.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::page::{Cursor, Page, Wanted};
use super::pool::on;
use super::{Operator, StoreError, TenantScope, positive, timestamp};
use crate::base::cause::{HangupCause, Party};
use crate::base::ids::{CallId, TenantId};
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
    pub async fn calls(
        &self,
        after: Option<Cursor>,
        limit: u32,
    ) -> Result<Page<CallHead>, StoreError> {
        let wanted = Wanted::new(after, limit);
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, HeadRow>(
                "SELECT id, flow, version, caller, dialed, started_ms, ended_ms, party, cause \
                 FROM call_record WHERE tenant = $1 AND (started_ms, id) < ($2, $3) \
                 ORDER BY started_ms DESC, id DESC LIMIT $4",
            )
            .bind(self.key())
            .bind(wanted.before_ms)
            .bind(&wanted.before_id)
            .bind(wanted.rows())
            .fetch_all(db)
            .await?
        });
        let calls = rows.into_iter().map(CallHead::try_from).collect::<Result<Vec<_>, _>>()?;
        Ok(wanted
            .page(calls, |last| Cursor { at_ms: last.started.as_millisecond(), id: last.call.0 }))
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
