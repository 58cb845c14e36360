//! Hold, transfers and consultations: who is where, whatever happens meanwhile.

use std::sync::Arc;

use callwright::flow::program::Program;
use callwright::model::record::TransferKind;
use serde_json::{Value, json};

use super::support::{Line, Show, program};

/// Whoever is called first by the call besides the far party.
const THIRD: &str = "00000000-0000-0000-0000-00000001ca11";
const CONSULT: &str = r#"command {"consult":{"to":{"extension":"300"}}}"#;

fn dial() -> Value {
    json!({
        "start": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "after",
            "on": { "busy": "sorry", "no_answer": "sorry", "unreachable": "sorry" } },
        "after": { "kind": "play", "prompts": ["bye"], "next": "end" },
        "sorry": { "kind": "play", "prompts": ["sorry"], "next": "end" },
        "end": { "kind": "hangup" } })
}

fn with_codes(inside: &Value) -> Arc<Program> {
    let mut steps = dial();
    steps["start"]["inside"] = inside.clone();
    let mut program = Arc::unwrap_or_clone(program(&[("main", &steps)]));
    program.settings.talk = serde_json::from_value(json!({ "keys": { "next_key": "2s", "codes": {
        "transfer": "**1", "consult": "**2", "complete": "**3", "cancel": "**4", "toggle": "**5",
        "hold": "**6", "record": "**7" } } }))
    .unwrap();
    Arc::new(program)
}

fn talking(program: Arc<Program>) -> Line {
    let mut line = Line::new(program, Show::Moves);
    line.play_script("answered\n bridged\n wait 1s");
    line.text.clear();
    line
}

fn conversation() -> Line {
    talking(program(&[("main", &dial())]))
}

/// The far party speaks with the third, and the caller waits.
fn consulting() -> Line {
    let mut line = conversation();
    line.step(CONSULT);
    line.step("unbridged");
    line.step("talked NORMAL_CLEARING");
    line.step(&format!("far {THIRD} parked"));
    line
}

/// What was ordered since, in order.
fn orders(line: &mut Line) -> Vec<String> {
    let text = std::mem::take(&mut line.text);
    let orders = text.lines().filter_map(|line| line.split_once(" ! "));
    orders.map(|(_, order)| order.split(": ").next().unwrap_or(order).to_owned()).collect()
}

fn outcome(line: &Line) -> (TransferKind, String) {
    let transfer = line.record.as_ref().unwrap().transfers.last().unwrap();
    (transfer.kind, transfer.outcome.clone())
}

#[test]
fn a_forgotten_hold_ends_by_itself_and_its_time_is_kept() {
    let mut program = Arc::unwrap_or_clone(program(&[("main", &dial())]));
    program.settings.talk = serde_json::from_value(json!({ "hold_limit": "30s" })).unwrap();
    let mut line = talking(Arc::new(program));
    line.step(r#"command {"hold":{"on":true}}"#);
    // Another process finds the conversation.
    line.wait(10_000);
    line.watch();
    assert_eq!(orders(&mut line), ["hold a-leg against b-leg"]);
    line.wait(19_900);
    assert!(orders(&mut line).is_empty());
    line.wait(200);
    let tone = "Beep { channel";
    assert_eq!(orders(&mut line), ["free a-leg against b-leg", tone, tone]);
    line.play_script("wait 60s\n hangup NORMAL_CLEARING caller");
    assert!(orders(&mut line).is_empty(), "it ends once");
    assert_eq!(line.record.unwrap().legs[0].held_ms, 30_000);
}

#[test]
fn a_phone_that_forgets_whom_it_put_on_hold_is_asked_to_take_the_call_back() {
    let mut program = Arc::unwrap_or_clone(program(&[("main", &dial())]));
    program.settings.talk = serde_json::from_value(json!({ "hold_limit": "30s" })).unwrap();
    let program = Arc::new(program);
    let mut line = talking(program.clone());
    line.play_script("far b-leg held\n wait 10s\n held on\n wait 19s");
    assert!(orders(&mut line).is_empty());
    line.wait(1_100);
    let tone = "Beep { channel";
    assert_eq!(orders(&mut line), ["ask b-leg back", tone, tone]);
    line.wait(10_000);
    assert_eq!(orders(&mut line), ["ask a-leg back", tone, tone], "each for itself");
    line.wait(300_000);
    assert!(orders(&mut line).is_empty(), "once");

    let mut line = talking(program);
    line.play_script("far b-leg held\n wait 20s\n far b-leg unheld\n wait 5m");
    assert!(orders(&mut line).is_empty(), "it took the call back in time");
}

#[test]
fn a_hold_that_was_ended_has_no_limit_any_more() {
    let mut program = Arc::unwrap_or_clone(program(&[("main", &dial())]));
    program.settings.talk = serde_json::from_value(json!({ "hold_limit": "30s" })).unwrap();
    let mut line = talking(Arc::new(program));
    line.play_script(
        r#"command {"hold":{"on":true}}
        wait 20s
        command {"hold":{"on":false}}
        wait 60s"#,
    );
    assert_eq!(orders(&mut line), ["hold a-leg against b-leg", "free a-leg against b-leg"]);
}

#[test]
fn the_third_is_called_only_when_the_caller_is_in_our_hands() {
    let mut line = conversation();
    line.step(CONSULT);
    assert_eq!(orders(&mut line), ["follow b-leg true", "await b-leg"]);
    line.play_script("unbridged\n talked NORMAL_CLEARING");
    let follow = format!("follow {THIRD} true");
    assert_eq!(orders(&mut line), [follow.as_str(), &format!("call {THIRD}"), "play beep"]);
    line.step(&format!("far {THIRD} answered"));
    assert!(orders(&mut line).is_empty(), "`originate` is not done with it yet");
    line.step(&format!("far {THIRD} parked"));
    assert_eq!(orders(&mut line), [format!("connect b-leg {THIRD}, keep")]);
}

#[test]
fn a_completed_transfer_leaves_the_caller_with_the_third() {
    let mut line = consulting();
    orders(&mut line);
    line.step(r#"command "complete""#);
    assert_eq!(orders(&mut line), [format!("join {THIRD}"), "drop b-leg".to_owned()]);
    line.step(&format!("bridged {THIRD}"));
    // It comes back on a new connection when the third hangs up.
    line.play_script("wait 9s\n unbridged\n return");
    assert_eq!(orders(&mut line), [format!("follow {THIRD} true"), "play bye".to_owned()]);
    line.play_script("done\n hangup NORMAL_CLEARING switch");
    assert_eq!(outcome(&line), (TransferKind::Attended, "done".to_owned()));
    assert_eq!(line.record.unwrap().hands, 0, "no other process had it");
}

#[test]
fn the_far_party_changes_between_the_two_and_nobody_waits_in_silence() {
    let mut line = consulting();
    orders(&mut line);
    line.step(r#"command "toggle""#);
    // Taken from the far party first, FreeSWITCH could hang that one up.
    assert_eq!(orders(&mut line), ["join b-leg".to_owned(), format!("await {THIRD}")]);
    line.step("bridged");
    line.step(&format!("far {THIRD} parked"));
    assert_eq!(orders(&mut line), [format!("await {THIRD}")], "it parked after all");
    line.step(r#"command "toggle""#);
    assert_eq!(orders(&mut line), [format!("connect b-leg {THIRD}, keep")]);
    line.step(&format!("far {THIRD} parked"));
    assert_eq!(orders(&mut line), [""; 0], "that is no news of who is spoken with");
    line.play_script("unbridged\n resume");
    assert_eq!(orders(&mut line).last().unwrap(), "play beep", "the caller waits");
    line.step(r#"command "cancel""#);
    let dropped = format!("drop {THIRD}");
    assert_eq!(orders(&mut line)[..2], ["join b-leg", &dropped]);
}

#[test]
fn who_hangs_up_decides_what_becomes_of_a_consultation() {
    let mut line = consulting();
    orders(&mut line);
    line.step("far b-leg hangup NORMAL_CLEARING");
    assert_eq!(orders(&mut line), [format!("join {THIRD}")]);
    let mut line = consulting();
    orders(&mut line);
    line.step(&format!("far {THIRD} hangup NORMAL_CLEARING"));
    assert_eq!(orders(&mut line).last().unwrap(), "await b-leg", "the far party hears a tone");
    line.step("wait 2s");
    assert_eq!(orders(&mut line), ["join b-leg"]);
    let mut line = consulting();
    line.step("hangup NORMAL_CLEARING caller");
    assert_eq!(orders(&mut line).last().unwrap(), &format!("connect b-leg {THIRD}"));
}

#[test]
fn a_third_that_is_busy_or_never_answers_leads_back_to_the_two() {
    for (news, cause) in [("hangup USER_BUSY", "USER_BUSY"), ("", "NO_ANSWER")] {
        let mut line = conversation();
        line.play_script(&format!("{CONSULT}\n unbridged\n talked NORMAL_CLEARING"));
        match news {
            "" => line.step("wait 36s"),
            news => line.step(&format!("far {THIRD} {news}")),
        }
        line.step("wait 2s");
        assert_eq!(orders(&mut line).last().unwrap(), "join b-leg", "{cause}");
        line.play_script("bridged\n hangup NORMAL_CLEARING caller");
        assert_eq!(outcome(&line), (TransferKind::Attended, cause.to_owned()));
    }
}

#[test]
fn a_caller_who_is_moved_to_nobody_comes_back_to_who_moved_it_and_then_to_a_step() {
    let mut line = conversation();
    line.step(r#"command {"send":{"to":{"extension":"300"}}}"#);
    assert_eq!(orders(&mut line), ["drop b-leg"]);
    line.play_script("unbridged\n talked BLIND_TRANSFER");
    assert_eq!(orders(&mut line), ["dial 300@t.example +0s 30s"]);
    line.step("dialed USER_BUSY");
    assert_eq!(orders(&mut line), ["dial 200@t.example +0s 30s"]);
    line.step("dialed NO_ANSWER");
    assert_eq!(orders(&mut line), ["play sorry"]);
    line.play_script("done\n hangup NORMAL_CLEARING switch");
    assert_eq!(outcome(&line), (TransferKind::Blind, "USER_BUSY".to_owned()));
}

#[test]
fn a_caller_is_moved_to_a_step_of_its_flow_and_to_no_other() {
    let mut line = conversation();
    line.step(r#"command {"move":{"step":"nowhere"}}"#);
    assert!(line.answers.last().unwrap().is_err());
    line.step(r#"command {"move":{"step":"sorry"}}"#);
    line.play_script("unbridged\n talked BLIND_TRANSFER");
    assert_eq!(orders(&mut line), ["drop b-leg", "play sorry"]);
}

#[test]
fn another_process_knows_who_waits_and_who_speaks() {
    let mut line = consulting();
    orders(&mut line);
    line.step("resume");
    assert_eq!(orders(&mut line).last().unwrap(), "play beep");
    line.step(r#"command "complete""#);
    assert_eq!(orders(&mut line)[0], format!("join {THIRD}"));
    // One that died while the third rang may have missed the answer: it is called again.
    let mut line = conversation();
    line.play_script(&format!("{CONSULT}\n unbridged\n talked NORMAL_CLEARING"));
    orders(&mut line);
    line.step("resume");
    let again = orders(&mut line);
    assert!(again.contains(&format!("drop {THIRD}")), "{again:?}");
    assert!(again.iter().any(|order| order.starts_with("call ")), "{again:?}");
}

#[test]
fn the_time_on_hold_is_the_waiting_partys() {
    let mut line = conversation();
    line.play_script(
        "command {\"hold\":{\"on\":true,\"side\":\"far\"}}\n wait 4s
         command {\"hold\":{\"on\":false,\"side\":\"far\"}}\n far b-leg held\n wait 7s
         far b-leg unheld\n wait 1s\n hangup NORMAL_CLEARING caller",
    );
    assert_eq!(orders(&mut line), ["hold b-leg against a-leg", "free b-leg against a-leg"]);
    let record = line.record.unwrap();
    let held: Vec<u64> = record.legs.iter().map(|leg| leg.held_ms).collect();
    assert_eq!(held, [7_000, 4_000]);
}

#[test]
fn keys_of_the_tenants_own_party_do_what_operators_can() {
    let mut line = talking(with_codes(&json!(["target"])));
    let press = |line: &mut Line, keys: &str| {
        for key in keys.chars() {
            line.step(&format!("far b-leg key {key}"));
        }
        orders(line)
    };
    assert_eq!(press(&mut line, "1**6"), ["hold a-leg against b-leg"]);
    assert_eq!(press(&mut line, "**6"), ["free a-leg against b-leg"]);
    // Another process finds the conversation, and listens to keys.
    line.watch();
    assert_eq!(orders(&mut line), ["follow b-leg true"]);
    let asked = press(&mut line, "**2300#");
    assert_eq!(asked.last().unwrap(), "await b-leg", "{asked:?}");
    let notes = line.notes.concat();
    assert!(!notes.contains("\"key\""), "no key of a conversation is noted: {notes}");
}

#[test]
fn an_outside_caller_who_presses_every_code_does_nothing() {
    for inside in [json!(["target"]), Value::Null, json!([])] {
        let mut line = talking(with_codes(&inside));
        for code in ["**1300#", "**2300#", "**3", "**4", "**5", "**6", "**7"] {
            line.step(&format!("key {code}"));
            line.step("wait 3s");
        }
        assert!(orders(&mut line).is_empty(), "{inside}");
    }
}
