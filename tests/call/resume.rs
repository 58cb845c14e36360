//! A call that another process goes on with.

use std::sync::Arc;

use callwright::base::cause::HangupCause;
use callwright::base::ids::TenantId;
use callwright::base::now::Now;
use callwright::call::handover::{Found, Taken};
use callwright::call::input::{Dialed, Ending};
use callwright::call::state::State;
use callwright::call::{Call, ResumeError};
use callwright::flow::program::Program;
use serde_json::{Value, json};
use uuid::Uuid;

use super::support::{Line, Show, arrival, program, same};

/// What the caller and the world heard,
/// without what is only said again: orders that the process which took
/// over repeats before the next input.
fn told(text: &str) -> String {
    let mut lines: Vec<&str> = Vec::new();
    for line in text.lines() {
        let since = lines.iter().rposition(|line| line.contains(" < ")).unwrap_or(0);
        let order = line.contains(" ! ") || line.contains(" ? ");
        if !(order && lines[since..].contains(&line)) {
            lines.push(line);
        }
    }
    lines.join("\n")
}

fn flows() -> (Value, Value) {
    let main = json!({
        "_flow": { "variables": { "tries": 0 }, "fallback": "sorry" },
        "start": { "kind": "ring", "duration": "1s", "next": "answer" },
        "answer": { "kind": "answer", "pause": "1s", "next": "hello" },
        "hello": { "kind": "play", "prompts": ["welcome"], "times": 2, "next": "count" },
        "count": { "kind": "set", "variables": { "tries": "tries + 1" }, "next": "menu" },
        "menu": { "kind": "menu", "prompts": ["menu"], "repeat_prompts": ["again"],
            "into": "choice",
            "choices": { "1": "number", "2": "count", "3": "dial", "4": "sub", "95": "leave" } },
        "number": { "kind": "gather", "prompts": ["again"], "into": "number", "max": 4,
            "confirm": { "prompts": [{ "say": "{input}" }] }, "next": "ask" },
        "ask": { "kind": "http", "url": "https://x.example/{number}", "into": { "vip": "/vip" },
            "waiting_prompts": ["hold"], "next": "which", "on": {} },
        "which": { "kind": "branch", "cases": [{ "if": "vip", "next": "dial" }],
            "otherwise": "count" },
        "dial": { "kind": "dial", "strategy": "in_turn", "next": "leave",
            "on": { "failed": "menu" },
            "targets": [{ "extension": "1" }, { "extension": "2" }] },
        "sub": { "kind": "flow", "flow": "other", "arguments": { "n": "tries" }, "into": "tries",
            "next": "menu" },
        "sorry": { "kind": "play", "prompts": ["sorry"], "next": "leave" },
        "leave": { "kind": "hangup" },
    });
    let other = json!({ "_flow": { "arguments": { "n": 0 } },
        "start": { "kind": "play", "prompts": [{ "say": "{n}" }], "next": "end" },
        "end": { "kind": "return", "value": "n + 10" } });
    (main, other)
}

fn run(script: &str, swap: bool) -> Line {
    let (main, other) = flows();
    let program = program(&[("main", &main), ("other", &other)]);
    let mut line = Line::with(program, arrival(), Show::Moves, swap);
    line.play_script(script);
    line
}

const SCRIPTS: [&str; 5] = [
    "done\n wait 1s\n done\n wait 1s\n done\n done\n done\n wait 5s\n done\n wait 5s\n done
        wait 5s\n done",
    "done\n wait 1s\n done\n key 1\n wait 1s\n done\n done\n key 4711\n key 1
        http 200 {\"vip\":false}
        wait 1s\n key 9\n key 8\n key 7\n done",
    "done\n wait 1s\n done\n key 2241\n wait 1s\n done\n done\n done\n key 1\n wait 9s",
    "done\n wait 1s\n done\n wait 1s\n done\n done\n key 3\n dialed USER_BUSY\n dialed NO_ANSWER
        key 5\n key 95
        hangup NORMAL_CLEARING switch",
    "done\n wait 1s\n done\n wait 1s\n done\n done\n key 1\n key 42#\n key 2\n key 43#\n wait 1s
        key 1\n http x
        done\n hangup NORMAL_CLEARING caller",
];

#[test]
fn a_call_that_changes_hands_at_every_boundary_goes_the_same_way() {
    for script in SCRIPTS {
        let (undisturbed, disturbed) = (run(script, false), run(script, true));
        same(&told(&disturbed.text), &told(&undisturbed.text));
        let path = |line: &Line| line.record.as_ref().map(|record| record.path.clone());
        assert_eq!(path(&disturbed), path(&undisturbed));
        assert!(disturbed.notes.join("").contains("resumed"), "it never changed hands");
    }
}

#[test]
fn the_step_begins_again_where_it_waited_and_what_was_counted_stays() {
    let steps = json!({ "start": { "kind": "menu", "prompts": ["menu"], "choices": { "1": "start" },
        "keys": { "max_no_input": 2 }, "on": { "no_input": "end" } },
            "end": { "kind": "hangup" } });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    line.play_script(
        "wait 2s\n done\n wait 5s\n resume\n wait 2s\n done\n resume\n done\n wait 5s",
    );
    same(
        &line.text,
        r#"
        0.000 ! play menu until key
        0.000 < wait 2s
        2.000 < done
        2.000 < wait 5s
        7.000 (no key was pressed in time)
        7.000 ! play menu until key
        7.000 < resume
        7.000 ! play menu until key
        7.000 < wait 2s
        9.000 < done
        9.000 < resume
        9.000 ! play menu until key
        9.000 < done
        9.000 < wait 5s
        14.000 (no key was pressed in time)
        14.000 start: no_input -> end (no input: 2, wrong input: 0)
        14.000 ! Hangup(NormalClearing)
        "#,
    );
    line.step("hangup NORMAL_CLEARING switch");
    let record = line.record.unwrap();
    assert_eq!((record.path[0].no_input, record.path[0].invalid), (2, 0), "the record, too");
}

#[test]
fn a_conversation_is_over_when_another_process_takes_the_call_back() {
    let steps = json!({ "start": { "kind": "dial", "targets": [{ "extension": "1" }],
        "next": "end" },
        "end": { "kind": "play", "prompts": ["bye"], "next": "end" } });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    line.play_script("bridged\n wait 30s\n resume");
    same(
        &line.text,
        r#"
        0.000 ! dial 1@t.example +0s 30s
        0.000 < bridged
        0.000 < wait 30s
        30.000 < resume
        30.000 start: next -> end (the conversation ended: NORMAL_CLEARING)
        30.000 ! play bye
        "#,
    );
}

#[test]
fn a_recording_that_ran_on_alone_is_kept() {
    let steps =
        json!({ "start": { "kind": "message", "next": "end" }, "end": { "kind": "hangup" } });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    line.play_script("done\n wait 6s");
    line.found.recorded = Some(Ending::Recorded { length_ms: 5_900, terminator: None });
    line.play_script("resume\n hangup NORMAL_CLEARING switch");
    same(
        &line.text,
        r#"
        0.000 ! play beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < wait 6s
        6.000 < resume
        6.000 start: next -> end (5900 ms recorded)
        6.000 ! Hangup(NormalClearing)
        6.000 < hangup NORMAL_CLEARING switch
        6.000 END Flow NORMAL_CLEARING: the flow hung up
        "#,
    );
    assert_eq!(line.record.unwrap().recordings[0].length_ms, 5_900);
}

#[test]
fn a_recording_that_never_began_is_made_after_another_beep() {
    let steps = json!({ "start": { "kind": "message", "prompts": ["welcome"], "next": "end" },
        "end": { "kind": "hangup" } });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    line.play_script("done\n resume\n done\n hangup NORMAL_CLEARING caller");
    same(
        &line.text,
        r#"
        0.000 ! play welcome + beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < resume
        0.000 ! play beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00003c6e3973.wav
        0.000 < hangup NORMAL_CLEARING caller
        0.000 END Caller NORMAL_CLEARING: the caller hung up
        "#,
    );
}

#[test]
fn a_dial_that_ended_meanwhile_is_not_dialed_again() {
    let steps = json!({ "start": { "kind": "dial", "strategy": "in_turn",
        "targets": [{ "extension": "1" }, { "extension": "2" }], "next": "end" },
        "end": { "kind": "play", "prompts": ["bye"], "next": "end" } });
    let ended = |answered, cause, target| {
        Some(Dialed { answered, cause, code: None, target, other: Some("b-leg".parse().unwrap()) })
    };
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    line.found.dialed = ended(false, HangupCause::UserBusy, None);
    line.play_script("resume");
    line.found.dialed = ended(true, HangupCause::NormalClearing, Some(0));
    line.play_script("wait 20s\n resume");
    same(
        &line.text,
        r#"
        0.000 ! dial 1@t.example +0s 30s
        0.000 < resume
        0.000 ! dial 2@t.example +0s 30s
        0.000 < wait 20s
        20.000 < resume
        20.000 start: next -> end (the conversation ended: NORMAL_CLEARING)
        20.000 ! play bye
        "#,
    );
}

#[test]
fn a_conversation_that_goes_on_without_us_is_watched_and_not_disturbed() {
    let steps = json!({ "start": { "kind": "dial", "targets": [{ "extension": "1" }],
        "next": "end" },
        "end": { "kind": "play", "prompts": ["bye"], "next": "end" } });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    let written = serde_json::to_vec(&line.call.kept()).unwrap();
    let taken: Taken = serde_json::from_slice(&written).unwrap();
    let other = Some("b-leg".parse().unwrap());
    line.call = Call::watch(taken, line.program.clone(), other, line.now).unwrap();
    line.play_script("wait 30s\n hangup NORMAL_CLEARING caller");
    same(
        &line.text,
        r#"
        0.000 ! dial 1@t.example +0s 30s
        0.000 < wait 30s
        30.000 < hangup NORMAL_CLEARING caller
        30.000 END Caller NORMAL_CLEARING: the caller hung up
        "#,
    );
    let record = line.record.unwrap();
    assert_eq!((record.hands, record.legs.len()), (1, 2));
    assert_eq!(record.legs[1].channel, Some("b-leg".parse().unwrap()));
}

#[test]
fn a_conversation_that_another_process_found_and_took_back_has_changed_hands_once() {
    let steps = json!({ "start": { "kind": "dial", "targets": [{ "extension": "1" }],
        "next": "end" },
        "end": { "kind": "hangup" } });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    line.play_script("bridged b-leg\n watch\n wait 30s\n return\n hangup NORMAL_CLEARING switch");
    assert_eq!(line.record.unwrap().hands, 1);
}

#[test]
fn secrets_are_handed_on_but_are_not_in_the_plain_state() {
    let steps = json!({ "start": { "kind": "gather", "prompts": ["again"], "into": "pin", "max": 4,
        "secret": true, "next": "ask" },
        "ask": { "kind": "http", "url": "https://x.example/", "method": "POST",
            "body": { "pin": "{pin}" }, "next": "end" },
        "end": { "kind": "hangup" } });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    line.play_script("key 4711\n resume");
    let plain = serde_json::to_string(line.call.state()).unwrap();
    assert!(!plain.contains("4711") && line.text.matches(r#"{"pin":"4711"}"#).count() == 2);
}

#[test]
fn an_end_that_was_decided_stays_decided() {
    let steps = json!({ "start": { "kind": "hangup", "cause": "USER_BUSY" } });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    line.play_script("resume\n hangup NORMAL_CLEARING caller");
    same(
        &line.text,
        r#"
        0.000 ! Hangup(UserBusy)
        0.000 < resume
        0.000 ! Hangup(UserBusy)
        0.000 < hangup NORMAL_CLEARING caller
        0.000 END Flow USER_BUSY: the flow hung up
        "#,
    );
}

#[test]
fn a_state_of_another_tenant_version_or_format_is_refused() {
    let (main, other) = flows();
    let program = program(&[("main", &main), ("other", &other)]);
    let line = Line::new(program.clone(), Show::Moves);
    let now = Now::new(0, line.now.wall);
    let written = serde_json::to_value(line.call.state()).unwrap();
    let resume = |state: &Value, program: &Arc<Program>| {
        let state: State = serde_json::from_value(state.clone()).unwrap();
        Call::resume(state, program.clone(), Found::default(), now).map(|_| ())
    };
    assert_eq!(resume(&written, &program), Ok(()));

    let mut newer = (*program).clone();
    let mut flow = (*newer.flows["other"]).clone();
    flow.version = 4;
    newer.flows.insert("other".parse().unwrap(), Arc::new(flow));
    let refused = resume(&written, &Arc::new(newer)).unwrap_err();
    assert_eq!(refused.to_string(), "flow `other` is needed in version 3, not Some(4)");

    let mut elsewhere = (*program).clone();
    elsewhere.tenant = TenantId(Uuid::from_u128(2));
    assert_eq!(resume(&written, &Arc::new(elsewhere)), Err(ResumeError::Tenant));

    let mut changed = written.clone();
    changed["format"] = json!(3);
    assert_eq!(resume(&changed, &program), Err(ResumeError::Format { found: 3, known: 2 }));
    let mut changed = written.clone();
    changed["frames"][0]["step"] = json!("nowhere");
    assert!(matches!(resume(&changed, &program), Err(ResumeError::Step { .. })));
    let mut changed = written;
    changed["frames"] = json!([]);
    assert!(matches!(resume(&changed, &program), Err(ResumeError::Damaged(_))));
}
