//! Tenants' extensions: phones that register.

use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::FromRow;
use uuid::Uuid;

use super::act::put_act;
use super::pool::{in_transaction, on};
use super::sealed::{Sealed, hold_key, rotated};
use super::{StoreError, TenantScope, now_ms, timestamp};
use crate::base::ids::{ExtensionId, TenantId};
use crate::model::extension::{Extension, ExtensionSettings};
use crate::model::sip::SipUser;

/// An extension with its password as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredExtension {
    pub tenant: TenantId,
    pub extension: Extension,
    pub sealed: Sealed,
}

#[derive(Debug, FromRow)]
pub(super) struct ExtensionRow {
    tenant: String,
    id: String,
    number: String,
    settings: String,
    key_number: i64,
    sealed: Option<String>,
    created_ms: i64,
    changed_ms: i64,
}

impl TryFrom<ExtensionRow> for StoredExtension {
    type Error = StoreError;
    fn try_from(row: ExtensionRow) -> Result<Self, StoreError> {
        let tenant = row.tenant.parse().map_err(StoreError::corrupt)?;
        let extension = Extension {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            number: row.number.parse().map_err(StoreError::corrupt)?,
            settings: serde_json::from_str(&row.settings).map_err(StoreError::corrupt)?,
            created: timestamp(row.created_ms)?,
            changed: timestamp(row.changed_ms)?,
        };
        let sealed = Sealed::read(row.key_number, row.sealed)?;
        let sealed = sealed.ok_or_else(|| StoreError::corrupt("an extension without password"))?;
        Ok(Self { extension, tenant, sealed })
    }
}

pub(super) const ALL: &str = "SELECT * FROM extension ORDER BY tenant, number";

impl TenantScope {
    /// The id that an extension of this number has, or is to get: its password is sealed for it.
    pub async fn extension_id(&self, number: &SipUser) -> Result<ExtensionId, StoreError> {
        match self.extension(number).await {
            Ok(found) => Ok(found.extension.id),
            Err(StoreError::NotFound { .. }) => Ok(ExtensionId(Uuid::now_v7())),
            Err(error) => Err(error),
        }
    }

    /// Adds an extension, or changes the one that has this id. Without a password it keeps the one
    /// that it has.
    ///
    /// # Errors
    /// The settings make no sense, or a new one has no password.
    pub async fn put_extension(
        &self,
        id: ExtensionId,
        number: &SipUser,
        settings: &ExtensionSettings,
        secret: Option<Sealed>,
    ) -> Result<StoredExtension, StoreError> {
        settings.check().map_err(|(field, why)| StoreError::Field(field, why.to_owned()))?;
        let before = match self.extension(number).await {
            Ok(found) => Some(found),
            Err(StoreError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let was = before.as_ref().map(|before| &before.extension);
        let is = json!({ "settings": settings, "has_new_password": secret.is_some() });
        let act = self.act("extension.put", number, was, Some(&is))?;
        let sealed = secret.or_else(|| before.map(|before| before.sealed));
        let sealed = sealed.ok_or_else(|| {
            StoreError::Field("password", "a new extension needs a password".to_owned())
        })?;
        let text = serde_json::to_string(settings).map_err(StoreError::corrupt)?;
        let rows = in_transaction!(self.store.ready().await?, tx => {
            if !hold_key!(tx, self.key(), Some(&sealed)) {
                return Err(rotated());
            }
            let done = sqlx::query(
                "INSERT INTO extension (tenant, id, number, settings, key_number, sealed, \
                 created_ms, changed_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $7) \
                 ON CONFLICT (tenant, number) DO UPDATE SET settings = excluded.settings, \
                 key_number = excluded.key_number, sealed = excluded.sealed, \
                 changed_ms = excluded.changed_ms WHERE extension.id = excluded.id",
            )
            .bind(self.key())
            .bind(id.to_string())
            .bind(number.as_str())
            .bind(text)
            .bind(i64::from(sealed.key_number))
            .bind(&sealed.text)
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
            let sentence = format!("an extension `{number}` was made at the same moment");
            return Err(StoreError::Conflict(sentence));
        }
        self.store.ring();
        self.extension(number).await
    }

    pub async fn extension(&self, number: &SipUser) -> Result<StoredExtension, StoreError> {
        let row = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, ExtensionRow>(
                "SELECT * FROM extension WHERE tenant = $1 AND number = $2",
            )
            .bind(self.key())
            .bind(number.as_str())
            .fetch_optional(db)
            .await?
        });
        row.ok_or_else(|| StoreError::not_found("extension", number))?.try_into()
    }

    /// By number.
    pub async fn extensions(&self) -> Result<Vec<StoredExtension>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, ExtensionRow>(
                "SELECT * FROM extension WHERE tenant = $1 ORDER BY number",
            )
            .bind(self.key())
            .fetch_all(db)
            .await?
        });
        rows.into_iter().map(StoredExtension::try_from).collect()
    }

    pub async fn remove_extension(&self, number: &SipUser) -> Result<(), StoreError> {
        let delete = "DELETE FROM extension WHERE tenant = $1 AND number = $2";
        let was = self.extension(number).await?.extension;
        self.forget(delete, ("extension", "extension.remove"), number.as_str(), &was).await
    }
}
