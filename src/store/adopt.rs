//! Whose spool a directory is: one process's, or nobody's any more.
//!
//! A directory is its process's as long as that has the lock in it, which ends with the process.
//! Whoever gets the lock of another may move its segments away.

use std::fs::{self, File, Metadata, OpenOptions, TryLockError};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::spool::{Spool, Writer, make_private, segment, segments};

/// The file whose lock says that a directory's process is alive.
const LOCK: &str = "lock";
/// How often a directory of our own is tried to be made.
const OPEN_ATTEMPTS: u32 = 4;
/// Directories of other processes that are looked at in one round.
const ORPHANS_MAX: usize = 256;
/// Segments that are taken over in one round.
const ADOPTED_MAX: usize = 256;

impl Spool {
    /// Makes a directory below `root` that is this process's alone.
    pub(super) fn open(root: &Path) -> io::Result<Self> {
        for _ in 0..OPEN_ATTEMPTS {
            let path = root.join(Uuid::now_v7().to_string());
            make_private(&path)?;
            // Until it is locked, another process may take it for a dead one's, and remove it.
            if let Some(lock) = lock(&path, true)?
                && is_at(&lock, &path.join(LOCK))
            {
                return Ok(Self { root: root.to_owned(), path, _lock: lock });
            }
        }
        Err(io::Error::new(io::ErrorKind::ResourceBusy, "others take each directory made in it"))
    }

    /// Takes over segments that dead processes left, of at most so many bytes, and says how many
    /// bytes they have. Each is moved to the writer's end; what does not fit stays where it is.
    pub(super) fn adopt(&self, writer: &mut Writer, bytes_max: u64) -> io::Result<u64> {
        let mut room = Room { bytes: bytes_max, segments: ADOPTED_MAX };
        for orphan in self.orphans()? {
            if let Err(error) = self.adopt_from(&orphan, writer, &mut room) {
                let folder = orphan.display();
                tracing::warn!(%folder, %error, "what a dead process left can't be taken over");
            }
        }
        Ok(bytes_max - room.bytes)
    }

    fn adopt_from(&self, from: &Path, writer: &mut Writer, room: &mut Room) -> io::Result<()> {
        let Some(_lock) = lock(from, !segments(from)?.is_empty())? else { return Ok(()) };
        // Only now is it certain that nobody else is at them.
        for (number, bytes) in segments(from)? {
            if bytes > room.bytes || room.segments == 0 {
                return Ok(());
            }
            writer.take(&segment(from, number))?;
            room.bytes -= bytes;
            room.segments -= 1;
        }
        if from != self.root {
            // What can't be removed now, or holds something else, is looked at again.
            let _ = fs::remove_file(from.join(LOCK)).and_then(|()| fs::remove_dir(from));
        }
        Ok(())
    }

    /// Other processes' directories; and the root, where it has segments: there was one directory
    /// for all before each process had its own.
    fn orphans(&self) -> io::Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        if !segments(&self.root)?.is_empty() {
            found.push(self.root.clone());
        }
        for entry in fs::read_dir(&self.root)? {
            let entry = entry?;
            let name = entry.file_name();
            let is_ours = name.to_str().is_some_and(|name| Uuid::parse_str(name).is_ok());
            if is_ours && entry.path() != self.path && entry.file_type()?.is_dir() {
                found.push(entry.path());
            }
            if found.len() == ORPHANS_MAX {
                break;
            }
        }
        found.sort_unstable();
        Ok(found)
    }
}

/// What may still be taken over in this round.
struct Room {
    bytes: u64,
    segments: usize,
}

/// A directory's lock, unless a live process has it or there is none to be had.
fn lock(folder: &Path, make: bool) -> io::Result<Option<File>> {
    let open = OpenOptions::new()
        .create(make)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(folder.join(LOCK));
    let lock = match open {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    match lock.try_lock() {
        Ok(()) => Ok(Some(lock)),
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Whether the open file is still the one at this path.
fn is_at(file: &File, path: &Path) -> bool {
    let same =
        |one: Metadata, other: Metadata| (one.dev(), one.ino()) == (other.dev(), other.ino());
    file.metadata().and_then(|one| Ok(same(one, fs::metadata(path)?))).unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{CallId, TenantId};
    use crate::store::kept::{Kept, What};
    use crate::store::spool::Place;

    fn kept(text: &str) -> Kept {
        Kept {
            tenant: TenantId(Uuid::from_u128(1)),
            call: CallId(Uuid::from_u128(2)),
            what: What::Record { json: text.into() },
        }
    }

    /// What is left to read of a spool into which this writer wrote.
    fn all(spool: &Spool, writer: &Writer) -> Vec<Kept> {
        let mut found = Vec::new();
        let mut place = Place { segment: 1, bytes: 0 };
        while place < writer.place() {
            let stretch = spool.read(place, writer.place()).unwrap();
            place.bytes += stretch.bytes;
            if stretch.finished {
                place = Place { segment: place.segment + 1, bytes: 0 };
            }
            found.extend(stretch.kept);
        }
        found
    }

    fn add(writer: &mut Writer, text: &str) {
        let mut line = Vec::new();
        kept(text).encode(&mut line);
        writer.add(&line).unwrap();
    }

    #[test]
    fn a_dead_processs_segments_are_taken_over_and_a_live_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let dead = Spool::open(folder.path()).unwrap();
        let mut writer = Writer::new(&dead, 1);
        add(&mut writer, "one");
        writer.next();
        add(&mut writer, "two");
        let heir = Spool::open(folder.path()).unwrap();
        let mut own = Writer::new(&heir, 1);
        add(&mut own, "own");
        assert_eq!(heir.adopt(&mut own, u64::MAX).unwrap(), 0, "it lives");
        let path = dead.path.clone();
        drop((dead, writer));
        assert!(heir.adopt(&mut own, u64::MAX).unwrap() > 0);
        add(&mut own, "more");
        assert_eq!(all(&heir, &own), ["own", "one", "two", "more"].map(kept));
        assert!(!path.exists(), "nothing is left of it");
    }

    #[test]
    fn segments_that_do_not_fit_stay_where_they_are() {
        let folder = tempfile::tempdir().unwrap();
        let dead = Spool::open(folder.path()).unwrap();
        let mut writer = Writer::new(&dead, 1);
        for text in ["one", "two", "six"] {
            add(&mut writer, text);
            writer.next();
        }
        let path = dead.path.clone();
        drop(dead);
        let bytes = segments(&path).unwrap()[0].1;
        let heir = Spool::open(folder.path()).unwrap();
        let mut own = Writer::new(&heir, 1);
        assert_eq!(heir.adopt(&mut own, 2 * bytes + 1).unwrap(), 2 * bytes);
        assert_eq!(all(&heir, &own), ["one", "two"].map(kept));
        assert_eq!(heir.adopt(&mut own, u64::MAX).unwrap(), bytes);
        assert_eq!(all(&heir, &own), ["one", "two", "six"].map(kept));
    }

    #[test]
    fn processes_that_start_and_adopt_at_once_neither_lose_nor_double_a_segment() {
        const PROCESSES: usize = 8;
        let folder = tempfile::tempdir().unwrap();
        let names: Vec<String> = (0..40).map(|number| format!("{number:03}")).collect();
        for name in &names {
            let dead = Spool::open(folder.path()).unwrap();
            add(&mut Writer::new(&dead, 1), name);
        }
        let alive = std::thread::scope(|scope| {
            let start = || {
                let spool = Spool::open(folder.path()).unwrap();
                let mut writer = Writer::new(&spool, 1);
                // Somebody else may be faster at any of them; another round finds the rest.
                for _ in 0..4 {
                    spool.adopt(&mut writer, u64::MAX).unwrap();
                }
                (spool, writer)
            };
            let threads: Vec<_> = (0..PROCESSES).map(|_| scope.spawn(start)).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let found = alive.iter().flat_map(|(spool, writer)| all(spool, writer));
        let mut found: Vec<String> = found.map(|kept| format!("{:?}", kept.what)).collect();
        found.sort();
        let wanted: Vec<String> =
            names.iter().map(|name| format!("{:?}", kept(name).what)).collect();
        assert_eq!(found, wanted);
    }
}
