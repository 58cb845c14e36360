//! The spool of this process: two that follow one another run beside each other for a while, and a
//! spool is one process's alone.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::store::{Config, Recorder, Settled, Store, StoreError};

/// Processes beside one another at most.
const BESIDE_MAX: usize = 8;
/// How often spools without a process are looked for.
const LOOK: Duration = Duration::from_secs(5);
/// How long the records of such a spool may take to reach the database, before others have a turn.
const SETTLE: Duration = Duration::from_secs(60);
/// How often it is looked whether they are gone from the disk, and the time between.
const LOOKS_MAX: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);

/// The first place is the configured directory itself.
fn places(spool: &Path) -> impl Iterator<Item = PathBuf> {
    let beside = (1..BESIDE_MAX).map(|number| spool.join(format!("beside-{number}")));
    std::iter::once(spool.to_owned()).chain(beside)
}

/// Starts a recorder in the first place that no process holds, and says which that is.
///
/// # Errors
/// None of the places can be used.
pub(super) fn start(store: &Store, config: &Config) -> Result<(Recorder, PathBuf), StoreError> {
    let mut failed = None;
    for place in places(&config.spool) {
        let own = Config { spool: place.clone(), ..config.clone() };
        match Recorder::start(store, &own) {
            Ok(recorder) => return Ok((recorder, place)),
            // Only a place that somebody holds is passed over.
            Err(error) if !is_held(&place) => return Err(error),
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| StoreError::Invalid("there is no place for a spool".into())))
}

/// For ever: writes down what processes that are gone have left in places of their own.
pub(super) async fn inherit(store: Store, config: Config, own: PathBuf) {
    loop {
        tokio::time::sleep(LOOK).await;
        inherit_now(&store, &config, &own).await;
    }
}

async fn inherit_now(store: &Store, config: &Config, own: &Path) {
    for place in places(&config.spool).filter(|place| place != own) {
        if !has_records(&place) || is_held(&place) {
            continue;
        }
        let left = Config { spool: place.clone(), ..config.clone() };
        let Ok(recorder) = Recorder::start(store, &left) else { continue };
        if recorder.settle(SETTLE).await == Settled::Written {
            tracing::info!(place = %place.display(), "wrote what another process had left");
        }
        // What is in the database goes from the disk a moment later.
        for _ in 0..LOOKS_MAX {
            if !has_records(&place) {
                break;
            }
            tokio::time::sleep(PAUSE).await;
        }
    }
}

fn is_held(place: &Path) -> bool {
    let lock = File::open(place.join("lock"));
    lock.is_ok_and(|lock| matches!(lock.try_lock(), Err(fs::TryLockError::WouldBlock)))
}

fn has_records(place: &Path) -> bool {
    let Ok(entries) = fs::read_dir(place) else { return false };
    entries.flatten().any(|entry| {
        let is_segment = entry.path().extension().is_some_and(|end| end == "spool");
        is_segment && entry.metadata().is_ok_and(|data| data.len() > 0)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Database;

    async fn bench() -> (tempfile::TempDir, Store, Config) {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            database: Database::Sqlite(folder.path().join("calls.db")),
            spool: folder.path().join("spool"),
            ..Config::default()
        };
        let store = Store::open(&config).await.unwrap();
        (folder, store, config)
    }

    #[tokio::test]
    async fn two_processes_at_once_have_two_places() {
        let (_folder, store, config) = bench().await;
        let (_first, one) = start(&store, &config).unwrap();
        let (_second, other) = start(&store, &config).unwrap();
        assert_eq!(one, config.spool);
        assert_ne!(other, one);
    }

    #[tokio::test]
    async fn what_a_dead_process_left_is_taken_from_its_place() {
        let (_folder, store, config) = bench().await;
        let (_first, own) = start(&store, &config).unwrap();
        let left = places(&config.spool).nth(2).unwrap();
        fs::create_dir_all(&left).unwrap();
        // Half a line, as a crash leaves it: it is counted, and does not stay.
        let segment = left.join("000000000007.spool");
        fs::write(&segment, b"1a2b3c4d rec").unwrap();
        inherit_now(&store, &config, &own).await;
        assert!(!segment.exists());
        assert!(!has_records(&left));
    }
}
