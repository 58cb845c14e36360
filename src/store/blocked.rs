//! Callers whose calls a tenant does not want.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::act::put_act;
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope, now_ms, timestamp};
use crate::base::cause::RejectReason;
use crate::base::ids::TenantId;
use crate::model::admission::{BlockMatch, BlockedCaller, Instead};

/// A number or its beginning is at most this many bytes long, and a note.
const VALUE_MAX: usize = 64;
const NOTE_MAX: usize = 255;
/// Entries of one tenant at most: every process has them in memory.
const BLOCKED_MAX: i64 = 10_000;

/// A caller to be blocked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewBlock {
    #[serde(flatten)]
    pub caller: BlockMatch,
    /// 603 Decline where nothing is said.
    #[serde(default = "decline")]
    pub instead: Instead,
    /// Why, for whoever reads the list.
    #[serde(default)]
    #[schemars(length(max = 255))]
    pub note: String,
}

const fn decline() -> Instead {
    Instead::Decline(RejectReason::Declined)
}

impl NewBlock {
    /// One that is declined.
    pub const fn of(caller: BlockMatch) -> Self {
        Self { caller, instead: decline(), note: String::new() }
    }

    fn check(&self) -> Result<(), StoreError> {
        let (_, value) = columns(&self.caller);
        let wrong = value.len() > VALUE_MAX || value.chars().any(char::is_control);
        if wrong || (value.is_empty() && self.caller != BlockMatch::Withheld) {
            let sentence = format!("it has 1 to {VALUE_MAX} bytes and no control characters");
            return Err(StoreError::Field("value", sentence));
        }
        if self.note.len() > NOTE_MAX || self.note.chars().any(char::is_control) {
            let sentence = format!("it has at most {NOTE_MAX} bytes and no control characters");
            return Err(StoreError::Field("note", sentence));
        }
        Ok(())
    }
}

const fn columns(caller: &BlockMatch) -> (&'static str, &str) {
    match caller {
        BlockMatch::Exact(value) => ("exact", value.as_str()),
        BlockMatch::Prefix(value) => ("prefix", value.as_str()),
        BlockMatch::Withheld => ("withheld", ""),
    }
}

/// An entry with whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredBlock {
    pub(super) tenant: TenantId,
    pub(super) blocked: BlockedCaller,
}

/// An entry, and the calls that it kept away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct BlockedCallers {
    #[serde(flatten)]
    pub blocked: BlockedCaller,
    /// As far as their records are kept.
    pub calls: u64,
    pub last: Option<Timestamp>,
}

#[derive(Debug, FromRow)]
pub(super) struct BlockRow {
    tenant: String,
    id: String,
    kind: String,
    value: String,
    instead: String,
    note: String,
    created_ms: i64,
}

impl TryFrom<BlockRow> for StoredBlock {
    type Error = StoreError;
    fn try_from(row: BlockRow) -> Result<Self, StoreError> {
        let caller = match row.kind.as_str() {
            "exact" => BlockMatch::Exact(row.value),
            "prefix" => BlockMatch::Prefix(row.value),
            _ => BlockMatch::Withheld,
        };
        let blocked = BlockedCaller {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            caller,
            instead: serde_json::from_str(&row.instead).map_err(StoreError::corrupt)?,
            note: row.note,
            created: timestamp(row.created_ms)?,
        };
        Ok(Self { tenant: row.tenant.parse().map_err(StoreError::corrupt)?, blocked })
    }
}

pub(super) const ALL: &str = "SELECT * FROM blocked_caller ORDER BY tenant, kind, value";

impl TenantScope {
    /// Blocks callers, or changes what becomes of those that are blocked already. A flow that is
    /// to have them must exist.
    ///
    /// # Errors
    /// The entry makes no sense, or the tenant has too many.
    pub async fn put_block(&self, new: &NewBlock) -> Result<BlockedCaller, StoreError> {
        new.check()?;
        if let Some(flow) = new.instead.flow() {
            self.flow(flow).await?;
        }
        let (kind, value) = columns(&new.caller);
        let was = self.block(&new.caller).await?;
        let instead = serde_json::to_string(&new.instead).map_err(StoreError::corrupt)?;
        let act = self.act("block.put", format!("{kind} {value}"), was.as_ref(), Some(new))?;
        let put = async || -> Result<u64, StoreError> {
            Ok(in_transaction!(self.store.ready().await?, tx => {
                let rows = sqlx::query(
                    "INSERT INTO blocked_caller \
                     (tenant, id, kind, value, instead, note, created_ms) \
                     SELECT $1, $2, $3, $4, $5, $6, $7 \
                     WHERE (SELECT count(*) FROM blocked_caller WHERE tenant = $1 \
                     AND NOT (kind = $3 AND value = $4)) < $8 \
                     ON CONFLICT (tenant, kind, value) DO UPDATE \
                     SET instead = excluded.instead, note = excluded.note",
                )
                .bind(self.key())
                .bind(Uuid::now_v7().to_string())
                .bind(kind)
                .bind(value)
                .bind(&instead)
                .bind(&new.note)
                .bind(now_ms())
                .bind(BLOCKED_MAX)
                .execute(&mut *tx)
                .await?
                .rows_affected();
                if rows > 0 {
                    put_act!(tx, act);
                }
                rows
            }))
        };
        if put().await.map_err(|error| self.without_tenant(error))? == 0 {
            let sentence = format!("more than {BLOCKED_MAX} callers can't be blocked");
            return Err(StoreError::Invalid(sentence));
        }
        self.store.ring();
        let made = self.block(&new.caller).await?;
        made.ok_or_else(|| StoreError::not_found("blocked caller", value))
    }

    async fn block(&self, caller: &BlockMatch) -> Result<Option<BlockedCaller>, StoreError> {
        let (kind, value) = columns(caller);
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, BlockRow>(
                "SELECT * FROM blocked_caller WHERE tenant = $1 AND kind = $2 AND value = $3",
            )
            .bind(self.key())
            .bind(kind)
            .bind(value)
            .fetch_optional(db)
            .await?
        });
        Ok(row.map(StoredBlock::try_from).transpose()?.map(|stored| stored.blocked))
    }

    /// Who is blocked, by kind and number, with the calls that each entry kept away.
    pub async fn blocked(&self) -> Result<Vec<BlockedCallers>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, BlockRow>(
                "SELECT * FROM blocked_caller WHERE tenant = $1 ORDER BY kind, value",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        let counts = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String, i64, i64)>(
                "SELECT block, count(*), max(started_ms) FROM call_record \
                 WHERE tenant = $1 AND turned_away = 'blocked_caller' AND block IS NOT NULL \
                 GROUP BY block",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        let counts: std::collections::BTreeMap<_, _> =
            counts.into_iter().map(|(block, calls, last)| (block, (calls, last))).collect();
        let with_calls = |row: BlockRow| {
            let counted = counts.get(&row.id).copied();
            let StoredBlock { blocked, .. } = row.try_into()?;
            let calls = counted.and_then(|(calls, _)| u64::try_from(calls).ok()).unwrap_or(0);
            let last = counted.map(|(_, last)| timestamp(last)).transpose()?;
            Ok(BlockedCallers { blocked, calls, last })
        };
        rows.into_iter().map(with_calls).collect()
    }

    pub async fn remove_block(&self, caller: &BlockMatch) -> Result<(), StoreError> {
        let (kind, value) = columns(caller);
        let was = self.block(caller).await?;
        let was = was.ok_or_else(|| StoreError::not_found("blocked caller", value))?;
        let subject = format!("{kind} {value}");
        let act = self.act("block.remove", subject, Some(&was), None::<&()>)?;
        in_transaction!(self.store.ready().await?, tx => {
            sqlx::query("DELETE FROM blocked_caller WHERE tenant = $1 AND kind = $2 AND value = $3")
                .bind(self.key())
                .bind(kind)
                .bind(value)
                .execute(&mut *tx)
                .await?;
            put_act!(tx, act);
        });
        self.store.ring();
        Ok(())
    }
}
