//! Who listened to whom.

use jiff::Timestamp;

use super::pool::on;
use super::{StoreError, TenantScope, timestamp};
use crate::base::ids::CallId;
use crate::model::audit::AuditEntry;

/// Entries that are listed at most.
const LISTED_MAX: i64 = 1_000;

impl TenantScope {
    /// The sessions that began last, the youngest first; at most 1 000.
    pub async fn audit(&self, limit: u32) -> Result<Vec<AuditEntry>, StoreError> {
        let limit = i64::from(limit).min(LISTED_MAX);
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String, Option<i64>)>(
                "SELECT entry, ended_ms FROM audit WHERE tenant = $1 \
                 ORDER BY began_ms DESC, id DESC LIMIT $2",
            )
            .bind(self.key())
            .bind(limit)
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(read).collect()
    }

    /// The sessions of one call, the first first.
    pub async fn audit_of(&self, call: CallId) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String, Option<i64>)>(
                "SELECT entry, ended_ms FROM audit WHERE tenant = $1 AND call = $2 \
                 ORDER BY began_ms, id LIMIT $3",
            )
            .bind(self.key())
            .bind(call.to_string())
            .bind(LISTED_MAX)
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(read).collect()
    }
}

fn read((entry, ended_ms): (String, Option<i64>)) -> Result<AuditEntry, StoreError> {
    let mut entry: AuditEntry = serde_json::from_str(&entry).map_err(StoreError::corrupt)?;
    if entry.ended.is_none() {
        let ended: Option<Timestamp> = ended_ms.map(timestamp).transpose()?;
        entry.end = ended.map(|_| "the call ended unseen".to_owned());
        entry.ended = ended;
    }
    Ok(entry)
}
