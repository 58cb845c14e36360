//! Any inputs in any order, for fuzzing and for the tests that replay what fuzzing found.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;
use uuid::Uuid;

use super::Call;
use super::arrival::{Arrival, Via};
use super::handover::Found;
use super::input::{Answer, Command, Dialed, Ending, Event, HttpAnswer, HttpFailure, Input};
use super::output::{ActionId, Output, QueryId};
use super::room::{MemberOp, RoomFacts, RoomFound, RoomNews};
use super::state::State;
use crate::base::cause::HangupCause;
use crate::base::digits::Digit;
use crate::base::ids::{CallId, ChannelId, FlowName, RoomName, TenantId};
use crate::base::now::Now;
use crate::flow::Flow;
use crate::flow::program::{Program, Published, Rooms, Settings};

/// A flow with every kind of step that waits, so that every input finds one that hears it.
const FLOW: &str = r##"{
    "callwright": 1, "start": "ring", "fallback": "again", "arguments": { "n": 0 }, "steps": {
    "ring": { "kind": "ring", "duration": "1s", "next": "answer" },
    "answer": { "kind": "answer", "pause": "500ms", "next": "menu" },
    "menu": { "kind": "menu", "prompts": [{ "tone": [440] }, { "silence": "1s" }],
        "choices": { "1": "gather", "2": "dial", "3": "message", "4": "ask", "45": "transfer",
            "6": "sub", "7": "reject", "*": "room", "8": "back",
            "0": "send", "#": "line", "/^9\\d$/": "turn" },
        "direct_dial": { "min": 3, "max": 4, "into": "n", "next": "dial" } },
    "gather": { "kind": "gather", "prompts": [{ "silence": "1s" }], "into": "pin", "max": 6,
        "secret": true, "accept": ["1234", "{n}"], "next": "copy",
        "confirm": { "prompts": [{ "say": "{input}", "as": "digits" }] } },
    "copy": { "kind": "set", "variables": { "n": "pin & n" }, "next": "menu" },
    "ask": { "kind": "http", "url": "https://x.example/?n={n}", "into": { "n": "/n" },
        "next": "menu",
        "waiting_prompts": [{ "tone": [300] }] },
    "dial": { "kind": "dial", "targets": [{ "extension": "{n}" }, { "extension": "2" }],
        "cancel_key": "*", "time_limit": "1m", "answered_by": "n", "next": "menu" },
    "turn": { "kind": "dial", "strategy": "in_turn", "next": "menu", "on": { "busy": "message" },
        "targets": [{ "extension": "1" }, { "extension": "2" }] },
    "message": { "kind": "message", "next": "menu", "into": "n",
        "review": { "prompts": [{ "tone": [500] }] } },
    "sub": { "kind": "flow", "flow": "main", "arguments": { "n": "n" }, "into": "n",
        "next": "menu" },
    "back": { "kind": "return", "value": "n" },
    "transfer": { "kind": "transfer", "extension": "{n}", "on": { "failed": "menu" } },
    "room": { "kind": "conference", "room": "sales", "next": "menu",
        "prompts": [{ "tone": [500] }] },
    "line": { "kind": "queue", "queue": "sales", "next": "menu", "exit_key": "*",
        "targets": [{ "extension": "{n}" }, { "extension": "1" }], "max_wait": "10m",
        "retry": "2s", "announce": { "position": [{ "say": "{queue.position}" }],
            "wait": [{ "say": "{queue.minutes}" }], "every": "10s" } },
    "send": { "kind": "dtmf", "digits": "{n}w1", "next": "menu" },
    "reject": { "kind": "reject" },
    "again": { "kind": "play", "prompts": [{ "say": "{n}" }, { "tone": [400] }], "next": "menu" } }
}"##;

/// How many inputs one run takes.
const INPUTS_MAX: usize = 2_000;

/// Drives a machine by what the bytes say: which input, when,
/// with what. Whatever they say nothing panics,
/// and a call that has ended says nothing more.
#[doc(hidden)]
pub fn fuzz_inputs(bytes: &[u8]) {
    let Ok(flow) = serde_json::from_str::<Flow>(FLOW) else { return };
    let Ok(main) = "main".parse::<FlowName>() else { return };
    let Ok(channel) = "a".parse::<ChannelId>() else { return };
    let program = Arc::new(program(&main, flow));
    let arrival = Arrival {
        call: CallId(Uuid::nil()),
        channel: channel.clone(),
        caller_name: String::new(),
        caller_number: "1".into(),
        dialed: "2".into(),
        answered: false,
        variables: BTreeMap::new(),
        via: Via::default(),
    };
    let mut now = Now::new(0, Timestamp::UNIX_EPOCH);
    let mut call = Call::begin(arrival, program.clone(), now);
    let mut ended = drain(&mut call, false);
    for pair in bytes.chunks_exact(2).take(INPUTS_MAX) {
        let (what, with) = (pair[0], pair[1]);
        now = now.plus_ms(u64::from(with) * 20);
        if what % 32 == 31 {
            if let Some(other) = resumed(&call, &program, now)
                && !ended
            {
                call = other;
            }
        } else if let Some(input) = input(&call, &channel, what, with) {
            call.handle(input, now);
        }
        ended = drain(&mut call, ended);
    }
}

fn program(main: &FlowName, flow: Flow) -> Program {
    let name = main.clone();
    let published = Published::new(name.clone(), 1, flow);
    Program {
        tenant: TenantId(Uuid::nil()),
        timezone: "UTC".into(),
        main: name.clone(),
        flows: [(name, Arc::new(published))].into(),
        prompts: BTreeMap::new(),
        settings: Settings {
            contexts: vec!["default".into()],
            rooms: rooms(),
            ..Settings::default()
        },
    }
}

/// One room with PINs and codes.
fn rooms() -> Rooms {
    let settings = r##"{"member_pin": "1234", "moderator_pin": "555", "most": 3, "tones": true,
        "keys": {"1": "mute_self", "*5": "lock", "#": "leave", "9": "end", "8": "louder"}}"##;
    let room = "sales".parse::<RoomName>().ok().zip(serde_json::from_str(settings).ok());
    Arc::new(room.into_iter().collect())
}

fn resumed(call: &Call, program: &Arc<Program>, now: Now) -> Option<Call> {
    let written = serde_json::to_vec(call.state()).ok()?;
    let state: State = serde_json::from_slice(&written).ok()?;
    Call::resume(state, program.clone(), Found::default(), now).ok()
}

fn drain(call: &mut Call, mut ended: bool) -> bool {
    while let Some(output) = call.poll_output() {
        assert!(!ended, "something follows the end");
        ended = matches!(output, Output::Ended(_));
    }
    assert!(!ended || call.poll_timeout().is_none(), "a deadline is left after the end");
    ended
}

fn input(call: &Call, channel: &ChannelId, what: u8, with: u8) -> Option<Input> {
    let last = ActionId(call.state.counters.actions.saturating_sub(u32::from(with % 3)));
    let query = QueryId(call.state.counters.queries);
    let causes = [
        HangupCause::UserBusy,
        HangupCause::NoAnswer,
        HangupCause::CallRejected,
        HangupCause::NormalClearing,
    ];
    let cause = causes[usize::from(with % 4)];
    let length_ms = u64::from(with) * 50;
    let dialed = Dialed {
        answered: what.is_multiple_of(2),
        cause,
        code: (with > 200).then_some(503),
        target: (with > 99).then_some(usize::from(with % 5)),
        other: None,
    };
    let body = if with > 99 { b"{\"n\": \"5\"}".to_vec() } else { vec![with] };
    Some(match what % 32 {
        0..=9 => {
            Input::Event(Event::Digit(Digit::new(b"0123456789*#ABCD"[usize::from(with % 16)])?))
        }
        10..=14 => Input::Event(Event::Done(last, Ending::Finished)),
        15 => Input::Event(Event::Done(last, Ending::FileMissing { file: "x".into() })),
        16 => Input::Event(Event::Done(last, Ending::Recorded { length_ms, terminator: None })),
        17 | 18 => Input::Event(Event::Done(last, Ending::Dialed(dialed))),
        19 => Input::Event(Event::Refused(last, "no".into())),
        20 => Input::Event(Event::Answered),
        21 => Input::Event(Event::Bridged { other: channel.clone(), target: None }),
        22 => Input::Event(Event::Unbridged),
        23 => Input::Answer(query, Answer::Http(Ok(HttpAnswer { status: 200, body }))),
        24 => Input::Answer(query, Answer::Http(Err(HttpFailure::TimedOut))),
        25 if with > 240 => Input::Event(Event::HungUp { cause, by_caller: None }),
        28 if with < 60 => Input::Event(Event::Room(match with % 4 {
            0 => RoomNews::Entered { member: 1, muted: with > 30, deaf: false },
            1 => RoomNews::Muted(with > 30),
            2 => RoomNews::Deaf(with > 30),
            _ => RoomNews::Kicked,
        })),
        29 if with < 120 => {
            let here = Some(RoomFacts {
                locked: with < 20,
                recorded: with.is_multiple_of(2),
                members: u32::from(with % 5),
            });
            let elsewhere = (with > 100).then(|| "two".to_owned());
            Input::Answer(query, Answer::Room(RoomFound { here, elsewhere, known: true }))
        }
        30 if with < 60 => Input::Command(Command::Room(MemberOp::Mute(with > 30)).into()),
        30 if with < 80 => Input::Command(Command::FarInRoom(MemberOp::Kick).into()),
        26 if with > 240 => Input::Event(Event::LinkLost { reason: "x".into() }),
        27 if with > 240 => Input::Command(Command::Hangup { cause }.into()),
        _ => Input::Timeout,
    })
}
