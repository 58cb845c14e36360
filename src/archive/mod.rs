//! Sound that is kept. Recordings: their rows in the store, their files in the vault, their keys in
//! both. Prompts: their rows in the store, their files where FreeSWITCH reads.

pub mod convert;
pub mod key_file;
pub mod prompts;

use std::ops::Range;
use std::path::Path;

use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio::sync::OnceCell;

use crate::base::ids::{RecordingId, TenantId};
use crate::keyring::{Keyring, KeyringError};
use crate::model::recording::Recording;
use key_file::KeyFileError;

use crate::store::{Deed, Kept, Store, StoreError};
use crate::vault::config::Config;
use crate::vault::format::{FormatError, HEADER_BYTES};
use crate::vault::keys::{DataKey, KeyError, OperatorKeys, TenantKey};
use crate::vault::objects::{ObjectError, Objects};
use crate::vault::seal::{Opened, Part};

/// The operator's keys, where they are not to be in a file.
const KEYS_VARIABLE: &str = "CALLWRIGHT_RECORDING_KEYS";

/// Why the operator's keys can't be used.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error(transparent)]
    File(#[from] KeyFileError),
    #[error("`{0}`: {1}")]
    Keys(String, KeyError),
}

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
    #[error("other processes change the tenant's keys all the time")]
    Busy,
    #[error("there is no sound: the recording is {0}")]
    NoSound(&'static str),
    #[error("what was read can't be written: {0}")]
    Write(#[from] std::io::Error),
}

impl From<KeyringError> for ArchiveError {
    fn from(error: KeyringError) -> Self {
        match error {
            KeyringError::Store(error) => error.into(),
            KeyringError::Key(error) => error.into(),
            KeyringError::Destroyed => Self::Destroyed,
            KeyringError::Busy => Self::Busy,
        }
    }
}

/// Where recordings are kept.
#[derive(Debug)]
pub struct Archive {
    pub store: Store,
    keys: Keyring,
    settings: Config,
    /// Opened when it is first needed.
    objects: OnceCell<Objects>,
}

impl Archive {
    /// `keys` is the file of the operator's keys, where neither the environment nor the settings
    /// name others.
    ///
    /// # Errors
    /// The operator's keys can't be read.
    pub fn open(settings: &Config, keys: &Path, store: &Store) -> Result<Self, OpenError> {
        let (name, text) = match std::env::var(KEYS_VARIABLE) {
            Ok(text) => (KEYS_VARIABLE.to_owned(), text),
            Err(_) => {
                let path = settings.keys.as_deref().unwrap_or(keys);
                (path.display().to_string(), key_file::text(path)?)
            }
        };
        let keys = OperatorKeys::read(&text).map_err(|error| OpenError::Keys(name, error))?;
        Ok(Self::new(store, keys, settings.clone()))
    }

    pub fn new(store: &Store, keys: OperatorKeys, settings: Config) -> Self {
        let keys = Keyring::new(store, keys);
        Self { store: store.clone(), keys, settings, objects: OnceCell::new() }
    }

    /// The keys of all tenants.
    pub const fn keys(&self) -> &Keyring {
        &self.keys
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
        Ok(self.keys.tenant_key(tenant).await?)
    }

    /// The key of a recording's sound.
    async fn data_key(&self, kept: &Kept) -> Result<DataKey, ArchiveError> {
        let tenant = kept.recording.tenant;
        let state = kept.recording.state.name();
        let audio = kept.audio.as_ref().ok_or(ArchiveError::NoSound(state))?;
        let wrapped = audio.wrapped.as_deref().ok_or(ArchiveError::Destroyed)?;
        let keys = self.store.tenant(tenant).keys().await?;
        let key = keys.iter().find(|key| key.number == audio.key_number);
        let key = self.keys.unwrapped(tenant, key.ok_or(ArchiveError::Destroyed)?)?;
        Ok(key.unwrap(kept.recording.id, wrapped)?)
    }

    /// Opens a recording's WAV file; nothing of it is decrypted yet.
    ///
    /// # Errors
    /// There is no such recording of this tenant, its key was destroyed, or its file was changed.
    pub async fn sound(&self, tenant: TenantId, id: RecordingId) -> Result<Sound, ArchiveError> {
        let kept = self.store.tenant(tenant).recording(id).await?;
        let key = self.data_key(&kept).await?;
        let state = kept.recording.state.name();
        let audio = kept.audio.ok_or(ArchiveError::NoSound(state))?;
        let objects = self.objects().await?.clone();
        let found = objects.length(&audio.object).await?;
        if found != audio.stored_bytes {
            return Err(ArchiveError::Length { found, expected: audio.stored_bytes });
        }
        let head = objects.read(&audio.object, 0..HEADER_BYTES as u64).await?;
        let opened = Opened::new(&head, found, id, &key)?;
        Ok(Sound { recording: kept.recording, objects, object: audio.object, opened })
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
        let sound = self.sound(tenant, id).await?;
        let mut written = 0;
        for part in sound.parts(wanted) {
            let bytes = sound.decrypt(&part).await?;
            to.write_all(&bytes).await?;
            written += bytes.len() as u64;
        }
        to.flush().await?;
        Ok(written)
    }

    /// Deletes a recording, but for the trace of who did it and why. From then on nobody can hear
    /// it; where its file can't be removed now, the daemon does that later.
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
        if let Err(error) = self.clear(tenant, id, object.as_deref()).await {
            tracing::warn!(%error, recording = %id, "what is left of it is removed later");
        }
        Ok(())
    }

    /// Removes what is left of a recording that is being deleted.
    ///
    /// # Errors
    /// Its file or its row can't be removed now.
    pub async fn clear(
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
        let key = self.keys.add_key(tenant, newest + 1).await?;
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
                let under = self.keys.unwrapped(tenant, under.ok_or(ArchiveError::Destroyed)?)?;
                let new = key.wrap(id, &under.unwrap(id, &old)?)?;
                again.push((id, old, new));
            }
            scope.rewrap_recordings(key.number, &again).await?;
            wrapped += again.len() as u64;
        }
        self.keys.reseal(tenant, &key).await?;
        scope.retire_keys(key.number, deed).await?;
        Ok(wrapped)
    }

    /// Destroys the tenant's keys and with them its recordings, and says how many those were. Its
    /// passwords stay: a new key seals them.
    ///
    /// # Errors
    /// A recording is held, the database does not answer, or an operator's key is missing.
    pub async fn destroy(&self, tenant: TenantId, deed: &Deed) -> Result<u64, ArchiveError> {
        let scope = self.store.tenant(tenant);
        let newest = scope.keys().await?.first().map_or(0, |key| key.number);
        let mut last = None;
        if self.keys.seals(tenant).await? {
            let key = self.keys.add_key(tenant, newest + 1).await?;
            self.keys.reseal(tenant, &key).await?;
            last = Some(key.number);
        }
        Ok(scope.destroy_keys(last, deed).await?)
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
                if key.wrapped.is_none() || key.operator_key == self.keys.operator().name() {
                    continue;
                }
                let again = self.keys.operator().wrap(&self.keys.unwrapped(tenant.id, &key)?)?;
                scope.rewrap_key(&key, self.keys.operator().name(), &again).await?;
                wrapped += 1;
            }
        }
        Ok(wrapped)
    }
}

/// A recording that is being read.
#[derive(Debug)]
pub struct Sound {
    pub recording: Recording,
    objects: Objects,
    object: String,
    opened: Opened,
}

impl Sound {
    /// Bytes of its WAV file.
    pub const fn length(&self) -> u64 {
        self.opened.layout.plain
    }

    /// What is to be read for these bytes of the WAV file, in order: a mebibyte at once.
    pub fn parts(&self, wanted: Range<u64>) -> impl Iterator<Item = Part> + use<> {
        self.opened.parts(wanted)
    }

    /// The wanted bytes of a part.
    ///
    /// # Errors
    /// A chunk is not as it was stored, or the store does not answer.
    pub async fn decrypt(&self, part: &Part) -> Result<Vec<u8>, ArchiveError> {
        let mut bytes = self.objects.read(&self.object, part.stored.clone()).await?;
        Ok(self.opened.open(part, &mut bytes)?)
    }
}
