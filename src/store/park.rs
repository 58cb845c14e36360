//! Slots in which callers are parked. Who gets a slot, and who gets the caller in it, is decided
//! here and nowhere else, by the database's clock.
//!
//! A slot is free again with its call's record, in the same transaction. Rows whose call ended in
//! another way are healed by whoever asks next.

use sqlx::FromRow;

use super::pool::{Pool, in_transaction, on};
use super::{StoreError, TenantScope, timestamp};
use crate::base::ids::{CallId, ChannelId, CoreId};
use crate::base::slot::Slot;
use crate::call::park::{ParkAsk, ParkFound, ParkQuery};
use crate::model::park::{ParkedCall, Taker};

/// How long whoever takes a slot may need until it speaks with the caller, in milliseconds.
const TAKING_MS: i64 = 10_000;
/// How long a caller may be on its way to its slot.
const COMING_MS: i64 = 15_000;
/// After this time a call in a slot must be known as one that is up: what processes tell goes
/// through a spool.
const KNOWN_MS: i64 = 60_000;
/// How often a slot is looked for that others find at the same moment.
const TRIES_MAX: u32 = 50;
/// Slots that are listed at most.
const LIST_MAX: i64 = 10_000;

const HEAL: &str = "DELETE FROM park_slot WHERE tenant = $1 AND \
     ((NOT open AND since_ms < (SELECT now_ms FROM clock) - $2) OR (NOT EXISTS \
     (SELECT 1 FROM live_call WHERE live_call.tenant = $1 AND live_call.id = park_slot.call) \
     AND (since_ms < (SELECT now_ms FROM clock) - $3 OR EXISTS (SELECT 1 FROM call_record \
     WHERE call_record.tenant = $1 AND call_record.id = park_slot.call))))";

/// Two who find the same slot at once: one of them inserts nothing.
const RESERVE: &str = "WITH RECURSIVE range(number) AS (SELECT CAST($2 AS BIGINT) \
     UNION ALL SELECT number + 1 FROM range WHERE number < $3) \
     INSERT INTO park_slot (tenant, slot, call, channel, core, party, parker, since_ms) \
     SELECT $1, number, $4, $5, $6, $7, $8, now_ms FROM range, clock WHERE NOT EXISTS \
     (SELECT 1 FROM park_slot WHERE park_slot.tenant = $1 AND park_slot.slot = number) \
     ORDER BY number LIMIT 1 ON CONFLICT DO NOTHING";

const TAKE: &str = "UPDATE park_slot SET taken_ms = (SELECT now_ms FROM clock), \
     taken_call = $3, taken_by = $4 WHERE tenant = $1 AND slot = $2 AND open \
     AND (taken_ms IS NULL OR taken_ms < (SELECT now_ms FROM clock) - $5 OR taken_call = $3) \
     AND (core IS NULL OR $6 IS NULL OR core = $6)";

#[derive(Debug, FromRow)]
struct SlotRow {
    slot: i64,
    call: String,
    channel: String,
    core: Option<String>,
    party: String,
    parker: String,
    since_ms: i64,
    taken_call: Option<String>,
    taken_by: Option<String>,
    /// Somebody is about to speak with the caller.
    going: bool,
}

/// Forgets what nobody is in any more.
macro_rules! heal {
    ($tx:ident, $scope:expr) => {
        sqlx::query(HEAL)
            .bind($scope.key())
            .bind(COMING_MS)
            .bind(KNOWN_MS)
            .execute(&mut *$tx)
            .await?;
    };
}

/// A row that `$which` finds with its parameter 2; parameter 3 is `TAKING_MS`.
macro_rules! select {
    ($which:literal) => {
        concat!(
            "SELECT slot, call, channel, core, party, parker, since_ms, taken_call, taken_by, \
             (taken_ms IS NOT NULL AND taken_ms >= (SELECT now_ms FROM clock) - $3) AS going \
             FROM park_slot WHERE tenant = $1 AND ",
            $which
        )
    };
}

impl SlotRow {
    fn slot(&self) -> Result<Slot, StoreError> {
        let number = u32::try_from(self.slot).map_err(StoreError::corrupt)?;
        Slot::try_from(number).map_err(StoreError::corrupt)
    }

    fn channel(&self) -> Result<ChannelId, StoreError> {
        self.channel.parse().map_err(StoreError::corrupt)
    }

    fn taker(&self) -> Result<Option<Taker>, StoreError> {
        let Some(call) = &self.taken_call else { return Ok(None) };
        let call = call.parse().map_err(StoreError::corrupt)?;
        Ok(Some(Taker { call, party: self.taken_by.clone().unwrap_or_default() }))
    }
}

impl TenantScope {
    /// Answers a call of this tenant. `core` is its FreeSWITCH.
    pub async fn park(
        &self,
        query: &ParkQuery,
        core: Option<CoreId>,
    ) -> Result<ParkFound, StoreError> {
        let pool = self.store.ready().await?;
        match &query.ask {
            ParkAsk::Reserve { .. } => self.reserve(pool, query, core).await,
            ParkAsk::Open => self.open_slot(pool, query.call).await,
            ParkAsk::Leave => self.leave_slot(pool, query.call, false).await,
            ParkAsk::Free => self.leave_slot(pool, query.call, true).await,
            ParkAsk::Take { slot, by } => self.take(pool, *slot, by, core).await,
        }
    }

    /// The callers that wait in slots, by slot.
    pub async fn parked(&self) -> Result<Vec<ParkedCall>, StoreError> {
        let rows = in_transaction!(self.store.ready().await?, tx => {
            heal!(tx, self);
            sqlx::query_as::<_, SlotRow>(select!("open AND slot >= $2 ORDER BY slot LIMIT $4"))
                .bind(self.key())
                .bind(0_i64)
                .bind(TAKING_MS)
                .bind(LIST_MAX)
                .fetch_all(&mut *tx)
                .await?
        });
        let waiting = rows.into_iter().filter(|row| !row.going);
        waiting.map(ParkedCall::try_from).collect()
    }

    async fn reserve(
        &self,
        pool: &Pool,
        query: &ParkQuery,
        core: Option<CoreId>,
    ) -> Result<ParkFound, StoreError> {
        let ParkAsk::Reserve { slots, wanted, party, parker } = &query.ask else {
            return Ok(ParkFound::Out(None));
        };
        if let Some(row) = self.slot_of(pool, query.call).await? {
            return match row.taker()? {
                Some(taker) if row.going => Ok(ParkFound::Out(Some(taker))),
                _ => Ok(ParkFound::In(row.slot()?)),
            };
        }
        let number = |slot: Slot| i64::from(slot.number());
        let (first, last) = (wanted.unwrap_or(slots.first()), wanted.unwrap_or(slots.last()));
        for _ in 0..TRIES_MAX {
            let free = in_transaction!(pool, tx => {
                heal!(tx, self);
                sqlx::query(RESERVE)
                    .bind(self.key())
                    .bind(number(first))
                    .bind(number(last))
                    .bind(query.call.to_string())
                    .bind(query.channel.as_str())
                    .bind(core.map(|core| core.to_string()))
                    .bind(party)
                    .bind(parker)
                    .execute(&mut *tx)
                    .await?;
                let taken: i64 = sqlx::query_scalar(
                    "SELECT COUNT(*) FROM park_slot WHERE tenant = $1 AND slot BETWEEN $2 AND $3",
                )
                .bind(self.key())
                .bind(number(first))
                .bind(number(last))
                .fetch_one(&mut *tx)
                .await?;
                number(last) - number(first) + 1 - taken
            });
            match self.slot_of(pool, query.call).await? {
                Some(row) => return Ok(ParkFound::In(row.slot()?)),
                // Somebody else was quicker.
                None if free > 0 => {}
                None => return Ok(ParkFound::Full),
            }
        }
        Ok(ParkFound::Full)
    }

    async fn open_slot(&self, pool: &Pool, call: CallId) -> Result<ParkFound, StoreError> {
        on!(pool, db => {
            sqlx::query("UPDATE park_slot SET open = TRUE WHERE tenant = $1 AND call = $2")
                .bind(self.key())
                .bind(call.to_string())
                .execute(db)
                .await
                .map(drop)?;
        });
        match self.slot_of(pool, call).await? {
            Some(row) => Ok(ParkFound::In(row.slot()?)),
            None => Ok(ParkFound::Out(None)),
        }
    }

    async fn slot_of(&self, pool: &Pool, call: CallId) -> Result<Option<SlotRow>, StoreError> {
        let row = on!(pool, db => {
            sqlx::query_as::<_, SlotRow>(select!("call = $2"))
                .bind(self.key())
                .bind(call.to_string())
                .bind(TAKING_MS)
                .fetch_optional(db)
                .await?
        });
        Ok(row)
    }

    async fn leave_slot(
        &self,
        pool: &Pool,
        call: CallId,
        anyway: bool,
    ) -> Result<ParkFound, StoreError> {
        let row = self.slot_of(pool, call).await?;
        let rows = on!(pool, db => {
            sqlx::query(
                "DELETE FROM park_slot WHERE tenant = $1 AND call = $2 AND ($3 \
                 OR taken_ms IS NULL OR taken_ms < (SELECT now_ms FROM clock) - $4)",
            )
            .bind(self.key())
            .bind(call.to_string())
            .bind(anyway)
            .bind(TAKING_MS)
            .execute(db)
            .await?
            .rows_affected()
        });
        let taker = row.map(|row| row.taker()).transpose()?.flatten();
        match self.slot_of(pool, call).await? {
            // It was taken at this moment.
            Some(row) if rows == 0 => Ok(ParkFound::Out(row.taker()?)),
            _ if anyway => Ok(ParkFound::Out(taker)),
            _ => Ok(ParkFound::Out(None)),
        }
    }

    async fn take(
        &self,
        pool: &Pool,
        slot: Slot,
        by: &Taker,
        core: Option<CoreId>,
    ) -> Result<ParkFound, StoreError> {
        let number = i64::from(slot.number());
        let core = core.map(|core| core.to_string());
        let (taken, row) = in_transaction!(pool, tx => {
            heal!(tx, self);
            let taken = sqlx::query(TAKE)
                .bind(self.key())
                .bind(number)
                .bind(by.call.to_string())
                .bind(&by.party)
                .bind(TAKING_MS)
                .bind(core.as_deref())
                .execute(&mut *tx)
                .await?
                .rows_affected();
            let row = sqlx::query_as::<_, SlotRow>(select!("slot = $2 AND open"))
                .bind(self.key())
                .bind(number)
                .bind(TAKING_MS)
                .fetch_optional(&mut *tx)
                .await?;
            (taken > 0, row)
        });
        let Some(row) = row else { return Ok(ParkFound::Empty) };
        if taken {
            let call = row.call.parse().map_err(StoreError::corrupt)?;
            return Ok(ParkFound::Taken { call, channel: row.channel()?, party: row.party });
        }
        match row.core.filter(|known| core.as_ref().is_some_and(|core| core != known)) {
            Some(other) => Ok(ParkFound::Elsewhere(other.parse().map_err(StoreError::corrupt)?)),
            None => Ok(ParkFound::Empty),
        }
    }
}

impl TryFrom<SlotRow> for ParkedCall {
    type Error = StoreError;
    fn try_from(row: SlotRow) -> Result<Self, StoreError> {
        Ok(Self {
            slot: row.slot()?,
            call: row.call.parse().map_err(StoreError::corrupt)?,
            channel: row.channel()?,
            since: timestamp(row.since_ms)?,
            party: row.party,
            parker: row.parker,
        })
    }
}
