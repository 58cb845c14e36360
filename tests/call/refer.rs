//! What phones transfer by themselves: who may, whom it reaches, and what the record tells.

use std::sync::Arc;

use callwright::base::cause::HangupCause;
use callwright::call::arrival::Arrival;
use callwright::call::handover::{Found, Leads, Referral};
use callwright::call::input::Dialed;
use callwright::call::{BROUGHT, Call, Tie};
use callwright::flow::program::Program;
use callwright::model::record::{TransferKind, TransferRecord};
use serde_json::{Value, json};

use super::support::{Line, Show, arrival, program, start};

fn flow(inside: &Value) -> Arc<Program> {
    program(&[(
        "main",
        &json!({
            "start": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "after",
                "inside": inside, "on": { "busy": "sorry", "rejected": "sorry" } },
            "after": { "kind": "play", "prompts": ["bye"], "next": "end" },
            "sorry": { "kind": "play", "prompts": ["sorry"], "next": "end" },
            "end": { "kind": "hangup" } }),
    )])
}

/// The far party in its own call.
fn brought(tie: Tie, program: Arc<Program>) -> Line {
    let call = begin_tied(&tie, &elsewhere(BROUGHT), &program);
    Line::of(call, program, Show::Moves, false)
}

fn elsewhere(to: &str) -> Referral {
    Referral::new(to.to_owned(), Leads::Elsewhere)
}

fn begin_tied(tie: &Tie, referral: &Referral, program: &Arc<Program>) -> Call {
    let arrival = Arrival { channel: "b-leg".parse().unwrap(), ..arrival() };
    Call::begin_tied(tie.clone(), arrival, referral, program.clone(), start())
}

/// A flow of the same tenant, to which a number leads: it begins with a subflow.
fn support() -> Arc<Program> {
    program(&[
        (
            "support",
            &json!({
                "start": { "kind": "flow", "flow": "greeting", "next": "which" },
                "which": { "kind": "branch", "otherwise": "end", "cases": [
                    { "if": "dialed == \"801\" and channel.lang == \"de\"", "next": "ask" }] },
                "ask": { "kind": "menu", "prompts": ["menu"], "choices": { "1": "call" } },
                "call": { "kind": "dial", "targets": [{ "extension": "400" }], "next": "end",
                    "inside": ["target"] },
                "end": { "kind": "hangup" } }),
        ),
        (
            "greeting",
            &json!({ "start": { "kind": "play", "prompts": ["welcome"], "next": "back" },
                "back": { "kind": "return" } }),
        ),
    ])
}

/// That number is 801, and the channel has a variable that the flow reads.
fn leads() -> Leads {
    let variables = [("lang".to_owned(), "de".to_owned())].into();
    Leads::To { program: support(), variables }
}

fn talking(inside: &Value) -> Line {
    let mut line = Line::new(flow(inside), Show::Moves);
    line.play_script("answered\n bridged\n wait 1s");
    line.text.clear();
    line
}

fn transfers(line: &mut Line) -> Vec<TransferRecord> {
    if line.record.is_none() {
        line.step("hangup NORMAL_CLEARING caller");
    }
    let record = line.record.as_ref().unwrap();
    assert!(record.legs.iter().all(|leg| leg.ended.is_some()), "{:?}", record.legs);
    record.transfers.clone()
}

/// Kind, by whom, whom, to whom, and what came of it.
fn told(line: &mut Line) -> Vec<String> {
    let told = transfers(line).into_iter().map(|transfer| {
        let TransferRecord { kind, by, moved, to, outcome, .. } = transfer;
        format!("{kind:?}: {by} moves {moved} to {to}: {outcome}")
    });
    told.collect()
}

#[test]
fn whom_the_far_partys_phone_names_is_called_in_the_same_call() {
    let mut line = talking(&json!(["target"]));
    line.step("referred 300");
    assert_eq!(line.orders(), ["dial 300@t.example +0s 30s"]);
    line.play_script("bridged c-leg\n wait 5s\n talked NORMAL_CLEARING");
    assert_eq!(line.orders().last().unwrap(), "play bye", "the flow goes on");
    assert_eq!(told(&mut line), ["Blind: 200 moves +15550100 to 300: answered"]);
    assert_eq!(line.record.unwrap().hands, 0, "no other process had it");
}

#[test]
fn a_busy_target_leads_back_to_whose_phone_it_was_and_then_to_a_step() {
    let mut line = talking(&json!(["target"]));
    line.play_script("referred 300\n dialed USER_BUSY");
    assert_eq!(line.orders()[1..], ["dial 200@t.example +0s 30s"]);
    line.step("dialed USER_BUSY");
    assert_eq!(line.orders().last().unwrap(), "play sorry");
    assert_eq!(told(&mut line), ["Blind: 200 moves +15550100 to 300: USER_BUSY"]);
}

#[test]
fn what_is_no_extension_is_a_number_and_an_unregistered_extension_is_not() {
    let mut line = talking(&json!(["target"]));
    line.play_script("referred 300\n dialed SUBSCRIBER_ABSENT");
    assert_eq!(line.orders()[1..], ["dial 300 via carrier +0s 30s"]);
    assert_eq!(told(&mut line), ["Blind: 200 moves +15550100 to 300: "]);
    assert_eq!(line.record.unwrap().legs.len(), 3, "who was never called is no leg");
    let mut line = talking(&json!(["target"]));
    line.play_script("referred 300\n dialed USER_NOT_REGISTERED");
    assert_eq!(line.orders()[1..], ["dial 200@t.example +0s 30s"], "back");
}

#[test]
fn nobody_but_the_tenants_own_phones_transfers_and_nothing_hostile_is_dialed() {
    for (inside, to) in [
        (json!([]), "300"),
        (json!(["caller"]), "300"),
        (json!(["target"]), "3 XML default"),
        (json!(["target"]), "sofia/external/1@evil"),
        (json!(["target"]), "${hostname}"),
        (json!(["target"]), "-both"),
        (json!(["target"]), ""),
    ] {
        let mut line = talking(&inside);
        line.step(&format!("referred {to}"));
        assert_eq!(line.orders(), ["dial 200@t.example +0s 30s"], "{to:?} by {inside}");
        line.step("bridged d-leg");
        assert!(told(&mut line)[0].ends_with(": refused"), "{to:?} by {inside}");
    }
}

#[test]
fn whom_a_phone_joined_the_caller_to_is_the_far_party_from_then_on() {
    let mut line = talking(&json!(["target"]));
    line.step("replaced x-leg");
    assert_eq!(line.orders(), ["return from x-leg"]);
    // What the `dial` still tells is of the past.
    line.step("talked NORMAL_CLEARING");
    line.step(r#"command {"hold":{"on":true}}"#);
    assert_eq!(line.orders(), ["hold a-leg against x-leg"]);
    line.play_script("wait 3s\n unbridged\n return");
    assert_eq!(line.orders().last().unwrap(), "play bye", "the flow goes on");
    assert_eq!(told(&mut line), ["Attended: 200 moves +15550100 to 300: done"]);
    assert_eq!(line.record.unwrap().legs[0].held_ms, 3_000);
}

#[test]
fn a_far_party_that_the_callers_phone_sends_elsewhere_goes_on_in_its_own_call() {
    let program = flow(&json!(["caller", "target"]));
    let mut line = Line::new(program.clone(), Show::Moves);
    line.play_script("answered\n bridged\n wait 1s");
    let tie = line.tied.take().unwrap();
    line.play_script("refers 300\n hangup BLIND_TRANSFER switch");
    let whole = told(&mut line);
    assert_eq!(whole, ["Blind: +15550100 moves 200 to 300: goes on in a call of its own"]);

    let call = begin_tied(&tie, &elsewhere("300"), &program);
    let mut line = Line::of(call, program.clone(), Show::Moves, false);
    assert_eq!(line.orders()[0], "dial 300@t.example +0s 30s");
    line.play_script("resume\n bridged x-leg\n wait 2s\n talked NORMAL_CLEARING");
    assert_eq!(line.orders().last().unwrap(), "Hangup(NormalClearing)");
    line.step("hangup NORMAL_CLEARING switch");
    let transfers = transfers(&mut line);
    assert_eq!((transfers[0].moved.as_str(), transfers[0].to.as_str()), ("200", "300"));
    assert_eq!(transfers[0].from, Some(tie.call()));

    // Nobody is there: there is no way back to an outside caller.
    let call = begin_tied(&tie, &elsewhere("300"), &program);
    let mut line = Line::of(call, program, Show::Moves, false);
    line.step("dialed USER_BUSY");
    assert!(line.orders().last().unwrap().starts_with("Hangup"));
}

#[test]
fn whom_the_callers_phone_joined_to_another_goes_on_in_its_own_call_with_it() {
    let program = flow(&json!(["caller", "target"]));
    let mut line = Line::new(program.clone(), Show::Moves);
    line.play_script("answered\n bridged\n wait 1s\n refers");
    assert_eq!(line.orders().last().unwrap(), "bring b-leg");
    line.step("hangup ATTENDED_TRANSFER switch");
    let to = "whom the caller spoke with besides";
    let want = format!("Attended: +15550100 moves 200 to {to}: goes on in a call of its own");
    assert_eq!(told(&mut line), [want]);

    let tie = line.tied.take().unwrap();
    let mut line = brought(tie, program);
    assert_eq!(line.orders(), ["follow x-leg true", "join x-leg"]);
    line.play_script("bridged x-leg\n wait 5s\n unbridged\n return");
    assert_eq!(line.orders().last().unwrap(), "Hangup(NormalClearing)");
    line.step("hangup NORMAL_CLEARING switch");
    let record = line.record.unwrap();
    assert_eq!(record.transfers[0].kind, TransferKind::Attended);
    assert_eq!(record.transfers[0].outcome, "done");
    assert_eq!(record.legs.len(), 2);
}

#[test]
fn the_far_party_of_an_outside_caller_carries_nothing() {
    let mut line = talking(&json!(["target"]));
    assert!(line.tied.is_none());
    line.play_script("refers 300\n hangup BLIND_TRANSFER switch");
    assert_eq!(told(&mut line), ["Blind: +15550100 moves 200 to 300: refused"]);
}

#[test]
fn a_transfer_that_no_conversation_explains_changes_nothing() {
    let mut line = Line::new(flow(&json!(["target"])), Show::Moves);
    line.text.clear();
    line.step("referred 300");
    assert_eq!(line.orders(), ["dial 200@t.example +0s 30s"], "as after any other loss");
    assert_eq!(line.found, Found::default());
    assert!(transfers(&mut line).is_empty());
}

#[test]
fn the_kinds_of_transfers_keep_their_names() {
    let kinds = [TransferKind::Blind, TransferKind::Attended, TransferKind::Step];
    let names = kinds.map(|kind| serde_json::to_value(kind).unwrap());
    assert_eq!(names, ["blind", "attended", "step"]);
}

#[test]
fn whom_a_phone_sends_to_a_number_with_a_flow_enters_that_flow_in_the_same_call() {
    let mut line = talking(&json!(["target"]));
    line.number = Some(("801", leads()));
    line.step("referred 801");
    assert_eq!(line.orders(), ["play welcome"]);
    line.step("done");
    assert_eq!(line.orders(), ["play menu until key"], "by `dialed`, and by what the channel has");
    // Another process knows it by the versions on the channel.
    let mut flows = Program::clone(&line.program);
    flows.flows.extend(support().flows.clone());
    line.program = Arc::new(flows);
    line.play_script("resume\n key 1");
    assert_eq!(line.orders().last().unwrap(), "dial 400@t.example +0s 30s");
    line.play_script(
        "bridged c-leg\n wait 2s\n talked NORMAL_CLEARING\n hangup NORMAL_CLEARING switch",
    );
    assert_eq!(told(&mut line), ["Blind: 200 moves +15550100 to 801: done"]);
    let record = line.record.unwrap();
    assert_eq!((record.flow.as_str(), record.dialed.as_str()), ("main", "+15550199"));
    let path = record.path.iter();
    let path: Vec<_> = path.map(|visit| format!("{}/{}", visit.flow, visit.step)).collect();
    let way = ["main/start", "support/start", "greeting/start", "greeting/back", "support/which"];
    assert_eq!(path, [&way[..], &["support/ask", "support/call", "support/end"]].concat());
    assert_eq!(record.path[0].outcome, "moved");
}

#[test]
fn what_a_number_leads_to_is_reached_by_the_tenants_own_phones_only() {
    for inside in [json!([]), json!(["caller"])] {
        let mut line = talking(&inside);
        line.number = Some(("801", leads()));
        line.step("referred 801");
        assert_eq!(line.orders(), ["dial 200@t.example +0s 30s"], "back, by {inside}");
        assert_eq!(told(&mut line), ["Blind: 200 moves +15550100 to 801: refused"]);
    }
    // Neither is a flow that no call can run taken for an extension, or a number outside.
    let mut line = talking(&json!(["target"]));
    line.number = Some(("801", Leads::Nowhere("not_published".into())));
    line.step("referred 801");
    assert_eq!(line.orders(), ["dial 200@t.example +0s 30s"], "back");
    // A pattern of the tenant's may match anything.
    let odd = Referral::new("8 XML default".into(), leads());
    assert!(odd.program().is_none());
}

#[test]
fn a_call_keeps_the_versions_with_which_it_began_when_it_enters_another_flow() {
    let mut line = talking(&json!(["target"]));
    let later = program(&[("main", &json!({ "start": { "kind": "hangup" } }))]);
    let (program, variables) = (later, std::collections::BTreeMap::new());
    line.number = Some(("801", Leads::To { program, variables }));
    line.step("referred 801");
    assert_eq!(line.orders(), ["dial 200@t.example +0s 30s"]);
    assert_eq!(told(&mut line), ["Blind: 200 moves +15550100 to 801: done"]);
    let record = line.record.unwrap();
    let outcomes: Vec<_> = record.path.iter().map(|visit| visit.outcome.as_str()).collect();
    assert_eq!((outcomes[0], outcomes.len(), record.version), ("moved", 2, 3), "begun again");
}

#[test]
fn a_far_party_that_is_sent_to_a_number_with_a_flow_runs_it_in_a_call_of_its_own() {
    let mut line = Line::new(flow(&json!(["caller", "target"])), Show::Moves);
    line.play_script("answered\n bridged\n wait 1s");
    let tie = line.tied.take().unwrap();
    let call = begin_tied(&tie, &Referral::new("801".into(), leads()), &support());
    let mut line = Line::of(call, support(), Show::Moves, false);
    assert_eq!(line.orders(), ["play welcome"]);
    line.play_script("done\n hangup NORMAL_CLEARING caller");
    let transfers = transfers(&mut line);
    assert_eq!((transfers[0].moved.as_str(), transfers[0].to.as_str()), ("200", "801"));
    assert_eq!((transfers[0].from, transfers[0].outcome.as_str()), (Some(tie.call()), "done"));
    assert_eq!(line.record.unwrap().flow.as_str(), "support");
}

#[test]
fn a_phone_that_transfers_before_its_answer_is_written_down_has_transferred() {
    let mut line = Line::new(flow(&json!(["target"])), Show::Moves);
    line.play_script("answered");
    line.text.clear();
    let (other, target) = (Some("b-leg".parse().unwrap()), Some(0));
    let talked = Dialed::talked(HangupCause::NormalClearing);
    line.found.dialed = Some(Dialed { other, target, ..talked });
    line.step("referred 300");
    assert_eq!(line.orders(), ["dial 300@t.example +0s 30s"]);
    assert_eq!(told(&mut line), ["Blind: 200 moves +15550100 to 300: "]);
}
