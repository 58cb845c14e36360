//! Callers in slots: how they come there, who takes them, and what becomes of them otherwise.

use std::sync::Arc;

use callwright::flow::program::Program;
use callwright::model::record::TransferKind;
use serde_json::{Value, json};

use super::support::{Line, Show, program, same};

fn steps() -> Value {
    json!({
        "start": { "kind": "dial", "targets": [{ "extension": "200" }], "next": "after",
            "inside": ["target"], "on": { "no_answer": "sorry" } },
        "after": { "kind": "play", "prompts": ["bye"], "next": "end" },
        "late": { "kind": "play", "prompts": ["again"], "next": "end" },
        "sorry": { "kind": "play", "prompts": ["sorry"], "next": "end" },
        "end": { "kind": "hangup" } })
}

fn with(steps: &Value, park: &Value) -> Arc<Program> {
    let mut program = Arc::unwrap_or_clone(program(&[("main", steps)]));
    let keys = json!({ "next_key": "1s", "codes": { "park": "**8", "mask": "**9" } });
    let talk = json!({ "park": park, "keys": keys });
    program.settings.talk = serde_json::from_value(talk).unwrap();
    Arc::new(program)
}

fn rules() -> Value {
    json!({ "slots": "701-702", "timeout": "60s", "call_back": "10s" })
}

fn talking_by(park: &Value) -> Line {
    let mut line = Line::new(with(&steps(), park), Show::Moves);
    line.play_script("answered\n bridged\n wait 1s");
    line.text.clear();
    line
}

/// The far party parked the caller, who waits in slot 701.
fn parked_by(park: &Value) -> Line {
    let mut line = talking_by(park);
    line.play_script(
        r#"command {"park":{}}
        slot in 701
        unbridged
        talked NORMAL_CLEARING
        slot in 701"#,
    );
    assert_eq!(line.answers, [Ok(())]);
    line
}

fn waits(line: &mut Line) {
    line.text.clear();
}

/// What was ordered and asked since, in order.
fn moves(line: &mut Line) -> Vec<String> {
    let text = std::mem::take(&mut line.text);
    let moves = text.lines().filter_map(|line| line.split_once(' ').map(|(_, rest)| rest));
    let moves = moves.filter(|rest| rest.starts_with("! ") || rest.starts_with("? "));
    moves.map(|rest| rest[2..].to_owned()).collect()
}

fn a_step(park: &Value) -> Line {
    let steps = json!({
        "start": { "kind": "answer", "next": "park" },
        "park": park,
        "after": { "kind": "play", "prompts": ["bye"], "next": "end" },
        "late": { "kind": "play", "prompts": ["again"], "next": "end" },
        "full": { "kind": "play", "prompts": ["sorry"], "next": "end" },
        "end": { "kind": "hangup" } });
    let mut line = Line::new(with(&steps, &rules()), Show::Moves);
    line.play_script("answered\n done");
    line
}

fn park_step() -> Line {
    a_step(&json!({ "kind": "park", "timeout": "20s", "next": "after",
        "on": { "timed_out": "late", "full": "full" } }))
}

#[test]
fn whoever_parks_hears_the_slot_and_the_caller_music() {
    let mut line = parked_by(&rules());
    let expected = ["reserve of 701-702", "dismiss b-leg with 2", "lend true", "play beep", "open"];
    assert_eq!(moves(&mut line), expected);
    // The music goes on, however short it is.
    line.play_script("done\n done");
    assert_eq!(moves(&mut line), ["play beep", "play beep"]);
}

#[test]
fn a_caller_is_parked_by_key_by_the_tenants_own_party_only() {
    let mut line = talking_by(&rules());
    line.play_script("key **8\n wait 2s");
    assert_eq!(moves(&mut line), Vec::<String>::new(), "the caller is somebody outside");
    line.play_script("far b-leg key *\n far b-leg key *\n far b-leg key 8\n wait 2s");
    assert_eq!(moves(&mut line), ["reserve of 701-702"]);
}

#[test]
fn who_talks_goes_on_talking_where_no_slot_is_to_be_had() {
    for said in ["full", "unknown"] {
        let mut line = talking_by(&rules());
        line.play_script(&format!("command {{\"park\":{{}}}}\n slot {said}"));
        assert_eq!(moves(&mut line).last().unwrap(), r#"Beep { channel: "b-leg" }"#, "{said}");
        line.play_script("unbridged\n talked NORMAL_CLEARING");
        assert_eq!(moves(&mut line), ["play bye"], "{said}");
    }
    for (rules, slot, why) in [
        (json!({}), "{}", "the tenant has no slots"),
        (rules(), r#"{"slot":800}"#, "800 is none of the tenant's slots, 701-702"),
    ] {
        let mut line = talking_by(&rules);
        line.step(&format!(r#"command {{"park":{slot}}}"#));
        assert_eq!(line.answers, [Err(why.to_owned())]);
    }
}

#[test]
fn a_conversation_that_ends_while_a_slot_is_asked_for_frees_it() {
    let mut line = talking_by(&rules());
    line.play_script("command {\"park\":{}}\n unbridged\n talked NORMAL_CLEARING");
    assert_eq!(moves(&mut line), ["reserve of 701-702", "free", "play bye"]);
}

#[test]
fn both_calls_go_on_when_who_took_the_caller_parts_from_it() {
    let mut line = parked_by(&rules());
    waits(&mut line);
    line.play_script("bridged x-leg\n slot gone\n done");
    assert_eq!(moves(&mut line), ["free"], "what played is cut off, and not played again");
    assert!(line.call.runs_on(), "the conversation must not be cut");
    line.play_script("wait 5m\n unbridged\n return");
    assert_eq!(moves(&mut line), ["play bye"]);
    line.play_script("done\n hangup NORMAL_CLEARING switch");
    let record = line.record.unwrap();
    let transfer = record.transfers.last().unwrap();
    assert_eq!((transfer.kind, transfer.to.as_str()), (TransferKind::Park, "slot 701"));
    assert!(transfer.outcome.starts_with("taken by 300, call 0000"), "{}", transfer.outcome);
    let taker = record.legs.last().unwrap();
    assert_eq!(taker.party, "300");
    assert!(taker.ended.unwrap() < record.ended || taker.cause.is_some());
    assert_eq!(record.hands, 0, "no other process had it");
}

#[test]
fn a_caller_nobody_came_for_goes_back_to_who_parked_it_and_then_to_the_step() {
    let mut rules = rules();
    rules["then"] = json!("late");
    let mut line = parked_by(&rules);
    waits(&mut line);
    line.step("wait 60s");
    assert_eq!(moves(&mut line), ["leave"]);
    line.step("slot out");
    assert_eq!(moves(&mut line), ["lend false", "Silence", "dial 200@t.example +0s 10s"]);
    line.step("dialed NO_ANSWER");
    assert_eq!(moves(&mut line), ["reserve 701"], "in the same slot, where it is free");
    line.play_script("slot full\n slot in 702\n slot in 702");
    let again = ["reserve of 701-702", "lend true", "play beep", "open"];
    assert_eq!(moves(&mut line), again);
    line.play_script("wait 60s\n slot out\n dialed USER_BUSY");
    let expected = ["leave", "lend false", "Silence", "dial 200@t.example +0s 10s", "play again"];
    assert_eq!(moves(&mut line), expected);
}

#[test]
fn who_parked_the_caller_speaks_with_it_again_and_may_park_it_again() {
    let mut line = parked_by(&rules());
    line.play_script("wait 60s\n slot out\n bridged b2-leg\n wait 1s");
    waits(&mut line);
    line.step(r#"command {"park":{}}"#);
    line.play_script("slot in 702\n unbridged\n talked NORMAL_CLEARING\n slot in 702");
    assert_eq!(
        moves(&mut line),
        ["reserve of 701-702", "dismiss b2-leg with 2", "lend true", "play beep", "open"]
    );
    // Now who parked it hangs up instead.
    line.play_script("wait 60s\n slot out\n bridged b3-leg\n unbridged\n talked NORMAL_CLEARING");
    assert_eq!(moves(&mut line).last().unwrap(), "play bye");
}

#[test]
fn who_is_called_back_may_type_what_it_might_before_and_whom_an_operator_has_called_its_own() {
    let mut line = parked_by(&rules());
    line.play_script("wait 60s\n slot out\n bridged b2-leg\n wait 1s");
    assert_eq!(moves(&mut line).last().unwrap(), "follow b2-leg true");
    line.play_script("far b2-leg key *\n far b2-leg key *\n far b2-leg key 8\n wait 2s");
    assert_eq!(moves(&mut line), ["reserve of 701-702"]);
    for (goal, may) in [(r#"{"extension":"300"}"#, true), (r#"{"number":{"number":"5"}}"#, false)] {
        let mut line = parked_by(&rules());
        line.step(&format!(r#"command {{"retrieve":{{"to":{goal}}}}}"#));
        line.play_script("slot out\n bridged x-leg\n wait 1s");
        waits(&mut line);
        line.play_script("far x-leg key *\n far x-leg key *\n far x-leg key 8\n wait 2s");
        assert_eq!(moves(&mut line).is_empty(), !may, "{goal}");
    }
}

#[test]
fn a_caller_who_is_being_taken_is_not_called_out() {
    let mut line = parked_by(&rules());
    waits(&mut line);
    line.play_script("wait 60s\n slot gone\n bridged x-leg\n slot gone");
    assert_eq!(moves(&mut line), ["leave", "free"]);
    // Who took it never came: it is called out a little later.
    let mut line = parked_by(&rules());
    waits(&mut line);
    line.play_script("wait 60s\n slot gone\n wait 12s\n slot out");
    assert_eq!(moves(&mut line)[..3], ["leave", "leave", "lend false"]);
}

#[test]
fn an_operator_has_somebody_called_for_the_caller() {
    let mut line = parked_by(&rules());
    waits(&mut line);
    line.step(r#"command {"retrieve":{"to":{"extension":"300"}}}"#);
    line.play_script("slot out\n dialed NO_ANSWER\n slot in 701\n slot in 701");
    let expected = [
        "leave",
        "lend false",
        "Silence",
        "dial 300@t.example +0s 10s",
        "reserve 701",
        "lend true",
        "play beep",
        "open",
    ];
    assert_eq!(moves(&mut line), expected);
    assert_eq!(line.answers, [Ok(()), Ok(())]);
    let mut line = talking_by(&rules());
    line.step(r#"command {"retrieve":{"to":{"extension":"300"}}}"#);
    assert_eq!(line.answers, [Err("the caller is in no slot".to_owned())]);
}

#[test]
fn a_parked_caller_who_is_moved_elsewhere_frees_its_slot() {
    let mut line = parked_by(&rules());
    waits(&mut line);
    line.step(r#"command {"move":{"step":"late"}}"#);
    assert_eq!(moves(&mut line), ["lend false", "free", "Silence", "play again"]);
}

#[test]
fn another_process_finds_the_caller_in_its_slot_with_what_is_left_of_its_time() {
    let mut line = parked_by(&rules());
    line.step("wait 40s");
    waits(&mut line);
    line.play_script("resume\n slot in 701");
    assert_eq!(moves(&mut line), ["lend true", "play beep", "open"]);
    line.step("wait 19s");
    assert_eq!(moves(&mut line), Vec::<String>::new());
    line.step("wait 2s");
    assert_eq!(moves(&mut line), ["leave"]);
}

#[test]
fn a_step_parks_the_caller_until_somebody_takes_it() {
    let mut line = park_step();
    line.play_script("slot in 701\n slot in 701\n bridged x-leg\n slot gone\n resume");
    let moves = moves(&mut line);
    let expected =
        ["Answer", "reserve of 701-702", "lend true", "play beep", "open", "free", "play bye"];
    assert_eq!(moves, expected);
}

#[test]
fn a_step_leaves_by_its_exits() {
    let mut line = park_step();
    line.play_script("slot full");
    assert_eq!(moves(&mut line).last().unwrap(), "play sorry");
    let mut line = park_step();
    line.play_script("slot in 701\n slot in 701\n wait 20s\n slot out");
    assert_eq!(moves(&mut line).last().unwrap(), "play again");
    // Somebody is called first, where the step says whom.
    let mut line = a_step(&json!({ "kind": "park", "slot": "702", "announce": true,
        "timeout": "20s", "back": "300", "next": "after", "on": { "timed_out": "late" } }));
    line.play_script("slot in 702\n slot in 702\n wait 20s\n slot out\n bridged c-leg");
    line.play_script("unbridged\n talked NORMAL_CLEARING");
    let moves = moves(&mut line);
    assert_eq!(moves[1], "reserve 702");
    assert_eq!(moves[3], "play silence 300ms + say Digits 702 en + beep");
    let end = ["dial 300@t.example +0s 10s", "follow c-leg true", "play bye"];
    assert_eq!(moves[moves.len() - 3..], end);
}

fn retrieving(slot: &str) -> Line {
    let steps = json!({
        "start": { "kind": "answer", "next": "take" },
        "take": { "kind": "retrieve", "slot": slot, "next": "after",
            "on": { "empty": "sorry", "elsewhere": "other" } },
        "after": { "kind": "play", "prompts": ["bye"], "next": "end" },
        "sorry": { "kind": "play", "prompts": ["sorry"], "next": "end" },
        "other": { "kind": "play", "prompts": ["wrong"], "next": "end" },
        "end": { "kind": "hangup" } });
    let mut line = Line::new(with(&steps, &rules()), Show::Moves);
    line.play_script("answered\n done");
    line
}

#[test]
fn who_takes_a_caller_speaks_with_it_until_they_part() {
    let mut line = Line::new(
        with(
            &json!({ "start": { "kind": "retrieve", "slot": "701", "next": "end" },
                "end": { "kind": "hangup" } }),
            &rules(),
        ),
        Show::Moves,
    );
    line.play_script("done\n slot taken\n bridged p-leg\n wait 1m\n unbridged\n resume");
    same(
        &line.text,
        "
        0.000 ! Answer
        0.000 < done
        0.000 ? take 701 for +15550100
        0.000 < slot taken
        0.000 (in slot 701 is call 00000000-0000-0000-0000-000000000ca2)
        0.000 (+15550100 moves +4930 to slot 701)
        0.000 ! take p-leg
        0.000 < bridged p-leg
        0.000 < wait 1m
        60.000 < unbridged
        60.000 < resume
        60.000 start: next -> end
        60.000 ! Hangup(NormalClearing)
        ",
    );
    line.step("hangup NORMAL_CLEARING switch");
    let record = line.record.unwrap();
    let (transfer, leg) = (record.transfers.last().unwrap(), record.legs.last().unwrap());
    assert_eq!((transfer.kind, transfer.to.as_str()), (TransferKind::Retrieve, "slot 701"));
    assert_eq!(transfer.outcome, "call 00000000-0000-0000-0000-000000000ca2");
    assert_eq!((leg.party.as_str(), record.legs.len()), ("+4930", 2));
}

#[test]
fn an_empty_slot_one_on_another_freeswitch_and_a_caller_who_has_left_are_told_apart() {
    for (slot, script, played) in [
        ("701", "slot empty", "play sorry"),
        ("701", "slot elsewhere", "play wrong"),
        ("701", "slot taken\n refused no such channel", "play sorry"),
    ] {
        let mut line = retrieving(slot);
        line.play_script(script);
        assert_eq!(moves(&mut line).last().unwrap(), played, "{script}");
    }
    let mut line = retrieving("{dialed}");
    let expected = ["Answer", "play sorry"];
    assert_eq!(moves(&mut line), expected, "a telephone number is no slot, and nobody is asked");
}

#[test]
fn a_take_over_between_taking_and_meeting_takes_again() {
    let mut line = retrieving("701");
    line.play_script("slot taken\n resume\n slot taken");
    let takes = moves(&mut line);
    assert_eq!(takes.iter().filter(|order| *order == "take p-leg").count(), 2, "{takes:?}");
    let mut line = retrieving("701");
    line.play_script("slot taken\n resume\n slot empty");
    assert_eq!(moves(&mut line).last().unwrap(), "play bye", "they have met and parted");
}

fn holding() -> Line {
    let steps = json!({
        "start": { "kind": "hold", "music": "hold", "duration": "30s",
            "cancel_key": "*", "next": "after", "on": { "cancelled": "sorry" } },
        "after": { "kind": "play", "prompts": ["bye"], "next": "end" },
        "sorry": { "kind": "play", "prompts": ["sorry"], "next": "end" },
        "end": { "kind": "hangup" } });
    Line::new(with(&steps, &rules()), Show::Moves)
}

#[test]
fn a_held_caller_waits_for_its_time_a_key_or_an_operator() {
    for (script, played) in [
        ("wait 30s", "play bye"),
        ("key 5\n key *", "play sorry"),
        (r#"command {"hold":{"on":false}}"#, "play bye"),
        ("wait 29s\n resume\n wait 1s", "play bye"),
    ] {
        let mut line = holding();
        line.step("done");
        let before = moves(&mut line);
        assert_eq!(before, ["play hold", "play hold"], "{script}");
        line.play_script(script);
        assert_eq!(moves(&mut line).last().unwrap(), played, "{script}");
    }
}

#[test]
fn music_that_is_missing_gives_way_to_a_tone() {
    let mut line = holding();
    line.play_script("missing hold\n done");
    assert_eq!(moves(&mut line), ["play hold", "play beep", "play beep"]);
}
