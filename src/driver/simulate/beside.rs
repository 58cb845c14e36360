//! What goes on beside the connection of a simulated call: the link to FreeSWITCH, which tells of
//! other channels and carries the orders of a call that has no connection, and the sweep, which
//! finds a conversation whose process is gone.

use std::collections::BTreeMap;

use super::{Simulation, Stimulus};
use crate::base::cause::HangupCause;
use crate::base::ids::ChannelId;
use crate::call::Tie;
use crate::call::input::{Answer, Command as Operator};
use crate::call::output::{ActionId, QueryId};
use crate::driver::registry::Heed;
use crate::driver::session::running::Running;
use crate::driver::stray::{Stray, Told};
use crate::driver::translate::variables;
use crate::esl::command::{Api, Command};
use crate::esl::event::{Event, EventName};
use crate::model::record::RecordingNote;

/// How often the sweep looks.
const LOOK_MS: u64 = 3_000;
/// A plight that was seen so often is one.
const SURE: u32 = 2;

/// The link of one simulation.
#[derive(Debug, Default)]
pub(super) struct Beside {
    /// When the sweep looks next; none where there is no link.
    look_ms: Option<u64>,
    followed: BTreeMap<ChannelId, Heed>,
    missing: BTreeMap<ChannelId, u32>,
    /// The call, while it has no connection.
    stray: Option<Stray>,
    /// How often nobody held it.
    alone: u32,
    orders: BTreeMap<u64, Option<ActionId>>,
    numbers: u64,
    answered: Option<Result<(), String>>,
    pub(super) recordings: Vec<RecordingNote>,
}

impl Simulation<'_> {
    /// The same with a link to FreeSWITCH.
    #[must_use]
    pub fn with_link(mut self) -> Self {
        self.channel.listen();
        self.beside.look_ms = Some(self.now.mono_ms + LOOK_MS);
        self
    }

    /// What an operator asks of the call.
    ///
    /// # Errors
    /// Why it is not done, in words.
    pub fn command(&mut self, command: Operator) -> Result<(), String> {
        self.settle();
        self.beside.answered = None;
        if self.beside.stray.is_some() {
            let now = self.now;
            if let Some(stray) = &mut self.beside.stray {
                stray.command(command.into(), now);
            }
            self.drain_stray();
        } else {
            self.hear(Stimulus::Command(command));
        }
        self.settle();
        self.beside.answered.take().unwrap_or_else(|| Err("nobody holds the call".to_owned()))
    }

    /// Recordings as they were told, each when it began and when it ended.
    pub fn recordings(&self) -> &[RecordingNote] {
        &self.beside.recordings
    }

    /// Whether somebody holds the call.
    pub fn is_held(&self) -> bool {
        self.beside.stray.is_some() || !self.session_is_closed()
    }

    /// The process is gone, whatever it had: a connection or a call without one.
    pub fn kill(&mut self) {
        self.process = None;
        self.processes += 1;
        self.beside.stray = None;
        self.beside.followed.clear();
        self.beside.missing.clear();
        self.beside.orders.clear();
        self.channel.closed(self.now);
        self.left();
        self.settle();
    }

    pub(super) fn answered(&mut self, obeyed: Result<(), String>) {
        self.beside.answered = Some(obeyed);
    }

    pub(super) fn follow(&mut self, channel: ChannelId, heed: Heed) {
        match heed {
            Heed::Not => drop(self.beside.followed.remove(&channel)),
            Heed::Holds => drop(self.beside.followed.entry(channel).or_insert(heed)),
            Heed::All => drop(self.beside.followed.insert(channel, heed)),
        }
    }

    /// The connection is gone, the call perhaps not.
    pub(super) fn stray(&mut self, running: Box<Running>) {
        if self.beside.look_ms.is_some() {
            self.beside.stray = Some(Stray::adrift(running, true, self.now));
        }
    }

    /// The call has a connection again.
    pub(super) fn came_back(&mut self) {
        self.beside.stray = None;
        self.beside.alone = 0;
    }

    pub(super) fn beside_deadline(&self) -> Option<u64> {
        let stray = self.beside.stray.as_ref().and_then(Stray::deadline);
        [stray, self.beside.look_ms].into_iter().flatten().min()
    }

    pub(super) fn tick_beside(&mut self) {
        let now = self.now;
        if let Some(stray) = &mut self.beside.stray
            && stray.deadline().is_some_and(|due_ms| due_ms <= now.mono_ms)
        {
            stray.tick(now);
            self.drain_stray();
        }
        if self.beside.look_ms.is_some_and(|look_ms| look_ms <= now.mono_ms) {
            self.beside.look_ms = Some(now.mono_ms + LOOK_MS);
            self.look();
        }
    }

    /// Hears what the link tells; true if it told anything.
    pub(super) fn hear_beside(&mut self) -> bool {
        let (events, outcomes) = (self.channel.overheard(), self.channel.outcomes());
        let told = !(events.is_empty() && outcomes.is_empty());
        for event in events {
            if let Ok(event) = Event::from_json(&event) {
                self.overhear(event);
            }
        }
        for (number, output) in outcomes {
            let Some(Some(id)) = self.beside.orders.remove(&number) else { continue };
            let failed = output.strip_prefix(b"-ERR");
            let why = failed.map(|why| String::from_utf8_lossy(why).trim().to_owned());
            if let Some(stray) = &mut self.beside.stray {
                stray.obeyed(id, why.map_or(Ok(()), Err), self.now);
            }
            self.drain_stray();
        }
        told
    }

    /// The far party's own call is not simulated; here is what it does first, as if it were over at
    /// once where somebody is to be called for it.
    pub(super) fn far_party_comes(&mut self) -> bool {
        let Some((uuid, tie)) = self.channel.brought() else { return false };
        let channel = uuid.parse::<ChannelId>().ok();
        let tie = channel.zip(std::str::from_utf8(&tie).ok());
        let tie = tie.and_then(|(channel, tie)| self.settings.keys.open_tie(&channel, tie).ok());
        match tie.as_ref().and_then(Tie::awaited) {
            Some(other) => {
                let join = format!("uuid_bridge {uuid} {other}");
                self.beside.numbers += 1;
                self.channel.order(self.beside.numbers, join.as_bytes(), self.now);
            }
            None => self.channel.hang_up_far(&uuid, HangupCause::NormalClearing, self.now),
        }
        true
    }

    fn overhear(&mut self, event: Event) {
        let Some(channel) = event.unique_id() else { return };
        let own = channel.as_str() == self.channel.uuid();
        let heed = self.beside.followed.get(&channel).copied();
        let holds = matches!(event.name(), EventName::ChannelHold | EventName::ChannelUnhold);
        let heard = own || heed == Some(Heed::All) || (heed.is_some() && holds);
        if event.name() == EventName::ChannelHangupComplete {
            self.beside.followed.remove(&channel);
        }
        if !heard {
            return;
        }
        if let Some(stray) = &mut self.beside.stray {
            stray.heard(&event, self.now);
            self.drain_stray();
        } else if !own {
            self.hear(Stimulus::News(Box::new(event)));
        }
    }

    pub(super) fn hear_answer(&mut self, id: QueryId, answer: Answer) {
        let Some(stray) = &mut self.beside.stray else {
            return self.hear(Stimulus::Answer(id, answer));
        };
        stray.answer(id, answer, self.now);
        self.drain_stray();
    }

    fn far_gone(&mut self, channel: ChannelId) {
        if let Some(stray) = &mut self.beside.stray {
            stray.far_gone(channel, self.now);
            self.drain_stray();
        } else {
            self.hear(Stimulus::FarGone(channel));
        }
    }

    fn drain_stray(&mut self) {
        let Some(stray) = &mut self.beside.stray else { return };
        let (told, over) = (stray.drain(self.now), stray.is_over());
        for told in told {
            match told {
                Told::Queue(query) => {
                    self.line.ask(&query, &self.script.queue, self.now.mono_ms);
                }
                Told::Note(_, entry) => self.told.timeline.push(*entry),
                Told::Recording(_, note) => self.beside.recordings.push(*note),
                Told::Order(api, id) => self.order_beside(api, id),
                Told::Query(id, query) => self.asked(id, query),
                Told::Audit(_) | Told::Discard(..) | Told::Outbound(_) => {}
                Told::Answered(obeyed) => self.answered(obeyed),
                Told::Follow(channel, heed) => self.follow(channel, heed),
                Told::Ended(record) => self.told.records.push(*record),
            }
        }
        if over {
            self.beside.stray = None;
        }
    }

    fn order_beside(&mut self, api: Api, id: Option<ActionId>) {
        let Ok(bytes) = Command::Api(api).encode() else { return };
        let text = bytes.trim_ascii_end();
        let Some(text) = text.strip_prefix(b"api ") else { return };
        self.beside.numbers += 1;
        self.beside.orders.insert(self.beside.numbers, id);
        self.channel.order(self.beside.numbers, text, self.now);
    }

    /// As `app/sweep` looks at all channels.
    fn look(&mut self) {
        let up = |channel: &ChannelId| self.channel.is_there(channel.as_str());
        let gone: Vec<_> =
            self.beside.followed.keys().filter(|channel| !up(channel)).cloned().collect();
        self.beside.missing.retain(|channel, _| gone.contains(channel));
        for channel in gone {
            let seen = self.beside.missing.entry(channel.clone()).or_default();
            *seen += 1;
            if *seen >= SURE {
                self.beside.followed.remove(&channel);
                self.far_gone(channel);
            }
        }
        if self.is_held() || !self.channel.is_there(self.channel.uuid()) {
            self.beside.alone = 0;
            return;
        }
        self.beside.alone += 1;
        if self.beside.alone >= SURE {
            self.find();
        }
    }

    /// Follows a conversation that nobody holds.
    fn find(&mut self) {
        let text = self.channel.variable(variables::STATE).map(String::from_utf8_lossy);
        let Some(text) = text.map(std::borrow::Cow::into_owned) else { return };
        let Ok(own) = self.channel.uuid().parse::<ChannelId>() else { return };
        let Ok(opened) = self.settings.keys.open(&own, &text) else { return };
        let other = self.channel.talks_with().and_then(|other| other.parse().ok());
        let state = opened.call.state();
        if other.is_none() && !state.runs_on() {
            return;
        }
        let program = self.router.program(state.tenant(), state.main(), state.versions());
        let Ok(program) = program else { return };
        let settings = self.process_settings();
        if let Ok(stray) = Stray::found(opened, program, other.clone(), &settings, self.now) {
            self.beside.stray = Some(stray);
            other.into_iter().for_each(|other| self.follow(other, Heed::Holds));
            self.drain_stray();
        }
    }
}
