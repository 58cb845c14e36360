//! One task for each call: the socket, the clock and the queries around a session.
//!
//! The reader never waits for the writer: FreeSWITCH would be held up, and with it every other
//! client of its Event Socket (`mod_event_socket.c` event_handler). A call that waits holds no
//! timer it does not need, and no buffer.

use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Buf, BytesMut};
use jiff::Timestamp;
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::admission::Limits;
use super::entered::Entered;
use super::http::Http;
use super::outbound::{self, Outside};
use super::queries::{self, Slots};
use super::queues::{Counter, Queues};
use super::registry::{Heed, Hold, Registry, Word};
use super::session::running::Running;
use super::session::{DRAINING, Offer, Router, Session, Settings};
use super::stray;
use super::timed::Timed;
use super::wake::Wake;
use crate::base::ids::{CallId, ChannelId, CoreId, TenantId};
use crate::base::millis::Millis;
use crate::base::now::Now;
use crate::call::input::Answer;
use crate::call::output::{Query, QueryId};
use crate::esl::command::Api;
use crate::model::admission::Rule;
use crate::model::audit::AuditEntry;
use crate::model::live::LiveCall;
use crate::model::record::{CallRecord, RecordingNote};
use crate::model::timeline::Entry;
use crate::switch::listener::{Accepted, Admission};
use crate::telemetry::Telemetry;

/// Bytes that may wait for FreeSWITCH to take them. Beyond, it does not read any more.
const UNSENT_MAX: usize = 256 * 1024;
/// Bytes read before a call does anything else.
const READ_MAX: usize = 256 * 1024;

/// A deadline that is met so late was met by a process that had no time.
const LATE: std::time::Duration = std::time::Duration::from_millis(50);
/// What a process that stood still reads, in so many rounds, before it says a word.
const ROUNDS_AWAKE: usize = 16;

/// Where records and timelines go; never waits.
pub trait Sink: Send + Sync {
    fn note(&self, tenant: TenantId, call: CallId, entry: Box<Entry>);
    fn record(&self, record: Box<CallRecord>);
    /// Who listened to whom; told again with each change.
    fn audit(&self, entry: Box<AuditEntry>);
    /// A call has begun, or has come to this process.
    fn live(&self, live: Box<LiveCall>);
    /// A recording of the call has begun or ended.
    fn recording(&self, tenant: TenantId, call: CallId, note: Box<RecordingNote>);
}

/// Hears whether an order was carried out, or why not. It may be called more than once.
pub type Hearer = Arc<dyn Fn(Result<(), String>) + Send + Sync>;

/// An order for a call that has no connection of its own.
#[derive(Clone)]
pub struct Order {
    pub api: Api,
    pub hearer: Option<Hearer>,
}

impl std::fmt::Debug for Order {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Order").field("api", &self.api).finish_non_exhaustive()
    }
}

/// Orders to FreeSWITCH for calls that have no connection of their own; never waits.
pub trait Switchboard: Send + Sync {
    /// Whether there is a way to FreeSWITCH. Otherwise such calls are given up after a while.
    fn is_there(&self) -> bool;
    /// One after another: none before the one before it has been answered.
    fn order(&self, call: CallId, orders: Vec<Order>);
    /// From now on so much of the channel's news comes as words to the call.
    fn heed(&self, call: CallId, channel: &ChannelId, heed: Heed);
    /// Says that this FreeSWITCH is about to have a room that is nowhere yet. Where another is,
    /// that one's name.
    fn claim<'a>(&'a self, room: &'a str, core: CoreId) -> Claiming<'a> {
        let _ = (room, core);
        Box::pin(async { None })
    }
    /// Asks one FreeSWITCH, or each.
    fn ask(&self, core: Option<CoreId>, api: Api) -> Asking<'_>;
}

/// What FreeSWITCHes are about to say.
pub type Asking<'a> = Pin<Box<dyn Future<Output = Vec<Said>> + Send + 'a>>;

/// Which FreeSWITCH is about to have a room, where another is.
pub type Claiming<'a> = Pin<Box<dyn Future<Output = Option<String>> + Send + 'a>>;

/// What one FreeSWITCH said.
#[derive(Debug)]
pub struct Said {
    /// What operators call it.
    pub link: String,
    /// Which run of it this is, where known.
    pub core: Option<CoreId>,
    /// Its output, errors of its own included; or why there is none.
    pub said: Result<String, String>,
}

/// No link: nothing is known of calls without a connection.
#[derive(Debug)]
pub struct NoSwitchboard;

impl Switchboard for NoSwitchboard {
    fn is_there(&self) -> bool {
        false
    }
    fn order(&self, _call: CallId, _orders: Vec<Order>) {}
    fn heed(&self, _call: CallId, _channel: &ChannelId, _heed: Heed) {}
    fn ask(&self, _core: Option<CoreId>, _api: Api) -> Asking<'_> {
        Box::pin(async { Vec::new() })
    }
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
    pub telemetry: Telemetry,
    pub wake: Wake,
    /// Carries orders for calls that have no connection.
    pub switchboard: Arc<dyn Switchboard>,
    pub slots: Box<dyn Slots>,
    /// Keeps the waiting lines.
    pub queues: Arc<dyn Queues>,
    /// Counts the calls of all processes.
    pub limits: Box<dyn Limits>,
    /// Knows by which gateways numbers are called.
    pub outside: Arc<dyn Outside>,
    /// No new calls are taken; they go back to the dialplan.
    pub draining: CancellationToken,
}

/// What happened to calls since the start.
#[derive(Debug, Default)]
pub struct Counters {
    pub begun: AtomicU64,
    /// Calls that came from another process or connection.
    pub resumed: AtomicU64,
    /// Calls that were given to another process.
    pub handed_over: AtomicU64,
    pub refused: AtomicU64,
    /// Calls that ended by a fault of ours.
    pub faults: AtomicU64,
    /// Calls that were not let in, by the rule, in the order of [`Rule::ALL`].
    pub turned_away: [AtomicU64; Rule::ALL.len()],
}

impl Counters {
    /// How many calls each rule did not let in.
    pub fn turned_away(&self) -> BTreeMap<&'static str, u64> {
        let counts = self.turned_away.iter().map(|count| count.load(Ordering::Relaxed));
        Rule::ALL.iter().map(|rule| rule.name()).zip(counts).collect()
    }
}

impl Shared {
    /// A call is not let in.
    pub(super) fn turned_away(&self, call: CallId, rule: Rule) {
        tracing::info!(%call, limit = rule.name(), "a call is not let in");
        let counts = Rule::ALL.iter().zip(&self.counters.turned_away);
        for (_, count) in counts.filter(|(counted, _)| **counted == rule) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }
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
        let wall = Timestamp::now();
        // Finer than anything here is, and shorter to write.
        let wall = Timestamp::from_millisecond(wall.as_millisecond()).unwrap_or(wall);
        Now::new(u64::try_from(passed).unwrap_or(u64::MAX), wall)
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

/// Nobody speaks to a call that has not begun.
async fn next_word(entered: &mut Option<Entered>) -> Option<Word> {
    match entered {
        Some(entered) => entered.next().await,
        None => std::future::pending().await,
    }
}

/// One call's connection.
struct Link {
    shared: Arc<Shared>,
    stream: TcpStream,
    session: Session,
    unsent: BytesMut,
    queries: JoinSet<(QueryId, Answer)>,
    counter: Counter,
    /// How the call is spoken to once it has begun.
    entered: Option<Entered>,
    /// Who waits for the answer to the command that the call hears now.
    asker: Option<oneshot::Sender<Result<(), String>>>,
    timed: Timed,
    /// Since when it waits, on the clock of `Now::mono_ms`.
    waits_ms: u64,
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
        _ if shared.draining.is_cancelled() => Some(DRAINING),
        Admission::Refused(refusal) => Some(refusal.word()),
        Admission::Taken => None,
    };
    tracing::debug!(%call, %peer, "a connection");
    let session = Session::new(call, refusal, shared.clock.now());
    let counter = Counter::new(&shared.queues);
    let mut link = Link {
        shared,
        stream,
        session,
        unsent: BytesMut::new(),
        queries: JoinSet::new(),
        counter,
        entered: None,
        asker: None,
        timed: Timed::default(),
        waits_ms: 0,
    };
    if let Over::Fault = link.run().await {
        link.take_leave();
    }
    drop(place);
}

impl Link {
    async fn run(&mut self) -> Over {
        loop {
            if self.flush().is_err() {
                self.guard(|session, shared| session.link_lost(shared.clock.now()));
            }
            self.take_offers();
            if let Some(entered) = &self.entered {
                entered.seat.talks(self.session.talks());
            }
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
        self.waits_ms = self.shared.clock.now().mono_ms;
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
            word = next_word(&mut self.entered) => self.hear(word),
            () = sleep_until(due), if deadline.is_some() => self.tick(due),
        }
    }

    /// What FreeSWITCH said before time was up counts first.
    fn tick(&mut self, due: Instant) {
        if due.elapsed() > LATE {
            self.read(Ok(()));
        }
        self.guard(|session, shared| session.tick(shared.clock.now()));
    }

    fn hear(&mut self, word: Option<Word>) {
        match word {
            Some(Word::Command(ordered, asker)) => {
                self.asker = asker;
                self.guard(|session, shared| session.command(ordered, shared.clock.now()));
                self.take_offers();
                // Whoever asked hears that nobody is there.
                self.asker = None;
            }
            Some(Word::HandOver(when)) => {
                self.guard(|session, shared| session.hand_over(when, shared.clock.now()));
            }
            Some(Word::News(news)) => {
                self.guard(|session, shared| session.news(&news, shared.clock.now()));
            }
            Some(Word::FarGone(channel)) => {
                self.guard(|session, shared| session.far_gone(channel, shared.clock.now()));
            }
            // The connection knows better.
            Some(Word::Gone(_) | Word::Obeyed(..) | Word::Answer(..)) => {}
            None => {
                self.entered = None;
                self.session.superseded();
            }
        }
    }

    fn begun(&mut self, live: Box<LiveCall>) {
        let shared = &self.shared;
        let count = if live.term == 0 { &shared.counters.begun } else { &shared.counters.resumed };
        count.fetch_add(1, Ordering::Relaxed);
        self.entered = Some(Entered::new(shared, &live, Hold::Connected));
        shared.sink.live(live);
    }

    /// The connection is gone, the call perhaps not.
    fn adrift(&mut self, running: Box<Running>) {
        if let Some(entered) = self.entered.take() {
            stray::follow(Arc::clone(&self.shared), running, entered);
        }
    }

    fn read(&mut self, readable: io::Result<()>) {
        let now_ms = self.shared.clock.now().mono_ms;
        let wakes = self.shared.wake.stood_still(self.waits_ms, now_ms);
        // All of it is looked at before the first word is heard.
        let rounds = if wakes { ROUNDS_AWAKE } else { 1 };
        let mut end = readable.is_err();
        for _ in 0..rounds {
            end = end || self.fill();
        }
        self.guard(|session, shared| {
            let now = shared.clock.now();
            if wakes {
                session.woken(now);
            }
            session.received(now, &shared.settings, &*shared.router);
            if end {
                session.link_lost(now);
            }
        });
        self.timed.read(&mut self.session, self.shared.telemetry.metrics());
    }

    /// Reads what there is; whether it was the last.
    fn fill(&mut self) -> bool {
        let (mut read, mut end) = (0, false);
        while !end && read < READ_MAX {
            match self.stream.try_read_buf(self.session.buffer()) {
                Ok(0) => end = true,
                Ok(length) => read += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => end = true,
            }
        }
        end
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
            self.timed.written(&self.session);
        } else if self.unsent.len() > UNSENT_MAX {
            return Err(io::Error::other("FreeSWITCH does not read"));
        }
        Ok(())
    }

    fn take_offers(&mut self) {
        while let Some(offer) = self.session.poll() {
            let (call, shared) = (self.session.id(), Arc::clone(&self.shared));
            match offer {
                Offer::Query(id, query) => self.ask(id, query),
                Offer::Begun(live) => self.begun(live),
                Offer::Adrift(running) => self.adrift(running),
                Offer::HandedOver => {
                    shared.counters.handed_over.fetch_add(1, Ordering::Relaxed);
                    self.queries.abort_all();
                    self.entered = None;
                }
                Offer::Answered(obeyed) => {
                    // Whoever asked may be gone.
                    let _ = self.asker.take().map(|asker| asker.send(obeyed));
                }
                Offer::Follow(channel, heed) => {
                    if let Some(entered) = &mut self.entered {
                        entered.heed(channel, heed);
                    }
                }
                Offer::Audit(entry) => shared.sink.audit(entry),
                Offer::Note(tenant, entry) => shared.sink.note(tenant, call, entry),
                Offer::Recording(tenant, note) => shared.sink.recording(tenant, call, note),
                Offer::Ended(record) => {
                    self.queries.abort_all();
                    let end = &record.termination;
                    tracing::info!(%call, cause = %end.cause, party = ?end.party, "a call ended");
                    shared.sink.record(record);
                    self.entered = None;
                }
                Offer::Refused(reason) => {
                    shared.counters.refused.fetch_add(1, Ordering::Relaxed);
                    tracing::info!(%call, reason, "a call went back to the dialplan");
                }
                Offer::Discard(path, after) => discard(call, path, after),
                Offer::TurnedAway(rule) => shared.turned_away(call, rule),
            }
        }
    }

    fn ask(&mut self, id: QueryId, query: Query) {
        match query {
            Query::Queue(query) if query.is_told() => self.counter.tell(*query),
            Query::Outbound(query) if query.is_told() => {
                outbound::tell(&self.shared.outside, *query);
            }
            Query::Queue(query) => {
                let counter = self.counter.clone();
                self.queries.spawn(async move { (id, Answer::Queue(counter.ask(*query).await)) });
            }
            mut query => {
                let shared = Arc::clone(&self.shared);
                if let Query::Http(request) = &mut query {
                    shared.telemetry.mark(self.session.id(), id.0, &mut request.headers);
                }
                let answer = queries::perform(shared, query, self.session.core());
                self.queries.spawn(async move { (id, answer.await) });
            }
        }
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
        let (session, shared) = (&mut self.session, &*self.shared);
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

/// What is still to be removed when the process ends is found later.
pub(super) fn discard(call: CallId, path: String, after: Millis) {
    tokio::spawn(async move {
        tokio::time::sleep(after.into()).await;
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
