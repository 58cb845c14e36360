//! A flow run without a switch, a network or a clock: a session against a simulated channel, on
//! virtual time, led by a caller's script. The same script gives the same timeline, to the
//! millisecond.
//!
//! Troubles can be asked for: at a chosen input the process dies, hands over or loses its
//! connection, and a new one, which knows nothing but what the channel carries, has the call when
//! the dialplan asks again.

mod beside;
mod frames;
mod line;
mod stage;
mod trouble;

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::session::{Offer, Router, Session, Settings};
use crate::base::ids::ChannelId;
use crate::base::ids::{CallId, InstanceId};
use crate::base::millis::Millis;
use crate::base::now::Now;
use crate::base::slot::Slot;
use crate::call::admission::AdmitFound;
use crate::call::input::{Answer, Command, HttpAnswer, HttpFailure};
use crate::call::outbound::OutboundFound;
use crate::call::output::{HttpRequest, Query, QueryId};
use crate::call::park::{ParkAsk, ParkFound};
use crate::call::room::{RoomFacts, RoomFound};
use crate::esl::event::Event;
use crate::model::park::Taker;
use crate::model::record::CallRecord;
use crate::model::timeline::{Entry, What};
use crate::simulator::{Caller, Channel, Failure, Moment, Observed, Script, Verdict, World};
use beside::Beside;
use frames::{frames, is_key};
use line::Line;
pub use stage::stage;
pub use trouble::{Blow, NextProcess, Reached, Trouble};

/// Moments at which something happens in one simulation: more mean a loop.
const MOMENTS_MAX: usize = 1_000_000;
/// How long the answer takes where a room is, who is in a slot, or where a caller stands in a line.
const ROOM_MS: u64 = 2;
/// What is heard of each value that is spoken.
const WORD: &str = "/sounds/digits/1.wav";
/// How long a simulated call may last: a day.
const LENGTH_MAX_MS: u64 = 24 * 3_600_000;

/// What came of a simulated call.
#[derive(Debug)]
pub struct Outcome {
    pub verdict: Verdict,
    pub timeline: Vec<Entry>,
    /// None where the call was given back to the dialplan.
    pub record: Option<CallRecord>,
    /// Why the call was given back.
    pub refused: Option<String>,
    /// What the caller experienced.
    pub heard: Vec<Moment>,
    pub length_ms: u64,
}

/// One simulated call, moment by moment.
pub struct Simulation<'a> {
    script: Arc<Script>,
    router: &'a dyn Router,
    settings: &'a Settings,
    process: Option<Process>,
    channel: Channel,
    caller: Caller,
    now: Now,
    began_ms: u64,
    began: Timestamp,
    troubles: Vec<Trouble>,
    next: NextProcess,
    /// When somebody speaks on the connection that was accepted.
    speaks_ms: Option<u64>,
    inputs: u64,
    connections: u64,
    /// One for each process that died or left.
    processes: u64,
    /// When a process lost the call.
    blows: Vec<u64>,
    /// Keys that a process heard and lived to write down.
    keys: usize,
    /// The call has ended, and whether a process was there.
    end: Option<bool>,
    /// Answers under way, by the moment at which they arrive.
    answers: BTreeMap<(u64, QueryId), Answer>,
    /// Where the caller is parked.
    slot: Option<Slot>,
    /// Who took it from there.
    taker: Option<Taker>,
    told: Told,
    beside: Beside,
    line: Line,
    sent: Vec<u8>,
}

/// A process, as far as it has to do with this call.
#[derive(Debug)]
struct Process {
    session: Session,
    settings: Settings,
    /// It has given the call to the next.
    gave: bool,
}

/// What the world was told.
#[derive(Debug, Default)]
struct Told {
    timeline: Vec<Entry>,
    records: Vec<CallRecord>,
    requests: Vec<HttpRequest>,
    refused: Option<String>,
    adrift: usize,
    handed_over: usize,
}

/// What a process hears.
enum Stimulus {
    Bytes(Vec<u8>),
    Answer(QueryId, Answer),
    Command(Command),
    News(Box<Event>),
    FarGone(ChannelId),
    Tick,
}

impl<'a> Simulation<'a> {
    /// A call that has just come in at `start`, unless the script says when. `seed` gives it
    /// identities.
    pub fn new(
        script: Arc<Script>,
        router: &'a dyn Router,
        settings: &'a Settings,
        start: Timestamp,
        seed: u64,
    ) -> Self {
        let world = script.world();
        Self::within(world, script, router, settings, start, seed)
    }

    /// The same within a world whose dialplan may ask for more than one connection.
    pub fn within(
        world: World,
        script: Arc<Script>,
        router: &'a dyn Router,
        settings: &'a Settings,
        start: Timestamp,
        seed: u64,
    ) -> Self {
        let wall = script.at.as_ref().map_or(start, |at| at.timestamp());
        let now = Now::new(0, wall);
        let uuid = identity(seed, 1);
        Self {
            process: None,
            caller: Caller::new(Arc::clone(&script), now),
            channel: Channel::new(script.call(&uuid.to_string()), Arc::new(world), now),
            script,
            router,
            settings,
            now,
            began_ms: now.mono_ms,
            began: wall,
            troubles: Vec::new(),
            next: NextProcess::Refuses(0),
            speaks_ms: None,
            inputs: 0,
            connections: seed << 16,
            processes: seed << 16,
            blows: Vec::new(),
            keys: 0,
            end: None,
            answers: BTreeMap::new(),
            slot: None,
            taker: None,
            told: Told::default(),
            beside: Beside::default(),
            line: Line::default(),
            sent: Vec::new(),
        }
    }

    /// What is to go wrong, and when; at most one thing at each input.
    #[must_use]
    pub fn with_troubles(mut self, troubles: &[Trouble]) -> Self {
        self.troubles = troubles.to_vec();
        self
    }

    /// Lets everything happen that is due, then time pass until something is. False when the call
    /// is over for everybody.
    pub fn step(&mut self) -> bool {
        self.settle();
        let over = !self.is_held() && self.caller.verdict().is_some();
        if over || self.now.mono_ms - self.began_ms > LENGTH_MAX_MS {
            return false;
        }
        let answer = self.answers.keys().next().map(|(at_ms, _)| *at_ms);
        let session = self.process.as_ref().and_then(|process| process.session.deadline());
        let deadlines =
            [session, self.channel.deadline(), self.caller.deadline(), answer, self.speaks_ms];
        let deadlines = deadlines.into_iter().chain([self.beside_deadline()]);
        let Some(next) = deadlines.flatten().min() else { return false };
        self.now = self.now.plus_ms(next.saturating_sub(self.now.mono_ms).max(1));
        self.channel.tick(self.now);
        let due = |process: &Process| {
            process.session.deadline().is_some_and(|at_ms| at_ms <= self.now.mono_ms)
        };
        if self.process.as_ref().is_some_and(due) {
            self.hear(Stimulus::Tick);
        }
        self.tick_beside();
        while let Some(entry) = self.answers.first_entry() {
            if entry.key().0 > self.now.mono_ms {
                break;
            }
            let ((_, id), answer) = entry.remove_entry();
            self.hear_answer(id, answer);
        }
        true
    }

    /// A phone of this number calls the slot in which the caller is, and has it. False where the
    /// caller is in none.
    pub fn fetch(&mut self, number: &str) -> bool {
        let Some(_) = self.slot.take() else { return false };
        let call = CallId(identity(self.connections, 4));
        self.taker = Some(Taker { call, party: number.to_owned() });
        self.channel.fetch(number, self.now);
        self.settle();
        true
    }

    /// The connection breaks, and nobody comes back to it.
    pub fn cut(&mut self) {
        self.next = NextProcess::Refuses(u8::MAX);
        self.strike(Blow::Cut);
        self.settle();
    }

    /// Time passes although nobody of the call waits for anything.
    pub fn idle(&mut self, ms: u64) {
        self.now = self.now.plus_ms(ms);
        self.channel.tick(self.now);
        self.tick_beside();
        self.settle();
    }

    /// Something goes wrong now.
    pub fn suffers(&mut self, blow: Blow) {
        self.next = NextProcess::Refuses(0);
        self.strike(blow);
        self.settle();
    }

    /// The far side of the connection, to be tampered with.
    pub fn channel(&mut self) -> (&mut Channel, Now) {
        (&mut self.channel, self.now)
    }

    pub fn session_is_closed(&self) -> bool {
        self.process.as_ref().is_none_or(|process| process.session.is_closed())
    }

    /// The moment at which the simulation stands.
    pub const fn now_ms(&self) -> u64 {
        self.now.mono_ms
    }

    /// What the processes heard so far.
    pub const fn inputs(&self) -> u64 {
        self.inputs
    }

    /// By the date, when the call came in.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// The moments at which a process lost the call, or left it.
    pub fn blows(&self) -> &[u64] {
        &self.blows
    }

    /// Whether the call ended while no process had it, or one that did not live to tell.
    pub fn ended_unseen(&self) -> bool {
        self.end == Some(false)
    }

    /// Keys that the caller pressed and no process could act on: FreeSWITCH told them to nobody, or
    /// to one that was killed.
    pub fn keys_lost(&self) -> usize {
        self.caller.keys().saturating_sub(self.keys)
    }

    /// What was noted so far.
    pub fn timeline(&self) -> &[Entry] {
        &self.told.timeline
    }

    /// Every byte sent to the switch so far.
    pub fn sent(&self) -> &[u8] {
        &self.sent
    }

    /// Records handed out so far; more than one is a fault.
    pub fn records(&self) -> &[CallRecord] {
        &self.told.records
    }

    /// Requests made so far.
    pub fn requests(&self) -> &[HttpRequest] {
        &self.told.requests
    }

    /// How often a call was left to itself since its connection was gone.
    pub const fn adrift(&self) -> usize {
        self.told.adrift
    }

    /// How often a process gave the call to the next.
    pub const fn handed_over(&self) -> usize {
        self.told.handed_over
    }

    /// Runs to the end.
    pub fn finish(mut self) -> Outcome {
        self.run();
        self.outcome()
    }

    /// Runs to the end, and stays to be asked.
    pub fn run(&mut self) {
        for _ in 0..MOMENTS_MAX {
            if !self.step() {
                break;
            }
        }
    }

    /// What has come of it.
    pub fn outcome(&self) -> Outcome {
        let verdict = self.caller.verdict().cloned();
        Outcome {
            verdict: verdict.unwrap_or_else(|| Verdict::Failed(self.endless())),
            timeline: self.told.timeline.clone(),
            record: self.told.records.last().cloned(),
            refused: self.told.refused.clone(),
            heard: self.channel.log().moments().to_vec(),
            length_ms: self.now.mono_ms - self.began_ms,
        }
    }

    fn endless(&self) -> Failure {
        Failure {
            step: 0,
            after: Millis(self.now.mono_ms - self.began_ms),
            expected: "the call to end".into(),
            instead: "it went on".into(),
        }
    }

    /// Passes bytes to and fro until both sides are quiet.
    fn settle(&mut self) {
        for _ in 0..MOMENTS_MAX {
            let connected = self.connect();
            let sent = self.send(1_000);
            self.tell();
            let bytes = self.channel.transmit();
            let told = !bytes.is_empty();
            for frame in frames(&bytes) {
                self.hear(Stimulus::Bytes(frame.to_vec()));
            }
            let overheard = self.hear_beside() | self.far_party_comes();
            self.close();
            self.caller.act(&mut self.channel, self.now);
            self.look_for_end();
            if !(connected || sent || told || overheard) {
                return;
            }
        }
    }

    fn look_for_end(&mut self) {
        let ended = |moment: &Moment| matches!(moment.what, Observed::HungUp { .. });
        if self.end.is_none() && self.channel.log().moments().iter().any(ended) {
            self.end = Some(self.is_held());
        }
    }

    /// Answers the dialplan that asks for a connection; true if something changed.
    fn connect(&mut self) -> bool {
        if self.channel.wants().is_some() {
            let after = match &mut self.next {
                NextProcess::Refuses(left) if *left > 0 => {
                    *left -= 1;
                    self.channel.refused(self.now);
                    return true;
                }
                NextProcess::Refuses(_) => Millis(0),
                NextProcess::SpeaksAfter(after) => std::mem::replace(after, Millis(0)),
            };
            self.channel.connected(self.now);
            self.process = None;
            self.speaks_ms = Some(self.now.mono_ms.saturating_add(after.ms()));
        }
        if self.speaks_ms.is_none_or(|at_ms| at_ms > self.now.mono_ms) {
            return false;
        }
        self.speaks_ms = None;
        self.connections += 1;
        let settings = self.process_settings();
        // A process does not know the call before it has seen the channel.
        let known = self.told.timeline.is_empty();
        let id = if known { self.call_id() } else { identity(self.connections, 3) };
        let session = Session::new(CallId(id), None, self.now);
        self.process = Some(Process { session, settings, gave: false });
        true
    }

    /// The settings of the process that is there now.
    fn process_settings(&self) -> Settings {
        let mut settings = self.settings.clone();
        settings.instance = InstanceId(identity(self.processes, 2));
        settings
    }

    fn call_id(&self) -> Uuid {
        self.channel.uuid().parse().unwrap_or_default()
    }

    /// Sends this many thousandths of what is to be sent; true if there was something.
    fn send(&mut self, thousandths: usize) -> bool {
        let Some(bytes) = self.process.as_mut().and_then(|process| process.session.transmit())
        else {
            return false;
        };
        let bytes = &bytes[..bytes.len() * thousandths / 1_000];
        self.sent.extend_from_slice(bytes);
        self.channel.receive(bytes, self.now);
        true
    }

    /// Either side may close.
    fn close(&mut self) {
        let Some(process) = &mut self.process else { return };
        if process.session.is_closed() {
            self.channel.closed(self.now);
        } else if self.channel.is_closed() {
            process.session.link_lost(self.now);
            self.tell();
        }
    }

    /// One input, and what may go wrong with it.
    fn hear(&mut self, stimulus: Stimulus) {
        if self.process.is_none() {
            return;
        }
        self.inputs += 1;
        let trouble = self.troubles.iter().position(|trouble| trouble.input == self.inputs);
        let trouble = trouble.map(|at| self.troubles.swap_remove(at));
        let key = matches!(&stimulus, Stimulus::Bytes(bytes) if is_key(bytes));
        let lost = trouble.is_some_and(|trouble| match trouble.blow {
            Blow::Killed(Reached::Nothing) => true,
            Blow::Killed(Reached::Sent(thousandths)) => thousandths < 1_000,
            Blow::Cut | Blow::Stops(_) | Blow::SwitchLost => false,
        });
        let has_it = self.process.as_ref().is_some_and(|process| !process.gave);
        self.keys += usize::from(key && !lost && has_it);
        if let Some(trouble) = trouble {
            self.next = trouble.next;
            if trouble.blow != Blow::Killed(Reached::Nothing) {
                self.take_in(stimulus);
            }
            return self.strike(trouble.blow);
        }
        self.take_in(stimulus);
        self.send(1_000);
        self.tell();
    }

    fn take_in(&mut self, stimulus: Stimulus) {
        let Some(Process { session, settings, gave: _ }) = &mut self.process else { return };
        match stimulus {
            Stimulus::Bytes(bytes) => {
                session.buffer().extend_from_slice(&bytes);
                session.received(self.now, settings, self.router);
            }
            Stimulus::Answer(id, answer) => session.answer(id, answer, self.now),
            Stimulus::Command(command) => session.command(command.into(), self.now),
            Stimulus::News(news) => session.news(&news, self.now),
            Stimulus::FarGone(channel) => session.far_gone(channel, self.now),
            Stimulus::Tick => session.tick(self.now),
        }
    }

    fn strike(&mut self, blow: Blow) {
        match blow {
            Blow::Killed(reached) => {
                if let Reached::Sent(thousandths) = reached {
                    self.send(thousandths.into());
                }
                self.process = None;
                self.processes += 1;
                self.channel.closed(self.now);
            }
            Blow::Cut => {
                self.send(1_000);
                self.channel.closed(self.now);
                if let Some(process) = &mut self.process {
                    process.session.link_lost(self.now);
                }
                self.tell();
                self.process = None;
            }
            Blow::Stops(when) => {
                if let Some(process) = &mut self.process {
                    process.session.hand_over(when, self.now);
                }
                self.send(1_000);
                self.tell();
                return;
            }
            Blow::SwitchLost => {
                self.next = NextProcess::Refuses(u8::MAX);
                self.channel.hang_up(crate::base::cause::HangupCause::NormalClearing, self.now);
                self.channel.closed(self.now);
                if let Some(process) = &mut self.process {
                    process.session.link_lost(self.now);
                }
                self.tell();
            }
        }
        self.left();
    }

    /// The call is nobody's.
    fn left(&mut self) {
        self.look_for_end();
        self.end = self.end.map(|_| false);
        self.answers.clear();
        self.blows.push(self.now.mono_ms);
    }

    fn tell(&mut self) {
        while let Some(offer) = self.process.as_mut().and_then(|process| process.session.poll()) {
            match offer {
                Offer::Query(id, query) => self.asked(id, query),
                Offer::Note(_, entry) => {
                    if let What::StepEntered { step, .. } = &entry.what {
                        self.caller.entered_step(step.as_str());
                    }
                    self.told.timeline.push(*entry);
                }
                Offer::Ended(record) => self.told.records.push(*record),
                Offer::Refused(reason) => self.told.refused = Some(reason),
                Offer::Adrift(running) => {
                    self.told.adrift += 1;
                    self.stray(running);
                }
                Offer::HandedOver => {
                    self.told.handed_over += 1;
                    self.processes += 1;
                    if let Some(process) = &mut self.process {
                        process.gave = true;
                    }
                    self.left();
                }
                Offer::Begun(_) => self.came_back(),
                Offer::Answered(obeyed) => self.answered(obeyed),
                Offer::Recording(_, note) => self.beside.recordings.push(*note),
                Offer::Follow(channel, heed) => self.follow(channel, heed),
                Offer::Discard(..) | Offer::Audit(_) | Offer::TurnedAway(_) => {}
            }
        }
    }

    fn asked(&mut self, id: QueryId, query: Query) {
        match query {
            Query::Http(request) => self.ask(id, *request),
            Query::Room(_) => self.find_room(id),
            Query::Park(query) => self.find_slot(id, &query.ask),
            Query::Admit(_) => {
                let at_ms = self.now.mono_ms + ROOM_MS;
                self.answers.insert((at_ms, id), Answer::Admit(AdmitFound::Admitted));
            }
            Query::Outbound(query) if query.is_told() => {}
            Query::Outbound(_) => {
                let at_ms = self.now.mono_ms + ROOM_MS;
                let found = OutboundFound::Unknown;
                self.answers.insert((at_ms, id), Answer::Outbound(found));
            }
            Query::Spoken(_) => {
                let words = Answer::Spoken(Ok(vec![WORD.to_owned()]));
                self.answers.insert((self.now.mono_ms + ROOM_MS, id), words);
            }
            Query::Queue(query) => {
                let found = self.line.ask(&query, &self.script.queue, self.now.mono_ms);
                if !query.is_told() {
                    let at_ms = self.now.mono_ms + ROOM_MS;
                    self.answers.insert((at_ms, id), Answer::Queue(found));
                }
            }
        }
    }

    fn find_room(&mut self, id: QueryId) {
        let room = &self.script.room;
        let here = Some(RoomFacts { locked: room.locked, recorded: false, members: room.members });
        let found = RoomFound { here, elsewhere: room.elsewhere.clone(), known: true };
        self.answers.insert((self.now.mono_ms + ROOM_MS, id), Answer::Room(found));
    }

    /// All slots are the caller's: nobody else is in one, who could be taken.
    fn find_slot(&mut self, id: QueryId, ask: &ParkAsk) {
        let found = match ask {
            ParkAsk::Reserve { slots, wanted, .. } => {
                let slot = wanted.unwrap_or(slots.first());
                self.slot = Some(slot);
                ParkFound::In(slot)
            }
            ParkAsk::Open => self.slot.map_or(ParkFound::Out(None), ParkFound::In),
            ParkAsk::Leave | ParkAsk::Free => {
                self.slot = None;
                ParkFound::Out(self.taker.take())
            }
            ParkAsk::Take { .. } => ParkFound::Empty,
        };
        self.answers.insert((self.now.mono_ms + ROOM_MS, id), Answer::Park(found));
    }

    /// The script's answer whose address is the longest beginning of the request's.
    fn ask(&mut self, id: QueryId, request: HttpRequest) {
        let url = request.url.reveal();
        let matching = self.script.http.iter().filter(|(start, _)| url.starts_with(start.as_str()));
        let best = matching.max_by_key(|(start, _)| start.len());
        let (after, answer) = match best {
            Some((_, canned)) => {
                let json = canned.json.as_ref().map(ToString::to_string);
                let body = json.or_else(|| canned.body.clone()).unwrap_or_default();
                let late = canned.after > request.timeout;
                let long = body.len() > usize::try_from(request.max_bytes).unwrap_or(usize::MAX);
                let answer = match (late, long) {
                    (true, _) => Err(HttpFailure::TimedOut),
                    (false, true) => Err(HttpFailure::TooLong(request.max_bytes)),
                    (false, false) => {
                        Ok(HttpAnswer { status: canned.status, body: body.into_bytes() })
                    }
                };
                (canned.after.min(request.timeout), answer)
            }
            None => {
                let why = "the script has no answer for this address".into();
                (Millis(0), Err(HttpFailure::Unreachable(why)))
            }
        };
        self.told.requests.push(request);
        let at_ms = self.now.mono_ms.saturating_add(after.ms());
        self.answers.insert((at_ms, id), Answer::Http(answer));
    }
}

impl std::fmt::Debug for Simulation<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Simulation")
            .field("now", &self.now)
            .field("process", &self.process)
            .finish_non_exhaustive()
    }
}

/// Runs one script to its end.
pub fn simulate(
    script: Arc<Script>,
    router: &dyn Router,
    settings: &Settings,
    start: Timestamp,
) -> Outcome {
    Simulation::new(script, router, settings, start, 1).finish()
}

fn identity(seed: u64, of: u64) -> Uuid {
    Uuid::from_u128(u128::from(seed) << 64 | 0x8000_0000_0000_0000 | u128::from(of))
}
