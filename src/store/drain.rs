//! From the spool into the database, for as long as the daemon runs.

use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::recorder::Shared;
use super::spool::{Kept, Place, Stretch};
use super::{Store, StoreError, call};

/// A batch that the database has not taken by then is tried again.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Never returns; stop it between any two steps and nothing is lost.
pub(super) async fn run(store: Store, shared: Arc<Shared>) {
    let mut spooled = shared.spooled.subscribe();
    let mut place = *shared.written.borrow();
    let mut outage = Outage::default();
    loop {
        let end = spooled.borrow_and_update().1;
        if place >= end {
            if spooled.changed().await.is_err() {
                return;
            }
            continue;
        }
        match step(&store, &shared, place, end).await {
            Ok(next) => {
                outage.over();
                place = next;
                shared.written.send_replace(place);
            }
            Err(error) => outage.wait(&error).await,
        }
    }
}

#[derive(Debug, Default)]
struct Outage {
    pause: Duration,
}

impl Outage {
    fn over(&mut self) {
        if self.pause > Duration::ZERO {
            tracing::info!("records are written to the database again");
            self.pause = Duration::ZERO;
        }
    }

    async fn wait(&mut self, error: &StoreError) {
        if self.pause == Duration::ZERO {
            tracing::warn!(%error, "records wait in the spool until the database takes them");
        }
        self.pause = (self.pause * 2).clamp(PAUSE_MIN, PAUSE_MAX);
        sleep(self.pause).await;
    }
}

/// Writes one stretch, and says where the next begins.
async fn step(
    store: &Store,
    shared: &Arc<Shared>,
    place: Place,
    end: Place,
) -> Result<Place, StoreError> {
    let stretch = on_disk(shared, move |shared| shared.spool.read(place, end)).await?;
    let Stretch { kept, bytes, damaged, finished } = stretch;
    if !kept.is_empty() {
        write(store, shared, &kept).await?;
    }
    if damaged > 0 {
        let total = shared.unreadable.fetch_add(damaged, Ordering::Relaxed) + damaged;
        tracing::warn!(damaged, total, "the spool has lines that can't be read");
    }
    let reached = Place { segment: place.segment, bytes: place.bytes + bytes };
    if !finished {
        return Ok(reached);
    }
    on_disk(shared, move |shared| shared.spool.remove(place.segment)).await.ok();
    shared.bytes.fetch_sub(reached.bytes, Ordering::Relaxed);
    Ok(Place { segment: place.segment + 1, bytes: 0 })
}

async fn on_disk<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let shared = Arc::clone(shared);
    let done = tokio::task::spawn_blocking(move || work(&shared)).await;
    done.map_err(StoreError::unavailable)?.map_err(StoreError::unavailable)
}

async fn write(store: &Store, shared: &Arc<Shared>, kept: &[Kept]) -> Result<(), StoreError> {
    match in_time(store, kept).await {
        Err(StoreError::Invalid(_)) => {}
        done => return done,
    }
    // One of them will never be taken: find it, and let the others pass.
    for one in kept {
        match in_time(store, std::slice::from_ref(one)).await {
            Err(StoreError::Invalid(why)) => {
                let total = shared.rejected.fetch_add(1, Ordering::Relaxed) + 1;
                tracing::error!(call = %one.call, why, total, "the database refuses a record");
                let one = one.clone();
                on_disk(shared, move |shared| shared.spool.reject(&one)).await?;
            }
            done => done?,
        }
    }
    Ok(())
}

async fn in_time(store: &Store, kept: &[Kept]) -> Result<(), StoreError> {
    timeout(WRITE_TIMEOUT, call::write(store, kept)).await.map_err(StoreError::unavailable)?
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{CallId, TenantId};
    use crate::store::spool::What;
    use crate::store::{Config, Database, Recorder};

    #[tokio::test]
    async fn what_the_database_never_takes_is_put_aside_and_the_rest_passes() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            database: Database::Sqlite(folder.path().join("test.db")),
            spool: folder.path().join("spool"),
            ..Config::default()
        };
        let store = Store::open(&config).await.unwrap();
        let kept = |call: u128, what| Kept {
            tenant: TenantId(uuid::Uuid::from_u128(1)),
            call: CallId(uuid::Uuid::from_u128(call)),
            what,
        };
        let mut lines = Vec::new();
        let bad = kept(1, What::Record { json: r#"{"from":"another version"}"#.into() });
        let good = kept(2, What::Timeline { first: 1, entries: "[]".into() });
        bad.encode(&mut lines);
        good.encode(&mut lines);
        std::fs::create_dir(&config.spool).unwrap();
        std::fs::write(config.spool.join("000000000001.spool"), &lines).unwrap();
        let recorder = Recorder::start(&store, &config).unwrap();
        recorder.settle(Duration::from_secs(10)).await;
        assert_eq!(recorder.lost().rejected, 1);
        let scope = store.tenant(good.tenant);
        assert!(scope.timeline(good.call).await.unwrap().is_empty());
        let aside = std::fs::read(config.spool.join("rejected")).unwrap();
        assert_eq!(Kept::decode(aside.strip_suffix(b"\n").unwrap()), Some(bad));
    }
}
