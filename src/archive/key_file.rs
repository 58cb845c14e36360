//! The operator's key file: read, or made where there is none.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::driver::seal::{KeyError, Keys};

/// Longest key file, in bytes.
const FILE_MAX: u64 = 4 * 1_024;
/// Nobody but the owner reads it.
const MODE: u32 = 0o600;

/// Why there are no operator's keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("the key file `{0}` can't be read or made: {1}")]
    Io(PathBuf, io::Error),
    #[error("the key file `{0}` is open to others: chmod 600 it")]
    Open(PathBuf),
    #[error("`{0}`: {1}")]
    Wrong(PathBuf, KeyError),
    #[error("a new key can't be made: {0}")]
    Made(KeyError),
}

/// The keys in `path`. Where there is no such file it is made, with a new key: nodes that are to
/// take calls over from one another need the same file.
///
/// # Errors
/// It can't be read or made, is readable for others, or holds something else.
pub fn load(path: &Path) -> Result<Keys, KeyFileError> {
    Keys::read(&text(path)?).map_err(|error| KeyFileError::Wrong(path.into(), error))
}

/// What is in the key file.
///
/// # Errors
/// It can't be read or made, or is readable for others.
pub fn text(path: &Path) -> Result<String, KeyFileError> {
    let failed = |error| KeyFileError::Io(path.into(), error);
    let made = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
    match made {
        Ok(mut file) => {
            let key = Keys::generate().map_err(KeyFileError::Made)?;
            file.write_all(key.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)?;
            tracing::info!(path = %path.display(), "a new key file was made");
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => return Err(failed(error)),
    }
    let file = OpenOptions::new().read(true).open(path).map_err(failed)?;
    if file.metadata().map_err(failed)?.mode() & 0o077 != 0 {
        return Err(KeyFileError::Open(path.into()));
    }
    let mut text = String::new();
    file.take(FILE_MAX).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_file_is_made_once_and_never_lies_open() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("callwright.key");
        assert!(load(&path).is_ok());
        let first = std::fs::read_to_string(&path).unwrap();
        assert!(load(&path).is_ok());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), first);
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o644)).unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("chmod 600"), "{error}");
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        std::fs::write(&path, "not a key\n").unwrap();
        let error = load(&path).unwrap_err().to_string();
        assert!(error.contains("line 1"), "{error}");
    }
}
