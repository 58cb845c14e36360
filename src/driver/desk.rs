//! What a call has ordered and FreeSWITCH has not finished: orders become commands, completions
//! become the call's events.
//!
//! Applications are queued with `event-lock`, so FreeSWITCH runs them one after another and at most
//! one at a time. Nothing here does I/O.

use std::collections::{BTreeMap, VecDeque};

use super::translate::dial::Outlet;
use super::translate::variables::{self, Former};
use super::translate::{dial, legs, media, room};
use crate::base::cause::HangupCause;
use crate::base::digits::Digits;
use crate::base::ids::ChannelId;
use crate::base::millis::Millis;
use crate::call::input::{Ending, Event, FarNews};
use crate::call::output::{Action, ActionId, DialOrder, Media, RecordOrder};
use crate::call::room::{JoinOrder, RoomOrder};
use crate::esl;
use crate::esl::application::Application;
use crate::esl::argument::{DialPart, FilePath, Refused, Why, Word};
use crate::esl::command::{Api, Command, Execute};
use crate::esl::event::EventName;
use crate::esl::happening::Stage;
use crate::esl::token::{ExecuteId, JobId};

/// Sounds of one order that FreeSWITCH has at once; the rest follows as these end.
const AHEAD_MAX: usize = 4;
/// Sounds in one order.
const SOUNDS_MAX: usize = 2_000;
/// How long a stop may take to be noticed before it is sent again: FreeSWITCH forgets one that
/// comes in the moment an application begins (`switch_core_session.c` switch_core_session_exec).
const STOP_AGAIN_MS: u64 = 200;
/// Legs that are being called at once; the oldest is forgotten for one more.
const CALLED_MAX: usize = 32;
/// How often it is sent again.
const STOPS_MAX: u8 = 20;

/// Where a recording's length is told; unset before each.
const RECORD_MS: &str = "record_ms";

/// The orders of one call.
#[derive(Debug)]
pub struct Desk {
    channel: ChannelId,
    outlet: Outlet,
    former: Former,
    tasks: BTreeMap<ActionId, Task>,
    /// Legs that are being called.
    called: BTreeMap<ActionId, ChannelId>,
    stopping: Option<Stopping>,
    /// The far end whose time is limited by a task of the switch.
    limited: Option<ChannelId>,
    /// Whether `say` has been told to take times as they are.
    utc: bool,
}

/// What an order leads to.
#[derive(Debug, Default)]
pub struct Turn {
    pub commands: Vec<Command>,
    pub events: Vec<Event>,
    /// A channel of which everything is told from now on, or nothing more.
    pub follow: Option<(ChannelId, bool)>,
    /// A recording to be removed, after some time.
    pub discard: Option<(String, Millis)>,
    /// The channel leaves our connection, and comes back on a new one.
    pub joins: bool,
    /// Another call may take the channel from now on, or no more.
    pub lent: Option<bool>,
    /// The channel leaves us: nothing more can be ordered.
    pub leaves: bool,
    /// The call hears whether FreeSWITCH did what the commands say.
    pub heeded: bool,
}

/// One order that has not ended.
#[derive(Debug)]
enum Task {
    Plain,
    Play(Box<Playing>),
    Record,
    Dial(Box<Dialing>),
}

#[derive(Debug)]
struct Playing {
    /// Not given to FreeSWITCH yet.
    waiting: VecDeque<(String, Application)>,
    /// With FreeSWITCH: names, in order.
    queued: VecDeque<(ExecuteId, String)>,
    next: u16,
}

#[derive(Debug)]
struct Dialing {
    execute: ExecuteId,
    time_limit_s: Option<u32>,
    joined: bool,
}

/// A stop that has not been seen to work.
#[derive(Debug)]
struct Stopping {
    action: ActionId,
    again_ms: u64,
    left: u8,
}

impl Desk {
    pub const fn new(channel: ChannelId, outlet: Outlet, former: Former) -> Self {
        let tasks = BTreeMap::new();
        let called = BTreeMap::new();
        Self { channel, outlet, former, tasks, called, stopping: None, limited: None, utc: false }
    }

    /// Takes an order.
    ///
    /// # Errors
    /// Something in it can't be carried safely; nothing of it is done.
    pub fn order(&mut self, id: ActionId, action: Action, now_ms: u64) -> Result<Turn, Refused> {
        Ok(match action {
            Action::Answer => self.plain(id, Application::Answer),
            Action::Ring => self.plain(id, Application::RingReady),
            Action::Play { media, stop_on } => self.play(id, &media, &stop_on)?,
            Action::Record(order) => self.record(id, &order)?,
            Action::Dial(order) => self.dial(id, &order)?,
            Action::Silence => self.silence(now_ms),
            Action::CancelDial => self.cancel_dial(now_ms),
            Action::SetVariables(all) => Turn::of(vec![variables::chosen(&self.channel, &all)?]),
            Action::Reject(reason) => Turn::of(vec![self.kill(reason.cause())]),
            Action::Hangup(cause) => Turn::of(vec![self.kill(cause)]),
            Action::Transfer { extension, context } => self.transfer(&extension, &context)?,
            Action::Enter { channel, order } => Turn::of(room::enter(channel, &order)?),
            Action::JoinRoom(order) => self.join(id, &order)?,
            Action::Room { room, order, by } => self.in_room(&room, &order, by.as_ref())?,
            Action::Originate(order) => {
                let (outlet, away) = (&self.outlet, self.former.transfers());
                let api = legs::originate(&order, &self.channel, outlet, away)?;
                self.aside(id, order.channel, api)
            }
            Action::Relay { channel, from, to } => {
                let api = legs::relay(channel.clone(), from, to);
                self.aside(id, channel, api)
            }
            Action::RecordCall { path, change } => {
                let (channel, path) = (self.channel.clone(), FilePath::new(&path)?);
                let change = media::change(change);
                Turn { heeded: true, ..Turn::api(Api::Record { channel, change, path }) }
            }
            Action::SendKeys { channel, keys, length } => {
                let api = Api::SendDtmf { channel, keys, key_ms: length.ms() };
                Turn { heeded: true, ..Turn::api(api) }
            }
            Action::Overlay { media, far } => {
                let hearers = std::iter::once(self.channel.clone()).chain(far);
                Turn::of(legs::overlay(hearers, &media)?)
            }
            Action::Join { other, keep } => self.join_channel(&other, keep)?,
            Action::Return { other } => self.stay_joined(&other)?,
            Action::Take { other } => self.take_channel(&other)?,
            Action::Lend(on) => self.lend(on)?,
            Action::Dismiss { channel, said } => Turn::api(legs::dismiss(channel, &said)?),
            Action::Connect { one, other, keep } => Turn::of(legs::connect(&one, &other, keep)),
            Action::Hold { held, other, on, music, reminder } => {
                Turn::of(legs::hold([&held, &other], on, &music, reminder)?.into())
            }
            Action::AskBack { channel } => Turn::api(Api::PhoneTalk { channel }),
            Action::Await { channel, sound } => {
                Turn::api(Api::Await { channel, sound: media::sound(&sound)? })
            }
            Action::Drop { channel, cause } => Turn::api(Api::Kill { channel, cause }),
            Action::Limit { channel, length } => Turn::api(legs::limit(channel, length)),
            Action::Eavesdrop { channel, target, speaks } => {
                Turn::api(Api::Eavesdrop { channel, eavesdrop: legs::eavesdrop(target, speaks) })
            }
            Action::PickUp => Turn::api(Api::Answer { channel: self.channel.clone() }),
            Action::Tell { channel, media } => Turn::api(legs::tell(channel, &media)?),
            Action::Beep { channel } => Turn::api(legs::beep(channel)),
            // Who has the keys does these.
            Action::Tie { .. } | Action::Bring { .. } | Action::Place(_) => Turn::default(),
            Action::Follow { channel, on } => {
                Turn { follow: Some((channel, on)), ..Turn::default() }
            }
            Action::Release { refused } => self.release(&refused),
            Action::Discard { path, after } => {
                Turn { discard: Some((path, after)), ..Turn::default() }
            }
        })
    }

    /// How SIP addresses are dialed.
    pub const fn outlet(&self) -> &Outlet {
        &self.outlet
    }

    /// Whether FreeSWITCH has this order.
    pub fn has(&self, id: ActionId) -> bool {
        self.tasks.contains_key(&id)
    }

    /// Whether FreeSWITCH has nothing to do for us.
    pub fn is_idle(&self) -> bool {
        self.tasks.is_empty()
    }

    /// Hangs the channel up at once, whatever runs.
    pub fn kill(&self, cause: HangupCause) -> Command {
        Command::Api(Api::Kill { channel: self.channel.clone(), cause })
    }

    /// Calls `channel` into being; whether that fails is told later.
    fn aside(&mut self, id: ActionId, channel: ChannelId, api: Api) -> Turn {
        self.called.insert(id, channel);
        if self.called.len() > CALLED_MAX {
            self.called.pop_first();
        }
        Turn::of(vec![Command::BackgroundApi { job: JobId(id.0.into()), api }])
    }

    /// Whether this order calls a leg, and what became of it is not known yet.
    pub fn is_calling(&self, id: ActionId) -> bool {
        self.called.contains_key(&id)
    }

    /// A job of ours has ended.
    pub fn job_done(&mut self, job: JobId, output: &[u8]) -> Option<Event> {
        let id = ActionId(u32::try_from(job.0).ok()?);
        let failed = output.strip_prefix(b"-ERR");
        let why = failed.map(|why| String::from_utf8_lossy(why).trim().to_owned());
        self.called(id, &why.map_or(Ok(()), Err))
    }

    /// What became of a leg that was called: only a failure tells something new.
    pub fn called(&mut self, id: ActionId, came: &Result<(), String>) -> Option<Event> {
        let channel = self.called.remove(&id)?;
        let cause = HangupCause::named(came.as_ref().err()?);
        Some(Event::Far { channel, news: FarNews::HungUp(cause) })
    }

    fn plain(&mut self, id: ActionId, application: Application) -> Turn {
        self.tasks.insert(id, Task::Plain);
        Turn::of(vec![execute(id, 0, application)])
    }

    fn play(&mut self, id: ActionId, sounds: &[Media], stop_on: &Digits) -> Result<Turn, Refused> {
        if sounds.len() > SOUNDS_MAX {
            return Err(Refused { argument: "list of sounds", why: Why::TooMany(SOUNDS_MAX) });
        }
        let applications = sounds.iter().map(|medium| {
            let name = if let Media::File { name, .. } = medium { name.as_str() } else { "" };
            Ok((name.to_owned(), media::application(medium, stop_on)?))
        });
        let waiting = applications.collect::<Result<VecDeque<_>, Refused>>()?;
        let mut turn = Turn::default();
        if !self.utc && sounds.iter().any(media::speaks_time) {
            self.utc = true;
            turn.commands.push(variables::speak_utc(&self.channel));
        }
        let mut playing = Playing { waiting, queued: VecDeque::new(), next: 0 };
        playing.give(id, &mut turn.commands);
        if playing.queued.is_empty() {
            turn.events.push(Event::Done(id, Ending::Finished));
        } else {
            self.tasks.insert(id, Task::Play(Box::new(playing)));
        }
        Ok(turn)
    }

    fn join(&mut self, id: ActionId, order: &JoinOrder) -> Result<Turn, Refused> {
        let settings = room::settings(&self.channel, order)?;
        let application = Application::Conference(room::join(order)?);
        self.tasks.insert(id, Task::Plain);
        Ok(Turn::of(vec![settings, execute(id, 0, application)]))
    }

    fn in_room(
        &self,
        room: &str,
        order: &RoomOrder,
        by: Option<&ChannelId>,
    ) -> Result<Turn, Refused> {
        Ok(Turn::api(room::order(room, order, by.unwrap_or(&self.channel))?))
    }

    fn record(&mut self, id: ActionId, order: &RecordOrder) -> Result<Turn, Refused> {
        let application = media::recording(order)?;
        self.tasks.insert(id, Task::Record);
        let forget = variables::unset(&self.channel, RECORD_MS);
        Ok(Turn::of(vec![forget, execute(id, 0, application)]))
    }

    fn dial(&mut self, id: ActionId, order: &DialOrder) -> Result<Turn, Refused> {
        let execute = execute_id(id, 0);
        let settings = dial::settings(&self.channel, order)?;
        let application = dial::bridge(order, execute, &self.outlet, self.former.transfers())?;
        let limit = |limit: Millis| u32::try_from(limit.whole_seconds());
        let time_limit_s = order.time_limit.and_then(|length| limit(length).ok());
        let dialing = Dialing { execute, time_limit_s, joined: false };
        self.tasks.insert(id, Task::Dial(Box::new(dialing)));
        Ok(Turn::of(vec![settings, Command::Execute(Execute::new(execute, application))]))
    }

    /// Stops the oldest sound or recording, which is the one that runs, and forgets the others.
    fn silence(&mut self, now_ms: u64) -> Turn {
        let audible = |task: &Task| matches!(task, Task::Play(_) | Task::Record);
        let mut stopped = self.tasks.iter().filter(|(_, task)| audible(task)).map(|(id, _)| *id);
        let Some(running) = stopped.next() else { return Turn::default() };
        let forgotten: Vec<_> = stopped.collect();
        let mut turn = Turn::of(vec![self.stop(true)]);
        for id in forgotten {
            self.tasks.remove(&id);
            turn.events.push(Event::Done(id, Ending::Finished));
        }
        if let Some(Task::Play(playing)) = self.tasks.get_mut(&running) {
            playing.waiting.clear();
            playing.queued.truncate(1);
        }
        self.stopping = Some(Stopping::of(running, now_ms));
        turn
    }

    fn stop(&self, all: bool) -> Command {
        Command::Api(Api::Break { channel: self.channel.clone(), all })
    }

    /// Hangs up whoever is being dialed: nothing else ends an `originate` that waits
    /// (`switch_ivr_originate.c` check_channel_status).
    fn cancel_dial(&mut self, now_ms: u64) -> Turn {
        let dial = self.tasks.iter().find_map(|(id, task)| match task {
            Task::Dial(dialing) => Some((*id, dialing.execute)),
            Task::Plain | Task::Play(_) | Task::Record => None,
        });
        let Some((id, execute)) = dial else { return Turn::default() };
        self.stopping = Some(Stopping::of(id, now_ms));
        Turn::of(vec![cancel(execute)])
    }

    fn transfer(&self, extension: &str, context: &str) -> Result<Turn, Refused> {
        let transfer = Api::Transfer {
            channel: self.channel.clone(),
            extension: DialPart::new(extension)?,
            dialplan: Word::new("dialplan", "XML")?,
            context: Word::new("context", context)?,
        };
        // All in one write: the connection must be gone before the call meets another `socket`
        // (`mod_event_socket.c` listener_run clears the channel's mark when it ends).
        let commands =
            vec![self.former.put_back(&self.channel), Command::Api(transfer), Command::Exit];
        Ok(Turn { leaves: true, ..Turn::of(commands) })
    }

    /// Our dialplan brings the caller back afterwards (`switch_ivr_bridge.c`
    /// transfer_after_bridge).
    fn join_channel(&self, other: &ChannelId, keep: bool) -> Result<Turn, Refused> {
        let commands = legs::join(&self.channel, other, self.way_back()?, keep);
        Ok(Turn { joins: true, ..Turn::of(commands.into()) })
    }

    fn stay_joined(&self, other: &ChannelId) -> Result<Turn, Refused> {
        Ok(Turn::of(legs::stay(&self.channel, other, self.way_back()?).into()))
    }

    /// The same with a channel that its own call has lent; whether it could be had is heard.
    fn take_channel(&self, other: &ChannelId) -> Result<Turn, Refused> {
        let bridge = Api::Bridge { channel: self.channel.clone(), other: other.clone() };
        let commands = vec![legs::come_back(&self.channel, self.way_back()?), Command::Api(bridge)];
        Ok(Turn { joins: true, heeded: true, ..Turn::of(commands) })
    }

    fn lend(&self, on: bool) -> Result<Turn, Refused> {
        if !on {
            let commands = vec![legs::come_back_no_more(&self.channel)];
            return Ok(Turn { lent: Some(false), ..Turn::of(commands) });
        }
        let told = Command::Events(vec![EventName::ChannelUnpark]);
        let commands = vec![told, legs::come_back(&self.channel, self.way_back()?)];
        Ok(Turn { lent: Some(true), ..Turn::of(commands) })
    }

    fn way_back(&self) -> Result<&str, Refused> {
        let none = Refused { argument: "channel", why: Why::NoWayBack };
        self.former.way_back().ok_or(none)
    }

    fn release(&self, reason: &str) -> Turn {
        let commands = vec![variables::refuse(&self.channel, reason), Command::Exit];
        Turn { leaves: true, ..Turn::of(commands) }
    }

    /// An execute of ours has ended.
    pub fn completed(&mut self, execute: ExecuteId, event: &esl::event::Event) -> Turn {
        let id = action_id(execute);
        let Some(task) = self.tasks.get_mut(&id) else { return Turn::default() };
        let mut turn = Turn::default();
        let ending = match task {
            Task::Plain => Some(Ending::Finished),
            Task::Record => Some(recorded(event)),
            Task::Dial(_) => Some(Ending::Dialed(dial::outcome(event))),
            Task::Play(playing) => playing.completed(id, execute, event, &mut turn.commands),
        };
        if let Some(ending) = ending {
            if let Ending::FileMissing { .. } = ending
                && let Some(Task::Play(playing)) = self.tasks.get(&id)
                && !playing.queued.is_empty()
            {
                turn.commands.push(self.stop(true));
            }
            self.tasks.remove(&id);
            self.stopping.take_if(|stopping| stopping.action == id);
            turn.events.push(Event::Done(id, ending));
        }
        turn
    }

    /// An execute of ours will never end.
    pub fn lost(&mut self, execute: ExecuteId, stage: Stage) -> Vec<Event> {
        let id = action_id(execute);
        if let Some(Task::Play(playing)) = self.tasks.get_mut(&id) {
            let known = playing.queued.iter().any(|(queued, _)| *queued == execute);
            if !known {
                return Vec::new();
            }
        }
        if self.tasks.remove(&id).is_none() {
            return Vec::new();
        }
        self.stopping.take_if(|stopping| stopping.action == id);
        let event = match stage {
            Stage::Rejected => Event::Refused(id, "FreeSWITCH refused it".into()),
            Stage::Flushed => Event::Done(id, Ending::Finished),
            Stage::NotSent | Stage::Unconfirmed | Stage::Accepted => {
                Event::Done(id, Ending::Failed { detail: "it was dropped".into() })
            }
        };
        vec![event]
    }

    /// An order's command was not taken.
    pub fn forget(&mut self, id: ActionId) {
        self.tasks.remove(&id);
        self.stopping.take_if(|stopping| stopping.action == id);
    }

    /// The caller is joined to `other`.
    pub fn joined(&mut self, other: &ChannelId) -> Vec<Command> {
        let dialing = self.tasks.values_mut().find_map(|task| match task {
            Task::Dial(dialing) if !dialing.joined => Some(dialing),
            Task::Dial(_) | Task::Plain | Task::Play(_) | Task::Record => None,
        });
        let Some(dialing) = dialing else { return Vec::new() };
        dialing.joined = true;
        let limit = dialing.time_limit_s.map(|seconds| {
            let cause = HangupCause::AllottedTimeout;
            Command::Api(Api::SchedHangup { seconds, channel: other.clone(), cause })
        });
        self.limited = limit.is_some().then(|| other.clone());
        limit.into_iter().collect()
    }

    /// The caller is gone: a far end that goes on without it, transferred, keeps none of our
    /// limits.
    pub fn parted(&mut self) -> Option<Command> {
        self.limited.take().map(|channel| Command::Api(Api::SchedDel { channel }))
    }

    /// When `tick` has something to do, on the clock of `Now::mono_ms`.
    pub fn deadline(&self) -> Option<u64> {
        self.stopping.as_ref().map(|stopping| stopping.again_ms)
    }

    /// Sends a stop again that was not seen to work.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Command> {
        let Some(stopping) = self.stopping.as_mut().filter(|s| s.again_ms <= now_ms) else {
            return Vec::new();
        };
        stopping.again_ms = now_ms.saturating_add(STOP_AGAIN_MS);
        stopping.left = stopping.left.saturating_sub(1);
        let (action, left) = (stopping.action, stopping.left);
        let again = match self.tasks.get(&action) {
            Some(Task::Dial(dialing)) if !dialing.joined => Some(cancel(dialing.execute)),
            // It may have been dropped before it began; then what was ordered since is what runs.
            Some(Task::Play(_) | Task::Record) if self.is_newest(action) => Some(self.stop(false)),
            Some(_) | None => None,
        };
        if again.is_none() || left == 0 {
            self.stopping = None;
        }
        again.into_iter().collect()
    }

    fn is_newest(&self, id: ActionId) -> bool {
        self.tasks.last_key_value().is_some_and(|(newest, _)| *newest == id)
    }
}

impl Turn {
    fn of(commands: Vec<Command>) -> Self {
        Self { commands, ..Self::default() }
    }

    fn api(api: Api) -> Self {
        Self::of(vec![Command::Api(api)])
    }
}

impl Stopping {
    const fn of(action: ActionId, now_ms: u64) -> Self {
        Self { action, again_ms: now_ms.saturating_add(STOP_AGAIN_MS), left: STOPS_MAX }
    }
}

impl Playing {
    /// Hands FreeSWITCH as many as it may have.
    fn give(&mut self, id: ActionId, commands: &mut Vec<Command>) {
        while self.queued.len() < AHEAD_MAX {
            let Some((name, application)) = self.waiting.pop_front() else { return };
            let execute = execute_id(id, self.next);
            self.next += 1;
            self.queued.push_back((execute, name));
            commands.push(Command::Execute(Execute::new(execute, application)));
        }
    }

    /// One sound has ended; the ending of all, if that is it.
    fn completed(
        &mut self,
        id: ActionId,
        execute: ExecuteId,
        event: &esl::event::Event,
        commands: &mut Vec<Command>,
    ) -> Option<Ending> {
        let place = self.queued.iter().position(|(queued, _)| *queued == execute)?;
        // They end in order: whatever was before it was dropped.
        let name = self.queued.drain(..=place).next_back().map(|(_, name)| name);
        if let Some(name) = name.filter(|name| !name.is_empty())
            && event.application_response().is_some_and(|response| is_missing(&response))
        {
            return Some(Ending::FileMissing { file: name });
        }
        self.give(id, commands);
        self.queued.is_empty().then_some(Ending::Finished)
    }
}

/// `mod_dptools.c` playback_function.
fn is_missing(response: &str) -> bool {
    matches!(response, "FILE NOT FOUND" | "PLAYBACK ERROR")
}

/// What became of a recording that ended while nobody was connected; none where it has not ended,
/// or there was none.
pub(super) fn found(facts: &esl::event::Event) -> Option<Ending> {
    facts.variable(RECORD_MS)?;
    Some(recorded(facts))
}

/// `switch_ivr_play_say.c` switch_ivr_record_file_event and `mod_dptools.c` on_dtmf leave these.
fn recorded(event: &esl::event::Event) -> Ending {
    let key = event.variable("playback_terminator_used").and_then(|key| key.text().parse().ok());
    match event.variable(RECORD_MS).and_then(|length| length.number()) {
        Some(length_ms) => {
            let terminator = key.filter(|key: &Digits| !key.is_empty());
            Ending::Recorded { length_ms, terminator }
        }
        None => Ending::Finished,
    }
}

fn cancel(dial: ExecuteId) -> Command {
    let (name, value) = dial::mark(dial);
    Command::Api(Api::KillMarked { cause: HangupCause::OriginatorCancel, name, value })
}

fn execute(id: ActionId, part: u16, application: Application) -> Command {
    Command::Execute(Execute::new(execute_id(id, part), application))
}

/// An action's executes share its number and count their parts.
fn execute_id(id: ActionId, part: u16) -> ExecuteId {
    ExecuteId(u64::from(id.0) << 16 | u64::from(part))
}

fn action_id(execute: ExecuteId) -> ActionId {
    ActionId(u32::try_from(execute.0 >> 16).unwrap_or(u32::MAX))
}
