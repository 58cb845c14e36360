//! Recordings that are kept: their rows in the store, their files in the vault, their keys in both.

use std::ops::Range;
use std::path::PathBuf;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::OnceCell;

use super::config::Config;
use super::keys;
use crate::base::ids::{RecordingId, TenantId};
use crate::store::{Deed, Kept, Store, StoreError, WrappedKey};
use crate::vault;
use crate::vault::format::{FormatError, HEADER_BYTES};
use crate::vault::keys::{DataKey, KeyError, OperatorKeys, TenantKey};
use crate::vault::objects::{ObjectError, Objects};
use crate::vault::seal::Opened;

/// The operator's keys, where they are not to be in a file.
const KEYS_VARIABLE: &str = "CALLWRIGHT_RECORDING_KEYS";
/// How often another process may add a tenant's first key at the same moment.
const RACES_MAX: u32 = 4;

/// Why a recording can't be kept, heard or deleted.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Object(#[from] ObjectError),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("the recording can't be read: {0}")]
    Damaged(#[from] FormatError),
    #[error("the recording has {found} bytes in the store, not {expected}: it was changed or cut")]
    Length { found: u64, expected: u64 },
    #[error("the tenant's key was destroyed, and this recording with it")]
    Destroyed,
    #[error("there is no sound: the recording is {0}")]
    NoSound(&'static str),
    #[error("what was read can't be written: {0}")]
    Write(#[from] std::io::Error),
    #[error("other processes change the tenant's keys all the time")]
    Busy,
}

/// Where recordings are kept.
#[derive(Debug)]
pub struct Archive {
    pub store: Store,
    keys: OperatorKeys,
    settings: vault::config::Config,
    /// Opened when it is first needed.
    objects: OnceCell<Objects>,
}

impl Archive {
    /// # Errors
    /// The operator's keys can't be read.
    pub fn open(config: &Config, store: &Store) -> anyhow::Result<Self> {
        let keys = match std::env::var(KEYS_VARIABLE) {
            Ok(text) => OperatorKeys::read(&text)
                .map_err(|error| anyhow::anyhow!("{KEYS_VARIABLE}: {error}"))?,
            Err(_) => {
                let path = config.recordings.keys.as_ref().unwrap_or(&config.handover.keys);
                let text = keys::text(path)?;
                OperatorKeys::read(&text)
                    .map_err(|error| anyhow::anyhow!("`{}`: {error}", path.display()))?
            }
        };
        Ok(Self::new(store, keys, config.recordings.clone()))
    }

    pub fn new(store: &Store, keys: OperatorKeys, settings: vault::config::Config) -> Self {
        Self { store: store.clone(), keys, settings, objects: OnceCell::new() }
    }

    /// The store of files.
    ///
    /// # Errors
    /// The settings name none that can be used.
    pub async fn objects(&self) -> Result<&Objects, ArchiveError> {
        let open = async || {
            let settings = self.settings.clone();
            let opened = tokio::task::spawn_blocking(move || Objects::open(&settings)).await;
            opened.map_err(std::io::Error::other).map_err(ObjectError::Io)?
        };
        Ok(self.objects.get_or_try_init(open).await?)
    }

    /// The tenant's key in use; the first is made here.
    ///
    /// # Errors
    /// The database does not answer, or the operator's key is missing.
    pub async fn tenant_key(&self, tenant: TenantId) -> Result<TenantKey, ArchiveError> {
        for _ in 0..RACES_MAX {
            let keys = self.store.tenant(tenant).keys().await?;
            let newest = keys.first();
            if let Some(key) = newest.filter(|key| key.wrapped.is_some()) {
                return self.unwrapped(tenant, key);
            }
            match self.add_key(tenant, newest.map_or(1, |key| key.number + 1)).await {
                Err(ArchiveError::Store(StoreError::Conflict(_))) => {}
                done => return done,
            }
        }
        Err(ArchiveError::Busy)
    }

    async fn add_key(&self, tenant: TenantId, number: u32) -> Result<TenantKey, ArchiveError> {
        let key = TenantKey::generate(tenant, number)?;
        let wrapped = self.keys.wrap(&key)?;
        self.store.tenant(tenant).add_key(number, self.keys.name(), &wrapped).await?;
        Ok(key)
    }

    fn unwrapped(&self, tenant: TenantId, key: &WrappedKey) -> Result<TenantKey, ArchiveError> {
        let wrapped = key.wrapped.as_deref().ok_or(ArchiveError::Destroyed)?;
        Ok(self.keys.unwrap(tenant, key.number, &key.operator_key, wrapped)?)
    }

    /// The key of a recording's sound.
    async fn data_key(&self, kept: &Kept) -> Result<DataKey, ArchiveError> {
        let tenant = kept.recording.tenant;
        let state = kept.recording.state.name();
        let audio = kept.audio.as_ref().ok_or(ArchiveError::NoSound(state))?;
        let wrapped = audio.wrapped.as_deref().ok_or(ArchiveError::Destroyed)?;
        let keys = self.store.tenant(tenant).keys().await?;
        let key = keys.iter().find(|key| key.number == audio.key_number);
        let key = self.unwrapped(tenant, key.ok_or(ArchiveError::Destroyed)?)?;
        Ok(key.unwrap(kept.recording.id, wrapped)?)
    }

    /// Writes some bytes of a recording's WAV file, and says how many there were. Nothing is
    /// written of a chunk that is not as it was stored.
    ///
    /// # Errors
    /// There is no such recording of this tenant, its key was destroyed, or it was changed.
    pub async fn read(
        &self,
        tenant: TenantId,
        id: RecordingId,
        wanted: Range<u64>,
        to: &mut (impl AsyncWrite + Unpin),
    ) -> Result<u64, ArchiveError> {
        let kept = self.store.tenant(tenant).recording(id).await?;
        let key = self.data_key(&kept).await?;
        let state = kept.recording.state.name();
        let audio = kept.audio.as_ref().ok_or(ArchiveError::NoSound(state))?;
        let objects = self.objects().await?;
        let found = objects.length(&audio.object).await?;
        if found != audio.stored_bytes {
            return Err(ArchiveError::Length { found, expected: audio.stored_bytes });
        }
        let head = objects.read(&audio.object, 0..HEADER_BYTES as u64).await?;
        let opened = Opened::new(&head, found, id, &key)?;
        let mut written = 0;
        for part in opened.parts(wanted) {
            let mut bytes = objects.read(&audio.object, part.stored.clone()).await?;
            let sound = opened.open(&part, &mut bytes)?;
            to.write_all(&sound).await?;
            written += sound.len() as u64;
        }
        to.flush().await?;
        Ok(written)
    }

    /// Deletes a recording, but for the trace of who did it and why.
    ///
    /// # Errors
    /// There is no such recording of this tenant, it is held, or is not finished.
    pub async fn delete(
        &self,
        tenant: TenantId,
        id: RecordingId,
        deed: &Deed,
    ) -> Result<(), ArchiveError> {
        let scope = self.store.tenant(tenant);
        let object = scope.recording(id).await?.audio.map(|audio| audio.object);
        scope.delete_recording(id, deed).await?;
        self.clear(tenant, id, object.as_deref()).await
    }

    /// Removes what is left of a recording that is being deleted.
    pub(super) async fn clear(
        &self,
        tenant: TenantId,
        id: RecordingId,
        object: Option<&str>,
    ) -> Result<(), ArchiveError> {
        if let Some(object) = object {
            self.objects().await?.remove(object).await?;
        }
        Ok(self.store.tenant(tenant).forget_recording(id).await?)
    }

    /// Gives a tenant a new key and wraps with it what the older ones wrapped, which are forgotten
    /// then. Says how many recordings that concerned. May be cut short, and done again.
    ///
    /// # Errors
    /// The database does not answer, or an operator's key is missing.
    pub async fn rotate(&self, tenant: TenantId, deed: &Deed) -> Result<u64, ArchiveError> {
        let scope = self.store.tenant(tenant);
        scope.tenant().await?;
        let newest = scope.keys().await?.first().map_or(0, |key| key.number);
        let key = self.add_key(tenant, newest + 1).await?;
        let mut wrapped = 0;
        loop {
            let batch = scope.wrapped_before(key.number).await?;
            if batch.is_empty() {
                break;
            }
            let keys = scope.keys().await?;
            let mut again = Vec::new();
            for (id, number, old) in batch {
                let under = keys.iter().find(|key| key.number == number);
                let under = self.unwrapped(tenant, under.ok_or(ArchiveError::Destroyed)?)?;
                let new = key.wrap(id, &under.unwrap(id, &old)?)?;
                again.push((id, old, new));
            }
            scope.rewrap_recordings(key.number, &again).await?;
            wrapped += again.len() as u64;
        }
        scope.retire_keys(key.number, deed).await?;
        Ok(wrapped)
    }

    /// Wraps all tenants' keys with the operator's key in use. Says how many that concerned; after
    /// it nothing needs the operator's earlier keys.
    ///
    /// # Errors
    /// The database does not answer, or an operator's key is missing.
    pub async fn rotate_operator(&self) -> Result<u64, ArchiveError> {
        let mut wrapped = 0;
        for tenant in self.store.operator().tenants().await? {
            let scope = self.store.tenant(tenant.id);
            for key in scope.keys().await? {
                if key.wrapped.is_none() || key.operator_key == self.keys.name() {
                    continue;
                }
                let again = self.keys.wrap(&self.unwrapped(tenant.id, &key)?)?;
                scope.rewrap_key(&key, self.keys.name(), &again).await?;
                wrapped += 1;
            }
        }
        Ok(wrapped)
    }
}

/// Where this machine sees what FreeSWITCH records.
pub(super) fn spool(config: &Config) -> PathBuf {
    let default = || PathBuf::from(&config.store.message_directory);
    config.recordings.spool.clone().unwrap_or_else(default)
}
