//! The recording of a call: when it runs, what is known of it, and that it ends.

use callwright::base::ids::RecordingId;
use callwright::flow::recording::RecordingPolicy;
use callwright::model::record::RecordingNote;
use callwright::model::recording::{RecordingState, Span};
use serde_json::{Value, json};
use std::sync::Arc;

use super::support::{Line, Show, arrival, program, same};

fn talk() -> Value {
    json!({
        "start": { "kind": "answer", "next": "talk" },
        "talk": { "kind": "dial", "record": true, "targets": [{ "extension": "200" }],
                  "next": "bye" },
        "bye": { "kind": "play", "prompts": ["bye"], "next": "end" },
        "end": { "kind": "hangup" },
    })
}

fn listen() -> Value {
    json!({
        "start": { "kind": "answer", "next": "listen" },
        "listen": { "kind": "play", "prompts": ["welcome"], "times": 9, "next": "end" },
        "end": { "kind": "hangup" },
    })
}

fn played(steps: &Value, script: &str) -> Line {
    let mut line = Line::new(program(&[("main", steps)]), Show::Moves);
    line.play_script(script);
    line
}

/// The recordings that have ended.
fn ended(line: &Line) -> Vec<&RecordingNote> {
    line.told.iter().filter(|note| note.state == RecordingState::Pending).collect()
}

const fn span(from_ms: u64, to_ms: u64) -> Span {
    Span { from_ms, to_ms }
}

fn command(action: &str) -> String {
    format!("command {{\"record\":{{\"action\":\"{action}\"}}}}\n")
}

#[test]
fn a_conversation_is_recorded_from_its_first_moment_to_its_last() {
    let line = played(
        &talk(),
        "answered\n done\n wait 3s\n bridged\n began\n wait 9s\n unbridged
         talked NORMAL_CLEARING\n stopped 8980ms\n done\n hangup NORMAL_CLEARING switch",
    );
    same(
        &line.text,
        "0.000 ! Answer
        0.000 < answered
        0.000 < done
        0.000 start: next -> talk
        0.000 ! dial 200@t.example +0s 30s
        0.000 < wait 3s
        3.000 < bridged
        3.000 ! Start { stereo: true, limit: Millis(14400000) } 00009e37b3a0.wav
        3.000 RECORDING running 0 ms
        3.000 < began
        3.000 < wait 9s
        12.000 < unbridged
        12.000 < talked NORMAL_CLEARING
        12.000 ! Stop 00009e37b3a0.wav
        12.000 talk: next -> bye (the conversation ended: NORMAL_CLEARING)
        12.000 ! play bye
        12.000 < stopped 8980ms
        12.000 (the recording has ended: success)
        12.000 RECORDING pending 8980 ms
        12.000 < done
        12.000 bye: next -> end
        12.000 ! Hangup(NormalClearing)
        12.000 < hangup NORMAL_CLEARING switch
        12.000 END Flow NORMAL_CLEARING: the flow hung up",
    );
    let [note] = ended(&line)[..] else { panic!("{:?}", line.told) };
    assert_eq!(note.id, Some(RecordingId::nth(arrival().call, 1)));
    assert_eq!((note.channels, note.length_ms), (2, 8_980));
    assert_eq!(line.record.as_ref().unwrap().recordings, std::slice::from_ref(note));
}

#[test]
fn masks_are_known_by_their_place_in_the_file_and_pauses_by_their_time() {
    let script = "answered\n done\n".to_owned()
        + &command("start")
        + "began\n wait 2s\n"
        + &command("mask")
        + "wait 1500ms\n"
        + &command("unmask")
        + "wait 1s\n"
        + &command("pause")
        + "wait 2s\n resume\n"
        + &command("resume")
        + "wait 1s\n"
        + &command("mask")
        + "wait 1s\n hangup NORMAL_CLEARING caller";
    let line = played(&listen(), &script);
    let [note] = ended(&line)[..] else { panic!("{:?}", line.told) };
    assert_eq!(note.masked, [span(2_000, 3_500), span(5_500, 6_500)]);
    assert_eq!(note.paused, [span(4_500, 6_500)]);
    assert_eq!(note.length_ms, 6_500);
}

#[test]
fn nothing_is_written_while_the_callers_own_phone_holds() {
    let script = "answered\n done\n".to_owned()
        + &command("start")
        + "began\n wait 1s\n held on\n wait 2s\n held off\n wait 1s\n"
        + &command("mask")
        + "wait 1s\n"
        + &command("unmask")
        + &command("stop")
        + "stopped 3s";
    let line = played(&listen(), &script);
    let [note] = ended(&line)[..] else { panic!("{:?}", line.told) };
    assert_eq!(note.paused, [span(1_000, 3_000)]);
    assert_eq!(note.masked, [span(2_000, 3_000)]);
}

#[test]
fn masks_are_where_the_file_has_them_though_its_beginning_was_heard_late() {
    let script = "answered\n done\n".to_owned()
        + &command("start")
        + "began\n wait 1s\n"
        + &command("mask")
        + "wait 1s\n"
        + &command("unmask")
        + "wait 1s\n stopped 3400ms";
    let line = played(&listen(), &script);
    assert_eq!(ended(&line)[0].masked, [span(1_400, 2_400)]);
}

#[test]
fn a_change_counts_from_when_the_switch_has_done_it() {
    let script = "answered\n done\n".to_owned()
        + &command("start")
        + "wait 700ms\n obeyed\n began\n wait 1s\n"
        + &command("mask")
        + "wait 400ms\n obeyed\n wait 1s\n"
        + &command("unmask")
        + "wait 300ms\n obeyed\n wait 1s\n"
        + &command("pause")
        + "wait 500ms\n obeyed\n wait 1s\n"
        + &command("resume")
        + "wait 100ms\n obeyed\n wait 1s\n"
        + &command("stop")
        + "wait 600ms\n obeyed\n stopped";
    let line = played(&listen(), &script);
    let [note] = ended(&line)[..] else { panic!("{:?}", line.told) };
    // It began with its own answer; 1.4 s, then masked for 1.3 s, 1.5 s more, 1.1 s of pause,
    // 1.6 s.
    assert_eq!(note.masked, [span(1_400, 2_700)]);
    assert_eq!(note.paused, [span(4_200, 5_300)]);
    assert_eq!(note.length_ms, 5_800);
}

#[test]
fn a_change_that_is_not_done_is_told_and_may_be_asked_for_again() {
    let script = "answered\n done\n".to_owned()
        + &command("start")
        + "obeyed\n wait 1s\n"
        + &command("mask")
        + &command("mask")
        + "disobeyed Cannot mask recording session!\n"
        + &command("mask")
        + "obeyed\n wait 1s\n hangup NORMAL_CLEARING caller";
    let line = played(&listen(), &script);
    let refused = "the recording can't be changed: Cannot mask recording session!";
    assert!(line.text.contains(refused), "{}", line.text);
    let already = Err("the recording is masked already".to_owned());
    assert_eq!(line.answers, [Ok(()), Ok(()), already, Ok(())]);
    assert_eq!(ended(&line)[0].masked, [span(1_000, 2_000)]);
}

#[test]
fn what_one_process_ordered_and_nobody_answered_counts_from_the_order() {
    let script = "answered\n done\n".to_owned()
        + &command("start")
        + "obeyed\n wait 1s\n"
        + &command("mask")
        + "resume\n wait 1s\n"
        + &command("unmask")
        + "wait 200ms\n unheard\n obeyed\n hangup NORMAL_CLEARING caller";
    let line = played(&listen(), &script);
    assert_eq!(ended(&line)[0].masked, [span(1_000, 2_200)]);
}

#[test]
fn a_number_whose_calls_are_recorded_needs_no_other_rule() {
    let steps = json!({
        "start": { "kind": "answer", "next": "talk" },
        "talk": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "end" },
        "end": { "kind": "hangup" },
    });
    let mut program = program(&[("main", &steps)]);
    Arc::get_mut(&mut program).unwrap().settings.record_number = true;
    let mut line = Line::new(program, Show::Moves);
    line.play_script("answered\n done\n bridged\n began");
    assert_eq!(line.told.len(), 1, "{}", line.text);
}

#[test]
fn what_can_not_be_done_to_a_recording_is_said() {
    let script = command("start")
        + "answered\n done\n"
        + &["stop", "mask", "start", "start", "unmask", "resume", "mask", "mask", "stop", "stop"]
            .map(command)
            .concat();
    let line = played(&listen(), &script);
    let answers = line.answers.iter().map(|answer| match answer {
        Ok(()) => "done",
        Err(why) => why.as_str(),
    });
    assert_eq!(
        answers.collect::<Vec<_>>(),
        [
            "a call that rings can't be recorded",
            "nothing is being recorded",
            "nothing is being recorded",
            "done",
            "the call is being recorded already",
            "the recording is not masked",
            "the recording is not paused",
            "done",
            "the recording is masked already",
            "done",
            "nothing is being recorded",
        ]
    );
}

#[test]
fn a_recording_goes_on_without_us_and_is_known_again() {
    let script = "answered\n done\n".to_owned()
        + &command("start")
        + "began\n wait 2s\n"
        + &command("mask")
        + "resume\n wait 3s\n"
        + &command("unmask")
        + "resume\n wait 1s\n hangup NORMAL_CLEARING caller";
    let line = played(&listen(), &script);
    let states = line.told.iter().map(|note| note.state).collect::<Vec<_>>();
    assert_eq!(states, [RecordingState::Running, RecordingState::Pending]);
    assert_eq!(ended(&line)[0].masked, [span(2_000, 5_000)]);
    assert_eq!(ended(&line)[0].length_ms, 6_000);
    assert_eq!(line.text.matches("! Start").count(), 1, "{}", line.text);
}

#[test]
fn a_recording_ends_at_its_limit_and_where_the_switch_is_silent() {
    let steps = json!({
        "start": { "kind": "answer", "next": "record" },
        "record": { "kind": "record", "action": "start", "prompts": ["welcome"],
                    "max_length": "4s", "min_length": "2s", "stereo": false, "next": "listen" },
        "listen": { "kind": "play", "prompts": ["menu"], "next": "end" },
        "end": { "kind": "hangup" },
    });
    let line = played(&steps, "answered\n done\n wait 2s\n done\n began\n wait 20s");
    same(
        &line.text,
        "0.000 ! Answer
        0.000 < answered
        0.000 < done
        0.000 start: next -> record
        0.000 ! play welcome
        0.000 < wait 2s
        2.000 < done
        2.000 ! Start { stereo: false, limit: Millis(4000) } 00009e37b3a0.wav
        2.000 RECORDING running 0 ms
        2.000 record: next -> listen
        2.000 ! play menu
        2.000 < began
        2.000 < wait 20s
        6.000 GUARD the recording is as long as it may be
        6.000 ! Stop 00009e37b3a0.wav
        11.000 RECORDING pending 4000 ms
        14.000 GUARD an order was not reported done in time
        14.000 ! Silence
        14.000 listen: failed -> nowhere (it did not end in time)
        14.000 ! Hangup(NormalTemporaryFailure)
        19.000 GUARD the hang-up was not confirmed in time
        19.000 END Us NORMAL_TEMPORARY_FAILURE: step `listen` ended with `failed`, and there is \
         no way on: it did not end in time",
    );
    assert_eq!(ended(&line)[0].min_length_ms, 2_000);
}

#[test]
fn both_parties_are_told_before_they_are_recorded() {
    let mut program = program(&[("main", &talk())]);
    Arc::get_mut(&mut program).unwrap().settings.talk.recording = RecordingPolicy {
        announcement: Some("wrong".parse().unwrap()),
        beep: true,
        ..RecordingPolicy::default()
    };
    let mut line = Line::new(program, Show::Moves);
    line.play_script("answered\n done\n bridged\n wait 5s");
    let orders: Vec<_> = line.text.lines().skip_while(|line| !line.contains("bridged")).collect();
    same(
        &orders.join("\n"),
        "0.000 < bridged
        0.000 ! overlay wrong to Some(\"b-leg\")
        0.000 < wait 5s
        2.000 ! overlay beep to Some(\"b-leg\")
        2.000 ! Start { stereo: true, limit: Millis(14400000) } 00009e37b3a0.wav
        2.000 RECORDING running 0 ms",
    );
}

#[test]
fn the_tenants_rules_say_which_conversations_are_recorded() {
    let plain = json!({
        "start": { "kind": "answer", "next": "talk" },
        "talk": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "end" },
        "end": { "kind": "hangup" },
    });
    let secret = json!({
        "start": { "kind": "answer", "next": "talk" },
        "talk": { "kind": "dial", "record": false, "targets": [{ "extension": "200" }],
                  "next": "end" },
        "end": { "kind": "hangup" },
    });
    let recorded = |steps: &Value, policy: &str, own: bool| {
        let mut program = program(&[("main", steps)]);
        Arc::get_mut(&mut program).unwrap().settings.talk.recording =
            serde_json::from_str(policy).unwrap();
        let mut arrival = arrival();
        if own {
            for (name, value) in [("sip_authorized", "true"), ("user_name", "100")] {
                arrival.variables.insert(name.to_owned(), value.to_owned());
            }
        }
        let mut line = Line::with(program, arrival, Show::Moves, false);
        line.play_script("answered\n done\n bridged\n began");
        !line.told.is_empty()
    };
    let inbound = r#"{"all": {"inbound": true}}"#;
    assert!(recorded(&plain, inbound, false));
    assert!(!recorded(&plain, inbound, true), "within the house");
    assert!(!recorded(&secret, inbound, false), "the flow forbids it");
    assert!(recorded(&plain, r#"{"extensions": {"100": {"local": true}}}"#, true));
    assert!(!recorded(&plain, r#"{"extensions": {"100": {"local": true}}}"#, false));
}
