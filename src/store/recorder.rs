//! Writes calls down without ever holding one up: a bounded queue, then the spool on disk, then the
//! database.
//!
//! A killed process loses what it has not written yet: nothing when it is idle, for then it writes
//! at once, and at most what came in the last two milliseconds when it is busy. Anything else that
//! is given up (a full queue, a full spool) is counted in [`Lost`] and logged. A full spool keeps
//! what it has; timelines give way to records.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread;
use std::time::Duration;

use tokio::sync::{Notify, watch};
use tokio::task::AbortHandle;

use super::config::Config;
use super::keeper::Keeper;
use super::spool::{Place, Spool, Writer};
use super::{Store, StoreError, drain};
use crate::base::ids::{CallId, TenantId};
use crate::model::audit::AuditEntry;
use crate::model::live::LiveCall;
use crate::model::record::{CallRecord, RecordingNote};
use crate::model::timeline::Entry;

/// Entries and records that may wait for the disk: a second's worth of many thousand calls.
const QUEUE_MAX: usize = 16_384;

/// Takes what happens in calls; a clone feeds the same spool.
#[derive(Debug, Clone)]
pub struct Recorder {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    queue: SyncSender<Item>,
    shared: Arc<Shared>,
    writing: AbortHandle,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.writing.abort();
    }
}

/// What was given up since the start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Entries of timelines.
    pub entries: u64,
    /// Call records.
    pub records: u64,
    /// Notices of live calls.
    pub live: u64,
    /// Notices of recordings, whose files are found later all the same.
    pub recordings: u64,
    /// Lines of the spool that could not be read back: torn by a crash, or damaged.
    pub unreadable: u64,
    /// Lines that the database refuses for what they hold; they are in the spool's file `rejected`.
    pub rejected: u64,
}

/// Where everything is that was handed in before the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Settled {
    /// In the database.
    Written,
    /// On disk at least.
    Spooled,
    /// Still in memory, or given up.
    Waiting,
}

/// What the queue, the thread and the task know of one another.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) spool: Spool,
    /// Bytes in all segments.
    pub(super) bytes: AtomicU64,
    pub(super) bytes_max: u64,
    given: AtomicU64,
    /// How many items are on disk, and where the last of them ends.
    pub(super) spooled: watch::Sender<(u64, Place)>,
    /// Up to where the database has everything.
    pub(super) written: watch::Sender<Place>,
    /// Somebody waits for that.
    pub(super) urge: Notify,
    entries_lost: AtomicU64,
    records_lost: AtomicU64,
    live_lost: AtomicU64,
    audit_lost: AtomicU64,
    recordings_lost: AtomicU64,
    pub(super) unreadable: AtomicU64,
    pub(super) rejected: AtomicU64,
}

/// What is handed in.
#[derive(Debug)]
pub(super) enum Item {
    Entry(TenantId, CallId, Box<Entry>),
    Record(Box<CallRecord>),
    Live(Box<LiveCall>),
    Audit(Box<AuditEntry>),
    Recording(TenantId, CallId, Box<RecordingNote>),
    /// Write at once.
    Flush,
}

impl Recorder {
    /// Opens a spool, begins to write what dead processes left in theirs, and takes more. Call it
    /// within a tokio runtime.
    pub fn start(store: &Store, config: &Config) -> Result<Self, StoreError> {
        let cannot = |error: io::Error| {
            let path = config.spool.display();
            StoreError::Invalid(format!("the spool directory `{path}` can't be used: {error}"))
        };
        let spool = Spool::open(&config.spool).map_err(cannot)?;
        let first = Place { segment: 1, bytes: 0 };
        let mut writer = Writer::new(&spool, first.segment);
        let bytes = spool.adopt(&mut writer, config.spool_bytes_max).map_err(cannot)?;
        let shared = Arc::new(Shared {
            spool,
            bytes: AtomicU64::new(bytes),
            bytes_max: config.spool_bytes_max,
            given: AtomicU64::new(0),
            spooled: watch::Sender::new((0, writer.place())),
            written: watch::Sender::new(first),
            urge: Notify::new(),
            entries_lost: AtomicU64::new(0),
            records_lost: AtomicU64::new(0),
            live_lost: AtomicU64::new(0),
            audit_lost: AtomicU64::new(0),
            recordings_lost: AtomicU64::new(0),
            unreadable: AtomicU64::new(0),
            rejected: AtomicU64::new(0),
        });
        let (queue, items) = sync_channel(QUEUE_MAX);
        let keeper = Keeper::new(items, writer, Arc::clone(&shared));
        thread::Builder::new().name("spool".into()).spawn(move || keeper.run()).map_err(cannot)?;
        let writing = tokio::spawn(drain::run(store.clone(), Arc::clone(&shared), config.events))
            .abort_handle();
        Ok(Self { inner: Arc::new(Inner { queue, shared, writing }) })
    }

    /// Takes an entry of a call's timeline; never waits.
    pub fn note(&self, tenant: TenantId, call: CallId, entry: Box<Entry>) {
        self.give(Item::Entry(tenant, call, entry));
    }

    /// Takes a call's record; never waits.
    pub fn record(&self, record: Box<CallRecord>) {
        self.give(Item::Record(record));
    }

    /// Takes that a recording has begun or ended; never waits.
    pub fn recording(&self, tenant: TenantId, call: CallId, note: Box<RecordingNote>) {
        self.give(Item::Recording(tenant, call, note));
    }

    /// Takes that a call has begun or come to this process; never waits.
    pub fn live(&self, live: Box<LiveCall>) {
        self.give(Item::Live(live));
    }

    /// Takes who listened to whom; never waits.
    pub fn audit(&self, entry: Box<AuditEntry>) {
        self.give(Item::Audit(entry));
    }

    fn give(&self, item: Item) {
        match self.inner.queue.try_send(item) {
            Ok(()) => {
                self.inner.shared.given.fetch_add(1, Ordering::SeqCst);
            }
            Err(TrySendError::Full(item) | TrySendError::Disconnected(item)) => {
                self.inner.shared.lose(&item, "the queue to the spool is full");
            }
        }
    }

    /// What was given up since the start.
    pub fn lost(&self) -> Lost {
        let shared = &self.inner.shared;
        Lost {
            entries: shared.entries_lost.load(Ordering::Relaxed),
            records: shared.records_lost.load(Ordering::Relaxed),
            live: shared.live_lost.load(Ordering::Relaxed),
            recordings: shared.recordings_lost.load(Ordering::Relaxed),
            unreadable: shared.unreadable.load(Ordering::Relaxed),
            rejected: shared.rejected.load(Ordering::Relaxed),
        }
    }

    /// Bytes that are on disk and, as far as is known, not in the database.
    pub fn waiting_bytes(&self) -> u64 {
        self.inner.shared.bytes.load(Ordering::Relaxed)
    }

    /// Waits until everything handed in before is in the database, at most so long.
    pub async fn settle(&self, within: Duration) -> Settled {
        let shared = &self.inner.shared;
        let target = shared.given.load(Ordering::SeqCst);
        // If the queue is full, the thread writes at once anyway.
        let _ = self.inner.queue.try_send(Item::Flush);
        let deadline = tokio::time::Instant::now() + within;
        let mut spooled = shared.spooled.subscribe();
        let on_disk = spooled.wait_for(|(count, _)| *count >= target);
        let place = match tokio::time::timeout_at(deadline, on_disk).await {
            Ok(Ok(state)) => state.1,
            Ok(Err(_)) | Err(_) => return Settled::Waiting,
        };
        shared.urge.notify_one();
        let mut written = shared.written.subscribe();
        let in_database = written.wait_for(|written| *written >= place);
        match tokio::time::timeout_at(deadline, in_database).await {
            Ok(Ok(_)) => Settled::Written,
            Ok(Err(_)) | Err(_) => Settled::Spooled,
        }
    }
}

impl Shared {
    fn lose(&self, item: &Item, why: &str) {
        match item {
            Item::Entry(..) => self.lose_entries(1, why),
            Item::Record(_) => self.lose_record(why),
            Item::Live(_) => self.lose_live(why),
            Item::Audit(_) => self.lose_audit(why),
            Item::Recording(..) => self.lose_recording(why),
            Item::Flush => {}
        }
    }

    pub(super) fn lose_entries(&self, count: u64, why: &str) {
        let before = self.entries_lost.fetch_add(count, Ordering::Relaxed);
        if is_worth_saying(before, count) {
            tracing::error!(lost = before + count, why, "entries of timelines are being lost");
        }
    }

    pub(super) fn lose_audit(&self, why: &str) {
        let before = self.audit_lost.fetch_add(1, Ordering::Relaxed);
        if is_worth_saying(before, 1) {
            tracing::error!(lost = before + 1, why, "entries of the audit log are being lost");
        }
    }

    pub(super) fn lose_record(&self, why: &str) {
        let before = self.records_lost.fetch_add(1, Ordering::Relaxed);
        if is_worth_saying(before, 1) {
            tracing::error!(lost = before + 1, why, "call records are being lost");
        }
    }

    pub(super) fn lose_live(&self, why: &str) {
        let before = self.live_lost.fetch_add(1, Ordering::Relaxed);
        if is_worth_saying(before, 1) {
            tracing::error!(lost = before + 1, why, "notices of live calls are being lost");
        }
    }

    pub(super) fn lose_recording(&self, why: &str) {
        let before = self.recordings_lost.fetch_add(1, Ordering::Relaxed);
        if is_worth_saying(before, 1) {
            tracing::error!(lost = before + 1, why, "notices of recordings are being lost");
        }
    }
}

/// The first loss and then each that passes a power of two: a flood of losses must not flood the
/// log.
const fn is_worth_saying(before: u64, count: u64) -> bool {
    before.checked_next_power_of_two().is_none()
        || (before + count).leading_zeros() < before.leading_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_losses_is_logged_less_and_less() {
        let said = (0..1_000).filter(|before| is_worth_saying(*before, 1)).count();
        assert_eq!(said, 10);
        assert!(is_worth_saying(0, 1));
    }
}
