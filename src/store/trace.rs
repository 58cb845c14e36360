//! What people did to recordings and keys; it stays when these are gone.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::pool::on;
use super::{StoreError, TenantScope, timestamp};
use crate::base::ids::RecordingId;

/// Entries that are listed at most.
const LIST_MAX: u32 = 1_000;

/// Who does something, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deed {
    pub author: String,
    pub why: String,
}

/// What somebody did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Trace {
    pub at: Timestamp,
    /// None where it was to all of the tenant's recordings.
    pub recording: Option<RecordingId>,
    /// `deleted`, `held`, `released`, `exported`, `heard`, `keep`, `rotated` or `destroyed`.
    pub deed: String,
    pub author: String,
    pub why: String,
}

/// Writes down, inside a transaction, what is done there.
macro_rules! put_trace {
    ($tx:ident, $tenant:expr, $recording:expr, $what:expr, $deed:expr) => {{
        let recording: Option<$crate::base::ids::RecordingId> = $recording;
        sqlx::query(
            "INSERT INTO recording_trace (id, tenant, recording, deed, author, why, at_ms) \
             SELECT $1, $2, $3, $4, $5, $6, now_ms FROM clock",
        )
        .bind(uuid::Uuid::now_v7().to_string())
        .bind($tenant)
        .bind(recording.map(|id| id.to_string()))
        .bind($what)
        .bind($deed.author.replace('\0', "\u{fffd}"))
        .bind($deed.why.replace('\0', "\u{fffd}"))
        .execute(&mut *$tx)
        .await?;
    }};
}

pub(super) use put_trace;

#[derive(Debug, FromRow)]
struct TraceRow {
    recording: Option<String>,
    deed: String,
    author: String,
    why: String,
    at_ms: i64,
}

impl TenantScope {
    /// Writes down that a recording was handed out as a file.
    pub async fn exported(&self, id: RecordingId, deed: &Deed) -> Result<(), StoreError> {
        self.handed_out(id, "exported", deed).await
    }

    /// Writes down that somebody heard a recording.
    pub async fn heard(&self, id: RecordingId, deed: &Deed) -> Result<(), StoreError> {
        self.handed_out(id, "heard", deed).await
    }

    async fn handed_out(
        &self,
        id: RecordingId,
        how: &'static str,
        deed: &Deed,
    ) -> Result<(), StoreError> {
        super::pool::in_transaction!(self.store.ready().await?, tx => {
            put_trace!(tx, self.key(), Some(id), how, deed);
        });
        Ok(())
    }

    /// What was done to the tenant's recordings and keys, or to one of them, the latest first; at
    /// most `limit`, and never more than 1 000.
    pub async fn recording_traces(
        &self,
        recording: Option<RecordingId>,
        limit: u32,
    ) -> Result<Vec<Trace>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, TraceRow>(
                "SELECT recording, deed, author, why, at_ms FROM recording_trace \
                 WHERE tenant = $1 AND ($2 IS NULL OR recording = $2) \
                 ORDER BY at_ms DESC, id DESC LIMIT $3",
            )
            .bind(self.key())
            .bind(recording.map(|id| id.to_string()))
            .bind(i64::from(limit.clamp(1, LIST_MAX)))
            .fetch_all(db)
            .await?
        });
        let each = rows.into_iter().map(|row| {
            let recording = row.recording.map(|id| id.parse()).transpose();
            Ok(Trace {
                at: timestamp(row.at_ms)?,
                recording: recording.map_err(StoreError::corrupt)?,
                deed: row.deed,
                author: row.author,
                why: row.why,
            })
        });
        each.collect()
    }
}
