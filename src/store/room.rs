//! Conference rooms: a name and how the room is.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::pool::on;
use super::{StoreError, TenantScope, now_ms};
use crate::base::ids::{RoomName, TenantId};
use crate::flow::room::RoomSettings;

/// A room of a tenant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredRoom {
    pub tenant: TenantId,
    pub name: RoomName,
    pub settings: RoomSettings,
}

#[derive(Debug, FromRow)]
pub(super) struct RoomRow {
    tenant: String,
    name: String,
    settings: String,
}

impl TryFrom<RoomRow> for StoredRoom {
    type Error = StoreError;
    fn try_from(row: RoomRow) -> Result<Self, StoreError> {
        Ok(Self {
            tenant: row.tenant.parse().map_err(StoreError::corrupt)?,
            name: row.name.parse().map_err(StoreError::corrupt)?,
            settings: serde_json::from_str(&row.settings).map_err(StoreError::corrupt)?,
        })
    }
}

pub(super) const ALL: &str = "SELECT tenant, name, settings FROM room ORDER BY tenant, name";

impl TenantScope {
    /// Adds a room, or changes one that the tenant has: whoever joins later finds it so.
    pub async fn put_room(
        &self,
        name: &RoomName,
        settings: &RoomSettings,
    ) -> Result<StoredRoom, StoreError> {
        settings.check().map_err(|error| StoreError::Invalid(error.to_string()))?;
        if let Some(music) = &settings.music {
            self.prompt(music).await?;
        }
        let text = serde_json::to_string(settings)
            .map_err(|error| StoreError::Invalid(error.to_string()))?;
        let done = on!(self.store.ready().await?, db => {
            sqlx::query(
                "INSERT INTO room (tenant, name, settings, changed_ms) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (tenant, name) DO UPDATE SET settings = excluded.settings, \
                 changed_ms = excluded.changed_ms",
            )
            .bind(self.key())
            .bind(name.as_str())
            .bind(text)
            .bind(now_ms())
            .execute(db)
            .await
            .map(drop)
        });
        done.map_err(|error| self.without_tenant(error))?;
        self.store.ring();
        self.room(name).await
    }

    pub async fn room(&self, name: &RoomName) -> Result<StoredRoom, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, RoomRow>(
                "SELECT tenant, name, settings FROM room WHERE tenant = $1 AND name = $2",
            )
            .bind(self.key())
            .bind(name.as_str())
            .fetch_optional(db)
            .await?
        });
        row.ok_or_else(|| StoreError::not_found("room", name))?.try_into()
    }

    /// By name.
    pub async fn rooms(&self) -> Result<Vec<StoredRoom>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, RoomRow>(
                "SELECT tenant, name, settings FROM room WHERE tenant = $1 ORDER BY name",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(StoredRoom::try_from).collect()
    }

    /// Forgets a room; who is in it stays there.
    pub async fn remove_room(&self, name: &RoomName) -> Result<(), StoreError> {
        self.forget("DELETE FROM room WHERE tenant = $1 AND name = $2", "room", name.as_str()).await
    }
}
