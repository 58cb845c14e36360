//! Random flows and random inputs: in whatever order they come, the machine keeps its promises.

use std::collections::BTreeMap;
use std::sync::Arc;

use callwright::base::cause::HangupCause;
use callwright::base::digits::Digit;
use callwright::base::ids::CallId;
use callwright::call::fuzz_inputs;
use callwright::call::handover::Leads;
use callwright::call::input::{
    Answer, Command, Dialed, Ending, Event, FarNews, HttpAnswer, HttpFailure, Input,
};
use callwright::call::output::{Action, ActionId, QueryId};
use callwright::call::park::ParkFound;
use callwright::call::queue::{QueueFound, Standing};
use callwright::call::room::{RoomFacts, RoomFound, RoomNews};
use callwright::call::state::State;
use callwright::flow::kind::record::RecordAction;
use callwright::flow::program::Program;
use callwright::model::park::Taker;
use callwright::model::recording::{RecordingKind, RecordingState};
use serde_json::{Value, json};

use super::support::{Line, PROMPTS, Show, arrival, program};

/// SplitMix64: the same numbers for the same seed, everywhere.
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut x = self.0;
        x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }

    pub(crate) fn below(&mut self, count: u64) -> u64 {
        self.next() % count
    }

    pub(crate) fn of<T: Copy>(&mut self, items: &[T]) -> T {
        items[usize::try_from(self.below(items.len() as u64)).unwrap()]
    }

    pub(crate) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

const STEPS: [&str; 7] = ["start", "a", "b", "c", "d", "e", "f"];
const KINDS: [&str; 23] = [
    "conference",
    "answer",
    "ring",
    "reject",
    "play",
    "menu",
    "gather",
    "set",
    "branch",
    "hours",
    "http",
    "dial",
    "dtmf",
    "queue",
    "transfer",
    "message",
    "record",
    "hold",
    "park",
    "retrieve",
    "flow",
    "return",
    "hangup",
];
/// Ends are rare among them, so that calls get somewhere.
const RARE: [&str; 4] = ["reject", "transfer", "return", "hangup"];

fn a_flow(dice: &mut Dice, nasty: bool) -> Value {
    let mut steps = json!({ "_flow": {
        "limits": { "silent_steps": 8, "steps": 200, "duration": "10m", "depth": 3, "legs": 6 },
        "variables": { "x": 1, "y": "77" }, "arguments": { "n": 5 } } });
    if dice.chance(60) {
        steps["_flow"]["fallback"] = json!(dice.of(&STEPS));
    }
    for name in STEPS {
        let mut kind = dice.of(&KINDS);
        if RARE.contains(&kind) && dice.chance(60)
            || ["message", "record", "conference", "park", "retrieve", "queue"].contains(&kind)
                && !nasty
        {
            kind = "menu";
        }
        steps[name] = a_step(dice, kind, nasty);
    }
    steps
}

fn prompts(dice: &mut Dice) -> Value {
    let count = dice.below(3);
    let one = |dice: &mut Dice| match dice.below(8) {
        0 => json!({ "say": "{x}", "as": "digits" }),
        1 => json!({ "tone": [440] }),
        2 if dice.chance(10) => json!("nowhere"),
        _ => json!(dice.of(&PROMPTS)),
    };
    (0..count).map(|_| one(dice)).collect()
}

/// Keys of an input that is not complete are in no state,
/// so that a call which changes hands may lose
/// those pressed ahead: the calls that are compared don't have any.
fn a_step(dice: &mut Dice, kind: &str, nasty: bool) -> Value {
    let to = |dice: &mut Dice| json!(dice.of(&STEPS));
    let (next, on) =
        (to(dice), if dice.chance(50) { json!({ "failed": to(dice) }) } else { json!({}) });
    let keys = json!({ "barge_in": dice.chance(70), "type_ahead": nasty && dice.chance(70),
        "max_invalid": 2,
        "max_no_input": 2, "first_key": "2s", "next_key": "1s", "invalid_prompts": prompts(dice) });
    let reviewed = json!({ "prompts": prompts(dice) });
    let review = if dice.chance(50) { reviewed } else { Value::Null };
    match kind {
        "answer" => json!({ "kind": kind, "pause": "300ms", "next": next }),
        "ring" => json!({ "kind": kind, "duration": "1s", "next": next }),
        "reject" | "hangup" => json!({ "kind": kind }),
        "play" => json!({ "kind": kind, "prompts": prompts(dice), "times": 1 + dice.below(2),
            "barge_in": dice.chance(50), "next": next, "on": on }),
        "menu" => {
            json!({ "kind": kind, "prompts": prompts(dice), "keys": keys, "on": on, "into": "x",
            "choices": { "1": to(dice), "2": to(dice), "34": to(dice), "55": to(dice) } })
        }
        "gather" => {
            json!({ "kind": kind, "prompts": prompts(dice), "keys": keys, "on": on, "into": "y",
            "max": 1 + dice.below(4), "secret": false, "next": next, "confirm":
            if dice.chance(30) { json!({ "prompts": prompts(dice) }) } else { json!(null) } })
        }
        "set" => json!({ "kind": kind, "variables": { "x": "x + 1", "y": "n" }, "next": next }),
        "branch" => json!({ "kind": kind, "otherwise": next,
            "cases": [{ "if": "x > 3", "next": to(dice) }, { "if": "y == 77",
                "next": to(dice) }] }),
        "hours" => json!({ "kind": kind, "next": next, "on": { "closed": to(dice) },
            "weekly": { "mon": ["09:00-17:00"], "sun": ["09:00-12:00"] } }),
        "http" => json!({ "kind": kind, "url": "https://x.example/?x={x}", "into": { "x": "/x" },
            "waiting_prompts": prompts(dice), "next": next, "on": on }),
        "record" => {
            let action = dice.of(&["start", "stop", "pause", "resume", "mask", "unmask"]);
            let prompts = if action == "start" { prompts(dice) } else { json!([]) };
            json!({ "kind": kind, "action": action, "prompts": prompts, "next": next, "on": on })
        }
        "dial" => {
            json!({ "kind": kind, "record": dice.chance(50), "next": next, "on": on,
            "cancel_key": "*", "time_limit": "20s",
            "strategy": dice.of(&["all", "in_turn", "rollover"]), "answered_by": "x",
            "targets": [{ "extension": "{x}" }, { "extension": "2", "delay": "1s" }] })
        }
        "dtmf" => json!({ "kind": kind, "digits": "{x}w9", "next": next, "on": on }),
        "queue" => {
            json!({ "kind": kind, "queue": dice.of(&["sales", "help"]), "next": next, "on": on,
            "exit_key": "#", "retry": "3s", "wrap_up": "5s", "answered_by": "x",
            "max_wait": dice.of(&["20s", "5m"]), "order": dice.of(&["in_turn", "as_written"]),
            "announce": { "position": prompts(dice), "wait": prompts(dice), "every": "10s" },
            "targets": [{ "extension": "{x}" }, { "extension": "2" }] })
        }
        "conference" => {
            json!({ "kind": kind, "next": next, "on": on, "keys": keys,
            "role": dice.of(&["member", "moderator"]),
            "prompts": prompts(dice), "room": dice.of(&["sales", "open", "talk", "gone{x}"]) })
        }
        "hold" | "park" | "retrieve" | "transfer" => a_move(dice, kind, &next, &on),
        "message" => {
            json!({ "kind": kind, "next": next, "on": on, "into": "x", "max_length": "20s",
            "review": review })
        }
        "flow" => {
            json!({ "kind": kind, "flow": dice.of(&["main", "other"]), "next": next, "on": on,
            "arguments": { "n": "x" }, "into": "y" })
        }
        _ => json!({ "kind": "return", "value": "x" }),
    }
}

/// A step in which the caller waits, or goes elsewhere.
fn a_move(dice: &mut Dice, kind: &str, next: &Value, on: &Value) -> Value {
    match kind {
        "hold" => {
            json!({ "kind": kind, "duration": "2s", "cancel_key": "*", "next": next, "on": on })
        }
        "park" => json!({ "kind": kind, "timeout": "4s", "next": next, "on": on,
            "announce": dice.chance(50), "back": dice.chance(50).then_some("2") }),
        "retrieve" => {
            json!({ "kind": kind, "slot": dice.of(&["701", "{x}"]), "next": next, "on": on })
        }
        _ => json!({ "kind": kind, "extension": "{x}", "on": on }),
    }
}

/// Mostly what a switch would say, sometimes what none ever should.
fn an_input(dice: &mut Dice, line: &mut Line, nasty: bool) -> Option<Input> {
    let causes = ["USER_BUSY", "NO_ANSWER", "CALL_REJECTED", "NORMAL_CLEARING", "GATEWAY_DOWN"];
    let cause = HangupCause::named(dice.of(&causes));
    let last = line.running.last().cloned();
    if nasty && dice.chance(12) {
        return Some(Input::Command(an_order(dice).into()));
    }
    if nasty && dice.chance(12) {
        return Some(Input::Event(far_news(dice, line, cause)));
    }
    Some(Input::Event(match dice.below(if nasty { 46 } else { 30 }) {
        0..=11 => Event::Digit(Digit::new(dice.of(b"1112223455*#9")).unwrap()),
        12..=24 => {
            let (id, action) = last?;
            let answered = dice.chance(if nasty { 40 } else { 0 });
            Event::Done(id, ending(dice, &action, cause, answered))
        }
        25..=28 => {
            let id = line.queries.pop()?;
            if dice.chance(40) {
                return Some(Input::Answer(id, Answer::Park(said_of_slots(dice))));
            }
            if dice.chance(10) {
                let said = Ok(vec!["/s/1.wav".to_owned()]);
                let said = if dice.chance(50) { said } else { Err("no words".to_owned()) };
                return Some(Input::Answer(id, Answer::Spoken(said)));
            }
            if dice.chance(40) {
                return Some(Input::Answer(id, Answer::Queue(found(dice))));
            }
            if dice.chance(30) {
                let (locked, recorded) = (dice.chance(10), dice.chance(50));
                let here = Some(RoomFacts { locked, recorded, members: 1 });
                let found = RoomFound { here, elsewhere: None, known: true };
                return Some(Input::Answer(id, Answer::Room(found)));
            }
            return Some(Input::Answer(id, Answer::Http(fetched(dice))));
        }
        29 => Event::Answered,
        30 | 31 => Event::Bridged { other: "b-leg".parse().unwrap(), target: None },
        32 => Event::Unbridged,
        33 => Event::Refused(last?.0, "no".into()),
        34 => Event::Done(ActionId(u32::try_from(dice.below(40)).unwrap()), Ending::Finished),
        35 => {
            let id = QueryId(u32::try_from(dice.below(5)).unwrap());
            return Some(Input::Answer(id, Answer::Http(Err(HttpFailure::TimedOut))));
        }
        36 => {
            let wrong = Ending::Recorded { length_ms: 7, terminator: None };
            Event::Done(last?.0, wrong)
        }
        37 if dice.chance(50) => Event::Room(dice.of(&[
            RoomNews::Entered { member: 3, muted: false, deaf: true },
            RoomNews::Muted(true),
            RoomNews::Deaf(false),
            RoomNews::Kicked,
        ])),
        37 => return Some(Input::Timeout),
        39 | 40 => line.began(),
        41 => line.stopped(dice.chance(80).then(|| dice.below(9_000))),
        42 if dice.chance(30) => {
            Event::Replaced { other: "x-leg".parse().unwrap(), party: String::new() }
        }
        42 => Event::Held(dice.chance(50)),
        43.. => return Some(Input::Command(a_command(dice).into())),
        38 if dice.chance(10) => Event::HungUp { cause, by_caller: None },
        _ => Event::Answered,
    }))
}

fn a_command(dice: &mut Dice) -> Command {
    let actions = [
        RecordAction::Start,
        RecordAction::Start,
        RecordAction::Start,
        RecordAction::Stop,
        RecordAction::Pause,
        RecordAction::Resume,
        RecordAction::Mask,
        RecordAction::Unmask,
    ];
    Command::Record { action: dice.of(&actions) }
}

/// Whatever the store says, asked or not.
fn said_of_slots(dice: &mut Dice) -> ParkFound {
    let slot = dice.of(&["701", "702"]).parse().unwrap();
    let call = CallId(uuid::Uuid::from_u128(0xca2));
    let (channel, party) = ("p-leg".parse().unwrap(), "300".to_owned());
    match dice.below(10) {
        0..=4 => ParkFound::In(slot),
        5 => ParkFound::Out(None),
        6 => ParkFound::Out(Some(Taker { call, party })),
        7 => ParkFound::Taken { call, channel, party },
        8 => {
            if dice.chance(50) {
                ParkFound::Full
            } else {
                ParkFound::Empty
            }
        }
        _ => ParkFound::Unknown("away".into()),
    }
}

/// Whatever operators can ask of a conversation.
fn an_order(dice: &mut Dice) -> Command {
    let to = json!({ "extension": "300" });
    let side = dice.of(&["caller", "far"]);
    let room = json!({ "room": dice.of(&["open", "talk"]) });
    let hearers = dice.of(&["caller", "far", "both"]);
    let order = match dice.below(23) {
        20 => json!("answer"),
        21 => json!({ "play": { "prompt": "menu", "to": hearers } }),
        22 => json!({ "say": { "text": "12", "to": hearers } }),
        15 => json!({ "room": { "mute": dice.chance(50) } }),
        16 => json!({ "far_in_room": "kick" }),
        17..=19 => json!({ "room": { "invite": { "to": to, "role": "moderator" } } }),
        12 | 13 => json!({ "park": { "side": side } }),
        14 => json!({ "retrieve": { "to": to } }),
        0 => json!({ "hold": { "on": dice.chance(50), "side": side } }),
        1 | 2 => json!({ "consult": { "to": to, "side": side } }),
        3 => json!("toggle"),
        4 => json!("complete"),
        5 => json!("cancel"),
        7 | 8 => json!("merge"),
        9 => json!({ "send_both": { "to": room } }),
        10 => json!({ "send": { "side": side, "to": room } }),
        6 => json!({ "send": { "side": side, "to": to } }),
        _ => json!({ "move": { "step": dice.of(&STEPS) } }),
    };
    serde_json::from_value(order).unwrap()
}

fn fetched(dice: &mut Dice) -> Result<HttpAnswer, HttpFailure> {
    let body = b"{\"x\": 3}".to_vec();
    if dice.chance(70) { Ok(HttpAnswer { status: 200, body }) } else { Err(HttpFailure::TimedOut) }
}

/// Where a caller may stand in a line; mostly it has its turn.
fn found(dice: &mut Dice) -> QueueFound {
    let target = dice.chance(60).then(|| usize::try_from(dice.below(3)).unwrap());
    let ahead = if target.is_some() { 0 } else { 2 };
    let wait_ms = dice.chance(50).then_some(90_000);
    match dice.below(10) {
        0 => QueueFound::Full,
        1 => QueueFound::Unknown,
        _ => QueueFound::Waits(Standing { joined_ms: 5, ahead, wait_ms, target }),
    }
}

/// News of the far party, or of somebody whom the call called.
fn far_news(dice: &mut Dice, line: &Line, cause: HangupCause) -> Event {
    let third = line.called.last().map_or("c-leg", String::as_str);
    let channel = if dice.chance(70) { third } else { "b-leg" };
    let news = match dice.below(8) {
        0 => FarNews::HungUp(cause),
        1 => FarNews::Held(dice.chance(50)),
        2 => FarNews::Answered,
        3 => FarNews::Room(RoomNews::Entered { member: 9, muted: false, deaf: false }),
        4 | 5 => {
            FarNews::Key(Digit::new(b"*7#13"[usize::try_from(dice.below(5)).unwrap()]).unwrap())
        }
        _ => FarNews::Parked,
    };
    Event::Far { channel: channel.parse().unwrap(), news }
}

fn ending(dice: &mut Dice, action: &Action, cause: HangupCause, answered: bool) -> Ending {
    if dice.chance(4) {
        return Ending::Failed { detail: "it broke".into() };
    }
    match action {
        Action::Dial(_) => {
            let target = dice.chance(50).then_some(0);
            Ending::Dialed(Dialed { answered, cause, code: None, target, other: None })
        }
        Action::Record(_) => Ending::Recorded { length_ms: dice.below(9_000), terminator: None },
        Action::Play { .. } if dice.chance(3) => Ending::FileMissing { file: "x".into() },
        _ => Ending::Finished,
    }
}

const OUTPUTS_MAX: usize = 700;

fn run(seed: u64, nasty: bool, swap: bool) -> Line {
    let mut dice = Dice(seed);
    let (main, other) = (a_flow(&mut dice, nasty), a_flow(&mut dice, nasty));
    let mut program = Arc::unwrap_or_clone(program(&[("main", &main), ("other", &other)]));
    let park = json!({ "park": { "slots": "701-702", "timeout": "3s", "then": "a" } });
    program.settings.talk = serde_json::from_value(park).unwrap();
    let leads = Program { main: "other".parse().unwrap(), ..program.clone() };
    let mut line = Line::with(Arc::new(program), arrival(), Show::Moves, swap);
    let (program, variables) = (Arc::new(leads), BTreeMap::new());
    line.number = dice.chance(50).then_some(("300", Leads::To { program, variables }));
    for _ in 0..60 {
        if line.record.is_some() {
            break;
        }
        // Dice of its own for each input: what a call holds does not change what comes next.
        let mut dice = Dice(dice.next());
        let before = line.text.lines().count();
        if dice.chance(25) {
            line.wait(dice.below(4_000));
        } else if nasty && dice.chance(5) {
            line.found.referred = dice.chance(30).then(|| line.referral("300"));
            line.found.roomed = dice.chance(50);
            line.change_hands();
        } else if let Some(input) = an_input(&mut dice, &mut line, nasty) {
            if let Input::Event(Event::Done(id, _)) = &input {
                line.running.retain(|(running, _)| running != id);
            }
            line.input(input);
        }
        if dice.chance(10) {
            let written = serde_json::to_vec(line.call.state()).unwrap();
            let read: State = serde_json::from_slice(&written).unwrap();
            assert_eq!(&read, line.call.state(), "seed {seed}");
        }
        let outputs = line.text.lines().count() - before;
        assert!(outputs < OUTPUTS_MAX, "seed {seed}: {outputs} outputs of one input");
    }
    // Nobody says anything any more: deadlines alone bring every call to its end.
    line.wait(11 * 60_000);
    line
}

#[test]
fn every_call_ends_once_whatever_happens_to_it() {
    for seed in 0..300 {
        let line = run(seed, true, false);
        let record = line.record.unwrap_or_else(|| panic!("seed {seed} has no end\n{}", line.text));
        assert!(record.legs.iter().all(|leg| leg.ended.is_some()), "seed {seed}");
        // Whom a phone joined the caller to is nobody whom the call called.
        let called = record
            .legs
            .iter()
            .filter(|leg| leg.channel.as_ref().is_none_or(|channel| channel.as_str() != "x-leg"));
        // Nor do those that a queue has tried in vain count.
        assert!(called.count() <= 7 + 20, "seed {seed}");
        assert!(record.path.len() <= 250, "seed {seed}");
        let ends = line.notes.iter().filter(|note| note.contains("\"what\":\"ended\"")).count();
        assert_eq!(ends, 1, "seed {seed}");
    }
}

#[test]
fn no_recording_is_left_open() {
    let mut recorded = 0;
    for seed in 0..300 {
        let line = run(seed, true, false);
        let told = |state| line.told.iter().filter(move |note| note.state == state);
        // A message is told of once, when it has ended.
        let calls = |state| told(state).filter(|note| note.kind == RecordingKind::Call);
        let ids = |state| calls(state).map(|note| note.id).collect::<Vec<_>>();
        let ended = ids(RecordingState::Pending);
        assert_eq!(ids(RecordingState::Running), ended, "seed {seed}\n{}", line.text);
        let record = line.record.as_ref().unwrap();
        let kept = record.recordings.iter().filter_map(|note| note.id).collect::<Vec<_>>();
        for note in told(RecordingState::Pending) {
            // A message that is too short, or was thrown away, is nobody's.
            let thrown = note.kind == RecordingKind::Message && note.length_ms < note.min_length_ms;
            assert_eq!(note.id.is_some_and(|id| kept.contains(&id)), !thrown, "seed {seed}");
        }
        for note in told(RecordingState::Pending) {
            let ends = note.masked.iter().flat_map(|span| [span.from_ms, span.to_ms]);
            assert!(ends.is_sorted(), "seed {seed}: {note:?}");
        }
        recorded += ended.len();
    }
    assert!(recorded > 40, "{recorded} recordings");
}

#[test]
fn the_same_inputs_give_the_same_transcript() {
    for seed in 0..100 {
        let (one, two) = (run(seed, true, false), run(seed, true, false));
        assert_eq!(one.text, two.text, "seed {seed}");
        assert_eq!(one.notes, two.notes, "seed {seed}");
    }
}

#[test]
fn a_random_call_that_changes_hands_at_every_boundary_takes_the_same_path() {
    for seed in 10_000..10_150 {
        let (undisturbed, disturbed) = (run(seed, false, false), run(seed, false, true));
        let path = |line: &Line| {
            let path = &line.record.as_ref().unwrap().path;
            path.iter().map(|visit| format!("{visit:?}\n")).collect::<String>()
        };
        let (one, two) = (path(&undisturbed), path(&disturbed));
        assert!(one == two, "seed {seed}\n{}\n---\n{}", undisturbed.text, disturbed.text);
        assert_eq!(
            undisturbed.record.unwrap().variables,
            disturbed.record.unwrap().variables,
            "seed {seed}"
        );
    }
}

#[test]
fn no_bytes_make_the_machine_panic_or_speak_after_its_end() {
    for seed in 0..300 {
        let mut dice = Dice(seed);
        let length = dice.below(400);
        let bytes: Vec<u8> = (0..length).map(|_| dice.next().to_le_bytes()[0]).collect();
        fuzz_inputs(&bytes);
    }
}

/// Whoever was called or taken out of a conversation, and where it was led last.
#[track_caller]
fn nobody_waits_alone(line: &Line, seed: u64) {
    let mut waits = std::collections::BTreeSet::new();
    for text in line.text.lines().filter_map(|line| line.split_once(" ! ").map(|(_, text)| text)) {
        let words: Vec<_> = text.split([' ', ':', ',']).collect();
        match words[..] {
            ["await", channel, ..] | ["call", channel, ..] => drop(waits.insert(channel)),
            ["drop" | "join" | "enter", channel, ..] => drop(waits.remove(channel)),
            ["connect", one, other, ..] => {
                waits.remove(one);
                waits.remove(other);
            }
            _ => {}
        }
    }
    let left: Vec<_> =
        waits.into_iter().filter(|left| !line.gone.iter().any(|gone| gone == left)).collect();
    assert!(left.is_empty(), "seed {seed}: {left:?} is left alone\n{}", line.text);
}

#[test]
fn no_leg_is_left_alone_when_the_call_has_ended() {
    for seed in 0..300 {
        nobody_waits_alone(&run(seed, true, false), seed);
    }
}
