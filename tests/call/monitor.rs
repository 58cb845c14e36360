//! Supervisors who listen in.

use std::collections::BTreeSet;
use std::sync::Arc;

use callwright::flow::program::Program;
use serde_json::{Value, json};

use super::random::Dice;
use super::support::{Line, Show, program, same};

/// The supervisor's channel in the first session of a call, and the relay's.
pub(crate) const SUPERVISOR: &str = "00000000-0000-0000-0000-00000002ca11";
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
pub(crate) fn session(manner: &str) -> Line {
    let mut line = Line::new(watched(), Show::Moves);
    line.step("answered");
    line.step("bridged");
    line.text.clear();
    line.step(&format!("{BEGIN}{manner}}}}}}}"));
    line
}

pub(crate) fn manner(line: &mut Line, manner: &str) {
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
            "the supervisor's leg ended",
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

#[test]
fn who_takes_the_call_over_has_the_caller_and_is_let_go_by_nobody() {
    let mut line = session(r#"{"mode":"whisper","to":"caller"}"#);
    line.step(r#"command {"monitor":"take_over"}"#);
    assert_eq!(last_refusal(&line), "the supervisor's phone still rings");
    line.step(&format!("far {SUPERVISOR} answered"));
    line.step(r#"command {"monitor":"take_over"}"#);
    assert!(line.text.contains(&format!("! join {SUPERVISOR}")), "{}", line.text);
    line.step("unbridged");
    line.step(&format!("bridged {SUPERVISOR}"));
    ended(&line, "the supervisor took the call over");
    assert!(!line.text.contains(&format!("drop {SUPERVISOR}")), "{}", line.text);
    assert!(line.call.runs_on() && line.record.is_none());
    line.step("resume");
    assert!(line.text.contains("start: next -> bye"), "{}", line.text);
}

#[test]
fn a_supervisor_who_is_not_joined_in_time_is_let_go() {
    let mut line = session(r#"{"mode":"listen"}"#);
    line.step(&format!("far {SUPERVISOR} answered"));
    line.step(r#"command {"monitor":"take_over"}"#);
    line.step("unbridged");
    line.step("wait 10s");
    ended(&line, "the call could not be taken over");
    assert!(line.text.contains(&format!("drop {SUPERVISOR}")), "{}", line.text);
}

/// The legs that the call has called for its supervisors and neither hung up nor seen hang up.
fn legs(line: &Line) -> BTreeSet<String> {
    let mut up = BTreeSet::new();
    for line in line.text.lines() {
        let words: Vec<&str> = line.split_whitespace().skip(1).collect();
        match words.as_slice() {
            ["!", "call", leg, ..] => drop(up.insert(leg.trim_end_matches(':').to_owned())),
            ["!", leg, "relays", ..] => drop(up.insert((*leg).to_owned())),
            ["(the", "listening", .., "took", "the", "call", "over)"] => up.clear(),
            ["!", "drop", leg] | ["<", "far", leg, "hangup", ..] => drop(up.remove(*leg)),
            _ => {}
        }
    }
    up
}

/// Whatever may happen while somebody listens in.
fn anything(dice: &mut Dice, line: &Line) -> String {
    let manner = dice.of(&[
        r#"{"mode":"listen"}"#,
        r#"{"mode":"whisper","to":"far"}"#,
        r#"{"mode":"whisper","to":"caller"}"#,
        r#"{"mode":"barge"}"#,
    ]);
    let legs: Vec<String> = legs(line).into_iter().collect();
    let leg = dice.below(3).try_into().ok().and_then(|at: usize| legs.get(at).cloned());
    match dice.below(20) {
        0..=4 => format!("{BEGIN}{manner}}}}}}}"),
        5..=8 => format!(r#"command {{"monitor":{{"change":{{"manner":{manner}}}}}}}"#),
        9 => dice
            .of(&[r#"command {"monitor":"end"}"#, r#"command {"monitor":"take_over"}"#])
            .to_owned(),
        10..=13 => leg.map_or_else(|| "bridged".to_owned(), |leg| format!("far {leg} answered")),
        14 => leg.map_or_else(
            || "bridged".to_owned(),
            |leg| format!("far {leg} hangup NORMAL_CLEARING"),
        ),
        15 => "unbridged".to_owned(),
        16 => format!("wait {}s", dice.below(50)),
        17 => dice.of(&["bridged", "answered", "bridged"]).to_owned(),
        18 if dice.chance(30) => {
            dice.of(&["hangup NORMAL_CLEARING caller", "operator USER_BUSY", "lost it"]).to_owned()
        }
        _ => "bridged".to_owned(),
    }
}

#[test]
fn no_leg_is_left_and_every_session_ends_once_whatever_happens() {
    let mut sessions = 0;
    for seed in 0..400 {
        let mut dice = Dice(seed);
        let mut line = Line::new(watched(), Show::Moves);
        for _ in 0..40 {
            if line.record.is_some() {
                break;
            }
            let next = anything(&mut dice, &line);
            if dice.chance(5) && line.call.state().is_bridged() {
                line.watch();
            }
            line.step(&next);
            let known: BTreeSet<_> = line.audit.iter().map(|entry| entry.id).collect();
            let over = line.audit.iter().filter(|entry| entry.ended.is_some()).count();
            let up = legs(&line);
            assert!(up.len() <= 2, "seed {seed}: {up:?}\n{}", line.text);
            let open = known.len() - over;
            assert!(
                open <= 1 && (open == 1 || up.is_empty()),
                "seed {seed}: {up:?}\n{}",
                line.text
            );
        }
        if line.record.is_none() {
            line.step("operator NORMAL_CLEARING");
            line.step("hangup NORMAL_CLEARING switch");
        }
        assert!(legs(&line).is_empty(), "seed {seed}\n{}", line.text);
        let known: BTreeSet<_> = line.audit.iter().map(|entry| entry.id).collect();
        let ends: Vec<_> =
            line.audit.iter().filter(|entry| entry.ended.is_some()).map(|entry| entry.id).collect();
        assert_eq!(ends.len(), known.len(), "seed {seed}\n{}", line.text);
        assert_eq!(ends.into_iter().collect::<BTreeSet<_>>(), known, "seed {seed}");
        sessions += known.len();
    }
    assert!(sessions > 300, "only {sessions} sessions");
}
