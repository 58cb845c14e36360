//! Routing as it was known last, in a file: a daemon that starts while the database is away takes
//! calls by it.
//!
//! The first line is `callwright-routing 1 checksum`, the rest JSON. Flows may hold secrets, so
//! only the owner reads the file.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::checksum::crc32;
use super::config::Config;
use super::facts::Facts;
use super::spool::make_private;

const NAME: &str = "routing";
const HEAD: &str = "callwright-routing 1";
/// A file that is longer is not read.
const BYTES_MAX: u64 = 512 * 1_024 * 1_024;
/// What a process that was killed while it wrote left is removed after so long.
const LEFT: Duration = Duration::from_secs(60);

/// Why there is nothing to go on with.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoSketch {
    #[error("routing was never written down here: {0}")]
    Unread(#[from] io::Error),
    #[error("`{0}` is damaged, or of another release")]
    Damaged(PathBuf),
    #[error("`{0}` was drawn from another database")]
    Foreign(PathBuf),
}

/// Where one database's routing is written down.
#[derive(Debug, Clone)]
pub(super) struct Sketch {
    folder: PathBuf,
    /// The database's name without its password.
    database: String,
}

#[derive(Serialize)]
struct Whole<'a> {
    database: &'a str,
    facts: &'a Facts,
}

#[derive(Deserialize)]
struct Found {
    database: String,
    facts: Facts,
}

impl Sketch {
    pub(super) fn new(config: &Config) -> Self {
        let database = config.database.to_string();
        Self { folder: config.spool.clone(), database }
    }

    fn path(&self) -> PathBuf {
        self.folder.join(NAME)
    }

    /// Replaces the file, unless it says the same already.
    pub(super) fn save(&self, facts: &Facts) -> io::Result<()> {
        let whole = Whole { database: &self.database, facts };
        let json = serde_json::to_vec(&whole)?;
        let head = head(&json);
        if self.says(&head, json.len()) {
            return Ok(());
        }
        make_private(&self.folder)?;
        self.clean();
        // A name of its own, readable by its owner only; gone again unless it gets its place.
        let prefix = format!("{NAME}-");
        let mut file = tempfile::Builder::new().prefix(&prefix).tempfile_in(&self.folder)?;
        file.write_all(head.as_bytes())?;
        file.write_all(&json)?;
        file.as_file().sync_all()?;
        file.persist(self.path())?;
        Ok(())
    }

    fn says(&self, head: &str, bytes: usize) -> bool {
        let read = || -> io::Result<bool> {
            let mut file = File::open(self.path())?;
            let mut found = vec![0; head.len()];
            file.read_exact(&mut found)?;
            let length = file.metadata()?.len();
            Ok(found == head.as_bytes() && length == (head.len() + bytes) as u64)
        };
        read().unwrap_or(false)
    }

    fn clean(&self) {
        let is_left = |entry: &fs::DirEntry| {
            let age = entry.metadata().and_then(|file| file.modified()).map(|time| time.elapsed());
            let is_old = matches!(age, Ok(Ok(age)) if age > LEFT);
            is_old && entry.file_name().to_string_lossy().starts_with(&format!("{NAME}-"))
        };
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for entry in entries.filter(is_left) {
            if let Err(error) = fs::remove_file(entry.path()) {
                tracing::debug!(%error, "a half-written file stays");
            }
        }
    }

    /// Reads the file; a damaged one is refused.
    pub(super) fn load(&self) -> Result<Facts, NoSketch> {
        let text = read(&self.path())?;
        let damaged = || NoSketch::Damaged(self.path());
        let end = text.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
        let (found, json) = text.split_at(end + 1);
        if found != head(json).as_bytes() {
            return Err(damaged());
        }
        let whole: Found = serde_json::from_slice(json).map_err(|_| damaged())?;
        if whole.database != self.database {
            return Err(NoSketch::Foreign(self.path()));
        }
        Ok(whole.facts)
    }
}

fn head(json: &[u8]) -> String {
    format!("{HEAD} {:08x}\n", crc32(json))
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let file = File::open(path)?;
    if file.metadata()?.len() > BYTES_MAX {
        return Err(io::ErrorKind::FileTooLarge.into());
    }
    let mut text = Vec::new();
    file.take(BYTES_MAX).read_to_end(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;
    use std::os::unix::fs::PermissionsExt;

    fn sketch(folder: &Path, database: &str) -> Sketch {
        let database = Database::Sqlite(database.into());
        Sketch::new(&Config { database, spool: folder.join("spool"), ..Config::default() })
    }

    #[test]
    fn a_file_cut_or_changed_anywhere_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let sketch = sketch(folder.path(), "x.db");
        assert!(matches!(sketch.load(), Err(NoSketch::Unread(_))));
        sketch.save(&Facts::nothing()).unwrap();
        assert!(sketch.load().unwrap().tenants.is_empty());
        let whole = fs::read(sketch.path()).unwrap();
        for at in 0..whole.len() {
            fs::write(sketch.path(), &whole[..at]).unwrap();
            assert!(matches!(sketch.load(), Err(NoSketch::Damaged(_))), "cut at {at}");
            let mut changed = whole.clone();
            changed[at] ^= 1;
            fs::write(sketch.path(), &changed).unwrap();
            assert!(matches!(sketch.load(), Err(NoSketch::Damaged(_))), "changed at {at}");
        }
    }

    #[test]
    fn a_file_of_another_database_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        sketch(folder.path(), "x.db").save(&Facts::nothing()).unwrap();
        let refused = sketch(folder.path(), "y.db").load();
        assert!(matches!(refused, Err(NoSketch::Foreign(_))), "{refused:?}");
    }

    #[test]
    fn the_file_is_its_owners_alone_and_written_only_when_it_changed() {
        let folder = tempfile::tempdir().unwrap();
        let sketch = sketch(folder.path(), "x.db");
        sketch.save(&Facts::nothing()).unwrap();
        let first = fs::metadata(sketch.path()).unwrap();
        assert_eq!(first.permissions().mode() & 0o777, 0o600);
        sketch.save(&Facts::nothing()).unwrap();
        let second = fs::metadata(sketch.path()).unwrap();
        assert_eq!(first.modified().unwrap(), second.modified().unwrap());
    }
}
