//! Tenants' users.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::act::put_act;
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope, now_ms, timestamp};
use crate::base::ids::{TenantId, UserId, UserName};
use crate::model::user::{User, UserSettings};

/// Users of one tenant.
const USERS_MAX: i64 = 10_000;

/// A user, and whose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredUser {
    pub tenant: TenantId,
    pub user: User,
}

#[derive(Debug, FromRow)]
pub(super) struct UserRow {
    tenant: String,
    id: String,
    name: String,
    settings: String,
    ended_ms: Option<i64>,
    created_ms: i64,
    changed_ms: i64,
}

impl TryFrom<UserRow> for StoredUser {
    type Error = StoreError;
    fn try_from(row: UserRow) -> Result<Self, StoreError> {
        let user = User {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            name: row.name.parse().map_err(StoreError::corrupt)?,
            settings: serde_json::from_str(&row.settings).map_err(StoreError::corrupt)?,
            created: timestamp(row.created_ms)?,
            changed: timestamp(row.changed_ms)?,
            ended: row.ended_ms.map(timestamp).transpose()?,
        };
        Ok(Self { tenant: row.tenant.parse().map_err(StoreError::corrupt)?, user })
    }
}

pub(super) const ALL: &str = "SELECT * FROM person ORDER BY tenant, name";

impl TenantScope {
    /// Adds a user, or changes the one of this name. Who is not enabled any more has no tokens
    /// from then on, not even when it is enabled again.
    ///
    /// # Errors
    /// The settings make no sense, or there are too many users.
    pub async fn put_user(
        &self,
        name: &UserName,
        settings: &UserSettings,
    ) -> Result<User, StoreError> {
        settings.check().map_err(|(field, why)| StoreError::Field(field, why.to_owned()))?;
        let was = match self.user(name).await {
            Ok(user) => Some(user.settings),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let act = self.act("user.put", name, was.as_ref(), Some(settings))?;
        let text = serde_json::to_string(settings).map_err(StoreError::corrupt)?;
        let now = now_ms();
        let rows = in_transaction!(self.store.ready().await?, tx => {
            let done = sqlx::query(
                "INSERT INTO person (tenant, id, name, settings, ended_ms, created_ms, changed_ms) \
                 SELECT $1, $2, $3, $4, $5, $6, $6 WHERE (SELECT count(*) FROM person \
                 WHERE tenant = $1 AND name <> $3) < $7 ON CONFLICT (tenant, name) DO UPDATE SET \
                 settings = excluded.settings, changed_ms = excluded.changed_ms, \
                 ended_ms = COALESCE(excluded.ended_ms, person.ended_ms)",
            )
            .bind(self.key())
            .bind(UserId(Uuid::now_v7()).to_string())
            .bind(name.as_str())
            .bind(text)
            .bind((!settings.enabled).then_some(now))
            .bind(now)
            .bind(USERS_MAX)
            .execute(&mut *tx)
            .await;
            let rows = done.map_err(|error| self.without_tenant(error))?.rows_affected();
            if rows > 0 {
                put_act!(tx, act);
            }
            rows
        });
        if rows == 0 {
            return Err(StoreError::Conflict(format!("the tenant has {USERS_MAX} users already")));
        }
        self.store.ring();
        self.user(name).await
    }

    pub async fn user(&self, name: &UserName) -> Result<User, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, UserRow>("SELECT * FROM person WHERE tenant = $1 AND name = $2")
                .bind(self.key())
                .bind(name.as_str())
                .fetch_optional(db)
                .await?
        });
        let row = row.ok_or_else(|| StoreError::not_found("user", name))?;
        StoredUser::try_from(row).map(|stored| stored.user)
    }

    /// By name.
    pub async fn users(&self) -> Result<Vec<User>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, UserRow>("SELECT * FROM person WHERE tenant = $1 ORDER BY name")
                .bind(self.key())
                .fetch_all(db)
                .await?
        });
        rows.into_iter().map(|row| StoredUser::try_from(row).map(|stored| stored.user)).collect()
    }

    /// Forgets a user, whose tokens end.
    pub async fn remove_user(&self, name: &UserName) -> Result<(), StoreError> {
        let was = self.user(name).await?;
        let delete = "DELETE FROM person WHERE tenant = $1 AND name = $2";
        self.forget(delete, ("user", "user.remove"), name.as_str(), &was).await
    }
}
