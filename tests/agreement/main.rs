//! The simulated switch must agree with the real one: it gets the controller's commands of
//! recorded conversations at their times, and what it says in return is compared with what
//! FreeSWITCH said — replies, events with their application, response, cause and states, and
//! notices, in their order. CHANNEL_PARK alone is left out: it races the subscription in
//! FreeSWITCH, half of the recordings have it. Every difference is listed in `cases.rs` with its
//! reason; one that no longer occurs fails the test.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test fails by panicking and says what it did"
)]

mod cases;
mod frames;
mod recording;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use callwright::base::cause::HangupCause;
use callwright::base::millis::Millis;
use callwright::base::now::Now;
use callwright::simulator::{Action, Answers, Call, Channel, FarEnd, Sounds, World};
use jiff::Timestamp;
use similar::{ChangeTag, TextDiff};

use cases::{CASES, Case};
use frames::{Frame, frames, tell};
use recording::{Act, Recording, load};

fn world(socket: &str, answered: bool) -> World {
    let answers =
        Answers { answer: Millis(0), talk: None, cause: None, press: None, press_after: None };
    let fails = |cause| FarEnd::Fails { cause, after: Millis(0) };
    let far_ends = [
        ("answer_1", FarEnd::Answers(answers.clone())),
        ("answer_2", FarEnd::Answers(answers.clone())),
        ("park_1", FarEnd::Answers(answers)),
        ("busy_1", fails(HangupCause::UserBusy)),
        ("ringing_1", FarEnd::Rings),
        ("x", fails(HangupCause::NormalTemporaryFailure)),
    ];
    let known = [("enter.wav", 3_000), ("long.wav", 10_000), ("invalid.wav", 1_324)];
    let sounds = Sounds {
        known: known.map(|(name, ms)| (name.to_owned(), Millis(ms))).into(),
        other: None,
        said_character: Millis(0),
        spoken_character: Millis(200),
        ..Sounds::default()
    };
    let before = answered.then(|| Action::new("answer", ""));
    World {
        dialplan: before.into_iter().chain([Action::new("socket", socket)]).collect(),
        extensions: BTreeMap::new(),
        far_ends: far_ends.map(|(name, end)| (name.to_owned(), end)).into(),
        gateways: Some(BTreeSet::new()),
        sounds,
        ..World::default()
    }
}

/// The call of a recording, from its first `connect` reply.
fn channel(connect: &Frame) -> (Channel, Now) {
    let header = |name: &str| connect.header(name).unwrap_or_default();
    let mut call = Call::new(
        header("Unique-ID"),
        header("Caller-Caller-ID-Number"),
        header("Caller-Destination-Number"),
    );
    let own = |name: &&str| !["current_application", "current_application_data"].contains(name);
    let variables = connect.headers.iter().filter_map(|(name, value)| {
        let name = name.strip_prefix("variable_").filter(own)?;
        Some((name.to_owned(), value.clone().into_bytes()))
    });
    call.variables = variables.collect();
    let micros = header("Event-Date-Timestamp").parse().unwrap_or(1_795_363_972_000_000);
    let now = Now::new(1_000_000, Timestamp::from_microsecond(micros).unwrap());
    let socket = match header("variable_current_application_data") {
        "" => "127.0.0.1:8084 async full",
        socket => socket,
    };
    let world = world(socket, header("Answer-State") == "answered");
    (Channel::new(call, Arc::new(world), now), now)
}

fn play(recording: &Recording) -> Vec<u8> {
    let said = frames(&recording.said);
    let connect = said.iter().find(|frame| frame.header("Socket-Mode").is_some());
    let (mut channel, start) = channel(&connect.cloned().unwrap_or_default());
    channel.connected(start);
    let real_leg = other_leg(&recording.said);
    let mut out = Vec::new();
    for (at, act) in &recording.acts {
        let now = start.plus_ms(*at);
        channel.tick(now);
        out.extend(channel.transmit());
        match act {
            Act::Controller(bytes) => {
                let text = String::from_utf8(bytes.clone()).unwrap();
                let text = match (&real_leg, other_leg(&out)) {
                    (Some(real), Some(ours)) => text.replace(real, &ours),
                    _ => text,
                };
                channel.receive(text.as_bytes(), now);
            }
            Act::ControllerCloses => channel.closed(now),
            Act::Key(digit) => channel.press(*digit, now),
            Act::CallerHangsUp(cause) => channel.hang_up(HangupCause::named(cause), now),
        }
        out.extend(channel.transmit());
    }
    channel.tick(start.plus_ms(recording.ends_ms + 1_000));
    out.extend(channel.transmit());
    out
}

/// The identity of the far end's leg, if there was one.
fn other_leg(said: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(said);
    let start = text.find("Bridge-B-Unique-ID: ")? + 20;
    Some(text[start..start + 36].to_owned())
}

/// The lines of a difference, `-` for what only FreeSWITCH said and `+` for what only we said.
fn differences(recording: &Recording) -> (usize, Vec<String>) {
    let told = |said: &[u8]| frames(said).iter().map(tell).collect::<Vec<_>>();
    let lines = |said: &[u8]| -> Vec<String> {
        told(said).into_iter().filter(|line| !line.starts_with("CHANNEL_PARK ")).collect()
    };
    let (real, ours) = (lines(&recording.said), lines(&play(recording)));
    let real_lines: Vec<&str> = real.iter().map(String::as_str).collect();
    let our_lines: Vec<&str> = ours.iter().map(String::as_str).collect();
    let diff = TextDiff::from_slices(&real_lines, &our_lines);
    let changes = diff.iter_all_changes().filter_map(|change| match change.tag() {
        ChangeTag::Equal => None,
        ChangeTag::Delete => Some(format!("- {}", change.value())),
        ChangeTag::Insert => Some(format!("+ {}", change.value())),
    });
    (real.len(), changes.collect())
}

fn disagreement(case: &Case) -> (usize, Option<String>) {
    let recording = load(case.name, case.caller_hangs_up);
    let (said, found) = differences(&recording);
    let listed: Vec<&str> = case.differences.iter().map(|(line, _)| *line).collect();
    let unlisted: Vec<&String> = found.iter().filter(|l| !listed.contains(&l.as_str())).collect();
    let gone: Vec<&&str> =
        listed.iter().filter(|l| found.iter().all(|found| found != **l)).collect();
    let agrees = unlisted.is_empty() && gone.is_empty();
    let told = format!(
        "{}:\n  differences that are not listed: {unlisted:#?}\n  listed, but gone: {gone:#?}",
        case.name
    );
    (said, (!agrees).then_some(told))
}

#[test]
fn the_simulated_switch_says_what_freeswitch_said_but_for_the_listed_differences() {
    let results: Vec<_> = CASES.iter().map(disagreement).collect();
    let said: usize = results.iter().map(|(said, _)| said).sum();
    let listed: usize = CASES.iter().map(|case| case.differences.len()).sum();
    println!("{} recordings, {said} messages, {listed} differences listed", CASES.len());
    let failures: Vec<_> = results.into_iter().filter_map(|(_, failure)| failure).collect();
    assert!(failures.is_empty(), "{}", failures.join("\n"));
}

#[test]
fn every_recording_is_compared_or_said_to_be_out_of_scope() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transcripts");
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
    let names: BTreeSet<String> = files
        .filter_map(|file| file.to_str().unwrap().strip_suffix(".in.raw").map(str::to_owned))
        .collect();
    let compared = CASES.iter().map(|case| case.name);
    let covered: BTreeSet<&str> = compared.collect();
    for name in &names {
        let excused = cases::OUT_OF_SCOPE.iter().any(|(part, _)| name.contains(part));
        assert!(excused != covered.contains(name.as_str()), "{name}");
    }
}

/// Which headers an event has and in which order, variables aside.
fn shape(frame: &Frame) -> Vec<String> {
    let names = frame.headers.iter().map(|(name, _)| name.clone());
    names.filter(|name| !name.starts_with("variable_")).collect()
}

#[test]
fn a_connect_reply_has_the_headers_of_the_real_one_in_their_order() {
    let recording = load("01_answer_playback_hangup", false);
    let real = frames(&recording.said);
    let ours = frames(&play(&recording));
    assert_eq!(shape(&real[0]), shape(&ours[0]));
}

#[test]
fn events_have_the_headers_of_the_real_ones_in_their_order() {
    let mut seen = BTreeSet::new();
    for (name, hangs_up) in
        [("01d_pipelined", false), ("06g_bridge_caller_hangs_up", true), ("03d_uuid_break", false)]
    {
        let recording = load(name, hangs_up);
        let events = |said: &[u8]| -> BTreeMap<String, Vec<String>> {
            let inner =
                |frame: &Frame| Frame { headers: frames::headers(&frame.body), ..Frame::default() };
            let all = frames(said).iter().map(inner).collect::<Vec<_>>();
            let named = all
                .iter()
                .filter_map(|event| Some((event.header("Event-Name")?.to_owned(), shape(event))));
            named.collect()
        };
        let (real, ours) = (events(&recording.said), events(&play(&recording)));
        for (event, headers) in real {
            if event == "CALL_UPDATE" {
                continue;
            }
            assert_eq!(Some(&headers), ours.get(&event), "{name} {event}");
            seen.insert(event);
        }
    }
    assert!(seen.len() >= 12, "{seen:?}");
}
