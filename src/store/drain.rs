//! From the spool into the database, for as long as the daemon runs.
//!
//! What a call does is held in memory for some seconds, so that the database gets it in few rows;
//! it is on disk meanwhile. That a call has begun, come or ended is written soon.

use std::collections::{BTreeMap, BTreeSet};
use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::event::News;
use super::kept::{Kept, What};
use super::recorder::Shared;
use super::spool::{Place, Stretch};
use super::{Store, StoreError, write};
use crate::base::ids::{CallId, TenantId};
use crate::base::millis::Millis;

/// How long to wait for more before the disk is read.
const READ_INTERVAL: Duration = Duration::from_millis(50);
/// How long what a running call does may be held.
const HOLD: Duration = Duration::from_secs(5);
/// How long to gather calls that have begun, come or ended.
const PRESSING_INTERVAL: Duration = Duration::from_millis(200);
/// Bytes that are held at most, but for one read more.
const HELD_BYTES_MAX: usize = 1_024 * 1_024;
/// A batch that the database has not taken by then is tried again.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How often old events are looked for.
const FORGET_INTERVAL: Duration = Duration::from_secs(60);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(5);

/// Runs until the last recorder is gone; stop it between any two steps and nothing is lost.
pub(super) async fn run(store: Store, shared: Arc<Shared>, events: Millis) {
    let mut spooled = shared.spooled.subscribe();
    let start = *shared.written.borrow();
    let (held, forgot) = (Held::new(), Instant::now());
    let mut drain = Drain { store, shared, events, forgot, place: start, held, urged: false };
    let mut outage = Outage::default();
    loop {
        let end = spooled.borrow_and_update().1;
        let wake = match drain.turn(end).await {
            Ok(wake) => wake,
            Err(error) => {
                outage.wait(&error).await;
                continue;
            }
        };
        outage.over();
        if drain.place < end {
            continue;
        }
        tokio::select! {
            changed = spooled.changed() => {
                if changed.is_err() {
                    return;
                }
                tokio::select! {
                    () = sleep(READ_INTERVAL) => {}
                    () = drain.shared.urge.notified() => drain.urged = true,
                }
            }
            () = drain.shared.urge.notified() => drain.urged = true,
            () = until(wake) => {}
        }
    }
}

async fn until(wake: Option<Instant>) {
    match wake {
        Some(wake) => sleep_until(wake).await,
        None => pending().await,
    }
}

struct Drain {
    store: Store,
    shared: Arc<Shared>,
    /// How long events are kept, and when old ones were forgotten last.
    events: Millis,
    forgot: Instant,
    /// Up to where the spool was read.
    place: Place,
    held: Held,
    /// Somebody waits for everything to be written.
    urged: bool,
}

impl Drain {
    /// Reads what there is and writes what is due; says when the next is.
    async fn turn(&mut self, end: Place) -> Result<Option<Instant>, StoreError> {
        while self.place < end && self.held.bytes < HELD_BYTES_MAX {
            self.read(end).await?;
        }
        let now = Instant::now();
        let full = self.held.bytes >= HELD_BYTES_MAX;
        if self.urged || full || self.held.is_empty() || now >= self.held.since + HOLD {
            self.write(&self.held.all(), &self.held.news).await?;
            self.held = Held::new();
            self.settle().await;
            self.forget().await;
            // What came while this was written is for the next turn.
            self.urged &= self.place < end;
        } else if self.held.is_pressing() && now >= self.held.pressing_written + PRESSING_INTERVAL {
            self.write(&self.held.pressing(), &self.held.news).await?;
            self.held.forget_pressing();
        }
        Ok(self.held.due())
    }

    /// Old events, some at a time.
    async fn forget(&mut self) {
        if self.forgot.elapsed() < FORGET_INTERVAL {
            return;
        }
        let old = async {
            let more = self.store.forget_told(self.events).await?;
            Ok::<_, StoreError>(self.store.forget_deliveries(self.events).await? || more)
        };
        match old.await {
            // More of them the next time, which comes soon.
            Ok(true) => {}
            Ok(false) => self.forgot = Instant::now(),
            Err(error) => tracing::debug!(%error, "old events are forgotten later"),
        }
    }

    async fn read(&mut self, end: Place) -> Result<(), StoreError> {
        let place = self.place;
        let stretch = on_disk(&self.shared, move |shared| shared.spool.read(place, end)).await?;
        let Stretch { kept, bytes, damaged, finished } = stretch;
        kept.into_iter().for_each(|kept| self.held.take(kept));
        if damaged > 0 {
            let total = self.shared.unreadable.fetch_add(damaged, Ordering::Relaxed) + damaged;
            tracing::warn!(damaged, total, "the spool has lines that can't be read");
        }
        self.place.bytes += bytes;
        if finished {
            self.place = Place { segment: place.segment + 1, bytes: 0 };
        }
        Ok(())
    }

    /// Everything up to `place` is in the database: removes its segments.
    async fn settle(&self) {
        let before = *self.shared.written.borrow();
        for segment in before.segment..self.place.segment {
            let removed = on_disk(&self.shared, move |shared| shared.spool.remove(segment)).await;
            let bytes = removed.unwrap_or_default();
            self.shared.bytes.fetch_sub(bytes, Ordering::Relaxed);
        }
        self.shared
            .written
            .send_if_modified(|told| std::mem::replace(told, self.place) != self.place);
    }

    async fn write(&self, kept: &[Kept], news: &[News]) -> Result<(), StoreError> {
        if kept.is_empty() && news.is_empty() {
            return Ok(());
        }
        match in_time(&self.store, kept, news).await {
            Err(StoreError::Invalid(_)) => {}
            done => return done,
        }
        // One of them will never be taken: find it, and let the others pass.
        for one in kept {
            match in_time(&self.store, std::slice::from_ref(one), &[]).await {
                Err(StoreError::Invalid(why)) => self.reject(one, &why).await?,
                done => done?,
            }
        }
        in_time(&self.store, &[], news).await
    }

    async fn reject(&self, one: &Kept, why: &str) -> Result<(), StoreError> {
        let total = self.shared.rejected.fetch_add(1, Ordering::Relaxed) + 1;
        tracing::error!(call = %one.call, why, total, "the database refuses a record");
        let one = one.clone();
        on_disk(&self.shared, move |shared| shared.spool.reject(&one)).await
    }
}

type Key = (TenantId, CallId);
/// A call in one term.
type Stay = (TenantId, CallId, u32);

/// What was read and is not yet written.
struct Held {
    /// A call's entries: the number of the first, and all of them as a JSON list.
    timelines: BTreeMap<Stay, (u32, String)>,
    /// Live calls and records.
    pressing: Vec<Kept>,
    /// What is to be told of all that was read since it was last written.
    news: Vec<News>,
    bytes: usize,
    since: Instant,
    pressing_written: Instant,
}

impl Held {
    fn new() -> Self {
        let now = Instant::now();
        Self {
            timelines: BTreeMap::new(),
            pressing: Vec::new(),
            news: Vec::new(),
            bytes: 0,
            since: now,
            pressing_written: now,
        }
    }

    fn is_empty(&self) -> bool {
        self.timelines.is_empty() && self.pressing.is_empty()
    }

    /// Whether others wait to read something of it.
    fn is_pressing(&self) -> bool {
        !self.pressing.is_empty() || !self.news.is_empty()
    }

    fn take(&mut self, kept: Kept) {
        if self.is_empty() {
            self.since = Instant::now();
        }
        self.news.extend(News::of(&kept));
        match kept.what {
            What::Record { ref json }
            | What::Live { ref json }
            | What::Audit { ref json }
            | What::Recording { ref json } => {
                self.bytes += json.len();
                self.pressing.push(kept);
            }
            What::Timeline { term, first, entries } => {
                self.bytes += entries.len();
                self.timelines
                    .entry((kept.tenant, kept.call, term))
                    .and_modify(|(_, all)| append(all, &entries))
                    .or_insert((first, entries));
            }
        }
    }

    /// When something is due, if anything is held.
    fn due(&self) -> Option<Instant> {
        let all = (!self.is_empty()).then(|| self.since + HOLD);
        let press = self.is_pressing();
        let pressing = press.then(|| self.pressing_written + PRESSING_INTERVAL);
        all.into_iter().chain(pressing).min()
    }

    fn all(&self) -> Vec<Kept> {
        let timelines = self.timelines.iter().map(kept);
        timelines.chain(self.pressing.iter().cloned()).collect()
    }

    fn has_ended(&self) -> BTreeSet<Key> {
        let records = self.pressing.iter().filter(|kept| matches!(kept.what, What::Record { .. }));
        records.map(Kept::key).collect()
    }

    /// Calls that began or came, and calls that ended with all that is held of them.
    fn pressing(&self) -> Vec<Kept> {
        let ended = self.has_ended();
        let timelines = self
            .timelines
            .iter()
            .filter(|((tenant, call, _), _)| ended.contains(&(*tenant, *call)));
        timelines.map(kept).chain(self.pressing.iter().cloned()).collect()
    }

    fn forget_pressing(&mut self) {
        let ended = self.has_ended();
        self.timelines.retain(|(tenant, call, _), _| !ended.contains(&(*tenant, *call)));
        self.pressing.clear();
        self.news.clear();
        self.pressing_written = Instant::now();
    }
}

fn kept(((tenant, call, term), (first, entries)): (&Stay, &(u32, String))) -> Kept {
    let what = What::Timeline { term: *term, first: *first, entries: entries.clone() };
    Kept { tenant: *tenant, call: *call, what }
}

/// Adds a JSON list's elements to another's.
fn append(list: &mut String, more: &str) {
    let inner = more.strip_prefix('[').and_then(|more| more.strip_suffix(']'));
    let Some(inner) = inner.filter(|inner| !inner.is_empty()) else { return };
    if list.pop().is_some() && list.len() > 1 {
        list.push(',');
    }
    list.push_str(inner);
    list.push(']');
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

async fn on_disk<T: Send + 'static>(
    shared: &Arc<Shared>,
    work: impl FnOnce(&Shared) -> io::Result<T> + Send + 'static,
) -> Result<T, StoreError> {
    let shared = Arc::clone(shared);
    let done = tokio::task::spawn_blocking(move || work(&shared)).await;
    done.map_err(StoreError::unavailable)?.map_err(StoreError::unavailable)
}

async fn in_time(store: &Store, kept: &[Kept], news: &[News]) -> Result<(), StoreError> {
    let written = timeout(WRITE_TIMEOUT, write::write(store, kept, news)).await;
    written.map_err(StoreError::unavailable)?
}

#[cfg(test)]
mod tests {
    use super::*;
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
        let good = kept(2, What::Timeline { term: 0, first: 1, entries: "[]".into() });
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

    #[test]
    fn lists_are_joined_element_by_element() {
        let mut list = "[1]".to_owned();
        append(&mut list, "[2,3]");
        append(&mut list, "[]");
        assert_eq!(list, "[1,2,3]");
        let mut list = "[]".to_owned();
        append(&mut list, "[1]");
        assert_eq!(list, "[1]");
    }
}
