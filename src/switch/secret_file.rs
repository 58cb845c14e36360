//! Passwords in files.

use std::io::Read;
use std::path::{Path, PathBuf};

/// Longest password file, in bytes.
const FILE_MAX: u64 = 4 * 1_024;

/// Why there is no password.
#[derive(Debug, thiserror::Error)]
pub enum SecretFileError {
    #[error("the password file `{file}` can't be read: {source}")]
    Unread { file: PathBuf, source: std::io::Error },
    #[error("the password file `{0}` is longer than {FILE_MAX} bytes")]
    TooLong(PathBuf),
}

/// What is in the file, but for a line end.
///
/// # Errors
/// It can't be read, or is too long.
pub fn read(file: &Path) -> Result<String, SecretFileError> {
    let unread = |source| SecretFileError::Unread { file: file.to_owned(), source };
    let opened = std::fs::File::open(file).map_err(unread)?;
    let mut text = String::new();
    let length = opened.take(FILE_MAX + 1).read_to_string(&mut text).map_err(unread)?;
    if length as u64 > FILE_MAX {
        return Err(SecretFileError::TooLong(file.to_owned()));
    }
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}
