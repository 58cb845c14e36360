//! Prompts that were uploaded: converted, and put where FreeSWITCH reads them. A file's name is an
//! id, and a prompt that is replaced gets another file: calls that are up play the one they know.

use std::fs::{DirBuilder, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use uuid::Uuid;

use super::convert::{ConvertError, Converted, convert};
use crate::base::ids::{PromptName, TenantId};
use crate::base::millis::Millis;
use crate::model::tenant::StoredPrompt;
use crate::store::{StoreError, TenantScope};

/// Prompts that are converted at once: each may take a processor.
const CONVERTED_AT_ONCE: usize = 2;
/// Bytes of one tenant's files.
const TENANT_BYTES_MAX: u64 = 2 * 1_024 * 1_024 * 1_024;
/// Bytes of a file that is handed out again; none that we make is longer.
const FILE_BYTES_MAX: u64 = 32 * 1_024 * 1_024;
/// After this time no call plays a file that was replaced.
const REPLACED: Duration = Duration::from_secs(6 * 3_600);

/// Where prompts are kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Directory in which FreeSWITCH reads prompts that were uploaded, one directory below it for
    /// each tenant. Absolute; nodes share it. Default: `/var/lib/callwright/prompts`.
    pub directory: String,
    /// The same directory where this machine sees it, if it has another name here.
    pub here: Option<PathBuf>,
}

impl Default for Config {
    fn default() -> Self {
        Self { directory: "/var/lib/callwright/prompts".into(), here: None }
    }
}

/// Why a prompt was not kept, or not handed out.
#[derive(Debug, thiserror::Error)]
pub enum PromptError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Convert(#[from] ConvertError),
    #[error("the tenant's prompts take {TENANT_BYTES_MAX} bytes already: remove some")]
    Full,
    #[error("the file of this prompt was not uploaded; only FreeSWITCH reads it")]
    Elsewhere,
    #[error("the file of this prompt can't be written or read: {0}")]
    Io(#[from] io::Error),
}

/// The prompts that were uploaded.
#[derive(Debug)]
pub struct Prompts {
    directory: String,
    here: PathBuf,
    places: Semaphore,
}

impl Prompts {
    pub fn new(config: &Config) -> Self {
        let here = config.here.clone().unwrap_or_else(|| PathBuf::from(&config.directory));
        let directory = config.directory.trim_end_matches('/').to_owned();
        Self { directory, here, places: Semaphore::new(CONVERTED_AT_ONCE) }
    }

    /// Converts a file and makes it the prompt of this name: calls that begin later play it.
    ///
    /// # Errors
    /// It is no sound, or the tenant has too much of it.
    pub async fn put(
        &self,
        scope: &TenantScope,
        name: &PromptName,
        file: Vec<u8>,
    ) -> Result<StoredPrompt, PromptError> {
        // The tenant is there, before anything is made for it.
        let known: Vec<String> = scope.prompts().await?.into_iter().map(|one| one.path).collect();
        scope.tenant().await?;
        let place = self.places.acquire().await.map_err(io::Error::other)?;
        let (folder, id) = (self.here.join(scope.id().to_string()), Uuid::now_v7());
        let shown = self.shown(scope.id());
        let length = tokio::task::spawn_blocking(move || -> Result<u64, PromptError> {
            let Converted { wav, length_ms, .. } = convert(file)?;
            sweep(&folder, &shown, &known, wav.len() as u64)?;
            write(&folder, &format!("{id}.wav"), &wav)?;
            Ok(length_ms)
        });
        let length = length.await.map_err(io::Error::other)??;
        drop(place);
        let path = format!("{}/{id}.wav", self.shown(scope.id()));
        Ok(scope.put_prompt(name, &path, Some(Millis(length))).await?)
    }

    /// The WAV file of a prompt.
    ///
    /// # Errors
    /// There is no such prompt, or it was not uploaded.
    pub async fn read(
        &self,
        scope: &TenantScope,
        name: &PromptName,
    ) -> Result<Vec<u8>, PromptError> {
        let prompt = scope.prompt(name).await?;
        let shown = format!("{}/", self.shown(scope.id()));
        let file = prompt.path.strip_prefix(&shown).and_then(|file| file.strip_suffix(".wav"));
        let id: Uuid = file.and_then(|id| id.parse().ok()).ok_or(PromptError::Elsewhere)?;
        let path = self.here.join(scope.id().to_string()).join(format!("{id}.wav"));
        let length = tokio::fs::metadata(&path).await?.len();
        if length > FILE_BYTES_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge).into());
        }
        Ok(tokio::fs::read(path).await?)
    }

    /// A tenant's directory as FreeSWITCH sees it.
    fn shown(&self, tenant: TenantId) -> String {
        format!("{}/{tenant}", self.directory)
    }
}

/// Removes what was replaced long ago, and looks whether there is room for so many bytes.
fn sweep(folder: &Path, shown: &str, known: &[String], more: u64) -> Result<(), PromptError> {
    DirBuilder::new().recursive(true).mode(0o755).create(folder)?;
    let mut bytes = more;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let data = entry.metadata()?;
        let is_known = known.iter().any(|path| *path == format!("{shown}/{name}"));
        let age = data.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if !is_known && age.is_some_and(|age| age > REPLACED) {
            std::fs::remove_file(entry.path())?;
        } else {
            bytes = bytes.saturating_add(data.len());
        }
    }
    if bytes > TENANT_BYTES_MAX { Err(PromptError::Full) } else { Ok(()) }
}

/// Nobody ever sees half of it, and everybody may read the whole.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let mut file = tempfile::NamedTempFile::new_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().set_permissions(Permissions::from_mode(0o644))?;
    file.as_file().sync_all()?;
    file.persist(folder.join(name)).map_err(|error| error.error)?;
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_replaced_goes_when_no_call_plays_it_any_more_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let old = SystemTime::now() - REPLACED - Duration::from_secs(60);
        for (name, is_old) in [("known.wav", true), ("old.wav", true), ("new.wav", false)] {
            write(folder.path(), name, b"sound").unwrap();
            if is_old {
                let file = std::fs::File::options().write(true).open(folder.path().join(name));
                file.unwrap().set_modified(old).unwrap();
            }
        }
        let known = ["/p/t/known.wav".to_owned()];
        sweep(folder.path(), "/p/t", &known, 5).unwrap();
        let left = |name: &str| folder.path().join(name).exists();
        assert_eq!((left("known.wav"), left("old.wav"), left("new.wav")), (true, false, true));
        let full = sweep(folder.path(), "/p/t", &known, TENANT_BYTES_MAX);
        assert!(matches!(full, Err(PromptError::Full)));
        let mode = std::fs::metadata(folder.path().join("new.wav")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644, "FreeSWITCH is somebody else");
    }
}
