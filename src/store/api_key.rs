//! Keys of the HTTP API. A key reads `cw_ID_SECRET`; only a hash of the secret is kept, so it is
//! shown once.

use std::collections::BTreeSet;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ipnet::IpNet;
use jiff::Timestamp;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sqlx::FromRow;
use uuid::Uuid;

use super::act::{NewAct, put_act};
use super::pool::{in_transaction, on};
use super::{Operator, Store, StoreError, TenantScope, now_ms, timestamp};
use crate::base::ids::{ApiKeyId, TenantId};
use crate::base::masked::Masked;
use crate::model::access::{ApiKey, Power, Role};

/// What every key begins with, so that a leaked one is known for what it is.
const PREFIX: &str = "cw";
/// Random bytes of a secret.
const SECRET_BYTES: usize = 32;
/// Longest name, in bytes.
const NAME_MAX: usize = 100;
/// Keys of one tenant.
const KEYS_MAX: usize = 1_000;
/// Networks of one key.
const ADDRESSES_MAX: usize = 64;

/// A key to be added.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewApiKey {
    #[schemars(length(min = 1, max = 100))]
    pub name: String,
    pub role: Role,
    #[serde(default)]
    pub powers: BTreeSet<Power>,
    #[serde(default)]
    #[schemars(with = "Vec<String>")]
    pub addresses: Vec<IpNet>,
    #[serde(default)]
    pub expires: Option<Timestamp>,
}

impl NewApiKey {
    fn check(&self, of_tenant: bool) -> Result<(), StoreError> {
        let invalid = |sentence: &str| Err(StoreError::Invalid(sentence.to_owned()));
        let name = self.name.trim();
        if name.is_empty() || name.len() > NAME_MAX || name.chars().any(char::is_control) {
            return Err(StoreError::Invalid(format!("a key's name has 1 to {NAME_MAX} bytes")));
        }
        if of_tenant == (self.role == Role::Operator) {
            return invalid("only the operator's own keys are operators'");
        }
        if let Some(power) = self.powers.iter().find(|power| !self.role.may(**power)) {
            let sentence = format!("the role {} never has {power}", self.role);
            return Err(StoreError::Invalid(sentence));
        }
        if self.addresses.len() > ADDRESSES_MAX {
            return Err(StoreError::Invalid(format!("{ADDRESSES_MAX} networks are allowed")));
        }
        if self.expires.is_some_and(|expires| expires <= Timestamp::now()) {
            return invalid("the key would be over already");
        }
        Ok(())
    }
}

/// A key and what is needed to know it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownKey {
    pub key: ApiKey,
    hash: String,
}

impl KnownKey {
    /// Whether the secret is this key's. Comparing hashes tells nobody how near they came.
    pub fn is(&self, secret: &str) -> bool {
        self.hash == hash(secret)
    }
}

fn hash(secret: &str) -> String {
    URL_SAFE_NO_PAD.encode(digest(&SHA256, secret.as_bytes()))
}

/// A key as it is shown to who may use it.
fn written(id: ApiKeyId, secret: &str) -> String {
    format!("{PREFIX}_{}_{secret}", id.0.as_simple())
}

/// The parts of a key; none where it can't be one.
pub fn read(text: &str) -> Option<(ApiKeyId, &str)> {
    let (prefix, rest) = text.split_once('_')?;
    let (id, secret) = rest.split_once('_')?;
    let id = Uuid::try_parse(id).ok()?;
    (prefix == PREFIX).then_some((ApiKeyId(id), secret))
}

#[derive(Debug, FromRow)]
pub(super) struct ApiKeyRow {
    id: String,
    tenant: Option<String>,
    name: String,
    role: String,
    powers: String,
    addresses: String,
    hash: String,
    created_ms: i64,
    expires_ms: Option<i64>,
    used_ms: Option<i64>,
}

impl TryFrom<ApiKeyRow> for KnownKey {
    type Error = StoreError;
    fn try_from(row: ApiKeyRow) -> Result<Self, StoreError> {
        let tenant = row.tenant.map(|tenant| tenant.parse());
        let key = ApiKey {
            id: row.id.parse().map_err(StoreError::corrupt)?,
            tenant: tenant.transpose().map_err(StoreError::corrupt)?,
            name: row.name,
            role: serde_json::from_value(row.role.into()).map_err(StoreError::corrupt)?,
            powers: serde_json::from_str(&row.powers).map_err(StoreError::corrupt)?,
            addresses: serde_json::from_str(&row.addresses).map_err(StoreError::corrupt)?,
            created: timestamp(row.created_ms)?,
            expires: row.expires_ms.map(timestamp).transpose()?,
            used: row.used_ms.map(timestamp).transpose()?,
        };
        Ok(Self { key, hash: row.hash })
    }
}

pub(super) const ALL: &str = "SELECT * FROM api_key ORDER BY id";

async fn add(
    store: &Store,
    tenant: Option<TenantId>,
    new: &NewApiKey,
    act: impl FnOnce(ApiKeyId) -> Result<NewAct, StoreError>,
) -> Result<(ApiKey, Masked<String>), StoreError> {
    new.check(tenant.is_some())?;
    let mut random = [0; SECRET_BYTES];
    let none = |_| StoreError::unavailable("the system gives no random bytes");
    SystemRandom::new().fill(&mut random).map_err(none)?;
    let (id, secret) = (ApiKeyId(Uuid::now_v7()), URL_SAFE_NO_PAD.encode(random));
    let created_ms = now_ms();
    let list = |value: Result<String, serde_json::Error>| value.map_err(StoreError::corrupt);
    let act = act(id)?;
    let (powers, addresses) =
        (list(serde_json::to_string(&new.powers))?, list(serde_json::to_string(&new.addresses))?);
    in_transaction!(store.ready().await?, tx => {
        sqlx::query(
            "INSERT INTO api_key (id, tenant, name, role, powers, addresses, hash, created_ms, \
             expires_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        )
        .bind(id.to_string())
        .bind(tenant.map(|tenant| tenant.to_string()))
        .bind(new.name.trim())
        .bind(new.role.name())
        .bind(powers)
        .bind(addresses)
        .bind(hash(&secret))
        .bind(created_ms)
        .bind(new.expires.map(Timestamp::as_millisecond))
        .execute(&mut *tx)
        .await?;
        put_act!(tx, act);
    });
    store.ring();
    let key = ApiKey {
        id,
        tenant,
        name: new.name.trim().to_owned(),
        role: new.role,
        powers: new.powers.clone(),
        addresses: new.addresses.clone(),
        created: timestamp(created_ms)?,
        expires: new.expires,
        used: None,
    };
    Ok((key, Masked::new(written(id, &secret))))
}

fn keys(rows: Vec<ApiKeyRow>) -> Result<Vec<ApiKey>, StoreError> {
    rows.into_iter().map(|row| KnownKey::try_from(row).map(|known| known.key)).collect()
}

fn one(keys: Vec<ApiKey>, id: ApiKeyId) -> Result<ApiKey, StoreError> {
    let found = keys.into_iter().find(|key| key.id == id);
    found.ok_or_else(|| StoreError::not_found("API key", id))
}

impl TenantScope {
    /// Adds a key of the tenant; with it the key as it is written, which nobody learns again.
    pub async fn add_api_key(
        &self,
        new: &NewApiKey,
    ) -> Result<(ApiKey, Masked<String>), StoreError> {
        self.tenant().await?;
        if self.api_keys().await?.len() >= KEYS_MAX {
            return Err(StoreError::Conflict(format!("the tenant has {KEYS_MAX} keys already")));
        }
        let act = |id| self.act("key.add", id, None::<&()>, Some(new));
        add(&self.store, Some(self.tenant), new, act).await
    }

    /// The tenant's keys, the oldest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as("SELECT * FROM api_key WHERE tenant = $1 ORDER BY id")
                .bind(self.key())
                .fetch_all(db)
                .await?
        });
        keys(rows)
    }

    /// Whoever has the key can do nothing with it any more.
    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<(), StoreError> {
        let was = one(self.api_keys().await?, id)?;
        let delete = "DELETE FROM api_key WHERE tenant = $1 AND id = $2";
        self.forget(delete, ("API key", "key.revoke"), &id.to_string(), &was).await
    }
}

impl Operator {
    /// Adds a key of the operator's own.
    pub async fn add_api_key(
        &self,
        new: &NewApiKey,
    ) -> Result<(ApiKey, Masked<String>), StoreError> {
        let act = |id| self.act(None, "key.add", id, None::<&()>, Some(new));
        add(&self.store, None, new, act).await
    }

    /// The operator's own keys, the oldest first.
    pub async fn api_keys(&self) -> Result<Vec<ApiKey>, StoreError> {
        let rows = on!(self.store.ready().await?, db => {
            sqlx::query_as("SELECT * FROM api_key WHERE tenant IS NULL ORDER BY id")
                .fetch_all(db)
                .await?
        });
        keys(rows)
    }

    pub async fn revoke_api_key(&self, id: ApiKeyId) -> Result<(), StoreError> {
        let was = one(self.api_keys().await?, id)?;
        let act = self.act(None, "key.revoke", id, Some(&was), None::<&()>)?;
        in_transaction!(self.store.ready().await?, tx => {
            sqlx::query("DELETE FROM api_key WHERE tenant IS NULL AND id = $1")
                .bind(id.to_string())
                .execute(&mut *tx)
                .await?;
            put_act!(tx, act);
        });
        self.store.ring();
        Ok(())
    }

    /// The key was used at this moment.
    pub async fn note_api_key(&self, id: ApiKeyId, used: Timestamp) -> Result<(), StoreError> {
        on!(self.store.ready().await?, db => {
            sqlx::query("UPDATE api_key SET used_ms = $2 WHERE id = $1")
                .bind(id.to_string())
                .bind(used.as_millisecond())
                .execute(db)
                .await
                .map(drop)?;
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_read_as_it_is_written_and_nothing_else_is_a_key() {
        let id = ApiKeyId(Uuid::from_u128(7));
        let text = written(id, "se_cret-1");
        assert_eq!(text, "cw_00000000000000000000000000000007_se_cret-1");
        assert_eq!(read(&text), Some((id, "se_cret-1")));
        for other in ["", "cw", "cw_x_y", "xx_00000000000000000000000000000007_s"] {
            assert_eq!(read(other), None, "{other}");
        }
    }
}
