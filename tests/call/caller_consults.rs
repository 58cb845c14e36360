//! The caller asks somebody else before it transfers the far party: who waits, who speaks, and who
//! goes on with whom when somebody leaves.

use std::sync::Arc;

use callwright::call::arrival::Arrival;
use callwright::call::handover::{Leads, Referral};
use callwright::call::{BROUGHT, Call, Tie};
use callwright::flow::program::Program;
use callwright::model::record::TransferKind;
use serde_json::json;

use super::support::{Line, Show, arrival, program, start};

/// Whoever is called first by the call besides the far party.
const THIRD: &str = "00000000-0000-0000-0000-00000001ca11";
const CONSULT: &str = r#"command {"consult":{"side":"caller","to":{"extension":"300"}}}"#;
const AWAY: &str = "goes on in a call of its own";

fn rules() -> Arc<Program> {
    let steps = json!({
        "start": { "kind": "dial", "targets": [{ "extension": "200" }], "inside": ["caller"],
            "next": "after" },
        "after": { "kind": "play", "prompts": ["bye"], "next": "end" },
        "end": { "kind": "hangup" } });
    let mut program = Arc::unwrap_or_clone(program(&[("main", &steps)]));
    program.settings.talk = serde_json::from_value(json!({ "music": "hold", "keys": {
        "codes": { "consult": "**2", "complete": "**3", "cancel": "**4", "toggle": "**5",
        "merge": "**8" } } }))
    .unwrap();
    Arc::new(program)
}

fn talking() -> Line {
    let mut line = Line::new(rules(), Show::Moves);
    line.play_script("answered\n bridged\n wait 1s");
    line.text.clear();
    line
}

/// The third's phone rings.
fn ringing() -> Line {
    let mut line = talking();
    line.play_script(&format!("{CONSULT}\n unbridged\n talked NORMAL_CLEARING"));
    line
}

/// The caller speaks with the third, outside of our connection.
fn consulting() -> Line {
    let mut line = ringing();
    line.play_script(&format!("far {THIRD} parked\n bridged {THIRD}\n wait 1s"));
    line.text.clear();
    line
}

/// The caller speaks with the far party, and the third waits.
fn toggled() -> Line {
    let mut line = consulting();
    line.step(r#"command "toggle""#);
    line.play_script("unbridged\n return\n bridged\n wait 1s");
    line.text.clear();
    line
}

fn orders(line: &mut Line) -> Vec<String> {
    let orders = line.orders().into_iter();
    orders.map(|order| order.split(": ").next().unwrap_or(&order).to_owned()).collect()
}

fn last(line: &mut Line) -> String {
    orders(line).pop().unwrap_or_default()
}

/// The last transfer, once the call is over.
fn outcome(line: &Line) -> (TransferKind, String, String, String) {
    let record = line.record.as_ref().unwrap();
    assert!(record.legs.iter().all(|leg| leg.ended.is_some()), "{:?}", record.legs);
    let transfer = record.transfers.last().unwrap().clone();
    (transfer.kind, transfer.moved, transfer.to, transfer.outcome)
}

fn consulted(outcome: &str) -> (TransferKind, String, String, String) {
    (TransferKind::Attended, "200".into(), "300".into(), outcome.into())
}

/// The far party in its own call.
fn brought(tie: Tie) -> Line {
    let arrival = Arrival { channel: "b-leg".parse().unwrap(), ..arrival() };
    let referral = Referral::new(BROUGHT.into(), Leads::Elsewhere);
    let call = Call::begin_tied(tie, arrival, &referral, rules(), start());
    Line::of(call, rules(), Show::Moves, false)
}

#[test]
fn the_far_party_waits_with_music_while_the_caller_hears_it_ring_and_speaks() {
    let mut line = talking();
    line.step(CONSULT);
    assert_eq!(orders(&mut line), ["follow b-leg true", "tie b-leg", "await b-leg"]);
    line.play_script("unbridged\n talked NORMAL_CLEARING");
    let follow = format!("follow {THIRD} true");
    assert_eq!(orders(&mut line), [follow.as_str(), &format!("call {THIRD}"), "play beep"]);
    line.step(&format!("far {THIRD} parked"));
    assert_eq!(orders(&mut line), ["tie b-leg".to_owned(), format!("join {THIRD}, keep")]);
}

#[test]
fn the_caller_changes_between_the_two_by_way_of_us() {
    let mut line = consulting();
    line.step(r#"command "toggle""#);
    assert_eq!(orders(&mut line), [format!("await {THIRD}")]);
    line.play_script("unbridged\n return");
    assert_eq!(last(&mut line), "join b-leg, keep");
    line.step("bridged");
    line.text.clear();
    line.step(r#"command "toggle""#);
    assert_eq!(orders(&mut line), ["await b-leg"]);
    line.play_script("unbridged\n return");
    assert_eq!(last(&mut line), format!("join {THIRD}, keep"));
    line.play_script(&format!("bridged {THIRD}\n command \"cancel\""));
    let orders = orders(&mut line);
    assert!(orders.contains(&format!("drop {THIRD}")), "{orders:?}");
    line.play_script("unbridged\n return");
    assert_eq!(last(&mut line), "join b-leg", "from now on it ends with the caller");
    line.play_script("bridged\n hangup NORMAL_CLEARING caller");
    assert_eq!(outcome(&line), consulted("cancelled"));
    assert_eq!(line.record.unwrap().hands, 0);
}

#[test]
fn a_caller_that_does_not_come_back_in_time_is_joined_all_the_same() {
    let mut line = consulting();
    line.play_script("command \"toggle\"\n wait 6s");
    assert_eq!(last(&mut line), "join b-leg, keep");
}

#[test]
fn the_far_party_goes_on_with_the_third_in_its_own_call() {
    type Case = (fn() -> Line, &'static str);
    let cases: [Case; 4] = [
        (consulting, r#"command "complete""#),
        (consulting, "hangup NORMAL_CLEARING caller"),
        (toggled, r#"command "complete""#),
        (toggled, "hangup NORMAL_CLEARING caller"),
    ];
    for (begun, ends) in cases {
        let mut line = begun();
        line.step(ends);
        let orders = orders(&mut line);
        assert!(orders.contains(&"bring b-leg".to_owned()), "{ends}: {orders:?}");
        assert!(!orders.iter().any(|order| order.starts_with("drop")), "{ends}: {orders:?}");
        if line.record.is_none() {
            assert_eq!(orders.last().unwrap(), "Hangup(AttendedTransfer)");
            line.step("hangup ATTENDED_TRANSFER switch");
        }
        assert_eq!(outcome(&line), consulted(AWAY));

        let tie = line.tied.take().unwrap();
        let call = tie.call();
        let mut line = brought(tie);
        assert_eq!(line.orders(), [format!("follow {THIRD} true"), format!("join {THIRD}")]);
        line.play_script(&format!("bridged {THIRD}\n wait 2s"));
        // It is a conversation like others.
        line.step(r#"command {"hold":{"on":true}}"#);
        assert_eq!(last(&mut line), format!("hold b-leg against {THIRD}"));
        line.play_script("unbridged\n return");
        assert_eq!(last(&mut line), "Hangup(NormalClearing)");
        line.step("hangup NORMAL_CLEARING switch");
        let transfer = line.record.as_ref().unwrap().transfers[0].clone();
        assert_eq!(transfer.from, Some(call));
        assert_eq!((transfer.by.as_str(), transfer.to.as_str()), ("+15550100", "300"));
        assert_eq!(outcome(&line), consulted("done"));
    }
}

#[test]
fn a_caller_who_leaves_while_it_rings_has_made_a_blind_transfer_of_it() {
    for ends in ["hangup NORMAL_CLEARING caller", r#"command "complete""#] {
        let mut line = ringing();
        line.step(ends);
        let orders = orders(&mut line);
        assert!(orders.contains(&format!("drop {THIRD}")), "{orders:?}");
        let mut line = brought(line.tied.take().unwrap());
        assert_eq!(line.orders(), ["dial 300@t.example +0s 30s"]);
        line.step("dialed USER_BUSY");
        // The caller was no extension that could be called back.
        assert_eq!(last(&mut line), "Hangup(NormalTemporaryFailure)");
    }
}

#[test]
fn a_third_that_is_not_reached_or_hangs_up_leads_back_to_the_far_party() {
    for (news, cause) in [("hangup USER_BUSY", "USER_BUSY"), ("", "NO_ANSWER")] {
        let mut line = ringing();
        match news {
            "" => line.step("wait 36s"),
            news => line.step(&format!("far {THIRD} {news}")),
        }
        assert_eq!(last(&mut line), "play beep", "the caller hears why");
        line.step("wait 2s");
        assert_eq!(last(&mut line), "join b-leg", "{cause}");
        line.play_script("bridged\n hangup NORMAL_CLEARING caller");
        assert_eq!(outcome(&line), consulted(cause));
    }
    // The news of its end and the caller that comes back are heard in either order.
    for script in ["unbridged\n return\n", "far THIRD hangup NORMAL_CLEARING\n unbridged\n return"]
    {
        let mut line = consulting();
        line.play_script(&script.replace("THIRD", THIRD));
        assert_eq!(last(&mut line), "play beep", "{script}");
        line.step("wait 2s");
        assert_eq!(last(&mut line), "join b-leg", "{script}");
    }
    let mut line = toggled();
    line.step(&format!("far {THIRD} hangup NORMAL_CLEARING"));
    assert_eq!(last(&mut line), "return from b-leg", "they speak on, and end together");
}

#[test]
fn a_far_party_that_does_not_wait_leaves_the_caller_with_the_third() {
    let mut line = consulting();
    line.step("far b-leg hangup NORMAL_CLEARING");
    assert_eq!(orders(&mut line), [format!("return from {THIRD}")]);
    line.play_script("wait 3s\n unbridged\n return");
    assert_eq!(last(&mut line), "play bye", "the flow goes on when they have spoken");
    let mut line = ringing();
    line.play_script(&format!("far b-leg hangup NORMAL_CLEARING\n far {THIRD} parked"));
    assert_eq!(last(&mut line), format!("join {THIRD}"));
    let mut line = toggled();
    line.play_script("far b-leg hangup NORMAL_CLEARING\n unbridged\n return");
    assert_eq!(last(&mut line), format!("join {THIRD}"));
}

#[test]
fn all_three_go_to_a_room_of_their_own() {
    for (begun, taken) in [(consulting as fn() -> Line, THIRD), (toggled, "b-leg")] {
        let mut line = begun();
        line.step(r#"command "merge""#);
        assert_eq!(orders(&mut line), [format!("await {taken}")]);
        line.play_script("unbridged\n return");
        assert_eq!(last(&mut line), "join as member");
        line.step("room in");
        assert_eq!(orders(&mut line), ["enter b-leg".to_owned(), format!("enter {THIRD}")]);
    }
}

#[test]
fn an_operator_who_ends_the_call_ends_it_for_all() {
    let mut line = consulting();
    line.play_script(
        "command {\"hangup\":{\"cause\":\"NORMAL_CLEARING\"}}\n hangup NORMAL_CLEARING switch",
    );
    let orders = orders(&mut line);
    assert!(!orders.contains(&"bring b-leg".to_owned()), "{orders:?}");
    for dropped in ["drop b-leg".to_owned(), format!("drop {THIRD}")] {
        assert!(orders.contains(&dropped), "{orders:?}");
    }
}

#[test]
fn an_inside_caller_does_it_by_keys_also_while_it_rings_and_nobody_else_can() {
    let mut line = talking();
    line.step("key **2300#");
    assert_eq!(last(&mut line), "await b-leg");
    line.play_script("unbridged\n talked NORMAL_CLEARING");
    line.text.clear();
    line.step("far b-leg key *");
    line.step("far b-leg key *");
    line.step("far b-leg key 3");
    assert!(orders(&mut line).is_empty(), "who waits leads nothing");
    line.step("key **4");
    let given_up = orders(&mut line);
    assert!(given_up.contains(&"join b-leg".to_owned()), "{given_up:?}");
    let mut line = consulting();
    line.step("key **5");
    assert_eq!(last(&mut line), format!("await {THIRD}"));
    let mut line = consulting();
    line.step("key **3");
    assert_eq!(last(&mut line), "Hangup(AttendedTransfer)");
    let shown = line.notes.concat().contains("\"key\":\"*\"");
    assert!(!shown, "no key of a conversation is shown");
}

#[test]
fn another_process_knows_who_waits_and_with_whom_the_caller_speaks() {
    let mut line = consulting();
    line.watch();
    assert_eq!(orders(&mut line), ["follow b-leg true".to_owned(), format!("follow {THIRD} true")]);
    line.step(r#"command "toggle""#);
    assert_eq!(orders(&mut line), [format!("await {THIRD}")]);
    let mut line = toggled();
    line.watch();
    line.step(r#"command "complete""#);
    assert!(orders(&mut line).contains(&"bring b-leg".to_owned()));
    let mut line = ringing();
    line.text.clear();
    line.step("resume");
    let again = orders(&mut line);
    assert!(again.iter().any(|order| order.starts_with("call ")), "{again:?}");
    assert_eq!(again.last().unwrap(), "play beep", "it rings for the caller");
}
