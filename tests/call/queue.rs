//! Waiting lines: what the caller hears, when it has its turn, and how it comes out again.

use serde_json::{Value, json};

use super::support::{Line, Show, check, program};

const SPEAK: &str = "line gets 0\n bridged";

fn waits(more: &Value) -> Value {
    let mut step = json!({ "kind": "queue", "queue": "help", "next": "bye",
        "targets": [{ "extension": "201" }, { "extension": "202" }], "wrap_up": "5s",
        "music": "hold", "exit_key": "#", "max_wait": "2m", "announce": {
            "position": ["menu", { "say": "{queue.position}" }],
            "wait": [{ "say": "{queue.minutes}" }], "every": "30s" },
        "on": { "cancelled": "cancelled", "too_long": "long", "full": "full",
            "nobody": "nobody", "failed": "failed" } });
    step.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let end = json!({ "kind": "hangup" });
    json!({ "start": step, "bye": end, "cancelled": end, "long": end, "full": end, "nobody": end,
        "failed": end })
}

fn line(more: &Value, script: &str) -> Line {
    let mut line = Line::new(program(&[("main", &waits(more))]), Show::Moves);
    line.play_script(script);
    line
}

/// Lines of the transcript with this sign, without the time.
fn lines(line: &Line, sign: &str) -> Vec<String> {
    let told = line.text.lines().filter_map(|line| line.trim().split_once(' '));
    let told = told.filter_map(|(_, told)| told.strip_prefix(sign));
    told.map(|told| told.trim().to_owned()).collect()
}

#[test]
fn a_caller_hears_music_and_its_place_and_then_the_target_that_is_its() {
    check(
        &waits(&json!({})),
        "line 2 150s\n done\n wait 1s\n line 0\n wait 1s\n line gets 1\n bridged\n wait 60s
         unbridged\n talked NORMAL_CLEARING",
        r#"
        0.000 ! play hold
        0.000 ? line help
        0.000 < line 2 150s
        0.000 (waits in the queue help, 2 ahead)
        0.000 ! Silence
        0.000 ! play menu + say Number 3 en + say Number 3 en
        0.000 < done
        0.000 ! play hold
        0.000 < wait 1s
        1.000 ? line help since 1000
        1.000 < line 0
        1.000 < wait 1s
        2.000 ? line help since 1000
        2.000 < line gets 1
        2.000 ! Silence
        2.000 ! dial 202@t.example +0s 20s
        2.000 < bridged
        2.000 ? line help: speaks with 202, then 5s
        2.000 < wait 60s
        62.000 < unbridged
        62.000 < talked NORMAL_CLEARING
        62.000 ? line help: leaves
        62.000 start: next -> bye (the conversation ended: NORMAL_CLEARING)
        62.000 ! Hangup(NormalClearing)
        "#,
    );
}

#[test]
fn the_record_tells_the_line_and_when_a_target_answered() {
    let speaks = format!("line 1\n wait 5s\n {SPEAK}\n wait 60s\n hangup NORMAL_CLEARING caller");
    let record = line(&json!({}), &speaks).record.unwrap();
    let visit = &record.path[0];
    let queue = visit.queue.as_ref().map(callwright::base::ids::QueueName::as_str);
    assert_eq!((queue, visit.answered_ms, visit.took_ms), (Some("help"), Some(5_000), 65_000));
    let record =
        line(&json!({}), "line 1\n wait 5s\n hangup NORMAL_CLEARING caller").record.unwrap();
    assert_eq!((record.path[0].answered_ms, record.path[0].took_ms), (None, 5_000));
}

#[test]
fn the_place_is_told_again_after_the_time_for_that_and_not_before() {
    let mut line = line(&json!({}), "line 1");
    for _ in 0..45 {
        line.play_script("wait 1s\n line 1");
    }
    let told = lines(&line, "! play menu");
    assert_eq!(told.len(), 2, "{}", line.text);
    // How long it takes is not known: nothing is said of that.
    assert!(told.iter().all(|told| told == "+ say Number 2 en"), "{told:?}");
}

#[test]
fn those_who_are_not_next_ask_less_often() {
    let mut line = line(&json!({}), "line 3");
    line.step("wait 1999ms");
    assert_eq!(lines(&line, "? line").len(), 1);
    line.step("wait 1ms");
    assert_eq!(lines(&line, "? line").len(), 2);
}

#[test]
fn the_exit_key_leads_out_while_music_plays_and_while_it_rings_and_no_other_key_does() {
    let mut line = line(&json!({}), "line 1\n key 12345\n wait 1s");
    assert!(line.text.contains("? line help since"), "{}", line.text);
    line.step("key #");
    assert!(line.text.contains("start: cancelled -> cancelled (the caller pressed the exit key)"));
    let mut line = self::line(&json!({}), "line gets 0\n key 5\n key #");
    assert_eq!(lines(&line, "! CancelDial").len(), 1);
    line.step("dialed NORMAL_CLEARING");
    assert!(line.text.contains("start: cancelled -> cancelled"), "{}", line.text);
    assert_eq!(lines(&line, "? line help: leaves").len(), 1);
}

#[test]
fn who_waits_too_long_is_given_up_but_what_rings_then_rings_on() {
    let mut line = line(&json!({}), "line 1\n wait 119s");
    assert!(line.record.is_none());
    line.step("wait 1s");
    assert!(line.text.contains("start: too_long -> long (the caller has waited for 2m)"));
    let mut line = self::line(&json!({}), "line 1\n wait 115s\n line gets 0\n wait 10s");
    assert_eq!(lines(&line, "! dial").len(), 1);
    assert!(!line.text.contains("start:"), "{}", line.text);
    line.step("dialed NO_ANSWER");
    assert!(line.text.contains("start: too_long -> long"), "{}", line.text);
    let speaks = format!("line 1\n wait 115s\n {SPEAK}\n wait 60s\n talked NORMAL_CLEARING");
    assert!(self::line(&json!({}), &speaks).text.contains("start: next -> bye"));
}

#[test]
fn a_target_that_is_not_reached_leads_back_into_the_line_and_is_left_alone() {
    for cause in ["NO_ANSWER", "USER_BUSY", "CALL_REJECTED", "USER_NOT_REGISTERED"] {
        let line = line(&json!({ "retry": "9s" }), &format!("line gets 0\n dialed {cause}"));
        let asked = lines(&line, "? line");
        assert_eq!(asked, ["help", "help since 1000, unanswered: 201 for 9s"], "{cause}");
        assert_eq!(lines(&line, "! play").len(), 2, "music again");
        assert_eq!(line.call.state().bridged(), None);
    }
}

#[test]
fn that_a_target_did_not_answer_is_told_until_somebody_has_heard_it() {
    let mut line = line(&json!({ "retry": "9s" }), "line gets 0\n dialed NO_ANSWER");
    line.play_script("line unknown\n wait 2s\n resume\n line 0\n wait 1s");
    let told: Vec<_> = lines(&line, "? line help since 1000");
    assert_eq!(
        told,
        [", unanswered: 201 for 9s", ", unanswered: 201 for 9s", ", unanswered: 201 for 9s", ""]
    );
}

#[test]
fn a_queue_may_try_more_targets_than_a_call_may_dial_legs() {
    let mut line = line(&json!({ "max_wait": "1h", "exit_key": null }), "");
    for _ in 0..60 {
        line.play_script("line gets 1\n dialed NO_ANSWER");
    }
    line.play_script(&format!("{SPEAK}\n hangup NORMAL_CLEARING caller"));
    let record = line.record.unwrap();
    assert!(record.legs.len() <= 21, "{}", record.legs.len());
    assert!(record.legs.last().unwrap().answered.is_some());
}

#[test]
fn a_line_that_is_full_and_one_for_nobody_let_nobody_in() {
    let line = line(&json!({ "max_callers": 3 }), "line full");
    assert!(line.text.contains("start: full -> full"), "{}", line.text);
    let nobody = json!({ "targets": [{ "extension": "{nothing}" }, { "sip": "a@evil.example" }] });
    let line = self::line(&nobody, "");
    assert!(line.text.contains("start: nobody -> nobody"), "{}", line.text);
    assert!(lines(&line, "? line").is_empty() && lines(&line, "! play").is_empty());
}

#[test]
fn a_caller_waits_on_with_music_while_nobody_can_be_asked() {
    let mut line = line(&json!({}), "line unknown");
    for _ in 0..20 {
        line.play_script("wait 2s\n line unknown");
    }
    // An answer that never comes does not end it either.
    line.step("wait 20s");
    assert!(line.record.is_none());
    line.play_script(SPEAK);
    assert_eq!(lines(&line, "! dial").len(), 1, "{}", line.text);
}

#[test]
fn music_that_can_t_be_played_is_not_tried_for_ever() {
    let mut line = line(&json!({ "announce": {} }), "line 1\n missing /p/hold.wav");
    assert_eq!(lines(&line, "! play"), ["hold", "beep"]);
    line.play_script("failed no\n failed no");
    assert_eq!(lines(&line, "! play"), ["hold", "beep", "beep"], "not before it asks again");
    line.step("wait 1s");
    assert_eq!(lines(&line, "! play").len(), 4);
    // What is only told does not take the music with it.
    let line = self::line(&json!({}), "line 1\n missing /p/menu.wav");
    assert_eq!(lines(&line, "! play").last().unwrap(), "hold");
}

#[test]
fn the_caller_who_hangs_up_frees_its_place_and_its_target() {
    for script in ["line 1", "line gets 0", SPEAK] {
        let line = line(&json!({}), &format!("{script}\n hangup NORMAL_CLEARING caller"));
        assert!(line.record.is_some());
        assert_eq!(lines(&line, "? line").last().unwrap(), "help: leaves", "{script}");
        assert_eq!(lines(&line, "? line help: leaves").len(), 1, "{script}");
    }
}

#[test]
fn a_call_that_changes_hands_keeps_its_place_and_what_it_heard() {
    let mut line = line(&json!({}), "line 2\n wait 40s\n resume");
    assert_eq!(lines(&line, "? line").last().unwrap(), "help since 1000");
    line.play_script("line 1\n wait 79s");
    assert!(!line.text.contains("start:"), "{}", line.text);
    line.step("wait 1s");
    assert!(line.text.contains("start: too_long"), "{}", line.text);
    assert_eq!(lines(&line, "! play menu").len(), 2, "not once more for the new process");
    // What only rang is let go, and the caller is asked for again, at the same place.
    let mut line = self::line(&json!({}), "line gets 0\n resume");
    assert_eq!(lines(&line, "? line").last().unwrap(), "help since 1000, unanswered: 201 for 0s");
    line.step(SPEAK.lines().next().unwrap());
    line.play_script("bridged\n wait 5s\n resume");
    assert!(line.text.contains("start: next -> bye"), "the conversation is over: {}", line.text);
    assert_eq!(line.record, None);
}

#[test]
fn a_conversation_is_one_as_dial_has_it() {
    let mut line = line(&json!({}), &format!("answered\n {SPEAK}"));
    line.step(r#"command {"hold":{"on":true}}"#);
    line.step(r#"command {"hold":{"on":false}}"#);
    line.step(r#"command {"record":{"action":"start"}}"#);
    line.step(r#"command {"consult":{"to":{"extension":"300"}}}"#);
    assert!(line.answers.iter().all(Result::is_ok), "{:?}", line.answers);
}

#[test]
fn a_target_that_was_let_go_is_free_while_the_caller_speaks_with_another() {
    let mut line = line(&json!({}), SPEAK);
    line.step(r#"command {"send":{"to":{"extension":"300"}}}"#);
    assert_eq!(lines(&line, "? line help: leaves").len(), 1, "{}", line.text);
    line.play_script(
        "unbridged\n talked BLIND_TRANSFER\n bridged c-leg\n wait 30s\n unbridged
        talked NORMAL_CLEARING",
    );
    assert!(line.text.contains("start: next -> bye"), "{}", line.text);
    assert_eq!(lines(&line, "? line help: leaves").len(), 1, "{}", line.text);
}
