//! Supervisors who listen in.

use std::sync::Arc;

use callwright::flow::program::Program;
use serde_json::{Value, json};

use super::support::{Line, Show, program, same};

/// The supervisor's channel in the first session of a call, and the relay's.
const SUPERVISOR: &str = "00000000-0000-0000-0000-00000002ca11";
const RELAY: &str = "00000000-0000-0000-0000-00000003ca11";

const BEGIN: &str = r#"command {"monitor":{"begin":{"by":"300","reason":"training","manner":"#;

fn dial() -> Value {
    json!({ "start": { "kind": "dial",
        "targets": [{ "extension": "200", "timeout": "20s" }], "next": "bye" },
        "bye": { "kind": "hangup" } })
}

fn watched() -> Arc<Program> {
    let mut program = Arc::unwrap_or_clone(program(&[("main", &dial())]));
    program.settings.talk = serde_json::from_value(json!({ "monitor": {
        "groups": { "sales": ["200"] }, "tone": true,
        "supervisors": {
            "300": { "may": ["listen", "whisper", "barge", "take_over"], "groups": ["sales"] },
            "301": { "may": ["listen"], "groups": ["sales"] } } } }))
    .unwrap();
    Arc::new(program)
}

/// The far end has answered, and a supervisor was called in this manner.
fn session(manner: &str) -> Line {
    let mut line = Line::new(watched(), Show::Moves);
    line.step("answered");
    line.step("bridged");
    line.text.clear();
    line.step(&format!("{BEGIN}{manner}}}}}}}"));
    line
}

fn manner(line: &mut Line, manner: &str) {
    line.step(&format!(r#"command {{"monitor":{{"change":{{"manner":{manner}}}}}}}"#));
}

fn last_refusal(line: &Line) -> &str {
    line.answers.last().unwrap().as_ref().unwrap_err()
}

/// A line without what a new leg does.
fn cut(line: &str) -> String {
    line.split_once(", then")
        .map_or_else(|| line.to_owned(), |(begin, _)| format!("{begin}, then …"))
}

/// Exactly one session was kept, and it has an end.
#[track_caller]
fn ended(line: &Line, why: &str) {
    let last = line.audit.last().unwrap();
    assert!(line.audit.iter().all(|entry| entry.id == last.id), "{}", line.text);
    assert!(line.audit.is_sorted_by_key(|entry| entry.revision));
    let ends = line.audit.iter().filter(|entry| entry.ended.is_some()).count();
    assert_eq!((ends, last.end.as_deref()), (1, Some(why)), "{}", line.text);
}

#[test]
fn a_supervisor_hears_whispers_to_either_side_barges_and_leaves_without_redial() {
    let mut line = session(r#"{"mode":"listen"}"#);
    line.step(&format!("far {SUPERVISOR} answered"));
    for change in [
        r#"{"mode":"whisper","to":"far"}"#,
        r#"{"mode":"whisper","to":"caller"}"#,
        r#"{"mode":"barge"}"#,
        r#"{"mode":"listen"}"#,
    ] {
        manner(&mut line, change);
    }
    line.step(r#"command {"monitor":"end"}"#);
    let text = line.text.replace(SUPERVISOR, "S").replace(RELAY, "R");
    let told = text.lines().filter(|line| line.contains('!'));
    let told: Vec<String> = told.map(cut).collect();
    same(
        &told.join("\n"),
        r#"
        0.000 ! follow S true
        0.000 ! call S: Extension { extension: "300", domain: "t.example" }, then …
        0.000 ! Beep { channel: "b-leg" }
        0.000 ! S listens at b-leg, speaks
        0.000 ! S listens at a-leg, speaks
        0.000 ! S listens at a-leg, speaks
        0.000 ! follow R true
        0.000 ! R relays S to b-leg
        0.000 ! follow R false
        0.000 ! drop R
        0.000 ! S listens at a-leg
        0.000 ! follow S false
        0.000 ! drop S
        "#,
    );
    ended(&line, "an operator ended it");
    let changes = &line.audit.last().unwrap().changes;
    let manners: Vec<String> = changes.iter().map(|one| one.manner.to_string()).collect();
    assert_eq!(
        manners,
        ["listen", "whisper to the far end", "whisper to the caller", "barge", "listen"]
    );
}

#[test]
fn who_may_not_is_told_why_and_nothing_happens() {
    let mut line = Line::new(watched(), Show::Moves);
    let ask = |line: &mut Line, by: &str, mode: &str| {
        let order = json!({ "monitor": { "begin":
            { "by": by, "reason": "x", "manner": { "mode": mode } } } });
        line.step(&format!("command {order}"));
        last_refusal(line).to_owned()
    };
    assert_eq!(ask(&mut line, "300", "listen"), "nobody talks in the call");
    line.step("bridged");
    assert_eq!(ask(&mut line, "302", "listen"), "`302` is no supervisor");
    assert_eq!(ask(&mut line, "301", "barge"), "`301` may not barge in");
    assert_eq!(ask(&mut line, "3 01", "listen"), "the supervisor is no extension");
    line.step(r#"command {"monitor":{"change":{"manner":{"mode":"listen"}}}}"#);
    assert_eq!(last_refusal(&line), "nobody listens in");
    assert!(!line.text.contains("! call") && line.audit.is_empty(), "{}", line.text);
}

#[test]
fn a_session_ends_with_the_conversation_the_phone_or_the_wait() {
    for (script, why, dropped) in [
        ("unbridged".to_owned(), "the conversation ended", true),
        (
            format!("far {SUPERVISOR} answered\n hangup NORMAL_CLEARING caller"),
            "the call ended",
            true,
        ),
        (
            format!("far {SUPERVISOR} answered\n operator NORMAL_CLEARING"),
            "the call is ended",
            true,
        ),
        (
            format!("far {SUPERVISOR} answered\n far {SUPERVISOR} hangup NORMAL_CLEARING"),
            "the supervisor hung up",
            false,
        ),
        (
            format!("far {SUPERVISOR} hangup USER_BUSY"),
            "the supervisor was not reached: USER_BUSY",
            false,
        ),
        ("wait 41s".to_owned(), "the supervisor was not reached in time", true),
    ] {
        let mut line = session(r#"{"mode":"listen"}"#);
        line.play_script(&script);
        ended(&line, why);
        let drop = format!("! drop {SUPERVISOR}");
        assert_eq!(line.text.contains(&drop), dropped, "{script}\n{}", line.text);
    }
}

#[test]
fn a_relay_that_is_lost_leaves_the_supervisor_heard_by_the_caller_alone() {
    let mut line = session(r#"{"mode":"barge"}"#);
    line.step(&format!("far {SUPERVISOR} answered"));
    assert!(line.text.contains(&format!("{RELAY} relays")), "{}", line.text);
    line.step(&format!("far {RELAY} hangup NORMAL_CLEARING"));
    let last = line.audit.last().unwrap().changes.last().unwrap();
    assert_eq!(last.manner.to_string(), "whisper to the caller");
}

#[test]
fn a_recording_that_begins_has_whoever_speaks_to_the_caller_speak_after_it() {
    let mut line = session(r#"{"mode":"whisper","to":"caller"}"#);
    line.step(&format!("far {SUPERVISOR} answered"));
    line.text.clear();
    line.step(r#"command {"record":{"action":"start"}}"#);
    let (record, speak) = (line.text.find("! Start"), line.text.find("listens at a-leg, speaks"));
    assert!(record.is_some() && record < speak, "{}", line.text);
}

#[test]
fn a_session_is_known_to_the_next_process() {
    let mut line = session(r#"{"mode":"listen"}"#);
    line.step(&format!("far {SUPERVISOR} answered"));
    line.watch();
    manner(&mut line, r#"{"mode":"whisper","to":"far"}"#);
    assert_eq!(line.answers.last(), Some(&Ok(())), "{}", line.text);
    line.step("unbridged");
    ended(&line, "the conversation ended");
}
