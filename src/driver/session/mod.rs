//! One call from its connection's first byte to its last, without the connection: bytes, answers
//! and time come in; bytes, queries and what is to be kept come out.
//!
//! **How to drive it.** Feed `buffer` and call `received`, or any other input; write what
//! `transmit` gives in one go; take `poll` until it gives nothing; come back at `deadline`.
//!
//! A session always ends: with the call, with a notice, with the end of the stream, or when a wait
//! has lasted too long.

mod doubt;
mod greeting;
mod leaving;
mod origin;
mod outputs;
pub mod running;
mod timed;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use tokio::sync::watch;

use doubt::Doubt;
use origin::Origin;
use running::{Joined, Running};

use super::registry::Heed;
use super::seal::{KeyError, Keys};
use super::translate::arrival::Inquiry;
use super::translate::dial::Outlet;
use super::translate::{SUBSCRIBED, event, far, hangup_cause, hung_up_by_caller, refers, replaced};
use crate::base::cause::HangupCause;
use crate::base::ids::{CallId, ChannelId, CoreId, FlowName, InstanceId, PromptName, TenantId};
use crate::base::millis::Millis;
use crate::base::now::Now;
use crate::call::admission::Arriving;
use crate::call::input::{Answer, Event, FarNews, Input, Ordered};
use crate::call::output::{ActionId, Query, QueryId};
use crate::esl;
use crate::esl::argument::Word;
use crate::esl::command::Command;
use crate::esl::conversation::Conversation;
use crate::esl::event::EventName;
use crate::esl::happening::{Happening, Ticket};
use crate::esl::token::ExecuteId;
use crate::flow::program::{self, Program, PromptFile};
use crate::model::admission::Rule;
use crate::model::audit::AuditEntry;
use crate::model::live::LiveCall;
use crate::model::record::{CallRecord, RecordingNote};
use crate::model::sip::MediaEncryption;
use crate::model::timeline::Entry;

/// How long FreeSWITCH keeps the connection open after the call's end, in seconds. We leave as soon
/// as the end is complete.
const LINGER_S: u32 = 10;
/// How long FreeSWITCH may take to answer `connect`.
const GREETING_MS: u64 = 30_000;
/// How long the details of a hang-up are waited for: who hung up is told after the hang-up itself.
const PARTING_MS: u64 = 1_000;
/// How long the connection may last after the call's record is complete.
const ENDING_MS: u64 = 5_000;
/// Why a process that is about to stop does not take a call.
pub const DRAINING: &str = "draining";
/// Inputs that one input may lead to: more are a fault of ours.
const ROUNDS_MAX: usize = 10_000;

/// Finds the flow for a call; never waits.
pub trait Router {
    /// # Errors
    /// A word for the variable `callwright_refused`.
    fn route(&self, inquiry: &Inquiry) -> Result<Arc<Program>, String>;

    /// The same, with what the tenant's rules say to it.
    ///
    /// # Errors
    /// A word for the variable `callwright_refused`.
    fn arrive(&self, inquiry: &Inquiry) -> Result<Arriving, String> {
        self.route(inquiry).map(Arriving::plain)
    }

    /// The program of a call that began elsewhere, with the versions that it keeps.
    ///
    /// # Errors
    /// A word for the variable `callwright_refused`.
    fn program(
        &self,
        tenant: TenantId,
        main: &FlowName,
        versions: &BTreeMap<FlowName, u32>,
    ) -> Result<Arc<Program>, String>;

    /// The flow to which a number of the tenant leads for the tenant's own phones; none where it
    /// has no such number.
    ///
    /// # Errors
    /// A word for what is wrong with the flow.
    fn leads(&self, tenant: TenantId, dialed: &str) -> Result<Option<Arc<Program>>, String> {
        let _ = (tenant, dialed);
        Ok(None)
    }

    /// The program of a call that we place: of a flow that is live, or none.
    ///
    /// # Errors
    /// There is no such flow, in words.
    fn live(&self, tenant: TenantId, flow: Option<&FlowName>) -> Result<Arc<Program>, String> {
        let _ = (tenant, flow);
        Err("no calls are placed here".to_owned())
    }

    /// What a tenant has laid down for its calls; none where there is no such tenant.
    fn around(&self, tenant: TenantId) -> Option<Around> {
        let _ = tenant;
        None
    }
}

/// Every call runs the same program.
impl Router for Arc<Program> {
    fn route(&self, _: &Inquiry) -> Result<Self, String> {
        Ok(Self::clone(self))
    }

    fn program(
        &self,
        _: TenantId,
        _: &FlowName,
        _: &BTreeMap<FlowName, u32>,
    ) -> Result<Self, String> {
        Ok(Self::clone(self))
    }

    fn live(&self, _: TenantId, _: Option<&FlowName>) -> Result<Self, String> {
        Ok(Self::clone(self))
    }
}

/// What a tenant's calls find around them.
#[derive(Debug, Clone)]
pub struct Around {
    pub settings: program::Settings,
    pub prompts: BTreeMap<PromptName, PromptFile>,
}

/// What a session has for the world.
#[derive(Debug)]
pub enum Offer {
    /// Its answer is wanted.
    Query(QueryId, Query),
    /// The call has found its flow, or has come back.
    Begun(Box<LiveCall>),
    Note(TenantId, Box<Entry>),
    /// Who listened to whom, as far as it is known now.
    Audit(Box<AuditEntry>),
    /// The command that was heard last is done, or why not.
    Answered(Result<(), String>),
    /// How much is to be told of another channel, by [`Session::news`].
    Follow(ChannelId, Heed),
    /// A recording has begun or ended.
    Recording(TenantId, Box<RecordingNote>),
    /// A recording of which nothing is to be kept after some time.
    Discard(String, Millis),
    /// The call's record; exactly one for each call that began.
    Ended(Box<CallRecord>),
    /// The call went back to the dialplan, and why.
    Refused(String),
    /// A rule of the tenant does not let the call in.
    TurnedAway(Rule),
    /// The call goes on without us: another process takes it, or finds it.
    HandedOver,
    /// The connection is gone, and the call may be up.
    Adrift(Box<Running>),
}

/// What all calls have in common.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The Sofia profile through which SIP addresses are dialed.
    pub profile: Word,
    /// What that profile asks of their sound.
    pub encryption: watch::Receiver<MediaEncryption>,
    /// The dialplan's context into which calls come that we place.
    pub context: Word,
    /// What seals the state of calls on their channels.
    pub keys: Arc<Keys>,
    /// This process.
    pub instance: InstanceId,
}

impl Settings {
    /// Settings of a process that shares no calls with another.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn alone(profile: Word) -> Result<Self, KeyError> {
        let keys = Arc::new(Keys::ephemeral()?);
        let instance = InstanceId(uuid::Uuid::nil());
        let (_, encryption) = watch::channel(MediaEncryption::default());
        Ok(Self { context: profile.clone(), profile, encryption, keys, instance })
    }

    /// How a call that begins now dials SIP addresses.
    pub(super) fn outlet(&self) -> Outlet {
        Outlet { profile: self.profile.clone(), encryption: *self.encryption.borrow() }
    }
}

/// One call and its conversation.
#[derive(Debug)]
pub struct Session {
    call: CallId,
    talk: Conversation,
    phase: Phase,
    offers: VecDeque<Offer>,
    /// The FreeSWITCH of the call.
    core: Option<CoreId>,
    origin: Option<Box<Origin>>,
    faulty: bool,
    /// Whether the call is ours still, after the process stood still.
    doubt: Option<Box<Doubt>>,
    /// Commands whose failure the call hears; never more than are unanswered.
    heeded: Vec<(Ticket, ActionId)>,
    /// When the newest thing that FreeSWITCH finished was over, in microseconds since 1970.
    finished_us: Option<i64>,
}

/// How a session takes leave after a fault of ours.
#[derive(Debug)]
pub struct Leave {
    /// The last bytes for FreeSWITCH.
    pub bytes: Bytes,
    pub record: Option<Box<CallRecord>>,
}

#[derive(Debug)]
enum Phase {
    /// Until FreeSWITCH has told the call's facts.
    Greeting {
        refusal: Option<&'static str>,
        until_ms: u64,
    },
    Running(Box<Running>),
    /// The record is complete, or there will be none.
    Ending {
        until_ms: u64,
    },
    /// The channel is somebody else's. The connection stays until the call ends: closing it would
    /// take the channel out of the hands of the `socket` that it is in now (`mod_event_socket.c`
    /// listener_run clears CF_CONTROLLED whoever set it).
    Away,
    Closed,
}

/// The caller's leg is gone, and who ended it is not known yet.
#[derive(Debug, Clone, Copy)]
struct Parting {
    cause: HangupCause,
    until_ms: u64,
}

impl Session {
    /// A connection that was just accepted. With `refusal` the call goes back to the dialplan at
    /// once.
    pub fn new(call: CallId, refusal: Option<&'static str>, now: Now) -> Self {
        let mut talk = Conversation::new();
        // Nothing here waits for anything before it: one write, and FreeSWITCH is not kept waiting.
        let greeting = [Command::Connect, Command::Linger(LINGER_S)];
        for command in greeting.into_iter().chain(Command::subscribe(SUBSCRIBED.to_vec())) {
            // A new conversation has room, and these commands hold no value of anybody's.
            let _ = talk.send(&command);
        }
        let until_ms = now.mono_ms.saturating_add(GREETING_MS);
        let phase = Phase::Greeting { refusal, until_ms };
        Self {
            call,
            talk,
            phase,
            offers: VecDeque::new(),
            core: None,
            origin: None,
            faulty: false,
            doubt: None,
            finished_us: None,
            heeded: Vec::new(),
        }
    }

    pub const fn id(&self) -> CallId {
        self.call
    }

    /// The FreeSWITCH that has the call, once it has told.
    pub const fn core(&self) -> Option<CoreId> {
        self.core
    }

    /// The place to read into, when there is something to read.
    pub fn buffer(&mut self) -> &mut BytesMut {
        self.talk.buffer()
    }

    /// Hears what was read into `buffer`.
    pub fn received(&mut self, now: Now, settings: &Settings, router: &dyn Router) {
        while let Some(happening) = self.next_happening(now) {
            self.happen(happening, now, settings, router);
        }
    }

    /// Hears an answer to a query.
    pub fn answer(&mut self, id: QueryId, answer: Answer, now: Now) {
        if self.doubt.is_some() {
            return;
        }
        self.input(Input::Answer(id, answer), now);
    }

    /// Hears an operator.
    pub fn command(&mut self, ordered: Ordered, now: Now) {
        if self.doubt.is_some() {
            let why = "the process has just woken and does not know the call".to_owned();
            return self.offers.push_back(Offer::Answered(Err(why)));
        }
        self.input(Input::Command(ordered), now);
    }

    /// Hears of another channel than the caller's, of which the connection tells nothing.
    pub fn news(&mut self, news: &esl::event::Event, now: Now) {
        let Phase::Running(running) = &self.phase else { return };
        if news.unique_id().is_none_or(|channel| channel == running.channel) {
            return;
        }
        if let Some(event) = far(news) {
            self.hear(vec![event], now);
        }
    }

    /// Another channel is gone; how, nobody saw.
    pub fn far_gone(&mut self, channel: ChannelId, now: Now) {
        let news = FarNews::HungUp(HangupCause::NormalUnspecified);
        self.hear(vec![Event::Far { channel, news }], now);
    }

    /// The connection is gone.
    pub fn link_lost(&mut self, now: Now) {
        self.talk.close();
        while let Some(happening) = self.talk.poll() {
            if let Happening::Disconnected(end) = happening {
                self.disconnected(&end.to_string(), now);
            }
        }
        self.phase = Phase::Closed;
    }

    /// Gives a call back to the dialplan that has not begun yet; others go on.
    pub fn decline(&mut self, reason: &'static str) {
        if let Phase::Greeting { refusal, .. } = &mut self.phase {
            refusal.get_or_insert(reason);
        }
    }

    /// The bytes to be written now.
    pub fn transmit(&mut self) -> Option<Bytes> {
        self.talk.transmit()
    }

    /// What the world is to know or do next.
    pub fn poll(&mut self) -> Option<Offer> {
        let offer = self.offers.pop_front();
        if offer.is_none() && self.offers.capacity() > 0 {
            // A call that waits holds no empty room.
            self.offers = VecDeque::new();
        }
        offer
    }

    /// Whether nothing more comes, and the connection may be closed.
    pub fn is_closed(&self) -> bool {
        matches!(self.phase, Phase::Closed)
    }

    /// Whether a fault of ours was found: nothing but `leave` makes sense any more.
    pub const fn is_faulty(&self) -> bool {
        self.faulty
    }

    pub const fn found_faulty(&mut self) {
        self.faulty = true;
    }

    /// When `tick` has something to do, on the clock of `Now::mono_ms`.
    pub fn deadline(&self) -> Option<u64> {
        if let Some(doubt) = &self.doubt {
            return Some(doubt.until_ms);
        }
        match &self.phase {
            Phase::Greeting { until_ms, .. } | Phase::Ending { until_ms } => Some(*until_ms),
            Phase::Running(running) => running.deadline(),
            Phase::Away | Phase::Closed => None,
        }
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Now) {
        if self.doubt.as_ref().is_some_and(|doubt| doubt.until_ms <= now.mono_ms) {
            self.give_up_doubt(now);
        }
        if self.doubt.is_some() {
            return;
        }
        match &mut self.phase {
            Phase::Greeting { until_ms, .. } | Phase::Ending { until_ms } => {
                if *until_ms <= now.mono_ms {
                    self.phase = Phase::Closed;
                }
            }
            Phase::Running(running) => {
                if let Some(parting) = running.parting {
                    if parting.until_ms <= now.mono_ms {
                        self.hung_up(parting.cause, None, now);
                    }
                    return;
                }
                let mut commands = running.desk.tick(now.mono_ms);
                commands.extend(running.unguard(false, now));
                self.say(&commands);
                self.tick_call(now);
            }
            Phase::Away | Phase::Closed => {}
        }
    }

    fn tick_call(&mut self, now: Now) {
        for _ in 0..ROUNDS_MAX {
            let Phase::Running(running) = &self.phase else { return };
            match running.call.poll_timeout() {
                Some((due_ms, _)) if due_ms <= now.mono_ms => self.input(Input::Timeout, now),
                Some(_) | None => return,
            }
        }
    }

    fn happen(&mut self, happening: Happening, now: Now, settings: &Settings, router: &dyn Router) {
        match happening {
            Happening::Connected { event, .. } => self.connected(&event, now, settings, router),
            Happening::Completed { id, event } => {
                self.finished_us = event.header("Event-Date-Timestamp").and_then(|at| at.number());
                self.unguard(now);
                if self.look_for_transfer(&event, now) {
                    return;
                }
                if let Phase::Running(running) = &mut self.phase {
                    match &running.parting {
                        Some(parting) => {
                            let cause = parting.cause;
                            self.part(&event, cause, now);
                        }
                        None => {
                            let turn = running.desk.completed(id, &event);
                            self.turn(None, turn, now);
                        }
                    }
                } else if id == REFUSAL {
                    self.say(&[Command::Exit]);
                }
            }
            Happening::Lost { id, stage } => {
                if let Phase::Running(running) = &mut self.phase
                    && running.parting.is_none()
                {
                    let events = running.desk.lost(id, stage);
                    self.hear(events, now);
                }
            }
            Happening::Event(event) => {
                if event.name() == EventName::ChannelBridge {
                    self.unguard(now);
                }
                if !self.look_for_transfer(&event, now) {
                    self.event(&event, now);
                }
            }
            Happening::Disconnected(end) => self.disconnected(&end.to_string(), now),
            Happening::JobDone { job, event } => {
                if let Phase::Running(running) = &mut self.phase {
                    let failed = running.desk.job_done(job, event.body());
                    self.hear(failed.into_iter().collect(), now);
                }
            }
            Happening::Output { ticket, output } => self.answered(ticket, &output, now),
            Happening::Started { .. }
            | Happening::Replied { .. }
            | Happening::Unanswered { .. }
            | Happening::Lingering { .. } => {}
        }
    }

    /// A call hears whether an order of its was carried out, if it waits for that.
    fn answered(&mut self, ticket: Ticket, output: &[u8], now: Now) {
        let at = self.heeded.iter().position(|(heeded, _)| *heeded == ticket);
        let Some((_, id)) = at.map(|at| self.heeded.swap_remove(at)) else { return };
        let event = match output.strip_prefix(b"-ERR") {
            Some(why) => Event::Refused(id, String::from_utf8_lossy(why).trim().to_owned()),
            None => Event::Obeyed(id),
        };
        self.hear(vec![event], now);
    }

    fn unguard(&mut self, now: Now) {
        if let Phase::Running(running) = &mut self.phase {
            let cancel = running.unguard(true, now);
            self.say(cancel.as_slice());
        }
    }

    /// A REFER, or another program, may take the caller's leg away while we hold its connection.
    /// From then on nothing of ours may touch it.
    /// True where there is nothing more in these news.
    fn look_for_transfer(&mut self, news: &esl::event::Event, now: Now) -> bool {
        let Phase::Running(running) = &mut self.phase else { return false };
        // FreeSWITCH takes even a leg that is gone to where it was to go after its conversation
        // (`switch_ivr_bridge.c` switch_ivr_multi_threaded_bridge).
        if running.left || running.parting.is_some() || !moved(running, news) {
            return false;
        }
        let taker = news.other_leg().filter(|_| running.joined == Joined::Lent);
        match (running.joined, taker) {
            (Joined::Never | Joined::Lent, None) | (Joined::Never, _) => {}
            // `uuid_bridge` gives it another profile at once (`switch_ivr_bridge.c`).
            (Joined::Ordered, _) => {
                running.joined = Joined::Since;
                running.profile = profile(news);
                return false;
            }
            // What plays is cut off by it: the call hears first why.
            (Joined::Lent, Some(other)) => {
                running.joined = Joined::Since;
                running.profile = profile(news);
                self.offers.push_back(Offer::Follow(other.clone(), Heed::Holds));
                self.hear(vec![Event::Bridged { other, target: None }], now);
                return false;
            }
            // Its dialplan brings it back, on another connection, unless it ends before.
            (Joined::Since, _) => {
                self.brought_back();
                return false;
            }
        }
        if running.is_referred(news) {
            self.brought_back();
            return false;
        }
        if let Some(Event::Replaced { other, party }) = replaced(news) {
            running.joined = Joined::Since;
            running.profile = profile(news);
            running.replaced = Some(other.clone());
            self.hear(vec![Event::Replaced { other, party }], now);
            return true;
        }
        running.left = true;
        running.taken = true;
        let to = news.header("Caller-Destination-Number");
        let to = to.map(|to| to.text().into_owned()).unwrap_or_default();
        self.hear(vec![Event::TakenAway { to }], now);
        false
    }

    fn event(&mut self, news: &esl::event::Event, now: Now) {
        let name = news.name();
        let Phase::Running(running) = &mut self.phase else {
            if name == EventName::ChannelHangupComplete {
                self.say(&[Command::Exit]);
            }
            return;
        };
        if news.unique_id().is_some_and(|channel| channel != running.channel) {
            return;
        }
        match (name, running.parting) {
            (EventName::ChannelHangupComplete, _) => {
                let cause = hangup_cause(news);
                self.hung_up(cause, hung_up_by_caller(news), now);
                self.say(&[Command::Exit]);
            }
            (EventName::RecordStop, Some(parting)) => {
                if let Some(event) = event(news) {
                    self.hear(vec![event], now);
                }
                self.part(news, parting.cause, now);
            }
            (_, Some(parting)) => self.part(news, parting.cause, now),
            (EventName::ChannelHangup, None) => {
                let free = running.desk.parted();
                let until_ms = now.mono_ms.saturating_add(PARTING_MS);
                let referral = refers(news);
                running.parting = Some(Parting { cause: hangup_cause(news), until_ms });
                self.say(free.as_slice());
                self.hear(referral.into_iter().collect(), now);
            }
            (_, None) => {
                let Some(event) = event(news) else { return };
                if let Event::Bridged { other, .. } = &event {
                    let commands = running.desk.joined(other);
                    self.offers.push_back(Offer::Follow(other.clone(), Heed::Holds));
                    self.say(&commands);
                }
                self.hear(vec![event], now);
            }
        }
    }

    /// After the hang-up, the first event that says who hung up decides.
    fn part(&mut self, news: &esl::event::Event, cause: HangupCause, now: Now) {
        if let Phase::Running(running) = &self.phase
            && running.call.is_recorded()
        {
            // The recording's end is still to come, just before the end of all.
            return;
        }
        if let Some(by_caller) = hung_up_by_caller(news) {
            self.hung_up(cause, Some(by_caller), now);
        }
    }

    fn hung_up(&mut self, cause: HangupCause, by_caller: Option<bool>, now: Now) {
        self.hear(vec![Event::HungUp { cause, by_caller }], now);
    }

    fn input(&mut self, input: Input, now: Now) {
        if let Phase::Running(running) = &mut self.phase {
            running.call.handle(input, now);
            self.drain(now);
        }
    }

    fn hear(&mut self, events: Vec<Event>, now: Now) {
        for event in events {
            self.input(Input::Event(event), now);
        }
    }

    /// Sends what may be lost: the connection's end, or a limit of it, ends the call anyway.
    fn say(&mut self, commands: &[Command]) {
        for command in commands {
            if let Err(error) = self.talk.send(command) {
                tracing::debug!(call = %self.call, %error, "a command was not sent");
            }
        }
    }
}

/// The execute that tells the dialplan why a call comes back; no order has the number 0.
const REFUSAL: ExecuteId = ExecuteId(0);

/// Whether this event of the caller's leg comes after a transfer.
fn moved(running: &Running, news: &esl::event::Event) -> bool {
    let own = news.unique_id().is_some_and(|channel| channel == running.channel);
    let other = profile(news).filter(|profile| running.profile.as_ref() != Some(profile));
    own && running.profile.is_some() && other.is_some()
}

/// Which of its profiles a channel has: each transfer counts on (`switch_channel.c`
/// switch_channel_set_caller_profile).
fn profile(event: &esl::event::Event) -> Option<String> {
    event.header("Caller-Profile-Index").map(|index| index.text().into_owned())
}
