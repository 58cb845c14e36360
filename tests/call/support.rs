//! A call on virtual time: a flow and a script in, a transcript out.

use std::fmt::Write as _;
use std::sync::Arc;

use callwright::base::cause::HangupCause;
use callwright::base::digits::Digit;
use callwright::base::ids::{CallId, CoreId, TenantId};
use callwright::base::millis::Millis;
use callwright::base::now::Now;
use callwright::call::arrival::{Arrival, Via};
use callwright::call::handover::{Found, Leads, Referral, Taken};
use callwright::call::input::{
    Answer, Command, Dialed, Ending, Event, FarNews, HttpAnswer, HttpFailure, Input, Ordered,
};
use callwright::call::output::{
    Action, ActionId, DialAddress, Media, Output, Query, QueryId, RecordChange, Then,
};
use callwright::call::park::{ParkAsk, ParkFound};
use callwright::call::queue::{QueueAsk, QueueFound, QueueQuery, Standing};
use callwright::call::room::{JoinOrder, RoomFacts, RoomFound, RoomNews, RoomOrder, RoomSound};
use callwright::call::{Call, Tie};
use callwright::flow::Flow;
use callwright::flow::program::{Program, PromptFile, Published, Rooms, Settings, SpeechEngine};
use callwright::model::audit::AuditEntry;
use callwright::model::park::Taker;
use callwright::model::record::{CallRecord, RecordingNote};
use callwright::model::recording::RecordingKind;
use callwright::model::timeline::What;
use serde_json::{Value, json};
use uuid::Uuid;

pub(crate) const PROMPTS: [&str; 8] =
    ["welcome", "menu", "again", "sorry", "wrong", "silent", "hold", "bye"];

/// A flow of these steps, beginning with `start`; other fields of the document may stand beside
/// them under `_flow`.
pub(crate) fn flow(steps: &Value) -> Flow {
    let mut document = steps.get("_flow").cloned().unwrap_or_else(|| json!({}));
    let mut steps = steps.clone();
    steps.as_object_mut().unwrap().remove("_flow");
    for (name, value) in [("callwright", json!(1)), ("start", json!("start")), ("steps", steps)] {
        document[name] = value;
    }
    serde_json::from_value(document).unwrap()
}

/// The first flow is the call's.
pub(crate) fn program(flows: &[(&str, &Value)]) -> Arc<Program> {
    let published = flows.iter().map(|(name, steps)| {
        let name: callwright::base::ids::FlowName = name.parse().unwrap();
        (name.clone(), Arc::new(Published::new(name, 3, flow(steps))))
    });
    let prompts = PROMPTS.iter().map(|name| {
        let (path, length) = (format!("/p/{name}.wav"), Some(Millis::seconds(2)));
        (name.parse().unwrap(), PromptFile { path, length })
    });
    Arc::new(Program {
        tenant: TenantId(Uuid::from_u128(1)),
        timezone: "Europe/Berlin".into(),
        main: flows[0].0.parse().unwrap(),
        flows: published.collect(),
        prompts: prompts.collect(),
        settings: Settings {
            gateways: vec!["carrier".parse().unwrap()],
            sip_hosts: vec!["pbx.example".into()],
            domain: "t.example".into(),
            contexts: vec!["default".into(), "other".into()],
            speech: Some(SpeechEngine { engine: "flite".into(), voice: "slt".into() }),
            message_directory: "/m".into(),
            rooms: rooms(),
            ..Settings::default()
        },
    })
}

/// `sales` has PINs and codes; anybody may come to `open`, and members of `talk` may not speak.
fn rooms() -> Rooms {
    let rooms = [
        (
            "sales",
            r##"{"member_pin": "1234", "moderator_pin": "987654", "most": 3, "tones": true,
            "end_with_moderator": true, "keys": {"*1": "mute_self", "*5": "lock", "#": "leave",
            "*9": "end", "*2": "record", "*7": "invite", "8": "louder"}}"##,
        ),
        ("open", "{}"),
        ("named", r#"{"names": true}"#),
        (
            "talk",
            r#"{"member": ["mute_self"], "wait_for_moderator": true, "join_deaf": true,
            "moderator_pin": "111", "keys": {"1": "mute_self"}}"#,
        ),
    ];
    let rooms = rooms
        .iter()
        .map(|(name, settings)| (name.parse().unwrap(), serde_json::from_str(settings).unwrap()));
    Arc::new(rooms.collect())
}

pub(crate) fn arrival() -> Arrival {
    Arrival {
        call: CallId(Uuid::from_u128(0xca11)),
        channel: "a-leg".parse().unwrap(),
        caller_name: "Ann".into(),
        caller_number: "+15550100".into(),
        dialed: "+15550199".into(),
        answered: false,
        variables: [("sip_h_x_account".to_owned(), "77".to_owned())].into(),
        via: Via::default(),
    }
}

/// A Sunday morning in Berlin.
pub(crate) fn start() -> Now {
    Now::new(5_000, "2026-11-22T09:00:00Z".parse().unwrap())
}

/// Which lines the transcript has besides orders, queries and the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    Moves,
    Notes,
}

pub(crate) struct Line {
    pub(crate) call: Call,
    pub(crate) program: Arc<Program>,
    pub(crate) now: Now,
    pub(crate) born: Now,
    pub(crate) text: String,
    pub(crate) show: Show,
    /// Every note, as JSON.
    pub(crate) notes: Vec<String>,
    pub(crate) record: Option<CallRecord>,
    /// Actions that end, not yet reported.
    pub(crate) running: Vec<(ActionId, Action)>,
    pub(crate) queries: Vec<QueryId>,
    /// Channels that were called besides the caller's and those of dials.
    pub(crate) called: Vec<String>,
    /// What the far party's channel carries.
    pub(crate) tied: Option<Tie>,
    /// Other channels that hung up.
    pub(crate) gone: Vec<String>,
    pub(crate) boundaries: Vec<Vec<u8>>,
    /// What commands were answered.
    pub(crate) answers: Vec<Result<(), String>>,
    pub(crate) audit: Vec<AuditEntry>,
    /// Write the state and read it back at every boundary.
    pub(crate) swap: bool,
    /// A number of the tenant, and where it leads.
    pub(crate) number: Option<(&'static str, Leads)>,
    /// What the next process finds that the switch did meanwhile.
    pub(crate) found: Found,
    /// The file that the switch was told to record to last.
    pub(crate) file: Option<String>,
    /// The order to send keys that came last.
    keys_sent: Option<ActionId>,
    /// What it was told about recordings and has not answered.
    pub(crate) unanswered: Vec<ActionId>,
    /// What was told of recordings.
    pub(crate) told: Vec<RecordingNote>,
    /// All outputs as a developer sees them.
    pub(crate) debug: String,
    swapping: bool,
    /// Playings that the switch has stopped and not yet reported.
    stopped: Vec<ActionId>,
}

impl Line {
    pub(crate) fn new(program: Arc<Program>, show: Show) -> Self {
        Self::with(program, arrival(), show, false)
    }

    pub(crate) fn with(program: Arc<Program>, arrival: Arrival, show: Show, swap: bool) -> Self {
        Self::of(Call::begin(arrival, program.clone(), start()), program, show, swap)
    }

    /// A call that has just begun.
    pub(crate) fn of(call: Call, program: Arc<Program>, show: Show, swap: bool) -> Self {
        let now = start();
        let mut line = Self {
            call,
            program,
            now,
            born: now,
            text: String::new(),
            show,
            notes: Vec::new(),
            record: None,
            running: Vec::new(),
            queries: Vec::new(),
            called: Vec::new(),
            tied: None,
            gone: Vec::new(),
            boundaries: Vec::new(),
            answers: Vec::new(),
            audit: Vec::new(),
            swap,
            number: None,
            found: Found::default(),
            file: None,
            keys_sent: None,
            unanswered: Vec::new(),
            told: Vec::new(),
            debug: String::new(),
            swapping: false,
            stopped: Vec::new(),
        };
        line.drain();
        line
    }

    pub(crate) fn write(&mut self, text: &str) {
        let ms = self.age_ms();
        writeln!(self.text, "{}.{:03} {text}", ms / 1_000, ms % 1_000).unwrap();
    }

    pub(crate) fn drain(&mut self) {
        let mut boundary = false;
        while let Some(output) = self.call.poll_output() {
            assert!(self.record.is_none(), "after the end: {output:?}\n{}", self.text);
            if self.show == Show::Notes {
                writeln!(self.debug, "{output:?}").unwrap();
            }
            self.output(output, &mut boundary);
        }
        if boundary {
            if self.show == Show::Notes {
                self.boundaries.push(serde_json::to_vec(self.call.state()).unwrap());
            }
            if self.swap && !self.swapping && self.record.is_none() {
                self.swapping = true;
                self.change_hands();
                self.swapping = false;
            }
        }
        if self.record.is_some() {
            assert_eq!(self.call.poll_timeout(), None);
        }
    }

    fn output(&mut self, output: Output, boundary: &mut bool) {
        match output {
            Output::Action(id, action) => self.action(id, action),
            Output::Query(id, query) => {
                let request = match query {
                    Query::Queue(query) => return self.line_asked(id, &query),
                    Query::Outbound(query) => return self.outside_asked(id, &query),
                    Query::Http(request) => request,
                    Query::Room(query) => {
                        self.queries.push(id);
                        return self.write(&format!("? room {}", query.room));
                    }
                    Query::Admit(query) => {
                        self.queries.push(id);
                        return self.write(&format!("? admit {}", query.limits.len()));
                    }
                    Query::Spoken(query) => {
                        self.queries.push(id);
                        let (value, kind) = (query.value.reveal(), query.kind.word());
                        return self.write(&format!("? spoken {value} {kind} {}", query.language));
                    }
                    Query::Park(query) => {
                        self.queries.push(id);
                        return self.write(&format!("? {}", seek(&query.ask)));
                    }
                };
                self.queries.push(id);
                let (method, url) = (request.method, request.url.reveal());
                self.write(&format!("? {method:?} {url}"));
                if let Some(body) = request.body {
                    self.write(&format!("? {}", body.reveal()));
                }
            }
            Output::Boundary => *boundary = true,
            Output::Typed => {}
            Output::Answered(obeyed) => self.answers.push(obeyed),
            Output::Audit(entry) => self.audit.push(*entry),
            Output::Recording(note) => {
                if note.kind == RecordingKind::Call {
                    let text = format!("RECORDING {} {} ms", note.state.name(), note.length_ms);
                    self.write(&text);
                }
                self.told.push(*note);
            }
            Output::Note(entry) => {
                assert_eq!(entry.sequence as usize, self.notes.len() + 1, "{}", self.text);
                self.notes.push(serde_json::to_string(&entry).unwrap());
                let text = note(&entry.what, self.show);
                if let Some(text) = text {
                    self.write(&text);
                }
            }
            Output::Ended(record) => {
                let end = &record.termination;
                let text = format!("END {:?} {}: {}", end.party, end.cause, end.reason);
                self.write(&text);
                self.record = Some(*record);
            }
        }
    }

    fn action(&mut self, id: ActionId, action: Action) {
        self.write(&format!("! {}", order(&action)));
        if let Action::RecordCall { path, change: RecordChange::Start { .. } } = &action {
            self.file = Some(path.clone());
        }
        if let Action::RecordCall { .. } = &action {
            self.unanswered.push(id);
        }
        if let Action::Tie { tie, .. } | Action::Bring { tie, .. } = &action {
            self.tied = Some((**tie).clone());
        }
        if let Action::Originate(order) = &action {
            self.called.push(order.channel.to_string());
        }
        match action {
            Action::Answer
            | Action::Ring
            | Action::Play { .. }
            | Action::Record(_)
            | Action::Dial(_)
            | Action::JoinRoom(_)
            | Action::Take { .. }
            | Action::Place(_)
            | Action::Transfer { .. } => self.running.push((id, action)),
            Action::Silence => {
                let stops =
                    |action: &Action| matches!(action, Action::Play { .. } | Action::Record(_));
                let running = std::mem::take(&mut self.running).into_iter();
                let (stopped, rest) = running.partition::<Vec<_>, _>(|(_, action)| stops(action));
                self.running = rest;
                self.stopped.extend(stopped.into_iter().map(|(id, _)| id));
            }
            Action::SendKeys { .. } => self.keys_sent = Some(id),
            Action::Reject(_)
            | Action::CancelDial
            | Action::SetVariables(_)
            | Action::Discard { .. }
            | Action::Hold { .. }
            | Action::Room { .. }
            | Action::Join { .. }
            | Action::Enter { .. }
            | Action::Lend(_)
            | Action::Dismiss { .. }
            | Action::Return { .. }
            | Action::Tie { .. }
            | Action::Bring { .. }
            | Action::Connect { .. }
            | Action::Await { .. }
            | Action::PickUp
            | Action::Tell { .. }
            | Action::Follow { .. }
            | Action::Originate(_)
            | Action::Limit { .. }
            | Action::Drop { .. }
            | Action::Eavesdrop { .. }
            | Action::Relay { .. }
            | Action::Beep { .. }
            | Action::AskBack { .. }
            | Action::RecordCall { .. }
            | Action::Overlay { .. }
            | Action::Hangup(_)
            | Action::Release { .. } => {}
        }
    }

    pub(crate) fn input(&mut self, input: Input) {
        if let Input::Event(Event::Far { channel, news: FarNews::HungUp(_) }) = &input {
            self.gone.push(channel.to_string());
        }
        self.call.handle(input, self.now);
        self.drain();
    }

    pub(crate) fn event(&mut self, event: Event) {
        self.input(Input::Event(event));
    }

    /// The switch stops what plays until such a key, and says so after it has said the key.
    pub(crate) fn keys(&mut self, keys: &str) {
        for key in keys.bytes().map(|byte| Digit::new(byte).unwrap()) {
            let stops = |action: &Action| match action {
                Action::Play { stop_on, .. } => stop_on.contains(key),
                _ => false,
            };
            let first = self.running.first().filter(|(_, action)| stops(action)).map(|(id, _)| *id);
            self.event(Event::Digit(key));
            if let Some(first) = first
                && let Some(at) = self.running.iter().position(|(id, _)| *id == first)
            {
                self.stopped.push(self.running.remove(at).0);
            }
            self.report_stopped();
        }
    }

    fn report_stopped(&mut self) {
        while let Some(id) = self.stopped.pop() {
            self.event(Event::Done(id, Ending::Finished));
        }
    }

    /// Lets time pass; deadlines act when they are due. The clock may change on the way.
    pub(crate) fn wait(&mut self, ms: u64) {
        let until = self.age_ms() + ms;
        while let Some((due, _)) = self.call.poll_timeout()
            && due.saturating_sub(self.born.mono_ms) <= until
        {
            self.now = self.now.plus_ms(due.saturating_sub(self.now.mono_ms));
            self.input(Input::Timeout);
            self.report_stopped();
        }
        self.now = self.now.plus_ms(until.saturating_sub(self.age_ms()));
    }

    fn age_ms(&self) -> u64 {
        self.now.mono_ms - self.born.mono_ms
    }

    /// Where a phone sends the caller.
    pub(crate) fn referral(&self, to: &str) -> Referral {
        let leads = self.number.as_ref().filter(|(number, _)| *number == to);
        let leads = leads.map_or(Leads::Elsewhere, |(_, leads)| leads.clone());
        Referral::new(to.to_owned(), leads)
    }

    /// Another process goes on with the call.
    pub(crate) fn change_hands(&mut self) {
        let written = serde_json::to_vec(&self.call.kept()).unwrap();
        let taken: Taken = serde_json::from_slice(&written).unwrap();
        assert_eq!(taken.state().step(), self.call.state().step());
        // Another machine: its clock has another zero.
        let other = Now::new(self.now.mono_ms + 777_000, self.now.wall);
        self.now = other;
        self.born.mono_ms += 777_000;
        self.call =
            Call::resume(taken, self.program.clone(), std::mem::take(&mut self.found), other)
                .unwrap();
        self.running.clear();
        self.queries.clear();
        self.drain();
    }

    /// The same process goes on with the call; a phone may have sent the caller somewhere.
    fn come_back(&mut self, referred: Option<&str>) {
        self.found.ours = true;
        self.found.referred = referred.map(|to| self.referral(to));
        self.change_hands();
    }

    /// Another process goes on with the call, which talks and has no connection.
    pub(crate) fn watch(&mut self) {
        let written = serde_json::to_vec(&self.call.kept()).unwrap();
        let taken: Taken = serde_json::from_slice(&written).unwrap();
        let other = self.call.state().bridged().cloned();
        self.call = Call::watch(taken, self.program.clone(), other, self.now).unwrap();
        self.drain();
    }

    fn oldest(&mut self) -> ActionId {
        assert!(!self.running.is_empty(), "nothing runs\n{}", self.text);
        self.running.remove(0).0
    }

    fn done(&mut self, ending: Ending) {
        let id = self.oldest();
        self.event(Event::Done(id, ending));
    }

    /// One line of a script.
    pub(crate) fn step(&mut self, line: &str) {
        let line = line.trim();
        self.write(&format!("< {line}"));
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        match word {
            "key" => self.keys(rest),
            "wait" => self.wait(rest.parse::<Millis>().unwrap().ms()),
            "done" => self.done(Ending::Finished),
            "missing" => self.done(Ending::FileMissing { file: rest.into() }),
            "failed" => self.done(Ending::Failed { detail: rest.into() }),
            "recorded" => self.done(Ending::Recorded {
                length_ms: rest.parse::<Millis>().unwrap().ms(),
                terminator: None,
            }),
            "dialed" => self.done(dialed(false, rest)),
            "talked" => self.done(dialed(true, rest)),
            "refused" => {
                let id = self.oldest();
                self.event(Event::Refused(id, rest.into()));
            }
            "unsent" => self.unsent(rest),
            "lost-done" => drop(self.running.remove(0)),
            "answered" => self.event(Event::Answered),
            "bridged" => {
                let other = if rest.is_empty() { "b-leg" } else { rest };
                self.event(Event::Bridged { other: other.parse().unwrap(), target: None });
            }
            "unbridged" => self.event(Event::Unbridged),
            "far" => self.far(rest),
            "held" => self.event(Event::Held(rest == "on")),
            "began" => self.event(self.began()),
            "obeyed" => {
                let id = self.unanswered.remove(0);
                self.event(Event::Obeyed(id));
            }
            "unheard" => drop(self.unanswered.remove(0)),
            "disobeyed" => {
                let id = self.unanswered.remove(0);
                self.event(Event::Refused(id, rest.into()));
            }
            "stopped" => self.event(self.stopped(rest.parse::<Millis>().ok().map(Millis::ms))),
            "hangup" => self.hangup(rest),
            "lost" => self.event(Event::LinkLost { reason: rest.into() }),
            "operator" | "command" | "by" => self.input(Input::Command(ordered(word, rest))),
            "http" => self.http(rest),
            "room" => self.room(rest),
            "spoken" => self.spoken(rest),
            "slot" => self.slot(rest),
            "line" => self.line(rest),
            "resume" => self.change_hands(),
            "return" | "referred" => self.come_back((word == "referred").then_some(rest)),
            "watch" => self.watch(),
            "replaced" => {
                let other = rest.parse().unwrap();
                self.event(Event::Replaced { other, party: "300".into() });
            }
            "refers" => {
                let to = (!rest.is_empty()).then(|| rest.to_owned());
                let other = to.is_none().then(|| "x-leg".parse().unwrap());
                self.event(Event::Refers { to, other });
            }
            _ => self.gateway(word, rest),
        }
        self.report_stopped();
    }

    /// `CHANNEL answered`, `CHANNEL hangup CAUSE` …
    fn far(&mut self, rest: &str) {
        let mut words = rest.split(' ');
        let channel = words.next().unwrap().parse().unwrap();
        let news = match words.next().unwrap() {
            "answered" => FarNews::Answered,
            "parked" => FarNews::Parked,
            "key" => FarNews::Key(Digit::new(words.next().unwrap().as_bytes()[0]).unwrap()),
            "held" => FarNews::Held(true),
            "unheld" => FarNews::Held(false),
            "hangup" => FarNews::HungUp(HangupCause::named(words.next().unwrap())),
            "room" => FarNews::Room(match words.next().unwrap() {
                "in" => RoomNews::Entered { member: 9, muted: false, deaf: false },
                "muted" => RoomNews::Muted(true),
                "heard" => RoomNews::Muted(false),
                other => panic!("`{other}` is nothing that a room tells of somebody else"),
            }),
            other => panic!("`{other}` is no news of a channel"),
        };
        self.event(Event::Far { channel, news });
    }

    /// The switch begins to write the file that it was told of last.
    pub(crate) fn began(&self) -> Event {
        Event::RecordingBegan { path: self.file.clone().unwrap_or_default() }
    }

    pub(crate) fn stopped(&self, length_ms: Option<u64>) -> Event {
        let (path, cause) = (self.file.clone().unwrap_or_default(), "success".to_owned());
        Event::RecordingEnded { path, length_ms, cause }
    }

    fn hangup(&mut self, rest: &str) {
        let (cause, by) = rest.split_once(' ').unwrap_or((rest, "unknown"));
        let by_caller = match by {
            "caller" => Some(true),
            "switch" => Some(false),
            _ => None,
        };
        self.event(Event::HungUp { cause: HangupCause::named(cause), by_caller });
    }

    /// `here 2`, `locked 2`, `elsewhere fs2`, `none` answer the question; the rest is news.
    fn room(&mut self, rest: &str) {
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let facts = |locked, recorded| {
            let facts = RoomFacts { locked, recorded, members: rest.parse().unwrap() };
            RoomFound { here: Some(facts), elsewhere: None, known: true }
        };
        let found = match word {
            "none" => RoomFound { known: true, ..RoomFound::default() },
            "here" => facts(false, false),
            "recorded" => facts(false, true),
            "locked" => facts(true, false),
            "elsewhere" => RoomFound { elsewhere: Some(rest.into()), ..RoomFound::default() },
            "in" => {
                let entered = RoomNews::Entered {
                    member: 7,
                    muted: rest.contains("muted"),
                    deaf: rest.contains("deaf"),
                };
                return self.event(Event::Room(entered));
            }
            "muted" => return self.event(Event::Room(RoomNews::Muted(true))),
            "heard" => return self.event(Event::Room(RoomNews::Muted(false))),
            "kicked" => return self.event(Event::Room(RoomNews::Kicked)),
            _ => panic!("`{word}` is nothing that a room tells"),
        };
        assert!(!self.queries.is_empty(), "nothing is asked\n{}", self.text);
        let id = self.queries.remove(0);
        self.input(Input::Answer(id, Answer::Room(found)));
    }

    fn unsent(&mut self, why: &str) {
        let id = self.keys_sent.take().unwrap();
        self.event(Event::Refused(id, why.into()));
    }

    /// `in 701`, `full`, `out`, `gone` (taken by 300), `taken` (a caller on `p-leg`), `empty`,
    /// `elsewhere`, `unknown`: what the store says.
    fn slot(&mut self, rest: &str) {
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let other = CallId(Uuid::from_u128(0x0ca2));
        let found = match word {
            "in" => ParkFound::In(rest.parse().unwrap()),
            "full" => ParkFound::Full,
            "out" => ParkFound::Out(None),
            "gone" => ParkFound::Out(Some(Taker { call: other, party: "300".into() })),
            "taken" => ParkFound::Taken {
                call: other,
                channel: "p-leg".parse().unwrap(),
                party: "+4930".into(),
            },
            "empty" => ParkFound::Empty,
            "elsewhere" => ParkFound::Elsewhere(CoreId(Uuid::from_u128(2))),
            "unknown" => ParkFound::Unknown("the database is away".into()),
            _ => panic!("`{word}` is nothing that is said of slots"),
        };
        assert!(!self.queries.is_empty(), "nothing is asked\n{}", self.text);
        let id = self.queries.remove(0);
        self.input(Input::Answer(id, Answer::Park(found)));
    }

    /// A file, or `none`.
    fn spoken(&mut self, rest: &str) {
        assert!(!self.queries.is_empty(), "nothing is asked\n{}", self.text);
        let id = self.queries.remove(0);
        let found = if rest == "none" { Err("no words".into()) } else { Ok(vec![rest.into()]) };
        self.input(Input::Answer(id, Answer::Spoken(found)));
    }

    fn line_asked(&mut self, id: QueryId, query: &QueueQuery) {
        let name = &query.queue;
        let text = match &query.ask {
            QueueAsk::Wait(waiter) => {
                self.queries.push(id);
                let since = waiter.joined_ms.map(|joined_ms| format!(" since {joined_ms}"));
                let rest = waiter.unanswered.as_ref();
                let rest = rest.map(|one| format!(", unanswered: {} for {}", one.target, one.rest));
                format!("? line {name}{}{}", since.unwrap_or_default(), rest.unwrap_or_default())
            }
            QueueAsk::Speak { target, wrap_up } => {
                format!("? line {name}: speaks with {target}, then {wrap_up}")
            }
            QueueAsk::Leave => format!("? line {name}: leaves"),
        };
        self.write(&text);
    }

    /// `2` or `2 90s` ahead, `gets 1`, `full` and `unknown` answer the question.
    fn line(&mut self, rest: &str) {
        let (word, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let standing = |ahead, target| {
            let wait_ms = rest.parse::<Millis>().ok().map(Millis::ms);
            let joined_ms = 1_000;
            QueueFound::Waits(Standing { joined_ms, ahead, wait_ms, target })
        };
        let found = match word {
            "full" => QueueFound::Full,
            "unknown" => QueueFound::Unknown,
            "gets" => standing(0, Some(rest.parse().unwrap())),
            ahead => standing(ahead.parse().unwrap(), None),
        };
        assert!(!self.queries.is_empty(), "nothing is asked\n{}", self.text);
        let id = self.queries.drain(..).next_back().unwrap();
        self.input(Input::Answer(id, Answer::Queue(found)));
    }

    fn http(&mut self, rest: &str) {
        assert!(!self.queries.is_empty(), "nothing is asked\n{}", self.text);
        let id = self.queries.remove(0);
        let (status, body) = rest.split_once(' ').unwrap_or((rest, ""));
        let answer = match status.parse() {
            Ok(status) => Ok(HttpAnswer { status, body: body.into() }),
            Err(_) => Err(HttpFailure::TimedOut),
        };
        self.input(Input::Answer(id, Answer::Http(answer)));
    }

    /// What was ordered since, in order.
    pub(crate) fn orders(&mut self) -> Vec<String> {
        let text = std::mem::take(&mut self.text);
        let orders = text.lines().filter_map(|line| line.split_once(" ! "));
        orders.map(|(_, order)| order.to_owned()).collect()
    }

    pub(crate) fn play_script(&mut self, script: &str) {
        for line in script.lines().filter(|line| !line.trim().is_empty()) {
            self.step(line);
        }
    }
}

fn dialed(answered: bool, rest: &str) -> Ending {
    let (cause, target) = rest.split_once(' ').unwrap_or((rest, ""));
    let cause = HangupCause::named(cause);
    let code = target.strip_prefix("code=").and_then(|code| code.parse().ok());
    Ending::Dialed(Dialed { answered, cause, code, target: target.parse().ok(), other: None })
}

fn joining(order: &JoinOrder) -> String {
    let flags = [
        (order.muted, "muted"),
        (order.deaf, "deaf"),
        (order.ends_it, "ends it"),
        (order.waits, "waits"),
        (order.passes_lock, "passes lock"),
        (order.joins_only, "joins only"),
    ];
    let flags: Vec<_> = flags.iter().filter(|(is, _)| *is).map(|(_, name)| *name).collect();
    format!("join as {}: {}", order.role, flags.join(", "))
}

/// What is asked about slots, in short.
fn seek(ask: &ParkAsk) -> String {
    match ask {
        ParkAsk::Reserve { wanted: Some(slot), .. } => format!("reserve {slot}"),
        ParkAsk::Reserve { slots, .. } => format!("reserve of {slots}"),
        ParkAsk::Open => "open".into(),
        ParkAsk::Leave => "leave".into(),
        ParkAsk::Free => "free".into(),
        ParkAsk::Take { slot, by } => format!("take {slot} for {}", by.party),
    }
}

/// What the switch is told, in short.
fn dialed_at(address: &DialAddress) -> String {
    match address {
        DialAddress::Extension { extension, domain } => format!("{extension}@{domain}"),
        DialAddress::Number { number, gateway, most, shown } => {
            let most = most.map(|most| format!(" for {most}")).unwrap_or_default();
            let shown = shown.as_ref().map(|shown| format!(" as {shown:?}")).unwrap_or_default();
            format!("{number} via {gateway}{most}{shown}")
        }
        DialAddress::Outside { .. } => panic!("the switch knows no gateway for it"),
        DialAddress::Sip { user, host } => format!("sip:{user}@{host}"),
    }
}

fn order(action: &Action) -> String {
    use callwright::call::output::Media;
    match action {
        Action::Play { media, stop_on } => {
            let media = media.iter().map(|medium| match medium {
                Media::File { name, .. } => name.clone(),
                Media::Tone(_) => "beep".into(),
                Media::Silence(length) => format!("silence {length}"),
                Media::Say { value, kind, language } => {
                    format!("say {kind:?} {} {language}", value.reveal())
                }
                Media::Words { paths } => paths.join(" "),
                Media::Speak { text, .. } => format!("speak {}", text.reveal()),
            });
            let media: Vec<String> = media.collect();
            let stop = match stop_on.as_str() {
                "" => String::new(),
                "0123456789*#ABCD" => " until key".into(),
                keys => format!(" until {keys}"),
            };
            format!("play {}{stop}", media.join(" + "))
        }
        Action::Place(order) => {
            let shown = [&order.caller_name, &order.caller_number].map(|text| text.as_deref());
            let [name, number] = shown.map(Option::unwrap_or_default);
            format!("place {} {} as {name} {number}", dialed_at(&order.address), order.timeout)
        }
        Action::Dial(order) => {
            let targets = order.targets.iter().map(|target| {
                let at = dialed_at(&target.address);
                format!("{at} +{} {}", target.delay, target.timeout)
            });
            format!("dial {}", targets.collect::<Vec<_>>().join(", "))
        }
        Action::JoinRoom(order) => joining(order),
        Action::Room { order: RoomOrder::Play(RoomSound::Tone(tone)), .. } => {
            format!("room tone {:?}", tone.tone)
        }
        Action::Room { order: RoomOrder::Play(RoomSound::File { path }), .. } => {
            format!("room file {path}")
        }
        Action::Room { order, by: None, .. } => format!("room {order:?}"),
        Action::Room { order, by: Some(by), .. } => format!("room {order:?} by {by}"),
        Action::Record(order) => format!("record {}", order.path),
        Action::Originate(order) if matches!(order.then, Then::Room(_)) => {
            let Then::Room(join) = &order.then else { return String::new() };
            format!("call {:?} {}, then {}", order.address, order.timeout, joining(join))
        }
        Action::Originate(order) => {
            format!("call {}: {:?}, then {:?}", order.channel, order.address, order.then)
        }
        Action::Eavesdrop { channel, target, speaks } => {
            format!("{channel} listens at {target}{}", if *speaks { ", speaks" } else { "" })
        }
        Action::Relay { channel, from, to } => format!("{channel} relays {from} to {to}"),
        Action::Follow { channel, on } => format!("follow {channel} {on}"),
        Action::Drop { channel, .. } => format!("drop {channel}"),
        Action::RecordCall { path, change } => {
            let name = path.rsplit('/').next().unwrap_or_default();
            format!("{change:?} {}", &name[name.len().saturating_sub(16)..])
        }
        Action::Overlay { media: Media::File { name, .. }, far } => {
            format!("overlay {name} to {far:?}")
        }
        Action::Overlay { far, .. } => format!("overlay beep to {far:?}"),
        other => moved(other),
    }
}

/// Who is led where.
fn moved(action: &Action) -> String {
    match action {
        Action::Join { other, keep } => {
            format!("join {other}{}", if *keep { ", keep" } else { "" })
        }
        Action::Enter { channel, .. } => format!("enter {channel}"),
        Action::Take { other } => format!("take {other}"),
        Action::Lend(on) => format!("lend {on}"),
        Action::Dismiss { channel, said } => format!("dismiss {channel} with {}", said.len()),
        Action::Return { other } => format!("return from {other}"),
        Action::Tie { channel, .. } => format!("tie {channel}"),
        Action::Bring { channel, .. } => format!("bring {channel}"),
        Action::Connect { one, other, keep } => {
            format!("connect {one} {other}{}", if *keep { ", keep" } else { "" })
        }
        Action::Await { channel, .. } => format!("await {channel}"),
        Action::Tell { channel, media: Media::File { name, .. } } => {
            format!("tell {channel} {name}")
        }
        Action::Tell { channel, media: Media::Words { paths } } => {
            format!("tell {channel} {}", paths.join(" "))
        }
        Action::AskBack { channel } => format!("ask {channel} back"),
        Action::Hold { held, other, on, .. } => {
            format!("{} {held} against {other}", if *on { "hold" } else { "free" })
        }
        other => format!("{other:?}"),
    }
}

fn note(what: &What, show: Show) -> Option<String> {
    match what {
        What::StepLeft { step, outcome, next, why } => {
            let next = next.as_ref().map_or("nowhere", |next| next.as_str());
            let why = if why.is_empty() { String::new() } else { format!(" ({why})") };
            Some(format!("{step}: {outcome} -> {next}{why}"))
        }
        What::Guard { limit } => Some(format!("GUARD {limit}")),
        What::Noticed { text, .. } => Some(format!("({text})")),
        What::Set { variable, value } => Some(format!("{variable} = {value}")),
        What::Arrived { caller_name, caller_number, dialed, flow, version }
            if show == Show::Notes =>
        {
            let from = format!("{caller_name} {caller_number}");
            Some(format!("arrived from {from} at {dialed} for {flow} {version}"))
        }
        What::Ended { .. } => None,
        other if show == Show::Notes => Some(format!("{other:?}")),
        _ => None,
    }
}

/// Runs the script and compares the transcript.
#[track_caller]
pub(crate) fn check(steps: &Value, script: &str, expected: &str) {
    check_all(&[("main", steps)], script, expected);
}

#[track_caller]
pub(crate) fn check_all(flows: &[(&str, &Value)], script: &str, expected: &str) {
    let mut line = Line::new(program(flows), Show::Moves);
    line.play_script(script);
    same(&line.text, expected);
}

#[track_caller]
pub(crate) fn same(text: &str, expected: &str) {
    let lines = |text: &str| {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        lines.map(|line| format!("        {line}\n")).collect::<String>()
    };
    let (text, expected) = (lines(text), lines(expected));
    assert!(text == expected, "the transcript is\n{text}and not\n{expected}");
}

/// `operator CAUSE`, `command JSON`, `by NAME JSON`.
fn ordered(word: &str, rest: &str) -> Ordered {
    let command = |text: &str| serde_json::from_str::<Command>(text).unwrap();
    match word {
        "operator" => Command::Hangup { cause: HangupCause::named(rest) }.into(),
        "command" => command(rest).into(),
        _ => {
            let at = rest.find('{').unwrap();
            Ordered { by: rest[..at].trim().to_owned(), command: command(&rest[at..]) }
        }
    }
}
