//! Limits on calls, kept over all processes. What is counted are the calls that are up, by the rows
//! that are there anyway for each of them; so nothing can be left over that has to be counted down.

use super::pool::in_transaction;
use super::turn::{GRACE_MS, THROUGH, turn};
use super::write::{lock_calls, locks, plain, put_live};
use super::{StoreError, TenantScope};
use crate::call::admission::AdmitFound;
use crate::model::admission::{CallLimit, LimitOn, Measure, Over};
use crate::model::live::LiveCall;

/// Within which calls in a second are counted, in milliseconds.
const SECOND_MS: i64 = 1_000;

const COUNT: &str = "SELECT count(*) FROM live_call WHERE tenant = $1 AND id <> $2 AND NOT pending \
     AND ($3 = 'tenant' OR ($3 = 'number' AND number = $4))";
const NOW: &str = "SELECT now_ms FROM clock";

const RECENT: &str = "SELECT count(*) FROM call_start, clock \
     WHERE tenant = $1 AND kind = $2 AND name = $3 AND at_ms > now_ms - $4 AND call <> $5";

fn is_met(count: i64, most: Option<u32>) -> bool {
    most.is_some_and(|most| count >= i64::from(most))
}

/// Notes that a call began now; what is older than a second is forgotten.
macro_rules! put_start {
    ($tx:ident, $tenant:expr, $live:expr, $on:expr) => {{
        let on: &LimitOn = $on;
        let (kind, name) = on.columns();
        sqlx::query(
            "DELETE FROM call_start WHERE tenant = $1 AND kind = $2 AND name = $3 \
             AND at_ms <= (SELECT now_ms FROM clock) - $4",
        )
        .bind($tenant)
        .bind(kind)
        .bind(name)
        .bind(SECOND_MS)
        .execute(&mut *$tx)
        .await?;
        sqlx::query(
            "INSERT INTO call_start (tenant, kind, name, call, at_ms) \
             SELECT $1, $2, $3, $4, now_ms FROM clock WHERE TRUE \
             ON CONFLICT (tenant, kind, name, call) DO NOTHING",
        )
        .bind($tenant)
        .bind(kind)
        .bind(name)
        .bind($live.call.to_string())
        .execute(&mut *$tx)
        .await?;
    }};
}

/// The calls that are up on what is limited, but for one.
macro_rules! count {
    ($tx:ident, $tenant:expr, $call:expr, $on:expr) => {{
        let on: &LimitOn = $on;
        if let LimitOn::Gateway(gateway) = on {
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *$tx).await?;
            let through = sqlx::query_as::<_, (String, i64)>(THROUGH).bind($tenant).bind(now);
            let through = through.bind(GRACE_MS).bind($call).fetch_all(&mut *$tx).await?;
            let found = through.iter().find(|(name, _)| name == gateway.as_str());
            found.map_or(0, |(_, count)| *count)
        } else {
            let (kind, name) = on.columns();
            let count = sqlx::query_as(COUNT).bind($tenant).bind($call).bind(kind).bind(name);
            let (count,): (i64,) = count.fetch_one(&mut *$tx).await?;
            count
        }
    }};
}

impl TenantScope {
    /// Lets a call in if it fits into these limits, and writes it down as one that counts: nobody
    /// else is let in at the same moment. Asking again for the same call changes nothing.
    pub async fn admit(
        &self,
        live: &LiveCall,
        limits: &[CallLimit],
    ) -> Result<AdmitFound, StoreError> {
        let live = &LiveCall { pending: false, ..live.clone() };
        let json = serde_json::to_string(live).map_err(StoreError::corrupt)?;
        let pool = self.store.ready().await?;
        // The tenant's first: whoever else locks a call holds no tenant's.
        let whole = turn(pool, self.tenant).into_iter();
        let locks: Vec<i64> = whole.chain(locks(pool, [live.call].into_iter())).collect();
        Ok(in_transaction!(pool, tx => {
            lock_calls!(tx, &locks);
            let mut found = AdmitFound::Admitted;
            for (limit, CallLimit { on, limits }) in limits.iter().enumerate() {
                let (kind, name) = on.columns();
                if limits.calls.is_some() {
                    let count = count!(tx, self.key(), live.call.to_string(), on);
                    if is_met(count, limits.calls) {
                        found = AdmitFound::Over(Over { limit, measure: Measure::Calls });
                        break;
                    }
                }
                if limits.calls_per_second.is_some() {
                    let (count,): (i64,) = sqlx::query_as(RECENT)
                        .bind(self.key())
                        .bind(kind)
                        .bind(name)
                        .bind(SECOND_MS)
                        .bind(live.call.to_string())
                        .fetch_one(&mut *tx)
                        .await?;
                    if is_met(count, limits.calls_per_second) {
                        found = AdmitFound::Over(Over { limit, measure: Measure::CallsPerSecond });
                        break;
                    }
                }
            }
            if found == AdmitFound::Admitted {
                put_live!(tx, live, &json);
                for CallLimit { on, limits } in limits {
                    if limits.calls_per_second.is_some() {
                        put_start!(tx, self.key(), live, on);
                    }
                }
            }
            found
        }))
    }
}
