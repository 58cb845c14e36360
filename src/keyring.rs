//! Tenants' keys as they are used: their rows in the store, what is in them by the operator's keys.

use std::sync::Arc;

use zeroize::Zeroizing;

use crate::base::ids::TenantId;
use crate::store::{Sealed, SecretOf, Store, StoreError, WrappedKey};
use crate::vault::keys::{KeyError, OperatorKeys, TenantKey};

/// How often another process may add a tenant's first key at the same moment.
const RACES_MAX: u32 = 4;

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyringError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the tenant's key was destroyed, and this with it")]
    Destroyed,
    #[error("other processes change the tenant's keys all the time")]
    Busy,
}

/// The operator's keys, and the tenants' that they open; a clone is the same.
#[derive(Debug, Clone)]
pub struct Keyring {
    store: Store,
    operator: Arc<OperatorKeys>,
}

impl Keyring {
    pub fn new(store: &Store, operator: OperatorKeys) -> Self {
        Self { store: store.clone(), operator: Arc::new(operator) }
    }

    /// The operator's keys.
    pub fn operator(&self) -> &OperatorKeys {
        &self.operator
    }

    /// The tenant's key in use; the first is made here.
    ///
    /// # Errors
    /// The database does not answer, or the operator's key is missing.
    pub async fn tenant_key(&self, tenant: TenantId) -> Result<TenantKey, KeyringError> {
        for _ in 0..RACES_MAX {
            let keys = self.store.tenant(tenant).keys().await?;
            let newest = keys.first();
            if let Some(key) = newest.filter(|key| key.wrapped.is_some()) {
                return self.unwrapped(tenant, key);
            }
            match self.add_key(tenant, newest.map_or(1, |key| key.number + 1)).await {
                Err(KeyringError::Store(StoreError::Conflict(_))) => {}
                done => return done,
            }
        }
        Err(KeyringError::Busy)
    }

    /// Makes a tenant's next key.
    ///
    /// # Errors
    /// The database does not answer, or has one of this number.
    pub async fn add_key(&self, tenant: TenantId, number: u32) -> Result<TenantKey, KeyringError> {
        let key = TenantKey::generate(tenant, number)?;
        let wrapped = self.operator.wrap(&key)?;
        self.store.tenant(tenant).add_key(number, self.operator.name(), &wrapped).await?;
        Ok(key)
    }

    /// What is in a tenant's key.
    ///
    /// # Errors
    /// It was destroyed, or the operator's key that wrapped it is missing.
    pub fn unwrapped(&self, tenant: TenantId, key: &WrappedKey) -> Result<TenantKey, KeyringError> {
        let wrapped = key.wrapped.as_deref().ok_or(KeyringError::Destroyed)?;
        Ok(self.operator.unwrap(tenant, key.number, &key.operator_key, wrapped)?)
    }

    /// Seals a secret with the tenant's key in use.
    ///
    /// # Errors
    /// The database does not answer, or the operator's key is missing.
    pub async fn seal(
        &self,
        tenant: TenantId,
        what: &str,
        secret: &str,
    ) -> Result<Sealed, KeyringError> {
        let key = self.tenant_key(tenant).await?;
        Ok(Sealed { key_number: key.number, text: key.seal(what, secret)? })
    }

    /// Whether any of the tenant's keys seals a secret.
    ///
    /// # Errors
    /// The database does not answer.
    pub async fn seals(&self, tenant: TenantId) -> Result<bool, KeyringError> {
        for what in SecretOf::ALL {
            if !self.store.tenant(tenant).sealed_before(what, u32::MAX).await?.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Seals with this key what older ones of the tenant's sealed.
    ///
    /// # Errors
    /// The database does not answer, or an operator's key is missing.
    pub async fn reseal(&self, tenant: TenantId, key: &TenantKey) -> Result<(), KeyringError> {
        let scope = self.store.tenant(tenant);
        for what in SecretOf::ALL {
            loop {
                let batch = scope.sealed_before(what, key.number).await?;
                if batch.is_empty() {
                    break;
                }
                let keys = scope.keys().await?;
                let mut again = Vec::new();
                for (id, old) in batch {
                    let label = what.label(&id);
                    let secret = self.open(tenant, &keys, &label, &old)?;
                    again.push((id, old.text, key.seal(&label, &secret)?));
                }
                scope.reseal(what, key.number, &again).await?;
            }
        }
        Ok(())
    }

    /// Opens a secret with one of these keys of the tenant's.
    ///
    /// # Errors
    /// Its key is not there any more, or it was changed.
    pub fn open(
        &self,
        tenant: TenantId,
        keys: &[WrappedKey],
        what: &str,
        sealed: &Sealed,
    ) -> Result<Zeroizing<String>, KeyringError> {
        let key = keys.iter().find(|key| key.number == sealed.key_number);
        let key = self.unwrapped(tenant, key.ok_or(KeyringError::Destroyed)?)?;
        Ok(key.open(what, &sealed.text)?)
    }
}
