//! `menu` and `gather`: prompts, keys, time-outs and the three ways in which they fail.

use serde_json::{Value, json};

use super::support::{check, check_all};

/// A menu with a way out for each failure; `settings` are added to it.
fn menu(settings: &Value) -> Value {
    let mut menu = json!({ "kind": "menu", "prompts": ["menu"],
        "choices": { "1": "one", "12": "twelve", "2": "two" },
        "on": { "no_input": "quiet", "invalid": "wrong", "too_many": "many" } });
    for (name, value) in settings.as_object().unwrap() {
        menu[name] = value.clone();
    }
    let end = json!({ "kind": "hangup" });
    json!({ "start": menu, "one": end, "twelve": end, "two": end, "star": end, "dial": end,
        "quiet": end, "wrong": end, "many": end })
}

/// A gather of `settings`, with a way out for each failure.
fn gather(settings: &Value) -> Value {
    let mut gather = json!({ "kind": "gather", "prompts": ["menu"], "into": "number", "max": 4,
        "next": "done", "on": { "no_input": "quiet", "invalid": "wrong", "too_many": "many" } });
    for (name, value) in settings.as_object().unwrap() {
        gather[name] = value.clone();
    }
    let end = json!({ "kind": "hangup" });
    json!({ "start": gather, "done": end, "quiet": end, "wrong": end, "many": end })
}

#[test]
fn a_key_acts_at_once_when_nothing_longer_can_match() {
    let steps = menu(&json!({}));
    check(
        &steps,
        "wait 700ms\n key 2\n hangup NORMAL_CLEARING switch",
        r#"
        0.000 ! play menu until key
        0.000 < wait 700ms
        0.700 < key 2
        0.700 start: 2 -> two (the caller pressed 2)
        0.700 ! Hangup(NormalClearing)
        0.700 < hangup NORMAL_CLEARING switch
        0.700 END Flow NORMAL_CLEARING: the flow hung up
        "#,
    );
    check(
        &steps,
        "wait 700ms\n key 12",
        r#"
        0.000 ! play menu until key
        0.000 < wait 700ms
        0.700 < key 12
        0.700 start: 12 -> twelve (the caller pressed 12)
        0.700 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_key_waits_while_something_longer_could_match_and_a_terminator_cuts_the_wait() {
    let steps = menu(&json!({}));
    check(
        &steps,
        "wait 700ms\n key 1\n wait 5s",
        r#"
        0.000 ! play menu until key
        0.000 < wait 700ms
        0.700 < key 1
        0.700 < wait 5s
        3.700 start: 1 -> one (the caller pressed 1)
        3.700 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "wait 700ms\n key 1#",
        r#"
        0.000 ! play menu until key
        0.000 < wait 700ms
        0.700 < key 1#
        0.700 start: 1 -> one (the caller pressed 1)
        0.700 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "wait 700ms\n key 1\n wait 1s\n key 3",
        r#"
        0.000 ! play menu until key
        0.000 < wait 700ms
        0.700 < key 1
        0.700 < wait 1s
        1.700 < key 3
        1.700 (what was pressed matches nothing)
        1.700 ! play menu until key
        "#,
    );
}

#[test]
fn a_key_that_interrupts_a_list_of_prompts_stops_the_rest_of_it() {
    let steps = menu(&json!({ "prompts": ["welcome", "menu"] }));
    check(
        &steps,
        "wait 1s\n key 1\n wait 3s",
        r#"
        0.000 ! play welcome + menu until key
        0.000 < wait 1s
        1.000 < key 1
        1.000 ! Silence
        1.000 < wait 3s
        4.000 start: 1 -> one (the caller pressed 1)
        4.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn no_input_is_met_with_the_prompt_again_and_leaves_when_it_is_one_too_many() {
    let settings = json!({ "repeat_prompts": ["again"], "keys": { "first_key": "4s",
        "no_input_prompts": ["silent"], "max_no_input": 2 } });
    let script = "wait 2s\n done\n wait 4s\n wait 1s\n done\n wait 4s";
    check(
        &menu(&settings),
        script,
        r#"
        0.000 ! play menu until key
        0.000 < wait 2s
        2.000 < done
        2.000 < wait 4s
        6.000 (no key was pressed in time)
        6.000 ! play silent + again until key
        6.000 < wait 1s
        7.000 < done
        7.000 < wait 4s
        11.000 (no key was pressed in time)
        11.000 start: no_input -> quiet (no input: 2, wrong input: 0)
        11.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn input_that_matches_nothing_is_met_with_the_prompt_again_and_leaves_when_it_is_one_too_many() {
    let settings = json!({ "keys": { "invalid_prompts": ["wrong"] } });
    check(
        &menu(&settings),
        "key 9\n key 8\n key 7",
        r#"
        0.000 ! play menu until key
        0.000 < key 9
        0.000 (what was pressed matches nothing)
        0.000 ! play wrong + menu until key
        0.000 < key 8
        0.000 ! Silence
        0.000 (what was pressed matches nothing)
        0.000 ! play wrong + menu until key
        0.000 < key 7
        0.000 ! Silence
        0.000 (what was pressed matches nothing)
        0.000 start: invalid -> wrong (no input: 0, wrong input: 3)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn failures_of_both_kinds_count_together() {
    let script = "key 9\n wait 2s\n done\n wait 5s\n key 7";
    check(
        &menu(&json!({})),
        script,
        r#"
        0.000 ! play menu until key
        0.000 < key 9
        0.000 (what was pressed matches nothing)
        0.000 ! play menu until key
        0.000 < wait 2s
        2.000 < done
        2.000 < wait 5s
        7.000 (no key was pressed in time)
        7.000 ! play menu until key
        7.000 < key 7
        7.000 (what was pressed matches nothing)
        7.000 start: too_many -> many (no input: 1, wrong input: 2)
        7.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_failure_without_a_way_out_takes_that_of_its_kind() {
    let steps = menu(&json!({ "on": { "too_many": "many" }, "keys": { "max_invalid": 1 } }));
    check(
        &steps,
        "key 9",
        r#"
        0.000 ! play menu until key
        0.000 < key 9
        0.000 (what was pressed matches nothing)
        0.000 start: invalid -> many (no input: 0, wrong input: 1)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_lone_terminator_is_a_wrong_input_unless_it_is_a_choice() {
    check(
        &menu(&json!({ "keys": { "max_invalid": 1 } })),
        "key #",
        r#"
        0.000 ! play menu until key
        0.000 < key #
        0.000 (what was pressed matches nothing)
        0.000 start: invalid -> wrong (no input: 0, wrong input: 1)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    let choices = json!({ "choices": { "#": "star", "1": "one" } });
    check(
        &menu(&choices),
        "key #",
        r#"
        0.000 ! play menu until key
        0.000 < key #
        0.000 start: # -> star (the caller pressed #)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn without_barge_in_keys_wait_for_the_end_of_the_prompt() {
    let keys = json!({ "keys": { "barge_in": false } });
    check(
        &menu(&keys),
        "key 2\n wait 2s\n done",
        r#"
        0.000 ! play menu
        0.000 < key 2
        0.000 < wait 2s
        2.000 < done
        2.000 start: 2 -> two (the caller pressed 2)
        2.000 ! Hangup(NormalClearing)
        "#,
    );
    let neither = json!({ "keys": { "barge_in": false, "type_ahead": false } });
    check(
        &menu(&neither),
        "key 2\n wait 2s\n done\n wait 1s\n key 2",
        r#"
        0.000 ! play menu
        0.000 < key 2
        0.000 (a key is dropped: this prompt is not interrupted)
        0.000 < wait 2s
        2.000 < done
        2.000 < wait 1s
        3.000 < key 2
        3.000 start: 2 -> two (the caller pressed 2)
        3.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn keys_pressed_ahead_spare_the_caller_the_prompts() {
    let mut steps = menu(&json!({}));
    steps["second"] = steps["start"].clone();
    steps["start"] = json!({ "kind": "answer", "pause": "1s", "next": "hello" });
    steps["hello"] =
        json!({ "kind": "play", "prompts": ["welcome"], "barge_in": true, "next": "first" });
    steps["first"] = json!({ "kind": "menu", "prompts": ["menu"], "choices": { "3": "second" } });
    check(
        &steps,
        "done\n key 32\n wait 1s",
        r#"
        0.000 ! Answer
        0.000 < done
        0.000 < key 32
        0.000 < wait 1s
        1.000 start: next -> hello
        1.000 hello: next -> first (passed over: a key was pressed ahead)
        1.000 first: 3 -> second (the caller pressed 3)
        1.000 second: 2 -> two (the caller pressed 2)
        1.000 ! Hangup(NormalClearing)
        "#,
    );
    steps["first"]["keys"] = json!({ "type_ahead": false });
    check(
        &steps,
        "done\n key 32\n wait 1s",
        r#"
        0.000 ! Answer
        0.000 < done
        0.000 < key 32
        0.000 < wait 1s
        1.000 start: next -> hello
        1.000 hello: next -> first (passed over: a key was pressed ahead)
        1.000 (keys pressed ahead are dropped: 2)
        1.000 ! play menu until key
        "#,
    );
}

#[test]
fn a_wrong_input_takes_the_keys_after_it_along() {
    let mut steps = menu(&json!({}));
    steps["second"] = steps["start"].clone();
    steps["start"] = json!({ "kind": "answer", "pause": "1s", "next": "second" });
    check(
        &steps,
        "done\n key 92\n wait 1s",
        r#"
        0.000 ! Answer
        0.000 < done
        0.000 < key 92
        0.000 < wait 1s
        1.000 start: next -> second
        1.000 (what was pressed matches nothing)
        1.000 (keys pressed ahead are dropped: 1)
        1.000 ! play menu until key
        "#,
    );
}

#[test]
fn an_extension_can_be_dialed_from_a_menu() {
    let direct = json!({ "direct_dial": { "min": 3, "max": 4, "into": "extension", "next": "dial",
        "exclude": ["1999", "/^13/"] } });
    let steps = menu(&direct);
    check(
        &steps,
        "key 1001",
        r#"
        0.000 ! play menu until key
        0.000 < key 1001
        0.000 extension = 1001
        0.000 start: direct_dial -> dial (the caller pressed 1001)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "key 100\n wait 3s",
        r#"
        0.000 ! play menu until key
        0.000 < key 100
        0.000 < wait 3s
        3.000 extension = 100
        3.000 start: direct_dial -> dial (the caller pressed 100)
        3.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "key 1999",
        r#"
        0.000 ! play menu until key
        0.000 < key 1999
        0.000 (what was pressed matches nothing)
        0.000 ! play menu until key
        "#,
    );
    check(
        &steps,
        "key 12\n wait 3s",
        r#"
        0.000 ! play menu until key
        0.000 < key 12
        0.000 < wait 3s
        3.000 start: 12 -> twelve (the caller pressed 12)
        3.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_choice_can_be_a_pattern_and_plain_keys_go_before_it() {
    let steps = menu(&json!({ "choices": { "/^9\\d{2}$/": "two", "911": "one" }, "into": "keys" }));
    check(
        &steps,
        "key 912",
        r#"
        0.000 ! play menu until key
        0.000 < key 912
        0.000 keys = 912
        0.000 start: /^9\d{2}$/ -> two (the caller pressed 912)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "key 911",
        r#"
        0.000 ! play menu until key
        0.000 < key 911
        0.000 keys = 911
        0.000 start: 911 -> one (the caller pressed 911)
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &steps,
        "key 90\n wait 3s",
        r#"
        0.000 ! play menu until key
        0.000 < key 90
        0.000 < wait 3s
        3.000 (what was pressed matches nothing)
        3.000 ! play menu until key
        "#,
    );
}

#[test]
fn a_gather_is_complete_at_its_most_digits_a_terminator_or_a_pause() {
    check(
        &gather(&json!({})),
        "key 1234",
        r#"
        0.000 ! play menu until key
        0.000 < key 1234
        0.000 number = 1234
        0.000 start: next -> done
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &gather(&json!({})),
        "key 12#",
        r#"
        0.000 ! play menu until key
        0.000 < key 12#
        0.000 number = 12
        0.000 start: next -> done
        0.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &gather(&json!({ "keys": { "next_key": "2s" } })),
        "key 12\n wait 2s",
        r#"
        0.000 ! play menu until key
        0.000 < key 12
        0.000 < wait 2s
        2.000 number = 12
        2.000 start: next -> done
        2.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &gather(&json!({ "min": 3, "keys": { "max_invalid": 1 } })),
        "key 12\n wait 3s",
        r#"
        0.000 ! play menu until key
        0.000 < key 12
        0.000 < wait 3s
        3.000 (what was pressed matches nothing)
        3.000 start: invalid -> wrong (no input: 0, wrong input: 1)
        3.000 ! Hangup(NormalClearing)
        "#,
    );
    check(
        &gather(&json!({ "keys": { "max_no_input": 1 } })),
        "wait 2s\n done\n wait 5s",
        r#"
        0.000 ! play menu until key
        0.000 < wait 2s
        2.000 < done
        2.000 < wait 5s
        7.000 (no key was pressed in time)
        7.000 start: no_input -> quiet (no input: 1, wrong input: 0)
        7.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_gathered_input_must_match_its_pattern_as_a_whole() {
    let steps = gather(&json!({ "pattern": "1\\d*", "keys": { "max_invalid": 2 } }));
    check(
        &steps,
        "key 21#\n key 12#",
        r#"
        0.000 ! play menu until key
        0.000 < key 21#
        0.000 (what was pressed matches nothing)
        0.000 ! play menu until key
        0.000 (a key is dropped: the input that it belongs to has been judged)
        0.000 (a key is dropped: the input that it belongs to has been judged)
        0.000 < key 12#
        0.000 number = 12
        0.000 start: next -> done
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_pin_is_asked_in_full_and_never_shown() {
    let settings =
        json!({ "accept": ["{pin}", "0000"], "secret": true, "keys": { "max_invalid": 2 } });
    let mut steps = gather(&settings);
    steps["_flow"] = json!({ "variables": { "pin": "4711" } });
    check(
        &steps,
        "key 4712\n key 4711",
        r#"
        0.000 ! play menu until key
        0.000 < key 4712
        0.000 (what was pressed matches nothing)
        0.000 ! play menu until key
        0.000 < key 4711
        0.000 number = •••
        0.000 start: next -> done
        0.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn an_input_is_confirmed_or_asked_again() {
    let settings = json!({ "max": 3, "repeat_prompts": ["again"], "confirm": { "attempts": 1,
        "prompts": [{ "say": "{input}", "as": "digits" }] } });
    check(
        &gather(&settings),
        "key 123\n wait 1s\n key 1",
        r#"
        0.000 ! play menu until key
        0.000 < key 123
        0.000 ! play say Digits 123 en until key
        0.000 < wait 1s
        1.000 < key 1
        1.000 number = 123
        1.000 start: next -> done
        1.000 ! Hangup(NormalClearing)
        "#,
    );
    let script = "key 123\n key 2\n key 124\n done\n wait 5s\n key 125\n key 1";
    check(
        &gather(&settings),
        script,
        r#"
        0.000 ! play menu until key
        0.000 < key 123
        0.000 ! play say Digits 123 en until key
        0.000 < key 2
        0.000 (the caller did not confirm the input)
        0.000 ! play again until key
        0.000 < key 124
        0.000 ! play say Digits 124 en until key
        0.000 < done
        0.000 < wait 5s
        5.000 (what was pressed matches nothing)
        5.000 ! play again until key
        5.000 < key 125
        5.000 ! play say Digits 125 en until key
        5.000 < key 1
        5.000 number = 125
        5.000 start: next -> done
        5.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn a_prompt_that_is_missing_fails_the_step_and_never_leaves_silence() {
    let mut steps = menu(&json!({ "prompts": ["nowhere"] }));
    check(
        &steps,
        "wait 0s",
        r#"
        0.000 start: failed -> nowhere (there is no prompt `nowhere`)
        0.000 ! Hangup(NormalTemporaryFailure)
        0.000 < wait 0s
        "#,
    );
    steps["_flow"] = json!({ "fallback": "two" });
    check(
        &steps,
        "wait 0s",
        r#"
        0.000 start: failed -> two (there is no prompt `nowhere`; by the flow's fallback)
        0.000 ! Hangup(NormalClearing)
        0.000 < wait 0s
        "#,
    );
    check(
        &menu(&json!({})),
        "missing /p/menu.wav",
        r#"
        0.000 ! play menu until key
        0.000 < missing /p/menu.wav
        0.000 start: failed -> nowhere (the file /p/menu.wav is missing)
        0.000 ! Hangup(NormalTemporaryFailure)
        "#,
    );
}

#[test]
fn a_completion_that_nobody_waits_for_changes_nothing() {
    let steps = gather(&json!({ "prompts": ["menu"] }));
    check(
        &steps,
        "key 1\n wait 1s\n key 2\n wait 4s",
        r#"
        0.000 ! play menu until key
        0.000 < key 1
        0.000 < wait 1s
        1.000 < key 2
        1.000 < wait 4s
        4.000 number = 12
        4.000 start: next -> done
        4.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn keys_pressed_in_a_conversation_do_not_reach_the_next_menu() {
    let mut steps = menu(&json!({}));
    steps["again"] = steps["start"].clone();
    steps["start"] =
        json!({ "kind": "dial", "targets": [{ "extension": "1001" }], "next": "again" });
    check_all(
        &[("main", &steps)],
        "bridged\n key 1234\n unbridged\n talked NORMAL_CLEARING",
        r#"
        0.000 ! dial 1001@t.example +0s 30s
        0.000 < bridged
        0.000 < key 1234
        0.000 < unbridged
        0.000 < talked NORMAL_CLEARING
        0.000 start: next -> again (the conversation ended: NORMAL_CLEARING)
        0.000 ! play menu until key
        "#,
    );
}
