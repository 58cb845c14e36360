//! Calls that are up, as their holders told.

use super::instance::GONE_MS;
use super::page::Cursor;
use super::pool::on;
use super::{Operator, StoreError, TenantScope};
use crate::base::ids::{CallId, InstanceId};
use crate::model::live::LiveCall;

/// Calls that are listed at most.
const LIVE_MAX: i64 = 20_000;

fn read(rows: Vec<(String,)>) -> Result<Vec<LiveCall>, StoreError> {
    let each = rows.iter().map(|(live,)| serde_json::from_str(live));
    each.collect::<Result<_, _>>().map_err(StoreError::corrupt)
}

impl TenantScope {
    /// The tenant's calls that are up, the oldest first; at most 20 000.
    pub async fn live_calls(&self) -> Result<Vec<LiveCall>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>(
                "SELECT live FROM live_call WHERE tenant = $1 ORDER BY started_ms, id LIMIT $2",
            )
            .bind(self.key())
            .bind(LIVE_MAX)
            .fetch_all(db)
            .await?
        });
        read(rows)
    }

    /// Those of the tenant's calls that are up and in another process's hands, the oldest first,
    /// behind a place in that order; at most so many.
    pub async fn live_calls_elsewhere(
        &self,
        here: InstanceId,
        after: Option<Cursor>,
        most: usize,
    ) -> Result<Vec<LiveCall>, StoreError> {
        let (at_ms, id) =
            after.map_or((i64::MIN, String::new()), |after| (after.at_ms, after.id.to_string()));
        let rows = on!(self.store.ready().await?, db => {
            // Two ranges of an index: of calls that are all here none is looked at.
            sqlx::query_as::<_, (String, i64, String)>(
                "SELECT live, started_ms, id FROM live_call \
                 WHERE tenant = $1 AND holder < $2 AND (started_ms, id) > ($3, $4) \
                 UNION ALL SELECT live, started_ms, id FROM live_call \
                 WHERE tenant = $1 AND holder > $2 AND (started_ms, id) > ($3, $4) \
                 ORDER BY 2, 3 LIMIT $5",
            )
            .bind(self.key())
            .bind(here.to_string())
            .bind(at_ms)
            .bind(id)
            .bind(i64::try_from(most).unwrap_or(LIVE_MAX).min(LIVE_MAX))
            .fetch_all(db)
            .await?
        });
        read(rows.into_iter().map(|(live, ..)| (live,)).collect())
    }

    /// One of the tenant's calls that is up.
    pub async fn live_call(&self, call: CallId) -> Result<Option<LiveCall>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>(
                "SELECT live FROM live_call WHERE tenant = $1 AND id = $2 LIMIT 1",
            )
            .bind(self.key())
            .bind(call.to_string())
            .fetch_all(db)
            .await?
        });
        Ok(read(rows)?.pop())
    }
}

impl Operator {
    /// All tenants' calls that are up, the oldest first; at most 20 000.
    pub async fn live_calls(&self) -> Result<Vec<LiveCall>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>(
                "SELECT live FROM live_call ORDER BY started_ms, id LIMIT $1",
            )
            .bind(LIVE_MAX)
            .fetch_all(db)
            .await?
        });
        read(rows)
    }

    /// One call that is up; none where nobody told of it, or it has its record.
    pub async fn live_call(&self, call: CallId) -> Result<Option<LiveCall>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>("SELECT live FROM live_call WHERE id = $1 LIMIT 1")
                .bind(call.to_string())
                .fetch_all(db)
                .await?
        });
        Ok(read(rows)?.pop())
    }

    /// Calls whose holder is gone, the oldest first; at most 20 000. None for five seconds after
    /// the database was away, for nobody could beat meanwhile: some process must have beaten
    /// without a gap for that long.
    pub async fn live_calls_of_the_dead(&self) -> Result<Vec<LiveCall>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>(
                "SELECT c.live FROM live_call c, clock WHERE NOT EXISTS \
                 (SELECT 1 FROM instance i WHERE i.id = c.holder AND i.seen_ms >= now_ms - $1) \
                 AND EXISTS (SELECT 1 FROM instance s \
                 WHERE s.seen_ms >= now_ms - $1 AND s.steady_ms <= now_ms - $1) \
                 ORDER BY c.started_ms, c.id LIMIT $2",
            )
            .bind(GONE_MS)
            .bind(LIVE_MAX)
            .fetch_all(db)
            .await?
        });
        read(rows)
    }
}
