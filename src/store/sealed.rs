//! Secrets as they are kept: sealed by a tenant's key.

use std::collections::BTreeMap;

use sqlx::FromRow;

use super::key::WrappedKey;
use super::pool::{in_transaction, on};
use super::{StoreError, TenantScope, positive, timestamp};
use crate::base::ids::TenantId;

/// Secrets that are handed out at once to be sealed again.
const BATCH: i64 = 500;

/// Keeps a tenant's key from being given up until the transaction is over. False where it is gone
/// already. See `retire_keys`, which waits for this.
macro_rules! hold_key {
    ($tx:ident, $tenant:expr, $sealed:expr) => {
        match $sealed {
            None => true,
            Some(sealed) => {
                sqlx::query(
                    "UPDATE tenant_key SET number = number \
                     WHERE tenant = $1 AND number = $2 AND wrapped IS NOT NULL",
                )
                .bind($tenant)
                .bind(i64::from(sealed.key_number))
                .execute(&mut *$tx)
                .await?
                .rows_affected()
                    > 0
            }
        }
    };
}

pub(super) use hold_key;

/// Of a secret whose key was given up while it was being written.
pub(super) fn rotated() -> StoreError {
    StoreError::Conflict("the tenant's key was changed at the same moment: try again".to_owned())
}

/// A secret that the tenant's key of this number opens.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Sealed {
    pub key_number: u32,
    pub text: String,
}

impl Sealed {
    pub(super) fn read(number: i64, text: Option<String>) -> Result<Option<Self>, StoreError> {
        text.map(|text| Ok(Self { key_number: positive(number)?, text })).transpose()
    }
}

/// What a secret is for. Its name was sealed with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum SecretOf {
    Gateway,
    Extension,
    Webhook,
}

impl SecretOf {
    pub const ALL: [Self; 3] = [Self::Gateway, Self::Extension, Self::Webhook];

    /// What the secret of the thing with this id is sealed for.
    pub fn label(self, id: impl std::fmt::Display) -> String {
        match self {
            Self::Gateway => format!("gateway {id}"),
            Self::Extension => format!("extension {id}"),
            Self::Webhook => format!("webhook secret {id}"),
        }
    }

    const fn older(self) -> &'static str {
        match self {
            Self::Gateway => {
                "SELECT id, key_number, sealed FROM gateway WHERE tenant = $1 AND key_number < $2 \
                 AND sealed IS NOT NULL ORDER BY id LIMIT $3"
            }
            Self::Extension => {
                "SELECT id, key_number, sealed FROM extension WHERE tenant = $1 \
                 AND key_number < $2 AND sealed IS NOT NULL ORDER BY id LIMIT $3"
            }
            Self::Webhook => {
                "SELECT id, key_number, sealed FROM webhook_secret WHERE tenant = $1 \
                 AND key_number < $2 ORDER BY id LIMIT $3"
            }
        }
    }

    const fn again(self) -> &'static str {
        match self {
            Self::Gateway => {
                "UPDATE gateway SET key_number = $3, sealed = $4 \
                 WHERE tenant = $1 AND id = $2 AND sealed = $5"
            }
            Self::Extension => {
                "UPDATE extension SET key_number = $3, sealed = $4 \
                 WHERE tenant = $1 AND id = $2 AND sealed = $5"
            }
            Self::Webhook => {
                "UPDATE webhook_secret SET key_number = $3, sealed = $4 \
                 WHERE tenant = $1 AND id = $2 AND sealed = $5"
            }
        }
    }
}

/// A tenant's keys, for whoever opens secrets while the database is away.
pub type TenantKeys = BTreeMap<TenantId, Vec<WrappedKey>>;

#[derive(Debug, Clone, FromRow, serde::Serialize, serde::Deserialize)]
pub(super) struct FactKey {
    tenant: String,
    number: i64,
    wrapped: Option<String>,
    operator_key: String,
    created_ms: i64,
}

pub(super) const KEYS: &str = "SELECT tenant, number, wrapped, operator_key, created_ms \
     FROM tenant_key WHERE wrapped IS NOT NULL ORDER BY tenant, number DESC";

/// Keys by tenant, the newest first. One that can't be read opens nothing.
pub(super) fn by_tenant(keys: &[FactKey]) -> TenantKeys {
    let mut found = TenantKeys::new();
    for key in keys {
        let (Ok(tenant), Ok(number), Ok(created)) =
            (key.tenant.parse(), positive(key.number), timestamp(key.created_ms))
        else {
            continue;
        };
        found.entry(tenant).or_default().push(WrappedKey {
            number,
            wrapped: key.wrapped.clone(),
            operator_key: key.operator_key.clone(),
            created,
            destroyed: None,
        });
    }
    found
}

impl TenantScope {
    /// Secrets that older keys than this one seal, with the id of what they are for; at most 500.
    pub async fn sealed_before(
        &self,
        what: SecretOf,
        number: u32,
    ) -> Result<Vec<(String, Sealed)>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as::<_, (String, i64, String)>(what.older())
                .bind(self.key())
                .bind(i64::from(number))
                .bind(BATCH)
                .fetch_all(db)
                .await?
        });
        let each = rows
            .into_iter()
            .map(|(id, number, text)| Ok((id, Sealed { key_number: positive(number)?, text })));
        each.collect()
    }

    /// Puts secrets that were sealed again in the place of the old: id, the old text, the new.
    pub async fn reseal(
        &self,
        what: SecretOf,
        number: u32,
        sealed: &[(String, String, String)],
    ) -> Result<(), StoreError> {
        in_transaction!(self.store.ready().await?, tx => {
            for (id, old, new) in sealed {
                sqlx::query(what.again())
                    .bind(self.key())
                    .bind(id)
                    .bind(i64::from(number))
                    .bind(new)
                    .bind(old)
                    .execute(&mut *tx)
                    .await?;
            }
        });
        self.store.ring();
        Ok(())
    }
}
