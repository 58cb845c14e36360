//! The control socket's place in the file system.

use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use tempfile::TempDir;
use tokio::net::UnixListener;

/// A Unix socket at a path; the path goes with it, unless another process has put its own there.
#[derive(Debug)]
pub struct Place {
    listener: UnixListener,
    path: PathBuf,
    inode: u64,
}

impl Place {
    /// Puts a socket at `path`, for this user alone, instead of what is there.
    ///
    /// # Errors
    /// The directory can't be written, or the path is longer than a socket's may be.
    pub fn take(path: &Path) -> io::Result<Self> {
        let private = private_beside(path)?;
        let first = private.path().join("s");
        let listener = UnixListener::bind(&first)?;
        fs::set_permissions(&first, Permissions::from_mode(0o600))?;
        let inode = fs::metadata(&first)?.ino();
        fs::rename(&first, path)?;
        Ok(Self { listener, path: path.to_owned(), inode })
    }

    pub(super) const fn listener(&self) -> &UnixListener {
        &self.listener
    }

    fn is_at(&self, path: &Path) -> bool {
        fs::metadata(path).is_ok_and(|found| found.ino() == self.inode)
    }

    /// Takes the path away if it is ours. Another may come between the look and the deed: so what
    /// was taken away is looked at again, and put back unless a third has come meanwhile.
    fn clear(&self) -> io::Result<()> {
        if self.is_at(&self.path) {
            let private = private_beside(&self.path)?;
            let aside = private.path().join("s");
            fs::rename(&self.path, &aside)?;
            if !self.is_at(&aside) {
                fs::hard_link(&aside, &self.path)?;
            }
        }
        Ok(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // Whoever finds a socket that is left connects to nobody: not more than a nuisance.
        let _ = self.clear();
    }
}

/// A directory that nobody else can enter: at no moment can another user connect. It goes when
/// dropped.
fn private_beside(path: &Path) -> io::Result<TempDir> {
    let beside = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    tempfile::Builder::new().prefix(".cw").rand_bytes(4).tempdir_in(beside)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takings at once; without the second look one in some twenty goes wrong.
    const ROUNDS: usize = 500;

    #[tokio::test]
    async fn a_socket_goes_with_its_owner_but_not_that_of_its_successor() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        let first = Place::take(&path).unwrap();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let second = Place::take(&path).unwrap();
        drop(first);
        assert!(tokio::net::UnixStream::connect(&path).await.is_ok());
        drop(second);
        assert!(!path.exists());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn who_leaves_while_another_comes_leaves_the_other_in_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control.sock");
        for _ in 0..ROUNDS {
            let first = Place::take(&path).unwrap();
            let leaves = tokio::task::spawn_blocking(move || drop(first));
            let second = Place::take(&path).unwrap();
            leaves.await.unwrap();
            assert!(path.exists());
            drop(second);
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
