//! The processes that serve calls on one database, and which of them are alive.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::pool::{in_transaction, on};
use super::{Operator, StoreError, timestamp};
use crate::base::ids::InstanceId;

/// A process that has not beaten for so long is gone, in milliseconds of the database's clock.
pub(super) const GONE_MS: i64 = 5_000;
/// How long a process that is gone is remembered, in milliseconds.
const REMEMBERED_MS: i64 = 24 * 3_600_000;
/// Processes that are listed at most.
const INSTANCES_MAX: i64 = 1_000;

/// A process that serves calls.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Instance {
    pub id: InstanceId,
    /// The name of its machine, from the settings.
    pub node: String,
    pub started: Timestamp,
    /// Whether it has beaten within the last five seconds, by the database's clock.
    pub alive: bool,
}

#[derive(Debug, FromRow)]
struct InstanceRow {
    id: String,
    node: String,
    started_ms: i64,
    alive: bool,
}

impl TryFrom<InstanceRow> for Instance {
    type Error = StoreError;
    fn try_from(row: InstanceRow) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            node: row.node,
            started: timestamp(row.started_ms)?,
            alive: row.alive,
        })
    }
}

impl Operator {
    /// Says that a process is alive: to be said every second. Whatever was not heard of for a day
    /// is forgotten.
    pub async fn beat(&self, instance: &Instance) -> Result<(), StoreError> {
        in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "INSERT INTO instance (id, node, started_ms, seen_ms, steady_ms) \
                 SELECT $1, $2, $3, now_ms, now_ms FROM clock WHERE true \
                 ON CONFLICT (id) DO UPDATE SET node = excluded.node, \
                 steady_ms = CASE WHEN instance.seen_ms < excluded.seen_ms - $4 \
                 THEN excluded.steady_ms ELSE instance.steady_ms END, \
                 seen_ms = excluded.seen_ms",
            )
            .bind(instance.id.to_string())
            .bind(&instance.node)
            .bind(instance.started.as_millisecond())
            .bind(GONE_MS)
            .execute(&mut *tx)
            .await?;
            sqlx::query("DELETE FROM instance WHERE seen_ms < (SELECT now_ms FROM clock) - $1")
                .bind(REMEMBERED_MS)
                .execute(&mut *tx)
                .await?;
        });
        Ok(())
    }

    /// Forgets a process that ends.
    pub async fn leave(&self, instance: InstanceId) -> Result<(), StoreError> {
        on!(self.store.ready().await?, db => {
            sqlx::query("DELETE FROM instance WHERE id = $1")
                .bind(instance.to_string())
                .execute(db)
                .await
                .map(drop)?;
        });
        Ok(())
    }

    /// The processes that are alive, and those that were killed within the last day; the oldest
    /// first.
    pub async fn instances(&self) -> Result<Vec<Instance>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, InstanceRow>(
                "SELECT id, node, started_ms, \
                 seen_ms >= (SELECT now_ms FROM clock) - $1 AS alive \
                 FROM instance ORDER BY started_ms, id LIMIT $2",
            )
            .bind(GONE_MS)
            .bind(INSTANCES_MAX)
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(Instance::try_from).collect()
    }
}
