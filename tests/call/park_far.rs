//! The caller parks the far party; callers who were taken from a slot are moved or parked again.

use std::sync::Arc;

use callwright::call::arrival::Arrival;
use callwright::call::handover::{Leads, Referral};
use callwright::call::{BROUGHT, Call};
use callwright::flow::program::Program;
use callwright::model::record::TransferKind;
use serde_json::{Value, json};

use super::support::{Line, Show, arrival, program, start};

/// The call that the far party is to have.
const OWN: &str = "00000000-0000-0000-0000-00000001ca11";

fn with(inside: &Value) -> Arc<Program> {
    let steps = json!({
        "start": { "kind": "dial", "targets": [{ "extension": "200" }], "inside": inside,
            "next": "after" },
        "after": { "kind": "play", "prompts": ["bye"], "next": "end" },
        "late": { "kind": "play", "prompts": ["again"], "next": "end" },
        "end": { "kind": "hangup" } });
    let mut program = Arc::unwrap_or_clone(program(&[("main", &steps)]));
    let talk = json!({ "park": { "slots": "701-702", "timeout": "60s", "then": "late" },
        "keys": { "codes": { "park": "**8" } } });
    program.settings.talk = serde_json::from_value(talk).unwrap();
    Arc::new(program)
}

fn talking(inside: &Value) -> Line {
    let mut line = Line::new(with(inside), Show::Moves);
    line.play_script("answered\n bridged\n wait 1s");
    line.text.clear();
    line
}

/// What was ordered and asked since, in order.
fn moves(line: &mut Line) -> Vec<String> {
    let text = std::mem::take(&mut line.text);
    let moves = text.lines().filter_map(|line| line.split_once(' ').map(|(_, rest)| rest));
    let moves = moves.filter(|rest| rest.starts_with("! ") || rest.starts_with("? "));
    moves.map(|rest| rest[2..].to_owned()).collect()
}

/// The far party in its own call, which the tie names.
fn brought(line: &mut Line) -> Line {
    let tie = line.tied.take().unwrap();
    let call = tie.becomes().unwrap();
    assert_eq!(call.to_string(), OWN);
    let arrival = Arrival { call, channel: "b-leg".parse().unwrap(), answered: true, ..arrival() };
    let program = line.program.clone();
    let referral = Referral::new(BROUGHT.into(), Leads::Elsewhere);
    let call = Call::begin_tied(tie, arrival, &referral, program.clone(), start());
    Line::of(call, program, Show::Moves, false)
}

#[test]
fn a_caller_who_parks_the_far_party_hears_the_slot_and_goes_on_in_its_flow() {
    let mut line = talking(&json!(["caller"]));
    line.step(r#"command {"park":{"side":"far"}}"#);
    assert_eq!(moves(&mut line), ["reserve of 701-702"]);
    line.step("slot in 701");
    assert_eq!(moves(&mut line), ["bring b-leg"]);
    line.play_script("unbridged\n talked BLIND_TRANSFER");
    let said = moves(&mut line);
    assert!(said[0].starts_with("play "), "{said:?}");
    line.step("done");
    assert_eq!(moves(&mut line), ["play bye"]);
    line.play_script("done\n hangup NORMAL_CLEARING switch");
    let transfer = line.record.as_ref().unwrap().transfers[0].clone();
    assert_eq!((transfer.kind, transfer.moved.as_str()), (TransferKind::Park, "200"));
    assert_eq!(
        (transfer.to.as_str(), transfer.outcome.as_str()),
        ("slot 701", "goes on in a call of its own")
    );
}

#[test]
fn the_far_party_waits_in_the_slot_that_was_taken_for_its_call() {
    let mut first = talking(&json!(["caller"]));
    first.play_script("command {\"park\":{\"side\":\"far\"}}\n slot in 701");
    let mut line = brought(&mut first);
    assert_eq!(moves(&mut line), ["reserve 701"]);
    // Another process goes on with it.
    line.step("resume");
    assert_eq!(moves(&mut line), ["reserve 701"]);
    line.step("slot in 701");
    assert_eq!(moves(&mut line), ["lend true", "play beep", "open"]);
    line.play_script("bridged x-leg\n slot gone");
    line.text.clear();
    line.play_script("wait 9s\n unbridged\n return");
    assert_eq!(moves(&mut line).last().unwrap(), "Hangup(NormalClearing)");
    line.step("hangup NORMAL_CLEARING switch");
    let transfer = line.record.unwrap().transfers[0].clone();
    assert_eq!((transfer.kind, transfer.by.as_str()), (TransferKind::Park, "+15550100"));
    assert!(transfer.from.is_some(), "it names the call of who parked it");

    let mut first = talking(&json!(["caller"]));
    first.play_script("command {\"park\":{\"side\":\"far\"}}\n slot in 701");
    let mut line = brought(&mut first);
    line.play_script("slot in 701\n slot in 701\n wait 61s\n slot out");
    assert_eq!(moves(&mut line).last().unwrap(), "play again", "nobody came");
}

#[test]
fn the_two_talk_on_where_no_slot_is_to_be_had() {
    for said in ["full", "unknown"] {
        let mut line = talking(&json!(["caller"]));
        line.play_script(&format!("command {{\"park\":{{\"side\":\"far\"}}}}\n slot {said}"));
        assert_eq!(moves(&mut line).last().unwrap(), r#"Beep { channel: "a-leg" }"#, "{said}");
        line.play_script("unbridged\n talked NORMAL_CLEARING");
        assert_eq!(moves(&mut line), ["play bye"], "{said}");
    }
    let mut line = talking(&json!(["caller"]));
    line.play_script("command {\"park\":{\"side\":\"far\"}}\n unbridged\n talked NORMAL_CLEARING");
    line.step("slot in 701");
    let moves = moves(&mut line);
    assert!(!moves.contains(&"bring b-leg".to_owned()), "it hung up first: {moves:?}");
}

#[test]
fn only_an_inside_caller_parks_by_key() {
    let mut line = talking(&json!(["target"]));
    line.play_script("key **8\n wait 4s");
    assert!(moves(&mut line).is_empty());
    let mut line = talking(&json!(["caller"]));
    line.step("key **8");
    assert_eq!(moves(&mut line), ["reserve of 701-702"]);
}

/// The caller was parked, and `x-leg` took it.
fn taken() -> Line {
    let mut line = talking(&json!(["target"]));
    line.play_script(
        "command {\"park\":{}}\n slot in 701\n unbridged\n talked NORMAL_CLEARING\n slot in 701
         bridged x-leg\n slot gone\n done\n wait 1s",
    );
    line.text.clear();
    line
}

#[test]
fn a_caller_who_was_taken_from_a_slot_is_parked_again() {
    let mut line = taken();
    line.play_script("command {\"park\":{}}\n slot in 702");
    assert_eq!(moves(&mut line), ["reserve of 701-702", "dismiss x-leg with 2"]);
    line.play_script("unbridged\n return\n slot in 702");
    assert_eq!(moves(&mut line), ["lend true", "play beep", "open"]);
    // Where there is none they talk on, and the flow goes on when they have.
    let mut line = taken();
    line.play_script("command {\"park\":{}}\n slot full");
    assert_eq!(moves(&mut line).last().unwrap(), r#"Beep { channel: "x-leg" }"#);
    line.play_script("unbridged\n return");
    assert_eq!(moves(&mut line), ["play bye"]);
}

#[test]
fn a_caller_who_was_taken_from_a_slot_is_moved_to_another_party() {
    let mut line = taken();
    line.step(r#"command {"send":{"to":{"extension":"300"}}}"#);
    assert_eq!(moves(&mut line), ["drop x-leg"]);
    line.play_script("unbridged\n return");
    assert_eq!(moves(&mut line), ["dial 300@t.example +0s 30s"]);
    line.play_script("bridged y-leg\n wait 3s\n talked NORMAL_CLEARING");
    assert_eq!(moves(&mut line).last().unwrap(), "play bye");
    // Who took it has a call of its own: nothing else can be done with it.
    let mut line = taken();
    for order in [
        r#"{"consult":{"to":{"extension":"300"}}}"#,
        r#"{"send":{"side":"far","to":{"extension":"300"}}}"#,
        r#"{"park":{"side":"far"}}"#,
        r#"{"move":{"step":"late"}}"#,
    ] {
        line.step(&format!("command {order}"));
        let why = "who took the caller from its slot has a call of its own";
        assert_eq!(line.answers.pop().unwrap(), Err(why.to_owned()), "{order}");
    }
}
