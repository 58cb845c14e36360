//! A call that is up without a connection: its process died during a conversation, or its
//! connection broke. FreeSWITCH goes on with it alone. It is followed over the link where there is
//! one, can be given orders, and goes back to a connection as soon as its dialplan opens one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use super::call::{Entered, Shared};
use super::registry::{Hold, Word};
use super::seal::Opened;
use super::session::running::Running;
use super::translate::{event, hangup_cause, hung_up_by_caller};
use crate::base::ids::{ChannelId, TenantId};
use crate::base::now::Now;
use crate::call::input::{Command as Operator, Event, Input};
use crate::call::output::Output;
use crate::call::{Call, ResumeError};
use crate::esl::command::{Api, Command};
use crate::esl::event::EventName;
use crate::flow::program::Program;
use crate::model::record::CallRecord;
use crate::model::timeline::Entry;

/// How long a call without a connection may take to come back, where nobody can say whether it is
/// up: its dialplan connects within a second.
const BACK_MS: u64 = 30_000;
/// Inputs that one input may lead to.
const ROUNDS_MAX: usize = 1_000;

/// A call without a connection, without I/O: what is heard comes in; orders, notes and the record
/// come out.
#[derive(Debug)]
pub struct Stray {
    running: Box<Running>,
    tenant: TenantId,
    /// When it is given up.
    until_ms: Option<u64>,
    over: bool,
}

/// What a stray call has for the world.
#[derive(Debug)]
pub enum Told {
    Note(TenantId, Box<Entry>),
    Order(Api),
    Ended(Box<CallRecord>),
}

impl Stray {
    /// A call whose connection broke. `followed`: somebody will tell what becomes of it.
    pub fn adrift(running: Box<Running>, followed: bool, now: Now) -> Self {
        let waits = followed || running.call.runs_on();
        let until_ms = (!waits).then(|| now.mono_ms.saturating_add(BACK_MS));
        let tenant = running.call.state().tenant();
        Self { running, tenant, until_ms, over: false }
    }

    /// A call that was found on its channel, where FreeSWITCH goes on with it. `other` is the leg
    /// to which the caller is joined.
    ///
    /// # Errors
    /// Its state does not fit.
    pub fn found(
        opened: Opened,
        program: Arc<Program>,
        other: Option<ChannelId>,
        shared: &Shared,
        now: Now,
    ) -> Result<Self, ResumeError> {
        let Opened { call: taken, former, holder: _ } = opened;
        let (tenant, channel) = (taken.state().tenant(), taken.state().channel().clone());
        let call = Call::watch(taken, program, other, now)?;
        let running = Box::new(Running::new(call, channel, former, &shared.settings));
        Ok(Self { running, tenant, until_ms: None, over: false })
    }

    pub fn call(&self) -> &Call {
        &self.running.call
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    /// An event of the caller's channel.
    pub fn heard(&mut self, news: &crate::esl::event::Event, now: Now) {
        match news.name() {
            EventName::ChannelHangupComplete => {
                let cause = hangup_cause(news);
                let by_caller = hung_up_by_caller(news);
                self.input(Input::Event(Event::HungUp { cause, by_caller }), now);
            }
            // What is played or executed now is another connection's.
            EventName::ChannelBridge | EventName::ChannelUnbridge | EventName::ChannelAnswer => {
                if let Some(event) = event(news) {
                    self.input(Input::Event(event), now);
                }
            }
            _ => {}
        }
    }

    pub fn command(&mut self, command: Operator, now: Now) {
        self.input(Input::Command(command), now);
    }

    /// The channel is gone; how it ended nobody saw.
    pub fn gone(&mut self, reason: &str, now: Now) {
        self.input(Input::Event(Event::LinkLost { reason: reason.to_owned() }), now);
    }

    pub fn deadline(&self) -> Option<u64> {
        let call = self.running.call.poll_timeout().map(|(due_ms, _)| due_ms);
        [call, self.until_ms].into_iter().flatten().min()
    }

    pub fn tick(&mut self, now: Now) {
        if self.until_ms.is_some_and(|until_ms| until_ms <= now.mono_ms) {
            self.until_ms = None;
            return self.gone("the connection broke, and the call did not come back", now);
        }
        for _ in 0..ROUNDS_MAX {
            match self.running.call.poll_timeout() {
                Some((due_ms, _)) if due_ms <= now.mono_ms => self.input(Input::Timeout, now),
                Some(_) | None => return,
            }
        }
    }

    fn input(&mut self, input: Input, now: Now) {
        if !self.over {
            self.running.call.handle(input, now);
        }
    }

    /// What there is to do and tell. What needs a connection is refused to the call.
    pub fn drain(&mut self, now: Now) -> Vec<Told> {
        let mut told = Vec::new();
        for _ in 0..ROUNDS_MAX {
            let Some(output) = self.running.call.poll_output() else { break };
            match output {
                Output::Note(entry) => told.push(Told::Note(self.tenant, entry)),
                Output::Boundary | Output::Typed => {
                    let cut = !self.running.call.runs_on();
                    told.extend(order(self.running.write(cut)));
                }
                Output::Action(id, action) => {
                    match self.running.desk.order(id, action, now.mono_ms) {
                        Ok(turn) => told.extend(turn.commands.into_iter().filter_map(order)),
                        Err(refused) => {
                            let event = Event::Refused(id, refused.to_string());
                            self.running.call.handle(Input::Event(event), now);
                        }
                    }
                }
                Output::Query(..) => {}
                Output::Ended(record) => {
                    self.over = true;
                    told.push(Told::Ended(record));
                }
            }
        }
        told
    }
}

fn order(command: Command) -> Option<Told> {
    match command {
        Command::Api(api) => Some(Told::Order(api)),
        _ => None,
    }
}

/// Follows a call whose connection broke.
pub(super) fn follow(shared: Arc<Shared>, running: Box<Running>, entered: Entered) {
    let now = shared.clock.now();
    let followed = shared.switchboard.is_there();
    entered.strays();
    let stray = Stray::adrift(running, followed, now);
    tokio::spawn(run(shared, stray, entered));
}

/// Follows a call that was found.
pub fn adopt(shared: &Arc<Shared>, stray: Stray) {
    let live = stray.call().live(shared.settings.instance);
    let entered = Entered::new(shared, live.call, live.channel.clone(), Hold::Stray);
    shared.sink.live(Box::new(live));
    tokio::spawn(run(Arc::clone(shared), stray, entered));
}

/// Until another task has the call, or it is over.
async fn run(shared: Arc<Shared>, mut stray: Stray, mut entered: Entered) {
    let channel = stray.running.channel.clone();
    shared.switchboard.follow(stray.running.call.id(), &channel);
    loop {
        if !work(&shared, &mut stray) || stray.is_over() {
            break;
        }
        let deadline = stray.deadline();
        let now = tokio::select! {
            word = entered.next() => {
                let now = shared.clock.now();
                match word {
                    Some(Word::Command(command)) => stray.command(command, now),
                    Some(Word::News(news)) => stray.heard(&news, now),
                    Some(Word::Gone(reason)) => stray.gone(reason, now),
                    // The next process finds it.
                    Some(Word::HandOver(_)) | None => break,
                }
                now
            }
            () = shared.clock.reach(deadline) => shared.clock.now(),
        };
        stray.tick(now);
    }
    shared.switchboard.let_go(&channel);
}

/// Carries out what the call wants; false after a fault of ours.
fn work(shared: &Shared, stray: &mut Stray) -> bool {
    let now = shared.clock.now();
    let Ok(told) = catch_unwind(AssertUnwindSafe(|| stray.drain(now))) else { return false };
    let call = stray.running.call.id();
    for told in told {
        match told {
            Told::Note(tenant, entry) => shared.sink.note(tenant, call, entry),
            Told::Order(api) => shared.switchboard.order(call, api),
            Told::Ended(record) => {
                let end = &record.termination;
                tracing::info!(%call, cause = %end.cause, party = ?end.party, "a call ended");
                shared.sink.record(record);
            }
        }
    }
    true
}
