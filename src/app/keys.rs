//! The operator's key file: read, or made where there is none.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use anyhow::{Context, bail};

use crate::driver::seal::Keys;

/// Longest key file, in bytes.
const FILE_MAX: u64 = 4 * 1_024;
/// Nobody but the owner reads it.
const MODE: u32 = 0o600;

/// The keys in `path`. Where there is no such file it is made, with a new key: nodes that are to
/// take calls over from one another need the same file.
///
/// # Errors
/// It can't be read or made, is readable for others, or holds something else.
pub(super) fn load(path: &Path) -> anyhow::Result<Keys> {
    Keys::read(&text(path)?).with_context(|| format!("`{}`", path.display()))
}

/// What is in the key file.
///
/// # Errors
/// It can't be read or made, or is readable for others.
pub(super) fn text(path: &Path) -> anyhow::Result<String> {
    let shown = path.display();
    let made = OpenOptions::new().write(true).create_new(true).mode(MODE).open(path);
    match made {
        Ok(mut file) => {
            file.write_all(Keys::generate()?.as_bytes())
                .and_then(|()| file.sync_all())
                .with_context(|| format!("the key file `{shown}` can't be written"))?;
            tracing::info!(path = %shown, "a new key file was made");
        }
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
        Err(error) => {
            return Err(error).with_context(|| format!("the key file `{shown}` can't be made"));
        }
    }
    let unreadable = || format!("the key file `{shown}` can't be read");
    let file = OpenOptions::new().read(true).open(path).with_context(unreadable)?;
    if file.metadata().with_context(unreadable)?.mode() & 0o077 != 0 {
        bail!("the key file `{shown}` is open to others: chmod 600 it");
    }
    let mut text = String::new();
    file.take(FILE_MAX).read_to_string(&mut text).with_context(unreadable)?;
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
        let error = format!("{:#}", load(&path).unwrap_err());
        assert!(error.contains("line 1"), "{error}");
    }
}
