//! Calls that we begin: whom they call, what happens once somebody has answered, and what the
//! record tells where nobody did.

use std::sync::Arc;

use callwright::base::ids::ChannelId;
use callwright::base::millis::Millis;
use callwright::call::Call;
use callwright::call::handover::Taken;
use callwright::call::place::{Placement, Unplaceable};
use callwright::flow::program::Program;
use callwright::model::record::CallRecord;
use serde_json::{Value, json};

use super::support::{Line, Show, arrival, program, start};

fn flow() -> Arc<Program> {
    program(&[(
        "main",
        &json!({
            "_flow": { "arguments": { "name": "nobody", "times": 1 } },
            "start": { "kind": "branch", "cases": [{ "if": "name == 'Ann'", "next": "greet" }],
                "otherwise": "bye" },
            "greet": { "kind": "play", "prompts": ["welcome"], "next": "bye" },
            "bye": { "kind": "hangup" } }),
    )])
}

/// A program as a call has it that needs no flow.
fn no_flow() -> Arc<Program> {
    let mut program = Arc::unwrap_or_clone(flow());
    program.flows.clear();
    program.main = "none".parse().unwrap();
    Arc::new(program)
}

fn placement(to: &Value, then: &Value) -> Placement {
    let placement = json!({ "to": to, "then": then, "timeout": "20s",
        "caller_name": "Sales", "caller_number": "+15550199" });
    serde_json::from_value(placement).unwrap()
}

fn place(placement: &Placement, program: Arc<Program>) -> Result<Line, Unplaceable> {
    let (call, channel) = (arrival().call, "a-leg".parse::<ChannelId>().unwrap());
    let call = Call::place(call, channel, placement, "key `b`", program.clone(), start())?;
    Ok(Line::of(call, program, Show::Moves, false))
}

fn to_flow(arguments: &Value) -> Placement {
    let then = json!({ "flow": { "name": "main", "arguments": arguments } });
    placement(&json!({ "extension": "200" }), &then)
}

/// Who was called has answered, and comes to us on a connection.
fn answer(line: &mut Line) {
    line.now.mono_ms += 3_000;
    line.now.wall = line.now.wall.checked_add(jiff::SignedDuration::from_secs(3)).unwrap();
    line.change_hands();
}

fn record(line: &Line) -> &CallRecord {
    line.record.as_ref().unwrap_or_else(|| panic!("no record:\n{}", line.text))
}

#[test]
fn a_flow_begins_with_its_arguments_when_somebody_has_answered_and_not_before() {
    let mut line = place(&to_flow(&json!({ "name": "Ann" })), flow()).unwrap();
    assert_eq!(line.orders(), ["place 200@t.example 20s as Sales +15550199"]);
    line.step("wait 2s");
    assert!(line.orders().is_empty(), "something happens while it rings");
    answer(&mut line);
    assert_eq!(line.orders(), ["play welcome"]);
    line.play_script("done\n hangup NORMAL_CLEARING switch");
    let record = record(&line);
    assert_eq!((record.hands, record.path.len()), (0, 3), "{record:?}");
    let leg = &record.legs[0];
    assert_eq!((record.caller_number.as_str(), leg.party.as_str()), ("200", "200"));
    assert!(record.answered.is_some_and(|at| at > record.started), "{record:?}");
}

#[test]
fn whom_they_are_put_through_to_is_called_then_and_the_call_ends_with_the_talk() {
    let number = json!({ "number": { "number": "+1 555 0100", "gateway": "carrier" } });
    let then = json!({ "connect": number });
    let mut line = place(&placement(&json!({ "extension": "200" }), &then), no_flow()).unwrap();
    assert_eq!(line.orders(), ["place 200@t.example 20s as Sales +15550199"]);
    answer(&mut line);
    assert_eq!(line.orders(), ["dial +15550100 via carrier +0s 30s"]);
    line.play_script(
        "bridged c-leg\n wait 5s\n talked NORMAL_CLEARING\n hangup NORMAL_CLEARING switch",
    );
    let record = record(&line);
    assert_eq!((record.flow.as_str(), record.version), ("none", 0));
    assert_eq!(record.dialed, "+15550100");
    let moved = &record.transfers[0];
    assert_eq!((moved.by.as_str(), moved.outcome.as_str()), ("key `b`", "answered"));
    assert_eq!((moved.from, record.hands), (None, 0));
}

#[test]
fn a_call_that_only_puts_through_goes_on_in_another_process() {
    let then = json!({ "connect": { "extension": "201" } });
    let mut line = place(&placement(&json!({ "extension": "200" }), &then), no_flow()).unwrap();
    answer(&mut line);
    line.change_hands();
    let dial = "dial 201@t.example +0s 30s";
    assert_eq!(line.orders()[1..], [dial, dial], "nobody knows whether it rang");
    line.step("dialed USER_BUSY");
    line.step("hangup USER_BUSY switch");
    assert_eq!(record(&line).transfers[0].outcome, "USER_BUSY");
}

#[test]
fn nobody_reached_is_a_record_with_the_reason() {
    for (step, cause) in [("refused USER_BUSY", "USER_BUSY"), ("refused nonsense", "UNKNOWN")] {
        let mut line = place(&to_flow(&json!({})), flow()).unwrap();
        line.step(step);
        let record = record(&line);
        assert!(record.answered.is_none() && record.path.is_empty(), "{record:?}");
        let end = format!("{:?} {}", record.termination.party, record.termination.cause);
        assert!(end.starts_with("Callee "), "{end}");
        assert!(step.contains("nonsense") || end.ends_with(cause), "{end}");
    }
    let mut line = place(&to_flow(&json!({})), flow()).unwrap();
    line.step("hangup NO_ANSWER switch");
    let reason = &record(&line).termination.reason;
    assert!(reason.contains("not reached"), "{reason}");
}

#[test]
fn a_switch_that_says_nothing_is_not_waited_for() {
    let mut line = place(&to_flow(&json!({})), flow()).unwrap();
    line.step("wait 40s");
    assert_eq!(line.orders()[1..], ["Hangup(NoAnswer)"]);
    assert_eq!(record(&line).termination.cause.name(), "NO_ANSWER");
}

#[test]
fn nothing_but_a_hangup_can_be_asked_for_while_it_rings() {
    let mut line = place(&to_flow(&json!({})), flow()).unwrap();
    line.step("command {\"hold\": {\"on\": true}}");
    assert_eq!(line.answers, [Err("nobody has answered yet".to_owned())]);
    line.step("command {\"hangup\": {\"cause\": \"NORMAL_CLEARING\"}}");
    assert_eq!(line.orders()[1..], ["Hangup(NormalClearing)"]);
    line.step("hangup ORIGINATOR_CANCEL switch");
    let end = &record(&line).termination;
    assert_eq!(end.reason, "an operator ended the call");
}

#[test]
fn what_can_not_be_done_says_which_part_of_it() {
    let extension = json!({ "extension": "200" });
    let main = json!({ "flow": { "name": "main" } });
    let wrong = [
        (json!({ "extension": "2 0,0" }), main.clone(), "to"),
        (json!({ "room": "sales" }), main, "to"),
        (json!({ "number": { "number": "1", "gateway": "other" } }), extension.clone(), "to"),
        (extension.clone(), json!({ "flow": { "name": "gone" } }), "then.flow.name"),
        (extension.clone(), json!({ "connect": { "room": "sales" } }), "then.connect"),
        (
            extension.clone(),
            json!({ "flow": { "name": "main", "arguments": { "who": 1 } } }),
            "then.flow.arguments",
        ),
        (
            extension,
            json!({ "flow": { "name": "main", "arguments": { "name": "x".repeat(513) } } }),
            "then.flow.arguments",
        ),
    ];
    for (to, then, field) in wrong {
        let then = if then.get("extension").is_some() { json!({ "connect": then }) } else { then };
        let error = place(&placement(&to, &then), flow()).map(|_| ()).unwrap_err();
        assert_eq!(error.field, field, "{error}");
    }
    let mut short = to_flow(&json!({}));
    short.timeout = Millis(4_999);
    assert_eq!(place(&short, flow()).map(|_| ()).unwrap_err().field, "timeout");
}

#[test]
fn a_written_call_that_rings_is_read_back_and_still_waits() {
    let line = place(&to_flow(&json!({ "name": "Ann" })), flow()).unwrap();
    let written = serde_json::to_vec(&line.call.kept()).unwrap();
    let taken: Taken = serde_json::from_slice(&written).unwrap();
    assert!(taken.state().is_placed());
    assert!(written.len() < 1_500, "{} bytes", written.len());
}

#[test]
fn whom_a_call_is_placed_to_is_called_by_the_next_gateway_when_the_first_fails() {
    let mut program = Arc::unwrap_or_clone(flow());
    program.settings.decides_outside = true;
    let to = json!({ "number": { "number": "+1 555 0100" } });
    let then = json!({ "flow": { "name": "main", "arguments": {} } });
    let mut line = place(&placement(&to, &then), Arc::new(program)).unwrap();
    assert!(line.orders().is_empty(), "it is not known by whom");
    line.step("via first +15550100 503");
    assert_eq!(line.orders(), ["place +15550100 via cw-first 20s as Sales +15550199"]);
    line.step("wait 2s");
    line.step("hangup NORMAL_TEMPORARY_FAILURE");
    // The order itself says so too.
    line.step("refused NORMAL_TEMPORARY_FAILURE");
    line.step("via second +15550100");
    assert!(line.orders().is_empty(), "the channel's name may not be free yet");
    line.step("wait 500ms");
    assert_eq!(line.orders(), ["place +15550100 via cw-second 17s500ms as Sales +15550199"]);
    answer(&mut line);
    assert_eq!(line.orders(), ["Hangup(NormalClearing)"], "{}", line.text);
    assert!(line.record.is_none());
}

#[test]
fn a_placed_call_that_is_refused_ends_with_the_reason() {
    let mut program = Arc::unwrap_or_clone(flow());
    program.settings.decides_outside = true;
    let to = json!({ "number": { "number": "+1 555 0100" } });
    let then = json!({ "flow": { "name": "main", "arguments": {} } });
    let mut line = place(&placement(&to, &then), Arc::new(program)).unwrap();
    line.step("denied");
    let record = record(&line);
    assert_eq!(record.termination.cause.name(), "OUTGOING_CALL_BARRED");
    assert!(line.text.contains("is not called"), "{}", line.text);
}
