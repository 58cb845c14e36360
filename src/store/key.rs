//! Tenants' keys, wrapped: what is in them is known only to who has the operator's.

use jiff::Timestamp;
use serde::Serialize;
use sqlx::FromRow;

use super::pool::{in_transaction, on};
use super::trace::{Deed, put_trace};
use super::{Store, StoreError, TenantScope, now_ms, positive, timestamp};
use crate::base::ids::RecordingId;

/// Data keys that are handed out at once to be wrapped again.
const BATCH: i64 = 500;
/// Keys of one tenant that are listed at most.
const LIST_MAX: i64 = 10_000;

/// A tenant's key as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WrappedKey {
    /// 1, 2, 3 …: the last that is not destroyed is in use.
    pub number: u32,
    /// None once it is gone: rotated away, or destroyed.
    #[serde(skip)]
    pub wrapped: Option<String>,
    /// The name of the operator's key that wraps it.
    pub operator_key: String,
    pub created: Timestamp,
    pub destroyed: Option<Timestamp>,
}

#[derive(Debug, FromRow)]
struct KeyRow {
    number: i64,
    wrapped: Option<String>,
    operator_key: String,
    created_ms: i64,
    destroyed_ms: Option<i64>,
}

impl TryFrom<KeyRow> for WrappedKey {
    type Error = StoreError;
    fn try_from(row: KeyRow) -> Result<Self, StoreError> {
        Ok(Self {
            number: positive(row.number)?,
            wrapped: row.wrapped,
            operator_key: row.operator_key,
            created: timestamp(row.created_ms)?,
            destroyed: row.destroyed_ms.map(timestamp).transpose()?,
        })
    }
}

impl TenantScope {
    /// The tenant's keys, the newest first.
    pub async fn keys(&self) -> Result<Vec<WrappedKey>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, KeyRow>(
                "SELECT number, wrapped, operator_key, created_ms, destroyed_ms FROM tenant_key \
                 WHERE tenant = $1 ORDER BY number DESC LIMIT $2",
            )
            .bind(self.key())
            .bind(LIST_MAX)
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(WrappedKey::try_from).collect()
    }

    /// Adds a key, which is in use from now on.
    ///
    /// # Errors
    /// A conflict where another process added one of this number.
    pub async fn add_key(
        &self,
        number: u32,
        operator_key: &str,
        wrapped: &str,
    ) -> Result<(), StoreError> {
        on!(self.store.ready().await?, db => {
            sqlx::query(
                "INSERT INTO tenant_key (tenant, number, wrapped, operator_key, created_ms) \
                 VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(self.key())
            .bind(i64::from(number))
            .bind(wrapped)
            .bind(operator_key)
            .bind(now_ms())
            .execute(db)
            .await
            .map(drop)?;
        });
        Ok(())
    }

    /// Puts another wrapping of the same key in the place of `old`.
    pub async fn rewrap_key(
        &self,
        old: &WrappedKey,
        operator_key: &str,
        wrapped: &str,
    ) -> Result<(), StoreError> {
        on!(self.store.ready().await?, db => {
            sqlx::query(
                "UPDATE tenant_key SET wrapped = $3, operator_key = $4 \
                 WHERE tenant = $1 AND number = $2 AND wrapped = $5",
            )
            .bind(self.key())
            .bind(i64::from(old.number))
            .bind(wrapped)
            .bind(operator_key)
            .bind(&old.wrapped)
            .execute(db)
            .await
            .map(drop)?;
        });
        Ok(())
    }

    /// Data keys that older keys than this one wrap: their recording, the number of the key, and
    /// the wrapped key; at most 500.
    pub async fn wrapped_before(
        &self,
        number: u32,
    ) -> Result<Vec<(RecordingId, u32, String)>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String, i64, String)>(
                "SELECT id, key_number, wrapped FROM recording \
                 WHERE tenant = $1 AND key_number < $2 AND wrapped IS NOT NULL \
                 ORDER BY id LIMIT $3",
            )
            .bind(self.key())
            .bind(i64::from(number))
            .bind(BATCH)
            .fetch_all(db)
            .await?
        });
        let each = rows.into_iter().map(|(id, number, wrapped)| {
            Ok((id.parse().map_err(StoreError::corrupt)?, positive(number)?, wrapped))
        });
        each.collect()
    }

    /// Puts data keys that were wrapped again in the place of the old: recording, the old wrapped
    /// key, the new.
    pub async fn rewrap_recordings(
        &self,
        number: u32,
        wrapped: &[(RecordingId, String, String)],
    ) -> Result<(), StoreError> {
        in_transaction!(self.store.ready().await?, tx => {
            for (id, old, new) in wrapped {
                sqlx::query(
                    "UPDATE recording SET key_number = $3, wrapped = $4 \
                     WHERE tenant = $1 AND id = $2 AND wrapped = $5",
                )
                .bind(self.key())
                .bind(id.to_string())
                .bind(i64::from(number))
                .bind(new)
                .bind(old)
                .execute(&mut *tx)
                .await?;
            }
        });
        Ok(())
    }

    /// Forgets keys older than this one, under which nothing is wrapped any more.
    pub async fn retire_keys(&self, number: u32, deed: &Deed) -> Result<(), StoreError> {
        in_transaction!(self.store.ready().await?, tx => {
            // Waits for recordings that are being written under them; what follows sees those.
            sqlx::query("UPDATE tenant_key SET number = number WHERE tenant = $1 AND number < $2")
                .bind(self.key())
                .bind(i64::from(number))
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "UPDATE tenant_key SET wrapped = NULL WHERE tenant = $1 AND number < $2 \
                 AND NOT EXISTS (SELECT 1 FROM recording r WHERE r.tenant = tenant_key.tenant \
                 AND r.key_number = tenant_key.number AND r.wrapped IS NOT NULL) \
                 AND NOT EXISTS (SELECT 1 FROM gateway g WHERE g.tenant = tenant_key.tenant \
                 AND g.key_number = tenant_key.number AND g.sealed IS NOT NULL) \
                 AND NOT EXISTS (SELECT 1 FROM extension e WHERE e.tenant = tenant_key.tenant \
                 AND e.key_number = tenant_key.number AND e.sealed IS NOT NULL) \
                 AND NOT EXISTS (SELECT 1 FROM webhook_secret w \
                 WHERE w.tenant = tenant_key.tenant AND w.key_number = tenant_key.number)",
            )
            .bind(self.key())
            .bind(i64::from(number))
            .execute(&mut *tx)
            .await?;
            put_trace!(tx, self.key(), None, "rotated", deed);
        });
        wipe(&self.store).await
    }

    /// Destroys the tenant's keys, but for a last one of this number that wraps no recording, and
    /// so all its recordings: nobody can hear them any more. Says how many there were.
    ///
    /// # Errors
    /// A recording is held.
    pub async fn destroy_keys(&self, last: Option<u32>, deed: &Deed) -> Result<u64, StoreError> {
        let (held, lost) = in_transaction!(self.store.ready().await?, tx => {
            let (held,) = sqlx::query_as::<_, (i64,)>(
                "SELECT COUNT(*) FROM recording WHERE tenant = $1 AND hold IS NOT NULL",
            )
            .bind(self.key())
            .fetch_one(&mut *tx)
            .await?;
            let mut lost = 0;
            if held == 0 {
                sqlx::query(
                    "UPDATE tenant_key SET wrapped = NULL, \
                     destroyed_ms = (SELECT now_ms FROM clock) \
                     WHERE tenant = $1 AND wrapped IS NOT NULL AND number <> $2",
                )
                .bind(self.key())
                .bind(last.map_or(0, i64::from))
                .execute(&mut *tx)
                .await?;
                lost = sqlx::query(
                    "UPDATE recording SET wrapped = NULL \
                     WHERE tenant = $1 AND wrapped IS NOT NULL",
                )
                .bind(self.key())
                .execute(&mut *tx)
                .await?
                .rows_affected();
                put_trace!(tx, self.key(), None, "destroyed", deed);
            }
            (held, lost)
        });
        if held > 0 {
            let sentence = format!("{held} of the tenant's recordings are held: release them");
            return Err(StoreError::Conflict(sentence));
        }
        wipe(&self.store).await?;
        Ok(lost)
    }
}

/// Lets SQLite's log go too, in which there may be keys that were overwritten; pages are
/// overwritten by themselves (`secure_delete`). What PostgreSQL, its archives and anybody's copies
/// still hold is theirs to forget.
async fn wipe(store: &Store) -> Result<(), StoreError> {
    if let super::pool::Pool::Sqlite(db) = store.ready().await? {
        // A reader that is at work keeps it; the next checkpoint does it then.
        let _ = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(db).await?;
    }
    Ok(())
}
