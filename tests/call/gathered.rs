//! From a conversation to a room: one party, both, or the three of a consultation.

use callwright::model::record::TransferRecord;
use serde_json::json;

use super::support::{Line, Show, program};

/// Whoever is called first by the call besides the far party.
const THIRD: &str = "00000000-0000-0000-0000-00000001ca11";
const ALONE: &str = "room in";

pub(crate) fn talking() -> Line {
    let steps = json!({
        "start": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "after",
            "on": { "busy": "sorry", "unreachable": "sorry" } },
        "after": { "kind": "play", "prompts": ["bye"], "next": "end" },
        "sorry": { "kind": "play", "prompts": ["sorry"], "next": "end" },
        "end": { "kind": "hangup" } });
    let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
    line.play_script("answered\n bridged\n wait 1s");
    line.text.clear();
    line
}

fn consulting() -> Line {
    let mut line = talking();
    line.step(r#"command {"consult":{"to":{"extension":"300"}}}"#);
    line.play_script(&format!("unbridged\n talked NORMAL_CLEARING\n far {THIRD} parked"));
    line.text.clear();
    line
}

fn told(line: &mut Line) -> Vec<String> {
    line.step("hangup NORMAL_CLEARING caller");
    let record = line.record.as_ref().unwrap();
    assert!(record.legs.iter().all(|leg| leg.ended.is_some()), "{:?}", record.legs);
    let told = record.transfers.iter().map(|transfer| {
        let TransferRecord { kind, moved, to, outcome, .. } = transfer;
        format!("{kind:?}: {moved} to {to}: {outcome}")
    });
    told.collect()
}

#[test]
fn a_consultation_becomes_a_room_that_the_caller_enters_first() {
    let mut line = consulting();
    line.step(r#"command "merge""#);
    assert_eq!(line.orders(), ["Silence", "join as member: "]);
    line.step(ALONE);
    assert_eq!(line.orders(), ["enter b-leg".to_owned(), format!("enter {THIRD}")]);
    line.play_script(&format!("wait 5s\n far {THIRD} hangup NORMAL_CLEARING"));
    assert!(line.orders().is_empty(), "the other two go on");
    line.play_script("far b-leg hangup NORMAL_CLEARING\n done");
    let last = line.orders();
    assert_eq!(last.last().unwrap(), "play bye", "the flow goes on");
    assert_eq!(told(&mut line), ["Attended: +15550100 to 300: merged"]);
}

#[test]
fn a_caller_who_leaves_a_merged_room_leaves_the_others_together() {
    let mut line = consulting();
    line.play_script(&format!("command \"merge\"\n {ALONE}"));
    line.orders();
    line.step("hangup NORMAL_CLEARING caller");
    assert!(line.orders().is_empty(), "nobody is hung up");
    // Before that they were speaking with one another.
    let mut line = consulting();
    line.step(r#"command "merge""#);
    line.orders();
    line.step("hangup NORMAL_CLEARING caller");
    assert_eq!(line.orders(), [format!("connect b-leg {THIRD}")]);
}

#[test]
fn nobody_stays_alone_in_a_room_of_three() {
    let mut line = consulting();
    line.play_script(&format!(
        "command \"merge\"\n far b-leg hangup NORMAL_CLEARING\n far {THIRD} hangup NORMAL_CLEARING"
    ));
    line.orders();
    line.step(ALONE);
    assert_eq!(line.orders(), ["room Leave(Me)"]);
}

#[test]
fn there_is_nothing_to_merge_where_nobody_is_consulted() {
    let mut line = talking();
    line.step(r#"command "merge""#);
    line.step(r#"command {"send_both":{"to":{"extension":"300"}}}"#);
    line.step(r#"command {"send_both":{"to":{"room":"nowhere"}}}"#);
    line.step(r#"command {"consult":{"to":{"room":"open"}}}"#);
    assert!(line.orders().is_empty());
    assert!(line.answers.iter().all(Result::is_err), "{:?}", line.answers);
}

#[test]
fn both_who_speak_go_to_a_room_the_caller_first() {
    let mut line = talking();
    line.step(r#"command {"send_both":{"to":{"room":"open"}}}"#);
    assert_eq!(line.orders(), ["follow b-leg true", "await b-leg"]);
    line.play_script("unbridged\n talked NORMAL_CLEARING\n room none");
    assert_eq!(line.orders(), ["join as member: "]);
    line.step(ALONE);
    assert_eq!(line.orders(), ["enter b-leg"]);
    // Another process has it when the room is over.
    line.found.roomed = true;
    line.step("resume");
    assert_eq!(line.orders().last().unwrap(), "play bye");
    assert_eq!(told(&mut line), ["Blind: +15550100 to room open: done"]);
}

#[test]
fn who_is_not_let_in_speaks_with_the_other_again() {
    let mut line = talking();
    line.step(r#"command {"send_both":{"to":{"room":"open"}}}"#);
    line.play_script("unbridged\n talked NORMAL_CLEARING\n room locked 1");
    assert_eq!(line.orders().last().unwrap(), "join b-leg");
    let mut line = talking();
    line.step(r#"command {"send":{"to":{"room":"open"}}}"#);
    assert_eq!(line.orders(), ["drop b-leg"]);
    line.play_script("unbridged\n talked BLIND_TRANSFER\n room locked 1");
    assert_eq!(line.orders().last().unwrap(), "dial 200@t.example +0s 30s");
    assert_eq!(told(&mut line), ["Blind: +15550100 to room open: the room open is locked"]);
}

#[test]
fn the_far_party_is_sent_to_a_room_only_where_that_can_be() {
    let send = r#"command {"send":{"side":"far","to":{"room":"open"}}}"#;
    let mut line = talking();
    line.play_script(&format!("{send}\n room none"));
    assert_eq!(line.orders(), ["enter b-leg"]);
    line.play_script("unbridged\n talked NORMAL_CLEARING");
    assert_eq!(line.orders(), ["play bye"], "the caller goes on in the flow");
    for answer in ["room locked 1", "room elsewhere fs2"] {
        let mut line = talking();
        line.play_script(&format!("{send}\n {answer}"));
        assert!(line.orders().is_empty(), "{answer}");
    }
}

#[test]
fn each_party_is_acted_on_by_its_call_in_the_room_to_which_both_went() {
    let merged = format!("command \"merge\"\n {ALONE}");
    let sent = "command {\"send_both\":{\"to\":{\"room\":\"open\"}}}\n unbridged
        talked NORMAL_CLEARING\n room none\n room in";
    for (mut line, script) in [(consulting(), merged.as_str()), (talking(), sent)] {
        line.step(r#"command {"room":{"mute":true}}"#);
        assert!(
            line.orders().is_empty() && line.answers.pop().unwrap().is_err(),
            "nobody is in a room yet"
        );
        line.play_script(script);
        line.orders();
        line.play_script(
            "command {\"room\":{\"mute\":true}}\n command {\"far_in_room\":{\"deaf\":true}}
             command {\"far_in_room\":\"kick\"}
             command {\"room\":{\"invite\":{\"to\":{\"extension\":\"400\"}}}}",
        );
        let orders = line.orders();
        let of_far = |order: &str| format!("room {order} by b-leg");
        assert_eq!(orders[0], "room Mute { who: Me, on: true }");
        assert_eq!(orders[1..3], [of_far("Deaf { who: Me, on: true }"), of_far("Kick(Me)")]);
        assert!(orders[4].starts_with("call Extension") && orders[4].contains("joins only"));
        line.step("command {\"room\":\"kick\"}\n");
        assert_eq!(line.orders(), ["room Kick(Me)"]);
        line.step("done");
        assert_eq!(line.orders().last().unwrap(), "play bye", "the flow goes on");
    }
}

#[test]
fn an_operator_takes_the_caller_out_of_such_a_room_to_a_step() {
    let mut line = consulting();
    line.play_script(&format!("command \"merge\"\n {ALONE}"));
    line.orders();
    line.step(r#"command {"move":{"step":"sorry"}}"#);
    assert_eq!(line.orders(), ["room Leave(Me)", "play sorry"]);
}
