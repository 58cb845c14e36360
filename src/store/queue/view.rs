//! Lines as people look at them.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::super::Operator;
use super::super::pool::in_snapshot;
use super::super::timestamp;
use super::{GONE_MS, NOW, held};
use super::{StoreError, TenantScope};
use crate::base::ids::{QueueName, TenantId};
use crate::model::live::LiveCall;
use crate::model::queue::{QueueView, TargetState, TargetView, WaitingCall};

/// Lines, callers and targets that are listed at most, of each.
const LISTED_MAX: i64 = 10_000;

const LINES: &str = "SELECT name, talk_ms FROM queue WHERE tenant = $1 ORDER BY name LIMIT $2";
const WAITING: &str = "SELECT c.queue, c.call, c.joined_ms, c.target, l.live FROM queue_call c \
     LEFT JOIN live_call l ON l.tenant = c.tenant AND l.id = c.call \
     WHERE c.tenant = $1 AND c.seen_ms >= $2 ORDER BY c.joined_ms, c.call LIMIT $3";
const TARGETS: &str = concat!(
    "SELECT t.queue, t.target, t.busy_by, t.talk_ms, t.rung_ms, t.idle_ms, t.not_before_ms, ",
    held!(),
    " AS held FROM queue_target t WHERE t.tenant = $2 ORDER BY t.target LIMIT $3"
);

const LENGTHS: &str = "SELECT tenant, queue, count(*) AS waiting, min(joined_ms) AS first_ms \
     FROM queue_call WHERE seen_ms >= $1 GROUP BY tenant, queue ORDER BY tenant, queue LIMIT $2";

/// How many callers wait in a line, and for how long the first has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueueLength {
    pub tenant: TenantId,
    pub queue: QueueName,
    pub waiting: u64,
    pub longest_ms: u64,
}

impl Operator {
    /// All tenants' lines in which somebody waits.
    pub async fn queue_lengths(&self) -> Result<Vec<QueueLength>, StoreError> {
        let (now, rows) = in_snapshot!(self.store.ready().await?, tx => {
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *tx).await?;
            let rows = sqlx::query_as::<_, (String, String, i64, i64)>(LENGTHS)
                .bind(now - GONE_MS)
                .bind(LISTED_MAX)
                .fetch_all(&mut *tx)
                .await?;
            (now, rows)
        });
        let lengths = rows.into_iter().map(|(tenant, queue, waiting, first_ms)| {
            Ok(QueueLength {
                tenant: tenant.parse().map_err(StoreError::corrupt)?,
                queue: queue.parse().map_err(StoreError::corrupt)?,
                waiting: u64::try_from(waiting).unwrap_or(0),
                longest_ms: u64::try_from(now - first_ms).unwrap_or(0),
            })
        });
        lengths.collect()
    }
}

#[derive(Debug, FromRow)]
struct WaitingRow {
    queue: String,
    call: String,
    joined_ms: i64,
    target: Option<String>,
    live: Option<String>,
}

#[derive(Debug, FromRow)]
struct TargetRow {
    queue: String,
    target: String,
    busy_by: Option<String>,
    talk_ms: Option<i64>,
    rung_ms: i64,
    idle_ms: i64,
    not_before_ms: i64,
    held: bool,
}

impl TenantScope {
    /// The tenant's lines of the last month, by name.
    pub async fn queues(&self) -> Result<Vec<QueueView>, StoreError> {
        let tenant = self.key();
        let (now, lines, waiting, targets) = in_snapshot!(self.store.ready().await?, tx => {
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *tx).await?;
            let lines = sqlx::query_as::<_, (String, Option<i64>)>(LINES).bind(&tenant);
            let lines = lines.bind(LISTED_MAX).fetch_all(&mut *tx).await?;
            let waiting = sqlx::query_as::<_, WaitingRow>(WAITING).bind(&tenant);
            let waiting = waiting.bind(now - GONE_MS).bind(LISTED_MAX).fetch_all(&mut *tx).await?;
            let targets = sqlx::query_as::<_, TargetRow>(TARGETS).bind(now).bind(&tenant);
            (now, lines, waiting, targets.bind(LISTED_MAX).fetch_all(&mut *tx).await?)
        });
        let mut views = BTreeMap::new();
        for (name, talk_ms) in lines {
            let name: QueueName = name.parse().map_err(StoreError::corrupt)?;
            let (waiting, targets) = (Vec::new(), Vec::new());
            views.insert(name.to_string(), QueueView { name, talk_ms, waiting, targets });
        }
        for row in waiting {
            if let Some(view) = views.get_mut(&row.queue) {
                view.waiting.push(row.try_into()?);
            }
        }
        for row in targets {
            if let Some(view) = views.get_mut(&row.queue) {
                view.targets.push(row.read(now)?);
            }
        }
        Ok(views.into_values().collect())
    }
}

impl TryFrom<WaitingRow> for WaitingCall {
    type Error = StoreError;
    fn try_from(row: WaitingRow) -> Result<Self, StoreError> {
        let live = row.live.map(|live| serde_json::from_str::<LiveCall>(&live)).transpose();
        Ok(Self {
            call: row.call.parse().map_err(StoreError::corrupt)?,
            caller: live.map_err(StoreError::corrupt)?.map(|live| live.caller_number),
            since: timestamp(row.joined_ms)?,
            target: row.target,
        })
    }
}

impl TargetRow {
    fn read(self, now_ms: i64) -> Result<TargetView, StoreError> {
        let (state, at_ms) = match (self.held, self.talk_ms) {
            (true, Some(since_ms)) => (TargetState::Speaks, since_ms),
            (true, None) => (TargetState::Rings, self.rung_ms),
            (false, _) if self.not_before_ms > now_ms => (TargetState::Rests, self.not_before_ms),
            (false, _) => (TargetState::Free, self.idle_ms),
        };
        let call = self.busy_by.filter(|_| self.held).map(|call| call.parse()).transpose();
        Ok(TargetView {
            target: self.target,
            state,
            call: call.map_err(StoreError::corrupt)?,
            at: (at_ms > 0).then(|| timestamp(at_ms)).transpose()?,
        })
    }
}
