//! Conference rooms: a name and how the room is.

use serde::{Deserialize, Serialize};
use sqlx::FromRow;

use super::act::put_act;
use super::pool::{in_transaction, on};
use super::{Operator, StoreError, TenantScope, now_ms};
use crate::base::ids::{CoreId, RoomName, TenantId};
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

/// How long a FreeSWITCH may take to have a room that it said it would have.
const CLAIM_MS: i64 = 10_000;

impl Operator {
    /// Says that a FreeSWITCH is about to have a room, by its name there. Gives the one that is:
    /// for ten seconds that is who said so first.
    pub async fn claim_room(&self, room: &str, core: CoreId) -> Result<CoreId, StoreError> {
        let row = in_transaction!(self.store.ready().await?, tx => {
            sqlx::query("DELETE FROM room_claim WHERE until_ms < (SELECT now_ms FROM clock)")
                .execute(&mut *tx)
                .await?;
            sqlx::query(
                "INSERT INTO room_claim (room, core, until_ms) \
                 SELECT $1, $2, now_ms + $3 FROM clock WHERE TRUE \
                 ON CONFLICT (room) DO UPDATE SET until_ms = excluded.until_ms \
                 WHERE room_claim.core = excluded.core",
            )
            .bind(room)
            .bind(core.to_string())
            .bind(CLAIM_MS)
            .execute(&mut *tx)
            .await?;
            sqlx::query_as::<_, (String,)>("SELECT core FROM room_claim WHERE room = $1")
                .bind(room)
                .fetch_one(&mut *tx)
                .await?
        });
        row.0.parse().map_err(StoreError::corrupt)
    }
}

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
        let was = self.room(name).await.ok().map(|room| room.settings);
        let act = self.act("room.put", name, was.as_ref(), Some(settings))?;
        let put = async || -> Result<(), StoreError> {
            in_transaction!(self.store.ready().await?, tx => {
            sqlx::query(
                "INSERT INTO room (tenant, name, settings, changed_ms) VALUES ($1, $2, $3, $4) \
                 ON CONFLICT (tenant, name) DO UPDATE SET settings = excluded.settings, \
                 changed_ms = excluded.changed_ms",
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
        let was = self.room(name).await?.settings;
        let delete = "DELETE FROM room WHERE tenant = $1 AND name = $2";
        self.forget(delete, ("room", "room.remove"), name.as_str(), &was).await
    }
}
