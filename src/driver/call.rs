//! One task for each call: the socket, the clock and the queries around a session.
//!
//! The reader never waits for the writer: FreeSWITCH would be held up, and with it every other
//! client of its Event Socket (`mod_event_socket.c` event_handler). A call that waits holds no
//! timer it does not need, and no buffer.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, BytesMut};
use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::http::Http;
use super::registry::{COMMANDS_MAX, Mark, Registry, Word};
use super::session::{Offer, Router, Session, Settings};
use crate::base::ids::{CallId, TenantId};
use crate::base::now::Now;
use crate::call::input::Answer;
use crate::call::output::{Query, QueryId};
use crate::model::live::LiveCall;
use crate::model::record::CallRecord;
use crate::model::timeline::Entry;
use crate::switch::listener::{Accepted, Admission};

/// Bytes that may wait for FreeSWITCH to take them. Beyond, it does not read any more.
const UNSENT_MAX: usize = 256 * 1024;
/// Bytes read before a call does anything else.
const READ_MAX: usize = 256 * 1024;

/// Where records and timelines go; never waits.
pub trait Sink: Send + Sync {
    fn note(&self, tenant: TenantId, call: CallId, entry: Box<Entry>);
    fn record(&self, record: Box<CallRecord>);
    /// A call has begun, or has come to this process.
    fn live(&self, live: Box<LiveCall>);
}

/// What all calls of a daemon share.
pub struct Shared {
    pub router: Box<dyn Router + Send + Sync>,
    pub sink: Box<dyn Sink>,
    pub http: Http,
    pub settings: Settings,
    pub clock: Clock,
    pub registry: Registry,
    pub counters: Counters,
    /// No new calls are taken; they go back to the dialplan.
    pub draining: CancellationToken,
}

/// What happened to calls since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub begun: AtomicU64,
    pub refused: AtomicU64,
    /// Calls that ended by a fault of ours.
    pub faults: AtomicU64,
}

/// The one place where a running call's time comes from.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    zero: Instant,
}

impl Clock {
    pub fn start() -> Self {
        Self { zero: Instant::now() }
    }

    pub fn now(&self) -> Now {
        let passed = self.zero.elapsed().as_millis();
        Now::new(u64::try_from(passed).unwrap_or(u64::MAX), Timestamp::now())
    }

    pub(super) fn at(&self, mono_ms: u64) -> Instant {
        self.zero + std::time::Duration::from_millis(mono_ms)
    }

    /// Waits for a moment; for ever where there is none.
    pub async fn reach(&self, mono_ms: Option<u64>) {
        match mono_ms {
            Some(mono_ms) => sleep_until(self.at(mono_ms)).await,
            None => std::future::pending().await,
        }
    }
}

/// Holds a call's place in the registry.
struct Entered<'a> {
    registry: &'a Registry,
    call: CallId,
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        self.registry.leave(self.call);
    }
}

/// One call's connection.
struct Link<'a> {
    shared: &'a Shared,
    stream: TcpStream,
    session: Session,
    unsent: BytesMut,
    queries: JoinSet<(QueryId, Answer)>,
    commands: mpsc::Receiver<Word>,
    mark: Mark,
}

/// Why a call's task ends.
enum Over {
    /// The session has nothing more to say.
    Closed,
    /// A fault of ours; what is left is to take leave.
    Fault,
}

/// Runs one call to its end.
pub async fn serve(accepted: Accepted, shared: Arc<Shared>) {
    let Accepted { stream, peer, admission, place } = accepted;
    let call = CallId(uuid::Uuid::now_v7());
    let refusal = match admission {
        Admission::Refused(refusal) => Some(refusal.word()),
        Admission::Taken if shared.draining.is_cancelled() => Some("draining"),
        Admission::Taken => None,
    };
    tracing::debug!(%call, %peer, "a connection");
    let (sender, commands) = mpsc::channel(COMMANDS_MAX);
    let mark = match refusal {
        None => shared.registry.enter(call, sender),
        Some(_) => Mark::default(),
    };
    let entered = Entered { registry: &shared.registry, call };
    let session = Session::new(call, refusal, shared.clock.now());
    let unsent = BytesMut::new();
    let queries = JoinSet::new();
    let mut link = Link { shared: &shared, stream, session, unsent, queries, commands, mark };
    if let Over::Fault = link.run().await {
        link.take_leave();
    }
    drop(entered);
    drop(place);
}

impl Link<'_> {
    async fn run(&mut self) -> Over {
        loop {
            if self.flush().is_err() {
                self.guard(|session, shared| session.link_lost(shared.clock.now()));
            }
            self.take_offers();
            self.mark.talks(self.session.talks());
            if self.session.is_faulty() {
                return Over::Fault;
            }
            if self.session.is_closed() {
                return Over::Closed;
            }
            self.turn().await;
        }
    }

    /// Waits for the next thing that happens, and does it.
    async fn turn(&mut self) {
        let deadline = self.session.deadline();
        let due = self.shared.clock.at(deadline.unwrap_or(0));
        tokio::select! {
            biased;
            readable = self.stream.readable() => self.read(readable),
            // What goes wrong is met again when it is written.
            _ = self.stream.writable(), if !self.unsent.is_empty() => {}
            Some(answered) = self.queries.join_next(), if !self.queries.is_empty() => {
                self.answer(answered);
            }
            Some(word) = self.commands.recv() => {
                self.guard(|session, shared| match word {
                    Word::Command(command) => session.command(command, shared.clock.now()),
                    Word::HandOver(when) => session.hand_over(when, shared.clock.now()),
                });
            }
            () = sleep_until(due), if deadline.is_some() => {
                self.guard(|session, shared| session.tick(shared.clock.now()));
            }
        }
    }

    fn read(&mut self, readable: io::Result<()>) {
        let mut read = 0;
        let mut end = readable.is_err();
        while !end && read < READ_MAX {
            match self.stream.try_read_buf(self.session.buffer()) {
                Ok(0) => end = true,
                Ok(length) => read += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => end = true,
            }
        }
        self.guard(|session, shared| {
            let now = shared.clock.now();
            session.received(now, &shared.settings, &*shared.router);
            if end {
                session.link_lost(now);
            }
        });
    }

    /// Writes what FreeSWITCH takes at once; the rest waits.
    fn flush(&mut self) -> io::Result<()> {
        if let Some(bytes) = self.session.transmit() {
            self.unsent.extend_from_slice(&bytes);
        }
        while !self.unsent.is_empty() {
            match self.stream.try_write(&self.unsent) {
                Ok(written) => self.unsent.advance(written),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return Err(error),
            }
        }
        if self.unsent.is_empty() {
            self.unsent = BytesMut::new();
        } else if self.unsent.len() > UNSENT_MAX {
            return Err(io::Error::other("FreeSWITCH does not read"));
        }
        Ok(())
    }

    fn take_offers(&mut self) {
        while let Some(offer) = self.session.poll() {
            let (call, shared) = (self.session.id(), self.shared);
            match offer {
                Offer::Query(id, query) => self.ask(id, query),
                Offer::Begun => {
                    shared.counters.begun.fetch_add(1, Ordering::Relaxed);
                }
                Offer::Note(tenant, entry) => shared.sink.note(tenant, call, entry),
                Offer::Ended(record) => {
                    self.queries.abort_all();
                    let end = &record.termination;
                    tracing::info!(%call, cause = %end.cause, party = ?end.party, "a call ended");
                    shared.sink.record(record);
                }
                Offer::Refused(reason) => {
                    shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(%call, reason, "a call went back to the dialplan");
                }
                Offer::Discard(path) => discard(call, path),
            }
        }
    }

    fn ask(&mut self, id: QueryId, query: Query) {
        let Query::Http(request) = query;
        let http = self.shared.http.clone();
        self.queries.spawn(async move { (id, Answer::Http(http.perform(&request).await)) });
    }

    fn answer(&mut self, answered: Result<(QueryId, Answer), JoinError>) {
        // A query that was cancelled belongs to a call that has ended, and one that failed is
        // overdue for the call sooner or later.
        if let Ok((id, answer)) = answered {
            self.guard(|session, shared| session.answer(id, answer, shared.clock.now()));
        }
    }

    /// A bug ends this call, not the daemon.
    fn guard(&mut self, work: impl FnOnce(&mut Session, &Shared)) {
        let (session, shared) = (&mut self.session, self.shared);
        if catch_unwind(AssertUnwindSafe(|| work(session, shared))).is_err() {
            session.found_faulty();
        }
    }

    /// After a fault of ours: the caller is not left in silence, and the call is not left without a
    /// record.
    fn take_leave(&mut self) {
        let (call, now) = (self.session.id(), self.shared.clock.now());
        self.shared.counters.faults.fetch_add(1, Ordering::Relaxed);
        tracing::error!(%call, "a call was ended by a fault of ours");
        let leave = self.session.leave(now);
        // The kernel takes these few bytes, or the connection is gone.
        let _ = self.stream.try_write(&leave.bytes);
        if let Some(record) = leave.record {
            self.shared.sink.record(record);
        }
    }
}

fn discard(call: CallId, path: String) {
    tokio::spawn(async move {
        if let Err(error) = tokio::fs::remove_file(&path).await {
            tracing::debug!(%call, %error, "a recording was not removed");
        }
    });
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("calls", &self.registry.len()).finish_non_exhaustive()
    }
}
