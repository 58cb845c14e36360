//! The other kinds of steps, each way out of each.

use std::sync::Arc;

use callwright::flow::program::Program;
use callwright::flow::schedule::Schedules;
use serde_json::{Value, json};

use super::support::{Line, Show, check, check_all, program};

/// One step, and an end for each way out that it may name.
fn one(step: &Value) -> Value {
    let end = json!({ "kind": "hangup" });
    let mut steps = json!({ "start": step });
    for name in ["done", "closed", "holiday", "busy", "no_answer", "rejected", "unreachable"] {
        steps[name] = end.clone();
    }
    for name in ["cancelled", "too_short", "failed"] {
        steps[name] = end.clone();
    }
    steps
}

#[test]
fn answering_takes_a_pause_and_an_answered_call_is_not_answered_again() {
    let mut steps = one(&json!({ "kind": "answer", "pause": "1s", "next": "again" }));
    steps["again"] = json!({ "kind": "answer", "next": "done" });
    check(
        &steps,
        "done\n wait 1s",
        r#"
        0.000 ! Answer
        0.000 < done
        0.000 < wait 1s
        1.000 start: next -> again
        1.000 again: next -> done
        1.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "refused no such channel",
        r#"
        0.000 ! Answer
        0.000 < refused no such channel
        0.000 start: failed -> nowhere (refused: no such channel)
        0.000 ! Hangup(NormalTemporaryFailure)
        "#,
    );
}

#[test]
fn ringing_lasts_as_long_as_the_flow_says() {
    check(
        &one(&json!({ "kind": "ring", "duration": "3s", "next": "done" })),
        "done\n wait 3s",
        r#"
        0.000 ! Ring
        0.000 < done
        0.000 < wait 3s
        3.000 start: next -> done
        3.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn an_unanswered_call_is_declined_and_an_answered_one_hung_up() {
    let mut steps = one(&json!({ "kind": "reject", "reason": "not_found" }));
    check(
        &steps,
        "hangup UNALLOCATED_NUMBER switch",
        r#"
        0.000 ! Reject(NotFound)
        0.000 < hangup UNALLOCATED_NUMBER switch
        0.000 END Flow UNALLOCATED_NUMBER: the flow declined the call: not found
        "#,
    );
    steps["last"] = steps["start"].clone();
    steps["start"] = json!({ "kind": "answer", "next": "last" });
    check(
        &steps,
        "done\n hangup NORMAL_CLEARING switch",
        r#"
        0.000 ! Answer
        0.000 < done
        0.000 start: next -> last
        0.000 ! Hangup(NormalClearing)
        0.000 < hangup NORMAL_CLEARING switch
        0.000 END Flow NORMAL_CLEARING: the flow hung up: it would have declined an unanswered call
        "#,
    );
}

#[test]
fn what_can_not_be_spoken_is_passed_over_and_noted() {
    let play = json!({ "kind": "play", "next": "done", "on": { "failed": "failed" },
        "prompts": [{ "say": "31-31", "as": "date" }, { "say": "25:00", "as": "time" },
            { "say": "-", "as": "spelled" }, { "speak": "{{}}" }, "welcome"] });
    check(
        &one(&play),
        "done",
        r#"
        0.000 (nothing to say: `31-31` is not what can be spoken so)
        0.000 (nothing to say: `25:00` is not what can be spoken so)
        0.000 (nothing to say: `-` is not what can be spoken so)
        0.000 (nothing to say: the text has no words)
        0.000 ! play welcome
        0.000 < done
        0.000 start: next -> done
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_list_is_played_as_often_as_asked_and_any_key_can_end_it() {
    let mut play = json!({ "kind": "play", "times": 2, "next": "done", "on": { "failed": "failed" },
        "prompts": ["welcome", { "tone": [440] }, { "silence": "500ms" },
            { "say": "{1 + 1}" }, { "say": "{caller.name}", "as": "number" },
            { "speak": "Hello {caller.name}" }] });
    check(
        &one(&play),
        "done\n key 1\n done",
        r#"
        0.000 (nothing to say: `{caller.name}` is not what can be spoken so)
        0.000 ! play welcome + beep + silence 500ms + say Number 2 en + speak Hello Ann
        0.000 < done
        0.000 (nothing to say: `{caller.name}` is not what can be spoken so)
        0.000 ! play welcome + beep + silence 500ms + say Number 2 en + speak Hello Ann
        0.000 < key 1
        0.000 < done
        0.000 start: next -> done
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &one(&play),
        "missing /p/welcome.wav",
        r#"
        0.000 (nothing to say: `{caller.name}` is not what can be spoken so)
        0.000 ! play welcome + beep + silence 500ms + say Number 2 en + speak Hello Ann
        0.000 < missing /p/welcome.wav
        0.000 start: failed -> failed (the file /p/welcome.wav is missing)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    play["barge_in"] = json!(true);
    check(
        &one(&play),
        "wait 1s\n key 1",
        r#"
        0.000 (nothing to say: `{caller.name}` is not what can be spoken so)
        0.000 ! play welcome + beep + silence 500ms + say Number 2 en + speak Hello Ann until key
        0.000 < wait 1s
        1.000 < key 1
        1.000 ! Silence
        1.000 start: next -> done (a key was pressed)
        1.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn variables_are_set_together_and_branches_take_the_first_true_case() {
    let mut steps = one(&json!({ "kind": "set", "next": "branch",
        "variables": { "a": "b", "b": "a", "area": "first(caller.number, 3)" } }));
    steps["_flow"] = json!({ "variables": { "a": 1, "b": 2 } });
    steps["branch"] = json!({ "kind": "branch", "otherwise": "failed", "cases": [
        { "if": "a == 1", "next": "busy" }, { "if": "area == \"+15\"", "next": "done" },
        { "if": "true", "next": "busy" } ] });
    check(
        &steps,
        "wait 0s",
        r#"
        0.000 a = 2
        0.000 area = +15
        0.000 b = 1
        0.000 start: next -> branch
        0.000 branch: case 2 -> done (area == "+15")
        0.000 ! Hangup(NormalClearing)
        0.000 < wait 0s
        "#,
    );
}

/// A step that asks for three values, with a variable whose value is odd.
fn ask(waiting: &Value) -> Value {
    let mut steps = one(&json!({ "kind": "http", "method": "POST", "status": "status",
        "url": "https://x.example/who?n={caller.number}&q={odd}",
        "headers": { "X-Call": "{call.id}" },
        "body": { "n": "{1 + 1}", "text": "{odd}!", "list": [true, null, 7] },
        "into": { "name": "/user/name", "vip": "/user/vip", "none": "/user/none" },
        "waiting_prompts": waiting, "next": "done", "on": { "failed": "failed" } }));
    steps["_flow"] = json!({ "variables": { "odd": "a b/../?&#é\r\n" } });
    steps
}

#[test]
fn http_answers_become_variables() {
    let steps = ask(&json!([]));
    check(
        &steps,
        r#"http 200 {"user": {"name": "Ann", "vip": true}}"#,
        r#"
        0.000 ? Post https://x.example/who?n=%2B15550100&q=a%20b%2F..%2F%3F%26%23%C3%A9%0D%0A
        0.000 ? {"list":[true,null,7],"n":2,"text":"a b/../?&#é\r\n!"}
        0.000 < http 200 {"user": {"name": "Ann", "vip": true}}
        0.000 status = 200
        0.000 name = Ann
        0.000 none =
        0.000 vip = true
        0.000 start: next -> done
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "http 200 not json",
        r#"
        0.000 ? Post https://x.example/who?n=%2B15550100&q=a%20b%2F..%2F%3F%26%23%C3%A9%0D%0A
        0.000 ? {"list":[true,null,7],"n":2,"text":"a b/../?&#é\r\n!"}
        0.000 < http 200 not json
        0.000 status = 200
        0.000 start: failed -> failed (the answer is not JSON)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_request_without_a_good_answer_fails() {
    let steps = ask(&json!([]));
    check(
        &steps,
        "http 404 {}",
        r#"
        0.000 ? Post https://x.example/who?n=%2B15550100&q=a%20b%2F..%2F%3F%26%23%C3%A9%0D%0A
        0.000 ? {"list":[true,null,7],"n":2,"text":"a b/../?&#é\r\n!"}
        0.000 < http 404 {}
        0.000 status = 404
        0.000 start: failed -> failed (the status is 404)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "http fails",
        r#"
        0.000 ? Post https://x.example/who?n=%2B15550100&q=a%20b%2F..%2F%3F%26%23%C3%A9%0D%0A
        0.000 ? {"list":[true,null,7],"n":2,"text":"a b/../?&#é\r\n!"}
        0.000 < http fails
        0.000 status = 0
        0.000 start: failed -> failed (no answer in time)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "wait 20s\n http 200 {}",
        r#"
        0.000 ? Post https://x.example/who?n=%2B15550100&q=a%20b%2F..%2F%3F%26%23%C3%A9%0D%0A
        0.000 ? {"list":[true,null,7],"n":2,"text":"a b/../?&#é\r\n!"}
        0.000 < wait 20s
        17.000 GUARD a query was not answered in time
        17.000 status = 0
        17.000 start: failed -> failed (no answer in time)
        17.000 ! Hangup(NormalClearing)
        20.000 < http 200 {}
        "#,
    );
}

#[test]
fn the_caller_hears_prompts_while_an_answer_is_awaited() {
    let steps = ask(&json!(["hold"]));
    check(
        &steps,
        "done\n http 200 {}",
        r#"
        0.000 ? Post https://x.example/who?n=%2B15550100&q=a%20b%2F..%2F%3F%26%23%C3%A9%0D%0A
        0.000 ? {"list":[true,null,7],"n":2,"text":"a b/../?&#é\r\n!"}
        0.000 ! play hold
        0.000 < done
        0.000 ! play hold
        0.000 < http 200 {}
        0.000 status = 200
        0.000 name =
        0.000 none =
        0.000 vip =
        0.000 ! Silence
        0.000 start: next -> done
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "missing /p/hold.wav\n hangup ORIGINATOR_CANCEL caller",
        r#"
        0.000 ? Post https://x.example/who?n=%2B15550100&q=a%20b%2F..%2F%3F%26%23%C3%A9%0D%0A
        0.000 ? {"list":[true,null,7],"n":2,"text":"a b/../?&#é\r\n!"}
        0.000 ! play hold
        0.000 < missing /p/hold.wav
        0.000 (the caller waits in silence: the file /p/hold.wav is missing)
        0.000 < hangup ORIGINATOR_CANCEL caller
        0.000 END Caller ORIGINATOR_CANCEL: the caller hung up
        "#,
    );
}

/// A dial with a way out for each outcome.
fn dial() -> Value {
    let on = json!({ "busy": "busy", "no_answer": "no_answer", "rejected": "rejected",
        "unreachable": "unreachable", "cancelled": "cancelled", "failed": "failed" });
    one(&json!({ "kind": "dial", "targets": [{ "extension": "1001" }], "on": on,
        "cancel_key": "*", "next": "done", "timeout": "20s" }))
}

#[test]
fn a_dial_leaves_by_what_became_of_it() {
    let steps = dial();
    check(
        &steps,
        "bridged\n wait 30s\n unbridged\n talked NORMAL_CLEARING",
        r#"
        0.000 ! dial 1001@t.example +0s 20s
        0.000 < bridged
        0.000 < wait 30s
        30.000 < unbridged
        30.000 < talked NORMAL_CLEARING
        30.000 start: next -> done (the conversation ended: NORMAL_CLEARING)
        30.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "dialed USER_BUSY",
        r#"
        0.000 ! dial 1001@t.example +0s 20s
        0.000 < dialed USER_BUSY
        0.000 start: busy -> busy (USER_BUSY)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "dialed NO_ANSWER",
        r#"
        0.000 ! dial 1001@t.example +0s 20s
        0.000 < dialed NO_ANSWER
        0.000 start: no_answer -> no_answer (NO_ANSWER)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "dialed CALL_REJECTED",
        r#"
        0.000 ! dial 1001@t.example +0s 20s
        0.000 < dialed CALL_REJECTED
        0.000 start: rejected -> rejected (CALL_REJECTED)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "dialed USER_NOT_REGISTERED",
        r#"
        0.000 ! dial 1001@t.example +0s 20s
        0.000 < dialed USER_NOT_REGISTERED
        0.000 start: unreachable -> unreachable (USER_NOT_REGISTERED)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_dial_that_is_refused_cancelled_or_forgotten_is_left() {
    let steps = dial();
    check(
        &steps,
        "refused no way",
        r#"
        0.000 ! dial 1001@t.example +0s 20s
        0.000 < refused no way
        0.000 start: failed -> failed (failed: refused: no way)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "key 1\n key *\n dialed ORIGINATOR_CANCEL",
        r#"
        0.000 ! dial 1001@t.example +0s 20s
        0.000 < key 1
        0.000 < key *
        0.000 ! CancelDial
        0.000 < dialed ORIGINATOR_CANCEL
        0.000 start: cancelled -> cancelled (the caller pressed the cancel key)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "key *\n wait 10s",
        r#"
        0.000 ! dial 1001@t.example +0s 20s
        0.000 < key *
        0.000 ! CancelDial
        0.000 < wait 10s
        10.000 GUARD an order was not reported done in time
        10.000 ! CancelDial
        10.000 start: cancelled -> cancelled (the caller pressed the cancel key)
        10.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "lost-done\n wait 40s",
        r#"
        0.000 ! dial 1001@t.example +0s 20s
        0.000 < lost-done
        0.000 < wait 40s
        30.000 GUARD an order was not reported done in time
        30.000 ! CancelDial
        30.000 start: failed -> failed (failed: it did not end in time)
        30.000 ! Hangup(NormalClearing)
        35.000 GUARD the hang-up was not confirmed in time
        35.000 END Flow NORMAL_CLEARING: the flow hung up
        "#,
    );
}

#[test]
fn targets_are_dialed_all_at_once_or_in_turn_or_past_busy_ones() {
    let dial = |strategy: &str| {
        one(&json!({ "kind": "dial", "strategy": strategy, "next": "done", "answered_by": "who",
            "targets": [{ "extension": "1001" }, { "number": "+49 (30) 1", "gateway": "carrier" },
                { "sip": "sip:bob@pbx.example", "delay": "5s", "timeout": "7s" }],
            "on": { "busy": "busy", "no_answer": "no_answer", "failed": "failed" } }))
    };
    check(
        &dial("all"),
        "bridged\n talked NORMAL_CLEARING 2",
        r#"
        0.000 ! dial 1001@t.example +0s 30s, +49301 via carrier +0s 30s, sip:bob@pbx.example +5s 7s
        0.000 < bridged
        0.000 < talked NORMAL_CLEARING 2
        0.000 who = 3
        0.000 start: next -> done (the conversation ended: NORMAL_CLEARING)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &dial("in_turn"),
        "dialed NO_ANSWER\n dialed USER_BUSY\n dialed USER_BUSY",
        r#"
        0.000 ! dial 1001@t.example +0s 30s
        0.000 < dialed NO_ANSWER
        0.000 ! dial +49301 via carrier +0s 30s
        0.000 < dialed USER_BUSY
        0.000 ! dial sip:bob@pbx.example +0s 7s
        0.000 < dialed USER_BUSY
        0.000 start: no_answer -> no_answer (USER_BUSY)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &dial("in_turn"),
        "dialed USER_BUSY\n bridged\n talked NORMAL_CLEARING 0",
        r#"
        0.000 ! dial 1001@t.example +0s 30s
        0.000 < dialed USER_BUSY
        0.000 ! dial +49301 via carrier +0s 30s
        0.000 < bridged
        0.000 < talked NORMAL_CLEARING 0
        0.000 who = 2
        0.000 start: next -> done (the conversation ended: NORMAL_CLEARING)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &dial("rollover"),
        "dialed USER_BUSY\n dialed NO_ANSWER",
        r#"
        0.000 ! dial 1001@t.example +0s 30s
        0.000 < dialed USER_BUSY
        0.000 ! dial +49301 via carrier +0s 30s
        0.000 < dialed NO_ANSWER
        0.000 start: no_answer -> no_answer (NO_ANSWER)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn what_cannot_be_dialed_is_not_dialed() {
    let mut steps =
        one(&json!({ "kind": "dial", "next": "done", "on": { "unreachable": "unreachable" },
        "targets": [{ "extension": "{odd}" }, { "number": "{odd}", "gateway": "carrier" },
            { "number": "1", "gateway": "other" }, { "sip": "bob@evil.example" }] }));
    steps["_flow"] = json!({ "variables": { "odd": "1001,sofia/x" } });
    check(
        &steps,
        "wait 0s",
        r#"
        0.000 (target 1 can't be dialed: that is not an extension: `{odd}`)
        0.000 (target 2 can't be dialed: that is not a number: `{odd}`)
        0.000 (target 3 can't be dialed: gateway `other` is not the tenant's: `1`)
        0.000 (target 4 can't be dialed: that host is not allowed: `bob@evil.example`)
        0.000 start: unreachable -> unreachable (no target is left)
        0.000 ! Hangup(NormalClearing)
        0.000 < wait 0s
        "#,
    );
}

#[test]
fn a_conversation_that_outlasts_its_limit_is_ended() {
    let steps =
        one(&json!({ "kind": "dial", "targets": [{ "extension": "1" }], "time_limit": "60s",
        "next": "done" }));
    check(
        &steps,
        "bridged\n wait 70s\n hangup ALLOTTED_TIMEOUT switch",
        r#"
        0.000 ! dial 1@t.example +0s 30s
        0.000 < bridged
        0.000 < wait 70s
        70.000 GUARD the conversation went on past its limit
        70.000 ! Hangup(AllottedTimeout)
        70.000 < hangup ALLOTTED_TIMEOUT switch
        70.000 END Us ALLOTTED_TIMEOUT: the conversation went on past its limit
        "#,
    );
}

#[test]
fn a_transferred_call_ends_for_us() {
    let transfer =
        json!({ "kind": "transfer", "extension": "{1000 + 1}", "on": { "failed": "failed" } });
    check(
        &one(&transfer),
        "done",
        r#"
        0.000 ! Transfer { extension: "1001", context: "default" }
        0.000 < done
        0.000 END Flow BLIND_TRANSFER: the flow transferred the call to 1001 in default
        "#,
    );
    check(
        &one(&transfer),
        "lost eof",
        r#"
        0.000 ! Transfer { extension: "1001", context: "default" }
        0.000 < lost eof
        0.000 (the link to the switch is lost: eof)
        0.000 END Flow BLIND_TRANSFER: the flow transferred the call to 1001 in default
        "#,
    );
    check(
        &one(&transfer),
        "hangup NORMAL_CLEARING switch",
        r#"
        0.000 ! Transfer { extension: "1001", context: "default" }
        0.000 < hangup NORMAL_CLEARING switch
        0.000 END Flow BLIND_TRANSFER: the flow transferred the call to 1001 in default
        "#,
    );
    check(
        &one(&transfer),
        "hangup NORMAL_CLEARING caller",
        r#"
        0.000 ! Transfer { extension: "1001", context: "default" }
        0.000 < hangup NORMAL_CLEARING caller
        0.000 END Caller NORMAL_CLEARING: the caller hung up
        "#,
    );
}

#[test]
fn a_transfer_that_does_not_happen_fails_the_step() {
    let mut transfer =
        json!({ "kind": "transfer", "extension": "{1000 + 1}", "on": { "failed": "failed" } });
    check(
        &one(&transfer),
        "failed no such extension",
        r#"
        0.000 ! Transfer { extension: "1001", context: "default" }
        0.000 < failed no such extension
        0.000 start: failed -> failed (no such extension)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &one(&transfer),
        "wait 10s",
        r#"
        0.000 ! Transfer { extension: "1001", context: "default" }
        0.000 < wait 10s
        10.000 GUARD an order was not reported done in time
        10.000 start: failed -> failed (it did not end in time)
        10.000 ! Hangup(NormalClearing)
        "#,
    );
    transfer["context"] = json!("secret");
    check(
        &one(&transfer),
        "wait 0s",
        r#"
        0.000 start: failed -> failed (no context to transfer to is allowed)
        0.000 ! Hangup(NormalClearing)
        0.000 < wait 0s
        "#,
    );
}

fn message() -> Value {
    one(&json!({ "kind": "message", "prompts": ["welcome"], "into": "name", "next": "done",
        "on": { "too_short": "too_short", "failed": "failed" } }))
}

#[test]
fn a_message_is_recorded_after_the_beep() {
    let steps = message();
    check(
        &steps,
        "done\n recorded 5s",
        r#"
        0.000 ! play welcome + beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < recorded 5s
        0.000 name = 00000000-0000-0000-0000-00009e37b3a0
        0.000 start: next -> done (5000 ms recorded)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "key #\n recorded 500ms",
        r#"
        0.000 ! play welcome + beep until #
        0.000 < key #
        0.000 ! Silence
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < recorded 500ms
        0.000 ! Discard { path: "/m/00000000-0000-0000-0000-00009e37b3a0.wav", after: Millis(0) }
        0.000 start: too_short -> too_short (500 ms is too short)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_recording_that_fails_or_never_ends_is_left() {
    let steps = message();
    check(
        &steps,
        "key 5\n done\n failed no space",
        r#"
        0.000 ! play welcome + beep until #
        0.000 < key 5
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < failed no space
        0.000 start: failed -> failed (failed: no space)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "done\n wait 4s\n hangup NORMAL_CLEARING caller",
        r#"
        0.000 ! play welcome + beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < wait 4s
        4.000 < hangup NORMAL_CLEARING caller
        4.000 END Caller NORMAL_CLEARING: the caller hung up
        "#,
    );
    check(
        &steps,
        "done\n lost-done\n wait 130s",
        r#"
        0.000 ! play welcome + beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < lost-done
        0.000 < wait 130s
        130.000 GUARD an order was not reported done in time
        130.000 ! Silence
        130.000 start: failed -> failed (failed: it did not end in time)
        130.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_caller_who_hangs_up_while_recording_has_left_a_message() {
    let steps = one(&json!({ "kind": "message", "next": "done" }));
    for (script, lengths) in [
        ("done\n wait 4s\n hangup NORMAL_CLEARING caller", vec![4_000]),
        ("done\n wait 4s\n lost eof", vec![4_000]),
        ("done\n wait 400ms\n hangup NORMAL_CLEARING caller", vec![]),
        ("hangup NORMAL_CLEARING caller", vec![]),
    ] {
        let mut line = Line::new(program(&[("main", &steps)]), Show::Moves);
        line.play_script(script);
        let recordings = line.record.unwrap().recordings;
        let kept: Vec<u64> = recordings.iter().map(|recording| recording.length_ms).collect();
        assert_eq!(kept, lengths, "{script}");
    }
}

#[test]
fn a_message_can_be_heard_and_recorded_again() {
    let steps = one(&json!({ "kind": "message", "prompts": ["welcome"], "next": "done",
        "review": { "prompts": ["again"], "attempts": 2 } }));
    check(
        &steps,
        "done\n recorded 5s\n key 2\n done\n recorded 6s\n key 9\n done\n wait 5s",
        r#"
        0.000 ! play welcome + beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < recorded 5s
        0.000 ! play the message + again until 12
        0.000 < key 2
        0.000 ! Silence
        0.000 ! Discard { path: "/m/00000000-0000-0000-0000-00009e37b3a0.wav", after: Millis(0) }
        0.000 ! play beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00003c6e3973.wav
        0.000 < recorded 6s
        0.000 ! play the message + again until 12
        0.000 < key 9
        0.000 < done
        0.000 < wait 5s
        5.000 start: next -> done (6000 ms recorded)
        5.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "done\n recorded 5s\n key 1",
        r#"
        0.000 ! play welcome + beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < recorded 5s
        0.000 ! play the message + again until 12
        0.000 < key 1
        0.000 ! Silence
        0.000 start: next -> done (5000 ms recorded)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "done\n recorded 5s\n key 2\n done\n recorded 6s\n key 2",
        r#"
        0.000 ! play welcome + beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00009e37b3a0.wav
        0.000 < recorded 5s
        0.000 ! play the message + again until 12
        0.000 < key 2
        0.000 ! Silence
        0.000 ! Discard { path: "/m/00000000-0000-0000-0000-00009e37b3a0.wav", after: Millis(0) }
        0.000 ! play beep until #
        0.000 < done
        0.000 ! record /m/00000000-0000-0000-0000-00003c6e3973.wav
        0.000 < recorded 6s
        0.000 ! play the message + again until 12
        0.000 < key 2
        0.000 ! Silence
        0.000 (the message is kept: it can't be recorded again so often)
        0.000 start: next -> done (6000 ms recorded)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn one_flow_calls_another_and_comes_back_with_a_result() {
    let mut main =
        one(&json!({ "kind": "flow", "flow": "other", "arguments": { "n": "5", "x": "1" },
        "into": "result", "next": "done", "on": { "failed": "failed" } }));
    let mut other = json!({ "_flow": { "arguments": { "n": 1 } },
        "start": { "kind": "play", "prompts": [{ "say": "{n}" }], "next": "end" },
        "end": { "kind": "return", "value": "n * 2" } });
    check_all(
        &[("main", &main), ("other", &other)],
        "done",
        r#"
        0.000 (flow `other` takes no argument `x`)
        0.000 ! play say Number 5 en
        0.000 < done
        0.000 start: next -> end
        0.000 end: return -> nowhere
        0.000 result = 10
        0.000 start: next -> done
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    other["start"]["prompts"] = json!(["nowhere"]);
    check_all(
        &[("main", &main), ("other", &other)],
        "wait 0s",
        r#"
        0.000 (flow `other` takes no argument `x`)
        0.000 start: failed -> nowhere (there is no prompt `nowhere`)
        0.000 start: failed -> failed (flow `other` failed: there is no prompt `nowhere`)
        0.000 ! Hangup(NormalClearing)
        0.000 < wait 0s
        "#,
    );
    main["start"]["flow"] = json!("missing");
    check_all(
        &[("main", &main), ("other", &other)],
        "wait 0s",
        r#"
        0.000 start: failed -> failed (there is no flow `missing`)
        0.000 ! Hangup(NormalClearing)
        0.000 < wait 0s
        "#,
    );
    check(
        &json!({ "start": { "kind": "return" } }),
        "hangup NORMAL_CLEARING switch",
        r#"
        0.000 start: return -> nowhere
        0.000 ! Hangup(NormalClearing)
        0.000 < hangup NORMAL_CLEARING switch
        0.000 END Flow NORMAL_CLEARING: the flow came to its end
        "#,
    );
}

/// A program whose schedule `shop` is open on Sundays at these hours, since these moments.
fn scheduled(steps: &Value, said: &[(&str, &str)]) -> Arc<Program> {
    let mut program = Program::clone(&program(&[("main", steps)]));
    let mut schedules = Schedules::default();
    for (since, hours) in said {
        let opening = serde_json::from_value(json!({ "weekly": { "sun": [hours] } })).unwrap();
        schedules.add("shop".parse().unwrap(), since.parse().unwrap(), opening);
    }
    program.settings.schedules = Arc::new(schedules);
    Arc::new(program)
}

#[test]
fn a_call_goes_by_what_a_schedule_said_when_it_began_in_whichever_process() {
    let steps = json!({
        "start": { "kind": "play", "prompts": ["welcome"], "next": "open" },
        "open": { "kind": "hours", "schedule": "shop", "next": "done",
            "on": { "closed": "shut" } },
        "done": { "kind": "hangup" },
        "shut": { "kind": "hangup" },
    });
    // The call begins on a Sunday at 10:00 in Berlin, a second before the hours are changed.
    let (open, shut) = ("09:30-10:30", "11:00-12:00");
    let began = ("2026-11-22T08:00:00Z", open);
    let changed = ("2026-11-22T09:00:01Z", shut);
    for (said, next) in [(&[began][..], "done"), (&[began, changed][..], "done"), (&[], "shut")] {
        let mut line = Line::new(scheduled(&steps, &[began]), Show::Moves);
        line.wait(1_500);
        line.program = scheduled(&steps, said);
        line.change_hands();
        line.step("done");
        assert!(line.text.contains(&format!("-> {next} (")), "{}", line.text);
    }
    let mut later = Line::new(scheduled(&steps, &[("2026-11-22T09:00:00Z", shut)]), Show::Moves);
    later.step("done");
    assert!(later.text.contains("closed -> shut (closed at 10:00 on Sunday)"), "{}", later.text);
}

#[test]
fn opening_hours_are_those_of_the_flows_time_zone() {
    // The call comes on a Sunday at 10:00 in Berlin.
    let hours = |open: &Value, holidays: &Value| {
        one(&json!({ "kind": "hours", "weekly": { "sun": open }, "holidays": holidays,
            "next": "done", "on": { "closed": "closed", "holiday": "holiday" } }))
    };
    for (open, holidays, next) in [
        (json!(["09:30-10:30"]), json!([]), "done"),
        (json!(["08:30-09:30"]), json!([]), "closed"),
        (json!([]), json!([]), "closed"),
        (json!(["09:30-10:30"]), json!([{ "date": "11-22" }]), "holiday"),
    ] {
        let mut steps = hours(&open, &holidays);
        let line = Line::new(program(&[("main", &steps)]), Show::Moves);
        assert!(line.text.contains(&format!("-> {next} (")), "{}", line.text);
        if next == "holiday" {
            steps["start"]["on"] = json!({ "closed": "closed" });
            let line = Line::new(program(&[("main", &steps)]), Show::Moves);
            assert!(line.text.contains("holiday -> closed ("), "{}", line.text);
        }
    }
}
