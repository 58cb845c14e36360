//! Limits on a tenant's calls, as they are laid down.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::act::put_act;
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope};
use crate::base::ids::TenantId;
use crate::model::admission::{CALLS_MAX, CallLimit, CallLimits, LimitOn};

/// Longest name of what is limited, in bytes.
const NAME_MAX: usize = 256;

/// A limit with whose it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredLimit {
    pub(super) tenant: TenantId,
    pub(super) limit: CallLimit,
}

#[derive(Debug, FromRow)]
pub(super) struct LimitRow {
    tenant: String,
    kind: String,
    name: String,
    limits: String,
}

impl TryFrom<LimitRow> for StoredLimit {
    type Error = StoreError;
    fn try_from(row: LimitRow) -> Result<Self, StoreError> {
        let on = match row.kind.as_str() {
            "tenant" => LimitOn::Tenant,
            "number" => LimitOn::Number(row.name),
            _ => LimitOn::Gateway(row.name.parse().map_err(StoreError::corrupt)?),
        };
        let limits = serde_json::from_str(&row.limits).map_err(StoreError::corrupt)?;
        let tenant = row.tenant.parse().map_err(StoreError::corrupt)?;
        Ok(Self { tenant, limit: CallLimit { on, limits } })
    }
}

pub(super) const ALL: &str = "SELECT * FROM call_limit ORDER BY tenant, kind, name";

fn check(limit: &CallLimit) -> Result<(), StoreError> {
    let CallLimits { calls, calls_per_second, .. } = limit.limits;
    let wrong = |what, why: &str| Err(StoreError::Field(what, why.to_owned()));
    if limit.limits.is_nothing() {
        return wrong("limits", "say `calls`, `calls_per_second` or both");
    }
    if calls.is_some_and(|calls| calls > CALLS_MAX) {
        return wrong("limits.calls", "that are more than can be counted");
    }
    if calls_per_second.is_some_and(|calls| !(1..=CALLS_MAX).contains(&calls)) {
        return wrong("limits.calls_per_second", "it is at least 1, and no more than a million");
    }
    let (_, name) = limit.on.columns();
    if name.len() > NAME_MAX || name.chars().any(char::is_control) {
        return wrong("name", "it is too long, or has control characters");
    }
    Ok(())
}

impl TenantScope {
    /// Limits calls. What is named must be there: a number of the number map, a gateway that the
    /// tenant has or was given, the flow that has the calls beyond.
    ///
    /// # Errors
    /// The limit makes no sense, or something is not there.
    pub async fn put_limit(&self, new: &CallLimit) -> Result<CallLimit, StoreError> {
        check(new)?;
        if let Some(flow) = new.limits.instead.as_ref().and_then(|instead| instead.flow()) {
            self.flow(flow).await?;
        }
        self.find_limited(&new.on).await?;
        let (kind, name) = new.on.columns();
        let was = self.limit(&new.on).await?;
        let limits = serde_json::to_string(&new.limits).map_err(StoreError::corrupt)?;
        let act = self.act("limit.put", format!("{kind} {name}"), was.as_ref(), Some(new))?;
        let put = async || -> Result<(), StoreError> {
            in_transaction!(self.store.ready().await?, tx => {
                sqlx::query(
                    "INSERT INTO call_limit (tenant, kind, name, limits) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (tenant, kind, name) DO UPDATE SET limits = excluded.limits",
                )
                .bind(self.key())
                .bind(kind)
                .bind(name)
                .bind(&limits)
                .execute(&mut *tx)
                .await?;
                put_act!(tx, act);
            });
            Ok(())
        };
        put().await.map_err(|error| self.without_tenant(error))?;
        self.store.ring();
        Ok(new.clone())
    }

    async fn find_limited(&self, on: &LimitOn) -> Result<(), StoreError> {
        match on {
            LimitOn::Tenant => Ok(()),
            LimitOn::Number(number) => {
                let found = on!(self.store.ready().await?, db => {
                    sqlx::query_as::<_, (i64,)>(
                        "SELECT count(*) FROM number WHERE tenant = $1 AND value = $2",
                    )
                    .bind(self.key())
                    .bind(number)
                    .fetch_one(db)
                    .await?
                });
                if found.0 > 0 { Ok(()) } else { Err(StoreError::not_found("number", number)) }
            }
            LimitOn::Gateway(gateway) => match self.gateway(gateway).await {
                Err(StoreError::NotFound { .. })
                    if self.tenant().await?.gateways.contains(gateway) =>
                {
                    Ok(())
                }
                found => found.map(drop),
            },
        }
    }

    /// One limit, where there is one.
    pub async fn limit(&self, on: &LimitOn) -> Result<Option<CallLimit>, StoreError> {
        let (kind, name) = on.columns();
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, LimitRow>(
                "SELECT * FROM call_limit WHERE tenant = $1 AND kind = $2 AND name = $3",
            )
            .bind(self.key())
            .bind(kind)
            .bind(name)
            .fetch_optional(db)
            .await?
        });
        Ok(row.map(StoredLimit::try_from).transpose()?.map(|stored| stored.limit))
    }

    /// All of them: gateways, numbers, the tenant.
    pub async fn limits(&self) -> Result<Vec<CallLimit>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, LimitRow>(
                "SELECT * FROM call_limit WHERE tenant = $1 ORDER BY kind, name",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(|row| Ok(StoredLimit::try_from(row)?.limit)).collect()
    }

    pub async fn remove_limit(&self, on: &LimitOn) -> Result<(), StoreError> {
        let (kind, name) = on.columns();
        let was = self.limit(on).await?;
        let was = was.ok_or_else(|| StoreError::not_found("limit", format!("{kind} {name}")))?;
        let subject = format!("{kind} {name}");
        let act = self.act("limit.remove", subject, Some(&was), None::<&()>)?;
        in_transaction!(self.store.ready().await?, tx => {
            sqlx::query("DELETE FROM call_limit WHERE tenant = $1 AND kind = $2 AND name = $3")
                .bind(self.key())
                .bind(kind)
                .bind(name)
                .execute(&mut *tx)
                .await?;
            put_act!(tx, act);
        });
        self.store.ring();
        Ok(())
    }
}
