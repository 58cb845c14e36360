//! A call that is up without a connection: its process died during a conversation, or its
//! connection broke. FreeSWITCH goes on with it alone. It is followed over the link where there is
//! one, can be given orders, and goes back to a connection as soon as its dialplan opens one.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::oneshot;

use super::call::{Hearer, Order, Shared, discard};
use super::entered::Entered;
use super::outbound;
use super::queries;
use super::queues::Counter;
use super::registry::{Heed, Hold, Word};
use super::seal::Opened;
use super::session::Settings;
use super::session::running::Running;
use super::translate::{event, far, hangup_cause, hung_up_by_caller, refers, replaced};
use crate::base::cause::HangupCause;
use crate::base::ids::{CallId, ChannelId, TenantId};
use crate::base::millis::Millis;
use crate::base::now::Now;
use crate::call::input::{Answer, Ending, Event, FarNews, Input, Ordered};
use crate::call::outbound::OutboundQuery;
use crate::call::output::{Action, ActionId, Output, Query, QueryId};
use crate::call::queue::QueueQuery;
use crate::call::{Call, ResumeError};
use crate::esl::command::{Api, Command};
use crate::esl::event::EventName;
use crate::flow::program::Program;
use crate::model::audit::AuditEntry;
use crate::model::record::{CallRecord, RecordingNote};
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
    Recording(TenantId, Box<RecordingNote>),
    /// Where there is a number, the call hears whether it was carried out.
    Order(Api, Option<ActionId>),
    /// Its answer is wanted.
    Query(QueryId, Query),
    /// To who keeps the waiting lines.
    Queue(Box<QueueQuery>),
    /// To who counts calls to numbers outside.
    Outbound(Box<OutboundQuery>),
    /// Who listened to whom, as far as it is known now.
    Audit(Box<AuditEntry>),
    /// The command that was heard last is done, or why not.
    Answered(Result<(), String>),
    /// A file of which nothing is to be kept after some time.
    Discard(String, Millis),
    /// How much is to be told of another channel.
    Follow(ChannelId, Heed),
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
        settings: &Settings,
        now: Now,
    ) -> Result<Self, ResumeError> {
        let Opened { call: taken, former, holder: _ } = opened;
        let (tenant, channel) = (taken.state().tenant(), taken.state().channel().clone());
        let call = Call::watch(taken, program, other, now)?;
        let running = Box::new(Running::new(call, channel, former, settings));
        Ok(Self { running, tenant, until_ms: None, over: false })
    }

    /// A call whose other party is about to be called.
    pub(super) fn placed(running: Box<Running>) -> Self {
        let tenant = running.call.state().tenant();
        Self { running, tenant, until_ms: None, over: false }
    }

    pub fn call(&self) -> &Call {
        &self.running.call
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    /// An event of the caller's channel, or of another that is followed.
    pub fn heard(&mut self, news: &crate::esl::event::Event, now: Now) {
        if news.unique_id().is_some_and(|channel| channel != self.running.channel) {
            if let Some(event) = far(news) {
                self.input(Input::Event(event), now);
            }
            return;
        }
        match news.name() {
            EventName::ChannelHangupComplete => {
                if let Some(referral) = refers(news) {
                    self.input(Input::Event(referral), now);
                }
                let cause = hangup_cause(news);
                let by_caller = hung_up_by_caller(news);
                self.input(Input::Event(Event::HungUp { cause, by_caller }), now);
            }
            // In a room or a conversation keys are its own: nobody else hears them.
            EventName::Dtmf if self.takes_keys() => {
                if let Some(event) = event(news) {
                    self.input(Input::Event(event), now);
                }
            }
            EventName::ChannelUnbridge => {
                let event = self.parted(news);
                self.input(Input::Event(event), now);
            }
            // What is played or executed now is another connection's.
            EventName::ChannelBridge
            | EventName::ChannelAnswer
            | EventName::ChannelHold
            | EventName::ChannelUnhold
            | EventName::RecordStart
            | EventName::RecordStop
            | EventName::Custom => {
                if let Some(event) = event(news) {
                    self.input(Input::Event(event), now);
                }
            }
            _ => {}
        }
    }

    fn takes_keys(&self) -> bool {
        let state = self.running.call.state();
        state.is_in_room() || state.is_bridged()
    }

    /// The caller left its partner: for nobody, or for whom a phone joined it to.
    fn parted(&self, news: &crate::esl::event::Event) -> Event {
        let partner = self.running.call.state().bridged();
        match replaced(news) {
            Some(Event::Replaced { other, party }) if Some(&other) != partner => {
                Event::Replaced { other, party }
            }
            _ => Event::Unbridged,
        }
    }

    /// What a connection may have lost at its end.
    fn again(&mut self) -> Vec<Order> {
        let said = self.running.said_last().into_iter().filter_map(api);
        said.map(|api| Order { api, hearer: None }).collect()
    }

    pub fn command(&mut self, ordered: Ordered, now: Now) {
        self.input(Input::Command(ordered), now);
    }

    /// Another channel is gone; how, nobody saw.
    pub fn far_gone(&mut self, channel: ChannelId, now: Now) {
        let news = FarNews::HungUp(HangupCause::NormalUnspecified);
        self.input(Input::Event(Event::Far { channel, news }), now);
    }

    /// An order was carried out, or not.
    pub fn obeyed(&mut self, id: ActionId, obeyed: Result<(), String>, now: Now) {
        if self.running.desk.is_calling(id) {
            let failed = self.running.desk.called(id, &obeyed);
            return failed.into_iter().for_each(|event| self.input(Input::Event(event), now));
        }
        let event = match obeyed {
            Ok(()) => Event::Obeyed(id),
            Err(why) => Event::Refused(id, why),
        };
        self.input(Input::Event(event), now);
    }

    pub fn answer(&mut self, id: QueryId, answer: Answer, now: Now) {
        self.input(Input::Answer(id, answer), now);
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
                Output::Audit(entry) => told.push(Told::Audit(entry)),
                Output::Answered(obeyed) => told.push(Told::Answered(obeyed)),
                Output::Recording(note) => told.push(Told::Recording(self.tenant, note)),
                Output::Boundary | Output::Typed => {
                    let cut = !self.running.call.runs_on();
                    told.extend(order(self.running.write(cut), None));
                }
                Output::Action(_, Action::Tie { channel, tie }) => {
                    told.extend(self.running.tie(&channel, &tie).and_then(|tie| order(tie, None)));
                }
                Output::Action(_, Action::Bring { channel, tie }) => {
                    let commands = self.running.bring(&channel, &tie).into_iter();
                    told.extend(commands.filter_map(|command| order(command, None)));
                }
                Output::Action(id, Action::Place(order)) => match self.running.place(&order) {
                    Ok(api) => told.push(Told::Order(api, Some(id))),
                    Err(why) => {
                        self.running.call.handle(Input::Event(Event::Refused(id, why)), now);
                    }
                },
                Output::Action(id, action) => {
                    match self.running.desk.order(id, action, now.mono_ms) {
                        Ok(turn) => {
                            let heeded = turn.heeded || self.running.desk.is_calling(id);
                            let heeded = heeded.then_some(id);
                            let commands = turn.commands.into_iter();
                            told.extend(commands.filter_map(|command| order(command, heeded)));
                            let heed = |on| if on { Heed::All } else { Heed::Not };
                            let follow = turn.follow;
                            told.extend(follow.map(|(far, on)| Told::Follow(far, heed(on))));
                            told.extend(
                                turn.discard.map(|(path, after)| Told::Discard(path, after)),
                            );
                            if turn.leaves {
                                // No connection's end will tell.
                                let event = Event::Done(id, Ending::Finished);
                                self.running.call.handle(Input::Event(event), now);
                            }
                        }
                        Err(refused) => {
                            let event = Event::Refused(id, refused.to_string());
                            self.running.call.handle(Input::Event(event), now);
                        }
                    }
                }
                Output::Query(_, Query::Queue(query)) if query.is_told() => {
                    told.push(Told::Queue(query));
                }
                Output::Query(_, Query::Outbound(query)) if query.is_told() => {
                    told.push(Told::Outbound(query));
                }
                // The step that asks has it asked again once there is a connection.
                Output::Query(_, Query::Http(_) | Query::Queue(_)) => {}
                Output::Query(id, query) => told.push(Told::Query(id, query)),
                Output::Ended(record) => {
                    self.over = true;
                    told.push(Told::Ended(record));
                }
            }
        }
        told
    }
}

fn order(command: Command, heeded: Option<ActionId>) -> Option<Told> {
    api(command).map(|api| Told::Order(api, heeded))
}

fn api(command: Command) -> Option<Api> {
    match command {
        Command::Api(api) | Command::BackgroundApi { api, .. } => Some(api),
        _ => None,
    }
}

/// Follows a call whose connection broke.
pub(super) fn follow(shared: Arc<Shared>, running: Box<Running>, mut entered: Entered) {
    let now = shared.clock.now();
    let followed = shared.switchboard.is_there();
    entered.strays(running.call.state().is_bridged());
    let stray = Stray::adrift(running, followed, now);
    tokio::spawn(run(shared, stray, entered));
}

/// Follows a call that was found.
pub fn adopt(shared: &Arc<Shared>, stray: Stray) {
    let live = stray.call().live(shared.settings.instance);
    let entered = Entered::new(shared, &live, Hold::Stray);
    shared.sink.live(Box::new(live));
    tokio::spawn(run(Arc::clone(shared), stray, entered));
}

/// Until another task has the call, or it is over.
async fn run(shared: Arc<Shared>, mut stray: Stray, mut entered: Entered) {
    entered.heed(stray.running.channel.clone(), Heed::All);
    if let Some(other) = stray.call().state().bridged() {
        entered.heed(other.clone(), Heed::Holds);
    }
    let again = stray.again();
    if !again.is_empty() {
        shared.switchboard.order(stray.running.call.id(), again);
    }
    let mut asker = None;
    loop {
        if !work(&shared, &mut stray, &mut entered, &mut asker) || stray.is_over() {
            break;
        }
        // Whoever asked hears that nobody is there.
        asker = None;
        entered.strays(stray.call().state().is_bridged());
        let deadline = stray.deadline();
        let now = tokio::select! {
            word = entered.next() => {
                let now = shared.clock.now();
                match word {
                    Some(Word::Command(ordered, asks)) => {
                        asker = asks;
                        stray.command(ordered, now);
                    }
                    Some(Word::FarGone(channel)) => stray.far_gone(channel, now),
                    Some(Word::News(news)) => stray.heard(&news, now),
                    Some(Word::Obeyed(id, obeyed)) => stray.obeyed(id, obeyed, now),
                    Some(Word::Answer(id, answer)) => stray.answer(id, *answer, now),
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
}

/// Tells the call what became of an order, if it waits for that.
fn hearer(shared: &Arc<Shared>, call: CallId, id: ActionId) -> Hearer {
    let shared = Arc::downgrade(shared);
    Arc::new(move |obeyed| {
        if let Some(shared) = shared.upgrade() {
            // A call that has ended, or is too busy, waits for it in vain, and not for ever.
            let _ = shared.registry.say(call, Word::Obeyed(id, obeyed));
        }
    })
}

async fn ask(shared: Arc<Shared>, call: CallId, id: QueryId, query: Query) {
    let answer = queries::perform(Arc::clone(&shared), query, None).await;
    // As with an order.
    let _ = shared.registry.say(call, Word::Answer(id, Box::new(answer)));
}

/// Carries out what the call wants; false after a fault of ours.
fn work(
    shared: &Arc<Shared>,
    stray: &mut Stray,
    entered: &mut Entered,
    asker: &mut Option<oneshot::Sender<Result<(), String>>>,
) -> bool {
    let now = shared.clock.now();
    let Ok(told) = catch_unwind(AssertUnwindSafe(|| stray.drain(now))) else { return false };
    let call = stray.running.call.id();
    let mut orders = Vec::new();
    for told in told {
        match told {
            Told::Note(tenant, entry) => shared.sink.note(tenant, call, entry),
            Told::Query(id, query) => drop(tokio::spawn(ask(Arc::clone(shared), call, id, query))),
            Told::Audit(entry) => shared.sink.audit(entry),
            Told::Recording(tenant, note) => shared.sink.recording(tenant, call, note),
            Told::Order(api, heeded) => {
                let hearer = heeded.map(|id| hearer(shared, call, id));
                orders.push(Order { api, hearer });
            }
            Told::Discard(path, after) => discard(call, path, after),
            Told::Outbound(query) => outbound::tell(&shared.outside, *query),
            Told::Queue(query) => Counter::new(&shared.queues).tell(*query),
            Told::Follow(channel, heed) => entered.heed(channel, heed),
            Told::Answered(obeyed) => {
                // Whoever asked may be gone.
                let _ = asker.take().map(|asker| asker.send(obeyed));
            }
            Told::Ended(record) => {
                let end = &record.termination;
                tracing::info!(%call, cause = %end.cause, party = ?end.party, "a call ended");
                shared.sink.record(record);
            }
        }
    }
    if !orders.is_empty() {
        shared.switchboard.order(call, orders);
    }
    true
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::base::cause::Party;
    use crate::base::ids::{FlowName, RecordingId};
    use crate::call::arrival::{Arrival, Via};
    use crate::call::input::Command as Operator;
    use crate::driver::translate::variables::Former;
    use crate::esl::argument;
    use crate::flow::kind::record::RecordAction;
    use crate::flow::parse::parse_yaml;
    use crate::flow::program::{self, Published};
    use crate::model::talk::{Goal, Side};

    const FLOW: &str = "
callwright: 1
start: talk
steps:
  talk: { kind: dial, targets: [{ extension: '200', timeout: 20s }], next: bye }
  bye: { kind: hangup }
";

    fn now(mono_ms: u64) -> Now {
        Now::new(mono_ms, "2026-11-22T09:00:00Z".parse().unwrap())
    }

    /// A conversation of `a-leg` and `b-leg` that nobody holds.
    fn conversation() -> Stray {
        let main: FlowName = "main".parse().unwrap();
        let published = Published::new(main.clone(), 3, parse_yaml(FLOW.as_bytes()).unwrap());
        let program = Program {
            tenant: TenantId(uuid::Uuid::from_u128(1)),
            timezone: "Europe/Berlin".into(),
            flows: [(main.clone(), Arc::new(published))].into(),
            main,
            prompts: BTreeMap::default(),
            settings: program::Settings {
                contexts: vec!["default".into()],
                domain: "pbx.example".into(),
                message_directory: "/m".into(),
                ..program::Settings::default()
            },
        };
        let arrival = Arrival {
            call: CallId(uuid::Uuid::from_u128(7)),
            channel: "a-leg".parse().unwrap(),
            caller_name: "Ann".into(),
            caller_number: "100".into(),
            dialed: "200".into(),
            answered: true,
            variables: BTreeMap::new(),
            via: Via::default(),
        };
        let settings =
            Settings::alone(argument::Word::new("profile", "internal").unwrap()).unwrap();
        let call = Call::begin(arrival, Arc::new(program), now(0));
        let channel = call.state().channel().clone();
        let running = Box::new(Running::new(call, channel, Former::default(), &settings));
        let mut stray = Stray::adrift(running, true, now(0));
        stray.drain(now(0));
        let event = Event::Bridged { other: "b-leg".parse().unwrap(), target: Some(0) };
        stray.input(Input::Event(event), now(0));
        stray.drain(now(0));
        stray
    }

    /// What goes over the link, but for what is written on the channel.
    fn orders(stray: &mut Stray, command: Operator, at: u64) -> (Vec<String>, Vec<Told>) {
        stray.command(command.into(), now(at));
        let (orders, rest) = stray
            .drain(now(at))
            .into_iter()
            .partition::<Vec<_>, _>(|told| matches!(told, Told::Order(..)));
        let orders = orders.into_iter().filter_map(|told| match told {
            Told::Order(Api::SetVariables { .. }, _) => None,
            Told::Order(api, _) => Some(
                String::from_utf8_lossy(&Command::Api(api).encode().unwrap()).trim().to_owned(),
            ),
            _ => None,
        });
        (orders.collect(), rest)
    }

    #[test]
    fn an_operator_holds_records_and_transfers_a_call_without_a_connection() {
        let mut stray = conversation();
        let side = Side::Caller;
        let hold = orders(&mut stray, Operator::Hold { on: true, side }, 1_000).0;
        let (music, told) = ("L=255;%(300,4200,425)", "v=-25;%(150,9850,850)");
        let displaced = |channel, what, sound, rest| {
            format!("api uuid_displace {channel} {what} tone_stream://{sound};loops=-1{rest}")
        };
        let held = ["start", "stop"].map(|what| {
            let rest = if what == "start" { " 0 l" } else { "" };
            [displaced("a-leg", what, music, rest), displaced("b-leg", what, told, rest)]
        });
        assert_eq!(hold, held[0]);
        let hold = orders(&mut stray, Operator::Hold { on: false, side }, 2_000).0;
        assert_eq!(hold, held[1]);
        let id = RecordingId::nth(CallId(uuid::Uuid::from_u128(7)), 1);
        let file = format!("/m/{id}.wav");
        let record = orders(&mut stray, Operator::Record { action: RecordAction::Start }, 3_000).0;
        let how = "14405 {RECORD_STEREO=true,RECORD_PRE_BUFFER_FRAMES=1}";
        assert_eq!(record, [format!("api uuid_record a-leg start {file} {how}")]);
        let transfer = Operator::Transfer { extension: "300".into(), context: None };
        let (transfer, told) = orders(&mut stray, transfer, 8_000);
        let stop = format!("api uuid_record a-leg stop {file}");
        assert_eq!(transfer, [stop, "api uuid_transfer a-leg 300 XML default".to_owned()]);
        assert!(stray.is_over());
        let Some(Told::Ended(record)) = told.last() else { panic!("no record: {told:?}") };
        assert_eq!(record.termination.party, Party::Operator);
        assert_eq!(record.recordings.first().map(|one| one.length_ms), Some(5_000));
    }

    #[test]
    fn a_call_without_a_connection_calls_legs_and_hears_that_one_can_not_be_reached() {
        let mut stray = conversation();
        let to = Goal::Extension("300".into());
        orders(&mut stray, Operator::Consult { side: Side::Far, to }, 1_000);
        // The far end was taken out of the dial, which is over by that: now the third is called.
        let dial = stray.running.call.awaits().unwrap();
        stray.input(Input::Event(Event::Done(dial, Ending::Finished)), now(1_100));
        let told = stray.drain(now(1_100));
        let id = told.iter().find_map(|told| match told {
            Told::Order(Api::Originate(_), id) => *id,
            _ => None,
        });
        let id = id.unwrap_or_else(|| panic!("nobody is called: {told:?}"));
        stray.obeyed(id, Err("SUBSCRIBER_ABSENT".into()), now(1_200));
        let told = stray.drain(now(1_200));
        let tone = told.iter().any(|told| matches!(told, Told::Order(Api::Await { .. }, _)));
        assert!(tone, "who consults hears nothing of it: {told:?}");
    }
}
