//! Waiting lines: who waits, and which target is whose. All by the database's clock, so that
//! processes on several machines keep one line.
//!
//! A caller keeps its place by saying every second or two that it waits; one that is not heard of
//! is gone. A target is claimed by one `UPDATE` that succeeds for one call only. It is that call's
//! until the call lets it go, or is no longer up.

mod view;

pub use view::QueueLength;

use sqlx::FromRow;

use super::pool::in_transaction;
use super::{StoreError, TenantScope};
use crate::base::ids::{CallId, QueueName};
use crate::base::millis::Millis;
use crate::call::queue::{QueueAsk, QueueFound, QueueQuery, Standing, Unanswered, Waiter};
use crate::flow::kind::queue::Order;

/// A caller that was not heard of for so long does not wait any more, in ms.
pub(super) const GONE_MS: i64 = 10_000;
/// How much longer than it rings a target is the caller's, in ms; and how long it takes at most
/// until the database knows that a call is up.
const GRACE_MS: i64 = 10_000;
/// What nobody has used for so long is forgotten, in ms.
const FORGOTTEN_MS: i64 = 30 * 86_400_000;

/// Whether the target `t` is somebody's at `$1`: until its time is over, or, in a conversation, as
/// long as the call is up. No call lasts for a day; one whose process was killed and that nobody
/// has found for a minute is gone.
macro_rules! held {
    () => {
        "(t.busy_by IS NOT NULL AND (t.until_ms > $1 OR (t.talk_ms IS NOT NULL AND EXISTS \
         (SELECT 1 FROM live_call l WHERE l.tenant = t.tenant AND l.id = t.busy_by \
         AND l.started_ms > $1 - 86400000 AND NOT EXISTS \
         (SELECT 1 FROM instance i WHERE i.id = l.holder AND i.seen_ms < $1 - 60000)))))"
    };
}
use held;

const NOW: &str = "SELECT now_ms FROM clock";
/// Until the end of the transaction nobody else changes the line.
const HOLD_LINE: &str = "INSERT INTO queue (tenant, name, seen_ms) VALUES ($1, $2, $3) \
     ON CONFLICT (tenant, name) DO UPDATE SET seen_ms = excluded.seen_ms";
const FORGET_GONE: &str =
    "DELETE FROM queue_call WHERE tenant = $1 AND queue = $2 AND seen_ms < $3";
const LET_REST: &str = "UPDATE queue_target SET busy_by = NULL, talk_ms = NULL, \
     until_ms = 0, not_before_ms = $3 WHERE tenant = $1 AND busy_by = $2 AND target = $4";
/// What was given to a process that never told of it.
const LET_LOOSE: &str = "UPDATE queue_target SET busy_by = NULL, until_ms = 0 \
     WHERE tenant = $1 AND busy_by = $2 AND talk_ms IS NULL";
const OTHERS: &str = "SELECT COUNT(*) FROM queue_call \
     WHERE tenant = $1 AND queue = $2 AND call <> $3 AND target IS NULL";
const STAND: &str = "INSERT INTO queue_call (tenant, queue, call, joined_ms, seen_ms) \
     VALUES ($1, $2, $3, $4, $5) ON CONFLICT (tenant, queue, call) \
     DO UPDATE SET seen_ms = excluded.seen_ms, target = NULL RETURNING joined_ms";
const AHEAD: &str = "SELECT COUNT(*) FROM queue_call WHERE tenant = $1 AND queue = $2 \
     AND target IS NULL AND (joined_ms < $4 OR (joined_ms = $4 AND call < $3))";
const TARGETS: &str = concat!(
    "SELECT t.target, t.rung_ms, t.idle_ms, (t.not_before_ms <= $1 AND NOT ",
    held!(),
    ") AS free FROM queue_target t WHERE t.tenant = $2"
);
const KNOW: &str = "INSERT INTO queue_target (tenant, target, queue) VALUES ($1, $2, $3) \
     ON CONFLICT (tenant, target) DO NOTHING";
const CLAIM: &str = concat!(
    "UPDATE queue_target AS t SET busy_by = $2, queue = $5, until_ms = $6, talk_ms = NULL, \
     rung_ms = $1 WHERE t.tenant = $3 AND t.target = $4 AND t.not_before_ms <= $1 AND NOT ",
    held!()
);
const RINGS: &str =
    "UPDATE queue_call SET target = $4 WHERE tenant = $1 AND queue = $2 AND call = $3";
const PACE: &str = "SELECT talk_ms FROM queue WHERE tenant = $1 AND name = $2";
const GO: &str = "DELETE FROM queue_call WHERE tenant = $1 AND queue = $2 AND call = $3";
const SPEAK: &str = concat!(
    "UPDATE queue_target AS t SET busy_by = $2, until_ms = $5, talk_ms = $1, wrap_up_ms = $6 \
     WHERE t.tenant = $3 AND t.target = $4 AND (t.busy_by = $2 OR NOT ",
    held!(),
    ")"
);
const SPOKE: &str = "SELECT $1 - talk_ms + wrap_up_ms FROM queue_target \
     WHERE tenant = $2 AND busy_by = $3 AND talk_ms IS NOT NULL";
/// The last conversations count most.
const KEEP_PACE: &str = "UPDATE queue SET talk_ms = \
     CASE WHEN talk_ms IS NULL THEN $3 ELSE (3 * talk_ms + $3) / 4 END \
     WHERE tenant = $1 AND name = $2";
const LET_GO: &str = "UPDATE queue_target SET busy_by = NULL, until_ms = 0, talk_ms = NULL, \
     idle_ms = CASE WHEN talk_ms IS NULL THEN idle_ms ELSE $1 END, not_before_ms = \
     CASE WHEN talk_ms IS NULL THEN not_before_ms ELSE $1 + wrap_up_ms END \
     WHERE tenant = $2 AND busy_by = $3";
const FORGET_TARGETS: &str =
    "DELETE FROM queue_target WHERE tenant = $1 AND busy_by IS NULL AND rung_ms < $2";
const FORGET_LINES: &str = "DELETE FROM queue WHERE tenant = $1 AND seen_ms < $2";

#[derive(Debug, FromRow)]
struct TargetRow {
    target: String,
    rung_ms: i64,
    idle_ms: i64,
    free: bool,
}

impl TenantScope {
    /// Where a caller stands in a line, and the target that is free for it; or its word that it
    /// speaks, or goes.
    pub async fn ask_queue(&self, query: &QueueQuery) -> Result<QueueFound, StoreError> {
        let QueueQuery { queue, call, ask, tenant: _ } = query;
        match ask {
            QueueAsk::Wait(waiter) => self.wait(queue, *call, waiter).await,
            QueueAsk::Speak { target, wrap_up } => {
                self.speak(queue, *call, target, *wrap_up).await?;
                Ok(QueueFound::Unknown)
            }
            QueueAsk::Leave => {
                self.leave_queue(queue, *call).await?;
                Ok(QueueFound::Unknown)
            }
        }
    }

    async fn wait(
        &self,
        queue: &QueueName,
        call: CallId,
        waiter: &Waiter,
    ) -> Result<QueueFound, StoreError> {
        let (tenant, name, id) = (self.key(), queue.as_str(), call.to_string());
        let found = in_transaction!(self.store.ready().await?, tx => {
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *tx).await?;
            let line = sqlx::query(HOLD_LINE).bind(&tenant).bind(name).bind(now);
            line.execute(&mut *tx).await?;
            let gone = sqlx::query(FORGET_GONE).bind(&tenant).bind(name).bind(now - GONE_MS);
            gone.execute(&mut *tx).await?;
            if let Some(Unanswered { target, rest }) = &waiter.unanswered {
                let until = now.saturating_add(ms(*rest));
                let rests = sqlx::query(LET_REST).bind(&tenant).bind(&id).bind(until);
                rests.bind(target).execute(&mut *tx).await?;
            }
            let loose = sqlx::query(LET_LOOSE).bind(&tenant).bind(&id);
            loose.execute(&mut *tx).await?;
            if let (Some(most), None) = (waiter.most, waiter.joined_ms) {
                let others = sqlx::query_as(OTHERS).bind(&tenant).bind(name).bind(&id);
                let (others,): (i64,) = others.fetch_one(&mut *tx).await?;
                if others >= i64::from(most) {
                    return Ok(QueueFound::Full);
                }
            }
            let joined = waiter.joined_ms.map_or(now, |joined| joined.min(now));
            let place = sqlx::query_as(STAND).bind(&tenant).bind(name).bind(&id);
            let (joined,): (i64,) = place.bind(joined).bind(now).fetch_one(&mut *tx).await?;
            let ahead = sqlx::query_as(AHEAD).bind(&tenant).bind(name).bind(&id).bind(joined);
            let (ahead,): (i64,) = ahead.fetch_one(&mut *tx).await?;
            let rows = sqlx::query_as::<_, TargetRow>(TARGETS).bind(now).bind(&tenant);
            let rows = if ahead == 0 { rows.fetch_all(&mut *tx).await? } else { Vec::new() };
            let candidates = if ahead == 0 { candidates(waiter, &rows) } else { Vec::new() };
            let until = now.saturating_add(ms(waiter.rings)).saturating_add(GRACE_MS);
            let mut target = None;
            for (place, candidate) in candidates {
                let known = sqlx::query(KNOW).bind(&tenant).bind(candidate).bind(name);
                known.execute(&mut *tx).await?;
                let claim = sqlx::query(CLAIM).bind(now).bind(&id).bind(&tenant).bind(candidate);
                if claim.bind(name).bind(until).execute(&mut *tx).await?.rows_affected() == 1 {
                    let rings = sqlx::query(RINGS).bind(&tenant).bind(name).bind(&id);
                    rings.bind(candidate).execute(&mut *tx).await?;
                    target = Some(place);
                    break;
                }
            }
            let pace = sqlx::query_as(PACE).bind(&tenant).bind(name);
            let (pace,): (Option<i64>,) = pace.fetch_one(&mut *tx).await?;
            standing(joined, ahead, pace, waiter, target)
        });
        Ok(QueueFound::Waits(found))
    }

    async fn speak(
        &self,
        queue: &QueueName,
        call: CallId,
        target: &str,
        wrap_up: Millis,
    ) -> Result<(), StoreError> {
        let (tenant, name, id) = (self.key(), queue.as_str(), call.to_string());
        in_transaction!(self.store.ready().await?, tx => {
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *tx).await?;
            let go = sqlx::query(GO).bind(&tenant).bind(name).bind(&id);
            go.execute(&mut *tx).await?;
            let known = sqlx::query(KNOW).bind(&tenant).bind(target).bind(name);
            known.execute(&mut *tx).await?;
            let speak = sqlx::query(SPEAK).bind(now).bind(&id).bind(&tenant).bind(target);
            speak.bind(now + GRACE_MS).bind(ms(wrap_up)).execute(&mut *tx).await?;
        });
        Ok(())
    }

    async fn leave_queue(&self, queue: &QueueName, call: CallId) -> Result<(), StoreError> {
        let (tenant, name, id) = (self.key(), queue.as_str(), call.to_string());
        in_transaction!(self.store.ready().await?, tx => {
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *tx).await?;
            let go = sqlx::query(GO).bind(&tenant).bind(name).bind(&id);
            go.execute(&mut *tx).await?;
            let spoke = sqlx::query_as(SPOKE).bind(now).bind(&tenant).bind(&id);
            let spoke: Vec<(i64,)> = spoke.fetch_all(&mut *tx).await?;
            for (length,) in spoke {
                let pace = sqlx::query(KEEP_PACE).bind(&tenant).bind(name).bind(length);
                pace.execute(&mut *tx).await?;
            }
            let free = sqlx::query(LET_GO).bind(now).bind(&tenant).bind(&id);
            free.execute(&mut *tx).await?;
            for forget in [FORGET_TARGETS, FORGET_LINES] {
                let unused = sqlx::query(forget).bind(&tenant).bind(now - FORGOTTEN_MS);
                unused.execute(&mut *tx).await?;
            }
        });
        Ok(())
    }
}

fn ms(length: Millis) -> i64 {
    i64::try_from(length.ms()).unwrap_or(i64::MAX)
}

/// The free targets with their places, the one that is to ring first.
fn candidates<'a>(waiter: &'a Waiter, rows: &[TargetRow]) -> Vec<(usize, &'a str)> {
    let mut free = Vec::new();
    for (place, target) in waiter.targets.iter().enumerate() {
        let Some(target) = target.as_deref() else { continue };
        let row = rows.iter().find(|row| row.target == target);
        if row.is_none_or(|row| row.free) {
            let key = match waiter.order {
                Order::LongestIdle => row.map_or(0, |row| row.idle_ms),
                Order::InTurn => row.map_or(0, |row| row.rung_ms),
                Order::AsWritten => 0,
            };
            free.push((key, place, target));
        }
    }
    free.sort_unstable();
    free.into_iter().map(|(_, place, target)| (place, target)).collect()
}

/// As many conversations end at once as there are targets, more or less.
fn standing(
    joined_ms: i64,
    ahead: i64,
    pace: Option<i64>,
    waiter: &Waiter,
    target: Option<usize>,
) -> Standing {
    let ahead = u32::try_from(ahead).unwrap_or(u32::MAX);
    let targets = waiter.targets.iter().flatten().count().max(1) as u64;
    let pace = pace.and_then(|pace| u64::try_from(pace).ok());
    let wait_ms = pace.map(|pace| pace.saturating_mul(u64::from(ahead) + 1) / targets);
    Standing { joined_ms, ahead, wait_ms, target }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(target: &str, rung_ms: i64, idle_ms: i64, free: bool) -> TargetRow {
        TargetRow { target: target.into(), rung_ms, idle_ms, free }
    }

    #[test]
    fn the_next_target_is_found_in_the_order_that_was_asked_for() {
        let targets = ["a", "b", "c", "d"].map(|name| (name != "d").then(|| name.to_owned()));
        let mut waiter = Waiter {
            joined_ms: None,
            most: None,
            order: Order::LongestIdle,
            targets: targets.to_vec(),
            rings: Millis(20_000),
            unanswered: None,
        };
        let mut rows = vec![row("a", 30, 500, true), row("b", 40, 200, true)];
        let mut order = |order, rows: &[TargetRow]| {
            waiter.order = order;
            candidates(&waiter, rows).iter().map(|(place, _)| *place).collect::<Vec<_>>()
        };
        // Nobody has ever called `c`.
        assert_eq!(order(Order::LongestIdle, &rows), [2, 1, 0]);
        assert_eq!(order(Order::InTurn, &rows), [2, 0, 1]);
        assert_eq!(order(Order::AsWritten, &rows), [0, 1, 2]);
        rows[0].free = false;
        assert_eq!(order(Order::AsWritten, &rows), [1, 2]);
    }
}
