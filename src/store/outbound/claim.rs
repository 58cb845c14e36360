//! Counts a tenant's legs to numbers outside, on all nodes at once, and says which may begin.
//!
//! Nothing is only added to or taken from: a leg is a row, which counts as long as it is not over
//! and its call is up. So what a process could not say any more, because it was killed, is found
//! when the next leg is counted.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::count::{Counts, Judged, days};
use crate::base::ids::CallId;
use crate::base::millis::Millis;
use crate::model::outbound::{Candidate, Outbound, Refusal, Suspicion, Usage};
use crate::store::act::put_act;
use crate::store::event::{News, put_news};
use crate::store::pool::in_transaction;
use crate::store::turn::{GRACE_MS, THROUGH, is_up, turn};
use crate::store::write::lock_calls;
use crate::store::{StoreError, TenantScope, timestamp};

/// Legs of calls that are gone, settled at once.
const LOST_MAX: i64 = 100;
/// Legs that are over are kept for so long, in ms: more than a suspicion looks back.
const KEPT_MS: i64 = 2 * 86_400_000;
/// How long prefixes that nobody calls are known, in ms.
const SEEN_MS: i64 = 400 * 86_400_000;
/// How far the pace of calls looks back, in ms.
const PACE_MS: i64 = 1_000;
/// Milliseconds of a minute.
const MINUTE_MS: i64 = 60_000;

const NOW: &str = "SELECT now_ms FROM clock";
const REPLACE: &str = "DELETE FROM outbound_leg WHERE tenant = $1 AND call = $2 AND leg = $3";
/// Legs that are not over though their call is; with the end of that call, where it is known.
const LOST: &str = concat!(
    "SELECT o.call, o.leg, o.answered_ms, r.ended_ms FROM outbound_leg o \
     LEFT JOIN call_record r ON r.tenant = o.tenant AND r.id = o.call \
     WHERE o.tenant = $1 AND o.ended_ms IS NULL AND o.began_ms < $2 - $3 AND NOT ",
    is_up!(),
    " LIMIT $4"
);
const END: &str = "UPDATE outbound_leg SET ended_ms = $4, talked_ms = $5 \
     WHERE tenant = $1 AND call = $2 AND leg = $3 AND ended_ms IS NULL";
const ADD_DAY: &str = "INSERT INTO outbound_day (tenant, day, talked_ms) VALUES ($1, $2, $3) \
     ON CONFLICT (tenant, day) DO UPDATE SET \
     talked_ms = outbound_day.talked_ms + excluded.talked_ms";
const FORGET: &str =
    "DELETE FROM outbound_leg WHERE tenant = $1 AND ended_ms IS NOT NULL AND began_ms < $2";
const FORGET_SEEN: &str = "DELETE FROM outbound_seen WHERE tenant = $1 AND last_ms < $2";
const LOCKED: &str = "SELECT why FROM outbound_lock WHERE tenant = $1";
const UP: &str = "SELECT COUNT(*) FROM outbound_leg WHERE tenant = $1 AND ended_ms IS NULL";
const PACE: &str = "SELECT COUNT(*) FROM outbound_leg WHERE tenant = $1 AND began_ms > $2 \
     AND NOT emergency";
const TALKED: &str = "SELECT CAST(COALESCE(SUM(talked_ms), 0) AS BIGINT) FROM outbound_day \
     WHERE tenant = $1 AND day >= $2 AND day <= $3";
const TALKING: &str = "SELECT CAST(COALESCE(SUM($2 - answered_ms), 0) AS BIGINT) \
     FROM outbound_leg WHERE tenant = $1 AND ended_ms IS NULL AND answered_ms IS NOT NULL";
const SEE: &str = "INSERT INTO outbound_seen (tenant, prefix, first_ms, last_ms) \
     VALUES ($1, $2, $3, $3) ON CONFLICT (tenant, prefix) DO UPDATE SET \
     last_ms = excluded.last_ms RETURNING first_ms";
const SUSPECTS: &str = "SELECT COUNT(*), CAST(COALESCE(SUM(CASE \
     WHEN ended_ms IS NULL AND answered_ms IS NOT NULL THEN $3 - answered_ms \
     ELSE talked_ms END), 0) AS BIGINT) FROM outbound_leg \
     WHERE tenant = $1 AND suspicious AND began_ms > $2";
pub(super) const LOCK: &str = "INSERT INTO outbound_lock (tenant, at_ms, why) \
     VALUES ($1, $2, $3) ON CONFLICT (tenant) DO NOTHING";
const BEGIN: &str = "INSERT INTO outbound_leg \
     (tenant, call, leg, gateway, emergency, suspicious, began_ms) \
     VALUES ($1, $2, $3, $4, $5, $6, $7)";
const ANSWER: &str = "UPDATE outbound_leg SET answered_ms = $4 WHERE tenant = $1 AND call = $2 \
     AND leg = $3 AND ended_ms IS NULL AND answered_ms IS NULL";

/// A leg that is about to begin.
#[derive(Debug, Clone, Copy)]
pub struct NewLeg<'a> {
    pub call: CallId,
    /// The call's own number for it.
    pub leg: u32,
    /// The one that another gateway could not carry.
    pub instead_of: Option<u32>,
    /// The number as it was asked for.
    pub number: &'a str,
    pub emergency: bool,
}

/// What becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// It goes by the candidate of this place, and counts until it is over. `most`: it may last so
    /// long, until no minutes are left.
    By {
        place: usize,
        most: Option<Millis>,
    },
    Refused(Refusal),
    /// It is refused, and with it the tenant is locked.
    Locked(String),
}

#[derive(Debug, FromRow)]
struct LostRow {
    call: String,
    leg: i64,
    answered_ms: Option<i64>,
    ended_ms: Option<i64>,
}

/// Settles what was lost, and forgets what is long over. `$now` is the moment.
macro_rules! heal {
    ($tx:ident, $tenant:expr, $now:expr, $today:expr) => {{
        let lost = sqlx::query_as::<_, LostRow>(LOST).bind($tenant).bind($now).bind(GRACE_MS);
        let mut all = 0;
        for lost in lost.bind(LOST_MAX).fetch_all(&mut *$tx).await? {
            let ended = lost.ended_ms.unwrap_or($now);
            let talked = lost.answered_ms.map_or(0, |answered| (ended - answered).max(0));
            let end = sqlx::query(END).bind($tenant).bind(&lost.call).bind(lost.leg);
            end.bind(ended).bind(talked).execute(&mut *$tx).await?;
            all += talked;
        }
        // Whoever ends a leg takes its row before that of the day.
        if all > 0 {
            let add = sqlx::query(ADD_DAY).bind($tenant).bind($today).bind(all);
            add.execute(&mut *$tx).await?;
        }
        for (forget, age_ms) in [(FORGET, KEPT_MS), (FORGET_SEEN, SEEN_MS)] {
            sqlx::query(forget).bind($tenant).bind($now - age_ms).execute(&mut *$tx).await?;
        }
    }};
}

/// Counts the tenant's legs at the moment `$now`.
macro_rules! count {
    ($tx:ident, $tenant:expr, $now:expr, $days:expr) => {{
        let [today, first, last] = $days;
        let locked = sqlx::query_as(LOCKED).bind($tenant).fetch_optional(&mut *$tx).await?;
        let up = sqlx::query_as(UP).bind($tenant);
        let (calls,): (i64,) = up.fetch_one(&mut *$tx).await?;
        let through = sqlx::query_as::<_, (String, i64)>(THROUGH).bind($tenant).bind($now);
        let through = through.bind(GRACE_MS).bind("").fetch_all(&mut *$tx).await?;
        let pace = sqlx::query_as(PACE).bind($tenant).bind($now - PACE_MS);
        let (pace,): (i64,) = pace.fetch_one(&mut *$tx).await?;
        let day = sqlx::query_as(TALKED).bind($tenant).bind(today).bind(today);
        let (day,): (i64,) = day.fetch_one(&mut *$tx).await?;
        let month = sqlx::query_as(TALKED).bind($tenant).bind(first).bind(last);
        let (month,): (i64,) = month.fetch_one(&mut *$tx).await?;
        let talking = sqlx::query_as(TALKING).bind($tenant).bind($now);
        let (talking,): (i64,) = talking.fetch_one(&mut *$tx).await?;
        Counts {
            locked: locked.map(|(why,): (String,)| why),
            calls,
            gateways: through.into_iter().collect::<BTreeMap<_, _>>(),
            pace,
            day_ms: day + talking,
            month_ms: month + talking,
            ..Counts::default()
        }
    }};
}

/// Counts what is suspicious besides a call to a number of this suspicion.
macro_rules! suspect {
    ($tx:ident, $tenant:expr, $now:expr, $window_ms:expr, $suspicion:expr, $counts:ident) => {{
        let suspicion: Suspicion = $suspicion;
        $counts.suspicious = suspicion.listed;
        if let Some(prefix) = suspicion.unseen {
            let see = sqlx::query_as(SEE).bind($tenant).bind(prefix).bind($now);
            let (first,): (i64,) = see.fetch_one(&mut *$tx).await?;
            $counts.suspicious |= first > $now - $window_ms;
        }
        let suspects = sqlx::query_as(SUSPECTS).bind($tenant).bind($now - $window_ms).bind($now);
        ($counts.suspects, $counts.suspect_ms) = suspects.fetch_one(&mut *$tx).await?;
    }};
}

impl TenantScope {
    /// Says by which of the candidates a leg may begin, and counts it from then on.
    pub async fn claim_outbound(
        &self,
        new: &NewLeg<'_>,
        candidates: &[Candidate],
        outbound: &Outbound,
    ) -> Result<Claimed, StoreError> {
        let (tenant, call) = (self.key(), new.call.to_string());
        let fraud = outbound.rules.fraud.as_ref().filter(|_| !new.emergency);
        let locks = |why: &str| self.act("outbound.lock", self.tenant, None::<&()>, Some(&why));
        let pool = self.store.ready().await?;
        let turn = turn(pool, self.tenant);
        let claimed = in_transaction!(pool, tx => {
            lock_calls!(tx, turn.into_iter());
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *tx).await?;
            let days = days(now, &outbound.timezone);
            if let Some(old) = new.instead_of {
                let replace = sqlx::query(REPLACE).bind(&tenant).bind(&call).bind(i64::from(old));
                replace.execute(&mut *tx).await?;
            }
            heal!(tx, &tenant, now, &days[0]);
            let mut counts = count!(tx, &tenant, now, &days);
            if let Some(rule) = fraud {
                let window_ms = i64::from(rule.window) * MINUTE_MS;
                let suspicion = rule.suspects(&outbound.dialed(new.number));
                suspect!(tx, &tenant, now, window_ms, suspicion, counts);
            }
            let judged = if new.emergency {
                Judged::By(counts.help(candidates))
            } else {
                counts.judge(&outbound.rules, candidates, new.instead_of.is_some())
            };
            match judged {
                Judged::By(place) => {
                    let gateway = candidates.get(place).map(|one| one.name.to_string());
                    let begin = sqlx::query(BEGIN).bind(&tenant).bind(&call);
                    let begin = begin.bind(i64::from(new.leg)).bind(gateway.unwrap_or_default());
                    let begin = begin.bind(new.emergency).bind(counts.suspicious).bind(now);
                    begin.execute(&mut *tx).await?;
                    let left = counts.left_ms(&outbound.rules).filter(|_| !new.emergency);
                    Claimed::By { place, most: left.map(Millis) }
                }
                Judged::Refused(refusal) => Claimed::Refused(refusal),
                Judged::Locks(why) => {
                    let lock = sqlx::query(LOCK).bind(&tenant).bind(now).bind(&why);
                    lock.execute(&mut *tx).await?;
                    put_act!(tx, locks(&why)?);
                    let news = [News::of_lock(self.tenant, Some(&why), timestamp(now)?)];
                    put_news!(tx, &news);
                    Claimed::Locked(why)
                }
            }
        });
        if let Claimed::Locked(_) = claimed {
            self.store.ring();
            self.store.tell();
        }
        Ok(claimed)
    }

    /// Somebody has answered: the leg's minutes count from now on.
    pub async fn answer_outbound(&self, call: CallId, leg: u32) -> Result<(), StoreError> {
        let (tenant, call) = (self.key(), call.to_string());
        in_transaction!(self.store.ready().await?, tx => {
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *tx).await?;
            let answer = sqlx::query(ANSWER).bind(&tenant).bind(&call).bind(i64::from(leg));
            answer.bind(now).execute(&mut *tx).await?;
        });
        Ok(())
    }

    /// The leg is over, after so many milliseconds of conversation.
    pub async fn end_outbound(
        &self,
        call: CallId,
        leg: u32,
        talked_ms: u64,
        timezone: &str,
    ) -> Result<(), StoreError> {
        let (tenant, call) = (self.key(), call.to_string());
        let talked = i64::try_from(talked_ms).unwrap_or(i64::MAX);
        in_transaction!(self.store.ready().await?, tx => {
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *tx).await?;
            let end = sqlx::query(END).bind(&tenant).bind(&call).bind(i64::from(leg));
            let ended = end.bind(now).bind(talked).execute(&mut *tx).await?.rows_affected();
            if ended > 0 && talked > 0 {
                let [today, ..] = days(now, timezone);
                let add = sqlx::query(ADD_DAY).bind(&tenant).bind(today).bind(talked);
                add.execute(&mut *tx).await?;
            }
        });
        Ok(())
    }

    /// What the tenant's calls to numbers outside come to now.
    pub async fn outbound_usage(&self, timezone: &str) -> Result<Usage, StoreError> {
        let tenant = self.key();
        let pool = self.store.ready().await?;
        let turn = turn(pool, self.tenant);
        let counts = in_transaction!(pool, tx => {
            lock_calls!(tx, turn.into_iter());
            let (now,): (i64,) = sqlx::query_as(NOW).fetch_one(&mut *tx).await?;
            let days = days(now, timezone);
            heal!(tx, &tenant, now, &days[0]);
            count!(tx, &tenant, now, &days)
        });
        let count = |count: i64| u32::try_from(count).unwrap_or(u32::MAX);
        let minutes = |ms: i64| u64::try_from(ms / MINUTE_MS).unwrap_or(0);
        let gateways = counts.gateways.iter().map(|(name, calls)| (name.clone(), count(*calls)));
        Ok(Usage {
            calls: count(counts.calls),
            minutes_today: minutes(counts.day_ms),
            minutes_this_month: minutes(counts.month_ms),
            gateways: gateways.collect(),
            lock: self.outbound_lock().await?,
        })
    }
}
