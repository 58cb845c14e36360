//! Tenants' gateways, and how FreeSWITCH stands with them.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::act::put_act;
use super::event::{News, put_news};
use super::pool::{in_transaction, on};
use super::sealed::{Sealed, hold_key, rotated};
use super::{StoreError, TenantScope, now_ms, positive, timestamp};
use crate::base::ids::{GatewayId, GatewayName, TenantId};
use crate::model::gateway::{Gateway, GatewaySettings};

/// Gateways of one tenant.
const GATEWAYS_MAX: i64 = 1_000;

/// A gateway with its password as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredGateway {
    pub tenant: TenantId,
    pub gateway: Gateway,
    pub sealed: Option<Sealed>,
    /// How often the password was changed.
    pub secret_revision: u32,
}

#[derive(Debug, FromRow)]
pub(super) struct GatewayRow {
    tenant: String,
    id: String,
    name: String,
    settings: String,
    key_number: i64,
    sealed: Option<String>,
    secret_revision: i64,
    created_ms: i64,
    changed_ms: i64,
}

impl TryFrom<GatewayRow> for StoredGateway {
    type Error = StoreError;
    fn try_from(row: GatewayRow) -> Result<Self, StoreError> {
        let tenant = row.tenant.parse().map_err(StoreError::corrupt)?;
        let gateway = Gateway {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            name: row.name.parse().map_err(StoreError::corrupt)?,
            settings: serde_json::from_str(&row.settings).map_err(StoreError::corrupt)?,
            has_password: row.sealed.is_some(),
            created: timestamp(row.created_ms)?,
            changed: timestamp(row.changed_ms)?,
        };
        let sealed = Sealed::read(row.key_number, row.sealed)?;
        Ok(Self { gateway, tenant, sealed, secret_revision: positive(row.secret_revision)? })
    }
}

pub(super) const ALL: &str = "SELECT * FROM gateway ORDER BY tenant, name";

impl TenantScope {
    /// The id that a gateway of this name has, or is to get: its password is sealed for it.
    pub async fn gateway_id(&self, name: &GatewayName) -> Result<GatewayId, StoreError> {
        match self.gateway(name).await {
            Ok(found) => Ok(found.gateway.id),
            Err(StoreError::NotFound { .. }) => Ok(GatewayId(Uuid::now_v7())),
            Err(error) => Err(error),
        }
    }

    /// Adds a gateway, or changes the one that has this id. Without a password it keeps the one
    /// that it has.
    ///
    /// # Errors
    /// The settings make no sense, or name a profile that is not there; another process made one of
    /// this name at the same moment.
    pub async fn put_gateway(
        &self,
        id: GatewayId,
        name: &GatewayName,
        settings: &GatewaySettings,
        secret: Option<Sealed>,
    ) -> Result<StoredGateway, StoreError> {
        let before = match self.gateway(name).await {
            Ok(found) => Some(found),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let has_password =
            secret.is_some() || before.as_ref().is_some_and(|before| before.gateway.has_password);
        settings
            .check(has_password)
            .map_err(|fault| StoreError::Field(fault.field, fault.why.to_owned()))?;
        if before.is_none() {
            self.room_for_gateway().await?;
        }
        if let Some(profile) = &settings.profile {
            self.store.is_profile(profile).await?;
        }
        let text = serde_json::to_string(settings).map_err(StoreError::corrupt)?;
        let was = before.as_ref().map(|before| &before.gateway);
        let is = json!({ "settings": settings, "has_new_password": secret.is_some() });
        let act = self.act("gateway.put", name, was, Some(&is))?;
        let number = secret.as_ref().map_or(0, |sealed| i64::from(sealed.key_number));
        let rows = in_transaction!(self.store.ready().await?, tx => {
            if !hold_key!(tx, self.key(), &secret) {
                return Err(rotated());
            }
            let done = sqlx::query(
                "INSERT INTO gateway (tenant, id, name, settings, key_number, sealed, \
                 secret_revision, created_ms, changed_ms) \
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8) ON CONFLICT (tenant, name) \
                 DO UPDATE SET settings = excluded.settings, \
                 key_number = CASE WHEN excluded.sealed IS NULL THEN gateway.key_number \
                 ELSE excluded.key_number END, \
                 sealed = COALESCE(excluded.sealed, gateway.sealed), \
                 secret_revision = gateway.secret_revision + excluded.secret_revision, \
                 changed_ms = excluded.changed_ms WHERE gateway.id = excluded.id",
            )
            .bind(self.key())
            .bind(id.to_string())
            .bind(name.as_str())
            .bind(text)
            .bind(number)
            .bind(secret.as_ref().map(|sealed| &sealed.text))
            .bind(i64::from(secret.is_some()))
            .bind(now_ms())
            .execute(&mut *tx)
            .await;
            let rows = done.map_err(|error| self.without_tenant(error))?.rows_affected();
            if rows > 0 {
                put_act!(tx, act);
            }
            rows
        });
        if rows == 0 {
            let sentence = format!("a gateway `{name}` was made at the same moment: try again");
            return Err(StoreError::Conflict(sentence));
        }
        self.store.ring();
        self.gateway(name).await
    }

    async fn room_for_gateway(&self) -> Result<(), StoreError> {
        let (count,) = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (i64,)>("SELECT COUNT(*) FROM gateway WHERE tenant = $1")
                .bind(self.key())
                .fetch_one(db)
                .await?
        });
        if count >= GATEWAYS_MAX {
            let sentence = format!("the tenant has {GATEWAYS_MAX} gateways already");
            return Err(StoreError::Conflict(sentence));
        }
        Ok(())
    }

    pub async fn gateway(&self, name: &GatewayName) -> Result<StoredGateway, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, GatewayRow>(
                "SELECT * FROM gateway WHERE tenant = $1 AND name = $2",
            )
            .bind(self.key())
            .bind(name.as_str())
            .fetch_optional(db)
            .await?
        });
        row.ok_or_else(|| StoreError::not_found("gateway", name))?.try_into()
    }

    /// By name.
    pub async fn gateways(&self) -> Result<Vec<StoredGateway>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, GatewayRow>(
                "SELECT * FROM gateway WHERE tenant = $1 ORDER BY name",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(StoredGateway::try_from).collect()
    }

    /// Forgets a gateway, its password and its history.
    pub async fn remove_gateway(&self, name: &GatewayName) -> Result<(), StoreError> {
        let was = self.gateway(name).await?.gateway;
        let act = self.act("gateway.remove", name, Some(&was), None::<&()>)?;
        let news =
            News::of_removed_gateway(self.tenant, was.id, name.clone(), timestamp(now_ms())?);
        let rows = in_transaction!(self.store.ready().await?, tx => {
            let delete = sqlx::query("DELETE FROM gateway WHERE tenant = $1 AND name = $2");
            let delete = delete.bind(self.key()).bind(name.as_str());
            let rows = delete.execute(&mut *tx).await?.rows_affected();
            if rows > 0 {
                put_act!(tx, act);
                let news = [news];
                put_news!(tx, &news);
            }
            rows
        });
        if rows == 0 {
            return Err(StoreError::not_found("gateway", name));
        }
        self.store.ring();
        self.store.tell();
        Ok(())
    }
}
