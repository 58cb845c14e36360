//! What tenants lay down for calls to numbers outside, and their locks.

mod claim;
mod count;
mod picture;

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::act::put_act;
use super::event::{News, put_news};
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope, now_ms, timestamp};
use crate::base::ids::{RouteName, TenantId};
use crate::model::outbound::{Lock, OutboundFault, Route, Rules};

pub use claim::{Claimed, NewLeg};
pub(super) use picture::picture;

/// Routes of one tenant.
const ROUTES_MAX: usize = 1_000;
/// Longest rules, in bytes: every call of the tenant shares them.
const RULES_MAX: usize = 128 * 1_024;

/// A route of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRoute {
    pub tenant: TenantId,
    pub name: RouteName,
    pub route: Route,
}

/// What a tenant may call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredRules {
    pub(super) tenant: TenantId,
    pub(super) rules: Rules,
}

/// A tenant that is locked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredLock {
    pub(super) tenant: TenantId,
    pub(super) lock: Lock,
}

#[derive(Debug, FromRow)]
pub(super) struct RouteRow {
    tenant: String,
    name: String,
    route: String,
}

#[derive(Debug, FromRow)]
pub(super) struct RulesRow {
    tenant: String,
    rules: String,
}

#[derive(Debug, FromRow)]
pub(super) struct LockRow {
    tenant: String,
    at_ms: i64,
    why: String,
}

pub(super) const ROUTES: &str = "SELECT tenant, name, route FROM outbound_route";
pub(super) const RULES: &str = "SELECT tenant, rules FROM outbound_rules";
pub(super) const LOCKS: &str = "SELECT tenant, at_ms, why FROM outbound_lock";

impl TryFrom<RouteRow> for StoredRoute {
    type Error = StoreError;
    fn try_from(row: RouteRow) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
            name: row.name.parse().map_err(StoreError::corrupt)?,
            route: serde_json::from_str(&row.route).map_err(StoreError::corrupt)?,
        })
    }
}

impl TryFrom<RulesRow> for StoredRules {
    type Error = StoreError;
    fn try_from(row: RulesRow) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
            rules: serde_json::from_str(&row.rules).map_err(StoreError::corrupt)?,
        })
    }
}

impl TryFrom<LockRow> for StoredLock {
    type Error = StoreError;
    fn try_from(row: LockRow) -> Result<Self, StoreError> {
        let tenant = row.tenant.parse().map_err(StoreError::corrupt)?;
        Ok(Self { tenant, lock: Lock { since: timestamp(row.at_ms)?, why: row.why } })
    }
}

impl From<OutboundFault> for StoreError {
    fn from(fault: OutboundFault) -> Self {
        Self::Field(fault.field, fault.why.to_owned())
    }
}

impl TenantScope {
    /// Adds a route, or changes one that the tenant has.
    ///
    /// # Errors
    /// It makes no sense, names a gateway that the tenant has not, or there are too many.
    pub async fn put_route(
        &self,
        name: &RouteName,
        route: &Route,
    ) -> Result<StoredRoute, StoreError> {
        route.check()?;
        self.has_gateways(route).await?;
        let was = match self.route(name).await {
            Ok(was) => Some(was.route),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        if was.is_none() && self.outbound_routes().await?.len() >= ROUTES_MAX {
            let sentence = format!("the tenant has {ROUTES_MAX} routes already");
            return Err(StoreError::Conflict(sentence));
        }
        let text = serde_json::to_string(route).map_err(StoreError::corrupt)?;
        let act = self.act("route.put", name, was.as_ref(), Some(route))?;
        let put = async || -> Result<(), StoreError> {
            in_transaction!(self.store.ready().await?, tx => {
                sqlx::query(
                    "INSERT INTO outbound_route (tenant, name, route, changed_ms) \
                     VALUES ($1, $2, $3, $4) ON CONFLICT (tenant, name) \
                     DO UPDATE SET route = excluded.route, changed_ms = excluded.changed_ms",
                )
                .bind(self.key())
                .bind(name.as_str())
                .bind(&text)
                .bind(now_ms())
                .execute(&mut *tx)
                .await?;
                put_act!(tx, act);
            });
            Ok(())
        };
        put().await.map_err(|error| self.without_tenant(error))?;
        self.store.ring();
        self.route(name).await
    }

    async fn has_gateways(&self, route: &Route) -> Result<(), StoreError> {
        let given = self.tenant().await?.gateways;
        let own = self.gateways().await?;
        for one in &route.gateways {
            let is_own = own.iter().any(|known| known.gateway.name == one.gateway);
            if !is_own && !given.contains(&one.gateway) {
                let sentence = format!("`{}` is not one of the tenant's gateways", one.gateway);
                return Err(StoreError::Field("gateways", sentence));
            }
        }
        Ok(())
    }

    pub async fn route(&self, name: &RouteName) -> Result<StoredRoute, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, RouteRow>(
                "SELECT tenant, name, route FROM outbound_route WHERE tenant = $1 AND name = $2",
            )
            .bind(self.key())
            .bind(name.as_str())
            .fetch_optional(db)
            .await?
        });
        row.ok_or_else(|| StoreError::not_found("route", name))?.try_into()
    }

    /// By name.
    pub async fn outbound_routes(&self) -> Result<Vec<StoredRoute>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, RouteRow>(
                "SELECT tenant, name, route FROM outbound_route WHERE tenant = $1 ORDER BY name",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(StoredRoute::try_from).collect()
    }

    pub async fn remove_route(&self, name: &RouteName) -> Result<(), StoreError> {
        let was = self.route(name).await?.route;
        let delete = "DELETE FROM outbound_route WHERE tenant = $1 AND name = $2";
        self.forget(delete, ("route", "route.remove"), name.as_str(), &was).await
    }

    /// What the tenant may call; everything where nothing was laid down.
    pub async fn outbound_rules(&self) -> Result<Rules, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String,)>("SELECT rules FROM outbound_rules WHERE tenant = $1")
                .bind(self.key())
                .fetch_optional(db)
                .await?
        });
        let read = |(text,): (String,)| serde_json::from_str(&text).map_err(StoreError::corrupt);
        row.map_or_else(|| Ok(Rules::default()), read)
    }

    /// Replaces what the tenant may call.
    ///
    /// # Errors
    /// It makes no sense.
    pub async fn set_outbound_rules(&self, rules: &Rules) -> Result<Rules, StoreError> {
        rules.check()?;
        let text = serde_json::to_string(rules).map_err(StoreError::corrupt)?;
        if text.len() > RULES_MAX {
            let sentence = format!("the rules have more than {RULES_MAX} bytes");
            return Err(StoreError::Invalid(sentence));
        }
        let was = self.outbound_rules().await?;
        let act = self.act("outbound.rules", self.tenant, Some(&was), Some(rules))?;
        let put = async || -> Result<(), StoreError> {
            in_transaction!(self.store.ready().await?, tx => {
                sqlx::query(
                    "INSERT INTO outbound_rules (tenant, rules, changed_ms) VALUES ($1, $2, $3) \
                     ON CONFLICT (tenant) DO UPDATE SET rules = excluded.rules, \
                     changed_ms = excluded.changed_ms",
                )
                .bind(self.key())
                .bind(&text)
                .bind(now_ms())
                .execute(&mut *tx)
                .await?;
                put_act!(tx, act);
            });
            Ok(())
        };
        put().await.map_err(|error| self.without_tenant(error))?;
        self.store.ring();
        self.outbound_rules().await
    }

    /// Why the tenant calls nobody outside, where that is so.
    pub async fn outbound_lock(&self) -> Result<Option<Lock>, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, LockRow>(
                "SELECT tenant, at_ms, why FROM outbound_lock WHERE tenant = $1",
            )
            .bind(self.key())
            .fetch_optional(db)
            .await?
        });
        Ok(row.map(StoredLock::try_from).transpose()?.map(|stored| stored.lock))
    }

    /// Locks the tenant's calls to numbers outside; one that is locked stays locked as it is.
    pub async fn lock_outbound(&self, why: &str) -> Result<Option<Lock>, StoreError> {
        let act = self.act("outbound.lock", self.tenant, None::<&()>, Some(&why))?;
        let put = async || -> Result<(), StoreError> {
            in_transaction!(self.store.ready().await?, tx => {
                let lock = sqlx::query(claim::LOCK).bind(self.key()).bind(now_ms()).bind(why);
                if lock.execute(&mut *tx).await?.rows_affected() > 0 {
                    put_act!(tx, act);
                    let news = [News::of_lock(self.tenant, Some(why), timestamp(now_ms())?)];
                    put_news!(tx, &news);
                }
            });
            Ok(())
        };
        put().await.map_err(|error| self.without_tenant(error))?;
        self.store.ring();
        self.store.tell();
        self.outbound_lock().await
    }

    /// Lets the tenant call again. What was suspicious until now counts no more.
    ///
    /// # Errors
    /// It is not locked.
    pub async fn unlock_outbound(&self) -> Result<(), StoreError> {
        let was = self.outbound_lock().await?;
        let was = was.ok_or_else(|| StoreError::not_found("lock", self.tenant))?;
        let act = self.act("outbound.unlock", self.tenant, Some(&was), None::<&()>)?;
        let rows = in_transaction!(self.store.ready().await?, tx => {
            let unlock = sqlx::query("DELETE FROM outbound_lock WHERE tenant = $1");
            let rows = unlock.bind(self.key()).execute(&mut *tx).await?.rows_affected();
            if rows > 0 {
                let forgive = "UPDATE outbound_leg SET suspicious = FALSE WHERE tenant = $1";
                sqlx::query(forgive).bind(self.key()).execute(&mut *tx).await?;
                put_act!(tx, act);
                let news = [News::of_lock(self.tenant, None, timestamp(now_ms())?)];
                put_news!(tx, &news);
            }
            rows
        });
        if rows == 0 {
            return Err(StoreError::not_found("lock", self.tenant));
        }
        self.store.ring();
        self.store.tell();
        Ok(())
    }
}
