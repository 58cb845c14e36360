//! The thread between calls and the disk: takes what they hand in, and writes it to the spool.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use serde::Serialize;

use super::kept::{Kept, What};
use super::recorder::{Item, Shared};
use super::spool::{LINE_MAX, SYNC_INTERVAL, Writer};
use crate::base::ids::{CallId, TenantId};
use crate::model::audit::AuditEntry;
use crate::model::live::LiveCall;
use crate::model::record::{CallRecord, RecordingNote};
use crate::model::timeline::Entry;

/// Between two writes goes at least so much time, in which things gather to be written together.
const GATHER: Duration = Duration::from_millis(2);
/// How often to look for what dead processes left.
const ADOPT_INTERVAL: Duration = Duration::from_secs(2);
/// Entries and records written together at most.
const GATHER_MAX: usize = 4_096;
/// How long to wait before writing to a disk that failed is tried again.
const DISK_PAUSE: Duration = Duration::from_millis(500);

/// The thread that writes to disk.
pub(super) struct Keeper {
    items: Receiver<Item>,
    writer: Writer,
    shared: Arc<Shared>,
    /// Items taken so far and written or given up.
    kept: u64,
    written: Instant,
    adopted: Instant,
}

impl Keeper {
    pub(super) fn new(items: Receiver<Item>, writer: Writer, shared: Arc<Shared>) -> Self {
        let now = Instant::now();
        Self { items, writer, shared, kept: 0, written: now, adopted: now }
    }

    pub(super) fn run(mut self) {
        loop {
            let pause = if self.writer.is_open() { SYNC_INTERVAL } else { ADOPT_INTERVAL };
            match self.items.recv_timeout(pause) {
                Ok(item) => self.keep(item),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if let Err(error) = self.writer.tend() {
                tracing::error!(%error, "the spool can't be written to disk safely");
            }
            self.adopt();
            self.tell();
        }
        if let Err(error) = self.writer.sync() {
            tracing::error!(%error, "the spool can't be written to disk safely");
        }
    }

    /// Takes over what processes left that died since the last look.
    fn adopt(&mut self) {
        if self.adopted.elapsed() < ADOPT_INTERVAL {
            return;
        }
        self.adopted = Instant::now();
        let bytes = &self.shared.bytes;
        let room = self.shared.bytes_max.saturating_sub(bytes.load(Ordering::Relaxed));
        match self.shared.spool.adopt(&mut self.writer, room) {
            Ok(0) => {}
            Ok(more) => {
                bytes.fetch_add(more, Ordering::Relaxed);
                tracing::info!(bytes = more, "what a dead process left is taken over");
            }
            Err(error) => tracing::warn!(%error, "spools of dead processes can't be looked for"),
        }
    }

    fn tell(&self) {
        let state = (self.kept, self.writer.place());
        self.shared.spooled.send_if_modified(|told| std::mem::replace(told, state) != state);
    }

    fn keep(&mut self, first: Item) {
        let mut gathered = Gathered::default();
        let until = self.written + GATHER;
        let mut flush = gathered.take(first);
        let mut taken = u64::from(!flush);
        while !flush && taken < GATHER_MAX as u64 {
            let left = until.saturating_duration_since(Instant::now());
            match self.items.recv_timeout(left) {
                Ok(item) => flush = gathered.take(item),
                Err(_) => break,
            }
            taken += u64::from(!flush);
        }
        let lines = gathered.encode(&self.shared);
        self.add(&lines);
        self.written = Instant::now();
        if flush && let Err(error) = self.writer.sync() {
            tracing::error!(%error, "the spool can't be written to disk safely");
        }
        self.kept += taken;
    }

    /// Adds lines, and waits for a disk that fails: what comes meanwhile waits in the queue.
    fn add(&mut self, lines: &[u8]) {
        if lines.is_empty() {
            return;
        }
        let mut failed = false;
        while let Err(error) = self.writer.add(lines) {
            if !failed {
                tracing::error!(%error, "the spool can't be written; calls go on");
            }
            failed = true;
            thread::sleep(DISK_PAUSE);
        }
        if failed {
            tracing::info!("the spool can be written again");
        }
        self.shared.bytes.fetch_add(lines.len() as u64, Ordering::Relaxed);
    }
}

/// Items that are written together: a call's entries as one line.
#[derive(Default)]
struct Gathered {
    entries: BTreeMap<(TenantId, CallId, u32), Vec<Entry>>,
    live: Vec<LiveCall>,
    records: Vec<CallRecord>,
    audit: Vec<AuditEntry>,
    recordings: Vec<(TenantId, CallId, RecordingNote)>,
}

impl Gathered {
    /// Whether the item asks to be written at once.
    fn take(&mut self, item: Item) -> bool {
        match item {
            Item::Entry(tenant, call, entry) => {
                self.entries.entry((tenant, call, entry.term)).or_default().push(*entry);
            }
            Item::Record(record) => self.records.push(*record),
            Item::Live(live) => self.live.push(*live),
            Item::Audit(entry) => self.audit.push(*entry),
            Item::Recording(tenant, call, note) => self.recordings.push((tenant, call, *note)),
            Item::Flush => return true,
        }
        false
    }

    fn encode(self, shared: &Shared) -> Vec<u8> {
        let bytes = shared.bytes.load(Ordering::Relaxed);
        let (timelines_fit, rest_fits) =
            (bytes < shared.bytes_max / 4 * 3, bytes < shared.bytes_max);
        let mut lines = Vec::new();
        for ((tenant, call, term), entries) in self.entries {
            let first = entries.first().map_or(0, |entry| entry.sequence);
            match json(&entries, timelines_fit) {
                Ok(entries) => {
                    let what = What::Timeline { term, first, entries };
                    Kept { tenant, call, what }.encode(&mut lines);
                }
                Err(why) => shared.lose_entries(entries.len() as u64, why),
            }
        }
        for live in self.live {
            match json(&live, rest_fits) {
                Ok(json) => {
                    let what = What::Live { json };
                    Kept { tenant: live.tenant, call: live.call, what }.encode(&mut lines);
                }
                Err(why) => shared.lose_live(why),
            }
        }
        for entry in self.audit {
            match json(&entry, rest_fits) {
                Ok(json) => {
                    let what = What::Audit { json };
                    Kept { tenant: entry.tenant, call: entry.call, what }.encode(&mut lines);
                }
                Err(why) => shared.lose_audit(why),
            }
        }
        for (tenant, call, note) in self.recordings {
            match json(&note, rest_fits) {
                Ok(json) => {
                    let what = What::Recording { json };
                    Kept { tenant, call, what }.encode(&mut lines);
                }
                Err(why) => shared.lose_recording(why),
            }
        }
        for record in self.records {
            match json(&record, rest_fits) {
                Ok(json) => {
                    let what = What::Record { json };
                    Kept { tenant: record.tenant, call: record.call, what }.encode(&mut lines);
                }
                Err(why) => shared.lose_record(why),
            }
        }
        lines
    }
}

/// A line's JSON, or why it is given up.
fn json<T: Serialize>(value: &T, fits: bool) -> Result<String, &'static str> {
    if !fits {
        return Err("the spool is full and the database gone");
    }
    let json = serde_json::to_string(value).map_err(|_| "it can't be written as JSON")?;
    if json.len() < LINE_MAX / 2 { Ok(json) } else { Err("it is too long") }
}
